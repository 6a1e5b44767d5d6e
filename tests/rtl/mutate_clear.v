// SPDX-License-Identifier: Apache-2.0
// A register that is a wire (mutate_lane.sv).
(* techmap_celltype = "$dffe" *)
module tsr_clear (CLK, EN, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  parameter EN_POLARITY = 1;
  input CLK, EN;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  assign Q = D;
endmodule
