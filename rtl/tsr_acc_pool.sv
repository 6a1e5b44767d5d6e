// SPDX-License-Identifier: Apache-2.0
// The accumulators: banks of 4D x 4D words. The TTU reads and writes tiles of D x D, drain and
// vlda read lines of `lanes` words, fill writes them. An mma owns its banks (else acc_conflict), so
// a bank's first read port and its write port have one user at a time; vlda has a port of its own.
// Data of a read stand on the port in the next cycle.
module tsr_acc_pool (
    input logic clk_i,
    input tsr_tile_pkg::acc_tile_t tile_read_i,
    output logic [tsr_tile_pkg::TILE_BITS-1:0] tile_rdata_o,  // row by row, column 0 lowest
    input tsr_tile_pkg::acc_tile_t tile_write_i,
    input logic [tsr_tile_pkg::TILE_BITS-1:0] tile_wdata_i,
    input tsr_tile_pkg::acc_rd_t drain_i,
    output logic [32*tsr_tile_pkg::LANES-1:0] drain_rdata_o,
    input tsr_tile_pkg::acc_wr_t fill_i,
    input tsr_tile_pkg::acc_rd_t vlda_i,
    output logic [32*tsr_tile_pkg::LANES-1:0] vlda_rdata_o
);

  localparam int unsigned D = tsr_tile_pkg::DIM;
  localparam int unsigned Banks = tsr_tile_pkg::ACC_BANKS;
  localparam int unsigned Lanes = tsr_tile_pkg::LANES;
  localparam int unsigned RowBits = 128 * D;  // of a bank
  localparam int unsigned PerRow = 4 * D / Lanes;  // lines, a power of two like all the rest
  localparam int unsigned ColW = $clog2(PerRow);
  localparam int unsigned SubW = $clog2(D);
  localparam int unsigned PortW = $clog2(Banks * D);

  logic [31:0] drain_line, fill_line, vlda_line;
  logic [31:0] drain_bank, fill_bank, vlda_bank, drain_sub, fill_sub, vlda_sub;
  logic [4*D-1:0] tile_mask, fill_mask;
  // What bank b, row r of a tile read on its ports: b * D + r.
  (* mem2reg *) logic [RowBits-1:0] first[Banks*D];
  (* mem2reg *) logic [RowBits-1:0] second[Banks*D];
  tsr_tile_pkg::acc_tile_t tile_q;
  logic [31:0] drain_q, vlda_q;

  // A line number is {bank, row of tiles, row in the tile, column}.
  assign drain_line = 32'(drain_i.line);
  assign fill_line = 32'(fill_i.line);
  assign vlda_line = 32'(vlda_i.line);
  assign drain_bank = (drain_line >> (ColW + SubW + 2));
  assign fill_bank = (fill_line >> (ColW + SubW + 2));
  assign vlda_bank = (vlda_line >> (ColW + SubW + 2));
  assign drain_sub = (drain_line >> ColW) & (D - 1);
  assign fill_sub = (fill_line >> ColW) & (D - 1);
  assign vlda_sub = (vlda_line >> ColW) & (D - 1);

  for (genvar i = 0; i < 4 * D; i++) begin : g_mask
    assign tile_mask[i] = 32'(tile_write_i.col) == i / D;
    assign fill_mask[i] = (fill_line & (PerRow - 1)) == i / Lanes && fill_i.mask[i%Lanes];
  end

  for (genvar b = 0; b < Banks; b++) begin : g_bank
    for (genvar r = 0; r < D; r++) begin : g_row
      logic tile_reads, tile_writes, drains, fills;
      logic [RowBits-1:0] rdata0, rdata1;
      assign first[b*D+r] = rdata0;
      assign second[b*D+r] = rdata1;
      assign tile_reads = tile_read_i.valid && 32'(tile_read_i.bank) == b;
      assign tile_writes = tile_write_i.valid && 32'(tile_write_i.bank) == b;
      assign drains = drain_i.valid && drain_bank == b && drain_sub == r;
      assign fills = fill_i.valid && fill_bank == b && fill_sub == r;
      tsr_acc_row u_row (
          .clk_i(clk_i),
          .read0_i(tile_reads || drains),
          .row0_i(tile_reads ? tile_read_i.row : drain_line[ColW+SubW+:2]),
          .rdata0_o(rdata0),
          .read1_i(vlda_i.valid && vlda_bank == b && vlda_sub == r),
          .row1_i(vlda_line[ColW+SubW+:2]),
          .rdata1_o(rdata1),
          .write_i(tile_writes ? tile_mask : fills ? fill_mask : '0),
          .wrow_i(tile_writes ? tile_write_i.row : fill_line[ColW+SubW+:2]),
          .wdata_i(tile_writes ? {4{tile_wdata_i[32*D*r+:32*D]}} : {PerRow{fill_i.data}})
      );
    end
  end

  always_ff @(posedge clk_i) begin
    tile_q <= tile_read_i;
    drain_q <= drain_line;
    vlda_q <= vlda_line;
  end

  // The port that was read, then the part of its row.
  logic [PortW-1:0] drain_port, vlda_port;
  logic [RowBits-1:0] drain_row, vlda_row;
  logic [31:0] drain_col, vlda_col;
  assign drain_port = PortW'(drain_q >> (ColW + SubW + 2) << SubW) |
      PortW'(drain_q >> ColW & (D - 1));
  assign vlda_port = PortW'(vlda_q >> (ColW + SubW + 2) << SubW) | PortW'(vlda_q >> ColW & (D - 1));
  assign drain_row = first[drain_port];
  assign vlda_row = second[vlda_port];
  assign drain_col = drain_q & (PerRow - 1);
  assign vlda_col = vlda_q & (PerRow - 1);
  assign drain_rdata_o = drain_row[drain_col*32*Lanes+:32*Lanes];
  assign vlda_rdata_o = vlda_row[vlda_col*32*Lanes+:32*Lanes];
  for (genvar r = 0; r < D; r++) begin : g_tile
    logic [RowBits-1:0] whole;
    assign whole = first[{tile_q.bank[PortW-SubW-1:0], SubW'(r)}];
    assign tile_rdata_o[32*D*r+:32*D] = whole[32*D*tile_q.col+:32*D];
  end

endmodule
