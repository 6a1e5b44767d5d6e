// SPDX-License-Identifier: Apache-2.0
// The vector processor. A shell: its first routine is the fault not_built.
module tsr_tvp (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input tsr_tile_pkg::host_t host_i,  // routines and their size
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // TSRAM: requesters 2, 3 and 4
    output tsr_tile_pkg::rd_req_t read0_o,
    input tsr_tile_pkg::rd_rsp_t read0_i,
    output tsr_tile_pkg::rd_req_t read1_o,
    input tsr_tile_pkg::rd_rsp_t read1_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // accumulators
    output tsr_tile_pkg::acc_rd_t vlda_o,
    input logic [32*tsr_tile_pkg::LANES-1:0] vlda_i,
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns_i,
    output logic [2*27-1:0] posts_o,
    output logic retire_o,
    output tsr_tile_pkg::fault_t fault_o,
    // vector instructions as they issue, their results as they become ready
    output logic [1:0] issue_o,  // memory, arithmetic
    output logic [2*17-1:0] issue_pc_o,
    output logic [1:0] result_o,  // loads and accumulator lines, all others
    output logic [2*5-1:0] result_reg_o,
    output logic [2*32*tsr_tile_pkg::LANES-1:0] result_value_o
);

  assign ready_o = 1'b1;
  assign read0_o = '0;
  assign read1_o = '0;
  assign write_o = '0;
  assign vlda_o = '0;
  assign posts_o = '0;
  assign retire_o = 1'b0;
  assign fault_o = {start_i, tsr_tile_pkg::FAULT_NOT_BUILT, insn_i.pc};
  assign issue_o = '0;
  assign issue_pc_o = '0;
  assign result_o = '0;
  assign result_reg_o = '0;
  assign result_value_o = '0;

  logic unused;
  assign unused = ^{clk_i, rst_ni, en_i, host_i, insn_i, read0_i, read1_i, write_gnt_i, vlda_i,
                    ttu_owns_i};

endmodule
