// SPDX-License-Identifier: Apache-2.0
// What stands around a part of micro's tile wherever it is used (mutate_prove.sh): inputs that
// cannot be and outputs at which nobody looks make no difference.

// A row: the figures are those of its format, which there is, and no step has more products than
// the format's rate allows.
module tsr_where_row (
    input logic [4:0] format_i,
    input logic [95:0] codes_i,
    input logic [95:0] shifts_i,
    input logic [15:0] scales_i,
    input logic [15:0] live_i,
    input logic [15:0] mutsel,
    output logic [383:0] elements_o,
    output logic [20:0] scales_o
);
  tsr_format_pkg::format_t figures;
  logic [15:0] room;
  logic [383:0] elements;
  logic [20:0] scales;
  assign figures = tsr_format_pkg::figures(format_i);
  assign room = figures.rate == 2'd2 ? 16'h000f : figures.rate == 2'd1 ? 16'h00ff : 16'hffff;
  tsr_top u_part (
      .format_i(format_i),
      .figures_i(figures),
      .codes_i(codes_i),
      .shifts_i(shifts_i),
      .scales_i(scales_i),
      .live_i(live_i & room),
      .mutsel(mutsel),
      .elements_o(elements),
      .scales_o(scales)
  );
  assign elements_o = figures.known ? elements : '0;
  assign scales_o = figures.known ? scales : '0;
endmodule

// A dot: its elements come from two rows, whose formats multiply.
module tsr_where_dot (
    input logic clk_i,
    input logic [4:0] a_format_i,
    input logic [4:0] b_format_i,
    input logic [95:0] a_codes_i,
    input logic [95:0] b_codes_i,
    input logic [95:0] a_shifts_i,
    input logic [95:0] b_shifts_i,
    input logic [15:0] a_row_scales_i,
    input logic [15:0] b_row_scales_i,
    input logic [15:0] live_i,
    input logic wide_i,
    input logic [1:0] level_i,
    input logic [10:0] unit_i,
    input logic [1:0] groups_i,
    input logic several_i,
    input logic [20:0] a_scales_i,
    input logic [20:0] b_scales_i,
    input logic plain_i,
    input logic [31:0] c_i,
    input logic [15:0] mutsel,
    output logic [31:0] c_o
);
  tsr_format_pkg::format_t fa, fb;
  logic [15:0] live;
  logic [383:0] a, b;
  logic [20:0] a_none, b_none;
  assign fa = tsr_format_pkg::figures(a_format_i);
  assign fb = tsr_format_pkg::figures(b_format_i);
  assign live = !fa.known || !fb.known || fa.plain != fb.plain ? 16'h0000 :
      fa.rate == 2'd2 || fb.rate == 2'd2 ? live_i & 16'h000f :
      fa.rate == 2'd1 || fb.rate == 2'd1 ? live_i & 16'h00ff : live_i;
  tsr_ttu_row u_a (
      .format_i(a_format_i),
      .figures_i(fa),
      .codes_i(a_codes_i),
      .shifts_i(a_shifts_i),
      .scales_i(a_row_scales_i),
      .live_i(live),
      .elements_o(a),
      .scales_o(a_none)
  );
  tsr_ttu_row u_b (
      .format_i(b_format_i),
      .figures_i(fb),
      .codes_i(b_codes_i),
      .shifts_i(b_shifts_i),
      .scales_i(b_row_scales_i),
      .live_i(live),
      .elements_o(b),
      .scales_o(b_none)
  );
  tsr_top u_part (
      .clk_i(clk_i),
      .a_i(a),
      .b_i(b),
      .wide_i(wide_i),
      .level_i(level_i),
      .unit_i(unit_i),
      .groups_i(groups_i),
      .several_i(several_i),
      .a_scales_i(a_scales_i),
      .b_scales_i(b_scales_i),
      .plain_i(plain_i),
      .c_i(c_i),
      .mutsel(mutsel),
      .c_o(c_o)
  );
endmodule
