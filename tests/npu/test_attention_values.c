/* SPDX-License-Identifier: Apache-2.0 */
/* Attention on the NPU where values are special - NaN, infinities, logits huge and tiny, rows that
 * see nothing - and what must hold whatever the values: keys in another order, a context split
 * anywhere, a constant added to all logits. Full simulator; bounds of sim/suite/attention_bound.c.
 */
#include "tests/support/harness.h"
#include "tests/support/isa_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention.h"
#include "sim/suite/attention_bound.h"
#include "tessera/sim.h"

/* ---- a problem of one sequence -------------------------------------------------------------- */

enum {
    DIM = 16,
    HEADS = 4,
    KV_HEADS = 2,
    MOST = 130, /* keys, queries */
    GROUP = HEADS / KV_HEADS
};

struct problem {
    const char *chip;
    uint32_t q_len, kv_len, splits;
    struct tsr_attention what;
    uint8_t mask[MOST * MOST];
    float sinks[HEADS];
    float q[MOST * HEADS * DIM], k[MOST * KV_HEADS * DIM], v[MOST * KV_HEADS * DIM];
    float want[MOST * HEADS * DIM], got[MOST * HEADS * DIM];
    double bound[MOST * HEADS * DIM], lse_bound[MOST * HEADS];
    float lse[MOST * HEADS], want_lse[MOST * HEADS]; /* [head][query]; [query][head] */
    bool has_lse;
    uint64_t seed;
};

static float bf16(float x)
{
    uint32_t bits;
    uint16_t code;
    memcpy(&bits, &x, 4);
    tsr_num_encode_array(&isa->formats[TSR_BF16], &code, &bits, 1, TSR_ROUND_EVEN);
    tsr_num_decode_array(&isa->formats[TSR_BF16], &bits, &code, 1);
    memcpy(&x, &bits, 4);
    return x;
}

static void draw(struct problem *p, const char *chip, uint32_t q_len, uint32_t kv_len,
                 uint64_t *seed)
{
    memset(p, 0, sizeof *p);
    p->seed = *seed;
    p->chip = chip;
    p->q_len = q_len;
    p->kv_len = kv_len;
    p->what = (struct tsr_attention){.batch = 1,
                                     .q_len = &p->q_len,
                                     .kv_len = &p->kv_len,
                                     .heads = HEADS,
                                     .kv_heads = KV_HEADS,
                                     .dim = DIM,
                                     .value_dim = DIM,
                                     .scale = 0.25};
    for (size_t i = 0; i < q_len * HEADS * DIM; i++)
        p->q[i] = bf16(tsr_test_random_f32(seed));
    for (size_t i = 0; i < kv_len * KV_HEADS * DIM; i++) {
        p->k[i] = bf16(tsr_test_random_f32(seed));
        p->v[i] = bf16(tsr_test_random_f32(seed));
    }
}

static void write_floats(struct tsr_sim *sim, uint64_t at, const float *x, size_t n)
{
    struct tsr_error err = {0};
    uint16_t codes[MOST * HEADS * DIM];
    tsr_num_encode_array(&isa->formats[TSR_BF16], codes, (const uint32_t *)(const void *)x, n,
                         TSR_ROUND_EVEN);
    assert_int_equal(tsr_sim_write(sim, at, codes, 2 * n, &err), TSR_OK);
}

static void write_mask(struct tsr_sim *sim, const struct problem *p, uint64_t at)
{
    struct tsr_error err = {0};
    uint8_t image[MOST * MOST * GROUP];
    size_t row = p->q_len * GROUP;
    for (size_t i = 0; i < p->q_len; i++)
        for (size_t j = 0; j < p->kv_len; j++)
            memset(image + j * row + i * GROUP, p->mask[i * p->kv_len + j], GROUP);
    assert_int_equal(tsr_sim_write(sim, at, image, p->kv_len * row, &err), TSR_OK);
}

