// SPDX-License-Identifier: Apache-2.0
// One counting semaphore: new = old - consumed + posted, and new is what may not be too much.
module tsr_semaphore #(
    parameter int unsigned Lanes = 1
) (
    input logic clk_i,
    input logic [5:0] id_i,  // constant: one module for all
    input logic rst_ni,
    input logic en_i,
    input logic touched_i,  // somebody consumes or posts it
    input logic [tsr_tile_pkg::QUEUES-1:0] consume_i,
    input logic [tsr_tile_pkg::QUEUES*22-1:0] waits_i,  // {w1, w0} of each queue
    input logic [Lanes*7-1:0] posts_i,  // post_t each
    output logic [tsr_tile_pkg::COUNT_W-1:0] count_o,
    output logic [tsr_tile_pkg::COUNT_W-1:0] next_o,  // after this cycle
    output logic [$clog2(Lanes+1)-1:0] excess_o  // posts beyond the largest count
);

  localparam int unsigned CountW = tsr_tile_pkg::COUNT_W;
  localparam int unsigned PostedW = $clog2(Lanes + 1);
  localparam int unsigned SumW = CountW + 8;  // signed; posts of all lanes beyond the largest count
  localparam int unsigned Max = tsr_chip_pkg::TILE_SEMAPHORE_MAX;

  logic [CountW-1:0] count_q;
  logic [31:0] posted, taken;
  logic [SumW-1:0] sum;
  tsr_tile_pkg::wait_t w;
  tsr_tile_pkg::post_t p;

  assign count_o = count_q;
  assign next_o = sum[CountW-1:0];
  assign excess_o = $signed(sum) > $signed(SumW'(Max)) ? PostedW'(sum - SumW'(Max)) : '0;

  // Two plain sums that cannot overflow: a synthesiser makes trees of them.
  always_comb begin
    posted = '0;
    taken = '0;
    w = '0;
    p = '0;
    if (touched_i) begin
      for (int q = 0; q < 2 * tsr_tile_pkg::QUEUES; q++) begin
        w = waits_i[11*q+:11];
        if (!(consume_i[q/2] && w.id == id_i)) w.amount = '0;
        taken = taken + 32'(w.amount);
      end
      for (int l = 0; l < Lanes; l++) begin
        p = posts_i[7*l+:7];
        posted = posted + 32'(p.valid && p.id == id_i);
      end
    end
    sum = SumW'(count_q) + SumW'(posted) - SumW'(taken);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
    end else if (en_i && touched_i) begin
      count_q <= sum[CountW-1:0];
    end
  end

endmodule
