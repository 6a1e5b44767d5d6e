/* SPDX-License-Identifier: Apache-2.0 */
/* Attention with everything that its definition knows (tessera/attention.h): masks, prefixes,
 * ALiBi, sequences of their own lengths, keys in pages anywhere, contexts split among tiles, values
 * that are part of the keys; random problems in the full simulator with the race check. */
#include "tests/support/attention_problem.h"
#include "tests/support/harness.h"
#include "tests/support/isa_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/attention.h"
#include "tessera/sim.h"

enum {
    ODD_PAGE = 1, /* pages of 1 to 40 tokens in random order */
    LATENT = 2,   /* values in keys */
    SPLIT = 4,    /* decode over as many tiles as there are */
    LONG = 8,     /* several blocks of 128 keys */
};

struct rig {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_sim *sim;
    struct attention_problem p;
    struct tsr_npu_attention op;
    uint32_t *pages;
    float *want, *got;
    char what[256];
};

static uint64_t pick(uint64_t *seed, uint64_t low, uint64_t high)
{
    return low + tsr_test_random_below(seed, high - low + 1);
}

static void round_bf16(float *x, size_t n)
{
    uint16_t code;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], 4);
        tsr_num_encode_array(&isa->formats[TSR_BF16], &code, &bits, 1, TSR_ROUND_EVEN);
        tsr_num_decode_array(&isa->formats[TSR_BF16], &bits, &code, 1);
        memcpy(&x[i], &bits, 4);
    }
}

static void write_at(struct rig *r, uint64_t address, const void *x, size_t n)
{
    struct tsr_error err = {0};
    if (tsr_sim_write(r->sim, address, x, n, &err) != TSR_OK)
        fail_msg("%s", err.message);
}

static void write_row(struct rig *r, uint64_t address, const float *x, size_t n)
{
    uint16_t row[1024];
    tsr_num_encode_array(&isa->formats[TSR_BF16], row, (const uint32_t *)(const void *)x, n,
                         TSR_ROUND_EVEN);
    write_at(r, address, row, 2 * n);
}

/* ---- a problem ------------------------------------------------------------------------------ */

static void draw(struct rig *r, unsigned features, unsigned layout, uint64_t *seed)
{
    struct tsr_attention *a = &r->p.what;
    a->batch = pick(seed, 1, layout & SPLIT ? 2 : 3);
    a->kv_heads = layout & LATENT ? 1 : pick(seed, 1, layout & SPLIT ? 1 : 2);
    a->heads = a->kv_heads * pick(seed, 1, pick(seed, 0, 3) ? 3 : 18);
    a->dim = 8 * pick(seed, 1, 6);
    a->value_dim = pick(seed, 0, 1) ? a->dim : 8 * pick(seed, 1, 6);
    if (layout & LATENT) { /* whole lines of 16 elements */
        a->value_dim = 16 * pick(seed, 1, pick(seed, 0, 2) ? 3 : 8);
        a->dim = a->value_dim + 8 * pick(seed, 0, 2);
    }
    uint32_t queries = (uint32_t)pick(seed, 1, pick(seed, 0, 1) ? 2 : 20), keys;
    queries = layout & SPLIT ? 1 : queries;
    keys = queries + (uint32_t)pick(seed, 0, layout & SPLIT ? 200 : 70);
    keys += layout & LONG ? (uint32_t)pick(seed, 100, 300) : 0;
    for (size_t b = 0; b < a->batch; b++) {
        r->p.q_len[b] = layout & SPLIT ? queries : (uint32_t)pick(seed, 1, queries);
        r->p.kv_len[b] = layout & SPLIT ? keys : (uint32_t)pick(seed, r->p.q_len[b], keys);
    }
    attention_problem_fill(&r->p, features, 1, seed);
    round_bf16(r->p.q, r->p.queries * a->heads * a->dim);
    round_bf16(r->p.k, r->p.keys * a->kv_heads * a->dim);
    round_bf16(r->p.v, r->p.keys * a->kv_heads * a->value_dim);
    for (size_t t = 0; layout & LATENT && t < r->p.keys; t++)
        memcpy(r->p.v + t * a->value_dim, r->p.k + t * a->dim, 4 * a->value_dim);
}

