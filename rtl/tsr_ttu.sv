// SPDX-License-Identifier: Apache-2.0
// The tensor unit. A shell that knows tsync, which waits and posts without computing, and nothing
// else: its first mma is the fault not_built.
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
  assign fault_o = {start_i && !sync, tsr_tile_pkg::FAULT_NOT_BUILT, insn_i.pc};

  // tsync of cycle s posts in s + 1.
  tsr_tile_pkg::sems_t sems;
  logic sync, sync_q;
  logic [1:0] post_q;
  logic [11:0] id_q;
  logic [16:0] pc_q;
  assign sems = tsr_isa_pkg::tcp_sems(insn_i.word);
  assign sync = tsr_isa_pkg::tcp_exec(insn_i.word) == tsr_isa_pkg::EX_SYNC;
  assign retire_o = {4'b0, sync_q && en_i};
  always_comb begin
    posts_o = '0;
    for (int i = 0; i < 2; i++) begin
      posts_o[27*i+:27] = {sync_q && post_q[i], id_q[6*i+:6], 3'(tsr_tile_pkg::Q_TTU), pc_q};
    end
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) sync_q <= 1'b0;
    else if (en_i) sync_q <= start_i && sync;
  end
  always_ff @(posedge clk_i) begin
    post_q <= {sems.p1.valid, sems.p0.valid};
    id_q <= {sems.p1.id, sems.p0.id};
    pc_q <= insn_i.pc;
  end

  logic unused;
  assign unused = ^{sems.w1, sems.w0, insn_i, a_i, b_i, acc_rdata_i, acc_owns_i};

endmodule
