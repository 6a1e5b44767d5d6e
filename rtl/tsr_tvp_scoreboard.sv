// SPDX-License-Identifier: Apache-2.0
// When vector registers are ready: cycles that each still waits, and the last of them.
module tsr_tvp_scoreboard (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    // targets of this cycle's instructions: the memory side's may take some registers in a row
    input logic load_i,
    input logic [4:0] load_reg_i,
    input logic load_wide_i,
    input logic [7:0] load_latency_i,
    input logic arith_i,
    input logic [4:0] arith_reg_i,
    input logic [7:0] arith_latency_i,
    output logic [31:0] pending_o,
    output logic idle_o  // nothing is on its way, nor begins
);

  localparam int unsigned Regs =
      tsr_tile_pkg::LANES < 16 ? 16 / tsr_tile_pkg::LANES : 1;

  (* mem2reg *) logic [7:0] wait_q[32];
  logic [7:0] rest_q, rest_d;

  for (genvar r = 0; r < 32; r++) begin : g_reg
    logic loaded, computed;
    logic [4:0] from;
    assign from = 5'(r) - load_reg_i;
    assign loaded = load_i && (from == 5'd0 || (load_wide_i && 32'(from) < Regs));
    assign computed = arith_i && arith_reg_i == 5'(r);
    assign pending_o[r] = wait_q[r] != 8'd0;
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) wait_q[r] <= '0;
      else if (en_i) begin
        if (loaded) wait_q[r] <= load_latency_i - 8'd1;
        else if (computed) wait_q[r] <= arith_latency_i - 8'd1;
        else if (wait_q[r] != 8'd0) wait_q[r] <= wait_q[r] - 8'd1;
      end
    end
  end

  always_comb begin
    rest_d = rest_q != 8'd0 ? rest_q - 8'd1 : 8'd0;
    if (load_i && load_latency_i - 8'd1 > rest_d) rest_d = load_latency_i - 8'd1;
    if (arith_i && arith_latency_i - 8'd1 > rest_d) rest_d = arith_latency_i - 8'd1;
  end
  assign idle_o = rest_q == 8'd0 && !load_i && !arith_i;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rest_q <= '0;
    else if (en_i) rest_q <= rest_d;
  end

endmodule
