/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of attention on the NPU against unfused ones (tests/support/attention_gradient.h) and
 * differences: random problems in the full simulator. */
#include "tests/support/attention_gradient.h"
#include "tests/support/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention_backward.h"
#include "tessera/sim.h"

static struct tsr_isa *isa;

static int load_isa(void **state)
{
    struct tsr_error err = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &err);
}

static int free_isa(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

struct rig {
    struct tsr_chip chip;
    struct tsr_sim *sim;
    struct attention_problem p;
    struct tsr_npu_attention_backward op;
    uint64_t next; /* free HBM */
    size_t n_q, n_o, n_k, n_v, n_lse;
    float *o, *lse, *d_o, *got;
    double *want[3], *bound[3];
    char what[200];
};

static uint64_t pick(uint64_t *seed, uint64_t low, uint64_t high)
{
    return low + tsr_test_random_below(seed, high - low + 1);
}

static float *floats(size_t n)
{
    float *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static uint64_t reserve(struct rig *r, size_t bytes)
{
    uint64_t at = TSR_HBM(r->next);
    r->next += (bytes + 1023) / 1024 * 1024;
    return at;
}

/* Rounds x to bf16 and puts it in HBM. */
static uint64_t put(struct rig *r, float *x, size_t n)
{
    struct tsr_error err = {0};
    uint64_t at = reserve(r, 2 * n);
    uint16_t *codes = malloc(2 * n);
    assert_non_null(codes);
    tsr_num_encode_array(&isa->formats[TSR_BF16], codes, (const uint32_t *)(const void *)x, n,
                         TSR_ROUND_EVEN);
    tsr_num_decode_array(&isa->formats[TSR_BF16], (uint32_t *)(void *)x, codes, n);
    assert_int_equal(tsr_sim_write(r->sim, at, codes, 2 * n, &err), TSR_OK);
    free(codes);
    return at;
}

/* lse as [batch][heads][q_len]; the reference has [batch][q_len][heads]. */
static uint64_t put_lse(struct rig *r)
{
    struct tsr_error err = {0};
    const struct tsr_npu_attention_backward *op = &r->op;
    uint64_t at = reserve(r, 4 * r->n_lse);
    for (size_t i = 0; i < r->n_lse; i++) {
        size_t h = i % op->heads, t = i / op->heads % op->q_len, b = i / op->heads / op->q_len;
        assert_int_equal(tsr_sim_write(r->sim, at + 4 * ((b * op->heads + h) * op->q_len + t),
                                       &r->lse[i], 4, &err),
                         TSR_OK);
    }
    return at;
}

static double *doubles(size_t n)
{
    double *x = calloc(n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

/* A byte for each pair, both ways round; heads share them. */
static void put_mask(struct rig *r)
{
    struct tsr_error err = {0};
    struct tsr_npu_attention_backward *op = &r->op;
    const uint64_t pairs = op->q_len * op->kv_len;
    uint8_t *turned = malloc(pairs);
    assert_non_null(turned);
    op->has_mask = true;
    op->mask = (struct tsr_npu_rows){reserve(r, op->batch * pairs), pairs, op->q_len, 0};
    op->mask_t = (struct tsr_npu_rows){reserve(r, op->batch * pairs), pairs, op->kv_len, 0};
    for (size_t b = 0; b < op->batch; b++) {
        const uint8_t *mask = r->p.what.mask + b * pairs;
        for (size_t i = 0; i < pairs; i++)
            turned[i % op->kv_len * op->q_len + i / op->kv_len] = mask[i];
        assert_int_equal(tsr_sim_write(r->sim, op->mask.address + b * pairs, turned, pairs, &err),
                         TSR_OK);
        assert_int_equal(tsr_sim_write(r->sim, op->mask_t.address + b * pairs, mask, pairs, &err),
                         TSR_OK);
    }
    free(turned);
}

static void make(struct rig *r, unsigned features, uint64_t *seed)
{
    struct tsr_attention *a = &r->p.what;
    struct tsr_npu_attention_backward *op = &r->op;
    a->batch = pick(seed, 1, 2);
    a->kv_heads = pick(seed, 1, 2);
    a->heads = a->kv_heads * pick(seed, 1, pick(seed, 0, 4) ? 3 : 9); /* 9: rows do not stay */
    a->dim = 8 * pick(seed, 1, 5);
    a->value_dim = pick(seed, 0, 1) ? a->dim : 8 * pick(seed, 1, 5);
    uint32_t q = (uint32_t)pick(seed, 1, 40), kv = q + (uint32_t)pick(seed, 0, 40);
    for (size_t b = 0; b < a->batch; b++) {
        r->p.q_len[b] = q;
        r->p.kv_len[b] = kv;
    }
    attention_problem_fill(&r->p, features, 1, seed);
    *op = (struct tsr_npu_attention_backward){.batch = a->batch,
                                              .heads = a->heads,
                                              .kv_heads = a->kv_heads,
                                              .head_dim = a->dim,
                                              .v_dim = a->value_dim,
                                              .q_len = q,
                                              .kv_len = kv,
                                              .causal = a->causal,
                                              .window = a->window,
                                              .has_slopes = a->slopes != NULL,
                                              .scale = a->scale,
                                              .softcap = a->softcap,
                                              .format = TSR_BF16};
    r->n_lse = a->batch * q * a->heads;
    r->n_q = r->n_lse * a->dim;
    r->n_o = r->n_lse * a->value_dim;
    r->n_k = a->batch * kv * a->kv_heads * a->dim;
    r->n_v = a->batch * kv * a->kv_heads * a->value_dim;
    snprintf(r->what, sizeof r->what, "%s: batch %d heads %d:%d d %d %d q %d kv %d features %u",
             r->chip.name, (int)a->batch, (int)a->heads, (int)a->kv_heads, (int)a->dim,
             (int)a->value_dim, (int)q, (int)kv, features);
}

static void place(struct rig *r, uint64_t *seed)
{
    struct tsr_npu_attention_backward *op = &r->op;
    const size_t n[3] = {r->n_q, r->n_k, r->n_v};
    r->o = floats(r->n_o);
    r->d_o = floats(r->n_o);
    r->lse = floats(r->n_lse);
    for (int i = 0; i < 3; i++) {
        r->want[i] = doubles(n[i]);
        r->bound[i] = doubles(n[i]);
    }
    op->q.address = put(r, r->p.q, r->n_q);
    op->k.address = put(r, r->p.k, r->n_k);
    op->v.address = put(r, r->p.v, r->n_v);
    tsr_attention_plain(&r->p.what, r->p.q, r->p.k, r->p.v, r->o, r->lse);
    for (size_t i = 0; i < r->n_o; i++)
        r->d_o[i] = tsr_test_random_f32(seed);
    op->o.address = put(r, r->o, r->n_o);
    op->d_o.address = put(r, r->d_o, r->n_o);
    op->lse = put_lse(r);
    op->delta = reserve(r, 4 * r->n_lse);
    op->d_q.address = reserve(r, 4 * r->n_q);
    op->d_k.address = reserve(r, 4 * r->n_k);
    op->d_v.address = reserve(r, 4 * r->n_v);
    if (r->p.what.mask)
        put_mask(r);
    if (op->has_slopes) {
        struct tsr_error err = {0};
        op->slopes = reserve(r, 4 * op->heads);
        assert_int_equal(tsr_sim_write(r->sim, op->slopes, r->p.what.slopes, 4 * op->heads, &err),
                         TSR_OK);
    }
    /* W rounded to bf16, half an ULP 2^-8 relative at most; delta of an O rounded to bf16 2^-9;
     * exp2 and what it is of, dP, 1 - tanh^2: 2^-14; sums in f32 of so few terms by far less */
    struct attention_gradient g = {.q = r->want[0],
                                   .k = r->want[1],
                                   .v = r->want[2],
                                   .bound_q = r->bound[0],
                                   .bound_k = r->bound[1],
                                   .bound_v = r->bound[2],
                                   .rounded = 0x1p-8,
                                   .inner = 0x1p-9 + 0x1p-14};
    attention_unfused_gradient(&r->p, r->d_o, &g);
}

static void compare(struct rig *r, int part, uint64_t address, size_t n)
{
    struct tsr_error err = {0};
    r->got = floats(n);
    assert_int_equal(tsr_sim_read(r->sim, address, r->got, 4 * n, &err), TSR_OK);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)r->got[i] - r->want[part][i]) <= r->bound[part][i] * 1.05 + 1e-7))
            fail_msg("%s: d%c[%zu] is %.9g, %.9g +- %.3g is right", r->what, "qkv"[part], i,
                     (double)r -> got[i], r -> want[part][i], r -> bound[part][i]);
    free(r->got);
}

