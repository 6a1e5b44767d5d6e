// SPDX-License-Identifier: Apache-2.0
// The tile control processor: fetch, decode, scalar arithmetic, branches, hardware loops; hands
// unit instructions with their registers' values to the queues. What a row means comes from the
// generated package; only handlers stand here. A word is fetched in the cycle before it issues,
// since the word that follows is known by then; a taken branch has branch_taken cycles for it.
module tsr_tcp (
    input logic clk_i,
    input logic rst_ni,
    input logic en_i,  // no fault so far
    input logic go_i,  // from the cycle of the first instruction on
    input tsr_tile_pkg::host_t host_i,
    // control memory
    output logic [tsr_tile_pkg::CONTROL_W-1:0] control_addr_o,
    output logic control_write_o,
    output logic [7:0] control_mask_o,
    output logic [63:0] control_wdata_o,
    input logic [63:0] control_rdata_i,
    // queues by number; bit 0 is nobody's
    output logic [tsr_tile_pkg::QUEUES-1:0] push_o,
    output tsr_tile_pkg::unit_insn_t insn_o,
    input logic [tsr_tile_pkg::QUEUES-1:0] full_i,
    // semaphores
    input logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts_i,
    input logic [tsr_tile_pkg::SEMS*4-1:0] consumers_i,
    output logic consume_o,
    output tsr_tile_pkg::sems_t sems_o,
    output tsr_tile_pkg::fault_t fault_o,
    // what retires: the word issues in this cycle
    output logic retire_o,
    output logic [16:0] pc_o,
    output logic halted_o,
    // registers written, loads a cycle after their issue
    output logic write_o,
    output logic [4:0] write_reg_o,
    output logic [63:0] write_value_o
);

  localparam int unsigned Words = tsr_chip_pkg::TILE_PROGRAM_WORDS;
  localparam int unsigned WordW = $clog2(Words);
  localparam logic [7:0] BranchTaken = 8'(tsr_isa_pkg::PARAM_BRANCH_TAKEN);

  logic [127:0] mem[Words];
  logic [127:0] word_q;
  (* mem2reg *) logic [63:0] x_q[32];
  logic [16:0] size_q, pc_q, pc_d;
  logic [7:0] stall_q, stall_d;
  logic halted_q, halted_d;
  logic load_q, load_wide_q, load_high_q;
  logic [4:0] load_reg_q;

  logic active, issue, legal;
  logic [4:0] exec, d;
  logic [7:0] cycles;
  logic [63:0] a, b, imm, value;
  logic [16:0] after, reached, target;
  logic take_loops, push_loop, loop_full;
  logic [2:0] queue;
  logic waits_met, stranger;
  logic [5*tsr_isa_pkg::SLOTS-1:0] slots;
  tsr_isa_pkg::tcp_decoded_t decoded;
  logic is_unit, is_load, is_store, wide, bad_control;
  logic [63:0] control_at;

  assign decoded = tsr_isa_pkg::tcp_decode(word_q);
  assign legal = decoded.legal;
  assign exec = tsr_isa_pkg::tcp_exec(word_q);
  assign queue = tsr_isa_pkg::tcp_queue(word_q);
  assign cycles = tsr_isa_pkg::tcp_cycles(word_q);
  assign d = tsr_isa_pkg::tcp_reg_d(word_q);
  assign a = x_q[tsr_isa_pkg::tcp_reg_a(word_q)];
  assign b = x_q[tsr_isa_pkg::tcp_reg_b(word_q)];
  assign imm = tsr_isa_pkg::tcp_imm(word_q);
  assign target = {1'b0, tsr_isa_pkg::tcp_target(word_q)};
  assign value = tsr_isa_pkg::tcp_value(decoded.op, a, b, imm);
  assign sems_o = tsr_isa_pkg::tcp_sems(word_q);
  assign slots = tsr_isa_pkg::tcp_slots(word_q);
  assign after = pc_q + 17'd1;
  assign is_unit = queue != 3'd0;
  assign is_load = exec == tsr_isa_pkg::EX_LOAD32 || exec == tsr_isa_pkg::EX_LOAD64;
  assign is_store = exec == tsr_isa_pkg::EX_STORE32 || exec == tsr_isa_pkg::EX_STORE64;
  assign wide = exec == tsr_isa_pkg::EX_LOAD64 || exec == tsr_isa_pkg::EX_STORE64;

  // ---- control memory
  assign control_at = a + imm;
  assign bad_control = control_at[1:0] != 2'd0 || (wide && control_at[2]) ||
      control_at >= 64'(tsr_chip_pkg::TILE_CONTROL_BYTES);
  assign control_addr_o = control_at[tsr_tile_pkg::CONTROL_W-1:0];
  assign control_write_o = issue && is_store && !bad_control;
  assign control_mask_o = wide ? 8'hff : control_at[2] ? 8'hf0 : 8'h0f;
  assign control_wdata_o = wide ? b : {b[31:0], b[31:0]};

  // ---- what the word in hand does; nothing where it waits or faults
  assign active = en_i && go_i && !halted_q && stall_q == 8'd0;
  always_comb begin
    fault_o = '0;
    fault_o.pc = pc_q;
    if (pc_q >= size_q) begin
      fault_o.kind = tsr_tile_pkg::FAULT_PROGRAM_END;
    end else if (!legal) begin
      fault_o.kind = tsr_tile_pkg::FAULT_ILLEGAL;
    end else if (exec == tsr_isa_pkg::EX_LOOP && $signed(a) > 64'sd0 &&
                 (loop_full || target <= after)) begin
      fault_o.kind = tsr_tile_pkg::FAULT_LOOP_DEPTH;
    end else if ((is_load || is_store) && bad_control) begin
      fault_o.kind = tsr_tile_pkg::FAULT_CONTROL_ADDRESS;
    end else if (consume_o && stranger) begin
      fault_o.kind = tsr_tile_pkg::FAULT_SEMAPHORE_CONSUMER;
    end
    fault_o.valid = active && fault_o.kind != tsr_tile_pkg::FAULT_NONE;
  end

  always_comb begin
    issue = active && pc_q < size_q && legal;
    if (is_unit && full_i[queue]) issue = 1'b0;
    if (exec == tsr_isa_pkg::EX_WAIT && !waits_met) issue = 1'b0;
  end
  assign consume_o = issue && exec == tsr_isa_pkg::EX_WAIT;

  always_comb begin
    reached = after;
    take_loops = issue;
    push_loop = 1'b0;
    halted_d = 1'b0;
    stall_d = is_unit ? 8'd0 : cycles - 8'd1;
    case (exec)
      tsr_isa_pkg::EX_HALT: begin
        halted_d = 1'b1;
        take_loops = 1'b0;
      end
      tsr_isa_pkg::EX_JUMP: reached = target;
      tsr_isa_pkg::EX_BRANCH: begin
        if (value != '0) reached = target;
        else stall_d = 8'd0;
      end
      tsr_isa_pkg::EX_LOOP: begin
        if ($signed(a) > 64'sd0) begin
          push_loop = issue;
          take_loops = 1'b0;
        end else begin
          reached = target;
          stall_d = BranchTaken - 8'd1;
        end
      end
      default: ;
    endcase
  end

  logic [16:0] next;
  tsr_loops u_loops (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .clear_i(1'b0),
      .at_i(reached),
      .next_o(next),
      .take_i(take_loops),
      .push_i(push_loop),
      .start_i(after),
      .end_i(target),
      .count_i(a),
      .full_o(loop_full)
  );

  tsr_wait #(
      .Queue(3'd0)
  ) u_wait (
      .w0_i(sems_o.w0),
      .w1_i(sems_o.w1),
      .counts_i(counts_i),
      .consumers_i(consumers_i),
      .ready_o(waits_met),
      .stranger_o(stranger)
  );

  assign pc_d = take_loops ? next : push_loop ? after : pc_q;

  always_comb begin
    push_o = '0;
    push_o[queue] = issue && is_unit;
    insn_o.pc = pc_q;
    insn_o.word = word_q;
    for (int i = 0; i < tsr_isa_pkg::SLOTS; i++) begin
      insn_o.x[64*i+:64] = x_q[slots[5*i+:5]];
    end
  end

  // ---- state
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      pc_q <= '0;
      stall_q <= '0;
      halted_q <= 1'b0;
      load_q <= 1'b0;
    end else if (en_i) begin
      pc_q <= pc_d;
      stall_q <= issue ? stall_d : stall_q != 8'd0 ? stall_q - 8'd1 : 8'd0;
      halted_q <= halted_q | (issue & halted_d);
      load_q <= issue && is_load && !bad_control;
    end
  end

  always_ff @(posedge clk_i) begin
    load_reg_q <= d;
    load_wide_q <= wide;
    load_high_q <= control_at[2];
  end

  // Program memory: read a cycle ahead.
  logic write_program;
  assign write_program = host_i.valid && host_i.what == tsr_tile_pkg::HOST_PROGRAM;
  always_ff @(posedge clk_i) begin
    if (write_program) mem[host_i.addr[WordW-1:0]] <= host_i.data;
    word_q <= mem[pc_d[WordW-1:0]];
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      size_q <= '0;
    end else if (host_i.valid && host_i.what == tsr_tile_pkg::HOST_SIZES) begin
      size_q <= host_i.data[16:0];
    end
  end

  // ---- registers; x0 reads 0
  logic [63:0] loaded;
  logic alu_write;
  assign loaded = load_wide_q ? control_rdata_i :
      load_high_q ? {{32{control_rdata_i[63]}}, control_rdata_i[63:32]} :
      {{32{control_rdata_i[31]}}, control_rdata_i[31:0]};
  assign alu_write = issue && exec == tsr_isa_pkg::EX_ALU;
  assign write_reg_o = load_q ? load_reg_q : d;
  assign write_value_o = load_q ? loaded : value;
  assign write_o = en_i && (alu_write || load_q) && write_reg_o != 5'd0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int i = 0; i < 32; i++) x_q[i] <= '0;
    end else if (write_o) begin
      x_q[write_reg_o] <= write_value_o;
    end else if (host_i.valid && host_i.what == tsr_tile_pkg::HOST_REGISTER) begin
      x_q[host_i.addr[4:0]] <= host_i.data[63:0];
    end
  end

  assign retire_o = issue && !fault_o.valid;
  assign pc_o = pc_q;
  assign halted_o = halted_q;

endmodule
