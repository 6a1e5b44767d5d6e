// SPDX-License-Identifier: Apache-2.0
// The vector unit's primitives, one function each, named and meaning as in isa/num/primitives.c.
// Those of two roundings (fma, add3, min3, max3) are chains of two stages: gen_lane makes them.
// Functions take whole floats and keep the part they are about; products drop their low bits.
/* verilator lint_off UNUSEDSIGNAL */
package tsr_prim_pkg;

  function automatic logic [31:0] prim_add(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_add = tsr_f32_pkg::add(a, b);
  endfunction

  function automatic logic [31:0] prim_sub(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_sub = tsr_f32_pkg::add(a, {~b[31], b[30:0]});
  endfunction

  function automatic logic [31:0] prim_mul(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_mul = tsr_f32_pkg::mul(a, b);
  endfunction

  function automatic logic [31:0] prim_min(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_min = tsr_f32_pkg::min(a, b);
  endfunction

  function automatic logic [31:0] prim_max(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_max = tsr_f32_pkg::max(a, b);
  endfunction

  function automatic logic [31:0] prim_neg(input logic [31:0] a);
    prim_neg = {~a[31], a[30:0]};
  endfunction

  function automatic logic [31:0] prim_abs(input logic [31:0] a);
    prim_abs = {1'b0, a[30:0]};
  endfunction

  function automatic logic [31:0] prim_copysign(input logic [31:0] a, input logic [31:0] b);
    prim_copysign = {b[31], a[30:0]};
  endfunction

  function automatic logic [31:0] prim_exp2(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_exp2 = tsr_elementary_pkg::exp2(a);
  endfunction

  function automatic logic [31:0] prim_log2(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_log2 = tsr_elementary_pkg::log2(a);
  endfunction

  function automatic logic [31:0] prim_rcp(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_rcp = tsr_elementary_pkg::rcp(a);
  endfunction

  function automatic logic [31:0] prim_rsqrt(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_rsqrt = tsr_elementary_pkg::rsqrt(a);
  endfunction

  function automatic logic [31:0] prim_exponent(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_exponent = tsr_f32_pkg::exponent(a);
  endfunction

  function automatic logic [31:0] prim_scale2(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_scale2 = tsr_f32_pkg::scale2(a, b);
  endfunction

  function automatic logic [31:0] prim_floor(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_floor = tsr_f32_pkg::integral(a, 1'b0, 1'b1);
  endfunction

  function automatic logic [31:0] prim_ceil(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_ceil = tsr_f32_pkg::integral(a, 1'b1, 1'b0);
  endfunction

  function automatic logic [31:0] prim_rint(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_rint = tsr_f32_pkg::integral(a, 1'b0, 1'b0);
  endfunction

  function automatic logic [31:0] prim_cvt_f32_i32(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_cvt_f32_i32 = tsr_f32_pkg::to_i32(a);
  endfunction

  function automatic logic [31:0] prim_cvt_i32_f32(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_cvt_i32_f32 = tsr_f32_pkg::from_i32(a);
  endfunction

  function automatic logic [31:0] prim_lt(input logic [31:0] a, input logic [31:0] b);
    prim_lt = {32{tsr_f32_pkg::less(a, b)}};
  endfunction

  function automatic logic [31:0] prim_le(input logic [31:0] a, input logic [31:0] b);
    prim_le = {32{tsr_f32_pkg::less(a, b) || tsr_f32_pkg::equal(a, b)}};
  endfunction

  function automatic logic [31:0] prim_eq(input logic [31:0] a, input logic [31:0] b);
    prim_eq = {32{tsr_f32_pkg::equal(a, b)}};
  endfunction

  function automatic logic [31:0] prim_ne(input logic [31:0] a, input logic [31:0] b);
    prim_ne = {32{!tsr_f32_pkg::equal(a, b)}};
  endfunction

  function automatic logic [31:0] prim_gt(input logic [31:0] a, input logic [31:0] b);
    prim_gt = {32{tsr_f32_pkg::less(b, a)}};
  endfunction

  function automatic logic [31:0] prim_ge(input logic [31:0] a, input logic [31:0] b);
    prim_ge = {32{tsr_f32_pkg::less(b, a) || tsr_f32_pkg::equal(a, b)}};
  endfunction

  function automatic logic [31:0] prim_ilt(input logic [31:0] a, input logic [31:0] b);
    prim_ilt = {32{$signed(a) < $signed(b)}};
  endfunction

  function automatic logic [31:0] prim_ile(input logic [31:0] a, input logic [31:0] b);
    prim_ile = {32{$signed(a) <= $signed(b)}};
  endfunction

  function automatic logic [31:0] prim_ieq(input logic [31:0] a, input logic [31:0] b);
    prim_ieq = {32{a == b}};
  endfunction

  function automatic logic [31:0] prim_ine(input logic [31:0] a, input logic [31:0] b);
    prim_ine = {32{a != b}};
  endfunction

  function automatic logic [31:0] prim_igt(input logic [31:0] a, input logic [31:0] b);
    prim_igt = {32{$signed(a) > $signed(b)}};
  endfunction

  function automatic logic [31:0] prim_ige(input logic [31:0] a, input logic [31:0] b);
    prim_ige = {32{$signed(a) >= $signed(b)}};
  endfunction

  function automatic logic [31:0] prim_select(input logic [31:0] a,
                                              input logic [31:0] b,
                                              input logic [31:0] c);
    prim_select = a != 32'd0 ? b : c;
  endfunction

  function automatic logic [31:0] prim_and(input logic [31:0] a, input logic [31:0] b);
    prim_and = a & b;
  endfunction

  function automatic logic [31:0] prim_or(input logic [31:0] a, input logic [31:0] b);
    prim_or = a | b;
  endfunction

  function automatic logic [31:0] prim_xor(input logic [31:0] a, input logic [31:0] b);
    prim_xor = a ^ b;
  endfunction

  function automatic logic [31:0] prim_not(input logic [31:0] a);
    prim_not = ~a;
  endfunction

  function automatic logic [31:0] prim_shl(input logic [31:0] a, input logic [31:0] b);
    prim_shl = b < 32'd32 ? a << b[4:0] : 32'd0;
  endfunction

  function automatic logic [31:0] prim_shr(input logic [31:0] a, input logic [31:0] b);
    prim_shr = b < 32'd32 ? a >> b[4:0] : 32'd0;
  endfunction

  function automatic logic [31:0] prim_sra(input logic [31:0] a, input logic [31:0] b);
    prim_sra = $signed(a) >>> (b < 32'd32 ? b[4:0] : 5'd31);
  endfunction

  function automatic logic [31:0] prim_iadd(input logic [31:0] a, input logic [31:0] b);
    prim_iadd = a + b;
  endfunction

  function automatic logic [31:0] prim_isub(input logic [31:0] a, input logic [31:0] b);
    prim_isub = a - b;
  endfunction

  function automatic logic [31:0] prim_imul(input logic [31:0] a, input logic [31:0] b);
    prim_imul = a * b;
  endfunction

  function automatic logic [31:0] prim_imin(input logic [31:0] a, input logic [31:0] b);
    prim_imin = $signed(a) < $signed(b) ? a : b;
  endfunction

  function automatic logic [31:0] prim_imax(input logic [31:0] a, input logic [31:0] b);
    prim_imax = $signed(a) > $signed(b) ? a : b;
  endfunction

  function automatic logic [31:0] prim_scale2_odd(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_scale2_odd = tsr_f32_pkg::scale2_odd(a, b);
  endfunction

  function automatic logic [31:0] prim_maxmag(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_maxmag = b[30:0] > a[30:0] ? b : a;
  endfunction

  function automatic logic [31:0] prim_div(input logic [31:0] a, input logic [31:0] b);
    /* verilator no_inline_task */
    prim_div = tsr_f32_pkg::div(a, b);
  endfunction

  function automatic logic [31:0] prim_scale_e4m3(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_scale_e4m3 = tsr_f32_pkg::scale_round(a, 5'd3, 8'd121, 31'h3B00_0000, 31'h43E0_0000);
  endfunction

  function automatic logic [31:0] prim_scale_f16(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_scale_f16 = tsr_f32_pkg::scale_round(a, 5'd10, 8'd113, 31'h3380_0000, 31'h477F_E000);
  endfunction

  function automatic logic [31:0] prim_scale_bf16(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_scale_bf16 = tsr_f32_pkg::scale_round(a, 5'd7, 8'd1, 31'h0080_0000, 31'h7F7F_0000);
  endfunction

  function automatic logic [31:0] prim_scale_f32(input logic [31:0] a);
    /* verilator no_inline_task */
    prim_scale_f32 = tsr_f32_pkg::scale_round(a, 5'd23, 8'd1, 31'h0080_0000, 31'h7F7F_FFFF);
  endfunction

endpackage
