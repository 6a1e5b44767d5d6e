/* SPDX-License-Identifier: Apache-2.0 */
/* q8_0 and q4_0 for SVE at any vector length. Contract: tessera/quant.h.
 *
 * Three passes over a chunk that stays in L1: the largest of each block; scales and reciprocals of
 * many blocks at once, since divisions are slow; elements as in quantize_i8_sve.c, the reciprocal
 * broadcast by a load. Chunks with a scale that is subnormal or too large in f16, with NaN or
 * infinity, are rare and go to the reference: all else needs no clamping but q4_0's 7. */
#include <arm_sve.h>
#include <string.h>

#include "kernels/lengths_sve.h"
#include "kernels/quant/quant_ref.h"
#include "kernels/quant/quant_sve.h"

tsr_quantize_row_fn tsr_quantize_q8_0_f32_sve, tsr_quantize_q8_0_bf16_sve;
tsr_quantize_row_fn tsr_quantize_q4_0_f32_sve, tsr_quantize_q4_0_bf16_sve;

enum {
    BLOCKS = QUANT_CHUNK / QUANT_BLOCK
};

/* A figure of each block: the bits of an f32, or of a bf16. */
union tops {
    uint32_t f32[BLOCKS];
    uint16_t bf16[BLOCKS];
};

/* q8_0: largest magnitudes in `positive`. q4_0: the largest of the bits as signed integers, which
 * is the largest positive value if there is one, and as unsigned ones, which is the largest
 * negative if there is one. Then the reciprocals of the scales. */
struct chunk {
    union tops positive, negative;
    float r[BLOCKS];
};

/* Slots of a block, `lanes` each, and the predicates; 0: as many as the vector length asks for. */
static QUANT_INLINE unsigned slots_of(unsigned slots, uint64_t lanes)
{
    return slots > 0 ? slots : (unsigned)((QUANT_BLOCK + lanes - 1) / lanes);
}

static QUANT_INLINE svbool_t slot(unsigned slots, unsigned i)
{
    return slots > 0 ? svptrue_b32() : svwhilelt_b32_u64(i * svcntw(), QUANT_BLOCK);
}

static QUANT_INLINE svbool_t half_slot(unsigned slots, unsigned i)
{
    return slots > 0 ? svptrue_b16() : svwhilelt_b16_u64(i * svcnth(), QUANT_BLOCK);
}

static QUANT_INLINE void max_8_f32(unsigned slots, const uint32_t *x, size_t blocks,
                                   struct chunk *c)
{
    const svbool_t all = svptrue_b32();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK) {
        svuint32_t most = svand_x(all, svld1(slot(slots, 0), x), 0x7FFFFFFF);
        QUANT_UNROLL
        for (unsigned i = 1; i < slots_of(slots, svcntw()); i++)
            most = svmax_x(all, most,
                           svand_x(all, svld1(slot(slots, i), x + i * svcntw()), 0x7FFFFFFF));
        c->positive.f32[b] = svmaxv(all, most);
    }
}

static QUANT_INLINE void max_8_bf16(unsigned slots, const uint16_t *x, size_t blocks,
                                    struct chunk *c)
{
    const svbool_t all = svptrue_b16();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK) {
        svuint16_t most = svand_x(all, svld1(half_slot(slots, 0), x), 0x7FFF);
        QUANT_UNROLL
        for (unsigned i = 1; i < slots_of(slots, svcnth()); i++)
            most = svmax_x(all, most,
                           svand_x(all, svld1(half_slot(slots, i), x + i * svcnth()), 0x7FFF));
        c->positive.bf16[b] = svmaxv(all, most);
    }
}

