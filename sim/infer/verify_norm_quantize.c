/* SPDX-License-Identifier: Apache-2.0 */
/* A norm whose result is blocks: the f32 values by their definition in kernels/npu/quantize.h, the
 * order of the sum included, then isa/num's quantization of them; nothing may differ. */
#include <stdlib.h>
#include <string.h>

#include "isa/num/quant.h"
#include "sim/infer/verify.h"

enum {
    CHAINS = 8
};

static uint32_t bits_of(double x)
{
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

struct primitives { /* by index */
    int fma, add, mul, rsqrt;
};

static struct primitives primitives(void)
{
    return (struct primitives){tsr_num_primitive_find("fma"), tsr_num_primitive_find("add"),
                               tsr_num_primitive_find("mul"), tsr_num_primitive_find("rsqrt")};
}

/* 1 / sqrt(mean + eps): vectors of a row's spans, the last one of a span as long as that is, by
 * turns into 8 chains per lane. */
static uint32_t factor(const struct primitives *p, uint32_t lanes, uint64_t span, uint64_t n,
                       double eps, const uint32_t *x)
{
    uint32_t sum[CHAINS][TSR_NUM_MAX_LANES] = {{0}};
    const uint64_t vectors = (span + lanes - 1) / lanes;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t at = i % span, v = i / span * vectors + at / lanes;
        uint32_t *to = &sum[v % CHAINS][at % lanes];
        *to = tsr_num_primitive_apply(p->fma, x[i], x[i], *to);
    }
    for (int half = CHAINS / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            for (uint32_t l = 0; l < lanes; l++)
                sum[k][l] = tsr_num_primitive_apply(p->add, sum[k][l], sum[k + half][l], 0);
    uint32_t all = tsr_num_reduce(TSR_NUM_REDUCE_ADD, sum[0], NULL, lanes);
    all = tsr_num_primitive_apply(p->mul, all, bits_of(1.0 / (double)n), 0);
    all = tsr_num_primitive_apply(p->add, all, bits_of(eps), 0);
    return tsr_num_primitive_apply(p->rsqrt, all, 0, 0);
}

static void norm(const struct verify *v, const uint32_t *w, uint32_t *x)
{
    const struct tsr_npu_rmsnorm_quantize *o = &v->op.rmsnorm_quantize.op;
    const struct tsr_npu_slab *slab = &v->op.rmsnorm_quantize.slab;
    const struct primitives p = primitives();
    const uint64_t span = slab->ks > slab->format->block ? slab->ks : slab->format->block;
    const uint32_t by = factor(&p, v->s->o.chip->tile.tvp.lanes, span, o->cols, o->eps, x);
    for (uint64_t i = 0; i < o->cols; i++) {
        x[i] = tsr_num_primitive_apply(p.mul, x[i], by, 0);
        if (w != NULL)
            x[i] = tsr_num_primitive_apply(p.mul, x[i], w[i], 0);
    }
}

enum tsr_status verify_rmsnorm_quantize(struct verify *v, struct tsr_error *err)
{
    const struct tsr_npu_rmsnorm_quantize *o = &v->op.rmsnorm_quantize.op;
    const struct tsr_npu_slab *slab = &v->op.rmsnorm_quantize.slab;
    const uint64_t stride = verify_stride(v, o->x_stride, o->x_format, o->cols);
    uint8_t *image = malloc(tsr_npu_slab_bytes(slab));
    uint32_t *w = o->w != 0 ? verify_read_bits(v->s, o->w_format, o->w, o->cols, err) : NULL;
    enum tsr_status st = image && (w || o->w == 0) ? TSR_OK : TSR_INTERNAL;
    for (uint64_t i = 0; i < o->rows && st == TSR_OK; i++) {
        uint32_t *x = verify_read_bits(v->s, o->x_format, o->x + i * stride, o->cols, err);
        if (x != NULL)
            norm(v, w, x);
        st = x != NULL ? verify_pack(slab, i, x, image, err) : TSR_INTERNAL;
        free(x);
    }
    if (st == TSR_OK)
        st = verify_bytes(v, o->to.y, image, tsr_npu_slab_bytes(slab), err);
    free(image);
    free(w);
    return st;
}
