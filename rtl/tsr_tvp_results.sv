// SPDX-License-Identifier: Apache-2.0
// The arithmetic side: an instruction a cycle, whose result stands at its class's output in the
// last cycle of its latency. Registers follow the logic, for a synthesiser to move into it.
module tsr_tvp_results #(
    parameter int unsigned Lanes = 8
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic issue_i,
    input tsr_tvp_pkg::word_t word_i,
    input logic [8:0] active_i,
    input logic [31:0] address_i,  // for vsplat
    input logic [32*Lanes-1:0] a_i,
    input logic [32*Lanes-1:0] b_i,
    input logic [32*Lanes-1:0] c_i,
    output logic [tsr_isa_pkg::TVP_CLASSES-1:0] write_o,
    output logic [tsr_isa_pkg::TVP_CLASSES*5-1:0] reg_o,
    output logic [tsr_isa_pkg::TVP_CLASSES*32*Lanes-1:0] value_o
);

  localparam int unsigned Classes = tsr_isa_pkg::TVP_CLASSES;
  localparam int unsigned Stages = 64;
  localparam int unsigned Bits = 32 * Lanes;

  tsr_isa_pkg::tvp_decoded_t now;  // the row, if one issues
  assign now = {issue_i, issue_i ? word_i.op : 8'h00};

  // ---- what is on its way: the register and the class, by stage
  logic [Stages-1:0] valid;
  logic [Stages*11-1:0] what;
  logic [Stages-2:0] valid_q;
  logic [(Stages-1)*11-1:0] what_q;
  logic result, busy;
  assign result = issue_i && word_i.vregs[0];
  assign valid = {valid_q, result};
  assign what = {what_q, word_i.result, word_i.vd};
  assign busy = valid != '0;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else if (en_i) valid_q <= valid[Stages-2:0];
  end
  always_ff @(posedge clk_i) begin
    if (en_i && busy) what_q <= what[(Stages-1)*11-1:0];
  end

  // ---- values as they are made in the cycle of the issue
  logic [Bits-1:0] made, reduced;
  logic segment;
  assign segment = word_i.exec == tsr_isa_pkg::VX_SEGMENT;
  for (genvar l = 0; l < Lanes; l++) begin : g_made
    assign made[32*l+:32] = word_i.exec == tsr_isa_pkg::VX_VIDX ? l :
        word_i.exec == tsr_isa_pkg::VX_VIMM ? word_i.imm : address_i;
  end
  tsr_tvp_tree #(
      .Lanes(Lanes)
  ) u_tree (
      .op_i(now.op),
      .level_i(segment ? word_i.n[3:0] : 4'd15),
      .count_i(active_i),
      .a_i(a_i),
      .d_o(reduced)
  );

  logic [Bits*Classes-1:0] lanes;
  tsr_tvp_lanes #(
      .Lanes(Lanes)
  ) u_lanes (
      .clk_i(clk_i),
      .en_i(busy),
      .op_i(now.op),
      .a_i(a_i),
      .b_i(b_i),
      .c_i(c_i),
      .d_o(lanes[Bits*tsr_isa_pkg::TVP_LANE_CLASSES-1:0])
  );
  assign lanes[Bits*Classes-1:Bits*tsr_isa_pkg::TVP_LANE_CLASSES] = '0;

  for (genvar k = 0; k < Classes; k++) begin : g_class
    localparam int unsigned At = 32'(tsr_isa_pkg::TVP_CLASS_LATENCIES[8*k+:8]) - 1;
    localparam int unsigned Kind = 32'(tsr_isa_pkg::TVP_CLASS_KINDS[8*k+:8]);
    // A reduction over all lanes has one value.
    localparam int unsigned Width = Kind == 2 ? 32 : Bits;
    assign write_o[k] = valid[At] && what[11*At+5+:6] == 6'(k);
    assign reg_o[5*k+:5] = what[11*At+:5];
    if (Kind == 0) begin : g_lanes
      assign value_o[Bits*k+:Bits] = lanes[Bits*k+:Bits];
    end else begin : g_delay
      logic [(At+1)*Width-1:0] stage;
      logic [At*Width-1:0] stage_q;
      assign stage = {stage_q, Kind == 1 ? made[Width-1:0] : reduced[Width-1:0]};
      always_ff @(posedge clk_i) begin
        if (en_i && busy) stage_q <= stage[At*Width-1:0];
      end
      assign value_o[Bits*k+:Bits] = {Bits / Width{stage[At*Width+:Width]}};
    end
  end

  logic unused;
  assign unused = ^{word_i, lanes, what, now};

endmodule
