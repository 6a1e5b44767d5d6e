/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: hand-made cases, and a second computation with stored scores. */
#include "tests/support/harness.h"

#include <math.h>
#include <string.h>

#include "kernels/ref.h"

static const struct tsr_attention_shape one = {.heads = 1, .kv_heads = 1, .head_dim = 2,
                                               .q_len = 1, .kv_len = 3, .causal = true,
                                               .scale = 1};

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-6))
        fail_msg("got %.9g, want %.9g", got, want);
}

static void test_attention_weights_are_as_by_hand(void **state)
{
    (void)state;
    /* Logits 0, ln 2, ln 4: weights 1/7, 2/7, 4/7. */
    const float q[] = {1, 0}, k[] = {0, 9, 0.69314718f, 9, 1.3862944f, 9};
    const float v[] = {7, 0, 0, 7, 7, 14};
    float out[2];
    tsr_attention_ref(&one, q, k, v, NULL, out);
    near(out[0], 5);
    near(out[1], 10);
    /* A window of two: 1/3, 2/3. Of one: the last value itself. */
    struct tsr_attention_shape s = one;
    s.window = 2;
    tsr_attention_ref(&s, q, k, v, NULL, out);
    near(out[0], 14.0 / 3);
    near(out[1], 35.0 / 3);
    s.window = 1;
    tsr_attention_ref(&s, q, k, v, NULL, out);
    assert_true(out[0] == 7 && out[1] == 14);
    /* A sink of ln 7 takes half. */
    const float sink = 1.9459101f;
    tsr_attention_ref(&one, q, k, v, &sink, out);
    near(out[0], 2.5);
    near(out[1], 5);
    /* Scale 0: the mean. */
    s = one;
    s.scale = 0;
    tsr_attention_ref(&s, q, k, v, NULL, out);
    near(out[0], 14.0 / 3);
}

static void test_attention_softcap_bounds_logits(void **state)
{
    (void)state;
    struct tsr_attention_shape s = one;
    s.kv_len = 2;
    s.softcap = 0.5 * log(3); /* logits of +-infinity become +-ln(3)/2: weights 3/4, 1/4 */
    const float q[] = {1e6f, 0}, k[] = {1e6f, 0, -1e6f, 0}, v[] = {4, 0, 0, 4};
    float out[2];
    tsr_attention_ref(&s, q, k, v, NULL, out);
    near(out[0], 3);
    near(out[1], 1);
}

static void test_attention_without_keys_is_zero(void **state)
{
    (void)state;
    struct tsr_attention_shape s = one;
    s.kv_len = 0;
    s.causal = false;
    const float q[] = {1, 1}, sink = 3;
    float out[2] = {5, 5};
    tsr_attention_ref(&s, q, q, q, NULL, out);
    assert_true(out[0] == 0 && out[1] == 0);
    tsr_attention_ref(&s, q, q, q, &sink, out);
    assert_true(out[0] == 0 && out[1] == 0);
}

enum { MAX_T = 24, HEADS = 6, KV = 2, D = 8 };

struct tensors {
    float q[MAX_T * HEADS * D], k[MAX_T * KV * D], v[MAX_T * KV * D], sinks[HEADS];
};

static void fill(struct tensors *t, uint64_t *seed)
{
    float *all = (float *)t;
    for (size_t i = 0; i < sizeof *t / sizeof(float); i++)
        all[i] = 3 * tsr_test_random_f32(seed);
}

/* Straight from the formula: all scores of one query and head in an array, masked by a test of
 * each pair of positions, with the sink as one more score. */
static void formula(const struct tsr_attention_shape *s, const struct tensors *t,
                    const float *sinks, size_t i, size_t h, double *out)
{
    double score[MAX_T + 1], sum = 0;
    size_t at = s->kv_len - s->q_len + i, g = h * s->kv_heads / s->heads;
    for (size_t j = 0; j < s->kv_len; j++) {
        double dot = 0;
        for (size_t d = 0; d < D; d++)
            dot += (double)t->q[(i * s->heads + h) * D + d] * t->k[(j * s->kv_heads + g) * D + d];
        dot *= s->scale;
        if (s->softcap != 0)
            dot = s->softcap * tanh(dot / s->softcap);
        bool seen = !s->causal || (j <= at && (s->window == 0 || at - j < s->window));
        score[j] = seen ? exp(dot) : 0;
        sum += score[j];
    }
    if (sinks != NULL)
        sum += exp(sinks[h]);
    memset(out, 0, D * sizeof *out);
    for (size_t j = 0; j < s->kv_len; j++)
        for (size_t d = 0; d < D; d++)
            out[d] += score[j] / sum * t->v[(j * s->kv_heads + g) * D + d];
}

static void test_attention_equals_the_formula_at_random(void **state)
{
    (void)state;
    static struct tensors t;
    static float out[MAX_T * HEADS * D];
    uint64_t seed = tsr_test_seed("attention", 17);
    for (int round = 0; round < 60; round++) {
        struct tsr_attention_shape s = {.heads = HEADS, .head_dim = D, .causal = round % 4 != 0};
        s.kv_heads = round % 3 == 0 ? 1 : KV;
        s.kv_len = tsr_test_random_below(&seed, MAX_T) + 1;
        s.q_len = tsr_test_random_below(&seed, s.kv_len) + 1;
        s.window = s.causal ? tsr_test_random_below(&seed, 10) : 0;
        s.scale = 1 / sqrt(D);
        s.softcap = round % 5 == 0 ? 2.0 : 0;
        fill(&t, &seed);
        const float *sinks = round % 2 == 0 ? t.sinks : NULL;
        tsr_attention_ref(&s, t.q, t.k, t.v, sinks, out);
        for (size_t i = 0; i < s.q_len; i++) {
            for (size_t h = 0; h < HEADS; h++) {
                double want[D];
                formula(&s, &t, sinks, i, h, want);
                for (size_t d = 0; d < D; d++)
                    near(out[(i * HEADS + h) * D + d], want[d]);
            }
        }
    }
}

static void test_attention_decode_equals_prefill(void **state)
{
    (void)state;
    static struct tensors t;
    static float all[MAX_T * HEADS * D], last[HEADS * D];
    uint64_t seed = tsr_test_seed("attention steps", 23);
    struct tsr_attention_shape s = {.heads = HEADS, .kv_heads = KV, .head_dim = D, .q_len = MAX_T,
                                    .kv_len = MAX_T, .window = 5, .causal = true, .scale = 0.3};
    fill(&t, &seed);
    tsr_attention_ref(&s, t.q, t.k, t.v, t.sinks, all);
    s.q_len = 1;
    for (size_t i = 0; i < MAX_T; i++) {
        s.kv_len = i + 1;
        tsr_attention_ref(&s, t.q + i * HEADS * D, t.k, t.v, t.sinks, last);
        assert_memory_equal(last, all + i * HEADS * D, sizeof last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_weights_are_as_by_hand),
        cmocka_unit_test(test_attention_softcap_bounds_logits),
        cmocka_unit_test(test_attention_without_keys_is_zero),
        cmocka_unit_test(test_attention_equals_the_formula_at_random),
        cmocka_unit_test(test_attention_decode_equals_prefill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
