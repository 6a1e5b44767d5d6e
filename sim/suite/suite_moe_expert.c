/* SPDX-License-Identifier: Apache-2.0 */
/* The grouped matmul against sums in double. u = 2^-24.
 *
 * operand.c says how far the chip's sums may lie from exact ones; a bias adds u of their size.
 * Gate: errors of gate and up pass with |act'| < 1.15 and |act|; the activation adds what
 * suite_activation.c derives. Multiples of 1/2 within +-2 without gate stay exact. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/npu/moe.h"
#include "kernels/ref.h"
#include "sim/suite/operand.h"
#include "sim/suite/routing.h"

static const double limit = 7.0, alpha = 1.702;

struct expert_case {
    size_t tokens, experts, top_k, n, k;
    enum tsr_dtype a, b, c;
    int gate; /* -1 none, else enum tsr_activation */
    bool bias, exact;
};

struct tensors {
    struct suite_routing r;
    struct suite_operand a, *b; /* b: an expert's gate, its up, the next expert's */
    float *bias, *c, *want;     /* bias likewise */
    double *bound;
    size_t both; /* rows of an expert's b */
};

static bool make(struct suite *s, const struct expert_case *c, struct tensors *v,
                 struct tsr_error *err)
{
    v->both = c->n * (c->gate >= 0 ? 2 : 1);
    v->b = suite_alloc(s, 2 * c->experts * sizeof *v->b, err);
    v->bias = suite_alloc(s, 4 * c->experts * v->both, err);
    v->c = suite_alloc(s, 4 * v->r.slots * c->n, err);
    v->want = suite_alloc(s, 4 * v->r.slots * c->n, err);
    v->bound = suite_alloc(s, 8 * v->r.slots * c->n, err);
    return v->b && v->bias && v->c && v->want && v->bound;
}

/* Row `r` times column `j` of its expert's b, its gate's columns before its up's. */
static double dot(const struct suite *s, const struct expert_case *c, const struct tensors *v,
                  size_t r, size_t j, double *err)
{
    double sum;
    size_t parts = v->both / c->n, expert = v->r.expert[r];
    suite_operand_dot(s, &v->a, r, &v->b[expert * parts + j / c->n], j % c->n, &sum, err);
    if (c->bias) {
        sum += v->bias[expert * v->both + j];
        *err += 0x1p-24 * (fabs(sum) + *err);
    }
    return sum;
}

static void gated(const struct expert_case *c, double g, double u, double eg, double eu,
                  double *want, double *err)
{
    float y, gf = (float)g, uf = (float)u;
    tsr_gate_ref((enum tsr_activation)c->gate, limit, alpha, 1, &gf, &uf, &y);
    double t = c->gate == TSR_ACT_GELU_TANH ? 11.4 * fabs(g) * (1 + 0.0448 * g * g) : 2.6 * fabs(g);
    double factor = fabs(u) + (c->gate == TSR_ACT_SWIGLU_CLAMP ? 1 : 0);
    double act = fabs(g);    /* |act(g)| <= |g| */
    eg += fabs(g) * 0x1p-24; /* the reference's arguments are rounded */
    eu += fabs(u) * 0x1p-24;
    *want = y;
    *err = fabs((double)y) * (9 + t) * 0x1p-24 + 1.15 * eg * (factor + eu) + act * eu +
           0x1p-50 * act * factor;
}

static void reference(struct suite *s, const struct expert_case *c, struct tensors *v)
{
    const struct tsr_format *fc = suite_format(s, c->c);
    for (size_t r = 0; r < v->r.slots; r++)
        for (size_t j = 0; j < c->n; j++) {
            double eg, eu = 0, want, wide, g = dot(s, c, v, r, j, &eg);
            want = g, wide = eg;
            if (c->gate >= 0) {
                double u = dot(s, c, v, r, c->n + j, &eu);
                gated(c, g, u, eg, eu, &want, &wide);
            }
            v->want[r * c->n + j] = (float)want;
            v->bound[r * c->n + j] =
                c->exact ? 0 : wide + suite_half_ulp(fc, fabs(want) + wide) + fabs(want) * 0x1p-24;
        }
}

