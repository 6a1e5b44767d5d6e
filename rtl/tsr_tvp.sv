// SPDX-License-Identifier: Apache-2.0
// The vector processor: routines, in order, up to one memory and one arithmetic instruction a
// cycle. Of the two words in hand the first may issue, and then the second, if it takes the other
// slot and needs nothing that the first one gives.
module tsr_tvp (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,
    input logic [2:0] phase_i,
    input tsr_tile_pkg::host_t host_i,  // routines and their size
    input logic start_i,
    input tsr_tile_pkg::unit_insn_t insn_i,
    output logic ready_o,
    // TSRAM: requesters 2, 3 and 4
    output tsr_tile_pkg::rd_req_t read0_o,
    input tsr_tile_pkg::rd_rsp_t read0_i,
    output tsr_tile_pkg::rd_req_t read1_o,
    input tsr_tile_pkg::rd_rsp_t read1_i,
    output tsr_tile_pkg::wr_req_t write_o,
    input logic write_gnt_i,
    // accumulators
    output tsr_tile_pkg::acc_rd_t vlda_o,
    input logic [32*tsr_tile_pkg::LANES-1:0] vlda_i,
    input logic [tsr_tile_pkg::ACC_BANKS-1:0] ttu_owns_i,
    output logic [2*27-1:0] posts_o,
    output logic retire_o,
    output tsr_tile_pkg::fault_t fault_o,
    // instructions as they issue, results as they are written: each may be used a cycle later
    output logic [1:0] issue_o,  // memory, arithmetic
    output logic [2*17-1:0] issue_pc_o,
    output logic [tsr_tile_pkg::TVP_RESULTS-1:0] result_o,
    output logic [5*tsr_tile_pkg::TVP_RESULTS-1:0] result_reg_o,
    output logic [32*tsr_tile_pkg::LANES*tsr_tile_pkg::TVP_RESULTS-1:0] result_value_o
);

  localparam int unsigned Lanes = tsr_tile_pkg::LANES;
  localparam int unsigned Bits = 32 * Lanes;
  localparam int unsigned Regs = tsr_tile_pkg::TVP_LOAD_REGS;
  localparam int unsigned Classes = tsr_isa_pkg::TVP_CLASSES;
  localparam int unsigned LoadAt = tsr_isa_pkg::TVP_VLD_LATENCY - 1;  // stage of the write

  // ---- state
  logic busy_q, ended_q;
  logic [7:0] stall_q;
  logic [8:0] active_q;
  (* mem2reg *) logic [63:0] a_q[16];
  logic [Bits-1:0] v_q[32];
  tsr_tile_pkg::sems_t sems, sems_q;
  logic [16:0] call_q;

  // ---- the two words
  logic running, end0, end1, full0, full1, issue0, issue1, push0, push1, skip0, skip1;
  logic [16:0] pc0, pc1;
  tsr_tvp_pkg::word_t word0, word1, m, a;
  logic [63:0] count0, count1;
  logic m_first;  // the first word is of the memory side

  assign running = en_i && busy_q && !ended_q && stall_q == 8'd0;
  assign count0 = a_q[word0.ad];
  assign count1 = a_q[word1.ad];
  assign skip0 = word0.exec == tsr_isa_pkg::VX_VLOOP && $signed(count0) <= 64'sd0;
  assign push0 = word0.exec == tsr_isa_pkg::VX_VLOOP && !skip0;
  assign skip1 = word1.exec == tsr_isa_pkg::VX_VLOOP && $signed(count1) <= 64'sd0;
  assign push1 = word1.exec == tsr_isa_pkg::VX_VLOOP && !skip1;

  tsr_tvp_fetch u_fetch (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .host_i(host_i),
      .start_i(start_i),
      .start_pc_i(17'(insn_i.word[tsr_isa_pkg::TCP_VCALL_ROUTINE_LSB+:16])),
      .issue0_i(issue0),
      .issue1_i(issue1),
      .push0_i(push0),
      .push1_i(push1),
      .skip0_i(skip0),
      .skip1_i(skip1),
      .count0_i(count0),
      .count1_i(count1),
      .pc0_o(pc0),
      .pc1_o(pc1),
      .end0_o(end0),
      .end1_o(end1),
      .full0_o(full0),
      .full1_o(full1),
      .word0_o(word0),
      .word1_o(word1)
  );

  assign m_first = word0.memory;
  assign m = m_first ? word0 : word1;
  assign a = m_first ? word1 : word0;

  // ---- what the two need of each other, when the second follows in the same cycle
  logic m_vector, meets_vector, meets_address, a_writes_address, a_reads;
  logic [31:0] m_set, a_set;
  logic m_wide, m_store;
  always_comb begin
    m_set = '0;
    for (int i = 0; i < Regs; i++) begin
      if (i == 0 || m_wide) m_set[m.vd+5'(i)] = 1'b1;
    end
    a_set = '0;
    if (a.vregs[0]) a_set[a.vd] = 1'b1;
    if (a.vregs[1] && m_first) a_set[a.va] = 1'b1;
    if (a.vregs[2] && m_first) a_set[a.vb] = 1'b1;
    if (a.vregs[3] && m_first) a_set[a.vc] = 1'b1;
  end
  assign m_vector = !m_store || !m_first;  // a store gives no vector, but takes one
  assign meets_vector = m_vector && (m_set & a_set) != '0;
  assign a_writes_address = a.exec == tsr_isa_pkg::VX_AADD || a.exec == tsr_isa_pkg::VX_AADDI ||
      a.exec == tsr_isa_pkg::VX_ALI;
  always_comb begin
    case (a.exec)
      tsr_isa_pkg::VX_VLOOP, tsr_isa_pkg::VX_VLEN: a_reads = a.ad == m.aa;
      tsr_isa_pkg::VX_AADD: a_reads = a.aa == m.aa || a.ab == m.aa;
      tsr_isa_pkg::VX_AADDI, tsr_isa_pkg::VX_VSPLAT: a_reads = a.aa == m.aa;
      default: a_reads = 1'b0;
    endcase
  end
  assign meets_address = m_first ? a_reads : a_writes_address && a.ad == m.aa;

  // ---- readiness by the registers
  logic [31:0] pending;
  logic m_ready, a_ready, idle;
  assign m_ready = (pending & m_set) == '0;
  assign a_ready = !((a.vregs[0] && pending[a.vd]) || (a.vregs[1] && pending[a.va]) ||
                     (a.vregs[2] && pending[a.vb]) || (a.vregs[3] && pending[a.vc]));

  // ---- the arithmetic word; a_first: it is the first one, and issues
  logic a_try0, a_try1, a_loop_bad, a_first, a_second, a_ends, a_skips, a_issue;
  logic bad0, bad1, follows;
  tsr_tile_pkg::fault_e kind0, kind1;
  assign bad0 = end0 || !word0.legal;
  assign bad1 = end1 || !word1.legal;
  assign follows = word1.memory != word0.memory && !meets_vector && !meets_address;
  assign a_try0 = running && !bad0 && !m_first && a_ready;
  assign a_loop_bad = m_first ? push1 && (full1 || {1'b0, a.target} <= pc1 + 17'd1) :
      push0 && (full0 || {1'b0, a.target} <= pc0 + 17'd1);
  assign a_first = a_try0 && !a_loop_bad;
  assign a_ends = a.exec == tsr_isa_pkg::VX_VRET;
  assign a_skips = m_first ? skip1 : skip0;

  // ---- the memory word
  logic m_try, m_acc, m_scales, m_splat, m_bad, m_go, m_none, m_done, m_issue, port_done;
  logic m_conflict;
  logic [8:0] m_lanes, m_active, active;
  logic [tsr_tile_pkg::LINE_SHIFT:0] m_bytes;
  logic [63:0] m_address, a_count;
  tsr_isa_pkg::tvp_format_t m_format;
  logic [$clog2(tsr_tile_pkg::ACC_BANKS)-1:0] m_bank;

  assign a_count = a_q[a.ad];
  assign active = $signed(a_count) < 64'sd0 ? 9'd0 :
      $signed(a_count) > $signed(64'(Lanes)) ? 9'(Lanes) : a_count[8:0];
  assign m_active = !m_first && a.exec == tsr_isa_pkg::VX_VLEN ? active : active_q;
  assign m_address = a_q[m.aa];

  tsr_tvp_access u_access (
      .word_i(m),
      .address_i(m_address),
      .active_i(m_active),
      .format_o(m_format),
      .store_o(m_store),
      .acc_o(m_acc),
      .scales_o(m_scales),
      .splat_o(m_splat),
      .wide_o(m_wide),
      .lanes_o(m_lanes),
      .bytes_o(m_bytes),
      .bad_o(m_bad)
  );

  assign m_try = m_ready &&
      (m_first ? running && !bad0 : a_first && !a_ends && !a_skips && !bad1 && follows);
  assign m_bank = $clog2(tsr_tile_pkg::ACC_BANKS)'(m_address[tsr_tile_pkg::ACC_LINE_W-1:0] /
                     tsr_tile_pkg::ACC_LINE_W'(tsr_tile_pkg::ACC_LINES / tsr_tile_pkg::ACC_BANKS));
  assign m_conflict = m_acc && !m_bad && ttu_owns_i[m_bank];
  assign m_go = m_try && !m_bad && !m_conflict;
  assign m_none = m_acc || m_bytes == '0;
  assign m_done = m_none || port_done;
  assign m_issue = m_go && m_done;

  // ---- the second word, after a first one of the memory side
  assign a_try1 = m_first && m_issue && !bad1 && follows && a_ready;
  assign a_second = a_try1 && !a_loop_bad;
  assign a_issue = a_first || a_second;
  assign issue0 = m_first ? m_issue : a_first;
  assign issue1 = m_first ? a_second : m_issue;

  // ---- faults: the first word's, or the second's where it is reached
  always_comb begin
    kind0 = tsr_tile_pkg::FAULT_NONE;
    kind1 = tsr_tile_pkg::FAULT_NONE;
    if (running) begin
      if (end0) kind0 = tsr_tile_pkg::FAULT_PROGRAM_END;
      else if (!word0.legal) kind0 = tsr_tile_pkg::FAULT_ILLEGAL;
      else if (a_try0 && a_loop_bad) kind0 = tsr_tile_pkg::FAULT_LOOP_DEPTH;
      else if (m_first && m_try && m_bad) kind0 = tsr_tile_pkg::FAULT_ADDRESS;
      else if (m_first && m_try && m_conflict) kind0 = tsr_tile_pkg::FAULT_ACC_CONFLICT;
    end
    if (issue0 && (m_first || !(a_ends || a_skips))) begin
      if (end1) kind1 = tsr_tile_pkg::FAULT_PROGRAM_END;
      else if (!word1.legal) kind1 = tsr_tile_pkg::FAULT_ILLEGAL;
      else if (a_try1 && a_loop_bad) kind1 = tsr_tile_pkg::FAULT_LOOP_DEPTH;
      else if (!m_first && m_try && m_bad) kind1 = tsr_tile_pkg::FAULT_ADDRESS;
      else if (!m_first && m_try && m_conflict) kind1 = tsr_tile_pkg::FAULT_ACC_CONFLICT;
    end
    if (kind0 != tsr_tile_pkg::FAULT_NONE) fault_o = {1'b1, kind0, pc0};
    else fault_o = {kind1 != tsr_tile_pkg::FAULT_NONE, kind1, pc1};
  end

  // ---- loads and stores
  logic [Bits*Regs-1:0] stored, loaded;
  logic [8*tsr_tile_pkg::LINE_BYTES-1:0] store_bytes, load_bytes;
  logic clean, ends;
  for (genvar i = 0; i < Regs; i++) begin : g_stored
    assign stored[Bits*i+:Bits] = v_q[m.vd+5'(i)];
  end
  tsr_tvp_store #(
      .Lanes(Lanes)
  ) u_store (
      .format_i(m_format),
      .scales_i(m_scales),
      .active_i(m_lanes),
      .values_i(stored),
      .bytes_o(store_bytes)
  );

  assign ends = a_issue && a_ends;
  tsr_tvp_ports u_ports (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .phase_i(phase_i),
      .clear_i(start_i),
      .go_i(m_go && !m_none),
      .store_i(m_store),
      .odd_i(m.aa[0]),
      .address_i(m_address[tsr_tile_pkg::TSRAM_W-1:0]),
      .bytes_i(m_bytes),
      .data_i(store_bytes),
      .done_o(port_done),
      .flush_i(ends || ended_q),
      .clean_o(clean),
      .data_o(load_bytes),
      .read0_o(read0_o),
      .read0_i(read0_i.rdata),
      .read1_o(read1_o),
      .read1_i(read1_i.rdata),
      .write_o(write_o)
  );
  assign vlda_o = {m_issue && m_acc, m_address[tsr_tile_pkg::ACC_LINE_W-1:0]};

  // A load's bytes are there a cycle after it issued; its registers are written at LoadAt.
  logic [LoadAt-1:0] load_valid_q;
  logic [LoadAt*6-1:0] load_reg_q;  // {wide, register}
  logic load_acc_q, load_scales_q, load_splat_q, load_none_q;
  logic [8:0] load_lanes_q;
  tsr_isa_pkg::tvp_format_t load_format_q;
  logic [(LoadAt-1)*Bits*Regs-1:0] load_value_q;
  logic [Bits*Regs-1:0] load_value;
  tsr_tvp_load #(
      .Lanes(Lanes)
  ) u_load (
      .format_i(load_format_q),
      .scales_i(load_scales_q),
      .splat_i(load_splat_q),
      .active_i(load_lanes_q),
      .bytes_i(load_bytes),
      .values_o(loaded)
  );
  assign load_value = load_acc_q ? (Bits * Regs)'(vlda_i) : load_none_q ? '0 : loaded;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) load_valid_q <= '0;
    else if (en_i) load_valid_q <= {load_valid_q[LoadAt-2:0], m_issue && !m_store};
  end
  always_ff @(posedge clk_i) begin
    if (en_i) begin
      load_reg_q <= {load_reg_q[(LoadAt-1)*6-1:0], m_wide, m.vd};
      load_value_q <= ((LoadAt-1)*Bits*Regs)'({load_value_q, load_value});
      load_acc_q <= m_acc;
      load_scales_q <= m_scales;
      load_splat_q <= m_splat;
      load_none_q <= m_none;
      load_lanes_q <= m_lanes;
      load_format_q <= m_format;
    end
  end

  // ---- arithmetic
  logic [Classes-1:0] write;
  logic [5*Classes-1:0] write_reg;
  logic [Bits*Classes-1:0] write_value;
  tsr_tvp_results #(
      .Lanes(Lanes)
  ) u_results (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .issue_i(a_issue),
      .word_i(a),
      .active_i(active_q),
      .address_i(a_q[a.aa][31:0]),
      .a_i(v_q[a.va]),
      .b_i(v_q[a.vb]),
      .c_i(v_q[a.vc]),
      .write_o(write),
      .reg_o(write_reg),
      .value_o(write_value)
  );

  tsr_tvp_scoreboard u_scoreboard (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .en_i(en_i),
      .load_i(m_issue && !m_store),
      .load_reg_i(m.vd),
      .load_wide_i(m_wide),
      .load_latency_i(m.latency),
      .arith_i(a_issue && a.vregs[0]),
      .arith_reg_i(a.vd),
      .arith_latency_i(a.latency),
      .pending_o(pending),
      .idle_o(idle)
  );

  // ---- results: classes first, then the registers of a load
  for (genvar i = 0; i < Regs; i++) begin : g_loaded
    assign result_o[Classes+i] = en_i && load_valid_q[LoadAt-1] &&
        (i == 0 || load_reg_q[6*LoadAt-1]);
    assign result_reg_o[5*(Classes+i)+:5] = load_reg_q[6*(LoadAt-1)+:5] + 5'(i);
    assign result_value_o[Bits*(Classes+i)+:Bits] =
        load_value_q[((LoadAt-2)*Regs+i)*Bits+:Bits];
  end
  assign result_o[Classes-1:0] = write & {Classes{en_i}};
  assign result_reg_o[5*Classes-1:0] = write_reg;
  assign result_value_o[Bits*Classes-1:0] = write_value;
`ifndef SYNTHESIS
  initial begin
    for (int i = 0; i < 32; i++) v_q[i] = '0;
  end
`endif
  always_ff @(posedge clk_i) begin
    for (int k = 0; k < tsr_tile_pkg::TVP_RESULTS; k++) begin
      if (result_o[k]) v_q[result_reg_o[5*k+:5]] <= result_value_o[Bits*k+:Bits];
    end
  end

  // ---- address registers: a memory word's post-increment and what an arithmetic word writes, in
  // the order of the words
  logic [63:0] m_next, a_next, a_imm;
  assign m_next = m_address + {{32{m.imm[31]}}, m.imm};
  assign a_imm = {{32{a.imm[31]}}, a.imm};
  always_comb begin
    case (a.exec)
      tsr_isa_pkg::VX_AADD: a_next = a_q[a.aa] + a_q[a.ab];
      tsr_isa_pkg::VX_AADDI: a_next = a_q[a.aa] + a_imm;
      default: a_next = a_imm;
    endcase
  end
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int i = 0; i < 16; i++) a_q[i] <= '0;
    end else if (en_i) begin
      if (start_i) begin
        for (int i = 0; i < 8; i++)
          a_q[i] <= insn_i.x[64*(tsr_isa_pkg::TCP_VCALL_R0_SLOT+i)+:64];
      end else begin
        if (m_issue) a_q[m.aa] <= m_next;
        // Of two to one register the arithmetic word's is later, or could not have issued.
        if (a_issue && a_writes_address) a_q[a.ad] <= a_next;
      end
    end
  end

  // ---- the routine's course
  logic finished;
  assign finished = busy_q && (ends || ended_q) && idle && clean;
  assign ready_o = !busy_q;
  assign retire_o = en_i && finished;
  assign sems = tsr_isa_pkg::tcp_sems(insn_i.word);
  assign posts_o = {
    {retire_o && sems_q.p1.valid, sems_q.p1.id, 3'(tsr_tile_pkg::Q_TVP), call_q},
    {retire_o && sems_q.p0.valid, sems_q.p0.id, 3'(tsr_tile_pkg::Q_TVP), call_q}
  };
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      ended_q <= 1'b0;
      stall_q <= '0;
      active_q <= '0;
    end else if (en_i) begin
      busy_q <= start_i || (busy_q && !finished);
      ended_q <= !finished && (ended_q || ends);
      if (a_issue && a_skips) stall_q <= 8'(tsr_isa_pkg::PARAM_BRANCH_TAKEN - 1);
      else if (stall_q != 8'd0) stall_q <= stall_q - 8'd1;
      if (start_i) active_q <= 9'(Lanes);
      else if (a_issue && a.exec == tsr_isa_pkg::VX_VLEN) active_q <= active;
    end
  end
  always_ff @(posedge clk_i) begin
    if (en_i && start_i) begin
      sems_q <= sems;
      call_q <= insn_i.pc;
    end
  end

  assign issue_o = {a_issue, m_issue};
  assign issue_pc_o = m_first ? {pc1, pc0} : {pc0, pc1};

  logic unused;
  assign unused = ^{insn_i, read0_i, read1_i, write_gnt_i, sems_q, m, a};

endmodule
