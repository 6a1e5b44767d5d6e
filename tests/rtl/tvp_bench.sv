// SPDX-License-Identifier: Apache-2.0
// The vector processor's conversions and reductions, for tvp.cpp: Lanes as in micro.
module tvp_bench (
    input logic [5:0] format_i,  // {scales, code}
    input logic splat_i,
    input logic [8:0] active_i,
    input logic [255:0] bytes_i,
    output logic [511:0] loaded_o,
    input logic [511:0] values_i,
    output logic [255:0] stored_o,
    input tsr_isa_pkg::tvp_op_e op_i,
    input logic [3:0] level_i,
    output logic [255:0] reduced_o
);
  tsr_isa_pkg::tvp_format_t format;
  assign format = tsr_isa_pkg::tvp_format(format_i);
  tsr_tvp_load #(
      .Lanes(8)
  ) u_load (
      .format_i(format),
      .scales_i(format_i[5]),
      .splat_i(splat_i),
      .active_i(active_i),
      .bytes_i(bytes_i),
      .values_o(loaded_o)
  );
  tsr_tvp_store #(
      .Lanes(8)
  ) u_store (
      .format_i(format),
      .scales_i(format_i[5]),
      .active_i(active_i),
      .values_i(values_i),
      .bytes_o(stored_o)
  );
  tsr_tvp_tree #(
      .Lanes(8)
  ) u_tree (
      .op_i(op_i),
      .level_i(level_i),
      .count_i(active_i),
      .a_i(values_i[255:0]),
      .d_o(reduced_o)
  );
endmodule
