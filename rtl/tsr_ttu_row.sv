// SPDX-License-Identifier: Apache-2.0
// The products' one side in a step: codes as they lie in a row, widened to elements, and the
// scales of their chunks. An element is {nan, inf, neg, m, e} (tsr_format_pkg::element) with its
// scale's NaN, zero and sign brought in; what is left of a scale is {m, e}.
module tsr_ttu_row #(
    parameter int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16,
    parameter int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9,
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6,
    // derived
    parameter int unsigned Wide = 16 * R16 > 9 * R9 ? 16 * R16 : 9 * R9,
    parameter int unsigned Window = Wide > 6 * R6 ? Wide : 6 * R6,
    parameter int unsigned Chunk =
        R6 < tsr_format_pkg::LEAST_BLOCK ? R6 : tsr_format_pkg::LEAST_BLOCK,
    parameter int unsigned Chunks = R6 / Chunk,
    parameter int unsigned Element = 3 + tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    parameter int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS
) (
    input logic [4:0] format_i,
    input tsr_format_pkg::format_t figures_i,
    input logic [Window-1:0] codes_i,  // from the step's first element on
    input logic [Window-1:0] shifts_i,  // from the first pair's shift on
    input logic [16*Chunks-1:0] scales_i,  // from the first block's scale on
    input logic [R6-1:0] live_i,  // products that count
    output logic [R6*Element-1:0] elements_o,
    output logic [Chunks*Scale-1:0] scales_o
);

  localparam int unsigned Layouts = tsr_format_pkg::LAYOUTS;
  localparam int unsigned M = tsr_format_pkg::M_BITS;
  localparam int unsigned E = tsr_format_pkg::E_BITS;

  // Where the code of lane j and its pair's shift lie in layout l.
  function automatic int at(input int j, input int l);
    at = j / 16 * 32'(tsr_format_pkg::LAYOUT_SIXTEEN[16*l+:16]) +
        j % 16 * 32'(tsr_format_pkg::LAYOUT_BITS[16*l+:16]);
  endfunction
  function automatic int shift_at(input int j, input int l);
    shift_at = j / 16 * 32'(tsr_format_pkg::LAYOUT_SIXTEEN[16*l+:16]) + j % 16 / 2;
  endfunction

  logic [Window+15:0] padded;
  logic [Layouts-1:0] is_layout;
  assign padded = {16'd0, codes_i};
  for (genvar l = 0; l < Layouts; l++) begin : g_layout
    assign is_layout[l] = figures_i.bits == 5'(tsr_format_pkg::LAYOUT_BITS[16*l+:16]) &&
        figures_i.sixteen == 9'(tsr_format_pkg::LAYOUT_SIXTEEN[16*l+:16]);
  end

  // {nan, neg, m, e}
  logic [Chunks*(Scale+2)-1:0] scale;
  for (genvar q = 0; q < Chunks; q++) begin : g_scale
    logic [7:0] block;
    logic [16*Chunks-1:0] behind;
    assign block = 8'(q * Chunk) >> figures_i.log2_block;
    assign behind = scales_i >> (block * {3'd0, figures_i.scale_bits});
    always_comb begin
      scale[q*(Scale+2)+:Scale+2] = '0;
      if (live_i != '0) scale[q*(Scale+2)+:Scale+2] = tsr_format_pkg::scale(format_i, behind[15:0]);
    end
    assign scales_o[q*Scale+:Scale] = scale[q*(Scale+2)+:Scale];
    logic unused;
    assign unused = ^behind;
  end

  for (genvar j = 0; j < R6; j++) begin : g_lane
    logic [15:0] code;
    logic shifted, nan, zero;
    logic [Element-1:0] raw;
    logic [1:0] of;  // the scale's nan and sign

    // Layouts that do not reach this lane within the window end elsewhere. What lies above a code
    // is of no account: element() takes the format's bits.
    always_comb begin
      code = '0;
      shifted = 1'b0;
      raw = '0;
      for (int l = 0; l < Layouts; l++) begin
        if (live_i[j] && is_layout[l] && at(j, l) < Window) begin
          code = code | padded[(at(j, l) < Window ? at(j, l) : 0)+:16];
          shifted = shifted | shifts_i[(at(j, l) < Window ? shift_at(j, l) : 0)];
        end
      end
      if (live_i[j]) raw = tsr_format_pkg::element(format_i, code, shifted);
    end

    assign of = scale[j/Chunk*(Scale+2)+Scale+:2];
    assign nan = raw[E+M+2] || (live_i[j] && of[1]);
    assign zero = nan || scale[j/Chunk*(Scale+2)+E+:M] == '0;
    assign elements_o[j*Element+:Element] = {
      nan, raw[E+M+1] && !zero, raw[E+M] ^ of[0], zero ? '0 : raw[E+:M], raw[E-1:0]
    };
  end

  logic unused;
  assign unused = ^{shifts_i, figures_i};

endmodule
