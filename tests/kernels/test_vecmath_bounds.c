/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions of vector math against double precision, within the bounds of their
 * contracts (tessera/vecmath.h, where they are derived from); refusals and special values. */
#include "tests/support/harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/ref.h"
#include "tessera/cpu.h"
#include "tessera/isa.h"
#include "tessera/kernels.h"
#include "tessera/vecmath.h"

enum {
    CHUNK = 4096,
    LONGEST = 3000
};
static const double unit = 0x1p-24;

static float from_bits(uint32_t u)
{
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static double ulp(double v)
{
    int e;
    frexp(v, &e);
    return ldexp(1, e - 24 < -149 ? -149 : e - 24);
}

/* The sanitizers make a sweep over all f32 last for half an hour, and say nothing new. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* Distance of the inputs that a sweep over all f32 takes: 1 at night, on a processor of flesh. */
static uint64_t stride(void)
{
    return tsr_test_emulated() ? 262147 : tsr_test_nightly() && !SANITIZED ? 1 : 4099;
}

/* Calls on f32 bit patterns 0, step, ..., at most CHUNK at a time. */
static void sweep(void (*chunk)(const void *arg, size_t n, const float *x), const void *arg,
                  uint64_t step)
{
    static float x[CHUNK];
    size_t n = 0;
    for (uint64_t u = 0; u < UINT64_C(1) << 32; u += step) {
        x[n++] = from_bits((uint32_t)u);
        if (n == CHUNK || u + step >= UINT64_C(1) << 32) {
            chunk(arg, n, x);
            n = 0;
        }
    }
}

struct exp_case {
    enum tsr_exp_terms terms;
    double ulps, relative;
    double *worst; /* seen, in ULP and relative */
};

static void exp_chunk(const void *arg, size_t n, const float *x)
{
    const struct exp_case *c = arg;
    static float y[CHUNK];
    tsr_exp_f32(c->terms, n, x, y);
    for (size_t i = 0; i < n; i++) {
        const double want = exp(x[i]), error = fabs(y[i] - want);
        if (isnan(x[i])) {
            assert_true(isnan(y[i]));
        } else if (want > FLT_MAX * 1.00001 || want < 0x1p-150) {
            assert_true(y[i] == (want > 1 ? INFINITY : 0));
        } else if (want > FLT_MAX * 0.99998) {
            assert_true(y[i] > FLT_MAX * 0.99996f);
        } else {
            /* A subnormal has the half ULP of its own rounding besides. */
            const double most = want < FLT_MIN ? c->ulps / 2 + 0.5 + c->relative * want / ulp(want)
                                               : c->ulps + c->relative * want / ulp(want);
            if (!(error <= most * ulp(want)))
                fail_msg("exp, %d terms: e^%a = %a, want %a", c->terms + 1, (double)x[i],
                         (double)y[i], want);
            if (want >= FLT_MIN) {
                c->worst[0] = fmax(c->worst[0], error / ulp(want));
                c->worst[1] = fmax(c->worst[1], error / want);
            }
        }
    }
}

/* One term: (r^2 / 2) (1 + 2 |r| / 3) relative to e^r, |r| <= ln 2 / 128 and the 1.1e-4 of a step
 * by which log2(e) as an f32 shifts the choice of n, so 0.0054164; the ULP of two roundings; and,
 * as with two terms, 127 times the 1.905e-9 that ln 2 lacks. Two: r^3 / 6 is 0.45 ULP. Full: the
 * table's rounding, the last one, and 2^-8 of those inside of the polynomial. */
static void test_exp_errors_are_within_contract(void **state)
{
    static const struct exp_case cases[] = {{TSR_EXP_ONE, 1, 1.4723e-5 + 127 * 1.905e-9, NULL},
                                            {TSR_EXP_TWO, 1.45, 127 * 1.905e-9, NULL},
                                            {TSR_EXP_FULL, 1.01, 0, NULL}};
    (void)state;
    for (int t = 0; t < 3; t++) {
        double worst[2] = {0, 0};
        struct exp_case c = cases[t];
        c.worst = worst;
        sweep(exp_chunk, &c, stride());
        printf("exp, %d terms: at most %.4f ULP, %.4g of the result\n", t + 1, worst[0], worst[1]);
    }
}

static void test_exp_sleef_is_within_an_ulp(void **state)
{
    double worst[2] = {0, 0};
    const struct exp_case c = {TSR_EXP_FULL, 1.0, 0, worst};
    struct tsr_error err = {0};
    (void)state;
    if (tsr_kernel_use("exp_f32", "sleef", &err) != TSR_OK) {
        printf("exp by SLEEF not run: %s\n", err.message);
        return;
    }
    /* Its last binade before infinity and its subnormals are its own affair. */
    static float x[CHUNK];
    for (float v = -87; v < 88; v += 0.0173f * CHUNK) {
        for (int i = 0; i < CHUNK; i++)
            x[i] = fminf(v + 0.0173f * (float)i, 88);
        exp_chunk(&c, CHUNK, x);
    }
    printf("exp by SLEEF: at most %.4f ULP\n", worst[0]);
    assert_int_equal(tsr_cpu_limit(NULL, NULL), TSR_OK);
}

static float row[LONGEST], out[LONGEST], weight[LONGEST], bias[LONGEST];

static void fill(uint64_t *s, size_t n, float center, float spread)
{
    for (size_t i = 0; i < n; i++) {
        row[i] = center + spread * tsr_test_random_f32(s);
        weight[i] = 2 * tsr_test_random_f32(s);
        bias[i] = tsr_test_random_f32(s);
    }
}

static void check_softmax(enum tsr_exp_terms terms, size_t n)
{
    static double p[LONGEST];
    double max = -INFINITY, sum = 0, spread = 0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, row[i]);
    for (size_t i = 0; i < n; i++)
        sum += p[i] = exp(row[i] - max);
    tsr_softmax_f32(terms, 1, n, row, n, out, n);
    for (size_t i = 0; i < n; i++)
        if (p[i] > 0)
            spread += p[i] / sum * (max - row[i] + 5);
    for (size_t i = 0; i < n; i++) {
        const double want = p[i] / sum, d = p[i] > 0 ? max - row[i] + 5 : 0;
        const double factor = unit * (d + spread + (double)n / 32 + 9);
        const double most = want * (factor + (terms == TSR_EXP_ONE ? 1.5e-5 : 0)) + 0x1p-125;
        if (!(fabs(out[i] - want) <= most))
            fail_msg("softmax of %zu: y[%zu] = %a, want %a within %a", n, i, (double)out[i], want,
                     most);
    }
}

