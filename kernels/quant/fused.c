/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that are quantized as they are computed: the values lie in a small buffer, never in memory
 * of the caller's. */
#include <assert.h>
#include <string.h>

#include "kernels/quant/quant.h"

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A large group of i8. noinline: rows of other formats want no such stack.
 */
static __attribute__((noinline)) void group_i8(struct quant_source source, size_t from, size_t n,
                                               int8_t *elements, uint8_t *scale)
{
    tsr_i8_max_f32_fn *max = (tsr_i8_max_f32_fn *)tsr_variant_chosen(TSR_OP_i8_max_f32)->function;
    tsr_i8_codes_f32_fn *codes =
        (tsr_i8_codes_f32_fn *)tsr_variant_chosen(TSR_OP_i8_codes_f32)->function;
    float y[QUANT_KEPT], s;
    uint32_t most = 0;
    for (size_t at = 0, here; at < n; at += here) {
        here = least(n - at, QUANT_CHUNK);
        float *piece = n <= QUANT_KEPT ? y + at : y;
        source.values(source.self, from + at, here, piece);
        uint32_t m = max(here, piece);
        most = m > most ? m : most;
    }
    most = tsr_num_group_scale(quant_definition(TSR_I8), &most, 1);
    memcpy(scale, &most, sizeof most);
    memcpy(&s, &most, sizeof s);
    if (n <= QUANT_KEPT) {
        codes(n, y, s, elements);
        return;
    }
    for (size_t at = 0, here; at < n; at += here) {
        here = least(n - at, QUANT_CHUNK);
        source.values(source.self, from + at, here, y);
        codes(here, y, s, elements + at);
    }
}

void quant_row_from(const struct tsr_quant *q, struct quant_source source, uint8_t *elements,
                    uint8_t *scales)
{
    const size_t n = q->cols, group = q->group > 0 && q->group < n ? q->group : n;
    const bool i8 = q->format == TSR_I8;
    float y[QUANT_CHUNK];
    struct tsr_quant piece = {.format = q->format, .cols = QUANT_CHUNK, .group = q->group};
    size_t element_bytes, scale_bytes;
    if (i8 && group > QUANT_CHUNK) {
        for (size_t at = 0; at < n; at += group, scales += 4)
            group_i8(source, at, least(n - at, group), (int8_t *)elements + at, scales);
        return;
    }
    /* Whole groups, or whole blocks, which QUANT_CHUNK is of every format: they fill bytes. */
    if (i8 && group > 0)
        piece.cols = QUANT_CHUNK / group * group;
    enum tsr_status st = tsr_quant_row_bytes(&piece, &element_bytes, &scale_bytes, NULL);
    assert(st == TSR_OK);
    (void)st;
    for (size_t at = 0, here; at < n; at += here) {
        here = least(n - at, piece.cols);
        source.values(source.self, at, here, y);
        quant_row(q->format, false, here, q->group, y, elements, scales);
        elements += element_bytes;
        scales = scales != NULL ? scales + scale_bytes : NULL;
    }
}
