/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of packed weights share: the layouts and the descriptor of a kernel.
 *
 * C is made in blocks: `rows` rows of A times one panel of `columns` columns (weight rows). Both
 * operands are packed in cells: a cell holds some consecutive k of one line (a row of A, a column
 * of the panel), and the cells of one step of k lie together, line after line. Cells of bf16 and i8
 * are 8 bytes, so two neighbours are the 128-bit segment that mmla instructions work on, and every
 * vector length reads the same bytes: only the number of columns in a panel grows with it.
 *   operand f32:  1 k, 4 bytes.   bf16: 4 k, 8 bytes.   i8: 8 k, 8 bytes.
 * Weights are stored in such cells too, but of their own format (struct tsr_weights_layout); where
 * that differs from the operand, `prepare` expands a panel right before it is used. */
#ifndef KERNELS_MATMUL_PACKED_H
#define KERNELS_MATMUL_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/cpu/variants.h"
#include "tessera/dtype.h"
#include "tessera/kernels.h"

enum {
    TSR_GROUP = 32,        /* elements of the groups of q4_0, q8_0, q4_k and of MX blocks */
    TSR_SUPER = 256,       /* elements of a q4_k super-block */
    TSR_SUPER_RUN = 8,     /* super-blocks over which sums of minima stay exact: packed_layout.c */
    TSR_MAX_COLUMNS = 384, /* of a panel: 12 per 128 bits at 2048 bits, and room */
    TSR_MAX_ROWS = 24,     /* of a block */
    TSR_FEW = 8,           /* rows that a kernel's `few` takes */
    TSR_INT_DEPTH = 65536, /* |products| of i8 over this many k stay below 2^31 */
};

/* How the weights of a format lie in a stored panel: elements, then scales, each plane padded to
 * 64 bytes. Elements: k padded to `pad`, cut in cells of cell_k; [cell of k][column][cell_bytes].
 * Scales: [k / group][column][group_bytes], but of q4_k [k / 256] times f16 d, f16 dmin and 12
 * bytes, each [column]; without groups [column], f32. */
struct tsr_weights_layout {
    enum tsr_dtype format;
    enum tsr_cpu_op op;
    uint16_t pad;   /* k is padded to a multiple of it */
    uint16_t whole; /* k must be a multiple of it */
    uint8_t cell_k, cell_bytes;
    uint8_t lines;  /* columns that share a cell: 2 for i4, columns c and c + columns / 2 */
    uint16_t group; /* elements that share a scale; 0: the whole column, or none */
    uint8_t group_bytes;
    bool column_scale; /* f32 per column */
    uint8_t run;       /* groups over which the integer sum goes on; 0: no groups of integers */
    /* MX: weights are plain whose scale codes are in least..most and magnitude codes below special
     * (0: any): kernels turn them into bf16 without looking for what leaves its normal range. */
    uint8_t least, most, special;
};

/* Null for a format that has none. */
const struct tsr_weights_layout *tsr_weights_layout(enum tsr_dtype format);

static inline size_t tsr_round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

static inline size_t tsr_least(size_t x, size_t y)
{
    return x < y ? x : y;
}

/* Bytes of the planes of a stored panel; k is padded. */
size_t tsr_panel_element_bytes(const struct tsr_weights_layout *l, size_t columns, size_t k);
size_t tsr_panel_scale_bytes(const struct tsr_weights_layout *l, size_t columns, size_t k);

/* A panel as stored, and as the kernel's block wants it. */
struct tsr_panel {
    size_t columns, k; /* k padded */
    const void *elements;
    const void *scales;
    bool plain;
};

struct tsr_prepared {
    void *space;          /* k x columns of the operand, in its cells */
    const void *elements; /* what prepare leaves: space, or the stored elements as they are */
    /* Groups of integers, [k / 32][columns / 2][4]: of columns c, c + 1 the floats c, c+1, c, c+1,
     * as the 2 x 2 results of an mmla instruction lie: scale of the group less that of the next, or
     * the scale itself at a run's end. */
    float *delta;
    /* q4_k: minima of the groups, 6-bit integers as bf16, in cells [k / 128][columns][4]; and of
     * each super-block, as delta of each group, [k / 256][columns / 2][4]. */
    uint16_t *minima;
    float *min_delta;
};