/* got, and of what is finite want and bound. */
static void run(struct problem *p)
{
    struct tsr_chip chip;
    struct tsr_error err = {0};
    struct tsr_program program = {0};
    struct tsr_sim *sim;
    struct tsr_stats stats;
    uint16_t codes[MOST * HEADS * DIM];
    const struct tsr_run_options o = {
        .mode = TSR_MODE_FULL, .check_races = true, .limit_cycles = 100000000};
    const size_t n = p->q_len * HEADS * DIM, keys = p->kv_len * KV_HEADS * DIM;
    const struct tsr_attention *a = &p->what;
    struct tsr_npu_attention op = {.batch = 1,
                                   .heads = HEADS,
                                   .kv_heads = KV_HEADS,
                                   .head_dim = DIM,
                                   .q_len = p->q_len,
                                   .kv_len = p->kv_len,
                                   .causal = a->causal,
                                   .scale = a->scale,
                                   .splits = p->splits,
                                   .format = TSR_BF16,
                                   .has_sinks = a->sinks != NULL,
                                   .sink_format = TSR_F32,
                                   .sinks = TSR_HBM(64),
                                   .has_mask = a->mask != NULL,
                                   .has_lse = p->has_lse,
                                   .lse = TSR_HBM(7 << 16)};
    op.q.address = TSR_HBM(1 << 16);
    op.k.address = TSR_HBM(2 << 16);
    op.v.address = TSR_HBM(3 << 16);
    op.o.address = TSR_HBM(4 << 16);
    op.mask = (struct tsr_npu_rows){TSR_HBM(5 << 16), 0, p->q_len * GROUP, 0};
    assert_int_equal(tsr_chip_load(p->chip, &chip, &err), TSR_OK);
    assert_int_equal(tsr_sim_create(&chip, isa, &sim, &err), TSR_OK);
    write_floats(sim, op.q.address, p->q, n);
    write_floats(sim, op.k.address, p->k, keys);
    write_floats(sim, op.v.address, p->v, keys);
    assert_int_equal(tsr_sim_write(sim, op.sinks, p->sinks, sizeof p->sinks, &err), TSR_OK);
    if (a->mask)
        write_mask(sim, p, op.mask.address);
    if (tsr_npu_attention(isa, &chip, &op, &program, &err) != TSR_OK ||
        tsr_sim_run(sim, &program, &o, &stats, NULL, &err) != TSR_OK)
        fail_msg("%s, seed %llu: %s", p->chip, (unsigned long long)p->seed, err.message);
    assert_int_equal(tsr_sim_read(sim, op.o.address, codes, 2 * n, &err), TSR_OK);
    tsr_num_decode_array(&isa->formats[TSR_BF16], (uint32_t *)(void *)p->got, codes, n);
    assert_int_equal(tsr_sim_read(sim, op.lse, p->lse, 4 * p->q_len * HEADS, &err), TSR_OK);
    tsr_program_free(&program);
    tsr_sim_destroy(sim);
    const struct tsr_format *f = &isa->formats[TSR_BF16];
    const struct attention_bound b = {&chip, f, f, f, a, p->splits};
    tsr_attention_plain(a, p->q, p->k, p->v, p->want, p->want_lse);
    attention_bound(&b, p->q, p->k, p->v, p->want, p->bound, p->lse_bound);
}

static void expect(const struct problem *p, size_t i, bool holds)
{
    if (!holds)
        fail_msg("%s, TESSERA_SEED=%llu, %u queries, %u keys: query %zu head %zu element %zu is "
                 "%.9g, %.9g +- %.3g is right",
                 p->chip, (unsigned long long)p->seed, p->q_len, p->kv_len, i / DIM / HEADS,
                 i / DIM % HEADS, i % DIM, (double)p->got[i], (double)p->want[i], p->bound[i]);
}

static void expect_near(const struct problem *p)
{
    for (size_t i = 0; i < p->q_len * HEADS * DIM; i++)
        expect(p, i, fabs((double)p->got[i] - (double)p->want[i]) <= p->bound[i]);
}

static const char *const chips[] = {"micro", "micro4"};

static int rounds(void)
{
    return tsr_test_nightly() ? 100 : 6;
}

/* ---- special values ------------------------------------------------------------------------- */

/* A finite row is within the bound, NaN is NaN. (The bound of rows that are not finite is none.) */
static void expect_special(const struct problem *p)
{
    for (size_t i = 0; i < p->q_len * HEADS * DIM; i++) {
        if (isnan(p->want[i]))
            expect(p, i, isnan(p->got[i]));
        else if (isinf(p->want[i]))
            expect(p, i, p->got[i] == p->want[i]);
        else
            expect(p, i, fabs((double)p->got[i] - (double)p->want[i]) <= p->bound[i]);
    }
}

static float special(uint64_t *seed)
{
    const float values[] = {NAN, INFINITY, -INFINITY};
    return values[tsr_test_random_below(seed, 3)];
}

