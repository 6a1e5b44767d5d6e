/* SPDX-License-Identifier: Apache-2.0 */
/* The matmul with C in a block format, the next one's operand: byte by byte what isa/num's
 * quantization makes of the rows of the same matmul with C in f32, which suite_matmul.c holds to
 * its bounds. The last unit's padding is a part of the comparison. */
#include <stdio.h>

#include "kernels/npu/npu.h"
#include "sim/suite/operand.h"

static const char *const extras[] = {"plain", "gate", "residual"};

/* One case: the operands' format, C's, the next weights'. */
struct kind {
    enum tsr_dtype ab, c, partner;
    enum tsr_epilogue epilogue;
    enum tsr_dtype residual;
};

static enum tsr_status place_operand(struct suite *s, const struct kind *v, size_t rows, size_t k,
                                     uint64_t *address, struct tsr_error *err)
{
    struct suite_operand o;
    enum tsr_status st = suite_operand_plan(s, v->ab, v->ab, rows, k, &o, err);
    if (st != TSR_OK)
        return st;
    size_t bytes = tsr_npu_slab_bytes(&o.slab);
    void *image = suite_alloc(s, bytes, err);
    if (!image)
        return TSR_INTERNAL;
    st = suite_operand_fill(s, &o, SUITE_UNIT, image, err);
    return st == TSR_OK ? suite_place_bytes(s, SUITE_IN, image, bytes, address, err) : st;
}

/* The residual, twice: in its format, and as f32 for the reference. */
static enum tsr_status place_residual(struct suite *s, const struct kind *v, size_t n,
                                      uint64_t *narrow, uint64_t *wide, struct tsr_error *err)
{
    float *x = suite_alloc(s, n * sizeof *x, err);
    if (!x)
        return TSR_INTERNAL;
    suite_fill(s, suite_format(s, v->residual), SUITE_UNIT, x, n);
    enum tsr_status st = suite_place(s, SUITE_IN, suite_format(s, v->residual), x, n, narrow, err);
    return st == TSR_OK ? suite_place(s, SUITE_IN, suite_format(s, TSR_F32), x, n, wide, err) : st;
}

static enum tsr_status run(struct suite *s, const struct tsr_npu_matmul *op, struct tsr_error *err)
{
    struct tsr_program program = {0};
    enum tsr_status st = tsr_npu_matmul(s->isa, s->chip, op, &program, err);
    return st == TSR_OK ? suite_execute(s, &program, err) : st;
}

/* C of the reference, m rows of n at `from`, packed; against what lies at `c`. */
static enum tsr_status compare(struct suite *s, const struct tsr_npu_slab *slab, uint64_t from,
                               uint64_t c, struct tsr_error *err)
{
    size_t bytes = tsr_npu_slab_bytes(slab);
    uint32_t *row = suite_alloc(s, slab->k * 4, err);
    uint8_t *want = suite_alloc(s, bytes, err), *got = suite_alloc(s, bytes, err);
    uint32_t *words = suite_alloc(s, 2 * bytes * sizeof *words, err);
    if (!row || !want || !got || !words)
        return TSR_INTERNAL;
    enum tsr_status st = suite_read_bytes(s, c, got, bytes, err);
    for (uint64_t i = 0; i < slab->rows && st == TSR_OK; i++) {
        st = suite_read_bytes(s, from + i * slab->k * 4, row, slab->k * 4, err);
        if (st == TSR_OK)
            st = tsr_npu_slab_pack(slab, i, row, want, err);
    }
    for (size_t i = 0; i < bytes && st == TSR_OK; i++) {
        words[i] = got[i];
        words[bytes + i] = want[i];
    }
    if (st == TSR_OK)
        suite_compare_words(s, "bytes of C", words, words + bytes, bytes);
    return st;
}

