// SPDX-License-Identifier: Apache-2.0
// The vector processor's three TSRAM ports with the line that each keeps. A read of the kept line
// needs no grant; a write is kept and written when another line comes or the routine ends. Kept
// lines know what was stored since. An access of two lines takes one after the other. Whether a
// request is granted is a function of the cycle, so it is known here without the answer.
module tsr_tvp_ports (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [2:0] phase_i,
    input logic clear_i,  // a routine starts: nothing is kept
    input logic go_i,  // the access below, in order, until done
    input logic store_i,
    input logic odd_i,  // which read port
    input logic [tsr_tile_pkg::TSRAM_W-1:0] address_i,
    input logic [tsr_tile_pkg::LINE_SHIFT:0] bytes_i,  // at most a line; not 0
    input logic [tsr_tile_pkg::LINE_BITS-1:0] data_i,  // from address on
    output logic done_o,
    input logic flush_i,  // the routine has ended, after this cycle's access
    output logic clean_o,  // and nothing is left to be written
    output logic [tsr_tile_pkg::LINE_BITS-1:0] data_o,  // of a load, the cycle after it was done
    output tsr_tile_pkg::rd_req_t read0_o,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] read0_i,
    output tsr_tile_pkg::rd_req_t read1_o,
    input logic [tsr_tile_pkg::LINE_BITS-1:0] read1_i,
    output tsr_tile_pkg::wr_req_t write_o
);

  localparam int unsigned LineW = tsr_tile_pkg::LINE_W;
  localparam int unsigned Bytes = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned Bits = tsr_tile_pkg::LINE_BITS;
  localparam int unsigned Shift = tsr_tile_pkg::LINE_SHIFT;

  function automatic logic mine(input logic [2:0] line, input logic [2:0] requester,
                                input logic [2:0] phase);
    mine = line - requester == phase;
  endfunction

  // Bytes of `from` where the mask has a bit, else of `to`.
  function automatic logic [Bits-1:0] merge(input logic [Bits-1:0] to, input logic [Bits-1:0] from,
                                            input logic [Bytes-1:0] mask);
    for (int b = 0; b < Bytes; b++) merge[8*b+:8] = mask[b] ? from[8*b+:8] : to[8*b+:8];
  endfunction

  // ---- the access
  logic half_q, half_d;  // its first line is done
  logic [LineW-1:0] first, last;
  logic [Shift-1:0] offset;
  logic two, load, store;
  logic [tsr_tile_pkg::TSRAM_W-1:0] end_at;
  assign end_at = address_i + tsr_tile_pkg::TSRAM_W'(bytes_i) - 1'b1;
  assign first = address_i[Shift+:LineW];
  assign last = end_at[Shift+:LineW];
  assign offset = address_i[Shift-1:0];
  assign two = first != last;
  assign load = go_i && !store_i;
  assign store = go_i && store_i;

  // ---- reads
  logic [1:0] kept_q, fresh_q;
  logic [2*LineW-1:0] line_q;
  logic [2*Bits-1:0] data_q, now;
  logic hit, at_last, ask, granted, load_done;
  logic [LineW-1:0] held, wanted;
  assign held = line_q[LineW*odd_i+:LineW];
  assign hit = kept_q[odd_i] && held == (half_q ? last : first);
  // Past the first line: by a cycle before, or because it is at hand.
  assign at_last = half_q || !two || hit;
  assign wanted = at_last ? last : first;
  assign ask = load && !(hit && (half_q || !two));
  assign granted = ask && mine(wanted[2:0], odd_i ? 3'd3 : 3'd2, phase_i);
  assign load_done = load && at_last && (!ask || granted);
  assign read0_o = {ask && !odd_i, wanted};
  assign read1_o = {ask && odd_i, wanted};

  // ---- writes: the kept line, then what this cycle's access makes of it
  logic dirty_q, dirty_d;
  logic [LineW-1:0] dline_q, dline_d;
  logic [Bits-1:0] ddata_q, ddata_d;
  logic [Bytes-1:0] dmask_q, dmask_d;
  logic store_done, used, evict, took_first;
  logic [2*Bits-1:0] window;
  logic [2*Bytes-1:0] window_mask;
  assign window = {{Bits{1'b0}}, data_i} << {offset, 3'b0};
  assign window_mask = ~({2 * Bytes{1'b1}} << bytes_i) << offset;

  // What goes out in this cycle, if the port's turn is the line's.
  logic [LineW-1:0] oline;
  logic [Bits-1:0] odata;
  logic [Bytes-1:0] omask;
  always_comb begin
    dirty_d = dirty_q;
    dline_d = dline_q;
    ddata_d = ddata_q;
    dmask_d = dmask_q;
    oline = dline_q;
    odata = ddata_q;
    omask = dmask_q;
    used = 1'b0;
    evict = 1'b0;
    took_first = half_q;
    store_done = 1'b0;
    if (store && !half_q) begin
      if (dirty_q && dline_q != first) begin
        evict = 1'b1;
        used = 1'b1;
        if (mine(dline_q[2:0], 3'd4, phase_i)) begin
          took_first = 1'b1;
          ddata_d = window[Bits-1:0];
          dmask_d = window_mask[Bytes-1:0];
        end
      end else begin
        took_first = 1'b1;
        ddata_d = merge(ddata_q, window[Bits-1:0], window_mask[Bytes-1:0]);
        dmask_d = (dirty_q ? dmask_q : '0) | window_mask[Bytes-1:0];
      end
      if (took_first) begin
        dirty_d = 1'b1;
        dline_d = first;
      end
    end
    if (store && took_first) begin
      if (!two) begin
        store_done = 1'b1;
      end else if (!used) begin
        // The first line, as it is now, makes way for the second.
        evict = 1'b1;
        used = 1'b1;
        oline = dline_d;
        odata = ddata_d;
        omask = dmask_d;
        if (mine(dline_d[2:0], 3'd4, phase_i)) begin
          store_done = 1'b1;
          dline_d = last;
          ddata_d = window[2*Bits-1:Bits];
          dmask_d = window_mask[2*Bytes-1:Bytes];
        end
      end
    end
    half_d = store ? took_first && !store_done : load && at_last && two && !load_done;
    if (load && two && !at_last && granted) half_d = 1'b1;
  end
  assign done_o = load_done || store_done;
  assign clean_o = !dirty_d;

  // The routine's last line leaves when no access uses the port.
  logic flush;
  assign flush = flush_i && dirty_d && !used;
  assign write_o.valid = en_i && (evict || flush);
  assign write_o.line = flush ? dline_d : oline;
  assign write_o.mask = flush ? dmask_d : omask;
  assign write_o.data = flush ? ddata_d : odata;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      dirty_q <= 1'b0;
      half_q <= 1'b0;
      kept_q <= '0;
      fresh_q <= '0;
    end else if (en_i) begin
      dirty_q <= !clear_i && dirty_d && !(flush && mine(dline_d[2:0], 3'd4, phase_i));
      half_q <= !clear_i && half_d;
      fresh_q <= granted ? 2'd1 << odd_i : 2'd0;
      if (clear_i) kept_q <= '0;
      else if (granted) kept_q[odd_i] <= 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      dline_q <= dline_d;
      ddata_q <= ddata_d;
      dmask_q <= dmask_d;
      if (granted) line_q[LineW*odd_i+:LineW] <= wanted;
    end
  end

  // ---- what the read ports keep, with the bytes that wait at the write port
  logic [2*Bits-1:0] answer;
  assign answer = {read1_i, read0_i};
  for (genvar p = 0; p < 2; p++) begin : g_read
    logic waits, first_here, second_here;
    logic [Bits-1:0] next;
    assign waits = dirty_q && dline_q == line_q[LineW*p+:LineW];
    assign now[Bits*p+:Bits] = !fresh_q[p] ? data_q[Bits*p+:Bits] :
        waits ? merge(answer[Bits*p+:Bits], ddata_q, dmask_q) : answer[Bits*p+:Bits];
    assign first_here = store && line_q[LineW*p+:LineW] == first;
    assign second_here = store && two && line_q[LineW*p+:LineW] == last;
    // Bytes may be stored again while the access waits for its second line.
    always_comb begin
      next = now[Bits*p+:Bits];
      if (first_here) next = merge(next, window[Bits-1:0], window_mask[Bytes-1:0]);
      if (second_here) next = merge(next, window[2*Bits-1:Bits], window_mask[2*Bytes-1:Bytes]);
    end
    always_ff @(posedge clk_i) begin
      if (en_i) data_q[Bits*p+:Bits] <= next;
    end
  end

  // ---- a load's bytes, from its address on
  logic odd_q, two_q;
  logic [Shift-1:0] offset_q;
  logic [2*Bits-1:0] both;
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      odd_q <= odd_i;
      two_q <= two;
      offset_q <= offset;
    end
  end
  always_comb begin
    both = {now[Bits*odd_q+:Bits], two_q ? data_q[Bits*odd_q+:Bits] : now[Bits*odd_q+:Bits]};
    both = both >> {offset_q, 3'b0};
  end
  assign data_o = both[Bits-1:0];

  logic unused;
  assign unused = ^{both[2*Bits-1:Bits], end_at[Shift-1:0]};

endmodule
