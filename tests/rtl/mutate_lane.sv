// SPDX-License-Identifier: Apache-2.0
// A lane as one instruction meets it (mutate_prove.sh): a stage's registers are wires, its result
// is looked at in the cycle of its class, primitives give anything, the same for the same operands.
(* blackbox *)
module tsr_given (
    input logic [64:0] asked_i,
    output logic on_o,
    output logic [31:0] given_o,
    output logic [31:0] off_o
);
endmodule

// In place of a primitive. Where it is on without the mutant (on_o) the mutant has to ask the same;
// where it is off it gives nothing, with the mutant anything.
module tsr_where_primitive #(
    parameter bit Difference = 0  // of a number from itself: tsr_lemma_lane
) (
    input logic on_i,
    input logic [31:0] a_i,
    input logic [31:0] b_i,
    input logic [15:0] mutsel,
    output logic [31:0] d_o
);
  logic on;
  logic [31:0] given, off, same;
  tsr_given u_given (
      .asked_i(on ? {on_i, a_i, b_i} : 65'd0),
      .on_o(on),
      .given_o(given),
      .off_o(off)
  );
  always_comb if (mutsel == 16'd0) assume (on == on_i);
  assign same = a_i[30:23] == 8'hff ? 32'h7fc0_0000 : 32'd0;
  assign d_o = !on_i ? (mutsel != 16'd0 ? off : 32'd0) : Difference && a_i == b_i ? same : given;
endmodule

module tsr_where_lane (
    input logic [7:0] op_i,
    input logic [31:0] a_i,
    input logic [31:0] b_i,
    input logic [31:0] c_i,
    input logic [15:0] mutsel,
    output logic [31:0] d_o
);
  localparam int unsigned Classes = tsr_isa_pkg::TVP_LANE_CLASSES;
  logic [5:0] kind;
  logic [32*Classes-1:0] d;
  assign kind = tsr_isa_pkg::tvp_class({56'd0, op_i});
  tsr_top u_part (
      .clk_i(1'b0),
      .en_i(1'b1),
      .op_i(op_i),
      .a_i(a_i),
      .b_i(b_i),
      .c_i(c_i),
      .mutsel(mutsel),
      .d2_o(d[0+:32]),
      .d4_o(d[32+:32]),
      .d8_o(d[64+:32]),
      .d6_o(d[96+:32]),
      .d24_o(d[128+:32]),
      .d40_o(d[160+:32]),
      .d14_o(d[192+:32]),
      .d16_o(d[224+:32]),
      .d20_o(d[256+:32])
  );
  assign d_o = kind < 6'(Classes) ? d[32*kind+:32] : 32'd0;
endmodule

// What a number gives less itself.
module tsr_lemma_lane (
    input  logic [31:0] a_i,
    output logic holds_o
);
  logic [31:0] d;
  tsr_prim_sub u_sub (
      .on_i(1'b1),
      .a_i(a_i),
      .b_i(a_i),
      .d_o(d)
  );
  assign holds_o = d == (a_i[30:23] == 8'hff ? 32'h7fc0_0000 : 32'd0);
endmodule
