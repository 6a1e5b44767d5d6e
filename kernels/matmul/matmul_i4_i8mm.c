/* SPDX-License-Identifier: Apache-2.0 */
/* i4 weights with a scale per column by SMMLA, without unpacking them. Contract: tessera/kernels.h.
 *
 * A byte w = 16 h + l holds h of the panel's upper half of columns, signed, and l of the lower
 * half, kept as code + 8. Two sums: x over a w, y over a l (w & 15). Then sum a h = (x - y) / 16,
 * and sum a code = y - 8 sum a. So 2 mmla take one `and` between them and no shift.
 * A block is 24 rows x 1 vector of bytes: 24 registers of sums, 12 loads of A, 1 of w a step.
 * |x| <= 128 * 128 * k stays below 2^31: TSR_INT_DEPTH. */
#include "kernels/matmul/mmla_i8.h"

enum {
    ROWS = 24
};

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

static size_t columns(void)
{
    return 4 * (svcntb() / 16);
}

/* `pairs` of rows that are computed, a constant; packed A has ROWS / 2. raw, a constant: b->raw
 * takes the sums, the low half's without their correction. */
MMLA_INLINE void block(const size_t pairs, const bool raw, const struct tsr_block *b)
{
    const svbool_t all = svptrue_b8(), p32 = svptrue_b32();
    const uint64_t vl = svcntb();
    svint8_t mask = svdup_s8(15);
    TSR_OPAQUE_VECTOR(mask); /* else `and` with an immediate, which costs a move beside it */
    /* ld1rqb reaches -128 to 112 bytes: the pointer stands in the middle of the 192. */
    const int8_t *a = (const int8_t *)b->a + 96, *w = b->b;
#define BEGIN(i) svint32_t x##i = i < pairs && !raw ? I4_BEGIN(b, i) : svdup_s32(0), y##i = x##i;
    EACH(BEGIN)
    TSR_OPAQUE_POINTER(a);
    size_t left = b->k;
    do {
        const svint8_t both = svld1(all, w), low = svand_x(all, both, mask);
#define STEP(i)                                                                                    \
    if (i < pairs) {                                                                               \
        const svint8_t rows = svld1rq(all, a + 16 * i - 96);                                       \
        x##i = svmmla(x##i, rows, both);                                                           \
        y##i = svmmla(y##i, rows, low);                                                            \
    }
        EACH(STEP)
        a += 8 * ROWS;
        w += vl;
        left -= 8;
    } while (left > 0);
    const svbool_t p = svwhilelt_b32_u64(0, b->columns);
    const svfloat32_t by_column = raw ? svdup_f32(0) : svld1(p, b->b_scale);
    float *c = b->c;
#define ROW(uzp, row, i)                                                                           \
    if ((row) < b->rows && raw) {                                                                  \
        i8_store(b, row, 0, I4_ROW(uzp, x##i, y##i), columns());                                   \
    } else if ((row) < b->rows) {                                                                  \
        const svfloat32_t by_row = svdup_f32(b->a_scale[row]);                                     \
        const svfloat32_t z = MMLA_HALVES(uzp, low##i, high##i);                                   \
        svst1(p, c, svmul_x(p32, svmul_x(p32, z, by_row), by_column));                             \
        MMLA_NEXT_ROW(c, b->ldc);                                                                  \
    }
/* Floats before the rows are picked, and high before low: the conversions then need no moves. */
#define STORE(i)                                                                                   \
    const svfloat32_t high##i = svcvt_f32_x(p32, I4_HIGH(x##i, y##i));                             \
    TSR_OPAQUE_VECTOR(y##i);                                                                       \
    const svfloat32_t low##i = svcvt_f32_x(p32, y##i);                                             \
    ROW(svuzp1, 2 * i, i) ROW(svuzp2, 2 * i + 1, i)
    EACH(STORE)
}

MMLA_INLINE void whole(const struct tsr_block *b)
{
    block(ROWS / 2, false, b);
}

/* As few pairs as are needed, in steps of four. */
static inline void rest(const struct tsr_block *b)
{
    if (b->rows <= 8)
        block(4, false, b);
    else if (b->rows <= 16)
        block(8, false, b);
    else
        block(12, false, b);
}

static void blocks(const struct tsr_block *b)
{
    if (b->raw != NULL)
        block(ROWS / 2, true, b);
    else
        TSR_EACH_BLOCK(b, ROWS, whole, rest);
}

TSR_MATMUL_KERNEL(i4_i8mm, .operand = TSR_I8, .rows = ROWS, .columns = columns, .blocks = blocks,
                  .few = tsr_matvec_i4_i8mm)
