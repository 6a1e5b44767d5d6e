// SPDX-License-Identifier: Apache-2.0
// How two formats multiply: products of a step, groups, and the unit of an exact sum.
module tsr_ttu_pair #(
    parameter int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16,
    parameter int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9,
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6
) (
    input tsr_format_pkg::format_t a_i,
    input tsr_format_pkg::format_t b_i,
    output logic legal_o,  // plain integers multiply among themselves only
    output logic plain_o,
    output logic wide_o,
    output logic [3:0] log2_r_o,
    output logic [1:0] level_o,  // log2 of a group's chunks of LEAST_BLOCK products
    output logic several_o,  // groups in a step
    output logic [tsr_format_pkg::E_BITS:0] unit_o  // of exact products
);

  localparam int unsigned Chunk = $clog2(tsr_format_pkg::LEAST_BLOCK);

  logic [1:0] rate;
  logic [3:0] block, group;

  assign rate = a_i.rate > b_i.rate ? a_i.rate : b_i.rate;
  assign log2_r_o = rate == 2'd2 ? 4'($clog2(R16)) : rate == 2'd1 ? 4'($clog2(R9)) : 4'($clog2(R6));

  always_comb begin
    block = 4'd15;
    if (a_i.scaled) block = a_i.log2_block;
    if (b_i.scaled && b_i.log2_block < block) block = b_i.log2_block;
    group = block < log2_r_o ? block : log2_r_o;
  end

  assign several_o = group < log2_r_o;
  assign level_o = group > 4'(Chunk) ? 2'(group - 4'(Chunk)) : 2'd0;
  assign legal_o = a_i.known && b_i.known && a_i.plain == b_i.plain;
  assign plain_o = a_i.plain;
  assign wide_o = a_i.wide || b_i.wide;
  assign unit_o = {a_i.least[tsr_format_pkg::E_BITS-1], a_i.least} +
                  {b_i.least[tsr_format_pkg::E_BITS-1], b_i.least};

  logic unused;
  assign unused = ^{a_i.bits, a_i.sixteen, a_i.shifts, a_i.scale_bits, b_i.bits, b_i.sixteen,
                    b_i.shifts, b_i.scale_bits};

endmodule
