// SPDX-License-Identifier: Apache-2.0
// The tensor unit. A shell: its first instruction is the fault not_built.
module tsr_ttu (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // operands: requesters 0 and 1
    output tsr_tile_pkg::rd_req_t a_o,
    input tsr_tile_pkg::rd_rsp_t a_i,
    output tsr_tile_pkg::rd_req_t b_o,
    input tsr_tile_pkg::rd_rsp_t b_i,
    // accumulators
    output tsr_tile_pkg::acc_tile_t acc_read_o,
    input logic [tsr_tile_pkg::TILE_BITS-1:0] acc_rdata_i,
    output tsr_tile_pkg::acc_tile_t acc_write_o,
    output logic [tsr_tile_pkg::TILE_BITS-1:0] acc_wdata_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] owns_o,  // banks of started, unposted mma
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] acc_owns_i,  // banks of a drain or fill
    // the end of instructions: posts and how many retire, in order
    output logic [2*tsr_tile_pkg::MAX_ACTIVE*27-1:0] posts_o,
    output logic [4:0] retire_o,
    output tsr_tile_pkg::fault_t fault_o
);

  assign ready_o = 1'b1;
  assign a_o = '0;
  assign b_o = '0;
  assign acc_read_o = '0;
  assign acc_write_o = '0;
  assign acc_wdata_o = '0;
  assign owns_o = '0;
  assign posts_o = '0;
  assign retire_o = '0;
  assign fault_o = {start_i, tsr_tile_pkg::FAULT_NOT_BUILT, insn_i.pc};

  logic unused;
  assign unused = ^{clk_i, rst_ni, en_i, insn_i, a_i, b_i, acc_rdata_i, acc_owns_i};

endmodule
