// SPDX-License-Identifier: Apache-2.0
// One output of the tensor unit, a step in every cycle: codes of a row of A and a column of B,
// then C two cycles later, C' in the cycle after that. For ttu.cpp.
module ttu_bench (
    input logic clk_i,
    input logic [4:0] a_format_i,
    input logic [4:0] b_format_i,
    input logic [R6-1:0] live_i,
    input logic [Window-1:0] a_codes_i,
    input logic [Window-1:0] a_shifts_i,
    input logic [16*Chunks-1:0] a_scales_i,
    input logic [Window-1:0] b_codes_i,
    input logic [Window-1:0] b_shifts_i,
    input logic [16*Chunks-1:0] b_scales_i,
    input logic [31:0] c_i,
    output logic legal_o,
    output logic [3:0] log2_r_o,
    output logic [31:0] c_o  // of the inputs three cycles ago
);

  localparam int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16;
  localparam int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9;
  localparam int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6;
  localparam int unsigned Wide = 16 * R16 > 9 * R9 ? 16 * R16 : 9 * R9;
  localparam int unsigned Window = Wide > 6 * R6 ? Wide : 6 * R6;
  localparam int unsigned Chunks = R6 > tsr_format_pkg::LEAST_BLOCK ?
      R6 / tsr_format_pkg::LEAST_BLOCK : 1;
  localparam int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS;
  localparam int unsigned Element = 3 + Scale;
  localparam int unsigned E = tsr_format_pkg::E_BITS;

  tsr_format_pkg::format_t a_figures, b_figures;
  logic plain, wide, several, plain_q, wide_q, several_q, plain_q2, several_q2, plain_q3;
  logic [1:0] level, level_q, level_q2;
  logic [E:0] unit, unit_q;
  logic [R6*Element-1:0] a, b;
  logic [Chunks*Scale-1:0] a_scales, b_scales, a_scales_q, b_scales_q, a_scales_q2, b_scales_q2;
  logic [31:0] c_q, c_q2, c_q3;

  assign a_figures = tsr_format_pkg::figures(a_format_i);
  assign b_figures = tsr_format_pkg::figures(b_format_i);

  tsr_ttu_pair u_pair (
      .a_i(a_figures),
      .b_i(b_figures),
      .legal_o(legal_o),
      .plain_o(plain),
      .wide_o(wide),
      .log2_r_o(log2_r_o),
      .level_o(level),
      .several_o(several),
      .unit_o(unit)
  );
  tsr_ttu_row u_a (
      .format_i(a_format_i),
      .figures_i(a_figures),
      .codes_i(a_codes_i),
      .shifts_i(a_shifts_i),
      .scales_i(a_scales_i),
      .live_i(live_i),
      .elements_o(a),
      .scales_o(a_scales)
  );
  tsr_ttu_row u_b (
      .format_i(b_format_i),
      .figures_i(b_figures),
      .codes_i(b_codes_i),
      .shifts_i(b_shifts_i),
      .scales_i(b_scales_i),
      .live_i(live_i),
      .elements_o(b),
      .scales_o(b_scales)
  );

  always_ff @(posedge clk_i) begin
    wide_q <= wide;
    unit_q <= unit;
    level_q <= level;
    level_q2 <= level_q;
    several_q <= several;
    several_q2 <= several_q;
    plain_q <= plain;
    plain_q2 <= plain_q;
    plain_q3 <= plain_q2;
    a_scales_q <= a_scales;
    a_scales_q2 <= a_scales_q;
    b_scales_q <= b_scales;
    b_scales_q2 <= b_scales_q;
    c_q <= c_i;
    c_q2 <= c_q;
    c_q3 <= c_q2;
  end

  tsr_ttu_dot u_dot (
      .clk_i(clk_i),
      .a_i(a),
      .b_i(b),
      .wide_i(wide_q),
      .level_i(level_q),
      .unit_i(unit_q),
      .groups_i(level_q2),
      .several_i(several_q2),
      .a_scales_i(a_scales_q2),
      .b_scales_i(b_scales_q2),
      .plain_i(plain_q3),
      .c_i(c_q3),
      .c_o(c_o)
  );

endmodule
