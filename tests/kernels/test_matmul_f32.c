/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant that this processor has, against one fmaf chain per element. */
#include "tests/support/harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"

struct shape {
    size_t m, n, k, pad; /* pad: elements between the rows */
};

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Mostly plain numbers; one in eight is an extreme. */
static float operand(uint64_t *seed, bool specials)
{
    static const float extreme[] = {0.0f,  -0.0f,  FLT_MIN, -FLT_TRUE_MIN,
                                    1e38f, -1e38f, 1e-30f,  1.0f};
    static const float special[] = {INFINITY, -INFINITY, NAN, FLT_MAX};
    uint64_t r = tsr_test_random_below(seed, 256);
    if (specials && r < 2)
        return special[tsr_test_random_below(seed, 4)];
    if (r < 32)
        return extreme[tsr_test_random_below(seed, 8)];
    return tsr_test_random_f32(seed);
}

static float *matrix(size_t rows, size_t columns, size_t pad, uint64_t *seed, bool specials)
{
    /* The last row has no pad, so reading past its end faults. */
    size_t elems = rows > 0 ? (rows - 1) * (columns + pad) + columns : 0;
    float *x = tsr_test_guarded(elems * sizeof *x);
    for (size_t i = 0; i < elems; i++)
        x[i] = operand(seed, specials);
    return x;
}

static bool within(float got, float want, double magnitude, size_t k, double tolerance)
{
    if (isnan(want))
        return isnan(got);
    if (tolerance == 0 || isinf(want))
        return bits_of(got) == bits_of(want);
    return fabs((double)got - want) <= tolerance * (double)k * 0x1p-24 * magnitude + 0x1p-149;
}

static void check(const struct tsr_variant *v, struct shape s, uint64_t *seed, bool specials)
{
    const size_t lda = s.k + s.pad, ldb = s.n + s.pad, ldc = s.n + s.pad;
    const float *a = matrix(s.m, s.k, s.pad, seed, specials);
    const float *b = matrix(s.k, s.n, s.pad, seed, specials);
    float *c = matrix(s.m, s.n, s.pad, seed, false);
    const size_t c_elems = s.m > 0 ? (s.m - 1) * ldc + s.n : 0;
    const float sentinel = -77.25f;
    for (size_t i = 0; i < c_elems; i++)
        c[i] = sentinel;
    ((tsr_matmul_f32_fn *)v->function)(s.m, s.n, s.k, a, lda, b, ldb, c, ldc);
    for (size_t i = 0; i < c_elems; i++) {
        const size_t row = i / ldc, column = i % ldc;
        if (column >= s.n) {
            assert_true(bits_of(c[i]) == bits_of(sentinel));
            continue;
        }
        float want = 0;
        double magnitude = 0;
        for (size_t p = 0; p < s.k; p++) {
            float x = a[row * lda + p], y = b[p * ldb + column];
            want = fmaf(x, y, want);
            magnitude += fabs((double)x * y);
        }
        if (!within(c[i], want, magnitude, s.k, v->tolerance))
            fail_msg("%s %zux%zux%zu pad %zu: c[%zu][%zu] = %a, want %a", v->name, s.m, s.n, s.k,
                     s.pad, row, column, (double)c[i], (double)want);
    }
}

/* The operation's variants that may run here. */
static const struct tsr_variant *next_variant(const struct tsr_variant *after)
{
    const struct tsr_variant *end = tsr_variants + tsr_variant_count;
    for (const struct tsr_variant *v = after == NULL ? tsr_variants : after + 1; v < end; v++)
        if (v->op == TSR_OP_matmul_f32 && (v->features & ~tsr_cpu_features()) == 0)
            return v;
    return NULL;
}

static void test_matmul_f32_edge_shapes_equal_chain(void **state)
{
    (void)state;
    /* Around 12 rows, 2 vectors of each length, and the depth at which the packing is cut. */
    static const struct shape shapes[] = {
        {0, 5, 3, 0},   {5, 0, 3, 0},    {3, 5, 0, 1},    {1, 1, 1, 0},   {8, 12, 4, 0},
        {11, 9, 5, 0},  {13, 17, 3, 2},  {1, 193, 2, 0},  {37, 24, 7, 1}, {12, 32, 256, 0},
        {2, 3, 257, 0}, {13, 127, 1, 3}, {65, 17, 70, 0}, {3, 4, 513, 1}};
    uint64_t seed = tsr_test_seed("matmul_f32 edge shapes", 1);
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            check(v, shapes[i], &seed, false);
}

static void test_matmul_f32_random_shapes_equal_chain(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_f32 random shapes", 2);
    const int rounds = tsr_test_nightly() ? 2000 : 40;
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;)
        for (int i = 0; i < rounds; i++) {
            struct shape s = {tsr_test_random_below(&seed, 40), tsr_test_random_below(&seed, 100),
                              tsr_test_random_below(&seed, 60), tsr_test_random_below(&seed, 4)};
            check(v, s, &seed, i % 2 == 1);
        }
}

static void test_matmul_f32_public_runs_chosen(void **state)
{
    (void)state;
    const float a[2] = {2, 3}, b[2] = {5, 7};
    float c = 0;
    tsr_matmul_f32(1, 1, 2, a, 2, b, 1, &c, 1);
    assert_true(bits_of(c) == bits_of(31.0f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_f32_edge_shapes_equal_chain),
        cmocka_unit_test(test_matmul_f32_random_shapes_equal_chain),
        cmocka_unit_test(test_matmul_f32_public_runs_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
