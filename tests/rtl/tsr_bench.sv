// SPDX-License-Identifier: Apache-2.0
// The tile with its structures split into plain ports, for the harness.
module tsr_bench (
    input logic clk_i,
    input logic rst_ni,
    input logic host_valid_i,
    input logic [2:0] host_what_i,
    input logic [16:0] host_addr_i,
    input logic [127:0] host_data_i,
    input logic doorbell_i,
    input logic [4:0] heads_i,
    input logic in_valid_i,
    input logic in_last_i,
    input logic in_cast_i,
    input logic [8:0] in_id_i,
    input logic [31:0] in_at_i,
    input logic [15:0] in_first_i,
    input logic [31:0] in_len_i,
    input logic [31:0] in_gap_i,
    input logic [15:0] in_bytes_i,
    input logic [tsr_tile_pkg::PORT_BITS-1:0] in_data_i,
    input logic [tsr_tile_pkg::ACK_LANES-1:0] ack_i,
    input logic [tsr_tile_pkg::ACK_LANES*16-1:0] ack_id_i,
    input logic [tsr_tile_pkg::REMOTE_LANES-1:0] remote_i,
    input logic [tsr_tile_pkg::REMOTE_LANES*8-1:0] remote_sem_i,
    input logic [tsr_tile_pkg::REMOTE_LANES*8-1:0] remote_queue_i,
    input logic [tsr_tile_pkg::REMOTE_LANES*32-1:0] remote_pc_i,
    output logic req_o,
    output logic [7:0] req_kind_o,
    output logic [7:0] req_channel_o,
    output logic [15:0] req_id_o,
    output logic [63:0] req_address_o,
    output logic [63:0] req_to_o,
    output logic [15:0] req_bytes_o,
    output logic [63:0] req_mask_o,
    output logic [31:0] req_at_o,
    output logic [15:0] req_first_o,
    output logic [31:0] req_len_o,
    output logic [31:0] req_gap_o,
    output logic out_o,
    output logic out_last_o,
    output logic [15:0] out_id_o,
    output logic [tsr_tile_pkg::PORT_BITS-1:0] out_data_o,
    output logic [3:0] rpost_o,
    output logic [255:0] rpost_mask_o,
    output logic [31:0] rpost_sem_o,
    output logic fault_o,
    output logic [7:0] fault_kind_o,
    output logic [7:0] fault_queue_o,
    output logic [31:0] fault_pc_o,
    output logic stopped_o,
    output logic tcp_o,
    output logic [31:0] tcp_pc_o,
    output logic halted_o,
    output logic x_o,
    output logic [7:0] x_reg_o,
    output logic [63:0] x_value_o,
    output logic control_o,
    output logic [31:0] control_addr_o,
    output logic [7:0] control_mask_o,
    output logic [63:0] control_data_o,
    output logic [7:0] start_o,
    output logic [255:0] start_pc_o,  // 32 bits each
    output logic [63:0] retire_o,  // 8 bits each
    output logic [63:0] sem_o,
    output logic [64*16-1:0] count_o,  // 16 bits each
    // granted line writes: TVP, DMA, ACC
    output logic [2:0] write_o,
    output logic [95:0] write_line_o,
    output logic [3*tsr_tile_pkg::LINE_BYTES-1:0] write_mask_o,
    output logic [3*tsr_tile_pkg::LINE_BITS-1:0] write_data_o,
    output logic tile_o,
    output logic [31:0] tile_at_o,  // bank * 256 + row * 16 + column, as accumulator addresses
    output logic [tsr_tile_pkg::TILE_BITS-1:0] tile_data_o,
    output logic fill_o,
    output logic [31:0] fill_line_o,
    output logic [tsr_tile_pkg::LANES-1:0] fill_mask_o,
    output logic [32*tsr_tile_pkg::LANES-1:0] fill_data_o,
    output logic [1:0] issue_o,
    output logic [63:0] issue_pc_o,
    output logic [63:0] result_o,
    output logic [64*8-1:0] result_reg_o,  // 8 bits each
    output logic [32*tsr_tile_pkg::LANES*tsr_tile_pkg::TVP_RESULTS-1:0] result_value_o
);

  localparam int unsigned CountW = tsr_tile_pkg::COUNT_W;
  localparam int unsigned LineW = tsr_tile_pkg::LINE_W;
  localparam int unsigned LineBytes = tsr_tile_pkg::LINE_BYTES;
  localparam int unsigned LineBits = tsr_tile_pkg::LINE_BITS;

  tsr_tile_pkg::host_t host;
  tsr_tile_pkg::in_beat_t in;
  tsr_tile_pkg::dma_req_t req;
  tsr_tile_pkg::out_beat_t out;
  tsr_tile_pkg::wr_req_t write[3];
  tsr_tile_pkg::acc_tile_t tile;
  tsr_tile_pkg::acc_wr_t fill;
  logic [tsr_tile_pkg::ACK_LANES*(tsr_tile_pkg::ID_W+1)-1:0] acks;
  logic [tsr_tile_pkg::REMOTE_LANES*27-1:0] remote;
  logic [tsr_tile_pkg::CHANNELS*6-1:0] rpost_sem;
  logic [8*17-1:0] start_pc;
  logic [8*5-1:0] retire;
  logic [tsr_tile_pkg::SEMS*CountW-1:0] count;
  logic [tsr_tile_pkg::SEMS-1:0] sem;
  tsr_tile_pkg::fault_e fault_kind;
  logic [16:0] fault_pc, tcp_pc;
  logic [2:0] fault_queue;
  logic [4:0] x_reg;
  logic [tsr_tile_pkg::CONTROL_W-1:0] control_addr;
  logic [33:0] issue_pc;
  logic [tsr_tile_pkg::TVP_RESULTS-1:0] result;
  logic [5*tsr_tile_pkg::TVP_RESULTS-1:0] result_reg;

  assign host = {host_valid_i, tsr_tile_pkg::host_e'(host_what_i), host_addr_i, host_data_i};
  always_comb begin
    in.valid = in_valid_i;
    in.last = in_last_i;
    in.cast = in_cast_i;
    in.id = in_id_i;
    in.layout.at = in_at_i[tsr_tile_pkg::TSRAM_W-1:0];
    in.layout.first = in_first_i[tsr_tile_pkg::REQUEST_W-1:0];
    in.layout.len = in_len_i > tsr_tile_pkg::REQUEST_BYTES ?
        tsr_tile_pkg::REQUEST_W'(tsr_tile_pkg::REQUEST_BYTES) :
        in_len_i[tsr_tile_pkg::REQUEST_W-1:0];
    in.layout.gap = in_gap_i[tsr_tile_pkg::TSRAM_W-1:0];
    in.layout.bytes = in_bytes_i[tsr_tile_pkg::REQUEST_W-1:0];
    in.data = in_data_i;
    for (int l = 0; l < tsr_tile_pkg::ACK_LANES; l++) begin
      acks[l*(tsr_tile_pkg::ID_W+1)+:tsr_tile_pkg::ID_W+1] =
          {ack_i[l], ack_id_i[16*l+:tsr_tile_pkg::ID_W]};
    end
    for (int l = 0; l < tsr_tile_pkg::REMOTE_LANES; l++) begin
      remote[27*l+:27] = {remote_i[l], remote_sem_i[8*l+:6], remote_queue_i[8*l+:3],
                          remote_pc_i[32*l+:17]};
    end
  end

  tsr_tile u_tile (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .host_i(host),
      .doorbell_i(doorbell_i),
      .req_o(req),
      .out_o(out),
      .heads_i(heads_i),
      .in_i(in),
      .acks_i(acks),
      .remote_i(remote),
      .rpost_o(rpost_o),
      .rpost_mask_o(rpost_mask_o),
      .rpost_sem_o(rpost_sem),
      .fault_o(fault_o),
      .fault_kind_o(fault_kind),
      .fault_queue_o(fault_queue),
      .fault_pc_o(fault_pc),
      .stopped_o(stopped_o),
      .trace_tcp_o(tcp_o),
      .trace_tcp_pc_o(tcp_pc),
      .trace_halted_o(halted_o),
      .trace_x_o(x_o),
      .trace_x_reg_o(x_reg),
      .trace_x_value_o(x_value_o),
      .trace_control_o(control_o),
      .trace_control_addr_o(control_addr),
      .trace_control_mask_o(control_mask_o),
      .trace_control_data_o(control_data_o),
      .trace_start_o(start_o),
      .trace_start_pc_o(start_pc),
      .trace_retire_o(retire),
      .trace_sem_o(sem),
      .trace_count_o(count),
      .trace_tvp_write_o(write[0]),
      .trace_dma_write_o(write[1]),
      .trace_acc_write_o(write[2]),
      .trace_tile_o(tile),
      .trace_tile_data_o(tile_data_o),
      .trace_fill_o(fill),
      .trace_issue_o(issue_o),
      .trace_issue_pc_o(issue_pc),
      .trace_result_o(result),
      .trace_result_reg_o(result_reg),
      .trace_result_value_o(result_value_o)
  );

  always_comb begin
    req_o = req.valid;
    req_kind_o = {6'b0, req.kind};
    req_channel_o = {6'b0, req.channel};
    req_id_o = 16'(req.id);
    req_address_o = req.address;
    req_to_o = req.to;
    req_bytes_o = 16'(req.bytes);
    req_mask_o = req.mask;
    req_at_o = 32'(req.layout.at);
    req_first_o = 16'(req.layout.first);
    req_len_o = 32'(req.layout.len);
    req_gap_o = 32'(req.layout.gap);
    out_o = out.valid;
    out_last_o = out.last;
    out_id_o = 16'(out.id);
    out_data_o = out.data;
    fault_kind_o = {4'b0, fault_kind};
    fault_queue_o = {5'b0, fault_queue};
    fault_pc_o = {15'b0, fault_pc};
    tcp_pc_o = {15'b0, tcp_pc};
    x_reg_o = {3'b0, x_reg};
    control_addr_o = 32'(control_addr);
    sem_o = 64'(sem);
    count_o = '0;
    for (int s = 0; s < tsr_tile_pkg::SEMS; s++) count_o[16*s+:16] = 16'(count[CountW*s+:CountW]);
    for (int q = 0; q < 8; q++) begin
      start_pc_o[32*q+:32] = {15'b0, start_pc[17*q+:17]};
      retire_o[8*q+:8] = {3'b0, retire[5*q+:5]};
    end
    for (int c = 0; c < 4; c++) rpost_sem_o[8*c+:8] = {2'b0, rpost_sem[6*c+:6]};
    for (int w = 0; w < 3; w++) begin
      write_o[w] = write[w].valid;
      write_line_o[32*w+:32] = 32'(write[w].line);
      write_mask_o[LineBytes*w+:LineBytes] = write[w].mask;
      write_data_o[LineBits*w+:LineBits] = write[w].data;
    end
    tile_o = tile.valid;
    tile_at_o = {20'b0, tile.bank, 2'b0, tile.row, 2'b0, tile.col};
    fill_o = fill.valid;
    fill_line_o = 32'(fill.line);
    fill_mask_o = fill.mask;
    fill_data_o = fill.data;
    issue_pc_o = {15'b0, issue_pc[33:17], 15'b0, issue_pc[16:0]};
    result_o = 64'(result);
    result_reg_o = '0;
    for (int k = 0; k < tsr_tile_pkg::TVP_RESULTS; k++)
      result_reg_o[8*k+:8] = {3'b0, result_reg[5*k+:5]};
  end

endmodule
