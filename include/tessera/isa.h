/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set in memory: rows of isa/tile.yaml and isa/formats.yaml, and programs made of
 * them. isa/MACHINE.md says what the machine does with an instruction. */
#ifndef TESSERA_ISA_H
#define TESSERA_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/dtype.h"
#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TSR_MAX_OPERANDS = 24, /* explicit operands and semaphore slots */
    TSR_MAX_OPS = 256,     /* per stream: the opcode has eight bits */
    TSR_MAX_SEMAPHORES = 64,
    TSR_MAX_NODES = 48, /* of one expression */
    TSR_LAUNCH_REGS = 24, /* x1..x24 hold launch arguments */
};

/* The two instruction streams: TCP programs of 128-bit words, TVP routines of 64-bit words. */
enum tsr_stream { TSR_STREAM_TCP, TSR_STREAM_TVP, TSR_STREAMS };

/* In-order queues of a tile; also the consumers of semaphores. */
enum tsr_queue {
    TSR_Q_TCP,
    TSR_Q_TTU,
    TSR_Q_ACC,
    TSR_Q_TVP,
    TSR_Q_DMA0,
    TSR_Q_DMA1,
    TSR_Q_DMA2,
    TSR_Q_DMA3,
    TSR_QUEUES
};

/* The unit column of a row. TSR_UNIT_TDMA goes to queue TSR_Q_DMA0 + its `ch` operand. Vector
 * instructions (stream tvp) have unit TSR_UNIT_TVP; so has vcall of stream tcp. */
enum tsr_unit { TSR_UNIT_TCP, TSR_UNIT_TTU, TSR_UNIT_ACC, TSR_UNIT_TVP, TSR_UNIT_TDMA, TSR_UNITS };

enum tsr_operand_kind {
    TSR_KIND_XREG,  /* scalar register x0..x31; x0 reads 0 */
    TSR_KIND_VREG,  /* vector register v0..v31 */
    TSR_KIND_AREG,  /* address register a0..a15 */
    TSR_KIND_UIMM,  /* unsigned immediate */
    TSR_KIND_SIMM,  /* signed immediate */
    TSR_KIND_FMT,   /* number format by name; value = code */
    TSR_KIND_LABEL, /* word index in the stream; in TCP `vcall`, in the TVP stream */
    TSR_KIND_WAIT,  /* semaphore to consume: value = id + (amount << 6); amount 0: unused */
    TSR_KIND_POST,  /* semaphore to post: value = id + (valid << 6) */
};

struct tsr_operand {
    char name[12];
    enum tsr_operand_kind kind;
    uint8_t at, width;  /* field: lowest bit and bits */
    int64_t min, max;   /* legal values (within what the field holds) */
    bool has_default;   /* may be left out in assembly text */
    int64_t dflt;
    uint8_t formats_of; /* FMT: unused, 0 */
    uint32_t formats;   /* FMT: bit per legal format code */
};

/* Expressions of rows (lanes, value, occupancy, latency): postfix code. */
enum tsr_node_kind { TSR_NODE_CONST, TSR_NODE_OPERAND, TSR_NODE_PARAM, TSR_NODE_CALL };
struct tsr_node {
    enum tsr_node_kind kind;
    int64_t value;   /* CONST: integer, or f32 bits in lane expressions */
    uint16_t index;  /* OPERAND: index in the row; PARAM: index in tsr_isa.params or a name known
                        to the unit (see `name`); CALL: index of the primitive in its table */
    uint8_t arity;   /* CALL */
    char name[16];   /* as written */
};
struct tsr_expr {
    uint16_t n; /* 0: absent */
    struct tsr_node node[TSR_MAX_NODES];
};

/* What a row does: names a handler of sim/exec (and of the RTL), or, for the generic handlers
 * "alu" (value), "lanes" (lanes) and "reduce" (reduce), gives the expression. */
struct tsr_op {
    char mnemonic[16];
    enum tsr_stream stream;
    enum tsr_unit unit;
    uint8_t opcode;
    char exec[16];
    bool memory; /* TVP: takes the memory slot; otherwise the arithmetic slot */
    bool named;  /* assembly: operands written name=value */
    uint8_t n_operands;
    struct tsr_operand operand[TSR_MAX_OPERANDS];
    struct tsr_expr lanes, value, occupancy, latency;
    char reduce[16]; /* primitive of the tree, for exec "reduce" */
    char doc[160];
    uint64_t used[2]; /* bits of the word that some field covers; all others must be zero */
    uint32_t line;    /* in the file the row came from */
    uint8_t source;   /* 0 built-in, 1.. overlays in the order given */
};

struct tsr_param {
    char name[16];
    int64_t value;
};

struct tsr_isa {
    uint16_t major, minor;
    uint64_t digest; /* of the rows as loaded; equal machines have equal digests */
    uint16_t n_ops;
    struct tsr_op *ops;                    /* sorted by (stream, opcode) */
    uint16_t by_opcode[TSR_STREAMS][TSR_MAX_OPS]; /* index + 1; 0: illegal */
    uint16_t n_params;
    struct tsr_param params[64]; /* latencies and the like: `parameters:` of tile.yaml */
    struct tsr_format formats[TSR_DTYPE_MAX];
    bool has_format[TSR_DTYPE_MAX];
};