/* Any order of pages, some of the pool in nobody's table. */
static void draw_pages(struct rig *r, uint64_t *seed)
{
    struct tsr_npu_attention *op = &r->op;
    op->page_tokens = pick(seed, 1, 40);
    op->page_row = (op->kv_len + op->page_tokens - 1) / op->page_tokens;
    size_t n = op->batch * op->page_row, pool = n + 3;
    r->pages = malloc(pool * sizeof *r->pages);
    assert_non_null(r->pages);
    for (size_t i = 0; i < pool; i++)
        r->pages[i] = (uint32_t)i;
    for (size_t i = pool; i-- > 1;) {
        size_t j = tsr_test_random_below(seed, i + 1);
        uint32_t t = r->pages[i];
        r->pages[i] = r->pages[j];
        r->pages[j] = t;
    }
    op->pages = r->pages;
}

/* Where token t of sequence b is, head h. */
static uint64_t key_at(const struct rig *r, const struct tsr_npu_rows *k, size_t b, size_t t,
                       size_t h)
{
    const struct tsr_npu_attention *op = &r->op;
    if (!op->pages)
        return k->address + b * k->batch_stride + t * k->token_stride + h * k->head_stride;
    return k->address + op->pages[b * op->page_row + t / op->page_tokens] * k->batch_stride +
           t % op->page_tokens * k->token_stride + h * k->head_stride;
}

static struct tsr_npu_rows cache_rows(const struct rig *r, uint64_t address, size_t dim)
{
    const struct tsr_npu_attention *op = &r->op;
    uint64_t row = 2 * dim, tokens = op->pages ? op->page_tokens : op->kv_len;
    return (struct tsr_npu_rows){address, row * tokens * op->kv_heads, row, row * tokens};
}

static void place_cache(struct rig *r)
{
    struct tsr_npu_attention *op = &r->op;
    const struct tsr_attention *a = &r->p.what;
    size_t first = 0;
    op->k = cache_rows(r, TSR_HBM(1 << 24), a->dim);
    op->v = cache_rows(r, TSR_HBM(2 << 24), a->value_dim);
    for (size_t b = 0; b < a->batch; first += r->p.kv_len[b++])
        for (size_t t = 0; t < r->p.kv_len[b]; t++)
            for (size_t h = 0; h < a->kv_heads; h++) {
                size_t row = (first + t) * a->kv_heads + h;
                write_row(r, key_at(r, &op->k, b, t, h), r->p.k + row * a->dim, a->dim);
                write_row(r, key_at(r, &op->v, b, t, h), r->p.v + row * a->value_dim, a->value_dim);
            }
}

static void place_queries(struct rig *r)
{
    struct tsr_npu_attention *op = &r->op;
    const struct tsr_attention *a = &r->p.what;
    uint64_t row = 2 * a->dim, out = 2 * a->value_dim;
    size_t first = 0;
    op->q =
        (struct tsr_npu_rows){TSR_HBM(1 << 20), op->q_len * a->heads * row, a->heads * row, row};
    op->o =
        (struct tsr_npu_rows){TSR_HBM(3 << 24), op->q_len * a->heads * out, a->heads * out, out};
    for (size_t b = 0; b < a->batch; first += r->p.q_len[b++])
        for (size_t i = 0; i < r->p.q_len[b] * a->heads; i++)
            write_row(r, op->q.address + b * op->q.batch_stride + i * row,
                      r->p.q + (first * a->heads + i) * a->dim, a->dim);
}

