/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention by BFMMLA at any vector length. Contract: tessera/attention.h; layouts:
 * kernels/attention/attention.h, kv_cache.h.
 *
 * BFMMLA's first operand is 2 rows of Q (weights) in each segment, the second 2 keys (2 values)
 * that are the same in all: ld1rq. So scores come as [2 rows][2 keys], and BFCVT of one pair of
 * keys with BFCVTNT of the next is the first operand of the next product, V lying in that order of
 * keys. The sum of the weights is their product with ones: of what was rounded, as in O. Blocks: 4
 * or 2 vectors by one tile of 8 keys or values, 1 vector by two tiles: 16 or 8 sums, of which 10
 * keep N2's two pipes busy through 5 cycles of latency. */
#include <string.h>

#include "kernels/attention/flash_sve.h"
#include "kernels/matmul/mmla_sve.h"

tsr_attention_kernel_fn tsr_attention_bf16_bf16;

enum {
    KEYS = 2,      /* of a vector of scores */
    TILE_STEP = 32 /* elements of a tile that a step of 4 of dim reads; of V, of 2 values */
};

#define EACH_PAIR(X, v) X(v, 0) X(v, 1) X(v, 2) X(v, 3)
#define EACH_SUM(X) EACH_PAIR(X, 0) EACH_PAIR(X, 1) EACH_PAIR(X, 2) EACH_PAIR(X, 3)
#define ZERO(v, j) svfloat32_t c##v##j = svdup_f32(0);
/* As u16: memory of that type must not be read through bfloat16_t. */
#define LD(at) svreinterpret_bf16(svld1(all, at))
#define LDRQ(at) svreinterpret_bf16(svld1rq(all, at))

