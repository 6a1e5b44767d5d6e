/* SPDX-License-Identifier: Apache-2.0 */
/* Attention: random shapes in the full simulator with the race check, refusals, and what the
 * timing of the large chip must reach. The derived bounds are those of the suite's fixed cases;
 * here a plain one, so that errors of masks and addresses show.
 * labels: slow */
#include "tests/support/harness.h"
#include "tests/support/isa_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention.h"
#include "kernels/ref.h"
#include "tessera/sim.h"

static void chip_of(const char *name, struct tsr_chip *chip)
{
    struct tsr_error err = {0};
    if (tsr_chip_load(name, chip, &err) != TSR_OK)
        fail_msg("%s", err.message);
}

/* ---- random shapes -------------------------------------------------------------------------- */

struct data {
    float *q, *k, *v, *o, *want, sinks[64];
    size_t nq, nk;
};

static uint64_t pick(uint64_t *seed, uint64_t low, uint64_t high)
{
    return low + tsr_test_random_below(seed, high - low + 1);
}

static struct tsr_npu_attention random_shape(uint64_t *seed)
{
    struct tsr_npu_attention op = {
        .batch = pick(seed, 1, 2), .kv_heads = pick(seed, 1, 3), .format = TSR_BF16};
    op.heads = op.kv_heads * pick(seed, 1, pick(seed, 0, 3) ? 3 : 17);
    op.head_dim = 8 * pick(seed, 1, pick(seed, 0, 3) ? 4 : 18);
    op.kv_len = pick(seed, 1, pick(seed, 0, 2) ? 40 : 150);
    op.q_len = pick(seed, 1, pick(seed, 0, 1) ? 3 : 40);
    op.causal = pick(seed, 0, 3) != 0;
    if (op.causal && op.q_len > op.kv_len)
        op.q_len = op.kv_len;
    op.window = pick(seed, 0, 1) ? pick(seed, 1, op.kv_len + 1) : 0;
    op.scale = pick(seed, 0, 1) ? 1 / sqrt((double)op.head_dim) : 1;
    op.softcap = pick(seed, 0, 3) ? 0 : (double)pick(seed, 1, 30);
    op.has_sinks = pick(seed, 0, 2) == 0;
    op.sink_format = TSR_F32;
    return op;
}

static float *values(uint64_t *seed, size_t n)
{
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        x[i] = tsr_test_random_f32(seed);
        memcpy(&u, &x[i], 4);
        u &= 0xFFFF0000;
        memcpy(&x[i], &u, 4);
    }
    return x;
}

/* Puts x [batch][tokens][heads][d] where r says. */
static void put(struct tsr_sim *sim, const struct tsr_npu_attention *op,
                const struct tsr_npu_rows *r, size_t tokens, size_t heads, const float *x)
{
    struct tsr_error err = {0};
    size_t d = op->head_dim;
    uint8_t row[2048];
    for (size_t i = 0; i < op->batch * tokens * heads; i++) {
        uint64_t at = r->address + i / heads / tokens * r->batch_stride +
                      i / heads % tokens * r->token_stride + i % heads * r->head_stride;
        tsr_num_encode_array(&isa->formats[TSR_BF16], row,
                             (const uint32_t *)(const void *)(x + i * d), d, TSR_ROUND_EVEN);
        assert_int_equal(tsr_sim_write(sim, at, row, 2 * d, &err), TSR_OK);
    }
}

enum kind {
    RANDOM,
    PEAKS,
    SUNK
};

/* PEAKS: query i sees one key, i, above all others by far more than an exponent: a maximum that
 * misses a row overflows. SUNK: all logits so low that they count as minus infinity. */
static void special_values(const struct tsr_npu_attention *op, struct data *x, enum kind kind)
{
    size_t d = op->head_dim;
    for (size_t i = 0; kind == PEAKS && i < x->nq; i++)
        x->q[i] = i / d % d == i % d ? 32 : 0;
    for (size_t i = 0; kind == PEAKS && i < x->nk; i++)
        x->k[i] = i / d % d == i % d ? 32 : 0;
    for (size_t i = 0; kind == SUNK && i < x->nq; i++)
        x->q[i] = -0x1p20f;
    for (size_t i = 0; kind == SUNK && i < x->nk; i++)
        x->k[i] = 0x1p20f;
}