/* In Q: rows of its own head are NaN, or see infinite logits of either sign; no other row. */
static void test_attention_of_special_queries_is_the_definitions(void **state)
{
    uint64_t seed = tsr_test_seed("attention_special_q", 21);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        p.what.causal = n % 3 == 0;
        for (int i = 0; i < 6; i++)
            p.q[tsr_test_random_below(&seed, p.q_len * HEADS * DIM)] = special(&seed);
        run(&p);
        expect_special(&p);
    }
}

/* In K: all queries that see the key. An infinity among the elements of a key times elements of
 * both signs: logits of both signs; weighed as the definition says. */
static void test_attention_of_special_keys_is_the_definitions(void **state)
{
    uint64_t seed = tsr_test_seed("attention_special_k", 22);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        p.what.causal = true;
        for (int i = 0; i < 3; i++)
            p.k[tsr_test_random_below(&seed, p.kv_len * KV_HEADS * DIM)] = special(&seed);
        run(&p);
        expect_special(&p);
    }
}

/* In V, where every query sees every key with a weight far from 0. */
static void test_attention_of_special_values_is_the_definitions(void **state)
{
    uint64_t seed = tsr_test_seed("attention_special_v", 23);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        for (int i = 0; i < 5; i++)
            p.v[tsr_test_random_below(&seed, p.kv_len * KV_HEADS * DIM)] = special(&seed);
        run(&p);
        expect_special(&p);
    }
}

/* Logits of +-2^20 times an integer, up to 2^26: the largest alone weigh, equally. */
static void test_attention_of_huge_logits_takes_the_largest(void **state)
{
    uint64_t seed = tsr_test_seed("attention_huge", 24);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        p.what.scale = 1;
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            p.q[i] = 1024 * (float)((int)tsr_test_random_below(&seed, 5) - 2);
        for (size_t i = 0; i < p.kv_len * KV_HEADS * DIM; i++)
            p.k[i] = 1024 * (float)((int)tsr_test_random_below(&seed, 5) - 2);
        run(&p);
        /* equal logits stay equal, so weights are 1 and 0; the sums in f32 are of 45 at most */
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            expect(&p, i, fabs((double)p.got[i] - (double)p.want[i]) <= 0x1p-9 + 0x1p-18);
    }
}

/* Products down to below the least number: means, and with subnormal elements too. */
static void test_attention_of_tiny_logits_is_the_mean(void **state)
{
    uint64_t seed = tsr_test_seed("attention_tiny", 25);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            p.q[i] = ldexpf(p.q[i], n % 2 ? -126 : -60);
        for (size_t i = 0; i < p.kv_len * KV_HEADS * DIM; i++)
            p.k[i] = ldexpf(p.k[i], -62);
        run(&p);
        expect_near(&p);
    }
}

/* Rows that a mask leaves nothing: zeros, with sinks too; the others as ever. */
static void test_attention_of_rows_without_keys_is_zero(void **state)
{
    uint64_t seed = tsr_test_seed("attention_masked", 26);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        p.what.mask = p.mask;
        p.what.sinks = n % 3 == 0 ? p.sinks : NULL;
        for (size_t i = 0; i < p.q_len; i++)
            for (size_t j = 0; j < p.kv_len; j++)
                p.mask[i * p.kv_len + j] = i % 3 != 1 && tsr_test_random_below(&seed, 3) != 0;
        run(&p);
        expect_near(&p);
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            if (i / HEADS / DIM % 3 == 1)
                expect(&p, i, p.got[i] == 0);
    }
}

/* What the gradients start from; -infinity where nothing is seen. */
static void test_attention_leaves_the_logarithms_of_its_sums(void **state)
{
    uint64_t seed = tsr_test_seed("attention_lse", 30);
    static struct problem p;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 1 + (uint32_t)tsr_test_random_below(&seed, 40), 45, &seed);
        p.has_lse = true;
        p.what.causal = n % 2 == 0;
        p.what.sinks = n % 3 == 0 ? p.sinks : NULL;
        p.what.mask = n % 3 == 2 ? p.mask : NULL;
        for (size_t i = 0; i < p.q_len; i++)
            for (size_t j = 0; j < p.kv_len; j++)
                p.mask[i * p.kv_len + j] = i % 3 != 1;
        run(&p);
        expect_near(&p);
        for (size_t i = 0; i < p.q_len * HEADS; i++) {
            float got = p.lse[i % HEADS * p.q_len + i / HEADS], want = p.want_lse[i];
            if (want == -INFINITY ? got != want
                                  : !(fabs((double)got - (double)want) <= p.lse_bound[i]))
                fail_msg(
                    "%s, TESSERA_SEED=%llu: query %zu head %zu: lse %.9g, %.9g +- %.3g is right",
                    p.chip, (unsigned long long)p.seed, i / HEADS, i % HEADS, (double)got,
                    (double)want, p.lse_bound[i]);
        }
    }
}

