// SPDX-License-Identifier: Apache-2.0
// Packets and local copies to TSRAM, in the order in which packets reached the cluster and copies
// were read; a line a cycle at most. A packet's lines are written from the cycle after its last
// beat.
module tsr_dma_write (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [4:0] heads_i,  // packets to be written that have reached the cluster
    input logic arrive_i,  // a packet's last beat; they come in the order of heads
    input logic [tsr_tile_pkg::NUMBER_W-1:0] arrive_number_i,
    input logic local_i,  // a copy has been read, with this cycle it may be written
    input logic [tsr_tile_pkg::NUMBER_W-1:0] local_number_i,
    output logic [tsr_tile_pkg::NUMBER_W-1:0] job_o,
    input tsr_tile_pkg::layout_t layout_i,
    input logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] data_i,  // of job_o
    // where job_o is the single: what it wants
    input tsr_tile_pkg::wr_req_t single_i,
    input logic single_last_i,
    output logic single_put_o,
    output logic single_gnt_o,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic gnt_i,
    output logic done_o,  // one cycle after the last grant
    output logic [tsr_tile_pkg::NUMBER_W-1:0] done_number_o
);

  localparam int unsigned N = 1024;  // turns: requests in flight and casts of others
  localparam int unsigned W = $clog2(N);
  localparam int unsigned NumberW = tsr_tile_pkg::NUMBER_W;

  logic [N-1:0] turn_q;  // a bit per turn: a local copy, else a packet
  logic [W-1:0] turn_head_q, turn_tail_q;
  logic [W:0] turns_q;
  logic [NumberW-1:0] packet[N];
  logic [NumberW-1:0] copies[N];
  logic [W-1:0] packet_head_q, packet_tail_q, copy_head_q, copy_tail_q;
  logic packets_any, copies_any, is_local, ready;
  logic begun_q, granted, ends, done_q, single;
  logic [tsr_tile_pkg::LINE_BYTES-1:0] mask;
  logic [tsr_tile_pkg::LINE_BITS-1:0] line;
  logic [NumberW-1:0] done_number_q;
  tsr_tile_pkg::cursor_t fresh, saved_q, now, after;
  logic [tsr_tile_pkg::LINE_BYTES-1:0] moves;
  logic [tsr_tile_pkg::LINE_BYTES*tsr_tile_pkg::LINE_SHIFT-1:0] places;

  assign packets_any = packet_head_q != packet_tail_q;
  assign copies_any = copy_head_q != copy_tail_q;
  // Without older turns: packets announced now come before a copy that is ready now.
  always_comb begin
    if (turns_q != '0) begin
      is_local = turn_q[turn_head_q];
      ready = is_local ? copies_any || local_i : packets_any;
    end else begin
      is_local = heads_i == '0;
      ready = is_local && local_i;
    end
  end
  assign job_o = is_local ? (copies_any ? copies[copy_head_q] : local_number_i) :
      packet[packet_head_q];
  assign fresh = {layout_i.at, layout_i.first, layout_i.bytes, tsr_tile_pkg::REQUEST_W'(0)};
  assign now = begun_q ? saved_q : fresh;

  tsr_dma_cursor u_cursor (
      .on_i(ready && !single),
      .cursor_i(now),
      .layout_i(layout_i),
      .cursor_o(after),
      .moves_o(moves),
      .places_o(places)
  );
  tsr_dma_put u_put (
      .on_i(ready && !single),
      .moves_i(moves),
      .places_i(places),
      .off_i(now.off),
      .request_i(data_i),
      .mask_o(mask),
      .line_o(line)
  );
  assign single = job_o == tsr_tile_pkg::SINGLE;
  assign single_put_o = ready && single;
  assign write_o.valid = en_i && ready;
  assign write_o.line = single ? single_i.line :
      now.at[tsr_tile_pkg::TSRAM_W-1:tsr_tile_pkg::LINE_SHIFT];
  assign write_o.mask = single ? single_i.mask : mask;
  assign write_o.data = single ? single_i.data : line;
  assign granted = write_o.valid && gnt_i;
  assign single_gnt_o = granted && single;
  assign ends = granted && (single ? single_last_i : after.left == '0);
  assign done_o = done_q;
  assign done_number_o = done_number_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      turn_q <= '0;
      turn_head_q <= '0;
      turn_tail_q <= '0;
      turns_q <= '0;
      packet_head_q <= '0;
      packet_tail_q <= '0;
      copy_head_q <= '0;
      copy_tail_q <= '0;
      begun_q <= 1'b0;
      done_q <= 1'b0;
    end else if (en_i) begin
      turn_tail_q <= turn_tail_q + W'(heads_i) + W'(local_i);
      turns_q <= turns_q + (W + 1)'(heads_i) + (W + 1)'(local_i) - (W + 1)'(ends);
      if (local_i) turn_q[turn_tail_q+W'(heads_i)] <= 1'b1;
      if (ends) begin
        turn_head_q <= turn_head_q + 1'b1;
        // an empty queue's only turn may begin and end in the cycle that brings it
        turn_q[turn_head_q] <= 1'b0;
      end
      if (arrive_i) packet_tail_q <= packet_tail_q + 1'b1;
      if (local_i) copy_tail_q <= copy_tail_q + 1'b1;
      if (ends && is_local) copy_head_q <= copy_head_q + 1'b1;
      if (ends && !is_local) packet_head_q <= packet_head_q + 1'b1;
      if (granted) begun_q <= !ends;
      done_q <= ends;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i && arrive_i) packet[packet_tail_q] <= arrive_number_i;
    if (en_i && local_i) copies[copy_tail_q] <= local_number_i;
    if (granted) saved_q <= after;
    if (ends) done_number_q <= job_o;
  end

  logic unused;
  assign unused = single_i.valid;

endmodule