static void test_softmax_errors_are_within_contract(void **state)
{
    uint64_t s = tsr_test_seed("softmax", 3);
    (void)state;
    for (int round = 0; round < (tsr_test_nightly() ? 2000 : 60); round++) {
        static const float spreads[] = {0.1f, 4, 60, 200};
        static const float centers[] = {0, -30, 65530, 1e7f, -3e37f};
        const size_t n = 1 + tsr_test_random_below(&s, round % 10 == 0 ? LONGEST : 200);
        const float center = centers[round % 5];
        fill(&s, n, center, spreads[round % 4] * (fabsf(center) > 1e30f ? 1e30f : 1));
        for (size_t i = 0; round % 3 == 1 && i + 1 < n; i += 3)
            row[i] = -INFINITY;
        check_softmax(round % 2 == 0 ? TSR_EXP_TWO : TSR_EXP_ONE, n);
    }
}

static void test_softmax_specials_are_as_contract_says(void **state)
{
    const float inf = INFINITY, x[] = {-inf, 1, -inf, inf, 1, -inf, -inf, -inf, -inf, NAN, 0, 2};
    float y[12];
    (void)state;
    tsr_softmax_f32(TSR_EXP_TWO, 4, 3, x, 3, y, 3);
    assert_true(y[0] == 0 && y[1] == 1 && y[2] == 0);
    assert_true(isnan(y[3]) && isnan(y[4]) && isnan(y[5]));
    assert_true(y[6] == 0 && y[7] == 0 && y[8] == 0);
    assert_true(isnan(y[9]) && isnan(y[10]) && isnan(y[11]));
    tsr_softmax_f32(TSR_EXP_TWO, 3, 0, x, 0, y, 0);
}