static QUANT_INLINE void max_4_f32(unsigned slots, const uint32_t *x, size_t blocks,
                                   struct chunk *c)
{
    const svbool_t all = svptrue_b32();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK) {
        svuint32_t least = svld1(slot(slots, 0), x);
        svint32_t most = svreinterpret_s32(least);
        QUANT_UNROLL
        for (unsigned i = 1; i < slots_of(slots, svcntw()); i++) {
            svuint32_t v = svld1(slot(slots, i), x + i * svcntw());
            most = svmax_x(all, most, svreinterpret_s32(v));
            least = svmax_x(all, least, v);
        }
        c->positive.f32[b] = (uint32_t)svmaxv(all, most);
        c->negative.f32[b] = svmaxv(all, least);
    }
}

static QUANT_INLINE void max_4_bf16(unsigned slots, const uint16_t *x, size_t blocks,
                                    struct chunk *c)
{
    const svbool_t all = svptrue_b16();
    for (size_t b = 0; b < blocks; b++, x += QUANT_BLOCK) {
        svuint16_t least = svld1(half_slot(slots, 0), x);
        svint16_t most = svreinterpret_s16(least);
        QUANT_UNROLL
        for (unsigned i = 1; i < slots_of(slots, svcnth()); i++) {
            svuint16_t v = svld1(half_slot(slots, i), x + i * svcnth());
            most = svmax_x(all, most, svreinterpret_s16(v));
            least = svmax_x(all, least, v);
        }
        c->positive.bf16[b] = (uint16_t)svmaxv(all, most);
        c->negative.bf16[b] = svmaxv(all, least);
    }
}

/* Figures of the blocks from b on as f32 bits. */
static QUANT_INLINE svuint32_t load_tops(svbool_t p, bool bf16, const union tops *t, size_t b)
{
    if (bf16)
        return svlsl_x(p, svld1uh_u32(p, t->bf16 + b), 16);
    return svld1(p, t->f32 + b);
}

/* Scales from signed values v = s before f16, and reciprocals. False where a block is for the
 * reference: s beyond f16's normal numbers. */
static QUANT_INLINE bool scale(svbool_t p, svfloat32_t v, uint16_t *scales, float *r)
{
    const svbool_t some = svcmpne(p, v, 0.0f);
    svfloat16_t half = svcvt_f16_x(p, v); /* in the low half of each lane */
    svfloat32_t back = svcvt_f32_x(p, half);
    svst1h(p, scales, svreinterpret_u32(half));
    svst1(p, r, svdiv_z(some, svdup_f32(1), back));
    /* NaN fails both. */
    svbool_t good = svacle(some, v, svdup_f32(65504));
    good = svacge(good, v, svdup_f32(0x1p-14f));
    return !svptest_any(p, sveor_z(p, some, good));
}

/* The chunk's scales lie at `scales`, two bytes each, in any alignment. */
static QUANT_PASS bool q8_0_scales(bool bf16, size_t blocks, struct chunk *c, uint16_t *scales)
{
    bool good = true;
    for (size_t b = 0; b < blocks; b += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(b, blocks);
        svfloat32_t max = svreinterpret_f32(load_tops(p, bf16, &c->positive, b));
        good &= scale(p, svdiv_x(p, max, svdup_f32(127)), scales + b, c->r + b);
    }
    return good;
}

/* Where +max and -max are both there the first one decides: the other is taken away. */
static void settle(bool bf16, const char *x, size_t blocks, struct chunk *c)
{
    const uint32_t sign = bf16 ? 0x8000 : UINT32_C(0x80000000);
    for (size_t b = 0; b < blocks; b++) {
        uint32_t max = bf16 ? c->positive.bf16[b] : c->positive.f32[b], top = 0;
        uint32_t min = bf16 ? c->negative.bf16[b] : c->negative.f32[b];
        if (max == 0 || min != (max | sign))
            continue;
        for (size_t i = b * QUANT_BLOCK; (top & ~sign) != max; i++)
            memcpy(&top, x + (bf16 ? 2 : 4) * i, bf16 ? 2 : 4);
        union tops *less = top == max ? &c->negative : &c->positive;
        if (bf16)
            less->bf16[b] = 0;
        else
            less->f32[b] = 0;
    }
}

