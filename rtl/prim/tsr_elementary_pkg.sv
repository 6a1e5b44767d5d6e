// SPDX-License-Identifier: Apache-2.0
// exp2, log2, rcp, rsqrt: a row of a generated table and a quadratic in fixed point, as
// isa/num/elementary.c has it. A row is {c0, c1, c2}, 32 bits each.
// Functions take whole floats and keep the part they are about; products drop their low bits.
/* verilator lint_off UNUSEDSIGNAL */
package tsr_elementary_pkg;

  // c0 - c1 t + c2 t^2 with t = u / 2^16.
  function automatic logic [31:0] falling(input logic [95:0] row, input logic [15:0] u);
    logic [47:0] curve;
    logic [31:0] slope;
    logic [47:0] drop;
    curve = {16'd0, row[31:0]} * {32'd0, u};
    slope = row[63:32] - curve[47:16];
    drop = {16'd0, slope} * {32'd0, u};
    falling = row[95:64] - drop[47:16];
  endfunction

  // A positive finite a as 1.m * 2^e: {e, m}.
  function automatic logic [34:0] normalise(input logic [31:0] a);
    logic [5:0] lz;
    logic signed [11:0] e;
    lz = 6'd0;
    if (a[30:23] == 8'd0) lz = tsr_f32_pkg::clz48({1'b0, a[22:0], 24'd0});
    if (a[30:23] == 8'd0) e = -12'sd126 - $signed({6'd0, lz});
    else e = $signed({4'd0, a[30:23]}) - 12'sd127;
    normalise = {e, 23'(a[22:0] << lz)};
  endfunction

  // y in (1/2, 1] in units of 2^-30, times 2^e, rounded half up; +0 below 2^-126.
  function automatic logic [31:0] pack_half_one(input logic sign, input logic [31:0] y,
                                                input logic signed [11:0] e);
    logic [31:0] bits;
    logic [31:0] field;
    logic [31:0] up;
    field = 32'(e) + 32'd125;
    up = y + 32'd32;
    bits = {field[8:0], 23'd0} + {6'd0, up[31:6]};
    if (e > 12'sd128) pack_half_one = {sign, tsr_f32_pkg::INF[30:0]};
    else if (e < -12'sd126) pack_half_one = 32'd0;
    else if (bits >= tsr_f32_pkg::INF) pack_half_one = {sign, tsr_f32_pkg::INF[30:0]};
    else if (bits < 32'h0080_0000) pack_half_one = 32'd0;
    else pack_half_one = {sign, bits[30:0]};
  endfunction

  // a = i + f, f in [0, 1) cut to 28 bits downwards.
  function automatic logic [31:0] exp2(input logic [31:0] a);
    logic [36:0] shifted;
    logic [36:0] fixed;
    logic [7:0] by;
    logic [23:0] m;
    logic lost;
    logic [95:0] row;
    logic [21:0] u;
    logic [53:0] curve;
    logic [53:0] rise;
    logic [31:0] slope;
    logic [31:0] y;
    logic [31:0] up;
    logic [31:0] field;
    m = tsr_f32_pkg::significand(a);
    // |a| in units of 2^-28 is m * 2^(low + 28), at most 2^35.
    lost = 1'b0;
    if (a[30:23] >= 8'd122) begin
      shifted = {13'd0, m} << (a[30:23] - 8'd122);
    end else begin
      by = 8'd122 - (a[30:23] == 8'd0 ? 8'd1 : a[30:23]);
      shifted = by < 8'd24 ? {13'd0, m >> by} : 37'd0;
      lost = by < 8'd24 ? ({13'd0, m} != shifted << by) : m != 24'd0;
    end
    fixed = a[31] ? -shifted - {36'd0, lost} : shifted;
    row = tsr_table_pkg::exp2_row(fixed[27:22]);
    u = fixed[21:0];
    curve = {22'd0, row[31:0]} * {32'd0, u};
    slope = row[63:32] + curve[53:22];
    rise = {22'd0, slope} * {32'd0, u};
    y = row[95:64] + rise[53:22];
    up = y + 32'd16;
    field = {{23{fixed[36]}}, fixed[36:28]} + 32'd126;
    if (tsr_f32_pkg::is_nan(a)) exp2 = tsr_f32_pkg::NAN;
    else if (a[31] && a[30:0] > 31'h42FC_0000) exp2 = 32'd0;
    else if (!a[31] && a[30:0] >= 31'h4300_0000) exp2 = tsr_f32_pkg::INF;
    else exp2 = {field[8:0], 23'd0} + {5'd0, up[31:5]};
  endfunction

  function automatic logic [31:0] rcp(input logic [31:0] a);
    logic [34:0] n;
    logic [31:0] y;
    n = normalise(a);
    y = falling(tsr_table_pkg::rcp_row(n[22:16]), n[15:0]);
    if (tsr_f32_pkg::is_nan(a)) rcp = tsr_f32_pkg::NAN;
    else if (a[30:0] == tsr_f32_pkg::INF[30:0]) rcp = 32'd0;
    else if (a[30:0] == 31'd0) rcp = {a[31], tsr_f32_pkg::INF[30:0]};
    else rcp = pack_half_one(a[31], y, -$signed(n[34:23]));
  endfunction

  function automatic logic [31:0] rsqrt(input logic [31:0] a);
    logic [34:0] n;
    logic [31:0] y;
    logic signed [11:0] e;
    n = normalise(a);
    e = $signed(n[34:23]);
    y = falling(e[0] ? tsr_table_pkg::rsqrt_odd_row(n[22:16])
                     : tsr_table_pkg::rsqrt_even_row(n[22:16]), n[15:0]);
    if (a[30:0] == 31'd0) rsqrt = {a[31], tsr_f32_pkg::INF[30:0]};
    else if (tsr_f32_pkg::is_nan(a) || a[31]) rsqrt = tsr_f32_pkg::NAN;
    else if (a == tsr_f32_pkg::INF) rsqrt = 32'd0;
    else rsqrt = pack_half_one(1'b0, y, -(e >>> 1));
  endfunction

  // a = 1.f 2^e, halved from 1.5 on: e + (m - 1) q(m) in units of 2^-54.
  function automatic logic [31:0] log2(input logic [31:0] a);
    logic [34:0] n;
    logic signed [11:0] e;
    logic signed [25:0] above;
    logic [31:0] q;
    logic signed [63:0] y;
    logic [63:0] mag;
    logic [47:0] top;
    n = normalise(a);
    e = $signed(n[34:23]) + $signed({11'd0, n[22]});
    above = n[22] ? $signed({3'd0, n[22:0]}) - 26'sd8388608 : $signed({2'd0, n[22:0], 1'b0});
    q = falling(tsr_table_pkg::log2_row(n[22:16]), n[15:0]);
    y = 64'(above) * $signed({32'd0, q}) + (64'(e) <<< 54);
    mag = y[63] ? -y : y;
    // More than 48 bits lose their low ones to a sticky one; the rest are exact.
    top = {mag[62:16], mag[15:0] != 16'd0};
    if (a[30:0] == 31'd0) log2 = {1'b1, tsr_f32_pkg::INF[30:0]};
    else if (tsr_f32_pkg::is_nan(a) || a[31]) log2 = tsr_f32_pkg::NAN;
    else if (a == tsr_f32_pkg::INF) log2 = tsr_f32_pkg::INF;
    else if (mag == 64'd0) log2 = 32'd0;
    else if (mag[63:48] == 16'd0) log2 = tsr_f32_pkg::round48(y[63], mag[47:0], -12'sd54);
    else log2 = tsr_f32_pkg::round48(y[63], top, -12'sd39);
  endfunction

endpackage
