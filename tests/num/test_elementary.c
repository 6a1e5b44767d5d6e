/* SPDX-License-Identifier: Apache-2.0 */
/* labels: slow
 * exp2, log2, rcp, rsqrt: the greatest error in ULP over dense sweeps (all inputs with
 * TESSERA_NIGHTLY), monotonicity on the way, and the tables derived again.
 * The reference is long double: 64 bits or more of precision against 24 looked at.
 * A ULP is the distance of neighbouring f32 at the exact value. */
#include "tests/support/harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "isa/num/tables.h"
#include "tests/num/formats.h"

_Static_assert(LDBL_MANT_DIG >= 64, "the reference needs an extended long double");

typedef long double wide;

static wide ref_exp2(wide x)
{
    return exp2l(x);
}

static wide ref_log2(wide x)
{
    return log2l(x);
}

static wide ref_rcp(wide x)
{
    return 1 / x;
}

static wide ref_rsqrt(wide x)
{
    return 1 / sqrtl(x);
}

struct sweep {
    const char *name;
    wide (*ref)(wide);
    bool falling;
    double worst;
    uint32_t worst_at;
    uint64_t inputs;
};

/* The worst error among n results. */
static void measure(struct sweep *w, const uint32_t *x, const uint32_t *y, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        wide exact = w->ref(num_float(x[i])), got = num_float(y[i]);
        if (isinf(num_float(y[i])) ? fabsl(exact) >= 0x1.ffffffp127L
                                   : got == exact || (got == 0 && fabsl(exact) < 0x1p-126L))
            continue;
        int e;
        frexpl(exact, &e);
        double ulp = (double)(fabsl(got - exact) * ldexpl(1, 24 - e));
        if (!(ulp <= w->worst)) {
            w->worst = ulp;
            w->worst_at = x[i];
        }
    }
    w->inputs += n;
}

/* Patterns first..last (not last), of one sign, in steps; the function must be monotone on them. */
static void run(struct sweep *w, uint32_t first, uint64_t last, uint32_t step)
{
    uint32_t x[1024], y[1024];
    bool down = w->falling != (first >> 31 != 0);
    float before = down ? INFINITY : -INFINITY;
    int index = tsr_num_primitive_find(w->name);
    for (uint64_t at = first; at < last;) {
        unsigned n = 0;
        for (; n < 1024 && at < last; at += step)
            x[n++] = (uint32_t)at;
        tsr_num_primitives[index].fn(y, x, NULL, NULL, n);
        measure(w, x, y, n);
        for (unsigned i = 0; i < n; i++) {
            float now = num_float(y[i]);
            if (!(down ? now <= before : now >= before))
                fail_msg("%s is not monotone at %08x", w->name, x[i]);
            before = now;
        }
    }
}

static void report(const struct sweep *w)
{
    int p = tsr_num_primitive_find(w->name);
    print_message("%s: %.4f ULP at most, at %a (%llu inputs); documented %.3f\n", w->name, w->worst,
                  (double)num_float(w->worst_at), (unsigned long long)w->inputs,
                  tsr_num_primitives[p].milliulp / 1000.0);
    assert_true(w->worst <= tsr_num_primitives[p].milliulp / 1000.0);
    assert_true(tsr_num_primitives[p].milliulp <= 1000);
}

static uint32_t f32(float x)
{
    return num_bits(x);
}

static void test_elementary_exp2_stays_within_one_ulp(void **state)
{
    struct sweep w = {.name = "exp2", .ref = ref_exp2};
    uint32_t step = tsr_test_nightly() ? 1 : 4;
    (void)state;
    run(&w, f32(0.5f), f32(1), 1);
    run(&w, f32(-0.5f), f32(-1), step);
    run(&w, f32(1), f32(128), tsr_test_nightly() ? 1 : 97);
    run(&w, f32(-1), f32(-126), tsr_test_nightly() ? 1 : 97);
    run(&w, 0, f32(0.5f), tsr_test_nightly() ? 1 : 4099);
    run(&w, 0x80000000, f32(-0.5f), tsr_test_nightly() ? 1 : 4099);
    report(&w);
}

static void test_elementary_log2_stays_within_one_ulp(void **state)
{
    struct sweep w = {.name = "log2", .ref = ref_log2};
    uint32_t step = tsr_test_nightly() ? 1 : 4;
    (void)state;
    run(&w, f32(0.5f), f32(4), step);
    run(&w, f32(0.99f), f32(1.02f), 1);
    run(&w, 1, TSR_NUM_INF, tsr_test_nightly() ? 1 : 1021);
    report(&w);
}

static void test_elementary_rcp_stays_within_one_ulp(void **state)
{
    struct sweep w = {.name = "rcp", .ref = ref_rcp, .falling = true};
    (void)state;
    run(&w, f32(1), f32(2), 1); /* all mantissas; exponents only shift the result */
    run(&w, 1, TSR_NUM_INF, tsr_test_nightly() ? 1 : 4093);
    run(&w, 0x80000001, 0xFF800000, tsr_test_nightly() ? 1 : 4093);
    report(&w);
}

static void test_elementary_rsqrt_stays_within_one_ulp(void **state)
{
    struct sweep w = {.name = "rsqrt", .ref = ref_rsqrt, .falling = true};
    (void)state;
    run(&w, f32(1), f32(4), 1); /* all mantissas of both parities of the exponent */
    run(&w, 1, TSR_NUM_INF, tsr_test_nightly() ? 1 : 4093);
    report(&w);
}

