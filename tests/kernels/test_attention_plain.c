/* SPDX-License-Identifier: Apache-2.0 */
/* The reference against attention computed the long way, its gradient against differences, the
 * cache of keys and values against what was put in. */
#include "tests/support/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tessera/attention.h"
#include "tests/support/attention_gradient.h"

static void *space(size_t bytes)
{
    void *p = calloc(bytes + 64, 1);
    assert_non_null(p);
    return p;
}

static void test_attention_plain_equals_long_way(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention_plain", 61);
    for (unsigned round = 0; round < 48; round++) {
        struct attention_problem p = {.what = {.batch = 1 + round % 3,
                                               .heads = 1u << round % 3,
                                               .kv_heads = 1u << round % 3 >> round % 2,
                                               .dim = 8 + 8 * (round % 4),
                                               .value_dim = 8 + 8 * (round % 3)}};
        p.what.kv_heads = p.what.kv_heads > 0 ? p.what.kv_heads : 1;
        for (size_t b = 0; b < p.what.batch; b++) {
            p.q_len[b] = (uint32_t)tsr_test_random_below(&seed, 9);
            p.kv_len[b] = p.q_len[b] + (uint32_t)tsr_test_random_below(&seed, 90);
        }
        /* Each feature alone, then mixtures. */
        const unsigned features =
            round < 7 ? 1u << round : (unsigned)tsr_test_random_below(&seed, PROBLEM_ALL + 1);
        attention_problem_fill(&p, features, 3, &seed);
        const size_t rows = p.queries * p.what.heads, n = rows * p.what.value_dim;
        double *want = space(n * 8), *want_lse = space(rows * 8), *wv = space(n * 8);
        float *o = space(n * 4), *lse = space(rows * 4);
        attention_long_way(&p, want, want_lse, wv, NULL);
        tsr_attention_plain(&p.what, p.q, p.k, p.v, o, lse);
        /* Half an ULP, and sums in double: 2^-53 per term of a context below 100 and its exp. */
        for (size_t i = 0; i < n; i++)
            if (!(fabs(o[i] - want[i]) <= fabs(want[i]) * 0x1p-24 + wv[i] * 0x1p-40))
                fail_msg("round %u: o[%zu] = %.9g, want %.9g", round, i, (double)o[i], want[i]);
        for (size_t i = 0; i < rows; i++)
            if (!(isinf(want_lse[i])
                      ? (double)lse[i] == want_lse[i]
                      : fabs(lse[i] - want_lse[i]) <= fabs(want_lse[i]) * 0x1p-24 + 0x1p-40))
                fail_msg("round %u: lse[%zu] = %.9g, want %.9g", round, i, (double)lse[i],
                         want_lse[i]);
        free(want);
        free(want_lse);
        free(wv);
        free(o);
        free(lse);
        attention_problem_free(&p);
    }
}

static void test_attention_plain_specials_are_as_defined(void **state)
{
    (void)state;
    const uint32_t one = 1, three = 3;
    struct tsr_attention a = {.batch = 1,
                              .q_len = &one,
                              .kv_len = &three,
                              .heads = 1,
                              .kv_heads = 1,
                              .dim = 1,
                              .value_dim = 1,
                              .scale = 1};
    const float q = 1, v[] = {1, 2, NAN};
    float o = 9, lse = 9;
    const uint8_t none[3] = {0}, two[3] = {1, 1, 0};
    a.mask = none;
    tsr_attention_plain(&a, &q, v, v, &o, &lse);
    assert_true(o == 0 && lse == -INFINITY);
    a.mask = two;
    tsr_attention_plain(&a, &q, (float[]){0, 0, NAN}, v, &o, &lse);
    assert_true(o == 1.5f && fabsf(lse - logf(2)) < 1e-6f);
    tsr_attention_plain(&a, &q, (float[]){0, -INFINITY, 0}, v, &o, &lse);
    assert_true(o == 1 && lse == 0);
    tsr_attention_plain(&a, &q, (float[]){-INFINITY, -INFINITY, 0}, v, &o, &lse);
    assert_true(o == 0 && lse == -INFINITY);
    tsr_attention_plain(&a, &q, (float[]){0, INFINITY, 0}, v, &o, &lse);
    assert_true(isnan(o));
    a.mask = NULL;
    tsr_attention_plain(&a, &q, v, (float[]){1, 2, 3}, &o, &lse);
    assert_true(isnan(o));
}

