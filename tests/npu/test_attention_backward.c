/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients of attention on the NPU against unfused ones (tests/support/attention_gradient.h) and
 * differences of the definition: random problems in the full simulator. Repeat: TESSERA_SEED=n
 * ctest -R npu.attention_backward */
#include "tests/support/attention_gradient.h"
#include "tests/support/harness.h"
#include "tests/support/isa_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention_backward.h"
#include "tessera/sim.h"

struct rig {
    struct tsr_chip chip;
    struct tsr_sim *sim;
    struct attention_problem p;
    struct tsr_npu_attention_backward op;
    uint64_t next; /* free HBM */
    bool small;    /* TSRAM of a quarter: long contexts come in passes, or stream */
    size_t n_q, n_o, n_k, n_v, n_lse;
    float *o, *lse, *d_o;
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

/* Rounds x to bf16 and puts it in HBM, rows of each sequence (`own`) from a multiple of `most` on.
 */
static uint64_t put(struct rig *r, float *x, size_t row, const uint32_t *own, size_t most)
{
    struct tsr_error err = {0};
    uint64_t at = reserve(r, 2 * r->op.batch * most * row);
    uint16_t *codes = malloc(2 * most * row);
    assert_non_null(codes);
    for (size_t b = 0; b < r->op.batch; x += own[b++] * row) {
        const size_t n = own[b] * row;
        tsr_num_encode_array(&isa->formats[TSR_BF16], codes, (const uint32_t *)(const void *)x, n,
                             TSR_ROUND_EVEN);
        tsr_num_decode_array(&isa->formats[TSR_BF16], (uint32_t *)(void *)x, codes, n);
        assert_int_equal(tsr_sim_write(r->sim, at + 2 * b * most * row, codes, 2 * n, &err),
                         TSR_OK);
    }
    free(codes);
    return at;
}

static uint64_t put_queries(struct rig *r, float *x, size_t row)
{
    return put(r, x, row, r->p.q_len, r->op.q_len);
}

static uint64_t put_keys(struct rig *r, float *x, size_t row)
{
    return put(r, x, row, r->p.kv_len, r->op.kv_len);
}

/* lse as [batch][heads][q_len]; the reference has one sequence after another, [query][head]. */
static uint64_t put_lse(struct rig *r)
{
    struct tsr_error err = {0};
    const struct tsr_npu_attention_backward *op = &r->op;
    uint64_t at = reserve(r, 4 * op->batch * op->heads * op->q_len);
    const float *lse = r->lse;
    for (size_t b = 0; b < op->batch; b++)
        for (size_t t = 0; t < r->p.q_len[b]; t++)
            for (size_t h = 0; h < op->heads; h++)
                assert_int_equal(tsr_sim_write(r->sim,
                                               at + 4 * ((b * op->heads + h) * op->q_len + t),
                                               lse++, 4, &err),
                                 TSR_OK);
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
    const uint8_t *mask = r->p.what.mask;
    op->has_mask = true;
    op->mask = (struct tsr_npu_rows){reserve(r, op->batch * pairs), pairs, op->q_len, 0};
    op->mask_t = (struct tsr_npu_rows){reserve(r, op->batch * pairs), pairs, op->kv_len, 0};
    for (size_t b = 0; b < op->batch; b++)
        for (size_t i = 0; i < r->p.q_len[b]; i++)
            for (size_t j = 0; j < r->p.kv_len[b]; j++, mask++) {
                const uint64_t at = op->mask.address + b * pairs + j * op->q_len + i,
                               turned = op->mask_t.address + b * pairs + i * op->kv_len + j;
                assert_int_equal(tsr_sim_write(r->sim, at, mask, 1, &err), TSR_OK);
                assert_int_equal(tsr_sim_write(r->sim, turned, mask, 1, &err), TSR_OK);
            }
}

static void make(struct rig *r, unsigned features, uint64_t *seed)
{
    struct tsr_attention *a = &r->p.what;
    struct tsr_npu_attention_backward *op = &r->op;
    a->batch = pick(seed, 1, 2);
    a->kv_heads = pick(seed, 1, 2);
    a->heads = a->kv_heads * pick(seed, 1, pick(seed, 0, 4) ? 3 : 9);
    a->dim = 8 * pick(seed, 1, r->small ? 2 : 5);
    a->value_dim = pick(seed, 0, 1) ? a->dim : 8 * pick(seed, 1, r->small ? 2 : 5);
    uint32_t q = (uint32_t)pick(seed, r->small ? 60 : 1, r->small ? 180 : 40),
             kv = q + (uint32_t)pick(seed, 0, r->small ? 120 : 40);
    size_t queries = 0, keys = 0;
    const bool ragged = pick(seed, 0, 2) == 0;
    for (size_t b = 0; b < a->batch; b++) {
        r->p.q_len[b] = ragged ? (uint32_t)pick(seed, 1, q) : q;
        r->p.kv_len[b] = ragged ? (uint32_t)pick(seed, r->p.q_len[b], kv) : kv;
        queries += r->p.q_len[b];
        keys += r->p.kv_len[b];
    }
    attention_problem_fill(&r->p, features, 1, seed);
    *op = (struct tsr_npu_attention_backward){.batch = a->batch,
                                              .heads = a->heads,
                                              .kv_heads = a->kv_heads,
                                              .head_dim = a->dim,
                                              .v_dim = a->value_dim,
                                              .q_len = q,
                                              .kv_len = kv,
                                              .q_lens = ragged ? r->p.q_len : NULL,
                                              .kv_lens = ragged ? r->p.kv_len : NULL,
                                              .prefix = a->prefix,
                                              .causal = a->causal,
                                              .window = a->window,
                                              .has_slopes = a->slopes != NULL,
                                              .scale = a->scale,
                                              .softcap = a->softcap,
                                              .format = TSR_BF16};
    r->n_lse = queries * a->heads;
    r->n_q = r->n_lse * a->dim;
    r->n_o = r->n_lse * a->value_dim;
    r->n_k = keys * a->kv_heads * a->dim;
    r->n_v = keys * a->kv_heads * a->value_dim;
    snprintf(r->what, sizeof r->what,
             "%s: batch %d heads %d:%d d %d %d q %d kv %d ragged %d features %u", r->chip.name,
             (int)a->batch, (int)a->heads, (int)a->kv_heads, (int)a->dim, (int)a->value_dim, (int)q,
             (int)kv, ragged, features);
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
    const size_t o_row = op->heads * op->v_dim;
    op->q.address = put_queries(r, r->p.q, op->heads * op->head_dim);
    op->k.address = put_keys(r, r->p.k, op->kv_heads * op->head_dim);
    op->v.address = put_keys(r, r->p.v, op->kv_heads * op->v_dim);
    tsr_attention_plain(&r->p.what, r->p.q, r->p.k, r->p.v, r->o, r->lse);
    for (size_t i = 0; i < r->n_o; i++)
        r->d_o[i] = tsr_test_random_f32(seed);
    op->o.address = put_queries(r, r->o, o_row);
    op->d_o.address = put_queries(r, r->d_o, o_row);
    op->lse = put_lse(r);
    op->delta = reserve(r, 4 * op->batch * op->heads * op->q_len);
    op->d_q.address = reserve(r, 4 * op->batch * op->q_len * op->heads * op->head_dim);
    op->d_k.address = reserve(r, 4 * op->batch * op->kv_len * op->kv_heads * op->head_dim);
    op->d_v.address = reserve(r, 4 * op->batch * op->kv_len * op->kv_heads * op->v_dim);
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

/* The gradient of Q, K or V, compared with the reference; what lies behind a sequence's rows was
 * not touched: zeros. */
static float *compare(struct rig *r, int part, uint64_t address, size_t row, const uint32_t *own,
                      size_t most)
{
    struct tsr_error err = {0};
    const size_t n = part == 0 ? r->n_q : part == 1 ? r->n_k : r->n_v;
    float *got = floats(n), *at = got, *behind = floats(most * row);
    for (size_t b = 0; b < r->op.batch; at += own[b++] * row) {
        const size_t bytes = 4 * own[b] * row, rest = (most - own[b]) * row;
        const uint64_t from = address + 4 * b * most * row;
        assert_int_equal(tsr_sim_read(r->sim, from, at, bytes, &err), TSR_OK);
        assert_int_equal(tsr_sim_read(r->sim, from + bytes, behind, 4 * rest, &err), TSR_OK);
        for (size_t i = 0; i < rest; i++)
            assert_true(behind[i] == 0);
    }
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - r->want[part][i]) <= r->bound[part][i] * 1.05 + 1e-7))
            fail_msg("%s: d%c[%zu] is %.9g, %.9g +- %.3g is right", r->what, "qkv"[part], i,
                     (double)got[i], r -> want[part][i], r -> bound[part][i]);
    free(behind);
    return got;
}

