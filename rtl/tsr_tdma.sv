// SPDX-License-Identifier: Apache-2.0
// The data mover: four channels whose requests go out one a cycle by turns, while the window has
// room; a buffer that holds each request's bytes between TSRAM and port; the TSRAM's two sides.
// Transposes and to_control go through the TSRAM's sides in the same order, one at a time.
module tsr_tdma (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [tsr_tile_pkg::CHANNELS-1:0] start_i,
    input tsr_tile_pkg::unit_insn_t insn0_i,
    input tsr_tile_pkg::unit_insn_t insn1_i,
    input tsr_tile_pkg::unit_insn_t insn2_i,
    input tsr_tile_pkg::unit_insn_t insn3_i,
    output logic [tsr_tile_pkg::CHANNELS-1:0] ready_o,
    // TSRAM: requesters 5 and 6
    output tsr_tile_pkg::rd_req_t read_o,
    input tsr_tile_pkg::rd_rsp_t read_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // control memory
    output logic [tsr_tile_pkg::CONTROL_W-1:0] index_addr_o,
    input logic [31:0] index_i,
    output logic control_write_o,
    output logic [tsr_tile_pkg::CONTROL_W-1:0] control_addr_o,
    output logic [7:0] control_mask_o,
    output logic [63:0] control_wdata_o,
    // the tile's port
    output tsr_tile_pkg::dma_req_t req_o,
    output tsr_tile_pkg::out_beat_t out_o,
    input logic [4:0] heads_i,  // packets for the TSRAM that reached the cluster
    input tsr_tile_pkg::in_beat_t in_i,
    input logic [tsr_tile_pkg::ACK_LANES*(tsr_tile_pkg::ID_W+1)-1:0] acks_i,
    output logic [tsr_tile_pkg::CHANNELS-1:0] rpost_o,
    output logic [tsr_tile_pkg::CHANNELS*64-1:0] rpost_mask_o,
    output logic [tsr_tile_pkg::CHANNELS*6-1:0] rpost_sem_o,
    // per channel
    output logic [tsr_tile_pkg::CHANNELS*2*27-1:0] posts_o,
    output logic [tsr_tile_pkg::CHANNELS-1:0] retire_o,
    output tsr_tile_pkg::fault_t fault0_o,
    output tsr_tile_pkg::fault_t fault1_o,
    output tsr_tile_pkg::fault_t fault2_o,
    output tsr_tile_pkg::fault_t fault3_o
);

  localparam int unsigned Channels = tsr_tile_pkg::CHANNELS;
  localparam int unsigned NumberW = tsr_tile_pkg::NUMBER_W;
  localparam int unsigned Numbers = tsr_tile_pkg::NUMBERS;
  localparam int unsigned IndexW = $clog2(tsr_tile_pkg::NUMBERS);
  localparam int unsigned Max = tsr_tile_pkg::MAX_REQUESTS;
  localparam int unsigned ReqW = tsr_tile_pkg::REQUEST_W;
  localparam int unsigned ReqBits = 8 * tsr_tile_pkg::REQUEST_BYTES;
  localparam int unsigned IdW = tsr_tile_pkg::ID_W;
  localparam int unsigned Acks = tsr_tile_pkg::ACK_LANES;
  localparam int unsigned Window = tsr_chip_pkg::TILE_TDMA_WINDOW_BYTES;
  localparam int unsigned Shift = tsr_chip_pkg::TILE_TDMA_WINDOW_BYTES > 65535 ? 32 : 20;
  localparam int unsigned InsnBits = 145 + 64 * tsr_isa_pkg::SLOTS;
  localparam int unsigned LayoutBits = 2 * tsr_tile_pkg::TSRAM_W + 3 * ReqW;
  localparam int unsigned CW = tsr_tile_pkg::CONTROL_W;

  // ---- channels
  logic [Channels-1:0] wants, free, singles, turn;
  localparam int unsigned SingleBits = tsr_tile_pkg::SINGLE_BITS;
  logic [Channels*SingleBits-1:0] whats;
  logic [Channels*64-1:0] masks;
  logic [Channels*3-1:0] kinds;
  logic [Channels*4-1:0] slots;
  logic [Channels*64-1:0] fars, nears, locals;
  logic [Channels*LayoutBits-1:0] layouts;
  logic [Channels*CW-1:0] index_addrs;
  logic [Channels*InsnBits-1:0] insns;
  logic [Channels*22-1:0] faults;
  // what completes: lane 0 of the TSRAM's write side, then acknowledgements, then the single
  logic [Acks+1:0] done;
  logic [(Acks+1)*NumberW-1:0] done_number;
  logic [(Acks+2)*2-1:0] done_channel;
  logic [(Acks+2)*4-1:0] done_slot;
  logic [(Acks+2)*ReqW-1:0] done_bytes;

  assign insns = {insn3_i, insn2_i, insn1_i, insn0_i};
  assign {fault3_o, fault2_o, fault1_o, fault0_o} = faults;

  for (genvar c = 0; c < Channels; c++) begin : g_channel
    logic [Acks+1:0] mine;
    for (genvar k = 0; k <= Acks + 1; k++) begin : g_mine
      assign mine[k] = done[k] && done_channel[2*k+:2] == 2'(c);
    end
    tsr_dma_channel #(
        .Queue(3'(tsr_tile_pkg::Q_DMA0 + c))
    ) u_channel (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en_i),
        .start_i(start_i[c]),
        .insn_i(insns[InsnBits*c+:InsnBits]),
        .ready_o(ready_o[c]),
        .fault_o(faults[22*c+:22]),
        .wants_o(wants[c]),
        .free_o(free[c]),
        .single_o(singles[c]),
        .what_o(whats[SingleBits*c+:SingleBits]),
        .mask_o(masks[64*c+:64]),
        .turn_i(turn[c]),
        .kind_o(kinds[3*c+:3]),
        .number_o(slots[4*c+:4]),
        .far_o(fars[64*c+:64]),
        .near_o(nears[64*c+:64]),
        .local_o(locals[64*c+:64]),
        .layout_o(layouts[LayoutBits*c+:LayoutBits]),
        .index_addr_o(index_addrs[CW*c+:CW]),
        .index_i(index_i),
        .done_i(mine),
        .done_number_i(done_slot),
        .done_bytes_i(done_bytes),
        .retire_o(retire_o[c]),
        .posts_o(posts_o[54*c+:54]),
        .rpost_o(rpost_o[c]),
        .rpost_mask_o(rpost_mask_o[64*c+:64]),
        .rpost_sem_o(rpost_sem_o[6*c+:6])
    );
  end

  // ---- whose turn it is
  logic [1:0] next_q, who, candidate;
  logic [Shift-1:0] in_flight_q, completed;
  logic [9:0] requests_q, completed_requests;
  logic room, any, single_busy;
  assign room = requests_q != 10'(Max) &&
      32'(in_flight_q) + tsr_tile_pkg::REQUEST_BYTES <= Window;
  always_comb begin
    turn = '0;
    who = '0;
    any = 1'b0;
    candidate = '0;
    for (int k = 0; k < Channels; k++) begin
      candidate = next_q + 2'(k);
      if (!any && en_i && wants[candidate] &&
          (singles[candidate] ? !single_busy : free[candidate] || room)) begin
        any = 1'b1;
        who = candidate;
        turn[candidate] = 1'b1;
      end
    end
  end
  assign index_addr_o = index_addrs[CW*32'(who)+:CW];

  logic [2:0] kind;  // desc_kind_e
  tsr_tile_pkg::layout_t layout, layout_read, layout_write;
  logic issue;  // a request proper
  logic [21:0] who_fault;
  logic [63:0] far;
  assign kind = kinds[3*32'(who)+:3];
  assign layout = layouts[LayoutBits*32'(who)+:LayoutBits];
  assign far = fars[64*32'(who)+:64];
  assign who_fault = faults[22*32'(who)+:22];
  assign issue = any && !free[who] && !singles[who] && !who_fault[21];

  // ---- the single: read in the turn of requests, unless it has no bytes
  logic single_begin, single_reads, single_control, single_done;
  tsr_tile_pkg::single_t what;
  assign what = whats[SingleBits*32'(who)+:SingleBits];
  assign single_begin = any && singles[who];
  assign single_reads = single_begin && !(what.control && what.len == '0);

  // ---- numbers of requests in flight
  logic [Max-1:0] used_q;
  logic [NumberW-1:0] number;
  always_comb begin
    number = '0;
    if (issue) begin
      for (int i = Max - 1; i >= 0; i--) begin
        if (!used_q[i]) number = NumberW'(i);
      end
    end
  end

  // By number: whose it is, and where its bytes lie in the TSRAM, read from or written to.
  localparam int unsigned AboutBits = 2 + 4 + 3 + ReqW;
  logic [AboutBits-1:0] about[Max];
  logic [LayoutBits-1:0] from_layout[Max];
  logic [LayoutBits-1:0] to_layout[Numbers];
  always_comb begin
    layout_read = layout;
    layout_write = layout;
    if (kind == tsr_tile_pkg::DESC_LOCAL) begin
      layout_write.at = far[tsr_tile_pkg::TSRAM_W-1:0];
      layout_write.first = layout.bytes;
      layout_write.len = layout.bytes;
      layout_write.gap = '0;
    end
    if (kind == tsr_tile_pkg::DESC_CAST) begin  // read where it is contiguous
      layout_read.at = far[tsr_tile_pkg::TSRAM_W-1:0];
      layout_read.first = layout.bytes;
      layout_read.len = layout.bytes;
      layout_read.gap = '0;
    end
  end

  // ---- in: a packet is whole in the buffer in the cycle after its last beat
  logic [ReqBits-1:0] receive_q, receive_d;
  logic [$clog2(tsr_tile_pkg::REQUEST_BYTES)-1:0] beat_q;
  logic arrive, forward_q;
  logic [NumberW-1:0] arrive_number, forward_number_q;
  logic [AboutBits-1:0] arrive_about;
  logic [$clog2(tsr_tile_pkg::CASTS)-1:0] cast_q;
  always_comb begin
    receive_d = receive_q;
    receive_d[tsr_tile_pkg::PORT_BITS*32'(beat_q)+:tsr_tile_pkg::PORT_BITS] = in_i.data;
  end
  assign arrive = en_i && in_i.valid && in_i.last;
  assign arrive_number = in_i.cast ? NumberW'(Max) + NumberW'(cast_q) : NumberW'(in_i.id);
  assign arrive_about = about[in_i.id];
  logic arrive_forward;
  assign arrive_forward = !in_i.cast &&
      arrive_about[ReqW+:3] == tsr_tile_pkg::DESC_FORWARD;

  // ---- the TSRAM's sides
  logic store, local_q;
  logic [NumberW-1:0] read_job, store_number, local_number_q, write_job, write_done_number;
  logic [ReqBits-1:0] store_data;
  logic [ReqBits-1:0] buffer[Numbers];
  logic write_done;
  logic [AboutBits-1:0] store_about;
  logic store_single;
  assign store_single = store_number == tsr_tile_pkg::SINGLE;
  assign store_about = about[store_number[IdW-1:0]];

  // What leaves from the TSRAM through the port.
  logic sends;
  assign sends = kind == tsr_tile_pkg::DESC_WRITE ||
      (kind == tsr_tile_pkg::DESC_CAST && far[63:56] == 8'd0);

  logic [tsr_tile_pkg::LINE_W-1:0] single_line;
  logic single_last, single_gnt, single_take, single_put, single_put_last, single_put_gnt;
  tsr_tile_pkg::wr_req_t single_write;
  assign single_write.valid = single_put;
  tsr_dma_single u_single (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .begin_i(single_begin),
      .single_i(what),
      .busy_o(single_busy),
      .control_o(single_control),
      .line_o(single_line),
      .last_o(single_last),
      .gnt_i(single_gnt),
      .take_i(single_take),
      .rdata_i(read_i.rdata),
      .put_i(single_put),
      .put_line_o(single_write.line),
      .put_mask_o(single_write.mask),
      .put_data_o(single_write.data),
      .put_last_o(single_put_last),
      .put_gnt_i(single_put_gnt),
      .put_done_i(write_done && write_done_number == tsr_tile_pkg::SINGLE),
      .write_o(control_write_o),
      .addr_o(control_addr_o),
      .mask_o(control_mask_o),
      .wdata_o(control_wdata_o),
      .done_o(single_done)
  );

  tsr_dma_read u_read (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .push_i((issue && (sends || kind == tsr_tile_pkg::DESC_LOCAL)) || single_reads),
      .number_i(single_reads ? tsr_tile_pkg::SINGLE : number),
      .job_o(read_job),
      .layout_i(from_layout[read_job[IdW-1:0]]),
      .single_line_i(single_line),
      .single_last_i(single_last),
      .single_gnt_o(single_gnt),
      .single_take_o(single_take),
      .read_o(read_o),
      .read_i(read_i),
      .store_o(store),
      .store_number_o(store_number),
      .store_data_o(store_data)
  );

  tsr_dma_write u_write (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .heads_i(heads_i),
      .arrive_i(arrive && !arrive_forward),
      .arrive_number_i(arrive_number),
      .local_i(local_q),
      .local_number_i(local_number_q),
      .job_o(write_job),
      .layout_i(to_layout[write_job[IndexW-1:0]]),
      .data_i(buffer[write_job[IndexW-1:0]]),
      .single_i(single_write),
      .single_last_i(single_put_last),
      .single_put_o(single_put),
      .single_gnt_o(single_put_gnt),
      .write_o(write_o),
      .gnt_i(write_gnt_i),
      .done_o(write_done),
      .done_number_o(write_done_number)
  );

  // ---- out
  logic [NumberW-1:0] out_number;
  logic [Max-1:0] stored_q;
  logic sent_unused;
  logic [AboutBits-1:0] out_about;
  assign out_about = about[out_number[IdW-1:0]];
  tsr_dma_out u_out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .write_i(issue && sends),
      .write_number_i(number),
      .forward_i(forward_q),
      .forward_number_i(forward_number_q),
      .ready_i(stored_q[out_number[IdW-1:0]]),
      .head_o(out_number),
      .bytes_i(out_about[ReqW-1:0]),
      .data_i(buffer[out_number[IndexW-1:0]]),
      .sent_o(sent_unused),
      .out_o(out_o)
  );

  // ---- completion
  logic [AboutBits-1:0] lane_about;
  logic [3:0] single_slot_q;
  logic [1:0] single_channel_q;
  always_comb begin
    done[0] = write_done && 32'(write_done_number) < Max;
    done_number[NumberW-1:0] = write_done_number;
    for (int k = 0; k < Acks; k++) begin
      done[k+1] = acks_i[k*(IdW+1)+IdW];
      done_number[NumberW*(k+1)+:NumberW] = NumberW'(acks_i[k*(IdW+1)+:IdW]);
    end
    done[Acks+1] = single_done;
    done_slot[4*(Acks+1)+:4] = single_slot_q;
    done_channel[2*(Acks+1)+:2] = single_channel_q;
    done_bytes[ReqW*(Acks+1)+:ReqW] = ReqW'(1);
    completed = '0;
    completed_requests = '0;
    lane_about = '0;
    for (int k = 0; k <= Acks; k++) begin
      lane_about = about[done_number[NumberW*k+:IdW]];
      done_bytes[ReqW*k+:ReqW] = lane_about[ReqW-1:0];
      done_slot[4*k+:4] = lane_about[ReqW+3+:4];
      done_channel[2*k+:2] = lane_about[ReqW+7+:2];
      if (done[k]) begin
        completed = completed + Shift'(lane_about[ReqW-1:0]);
        completed_requests = completed_requests + 10'd1;
      end
    end
  end

  // ---- the request on the port, a cycle after its issue
  tsr_tile_pkg::dma_req_t req_q;
  assign req_o = req_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      next_q <= '0;
      in_flight_q <= '0;
      requests_q <= '0;
      used_q <= '0;
      stored_q <= '0;
      beat_q <= '0;
      cast_q <= '0;
      local_q <= 1'b0;
      forward_q <= 1'b0;
      req_q <= '0;
    end else if (en_i) begin
      if (any) next_q <= who + 2'd1;
      in_flight_q <= in_flight_q + (issue ? Shift'(layout.bytes) : '0) - completed;
      requests_q <= requests_q + 10'(issue) - completed_requests;
      if (issue) used_q[number[IdW-1:0]] <= 1'b1;
      for (int k = 0; k <= Acks; k++) begin
        if (done[k]) used_q[done_number[NumberW*k+:IdW]] <= 1'b0;
      end
      if (issue) stored_q[number[IdW-1:0]] <= 1'b0;
      if (store && !store_single) stored_q[store_number[IdW-1:0]] <= 1'b1;
      if (arrive_forward && arrive) stored_q[arrive_number[IdW-1:0]] <= 1'b1;
      if (in_i.valid) beat_q <= in_i.last ? '0 : beat_q + 1'b1;
      if (arrive && in_i.cast) cast_q <= cast_q + 1'b1;
      local_q <= store && (store_single ? !single_control :
                           store_about[ReqW+:3] == tsr_tile_pkg::DESC_LOCAL);
      forward_q <= arrive && arrive_forward;
      req_q.valid <= issue && kind != tsr_tile_pkg::DESC_LOCAL;
      req_q.kind <= kind == tsr_tile_pkg::DESC_WRITE ? tsr_tile_pkg::DMA_WRITE :
          kind == tsr_tile_pkg::DESC_CAST ? tsr_tile_pkg::DMA_CAST :
          kind == tsr_tile_pkg::DESC_FORWARD ? tsr_tile_pkg::DMA_FORWARD : tsr_tile_pkg::DMA_READ;
      req_q.channel <= who;
      req_q.id <= number[IdW-1:0];
      req_q.address <= far;
      req_q.to <= nears[64*32'(who)+:64];
      req_q.bytes <= layout.bytes;
      req_q.mask <= masks[64*32'(who)+:64];
      req_q.layout <= layout;
    end
  end

  always_ff @(posedge clk_i) begin
    if (issue) begin
      about[number[IdW-1:0]] <= {who, slots[4*32'(who)+:4], kind, layout.bytes};
      from_layout[number[IdW-1:0]] <= layout_read;
    end
    if (issue && kind != tsr_tile_pkg::DESC_WRITE) to_layout[number[IndexW-1:0]] <= layout_write;
    if (arrive && in_i.cast) to_layout[arrive_number[IndexW-1:0]] <= in_i.layout;
    if (in_i.valid) receive_q <= receive_d;
    if (arrive) buffer[arrive_number[IndexW-1:0]] <= receive_d;
    if (store && !store_single) buffer[store_number[IndexW-1:0]] <= store_data;
    if (single_begin) begin
      single_slot_q <= slots[4*32'(who)+:4];
      single_channel_q <= who;
    end
    local_number_q <= store_number;
    forward_number_q <= arrive_number;
  end

  logic unused;
  assign unused = ^{locals, sent_unused, write_job, out_number};

endmodule
