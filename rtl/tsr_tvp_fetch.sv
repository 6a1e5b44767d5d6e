// SPDX-License-Identifier: Apache-2.0
// The routines' memory and the two words in hand: the next one and the one that follows it in fact.
// They are read in the cycle before; a loop's first word has a port of its own, since whether the
// second word is that one depends on the first.
module tsr_tvp_fetch (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input tsr_tile_pkg::host_t host_i,
    input logic start_i,
    input logic [16:0] start_pc_i,
    // how far the two go in this cycle
    input logic issue0_i,
    input logic issue1_i,
    input logic push0_i,  // of them, which opens a loop
    input logic push1_i,
    input logic skip0_i,  // or leaves it out
    input logic skip1_i,
    input logic [63:0] count0_i,
    input logic [63:0] count1_i,
    output logic [16:0] pc0_o,
    output logic [16:0] pc1_o,
    output logic end0_o,  // no word of the program
    output logic end1_o,
    output logic full0_o,  // four loops are open
    output logic full1_o,
    output tsr_tvp_pkg::word_t word0_o,
    output tsr_tvp_pkg::word_t word1_o
);

  localparam int unsigned Words = tsr_chip_pkg::TILE_TVP_ROUTINE_WORDS;
  localparam int unsigned W = $clog2(Words);

  logic [63:0] mem[Words];
  logic [63:0] here_q, after_q, back_q;
  logic [tsr_tvp_pkg::LOOPS_BITS-1:0] loops_q, loops_d, loops0, loops1;
  logic [16:0] pc_q, pc_d, size_q, next0, next1, ahead, linear;

  assign linear = pc_q + 17'd1;
  assign pc0_o = pc_q;
  assign pc1_o = next0;
  assign end0_o = pc_q >= size_q;
  assign end1_o = next0 >= size_q;

  tsr_tvp_decode u_decode0 (
      .word_i(here_q),
      .word_o(word0_o)
  );
  tsr_tvp_decode u_decode1 (
      .word_i(next0 == linear ? after_q : back_q),
      .word_o(word1_o)
  );

  tsr_tvp_loop u_loop0 (
      .loops_i(loops_q),
      .push_i(push0_i),
      .at_i(skip0_i ? {1'b0, word0_o.target} : linear),
      .end_i({1'b0, word0_o.target}),
      .count_i(count0_i),
      .full_o(full0_o),
      .next_o(next0),
      .loops_o(loops0)
  );
  tsr_tvp_loop u_loop1 (
      .loops_i(loops0),
      .push_i(push1_i),
      .at_i(skip1_i ? {1'b0, word1_o.target} : next0 + 17'd1),
      .end_i({1'b0, word1_o.target}),
      .count_i(count1_i),
      .full_o(full1_o),
      .next_o(next1),
      .loops_o(loops1)
  );

  always_comb begin
    pc_d = pc_q;
    loops_d = loops_q;
    if (start_i) begin
      pc_d = start_pc_i;
      loops_d = '0;
    end else if (issue0_i && issue1_i) begin
      pc_d = next1;
      loops_d = loops1;
    end else if (issue0_i) begin
      pc_d = next0;
      loops_d = loops0;
    end
  end

  // Where the word after the next one is a loop's first.
  logic [tsr_tvp_pkg::LOOPS_BITS-1:0] loops_ahead;
  logic full_ahead;
  tsr_tvp_loop u_ahead (
      .loops_i(loops_d),
      .push_i(1'b0),
      .at_i(pc_d + 17'd1),
      .end_i(17'd0),
      .count_i(64'd0),
      .full_o(full_ahead),
      .next_o(ahead),
      .loops_o(loops_ahead)
  );
  logic unused;
  assign unused = ^{loops_ahead, full_ahead, ahead};

  logic write;
  assign write = host_i.valid && host_i.what == tsr_tile_pkg::HOST_ROUTINE;
  always_ff @(posedge clk_i) begin
    if (write) mem[host_i.addr[W-1:0]] <= host_i.data[63:0];
    if (en_i) begin
      here_q <= mem[pc_d[W-1:0]];
      after_q <= mem[W'(pc_d+17'd1)];
      back_q <= mem[ahead[W-1:0]];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pc_q <= '0;
      loops_q <= '0;
      size_q <= '0;
    end else if (host_i.valid && host_i.what == tsr_tile_pkg::HOST_SIZES) begin
      size_q <= host_i.data[48:32];
    end else if (en_i) begin
      pc_q <= pc_d;
      loops_q <= loops_d;
    end
  end

endmodule
