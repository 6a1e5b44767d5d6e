// SPDX-License-Identifier: Apache-2.0
// One channel: descriptors in order. The newest issues its requests; a ring of all that have
// started counts what is left of each, and the oldest posts when nothing is.
module tsr_dma_channel #(
    parameter logic [2:0] Queue = 3'd4
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    output tsr_tile_pkg::fault_t fault_o,
    // the next request
    output logic wants_o,  // has one, setup is over
    output logic free_o,  // it takes no room of the window and is complete at once
    output logic single_o,  // it takes the single's place instead
    output tsr_tile_pkg::single_t what_o,
    output logic [63:0] mask_o,  // of a cast
    input logic turn_i,  // it is issued in this cycle, or found bad
    output tsr_tile_pkg::desc_kind_e kind_o,
    output logic [3:0] number_o,  // of the descriptor in the ring
    output logic [63:0] far_o,
    output logic [63:0] near_o,
    output logic [63:0] local_o,  // destination of a local copy
    output tsr_tile_pkg::layout_t layout_o,
    output logic [tsr_tile_pkg::CONTROL_W-1:0] index_addr_o,
    input logic [31:0] index_i,
    // bytes of requests that completed, of descriptors of the ring
    input logic [tsr_tile_pkg::ACK_LANES+1:0] done_i,
    input logic [(tsr_tile_pkg::ACK_LANES+2)*4-1:0] done_number_i,
    input logic [(tsr_tile_pkg::ACK_LANES+2)*tsr_tile_pkg::REQUEST_W-1:0] done_bytes_i,
    output logic retire_o,
    output logic [2*27-1:0] posts_o,
    output logic rpost_o,
    output logic [63:0] rpost_mask_o,
    output logic [5:0] rpost_sem_o
);

  localparam int unsigned N = tsr_tile_pkg::MAX_DESCRIPTORS;
  localparam int unsigned ReqW = tsr_tile_pkg::REQUEST_W;
  localparam int unsigned Req = tsr_tile_pkg::REQUEST_BYTES;
  localparam int unsigned TsramW = tsr_tile_pkg::TSRAM_W;
  localparam logic [7:0] Setup = 8'(tsr_isa_pkg::PARAM_DMA_SETUP);

  // ---- start
  tsr_tile_pkg::desc_t started, d_q;
  logic bad;
  tsr_dma_describe u_describe (
      .insn_i(insn_i),
      .desc_o(started),
      .bad_o(bad)
  );

  logic issuing_q;
  logic [7:0] setup_q;
  logic [4:0] count_q;
  logic [3:0] head_q, newest_q;
  logic bad_index;
  logic [16:0] pc_q;
  assign ready_o = !issuing_q && count_q != 5'(N);
  always_comb begin
    fault_o = '0;
    if (start_i && bad) begin
      fault_o.valid = 1'b1;
      fault_o.kind = tsr_tile_pkg::FAULT_ADDRESS;
      fault_o.pc = insn_i.pc;
    end else if (turn_i && bad_index) begin
      fault_o.valid = 1'b1;
      fault_o.kind = tsr_tile_pkg::FAULT_ADDRESS;
      fault_o.pc = pc_q;
    end
  end

  // ---- the walk: bases of the iteration at hand by level, the piece at hand
  logic [63:0] fb0_q, fb1_q, fb2_q, nb0_q, nb1_q, nb2_q, piece_q;
  logic [24:0] i0_q, i1_q, i2_q;
  logic [40:0] off_q;
  logic [31:0] in_q;

  logic [63:0] far, far_base, near;
  logic [ReqW-1:0] cut, cut_near, bytes, first;
  logic [40:0] rest;
  logic [31:0] in_piece;
  assign index_addr_o = d_q.index_at + tsr_tile_pkg::CONTROL_W'({i0_q, 2'b0});
  assign far_base = d_q.indexed ? d_q.far_at + {32'b0, index_i} * d_q.fs0 : fb0_q;
  assign far = far_base + {23'b0, off_q};
  assign near = piece_q + {32'b0, in_q};
  assign rest = d_q.run - off_q;
  assign cut_near = ReqW'(Req) - ReqW'(near[$clog2(Req)-1:0]);
  always_comb begin
    cut = ReqW'(Req) - ReqW'(far[$clog2(Req)-1:0]);
    if (d_q.kind == tsr_tile_pkg::DESC_FORWARD && cut_near < cut) cut = cut_near;
  end
  assign bytes = rest < 41'(cut) ? rest[ReqW-1:0] : cut;
  assign in_piece = d_q.len - in_q;
  assign first = in_piece < 32'(cut) ? in_piece[ReqW-1:0] : cut;

  // An index is checked where its run begins.
  logic [63:0] csram_left, hbm_left;
  assign csram_left = tsr_chip_pkg::CSRAM_BYTES - {32'b0, far_base[31:0]};
  assign hbm_left = tsr_chip_pkg::HBM_BYTES - {8'b0, far_base[55:0]};
  always_comb begin
    bad_index = 1'b0;
    if (d_q.indexed && !d_q.nothing && off_q == '0) begin
      bad_index = far_base[63:56] != d_q.far_at[63:56];
      if (far_base[63:56] == 8'd1)
        bad_index = bad_index || {32'b0, far_base[55:32]} >= 56'(tsr_tile_pkg::CLUSTERS) ||
            {32'b0, far_base[31:0]} > tsr_chip_pkg::CSRAM_BYTES || {32'b0, d_q.len} > csram_left;
      else if (far_base[63:56] == 8'd2)
        bad_index = bad_index || {8'b0, far_base[55:0]} > tsr_chip_pkg::HBM_BYTES ||
            {32'b0, d_q.len} > hbm_left;
      else bad_index = 1'b1;
    end
  end

  assign wants_o = issuing_q && setup_q == 8'd0;
  assign free_o = d_q.nothing || d_q.kind == tsr_tile_pkg::DESC_RPOST;
  assign single_o = d_q.kind == tsr_tile_pkg::DESC_SINGLE;
  assign what_o = d_q.single;
  assign mask_o = d_q.mask;
  assign kind_o = d_q.kind;
  assign number_o = newest_q;
  assign far_o = far;
  assign near_o = near;
  assign local_o = far;
  always_comb begin
    layout_o.at = near[TsramW-1:0];
    layout_o.first = first;
    layout_o.len = d_q.len > 32'(Req) ? ReqW'(Req) : d_q.len[ReqW-1:0];
    layout_o.gap = d_q.merged ? d_q.ns0[TsramW-1:0] - d_q.len[TsramW-1:0] : '0;
    layout_o.bytes = bytes;
  end

  // Pieces that the request passes: of a piece longer than a request at most one.
  logic [32:0] in_sum;
  logic [ReqW:0] passed;
  assign in_sum = {1'b0, in_q} + 33'(bytes);
  always_comb begin
    passed = '0;
    if (d_q.len > 32'(Req)) passed[0] = in_sum >= {1'b0, d_q.len};
    else if (d_q.len != '0) passed = in_sum[ReqW:0] / {1'b0, d_q.len[ReqW-1:0]};
  end

  logic last0, last1, last2, run_ends, all_issued;
  assign last0 = d_q.merged || i0_q + 25'd1 >= d_q.n0;
  assign last1 = i1_q + 25'd1 >= d_q.n1;
  assign last2 = i2_q + 25'd1 >= d_q.n2;
  assign run_ends = off_q + 41'(bytes) >= d_q.run;
  assign all_issued = free_o || single_o || (run_ends && last0 && last1 && last2);

  logic [63:0] fb1_next, fb2_next, nb1_next, nb2_next;
  assign fb1_next = fb1_q + d_q.fs1;
  assign fb2_next = fb2_q + d_q.fs2;
  assign nb1_next = nb1_q + d_q.ns1;
  assign nb2_next = nb2_q + d_q.ns2;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      issuing_q <= 1'b0;
      setup_q <= '0;
    end else if (en_i) begin
      if (start_i) begin
        issuing_q <= 1'b1;
        setup_q <= Setup - 8'd1;
      end else begin
        if (setup_q != 8'd0) setup_q <= setup_q - 8'd1;
        if (turn_i && all_issued) issuing_q <= 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      d_q <= started;
      pc_q <= insn_i.pc;
      fb0_q <= started.far_at;
      fb1_q <= started.far_at;
      fb2_q <= started.far_at;
      nb0_q <= started.near_at;
      nb1_q <= started.near_at;
      nb2_q <= started.near_at;
      piece_q <= started.near_at;
      i0_q <= '0;
      i1_q <= '0;
      i2_q <= '0;
      off_q <= '0;
      in_q <= '0;
    end else if (turn_i && !run_ends) begin
      off_q <= off_q + 41'(bytes);
      piece_q <= piece_q + 64'(passed) * d_q.ns0;
      in_q <= 32'(in_sum - 33'(passed) * {1'b0, d_q.len});
    end else if (turn_i) begin
      off_q <= '0;
      in_q <= '0;
      if (!last0) begin
        i0_q <= i0_q + 25'd1;
        fb0_q <= fb0_q + d_q.fs0;
        nb0_q <= nb0_q + d_q.ns0;
        piece_q <= nb0_q + d_q.ns0;
      end else if (!last1) begin
        i0_q <= '0;
        i1_q <= i1_q + 25'd1;
        fb0_q <= fb1_next;
        fb1_q <= fb1_next;
        nb0_q <= nb1_next;
        nb1_q <= nb1_next;
        piece_q <= nb1_next;
      end else begin
        i0_q <= '0;
        i1_q <= '0;
        i2_q <= i2_q + 25'd1;
        fb0_q <= fb2_next;
        fb1_q <= fb2_next;
        fb2_q <= fb2_next;
        nb0_q <= nb2_next;
        nb1_q <= nb2_next;
        nb2_q <= nb2_next;
        piece_q <= nb2_next;
      end
    end
  end

  // ---- the ring
  (* mem2reg *) logic [40:0] left_q[N];
  (* mem2reg *) logic [40:0] left_d[N];
  logic [N-1:0] finished_q, finished_d;
  logic [13:0] post_mem[N];
  logic [16:0] pc_mem[N];
  logic [70:0] rpost_mem[N];
  tsr_tile_pkg::sems_t sems;
  logic [13:0] head_posts;
  logic [70:0] head_rpost;
  logic [3:0] tail;
  assign sems = tsr_isa_pkg::tcp_sems(insn_i.word);
  assign tail = head_q + count_q[3:0];

  always_comb begin
    for (int i = 0; i < N; i++) left_d[i] = left_q[i];
    finished_d = finished_q;
    for (int k = 0; k <= tsr_tile_pkg::ACK_LANES + 1; k++) begin
      if (done_i[k]) begin
        left_d[done_number_i[4*k+:4]] = left_d[done_number_i[4*k+:4]] -
            41'(done_bytes_i[ReqW*k+:ReqW]);
        if (left_d[done_number_i[4*k+:4]] == '0) finished_d[done_number_i[4*k+:4]] = 1'b1;
      end
    end
    if (turn_i && free_o) finished_d[newest_q] = 1'b1;
  end

  assign retire_o = en_i && count_q != '0 && finished_d[head_q];
  assign head_posts = post_mem[head_q];
  assign head_rpost = rpost_mem[head_q];
  assign posts_o = {
    {retire_o & head_posts[13], head_posts[12:7], Queue, pc_mem[head_q]},
    {retire_o & head_posts[6], head_posts[5:0], Queue, pc_mem[head_q]}
  };
  assign rpost_o = retire_o && head_rpost[0];
  assign rpost_sem_o = head_rpost[6:1];
  assign rpost_mask_o = head_rpost[70:7];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      count_q <= '0;
      head_q <= '0;
      newest_q <= '0;
      finished_q <= '0;
    end else if (en_i) begin
      count_q <= count_q + 5'(start_i) - 5'(retire_o);
      if (retire_o) head_q <= head_q + 4'd1;
      if (start_i) newest_q <= tail;
      for (int i = 0; i < N; i++) begin
        if (start_i && tail == 4'(i)) finished_q[i] <= 1'b0;
        else finished_q[i] <= finished_d[i];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      for (int i = 0; i < N; i++) begin
        if (start_i && tail == 4'(i)) left_q[i] <= started.total;
        else left_q[i] <= left_d[i];
      end
      if (start_i) begin
        // A cast posts p1 where its copies go.
        post_mem[tail] <= {started.kind == tsr_tile_pkg::DESC_CAST ? 7'd0 : sems.p1, sems.p0};
        pc_mem[tail] <= insn_i.pc;
        rpost_mem[tail] <= {started.mask, started.sem, started.kind == tsr_tile_pkg::DESC_RPOST};
      end
    end
  end

endmodule
