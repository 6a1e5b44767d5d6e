// SPDX-License-Identifier: Apache-2.0
// Of one accumulator bank the rows r, D + r, 2D + r, 3D + r: two read ports, one write port.
module tsr_acc_row (
    input logic clk_i,
    input logic read0_i,
    input logic [1:0] row0_i,
    output logic [128*tsr_tile_pkg::DIM-1:0] rdata0_o,  // in the next cycle
    input logic read1_i,
    input logic [1:0] row1_i,
    output logic [128*tsr_tile_pkg::DIM-1:0] rdata1_o,
    input logic [4*tsr_tile_pkg::DIM-1:0] write_i,  // a bit per word
    input logic [1:0] wrow_i,
    input logic [128*tsr_tile_pkg::DIM-1:0] wdata_i
);

  logic [128*tsr_tile_pkg::DIM-1:0] mem[4];
  logic [128*tsr_tile_pkg::DIM-1:0] written;
  always_comb begin
    written = '0;
    if (write_i != '0) begin
      for (int i = 0; i < 4 * tsr_tile_pkg::DIM; i++) written[32*i+:32] = {32{write_i[i]}};
    end
  end

  // Memories start at zero: on silicon the host clears them.
`ifndef SYNTHESIS
  initial begin
    for (int i = 0; i < 4; i++) mem[i] = '0;
  end
`endif

  always_ff @(posedge clk_i) begin
    if (read0_i) rdata0_o <= mem[row0_i];
    if (read1_i) rdata1_o <= mem[row1_i];
    if (write_i != '0) mem[wrow_i] <= (mem[wrow_i] & ~written) | (wdata_i & written);
  end

endmodule
