// SPDX-License-Identifier: Apache-2.0
// What stands around a part of micro's tile wherever it is used (mutate_prove.sh): inputs that
// cannot be and outputs at which nobody looks make no difference.

// A row: the figures are those of its format, which there is, and no step has more products than
// the format's rate allows, from lane 0 on. One NaN is all that counts. Else the dot takes of an
// element's significand as many bits as the lane's formats have, which have no infinities where
// those are 6; of an infinity the sign, of a zero nothing else.
module tsr_where_row (
    input logic [4:0] format_i,
    input logic [95:0] codes_i,
    input logic [95:0] shifts_i,
    input logic [15:0] scales_i,
    input logic [3:0] last_i,  // product that counts
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
      .live_i(16'hffff >> (4'd15 - last_i) & room),
      .mutsel(mutsel),
      .elements_o(elements),
      .scales_o(scales)
  );
  localparam int unsigned M = tsr_format_pkg::M_BITS;
  localparam int unsigned E = tsr_format_pkg::E_BITS;
  logic [15:0] nan;
  for (genvar j = 0; j < 16; j++) begin : g_lane
    localparam int unsigned Mj =
        j < 4 ? M : j < 8 ? tsr_format_pkg::M_BITS_9 : tsr_format_pkg::M_BITS_6;
    logic [E+M+2:0] x;
    logic [Mj-1:0] m;
    logic inf, zero;
    assign nan[j] = elements[24*j+23];
    assign x = elements[24*j+:24];
    assign m = x[E+M-1-:Mj];
    assign inf = x[E+M+1];
    assign zero = j < 8 && !inf && x[E+:M] == '0;
    assign elements_o[24*j+:24] = !figures.known || nan != '0 ? {1'b1, 23'd0} :
        inf ? {2'b01, x[E+M], 21'd0} : {2'b00, m != '0 && x[E+M], m, {(M - Mj) {zero}},
        m != '0 ? x[E-1:0] : {E{1'b0}}};
  end
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

// A vector load: the figures of an element or of a scale, at most 8 lanes, one where it goes into
// all; only groups of pairs fill a second register.
module tsr_where_load (
    input logic [5:0] which_i,
    input logic splat_i,
    input logic [8:0] active_i,
    input logic [255:0] bytes_i,
    input logic [15:0] mutsel,
    output logic [511:0] values_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [511:0] values;
  logic splat;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  assign splat = splat_i && !which_i[5];
  tsr_top u_part (
      .format_i(format),
      .scales_i(which_i[5]),
      .splat_i(splat),
      .active_i(splat ? 9'd1 : active_i > 9'd8 ? 9'd8 : active_i),
      .bytes_i(bytes_i),
      .mutsel(mutsel),
      .values_o(values)
  );
  assign values_o = format.bits == 6'd0 ? '0 : format.pairs ? values : {256'd0, values[255:0]};
endmodule

// A vector store: likewise, and of the bytes only those of groups that have begun are written.
module tsr_where_store (
    input logic [5:0] which_i,
    input logic [8:0] active_i,
    input logic [511:0] values_i,
    input logic [15:0] mutsel,
    output logic [255:0] bytes_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [255:0] bytes;
  logic [8:0] active;
  logic [9:0] elements, groups;
  logic [14:0] count;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  assign active = active_i > 9'd8 ? 9'd8 : active_i;
  assign elements = format.pairs ? {active, 1'b0} : {1'b0, active};
  assign groups = (elements + (10'd1 << format.group) - 10'd1) >> format.group;
  assign count = format.bits == 6'd0 ? 15'd0 : {5'd0, groups} * {10'd0, format.bytes};
  tsr_top u_part (
      .format_i(format),
      .scales_i(which_i[5]),
      .active_i(active),
      .values_i(values_i),
      .mutsel(mutsel),
      .bytes_o(bytes)
  );
  for (genvar i = 0; i < 32; i++) begin : g_byte
    assign bytes_o[8*i+:8] = count > 15'(i) ? bytes[8*i+:8] : 8'd0;
  end
endmodule
