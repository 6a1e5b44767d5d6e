/* SPDX-License-Identifier: Apache-2.0 */
/* Router, grouped matmul, combination. */
#include "tests/support/harness.h"

#include <math.h>

#include "kernels/ref.h"

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6))
        fail_msg("got %.9g, want %.9g", got, want);
}

static void test_topk_weights_are_as_by_hand(void **state)
{
    (void)state;
    /* exp of the logits: 1, 4, 2, 1 (ln 4 = 1.386..., ln 2 = 0.693...). */
    const float logits[] = {0, 1.3862944f, 0.69314718f, 0};
    uint32_t index[2];
    float weight[2];
    tsr_topk_ref(1, 4, 2, TSR_ROUTER_SOFTMAX_ALL, logits, index, weight);
    assert_int_equal(index[0], 1);
    assert_int_equal(index[1], 2);
    near(weight[0], 4.0 / 8);
    near(weight[1], 2.0 / 8);
    for (int r = TSR_ROUTER_SOFTMAX_RENORM; r <= TSR_ROUTER_SOFTMAX_CHOSEN; r++) {
        tsr_topk_ref(1, 4, 2, (enum tsr_router_ref)r, logits, index, weight);
        near(weight[0], 4.0 / 6);
        near(weight[1], 2.0 / 6);
    }
}

static void test_topk_equal_logits_take_the_lower_expert(void **state)
{
    (void)state;
    const float logits[] = {1, 3, 1, 3, 3, -INFINITY, 0, 0, 0, 0, 0, 0};
    const uint32_t want[] = {1, 3, 4, 0, 2, 5, 0, 1, 2, 3, 4, 5};
    uint32_t index[12];
    float weight[12];
    tsr_topk_ref(2, 6, 6, TSR_ROUTER_SOFTMAX_ALL, logits, index, weight);
    assert_memory_equal(index, want, sizeof index);
    assert_true(weight[0] == weight[2] && weight[3] == weight[4] && weight[5] == 0);
    near(weight[6], 1.0 / 6);
}

static void test_topk_is_a_falling_selection(void **state)
{
    (void)state;
    enum { E = 32, K = 5, ROWS = 40 };
    uint64_t seed = tsr_test_seed("topk", 29);
    float logits[ROWS * E], weight[ROWS * K];
    uint32_t index[ROWS * K];
    for (int i = 0; i < ROWS * E; i++) /* few values: many ties */
        logits[i] = (float)tsr_test_random_below(&seed, 12) * 0.5f;
    tsr_topk_ref(ROWS, E, K, TSR_ROUTER_SOFTMAX_CHOSEN, logits, index, weight);
    for (int r = 0; r < ROWS; r++) {
        const float *l = logits + r * E, *w = weight + r * K;
        const uint32_t *x = index + r * K;
        double sum = 0;
        int above = 0; /* experts that rank before the last chosen one */
        for (int j = 0; j < K; j++) {
            sum += w[j];
            assert_true(j == 0 || l[x[j - 1]] > l[x[j]] ||
                        (l[x[j - 1]] == l[x[j]] && x[j - 1] < x[j]));
        }
        for (uint32_t e = 0; e < E; e++)
            above += l[e] > l[x[K - 1]] || (l[e] == l[x[K - 1]] && e < x[K - 1]);
        assert_int_equal(above, K - 1);
        near(sum, 1);
    }
}

static void test_expert_matmul_takes_the_expert_of_each_row(void **state)
{
    (void)state;
    const float a[] = {1, 2, 10, 20};                 /* two tokens of k = 2 */
    const float b[] = {1, 0, 0, 1, 1, 1, 1, -1, 2, 0, 0, 2}; /* three experts of n = 2 */
    const float bias[] = {0, 0, 100, 200, 0, 1};
    const uint32_t index[] = {0, 1, 1, 2};
    const float tokens[] = {1, 2, 103, 199, 130, 190, 20, 41};
    const float own[] = {1, 2, 130, 190};
    float c[8];
    tsr_expert_matmul_ref(4, 2, 2, 2, index, a, b, bias, c);
    assert_memory_equal(c, tokens, sizeof c);
    tsr_expert_matmul_ref(2, 1, 2, 2, index, a, b, bias, c); /* a row of its own per choice */
    assert_memory_equal(c, own, sizeof own);
    tsr_expert_matmul_ref(1, 1, 2, 2, index + 3, a, b, NULL, c);
    assert_true(c[0] == 2 && c[1] == 4);
}

static void test_combine_weighs_and_adds(void **state)
{
    (void)state;
    const float weight[] = {0.5f, 0.25f, 1, 0}, x[] = {2, 4, 8, 16, 1, 2, 64, 64};
    float y[] = {100, 200, 300, 400}, plain[4];
    tsr_combine_ref(2, 2, 2, weight, x, NULL, plain);
    tsr_combine_ref(2, 2, 2, weight, x, y, y);
    const float want[] = {3, 6, 1, 2}, sum[] = {103, 206, 301, 402};
    assert_memory_equal(plain, want, sizeof plain);
    assert_memory_equal(y, sum, sizeof y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topk_weights_are_as_by_hand),
        cmocka_unit_test(test_topk_equal_logits_take_the_lower_expert),
        cmocka_unit_test(test_topk_is_a_falling_selection),
        cmocka_unit_test(test_expert_matmul_takes_the_expert_of_each_row),
        cmocka_unit_test(test_combine_weighs_and_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