/* ---- what holds whatever the values --------------------------------------------------------- */

/* Both results lie within the bound of the exact one. */
static void test_attention_of_permuted_keys_is_the_same(void **state)
{
    uint64_t seed = tsr_test_seed("attention_permuted", 27);
    static struct problem p, other;
    enum {
        ROW = KV_HEADS * DIM
    };
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        run(&p);
        other = p;
        other.what.q_len = &other.q_len;
        other.what.kv_len = &other.kv_len;
        for (size_t i = p.kv_len; i-- > 1;) {
            size_t j = tsr_test_random_below(&seed, i + 1);
            float t[ROW];
            for (int x = 0; x < 2; x++) {
                float *rows = x ? other.v : other.k;
                memcpy(t, rows + i * ROW, sizeof t);
                memmove(rows + i * ROW, rows + j * ROW, sizeof t);
                memcpy(rows + j * ROW, t, sizeof t);
            }
        }
        run(&other);
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            expect(&other, i,
                   fabs((double)other.got[i] - (double)p.got[i]) <= p.bound[i] + other.bound[i]);
    }
}

/* Parts of any number, over contexts whose last block is of any length. */
static void test_attention_split_anywhere_is_the_same(void **state)
{
    uint64_t seed = tsr_test_seed("attention_splits", 28);
    static struct problem p, other;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, "micro4", 1, 65 + (uint32_t)tsr_test_random_below(&seed, MOST - 65), &seed);
        p.splits = 1;
        run(&p);
        other = p;
        other.what.q_len = &other.q_len;
        other.what.kv_len = &other.kv_len;
        other.splits = 2; /* of four tiles, for each of two key heads */
        run(&other);
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            expect(&other, i,
                   fabs((double)other.got[i] - (double)p.got[i]) <= p.bound[i] + other.bound[i]);
        expect_near(&other);
    }
}

/* An element of Q that is 1 meets one of K that is c in all keys: c / 4 in all logits. */
static void test_attention_with_a_constant_added_is_the_same(void **state)
{
    static const float added[] = {1, -64, 1000, -30000};
    uint64_t seed = tsr_test_seed("attention_constant", 29);
    static struct problem p, other;
    (void)state;
    for (int n = 0; n < rounds(); n++) {
        draw(&p, chips[n % 2], 20, 45, &seed);
        for (size_t i = 5; i < p.q_len * HEADS * DIM; i += DIM)
            p.q[i] = 1;
        for (size_t i = 5; i < p.kv_len * KV_HEADS * DIM; i += DIM)
            p.k[i] = 0;
        run(&p);
        other = p;
        other.what.q_len = &other.q_len;
        other.what.kv_len = &other.kv_len;
        for (size_t i = 5; i < p.kv_len * KV_HEADS * DIM; i += DIM)
            other.k[i] = bf16(added[n % 4]);
        run(&other);
        for (size_t i = 0; i < p.q_len * HEADS * DIM; i++)
            expect(&other, i,
                   fabs((double)other.got[i] - (double)p.want[i]) <= other.bound[i] + 0x1p-24);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_of_special_queries_is_the_definitions),
        cmocka_unit_test(test_attention_of_special_keys_is_the_definitions),
        cmocka_unit_test(test_attention_of_special_values_is_the_definitions),
        cmocka_unit_test(test_attention_of_huge_logits_takes_the_largest),
        cmocka_unit_test(test_attention_of_tiny_logits_is_the_mean),
        cmocka_unit_test(test_attention_of_rows_without_keys_is_zero),
        cmocka_unit_test(test_attention_leaves_the_logarithms_of_its_sums),
        cmocka_unit_test(test_attention_of_permuted_keys_is_the_same),
        cmocka_unit_test(test_attention_split_anywhere_is_the_same),
        cmocka_unit_test(test_attention_with_a_constant_added_is_the_same),
    };
    return cmocka_run_group_tests(tests, load_isa, free_isa);
}
