// SPDX-License-Identifier: Apache-2.0
// What stands around the vector processor and its parts (mutate_where.sv: around the others).

// A vector load: the figures of an element or of a scale, at most 8 lanes, one where it goes into
// all; only groups of pairs fill a second register.
module tsr_where_load (
    input logic [5:0] which_i,
    input logic splat_i,
    input logic [8:0] active_i,
    input logic [255:0] bytes_i,
    input logic [15:0] mutsel,
    output logic [511:0] values_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [511:0] values;
  logic splat;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  assign splat = splat_i && !which_i[5];
  tsr_top u_part (
      .format_i(format),
      .scales_i(which_i[5]),
      .splat_i(splat),
      .active_i(splat ? 9'd1 : active_i > 9'd8 ? 9'd8 : active_i),
      .bytes_i(bytes_i),
      .mutsel(mutsel),
      .values_o(values)
  );
  assign values_o = format.bits == 6'd0 ? '0 : format.pairs ? values : {256'd0, values[255:0]};
endmodule

// A vector store: likewise, and of the bytes only those of groups that have begun are written.
module tsr_where_store (
    input logic [5:0] which_i,
    input logic [8:0] active_i,
    input logic [511:0] values_i,
    input logic [15:0] mutsel,
    output logic [255:0] bytes_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [255:0] bytes;
  logic [8:0] active;
  logic [9:0] elements, groups;
  logic [14:0] count;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  assign active = active_i > 9'd8 ? 9'd8 : active_i;
  assign elements = format.pairs ? {active, 1'b0} : {1'b0, active};
  assign groups = (elements + (10'd1 << format.group) - 10'd1) >> format.group;
  assign count = format.bits == 6'd0 ? 15'd0 : {5'd0, groups} * {10'd0, format.bytes};
  tsr_top u_part (
      .format_i(format),
      .scales_i(which_i[5]),
      .active_i(active),
      .values_i(values_i),
      .mutsel(mutsel),
      .bytes_o(bytes)
  );
  for (genvar i = 0; i < 32; i++) begin : g_byte
    assign bytes_o[8*i+:8] = count > 15'(i) ? bytes[8*i+:8] : 8'd0;
  end
endmodule

// One element of a load: the figures as above; of its code tsr_tvp_unpack leaves zeros above the
// format's bits, and a shift only where there are pairs.
module tsr_where_tvp_load_element (
    input logic [5:0] which_i,
    input logic [31:0] code_i,
    input logic shift_i,
    input logic [15:0] mutsel,
    output logic [31:0] value_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [31:0] value;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  tsr_tvp_load_element u_part (
      .format_i(format),
      .code_i(code_i & ~(32'hffff_ffff << format.bits)),
      .shift_i(shift_i && format.pairs),
      .mutsel(mutsel),
      .value_o(value)
  );
  assign value_o = format.bits == 6'd0 ? 32'd0 : value;
endmodule

// One element of a store: of its code tsr_tvp_pack takes the format's bits, a shift of pairs.
module tsr_where_tvp_store_element (
    input logic [5:0] which_i,
    input logic [31:0] value_i,
    input logic [31:0] pair_i,
    input logic [15:0] mutsel,
    output logic [31:0] code_o,
    output logic shift_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [31:0] code;
  logic shift;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  tsr_tvp_store_element u_part (
      .format_i(format),
      .value_i(value_i),
      .pair_i(pair_i),
      .mutsel(mutsel),
      .code_o(code),
      .shift_o(shift)
  );
  assign code_o = code & ~(32'hffff_ffff << format.bits);
  assign shift_o = shift && format.pairs;
endmodule

// The vector processor gets vcall alone.
module tsr_where_tvp (
    input logic clk_i,
    input logic en_i,
    input logic [148:0] host_i,
    input logic [976:0] insn_i,
    input logic [2:0] phase_i,
    input logic [257:0] read0_i,
    input logic [257:0] read1_i,
    input logic rst_ni,
    input logic start_i,
    input logic [7:0] ttu_owns_i,
    input logic [255:0] vlda_i,
    input logic write_gnt_i,
    output logic [21:0] fault_o,
    output logic [1:0] issue_o,
    output logic [33:0] issue_pc_o,
    output logic [53:0] posts_o,
    output logic [11:0] read0_o,
    output logic [11:0] read1_o,
    output logic ready_o,
    output logic [13:0] result_o,
    output logic [69:0] result_reg_o,
    output logic [3583:0] result_value_o,
    output logic retire_o,
    output logic [8:0] vlda_o,
    output logic [299:0] write_o,
    input logic [15:0] mutsel
);
  tsr_top u_part (
      .clk_i(clk_i),
      .en_i(en_i),
      .host_i(host_i),
      .insn_i({5'd0, insn_i[971:840], 8'h50, insn_i[831:0]}),
      .phase_i(phase_i),
      .read0_i(read0_i),
      .read1_i(read1_i),
      .rst_ni(rst_ni),
      .start_i(start_i),
      .ttu_owns_i(ttu_owns_i),
      .vlda_i(vlda_i),
      .write_gnt_i(write_gnt_i),
      .fault_o(fault_o),
      .issue_o(issue_o),
      .issue_pc_o(issue_pc_o),
      .posts_o(posts_o),
      .read0_o(read0_o),
      .read1_o(read1_o),
      .ready_o(ready_o),
      .result_o(result_o),
      .result_reg_o(result_reg_o),
      .result_value_o(result_value_o),
      .retire_o(retire_o),
      .vlda_o(vlda_o),
      .write_o(write_o),
      .mutsel(mutsel)
  );
endmodule

// What a load or a store touches: at most 8 lanes are active.
module tsr_where_tvp_access (
    input logic [126:0] word_i,
    input logic [63:0] address_i,
    input logic [8:0] active_i,
    input logic [15:0] mutsel,
    output logic [43:0] format_o,
    output logic store_o,
    output logic acc_o,
    output logic scales_o,
    output logic splat_o,
    output logic wide_o,
    output logic [8:0] lanes_o,
    output logic [5:0] bytes_o,
    output logic bad_o
);
  tsr_tvp_access u_part (
      .word_i(word_i),
      .address_i(address_i),
      .active_i(active_i > 9'd8 ? 9'd8 : active_i),
      .mutsel(mutsel),
      .format_o(format_o),
      .store_o(store_o),
      .acc_o(acc_o),
      .scales_o(scales_o),
      .splat_o(splat_o),
      .wide_o(wide_o),
      .lanes_o(lanes_o),
      .bytes_o(bytes_o),
      .bad_o(bad_o)
  );
endmodule