/* Loads the built-in description, then each overlay file in order: a row replaces the row of the
 * same stream and mnemonic or is added (formats: same name).
 * Proves: no two opcodes or fields overlap, every operand range fits its field, every field lies in
 * the word, every expression is defined, every exec is known (by tsr_isa_exec_known).
 * Errors: TSR_BAD_INPUT "file:line:column: key: what is wrong, what is allowed".
 * Ownership: free with tsr_isa_free. */
enum tsr_status tsr_isa_load(const char *const *overlays, size_t n_overlays, struct tsr_isa **out,
                             struct tsr_error *err);
void tsr_isa_free(struct tsr_isa *isa);

const struct tsr_op *tsr_isa_find(const struct tsr_isa *isa, enum tsr_stream s,
                                  const char *mnemonic);
const struct tsr_format *tsr_isa_format(const struct tsr_isa *isa, const char *name); /* or null */
int64_t tsr_isa_param(const struct tsr_isa *isa, const char *name, int64_t absent);
int tsr_op_operand(const struct tsr_op *op, const char *name); /* index, or -1 */

/* An instruction before encoding: one value per operand of the row, in the row's order. */
struct tsr_insn {
    const struct tsr_op *op;
    int64_t v[TSR_MAX_OPERANDS];
};

struct tsr_word {
    uint64_t w[2]; /* w[0] bits 0..63; the TVP stream uses w[0] only */
};

/* Errors: TSR_BAD_INPUT naming the operand and its range. */
enum tsr_status tsr_encode(const struct tsr_insn *in, struct tsr_word *out, struct tsr_error *err);
/* Errors: TSR_BAD_INPUT for an illegal opcode, a nonzero bit outside all fields, an operand value
 * outside its range. */
enum tsr_status tsr_decode(const struct tsr_isa *isa, enum tsr_stream s, struct tsr_word w,
                           struct tsr_insn *out, struct tsr_error *err);

/* A tensor that `tessera run` binds to a .npy file. `data` points into HBM. */
struct tsr_binding {
    char name[32];
    bool output;
    uint8_t format; /* code */
    uint64_t address;
    uint32_t dims;
    uint64_t dim[4]; /* row-major, last fastest */
};

/* One launch: a TCP program, its routines, semaphore consumers, per-tile arguments.
 * All tiles run the same program; they differ by launch registers x1.. and control memory. */
struct tsr_program {
    uint16_t isa_major, isa_minor;
    uint64_t isa_digest;
    uint8_t consumer[TSR_MAX_SEMAPHORES]; /* enum tsr_queue; 0xFF: semaphore unused */
    uint32_t n_tcp, n_tvp;                /* words */
    struct tsr_word *tcp;
    uint64_t *tvp;
    uint32_t tiles; /* tiles 0..tiles-1 run it; the others stay halted */
    int64_t (*args)[TSR_LAUNCH_REGS]; /* [tiles] -> x1..x24; null: zeros */
    uint8_t **control;                /* [tiles] -> initial control memory image, or null */
    uint32_t *control_bytes;
    uint32_t n_bindings;
    struct tsr_binding *bindings;
    uint32_t *tcp_line, *tvp_line; /* source lines, or null */
};

/* Assembles `text` (file name only for messages). Ownership: free with tsr_program_free. */
enum tsr_status tsr_assemble(const struct tsr_isa *isa, const char *file, const char *text,
                             size_t bytes, struct tsr_program *out, struct tsr_error *err);
/* Writes the text of one instruction to `out` (cap bytes, always ended); labels as numbers.
 * Returns its whole length without the null, as snprintf does. */
size_t tsr_disassemble_insn(const struct tsr_isa *isa, const struct tsr_insn *in, char *out,
                            size_t cap);
/* A whole program as text that assembles to the same program. Caller frees *text with free(). */
enum tsr_status tsr_disassemble(const struct tsr_isa *isa, const struct tsr_program *p, char **text,
                                struct tsr_error *err);
/* Binary container, as `tessera asm` writes and `tessera dis|run` read. The caller frees *bytes.
 * Besides the program it holds the version and digest of `isa` (which made the program) and a
 * digest of each row and format in use.
 * Reading accepts a program of the same digest; of another one where the major version is the same,
 * the program's minor is not above the ISA's, and every row and format in use means and encodes the
 * same, so that only additions (and times) differ. Else, and for every word that does not decode:
 * TSR_BAD_INPUT "file: what is wrong". */
enum tsr_status tsr_program_write(const struct tsr_isa *isa, const struct tsr_program *p,
                                  uint8_t **bytes, size_t *n, struct tsr_error *err);
enum tsr_status tsr_program_read(const struct tsr_isa *isa, const char *file, const uint8_t *bytes,
                                 size_t n, struct tsr_program *out, struct tsr_error *err);
void tsr_program_free(struct tsr_program *p);

#ifdef __cplusplus
}
#endif
#endif