static void test_rmsnorm_errors_are_within_contract(void **state)
{
    uint64_t s = tsr_test_seed("rmsnorm", 4);
    (void)state;
    for (int round = 0; round < (tsr_test_nightly() ? 2000 : 40); round++) {
        static const float spreads[] = {1, 1e-3f, 1e25f, 1e-30f, 500};
        const size_t n = 1 + tsr_test_random_below(&s, round % 10 == 0 ? LONGEST : 300);
        const double eps = round % 3 == 0 ? 0 : 1e-5;
        double squares = 0;
        fill(&s, n, 0, spreads[round % 5]);
        for (size_t i = 0; i < n; i++)
            squares += (double)row[i] * row[i];
        const double root = sqrt(squares / (double)n + eps);
        const bool weighted = round % 4 != 0;
        tsr_rmsnorm_f32(1, n, eps, row, n, weighted ? weight : NULL, out, n);
        for (size_t i = 0; i < n; i++) {
            const double want = row[i] / root * (weighted ? weight[i] : 1);
            const double most = unit * ((double)n / 64 + 6) * fabs(want) + 0x1p-149;
            if (!(fabs(out[i] - want) <= most))
                fail_msg("rmsnorm of %zu: y[%zu] = %a, want %a", n, i, (double)out[i], want);
        }
    }
}

static void check_layernorm(size_t n, double eps)
{
    double mean = 0, magnitude = 0, squares = 0, furthest = 0;
    for (size_t i = 0; i < n; i++) {
        mean += row[i] / (double)n;
        magnitude += fabs(row[i]) / (double)n;
    }
    const double off = unit * ((double)n / 32 + 6) * magnitude; /* of the first mean */
    for (size_t i = 0; i < n; i++) {
        squares += (row[i] - mean) * (row[i] - mean) / (double)n;
        furthest = fmax(furthest, fabs(row[i] - mean) + off);
    }
    const double root = sqrt(squares + eps), factor = unit * ((double)n / 32 + 8) / root;
    tsr_layernorm_f32(1, n, eps, row, n, weight, bias, out, n);
    for (size_t i = 0; i < n; i++) {
        const double d = row[i] - mean, want = d / root * weight[i] + bias[i];
        const double most =
            fabs(weight[i]) * factor * (fabs(d) * (1 + off * off / root / root) + furthest) +
            unit * fabs(want) + 0x1p-148;
        if (!(fabs(out[i] - want) <= most))
            fail_msg("layernorm of %zu: y[%zu] = %a, want %a within %a", n, i, (double)out[i], want,
                     most);
    }
}

static void test_layernorm_errors_are_within_contract(void **state)
{
    uint64_t s = tsr_test_seed("layernorm", 5);
    (void)state;
    for (int round = 0; round < (tsr_test_nightly() ? 2000 : 40); round++) {
        static const float centers[] = {0, 1000, -1e6f, 0.1f};
        const size_t n = 1 + tsr_test_random_below(&s, round % 10 == 0 ? LONGEST : 300);
        fill(&s, n, centers[round % 4], round % 3 == 0 ? 20 : 1);
        check_layernorm(n, 1e-5);
        fill(&s, n, 0, 1e30f);
        check_layernorm(n, 1e-5);
    }
}

struct act_case {
    enum tsr_activation act;
    const char *name;
    double *worst; /* in u */
};