static QUANT_PASS bool q4_0_ties(bool bf16, size_t blocks, const struct chunk *c)
{
    svbool_t ties = svpfalse();
    for (size_t b = 0; b < blocks; b += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(b, blocks);
        svuint32_t pos = load_tops(p, bf16, &c->positive, b);
        svuint32_t neg = load_tops(p, bf16, &c->negative, b);
        p = svcmpeq(p, sveor_x(p, pos, neg), UINT32_C(0x80000000));
        ties = svorr_z(svptrue_b32(), ties, svcmpgt(p, svreinterpret_s32(pos), 0));
    }
    return svptest_any(svptrue_b32(), ties);
}

static QUANT_PASS bool q4_0_scales(bool bf16, size_t blocks, struct chunk *c, uint16_t *scales)
{
    bool good = true;
    for (size_t b = 0; b < blocks; b += svcntw()) {
        svbool_t p = svwhilelt_b32_u64(b, blocks);
        svint32_t pos = svreinterpret_s32(load_tops(p, bf16, &c->positive, b));
        svuint32_t most = svreinterpret_u32(svmax_x(p, pos, 0)); /* none: all are negative */
        svuint32_t neg = load_tops(p, bf16, &c->negative, b);
        svbool_t minus = svcmpgt(p, svand_x(p, neg, 0x7FFFFFFF), most);
        svfloat32_t top = svreinterpret_f32(svsel(minus, neg, most));
        /* / -8 but for the sign of zero, which a block of zeros has not. */
        svfloat32_t v = svadd_x(p, svmul_x(p, top, svdup_f32(-0.125f)), svdup_f32(0));
        good &= scale(p, v, scales + b, c->r + b);
    }
    return good;
}

/* Low bytes of x * r + offset. */
static QUANT_INLINE void bytes(unsigned slots, bool bf16, const void *x, size_t blocks,
                               const struct chunk *c, float offset, uint8_t *out)
{
    const svfloat32_t round = svdup_f32(QUANT_ROUND + offset);
    for (size_t b = 0; b < blocks; b++) {
        const svfloat32_t r = svdup_f32(c->r[b]);
        QUANT_UNROLL
        for (unsigned i = 0; i < slots_of(slots, svcntw()); i++) {
            svbool_t p = slot(slots, i);
            size_t at = b * QUANT_BLOCK + i * svcntw();
            svfloat32_t v = svmul_x(p, quant_load(p, bf16, x, at), r);
            svst1b(p, out + at, svreinterpret_u32(svadd_x(p, v, round)));
        }
    }
}

/* n bytes of codes 0..16 into nibbles, at most 15 each. */
static QUANT_PASS void q4_0_pack(size_t n, const uint8_t *codes, uint8_t *out)
{
    const uint64_t vl = svcntb();
    for (size_t i = 0; i < n; i += vl) {
        svbool_t p = svwhilelt_b8_u64(i, n);
        svuint16_t pair = svreinterpret_u16(svmin_x(p, svld1(p, codes + i), 15));
        pair = svorr_x(svptrue_b16(), pair, svlsr_x(svptrue_b16(), pair, 4));
        svst1b(svwhilelt_b16_u64(i / 2, n / 2), out + i / 2, pair);
    }
}

