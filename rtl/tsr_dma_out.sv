// SPDX-License-Identifier: Apache-2.0
// Packets that leave, in order, beat by beat: writes in the order of their issue, and between them
// what a forward read, in the cycle after its last beat came.
module tsr_dma_out (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic write_i,  // issued now
    input logic [tsr_tile_pkg::NUMBER_W-1:0] write_number_i,
    input logic forward_i,
    input logic [tsr_tile_pkg::NUMBER_W-1:0] forward_number_i,
    input logic ready_i,  // of the packet head_o: its data are in the buffer
    output logic [tsr_tile_pkg::NUMBER_W-1:0] head_o,
    input logic [tsr_tile_pkg::REQUEST_W-1:0] bytes_i,  // of head_o, and its data
    input logic [8*tsr_tile_pkg::REQUEST_BYTES-1:0] data_i,
    output logic sent_o,  // head_o's last beat
    output tsr_tile_pkg::out_beat_t out_o  // a cycle later
);

  localparam int unsigned N = tsr_tile_pkg::MAX_REQUESTS;
  localparam int unsigned W = $clog2(N);
  localparam int unsigned PortBytes = tsr_chip_pkg::TILE_PORT_BYTES;
  localparam int unsigned Beats = (tsr_tile_pkg::REQUEST_BYTES + PortBytes - 1) / PortBytes;
  localparam int unsigned BeatW = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned PortBits = tsr_tile_pkg::PORT_BITS;

  logic [tsr_tile_pkg::NUMBER_W-1:0] packet[N];
  logic [W-1:0] head_q, tail_q;
  logic [W:0] count_q;
  logic [BeatW-1:0] beat_q;
  logic goes, last;
  logic valid_q, last_q;
  logic [tsr_tile_pkg::ID_W-1:0] id_q;
  logic [PortBits-1:0] data_q;

  assign head_o = count_q != '0 ? packet[head_q] : forward_number_i;
  assign goes = en_i && (count_q != '0 ? ready_i : forward_i && !write_i);
  assign last = (32'(beat_q) + 1) * PortBytes >= 32'(bytes_i);
  assign sent_o = goes && last;
  assign out_o = {valid_q, last_q, id_q, data_q};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      count_q <= '0;
      beat_q <= '0;
      valid_q <= 1'b0;
    end else if (en_i) begin
      tail_q <= tail_q + W'(write_i) + W'(forward_i);
      count_q <= count_q + (W + 1)'(write_i) + (W + 1)'(forward_i) - (W + 1)'(sent_o);
      if (sent_o) head_q <= head_q + 1'b1;
      if (goes) beat_q <= last ? '0 : beat_q + 1'b1;
      valid_q <= goes;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i && write_i) packet[tail_q] <= write_number_i;
    if (en_i && forward_i) packet[tail_q+W'(write_i)] <= forward_number_i;
    last_q <= last;
    id_q <= head_o[tsr_tile_pkg::ID_W-1:0];
    data_q <= data_i[PortBits*32'(beat_q)+:PortBits];
  end

endmodule
