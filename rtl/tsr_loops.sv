// SPDX-License-Identifier: Apache-2.0
// Hardware loops, four deep: from the word that follows in program order to the word that follows
// in fact. Back edges cost nothing, so all loops that end at one word are left in one cycle.
module tsr_loops (
    input logic clk_i,
    input logic rst_ni,
    input logic clear_i,  // no loop is open (a routine starts)
    input logic [16:0] at_i,  // reached in program order
    output logic [16:0] next_o,
    input logic take_i,  // goes on to next_o
    input logic push_i,  // opens a loop: count_i > 0 turns of start_i .. end_i - 1
    input logic [16:0] start_i,
    input logic [16:0] end_i,
    input logic [63:0] count_i,
    output logic full_o
);

  (* mem2reg *) logic [16:0] start_q[4];
  (* mem2reg *) logic [16:0] end_q[4];
  (* mem2reg *) logic [63:0] left_q[4];
  logic [2:0] n_q, n_d;
  logic [3:0] turn;  // the loops whose body has ended
  logic settled;

  assign full_o = n_q == 3'd4;

  always_comb begin
    n_d = n_q;
    next_o = at_i;
    turn = '0;
    settled = 1'b0;
    for (int k = 3; k >= 0; k--) begin
      if (!settled && n_d == 3'(k) + 3'd1) begin
        if (end_q[k] != next_o) begin
          settled = 1'b1;
        end else begin
          turn[k] = 1'b1;
          if ($signed(left_q[k]) > 64'sd1) begin
            next_o = start_q[k];
            settled = 1'b1;
          end else begin
            n_d = 3'(k);
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      n_q <= '0;
    end else if (clear_i) begin
      n_q <= '0;
    end else if (push_i) begin
      n_q <= n_q + 3'd1;
    end else if (take_i) begin
      n_q <= n_d;
    end
  end

  always_ff @(posedge clk_i) begin
    for (int k = 0; k < 4; k++) begin
      if (push_i && n_q == 3'(k)) begin
        start_q[k] <= start_i;
        end_q[k] <= end_i;
        left_q[k] <= count_i;
      end else if (take_i && turn[k]) begin
        left_q[k] <= left_q[k] - 64'd1;
      end
    end
  end

endmodule
