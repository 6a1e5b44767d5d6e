/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention in f32 by FMLA at any vector length. Contract: tessera/attention.h; layouts:
 * kernels/attention/attention.h, kv_cache.h.
 *
 * Rows lie in lanes: scores are 8 keys x 3 vectors of rows, O is 8 values x 3 vectors. The 8 stand
 * one after another in K and V: two quads by ld1rq, whose elements FMLA takes one by one. 24 sums;
 * 8 for one vector of rows, just what 4 cycles of latency ask of two pipes. Exponentials have two
 * terms. */
#include "kernels/attention/flash_sve.h"

tsr_attention_kernel_fn tsr_attention_f32_sve;

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define EACH_SUM(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3) X(v, 4) X(v, 5) X(v, 6) X(v, 7)
#define EACH_OF_ALL(X) EACH_SUM(X, 0) EACH_SUM(X, 1) EACH_SUM(X, 2)

/* Sums c<vector><j> += x<vector> times element j of the 8 at `quads`. */
#define STEP_QUADS(quads)                                                                          \
    {                                                                                              \
        const svfloat32_t low = svld1rq(all, quads), high = svld1rq(all, (quads) + 4);             \
        EACH_OF_ALL(MLA)                                                                           \
    }
#define MLA(v, j)                                                                                  \
    if (v < vectors)                                                                               \
        c##v##j = svmla_lane(c##v##j, x##v, j < 4 ? low : high, j % 4);
#define LOAD_X(at)                                                                                 \
    const svfloat32_t x0 = svld1(all, at), x1 = vectors > 1 ? svld1_vnum(all, at, 1) : x0,         \
                      x2 = vectors > 2 ? svld1_vnum(all, at, 2) : x0;
#define STORE(v, j)                                                                                \
    if (v < vectors)                                                                               \
        svst1(all, to + (j * vectors + v) * vl, c##v##j);
#define ZERO(v, j) svfloat32_t c##v##j = svdup_f32(0);

static VEC_INLINE void scores_tile(const struct tsr_flash *f, const size_t vectors, size_t t)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const float *q = f->q, *k = f->k_tiles[t];
    EACH_OF_ALL(ZERO)
    size_t left = f->dim; /* at least 8: no way around the loop */
    do {
        LOAD_X(q)
        STEP_QUADS(k)
        q += vectors * vl;
        k += 8;
    } while (--left > 0);
    float *to = f->scores + t * 8 * vectors * vl;
    EACH_OF_ALL(STORE)
}

/* In place of the scores. */
static VEC_INLINE void weights(const struct tsr_flash *f, const size_t vectors, float scale)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const svfloat32_t one = svdup_f32(1), ln2 = svdup_f32(EXP_LN2_HI);
    for (size_t v = 0; v < vectors; v++) {
        svfloat32_t base;
        const svfloat32_t c = flash_terms(f, v, scale, &base);
        const svfloat32_t shift = svsubr_x(all, base, EXP_SHIFT + EXP_BIAS - 1);
        svfloat32_t sum = svld1(all, f->sum + v * vl);
        float *s = f->scores + v * vl;
        const size_t next = vectors * vl;
        for (size_t left = f->tiles; left > 0; left--, s += 8 * next) {
#define WEIGHT(j)                                                                                  \
    {                                                                                              \
        const svfloat32_t w = flash_weight(svld1(all, s + j * next), svld1(all, s + j * next), c,  \
                                           shift, one, ln2, true);                                 \
        sum = svadd_x(all, sum, w);                                                                \
        svst1(all, s + j * next, w);                                                               \
    }
            EACH(WEIGHT)
#undef WEIGHT
        }
        svst1(all, f->sum + v * vl, sum);
    }
}

/* O += weights V over 8 values from `d` on. */
static VEC_INLINE void values_tile(const struct tsr_flash *f, const size_t vectors, size_t d)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    const float *p = f->weights;
    float *to = f->o + d * vectors * vl;
    EACH_OF_ALL(ZERO)
#define LOAD(v, j)                                                                                 \
    if (v < vectors)                                                                               \
        c##v##j = svld1(all, to + (j * vectors + v) * vl);
    if (!f->fresh) {
        EACH_OF_ALL(LOAD)
    }
#undef LOAD
    for (size_t t = 0; t < f->tiles; t++) {
        const float *w = (const float *)f->v_tiles[t] + d * 8;
#define KEY(key)                                                                                   \
    {                                                                                              \
        LOAD_X(p)                                                                                  \
        STEP_QUADS(w + 8 * key)                                                                    \
        p += vectors * vl;                                                                         \
    }
        EACH(KEY)
#undef KEY
    }
    EACH_OF_ALL(STORE)
}

/* The passes keep their names in the object file: bench finds their loops by them. */
static VEC_PASS void f32_scores_3(const struct tsr_flash *f)
{
    for (size_t t = 0; t < f->tiles; t++)
        scores_tile(f, 3, t);
}

static VEC_PASS void f32_scores_1(const struct tsr_flash *f)
{
    for (size_t t = 0; t < f->tiles; t++)
        scores_tile(f, 1, t);
}

static VEC_PASS void f32_weights_3(const struct tsr_flash *f, float scale)
{
    weights(f, 3, scale);
}

static VEC_PASS void f32_weights_1(const struct tsr_flash *f, float scale)
{
    weights(f, 1, scale);
}

static VEC_PASS void f32_values_3(const struct tsr_flash *f)
{
    for (size_t d = 0; d < f->value_dim; d += 8)
        values_tile(f, 3, d);
}

static VEC_PASS void f32_values_1(const struct tsr_flash *f)
{
    for (size_t d = 0; d < f->value_dim; d += 8)
        values_tile(f, 1, d);
}

static void block(const struct tsr_flash *f)
{
    if (f->vectors == 3)
        f32_scores_3(f);
    else
        f32_scores_1(f);
    const float c = flash_prepare(f, 1, f->value_dim);
    if (f->vectors == 3) {
        f32_weights_3(f, c);
        f32_values_3(f);
    } else {
        f32_weights_1(f, c);
        f32_values_1(f);
    }
}

static void pack(const void *q, size_t dim, size_t row, size_t lanes, void *to)
{
    const svint32_t places = svindex_s32(0, (int32_t)lanes);
    const uint64_t vl = svcntw();
    for (size_t d = 0; d < dim; d += vl) {
        const svbool_t some = svwhilelt_b32_u64(d, dim);
        svst1_scatter_index(some, (float *)to + d * lanes + row, places,
                            svld1(some, (const float *)q + d));
    }
}

static void unpack(const float *o, size_t value_dim, size_t row, size_t lanes, float factor,
                   float *to)
{
    const svint32_t places = svindex_s32(0, (int32_t)lanes);
    const uint64_t vl = svcntw();
    for (size_t d = 0; d < value_dim; d += vl) {
        const svbool_t some = svwhilelt_b32_u64(d, value_dim);
        const svfloat32_t x = svld1_gather_index(some, o + d * lanes + row, places);
        svst1(some, to + d, svmul_x(some, x, factor));
    }
}

static size_t lanes(void)
{
    return svcntw();
}

const struct tsr_attention_kernel *tsr_attention_f32_sve(void)
{
    static const struct tsr_attention_kernel kernel = {.operand = TSR_F32,
                                                       .row_lanes = 1,
                                                       .choices = {1, 3},
                                                       .lanes = lanes,
                                                       .block = block,
                                                       .pack = pack,
                                                       .unpack = unpack};
    return &kernel;
}