/* A byte for each sequence, key, query and head of a group; the key heads share it. */
static void place_mask(struct rig *r)
{
    struct tsr_npu_attention *op = &r->op;
    const struct tsr_attention *a = &r->p.what;
    size_t group = a->heads / a->kv_heads, row = op->q_len * group, pair = 0;
    op->has_mask = true;
    op->mask = (struct tsr_npu_rows){TSR_HBM(4 << 24), op->kv_len * row, row, 0};
    for (size_t b = 0; b < a->batch; b++)
        for (size_t i = 0; i < r->p.q_len[b]; i++)
            for (size_t j = 0; j < r->p.kv_len[b]; j++, pair++)
                for (size_t g = 0; g < group; g++)
                    write_at(r,
                             op->mask.address + b * op->mask.batch_stride + j * row + i * group + g,
                             &a->mask[pair], 1);
}

static void place(struct rig *r, unsigned layout, uint64_t *seed)
{
    const struct tsr_attention *a = &r->p.what;
    struct tsr_npu_attention *op = &r->op;
    *op = (struct tsr_npu_attention){.batch = a->batch,
                                     .heads = a->heads,
                                     .kv_heads = a->kv_heads,
                                     .head_dim = a->dim,
                                     .v_dim = a->value_dim,
                                     .values_in_keys = (layout & LATENT) != 0,
                                     .causal = a->causal,
                                     .window = a->window,
                                     .prefix = a->prefix,
                                     .scale = a->scale,
                                     .softcap = a->softcap,
                                     .format = TSR_BF16,
                                     .has_sinks = a->sinks != NULL,
                                     .sink_format = TSR_F32,
                                     .sinks = TSR_HBM(64),
                                     .has_slopes = a->slopes != NULL,
                                     .slopes = TSR_HBM(4096)};
    for (size_t b = 0; b < a->batch; b++) {
        op->q_len = op->q_len > r->p.q_len[b] ? op->q_len : r->p.q_len[b];
        op->kv_len = op->kv_len > r->p.kv_len[b] ? op->kv_len : r->p.kv_len[b];
    }
    if (!(layout & SPLIT)) {
        op->q_lens = r->p.q_len;
        op->kv_lens = r->p.kv_len;
    }
    if (layout & ODD_PAGE)
        draw_pages(r, seed);
    place_queries(r);
    place_cache(r);
    if (a->mask)
        place_mask(r);
    if (a->sinks)
        write_at(r, op->sinks, a->sinks, 4 * a->heads);
    if (a->slopes)
        write_at(r, op->slopes, a->slopes, 4 * a->heads);
}

/* ---- and its result ------------------------------------------------------------------------- */

/* As in test_attention.c: |v| <= 1, half an ULP of bf16 for the weights and for the result, 2^-10
 * for the scores (|u| <= 48 x 1.45 + 0.1 x 90 x 1.45, some 2^-16 relative). */
static void compare(struct rig *r)
{
    const struct tsr_attention *a = &r->p.what;
    size_t first = 0, n = a->heads * a->value_dim;
    struct tsr_error err = {0};
    tsr_attention_plain(a, r->p.q, r->p.k, r->p.v, r->want, NULL);
    for (size_t b = 0; b < a->batch; first += r->p.q_len[b++])
        for (size_t i = 0; i < r->p.q_len[b]; i++) {
            uint16_t codes[32 * 160];
            uint32_t bits[32 * 160];
            assert_int_equal(
                tsr_sim_read(r->sim,
                             r->op.o.address + b * r->op.o.batch_stride + i * r->op.o.token_stride,
                             codes, 2 * n, &err),
                TSR_OK);
            tsr_num_decode_array(&isa->formats[TSR_BF16], bits, codes, n);
            for (size_t x = 0; x < n; x++) {
                float got, want = r->want[(first + i) * n + x];
                memcpy(&got, &bits[x], 4);
                if (!(fabsf(got - want) <= 0x1p-8f + 0x1p-8f * fabsf(want) + 0x1p-10f))
                    fail_msg("%s: sequence %zu query %zu head %zu element %zu is %.9g, %.9g is "
                             "right",
                             r->what, b, i, x / a->value_dim, x % a->value_dim, (double)got,
                             (double)want);
            }
        }
}