static void run(const char *chip, unsigned features, uint64_t *seed)
{
    struct rig r = {0};
    struct tsr_error err = {0};
    struct tsr_run_options o = {
        .mode = TSR_MODE_FULL, .check_races = true, .limit_cycles = 100000000};
    assert_int_equal(tsr_chip_load(chip, &r.chip, &err), TSR_OK);
    assert_int_equal(tsr_sim_create(&r.chip, isa, &r.sim, &err), TSR_OK);
    make(&r, features, seed);
    place(&r, seed);
    for (int part = 0; part < TSR_GRADIENTS; part++) {
        struct tsr_program program = {0};
        struct tsr_stats stats;
        if (tsr_npu_attention_backward(isa, &r.chip, &r.op, (enum tsr_npu_gradient)part, &program,
                                       &err) != TSR_OK ||
            tsr_sim_run(r.sim, &program, &o, &stats, NULL, &err) != TSR_OK)
            fail_msg("%s: part %d: %s", r.what, part, err.message);
        tsr_program_free(&program);
    }
    compare(&r, 0, r.op.d_q.address, r.n_q);
    compare(&r, 1, r.op.d_k.address, r.n_k);
    compare(&r, 2, r.op.d_v.address, r.n_v);
    attention_problem_free(&r.p);
    free(r.o), free(r.lse), free(r.d_o);
    for (int i = 0; i < 3; i++) {
        free(r.want[i]);
        free(r.bound[i]);
    }
    tsr_sim_destroy(r.sim);
}

