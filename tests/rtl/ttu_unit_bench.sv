// SPDX-License-Identifier: Apache-2.0
// The tensor unit and the drain and fill path with their memories and nothing else: instructions
// come from outside, the TSRAM is written and read through the TDMA's turns. For ttu_unit.cpp.
module ttu_unit_bench (
    input logic clk_i,
    input logic rst_ni,
    input logic ttu_start_i,
    input logic acc_start_i,
    input logic [127:0] word_i,
    input logic [64*tsr_isa_pkg::SLOTS-1:0] x_i,
    output logic ttu_ready_o,
    output logic acc_ready_o,
    output logic [4:0] ttu_retire_o,
    output logic acc_retire_o,
    output logic fault_o,
    input logic write_i,
    input logic read_i,
    input logic [31:0] line_i,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] data_i,
    output logic write_gnt_o,
    output logic read_gnt_o,
    output logic [tsr_tile_pkg::LINE_BITS-1:0] data_o  // in the cycle after the grant
);

  localparam int unsigned LineW = tsr_tile_pkg::LINE_W;

  logic [2:0] phase_q;
  tsr_tile_pkg::unit_insn_t insn;
  tsr_tile_pkg::rd_req_t a, b, acc_read, dma_read;
  tsr_tile_pkg::rd_rsp_t a_r, b_r, acc_read_r, dma_read_r, none0, none1;
  tsr_tile_pkg::wr_req_t acc_write, dma_write;
  tsr_tile_pkg::acc_tile_t tile_read, tile_write;
  tsr_tile_pkg::acc_rd_t drain;
  tsr_tile_pkg::acc_wr_t fill;
  tsr_tile_pkg::fault_t ttu_fault, acc_fault;
  logic [tsr_tile_pkg::TILE_BITS-1:0] tile_rdata, tile_wdata;
  logic [32*tsr_tile_pkg::LANES-1:0] drain_rdata, vlda_rdata;
  logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns, acc_owns;
  logic acc_write_gnt, tvp_write_gnt;
  logic [2*tsr_tile_pkg::MAX_ACTIVE*27-1:0] ttu_posts;
  logic [2*27-1:0] acc_posts;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) phase_q <= '0;
    else phase_q <= phase_q + 3'd1;
  end

  assign insn = {17'd0, word_i, x_i};
  assign dma_read = {read_i, line_i[LineW-1:0]};
  assign dma_write = {write_i, line_i[LineW-1:0], {tsr_tile_pkg::LINE_BYTES{1'b1}}, data_i};
  assign read_gnt_o = dma_read_r.gnt;
  assign data_o = dma_read_r.rdata;
  assign fault_o = ttu_fault.valid || acc_fault.valid;

  tsr_tsram u_tsram (
      .clk_i(clk_i),
      .phase_i(phase_q),
      .ttu_a_i(a),
      .ttu_a_o(a_r),
      .ttu_b_i(b),
      .ttu_b_o(b_r),
      .tvp_read0_i('0),
      .tvp_read0_o(none0),
      .tvp_read1_i('0),
      .tvp_read1_o(none1),
      .tvp_write_i('0),
      .tvp_write_gnt_o(tvp_write_gnt),
      .dma_read_i(dma_read),
      .dma_read_o(dma_read_r),
      .dma_write_i(dma_write),
      .dma_write_gnt_o(write_gnt_o),
      .acc_read_i(acc_read),
      .acc_read_o(acc_read_r),
      .acc_write_i(acc_write),
      .acc_write_gnt_o(acc_write_gnt)
  );
  tsr_acc_pool u_pool (
      .clk_i(clk_i),
      .tile_read_i(tile_read),
      .tile_rdata_o(tile_rdata),
      .tile_write_i(tile_write),
      .tile_wdata_i(tile_wdata),
      .drain_i(drain),
      .drain_rdata_o(drain_rdata),
      .fill_i(fill),
      .vlda_i('0),
      .vlda_rdata_o(vlda_rdata)
  );
  tsr_ttu u_ttu (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(1'b1),
      .start_i(ttu_start_i),
      .insn_i(insn),
      .ready_o(ttu_ready_o),
      .a_o(a),
      .a_i(a_r),
      .b_o(b),
      .b_i(b_r),
      .acc_read_o(tile_read),
      .acc_rdata_i(tile_rdata),
      .acc_write_o(tile_write),
      .acc_wdata_o(tile_wdata),
      .owns_o(ttu_owns),
      .acc_owns_i(acc_owns),
      .posts_o(ttu_posts),
      .retire_o(ttu_retire_o),
      .fault_o(ttu_fault)
  );
  tsr_acc u_acc (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(1'b1),
      .start_i(acc_start_i),
      .insn_i(insn),
      .ready_o(acc_ready_o),
      .read_o(acc_read),
      .read_i(acc_read_r),
      .write_o(acc_write),
      .write_gnt_i(acc_write_gnt),
      .drain_o(drain),
      .drain_i(drain_rdata),
      .fill_o(fill),
      .owns_o(acc_owns),
      .ttu_owns_i(ttu_owns),
      .posts_o(acc_posts),
      .retire_o(acc_retire_o),
      .fault_o(acc_fault)
  );

  logic unused;
  assign unused = ^{none0, none1, dma_read_r, line_i, tvp_write_gnt, vlda_rdata, ttu_posts,
                    acc_posts, ttu_fault, acc_fault};

endmodule
