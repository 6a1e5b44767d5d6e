// SPDX-License-Identifier: Apache-2.0
// transpose and to_control, one at a time for the tile: the lines are read in the turn of requests;
// then a transpose's columns are written in the turn of copies, or control memory takes eight bytes
// a cycle. Rows are as long as a line at most and lie in two lines at most.
module tsr_dma_single (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic begin_i,
    input tsr_tile_pkg::single_t single_i,
    output logic busy_o,
    output logic control_o,  // it is a to_control
    // TSRAM, read: the line at hand, and whether it is the last
    output logic [tsr_tile_pkg::LINE_W-1:0] line_o,
    output logic last_o,
    input logic gnt_i,
    input logic take_i,  // its data, a cycle after its grant
    input logic [tsr_tile_pkg::LINE_BITS-1:0] rdata_i,
    // TSRAM, write
    input logic put_i,  // its turn: what stands here is wanted
    output logic [tsr_tile_pkg::LINE_W-1:0] put_line_o,
    output logic [tsr_tile_pkg::LINE_BYTES-1:0] put_mask_o,
    output logic [tsr_tile_pkg::LINE_BITS-1:0] put_data_o,
    output logic put_last_o,
    input logic put_gnt_i,
    input logic put_done_i,  // a cycle after the last grant
    // control memory
    output logic write_o,
    output logic [tsr_tile_pkg::CONTROL_W-1:0] addr_o,
    output logic [7:0] mask_o,
    output logic [63:0] wdata_o,
    output logic done_o
);

  localparam int unsigned Side = tsr_tile_pkg::LANES < 64 ? tsr_tile_pkg::LANES : 64;
  localparam int unsigned S = tsr_tile_pkg::LINE_SHIFT;
  localparam int unsigned Line = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned Bits = tsr_tile_pkg::LINE_BITS;
  localparam int unsigned TsramW = tsr_tile_pkg::TSRAM_W;
  localparam int unsigned CW = tsr_tile_pkg::CONTROL_W;
  localparam int unsigned LenW = CW + 1;
  localparam int unsigned Depth = 2 << (CW - S);  // lines of control memory's size, and one more
  localparam int unsigned Latency = tsr_isa_pkg::PARAM_TSRAM_LATENCY;
  localparam logic [Line-1:0] One = 1;

  tsr_tile_pkg::single_t s_q;
  logic busy_q;
  assign busy_o = busy_q;
  assign control_o = s_q.control;

  // ---- lines read: row by row, each by itself
  logic [6:0] row_q, taken_row_q;
  logic [TsramW-1:0] row_at_q, at_q;
  logic [LenW-1:0] left_q, row_bytes, start_bytes;
  logic [S-1:0] taken_off_q;
  logic row_ends, first_q, taken_first_q, taken_last_q;
  assign row_bytes = s_q.control ? s_q.len : LenW'(s_q.cols) << s_q.size;
  assign start_bytes = single_i.control ? single_i.len : LenW'(single_i.cols) << single_i.size;
  assign line_o = at_q[TsramW-1:S];
  assign row_ends = 32'(left_q) <= Line - 32'(at_q[S-1:0]);
  assign last_o = row_ends && row_q == s_q.rows - 7'd1;

  always_ff @(posedge clk_i) begin
    if (begin_i) begin
      s_q <= single_i;
      row_q <= '0;
      row_at_q <= single_i.src;
      at_q <= single_i.src;
      left_q <= start_bytes;
      first_q <= 1'b1;
    end else if (gnt_i) begin
      first_q <= row_ends;
      if (row_ends) begin
        row_q <= row_q + 7'd1;
        row_at_q <= row_at_q + s_q.ss;
        at_q <= row_at_q + s_q.ss;
        left_q <= row_bytes;
      end else begin
        at_q <= {line_o + 1'b1, {S{1'b0}}};
        left_q <= left_q - (LenW'(Line) - LenW'(at_q[S-1:0]));
      end
    end
    if (gnt_i) begin
      taken_row_q <= row_q;
      taken_off_q <= row_at_q[S-1:0];
      taken_first_q <= first_q;
      taken_last_q <= last_o;
    end
  end

  // ---- a transpose's rows, each from its first byte on
  (* mem2reg *) logic [Bits-1:0] rows_q[Side];
  logic [Bits-1:0] part;
  always_comb begin
    part = '0;
    if (take_i && taken_first_q) part = rdata_i >> {taken_off_q, 3'd0};
    else if (take_i) part = rdata_i << (Bits - 32'({taken_off_q, 3'd0}));
  end
  for (genvar r = 0; r < Side; r++) begin : g_row
    always_ff @(posedge clk_i) begin
      if (take_i && !s_q.control && taken_row_q == 7'(r))
        rows_q[r] <= taken_first_q ? part : rows_q[r] | part;
    end
  end

  // ---- its columns, the lines of each by themselves
  logic [6:0] col_q;
  logic [TsramW-1:0] col_at_q, put_at_q;
  logic [LenW-1:0] put_left_q, col_bytes;
  logic [S-1:0] col_off;
  logic [Bits-1:0] column, element;
  logic [Line-1:0] some;
  logic col_ends, col_first_q;
  assign col_bytes = LenW'(s_q.rows) << s_q.size;
  assign put_line_o = put_at_q[TsramW-1:S];
  assign col_ends = 32'(put_left_q) <= Line - 32'(put_at_q[S-1:0]);
  assign put_last_o = col_ends && col_q == s_q.cols - 7'd1;
  assign col_off = col_at_q[S-1:0];
  always_comb begin
    column = '0;
    element = '0;
    some = '0;
    put_data_o = '0;
    put_mask_o = '0;
    if (put_i) begin
      for (int i = 0; i < Side; i++) begin
        if (7'(i) < s_q.rows) begin
          element = rows_q[i] >> ({5'd0, col_q} << ({1'b0, s_q.size} + 3'd3));
          case (s_q.size)
            2'd0: column[8*i+:8] = element[7:0];
            2'd1: column[16*i+:16] = element[15:0];
            default: column[32*i+:32] = element[31:0];
          endcase
        end
      end
      some = (One << col_bytes) - One;  // of a whole line 1 is shifted out
      if (col_first_q) begin
        put_data_o = column << {col_off, 3'd0};
        put_mask_o = some << col_off;
      end else begin
        put_data_o = column >> (Bits - 32'({col_off, 3'd0}));
        put_mask_o = some >> (Line - 32'(col_off));
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (begin_i) begin
      col_q <= '0;
      col_at_q <= single_i.dst;
      put_at_q <= single_i.dst;
      put_left_q <= LenW'(single_i.rows) << single_i.size;
      col_first_q <= 1'b1;
    end else if (put_gnt_i) begin
      col_first_q <= col_ends;
      if (col_ends) begin
        col_q <= col_q + 7'd1;
        col_at_q <= col_at_q + s_q.ds;
        put_at_q <= col_at_q + s_q.ds;
        put_left_q <= col_bytes;
      end else begin
        put_at_q <= {put_line_o + 1'b1, {S{1'b0}}};
        put_left_q <= put_left_q - (LenW'(Line) - LenW'(put_at_q[S-1:0]));
      end
    end
  end

  // ---- to_control: lines as they come, then words of control memory. Word k holds the bytes from
  // 8 k - ahead on: a destination in the middle of a word begins in its upper half.
  logic [Bits-1:0] lines[Depth];
  logic [$clog2(Depth)-1:0] line_q;
  logic [LenW-1:0] k_q, words, from;
  logic [LenW-1:0] rest_q;  // cycles until it is done
  logic [2*Bits-1:0] pair, moved;
  logic writing_q, waiting_q, ahead;
  assign ahead = s_q.dst[2];
  assign words = (s_q.len + (ahead ? LenW'(11) : LenW'(7))) >> 3;
  assign from = LenW'(s_q.src[S-1:0]) + (k_q << 3) - (ahead && k_q != '0 ? LenW'(4) : LenW'(0));
  assign write_o = en_i && writing_q;
  assign addr_o = {s_q.dst[CW-1:3], 3'd0} + CW'(k_q << 3);
  always_comb begin
    pair = '0;
    moved = '0;
    wdata_o = '0;
    mask_o = '0;
    if (writing_q) begin
      pair = {lines[$clog2(Depth)'(from >> S)+1'b1], lines[$clog2(Depth)'(from >> S)]};
      moved = pair >> {from[S-1:0], 3'd0};
      wdata_o = ahead && k_q == '0 ? {moved[31:0], 32'd0} : moved[63:0];
      mask_o[3:0] = ahead && k_q == '0 ? 4'h0 : 4'hf;
      // the last word may have a lower half only
      mask_o[7:4] = k_q + 1'b1 == words && (s_q.len[2] ^ ahead) ? 4'h0 : 4'hf;
    end
  end
  always_ff @(posedge clk_i) begin
    if (take_i && s_q.control) lines[line_q] <= rdata_i;
    if (begin_i) line_q <= '0;
    else if (take_i) line_q <= line_q + 1'b1;
    if (take_i && taken_last_q) k_q <= '0;
    else if (writing_q) k_q <= k_q + 1'b1;
  end

  assign done_o = en_i && busy_q && (s_q.control ? waiting_q && rest_q == '0 : put_done_i);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      writing_q <= 1'b0;
      waiting_q <= 1'b0;
      rest_q <= '0;
    end else if (en_i) begin
      if (begin_i) busy_q <= 1'b1;
      else if (done_o) busy_q <= 1'b0;
      if (take_i && taken_last_q) writing_q <= s_q.control;
      else if (k_q + 1'b1 == words) writing_q <= 1'b0;
      // eight bytes a cycle from Latency after the last grant on; nothing needs no line
      if (begin_i && single_i.control && single_i.len == '0) begin
        waiting_q <= 1'b1;
        rest_q <= LenW'(Latency + 1);
      end else if (take_i && taken_last_q && s_q.control) begin
        waiting_q <= 1'b1;
        rest_q <= ((s_q.len + LenW'(7)) >> 3) + LenW'(Latency - 1);
      end else if (done_o) begin
        waiting_q <= 1'b0;
      end else if (waiting_q) begin
        rest_q <= rest_q - 1'b1;
      end
    end
  end

  logic unused;
  assign unused = ^{element, moved};

endmodule