static void place(struct tsr_sim *sim, struct tsr_npu_attention *op, struct data *x, enum kind kind,
                  bool by_heads, uint64_t *seed)
{
    struct tsr_error err = {0};
    uint64_t row = 2 * op->head_dim, tokens = op->kv_len;
    x->nq = op->batch * op->q_len * op->heads * op->head_dim;
    x->nk = op->batch * tokens * op->kv_heads * op->head_dim;
    x->q = values(seed, x->nq);
    x->k = values(seed, x->nk);
    x->v = values(seed, x->nk);
    x->want = values(seed, x->nq);
    x->o = values(seed, x->nq);
    special_values(op, x, kind);
    struct tsr_npu_rows q = {TSR_HBM(4096), op->q_len * op->heads * row, op->heads * row, row};
    struct tsr_npu_rows k = {TSR_HBM(1 << 24), tokens * op->kv_heads * row, op->kv_heads * row,
                             row};
    if (by_heads)
        k = (struct tsr_npu_rows){TSR_HBM(1 << 24), tokens * op->kv_heads * row, row, tokens * row};
    op->q = q;
    op->k = op->v = k;
    op->v.address += 1 << 24;
    op->o = q;
    op->o.address = TSR_HBM(1 << 26);
    op->sinks = TSR_HBM(64);
    for (int i = 0; i < 64; i++)
        x->sinks[i] = tsr_test_random_f32(seed);
    put(sim, op, &op->q, op->q_len, op->heads, x->q);
    put(sim, op, &op->k, tokens, op->kv_heads, x->k);
    put(sim, op, &op->v, tokens, op->kv_heads, x->v);
    assert_int_equal(tsr_sim_write(sim, op->sinks, x->sinks, sizeof x->sinks, &err), TSR_OK);
}

/* Half an ULP of bf16 relative (2^-8) for p and for the result, 2^-10 for the scores (|u| up to
 * 144 x 1.45, 2^-16 relative); v is within 1. */
static void compare(const struct tsr_npu_attention *op, struct data *x, enum kind kind,
                    const char *what)
{
    struct tsr_attention_shape h = {op->heads,  op->kv_heads, op->head_dim, op->q_len,  op->kv_len,
                                    op->window, op->causal,   op->scale,    op->softcap};
    for (size_t b = 0; b < op->batch; b++)
        tsr_attention_ref(&h, x->q + b * x->nq / op->batch, x->k + b * x->nk / op->batch,
                          x->v + b * x->nk / op->batch, op->has_sinks ? x->sinks : NULL,
                          x->want + b * x->nq / op->batch);
    for (size_t i = 0; kind == SUNK && i < x->nq; i++)
        x->want[i] = 0;
    for (size_t i = 0; i < x->nq; i++)
        if (!(fabsf(x->o[i] - x->want[i]) <= 0x1p-8f + 0x1p-8f * fabsf(x->want[i]) + 0x1p-10f))
            fail_msg("%s: element %zu is %.9g, %.9g is right", what, i, (double)x->o[i],
                     (double)x->want[i]);
}

static void run(const struct tsr_chip *chip, struct tsr_npu_attention op, enum kind kind,
                uint64_t *seed)
{
    struct tsr_error err = {0};
    struct tsr_program program = {0};
    struct tsr_sim *sim;
    struct data x;
    struct tsr_run_options o = {
        .mode = TSR_MODE_FULL, .check_races = true, .limit_cycles = 100000000};
    struct tsr_stats full, timing;
    char what[200];
    snprintf(what, sizeof what,
             "%s: batch %d heads %d:%d d %d q %d kv %d causal %d window %d softcap %g sinks %d",
             chip->name, (int)op.batch, (int)op.heads, (int)op.kv_heads, (int)op.head_dim,
             (int)op.q_len, (int)op.kv_len, op.causal, (int)op.window, op.softcap, op.has_sinks);
    assert_int_equal(tsr_sim_create(chip, isa, &sim, &err), TSR_OK);
    place(sim, &op, &x, kind, tsr_test_random_below(seed, 2), seed);
    if (tsr_npu_attention(isa, chip, &op, &program, &err) != TSR_OK)
        fail_msg("%s: %s", what, err.message);
    if (tsr_sim_run(sim, &program, &o, &full, NULL, &err) != TSR_OK)
        fail_msg("%s: %s", what, err.message);
    uint16_t *codes = malloc(2 * x.nq);
    assert_non_null(codes);
    assert_int_equal(tsr_sim_read(sim, op.o.address, codes, 2 * x.nq, &err), TSR_OK);
    tsr_num_decode_array(&isa->formats[TSR_BF16], (uint32_t *)(void *)x.o, codes, x.nq);
    compare(&op, &x, kind, what);
    o.mode = TSR_MODE_TIMING;
    o.check_races = false;
    assert_int_equal(tsr_sim_run(sim, &program, &o, &timing, NULL, &err), TSR_OK);
    assert_int_equal(full.cycles, timing.cycles);
    free(codes);
    free(x.q), free(x.k), free(x.v), free(x.o), free(x.want);
    tsr_program_free(&program);
    tsr_sim_destroy(sim);
}

