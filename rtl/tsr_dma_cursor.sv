// SPDX-License-Identifier: Apache-2.0
// The bytes of a request that one access to the TSRAM moves: from the cursor on, as long as they
// lie in one line, at most a line of them. Of each its place in the line, and the cursor behind.
// While bytes are left, cursor_i.n is not 0.
module tsr_dma_cursor (
    input logic on_i,  // they are wanted
    input tsr_tile_pkg::cursor_t cursor_i,
    input tsr_tile_pkg::layout_t layout_i,
    output tsr_tile_pkg::cursor_t cursor_o,
    output logic [tsr_tile_pkg::LINE_BYTES-1:0] moves_o,  // the first ones
    output logic [tsr_tile_pkg::LINE_BYTES*tsr_tile_pkg::LINE_SHIFT-1:0] places_o
);

  localparam int unsigned Shift = tsr_tile_pkg::LINE_SHIFT;
  localparam int unsigned ReqW = tsr_tile_pkg::REQUEST_W;
  localparam int unsigned TsramW = tsr_tile_pkg::TSRAM_W;

  tsr_tile_pkg::cursor_t c;

  always_comb begin
    c = cursor_i;
    moves_o = '0;
    places_o = '0;
    if (on_i) begin
      for (int j = 0; j < tsr_tile_pkg::LINE_BYTES; j++) begin
        places_o[j*Shift+:Shift] = c.at[Shift-1:0];
        if (c.left != '0 && c.at[TsramW-1:Shift] == cursor_i.at[TsramW-1:Shift]) begin
          moves_o[j] = 1'b1;
          c.at = c.at + TsramW'(1);
          c.n = c.n - ReqW'(1);
          c.left = c.left - ReqW'(1);
          c.off = c.off + ReqW'(1);
          if (c.n == '0) begin
            c.at = c.at + layout_i.gap;
            c.n = layout_i.len;
          end
        end
      end
    end
    cursor_o = c;
  end

endmodule
