// SPDX-License-Identifier: Apache-2.0
// TSRAM to requests: jobs in the order of issue, a line a cycle at most. A request is whole, and in
// the buffer, tsram_latency cycles after its last grant.
module tsr_dma_read (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic push_i,  // in the cycle of issue; asks from the next one on
    input logic [tsr_tile_pkg::NUMBER_W-1:0] number_i,
    output logic [tsr_tile_pkg::NUMBER_W-1:0] job_o,  // whose layout is wanted
    input tsr_tile_pkg::layout_t layout_i,
    // where job_o is the single: its line, the last one
    input logic [tsr_tile_pkg::LINE_W-1:0] single_line_i,
    input logic single_last_i,
    output logic single_gnt_o,
    output logic single_take_o,  // a cycle later
    output tsr_tile_pkg::rd_req_t read_o,
    input tsr_tile_pkg::rd_rsp_t read_i,
    output logic store_o,  // the request is complete: into the buffer
    output logic [tsr_tile_pkg::NUMBER_W-1:0] store_number_o,
    output logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] store_data_o
);

  localparam int unsigned N = tsr_tile_pkg::MAX_REQUESTS;
  localparam int unsigned W = $clog2(N);
  localparam int unsigned NumberW = tsr_tile_pkg::NUMBER_W;

  logic [NumberW-1:0] job[N];
  logic [W-1:0] head_q, tail_q;
  logic [W:0] count_q;
  logic begun_q, more_q, last_q;
  tsr_tile_pkg::cursor_t fresh, saved_q, now, after;
  logic [tsr_tile_pkg::REQUEST_W-1:0] off_q;
  logic [NumberW-1:0] number_q;
  logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] pack_q, pack_d;
  logic granted, ends, single;

  assign job_o = job[head_q];
  assign fresh = {layout_i.at, layout_i.first, layout_i.bytes, tsr_tile_pkg::REQUEST_W'(0)};
  assign now = begun_q ? saved_q : fresh;
  assign read_o.valid = en_i && count_q != '0;
  assign read_o.line = single ? single_line_i :
      now.at[tsr_tile_pkg::TSRAM_W-1:tsr_tile_pkg::LINE_SHIFT];
  assign granted = read_o.valid && read_i.gnt;
  assign ends = single ? single_last_i : after.left == '0;
  assign single = job_o == tsr_tile_pkg::SINGLE;
  assign single_gnt_o = granted && single;
  assign single_take_o = en_i && more_q && number_q == tsr_tile_pkg::SINGLE;

  logic [tsr_tile_pkg::LINE_BYTES-1:0] moves, moves_q;
  logic [tsr_tile_pkg::LINE_BYTES*tsr_tile_pkg::LINE_SHIFT-1:0] places, places_q;
  tsr_dma_cursor u_cursor (
      .on_i(count_q != '0 && !single),
      .cursor_i(now),
      .layout_i(layout_i),
      .cursor_o(after),
      .moves_o(moves),
      .places_o(places)
  );
  // The line is here a cycle after its grant.
  tsr_dma_take u_take (
      .on_i(more_q),
      .moves_i(moves_q),
      .places_i(places_q),
      .off_i(off_q),
      .line_i(read_i.rdata),
      .request_i(pack_q),
      .request_o(pack_d)
  );
  assign store_o = more_q && last_q;
  assign store_number_o = number_q;
  assign store_data_o = pack_d;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      count_q <= '0;
      begun_q <= 1'b0;
      more_q <= 1'b0;
    end else if (en_i) begin
      if (push_i) tail_q <= tail_q + 1'b1;
      if (granted && ends) head_q <= head_q + 1'b1;
      count_q <= count_q + (W + 1)'(push_i) - (W + 1)'(granted && ends);
      if (granted) begun_q <= !ends;
      more_q <= granted;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i && push_i) job[tail_q] <= number_i;
    if (granted) begin
      saved_q <= after;
      off_q <= now.off;
      moves_q <= moves;
      places_q <= places;
      number_q <= job_o;
      last_q <= ends;
    end
    if (more_q) pack_q <= pack_d;
  end

  logic unused;
  assign unused = read_i.rvalid;

endmodule
