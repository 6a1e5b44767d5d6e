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
  localparam int unsigned LevelW = $clog2(Levels + 1);

  // Nodes of level k begin at node 2 * Lanes - (2 * Lanes >> k): 2 * Lanes - 1 in all.
  logic [32*(2*Lanes-1)-1:0] node  /*verilator split_var*/;
  logic [2*Lanes-2:0] on  /*verilator split_var*/;
  logic [31:0] empty;

  for (genvar i = 0; i < Lanes; i++) begin : g_leaf
    assign node[32*i+:32] = 9'(i) < count_i ? a_i[32*i+:32] : 32'd0;
    assign on[i] = 9'(i) < count_i;
  end
  for (genvar i = Lanes; i < 2 * Lanes - 1; i++) begin : g_node
    // The two below: nodes are numbered level by level.
    localparam int unsigned Left = 2 * (i - Lanes);
    logic [31:0] none;
    tsr_tvp_fold u_fold (
        .op_i(op_i),
        .a_on_i(on[Left]),
        .a_i(node[32*Left+:32]),
        .b_on_i(on[Left+1]),
        .b_i(node[32*(Left+1)+:32]),
        .d_o(node[32*i+:32]),
        .empty_o(none)
    );
    assign on[i] = on[Left] | on[Left+1];
    if (i == Lanes) begin : g_empty
      assign empty = none;
    end else begin : g_same
      logic unused;
      assign unused = ^none;
    end
  end

  logic [LevelW-1:0] level;
  assign level = level_i > 4'(Levels) ? LevelW'(Levels) : LevelW'(level_i);

  for (genvar i = 0; i < Lanes; i++) begin : g_lane
    logic [(Levels+1)*32-1:0] value;
    logic [Levels:0] there;
    for (genvar k = 0; k <= Levels; k++) begin : g_level
      localparam int unsigned At = 2 * Lanes - (2 * Lanes >> k) + (i >> k);
      assign value[32*k+:32] = node[32*At+:32];
      assign there[k] = on[At];
    end
    assign d_o[32*i+:32] = there[level] ? value[32*level+:32] : empty;
  end

endmodule
