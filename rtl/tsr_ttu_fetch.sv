// SPDX-License-Identifier: Apache-2.0
// One operand port: the lines of an instruction in order, from the cycle after its start. Port A
// fetches the exponents first; a line that was just fetched serves both.
module tsr_ttu_fetch (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_ttu_pkg::fetch_t fetch_i,
    input logic [tsr_ttu_pkg::TSRAM_W-1:0] e_i,
    input logic [tsr_ttu_pkg::EXP_W-1:0] e_lines_i,
    output tsr_tile_pkg::rd_req_t req_o,
    input logic gnt_i,
    output logic busy_o,  // a line is to be granted, this one included
    // for the data, which come in the cycle after the grant
    output logic e_write_o,
    output logic [tsr_ttu_pkg::EXP_W-1:0] e_line_o,
    output logic write_o,
    output logic [tsr_ttu_pkg::ROW_W-1:0] line_o
);

  localparam int unsigned S = tsr_ttu_pkg::LINE_SHIFT;
  localparam int unsigned A = tsr_ttu_pkg::TSRAM_W;

  logic [A-1:0] at_q, stride_q, next;
  logic [A-S-1:0] e_line_q;
  logic [tsr_ttu_pkg::EXP_W-1:0] e_left_q, e_count_q;
  logic [tsr_ttu_pkg::ROW_W:0] left_q;
  logic [tsr_ttu_pkg::ROW_W-1:0] count_q;
  logic dense_q, exponents, both, row;

  assign exponents = e_left_q != '0;
  // The last line of exponents is the operand's first as well.
  assign both = e_left_q == tsr_ttu_pkg::EXP_W'(1) && e_line_q == at_q[A-1:S];
  assign row = gnt_i && (!exponents || both);
  assign next = at_q + (dense_q ? A'(1 << S) : stride_q);
  assign req_o = {exponents || left_q != '0, exponents ? e_line_q : at_q[A-1:S]};
  assign busy_o = exponents || left_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      e_left_q <= '0;
      left_q <= '0;
      e_write_o <= 1'b0;
      write_o <= 1'b0;
    end else if (en_i) begin
      if (start_i) begin
        e_left_q <= e_lines_i;
        left_q <= fetch_i.lines;
      end else if (gnt_i) begin
        if (exponents) e_left_q <= e_left_q - 1'b1;
        if (row) left_q <= left_q - 1'b1;
      end
      e_write_o <= gnt_i && exponents;
      write_o <= row;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      e_line_o <= e_count_q;
      line_o <= count_q;
      if (start_i) begin
        dense_q <= fetch_i.dense;
        at_q <= fetch_i.at;
        stride_q <= fetch_i.stride;
        e_line_q <= e_i[A-1:S];
        e_count_q <= '0;
        count_q <= '0;
      end else begin
        if (gnt_i && exponents) begin
          e_line_q <= e_line_q + 1'b1;
          e_count_q <= e_count_q + 1'b1;
        end
        if (row) begin
          at_q <= next;
          count_q <= count_q + 1'b1;
        end
      end
    end
  end

  logic unused;
  assign unused = ^e_i[S-1:0];

endmodule
