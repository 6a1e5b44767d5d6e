/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/slab.h"

#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "isa/num/quant.h"

typedef unsigned long long ull;

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

/* Bytes of n elements; shared microexponents count by whole blocks. */
static uint64_t element_bytes(const struct tsr_format *f, uint64_t n)
{
    if (f->family == TSR_FAMILY_SMX) /* 16 elements and a bit for each pair */
        return ceil_div(n, f->block) * ceil_div(f->block * f->bits + f->block / 2u, 8);
    return ceil_div(n * f->bits, 8);
}

/* Bytes of n elements and their scales: what a row of one mma takes. */
static uint64_t line_bytes(const struct tsr_format *f, uint64_t n)
{
    return element_bytes(f, n) + (f->block > 1 ? ceil_div(n, f->block) * f->scale_bits / 8 : 0);
}

/* Whether units of ks elements start at a block, or lie within one. */
static bool cuts_blocks(const struct tsr_format *f, uint32_t ks)
{
    bool whole = ks % f->block == 0, within = f->block % ks == 0 && f->family != TSR_FAMILY_SMX;
    return (whole || within) && ks * f->bits % 8 == 0;
}

static uint32_t lanes_of(const struct tsr_chip *chip, const struct tsr_format *a,
                         const struct tsr_format *b)
{
    uint8_t w = a->width_class > b->width_class ? a->width_class : b->width_class;
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    return w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
}

/* The most elements that both operands have room for in a line; 0: none. */
static uint32_t common_ks(const struct tsr_chip *chip, const struct tsr_format *a,
                          const struct tsr_format *b)
{
    uint32_t r = lanes_of(chip, a, b), line = chip->tile.line_bytes;
    uint32_t most = 8 * line / (a->bits > b->bits ? a->bits : b->bits);
    for (uint32_t ks = most / r * r; ks; ks -= r)
        if (cuts_blocks(a, ks) && cuts_blocks(b, ks) && line_bytes(a, ks) <= line &&
            line_bytes(b, ks) <= line)
            return ks;
    return 0;
}

enum tsr_status tsr_npu_slab_plan(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                  enum tsr_dtype own, enum tsr_dtype partner, uint64_t rows,
                                  uint64_t k, struct tsr_npu_slab *out, struct tsr_error *err)
{
    const struct tsr_format *f = &isa->formats[own], *g = &isa->formats[partner];
    const uint64_t most = (uint64_t)1 << 32;
    if (!rows || !k || rows > most || k > most)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "operand: %llu rows of %llu, each must be 1 to "
                             "2^32",
                             (ull)rows, (ull)k);
    /* integers without scales have accumulators of their own */
    bool pair = f->width_class && g->width_class &&
                (f->family == TSR_FAMILY_INT) == (g->family == TSR_FAMILY_INT);
    uint32_t ks = pair ? common_ks(chip, f, g) : 0;
    if (!ks)
        return tsr_error_set(err, TSR_BAD_INPUT, "the tensor unit of %s does not take %s by %s",
                             chip->name, f->name, g->name);
    bool blocked = f->block > 1;
    uint64_t elems = blocked ? ks : k;
    *out = (struct tsr_npu_slab){.format = f,
                                 .rows = rows,
                                 .k = k,
                                 .blocked = blocked,
                                 .ks = ks,
                                 .line_bytes = (uint32_t)line_bytes(f, ks),
                                 .scales_at = blocked ? (uint32_t)element_bytes(f, ks) : 0,
                                 .unit_elems = elems,
                                 .unit_bytes = line_bytes(f, elems),
                                 .slabs = ceil_div(k, elems)};
    return TSR_OK;
}

/* ---- planes --------------------------------------------------------------------------------- */

/* Where slab `i` of a row lies in the planes, and how much of it there is. */
struct piece {
    uint64_t element, elements; /* bytes: offset, count */
    uint64_t scale, scales;
};

static struct piece piece_of(const struct tsr_npu_slab *s, uint64_t i)
{
    const struct tsr_format *f = s->format;
    uint64_t blocks = ceil_div(s->k, f->block), size = f->scale_bits / 8;
    uint64_t all = element_bytes(f, blocks * f->block), first = i * s->ks / f->block;
    struct piece p = {.element = element_bytes(f, i * s->ks), .scale = first * size};
    p.elements = all - p.element < s->scales_at ? all - p.element : s->scales_at;
    uint64_t want = ceil_div(s->ks, f->block), left = blocks - first;
    p.scales = (left < want ? left : want) * size;
    return p;
}

