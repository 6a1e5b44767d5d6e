// SPDX-License-Identifier: Apache-2.0
// A line's bytes into a request: the ones that move, from byte `off_i` on, each from its place
// (tsr_dma_cursor); the others of the request stay.
module tsr_dma_take (
    input logic on_i,
    input logic [tsr_tile_pkg::LINE_BYTES-1:0] moves_i,
    input logic [tsr_tile_pkg::LINE_BYTES*tsr_tile_pkg::LINE_SHIFT-1:0] places_i,
    input logic [tsr_tile_pkg::REQUEST_W-1:0] off_i,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] line_i,
    input logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] request_i,
    output logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] request_o
);

  localparam int unsigned Line = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned Shift = tsr_tile_pkg::LINE_SHIFT;
  localparam int unsigned ReqBits = 8 * tsr_tile_pkg::REQUEST_BYTES;

  logic [tsr_tile_pkg::LINE_BITS-1:0] bytes, some;
  always_comb begin
    bytes = '0;
    some = '0;
    request_o = request_i;
    if (on_i) begin
      for (int j = 0; j < Line; j++) begin
        if (moves_i[j]) begin
          bytes[8*j+:8] = 8'(line_i >> {places_i[j*Shift+:Shift], 3'b000});
          some[8*j+:8] = 8'hff;
        end
      end
      request_o = (request_i & ~(ReqBits'(some) << {off_i, 3'b000})) |
          (ReqBits'(bytes) << {off_i, 3'b000});
    end
  end

endmodule
