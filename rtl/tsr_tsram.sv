// SPDX-License-Identifier: Apache-2.0
// The tile's memory: 16 banks of one line, time-divided: in cycle c bank b serves requester
// (b - c) mod 8 and nobody else, so no unit can delay another. A grant needs no arbiter.
module tsr_tsram (
    input logic clk_i,
    input logic [2:0] phase_i,  // c mod 8
    input tsr_tile_pkg::rd_req_t ttu_a_i,
    output tsr_tile_pkg::rd_rsp_t ttu_a_o,
    input tsr_tile_pkg::rd_req_t ttu_b_i,
    output tsr_tile_pkg::rd_rsp_t ttu_b_o,
    input tsr_tile_pkg::rd_req_t tvp_read0_i,
    output tsr_tile_pkg::rd_rsp_t tvp_read0_o,
    input tsr_tile_pkg::rd_req_t tvp_read1_i,
    output tsr_tile_pkg::rd_rsp_t tvp_read1_o,
    input tsr_tile_pkg::wr_req_t tvp_write_i,
    output logic tvp_write_gnt_o,
    input tsr_tile_pkg::rd_req_t dma_read_i,
    output tsr_tile_pkg::rd_rsp_t dma_read_o,
    input tsr_tile_pkg::wr_req_t dma_write_i,
    output logic dma_write_gnt_o,
    // ACC has one turn for both: at most one of the two is valid
    input tsr_tile_pkg::rd_req_t acc_read_i,
    output tsr_tile_pkg::rd_rsp_t acc_read_o,
    input tsr_tile_pkg::wr_req_t acc_write_i,
    output logic acc_write_gnt_o
);

  localparam int unsigned LineBits = tsr_tile_pkg::LINE_BITS;
  localparam int unsigned LineW = tsr_tile_pkg::LINE_W;
  localparam int unsigned Banks = tsr_tile_pkg::BANKS;
  localparam int unsigned N = tsr_tile_pkg::REQUESTERS;

  // Of the requesters by number: what they want, and the turn they have.
  logic [N-1:0] valid, gnt;
  (* mem2reg *) logic [LineW-1:0] line[N];
  logic [Banks-1:0] serve;  // the bank's requester wants this bank
  (* mem2reg *) logic [LineBits-1:0] read[Banks];  // of each bank, a cycle after it was asked
  logic [N-1:0] rvalid_q;
  (* mem2reg *) logic [3:0] bank_q[N];

  assign valid = {
    acc_read_i.valid | acc_write_i.valid,
    dma_write_i.valid,
    dma_read_i.valid,
    tvp_write_i.valid,
    tvp_read1_i.valid,
    tvp_read0_i.valid,
    ttu_b_i.valid,
    ttu_a_i.valid
  };
  assign line[0] = ttu_a_i.line;
  assign line[1] = ttu_b_i.line;
  assign line[2] = tvp_read0_i.line;
  assign line[3] = tvp_read1_i.line;
  assign line[4] = tvp_write_i.line;
  assign line[5] = dma_read_i.line;
  assign line[6] = dma_write_i.line;
  assign line[7] = acc_read_i.valid ? acc_read_i.line : acc_write_i.line;

  for (genvar r = 0; r < N; r++) begin : g_grant
    assign gnt[r] = valid[r] && line[r][2:0] - 3'(r) == phase_i;
  end

  for (genvar b = 0; b < Banks; b++) begin : g_bank
    logic [2:0] who;
    logic write;
    logic [LineBits-1:0] rdata;
    assign read[b] = rdata;
    assign who = 3'(b) - phase_i;
    assign serve[b] = gnt[who] && line[who][3:0] == 4'(b);
    assign write = who == 3'd4 || who == 3'd6 || (who == 3'd7 && acc_write_i.valid);
    tsr_bank u_bank (
        .clk_i(clk_i),
        .read_i(serve[b] && !write),
        .write_i(serve[b] && write),
        .row_i(line[who][LineW-1:4]),
        .mask_i(who == 3'd4 ? tvp_write_i.mask :
                who == 3'd6 ? dma_write_i.mask : acc_write_i.mask),
        .data_i(who == 3'd4 ? tvp_write_i.data :
                who == 3'd6 ? dma_write_i.data : acc_write_i.data),
        .rdata_o(rdata)
    );
  end

  always_ff @(posedge clk_i) begin
    rvalid_q <= gnt;
    for (int r = 0; r < N; r++) bank_q[r] <= line[r][3:0];
  end

  assign ttu_a_o = {gnt[0], rvalid_q[0], read[bank_q[0]]};
  assign ttu_b_o = {gnt[1], rvalid_q[1], read[bank_q[1]]};
  assign tvp_read0_o = {gnt[2], rvalid_q[2], read[bank_q[2]]};
  assign tvp_read1_o = {gnt[3], rvalid_q[3], read[bank_q[3]]};
  assign dma_read_o = {gnt[5], rvalid_q[5], read[bank_q[5]]};
  assign acc_read_o = {gnt[7] && acc_read_i.valid, rvalid_q[7], read[bank_q[7]]};
  assign tvp_write_gnt_o = gnt[4];
  assign dma_write_gnt_o = gnt[6];
  assign acc_write_gnt_o = gnt[7] && !acc_read_i.valid;

endmodule
