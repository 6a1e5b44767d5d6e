// SPDX-License-Identifier: Apache-2.0
// What a load makes of a line's bytes, from the first one that it wants: the lanes of one register,
// or of the few that a block of shared microexponents takes.
module tsr_tvp_load #(
    parameter int unsigned Lanes = 8,
    parameter int unsigned Bytes = 4 * Lanes,
    parameter int unsigned Regs = Lanes < 16 ? 16 / Lanes : 1  // at most
) (
    input tsr_isa_pkg::tvp_format_t format_i,
    input logic scales_i,  // of blocks, into all their lanes
    input logic splat_i,  // the first element into all lanes
    input logic [8:0] active_i,  // lanes of each register
    input logic [8*Bytes-1:0] bytes_i,
    output logic [32*Lanes*Regs-1:0] values_o
);

  localparam int unsigned Elems = Lanes * Regs;

  logic [32*Elems-1:0] codes, values;
  logic [Elems-1:0] shifts;
  tsr_tvp_unpack #(
      .Bytes(Bytes),
      .Elems(Elems)
  ) u_unpack (
      .layout_i(format_i.layout),
      .bytes_i(bytes_i),
      .codes_o(codes),
      .shifts_o(shifts)
  );

  for (genvar i = 0; i < Elems; i++) begin : g_element
    logic on;
    // A scale serves lanes that are not active, too, if its block has begun.
    assign on = splat_i || (scales_i ? 9'(i % Lanes) >> format_i.group << format_i.group :
                            9'(i % Lanes)) < active_i;
    tsr_tvp_load_element u_element (
        .format_i(format_i),
        .code_i(codes[32*i+:32]),
        .shift_i(shifts[i]),
        .value_o(values[32*i+:32])
    );
    assign values_o[32*i+:32] = !on ? 32'd0 : splat_i ? values[31:0] : values[32*i+:32];
  end

endmodule