static void test_elementary_exact_and_special_inputs_by_name(void **state)
{
    const float inf = INFINITY, nan = NAN;
    const struct {
        const char *name;
        float x, y;
    } rows[] = {
        {"exp2", 0, 1},
        {"exp2", -0.f, 1},
        {"exp2", 127, 0x1p127f},
        {"exp2", 128, inf},
        {"exp2", inf, inf},
        {"exp2", -inf, 0},
        {"exp2", -126, 0x1p-126f},
        {"exp2", -126.00001f, 0},
        {"exp2", -1e30f, 0},
        {"exp2", 1e-45f, 1},
        {"exp2", -1e-45f, 1},
        {"exp2", nan, nan},
        {"log2", 1, 0},
        {"log2", 0, -inf},
        {"log2", -0.f, -inf},
        {"log2", -1, nan},
        {"log2", inf, inf},
        {"log2", -inf, nan},
        {"log2", 0x1p-149f, -149},
        {"log2", 0x1p127f, 127},
        {"log2", nan, nan},
        {"rcp", 0, inf},
        {"rcp", -0.f, -inf},
        {"rcp", inf, 0},
        {"rcp", -inf, 0},
        {"rcp", 0x1p126f, 0x1p-126f},
        {"rcp", 0x1.000002p126f, 0},
        {"rcp", -0x1p127f, 0},
        {"rcp", 0x1p-127f, 0x1p127f},
        {"rcp", 0x1p-128f, inf},
        {"rcp", -1e-45f, -inf},
        {"rcp", nan, nan},
        {"rcp", -1, -1},
        {"rsqrt", 0, inf},
        {"rsqrt", -0.f, -inf},
        {"rsqrt", inf, 0},
        {"rsqrt", -1, nan},
        {"rsqrt", -1e-45f, nan},
        {"rsqrt", -inf, nan},
        {"rsqrt", 0x1p-148f, 0x1p74f},
        {"rsqrt", nan, nan},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int p = tsr_num_primitive_find(rows[i].name);
        uint32_t got = tsr_num_primitive_apply(p, num_bits(rows[i].x), 0, 0);
        uint32_t want = isnan(rows[i].y) ? TSR_NUM_NAN : num_bits(rows[i].y);
        if (got != want)
            fail_msg("%s(%a) = %08x, not %08x", rows[i].name, (double)rows[i].x, got, want);
    }
    for (int e = -126; e < 127; e++) { /* powers of two are exact wherever the result is one */
        uint32_t x = num_bits(ldexpf(1, e));
        assert_int_equal(tsr_num_primitive_apply(tsr_num_primitive_find("rcp"), x, 0, 0),
                         num_bits(ldexpf(1, -e)));
        assert_int_equal(tsr_num_primitive_apply(tsr_num_primitive_find("log2"), x, 0, 0),
                         num_bits((float)e));
        assert_int_equal(
            tsr_num_primitive_apply(tsr_num_primitive_find("exp2"), num_bits((float)e), 0, 0), x);
        if (e % 2 == 0)
            assert_int_equal(tsr_num_primitive_apply(tsr_num_primitive_find("rsqrt"), x, 0, 0),
                             num_bits(ldexpf(1, -e / 2)));
    }
}

static wide ratio_log2(wide m)
{
    return log1pl(m - 1) / logl(2.0L) / (m - 1);
}

/* The quadratic through the three Chebyshev nodes of [x, x + h), in t = (m - x) / h. */
static struct num_segment derive(wide (*f)(wide), wide x, wide h, int point, int sign)
{
    wide s = sqrtl(3) / 4, t[3] = {0.5L - s, 0.5L, 0.5L + s}, y[3], one = ldexpl(1, point);
    for (int i = 0; i < 3; i++)
        y[i] = f(x + h * t[i]);
    wide d01 = (y[1] - y[0]) / (t[1] - t[0]), d12 = (y[2] - y[1]) / (t[2] - t[1]);
    wide c2 = (d12 - d01) / (t[2] - t[0]);
    wide c1 = d01 - c2 * (t[0] + t[1]), c0 = y[0] - t[0] * (d01 - c2 * t[1]);
    struct num_segment r = {(int32_t)llroundl(c0 * one), (int32_t)llroundl(sign * c1 * one),
                            (int32_t)llroundl(c2 * one)};
    return r;
}

static void compare(const char *name, int i, struct num_segment got, struct num_segment want)
{
    if (got.c0 != want.c0 || got.c1 != want.c1 || got.c2 != want.c2)
        fail_msg("%s row %d: {%d, %d, %d}, not {%d, %d, %d}", name, i, got.c0, got.c1, got.c2,
                 want.c0, want.c1, want.c2);
}

static void test_elementary_tables_follow_from_their_formula(void **state)
{
    (void)state;
    for (int i = 0; i < 64; i++)
        compare("exp2", i, num_exp2_table[i], derive(ref_exp2, i / 64.0L, 1 / 64.0L, 28, 1));
    for (int i = 0; i < 128; i++) {
        wide m = 1 + i / 128.0L, h = 1 / 128.0L, by = i < 64 ? 1 : 0.5L;
        compare("rcp", i, num_rcp_table[i], derive(ref_rcp, m, h, 30, -1));
        compare("rsqrt even", i, num_rsqrt_even_table[i], derive(ref_rsqrt, m, h, 30, -1));
        compare("rsqrt odd", i, num_rsqrt_odd_table[i], derive(ref_rsqrt, 2 * m, 2 * h, 30, -1));
        compare("log2", i, num_log2_table[i], derive(ratio_log2, by * m, by * h, 30, -1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elementary_exp2_stays_within_one_ulp),
        cmocka_unit_test(test_elementary_log2_stays_within_one_ulp),
        cmocka_unit_test(test_elementary_rcp_stays_within_one_ulp),
        cmocka_unit_test(test_elementary_rsqrt_stays_within_one_ulp),
        cmocka_unit_test(test_elementary_exact_and_special_inputs_by_name),
        cmocka_unit_test(test_elementary_tables_follow_from_their_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
