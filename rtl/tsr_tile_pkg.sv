// SPDX-License-Identifier: Apache-2.0
// What the tile's units say to each other. Widths come from the chip's figures, which are
// generated; the rules behind the fields are isa/MACHINE.md.
/* verilator lint_off UNUSEDPARAM */
package tsr_tile_pkg;

  // ---- sizes
  `include "tsr_figures.svh"
  localparam int unsigned LINE_BYTES = TILE_LINE_BYTES;
  localparam int unsigned LINE_BITS = 8 * LINE_BYTES;
  localparam int unsigned LINE_SHIFT = $clog2(LINE_BYTES);
  localparam int unsigned TSRAM_BYTES = 32'(TILE_TSRAM_BYTES);
  localparam int unsigned TSRAM_LINES = (TSRAM_BYTES + LINE_BYTES - 1) / LINE_BYTES;
  localparam int unsigned LINE_W = $clog2(TSRAM_LINES);
  localparam int unsigned TSRAM_W = LINE_W + LINE_SHIFT;  // byte addresses
  localparam int unsigned BANKS = 16;
  localparam int unsigned REQUESTERS = 8;
  localparam int unsigned CONTROL_W = $clog2(TILE_CONTROL_BYTES);
  localparam int unsigned SEMS = TILE_SEMAPHORES;
  localparam int unsigned COUNT_W = $clog2(TILE_SEMAPHORE_MAX + 1);
  localparam int unsigned PORT_BITS = 8 * TILE_PORT_BYTES;
  localparam int unsigned REQUEST_BYTES = TILE_TDMA_MAX_REQUEST_BYTES;
  localparam int unsigned REQUEST_W = $clog2(REQUEST_BYTES + 1);
  localparam int unsigned TILES = MESH_X * MESH_Y *
      TILES_PER_CLUSTER;
  localparam int unsigned CLUSTERS = MESH_X * MESH_Y;
  localparam int unsigned MAX_REQUESTS = 512;  // in flight
  localparam int unsigned ID_W = 9;
  localparam int unsigned MAX_ACTIVE = 8;  // of a unit, started and not posted
  localparam int unsigned MAX_DESCRIPTORS = 16;  // of a channel, started and not posted
  localparam int unsigned CHANNELS = 4;
  localparam int unsigned ACK_LANES = 4;  // acknowledgements and remote posts a cycle
  localparam int unsigned REMOTE_LANES = 8;

  // ---- requesters of the TSRAM: their place in the rotation
  localparam int unsigned PORT_TTU_A = 0;
  localparam int unsigned PORT_TTU_B = 1;
  localparam int unsigned PORT_TVP_READ0 = 2;
  localparam int unsigned PORT_TVP_READ1 = 3;
  localparam int unsigned PORT_TVP_WRITE = 4;
  localparam int unsigned PORT_DMA_READ = 5;
  localparam int unsigned PORT_DMA_WRITE = 6;
  localparam int unsigned PORT_ACC = 7;

  // ---- queues, in the order in which faults of one cycle are reported
  localparam int unsigned Q_TCP = 0;
  localparam int unsigned Q_TTU = 1;
  localparam int unsigned Q_ACC = 2;
  localparam int unsigned Q_TVP = 3;
  localparam int unsigned Q_DMA0 = 4;
  localparam int unsigned QUEUES = 8;

  // Numbers as enum tsr_fault_kind (tessera/sim.h). NOT_BUILT: the unit is a shell.
  typedef enum logic [3:0] {
    FAULT_NONE = 4'd0,
    FAULT_ADDRESS = 4'd1,
    FAULT_OPERAND_LINE = 4'd2,
    FAULT_SHAPE = 4'd3,
    FAULT_ACC_CONFLICT = 4'd4,
    FAULT_SEMAPHORE_OVERFLOW = 4'd5,
    FAULT_SEMAPHORE_CONSUMER = 4'd6,
    FAULT_ILLEGAL = 4'd7,
    FAULT_LOOP_DEPTH = 4'd8,
    FAULT_CONTROL_ADDRESS = 4'd9,
    FAULT_PROGRAM_END = 4'd10,
    FAULT_NOT_BUILT = 4'd15
  } fault_e;

  // Raised in the cycle to which MACHINE.md gives the fault; pc as the simulator reports it.
  typedef struct packed {
    logic valid;
    fault_e kind;
    logic [16:0] pc;
  } fault_t;

  typedef struct packed {
    logic [4:0] amount;  // 0: unused
    logic [5:0] id;
  } wait_t;

  typedef struct packed {
    logic valid;
    logic [5:0] id;
  } post_t;

  // The semaphore slots in the order of tsr_isa_pkg::tcp_sems.
  typedef struct packed {
    post_t p1;
    post_t p0;
    wait_t w1;
    wait_t w0;
  } sems_t;

  // One post on its way to SYNC; from and pc say whom an overflow is charged to.
  typedef struct packed {
    logic valid;
    logic [5:0] id;
    logic [2:0] from;  // queue
    logic [16:0] pc;
  } post_lane_t;

  // A unit instruction with its registers' values: immediates are read from the word at
  // TCP_<ROW>_<FIELD>_LSB, values at x[64 * TCP_<ROW>_<FIELD>_SLOT +: 64].
  typedef struct packed {
    logic [16:0] pc;
    logic [127:0] word;
    logic [64*SLOTS-1:0] x;
  } unit_insn_t;

  // ---- TSRAM: a request stands until gnt, which comes in the same cycle. Data are on rdata in the
  // cycle after the grant; a unit may use them from grant + tsram_latency on.
  typedef struct packed {
    logic valid;
    logic [LINE_W-1:0] line;
  } rd_req_t;

  typedef struct packed {
    logic gnt;
    logic rvalid;
    logic [LINE_BITS-1:0] rdata;
  } rd_rsp_t;

  typedef struct packed {
    logic valid;
    logic [LINE_W-1:0] line;
    logic [LINE_BYTES-1:0] mask;
    logic [LINE_BITS-1:0] data;
  } wr_req_t;

  // ---- accumulators: tiles of D x D for the TTU, lines of `lanes` values for all others.
  // A line number is (bank * 4D + row) * (4D / lanes) + column / lanes, as vlda counts.
  localparam int unsigned DIM = TILE_TTU_DIM;
  localparam int unsigned LANES = TILE_TVP_LANES;
  localparam int unsigned ACC_BANKS = TILE_TTU_ACC_BANKS;
  localparam int unsigned ACC_LINES = ACC_BANKS * 16 * DIM * DIM / LANES;
  localparam int unsigned ACC_LINE_W = $clog2(ACC_LINES);
  localparam int unsigned TILE_BITS = 32 * DIM * DIM;

  // ---- vector results that may be written in one cycle: one of each class of the arithmetic side,
  // and the registers of a load (a block of 16 may take several)
  localparam int unsigned TVP_LOAD_REGS = LANES < 16 ? 16 / LANES : 1;
  localparam int unsigned TVP_RESULTS = TVP_CLASSES + TVP_LOAD_REGS;

  typedef struct packed {
    logic valid;
    logic [3:0] bank;
    logic [1:0] row;  // of tiles in the bank
    logic [1:0] col;
  } acc_tile_t;

  typedef struct packed {
    logic valid;
    logic [ACC_LINE_W-1:0] line;
    logic [LANES-1:0] mask;
    logic [32*LANES-1:0] data;
  } acc_wr_t;

  typedef struct packed {
    logic valid;
    logic [ACC_LINE_W-1:0] line;
  } acc_rd_t;

  // ---- the tile's port
  typedef enum logic [1:0] {
    DMA_READ = 2'd0,
    DMA_WRITE = 2'd1,
    DMA_CAST = 2'd2,
    DMA_FORWARD = 2'd3
  } dma_kind_e;

  // How a request's bytes lie in a TSRAM: `first` bytes at `at`, then pieces of len, each gap
  // after the end of the one before.
  typedef struct packed {
    logic [TSRAM_W-1:0] at;
    logic [REQUEST_W-1:0] first;
    logic [REQUEST_W-1:0] len;  // at most a whole request
    logic [TSRAM_W-1:0] gap;
    logic [REQUEST_W-1:0] bytes;
  } layout_t;

  // One request a cycle. For a forward, `address` is read and `to` written.
  typedef struct packed {
    logic valid;
    dma_kind_e kind;
    logic [1:0] channel;
    logic [ID_W-1:0] id;
    logic [63:0] address;
    logic [63:0] to;
    logic [REQUEST_W-1:0] bytes;
    logic [63:0] mask;  // of a cast: its tiles
    layout_t layout;    // of a cast: where it goes in each of them
  } dma_req_t;

  // Beats in the order of the port, those of a packet without a hole between them.
  typedef struct packed {
    logic valid;
    logic last;
    logic cast;  // of some tile's cast: layout says where to; else a response to request id
    logic [ID_W-1:0] id;
    layout_t layout;
    logic [PORT_BITS-1:0] data;
  } in_beat_t;

  typedef struct packed {
    logic valid;
    logic last;
    logic [ID_W-1:0] id;
    logic [PORT_BITS-1:0] data;
  } out_beat_t;

  typedef struct packed {
    logic valid;
    logic [ID_W-1:0] id;
  } ack_t;

  // ---- inside the TDMA
  localparam int unsigned CASTS = 512;  // packets of casts that may wait for the TSRAM here
  localparam int unsigned NUMBERS = MAX_REQUESTS + CASTS;
  localparam int unsigned NUMBER_W = $clog2(NUMBERS + 1);

  typedef enum logic [2:0] {
    DESC_READ = 3'd0,
    DESC_WRITE = 3'd1,
    DESC_LOCAL = 3'd2,
    DESC_FORWARD = 3'd3,
    DESC_RPOST = 3'd4,
    DESC_CAST = 3'd5,
    DESC_SINGLE = 3'd6  // transpose, to_control: single_t
  } desc_kind_e;

  // Among the numbers of requests on their way through the TSRAM's sides: the one single.
  // ('1 would be 1 to yosys 0.23.)
  localparam logic [NUMBER_W-1:0] SINGLE = {NUMBER_W{1'b1}};

  localparam int unsigned SINGLE_BITS = 4 * TSRAM_W + CONTROL_W + 18;
  typedef struct packed {
    logic control;  // to_control: len bytes at src to control memory at dst
    logic [TSRAM_W-1:0] src;
    logic [TSRAM_W-1:0] dst;
    logic [CONTROL_W:0] len;
    logic [6:0] rows;  // of the source; to_control: 1
    logic [6:0] cols;
    logic [TSRAM_W-1:0] ss;
    logic [TSRAM_W-1:0] ds;
    logic [1:0] size;  // log2 of an element's bytes
  } single_t;

  // A transfer as MACHINE.md walks it: runs at the far side, made of pieces of len.
  typedef struct packed {
    desc_kind_e kind;
    logic nothing;  // no bytes: one turn
    logic merged;  // the first dimension is part of the run
    logic indexed;  // runs lie at far + index * fs0
    logic [CONTROL_W-1:0] index_at;
    logic [63:0] far_at;
    logic [63:0] near_at;
    logic [63:0] fs0;
    logic [63:0] fs1;
    logic [63:0] fs2;
    logic [63:0] ns0;
    logic [63:0] ns1;
    logic [63:0] ns2;
    logic [24:0] n0;
    logic [24:0] n1;
    logic [24:0] n2;
    logic [31:0] len;
    logic [40:0] run;
    logic [40:0] total;
    logic [63:0] mask;  // rpost, cast
    logic [5:0] sem;
    single_t single;
  } desc_t;

  // Where the next bytes of a request lie: n of the piece at hand, left of the request.
  typedef struct packed {
    logic [TSRAM_W-1:0] at;
    logic [REQUEST_W-1:0] n;
    logic [REQUEST_W-1:0] left;
    logic [REQUEST_W-1:0] off;  // of them in the request
  } cursor_t;

  // ---- the host loads a program, then rings the doorbell: that cycle is number 0
  typedef enum logic [2:0] {
    HOST_PROGRAM = 3'd0,   // word addr
    HOST_ROUTINE = 3'd1,   // word addr, data[63:0]
    HOST_CONTROL = 3'd2,   // eight bytes at byte address addr
    HOST_REGISTER = 3'd3,  // x1..x24
    HOST_CONSUMER = 3'd4,  // of semaphore addr: queue data[2:0]; data[3]: none
    HOST_SIZES = 3'd5      // words of program data[16:0] and of routines data[48:32]
  } host_e;

  typedef struct packed {
    logic valid;
    host_e what;
    logic [16:0] addr;
    logic [127:0] data;
  } host_t;

endpackage