static void test_attention_backward_is_the_references(void **state)
{
    static const unsigned features[] = {0,
                                        PROBLEM_CAUSAL,
                                        PROBLEM_CAUSAL | PROBLEM_WINDOW,
                                        PROBLEM_CAUSAL | PROBLEM_SINKS,
                                        PROBLEM_WINDOW,
                                        PROBLEM_CAUSAL | PROBLEM_SOFTCAP,
                                        PROBLEM_SLOPES,
                                        PROBLEM_CAUSAL | PROBLEM_SLOPES | PROBLEM_SOFTCAP,
                                        PROBLEM_MASK,
                                        PROBLEM_ALL & ~PROBLEM_PREFIX};
    static const char *const chips[] = {"micro", "micro4", "maia100"};
    uint64_t seed = tsr_test_seed("attention_backward", 5);
    int rounds = tsr_test_nightly() ? 300 : 40;
    (void)state;
    for (int n = 0; n < rounds; n++)
        run(chips[n % 13 == 12 ? 2 : n % 3 == 0], features[n % 10], &seed);
}

static void test_attention_backward_refuses_with_reason(void **state)
{
    static const struct tsr_npu_attention_backward right = {.batch = 1,
                                                            .heads = 2,
                                                            .kv_heads = 1,
                                                            .head_dim = 16,
                                                            .v_dim = 16,
                                                            .q_len = 4,
                                                            .kv_len = 4,
                                                            .scale = 1,
                                                            .format = TSR_BF16};
    static const char *const says[] = {"multiples of 8", "soft cap", "bf16 or f16", "TSRAM"};
    struct tsr_npu_attention_backward op[4] = {right, right, right, right};
    struct tsr_chip chip;
    struct tsr_error none = {0};
    (void)state;
    op[0].head_dim = 12;
    op[1].softcap = -1;
    op[2].format = TSR_F8E4M3;
    op[3].head_dim = 512;
    assert_int_equal(tsr_chip_load("micro", &chip, &none), TSR_OK);
    for (int i = 0; i < 4; i++) {
        struct tsr_program program = {0};
        struct tsr_error err = {0};
        assert_int_equal(
            tsr_npu_attention_backward(isa, &chip, &op[i], TSR_GRADIENT_DQ, &program, &err),
            TSR_BAD_INPUT);
        if (!strstr(err.message, says[i]))
            fail_msg("\"%s\" does not say \"%s\"", err.message, says[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_backward_is_the_references),
        cmocka_unit_test(test_attention_backward_refuses_with_reason),
    };
    return cmocka_run_group_tests(tests, load_isa, free_isa);
}