/* L = sum of d_o o, by the long way, for differences. */
static double loss(const struct attention_problem *p, const float *d_o)
{
    const size_t n = p->queries * p->what.heads * p->what.value_dim;
    double *o = space(n * 8), sum = 0;
    attention_long_way(p, o, NULL, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        sum += o[i] * d_o[i];
    free(o);
    return sum;
}

/* A central difference has an error of about h^2 / 6 of the third derivative, here below 1e2, and
 * 2^-52 / h of roundings: 2e-5 at h = 2^-10. */
static void check_gradient(const struct attention_problem *p, float *x, size_t n, const float *got,
                           const float *d_o, const char *name)
{
    for (size_t i = 0; i < n; i += 1 + n / 23) {
        const float at = x[i], h = 0x1p-10f;
        x[i] = at + h;
        const double up = loss(p, d_o), top = x[i];
        x[i] = at - h;
        const double want = (up - loss(p, d_o)) / (top - x[i]);
        x[i] = at;
        if (!(fabs(got[i] - want) <= 2e-5 * (1 + fabs(want))))
            fail_msg("%s[%zu] = %.9g, differences say %.9g", name, i, (double)got[i], want);
    }
}

static void test_attention_backward_equals_differences(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention_backward", 62);
    static const unsigned features[] = {0, PROBLEM_CAUSAL, PROBLEM_ALL,
                                        PROBLEM_CAUSAL | PROBLEM_SOFTCAP | PROBLEM_SINKS};
    for (unsigned round = 0; round < 4; round++) {
        struct attention_problem p = {
            .q_len = {3, 2},
            .kv_len = {11, 5},
            .what = {.batch = 2, .heads = 4, .kv_heads = 2, .dim = 8, .value_dim = 16}};
        attention_problem_fill(&p, features[round], 1, &seed);
        const size_t nq = p.queries * 4 * 8, nk = p.keys * 2 * 8, nv = p.keys * 2 * 16;
        const size_t no = p.queries * 4 * 16;
        float *o = space(no * 4), *lse = space(p.queries * 16), *d_o = space(no * 4);
        float *dq = space(nq * 4), *dk = space(nk * 4), *dv = space(nv * 4);
        for (size_t i = 0; i < no; i++)
            d_o[i] = tsr_test_random_f32(&seed);
        tsr_attention_plain(&p.what, p.q, p.k, p.v, o, lse);
        tsr_attention_backward(&p.what, p.q, p.k, p.v, o, lse, d_o, dq, dk, dv);
        check_gradient(&p, p.q, nq, dq, d_o, "dq");
        check_gradient(&p, p.k, nk, dk, d_o, "dk");
        check_gradient(&p, p.v, nv, dv, d_o, "dv");
        float *const all[] = {o, lse, d_o, dq, dk, dv};
        for (int i = 0; i < 6; i++)
            free(all[i]);
        attention_problem_free(&p);
    }
}

/* The same sums in another order, each of at most 70 terms in double and rounded once. */
static void expect_gradient(const float *got, const double *want, const double *size, size_t n,
                            const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 0x1p-24 * fabs(want[i]) + 0x1p-20 * size[i] + 1e-300))
            fail_msg("%s[%zu] = %.9g, unfused %.9g", name, i, (double)got[i], want[i]);
}

/* o and lse come to it rounded to floats: 2^-24 of each, of weights as much times |logit| <= 16. */
static void test_attention_backward_equals_the_unfused_gradient(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention_unfused", 64);
    for (unsigned features = 0; features <= PROBLEM_ALL; features++) {
        struct attention_problem p = {
            .q_len = {5, 2},
            .kv_len = {23, 9},
            .what = {.batch = 2, .heads = 4, .kv_heads = 2, .dim = 8, .value_dim = 16}};
        attention_problem_fill(&p, features, 1, &seed);
        const size_t nq = p.queries * 4 * 8, nk = p.keys * 2 * 8, nv = p.keys * 2 * 16;
        const size_t no = p.queries * 4 * 16;
        float *o = space(no * 4), *lse = space(p.queries * 16), *d_o = space(no * 4);
        float *dq = space(nq * 4), *dk = space(nk * 4), *dv = space(nv * 4);
        double *all = calloc(2 * (nq + nk + nv), sizeof *all);
        assert_non_null(all);
        struct attention_gradient g = {.q = all,
                                       .k = all + nq,
                                       .v = all + nq + nk,
                                       .bound_q = all + nq + nk + nv,
                                       .bound_k = all + 2 * nq + nk + nv,
                                       .bound_v = all + 2 * nq + 2 * nk + nv,
                                       .rounded = 1,
                                       .inner = 1};
        for (size_t i = 0; i < no; i++)
            d_o[i] = tsr_test_random_f32(&seed);
        tsr_attention_plain(&p.what, p.q, p.k, p.v, o, lse);
        tsr_attention_backward(&p.what, p.q, p.k, p.v, o, lse, d_o, dq, dk, dv);
        attention_unfused_gradient(&p, d_o, &g);
        expect_gradient(dq, g.q, g.bound_q, nq, "dq");
        expect_gradient(dk, g.k, g.bound_k, nk, "dk");
        expect_gradient(dv, g.v, g.bound_v, nv, "dv");
        float *const floats[] = {o, lse, d_o, dq, dk, dv};
        for (int i = 0; i < 6; i++)
            free(floats[i]);
        free(all);
        attention_problem_free(&p);
    }
}

