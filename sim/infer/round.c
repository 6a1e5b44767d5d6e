/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/infer/round.h"

#include <assert.h>
#include <string.h>

#include "isa/num/quant.h"

struct infer_rounding infer_rounding(const struct tsr_isa *isa, const struct tsr_format *f)
{
    struct infer_rounding r = {f, &isa->formats[TSR_F32]};
    if (f != NULL && (f->code == TSR_Q4_K || f->code == TSR_Q6_K))
        r.format = &isa->formats[TSR_Q8_0];
    if (f != NULL && f->code == TSR_F32)
        r.format = NULL;
    return r;
}

static struct tsr_num_quant scheme(const struct infer_rounding *r)
{
    struct tsr_num_quant q;
    memset(&q, 0, sizeof q);
    q.format = r->format;
    q.scale_format = r->scale;
    return q;
}

/* GGUF's blocks are whole; a row that ends within one is padded with zeros, as in the machine. */
static size_t padded(const struct infer_rounding *r, size_t n)
{
    size_t block = r->format->block > 1 ? r->format->block : 1;
    return (n + block - 1) / block * block;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t infer_round_scratch(const struct infer_rounding *r, size_t n)
{
    if (r->format == NULL)
        return 0;
    size_t room = padded(r, n);
    struct tsr_num_quant q = scheme(r);
    size_t codes = tsr_num_has_blocks(r->format)
                       ? aligned(tsr_num_element_bytes(&q, room)) + tsr_num_scale_bytes(&q, room)
                       : 4 * room;
    return aligned(4 * room) + aligned(codes);
}

/* What infer_rounding made is never refused: whole blocks, a scale format, no tensor scale. */
static void quantize(const struct tsr_num_quant *q, size_t n, uint32_t *bits, uint8_t *codes)
{
    uint8_t *scales = codes + aligned(tsr_num_element_bytes(q, n));
    enum tsr_status st = tsr_num_quantize(q, bits, n, codes, scales, NULL);
    if (st == TSR_OK)
        st = tsr_num_dequantize(q, codes, scales, n, bits, NULL);
    assert(st == TSR_OK);
    (void)st;
}

void infer_round(const struct infer_rounding *r, size_t n, const float *x, float *y, void *scratch)
{
    if (r->format == NULL) {
        if (x != y)
            memcpy(y, x, n * sizeof *y);
        return;
    }
    struct tsr_num_quant q = scheme(r);
    size_t room = padded(r, n);
    uint32_t *bits = scratch;
    uint8_t *codes = (uint8_t *)scratch + aligned(4 * room);
    memcpy(bits, x, n * sizeof *x);
    memset(bits + n, 0, (room - n) * sizeof *bits);
    if (tsr_num_has_blocks(r->format)) {
        quantize(&q, room, bits, codes);
    } else {
        tsr_num_encode_array(r->format, codes, bits, n, TSR_ROUND_EVEN);
        tsr_num_decode_array(r->format, bits, codes, n);
    }
    memcpy(y, bits, n * sizeof *y);
}
