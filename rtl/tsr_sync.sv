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
  localparam int unsigned ExcessW = $clog2(Lanes + 1);

  logic [Sems*4-1:0] consumers_q;
  logic [Sems*ExcessW-1:0] excess;
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
        .next_o(counts_d_o[s*CountW+:CountW]),
        .excess_o(excess[s*ExcessW+:ExcessW])
    );
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        consumers_q[4*s+:4] <= 4'hf;
      end else if (set_consumer && host_i.addr == 17'(s)) begin
        consumers_q[4*s+:4] <= host_i.data[3:0];
      end
    end
  end

  // The lowest queue among the posts that go too far, which are the last of their semaphore in the
  // order of the lanes, as many as its excess; of that queue the first lane.
  tsr_tile_pkg::post_t lane, behind;
  logic [31:0] after;  // a sum that cannot overflow
  logic [Lanes-1:0] late, first;
  logic [tsr_tile_pkg::QUEUES-1:0] queues;
  always_comb begin
    fault_o = '0;
    fault_queue_o = '0;
    after = '0;
    late = '0;
    first = '0;
    queues = '0;
    lane = '0;
    behind = '0;
    if (excess != '0) begin
      for (int l = 0; l < Lanes; l++) begin
        lane = posts[7*l+:7];
        after = '0;
        for (int k = l + 1; k < Lanes; k++) begin
          behind = posts[7*k+:7];
          after = after + 32'(behind.valid && behind.id == lane.id);
        end
        late[l] = lane.valid && after < 32'(excess[32'(lane.id)*ExcessW+:ExcessW]);
        if (late[l]) queues[posts_i[27*l+17+:3]] = 1'b1;
      end
      for (int q = tsr_tile_pkg::QUEUES - 1; q >= 0; q--) begin
        if (queues[q]) fault_queue_o = 3'(q);
      end
      for (int l = 0; l < Lanes; l++) late[l] = late[l] && posts_i[27*l+17+:3] == fault_queue_o;
      first = late & -late;
      fault_o.valid = queues != '0;
      fault_o.kind = tsr_tile_pkg::FAULT_SEMAPHORE_OVERFLOW;
      for (int l = 0; l < Lanes; l++) begin
        fault_o.pc = fault_o.pc | (posts_i[27*l+:17] & {17{first[l]}});
      end
    end
  end

endmodule
