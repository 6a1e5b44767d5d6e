// SPDX-License-Identifier: Apache-2.0
// C + T in binary32, rounded once to nearest even, or modulo 2^32 between plain integers.
module tsr_ttu_accumulate #(
    parameter int unsigned T = 64,  // of t_i, signed, |t| < 2^(T - 1)
    parameter int unsigned U = 13
) (
    input logic [31:0] c_i,
    input logic [T-1:0] t_i,
    input logic [U-1:0] unit_i,  // t_i counts 2^unit
    input logic nan_i,
    input logic up_i,
    input logic down_i,
    input logic plain_i,
    output logic [31:0] c_o
);

  // Both terms stand with their leading bit at N - 2, the greater exponent's exactly: t has then
  // two bits of zeros below, so a shift by one place loses nothing; beyond that the sum has more
  // than 24 + 2 bits and a sticky bit will do.
  localparam int unsigned N = T + 2;
  localparam int unsigned P = N < 64 ? 64 : 128;
  localparam int unsigned L = $clog2(P);
  localparam int unsigned W = U + 2;  // exponents

  function automatic logic [L-1:0] leading_zeros(input logic [P-1:0] x);
    logic [P-1:0] v;
    logic [L-1:0] n;
    v = x;
    n = '0;
    for (int i = L - 1; i >= 0; i--) begin
      if (v >> (P - (1 << i)) == '0) begin
        n[i] = 1'b1;
        v = v << (1 << i);
      end
    end
    leading_zeros = n;
  endfunction

  // x / 2^by rounded down, the lowest bit set if anything was lost.
  function automatic logic [N-1:0] shift_jam(input logic [N-1:0] x, input logic [W-1:0] by);
    logic [N-1:0] q;
    logic [L-1:0] few;
    few = by > W'(N) ? L'(N) : by[L-1:0];
    q = x >> few;
    shift_jam = q | {{(N - 1) {1'b0}}, (q << few) != x};
  endfunction

  logic [T-1:0] tm;
  logic [L-1:0] t_up, up;
  logic [N-1:0] cn, tn, cs, ts, magnitude, x;
  logic [N:0] sum;
  logic [W-1:0] ec, et, apart, e, field;
  logic [24:0] kept;
  logic [31:0] rounded, finite;
  logic c_nan, c_up, c_down, tiny;

  always_comb begin
    {tm, t_up, tn, et, cn, ec, apart, e, cs, ts, sum, magnitude, up, x} = '0;
    {field, tiny, kept, rounded} = '0;
    finite = c_i[30:0] == '0 ? '0 : c_i;
    if (t_i != '0) begin
      tm = t_i[T-1] ? -t_i : t_i;
      t_up = leading_zeros({{(P - N) {1'b0}}, tm, 2'b00}) - L'(P - N) - L'(1);
      tn = {tm, 2'b00} << t_up;
      et = W'($signed(unit_i)) - W'(2) - W'(t_up);
      cn = {1'b0, c_i[30:23] != 8'd0, c_i[22:0], {(N - 25) {1'b0}}};
      ec = W'(c_i[30:23]) + W'(c_i[30:23] == 8'd0) - W'(150 + N - 25);
      apart = et - ec;
      if (apart[W-1]) begin
        e = ec;
        cs = cn;
        ts = shift_jam(tn, -apart);
      end else begin
        e = et;
        cs = shift_jam(cn, apart);
        ts = tn;
      end
      sum = (c_i[31] ? -{1'b0, cs} : {1'b0, cs}) + (t_i[T-1] ? -{1'b0, ts} : {1'b0, ts});
      magnitude = sum[N] ? N'(-sum) : sum[N-1:0];

      up = leading_zeros({{(P - N) {1'b0}}, magnitude}) - L'(P - N);
      x = magnitude << up;
      field = e + W'(N - 1 + 127) - W'(up);
      tiny = field[W-1] || field == '0;
      if (tiny) x = shift_jam(x, W'(1) - field);
      kept = {1'b0, x[N-1-:24]};
      if (x[N-25] && (x[N-26:0] != '0 || x[N-24])) kept = kept + 25'd1;
      // The hidden bit, or a carry out of the mantissa, adds one to the exponent field.
      if (tiny) rounded = {sum[N], 6'd0, kept};
      else if (field > W'(254)) rounded = {sum[N], 8'hFF, 23'd0};
      else rounded = {sum[N], {field[7:0] - 8'd1, 23'd0} + {6'd0, kept}};
      finite = magnitude == '0 ? '0 : rounded;
    end
  end

  assign c_nan = c_i[30:23] == '1 && c_i[22:0] != '0;
  assign c_up = c_i == 32'h7F80_0000;
  assign c_down = c_i == 32'hFF80_0000;

  always_comb begin
    if (plain_i) c_o = c_i + t_i[31:0];
    else if (nan_i || c_nan || ((up_i || c_up) && (down_i || c_down))) c_o = 32'h7FC0_0000;
    else if (up_i || c_up) c_o = 32'h7F80_0000;
    else if (down_i || c_down) c_o = 32'hFF80_0000;
    else c_o = finite;
  end

endmodule
