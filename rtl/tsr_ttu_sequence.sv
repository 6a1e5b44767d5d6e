// SPDX-License-Identifier: Apache-2.0
// The steps of an mma, tile by tile, a cycle each, one cycle ahead of MACHINE.md's count: a slot is
// the buffers' read, and its products follow in the next cycle.
module tsr_ttu_sequence #(
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6
) (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic load_i,  // op_i begins in the next cycle
    input tsr_ttu_pkg::op_t op_i,
    input logic half_i,
    output logic idle_o,  // nothing computes after this cycle
    output tsr_ttu_pkg::op_t op_o,
    output logic [tsr_ttu_pkg::K_W-1:0] k_o,  // the step's first
    output logic [R6-1:0] live_o,
    output tsr_ttu_pkg::slot_t slot_o
);

  localparam int unsigned D = tsr_ttu_pkg::DIM;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam int unsigned KW = tsr_ttu_pkg::K_W;
  localparam int unsigned Shift = $clog2(D);
  localparam int unsigned Slots = 7;  // bits: up to 64 tiles
  localparam int unsigned Latency = tsr_chip_pkg::TILE_TTU_ACC_LATENCY_CYCLES;

  tsr_ttu_pkg::op_t op_q;
  logic busy_q, half_q, ends_step, ends;
  logic [KW-1:0] k_q, left, r;
  logic [Slots-1:0] slot_q, tiles, slots;
  logic [2:0] ti_q, tj_q;
  logic [3:0] high, wide, row, col;

  assign high = 4'((op_q.m + (RowW + 1)'(D - 1)) >> Shift);
  assign wide = 4'((op_q.n + (RowW + 1)'(D - 1)) >> Shift);
  assign tiles = Slots'(high) * Slots'(wide);
  assign slots = tiles > Slots'(Latency) ? tiles : Slots'(Latency);
  assign r = KW'(1) << op_q.log2_r;
  assign left = op_q.k - k_q;
  assign ends_step = slot_q + 1'b1 == slots;
  assign ends = busy_q && ends_step && left <= r;
  assign idle_o = !busy_q || ends;
  assign op_o = op_q;
  assign k_o = k_q;
  for (genvar j = 0; j < R6; j++) begin : g_live
    assign live_o[j] = slot_o.valid && KW'(j) < left && KW'(j) < r;
  end

  assign row = {2'd0, op_q.row} + {1'b0, ti_q};
  assign col = {2'd0, op_q.col} + {1'b0, tj_q};
  always_comb begin
    slot_o.valid = busy_q && slot_q < tiles;
    slot_o.last = ends;
    slot_o.first = k_q == '0;
    slot_o.half = half_q;
    slot_o.bank = op_q.bank + ({2'd0, row[3:2]} << op_q.across) + {2'd0, col[3:2]};
    slot_o.row = row[1:0];
    slot_o.col = col[1:0];
    slot_o.ti = ti_q;
    slot_o.tj = tj_q;
    slot_o.acc = op_q.acc;
    slot_o.sc = op_q.sc;
    slot_o.e_at = op_q.e_at;
    slot_o.plain = op_q.plain;
    slot_o.wide = op_q.wide;
    slot_o.several = op_q.several;
    slot_o.level = op_q.level;
    slot_o.unit = op_q.unit;
    for (int i = 0; i < D; i++) begin
      slot_o.rows[i] = (RowW + 1)'(ti_q) * (RowW + 1)'(D) + (RowW + 1)'(i) < op_q.m;
      slot_o.cols[i] = (RowW + 1)'(tj_q) * (RowW + 1)'(D) + (RowW + 1)'(i) < op_q.n;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (en_i) busy_q <= load_i || (busy_q && !ends);
  end

  always_ff @(posedge clk_i) begin
    if (en_i) begin
      if (load_i) begin
        op_q <= op_i;
        half_q <= half_i;
        k_q <= '0;
        slot_q <= '0;
        ti_q <= '0;
        tj_q <= '0;
      end else if (ends_step) begin
        k_q <= k_q + r;
        slot_q <= '0;
        ti_q <= '0;
        tj_q <= '0;
      end else begin
        slot_q <= slot_q + 1'b1;
        tj_q <= 4'(tj_q) + 4'd1 == wide ? 3'd0 : tj_q + 3'd1;
        if (4'(tj_q) + 4'd1 == wide) ti_q <= ti_q + 3'd1;
      end
    end
  end

endmodule
