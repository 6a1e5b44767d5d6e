// SPDX-License-Identifier: Apache-2.0
// A word of a routine, taken apart by what the generated package knows of its row.
module tsr_tvp_decode (
    input logic [63:0] word_i,
    output tsr_tvp_pkg::word_t word_o
);

  tsr_isa_pkg::tvp_decoded_t decoded;
  assign decoded = tsr_isa_pkg::tvp_decode(word_i);
  assign word_o = {
    decoded.legal,
    tsr_isa_pkg::tvp_memory(word_i),
    tsr_isa_pkg::tvp_exec(word_i),
    decoded.op,
    tsr_isa_pkg::tvp_vregs(word_i),
    tsr_isa_pkg::tvp_aregs(word_i),
    tsr_isa_pkg::tvp_imm(word_i),
    tsr_isa_pkg::tvp_end(word_i),
    tsr_isa_pkg::tvp_fmt(word_i),
    tsr_isa_pkg::tvp_n(word_i),
    tsr_isa_pkg::tvp_class(word_i),
    tsr_isa_pkg::tvp_latency(word_i)
  };

endmodule
