// SPDX-License-Identifier: Apache-2.0
// One operand's lines, twice: of the instruction that computes and of the one that is fetched.
// Line l lies in bank l mod Ports, so that any Ports lines in a row can be read together: those of
// rows in order.
module tsr_ttu_buffer #(
    parameter int unsigned Ports = tsr_chip_pkg::TILE_TTU_R6
) (
    input logic clk_i,
    input logic write_i,
    input logic write_half_i,
    input logic [tsr_ttu_pkg::ROW_W-1:0] write_line_i,
    input logic [tsr_ttu_pkg::LINE_BITS-1:0] data_i,
    input logic half_i,
    input logic [tsr_ttu_pkg::ROW_W-1:0] first_i,  // the lowest line of this cycle
    output logic [Ports*tsr_ttu_pkg::LINE_BITS-1:0] lines_o  // line l at l mod Ports, same cycle
);

  localparam int unsigned Rows = tsr_ttu_pkg::ROWS;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam int unsigned Bits = tsr_ttu_pkg::LINE_BITS;
  localparam int unsigned W = $clog2(Ports);
  localparam int unsigned Depth = 2 * Rows / Ports;

  for (genvar b = 0; b < Ports; b++) begin : g_bank
    logic [Bits-1:0] mem[Depth];
    logic [RowW-1:0] line;
    logic [W-1:0] ahead;
    assign ahead = W'(b) - first_i[W-1:0];
    assign line = first_i + RowW'(ahead);
    assign lines_o[b*Bits+:Bits] = mem[{half_i, line[RowW-1:W]}];
    always_ff @(posedge clk_i) begin
      if (write_i && write_line_i[W-1:0] == W'(b))
        mem[{write_half_i, write_line_i[RowW-1:W]}] <= data_i;
    end
    logic unused;
    assign unused = ^line[W-1:0];
  end

endmodule
