// SPDX-License-Identifier: Apache-2.0
// Control memory: words of eight bytes. The TCP reads and writes it, the TDMA reads index lists
// and writes what to_control brings; programs without races never do both to one word at once.
module tsr_control (
    input logic clk_i,
    input tsr_tile_pkg::host_t host_i,
    // TCP: data of a read stand on rdata_o in the next cycle
    input logic [tsr_tile_pkg::CONTROL_W-1:0] addr_i,
    input logic write_i,
    input logic [7:0] mask_i,
    input logic [63:0] wdata_i,
    output logic [63:0] rdata_o,
    // TDMA
    input logic [tsr_tile_pkg::CONTROL_W-1:0] index_addr_i,
    output logic [31:0] index_o,  // in the same cycle
    input logic dma_write_i,
    input logic [tsr_tile_pkg::CONTROL_W-1:0] dma_addr_i,
    input logic [7:0] dma_mask_i,
    input logic [63:0] dma_wdata_i
);

  localparam int unsigned Words = tsr_chip_pkg::TILE_CONTROL_BYTES / 8;
  localparam int unsigned W = tsr_tile_pkg::CONTROL_W;

  logic [63:0] mem[Words];
  logic [63:0] index_word;
  logic host;

  // Memories start at zero: on silicon the host clears them.
`ifndef SYNTHESIS
  initial begin
    for (int i = 0; i < Words; i++) mem[i] = '0;
  end
`endif

  assign host = host_i.valid && host_i.what == tsr_tile_pkg::HOST_CONTROL;
  assign index_word = mem[index_addr_i[W-1:3]];
  assign index_o = index_addr_i[2] ? index_word[63:32] : index_word[31:0];

  always_ff @(posedge clk_i) begin
    rdata_o <= mem[addr_i[W-1:3]];
    for (int b = 0; b < 8; b++) begin
      if (write_i && mask_i[b]) mem[addr_i[W-1:3]][8*b+:8] <= wdata_i[8*b+:8];
      if (dma_write_i && dma_mask_i[b]) mem[dma_addr_i[W-1:3]][8*b+:8] <= dma_wdata_i[8*b+:8];
      if (host) mem[host_i.addr[W-1:3]][8*b+:8] <= host_i.data[8*b+:8];
    end
  end

endmodule
