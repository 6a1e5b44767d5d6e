// SPDX-License-Identifier: Apache-2.0
// One bank of the TSRAM: a line wide, one access a cycle.
module tsr_bank (
    input logic clk_i,
    input logic read_i,
    input logic write_i,
    input logic [tsr_tile_pkg::LINE_W-5:0] row_i,
    input logic [tsr_tile_pkg::LINE_BYTES-1:0] mask_i,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] data_i,
    output logic [tsr_tile_pkg::LINE_BITS-1:0] rdata_o  // in the next cycle
);

  localparam int unsigned Rows = (tsr_tile_pkg::TSRAM_LINES + tsr_tile_pkg::BANKS - 1) /
      tsr_tile_pkg::BANKS;

  logic [tsr_tile_pkg::LINE_BITS-1:0] mem[Rows];

  logic [tsr_tile_pkg::LINE_BITS-1:0] written;
  always_comb begin
    written = '0;
    if (write_i) begin
      for (int i = 0; i < tsr_tile_pkg::LINE_BYTES; i++) written[8*i+:8] = {8{mask_i[i]}};
    end
  end

  // Memories start at zero: on silicon the host clears them.
`ifndef SYNTHESIS
  initial begin
    for (int i = 0; i < Rows; i++) mem[i] = '0;
  end
`endif

  always_ff @(posedge clk_i) begin
    if (read_i) rdata_o <= mem[row_i];
    if (write_i) mem[row_i] <= (mem[row_i] & ~written) | (data_i & written);
  end

endmodule
