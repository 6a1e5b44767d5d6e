// SPDX-License-Identifier: Apache-2.0
// What stands around a part of micro's tile wherever it is used (mutate_prove.sh): inputs that
// cannot be and outputs at which nobody looks make no difference. Of the vector processor:
// mutate_where_tvp.sv.

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

// What of a lane's 24 bits a row can give: one of NaN, infinity and m, exponents of 9 bits; m of as
// many bits as the lane's formats have, which have no infinities where those are 6. Proved of
// tsr_ttu_row (tsr_lemma_dot), so that a dot need not stand behind two of them.
module tsr_where_element #(
    parameter int unsigned Bits = 11,
    parameter bit Infinities = 1
) (
    input logic [23:0] x_i,
    output logic [23:0] x_o
);
  localparam int unsigned M = tsr_format_pkg::M_BITS;
  localparam int unsigned E = tsr_format_pkg::E_BITS;
  logic inf;
  assign inf = x_i[E+M+1] && !x_i[E+M+2] && Infinities;
  assign x_o = {
    x_i[E+M+2],
    inf,
    x_i[E+M],
    inf || x_i[E+M+2] ? {M{1'b0}} : x_i[E+M-1:E] & ~({M{1'b1}} >> Bits),
    {2{x_i[8]}},
    x_i[7:0]
  };
endmodule

module tsr_where_elements (
    input logic [383:0] x_i,
    output logic [383:0] x_o
);
  for (genvar j = 0; j < 16; j++) begin : g_lane
    tsr_where_element #(
        .Bits(j < 4 ? tsr_format_pkg::M_BITS :
              j < 8 ? tsr_format_pkg::M_BITS_9 : tsr_format_pkg::M_BITS_6),
        .Infinities(j < 8)
    ) u_element (
        .x_i(x_i[24*j+:24]),
        .x_o(x_o[24*j+:24])
    );
  end
endmodule

// holds_o: a row with the figures of its format and no more products than the format's rate.
module tsr_lemma_dot (
    input logic [4:0] format_i,
    input logic [95:0] codes_i,
    input logic [95:0] shifts_i,
    input logic [15:0] scales_i,
    input logic [15:0] live_i,
    output logic holds_o
);
  tsr_format_pkg::format_t figures;
  logic [383:0] a, b;
  logic [20:0] scales;
  assign figures = tsr_format_pkg::figures(format_i);
  tsr_ttu_row u_row (
      .format_i(format_i),
      .figures_i(figures),
      .codes_i(codes_i),
      .shifts_i(shifts_i),
      .scales_i(scales_i),
      .live_i(!figures.known ? 16'h0000 : figures.rate == 2'd2 ? live_i & 16'h000f :
              figures.rate == 2'd1 ? live_i & 16'h00ff : live_i),
      .elements_o(a),
      .scales_o(scales)
  );
  tsr_where_elements u_elements (
      .x_i(a),
      .x_o(b)
  );
  assign holds_o = a == b;
endmodule

