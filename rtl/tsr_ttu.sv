// SPDX-License-Identifier: Apache-2.0
// The tensor unit: starts and ends of mma and tsync around their parts: tsr_ttu_check (faults of
// the start), tsr_ttu_fetch and tsr_ttu_buffer (operands), tsr_ttu_sequence (steps), tsr_ttu_feed
// (widening), tsr_ttu_array (products and accumulators). Its stages are those of ttu.pipe = 4 and
// tsram_latency = 2.
module tsr_ttu (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // operands: requesters 0 and 1
    output tsr_tile_pkg::rd_req_t a_o,
    input tsr_tile_pkg::rd_rsp_t a_i,
    output tsr_tile_pkg::rd_req_t b_o,
    input tsr_tile_pkg::rd_rsp_t b_i,
    // accumulators
    output tsr_tile_pkg::acc_tile_t acc_read_o,
    input logic [tsr_tile_pkg::TILE_BITS-1:0] acc_rdata_i,
    output tsr_tile_pkg::acc_tile_t acc_write_o,
    output logic [tsr_tile_pkg::TILE_BITS-1:0] acc_wdata_o,
    output logic [tsr_tile_pkg::ACC_BANKS-1:0] owns_o,  // banks of started, unposted mma
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] acc_owns_i,  // banks of a drain or fill
    // the end of instructions: posts and how many retire, in order
    output logic [2*tsr_tile_pkg::MAX_ACTIVE*27-1:0] posts_o,
    output logic [4:0] retire_o,
    output tsr_tile_pkg::fault_t fault_o
);

  localparam int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6;
  localparam int unsigned D = tsr_ttu_pkg::DIM;
  localparam int unsigned Chunks =
      R6 < tsr_format_pkg::LEAST_BLOCK ? 1 : R6 / tsr_format_pkg::LEAST_BLOCK;
  localparam int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS;
  localparam int unsigned Element = 3 + Scale;
  localparam int unsigned Bits = tsr_ttu_pkg::LINE_BITS;
  localparam int unsigned RowW = tsr_ttu_pkg::ROW_W;
  localparam int unsigned Banks = tsr_tile_pkg::ACC_BANKS;
  localparam int unsigned Active = tsr_tile_pkg::MAX_ACTIVE;
  localparam int unsigned ExpBits = tsr_ttu_pkg::EXP_LINES * Bits;
  localparam int unsigned At = $clog2(ExpBits + 32 * D);

  // ---- start
  tsr_tile_pkg::fault_e kind;
  logic [Banks-1:0] banks;
  tsr_ttu_pkg::op_t op, op_q;
  tsr_ttu_pkg::fetch_t fetch_a, fetch_b;
  logic [tsr_ttu_pkg::TSRAM_W-1:0] e_at;
  logic [tsr_ttu_pkg::EXP_W-1:0] e_lines;
  logic is_mma, starts;  // an mma without a fault

  tsr_ttu_check u_check (
      .insn_i(insn_i),
      .fault_o(kind),
      .banks_o(banks),
      .op_o(op),
      .a_o(fetch_a),
      .b_o(fetch_b),
      .e_o(e_at),
      .e_lines_o(e_lines)
  );

  assign is_mma = tsr_isa_pkg::tcp_exec(insn_i.word) == tsr_isa_pkg::EX_MMA;
  assign starts = start_i && is_mma && !fault_o.valid;
  always_comb begin
    fault_o = '0;
    if (start_i && is_mma) begin
      fault_o.kind = kind;
      if (kind == tsr_tile_pkg::FAULT_NONE && (banks & acc_owns_i) != '0)
        fault_o.kind = tsr_tile_pkg::FAULT_ACC_CONFLICT;
      fault_o.valid = fault_o.kind != tsr_tile_pkg::FAULT_NONE;
      fault_o.pc = insn_i.pc;
    end
  end

  // ---- fetch: into the half that the instruction before does not use
  logic a_busy, b_busy, a_write, b_write, e_write;
  logic waiting_q, half_q, load, load_q, ready_q, idle;
  logic [tsr_ttu_pkg::EXP_W-1:0] e_line;
  logic [RowW-1:0] a_line, b_line;

  tsr_ttu_fetch u_fetch_a (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .start_i(starts),
      .fetch_i(fetch_a),
      .e_i(e_at),
      .e_lines_i(e_lines),
      .req_o(a_o),
      .gnt_i(a_i.gnt),
      .busy_o(a_busy),
      .e_write_o(e_write),
      .e_line_o(e_line),
      .write_o(a_write),
      .line_o(a_line)
  );
  logic b_e_write;
  logic [tsr_ttu_pkg::EXP_W-1:0] b_e_line;
  tsr_ttu_fetch u_fetch_b (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .start_i(starts),
      .fetch_i(fetch_b),
      .e_i('0),
      .e_lines_i('0),
      .req_o(b_o),
      .gnt_i(b_i.gnt),
      .busy_o(b_busy),
      .e_write_o(b_e_write),
      .e_line_o(b_e_line),
      .write_o(b_write),
      .line_o(b_line)
  );

  // The last data are in the buffers two cycles after their grant: in the first slot's cycle.
  assign load = waiting_q && !a_busy && !b_busy && idle;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      waiting_q <= 1'b0;
      half_q <= 1'b0;
      load_q <= 1'b0;
      ready_q <= 1'b1;
    end else if (en_i) begin
      waiting_q <= starts || (waiting_q && !load);
      if (starts) half_q <= !half_q;
      load_q <= load;
      // The next may start when this one's first products are formed.
      ready_q <= load_q || (ready_q && !starts);
    end
  end
  always_ff @(posedge clk_i) begin
    if (en_i && starts) op_q <= op;
  end

  // ---- slots
  tsr_ttu_pkg::op_t current;
  tsr_ttu_pkg::slot_t slot, slot_q;
  logic [tsr_ttu_pkg::K_W-1:0] k;
  logic [R6-1:0] live;

  tsr_ttu_sequence u_sequence (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .load_i(load),
      .op_i(op_q),
      .half_i(half_q),
      .idle_o(idle),
      .op_o(current),
      .k_o(k),
      .live_o(live),
      .slot_o(slot)
  );
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) slot_q <= '0;
    else if (en_i) slot_q <= slot;
  end

  // ---- operands of a slot
  logic [RowW-1:0] a_first, b_first;
  logic [R6*Bits-1:0] a_lines, b_lines;
  logic [D*R6*Element-1:0] a, b;
  logic [D*Chunks*Scale-1:0] a_scales, b_scales;

  tsr_ttu_buffer u_buffer_a (
      .clk_i(clk_i),
      .write_i(a_write),
      .write_half_i(half_q),
      .write_line_i(a_line),
      .data_i(a_i.rdata),
      .half_i(slot.half),
      .first_i(a_first),
      .lines_o(a_lines)
  );
  tsr_ttu_buffer u_buffer_b (
      .clk_i(clk_i),
      .write_i(b_write),
      .write_half_i(half_q),
      .write_line_i(b_line),
      .data_i(b_i.rdata),
      .half_i(slot.half),
      .first_i(b_first),
      .lines_o(b_lines)
  );
  tsr_ttu_feed u_feed_a (
      .clk_i(clk_i),
      .operand_i(current.a),
      .tile_i(slot.ti),
      .k_i(k),
      .live_i(live),
      .first_o(a_first),
      .lines_i(a_lines),
      .elements_o(a),
      .scales_o(a_scales)
  );
  tsr_ttu_feed u_feed_b (
      .clk_i(clk_i),
      .operand_i(current.b),
      .tile_i(slot.tj),
      .k_i(k),
      .live_i(live),
      .first_o(b_first),
      .lines_i(b_lines),
      .elements_o(b),
      .scales_o(b_scales)
  );

  // ---- exponents: a few lines for each half
  logic [2*ExpBits-1:0] exponents_q;
  logic [ExpBits+32*D-1:0] exponents;
  logic [15:0] word;
  logic [2:0] tile;
  tsr_ttu_pkg::slot_t for_slot;
  always_ff @(posedge clk_i) begin
    for (int i = 0; i < 2 * tsr_ttu_pkg::EXP_LINES; i++) begin
      if (e_write && i == 32'(e_line) + (half_q ? tsr_ttu_pkg::EXP_LINES : 0))
        exponents_q[i*Bits+:Bits] <= a_i.rdata;
    end
  end
  assign exponents = {{(32 * D) {1'b0}}, for_slot.half ? exponents_q[2*ExpBits-1:ExpBits] :
                                                         exponents_q[ExpBits-1:0]};
  assign tile = for_slot.sc == 2'd1 ? for_slot.ti : for_slot.tj;
  assign word = (16'(for_slot.e_at) >> 2) + 16'(tile) * 16'(D);

  logic done;
  tsr_ttu_array u_array (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .slot_i(slot_q),
      .a_i(a),
      .b_i(b),
      .a_scales_i(a_scales),
      .b_scales_i(b_scales),
      .exponents_for_o(for_slot),
      .exponents_i(exponents[At'(word*16'd32)+:32*D]),
      .read_o(acc_read_o),
      .rdata_i(acc_rdata_i),
      .write_o(acc_write_o),
      .wdata_o(acc_wdata_o),
      .done_o(done)
  );

  // ---- ends: what has started, oldest first. A tsync ends with the last mma before it.
  localparam int unsigned Entry = 1 + Banks + 14 + 17;  // {mma, banks, posts, pc}
  localparam int unsigned CountW = $clog2(Active + 1);
  logic [Active*Entry-1:0] active_q, active;
  logic [CountW-1:0] count_q, kept;
  logic [Active-1:0] retires;
  logic [35:0] sems;
  logic go, met;

  assign sems = tsr_isa_pkg::tcp_sems(insn_i.word);
  always_comb begin
    go = 1'b1;
    met = done;
    retires = '0;
    retire_o = '0;
    for (int i = 0; i < Active; i++) begin
      if (CountW'(i) >= count_q) go = 1'b0;
      else if (active_q[i*Entry+Entry-1]) begin
        go = go && met;
        met = 1'b0;  // one mma in a cycle
      end
      retires[i] = go;
      if (go) retire_o = retire_o + 5'd1;
    end
    kept = count_q - CountW'(retire_o);
    active = active_q >> (retire_o * Entry);
    for (int i = 0; i < Active; i++) begin
      if (start_i && CountW'(i) == kept)
        active[i*Entry+:Entry] = {is_mma, is_mma ? banks : '0, sems[35:22], insn_i.pc};
    end
  end

  for (genvar i = 0; i < Active; i++) begin : g_post
    for (genvar p = 0; p < 2; p++) begin : g_slot
      assign posts_o[(2*i+p)*27+:27] = {
        retires[i] && active_q[i*Entry+17+7*p+6],
        active_q[i*Entry+17+7*p+:6],
        3'(tsr_tile_pkg::Q_TTU),
        active_q[i*Entry+:17]
      };
    end
  end

  always_comb begin
    owns_o = starts ? banks : '0;
    for (int i = 0; i < Active; i++) begin
      if (CountW'(i) < count_q) owns_o = owns_o | active_q[i*Entry+31+:Banks];
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (en_i) count_q <= kept + CountW'(start_i);
  end
  always_ff @(posedge clk_i) begin
    if (en_i) active_q <= active;
  end

  assign ready_o = ready_q && count_q < CountW'(Active);

  logic unused;
  assign unused = ^{a_i.rvalid, b_i.rvalid, b_e_write, b_e_line, current, for_slot, slot, sems};

endmodule