/* sum of dO O, with x moved by `step` along the signs of its gradient. */
static double moved(struct rig *r, float *x, const double *along, size_t n, double step,
                    double *noise)
{
    float *o = floats(r->n_o), *kept = floats(n);
    double sum = 0;
    memcpy(kept, x, n * sizeof *x);
    for (size_t i = 0; i < n; i++) /* bf16 and a power of two: exact in f32 */
        x[i] += (float)(along[i] < 0 ? -step : step);
    tsr_attention_plain(&r->p.what, r->p.q, r->p.k, r->p.v, o, NULL);
    memcpy(x, kept, n * sizeof *x);
    for (size_t i = 0; i < r->n_o; i++) {
        sum += (double)r->d_o[i] * o[i];
        *noise += fabs((double)r->d_o[i] * o[i]) * 0x1p-24;
    }
    free(o);
    free(kept);
    return sum;
}

/* Central differences of the definition along the signs of a gradient, where all its elements add
 * up, against the machine's. Beside the machine's bounds: the definition's results are rounded to
 * f32; the difference is off by f''' h^2 / 6, of which twice the step makes four times as much, so
 * a third of the change; all of the change is granted. Returns the part of the gradient that the
 * bound is. */
static double differences(struct rig *r, int part, float *x, const float *got, size_t n)
{
    const double h = 0x1p-8;
    double noise = 0, sum = 0, size = 0, bound = 0, d[2];
    for (int i = 0; i < 2; i++)
        d[i] = (moved(r, x, r->want[part], n, h * (i + 1), &noise) -
                moved(r, x, r->want[part], n, -h * (i + 1), &noise)) /
               (2 * h * (i + 1));
    for (size_t i = 0; i < n; i++) {
        sum += r->want[part][i] < 0 ? -(double)got[i] : (double)got[i];
        size += fabs(r->want[part][i]);
        bound += r->bound[part][i] * 1.05 + 1e-7;
    }
    bound += noise / (2 * h) + fabs(d[1] - d[0]);
    if (!(fabs(sum - d[0]) <= bound))
        fail_msg("%s: d%c along its signs is %.9g, by differences %.9g +- %.3g", r->what,
                 "qkv"[part], sum, d[0], bound);
    return size > 0 ? bound / size : 0;
}

