// SPDX-License-Identifier: Apache-2.0
// The banks of an m x n rectangle of accumulators whose corner is at address c.
module tsr_rectangle (
    input logic [63:0] c_i,  // bank * 256 + row of tiles * 16 + column of tiles
    input logic [63:0] m_i,
    input logic [63:0] n_i,
    input logic [1:0] across_i,  // log2 of the banks side by side
    output logic legal_o,  // it lies within four banks that exist
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] banks_o
);

  localparam int unsigned D = tsr_tile_pkg::DIM;
  localparam int unsigned Side = 4 * D;
  localparam int unsigned Banks = tsr_tile_pkg::ACC_BANKS;
  localparam int unsigned Shift = $clog2(Side);

  logic [15:0] m, n, down, wide, span, bank;
  logic sane;

  assign m = m_i[15:0];
  assign n = n_i[15:0];
  assign sane = m_i != '0 && n_i != '0 && m_i <= 64'(4 * Side) && n_i <= 64'(4 * Side) &&
      c_i[63:8] < 56'(Banks) && c_i[7:4] < 4'd4 && c_i[3:0] < 4'd4;
  assign bank = {8'd0, c_i[15:8]};
  assign down = (16'(c_i[5:4]) * 16'(D) + m + 16'(Side - 1)) >> Shift;
  assign wide = (16'(c_i[1:0]) * 16'(D) + n + 16'(Side - 1)) >> Shift;
  assign span = ((down - 16'd1) << across_i) + wide;
  assign legal_o = sane && 16'(c_i[1:0]) * 16'(D) + n <= 16'(Side) << across_i &&
      down << across_i <= 16'd4 && bank + span <= 16'(Banks);

  for (genvar b = 0; b < Banks; b++) begin : g_bank
    assign banks_o[b] = 16'(b) >= bank && 16'(b) < bank + span;
  end

endmodule
