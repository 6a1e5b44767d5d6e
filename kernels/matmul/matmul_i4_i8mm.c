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

MMLA_INLINE void one(const struct tsr_block *b)
{
    const svbool_t all = svptrue_b8(), p32 = svptrue_b32();
    const uint64_t vl = svcntb();
    svint8_t mask = svdup_s8(15);
    TSR_OPAQUE_VECTOR(mask); /* else `and` with an immediate, which costs a move beside it */
    /* ld1rqb reaches -128 to 112 bytes: the pointer stands in the middle of the 192. */
    const int8_t *a = (const int8_t *)b->a + 96, *w = b->b;
#define ZERO(i) svint32_t x##i = svdup_s32(0), y##i = x##i;
    EACH(ZERO)
    TSR_OPAQUE_POINTER(a);
    size_t left = b->k;
    do {
        const svint8_t both = svld1(all, w), low = svand_x(all, both, mask);
#define STEP(i)                                                                                    \
    {                                                                                              \
        const svint8_t rows = svld1rq(all, a + 16 * i - 96);                                       \
        x##i = svmmla(x##i, rows, both);                                                           \
        y##i = svmmla(y##i, rows, low);                                                            \
    }
        EACH(STEP)
        a += 192;
        w += vl;
        left -= 8;
    } while (left > 0);
#define STORE(i)                                                                                   \
    if (2 * i < b->rows) {                                                                         \
        const svint32_t high = svasr_x(p32, svsub_x(p32, x##i, y##i), 4);                          \
        const int32_t s0 = b->raw != NULL ? 0 : 8 * b->a_sum[2 * i];                               \
        i4_store(b, 2 * i, svsub_x(p32, y##i, s0), high, columns());                               \
        if (2 * i + 1 < b->rows) {                                                                 \
            const int32_t s1 = b->raw != NULL ? 0 : 8 * b->a_sum[2 * i + 1];                       \
            i4_store(b, 2 * i + 1, svsub_x(p32, y##i, s1), high, columns());                       \
        }                                                                                          \
    }
    EACH(STORE)
}

static void blocks(const struct tsr_block *b)
{
    TSR_EACH_BLOCK(b, ROWS, one);
}

TSR_MATMUL_KERNEL(i4_i8mm, .operand = TSR_I8, .rows = ROWS, .columns = columns, .blocks = blocks,
                  .few = tsr_matvec_i4_i8mm)
