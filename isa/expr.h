/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of rows: `value` (64-bit integers), `lanes` (f32 or i32 per lane), `occupancy` and
 * `latency` (cycles). Written as calls, e.g. "mul(ceil_div(k, r), max(tiles, acc_latency))";
 * held in postfix order. */
#ifndef ISA_EXPR_H
#define ISA_EXPR_H

#include "isa/doc.h"
#include "tessera/isa.h"

enum tsr_expr_kind { TSR_EXPR_VALUE, TSR_EXPR_LANES, TSR_EXPR_CYCLES };

/* CALL indices of `value`: 64-bit two's complement, shifts modulo 64, comparisons give 1 or 0. */
enum tsr_scalar_fn {
    TSR_SCALAR_ADD, TSR_SCALAR_SUB, TSR_SCALAR_MUL, TSR_SCALAR_AND, TSR_SCALAR_OR, TSR_SCALAR_XOR,
    TSR_SCALAR_SHL, TSR_SCALAR_SHR, TSR_SCALAR_SRA, TSR_SCALAR_SMIN, TSR_SCALAR_SMAX,
    TSR_SCALAR_SLT, TSR_SCALAR_SGE, TSR_SCALAR_EQ, TSR_SCALAR_NE, TSR_SCALAR_FNS,
};

/* CALL indices of cycles. They saturate at the ends of int64; ceil_div of something not positive is
 * 0, by something below 1 is as by 1. CALL indices of `lanes` are those of tsr_num_primitives. */
enum tsr_cycle_fn {
    TSR_CYCLE_CEIL_DIV, TSR_CYCLE_MUL, TSR_CYCLE_MAX, TSR_CYCLE_MIN, TSR_CYCLE_ADD, TSR_CYCLE_SUB,
    TSR_CYCLE_FNS,
};

/* Names that a unit knows about the instruction it runs; PARAM nodes with index
 * TSR_EXPR_UNIT_NAME + enum. An operand of the same name comes first. */
enum tsr_unit_name {
    TSR_NAME_K, TSR_NAME_M, TSR_NAME_N, TSR_NAME_R, TSR_NAME_TILES, TSR_NAME_ACC_LATENCY,
    TSR_NAME_ROWS, TSR_NAME_PIPE, TSR_UNIT_NAMES,
};
enum { TSR_EXPR_UNIT_NAME = 0x8000 };

/* Index of the function or name, or -1. */
int tsr_scalar_find(const char *name);
int tsr_cycle_find(const char *name);
int tsr_unit_name_find(const char *name);

int64_t tsr_scalar_apply(enum tsr_scalar_fn fn, int64_t a, int64_t b);
int64_t tsr_cycle_apply(enum tsr_cycle_fn fn, int64_t a, int64_t b);

/* Reads the text of `node`, the value of `key` in the row `op`, whose operands and unit are set;
 * parameters come from isa->params.
 * Numbers: integers; in lanes 1.5 or 1e3 is the nearest f32, 0x3f800000 a bit pattern, and a plain
 * integer is refused, since it could be meant as either.
 * Errors: TSR_BAD_INPUT with the column of the word at fault. */
enum tsr_status tsr_expr_parse(const struct tsr_doc *doc, const struct tsr_doc_node *node,
                               const char *key, enum tsr_expr_kind kind, const struct tsr_isa *isa,
                               const struct tsr_op *op, struct tsr_expr *out,
                               struct tsr_error *err);

/* The value of a VALUE or CYCLES expression. operand: per operand of the row, registers already
 * read; unit: per enum tsr_unit_name, may be null where the row's unit knows none. */
int64_t tsr_expr_eval(const struct tsr_expr *e, enum tsr_expr_kind kind, const struct tsr_isa *isa,
                      const int64_t *operand, const int64_t *unit);

/* The expression as it would be written, into out (always ended). */
void tsr_expr_print(const struct tsr_expr *e, enum tsr_expr_kind kind, char *out, size_t cap);

#endif
