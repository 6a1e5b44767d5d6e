// SPDX-License-Identifier: Apache-2.0
// What a load, a store or a vlda touches: its format, lanes and bytes, and whether it may.
module tsr_tvp_access #(
    parameter int unsigned Lanes = tsr_tile_pkg::LANES
) (
    input tsr_tvp_pkg::word_t word_i,
    input logic [63:0] address_i,
    input logic [8:0] active_i,
    output tsr_isa_pkg::tvp_format_t format_o,
    output logic store_o,
    output logic acc_o,  // vlda
    output logic scales_o,
    output logic splat_o,
    output logic wide_o,  // takes several registers
    output logic [8:0] lanes_o,  // of each register
    output logic [tsr_tile_pkg::LINE_SHIFT:0] bytes_o,
    output logic bad_o
);

  localparam int unsigned RegsLog = Lanes < 16 ? $clog2(16 / Lanes) : 0;

  logic [9:0] elements, groups, rounded;
  logic [14:0] bytes;
  logic outside;

  assign store_o = word_i.exec == tsr_isa_pkg::VX_VST || word_i.exec == tsr_isa_pkg::VX_VSTS;
  assign acc_o = word_i.exec == tsr_isa_pkg::VX_VLDA;
  assign scales_o = word_i.exec == tsr_isa_pkg::VX_VLDS || word_i.exec == tsr_isa_pkg::VX_VSTS;
  assign splat_o = word_i.exec == tsr_isa_pkg::VX_VLDB;
  assign format_o = tsr_isa_pkg::tvp_format({scales_o, word_i.format});
  assign wide_o = format_o.pairs && RegsLog > 0 && !acc_o;

  assign lanes_o = splat_o ? 9'd1 :
      word_i.n != 9'd0 && word_i.n < active_i ? word_i.n : active_i;
  assign elements = wide_o ? 10'(lanes_o) << RegsLog : 10'(lanes_o);
  assign rounded = elements + (10'd1 << format_o.group) - 10'd1;
  assign groups = rounded >> format_o.group;
  assign bytes = 15'(groups) * 15'(format_o.bytes);
  assign bytes_o = (tsr_tile_pkg::LINE_SHIFT + 1)'(bytes);

  assign outside = address_i > 64'(tsr_tile_pkg::TSRAM_BYTES) ||
      64'(bytes) > 64'(tsr_tile_pkg::TSRAM_BYTES) - address_i;
  assign bad_o = acc_o ? address_i >= 64'(tsr_tile_pkg::ACC_LINES) :
      outside || (address_i[1:0] & format_o.align) != 2'd0;

  logic unused;
  assign unused = ^{word_i, bytes};

endmodule
