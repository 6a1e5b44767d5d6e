// SPDX-License-Identifier: Apache-2.0
// What is always so in the vector processor: holds_o of each module, which mutate_prove.sh proves.

// Whatever is left in the places above those of the open loops decides nothing: not what follows,
// nor what the open ones are then. (Nothing is pushed where four are open.)
module tsr_lemma_tvp_loops (
    input logic [394:0] loops_i,
    input logic [391:0] left_i,
    input logic push_i,
    input logic [16:0] at_i,
    input logic [16:0] end_i,
    input logic [63:0] count_i,
    output logic holds_o
);
  logic [394:0] other, a, b;
  logic [16:0] a_next, b_next;
  logic a_full, b_full, alike;
  always_comb begin
    other = loops_i;
    alike = a[394:392] == b[394:392];
    for (int k = 0; k < 4; k++) begin
      if (3'(k) >= loops_i[394:392]) other[98*k+:98] = left_i[98*k+:98];
      if (3'(k) < a[394:392] && a[98*k+:98] != b[98*k+:98]) alike = 1'b0;
    end
  end
  tsr_tvp_loop u_a (
      .loops_i(loops_i),
      .push_i(push_i),
      .at_i(at_i),
      .end_i(end_i),
      .count_i(count_i),
      .full_o(a_full),
      .next_o(a_next),
      .loops_o(a)
  );
  tsr_tvp_loop u_b (
      .loops_i(other),
      .push_i(push_i),
      .at_i(at_i),
      .end_i(end_i),
      .count_i(count_i),
      .full_o(b_full),
      .next_o(b_next),
      .loops_o(b)
  );
  assign holds_o = loops_i[394:392] > 3'd4 || (loops_i[394:392] == 3'd4 && push_i) ||
      (alike && a_next == b_next && a_full == b_full);
endmodule

// Formats aligned at 4 bytes are those of words, which an element takes as they are. An element of
// mx9, mx6 or mx4, which alone fill a second register, has no more than 8 bits.
module tsr_lemma_tvp_elements (
    input logic [5:0] which_i,  // format, or its scale
    input logic [31:0] code_i,
    input logic shift_i,
    output logic holds_o
);
  tsr_isa_pkg::tvp_format_t format;
  logic [31:0] value;
  assign format = tsr_isa_pkg::tvp_format(which_i);
  tsr_tvp_load_element u_element (
      .format_i(format),
      .code_i(code_i),
      .shift_i(shift_i),
      .value_o(value)
  );
  assign holds_o = (!format.align[1] || (format.kind == 3'd0 && format.bits == 6'd32)) &&
      (!format.pairs || value[15:0] == 16'd0);
endmodule

// Of the two lines that an access may touch it does not reach the last four bytes.
module tsr_lemma_tvp_bytes (
    input logic [126:0] word_i,
    input logic [63:0] address_i,
    input logic [8:0] active_i,
    output logic holds_o
);
  tsr_isa_pkg::tvp_format_t touched;
  logic store, vlda, scales, splat, wide, bad;
  logic [8:0] lanes;
  logic [5:0] bytes;
  tsr_tvp_access u_access (
      .word_i(word_i),
      .address_i(address_i),
      .active_i(active_i > 9'd8 ? 9'd8 : active_i),
      .format_o(touched),
      .store_o(store),
      .acc_o(vlda),
      .scales_o(scales),
      .splat_o(splat),
      .wide_o(wide),
      .lanes_o(lanes),
      .bytes_o(bytes),
      .bad_o(bad)
  );
  assign holds_o = bad || vlda || {1'b0, address_i[4:0]} + bytes <= 6'd60;
endmodule
