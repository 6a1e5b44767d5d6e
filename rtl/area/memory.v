// SPDX-License-Identifier: Apache-2.0
// A memory as the timing sees it: its inputs end a path; data of a clocked port begin one; data of
// an unclocked port come from the address through one 2:1 multiplexer per address bit.
(* techmap_celltype = "$mem_v2" *)
module tsr_area_memory #(
    parameter MEMID = "",
    parameter SIZE = 0,
    parameter OFFSET = 0,
    parameter ABITS = 1,
    parameter WIDTH = 1,
    parameter INIT = 0,
    parameter RD_PORTS = 1,
    parameter RD_CLK_ENABLE = 0,
    parameter RD_CLK_POLARITY = 0,
    parameter RD_TRANSPARENCY_MASK = 0,
    parameter RD_COLLISION_X_MASK = 0,
    parameter RD_WIDE_CONTINUATION = 0,
    parameter RD_CE_OVER_SRST = 0,
    parameter RD_INIT_VALUE = 0,
    parameter RD_ARST_VALUE = 0,
    parameter RD_SRST_VALUE = 0,
    parameter WR_PORTS = 1,
    parameter WR_CLK_ENABLE = 0,
    parameter WR_CLK_POLARITY = 0,
    parameter WR_PRIORITY_MASK = 0,
    parameter WR_WIDE_CONTINUATION = 0
) (
    input [RD_PORTS-1:0] RD_CLK,
    input [RD_PORTS-1:0] RD_EN,
    input [RD_PORTS-1:0] RD_ARST,
    input [RD_PORTS-1:0] RD_SRST,
    input [RD_PORTS*ABITS-1:0] RD_ADDR,
    output [RD_PORTS*WIDTH-1:0] RD_DATA,
    input [WR_PORTS-1:0] WR_CLK,
    input [WR_PORTS*WIDTH-1:0] WR_EN,
    input [WR_PORTS*ABITS-1:0] WR_ADDR,
    input [WR_PORTS*WIDTH-1:0] WR_DATA
);

  wire clk = WR_CLK[0];
  genvar i, p, j;
  generate
    for (i = 0; i < RD_PORTS; i = i + 1) begin : g_enable
      (* keep *) DFFPOSX1 u_end (.CLK(clk), .D(RD_EN[i]));
    end
    for (i = 0; i < RD_PORTS * ABITS; i = i + 1) begin : g_address
      (* keep *) DFFPOSX1 u_end (.CLK(clk), .D(RD_ADDR[i]));
    end
    for (i = 0; i < WR_PORTS * ABITS; i = i + 1) begin : g_write_address
      (* keep *) DFFPOSX1 u_end (.CLK(clk), .D(WR_ADDR[i]));
    end
    for (i = 0; i < WR_PORTS * WIDTH; i = i + 1) begin : g_write
      (* keep *) DFFPOSX1 u_end (.CLK(clk), .D(WR_DATA[i]));
      (* keep *) DFFPOSX1 u_end_en (.CLK(clk), .D(WR_EN[i]));
    end
    for (p = 0; p < RD_PORTS; p = p + 1) begin : g_port
      for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
        wire [ABITS:0] level;
        DFFPOSX1 u_begin (.CLK(clk), .D(level[0]), .Q(level[0]));
        if (RD_CLK_ENABLE[p]) begin : g_clocked
          assign RD_DATA[p*WIDTH+i] = level[0];
        end else begin : g_unclocked
          for (j = 0; j < ABITS; j = j + 1) begin : g_level
            MUX2X1 u_mux (.A(level[j]), .B(level[j]), .S(RD_ADDR[p*ABITS+j]), .Y(level[j+1]));
          end
          assign RD_DATA[p*WIDTH+i] = level[ABITS];
        end
      end
    end
  endgenerate

endmodule
