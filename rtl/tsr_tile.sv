// SPDX-License-Identifier: Apache-2.0
// One tile: units that meet at semaphores, and the memory between them. A fault stops all of them
// at the end of its cycle. The trace_* ports show what happens; nothing depends on them.
module tsr_tile (
    input logic clk_i,
    input logic rst_ni,
    input tsr_tile_pkg::host_t host_i,
    input logic doorbell_i,  // high in cycle 0
    // the tile's port to its cluster
    output tsr_tile_pkg::dma_req_t req_o,
    output tsr_tile_pkg::out_beat_t out_o,
    input logic [4:0] heads_i,
    input tsr_tile_pkg::in_beat_t in_i,
    input logic [tsr_tile_pkg::ACK_LANES*(tsr_tile_pkg::ID_W+1)-1:0] acks_i,
    input logic [tsr_tile_pkg::REMOTE_LANES*27-1:0] remote_i,  // posts from other tiles
    output logic [tsr_tile_pkg::CHANNELS-1:0] rpost_o,
    output logic [tsr_tile_pkg::CHANNELS*64-1:0] rpost_mask_o,
    output logic [tsr_tile_pkg::CHANNELS*6-1:0] rpost_sem_o,
    // the first fault
    output logic fault_o,  // in its cycle
    output tsr_tile_pkg::fault_e fault_kind_o,
    output logic [2:0] fault_queue_o,
    output logic [16:0] fault_pc_o,
    output logic stopped_o,  // from the cycle after it on
    // trace
    output logic trace_tcp_o,
    output logic [16:0] trace_tcp_pc_o,
    output logic trace_halted_o,
    output logic trace_x_o,
    output logic [4:0] trace_x_reg_o,
    output logic [63:0] trace_x_value_o,
    output logic trace_control_o,
    output logic [tsr_tile_pkg::CONTROL_W-1:0] trace_control_addr_o,
    output logic [7:0] trace_control_mask_o,
    output logic [63:0] trace_control_data_o,
    output logic [tsr_tile_pkg::QUEUES-1:0] trace_start_o,
    output logic [tsr_tile_pkg::QUEUES*17-1:0] trace_start_pc_o,
    output logic [tsr_tile_pkg::QUEUES*5-1:0] trace_retire_o,  // how many
    output logic [tsr_tile_pkg::SEMS-1:0] trace_sem_o,
    output logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] trace_count_o,
    output tsr_tile_pkg::wr_req_t trace_tvp_write_o,  // granted writes
    output tsr_tile_pkg::wr_req_t trace_dma_write_o,
    output tsr_tile_pkg::wr_req_t trace_acc_write_o,
    output tsr_tile_pkg::acc_tile_t trace_tile_o,
    output logic [tsr_tile_pkg::TILE_BITS-1:0] trace_tile_data_o,
    output tsr_tile_pkg::acc_wr_t trace_fill_o,
    output logic [1:0] trace_issue_o,
    output logic [2*17-1:0] trace_issue_pc_o,
    output logic [tsr_tile_pkg::TVP_RESULTS-1:0] trace_result_o,
    output logic [5*tsr_tile_pkg::TVP_RESULTS-1:0] trace_result_reg_o,
    output logic [32*tsr_tile_pkg::LANES*tsr_tile_pkg::TVP_RESULTS-1:0] trace_result_value_o
);

  localparam int unsigned Queues = tsr_tile_pkg::QUEUES;
  localparam int unsigned LaunchW = $clog2(tsr_chip_pkg::LAUNCH_CYCLES + 1) + 1;
  localparam int unsigned TtuPosts = 2 * tsr_tile_pkg::MAX_ACTIVE;
  localparam int unsigned DmaPosts = 2 * tsr_tile_pkg::CHANNELS;
  localparam int unsigned Lanes = 2 + DmaPosts + tsr_tile_pkg::REMOTE_LANES + TtuPosts + 2 + 2;

  // ---- time
  logic [2:0] phase_q;
  logic [LaunchW-1:0] wait_q;
  logic running_q, stopped_q, en, go;

  assign en = !stopped_q;
  assign go = (running_q || doorbell_i) && wait_q == '0;
  assign stopped_o = stopped_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      phase_q <= '0;
      wait_q <= LaunchW'(tsr_chip_pkg::LAUNCH_CYCLES);
      running_q <= 1'b0;
      stopped_q <= 1'b0;
    end else begin
      if (running_q || doorbell_i) begin
        phase_q <= phase_q + 3'd1;
        if (wait_q != '0) wait_q <= wait_q - 1'b1;
      end
      running_q <= running_q | doorbell_i;
      stopped_q <= stopped_q | fault_o;
    end
  end

  // ---- semaphores
  logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts;
  logic [tsr_tile_pkg::SEMS*4-1:0] consumers;
  logic [Queues-1:0] consume, start;
  logic [Queues*22-1:0] waits;
  logic [2*27-1:0] tcp_posts, acc_posts, tvp_posts;
  logic [TtuPosts*27-1:0] ttu_posts;
  logic [DmaPosts*27-1:0] dma_posts;
  tsr_tile_pkg::fault_t sync_fault;
  logic [2:0] sync_queue;

  tsr_sync #(
      .Lanes(Lanes)
  ) u_sync (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .host_i(host_i),
      .consume_i(consume),
      .waits_i(waits),
      .posts_i({tvp_posts, acc_posts, ttu_posts, remote_i, dma_posts, tcp_posts}),
      .counts_o(counts),
      .consumers_o(consumers),
      .fault_o(sync_fault),
      .fault_queue_o(sync_queue),
      .touched_o(trace_sem_o),
      .counts_d_o(trace_count_o)
  );

  // ---- control memory
  logic [tsr_tile_pkg::CONTROL_W-1:0] control_addr, index_addr, dma_control_addr;
  logic [63:0] control_rdata, control_wdata, dma_control_wdata;
  logic [7:0] control_mask, dma_control_mask;
  logic control_write, dma_control_write;
  logic [31:0] index;

  tsr_control u_control (
      .clk_i(clk_i),
      .host_i(host_i),
      .addr_i(control_addr),
      .write_i(control_write),
      .mask_i(control_mask),
      .wdata_i(control_wdata),
      .rdata_o(control_rdata),
      .index_addr_i(index_addr),
      .index_o(index),
      .dma_write_i(dma_control_write),
      .dma_addr_i(dma_control_addr),
      .dma_mask_i(dma_control_mask),
      .dma_wdata_i(dma_control_wdata)
  );

  // ---- TCP
  logic [Queues-1:0] push, full, stranger;
  tsr_tile_pkg::unit_insn_t pushed;
  tsr_tile_pkg::sems_t tcp_sems;
  tsr_tile_pkg::fault_t tcp_fault;

  tsr_tcp u_tcp (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .go_i(go),
      .host_i(host_i),
      .control_addr_o(control_addr),
      .control_write_o(control_write),
      .control_mask_o(control_mask),
      .control_wdata_o(control_wdata),
      .control_rdata_i(control_rdata),
      .push_o(push),
      .insn_o(pushed),
      .full_i(full),
      .counts_i(counts),
      .consumers_i(consumers),
      .consume_o(consume[0]),
      .sems_o(tcp_sems),
      .fault_o(tcp_fault),
      .retire_o(trace_tcp_o),
      .pc_o(trace_tcp_pc_o),
      .halted_o(trace_halted_o),
      .write_o(trace_x_o),
      .write_reg_o(trace_x_reg_o),
      .write_value_o(trace_x_value_o)
  );
  assign waits[0+:22] = {tcp_sems.w1, tcp_sems.w0};
  assign tcp_posts = {
    {tcp_sems.p1.valid & consume[0], tcp_sems.p1.id, 3'd0, trace_tcp_pc_o},
    {tcp_sems.p0.valid & consume[0], tcp_sems.p0.id, 3'd0, trace_tcp_pc_o}
  };
  assign full[0] = 1'b0;
  assign stranger[0] = 1'b0;
  assign start[0] = 1'b0;

  // ---- queues
  logic [Queues-1:0] ready;
  logic [Queues*36-1:0] sems;  // sems_t of each head
  assign sems[35:0] = '0;
  localparam int unsigned InsnBits = 145 + 64 * tsr_isa_pkg::SLOTS;
  logic [Queues*InsnBits-1:0] insn;  // unit_insn_t of each head
  assign insn[InsnBits-1:0] = '0;
  assign ready[0] = 1'b0;

  for (genvar q = 1; q < Queues; q++) begin : g_queue
    tsr_queue #(
        .Queue(3'(q)),
        .Slots(q == 1 ? tsr_isa_pkg::SLOTS_TTU : q == 2 ? tsr_isa_pkg::SLOTS_ACC :
               q == 3 ? tsr_isa_pkg::SLOTS_TVP : tsr_isa_pkg::SLOTS_TDMA)
    ) u_queue (
        .clk_i(clk_i),
        .rst_ni(rst_ni),
        .en_i(en),
        .push_i(push[q]),
        .insn_i(pushed),
        .full_o(full[q]),
        .counts_i(counts),
        .consumers_i(consumers),
        .ready_i(ready[q]),
        .start_o(start[q]),
        .insn_o(insn[InsnBits*q+:InsnBits]),
        .sems_o(sems[36*q+:36]),
        .stranger_o(stranger[q])
    );
    assign consume[q] = start[q];
    assign waits[22*q+:22] = sems[36*q+:22];
    assign trace_start_pc_o[17*q+:17] = insn[InsnBits*(q+1)-17+:17];
  end
  assign trace_start_o = start;
  assign trace_start_pc_o[16:0] = '0;

  // ---- memories between the units
  tsr_tile_pkg::rd_req_t ttu_a, ttu_b, tvp_read0, tvp_read1, dma_read, acc_read;
  tsr_tile_pkg::rd_rsp_t ttu_a_r, ttu_b_r, tvp_read0_r, tvp_read1_r, dma_read_r, acc_read_r;
  tsr_tile_pkg::wr_req_t tvp_write, dma_write, acc_write;
  logic tvp_write_gnt, dma_write_gnt, acc_write_gnt;

  tsr_tsram u_tsram (
      .clk_i(clk_i),
      .phase_i(phase_q),
      .ttu_a_i(ttu_a),
      .ttu_a_o(ttu_a_r),
      .ttu_b_i(ttu_b),
      .ttu_b_o(ttu_b_r),
      .tvp_read0_i(tvp_read0),
      .tvp_read0_o(tvp_read0_r),
      .tvp_read1_i(tvp_read1),
      .tvp_read1_o(tvp_read1_r),
      .tvp_write_i(tvp_write),
      .tvp_write_gnt_o(tvp_write_gnt),
      .dma_read_i(dma_read),
      .dma_read_o(dma_read_r),
      .dma_write_i(dma_write),
      .dma_write_gnt_o(dma_write_gnt),
      .acc_read_i(acc_read),
      .acc_read_o(acc_read_r),
      .acc_write_i(acc_write),
      .acc_write_gnt_o(acc_write_gnt)
  );

  tsr_tile_pkg::acc_tile_t tile_read, tile_write;
  logic [tsr_tile_pkg::TILE_BITS-1:0] tile_rdata, tile_wdata;
  tsr_tile_pkg::acc_rd_t drain, vlda;
  tsr_tile_pkg::acc_wr_t fill;
  logic [32*tsr_tile_pkg::LANES-1:0] drain_rdata, vlda_rdata;
  logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns, acc_owns;

  tsr_acc_pool u_pool (
      .clk_i(clk_i),
      .tile_read_i(tile_read),
      .tile_rdata_o(tile_rdata),
      .tile_write_i(tile_write),
      .tile_wdata_i(tile_wdata),
      .drain_i(drain),
      .drain_rdata_o(drain_rdata),
      .fill_i(fill),
      .vlda_i(vlda),
      .vlda_rdata_o(vlda_rdata)
  );

  // ---- units
  logic [Queues*22-1:0] unit_faults;  // fault_t of each, as the units raise them
  tsr_tile_pkg::fault_t unit_fault;
  logic [4:0] ttu_retire;
  logic acc_retire, tvp_retire;
  logic [tsr_tile_pkg::CHANNELS-1:0] dma_retire;
  assign unit_faults[21:0] = tcp_fault;

  tsr_ttu u_ttu (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .start_i(start[1]),
      .insn_i(insn[1*InsnBits+:InsnBits]),
      .ready_o(ready[1]),
      .a_o(ttu_a),
      .a_i(ttu_a_r),
      .b_o(ttu_b),
      .b_i(ttu_b_r),
      .acc_read_o(tile_read),
      .acc_rdata_i(tile_rdata),
      .acc_write_o(tile_write),
      .acc_wdata_o(tile_wdata),
      .owns_o(ttu_owns),
      .acc_owns_i(acc_owns),
      .posts_o(ttu_posts),
      .retire_o(ttu_retire),
      .fault_o(unit_faults[22+:22])
  );

  tsr_acc u_acc (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .start_i(start[2]),
      .insn_i(insn[2*InsnBits+:InsnBits]),
      .ready_o(ready[2]),
      .read_o(acc_read),
      .read_i(acc_read_r),
      .write_o(acc_write),
      .write_gnt_i(acc_write_gnt),
      .drain_o(drain),
      .drain_i(drain_rdata),
      .fill_o(fill),
      .owns_o(acc_owns),
      .ttu_owns_i(ttu_owns),
      .posts_o(acc_posts),
      .retire_o(acc_retire),
      .fault_o(unit_faults[44+:22])
  );

  tsr_tvp u_tvp (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .phase_i(phase_q),
      .host_i(host_i),
      .start_i(start[3]),
      .insn_i(insn[3*InsnBits+:InsnBits]),
      .ready_o(ready[3]),
      .read0_o(tvp_read0),
      .read0_i(tvp_read0_r),
      .read1_o(tvp_read1),
      .read1_i(tvp_read1_r),
      .write_o(tvp_write),
      .write_gnt_i(tvp_write_gnt),
      .vlda_o(vlda),
      .vlda_i(vlda_rdata),
      .ttu_owns_i(ttu_owns),
      .posts_o(tvp_posts),
      .retire_o(tvp_retire),
      .fault_o(unit_faults[66+:22]),
      .issue_o(trace_issue_o),
      .issue_pc_o(trace_issue_pc_o),
      .result_o(trace_result_o),
      .result_reg_o(trace_result_reg_o),
      .result_value_o(trace_result_value_o)
  );

  tsr_tdma u_tdma (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en),
      .start_i(start[7:4]),
      .insn0_i(insn[4*InsnBits+:InsnBits]),
      .insn1_i(insn[5*InsnBits+:InsnBits]),
      .insn2_i(insn[6*InsnBits+:InsnBits]),
      .insn3_i(insn[7*InsnBits+:InsnBits]),
      .ready_o(ready[7:4]),
      .read_o(dma_read),
      .read_i(dma_read_r),
      .write_o(dma_write),
      .write_gnt_i(dma_write_gnt),
      .index_addr_o(index_addr),
      .index_i(index),
      .control_write_o(dma_control_write),
      .control_addr_o(dma_control_addr),
      .control_mask_o(dma_control_mask),
      .control_wdata_o(dma_control_wdata),
      .req_o(req_o),
      .out_o(out_o),
      .heads_i(heads_i),
      .in_i(in_i),
      .acks_i(acks_i),
      .rpost_o(rpost_o),
      .rpost_mask_o(rpost_mask_o),
      .rpost_sem_o(rpost_sem_o),
      .posts_o(dma_posts),
      .retire_o(dma_retire),
      .fault0_o(unit_faults[88+:22]),
      .fault1_o(unit_faults[110+:22]),
      .fault2_o(unit_faults[132+:22]),
      .fault3_o(unit_faults[154+:22])
  );

  // ---- of several faults in one cycle the lowest queue; within a queue what it may not consume,
  // then what its unit says, then what it posts
  always_comb begin
    fault_o = 1'b0;
    fault_kind_o = tsr_tile_pkg::FAULT_NONE;
    fault_queue_o = '0;
    fault_pc_o = '0;
    unit_fault = '0;
    for (int q = Queues - 1; q >= 0; q--) begin
      if (sync_fault.valid && sync_queue == 3'(q)) begin
        fault_o = en;
        fault_kind_o = sync_fault.kind;
        fault_queue_o = 3'(q);
        fault_pc_o = sync_fault.pc;
      end
      unit_fault = unit_faults[22*q+:22];
      if (unit_fault.valid) begin
        fault_o = en;
        fault_kind_o = unit_fault.kind;
        fault_queue_o = 3'(q);
        fault_pc_o = unit_fault.pc;
      end
      if (stranger[q]) begin
        fault_o = en;
        fault_kind_o = tsr_tile_pkg::FAULT_SEMAPHORE_CONSUMER;
        fault_queue_o = 3'(q);
        fault_pc_o = insn[InsnBits*(q+1)-17+:17];
      end
    end
  end

  // ---- trace
  assign trace_retire_o = {
    {4'b0, dma_retire[3]},
    {4'b0, dma_retire[2]},
    {4'b0, dma_retire[1]},
    {4'b0, dma_retire[0]},
    {4'b0, tvp_retire},
    {4'b0, acc_retire},
    ttu_retire,
    {4'b0, trace_tcp_o}
  };
  assign trace_control_o = control_write;
  assign trace_control_addr_o = control_addr;
  assign trace_control_mask_o = control_mask;
  assign trace_control_data_o = control_wdata;
  always_comb begin
    trace_tvp_write_o = tvp_write;
    trace_tvp_write_o.valid = tvp_write.valid & tvp_write_gnt;
    trace_dma_write_o = dma_write;
    trace_dma_write_o.valid = dma_write.valid & dma_write_gnt;
    trace_acc_write_o = acc_write;
    trace_acc_write_o.valid = acc_write.valid & acc_write_gnt;
  end
  assign trace_tile_o = tile_write;
  assign trace_tile_data_o = tile_wdata;
  assign trace_fill_o = fill;

endmodule