static void test_attention_random_shapes_match_reference(void **state)
{
    static const char *const names[] = {"micro", "micro4"};
    uint64_t seed = tsr_test_seed("attention", 20240607);
    int runs = tsr_test_nightly() ? 1000 : 60;
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct tsr_chip chip;
        chip_of(names[c], &chip);
        for (int i = 0; i < runs; i++)
            run(&chip, random_shape(&seed), RANDOM, &seed);
    }
}

static void test_attention_every_key_can_be_the_maximum(void **state)
{
    struct tsr_npu_attention op = {.batch = 1,
                                   .heads = 1,
                                   .kv_heads = 1,
                                   .head_dim = 32,
                                   .q_len = 32,
                                   .kv_len = 32,
                                   .scale = 1,
                                   .format = TSR_BF16};
    struct tsr_chip chip;
    uint64_t seed = tsr_test_seed("peaks", 1);
    (void)state;
    chip_of("micro", &chip);
    run(&chip, op, PEAKS, &seed);
    op.causal = true;
    run(&chip, op, PEAKS, &seed);
    op.window = 17;
    run(&chip, op, PEAKS, &seed);
}

static void test_attention_without_weight_gives_zeros(void **state)
{
    struct tsr_npu_attention op = {.batch = 1,
                                   .heads = 2,
                                   .kv_heads = 1,
                                   .head_dim = 16,
                                   .q_len = 5,
                                   .kv_len = 40,
                                   .scale = 1,
                                   .format = TSR_BF16,
                                   .causal = true};
    struct tsr_chip chip;
    uint64_t seed = tsr_test_seed("sunk", 2);
    (void)state;
    chip_of("micro", &chip);
    run(&chip, op, SUNK, &seed);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void test_attention_bad_shapes_are_refused(void **state)
{
    static const struct {
        const char *says;
        struct tsr_npu_attention op;
    } bad[] = {
        {"1 to 2^20",
         {.batch = 0,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1}},
        {"multiple of kv_heads",
         {.batch = 1,
          .heads = 3,
          .kv_heads = 2,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1}},
        {"multiples of 8",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 12,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1}},
        {"at most kv_len",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 2,
          .kv_len = 1,
          .causal = true,
          .scale = 1}},
        {"scale",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = 0}},
        {"scale",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = NAN}},
        {"bf16, f16 or f8e4m3",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1,
          .format = TSR_I8}},
        {"sink_format",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 8,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1,
          .has_sinks = true,
          .sink_format = TSR_I8}},
        {"TSRAM",
         {.batch = 1,
          .heads = 1,
          .kv_heads = 1,
          .head_dim = 1024,
          .q_len = 1,
          .kv_len = 1,
          .scale = 1}},
    };
    struct tsr_chip chip;
    (void)state;
    chip_of("micro", &chip);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsr_npu_attention op = bad[i].op;
        struct tsr_program program = {0};
        struct tsr_error err = {0};
        op.format = op.format ? op.format : TSR_BF16;
        assert_int_equal(tsr_npu_attention(isa, &chip, &op, &program, &err), TSR_BAD_INPUT);
        assert_null(program.tcp);
        if (!strstr(err.message, bad[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i].says);
    }
}

/* ---- speed ---------------------------------------------------------------------------------- */

struct speed {
    double tensor, hbm; /* of the peaks, for the MACs needed and the bytes moved */
    uint64_t cycles;
};