void tsr_npu_slab_from_planes(const struct tsr_npu_slab *s, uint64_t row, const void *elements,
                              const void *scales, void *image)
{
    for (uint64_t i = 0; i < s->slabs; i++) {
        struct piece p = piece_of(s, i);
        uint8_t *unit = (uint8_t *)image + tsr_npu_slab_offset(s, row, i);
        memset(unit, 0, s->unit_bytes);
        memcpy(unit, (const uint8_t *)elements + p.element, p.elements);
        memcpy(unit + s->scales_at, (const uint8_t *)scales + p.scale, p.scales);
    }
}

void tsr_npu_slab_to_planes(const struct tsr_npu_slab *s, uint64_t row, const void *image,
                            void *elements, void *scales)
{
    for (uint64_t i = 0; i < s->slabs; i++) {
        struct piece p = piece_of(s, i);
        const uint8_t *unit = (const uint8_t *)image + tsr_npu_slab_offset(s, row, i);
        memcpy((uint8_t *)elements + p.element, unit, p.elements);
        memcpy((uint8_t *)scales + p.scale, unit + s->scales_at, p.scales);
    }
}

/* ---- rows of f32 ---------------------------------------------------------------------------- */

/* One allocation: a row of f32 in whole blocks, its elements, its scales. */
struct row {
    uint32_t *f32;
    uint8_t *elements, *scales;
    uint64_t n;
};

static enum tsr_status make_row(const struct tsr_npu_slab *s, struct row *r, struct tsr_error *err)
{
    const struct tsr_format *f = s->format;
    uint64_t blocks = ceil_div(s->k, f->block), n = blocks * f->block;
    uint64_t elements = element_bytes(f, n), scales = blocks * f->scale_bits / 8;
    r->f32 = calloc(1, 4 * n + elements + scales);
    if (!r->f32)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    r->n = n;
    r->elements = (uint8_t *)(r->f32 + n);
    r->scales = r->elements + elements;
    return TSR_OK;
}

enum tsr_status tsr_npu_slab_pack(const struct tsr_npu_slab *s, uint64_t row,
                                  const uint32_t *f32_bits, void *image, struct tsr_error *err)
{
    if (!s->blocked) {
        tsr_num_encode_array(s->format, (uint8_t *)image + tsr_npu_slab_offset(s, row, 0), f32_bits,
                             s->k, TSR_ROUND_EVEN);
        return TSR_OK;
    }
    struct row r;
    struct tsr_num_quant q = {.format = s->format, .round = TSR_ROUND_EVEN};
    enum tsr_status st = make_row(s, &r, err);
    if (st != TSR_OK)
        return st;
    memcpy(r.f32, f32_bits, 4 * s->k);
    st = tsr_num_quantize(&q, r.f32, r.n, r.elements, r.scales, err);
    if (st == TSR_OK)
        tsr_npu_slab_from_planes(s, row, r.elements, r.scales, image);
    free(r.f32);
    return st;
}

enum tsr_status tsr_npu_slab_unpack(const struct tsr_npu_slab *s, uint64_t row, const void *image,
                                    uint32_t *f32_bits, struct tsr_error *err)
{
    if (!s->blocked) {
        tsr_num_decode_array(s->format, f32_bits,
                             (const uint8_t *)image + tsr_npu_slab_offset(s, row, 0), s->k);
        return TSR_OK;
    }
    struct row r;
    struct tsr_num_quant q = {.format = s->format, .round = TSR_ROUND_EVEN};
    enum tsr_status st = make_row(s, &r, err);
    if (st != TSR_OK)
        return st;
    tsr_npu_slab_to_planes(s, row, image, r.elements, r.scales);
    st = tsr_num_dequantize(&q, r.elements, r.scales, r.n, r.f32, err);
    if (st == TSR_OK)
        memcpy(f32_bits, r.f32, 4 * s->k);
    free(r.f32);
    return st;
}
