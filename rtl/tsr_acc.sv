// SPDX-License-Identifier: Apache-2.0
// Drain and preload of the accumulators. A shell: its first instruction is the fault not_built.
module tsr_acc (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // TSRAM: requester 7, at most one of both in a cycle
    output tsr_tile_pkg::rd_req_t read_o,
    input tsr_tile_pkg::rd_rsp_t read_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // accumulators
    output tsr_tile_pkg::acc_rd_t drain_o,
    input logic [32*tsr_tile_pkg::LANES-1:0] drain_i,
    output tsr_tile_pkg::acc_wr_t fill_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] owns_o,
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns_i,
    output logic [2*27-1:0] posts_o,
    output logic retire_o,
    output tsr_tile_pkg::fault_t fault_o
);

  assign ready_o = 1'b1;
  assign read_o = '0;
  assign write_o = '0;
  assign drain_o = '0;
  assign fill_o = '0;
  assign owns_o = '0;
  assign posts_o = '0;
  assign retire_o = 1'b0;
  assign fault_o = {start_i, tsr_tile_pkg::FAULT_NOT_BUILT, insn_i.pc};

  logic unused;
  assign unused = ^{clk_i, rst_ni, en_i, insn_i, read_i, write_gnt_i, drain_i, ttu_owns_i};

endmodule