static struct speed time_of(struct tsr_npu_attention op)
{
    struct tsr_chip chip;
    struct tsr_error err = {0};
    struct tsr_program program = {0};
    struct tsr_sim *sim;
    struct tsr_run_options o = {.mode = TSR_MODE_TIMING};
    struct tsr_stats st;
    uint64_t row = 2 * op.head_dim;
    chip_of("maia100", &chip);
    op.format = TSR_BF16;
    op.scale = 1;
    op.causal = true;
    op.q.address = TSR_HBM(1 << 20);
    op.k = (struct tsr_npu_rows){TSR_HBM(1ull << 32), op.kv_heads * op.kv_len * row, row,
                                 op.kv_len * row};
    op.v = op.k;
    op.v.address = TSR_HBM(2ull << 32);
    op.o.address = TSR_HBM(3ull << 32);
    op.sinks = TSR_HBM(0);
    assert_int_equal(tsr_sim_create(&chip, isa, &sim, &err), TSR_OK);
    assert_int_equal(tsr_npu_attention(isa, &chip, &op, &program, &err), TSR_OK);
    if (tsr_sim_run(sim, &program, &o, &st, NULL, &err) != TSR_OK)
        fail_msg("%s", err.message);
    double d = chip.tile.ttu.dim, needed = 0, cycles = (double)st.cycles;
    for (uint64_t i = 0; i < op.q_len; i++) {
        uint64_t keys = op.kv_len - op.q_len + i + 1;
        needed += (double)(op.window && keys > op.window ? op.window : keys);
    }
    needed *= 2.0 * (double)(op.head_dim * op.heads * op.batch);
    double peak = d * d * chip.tile.ttu.r16 * tsr_chip_tiles(&chip);
    double pins = chip.hbm.stacks * chip.hbm.channels * chip.hbm.channel_bits / 4.0 *
                  chip.hbm.clock_num / chip.hbm.clock_den;
    struct speed s = {needed / peak / cycles,
                      (double)(st.hbm_read_bytes + st.hbm_write_bytes) / pins / cycles, st.cycles};
    print_message("heads %d:%d d %d batch %d q %d kv %d window %d: %llu cycles, tensor %.1f %%, "
                  "HBM %.1f %%\n",
                  (int)op.heads, (int)op.kv_heads, (int)op.head_dim, (int)op.batch, (int)op.q_len,
                  (int)op.kv_len, (int)op.window, (unsigned long long)s.cycles, 100 * s.tensor,
                  100 * s.hbm);
    tsr_program_free(&program);
    tsr_sim_destroy(sim);
    return s;
}

static void test_attention_prefill_uses_the_tensor_unit(void **state)
{
    (void)state;
    struct tsr_npu_attention mha = {
        .batch = 1, .heads = 32, .kv_heads = 32, .head_dim = 128, .q_len = 2048, .kv_len = 2048};
    struct tsr_npu_attention gqa = mha;
    struct tsr_npu_attention narrow = mha, wide = mha;
    gqa.kv_heads = 8;
    narrow.head_dim = 64;
    wide.head_dim = 256;
    assert_true(time_of(mha).tensor >= 0.68);
    assert_true(time_of(gqa).tensor >= 0.75);
    assert_true(time_of(narrow).tensor >= 0.4);
    assert_true(time_of(wide).tensor >= 0.6);
}

static void test_attention_decode_streams_the_cache(void **state)
{
    (void)state;
    struct tsr_npu_attention one = {
        .batch = 1, .heads = 32, .kv_heads = 32, .head_dim = 128, .q_len = 1, .kv_len = 2048};
    struct tsr_npu_attention many = one;
    many.batch = 16;
    many.kv_heads = 8;
    struct tsr_npu_attention few = many; /* eight units: shared among the tiles */
    few.batch = 1;
    few.kv_len = 8192;
    assert_true(time_of(few).hbm >= 0.88);
    assert_true(time_of(one).hbm >= 0.9);
    assert_true(time_of(many).hbm >= 0.9);
}

/* Two sequences each of 512, 1024 .. 4096 keys: 128 units for 64 tiles. Dealt as they come a tile
 * gets twice the same length, at most 1.8 times the mean. */
static void test_attention_ragged_decode_deals_the_keys_evenly(void **state)
{
    uint32_t lengths[16];
    struct tsr_npu_attention op = {.batch = 16,
                                   .heads = 32,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .q_len = 1,
                                   .kv_len = 4096,
                                   .kv_lens = lengths};
    (void)state;
    for (uint32_t b = 0; b < 16; b++)
        lengths[b] = 512 * (b % 8 + 1);
    assert_true(time_of(op).hbm >= 0.95);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_random_shapes_match_reference),
        cmocka_unit_test(test_attention_every_key_can_be_the_maximum),
        cmocka_unit_test(test_attention_without_weight_gives_zeros),
        cmocka_unit_test(test_attention_bad_shapes_are_refused),
        cmocka_unit_test(test_attention_prefill_uses_the_tensor_unit),
        cmocka_unit_test(test_attention_decode_streams_the_cache),
        cmocka_unit_test(test_attention_ragged_decode_deals_the_keys_evenly),
    };
    return cmocka_run_group_tests(tests, load_isa, free_isa);
}
