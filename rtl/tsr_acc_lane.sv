// SPDX-License-Identifier: Apache-2.0
// One value on its way out of the accumulators (bias, a cycle later the format) or into them.
module tsr_acc_lane (
    input logic clk_i,
    // drain
    input logic integer_i,  // the accumulators hold int32
    input logic biased_i,
    input logic [4:0] format_i,
    input logic [31:0] value_i,
    input logic [31:0] bias_i,
    output logic [31:0] code_o,  // in the next cycle, in the low bits
    // fill
    input logic [31:0] code_i,
    output logic [31:0] value_o
);

  logic [31:0] sum_q, real_value;
  logic [15:0] bf16, f16;
  logic nan;

  always_ff @(posedge clk_i) begin
    if (!biased_i) sum_q <= value_i;
    else sum_q <= integer_i ? value_i + bias_i : tsr_f32_pkg::add(value_i, bias_i);
  end

  // ---- f32 to nearest even in 16 bits
  function automatic logic [15:0] to_f16(input logic [31:0] x);
    logic [7:0] field;
    logic [7:0] drop;
    logic [24:0] m;
    logic [24:0] kept;
    logic [24:0] rest;
    logic [24:0] half;
    logic [16:0] code;
    field = x[30:23] == 8'd0 ? 8'd1 : x[30:23];
    m = {1'b0, x[30:23] != 8'd0, x[22:0]};
    drop = 8'd13 + (field < 8'd113 ? 8'd113 - field : 8'd0);
    if (drop > 8'd25) drop = 8'd25;
    kept = m >> drop;
    rest = m - (kept << drop);
    half = 25'd1 << (drop - 8'd1);
    if (rest > half || (rest == half && kept[0])) kept = kept + 25'd1;
    // The hidden bit adds the one that is missing.
    code = {field > 8'd113 ? 7'(field - 8'd113) : 7'd0, 10'd0} + kept[16:0];
    to_f16 = {x[31], field >= 8'd145 || code > 17'h7BFF ? 15'h7C00 : code[14:0]};
  endfunction

  assign real_value = integer_i ? tsr_f32_pkg::from_i32(sum_q) : sum_q;
  assign nan = tsr_f32_pkg::is_nan(real_value);
  assign bf16 = real_value[31:16] + {15'd0, real_value[15] && (real_value[14:0] != '0 ||
                                                                 real_value[16])};
  assign f16 = to_f16(real_value);
  always_comb begin
    case (format_i)
      tsr_format_pkg::FMT_I32: code_o = sum_q;
      tsr_format_pkg::FMT_BF16: code_o = {16'd0, nan ? 16'h7FC0 : bf16};
      tsr_format_pkg::FMT_F16: code_o = {16'd0, nan ? 16'h7E00 : f16};
      default: code_o = nan ? tsr_f32_pkg::NAN : real_value;
    endcase
  end

  // ---- and back, exactly
  logic [11:0] power;
  assign power = {7'd0, code_i[14:10] == 5'd0 ? 5'd1 : code_i[14:10]} - 12'd25;
  always_comb begin
    case (format_i)
      tsr_format_pkg::FMT_BF16:
      value_o = tsr_f32_pkg::is_nan({code_i[15:0], 16'd0}) ? tsr_f32_pkg::NAN :
          {code_i[15:0], 16'd0};
      tsr_format_pkg::FMT_F16: begin
        if (code_i[14:10] == '1)
          value_o = code_i[9:0] != '0 ? tsr_f32_pkg::NAN : {code_i[15], tsr_f32_pkg::INF[30:0]};
        else
          value_o = tsr_f32_pkg::round48(code_i[15],
                                         {37'd0, code_i[14:10] != 5'd0, code_i[9:0]}, power);
      end
      default: value_o = code_i;
    endcase
  end

endmodule
