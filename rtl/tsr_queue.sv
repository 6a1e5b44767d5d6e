// SPDX-License-Identifier: Apache-2.0
// The queue before a unit: in order, one start a cycle. An instruction starts one cycle after it
// was queued at the earliest; its place is free in the cycle after its start.
module tsr_queue #(
    parameter logic [2:0] Queue = 3'd1,
    parameter int unsigned Slots = tsr_isa_pkg::SLOTS
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic push_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic full_o,
    input logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts_i,
    input logic [tsr_tile_pkg::SEMS*4-1:0] consumers_i,
    input logic ready_i,  // the unit can start one in this cycle
    output logic start_o,
    output tsr_tile_pkg::unit_insn_t insn_o,
    output tsr_tile_pkg::sems_t sems_o,  // of the head
    output logic stranger_o  // it starts, and waits for another queue's semaphore
);

  localparam int unsigned Depth = tsr_chip_pkg::TILE_QUEUE_DEPTH;
  localparam int unsigned W = Depth > 1 ? $clog2(Depth) : 1;
  localparam int unsigned Bits = 17 + 128 + 64 * Slots;

  logic [Bits-1:0] place[Depth];
  logic [Bits-1:0] head;
  logic [W-1:0] head_q, tail_q;
  logic [W:0] count_q;
  logic waits_met, stranger;

  function automatic logic [W-1:0] after(input logic [W-1:0] at);
    after = 32'(at) == Depth - 1 ? '0 : at + 1'b1;
  endfunction

  assign full_o = 32'(count_q) == Depth;
  assign head = place[head_q];
  always_comb begin
    insn_o = '0;
    insn_o.x[64*Slots-1:0] = head[64*Slots-1:0];
    insn_o.word = head[64*Slots+:128];
    insn_o.pc = head[64*Slots+128+:17];
  end
  assign sems_o = tsr_isa_pkg::tcp_sems(insn_o.word);
  assign start_o = en_i && count_q != '0 && waits_met && ready_i;
  assign stranger_o = start_o && stranger;

  tsr_wait #(
      .Queue(Queue)
  ) u_wait (
      .w0_i(sems_o.w0),
      .w1_i(sems_o.w1),
      .counts_i(counts_i),
      .consumers_i(consumers_i),
      .ready_o(waits_met),
      .stranger_o(stranger)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= '0;
      tail_q <= '0;
      count_q <= '0;
    end else if (en_i) begin
      if (push_i) tail_q <= after(tail_q);
      if (start_o) head_q <= after(head_q);
      count_q <= count_q + (W + 1)'(push_i) - (W + 1)'(start_o);
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i && push_i) place[tail_q] <= {insn_i.pc, insn_i.word, insn_i.x[64*Slots-1:0]};
  end

endmodule
