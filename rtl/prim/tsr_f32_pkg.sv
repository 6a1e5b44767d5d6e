// SPDX-License-Identifier: Apache-2.0
// binary32 in gates: rounding to nearest even, subnormals kept, one NaN. The rules are isa/num's.
// Functions take whole floats and keep the part they are about; products drop their low bits.
/* verilator lint_off UNUSEDSIGNAL */
package tsr_f32_pkg;

  localparam logic [31:0] NAN = 32'h7FC0_0000;
  localparam logic [31:0] INF = 32'h7F80_0000;

  function automatic logic is_nan(input logic [31:0] a);
    is_nan = a[30:0] > INF[30:0];
  endfunction

  // Leading zeros of 48 bits; 48 where there is no one.
  function automatic logic [5:0] clz48(input logic [47:0] x);
    logic [63:0] v;
    logic [5:0] n;
    v = {x, 16'h8000};
    n = 6'd0;
    for (int i = 5; i >= 0; i--) begin
      if (v >> (64 - (1 << i)) == 64'd0) begin
        n = n | 6'(1 << i);
        v = v << (1 << i);
      end
    end
    clz48 = n;
  endfunction

  // x / 2^by rounded down, the lowest bit set if anything was lost.
  function automatic logic [47:0] shift_jam48(input logic [47:0] x, input logic [5:0] by);
    logic [47:0] q;
    q = by < 6'd48 ? x >> by : 48'd0;
    shift_jam48 = q | {47'd0, (by < 6'd48 ? (q << by) != x : x != 48'd0)};
  endfunction

  // The float nearest to (-1)^sign * mag * 2^e, ties to even. mag = 0 gives a zero of that sign.
  // Its lowest bit may stand for all that was cut below it if mag has 26 bits or more.
  function automatic logic [31:0] round48(input logic sign, input logic [47:0] mag,
                                          input logic signed [11:0] e);
    /* verilator no_inline_task */
    logic [5:0] lz;
    logic [47:0] x;
    logic signed [12:0] field;
    logic signed [12:0] under;
    logic [24:0] kept;
    logic [30:0] bits;
    lz = clz48(mag);
    x = mag << lz;
    // The leading bit stands for 2^(e + 47 - lz).
    field = 13'(e) + 13'sd174 - $signed({7'd0, lz});
    under = 13'sd1 - field;
    if (field < 13'sd1) begin
      x = shift_jam48(x, under > 13'sd48 ? 6'd48 : under[5:0]);
      field = 13'sd0;
    end
    kept = {1'b0, x[47:24]};
    if (x[23] && (x[22:0] != 23'd0 || x[24])) kept = kept + 25'd1;
    // The hidden bit, or a carry out of the mantissa, adds one to the exponent field.
    if (field == 13'sd0) bits = {6'd0, kept};
    else bits = {field[7:0] - 8'd1, 23'd0} + {6'd0, kept};
    if (mag == 48'd0) round48 = {sign, 31'd0};
    else if (field > 13'sd254) round48 = {sign, INF[30:0]};
    else round48 = {sign, bits};
  endfunction

  // The magnitude with its hidden bit, and the exponent of its lowest bit.
  function automatic logic [23:0] significand(input logic [31:0] a);
    significand = {a[30:23] != 8'd0, a[22:0]};
  endfunction

  function automatic logic signed [11:0] low_exponent(input logic [31:0] a);
    low_exponent = $signed({4'd0, a[30:23] == 8'd0 ? 8'd1 : a[30:23]}) - 12'sd150;
  endfunction

  function automatic logic [31:0] add(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    logic [31:0] greater;
    logic [31:0] lesser;
    logic signed [11:0] e;
    logic [11:0] apart;
    logic [47:0] mb;
    logic [47:0] ms;
    logic [47:0] sum;
    if (a[30:0] >= b[30:0]) begin
      greater = a;
      lesser = b;
    end else begin
      greater = b;
      lesser = a;
    end
    e = low_exponent(greater);
    apart = e - low_exponent(lesser);
    mb = {1'b0, significand(greater), 23'd0};
    ms = shift_jam48({1'b0, significand(lesser), 23'd0}, apart > 12'd48 ? 6'd48 : apart[5:0]);
    sum = greater[31] == lesser[31] ? mb + ms : mb - ms;
    if (is_nan(a) || is_nan(b)) add = NAN;
    else if (greater[30:0] == INF[30:0])
      add = lesser[30:0] == INF[30:0] && greater[31] != lesser[31] ? NAN : greater;
    else if (sum == 48'd0) add = {a[31] & b[31], 31'd0};
    else add = round48(greater[31], sum, e - 12'sd23);
  endfunction

  function automatic logic [31:0] mul(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    logic sign;
    logic [47:0] product;
    sign = a[31] ^ b[31];
    product = {24'd0, significand(a)} * {24'd0, significand(b)};
    if (is_nan(a) || is_nan(b)) mul = NAN;
    else if (a[30:0] == INF[30:0] || b[30:0] == INF[30:0])
      mul = a[30:0] == 31'd0 || b[30:0] == 31'd0 ? NAN : {sign, INF[30:0]};
    else mul = round48(sign, product, low_exponent(a) + low_exponent(b));
  endfunction

  // Orders all floats as integers, -0 below +0.
  function automatic logic signed [31:0] key(input logic [31:0] a);
    key = $signed({a[31], a[30:0] ^ {31{a[31]}}});
  endfunction

  function automatic logic [31:0] min(input logic [31:0] a, input logic [31:0] b);
    min = is_nan(a) || is_nan(b) ? NAN : key(a) < key(b) ? a : b;
  endfunction

  function automatic logic [31:0] max(input logic [31:0] a, input logic [31:0] b);
    max = is_nan(a) || is_nan(b) ? NAN : key(a) > key(b) ? a : b;
  endfunction

  // a < b and a = b, false with NaN; zeros are equal.
  function automatic logic less(input logic [31:0] a, input logic [31:0] b);
    less = !is_nan(a) && !is_nan(b) && !(a[30:0] == 31'd0 && b[30:0] == 31'd0) && key(a) < key(b);
  endfunction

  function automatic logic equal(input logic [31:0] a, input logic [31:0] b);
    equal = !is_nan(a) && !is_nan(b) && (a == b || (a[30:0] == 31'd0 && b[30:0] == 31'd0));
  endfunction

  // The integral float next to a: up, down, or (neither) the nearest even; zeros keep their sign.
  function automatic logic [31:0] integral(input logic [31:0] a, input logic up,
                                           input logic down);
    logic outward;
    logic [4:0] fraction;
    logic [30:0] mask;
    logic [30:0] half;
    logic [30:0] rest;
    logic [30:0] whole;
    logic bump;
    outward = a[31] ? down : up;
    fraction = 5'(8'd150 - a[30:23]);
    mask = (31'd1 << fraction) - 31'd1;
    half = (31'd1 << fraction) >> 1;
    rest = a[30:0] & mask;
    whole = a[30:0] & ~mask;
    if (up || down) bump = outward && rest != 31'd0;
    else bump = rest > half || (rest == half && (whole & (31'd1 << fraction)) != 31'd0);
    if (is_nan(a)) integral = NAN;
    else if (a[30:23] >= 8'd150) integral = a;
    else if (a[30:23] < 8'd127) begin
      bump = up || down ? outward && a[30:0] != 31'd0 : a[30:0] > 31'h3F00_0000;
      integral = {a[31], bump ? 31'h3F80_0000 : 31'd0};
    end else integral = {a[31], bump ? whole + (31'd1 << fraction) : whole};
  endfunction

  function automatic logic [31:0] to_i32(input logic [31:0] a);
    logic [31:0] n;
    logic [31:0] mag;
    n = integral(a, 1'b0, 1'b0);
    if (n[30:23] >= 8'd150) mag = {8'd0, significand(n)} << (n[30:23] - 8'd150);
    else mag = {8'd0, significand(n)} >> (8'd150 - n[30:23]);
    if (is_nan(a)) to_i32 = 32'd0;
    else if (n[30:0] >= 31'h4F00_0000) to_i32 = a[31] ? 32'h8000_0000 : 32'h7FFF_FFFF;
    else if (n[30:23] == 8'd0) to_i32 = 32'd0;
    else to_i32 = a[31] ? -mag : mag;
  endfunction

  function automatic logic [31:0] from_i32(input logic [31:0] a);
    from_i32 = a == 32'd0 ? 32'd0 : round48(a[31], {16'd0, a[31] ? -a : a}, 12'sd0);
  endfunction

  // floor(log2 |a|): 128 for infinity and NaN, -150 for zero.
  function automatic logic [31:0] exponent(input logic [31:0] a);
    logic [5:0] lz;
    lz = clz48({a[22:0], 25'd0});
    if (a[30:0] == 31'd0) exponent = -32'd150;
    else if (a[30:23] == 8'd0) exponent = -32'd127 - {26'd0, lz};
    else exponent = {24'd0, a[30:23]} - 32'd127;
  endfunction

  // a * 2^by, rounded into subnormals.
  function automatic logic [31:0] scale2(input logic [31:0] a, input logic [31:0] by);
    /* verilator no_inline_task */
    logic signed [11:0] e;
    if ($signed(by) > 32'sd300) e = 12'sd300;
    else if ($signed(by) < -32'sd300) e = -12'sd300;
    else e = by[11:0];
    if (is_nan(a)) scale2 = NAN;
    else if (a[30:0] == INF[30:0] || a[30:0] == 31'd0) scale2 = a;
    else scale2 = round48(a[31], {24'd0, significand(a)}, low_exponent(a) + e);
  endfunction

  // a * 2^by; what falls below the normal range is cut, its lowest bit set if anything was lost.
  function automatic logic [31:0] scale2_odd(input logic [31:0] a, input logic [31:0] by);
    logic signed [12:0] e;
    logic [47:0] m;
    logic [47:0] cut;
    logic [5:0] lz;
    logic signed [12:0] under;
    if ($signed(by) > 32'sd400) e = 13'sd400;
    else if ($signed(by) < -32'sd400) e = -13'sd400;
    else e = by[12:0];
    m = {significand(a), 24'd0};
    lz = clz48(m);
    // The exponent field of the normalised result.
    e = e + 13'(low_exponent(a)) + 13'sd150 - $signed({7'd0, lz});
    under = 13'sd1 - e;
    m = {24'd0, 24'(significand(a) << lz)};
    cut = shift_jam48(m, under > 13'sd48 ? 6'd48 : under[5:0]);
    if (is_nan(a)) scale2_odd = NAN;
    else if (a[30:0] == 31'd0 || a[30:0] == INF[30:0]) scale2_odd = a;
    else if (e > 13'sd254) scale2_odd = {a[31], INF[30:0]};
    else if (e > 13'sd0) scale2_odd = {a[31], e[7:0], m[22:0]};
    else scale2_odd = {a[31], 8'd0, cut[22:0]};
  endfunction

  function automatic logic [31:0] div(input logic [31:0] a, input logic [31:0] b);
    logic sign;
    logic [5:0] za;
    logic [5:0] zb;
    logic [49:0] ma;
    logic [49:0] mb;
    logic [49:0] quotient;
    logic [49:0] rest;
    sign = a[31] ^ b[31];
    za = clz48({significand(a), 24'd0});
    zb = clz48({significand(b), 24'd0});
    ma = {24'(significand(a) << za), 26'd0};
    mb = {26'd0, 24'(significand(b) << zb)};
    quotient = b[30:0] == 31'd0 ? 50'd0 : ma / mb;
    rest = ma - quotient * mb;
    if (is_nan(a) || is_nan(b)) div = NAN;
    else if (a[30:0] == INF[30:0]) div = b[30:0] == INF[30:0] ? NAN : {sign, INF[30:0]};
    else if (b[30:0] == 31'd0) div = a[30:0] == 31'd0 ? NAN : {sign, INF[30:0]};
    else if (a[30:0] == 31'd0 || b[30:0] == INF[30:0]) div = {sign, 31'd0};
    else
      div = round48(sign, {20'd0, quotient[26:0], rest != 50'd0},
                    low_exponent(a) - low_exponent(b) - $signed({6'd0, za}) + $signed({6'd0, zb})
                    - 12'sd27);
  endfunction

  // To nearest even with `kept` bits behind the leading one, fewer below the exponent field
  // `normal`; the magnitude within [least, most].
  function automatic logic [31:0] scale_round(input logic [31:0] a, input logic [4:0] kept,
                                              input logic [7:0] normal, input logic [30:0] least,
                                              input logic [30:0] most);
    logic [8:0] drop;
    logic [31:0] last;
    logic [31:0] rest;
    logic [31:0] m;
    logic bump;
    drop = 9'd23 - {4'd0, kept} + (a[30:23] < normal ? {1'b0, normal} - {1'b0, a[30:23]} : 9'd0);
    last = 32'd1 << drop[4:0];
    m = {9'd1, a[22:0]};
    rest = m & (last - 32'd1);
    m = m & ~(last - 32'd1);
    bump = {rest[30:0], 1'b0} > last || ({rest[30:0], 1'b0} == last && (m & last) != 32'd0);
    if (bump) m = m + last;
    if (is_nan(a)) scale_round = NAN;
    else if (a[30:0] <= least) scale_round = {a[31], least};
    else if (a[30:0] >= most) scale_round = {a[31], most};
    else scale_round = {a[31], {a[30:23] - 8'd1, 23'd0} + m[30:0]};
  endfunction

endpackage