typedef void tsr_prepare_fn(const struct tsr_panel *from, struct tsr_prepared *to);

/* Blocks: rows x columns of C from packed A and one panel, as many blocks as the rows take. */
struct tsr_block {
    size_t rows, columns; /* of C that exist */
    size_t k;             /* padded; never 0 */
    const void *a;        /* blocks of the kernel's rows, those that do not exist are zeros */
    size_t a_bytes;       /* from block to block */
    const void *b;
    const float *delta, *min_delta;
    const uint16_t *minima;
    const float *b_scale; /* i8, i4: per column */
    const float *a_scale; /* i8: per row */
    const int32_t *a_sum; /* i4: [rows / 2][4], over k, of rows r, r + 1 as r, r, r + 1, r + 1 */
    /* q4_k: sums of A over each group as two bf16 that add up to them exactly, a multiple of 32 and
     * what is left: [k / 256][multiples, rests][groups 0..3, 4..7][rows of the block][4]. */
    const uint16_t *a_groups;
    float *c;
    size_t ldc;
    size_t run;   /* groups of integers: see struct tsr_weights_layout */
    int32_t *raw; /* i8, i4, else null: the sums of the one block instead of c, row-major with the
                   * panel's columns; i4: the low half's (columns / 2) without the correction */
};

/* The block after this one, of `lines` rows. */
static inline void tsr_block_next(struct tsr_block *b, size_t lines)
{
    b->a = (const uint8_t *)b->a + b->a_bytes;
    b->a_scale += lines;
    b->a_sum += 2 * lines;
    if (b->a_groups != NULL)
        b->a_groups += b->k / TSR_GROUP * 2 * lines;
    b->c += b->ldc * lines;
}

/* Runs `whole` on each block of `lines` rows, a constant, and `rest` on what is left: a function
 * that is inlined knows its rows in the former. */
#define TSR_EACH_BLOCK(all, lines, whole, rest)                                                    \
    do {                                                                                           \
        struct tsr_block part = *(all);                                                            \
        for (; part.rows >= (lines); tsr_block_next(&part, lines)) {                               \
            const size_t left = part.rows;                                                         \
            part.rows = (lines);                                                                   \
            whole(&part);                                                                          \
            part.rows = left - (lines);                                                            \
        }                                                                                          \
        if (part.rows > 0)                                                                         \
            rest(&part);                                                                           \
    } while (0)

/* C of at most TSR_FEW rows and the panels first..last (not included) of stored weights. */
struct tsr_few {
    size_t m, n, k;       /* all > 0; k padded, below TSR_INT_DEPTH for i8 and i4 */
    const void *a;        /* one packed block of 2 * ceil(m / 2) rows */
    const uint8_t *panel; /* the first; others follow at panel_bytes */
    size_t panel_bytes, scales_at, columns, first, last;
    const float *a_scale;
    const int32_t *a_sum;
    const uint16_t *a_groups;
    float *c;
    size_t ldc, run;
    bool plain;
};

/* The block of one of its panels, as stored. */
static inline struct tsr_block tsr_few_block(const struct tsr_few *f, size_t panel)
{
    const uint8_t *at = f->panel + panel * f->panel_bytes;
    const size_t first = panel * f->columns;
    const struct tsr_block b = {.rows = f->m,
                                .columns = tsr_least(f->columns, f->n - first),
                                .k = f->k,
                                .a = f->a,
                                .b = at,
                                .b_scale = (const float *)(const void *)(at + f->scales_at),
                                .a_scale = f->a_scale,
                                .a_sum = f->a_sum,
                                .a_groups = f->a_groups,
                                .c = f->c + first,
                                .ldc = f->ldc,
                                .run = f->run};
    return b;
}