/* All experts' matrices, one behind the other. */
static enum tsr_status place_b(struct suite *s, const struct expert_case *c, struct tensors *v,
                               uint64_t *address, struct tsr_error *err)
{
    size_t n = c->experts * (v->both / c->n), bytes = 0;
    enum suite_values kind = c->exact ? SUITE_SMALL : SUITE_UNIT;
    uint8_t *image = NULL;
    for (size_t i = 0; i < n; i++) {
        enum tsr_status st = suite_operand_plan(s, c->b, c->a, c->n, c->k, &v->b[i], err);
        bytes = st ? 0 : tsr_npu_slab_bytes(&v->b[i].slab);
        if (!st && !image && !(image = suite_alloc(s, n * bytes, err)))
            st = TSR_INTERNAL;
        if (!st)
            st = suite_operand_fill(s, &v->b[i], kind, image + i * bytes, err);
        if (st)
            return st;
    }
    return suite_place_bytes(s, SUITE_IN, image, n * bytes, address, err);
}

static enum tsr_status place_a(struct suite *s, const struct expert_case *c, struct tensors *v,
                               uint64_t *address, struct tsr_error *err)
{
    enum tsr_status st = suite_operand_plan(s, c->a, c->b, v->r.slots, c->k, &v->a, err);
    size_t bytes = st ? 0 : tsr_npu_slab_bytes(&v->a.slab);
    uint8_t *image = st ? NULL : suite_alloc(s, bytes, err);
    if (!image)
        return st ? st : TSR_INTERNAL;
    st = suite_operand_fill(s, &v->a, c->exact ? SUITE_SMALL : SUITE_UNIT, image, err);
    return st ? st : suite_place_bytes(s, SUITE_IN, image, bytes, address, err);
}

static enum tsr_status place(struct suite *s, const struct expert_case *c, struct tensors *v,
                             struct tsr_npu_moe_expert *op, struct tsr_error *err)
{
    suite_fill(s, suite_format(s, TSR_F32), c->exact ? SUITE_SMALL : SUITE_UNIT, v->bias,
               c->experts * v->both);
    enum tsr_status st = place_a(s, c, v, &op->a, err);
    if (!st)
        st = place_b(s, c, v, &op->b, err);
    if (!st && c->bias) {
        st = suite_place(s, SUITE_IN, suite_format(s, TSR_F32), v->bias, c->experts * v->both,
                         &op->bias, err);
        op->bias_stride = 4 * v->both;
        op->up_bias = op->bias + 4 * c->n;
    }
    if (!st)
        st = suite_place(s, SUITE_OUT, suite_format(s, c->c), NULL, v->r.slots * c->n, &op->c, err);
    return st;
}

static enum tsr_status one(struct suite *s, const struct expert_case *c, struct tsr_error *err)
{
    static const char *const gates[] = {"silu", "gelu", "gelu tanh", "swiglu clamp"};
    char label[80];
    struct tensors v;
    snprintf(label, sizeof label, "by %s, %zu tokens %zu experts top %zu%s%s%s",
             suite_format(s, c->a)->name, c->tokens, c->experts, c->top_k, c->gate >= 0 ? " " : "",
             c->gate >= 0 ? gates[c->gate] : "", c->bias ? " bias" : "");
    enum tsr_status st =
        suite_begin(s, suite_format(s, c->b), c->tokens * c->top_k, c->n, c->k, label, err);
    if (!st)
        st = suite_route(s, c->tokens, c->experts, c->top_k, &v.r, err);
    if (st)
        return st;
    if (!make(s, c, &v, err))
        return TSR_INTERNAL;
    struct tsr_npu_moe_expert op = {.tokens = c->tokens,
                                    .experts = c->experts,
                                    .top_k = c->top_k,
                                    .n = c->n,
                                    .k = c->k,
                                    .a_format = c->a,
                                    .b_format = c->b,
                                    .c_format = c->c,
                                    .gate = c->gate >= 0,
                                    .limit = limit,
                                    .alpha = alpha,
                                    .counts = v.r.counts_at};
    if (op.gate)
        op.activation = (enum tsr_activation)c->gate;
    st = place(s, c, &v, &op, err);
    struct tsr_program p = {0};
    if (!st)
        st = tsr_npu_moe_expert(s->isa, s->chip, &op, &p, err);
    if (!st)
        st = suite_execute(s, &p, err);
    if (!st)
        st = suite_read(s, suite_format(s, c->c), op.c, v.c, v.r.slots * c->n, err);
    if (st)
        return st;
    reference(s, c, &v);
    suite_compare(s, "c", v.c, v.want, v.bound, v.r.slots * c->n);
    return TSR_OK;
}