static void describe(struct rig *r, unsigned features, unsigned layout, uint64_t from)
{
    const struct tsr_npu_attention *op = &r->op;
    snprintf(r->what, sizeof r->what,
             "%s: TESSERA_SEED=%llu features %u layout %u batch %d heads %d:%d d %d %d q %d kv %d "
             "pages of %d",
             r->chip.name, (unsigned long long)from, features, layout, (int)op->batch,
             (int)op->heads, (int)op->kv_heads, (int)op->head_dim, (int)op->v_dim, (int)op->q_len,
             (int)op->kv_len, (int)op->page_tokens);
}

static void run(const char *chip, unsigned features, unsigned layout, uint64_t *seed)
{
    struct rig r = {0};
    struct tsr_error err = {0};
    struct tsr_program program = {0};
    struct tsr_run_options o = {
        .mode = TSR_MODE_FULL, .check_races = true, .limit_cycles = 100000000};
    struct tsr_stats full, timing;
    uint64_t from = *seed;
    assert_int_equal(tsr_chip_load(chip, &r.chip, &err), TSR_OK);
    assert_int_equal(tsr_sim_create(&r.chip, isa, &r.sim, &err), TSR_OK);
    draw(&r, features, layout, seed);
    place(&r, layout, seed);
    describe(&r, features, layout, from);
    r.want = calloc(r.p.queries * r.p.what.heads, 4 * r.p.what.value_dim);
    assert_non_null(r.want);
    if (tsr_npu_attention(isa, &r.chip, &r.op, &program, &err) != TSR_OK ||
        tsr_sim_run(r.sim, &program, &o, &full, NULL, &err) != TSR_OK)
        fail_msg("%s: %s", r.what, err.message);
    compare(&r);
    o.mode = TSR_MODE_TIMING;
    o.check_races = false;
    assert_int_equal(tsr_sim_run(r.sim, &program, &o, &timing, NULL, &err), TSR_OK);
    assert_int_equal(full.cycles, timing.cycles);
    attention_problem_free(&r.p);
    free(r.want);
    free(r.pages);
    tsr_program_free(&program);
    tsr_sim_destroy(r.sim);
}

static void test_attention_of_every_feature_is_the_references(void **state)
{
    static const char *const chips[] = {"micro", "micro4"};
    uint64_t seed = tsr_test_seed("attention_general", 77);
    int rounds = tsr_test_nightly() ? 20 : 1;
    (void)state;
    for (int n = 0; n < rounds; n++)
        for (unsigned f = 0; f <= PROBLEM_ALL; f++)
            run(chips[f % 3 == 0], f, f % 8 & (ODD_PAGE | LATENT), &seed);
}

static void test_attention_split_context_is_merged(void **state)
{
    uint64_t seed = tsr_test_seed("attention_split", 78);
    int rounds = tsr_test_nightly() ? 200 : 12;
    (void)state;
    for (int n = 0; n < rounds; n++) {
        unsigned f = (unsigned)tsr_test_random_below(&seed, PROBLEM_ALL + 1);
        run("micro4", f, SPLIT | (n & (ODD_PAGE | LATENT)), &seed);
    }
}

/* Of the large chip: blocks of 128 keys and 64 rows, 64 tiles. */
static void test_attention_on_the_large_chip_is_the_references(void **state)
{
    uint64_t seed = tsr_test_seed("attention_large", 79);
    int rounds = tsr_test_nightly() ? 100 : 6;
    (void)state;
    for (int n = 0; n < rounds; n++) {
        unsigned f = (unsigned)tsr_test_random_below(&seed, PROBLEM_ALL + 1);
        f = n == 0 ? PROBLEM_CAUSAL : f;
        run("maia100", f, LONG | (n % 2 ? SPLIT : 0) | (unsigned)(n & ODD_PAGE), &seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_of_every_feature_is_the_references),
        cmocka_unit_test(test_attention_split_context_is_merged),
        cmocka_unit_test(test_attention_on_the_large_chip_is_the_references),
    };
    return cmocka_run_group_tests(tests, load_isa, free_isa);
}