static double tightest = 1; /* bound of differences() as a part of what they are */

/* Whether sums left the accumulators and came back: more than a drain of each item and slab. Lines
 * of `micro` hold 16 elements and 8 rows. */
static bool in_passes(const struct rig *r, int part, const struct tsr_stats *stats)
{
    const struct tsr_npu_attention_backward *op = &r->op;
    const uint64_t dim = part == TSR_GRADIENT_DV ? op->v_dim : op->head_dim;
    const uint64_t rows =
        part == TSR_GRADIENT_DQ ? op->q_len * op->heads : op->kv_len * op->kv_heads;
    uint64_t slabs = (dim + 15) / 16;
    while (dim % slabs)
        slabs++;
    return part != TSR_GRADIENT_DELTA &&
           stats->instructions[TSR_Q_ACC] > op->batch * (rows / 8 + op->heads) * slabs;
}

static int passes;

static void run(const char *chip, unsigned features, bool small, uint64_t *seed)
{
    struct rig r = {.small = small};
    struct tsr_error err = {0};
    struct tsr_run_options o = {
        .mode = TSR_MODE_FULL, .check_races = true, .limit_cycles = 100000000};
    assert_int_equal(tsr_chip_load(chip, &r.chip, &err), TSR_OK);
    if (small)
        r.chip.tile.tsram_bytes /= 4;
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
        passes += small && in_passes(&r, part, &stats);
    }
    const size_t d = r.op.head_dim, v = r.op.v_dim, h = r.op.heads, kv_h = r.op.kv_heads;
    float *dq = compare(&r, 0, r.op.d_q.address, h * d, r.p.q_len, r.op.q_len),
          *dk = compare(&r, 1, r.op.d_k.address, kv_h * d, r.p.kv_len, r.op.kv_len),
          *dv = compare(&r, 2, r.op.d_v.address, kv_h * v, r.p.kv_len, r.op.kv_len);
    tightest = fmin(tightest, differences(&r, 0, r.p.q, dq, r.n_q));
    tightest = fmin(tightest, differences(&r, 1, r.p.k, dk, r.n_k));
    tightest = fmin(tightest, differences(&r, 2, r.p.v, dv, r.n_v));
    free(dq), free(dk), free(dv);
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
                                        PROBLEM_ALL,
                                        PROBLEM_CAUSAL | PROBLEM_PREFIX,
                                        PROBLEM_WINDOW | PROBLEM_PREFIX,
                                        PROBLEM_CAUSAL | PROBLEM_WINDOW | PROBLEM_PREFIX};
    static const char *const chips[] = {"micro", "micro4", "maia100"};
    uint64_t seed = tsr_test_seed("attention_backward", 5);
    int rounds = tsr_test_nightly() ? 300 : 40;
    (void)state;
    for (int n = 0; n < rounds; n++)
        run(chips[n % 14 == 12 ? 2 : n % 3 == 0], features[n % 13], false, &seed);
    assert_true(tightest < 0.05);
}

static void test_attention_backward_of_rows_that_do_not_fit(void **state)
{
    static const unsigned features[] = {PROBLEM_CAUSAL,
                                        0,
                                        PROBLEM_CAUSAL | PROBLEM_WINDOW,
                                        PROBLEM_CAUSAL | PROBLEM_PREFIX,
                                        PROBLEM_WINDOW,
                                        PROBLEM_ALL & ~PROBLEM_MASK};
    uint64_t seed = tsr_test_seed("attention_backward_passes", 6);
    int rounds = tsr_test_nightly() ? 200 : 12;
    (void)state;
    passes = 0;
    for (int n = 0; n < rounds; n++)
        run("micro4", features[n % 6], true, &seed);
    print_message("%d programs of %d in passes\n", passes, 3 * rounds);
    assert_true(passes >= rounds / 2);
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
        cmocka_unit_test(test_attention_backward_of_rows_that_do_not_fit),
        cmocka_unit_test(test_attention_backward_refuses_with_reason),
    };
    return cmocka_run_group_tests(tests, load_isa, free_isa);
}
