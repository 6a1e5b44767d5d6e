/* SPDX-License-Identifier: Apache-2.0 */
/* RoPE: tables of three scalings, both pairings. Expected frequencies were computed apart, from
 * the published formulas, in Python. */
#include "tests/support/harness.h"

#include <math.h>

#include "kernels/ref.h"

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want) + 1e-300))
        fail_msg("got %.17g, want %.17g", got, want);
}

static const struct tsr_rope_config plain = {.theta = 1e4, .attention_factor = 1};

static void test_rope_plain_frequencies_are_powers(void **state)
{
    (void)state;
    double f[64];
    tsr_rope_frequencies_ref(&plain, 128, f);
    assert_true(f[0] == 1);
    near(f[32], 1e-2, 1e-14);
    near(f[16], 0.1, 1e-14);
}

struct point {
    int pair;
    double frequency;
};

static void check(const struct tsr_rope_config *c, size_t head_dim, const struct point *want,
                  size_t n)
{
    double f[64];
    tsr_rope_frequencies_ref(c, head_dim, f);
    for (size_t i = 0; i < n; i++)
        near(f[want[i].pair], want[i].frequency, 1e-12);
}

static void test_rope_llama3_frequencies_are_as_published(void **state)
{
    (void)state;
    const struct tsr_rope_config c = {.scaling = TSR_ROPE_LLAMA3, .theta = 5e5, .factor = 8,
                                      .low_freq_factor = 1, .high_freq_factor = 4,
                                      .original_context = 8192, .attention_factor = 1};
    static const struct point want[] = {
        {0, 1.0},
        {20, 0.016560440080994446},
        {28, 0.0032114459947525913}, /* the last that is kept */
        {29, 0.002166570763503359},  /* blended from here */
        {30, 0.0013718935677611381},
        {32, 0.0005248461609929547},
        {34, 0.00017850781276799638},
        {35, 9.556212353964683e-05}, /* an eighth from here */
        {40, 3.428102195952591e-05},
        {63, 3.068925988914511e-07},
    };
    check(&c, 128, want, sizeof want / sizeof want[0]);
}

static void test_rope_yarn_frequencies_are_as_published(void **state)
{
    (void)state;
    struct tsr_model m;
    assert_int_equal(tsr_model_load("gpt-oss-20b", &m, NULL), TSR_OK);
    static const struct point want[] = {
        {0, 1.0},
        {8, 0.050813274815461475}, /* the last that is kept: the ramp starts at 8.09 */
        {9, 0.03170569618466377},
        {10, 0.019335001126540362},
        {12, 0.006794959489732219},
        {15, 0.0010526021013863359},
        {17, 0.00012931870124506317},
        {18, 3.8308812373753384e-05}, /* a 32nd from here: it ends at 17.40 */
        {31, 3.0235114281192144e-07},
    };
    assert_false(m.rope.truncate);
    check(&m.rope, m.head_dim, want, sizeof want / sizeof want[0]);
    near(m.rope.attention_factor, 1.3465735902799727, 1e-15);
    /* Rounded outwards the ramp is 8 to 18: pair 13 lies in its middle. */
    double f[32];
    m.rope.truncate = true;
    tsr_rope_frequencies_ref(&m.rope, 64, f);
    near(f[13], pow(150000, -26.0 / 64) * (0.5 + 0.5 / 32), 1e-12);
    near(f[18], want[7].frequency, 1e-12);
}

static void test_rope_turns_pairs_as_by_hand(void **state)
{
    (void)state;
    /* A quarter turn for pair 0, none for pair 1. */
    const float cosine[] = {0, 1}, sine[] = {1, 0};
    const float x[] = {1, 2, 3, 4, 5, 6, 7, 8}; /* two heads of four */
    const float half[] = {-3, 2, 1, 4, -7, 6, 5, 8}, adjacent[] = {-2, 1, 3, 4, -6, 5, 7, 8};
    float y[8];
    tsr_rope_ref(1, 2, 4, TSR_PAIRS_HALF, cosine, sine, x, y);
    assert_memory_equal(y, half, sizeof y);
    tsr_rope_ref(1, 2, 4, TSR_PAIRS_ADJACENT, cosine, sine, x, y);
    assert_memory_equal(y, adjacent, sizeof y);
}

static void test_rope_depends_on_distance_only(void **state)
{
    (void)state;
    enum { D = 16, T = 4 };
    /* (q at 7) . (k at 3) = (q at 1007) . (k at 1003), in both pairings. */
    const uint32_t position[T] = {7, 3, 1007, 1003};
    uint64_t seed = tsr_test_seed("rope", 11);
    float cosine[T * D / 2], sine[T * D / 2], x[T * D], y[T * D];
    tsr_rope_table_ref(&plain, D, T, position, cosine, sine);
    for (int i = 0; i < 2 * D; i++)
        x[i] = x[i + 2 * D] = tsr_test_random_f32(&seed);
    for (int pairing = 0; pairing < 2; pairing++) {
        tsr_rope_ref(T, 1, D, (enum tsr_pairing_ref)pairing, cosine, sine, x, y);
        double dot[2] = {0, 0};
        for (int i = 0; i < D; i++) {
            dot[0] += (double)y[i] * y[D + i];
            dot[1] += (double)y[2 * D + i] * y[3 * D + i];
        }
        assert_true(fabs(dot[0] - dot[1]) < 1e-5);
    }
    /* In place, and with a factor on the table. */
    struct tsr_rope_config twice = plain;
    twice.attention_factor = 2;
    tsr_rope_table_ref(&twice, D, T, position, cosine, sine);
    tsr_rope_ref(T, 1, D, TSR_PAIRS_ADJACENT, cosine, sine, x, x);
    for (int i = 0; i < T * D; i++)
        assert_true(fabsf(x[i] - 2 * y[i]) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rope_plain_frequencies_are_powers),
        cmocka_unit_test(test_rope_llama3_frequencies_are_as_published),
        cmocka_unit_test(test_rope_yarn_frequencies_are_as_published),
        cmocka_unit_test(test_rope_turns_pairs_as_by_hand),
        cmocka_unit_test(test_rope_depends_on_distance_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
