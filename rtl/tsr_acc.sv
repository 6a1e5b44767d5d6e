// SPDX-License-Identifier: Apache-2.0
// Drain and preload of the accumulators: rows pass through a ring of buffers between the
// accumulators' lines and the TSRAM's. The port's side keeps MACHINE.md's time: with w lines of
// accumulators in a row, a drain's first row asks the port w - 1 + drain_pipe cycles after it
// begins, and each next one w cycles after the last line of the row before was taken; the
// accumulators are read as early as the ring has room.
module tsr_acc (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // TSRAM: requester 7, at most one of both in a cycle
    output tsr_tile_pkg::rd_req_t read_o,
    input tsr_tile_pkg::rd_rsp_t read_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // accumulators
    output tsr_tile_pkg::acc_rd_t drain_o,
    input logic [32*tsr_tile_pkg::LANES-1:0] drain_i,
    output tsr_tile_pkg::acc_wr_t fill_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] owns_o,
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns_i,
    output logic [2*27-1:0] posts_o,
    output logic retire_o,
    output tsr_tile_pkg::fault_t fault_o
);

  localparam int unsigned D = tsr_tile_pkg::DIM;
  localparam int unsigned Lanes = tsr_tile_pkg::LANES;
  localparam int unsigned S = tsr_tile_pkg::LINE_SHIFT;
  localparam int unsigned A = tsr_tile_pkg::TSRAM_W;
  localparam int unsigned B = tsr_tile_pkg::LINE_BITS;
  localparam int unsigned Bytes = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned Lines = 16 * D / Lanes + 1;  // of a row in the ring
  localparam int unsigned L = 8;  // bits that count them
  localparam int unsigned N = $clog2(16 * D) + 1;  // bits of a row's or column's number
  localparam int unsigned PerRow = 4 * D / Lanes;  // lines of a bank's row
  localparam int unsigned Pipe = tsr_isa_pkg::PARAM_DRAIN_PIPE;
  localparam int unsigned LaneW = $clog2(Lanes);
  localparam int unsigned Row = (Lines + 2) * Bytes;  // a row with a line before and behind it
  localparam int unsigned AtW = $clog2(8 * Row);
  localparam int unsigned AccW = tsr_tile_pkg::ACC_LINE_W;
  localparam logic [63:0] Size = tsr_chip_pkg::TILE_TSRAM_BYTES;

  // ---- start
  logic [63:0] address, stride, m, n, bias, bytes;
  logic [4:0] format;
  logic drains, biased, legal, half, conflict, starts;
  logic [tsr_tile_pkg::ACC_BANKS-1:0] banks;
  logic [63:0] c;
  assign address = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_DST_SLOT+:64];
  assign stride = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_DS_SLOT+:64];
  assign m = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_M_SLOT+:64];
  assign n = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_N_SLOT+:64];
  assign c = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_C_SLOT+:64];
  assign bias = insn_i.x[64*tsr_isa_pkg::TCP_DRAIN_BIAS_SLOT+:64];
  assign drains = tsr_isa_pkg::tcp_exec(insn_i.word) == tsr_isa_pkg::EX_DRAIN;
  assign biased = drains && insn_i.word[tsr_isa_pkg::TCP_DRAIN_BI_LSB];
  assign format = insn_i.word[tsr_isa_pkg::TCP_DRAIN_FMT_LSB+:5];
  assign half = format == tsr_format_pkg::FMT_BF16 || format == tsr_format_pkg::FMT_F16;
  assign bytes = n << (half ? 1 : 2);
  tsr_rectangle u_rectangle (
      .c_i(c),
      .m_i(m),
      .n_i(n),
      .across_i(insn_i.word[tsr_isa_pkg::TCP_DRAIN_ACROSS_LSB+:2]),
      .legal_o(legal),
      .banks_o(banks)
  );
  assign conflict = (banks & ttu_owns_i) != '0;

  logic [47:0] span;
  logic outside;
  assign span = 48'(stride[30:0]) * (48'(m[15:0]) - 48'd1);
  assign outside = stride[63:31] != '0 || stride[0] || address[0] ||
      (!half && (stride[1] || address[1])) || address > Size ||
      64'(span) + bytes > Size - address ||
      (biased && (bias[1:0] != 2'd0 || bias > Size || (n << 2) > Size - bias));
  always_comb begin
    fault_o = '0;
    if (start_i) begin
      if (!legal) fault_o.kind = tsr_tile_pkg::FAULT_SHAPE;
      else if (outside) fault_o.kind = tsr_tile_pkg::FAULT_ADDRESS;
      else if (conflict) fault_o.kind = tsr_tile_pkg::FAULT_ACC_CONFLICT;
      fault_o.valid = fault_o.kind != tsr_tile_pkg::FAULT_NONE;
      fault_o.pc = insn_i.pc;
    end
  end
  assign starts = start_i && !fault_o.valid;

  // ---- the instruction
  typedef enum logic [2:0] {
    IDLE,
    BIAS,
    DRAIN,
    FLUSH,
    FILL,
    REST,  // of a fill: its last values are on their way
    POST
  } state_e;
  state_e state_q;
  logic half_q, biased_q, integer_q, fills_q;
  logic active_q;  // the port is within a row of a fill
  logic [4:0] format_q;
  logic [A-1:0] at_q, stride_q;  // of the port's row
  logic [N-1:0] m_q, n_q, row_q, port_row_q;  // accumulator side's and port's row
  logic [3:0] bank_q;
  logic [1:0] tile_row_q, tile_col_q, across_q;
  logic [35:0] sems;
  logic [13:0] post_q;
  logic [16:0] pc_q;
  logic [tsr_tile_pkg::ACC_BANKS-1:0] banks_q;
  logic [L-1:0] w, line_q, last_line, acc_q, timer_q;
  logic [LaneW-1:0] skew;  // lanes of the first line before the rectangle's
  logic [15:0] col;
  logic [S-1:0] off;
  logic [15:0] row_bytes, skew_bytes;

  assign sems = tsr_isa_pkg::tcp_sems(insn_i.word);
  assign col = 16'(tile_col_q) * 16'(D);
  assign skew = LaneW'(col);
  assign w = L'((16'(skew) + 16'(n_q) + 16'(Lanes - 1)) >> LaneW);
  assign off = at_q[S-1:0];
  assign row_bytes = 16'(n_q) << (half_q ? 1 : 2);
  assign skew_bytes = 16'(skew) << (half_q ? 1 : 2);
  assign last_line = L'((16'(off) + row_bytes - 16'd1) >> S);

  assign ready_o = state_q == IDLE;
  assign owns_o = state_q != IDLE ? banks_q : '0;
  assign retire_o = state_q == POST;
  for (genvar p = 0; p < 2; p++) begin : g_post
    assign posts_o[27*p+:27] = {
      state_q == POST && post_q[7*p+6], post_q[7*p+:6], 3'(tsr_tile_pkg::Q_ACC), pc_q
    };
  end

  // ---- the ring: four rows, in cells of half a line
  localparam int unsigned Cells = 2 * Lines;
  logic [4*Cells*B/2-1:0] ring_q;
  logic [1:0] in_slot, out_slot;
  logic cell_write;
  logic [L-1:0] cell_at;
  logic cell_one;  // half a line
  logic [B-1:0] cell_data;
  logic [8*Row-1:0] view;  // the row that leaves the ring, a line of nothing at each end
  for (genvar s = 0; s < 4; s++) begin : g_slot
    for (genvar i = 0; i < Cells; i++) begin : g_cell
      always_ff @(posedge clk_i) begin
        if (en_i && same && port_row_q[1:0] == 2'(s)) begin
          if (i < 2) ring_q[(s*Cells+i)*B/2+:B/2] <= have_data[i%2*B/2+:B/2];
        end else if (en_i && cell_write && in_slot == 2'(s)) begin
          if (cell_at == L'(i)) ring_q[(s*Cells+i)*B/2+:B/2] <= cell_data[B/2-1:0];
          else if (!cell_one && cell_at + 1'b1 == L'(i))
            ring_q[(s*Cells+i)*B/2+:B/2] <= cell_data[B-1:B/2];
        end
      end
    end
  end
  (* mem2reg *) logic [Cells*B/2-1:0] slots[4];
  for (genvar s = 0; s < 4; s++) begin : g_whole
    assign slots[s] = ring_q[s*Cells*B/2+:Cells*B/2];
  end
  assign view = {{B{1'b0}}, slots[out_slot], {B{1'b0}}};

  // ---- accumulator lines: line acc_q of row row_q
  logic [15:0] row, line;
  logic [3:0] bank;
  logic [AccW-1:0] acc_line;
  assign row = 16'(tile_row_q) * 16'(D) + 16'(row_q);
  assign line = (col >> LaneW) + 16'(acc_q);
  assign bank = bank_q + 4'(4'(row >> $clog2(4 * D)) << across_q) + 4'(line >> $clog2(PerRow));
  assign acc_line = (AccW'(bank) * AccW'(4 * D) + AccW'(row & 16'(4 * D - 1))) * AccW'(PerRow) +
      AccW'(line & 16'(PerRow - 1));

  // ---- drain, from the accumulators into the ring
  logic reads, row_read, taken;
  logic [2:0] used_q;  // rows in the ring or on their way into it
  logic read_q, read_q2;
  logic [L-1:0] read_line_q, read_line_q2;
  logic [1:0] read_slot_q, read_slot_q2;
  logic [Lanes*32-1:0] coded, decoded, bias_window;
  logic [Lines*B-1:0] bias_q;
  logic [8*Row-1:0] bias_view;
  assign reads = state_q == DRAIN && row_q != m_q && (used_q != 3'd4 || acc_q != '0);
  assign row_read = reads && acc_q + 1'b1 == w;
  assign drain_o = {reads, acc_line};

  // ---- fill, from the ring into the accumulators
  logic arrived_enough, writes, row_written, arrives_q;
  logic [L-1:0] arrives_line_q, needed;
  logic [1:0] arrives_slot_q;
  logic [4*L-1:0] arrived_q;  // lines in each slot
  logic [15:0] upto, fill_off;
  logic [4*S-1:0] offs_q;  // of each slot's row
  logic [S-1:0] slot_off;
  assign slot_off = offs_q[S*32'(row_q[1:0])+:S];
  assign upto = (16'(acc_q) + 16'd1) * 16'(Lanes) - 16'(skew) < 16'(n_q) ?
      (16'(acc_q) + 16'd1) * 16'(Lanes) - 16'(skew) : 16'(n_q);
  assign fill_off = 16'(slot_off) + (upto << (half_q ? 1 : 2)) - 16'd1;
  assign needed = L'(fill_off >> S);
  assign arrived_enough = arrived_q[L*32'(row_q[1:0])+:L] > needed;
  assign writes = fills_q && row_q != m_q && (row_q != port_row_q || active_q) && arrived_enough;
  assign row_written = writes && acc_q + 1'b1 == w;
  assign out_slot = fills_q ? row_q[1:0] : port_row_q[1:0];

  logic [AtW-1:0] chunk_at, piece_at, next_at;
  logic [B-1:0] chunk, piece, next_piece;
  assign chunk_at = AtW'((16'(Bytes) + 16'(slot_off) +
      ((16'(acc_q) * 16'(Lanes)) << (half_q ? 1 : 2)) - skew_bytes) << 3);
  assign piece_at = AtW'((16'(Bytes) + 16'(line_q) * 16'(Bytes) - 16'(off) + skew_bytes) << 3);
  assign next_at = piece_at + AtW'(B);
  assign chunk = view[chunk_at+:B];
  assign piece = view[piece_at+:B];
  assign next_piece = line_q == last_line ? '0 : view[next_at+:B];

  for (genvar l = 0; l < Lanes; l++) begin : g_lane
    logic [15:0] j;  // the column, beyond n before the first
    tsr_acc_lane u_lane (
        .clk_i(clk_i),
        .integer_i(integer_q),
        .biased_i(biased_q),
        .format_i(format_q),
        .value_i(drain_i[32*l+:32]),
        .bias_i(bias_window[32*l+:32]),
        .code_o(coded[32*l+:32]),
        .code_i(half_q ? {16'd0, chunk[16*l+:16]} : chunk[32*l+:32]),
        .value_o(decoded[32*l+:32])
    );
    assign j = 16'(acc_q) * 16'(Lanes) + 16'(l) - 16'(skew);
    assign fill_o.mask[l] = j < 16'(n_q);
  end
  assign fill_o.valid = writes && en_i;
  assign fill_o.line = acc_line;
  assign fill_o.data = decoded;

  logic [B-1:0] packed_codes;
  for (genvar l = 0; l < Lanes; l++) begin : g_pack
    assign packed_codes[16*l+:16] = half_q ? coded[32*l+:16] : coded[16*l+:16];
    assign packed_codes[B/2+16*l+:16] = coded[B/2+16*l+:16];
  end

  // ---- the port of a drain: the kept line, and what joins or follows it
  logic kept_q, asks, joins, more;
  logic [A-S-1:0] kept_line_q, port_line;
  logic [Bytes-1:0] kept_mask_q, piece_mask, next_mask, joined_mask;
  logic [B-1:0] kept_data_q, joined;
  function automatic logic [Bytes-1:0] mask_of(input logic [15:0] first, input logic [15:0] from,
                                               input logic [15:0] upto_byte);
    for (int b = 0; b < Bytes; b++) begin
      mask_of[b] = first + 16'(b) >= from && first + 16'(b) < upto_byte;
    end
  endfunction
  assign port_line = at_q[A-1:S] + (A - S)'(line_q);
  assign piece_mask = mask_of(16'(line_q) << S, 16'(off), 16'(off) + row_bytes);
  assign next_mask = mask_of((16'(line_q) + 16'd1) << S, 16'(off), 16'(off) + row_bytes);
  assign asks = state_q == DRAIN && timer_q == '0;
  assign joins = asks && line_q == '0 && (!kept_q || kept_line_q == port_line);
  assign more = line_q != last_line || port_row_q + 1'b1 == m_q;  // or the end, which writes all
  always_comb begin
    joined = kept_data_q;
    joined_mask = kept_q ? kept_mask_q : '0;
    if (joins) begin
      for (int b = 0; b < Bytes; b++) if (piece_mask[b]) joined[8*b+:8] = piece[8*b+:8];
      joined_mask = joined_mask | piece_mask;
    end
  end
  assign write_o.valid = state_q == FLUSH || (asks && (!joins || more));
  assign write_o.line = joins ? port_line : kept_line_q;
  assign write_o.mask = joined_mask;
  assign write_o.data = joined;
  assign taken = asks && (joins ? line_q == last_line || (write_gnt_i && line_q + 1'b1 == last_line)
                                : write_gnt_i && line_q == last_line);

  // ---- the port of a fill and of the bias
  logic begins, same, wants, fill_row_ends, fetched;
  logic [L-1:0] want_line, bias_last;
  logic [A-1:0] bias_at_q;
  logic have_q;  // the line read last
  logic [A-S-1:0] have_line_q, want;
  logic [B-1:0] have_data_q, have_data;
  assign begins = state_q == FILL && !active_q && timer_q == '0;
  assign same = begins && have_q && have_line_q == at_q[A-1:S];
  assign want_line = same ? L'(1) : line_q;
  assign want = (state_q == BIAS ? bias_at_q[A-1:S] : at_q[A-1:S]) + (A - S)'(want_line);
  assign wants = state_q == BIAS || ((begins || active_q) && want_line <= last_line);
  assign read_o = {wants, want};
  assign fetched = read_i.gnt && want_line == (state_q == BIAS ? bias_last : last_line);
  assign fill_row_ends = (same && last_line == '0) || (state_q == FILL && fetched);
  assign bias_last = L'((16'(bias_at_q[S-1:0]) + (16'(n_q) << 2) - 16'd1) >> S);
  assign have_data = read_i.rvalid ? read_i.rdata : have_data_q;

  // ---- into the ring
  always_comb begin
    in_slot = read_slot_q2;
    cell_write = read_q2;
    cell_one = half_q;
    cell_at = half_q ? read_line_q2 : L'(read_line_q2 << 1);
    cell_data = packed_codes;
    if (fills_q) begin
      in_slot = arrives_slot_q;
      cell_write = arrives_q;
      cell_one = 1'b0;
      cell_at = L'(arrives_line_q << 1);
      cell_data = read_i.rdata;
    end
  end

  // ---- the bias row: elements as in the accumulators' lines
  logic [AtW-1:0] bias_at;
  logic bias_arrives_q;
  logic [L-1:0] bias_line_q;
  assign bias_at = AtW'((16'(Bytes) + 16'(bias_at_q[S-1:0]) + (16'(read_line_q) << S) -
                         (16'(skew) << 2)) << 3);
  assign bias_view = {{B{1'b0}}, bias_q, {B{1'b0}}};
  assign bias_window = bias_view[bias_at+:B];
  always_ff @(posedge clk_i) begin
    for (int i = 0; i < Lines; i++) begin
      if (en_i && bias_arrives_q && bias_line_q == L'(i)) bias_q[i*B+:B] <= read_i.rdata;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q <= IDLE;
      used_q <= '0;
      read_q <= 1'b0;
      read_q2 <= 1'b0;
      arrives_q <= 1'b0;
      bias_arrives_q <= 1'b0;
      kept_q <= 1'b0;
      have_q <= 1'b0;
      active_q <= 1'b0;
    end else if (en_i) begin
      read_q <= reads;
      read_q2 <= read_q;
      used_q <= used_q + 3'(reads && acc_q == '0) - 3'(taken);
      bias_arrives_q <= state_q == BIAS && read_i.gnt;
      arrives_q <= state_q == FILL && read_i.gnt;
      active_q <= (begins || active_q) && !fill_row_ends;
      case (state_q)
        IDLE: begin
          if (starts) state_q <= !drains ? FILL : biased ? BIAS : DRAIN;
          kept_q <= 1'b0;
          have_q <= 1'b0;
          used_q <= '0;
        end
        BIAS: if (fetched) state_q <= DRAIN;
        DRAIN: begin
          if (asks && (joins || write_gnt_i)) kept_q <= 1'b1;
          if (taken && port_row_q + 1'b1 == m_q)
            state_q <= joins && line_q == last_line && write_gnt_i ? POST : FLUSH;
        end
        FLUSH: if (write_gnt_i) state_q <= POST;
        FILL: begin
          if (read_i.gnt) have_q <= 1'b1;
          if (fill_row_ends && port_row_q + 1'b1 == m_q) state_q <= REST;
        end
        REST: begin
          if (timer_q == '0 && (row_q == m_q || (row_written && row_q + 1'b1 == m_q)))
            state_q <= POST;
        end
        default: state_q <= IDLE;
      endcase
    end
  end

  // Cycles from the next one on: to a drain's turn at the port, to a fill's next row, to its end.
  logic [L-1:0] timer_d, start_w;
  logic [LaneW-1:0] start_skew;
  assign start_skew = LaneW'(16'(c[1:0]) * 16'(D));
  assign start_w = L'((16'(start_skew) + n[15:0] + 16'(Lanes - 1)) >> LaneW);
  always_comb begin
    timer_d = timer_q == '0 ? '0 : timer_q - 1'b1;
    if (starts) timer_d = drains ? start_w + L'(Pipe - 1) : '0;
    else if (state_q == BIAS) timer_d = w + L'(Pipe - 1);
    else if (taken || begins) timer_d = w - 1'b1;
    if (fill_row_ends && port_row_q + 1'b1 == m_q) timer_d = timer_d + L'(Pipe - 1);
  end

  always_ff @(posedge clk_i) begin
    read_line_q <= acc_q;
    read_line_q2 <= read_line_q;
    read_slot_q <= row_q[1:0];
    read_slot_q2 <= read_slot_q;
    if (en_i) begin
      timer_q <= timer_d;
      bias_line_q <= line_q;
      arrives_line_q <= want_line;
      arrives_slot_q <= port_row_q[1:0];
      have_data_q <= have_data;
      if (read_i.gnt) have_line_q <= want;
      if (starts) begin
        fills_q <= !drains;
        half_q <= half;
        biased_q <= biased;
        integer_q <= insn_i.word[tsr_isa_pkg::TCP_DRAIN_INT_LSB];
        format_q <= format;
        at_q <= address[A-1:0];
        stride_q <= stride[A-1:0];
        bias_at_q <= bias[A-1:0];
        m_q <= m[N-1:0];
        n_q <= n[N-1:0];
        bank_q <= c[11:8];
        tile_row_q <= c[5:4];
        tile_col_q <= c[1:0];
        across_q <= insn_i.word[tsr_isa_pkg::TCP_DRAIN_ACROSS_LSB+:2];
        post_q <= sems[35:22];
        pc_q <= insn_i.pc;
        banks_q <= banks;
        row_q <= '0;
        port_row_q <= '0;
        line_q <= '0;
        acc_q <= '0;
      end else begin
        // the accumulators' side
        if (reads || writes) acc_q <= row_read || row_written ? '0 : acc_q + 1'b1;
        if (row_read || row_written) row_q <= row_q + 1'b1;
        // the port's side
        if (taken || fill_row_ends) begin
          line_q <= '0;
          port_row_q <= port_row_q + 1'b1;
          at_q <= at_q + stride_q;
        end else if (state_q == BIAS) begin
          line_q <= fetched ? '0 : line_q + L'(read_i.gnt);
        end else if (asks) begin
          line_q <= line_q + L'(joins) + L'(write_gnt_i);
        end else if (begins || active_q) begin
          line_q <= want_line + L'(read_i.gnt);
        end
      end
      // the kept line of a drain
      if (asks && (joins || write_gnt_i)) begin
        kept_line_q <= joins && write_gnt_i ? port_line + 1'b1 : port_line;
        kept_mask_q <= joins ? (write_gnt_i ? next_mask : joined_mask) : piece_mask;
        kept_data_q <= joins ? (write_gnt_i ? next_piece : joined) : piece;
      end
      // the rows of a fill
      for (int s = 0; s < 4; s++) begin
        if (begins && port_row_q[1:0] == 2'(s)) begin
          arrived_q[L*s+:L] <= L'(same);
          offs_q[S*s+:S] <= off;
        end else if (arrives_q && arrives_slot_q == 2'(s)) begin
          arrived_q[L*s+:L] <= arrives_line_q + 1'b1;
        end
      end
    end
  end

  logic unused;
  assign unused = ^{insn_i, sems, fill_off, row, line, c, m, n};

endmodule
