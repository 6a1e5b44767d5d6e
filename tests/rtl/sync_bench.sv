// SPDX-License-Identifier: Apache-2.0
// The semaphores with as many lanes of posts as a tile has, for sync.cpp.
module sync_bench (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [tsr_tile_pkg::QUEUES-1:0] consume_i,
    input logic [tsr_tile_pkg::QUEUES*22-1:0] waits_i,
    input logic [38*27-1:0] posts_i,
    input logic host_valid_i,
    input logic [2:0] host_what_i,
    input logic [16:0] host_addr_i,
    input logic [127:0] host_data_i,
    output logic [tsr_tile_pkg::SEMS*8-1:0] counts_o,
    output logic [tsr_tile_pkg::SEMS*8-1:0] next_o,
    output logic [tsr_tile_pkg::SEMS*4-1:0] consumers_o,
    output logic [tsr_tile_pkg::SEMS-1:0] touched_o,
    output logic fault_o,
    output logic [3:0] fault_kind_o,
    output logic [16:0] fault_pc_o,
    output logic [2:0] fault_queue_o
);
  tsr_tile_pkg::host_t host;
  tsr_tile_pkg::fault_t fault;
  assign host = {host_valid_i, tsr_tile_pkg::host_e'(host_what_i), host_addr_i, host_data_i};
  assign fault_o = fault.valid;
  assign fault_kind_o = fault.kind;
  assign fault_pc_o = fault.pc;
  tsr_sync #(
      .Lanes(38)
  ) u_sync (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .host_i(host),
      .consume_i(consume_i),
      .waits_i(waits_i),
      .posts_i(posts_i),
      .counts_o(counts_o),
      .consumers_o(consumers_o),
      .fault_o(fault),
      .fault_queue_o(fault_queue_o),
      .touched_o(touched_o),
      .counts_d_o(next_o)
  );
endmodule
