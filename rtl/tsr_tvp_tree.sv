// SPDX-License-Identifier: Apache-2.0
// Reductions over the active lanes, those below count_i: neighbours first, in a balanced tree. Of
// each 2^level lanes the result goes to all of them. Lanes are a power of two.
module tsr_tvp_tree #(
    parameter int unsigned Lanes = 8
) (
    input tsr_isa_pkg::tvp_op_e op_i,
    input logic [3:0] level_i,  // all lanes from log2 of their number on
    input logic [8:0] count_i,
    input logic [32*Lanes-1:0] a_i,
    output logic [32*Lanes-1:0] d_o
);

  localparam int unsigned Levels = $clog2(Lanes);

  // A vector for each level: one of all levels would look like a loop to who reads vectors whole.
  logic [31:0] empty;
  for (genvar k = 0; k <= Levels; k++) begin : g_level
    logic [32*(Lanes>>k)-1:0] node;
    logic [(Lanes>>k)-1:0] on;
    for (genvar i = 0; i < Lanes >> k; i++) begin : g_node
      if (k == 0) begin : g_leaf
        assign node[32*i+:32] = 9'(i) < count_i ? a_i[32*i+:32] : 32'd0;
        assign on[i] = 9'(i) < count_i;
      end else begin : g_fold
        logic [31:0] none;
        tsr_tvp_fold u_fold (
            .op_i(op_i),
            .a_on_i(g_level[k-1].on[2*i]),
            .a_i(g_level[k-1].node[64*i+:32]),
            .b_on_i(g_level[k-1].on[2*i+1]),
            .b_i(g_level[k-1].node[64*i+32+:32]),
            .d_o(node[32*i+:32]),
            .empty_o(none)
        );
        assign on[i] = g_level[k-1].on[2*i] | g_level[k-1].on[2*i+1];
        if (k == 1 && i == 0) begin : g_empty
          assign empty = none;
        end else begin : g_same
          logic unused;
          assign unused = ^none;
        end
      end
    end
  end

  for (genvar i = 0; i < Lanes; i++) begin : g_lane
    for (genvar k = 0; k <= Levels; k++) begin : g_upto
      logic [31:0] here, value;
      assign here = g_level[k].on[i>>k] ? g_level[k].node[32*(i>>k)+:32] : empty;
      if (k == 0) begin : g_first
        assign value = here;
      end else begin : g_next
        assign value = level_i >= 4'(k) ? here : g_upto[k-1].value;
      end
    end
    assign d_o[32*i+:32] = g_upto[Levels].value;
  end

endmodule