/* Scores of one tile (vectors 2, 4). */
static VEC_INLINE void scores_tile(const struct tsr_flash *f, const size_t vectors, size_t t)
{
    const svbool_t all = svptrue_b16(), all32 = svptrue_b32();
    const uint64_t vl = svcnth(), vw = svcntw();
    const uint16_t *q = f->q, *k = f->k_tiles[t];
    EACH_SUM(ZERO)
    size_t left = f->dim; /* at least 8: no way around the loop */
    do {
        const svbfloat16_t k0 = LDRQ(k), k1 = LDRQ(k + 8), k2 = LDRQ(k + 16), k3 = LDRQ(k + 24);
#define MMLA(v, j) c##v##j = svbfmmla(c##v##j, q##v, k##j);
#define STEP(v)                                                                                    \
    if (v < vectors) {                                                                             \
        const svbfloat16_t q##v = LD(q + v * vl);                                                  \
        EACH_PAIR(MMLA, v)                                                                         \
    }
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
#undef STEP
#undef MMLA
        q += vectors * vl;
        k += TILE_STEP;
    } while ((left -= 4) > 0);
    float *to = f->scores + t * 4 * vectors * vw;
#define STORE(v, j)                                                                                \
    if (v < vectors)                                                                               \
        svst1(all32, to + (j * vectors + v) * vw, c##v##j);
    EACH_SUM(STORE)
#undef STORE
}

/* Scores of two tiles (one vector of rows): c0j and c1j. */
static VEC_INLINE void scores_two(const struct tsr_flash *f, size_t t)
{
    const svbool_t all = svptrue_b16(), all32 = svptrue_b32();
    const uint64_t vl = svcnth(), vw = svcntw();
    const uint16_t *q = f->q, *k = f->k_tiles[t], *l = f->k_tiles[t + 1];
    EACH_PAIR(ZERO, 0)
    EACH_PAIR(ZERO, 1)
    size_t left = f->dim;
    do {
        const svbfloat16_t q0 = LD(q);
#define STEP(v, j)                                                                                 \
    c0##j = svbfmmla(c0##j, q0, LDRQ(k + 8 * j));                                                  \
    c1##j = svbfmmla(c1##j, q0, LDRQ(l + 8 * j));
        EACH_PAIR(STEP, 0)
#undef STEP
        q += vl;
        k += TILE_STEP;
        l += TILE_STEP;
    } while ((left -= 4) > 0);
    float *to = f->scores + t * 4 * vw;
#define STORE(v, j) svst1(all32, to + (v * 4 + j) * vw, c##v##j);
    EACH_PAIR(STORE, 0) EACH_PAIR(STORE, 1)
#undef STORE
}

/* Weights of the scores, and their sums. */
static VEC_INLINE void weights(const struct tsr_flash *f, const size_t vectors, float scale)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vw = svcntw(), vl = svcnth();
    svuint16_t one16 = svdup_u16(0x3F80);
    TSR_OPAQUE_VECTOR(one16);
    const svbfloat16_t ones = svreinterpret_bf16(one16);
    const svfloat32_t one = svdup_f32(1), ln2 = svdup_f32(EXP_LN2_HI);
    for (size_t v = 0; v < vectors; v++) {
        svfloat32_t base;
        const svfloat32_t c = flash_terms(f, v, scale, &base);
        const svfloat32_t shift = svsubr_x(all, base, EXP_SHIFT + EXP_BIAS);
        svfloat32_t sum = svld1(all, f->sum + v * vw);
        const float *s = f->scores + v * vw;
        uint16_t *to = (uint16_t *)f->weights + v * vl;
        for (size_t left = f->tiles; left > 0;
             left--, s += 4 * vectors * vw, to += 2 * vectors * vl) {
            /* Read twice rather than copied: loads are free here. By vnum: clang-19 gets 3 *
             * vectors
             * * vw wrong. */
            const float *again = s;
            TSR_OPAQUE_POINTER(again);
#define WEIGHT(j)                                                                                  \
    flash_weight(svld1_vnum(all, s, (j)*vectors), svld1_vnum(all, again, (j)*vectors), c, shift,   \
                 one, ln2, false)
#define GROUP(j, p)                                                                                \
    const svbfloat16_t p =                                                                         \
        svcvtnt_bf16_f32_m(svcvt_bf16_f32_x(all, WEIGHT(j)), all, WEIGHT(j + 1));                  \
    sum = svbfmmla(sum, p, ones);                                                                  \
    svst1_vnum(svptrue_b16(), to, (j / 2) * vectors, svreinterpret_u16(p));
            GROUP(0, p0)
            GROUP(2, p1)
#undef GROUP
#undef WEIGHT
        }
        svst1(all, f->sum + v * vw, sum);
    }
}