// A dot between two rows.
module tsr_where_dot (
    input logic clk_i,
    input logic [383:0] a_i,
    input logic [383:0] b_i,
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
  logic [383:0] a, b;
  tsr_where_elements u_a (
      .x_i(a_i),
      .x_o(a)
  );
  tsr_where_elements u_b (
      .x_i(b_i),
      .x_o(b)
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

// A rectangle: of one that is not legal nobody looks at the banks (of several faults in one cycle
// that of the unit whose it is comes before those of the units that look).
module tsr_where_rectangle (
    input logic [63:0] c_i,
    input logic [63:0] m_i,
    input logic [63:0] n_i,
    input logic [1:0] across_i,
    input logic [15:0] mutsel,
    output logic legal_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] banks_o
);
  logic [tsr_tile_pkg::ACC_BANKS-1:0] banks;
  tsr_rectangle u_part (
      .c_i(c_i),
      .m_i(m_i),
      .n_i(n_i),
      .across_i(across_i),
      .mutsel(mutsel),
      .legal_o(legal_o),
      .banks_o(banks)
  );
  assign banks_o = legal_o ? banks : '0;
endmodule

// Of drains and fills: while one is under way, its rows fit into a line of four banks and the port
// is within its row or the bias. It is given that only legal words of the unit's queue start, and
// only while it is idle.
// An invariant's ports are the unit's wires and registers of these names.
module tsr_invariant_acc (
    input logic start_i,
    input logic [64*tsr_tile_pkg::SLOTS+144:0] insn_i,
    input logic [2:0] state_q,
    input logic active_q,
    input logic half_q,
    input logic [tsr_tile_pkg::TSRAM_W-1:0] at_q,
    input logic [tsr_tile_pkg::TSRAM_W-1:0] bias_at_q,
    input logic [6:0] n_q,
    input logic [7:0] line_q,
    output logic given_o,
    output logic holds_o
);
  localparam int unsigned S = tsr_tile_pkg::LINE_SHIFT;
  tsr_isa_pkg::tcp_decoded_t decoded;
  logic [127:0] word;  // of a tsr_tile_pkg::unit_insn_t
  logic [2:0] queue;
  logic [15:0] last;
  assign word = insn_i[64*tsr_tile_pkg::SLOTS+:128];
  assign decoded = tsr_isa_pkg::tcp_decode(word);
  assign queue = tsr_isa_pkg::tcp_queue(word);
  assign given_o = !start_i ||
      (state_q == 3'd0 && decoded.legal && queue == 3'(tsr_tile_pkg::Q_ACC));
  assign last = (state_q == 3'd1 ? 16'(bias_at_q[S-1:0]) + (16'(n_q) << 2) - 16'd1 :
      16'(at_q[S-1:0]) + (16'(n_q) << (half_q ? 1 : 2)) - 16'd1) >> S;
  assign holds_o = (!active_q || state_q == 3'd4) && (state_q == 3'd0 ||
      (n_q != 7'd0 && n_q <= 7'(16 * tsr_tile_pkg::DIM) && 16'(line_q) <= last));
endmodule

// The tensor unit gets mma and tsync alone, of a program of at most 4,096 words.
module tsr_where_ttu (
    input logic [257:0] a_i,
    input logic [7:0] acc_owns_i,
    input logic [511:0] acc_rdata_i,
    input logic [257:0] b_i,
    input logic clk_i,
    input logic en_i,
    input logic rst_ni,
    input logic start_i,
    input logic [976:0] insn_i,
    output logic [11:0] a_o,
    output logic [8:0] acc_read_o,
    output logic [511:0] acc_wdata_o,
    output logic [8:0] acc_write_o,
    output logic [11:0] b_o,
    output logic [21:0] fault_o,
    output logic [7:0] owns_o,
    output logic [431:0] posts_o,
    output logic ready_o,
    output logic [4:0] retire_o,
    input logic [15:0] mutsel
);
  tsr_top u_part (
      .a_i(a_i),
      .acc_owns_i(acc_owns_i),
      .acc_rdata_i(acc_rdata_i),
      .b_i(b_i),
      .clk_i(clk_i),
      .en_i(en_i),
      .rst_ni(rst_ni),
      .start_i(start_i),
      .insn_i({5'd0, insn_i[971:840], 7'h20, insn_i[832:0]}),
      .a_o(a_o),
      .acc_read_o(acc_read_o),
      .acc_wdata_o(acc_wdata_o),
      .acc_write_o(acc_write_o),
      .b_o(b_o),
      .fault_o(fault_o),
      .owns_o(owns_o),
      .posts_o(posts_o),
      .ready_o(ready_o),
      .retire_o(retire_o),
      .mutsel(mutsel)
  );
endmodule

// What the tensor unit's feeds rely on. Of a lane beyond the format's rate, live or not: neither an
// infinity nor, but with a rate of 16, anything else than a zero; a NaN as lane 0 is, by the scale.
// Of 16 rows in a step, K-strided, of at most 32: where the first one's line is 13 modulo 16 none
// is 15 lines on, nor are 8 rows ever.
module tsr_lemma_ttu (
    input logic [4:0] format_i,
    input logic [95:0] codes_i,
    input logic [95:0] shifts_i,
    input logic [15:0] scales_i,
    input logic [15:0] live_i,
    input logic [4:0] at_i,
    input logic [4:0] stride_i,
    input logic dense_i,
    input logic [4:0] first_i,
    input logic [3:0] ahead_i,
    output logic holds_o
);
  tsr_format_pkg::format_t figures;
  logic [383:0] elements;
  logic [20:0] scales;
  logic [23:0] lane;
  assign figures = tsr_format_pkg::figures(format_i);
  tsr_ttu_row u_row (
      .format_i(format_i),
      .figures_i(figures),
      .codes_i(codes_i),
      .shifts_i(shifts_i),
      .scales_i(scales_i),
      .live_i(live_i | 16'h0001),
      .elements_o(elements),
      .scales_o(scales)
  );
  assign lane = elements[24*14+:24];

  logic [4:0] first_row;
  logic [9:0] first, here;
  assign first_row = ahead_i[3] ? {first_i[4], 4'd0} : first_i;
  assign first = dense_i ? {5'd0, at_i} + {5'd0, first_row} * {5'd0, stride_i} >> 5 :
      {5'd0, first_row};
  assign here = dense_i ?
      {5'd0, at_i} + ({5'd0, first_row} + {6'd0, ahead_i}) * {5'd0, stride_i} >> 5 :
      {5'd0, first_row} + {6'd0, ahead_i};
  assign holds_o = (!figures.known || (!lane[22] && (!lane[23] || elements[23]) &&
                                       (figures.rate == 2'd0 || lane[20:10] == 11'd0))) &&
      !(here - first == 10'd15 && (first[3:0] == 4'd13 || !ahead_i[3]));
endmodule
