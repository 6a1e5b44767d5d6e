// SPDX-License-Identifier: Apache-2.0
// D x D outputs. A slot's elements arrive in cycle c; its tile of C is read in c + 2, scaled and
// added to in c + 3, and written in c + 4. Tiles of the last two slots come from the pipeline.
module tsr_ttu_array #(
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6,
    // derived
    parameter int unsigned Chunks =
        R6 < tsr_format_pkg::LEAST_BLOCK ? 1 : R6 / tsr_format_pkg::LEAST_BLOCK,
    parameter int unsigned Element = 3 + tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    parameter int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input tsr_ttu_pkg::slot_t slot_i,  // in c
    input logic [tsr_ttu_pkg::DIM*R6*Element-1:0] a_i,
    input logic [tsr_ttu_pkg::DIM*R6*Element-1:0] b_i,
    input logic [tsr_ttu_pkg::DIM*Chunks*Scale-1:0] a_scales_i,
    input logic [tsr_ttu_pkg::DIM*Chunks*Scale-1:0] b_scales_i,
    output tsr_ttu_pkg::slot_t exponents_for_o,  // c + 2
    input logic [32*tsr_ttu_pkg::DIM-1:0] exponents_i,  // in that cycle
    output tsr_tile_pkg::acc_tile_t read_o,
    input logic [tsr_tile_pkg::TILE_BITS-1:0] rdata_i,
    output tsr_tile_pkg::acc_tile_t write_o,
    output logic [tsr_tile_pkg::TILE_BITS-1:0] wdata_o,
    output logic done_o  // an instruction's results are written in this cycle
);

  localparam int unsigned D = tsr_ttu_pkg::DIM;
  localparam int unsigned E = tsr_format_pkg::E_BITS;
  localparam int unsigned Scales = D * Chunks * Scale;
  localparam int unsigned Bits = tsr_tile_pkg::TILE_BITS;

  tsr_ttu_pkg::slot_t s1_q, s2_q, s3_q, s4_q, s5_q;
  logic [Scales-1:0] a1_q, b1_q, a2_q, b2_q;
  logic [32*D-1:0] exponents_q;
  logic [Bits-1:0] c_old, c_new, w4_q, w5_q;
  logic same4, same5;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s1_q <= '0;
      s2_q <= '0;
      s3_q <= '0;
      s4_q <= '0;
      s5_q <= '0;
    end else if (en_i) begin
      s1_q <= slot_i;
      s2_q <= s1_q;
      s3_q <= s2_q;
      s4_q <= s3_q;
      s5_q <= s4_q;
    end
  end
  always_ff @(posedge clk_i) begin
    a1_q <= a_scales_i;
    b1_q <= b_scales_i;
    a2_q <= a1_q;
    b2_q <= b1_q;
    exponents_q <= exponents_i;
    if (en_i) begin
      w4_q <= c_new;
      w5_q <= w4_q;
    end
  end

  assign exponents_for_o = s2_q;
  assign read_o = {s2_q.valid, s2_q.bank, s2_q.row, s2_q.col};
  assign write_o = {s4_q.valid && en_i, s4_q.bank, s4_q.row, s4_q.col};
  assign wdata_o = w4_q;
  assign done_o = s4_q.last;

  assign same4 = s4_q.valid && {s4_q.bank, s4_q.row, s4_q.col} == {s3_q.bank, s3_q.row, s3_q.col};
  assign same5 = s5_q.valid && {s5_q.bank, s5_q.row, s5_q.col} == {s3_q.bank, s3_q.row, s3_q.col};
  assign c_old = same4 ? w4_q : same5 ? w5_q : rdata_i;

  for (genvar i = 0; i < D; i++) begin : g_row
    for (genvar j = 0; j < D; j++) begin : g_col
      logic [31:0] old, e, by, start, sum;
      assign old = c_old[32*(i*D+j)+:32];
      // 2^-e; beyond 300 all is alike, and so -2^31 is told from 2^31.
      assign e = exponents_q[32*(s3_q.sc == 2'd1 ? i : j)+:32];
      assign by = e == 32'h8000_0000 ? 32'd300 : -e;
      always_comb begin
        start = old;
        if (s3_q.first) begin
          if (!s3_q.acc) start = '0;
          else if (s3_q.sc != 2'd0) start = tsr_f32_pkg::scale2(old, by);
        end
      end
      tsr_ttu_dot u_dot (
          .clk_i(clk_i),
          .a_i(a_i[i*R6*Element+:R6*Element]),
          .b_i(b_i[j*R6*Element+:R6*Element]),
          .wide_i(s1_q.wide),
          .level_i(s1_q.level),
          .unit_i(s1_q.unit[E:0]),
          .groups_i(s2_q.level),
          .several_i(s2_q.several),
          .a_scales_i(a2_q[i*Chunks*Scale+:Chunks*Scale]),
          .b_scales_i(b2_q[j*Chunks*Scale+:Chunks*Scale]),
          .plain_i(s3_q.plain),
          .c_i(start),
          .c_o(sum)
      );
      assign c_new[32*(i*D+j)+:32] = s3_q.rows[i] && s3_q.cols[j] ? sum : old;
    end
  end

  logic unused;
  assign unused = ^{s2_q, s3_q, s4_q, s5_q};

endmodule
