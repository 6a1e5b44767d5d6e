// SPDX-License-Identifier: Apache-2.0
// Of two arms that are chosen at once both, as gates have it; Verilog's casez takes the first.
(* techmap_celltype = "$pmux" *)
module tsr_pmux (A, B, S, Y);
  parameter WIDTH = 1;
  parameter S_WIDTH = 1;
  input [WIDTH-1:0] A;
  input [WIDTH*S_WIDTH-1:0] B;
  input [S_WIDTH-1:0] S;
  output [WIDTH-1:0] Y;
  wire [WIDTH*(S_WIDTH+1)-1:0] any;
  assign any[WIDTH-1:0] = |S ? {WIDTH{1'b0}} : A;
  genvar i;
  generate
    for (i = 0; i < S_WIDTH; i = i + 1) begin : g_arm
      assign any[WIDTH*(i+1)+:WIDTH] =
          any[WIDTH*i+:WIDTH] | (S[i] ? B[WIDTH*i+:WIDTH] : {WIDTH{1'b0}});
    end
  endgenerate
  assign Y = any[WIDTH*S_WIDTH+:WIDTH];
endmodule
