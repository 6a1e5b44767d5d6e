// SPDX-License-Identifier: Apache-2.0
// An mma in the cycle of its start: what it is, and the fault if it may not be.
module tsr_ttu_check (
    input tsr_tile_pkg::unit_insn_t insn_i,
    output tsr_tile_pkg::fault_e fault_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] banks_o,
    output tsr_ttu_pkg::op_t op_o,
    output tsr_ttu_pkg::fetch_t a_o,
    output tsr_ttu_pkg::fetch_t b_o,
    output logic [tsr_ttu_pkg::TSRAM_W-1:0] e_o,  // address of the exponents
    output logic [tsr_ttu_pkg::EXP_W-1:0] e_lines_o  // 0: none
);

  localparam int unsigned S = tsr_ttu_pkg::LINE_SHIFT;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam int unsigned KW = tsr_ttu_pkg::K_W;
  localparam logic [63:0] Size = tsr_chip_pkg::TILE_TSRAM_BYTES;
  localparam logic [63:0] Limit = 64'(tsr_ttu_pkg::ROWS);
  localparam logic [63:0] MostK = 64'(8 * tsr_chip_pkg::TILE_LINE_BYTES);

  logic [63:0] m, n, k, e, c;
  logic [63:0] e_bytes;
  logic [4:0] af, bf;
  logic at, bt, legal, rectangle, pair, plain, wide, several;
  logic [1:0] across, sc, level;
  logic [3:0] log2_r;
  logic a_outside, b_outside, a_crosses, b_crosses;
  logic [tsr_format_pkg::E_BITS:0] unit;
  tsr_format_pkg::format_t fa, fb;
  tsr_ttu_pkg::operand_t a, b;

  assign m = insn_i.x[64*tsr_isa_pkg::TCP_MMA_M_SLOT+:64];
  assign n = insn_i.x[64*tsr_isa_pkg::TCP_MMA_N_SLOT+:64];
  assign k = insn_i.x[64*tsr_isa_pkg::TCP_MMA_K_SLOT+:64];
  assign e = insn_i.x[64*tsr_isa_pkg::TCP_MMA_E_SLOT+:64];
  assign c = insn_i.x[64*tsr_isa_pkg::TCP_MMA_C_SLOT+:64];
  assign af = insn_i.word[tsr_isa_pkg::TCP_MMA_AF_LSB+:5];
  assign bf = insn_i.word[tsr_isa_pkg::TCP_MMA_BF_LSB+:5];
  assign at = insn_i.word[tsr_isa_pkg::TCP_MMA_AT_LSB];
  assign bt = insn_i.word[tsr_isa_pkg::TCP_MMA_BT_LSB];
  assign across = insn_i.word[tsr_isa_pkg::TCP_MMA_ACROSS_LSB+:2];
  assign sc = insn_i.word[tsr_isa_pkg::TCP_MMA_SC_LSB+:2];
  assign fa = tsr_format_pkg::figures(af);
  assign fb = tsr_format_pkg::figures(bf);

  tsr_ttu_pair u_pair (
      .a_i(fa),
      .b_i(fb),
      .legal_o(pair),
      .plain_o(plain),
      .wide_o(wide),
      .log2_r_o(log2_r),
      .level_o(level),
      .several_o(several),
      .unit_o(unit)
  );
  tsr_rectangle u_rectangle (
      .c_i(c),
      .m_i(m),
      .n_i(n),
      .across_i(across),
      .legal_o(rectangle),
      .banks_o(banks_o)
  );
  tsr_ttu_operand u_a (
      .address_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_A_SLOT+:64]),
      .stride_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_AS_SLOT+:64]),
      .scales_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_ASC_SLOT+:64]),
      .format_i(af),
      .figures_i(fa),
      .strided_i(at),
      .outer_i(m[RowW:0]),
      .k_i(k[KW-1:0]),
      .outside_o(a_outside),
      .crosses_o(a_crosses),
      .operand_o(a),
      .fetch_o(a_o)
  );
  tsr_ttu_operand u_b (
      .address_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_B_SLOT+:64]),
      .stride_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_BS_SLOT+:64]),
      .scales_i(insn_i.x[64*tsr_isa_pkg::TCP_MMA_BSC_SLOT+:64]),
      .format_i(bf),
      .figures_i(fb),
      .strided_i(bt),
      .outer_i(n[RowW:0]),
      .k_i(k[KW-1:0]),
      .outside_o(b_outside),
      .crosses_o(b_crosses),
      .operand_o(b),
      .fetch_o(b_o)
  );

  assign legal = pair && !(at && fa.scaled) && !(bt && fb.scaled);
  assign e_bytes = (sc == 2'd1 ? m : n) << 2;
  assign e_o = e[tsr_ttu_pkg::TSRAM_W-1:0];
  assign e_lines_o = sc == 2'd0 ? '0 : tsr_ttu_pkg::EXP_W'((16'(e[S-1:0]) + e_bytes[15:0] - 16'd1)
                                                           >> S) + 1'b1;

  always_comb begin
    fault_o = tsr_tile_pkg::FAULT_NONE;
    if (!legal) fault_o = tsr_tile_pkg::FAULT_ILLEGAL;
    else if (k == '0 || k > MostK || m > Limit || n > Limit || ((at || bt) && k > Limit) ||
             !rectangle)
      fault_o = tsr_tile_pkg::FAULT_SHAPE;
    else if (sc != 2'd0 && (e[1:0] != 2'd0 || e > Size || e_bytes > Size - e))
      fault_o = tsr_tile_pkg::FAULT_ADDRESS;
    else if (a_outside) fault_o = tsr_tile_pkg::FAULT_ADDRESS;
    else if (a_crosses) fault_o = tsr_tile_pkg::FAULT_OPERAND_LINE;
    else if (b_outside) fault_o = tsr_tile_pkg::FAULT_ADDRESS;
    else if (b_crosses) fault_o = tsr_tile_pkg::FAULT_OPERAND_LINE;
  end

  always_comb begin
    op_o.a = a;
    op_o.b = b;
    op_o.m = m[RowW:0];
    op_o.n = n[RowW:0];
    op_o.k = k[KW-1:0];
    op_o.bank = c[11:8];
    op_o.row = c[5:4];
    op_o.col = c[1:0];
    op_o.across = across;
    op_o.acc = insn_i.word[tsr_isa_pkg::TCP_MMA_ACC_LSB];
    op_o.sc = sc;
    op_o.e_at = e[S-1:0];
    op_o.plain = plain;
    op_o.wide = wide;
    op_o.several = several;
    op_o.level = level;
    op_o.log2_r = log2_r;
    op_o.unit = 16'($signed(unit));
  end

  logic unused;
  assign unused = ^{insn_i.pc, insn_i.word, insn_i.x};

endmodule
