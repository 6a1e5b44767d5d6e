// SPDX-License-Identifier: Apache-2.0
// One step of the vector routines' hardware loops, without state: two words issue in a cycle, so
// two of these stand one behind the other. Four deep; back edges cost nothing.
module tsr_tvp_loop (
    input logic [tsr_tvp_pkg::LOOPS_BITS-1:0] loops_i,
    input logic push_i,  // opens a loop: count_i > 0 turns of at_i .. end_i - 1
    input logic [16:0] at_i,  // what follows in program order
    input logic [16:0] end_i,
    input logic [63:0] count_i,
    output logic full_o,
    output logic [16:0] next_o,  // what follows in fact
    output logic [tsr_tvp_pkg::LOOPS_BITS-1:0] loops_o
);

  localparam int unsigned B = tsr_tvp_pkg::LOOP_BITS;

  logic [2:0] n;
  logic settled;
  assign full_o = loops_i[4*B+:3] == 3'd4;

  // Of each loop, outermost lowest: {turns left, end, start}; above them how many are open.
  always_comb begin
    loops_o = loops_i;
    next_o = at_i;
    n = loops_i[4*B+:3];
    settled = push_i;
    for (int k = 3; k >= 0; k--) begin
      if (!settled && n == 3'(k) + 3'd1) begin
        if (loops_i[k*B+17+:17] != next_o) begin
          settled = 1'b1;
        end else if ($signed(loops_i[k*B+34+:64]) > 64'sd1) begin
          loops_o[k*B+34+:64] = loops_i[k*B+34+:64] - 64'd1;
          next_o = loops_i[k*B+:17];
          settled = 1'b1;
        end else begin
          n = 3'(k);
        end
      end
      if (push_i && loops_i[4*B+:3] == 3'(k)) begin
        loops_o[k*B+:B] = {count_i, end_i, at_i};
        n = 3'(k) + 3'd1;
      end
    end
    loops_o[4*B+:3] = n;
  end

endmodule