#define COPIES(bits, slots)                                                                        \
    static QUANT_PASS void q8_0_max_f32_##bits(const void *x, size_t blocks, struct chunk *c)      \
    {                                                                                              \
        max_8_f32(slots, x, blocks, c);                                                            \
    }                                                                                              \
    static QUANT_PASS void q8_0_max_bf16_##bits(const void *x, size_t blocks, struct chunk *c)     \
    {                                                                                              \
        max_8_bf16((slots) / 2, x, blocks, c);                                                     \
    }                                                                                              \
    static QUANT_PASS void q4_0_max_f32_##bits(const void *x, size_t blocks, struct chunk *c)      \
    {                                                                                              \
        max_4_f32(slots, x, blocks, c);                                                            \
    }                                                                                              \
    static QUANT_PASS void q4_0_max_bf16_##bits(const void *x, size_t blocks, struct chunk *c)     \
    {                                                                                              \
        max_4_bf16((slots) / 2, x, blocks, c);                                                     \
    }                                                                                              \
    static QUANT_PASS void gguf_bytes_f32_##bits(                                                  \
        const void *x, size_t blocks, const struct chunk *c, float offset, uint8_t *out)           \
    {                                                                                              \
        bytes(slots, false, x, blocks, c, offset, out);                                            \
    }                                                                                              \
    static QUANT_PASS void gguf_bytes_bf16_##bits(                                                 \
        const void *x, size_t blocks, const struct chunk *c, float offset, uint8_t *out)           \
    {                                                                                              \
        bytes(slots, true, x, blocks, c, offset, out);                                             \
    }
COPIES(128, 8)
COPIES(256, 4)
COPIES(512, 2)
COPIES(any, 0)

static bool chunk_8(bool bf16, const void *x, size_t blocks, uint8_t *elements, void *scales)
{
    struct chunk c;
    if (bf16)
        SVE_BY_LENGTH(q8_0_max_bf16, x, blocks, &c)
    else
        SVE_BY_LENGTH(q8_0_max_f32, x, blocks, &c)
    if (!q8_0_scales(bf16, blocks, &c, scales))
        return false;
    if (bf16)
        SVE_BY_LENGTH(gguf_bytes_bf16, x, blocks, &c, 0, elements)
    else
        SVE_BY_LENGTH(gguf_bytes_f32, x, blocks, &c, 0, elements)
    return true;
}

static bool chunk_4(bool bf16, const void *x, size_t blocks, uint8_t *elements, void *scales)
{
    struct chunk c;
    uint8_t codes[QUANT_CHUNK];
    if (bf16)
        SVE_BY_LENGTH(q4_0_max_bf16, x, blocks, &c)
    else
        SVE_BY_LENGTH(q4_0_max_f32, x, blocks, &c)
    if (q4_0_ties(bf16, blocks, &c))
        settle(bf16, x, blocks, &c);
    if (!q4_0_scales(bf16, blocks, &c, scales))
        return false;
    if (bf16)
        SVE_BY_LENGTH(gguf_bytes_bf16, x, blocks, &c, 8, codes)
    else
        SVE_BY_LENGTH(gguf_bytes_f32, x, blocks, &c, 8, codes)
    q4_0_pack(blocks * QUANT_BLOCK, codes, elements);
    return true;
}

static void row(enum tsr_dtype format, bool bf16, size_t n, const char *x, uint8_t *elements,
                uint8_t *scales)
{
    size_t bits = format == TSR_Q8_0 ? 8 : 4;
    for (size_t at = 0, here; at < n; at += here) {
        here = n - at < QUANT_CHUNK ? n - at : QUANT_CHUNK;
        const void *in = x + at * (bf16 ? 2 : 4);
        uint8_t *e = elements + at * bits / 8, *s = scales + at / QUANT_BLOCK * 2;
        bool done = format == TSR_Q8_0 ? chunk_8(bf16, in, here / QUANT_BLOCK, e, s)
                                       : chunk_4(bf16, in, here / QUANT_BLOCK, e, s);
        if (!done)
            quant_row_ref(format, bf16, here, 0, in, e, s);
    }
}

#define ROW(name, code, type, bf16)                                                                \
    void tsr_quantize_##name##_##type##_sve(size_t n, size_t group, const void *x, void *elements, \
                                            void *scales)                                          \
    {                                                                                              \
        (void)group;                                                                               \
        row(code, bf16, n, x, elements, scales);                                                   \
    }
ROW(q8_0, TSR_Q8_0, f32, false)
ROW(q8_0, TSR_Q8_0, bf16, true)
ROW(q4_0, TSR_Q4_0, f32, false)
ROW(q4_0, TSR_Q4_0, bf16, true)
