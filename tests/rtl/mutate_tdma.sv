// SPDX-License-Identifier: Apache-2.0
// What is always so in the data mover: holds_o of each module, which mutate_prove.sh proves by
// induction from what a register is at "first"; what a module that it is "without" gives is free.

// A channel, started only while it is ready, of descriptors and completions of any kind. Of the
// ring's places which are rposts, and whether they are known to be complete: all but the newest
// are. So a full ring's oldest is none: it would have been complete when the next one started, and
// have gone since.
// tsr_lemma_tdma_ring: first u_channel.count_q 0 u_channel.issuing_q 0
// tsr_lemma_tdma_ring: without tsr_dma_describe
module tsr_lemma_tdma_ring (
    input logic clk_i,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    input logic turn_i,
    input logic [31:0] index_i,
    input logic [tsr_tile_pkg::ACK_LANES+1:0] done_i,
    input logic [(tsr_tile_pkg::ACK_LANES+2)*4-1:0] done_number_i,
    input logic [(tsr_tile_pkg::ACK_LANES+2)*tsr_tile_pkg::REQUEST_W-1:0] done_bytes_i,
    output logic holds_o
);
  localparam int unsigned N = tsr_tile_pkg::MAX_DESCRIPTORS;
  logic ready;
  (* hierconn *) wire [4:0] \u_channel.count_q ;
  (* hierconn *) wire [3:0] \u_channel.head_q ;
  (* hierconn *) wire [3:0] \u_channel.newest_q ;
  (* hierconn *) wire \u_channel.issuing_q ;
  (* hierconn *) wire \u_channel.free_o ;
  (* hierconn *) wire [N-1:0] \u_channel.finished_q ;
  // of a descriptor its kind stands on top
  tsr_tile_pkg::desc_t d_unused;
  localparam int unsigned D = $bits(d_unused);
  (* hierconn *) wire [D-1:0] \u_channel.started ;
  logic [4:0] count;
  logic [3:0] head, newest, tail;
  logic issuing, free;
  logic [N-1:0] finished, good;
  assign count = \u_channel.count_q ;
  assign head = \u_channel.head_q ;
  assign newest = \u_channel.newest_q ;
  assign issuing = \u_channel.issuing_q ;
  assign free = \u_channel.free_o ;
  assign finished = \u_channel.finished_q ;
  tsr_dma_channel u_channel (
      .clk_i(clk_i),
      .rst_ni(1'b1),
      .en_i(en_i),
      .start_i(start_i && ready && en_i),
      .insn_i(insn_i),
      .ready_o(ready),
      .turn_i(turn_i),
      .index_i(index_i),
      .done_i(done_i),
      .done_number_i(done_number_i),
      .done_bytes_i(done_bytes_i)
  );

  logic [N-1:0] rpost_q;
  assign tail = head + count[3:0];
  always_ff @(posedge clk_i) begin
    if (start_i && ready && en_i)
      rpost_q[tail] <= \u_channel.started [D-1-:3] == tsr_tile_pkg::DESC_RPOST;
  end
  for (genvar i = 0; i < N; i++) begin : g_place
    logic inside;
    assign inside = {1'b0, 4'(i) - head} < count;
    assign good[i] = !inside || !rpost_q[i] || finished[i] || issuing && newest == 4'(i);
  end
  assign holds_o = good == '1 && count <= 5'(N) &&
      (count == '0 || newest == head + count[3:0] - 4'd1) &&
      (count == '0 || !issuing || !rpost_q[newest] || free) && (count != 5'(N) || !rpost_q[head]);
endmodule

// A transpose or to_control: after a grant that did not end its row the next one comes in the next
// cycle, since lines rise by one and so does the bank that is the mover's (tsr_tsram). No other one
// begins before it is read.
// tsr_lemma_tdma_rows: first asks_q 0 u_single.first_q 1
module tsr_lemma_tdma_rows (
    input logic clk_i,
    input logic begin_i,
    input tsr_tile_pkg::single_t single_i,
    input logic head_i,  // it has come to be the head
    output logic holds_o
);
  logic asks_q;
  logic [2:0] phase_q;
  logic busy, last, gnt;
  logic [tsr_tile_pkg::LINE_W-1:0] line;
  (* hierconn *) wire \u_single.first_q ;
  assign gnt = asks_q && line[2:0] - 3'd5 == phase_q;
  tsr_dma_single u_single (
      .clk_i(clk_i),
      .rst_ni(1'b1),
      .en_i(1'b1),
      .begin_i(begin_i && !busy && !asks_q),
      .single_i(single_i),
      .busy_o(busy),
      .line_o(line),
      .last_o(last),
      .gnt_i(gnt)
  );
  always_ff @(posedge clk_i) begin
    phase_q <= phase_q + 3'd1;
    asks_q <= asks_q ? !(gnt && last) : head_i;
  end
  assign holds_o = \u_single.first_q || gnt;
endmodule
