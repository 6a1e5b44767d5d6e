// SPDX-License-Identifier: Apache-2.0
// The data mover. A shell: its first descriptor is the fault not_built.
module tsr_tdma (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [tsr_tile_pkg::CHANNELS-1:0] start_i,
    input tsr_tile_pkg::unit_insn_t insn0_i,
    input tsr_tile_pkg::unit_insn_t insn1_i,
    input tsr_tile_pkg::unit_insn_t insn2_i,
    input tsr_tile_pkg::unit_insn_t insn3_i,
    output logic [tsr_tile_pkg::CHANNELS-1:0] ready_o,
    // TSRAM: requesters 5 and 6
    output tsr_tile_pkg::rd_req_t read_o,
    input tsr_tile_pkg::rd_rsp_t read_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // control memory
    output logic [tsr_tile_pkg::CONTROL_W-1:0] index_addr_o,
    input logic [31:0] index_i,
    output logic control_write_o,
    output logic [tsr_tile_pkg::CONTROL_W-1:0] control_addr_o,
    output logic [7:0] control_mask_o,
    output logic [63:0] control_wdata_o,
    // the tile's port
    output tsr_tile_pkg::dma_req_t req_o,
    output tsr_tile_pkg::out_beat_t out_o,
    input logic [4:0] heads_i,  // packets that reached the cluster on their way here
    input tsr_tile_pkg::in_beat_t in_i,
    input logic [tsr_tile_pkg::ACK_LANES*(tsr_tile_pkg::ID_W+1)-1:0] acks_i,
    output logic [tsr_tile_pkg::CHANNELS-1:0] rpost_o,
    output logic [tsr_tile_pkg::CHANNELS*64-1:0] rpost_mask_o,
    output logic [tsr_tile_pkg::CHANNELS*6-1:0] rpost_sem_o,
    // per channel
    output logic [tsr_tile_pkg::CHANNELS*2*27-1:0] posts_o,
    output logic [tsr_tile_pkg::CHANNELS-1:0] retire_o,
    output tsr_tile_pkg::fault_t fault0_o,
    output tsr_tile_pkg::fault_t fault1_o,
    output tsr_tile_pkg::fault_t fault2_o,
    output tsr_tile_pkg::fault_t fault3_o
);

  assign ready_o = '1;
  assign read_o = '0;
  assign write_o = '0;
  assign index_addr_o = '0;
  assign control_write_o = 1'b0;
  assign control_addr_o = '0;
  assign control_mask_o = '0;
  assign control_wdata_o = '0;
  assign req_o = '0;
  assign out_o = '0;
  assign rpost_o = '0;
  assign rpost_mask_o = '0;
  assign rpost_sem_o = '0;
  assign posts_o = '0;
  assign retire_o = '0;
  assign fault0_o = {start_i[0], tsr_tile_pkg::FAULT_NOT_BUILT, insn0_i.pc};
  assign fault1_o = {start_i[1], tsr_tile_pkg::FAULT_NOT_BUILT, insn1_i.pc};
  assign fault2_o = {start_i[2], tsr_tile_pkg::FAULT_NOT_BUILT, insn2_i.pc};
  assign fault3_o = {start_i[3], tsr_tile_pkg::FAULT_NOT_BUILT, insn3_i.pc};

  logic unused;
  assign unused = ^{clk_i, rst_ni, en_i, insn0_i, insn1_i, insn2_i, insn3_i, read_i, write_gnt_i,
                    index_i, heads_i, in_i, acks_i};

endmodule