/* O += weights V over 8 values from `d` on (vectors 2, 4). */
static VEC_INLINE void values_tile(const struct tsr_flash *f, const size_t vectors, size_t d)
{
    const svbool_t all = svptrue_b16(), all32 = svptrue_b32();
    const uint64_t vl = svcnth(), vw = svcntw();
    float *o = f->o + d / 2 * vectors * vw;
    const uint16_t *p = f->weights;
    EACH_SUM(ZERO)
#define LOAD(v, j)                                                                                 \
    if (v < vectors)                                                                               \
        c##v##j = svld1(all32, o + (j * vectors + v) * vw);
    if (!f->fresh) {
        EACH_SUM(LOAD)
    }
#undef LOAD
    for (size_t t = 0; t < f->tiles; t++) {
        const uint16_t *w = (const uint16_t *)f->v_tiles[t] + d * 8;
#define MMLA(v, j) c##v##j = svbfmmla(c##v##j, p##v, w##j);
#define STEP(v)                                                                                    \
    if (v < vectors) {                                                                             \
        const svbfloat16_t p##v = LD(p + v * vl);                                                  \
        EACH_PAIR(MMLA, v)                                                                         \
    }
#define HALF(h)                                                                                    \
    {                                                                                              \
        const svbfloat16_t w0 = LDRQ(w + 8 * h), w1 = LDRQ(w + 16 + 8 * h),                        \
                           w2 = LDRQ(w + 32 + 8 * h), w3 = LDRQ(w + 48 + 8 * h);                   \
        STEP(0) STEP(1) STEP(2) STEP(3) p += vectors * vl;                                         \
    }
        HALF(0)
        HALF(1)
#undef STEP
    }
#define STORE(v, j)                                                                                \
    if (v < vectors)                                                                               \
        svst1(all32, o + (j * vectors + v) * vw, c##v##j);
    EACH_SUM(STORE)
#undef HALF
#undef MMLA
#undef STORE
}

/* The same over 16 values, or the last 8, for one vector of rows. */
static VEC_INLINE void values_one(const struct tsr_flash *f, const size_t tiles, size_t d)
{
    const svbool_t all = svptrue_b16(), all32 = svptrue_b32();
    const uint64_t vl = svcnth(), vw = svcntw();
    float *o = f->o + d / 2 * vw;
    const uint16_t *p = f->weights;
    EACH_PAIR(ZERO, 0)
    EACH_PAIR(ZERO, 1)
#define LOAD(v, j)                                                                                 \
    if (v < tiles)                                                                                 \
        c##v##j = svld1(all32, o + (v * 4 + j) * vw);
    if (!f->fresh) {
        EACH_PAIR(LOAD, 0) EACH_PAIR(LOAD, 1)
    }
#undef LOAD
    for (size_t t = 0; t < f->tiles; t++, p += 2 * vl) {
        const uint16_t *w = (const uint16_t *)f->v_tiles[t] + d * 8;
        const uint16_t *x = w + 64;
        const svbfloat16_t p0 = LD(p), p1 = LD(p + vl);
#define HALF(v, j, w, h)                                                                           \
    if (v < tiles)                                                                                 \
        c##v##j = svbfmmla(c##v##j, p##h, LDRQ(w + 16 * j + 8 * h));
#define FIRST(v, j) HALF(0, j, w, 0) HALF(1, j, x, 0)
#define SECOND(v, j) HALF(0, j, w, 1) HALF(1, j, x, 1)
        EACH_PAIR(FIRST, 0)
        EACH_PAIR(SECOND, 0)
#undef HALF
#undef FIRST
#undef SECOND
    }
#define STORE(v, j)                                                                                \
    if (v < tiles)                                                                                 \
        svst1(all32, o + (v * 4 + j) * vw, c##v##j);
    EACH_PAIR(STORE, 0) EACH_PAIR(STORE, 1)
#undef STORE
}

/* The passes keep their names in the object file: bench finds their loops by them. */
static VEC_PASS void bf16_scores_4(const struct tsr_flash *f)
{
    for (size_t t = 0; t < f->tiles; t++)
        scores_tile(f, 4, t);
}

static VEC_PASS void bf16_scores_2(const struct tsr_flash *f)
{
    for (size_t t = 0; t < f->tiles; t++)
        scores_tile(f, 2, t);
}

static VEC_PASS void bf16_scores_1(const struct tsr_flash *f)
{
    for (size_t t = 0; t < f->tiles; t += 2)
        scores_two(f, t);
}

static VEC_PASS void bf16_weights_4(const struct tsr_flash *f, float scale)
{
    weights(f, 4, scale);
}

static VEC_PASS void bf16_weights_2(const struct tsr_flash *f, float scale)
{
    weights(f, 2, scale);
}

static VEC_PASS void bf16_weights_1(const struct tsr_flash *f, float scale)
{
    weights(f, 1, scale);
}

static VEC_PASS void bf16_values_4(const struct tsr_flash *f)
{
    for (size_t d = 0; d < f->value_dim; d += 8)
        values_tile(f, 4, d);
}

static VEC_PASS void bf16_values_2(const struct tsr_flash *f)
{
    for (size_t d = 0; d < f->value_dim; d += 8)
        values_tile(f, 2, d);
}

static VEC_PASS void bf16_values_1(const struct tsr_flash *f)
{
    size_t d = 0;
    for (; d + 16 <= f->value_dim; d += 16)
        values_one(f, 2, d);
    if (d < f->value_dim)
        values_one(f, 1, d);
}

static void block(const struct tsr_flash *f)
{
    const size_t outs = f->value_dim / 2;
    if (f->vectors == 4)
        bf16_scores_4(f);
    else if (f->vectors == 2)
        bf16_scores_2(f);
    else
        bf16_scores_1(f);
    const float c = flash_prepare(f, KEYS, outs);
    if (f->vectors == 4) {
        bf16_weights_4(f, c);
        bf16_values_4(f);
    } else if (f->vectors == 2) {
        bf16_weights_2(f, c);
        bf16_values_2(f);
    } else {
        bf16_weights_1(f, c);
        bf16_values_1(f);
    }
}

/* Cells of 4 elements, 2 * lanes elements from each to the next. */
static void pack(const void *q, size_t dim, size_t row, size_t lanes, void *to)
{
    const uint16_t *from = q;
    uint16_t *cell = (uint16_t *)to + row * 4;
    for (size_t d = 0; d < dim; d += 8, from += 8, cell += 4 * lanes) {
        memcpy(cell, from, 8);
        memcpy(cell + 2 * lanes, from + 4, 8);
    }
}

/* Pairs of values, `lanes` floats from each to the next. */
static void unpack(const float *o, size_t value_dim, size_t row, size_t lanes, float factor,
                   float *to)
{
    const svuint64_t places = svindex_u64(0, lanes / 2);
    const uint64_t vl = svcntw();
    /* As u64: a pair goes as one. */
    const uint64_t *from = (const uint64_t *)(const void *)(o + row * 2);
    for (size_t d = 0; d < value_dim; d += vl) {
        const svbool_t some = svwhilelt_b64_u64(d / 2, value_dim / 2);
        const svuint64_t x = svld1_gather_index(some, from + d / 2 * (lanes / 2), places);
        svst1(svwhilelt_b32_u64(d, value_dim), to + d,
              svmul_x(svptrue_b32(), svreinterpret_f32(x), factor));
    }
}

static void unpack_bf16(const float *o, size_t value_dim, size_t row, size_t lanes, float factor,
                        uint16_t *to)
{
    const svuint64_t places = svindex_u64(0, lanes / 2);
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw(), pairs = value_dim / 2;
    const uint64_t *from = (const uint64_t *)(const void *)(o + row * 2);
    for (size_t d = 0; d < value_dim; d += 2 * vl, from += vl * (lanes / 2)) {
        const svbool_t p0 = svwhilelt_b64_u64(d / 2, pairs);
        const svbool_t p1 = svwhilelt_b64_u64((d + vl) / 2, pairs);
        const svuint64_t x0 = svld1_gather_index(p0, from, places);
        const svuint64_t x1 = svld1_gather_index(p1, from + vl / 2 * (lanes / 2), places);
        const svbfloat16_t y0 = svcvt_bf16_x(all, svmul_x(all, svreinterpret_f32(x0), factor));
        const svbfloat16_t y1 = svcvt_bf16_x(all, svmul_x(all, svreinterpret_f32(x1), factor));
        svst1(svwhilelt_b16_u64(d, value_dim), to + d,
              svuzp1(svreinterpret_u16(y0), svreinterpret_u16(y1)));
    }
}

static size_t lanes(void)
{
    return svcntw();
}

const struct tsr_attention_kernel *tsr_attention_bf16_bf16(void)
{
    static const struct tsr_attention_kernel kernel = {.operand = TSR_BF16,
                                                       .row_lanes = 2,
                                                       .choices = {1, 2, 4},
                                                       .lanes = lanes,
                                                       .block = block,
                                                       .pack = pack,
                                                       .unpack = unpack,
                                                       .unpack_bf16 = unpack_bf16};
    return &kernel;
}
