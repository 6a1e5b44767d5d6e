// SPDX-License-Identifier: Apache-2.0
// Counting semaphores. All units see the counts at the start of the cycle; of what happens in it
// the order does not matter. Lanes stand in the order in which the simulator posts within a cycle,
// which only decides to whom an overflow is charged.
module tsr_sync #(
    parameter int unsigned Lanes = 1
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input tsr_tile_pkg::host_t host_i,
    input logic [tsr_tile_pkg::QUEUES-1:0] consume_i,
    input logic [tsr_tile_pkg::QUEUES*22-1:0] waits_i,  // {w1, w0} of each queue
    input logic [Lanes*27-1:0] posts_i,  // post_lane_t each
    output logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts_o,
    output logic [tsr_tile_pkg::SEMS*4-1:0] consumers_o,
    output tsr_tile_pkg::fault_t fault_o,
    output logic [2:0] fault_queue_o,
    output logic [tsr_tile_pkg::SEMS-1:0] touched_o,  // consumed or posted in this cycle
    output logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts_d_o  // after it
);

  localparam int unsigned Sems = tsr_tile_pkg::SEMS;
  localparam int unsigned CountW = tsr_tile_pkg::COUNT_W;
  localparam int unsigned SumW = CountW + 8;
  localparam int unsigned Max = tsr_chip_pkg::TILE_SEMAPHORE_MAX;

  logic [Sems*4-1:0] consumers_q;
  logic [Sems*SumW-1:0] sums;
  logic [Sems-1:0] over;
  logic [Lanes*7-1:0] posts;
  logic [63:0] touched;  // consumed or posted in this cycle
  logic set_consumer;

  assign consumers_o = consumers_q;
  assign set_consumer = host_i.valid && host_i.what == tsr_tile_pkg::HOST_CONSUMER;

  tsr_tile_pkg::wait_t w;
  assign touched_o = touched[Sems-1:0];
  always_comb begin
    touched = '0;
    w = '0;
    for (int q = 0; q < 2 * tsr_tile_pkg::QUEUES; q++) begin
      w = waits_i[11*q+:11];
      if (consume_i[q/2] && w.amount != '0) touched[w.id] = 1'b1;
    end
    for (int l = 0; l < Lanes; l++) begin
      posts[7*l+:7] = posts_i[27*l+20+:7];
      if (posts_i[27*l+26]) touched[posts_i[27*l+20+:6]] = 1'b1;
    end
  end

  for (genvar s = 0; s < Sems; s++) begin : g_semaphore
    tsr_semaphore #(
        .Lanes(Lanes)
    ) u_semaphore (
        .clk_i(clk_i),
        .id_i(6'(s)),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .touched_i(touched[s]),
        .consume_i(consume_i),
        .waits_i(waits_i),
        .posts_i(posts),
        .count_o(counts_o[s*CountW+:CountW]),
        .sum_o(sums[s*SumW+:SumW]),
        .over_o(over[s])
    );
    assign counts_d_o[s*CountW+:CountW] = sums[s*SumW+:CountW];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        consumers_q[4*s+:4] <= 4'hf;
      end else if (set_consumer && host_i.addr == 17'(s)) begin
        consumers_q[4*s+:4] <= host_i.data[3:0];
      end
    end
  end

  // The lowest queue among the posts that go too far: a lane's count is the sum without what the
  // lanes behind it add.
  tsr_tile_pkg::post_lane_t lane, behind;
  logic [SumW-1:0] reached;
  always_comb begin
    fault_o = '0;
    fault_queue_o = '0;
    reached = '0;
    lane = '0;
    behind = '0;
    if (over != '0) begin
      for (int l = 0; l < Lanes; l++) begin
        lane = posts_i[27*l+:27];
        reached = sums[32'(lane.id)*SumW+:SumW];
        for (int k = l + 1; k < Lanes; k++) begin
          behind = posts_i[27*k+:27];
          if (behind.valid && behind.id == lane.id) reached = reached - SumW'(1);
        end
        if (lane.valid && $signed(reached) > $signed(SumW'(Max)) &&
            (!fault_o.valid || lane.from < fault_queue_o)) begin
          fault_o.valid = 1'b1;
          fault_o.kind = tsr_tile_pkg::FAULT_SEMAPHORE_OVERFLOW;
          fault_o.pc = lane.pc;
          fault_queue_o = lane.from;
        end
      end
    end
  end

endmodule
