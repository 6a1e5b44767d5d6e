// SPDX-License-Identifier: Apache-2.0
// One element, or scale, from its code to the value of a lane (isa/num/element.h). Exact.
module tsr_tvp_load_element (
    input tsr_isa_pkg::tvp_format_t format_i,
    input logic [31:0] code_i,  // zeros above the format's bits
    input logic shift_i,  // of the pair, for shared microexponents
    output logic [31:0] value_o
);

  logic [15:0] all, inf, mag, field, least;
  logic sign;
  logic signed [11:0] e;
  logic [31:0] integer_code, whole;
  logic [47:0] m;

  // Floats: the exponent field, then the mantissa's bits behind a hidden one.
  assign least = 16'd1 << format_i.mbits;
  assign all = (16'd1 << ({1'b0, format_i.ebits} + format_i.mbits)) - 16'd1;
  assign inf = all & ~(least - 16'd1);
  assign mag = code_i[15:0] & all;
  assign field = mag >> format_i.mbits;
  // Integers: two's complement of the format's bits.
  assign integer_code = code_i ^ (format_i.offset ? 32'd1 << (format_i.bits - 6'd1) : 32'd0);
  assign whole = $signed(integer_code << (6'd32 - format_i.bits)) >>> (6'd32 - format_i.bits);

  always_comb begin
    sign = code_i[5'(format_i.bits - 6'd1)];
    m = 48'd0;
    e = -12'sd127;
    case (format_i.kind)
      3'd2: begin
        m[15:0] = (mag & (least - 16'd1)) | (field != 16'd0 ? least : 16'd0);
        e = (field != 16'd0 ? $signed({4'd0, field[7:0]}) : 12'sd1) -
            $signed({4'd0, format_i.bias}) - $signed({7'd0, format_i.mbits});
      end
      3'd3: begin
        sign = whole[31];
        m[31:0] = whole[31] ? -whole : whole;
        e = -$signed({7'd0, format_i.mbits});
      end
      3'd4: begin
        m[15:0] = code_i[15:0] & (least - 16'd1);
        e = 12'sd1 - $signed({7'd0, format_i.mbits}) - $signed({11'd0, shift_i});
      end
      default: begin  // a byte of exponent
        sign = 1'b0;
        m[0] = 1'b1;
        e = $signed({4'd0, code_i[7:0]}) - 12'sd127;
      end
    endcase
  end

  always_comb begin
    value_o = tsr_f32_pkg::round48(sign, m, e);
    case (format_i.kind)
      3'd0: value_o = code_i;
      3'd1: value_o = whole;
      3'd2: begin
        if (format_i.specials == 2'd0 && mag == inf) value_o = {sign, tsr_f32_pkg::INF[30:0]};
        if (format_i.specials == 2'd0 && mag > inf) value_o = tsr_f32_pkg::NAN;
        if (format_i.specials == 2'd1 && mag == all) value_o = tsr_f32_pkg::NAN;
      end
      3'd5: if (code_i[7:0] == 8'hff) value_o = tsr_f32_pkg::NAN;
      default: ;
    endcase
  end

endmodule