struct tsr_matmul_kernel {
    enum tsr_dtype operand; /* F32, BF16 or I8 */
    uint8_t rows;           /* of a block of C */
    size_t (*columns)(void);
    tsr_prepare_fn *prepare; /* null: the stored panel is what the block wants */
    void (*blocks)(const struct tsr_block *b);
    void (*few)(const struct tsr_few *f); /* or null: blocks serves */
};

/* The function that a variant's row names: TSR_MATMUL_KERNEL(op_variant, .member = ...). */
#define TSR_MATMUL_KERNEL(name, ...)                                                               \
    tsr_matmul_kernel_fn tsr_matmul_##name;                                                        \
    const struct tsr_matmul_kernel *tsr_matmul_##name(void)                                        \
    {                                                                                              \
        static const struct tsr_matmul_kernel kernel = {__VA_ARGS__};                              \
        return &kernel;                                                                            \
    }

/* Kernels of few rows (matvec_*.c), which kernels of the same layout and level share. */
typedef void tsr_few_fn(const struct tsr_few *f);
tsr_few_fn tsr_matvec_packed_f32_sve, tsr_matvec_f16_sve, tsr_matvec_bf16_bf16, tsr_matvec_i8_i8mm,
    tsr_matvec_i4_i8mm, tsr_matvec_q8_0_i8mm, tsr_matvec_q4_0_i8mm, tsr_matvec_q4_k_v86,
    tsr_matvec_mxf4_bf16, tsr_matvec_mxf8e4m3_bf16, tsr_matvec_mxf8e5m2_bf16;

/* The kernel of one op's variant. */
const struct tsr_matmul_kernel *tsr_matmul_kernel_of(const struct tsr_variant *v);

/* k per cell and bytes per cell of an operand. */
static inline size_t tsr_cell_k(enum tsr_dtype operand)
{
    return operand == TSR_F32 ? 1 : operand == TSR_BF16 ? 4 : 8;
}
static inline size_t tsr_cell_bytes(enum tsr_dtype operand)
{
    return operand == TSR_F32 ? 4 : 8;
}
static inline size_t tsr_elem_bytes(enum tsr_dtype operand)
{
    return operand == TSR_F32 ? 4 : operand == TSR_BF16 ? 2 : 1;
}

/* Packs rows of A into one block (packed_rows.c). */
struct tsr_rows {
    enum tsr_dtype from, operand;
    bool wants_sums;    /* a_sum is filled in (i8) */
    bool round_to_bf16; /* f32 rows for an f32 operand that stands for bf16 */
    size_t rows, lines; /* that exist, of the block */
    size_t k, padded;
    const void *a;
    size_t lda;          /* elements */
    const float *scales; /* of rows given as i8; null: ones */
    void *to;
    float *a_scale;
    int32_t *a_sum;
    uint16_t *a_groups;
    void *staging; /* padded elements of 4 bytes */
};
void tsr_pack_rows(const struct tsr_rows *r);

/* Packs rows from i on, as many as it returns: 0, 2 or 4 (rows_cells_neon.c, on Arm alone). */
size_t tsr_pack_some_rows_neon(const struct tsr_rows *r, size_t i);

/* Portable prepare functions (prepare.c). */
tsr_prepare_fn tsr_prepare_f16, tsr_prepare_mxf4, tsr_prepare_mxf8e4m3, tsr_prepare_mxf8e5m2,
    tsr_prepare_q8_0, tsr_prepare_q4_0, tsr_prepare_q4_k;

/* delta, minima and min_delta of integer groups: what their prepare functions share. */
void tsr_prepare_groups(enum tsr_dtype format, const struct tsr_panel *from,
                        struct tsr_prepared *to);

/* Value of an IEEE half. */
static inline float tsr_f16_value(uint16_t h)
{
    uint32_t u = (h & 0x7FFFu) << 13;
    float x;
    memcpy(&x, &u, sizeof x);
    x *= 0x1p112f; /* exact, subnormals too */
    if ((h & 0x7C00) == 0x7C00) {
        u |= 0x7F800000;
        memcpy(&x, &u, sizeof x);
    }
    return h & 0x8000 ? -x : x;
}

#endif
