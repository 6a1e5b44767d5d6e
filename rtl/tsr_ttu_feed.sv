// SPDX-License-Identifier: Apache-2.0
// One operand of a tile's step: finds its rows' codes in the lines of the buffer, registers them,
// and widens them in the next cycle.
module tsr_ttu_feed #(
    parameter int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16,
    parameter int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9,
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6,
    // derived, as in tsr_ttu_row
    parameter int unsigned Wide = 16 * R16 > 9 * R9 ? 16 * R16 : 9 * R9,
    parameter int unsigned Window = Wide > 6 * R6 ? Wide : 6 * R6,
    parameter int unsigned Chunks =
        R6 < tsr_format_pkg::LEAST_BLOCK ? 1 : R6 / tsr_format_pkg::LEAST_BLOCK,
    parameter int unsigned Element = 3 + tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    parameter int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS
) (
    input logic clk_i,
    input tsr_ttu_pkg::operand_t operand_i,
    input logic [2:0] tile_i,  // rows tile * D and on
    input logic [tsr_ttu_pkg::K_W-1:0] k_i,  // the step's first
    input logic [R6-1:0] live_i,
    output logic [tsr_ttu_pkg::ROW_W-1:0] first_o,
    input logic [R6*tsr_ttu_pkg::LINE_BITS-1:0] lines_i,
    // in the next cycle, D rows
    output logic [tsr_ttu_pkg::DIM*R6*Element-1:0] elements_o,
    output logic [tsr_ttu_pkg::DIM*Chunks*Scale-1:0] scales_o
);

  localparam int unsigned D = tsr_ttu_pkg::DIM;
  localparam int unsigned S = tsr_ttu_pkg::LINE_SHIFT;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam int unsigned Bits = tsr_ttu_pkg::LINE_BITS;
  localparam int unsigned W = $clog2(R6);
  localparam int unsigned P = S + 4;  // a bit of a line, and beyond its end
  localparam int unsigned Layouts = tsr_format_pkg::LAYOUTS;

  tsr_format_pkg::format_t figures;
  logic [RowW-1:0] first_row;
  logic [15:0] run, shifts, blocks;  // bits from a row's start to the step's
  logic [Layouts-1:0] is_plain;  // the layout, without scales

  assign figures = tsr_format_pkg::figures(operand_i.format);
  assign first_row = operand_i.strided ? RowW'(k_i) : RowW'(tile_i) * RowW'(D);
  assign run = operand_i.strided ? 16'(tile_i) * 16'(D) * 16'(figures.bits) :
      (16'(k_i) >> 4) * 16'(figures.sixteen) + 16'(k_i[3:0]) * 16'(figures.bits);
  assign shifts = (16'(k_i) >> 4) * 16'(figures.sixteen) + 16'd16 * 16'(figures.bits) +
      16'(k_i[3:1]);
  assign blocks = (16'(k_i) >> figures.log2_block) * 16'(figures.scale_bits);
  logic unused_bits;
  assign unused_bits = ^{figures, run, shifts, blocks};
  for (genvar l = 0; l < Layouts; l++) begin : g_layout
    assign is_plain[l] = figures.bits == 5'(tsr_format_pkg::LAYOUT_BITS[16*l+:16]) &&
        figures.sixteen == 9'(tsr_format_pkg::LAYOUT_SIXTEEN[16*l+:16]);
  end

  // ---- the rows' lines: of A's or B's rows, or of the step's k
  (* mem2reg *) logic [Bits-1:0] lines[R6];
  for (genvar p = 0; p < R6; p++) begin : g_line
    assign lines[p] = lines_i[Bits*p+:Bits];
  end
  for (genvar p = 0; p < R6; p++) begin : g_port
    logic [RowW-1:0] number, line;
    logic [S+RowW:0] at;
    logic [S-1:0] scales;
    logic [Bits-1:0] row;
    logic [Bits+Window+15:0] padded;
    logic [16*D-1:0] across;  // D elements of one k
    assign number = first_row + RowW'(p);
    assign at = (S + RowW + 1)'(operand_i.at) +
        (S + RowW + 1)'(number) * (S + RowW + 1)'(operand_i.stride);
    assign scales = operand_i.scales + S'(number) * operand_i.stride;
    assign line = operand_i.dense ? at[S+:RowW] : number;
    assign row = lines[line[W-1:0]];
    assign padded = {{(Window + 16) {1'b0}}, row};
    assign across = padded[P'({at[S-1:0], 3'd0})+P'(run)+:16*D];
    if (p == 0) begin : g_first
      assign first_o = line;
    end
    logic unused;
    assign unused = ^{at, line, scales, padded, across};
  end

  // ---- windows of D rows, and the rest of the way
  for (genvar i = 0; i < D; i++) begin : g_row
    logic [Window-1:0] gathered, codes_q, shifts_q;
    logic [16*Chunks-1:0] scales_q;
    logic [4:0] format_q;
    logic [R6-1:0] live_q;
    tsr_format_pkg::format_t figures_q;
    logic [Layouts*Window-1:0] of;
    for (genvar l = 0; l < Layouts; l++) begin : g_of
      localparam int unsigned B = 32'(tsr_format_pkg::LAYOUT_BITS[16*l+:16]);
      localparam int unsigned Fit = Window / B < R6 ? Window / B : R6;
      for (genvar j = 0; j < Fit; j++) begin : g_element
        assign of[l*Window+j*B+:B] = is_plain[l] ? g_port[j].across[i*B+:B] : '0;
      end
      if (Fit * B < Window) begin : g_rest
        assign of[l*Window+Fit*B+:Window-Fit*B] = '0;
      end
    end
    always_comb begin
      gathered = '0;
      for (int l = 0; l < Layouts; l++) gathered = gathered | of[l*Window+:Window];
    end
    always_ff @(posedge clk_i) begin
      codes_q <= operand_i.strided ? gathered :
          g_port[i].padded[P'({g_port[i].at[S-1:0], 3'd0})+P'(run)+:Window];
      shifts_q <= g_port[i].padded[P'({g_port[i].at[S-1:0], 3'd0})+P'(shifts)+:Window];
      scales_q <= g_port[i].padded[P'({g_port[i].scales, 3'd0})+P'(blocks)+:16*Chunks];
      format_q <= operand_i.format;
      figures_q <= figures;
      live_q <= live_i;
    end
    tsr_ttu_row #(
        .R16(R16),
        .R9(R9),
        .R6(R6)
    ) u_row (
        .format_i(format_q),
        .figures_i(figures_q),
        .codes_i(codes_q),
        .shifts_i(shifts_q),
        .scales_i(scales_q),
        .live_i(live_q),
        .elements_o(elements_o[i*R6*Element+:R6*Element]),
        .scales_o(scales_o[i*Chunks*Scale+:Chunks*Scale])
    );
  end

endmodule