static enum tsr_status run_case(struct suite *s, const struct kind *v,
                                const struct suite_shape *shape, struct tsr_error *err)
{
    bool gate = v->epilogue == TSR_EPILOGUE_SILU_GATE;
    size_t m = (size_t)shape->m, n = (size_t)shape->n, k = (size_t)shape->k;
    struct tsr_npu_slab slab;
    uint64_t residual = 0, wide = 0, blocks = 0;
    char label[64];
    struct tsr_npu_matmul op = {.m = m,
                                .n = gate ? 2 * n : n,
                                .k = k,
                                .a_format = v->ab,
                                .b_format = v->ab,
                                .c_format = TSR_F32,
                                .epilogue = v->epilogue};
    snprintf(label, sizeof label, "of %s %s for %s", suite_format(s, v->ab)->name,
             extras[v->epilogue], suite_format(s, v->partner)->name);
    enum tsr_status st = suite_begin(s, suite_format(s, v->c), m, n, k, label, err);
    if (st == TSR_OK)
        st = tsr_npu_slab_plan(s->isa, s->chip, v->c, v->partner, m, n, &slab, err);
    if (st == TSR_OK)
        st = place_operand(s, v, m, k, &op.a, err);
    if (st == TSR_OK)
        st = place_operand(s, v, (size_t)op.n, k, &op.b, err);
    if (st == TSR_OK && v->epilogue == TSR_EPILOGUE_RESIDUAL)
        st = place_residual(s, v, m * n, &residual, &wide, err);
    if (st == TSR_OK)
        st = suite_place(s, SUITE_OUT, suite_format(s, TSR_F32), NULL, m * n, &op.c, err);
    if (st == TSR_OK)
        st = suite_place_bytes(s, SUITE_OUT, NULL, tsr_npu_slab_bytes(&slab), &blocks, err);
    op.residual = wide;
    if (st == TSR_OK)
        st = run(s, &op, err);
    uint64_t reference = op.c;
    op.c = blocks;
    op.c_format = v->c;
    op.c_partner = v->partner;
    op.residual = residual;
    op.residual_format = v->residual;
    if (st == TSR_OK)
        st = run(s, &op, err);
    return st == TSR_OK ? compare(s, &slab, reference, blocks, err) : st;
}

enum {
    ALL_SHAPES = 4 /* kinds that a large chip sees in all shapes: its paths are those of the rest */
};

/* Slabs larger and smaller than a line's worth, blocks of 16 and 32, scales of every family; all
 * three epilogues; partners that change the slab. */
static const struct kind kinds[] = {
    {TSR_BF16, TSR_MX9, TSR_MX9, TSR_EPILOGUE_SILU_GATE, TSR_F32},
    {TSR_MX9, TSR_MX9, TSR_MX9, TSR_EPILOGUE_RESIDUAL, TSR_BF16},
    {TSR_MX6, TSR_MX6, TSR_MX6, TSR_EPILOGUE_SILU_GATE, TSR_F32},
    {TSR_MX6, TSR_MX6, TSR_MX9, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_MX4, TSR_MX4, TSR_EPILOGUE_RESIDUAL, TSR_F32},
    {TSR_BF16, TSR_MX4, TSR_BF16, TSR_EPILOGUE_SILU_GATE, TSR_F32},
    {TSR_MXF8E4M3, TSR_MXF8E4M3, TSR_MXF8E4M3, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_MXF8E5M2, TSR_MXF8E5M2, TSR_EPILOGUE_RESIDUAL, TSR_F16},
    {TSR_BF16, TSR_MXF6E3M2, TSR_MXF6E3M2, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_MXF6E2M3, TSR_MXF4, TSR_EPILOGUE_RESIDUAL, TSR_BF16},
    {TSR_MXF4, TSR_MXF4, TSR_MXF4, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_MXI8, TSR_MXI8, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_NVF4, TSR_NVF4, TSR_EPILOGUE_SILU_GATE, TSR_F32},
    {TSR_Q8_0, TSR_Q8_0, TSR_Q8_0, TSR_EPILOGUE_NONE, TSR_F32},
    {TSR_BF16, TSR_Q4_0, TSR_Q4_0, TSR_EPILOGUE_RESIDUAL, TSR_F32},
    /* where a product is wide enough for a gate with blocks of 32 */
    {TSR_BF16, TSR_MXF8E4M3, TSR_MXF8E4M3, TSR_EPILOGUE_SILU_GATE, TSR_F32},
    {TSR_BF16, TSR_Q4_0, TSR_Q4_0, TSR_EPILOGUE_SILU_GATE, TSR_F32},
};

/* One of each: below a block, ragged in the last block and in the last unit, several units; more
 * tiles than blocks and fewer, regions that begin and end within a unit. */
static const struct suite_shape small_shapes[] = {{1, 5, 3}, {37, 89, 20}, {18, 64, 40}};
static const struct suite_shape large_shapes[] = {{67, 1500, 40}, {5, 70, 31}, {150, 896, 33}};

#define COUNT(a) (sizeof(a) / sizeof *(a))

enum tsr_status suite_matmul_quantize(struct suite *s, struct tsr_error *err)
{
    bool small = tsr_chip_tiles(s->chip) <= 16;
    const struct suite_shape *shape;
    size_t n = small ? suite_shapes(s, small_shapes, COUNT(small_shapes), &shape)
                     : suite_shapes(s, large_shapes, COUNT(large_shapes), &shape);
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        bool gate = kinds[i].epilogue == TSR_EPILOGUE_SILU_GATE;
        uint32_t widest = s->chip->tile.ttu.dim * (gate ? 4 : 8);
        if (!suite_wants(s, kinds[i].c) || suite_format(s, kinds[i].c)->block > widest)
            continue;
        size_t shapes = small || s->thorough || i < ALL_SHAPES ? n : 1;
        for (size_t j = 0; j < shapes && st == TSR_OK; j++)
            st = run_case(s, &kinds[i], &shape[j], err);
    }
    return st;
}
