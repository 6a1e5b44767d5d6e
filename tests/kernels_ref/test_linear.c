/* SPDX-License-Identifier: Apache-2.0 */
/* Matmul, residual, embedding: values worked out by hand. */
#include "tests/support/harness.h"

#include <math.h>
#include <string.h>

#include "kernels/ref.h"

static void test_matmul_small_values_are_exact(void **state)
{
    (void)state;
    const float a[] = {1, 2, 3, 4, 5, 6};           /* 2 x 3 */
    const float nk[] = {1, 0, -1, 2, 2, 2, 0, 1, 0, -1, -1, -1}; /* 4 x 3 */
    const float kn[] = {1, 2, 0, -1, 0, 2, 1, -1, -1, 2, 0, -1}; /* the same as 3 x 4 */
    const float want[] = {-2, 12, 2, -6, -2, 30, 5, -15};
    const float bias[] = {1, 2, 3, 4};
    float c[8];
    tsr_matmul_ref(2, 4, 3, a, nk, TSR_B_NK, NULL, c);
    assert_memory_equal(c, want, sizeof c);
    memset(c, 0, sizeof c);
    tsr_matmul_ref(2, 4, 3, a, kn, TSR_B_KN, NULL, c);
    assert_memory_equal(c, want, sizeof c);
    tsr_matmul_ref(2, 4, 3, a, kn, TSR_B_KN, bias, c);
    for (int i = 0; i < 8; i++)
        assert_true(c[i] == want[i] + bias[i % 4]);
    tsr_matmul_ref(2, 4, 0, a, nk, TSR_B_NK, bias, c);
    assert_memory_equal(c + 4, bias, sizeof bias);
}

static void test_matmul_sums_in_double(void **state)
{
    (void)state;
    /* In float chains 1 is lost beside 2^30; the last step rounds to nearest even. */
    const float a[] = {0x1p30f, 1, -0x1p30f}, ones[] = {1, 1, 1};
    const float tie[] = {0x1p24f, 1, 0}, above[] = {0x1p24f, 1, 0x1p-20f};
    float c;
    tsr_matmul_ref(1, 1, 3, a, ones, TSR_B_NK, NULL, &c);
    assert_true(c == 1);
    tsr_matmul_ref(1, 1, 3, tie, ones, TSR_B_NK, NULL, &c);
    assert_true(c == 0x1p24f);
    tsr_matmul_ref(1, 1, 3, above, ones, TSR_B_NK, NULL, &c);
    assert_true(c == 0x1p24f + 2);
}

static void test_matmul_layouts_agree_at_random(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul layouts", 3);
    for (int round = 0; round < 50; round++) {
        size_t m = tsr_test_random_below(&seed, 6) + 1, n = tsr_test_random_below(&seed, 9) + 1;
        size_t k = tsr_test_random_below(&seed, 12);
        float *a = tsr_test_guarded(m * k * sizeof *a), *b = tsr_test_guarded(n * k * sizeof *b);
        float *t = tsr_test_guarded(n * k * sizeof *t), *c = tsr_test_guarded(m * n * sizeof *c);
        float *d = tsr_test_guarded(m * n * sizeof *d);
        for (size_t i = 0; i < m * k; i++)
            a[i] = tsr_test_random_f32(&seed);
        for (size_t j = 0; j < n; j++)
            for (size_t p = 0; p < k; p++)
                b[j * k + p] = t[p * n + j] = tsr_test_random_f32(&seed);
        tsr_matmul_ref(m, n, k, a, b, TSR_B_NK, NULL, c);
        tsr_matmul_ref(m, n, k, a, t, TSR_B_KN, NULL, d);
        assert_memory_equal(c, d, m * n * sizeof *c);
    }
}

static void test_residual_adds_in_place(void **state)
{
    (void)state;
    float x[] = {1, -0.0f, 0x1p24f}, y[] = {2, -0.0f, 1};
    tsr_residual_ref(3, x, y, x);
    assert_true(x[0] == 3);
    assert_true(x[1] == 0 && signbit(x[1]));
    assert_true(x[2] == 0x1p24f);
}

static void test_embedding_gathers_and_scales(void **state)
{
    (void)state;
    const float table[] = {0, 1, 10, 11, 20, 21};
    const uint32_t id[] = {2, 0, 2};
    const float want[] = {20, 21, 0, 1, 20, 21};
    float y[6];
    tsr_embedding_ref(3, 2, 3, 1.0, table, id, y);
    assert_memory_equal(y, want, sizeof y);
    tsr_embedding_ref(1, 2, 3, 0.5, table, id, y);
    assert_true(y[0] == 10 && y[1] == 10.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_small_values_are_exact),
        cmocka_unit_test(test_matmul_sums_in_double),
        cmocka_unit_test(test_matmul_layouts_agree_at_random),
        cmocka_unit_test(test_residual_adds_in_place),
        cmocka_unit_test(test_embedding_gathers_and_scales),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
