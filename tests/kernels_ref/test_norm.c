/* SPDX-License-Identifier: Apache-2.0 */
/* RMSNorm, LayerNorm, softmax. */
#include "tests/support/harness.h"

#include <math.h>

#include "kernels/ref.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.9g, want %.9g within %g", got, want, tolerance);
}

static void test_rmsnorm_values_are_as_by_hand(void **state)
{
    (void)state;
    /* mean square of (3, 4, 0, 0) is 25/4: the root 2.5. The second row's with eps 12 is 4. */
    float x[] = {3, 4, 0, 0, 2, -2, 2, -2};
    const float w[] = {1, 2, 3, -1};
    float y[8];
    tsr_rmsnorm_ref(1, 4, 0, x, w, y);
    near(y[0], 1.2, 1e-7);
    near(y[1], 3.2, 3e-7);
    assert_true(y[2] == 0 && y[3] == 0);
    tsr_rmsnorm_ref(1, 4, 12, x + 4, NULL, y);
    assert_true(y[0] == 0.5f && y[1] == -0.5f);
    tsr_rmsnorm_ref(2, 4, 0, x, w, x); /* in place, both rows */
    near(x[1], 3.2, 3e-7);
    assert_true(x[4] == 1 && x[5] == -2 && x[6] == 3 && x[7] == 1);
}

static void test_rmsnorm_large_values_do_not_overflow(void **state)
{
    (void)state;
    const float x[] = {3e38f, -3e38f};
    float y[2];
    tsr_rmsnorm_ref(1, 2, 1e-5, x, NULL, y);
    assert_true(y[0] == 1 && y[1] == -1);
}

static void test_layernorm_values_are_as_by_hand(void **state)
{
    (void)state;
    const float x[] = {1, 3, 5, 7}; /* mean 4, variance 5; with eps 4 the root is 3 */
    const float w[] = {3, 3, 6, 3}, b[] = {0, 1, 0, -1};
    const float want[] = {-3, 0, 2, 2};
    float y[4];
    tsr_layernorm_ref(1, 4, 4, x, w, b, y);
    assert_memory_equal(y, want, sizeof y);
    tsr_layernorm_ref(1, 4, 4, x, NULL, NULL, y);
    near(y[3], 1, 1e-7);
    /* A shift changes nothing, although the squares are 10^12 times the variance. */
    const float far[] = {1000001, 1000003, 1000005, 1000007};
    tsr_layernorm_ref(1, 4, 4, far, w, b, y);
    assert_memory_equal(y, want, sizeof y);
}

static void test_softmax_values_are_as_by_hand(void **state)
{
    (void)state;
    const float ln2 = 0.69314718f, x[] = {0, ln2, 2 * ln2, -INFINITY};
    float y[4];
    tsr_softmax_ref(1, 4, x, y); /* 1 : 2 : 4 : 0 */
    near(y[0], 1.0 / 7, 2e-8);
    near(y[1], 2.0 / 7, 2e-8);
    near(y[2], 4.0 / 7, 5e-8);
    assert_true(y[3] == 0);
}

static void test_softmax_extremes_stay_finite(void **state)
{
    (void)state;
    float big[] = {3e38f, 3e38f, -3e38f}, none[] = {-INFINITY, -INFINITY}, nan[] = {NAN, 1};
    tsr_softmax_ref(1, 3, big, big);
    assert_true(big[0] == 0.5f && big[1] == 0.5f && big[2] == 0);
    tsr_softmax_ref(1, 2, none, none);
    assert_true(none[0] == 0 && none[1] == 0);
    tsr_softmax_ref(1, 2, nan, nan);
    assert_true(isnan(nan[0]) && isnan(nan[1]));
    nan[1] = -INFINITY;
    tsr_softmax_ref(1, 2, nan, nan);
    assert_true(isnan(nan[0]) && isnan(nan[1]));
}

static void test_softmax_rows_sum_to_one_and_ignore_shifts(void **state)
{
    (void)state;
    enum { ROWS = 20, N = 37 };
    uint64_t seed = tsr_test_seed("softmax", 5);
    float x[ROWS * N], shifted[ROWS * N], y[ROWS * N];
    for (int i = 0; i < ROWS * N; i++) {
        x[i] = ldexpf(rintf(4096 * tsr_test_random_f32(&seed)), -9); /* so that + 64 is exact */
        shifted[i] = x[i] + 64;
    }
    tsr_softmax_ref(ROWS, N, x, y);
    tsr_softmax_ref(ROWS, N, shifted, shifted);
    assert_memory_equal(y, shifted, sizeof y);
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int i = 0; i < N; i++)
            sum += y[r * N + i];
        near(sum, 1, N * 0x1p-25);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm_values_are_as_by_hand),
        cmocka_unit_test(test_rmsnorm_large_values_do_not_overflow),
        cmocka_unit_test(test_layernorm_values_are_as_by_hand),
        cmocka_unit_test(test_softmax_values_are_as_by_hand),
        cmocka_unit_test(test_softmax_extremes_stay_finite),
        cmocka_unit_test(test_softmax_rows_sum_to_one_and_ignore_shifts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
