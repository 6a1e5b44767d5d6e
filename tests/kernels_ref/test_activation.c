/* SPDX-License-Identifier: Apache-2.0 */
/* SiLU, GELU in both forms, clamped SwiGLU. Expected values were computed apart, in Python. */
#include "tests/support/harness.h"

#include <math.h>

#include "kernels/ref.h"

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-7 * fabs(want)))
        fail_msg("got %.9g, want %.9g", got, want);
}

static void test_activation_values_are_as_defined(void **state)
{
    (void)state;
    const float x[] = {-2, -1, 0.5f, 1, 3, 0};
    static const double want[3][6] = {
        {-0.2384058440442351, -0.2689414213699951, 0.3112296656009273, 0.7310585786300049,
         2.8577223804672998, 0},
        {-0.04550026389635842, -0.15865525393145707, 0.34573123063700656, 0.8413447460685429,
         2.99595030590511, 0},
        {-0.04540230591222494, -0.15880800939172324, 0.34571400982514394, 0.8411919906082768,
         2.996362607918227, 0},
    };
    const float up[] = {2, -4, 8, 0.5f, 1, 7};
    for (int a = 0; a < 3; a++) {
        float y[6];
        tsr_activation_ref((enum tsr_activation)a, 6, x, y);
        for (int i = 0; i < 6; i++)
            near(y[i], want[a][i]);
        tsr_gate_ref((enum tsr_activation)a, 0, 0, 6, x, up, y);
        for (int i = 0; i < 6; i++)
            near(y[i], want[a][i] * up[i]);
    }
}

static void test_activation_far_values_reach_their_limits(void **state)
{
    (void)state;
    const float x[] = {-INFINITY, INFINITY, NAN, -1e30f, 1e30f, -200, 200};
    for (int a = 0; a < 3; a++) {
        float y[7];
        tsr_activation_ref((enum tsr_activation)a, 7, x, y);
        assert_true(y[0] == 0 && signbit(y[0]));
        assert_true(isinf(y[1]));
        assert_true(isnan(y[2]));
        assert_true(y[3] == 0 && y[5] == 0);
        assert_true(y[4] == 1e30f && y[6] == 200);
    }
}

static void test_activation_swiglu_clamps_one_side_and_two(void **state)
{
    (void)state;
    /* alpha 0 makes the sigmoid 1/2. */
    const float g[] = {2, 9, -9, 2, 2, -INFINITY, NAN, 1}, u[] = {3, 3, 3, 9, -9, 3, 3, NAN};
    const float want[] = {4, 14, -18, 8, -6, 0, NAN, NAN};
    float y[8];
    tsr_gate_ref(TSR_ACT_SWIGLU_CLAMP, 7, 0, 8, g, u, y);
    for (int i = 0; i < 6; i++)
        assert_true(y[i] == want[i]);
    assert_true(isnan(y[6]) && isnan(y[7]));
    /* gpt-oss's alpha: 1 * sigmoid(1.702) * (1 + 1) */
    const float one = 1;
    tsr_gate_ref(TSR_ACT_SWIGLU_CLAMP, 7, 1.702, 1, &one, &one, y);
    near(y[0], 2 / (1 + exp(-1.702)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activation_values_are_as_defined),
        cmocka_unit_test(test_activation_far_values_reach_their_limits),
        cmocka_unit_test(test_activation_swiglu_clamps_one_side_and_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
