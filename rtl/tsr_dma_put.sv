// SPDX-License-Identifier: Apache-2.0
// Bytes of a request into a line: the ones that move, from byte `off_i` on, each to its place
// (tsr_dma_cursor). Where two have one place the later stays.
module tsr_dma_put (
    input logic on_i,
    input logic [tsr_tile_pkg::LINE_BYTES-1:0] moves_i,
    input logic [tsr_tile_pkg::LINE_BYTES*tsr_tile_pkg::LINE_SHIFT-1:0] places_i,
    input logic [tsr_tile_pkg::REQUEST_W-1:0] off_i,
    input logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] request_i,
    output logic [tsr_tile_pkg::LINE_BYTES-1:0] mask_o,
    output logic [tsr_tile_pkg::LINE_BITS-1:0] line_o
);

  localparam int unsigned Line = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned Shift = tsr_tile_pkg::LINE_SHIFT;

  // Bit i of all bytes of the line stands in a plane: a byte is written to its spot in eight.
  logic [tsr_tile_pkg::LINE_BITS-1:0] bytes;
  logic [tsr_tile_pkg::LINE_BITS-1:0] planes;
  logic [Line-1:0] spot;
  always_comb begin
    mask_o = '0;
    planes = '0;
    spot = '0;
    bytes = '0;
    if (on_i) begin
      bytes = tsr_tile_pkg::LINE_BITS'(request_i >> {off_i, 3'b000});
      for (int j = 0; j < Line; j++) begin
        spot = Line'(moves_i[j]) << places_i[j*Shift+:Shift];
        mask_o = mask_o | spot;
        for (int i = 0; i < 8; i++) begin
          planes[i*Line+:Line] = bytes[8*j+i] ? planes[i*Line+:Line] | spot :
              planes[i*Line+:Line] & ~spot;
        end
      end
    end
  end
  for (genvar b = 0; b < Line; b++) begin : g_byte
    for (genvar i = 0; i < 8; i++) begin : g_bit
      assign line_o[8*b+i] = planes[i*Line+b];
    end
  end

endmodule