/* x times its factor, the argument of the sigmoid and the relative bound in u. */
static double activation(enum tsr_activation act, double x, double *bound)
{
    if (act == TSR_ACT_GELU) {
        *bound = 16;
        return 0.5 * x * erfc(-x * 0.70710678118654752440);
    }
    const double v = act == TSR_ACT_SILU ? x : 1.5957691216057308 * (x + 0.044715 * x * x * x);
    const double e = exp(-fabs(v)), sigmoid = v < 0 ? e / (1 + e) : 1 / (1 + e);
    *bound = 5.5 + (act == TSR_ACT_SILU ? 0 : 4 * fabs(v) * (v < 0 ? 1 : e / (1 + e)));
    return x * sigmoid;
}

static void act_chunk(const void *arg, size_t n, const float *x)
{
    const struct act_case *c = arg;
    static float y[CHUNK];
    tsr_activation_f32(c->act, n, x, y);
    for (size_t i = 0; i < n; i++) {
        double bound, want = activation(c->act, x[i], &bound);
        if (isinf(x[i]))
            want = x[i] > 0 ? x[i] : -0.0;
        if (isnan(x[i]) || isinf(want)) {
            assert_true(isnan(x[i]) ? isnan(y[i]) : (double)y[i] == want);
            continue;
        }
        const double error = fabs(y[i] - want);
        if (!(error <= bound * unit * fabs(want) + 0x1p-119 * (x[i] < 0) + 0x1p-149))
            fail_msg("%s(%a) = %a, want %a within %g u", c->name, (double)x[i], (double)y[i], want,
                     bound);
        if (fabs(want) > 0x1p-110)
            c->worst[0] = fmax(c->worst[0], error / fabs(want) / unit);
    }
}

static void test_activation_errors_are_within_contract(void **state)
{
    static const struct act_case cases[] = {{TSR_ACT_SILU, "silu", NULL},
                                            {TSR_ACT_GELU, "gelu", NULL},
                                            {TSR_ACT_GELU_TANH, "gelu_tanh", NULL}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        double worst = 0;
        struct act_case c = cases[i];
        c.worst = &worst;
        sweep(act_chunk, &c, stride() == 1 ? 61 : stride());
        printf("%s: at most %.2f u of the result\n", c.name, worst);
    }
}

static void test_gate_errors_are_within_contract(void **state)
{
    uint64_t s = tsr_test_seed("gate", 6);
    float gate[LONGEST], y[LONGEST];
    (void)state;
    fill(&s, LONGEST, 0, 12);
    for (int i = 0; i < LONGEST; i++)
        gate[i] = 12 * tsr_test_random_f32(&s);
    tsr_gate_f32(TSR_ACT_SILU, 0, 0, LONGEST, gate, row, y);
    for (int i = 0; i < LONGEST; i++) {
        double bound, want = activation(TSR_ACT_SILU, gate[i], &bound) * row[i];
        assert_true(fabs(y[i] - want) <= (bound + 1.1) * unit * fabs(want) + 0x1p-149);
    }
    const double limit = 7, alpha = 1.702, rounded = (float)alpha;
    tsr_gate_f32(TSR_ACT_SWIGLU_CLAMP, limit, alpha, LONGEST, gate, row, y);
    for (int i = 0; i < LONGEST; i++) {
        const double g = fmin(gate[i], limit), u = fmax(fmin(row[i], limit), -limit) + 1;
        const double v = rounded * g, want = g / (1 + exp(-v)) * u;
        const double bound = 7.6 + fabs(v); /* u + 1, v and a product are rounded besides */
        assert_true(fabs(y[i] - want) <= bound * unit * fabs(want) + 0x1p-149);
    }
    float same[LONGEST];
    tsr_gate_ref(TSR_ACT_SWIGLU_CLAMP, limit, alpha, LONGEST, gate, row, same);
    for (int i = 0; i < LONGEST; i++) /* alpha's own rounding: u |v| */
        assert_true(fabs((double)y[i] - same[i]) <=
                    (9 + 2 * alpha * fabs(gate[i])) * unit * fabs((double)same[i]) + 0x1p-149);
}

