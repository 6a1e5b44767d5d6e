/* SPDX-License-Identifier: Apache-2.0 */
/* i8 weights by SDOT, for SVE without SMMLA. Contract: tessera/kernels.h.
 *
 * The cells are SMMLA's: a segment holds 8 k of 2 columns. With a row's 8 k in both halves of every
 * segment, SDOT gives each column in two parts, k 0..3 and 4..7, added at the end. A block is
 * 4 rows x 6 vectors: 24 registers of sums, 4 loads of A (ld1rd) and 6 of w a step. */
#include "kernels/matmul/i8_store_sve.h"

enum {
    ROWS = 4
};

static inline __attribute__((always_inline)) void one(const struct tsr_block *b)
{
    const svbool_t all = svptrue_b8();
    const uint64_t vl = svcntb();
    const int8_t *a = b->a, *w = b->b;
#define ZERO(v, i) svint32_t c##v##i = svdup_s32(0);
#define ZEROS(v) MMLA_EACH_PAIR(ZERO, v)
    MMLA_EACH_VECTOR(ZEROS)
    size_t left = b->k;
    do {
        uint64_t cells[ROWS];
        memcpy(cells, a, sizeof cells);
#define ROW(i) const svint8_t a##i = svreinterpret_s8(svdup_u64(cells[i]));
        ROW(0)
        ROW(1)
        ROW(2)
        ROW(3)
#define DOT(v, i) c##v##i = svdot(c##v##i, w##v, a##i);
#define STEP(v)                                                                                    \
    const svint8_t w##v = svld1_vnum(all, w, v);                                                   \
    MMLA_EACH_PAIR(DOT, v)
        MMLA_EACH_VECTOR(STEP)
        a += 8 * ROWS;
        w += 6 * vl;
        left -= 8;
    } while (left > 0);
    const size_t width = mmla_columns();
#define SUM(x, y) svadd_x(svptrue_b32(), svuzp1(x, y), svuzp2(x, y))
#define STORE(i)                                                                                   \
    if (i < b->rows) {                                                                             \
        i8_store(b, i, 0, SUM(c0##i, c1##i), width);                                               \
        i8_store(b, i, svcntw(), SUM(c2##i, c3##i), width);                                        \
        i8_store(b, i, 2 * svcntw(), SUM(c4##i, c5##i), width);                                    \
    }
    STORE(0) STORE(1) STORE(2) STORE(3)
}

static void blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, ROWS, one, one);
}

TSR_MATMUL_KERNEL(i8_sve, .operand = TSR_I8, .rows = ROWS, .columns = mmla_columns,
                  .blocks = blocks)
