// SPDX-License-Identifier: Apache-2.0
// All pieces of a request that lie in one line, one after the other: they cost the port one access.
// From them the cursor behind, and the bytes on their way between line and request: `line_o` has
// those that the request puts into the line, `request_o` those that it takes from it.
module tsr_dma_cursor (
    input logic on_i,  // the bytes are wanted
    input tsr_tile_pkg::cursor_t cursor_i,
    input tsr_tile_pkg::layout_t layout_i,
    input logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] request_i,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] line_i,
    output tsr_tile_pkg::cursor_t cursor_o,
    output logic [tsr_tile_pkg::LINE_BYTES-1:0] mask_o,
    output logic [tsr_tile_pkg::LINE_BITS-1:0] line_o,
    output logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] request_o
);

  localparam int unsigned LineBytes = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned LineBits = tsr_tile_pkg::LINE_BITS;
  localparam int unsigned Shift = tsr_tile_pkg::LINE_SHIFT;
  localparam int unsigned ReqBits = 8 * tsr_tile_pkg::REQUEST_BYTES;
  localparam int unsigned ReqW = tsr_tile_pkg::REQUEST_W;
  localparam int unsigned TsramW = tsr_tile_pkg::TSRAM_W;
  localparam logic [LineBytes-1:0] One = 1;
  localparam logic [LineBits-1:0] OneBit = 1;

  tsr_tile_pkg::cursor_t c;
  logic [TsramW-1:0] at;
  logic [ReqW-1:0] step, n, left, off;
  logic [Shift-1:0] in_line;
  logic [LineBytes-1:0] some;
  logic [LineBits-1:0] bits;
  logic [LineBits-1:0] part;
  logic [ReqBits-1:0] shifted;

  always_comb begin
    at = cursor_i.at;
    n = cursor_i.n;
    left = cursor_i.left;
    off = cursor_i.off;
    mask_o = '0;
    line_o = '0;
    request_o = request_i;
    step = '0;
    in_line = '0;
    some = '0;
    bits = '0;
    part = '0;
    shifted = '0;
    // Pieces that do not overlap: as many as a line has bytes.
    for (int f = 0; f < LineBytes; f++) begin
      if (on_i && left != '0 && at[TsramW-1:Shift] == cursor_i.at[TsramW-1:Shift]) begin
        in_line = at[Shift-1:0];
        step = ReqW'(LineBytes) - ReqW'(in_line);
        if (n < step) step = n;
        if (left < step) step = left;
        // `some`: step ones; `bits`: eight times as many. Of a whole line 1 is shifted out.
        some = (One << step) - One;
        bits = (OneBit << {step, 3'b000}) - OneBit;
        shifted = request_i >> {off, 3'b000};
        line_o = line_o | ((shifted[LineBits-1:0] & bits) << {in_line, 3'b000});
        mask_o = mask_o | (some << in_line);
        part = (line_i >> {in_line, 3'b000}) & bits;
        request_o = (request_o & ~(ReqBits'(bits) << {off, 3'b000})) |
            (ReqBits'(part) << {off, 3'b000});
        left = left - step;
        n = n - step;
        off = off + step;
        at = at + TsramW'(step);
        if (n == '0) begin
          at = at + layout_i.gap;
          n = layout_i.len;
        end
      end
    end
    c.at = at;
    c.n = n;
    c.left = left;
    c.off = off;
    cursor_o = c;
  end

endmodule