static void test_rope_errors_are_within_contract(void **state)
{
    uint64_t s = tsr_test_seed("rope", 7);
    enum {
        TOKENS = 2,
        HEADS = 3,
        DIM = 70,
        STRIDE = HEADS * DIM + 5
    };
    float y[TOKENS * STRIDE], want[HEADS * DIM];
    (void)state;
    fill(&s, TOKENS * STRIDE, 0, 3);
    for (int pairs = 0; pairs < 2; pairs++) {
        for (int i = 0; i < TOKENS * STRIDE; i++)
            y[i] = -77;
        tsr_rope_f32((enum tsr_rope_pairs)pairs, TOKENS, HEADS, DIM, weight, bias, row, STRIDE, y,
                     STRIDE);
        for (int t = 0; t < TOKENS; t++) {
            const float *x = row + t * STRIDE;
            tsr_rope_ref(1, HEADS, DIM, pairs == 0 ? TSR_PAIRS_HALF : TSR_PAIRS_ADJACENT,
                         weight + t * DIM / 2, bias + t * DIM / 2, x, want);
            for (int i = 0; i < HEADS * DIM; i++) /* |sin| <= 1, |x| <= 3 here */
                assert_true(fabs((double)y[t * STRIDE + i] - want[i]) <=
                            unit * (3 + 2 * fabs((double)want[i])));
            for (int i = HEADS * DIM; i < STRIDE; i++)
                assert_true(y[t * STRIDE + i] == -77);
        }
    }
}

/* isa/num is the other definition: equal but for the bits of NaNs. */
static void test_conversions_equal_number_formats(void **state)
{
    uint64_t s = tsr_test_seed("conversions", 8);
    struct tsr_isa *isa;
    static float x[CHUNK];
    static uint16_t y[CHUNK], want[CHUNK];
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    for (int round = 0; round < (tsr_test_emulated() ? 4 : 64); round++) {
        for (int i = 0; i < CHUNK; i++) {
            const uint32_t u = (uint32_t)tsr_test_random(&s);
            x[i] = from_bits(round % 2 == 0 ? u : 0x33000000 + u % 0x15000000);
        }
        for (int narrow = 0; narrow < 2; narrow++) {
            const uint16_t inf = narrow == 0 ? 0x7F80 : 0x7C00;
            const struct tsr_format *f = &isa->formats[narrow == 0 ? TSR_BF16 : TSR_F16];
            (narrow == 0 ? tsr_convert_f32_bf16 : tsr_convert_f32_f16)(CHUNK, x, y);
            tsr_num_encode_array(f, want, (const uint32_t *)(const void *)x, CHUNK, TSR_ROUND_EVEN);
            for (int i = 0; i < CHUNK; i++)
                assert_true(isnan(x[i]) ? (y[i] & 0x7FFF) > inf : y[i] == want[i]);
        }
    }
    tsr_isa_free(isa);
}

static void test_residual_sums_are_rounded_once(void **state)
{
    uint64_t s = tsr_test_seed("residual", 9);
    (void)state;
    fill(&s, LONGEST, 1, 1e6f);
    tsr_residual_f32(LONGEST, row, weight, out);
    for (int i = 0; i < LONGEST; i++) /* 53 bits are enough for one rounding of a sum */
        assert_true(out[i] == (float)((double)row[i] + weight[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_errors_are_within_contract),
        cmocka_unit_test(test_exp_sleef_is_within_an_ulp),
        cmocka_unit_test(test_softmax_errors_are_within_contract),
        cmocka_unit_test(test_softmax_specials_are_as_contract_says),
        cmocka_unit_test(test_rmsnorm_errors_are_within_contract),
        cmocka_unit_test(test_layernorm_errors_are_within_contract),
        cmocka_unit_test(test_activation_errors_are_within_contract),
        cmocka_unit_test(test_gate_errors_are_within_contract),
        cmocka_unit_test(test_rope_errors_are_within_contract),
        cmocka_unit_test(test_conversions_equal_number_formats),
        cmocka_unit_test(test_residual_sums_are_rounded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