enum tsr_status suite_moe_expert(struct suite *s, struct tsr_error *err)
{
    enum {
        NONE = -1,
        SILU = TSR_ACT_SILU,
        GELU = TSR_ACT_GELU_TANH,
        CLAMP = TSR_ACT_SWIGLU_CLAMP
    };
    static const struct expert_case own[] = {
        {1, 1, 1, 1, 1, TSR_BF16, TSR_BF16, TSR_F32, NONE, false, true},
        {1, 8, 2, 24, 96, TSR_BF16, TSR_BF16, TSR_BF16, SILU, false, false},
        {5, 4, 2, 17, 33, TSR_BF16, TSR_BF16, TSR_F32, NONE, true, true},
        {9, 8, 2, 70, 300, TSR_BF16, TSR_BF16, TSR_BF16, CLAMP, true, false},
        {40, 3, 2, 131, 64, TSR_F16, TSR_F16, TSR_F16, GELU, false, false},
        {33, 32, 4, 40, 130, TSR_BF16, TSR_F8E4M3, TSR_BF16, SILU, false, false},
        {90, 2, 1, 65, 257, TSR_BF16, TSR_BF16, TSR_F32, NONE, false, true},
        {200, 3, 2, 10, 40, TSR_BF16, TSR_BF16, TSR_BF16, SILU, false, false},
        {300, 16, 2, 50, 48, TSR_BF16, TSR_BF16, TSR_BF16, CLAMP, true, false},
        {88, 8, 2, 19, 86, TSR_BF16, TSR_BF16, TSR_BF16, SILU, false, false},
        {1100, 2, 1, 9, 18, TSR_BF16, TSR_BF16, TSR_F32, NONE, true, true},
        {33, 4, 2, 40, 130, TSR_BF16, TSR_MX6, TSR_BF16, SILU, false, false},
        {9, 8, 2, 70, 300, TSR_MX9, TSR_MX9, TSR_BF16, CLAMP, true, false},
        {90, 2, 1, 65, 257, TSR_MX6, TSR_MX6, TSR_F32, NONE, false, true},
        {40, 3, 2, 37, 1100, TSR_MX9, TSR_MXF4, TSR_F32, NONE, true, true},
        {5, 4, 2, 17, 33, TSR_MXF8E4M3, TSR_F8E4M3, TSR_BF16, GELU, false, false},
        {33, 4, 2, 24, 96, TSR_NVF4, TSR_Q4_0, TSR_BF16, SILU, false, false},
    };
    if (s->shape.m) {
        enum tsr_dtype f = s->format ? (enum tsr_dtype)s->format->code : TSR_BF16;
        struct expert_case c = {s->shape.m, 8, 2,    s->shape.n, s->shape.k, f,
                                f,          f, SILU, false,      false};
        enum tsr_status one_st = one(s, &c, err);
        c.gate = s->shape.m % 2 ? CLAMP : NONE;
        c.bias = true;
        return one_st ? one_st : one(s, &c, err);
    }
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < sizeof own / sizeof *own && !st; i++)
        if (suite_wants(s, own[i].b))
            st = one(s, &own[i], err);
    return st;
}
