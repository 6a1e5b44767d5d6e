// SPDX-License-Identifier: Apache-2.0
// What the parts of the vector processor say to each other.
/* verilator lint_off UNUSEDPARAM */
package tsr_tvp_pkg;

  localparam int unsigned LOOP_BITS = 64 + 17 + 17;
  localparam int unsigned LOOPS_BITS = 4 * LOOP_BITS + 3;

  // A word of a routine with its fields where all rows have them.
  typedef struct packed {
    logic legal;
    logic memory;  // which of the two slots
    logic [4:0] exec;
    logic [7:0] op;
    logic [3:0] vregs;  // which of c, b, a, d are vector registers
    logic [4:0] vc;
    logic [4:0] vb;
    logic [4:0] va;
    logic [4:0] vd;
    logic [3:0] ab;
    logic [3:0] aa;
    logic [3:0] ad;
    logic [31:0] imm;
    logic [15:0] target;
    logic [4:0] format;
    logic [8:0] n;
    logic [5:0] result;  // class
    logic [7:0] latency;
  } word_t;

endpackage
