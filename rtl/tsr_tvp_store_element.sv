// SPDX-License-Identifier: Apache-2.0
// A lane's value to the code of an element, or of a scale, nearest even (isa/num/element.h).
module tsr_tvp_store_element (
    input tsr_isa_pkg::tvp_format_t format_i,
    input logic [31:0] value_i,
    input logic [31:0] pair_i,  // the other one of its pair, for shared microexponents
    output logic [31:0] code_o,
    output logic shift_o  // of the pair
);

  logic [31:0] x;
  logic [30:0] other;
  logic pairs;
  logic [23:0] m;
  logic signed [11:0] e;
  assign pairs = format_i.kind == 3'd4;
  assign x = pairs && tsr_f32_pkg::is_nan(value_i) ? 32'd0 : value_i;
  assign other = tsr_f32_pkg::is_nan(pair_i) ? 31'd0 : pair_i[30:0];
  assign m = tsr_f32_pkg::significand(x);
  assign e = tsr_f32_pkg::low_exponent(x);

  // A pair has shift 1 if both are below 1 and not both zero.
  logic [30:0] larger;
  assign larger = x[30:0] > other ? x[30:0] : other;
  assign shift_o = pairs && larger != 31'd0 && larger < 31'h3F80_0000;

  // How many of the significand's bits are dropped: down to the target's lowest bit.
  logic signed [11:0] floor_low, low, drop;
  logic [4:0] by;
  logic [25:0] kept, rest, half;
  logic up;
  assign floor_low = 12'sd1 - $signed({4'd0, format_i.bias}) - $signed({7'd0, format_i.mbits});
  always_comb begin
    if (format_i.kind == 3'd2) begin
      low = e + 12'sd23 - $signed({7'd0, format_i.mbits});
      if (low < floor_low) low = floor_low;
    end else if (pairs) begin
      low = 12'sd1 - $signed({7'd0, format_i.mbits}) - $signed({11'd0, shift_o});
    end else begin
      low = -$signed({7'd0, format_i.mbits});
    end
  end
  assign drop = low - e;
  // Below half of the lowest bit from 25 on.
  assign by = drop > 12'sd25 ? 5'd25 : drop[4:0];
  assign kept = {2'd0, m} >> by;
  assign rest = {2'd0, m} - (kept << by);
  assign half = (26'd1 << by) >> 1;
  assign up = rest > half || (rest == half && kept[0] && by != 5'd0);

  // Floats.
  logic [15:0] all, inf, nan, over, last;
  logic [31:0] float;
  assign all = (16'd1 << ({1'b0, format_i.ebits} + format_i.mbits)) - 16'd1;
  assign inf = all & ~((16'd1 << format_i.mbits) - 16'd1);
  always_comb begin
    case (format_i.specials)
      2'd0: begin
        nan = inf | (16'd1 << (format_i.mbits - 5'd1));
        last = inf - 16'd1;
        // OFP8 saturates, wider formats go to infinity.
        over = format_i.bits <= 6'd8 ? last : inf;
      end
      2'd1: begin
        nan = all;
        last = all - 16'd1;
        over = last;
      end
      default: begin
        nan = all;
        last = all;
        over = all;
      end
    endcase
    // Subnormals have field 0; a normal's hidden bit adds the missing one.
    float = ({20'd0, 12'(low - floor_low)} << format_i.mbits) + {6'd0, kept} + {31'd0, up};
    if (float > {16'd0, last} || x[30:0] == tsr_f32_pkg::INF[30:0]) float = {16'd0, over};
    float = float | ({31'd0, x[31]} << (format_i.bits - 6'd1));
    if (tsr_f32_pkg::is_nan(x)) float = {16'd0, nan};
  end

  // Magnitudes in fixed point, saturated.
  logic [31:0] most, fixed;
  always_comb begin
    most = (32'd1 << (format_i.bits - 6'd1)) - 32'd1;
    if (pairs) most = (32'd1 << format_i.mbits) - 32'd1;
    if (format_i.offset && x[31]) most = most + 32'd1;
    fixed = {6'd0, kept} + {31'd0, up};
    if (drop <= 12'sd0 || fixed > most) fixed = most;
    if (tsr_f32_pkg::is_nan(x)) fixed = 32'd0;
  end

  logic [31:0] mask, whole;
  assign mask = ~(32'hFFFF_FFFF << format_i.bits);
  assign whole = x[31] ? -fixed : fixed;
  always_comb begin
    case (format_i.kind)
      3'd0: code_o = value_i;
      3'd1: begin  // saturated from i32
        code_o = value_i & mask;
        if ($signed(value_i) > $signed(most)) code_o = most;
        if ($signed(value_i) < $signed(~most)) code_o = ~most & mask;
      end
      3'd2: code_o = float;
      3'd3: begin
        code_o = whole & mask;
        if (format_i.offset) code_o = code_o ^ (32'd1 << (format_i.bits - 6'd1));
      end
      3'd4: code_o = fixed | ({31'd0, x[31]} << format_i.mbits);
      default: begin
        code_o = {24'd0, x[30:23] == 8'hff ? 8'hfe : x[30:23]};
        if (tsr_f32_pkg::is_nan(x)) code_o = 32'hff;
      end
    endcase
  end

endmodule
