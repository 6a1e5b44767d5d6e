// SPDX-License-Identifier: Apache-2.0
// The ports of tsr_ttu_dot and nothing behind them, for the lint of a large tile: verilator takes
// gigabytes for 256 of them. rtl.ttu lints the module itself with the large chip's figures.
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDPARAM */
module tsr_ttu_dot #(
    parameter int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9,
    parameter int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16,
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6,
    // derived
    parameter int unsigned Chunk =
        R6 < tsr_format_pkg::LEAST_BLOCK ? R6 : tsr_format_pkg::LEAST_BLOCK,
    parameter int unsigned Chunks = R6 / Chunk,
    parameter int unsigned Element = 3 + tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    parameter int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    // Signed sums of a group with its scales: exact products, wide ones (32 bits) with one scale
    // of all bits, 9-bit integers with two.
    parameter int unsigned Exact = tsr_format_pkg::SUM_BITS + $clog2(R6),
    parameter int unsigned OneScale = 32 + $clog2(R9) + tsr_format_pkg::M_BITS,
    parameter int unsigned TwoScales =
        2 * tsr_format_pkg::M_BITS_9 + $clog2(R9) + 2 * tsr_format_pkg::M_BITS,
    parameter int unsigned Most = OneScale > TwoScales ? OneScale : TwoScales,
    parameter int unsigned V = 1 + (Most > Exact ? Most : Exact),
    parameter int unsigned T = Chunks > 1 ? V + 16 + $clog2(Chunks) : V
) (
    input logic clk_i,
    // the first stage
    input logic [R6*Element-1:0] a_i,
    input logic [R6*Element-1:0] b_i,
    // the second
    input logic wide_i,
    input logic [1:0] level_i,
    input logic [tsr_format_pkg::E_BITS:0] unit_i,  // of exact products
    // the third
    input logic [1:0] groups_i,  // level_i, a cycle later
    input logic several_i,
    input logic [Chunks*Scale-1:0] a_scales_i,
    input logic [Chunks*Scale-1:0] b_scales_i,
    // the cycle after that
    input logic plain_i,
    input logic [31:0] c_i,
    output logic [31:0] c_o
);

  assign c_o = c_i ^ {31'd0, ^{clk_i, a_i, b_i, wide_i, level_i, unit_i, groups_i, several_i,
                               a_scales_i, b_scales_i, plain_i}};

endmodule
