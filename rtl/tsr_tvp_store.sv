// SPDX-License-Identifier: Apache-2.0
// The bytes that a store writes, from its address on.
module tsr_tvp_store #(
    parameter int unsigned Lanes = 8,
    parameter int unsigned Bytes = 4 * Lanes,
    parameter int unsigned Regs = Lanes < 16 ? 16 / Lanes : 1
) (
    input tsr_isa_pkg::tvp_format_t format_i,
    input logic scales_i,  // of blocks, from their first lanes, active or not
    input logic [8:0] active_i,
    input logic [32*Lanes*Regs-1:0] values_i,
    output logic [8*Bytes-1:0] bytes_o
);

  localparam int unsigned Elems = Lanes * Regs;

  logic [32*Elems-1:0] codes, values;
  logic [Elems-1:0] shifts;
  for (genvar i = 0; i < Elems; i++) begin : g_element
    // Inactive lanes of a last group count as 0.
    assign values[32*i+:32] = scales_i || 9'(i % Lanes) < active_i ? values_i[32*i+:32] : 32'd0;
    tsr_tvp_store_element u_element (
        .format_i(format_i),
        .value_i(values[32*i+:32]),
        .pair_i(values[32*(i^1)+:32]),
        .code_o(codes[32*i+:32]),
        .shift_o(shifts[i])
    );
  end

  tsr_tvp_pack #(
      .Bytes(Bytes),
      .Elems(Elems)
  ) u_pack (
      .layout_i(format_i.layout),
      .codes_i(codes),
      .shifts_i(shifts),
      .bytes_o(bytes_o)
  );

endmodule
