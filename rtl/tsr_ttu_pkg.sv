// SPDX-License-Identifier: Apache-2.0
// What the tensor unit's parts say to each other.
/* verilator lint_off UNUSEDPARAM */
package tsr_ttu_pkg;

  `include "tsr_figures.svh"
  localparam int unsigned LINE_BITS = 8 * TILE_LINE_BYTES;
  localparam int unsigned LINE_SHIFT = $clog2(TILE_LINE_BYTES);
  localparam int unsigned TSRAM_W = $clog2(32'(TILE_TSRAM_BYTES));
  localparam int unsigned DIM = TILE_TTU_DIM;
  localparam int unsigned ROWS = 8 * DIM;  // of an operand at most
  localparam int unsigned ROW_W = $clog2(ROWS);
  localparam int unsigned K_W = $clog2(8 * TILE_LINE_BYTES) + 1;
  localparam int unsigned EXP_LINES = (4 * ROWS - 4) / TILE_LINE_BYTES + 2;
  localparam int unsigned EXP_W = $clog2(EXP_LINES + 1);

  // An operand in its buffer: row i starts at byte (at + i * stride) of line 0 where dense, else in
  // line i, there at the same modulo a line.
  typedef struct packed {
    logic [4:0] format;
    logic strided;  // rows of m or n elements, one for each k
    logic dense;  // the stride is below a line
    logic [LINE_SHIFT-1:0] at;
    logic [LINE_SHIFT-1:0] stride;
    logic [LINE_SHIFT-1:0] scales;
  } operand_t;

  // What a port fetches: lines from `first` on, or of rows `stride` bytes apart.
  typedef struct packed {
    logic dense;
    logic [TSRAM_W-1:0] at;
    logic [TSRAM_W-1:0] stride;
    logic [ROW_W:0] lines;
  } fetch_t;

  typedef struct packed {
    operand_t a;
    operand_t b;
    logic [ROW_W:0] m;
    logic [ROW_W:0] n;
    logic [K_W-1:0] k;
    logic [3:0] bank;
    logic [1:0] row;
    logic [1:0] col;
    logic [1:0] across;
    logic acc;
    logic [1:0] sc;
    logic [LINE_SHIFT-1:0] e_at;  // of the first exponent in its line
    logic plain;
    logic wide;
    logic several;
    logic [1:0] level;
    logic [3:0] log2_r;
    logic [15:0] unit;
  } op_t;

  // A tile's step on its way: what its later stages need.
  typedef struct packed {
    logic valid;
    logic last;  // the instruction ends with it, valid or not
    logic first;  // of the instruction's steps
    logic half;
    logic [3:0] bank;
    logic [1:0] row;
    logic [1:0] col;
    logic [DIM-1:0] rows;  // that count
    logic [DIM-1:0] cols;
    logic [2:0] ti;
    logic [2:0] tj;
    logic acc;
    logic [1:0] sc;
    logic [LINE_SHIFT-1:0] e_at;
    logic plain;
    logic wide;
    logic several;
    logic [1:0] level;
    logic [15:0] unit;
  } slot_t;

endpackage