enum {
    TOKENS = 37,
    HEADS = 3,
    DIM = 40,
    VALUE = 24
};

/* Most that a stored value may be off: relative to it, or to the largest that shares its scale. i8
 * is rounded again when its group of four goes on; MX saturates what lies above 448 of 512. */
static const struct {
    enum tsr_dtype format;
    double own, shared;
} kv_formats[] = {{TSR_F32, 0, 0},
                  {TSR_BF16, 0x1p-8, 0},
                  {TSR_F16, 0x1p-11, 0x1p-24},
                  {TSR_F8E4M3, 0x1p-4, 0x1p-10},
                  {TSR_I8, 0, 4.04 / 254},
                  {TSR_MXF8E4M3, 0x1p-3, 0x1p-9}};

static void check_row(int f, const float *got, const float *x, size_t n, double most)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - x[i]) <=
              kv_formats[f].own * fabs((double)x[i]) + kv_formats[f].shared * most))
            fail_msg("format %d: %g came back as %g", (int)kv_formats[f].format, (double)x[i],
                     (double)got[i]);
}

static void test_kv_cache_gives_back_in_any_pieces(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("kv_cache", 63);
    for (int f = 0; f < 6; f++) {
        uint32_t table[2][5] = {{7, 2, 9, 0, 4}, {1, 8, 3, 6, 5}};
        struct tsr_kv kv = {.format = kv_formats[f].format,
                            .kv_heads = HEADS,
                            .dim = DIM,
                            .value_dim = VALUE,
                            .page_tokens = 8,
                            .group = 4,
                            .table = table[0],
                            .table_stride = 5};
        size_t bytes = 0;
        assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, NULL), TSR_OK);
        char *memory = aligned_alloc(64, 10 * bytes);
        assert_non_null(memory);
        memset(memory, 0xFF, 10 * bytes); /* NaNs, but for i8 */
        kv.pages = memory;
        static float k[TOKENS][HEADS][DIM], v[TOKENS][HEADS][VALUE];
        for (size_t i = 0; i < sizeof k / 4; i++)
            (&k[0][0][0])[i] = tsr_test_random_f32(&seed);
        for (size_t i = 0; i < sizeof v / 4; i++)
            (&v[0][0][0])[i] = tsr_test_random_f32(&seed);
        for (size_t b = 0; b < 2; b++)
            for (size_t t = 0, n; t < TOKENS; t += n) {
                n = 1 + tsr_test_random_below(&seed, 7);
                n = n < TOKENS - t ? n : TOKENS - t;
                assert_int_equal(tsr_kv_append(&kv, b, t, n, &k[t][0][0], HEADS * DIM, &v[t][0][0],
                                               HEADS * VALUE, NULL),
                                 TSR_OK);
            }
        for (size_t b = 0; b < 2; b++)
            for (size_t t = 0; t < 40; t++)
                for (size_t h = 0; h < HEADS; h++) {
                    float gk[DIM], gv[VALUE];
                    static const float zeros[DIM];
                    tsr_kv_read(&kv, b, t, h, gk, gv);
                    check_row(f, gk, t < TOKENS ? k[t][h] : zeros, DIM, t < TOKENS ? 1 : 0);
                    check_row(f, gv, t < TOKENS ? v[t][h] : zeros, VALUE, t < TOKENS ? 1 : 0);
                }
        free(memory);
    }
}

static void test_kv_cache_refuses_what_it_cannot_hold(void **state)
{
    (void)state;
    const struct tsr_kv good = {
        .format = TSR_I8, .kv_heads = 1, .dim = 8, .value_dim = 8, .page_tokens = 16, .group = 4};
    size_t bytes = 77;
    struct tsr_error err = {0};
    struct tsr_kv kv = good;
    kv.dim = 12;
    assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "kv: dim is 12, allowed: multiples of 8 from 8 to 1024");
    kv = good;
    kv.page_tokens = 12;
    assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, NULL), TSR_BAD_INPUT);
    kv = good;
    kv.group = 5;
    assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, NULL), TSR_BAD_INPUT);
    kv = good;
    kv.kv_heads = 0;
    assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, NULL), TSR_BAD_INPUT);
    kv = good;
    kv.format = TSR_I4;
    assert_int_equal(tsr_kv_page_bytes(&kv, &bytes, NULL), TSR_USAGE);
    assert_int_equal(bytes, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_plain_equals_long_way),
        cmocka_unit_test(test_attention_plain_specials_are_as_defined),
        cmocka_unit_test(test_attention_backward_equals_differences),
        cmocka_unit_test(test_attention_backward_equals_the_unfused_gradient),
        cmocka_unit_test(test_kv_cache_gives_back_in_any_pieces),
        cmocka_unit_test(test_kv_cache_refuses_what_it_cannot_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
