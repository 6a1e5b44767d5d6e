// SPDX-License-Identifier: Apache-2.0
// One operand of an mma as its registers describe it: where its rows lie, and whether they may.
module tsr_ttu_operand (
    input logic [63:0] address_i,
    input logic [63:0] stride_i,
    input logic [63:0] scales_i,
    input logic [4:0] format_i,
    input tsr_format_pkg::format_t figures_i,
    input logic strided_i,
    input logic [tsr_ttu_pkg::ROW_W:0] outer_i,  // m or n, in range
    input logic [tsr_ttu_pkg::K_W-1:0] k_i,
    output logic outside_o,  // fault address
    output logic crosses_o,  // fault operand_line
    output tsr_ttu_pkg::operand_t operand_o,
    output tsr_ttu_pkg::fetch_t fetch_o
);

  localparam int unsigned S = tsr_ttu_pkg::LINE_SHIFT;
  localparam int unsigned A = tsr_ttu_pkg::TSRAM_W;
  localparam int unsigned Rows = tsr_ttu_pkg::ROWS;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam logic [63:0] Size = tsr_chip_pkg::TILE_TSRAM_BYTES;

  logic [RowW:0] rows;
  logic [15:0] length, blocks, bytes, scale_bytes;
  logic [47:0] span;
  logic [Rows-1:0] bad;
  logic dense;

  assign rows = strided_i ? (RowW + 1)'(k_i) : outer_i;
  assign length = strided_i ? 16'(outer_i) : 16'(k_i);
  assign blocks = (16'(k_i) + (16'd1 << figures_i.log2_block) - 16'd1) >> figures_i.log2_block;
  assign bytes = figures_i.shifts ? ((length + 16'd15) >> 4) * (16'(figures_i.sixteen) >> 3) :
      (length * 16'(figures_i.bits) + 16'd7) >> 3;
  assign scale_bytes = figures_i.scaled ? blocks * (16'(figures_i.scale_bits) >> 3) : 16'd0;
  assign span = 48'(stride_i[30:0]) * (48'(rows) - 48'd1);
  assign dense = stride_i[30:S] == '0;

  assign outside_o = stride_i[63:31] != '0 || address_i > Size ||
      64'(span) + 64'(bytes) > Size - address_i ||
      (figures_i.scaled && (scales_i > Size || 64'(span) > Size - scales_i));

  for (genvar i = 0; i < Rows; i++) begin : g_row
    logic [A:0] at, scales;
    assign at = address_i[A:0] + (A + 1)'(stride_i[30:0] * i);
    assign scales = scales_i[A:0] + (A + 1)'(stride_i[30:0] * i);
    assign bad[i] = i < 32'(rows) && (17'(at[S-1:0]) + 17'(bytes) > 17'(1 << S) ||
        (figures_i.scaled && (at[A:S] != scales[A:S] ||
                              17'(scales[S-1:0]) + 17'(scale_bytes) > 17'(1 << S))));
  end
  assign crosses_o = |bad;

  always_comb begin
    operand_o.format = format_i;
    operand_o.strided = strided_i;
    operand_o.dense = dense;
    operand_o.at = address_i[S-1:0];
    operand_o.stride = stride_i[S-1:0];
    operand_o.scales = scales_i[S-1:0];
    fetch_o.dense = dense;
    fetch_o.at = address_i[A-1:0];
    fetch_o.stride = stride_i[A-1:0];
    fetch_o.lines = dense ? (RowW + 1)'((48'(address_i[S-1:0]) + span) >> S) + 1'b1 : rows;
  end

  logic unused;
  assign unused = ^figures_i;

endmodule
