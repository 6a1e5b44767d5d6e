/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention: every variant that this processor has, against attention the long way within the
 * contract's bound, between unmapped pages; and what must hold between its own results. */
#include "tests/support/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/variants.h"
#include "tessera/attention.h"
#include "tessera/cpu.h"
#include "tessera/vecmath.h"
#include "tests/support/attention_problem.h"

enum {
    MAX_PAGES = 1024
};

/* A problem in the shape of a call: the cache in pages of random order, all buffers guarded. */
struct rig {
    struct attention_problem *p;
    struct tsr_kv kv;
    uint32_t table[MAX_PAGES];
    struct tsr_attention_call call;
    size_t kv_bytes, q_bytes, o_bytes, lse_bytes;
    bool rounded; /* keys and values lose bits on their way into the arithmetic */
};

static void shuffled_pages(struct rig *r, size_t pages, uint64_t *seed)
{
    for (uint32_t i = 0; i < pages; i++)
        r->table[i] = i;
    for (size_t i = pages; i > 1; i--) {
        const size_t j = tsr_test_random_below(seed, i);
        const uint32_t t = r->table[i - 1];
        r->table[i - 1] = r->table[j];
        r->table[j] = t;
    }
}

/* Puts the problem's keys and values into pages, and into the problem what came of them. */
static void fill_cache(struct rig *r, size_t page_tokens, uint64_t *seed)
{
    const struct tsr_attention *a = &r->p->what;
    size_t longest = 1, bytes = 0, key = 0;
    for (size_t b = 0; b < a->batch; b++)
        longest = a->kv_len[b] > longest ? a->kv_len[b] : longest;
    r->kv.page_tokens = page_tokens;
    r->kv.table_stride = (longest + page_tokens - 1) / page_tokens;
    const size_t pages = a->batch * r->kv.table_stride;
    assert_true(pages <= MAX_PAGES);
    shuffled_pages(r, pages, seed);
    r->kv.table = r->table;
    assert_int_equal(tsr_kv_page_bytes(&r->kv, &bytes, NULL), TSR_OK);
    r->kv_bytes = pages * bytes;
    r->kv.pages = tsr_test_guarded(r->kv_bytes);
    memset(r->kv.pages, 0xFF, r->kv_bytes);
    const size_t k_row = a->kv_heads * a->dim, v_row = a->kv_heads * a->value_dim;
    for (size_t b = 0; b < a->batch; b++) {
        float *k = r->p->k + key * k_row, *v = r->p->v + key * v_row;
        assert_int_equal(tsr_kv_append(&r->kv, b, 0, a->kv_len[b], k, k_row, v, v_row, NULL),
                         TSR_OK);
        for (size_t t = 0; t < a->kv_len[b]; t++)
            for (size_t h = 0; h < a->kv_heads; h++)
                tsr_kv_read(&r->kv, b, t, h, k + t * k_row + h * a->dim,
                            v + t * v_row + h * a->value_dim);
        key += a->kv_len[b];
    }
}

static void open_rig(struct rig *r, struct attention_problem *p, enum tsr_dtype format,
                     enum tsr_dtype kv_format, size_t page_tokens, uint64_t *seed)
{
    const struct tsr_attention *a = &p->what;
    *r = (struct rig){.p = p};
    r->kv = (struct tsr_kv){.format = kv_format,
                            .kv_heads = a->kv_heads,
                            .dim = a->dim,
                            .value_dim = a->value_dim,
                            .group = page_tokens % 3 ? 8 : 1};
    r->rounded =
        format == TSR_BF16 && (kv_format == TSR_F32 || kv_format == TSR_F16 || kv_format == TSR_I8);
    fill_cache(r, page_tokens, seed);
    const size_t nq = p->queries * a->heads * a->dim, no = p->queries * a->heads * a->value_dim;
    r->q_bytes = nq * (format == TSR_F32 ? 4 : 2);
    r->o_bytes = no * (format == TSR_F32 ? 4 : 2);
    r->lse_bytes = p->queries * a->heads * 4;
    void *q = tsr_test_guarded(r->q_bytes);
    if (format == TSR_F32) {
        memcpy(q, p->q, r->q_bytes);
    } else {
        tsr_convert_f32_bf16(nq, p->q, q);
        tsr_convert_bf16_f32(nq, q, p->q);
    }
    r->call = (struct tsr_attention_call){.what = a,
                                          .format = format,
                                          .q = q,
                                          .q_stride = a->heads * a->dim,
                                          .kv = &r->kv,
                                          .o = tsr_test_guarded(r->o_bytes),
                                          .o_stride = a->heads * a->value_dim,
                                          .lse = tsr_test_guarded(r->lse_bytes)};
}

static void close_rig(struct rig *r)
{
    tsr_test_unguard(r->kv.pages, r->kv_bytes);
    tsr_test_unguard((void *)(uintptr_t)r->call.q, r->q_bytes);
    tsr_test_unguard(r->call.o, r->o_bytes);
    tsr_test_unguard(r->call.lse, r->lse_bytes);
}

/* Runs with just the scratch that is asked for, full of NaNs. */
static void run(struct rig *r, const struct tsr_parallel *parallel)
{
    struct tsr_error err = {0};
    struct tsr_attention_call *c = &r->call;
    const size_t threads = parallel != NULL ? parallel->threads : 1;
    assert_int_equal(tsr_attention_scratch_bytes(c, threads, &c->scratch_bytes, &err), TSR_OK);
    c->scratch = tsr_test_guarded(c->scratch_bytes);
    memset(c->scratch, 0xFF, c->scratch_bytes);
    memset(c->o, 0xFF, r->o_bytes);
    memset(c->lse, 0xFF, r->lse_bytes);
    c->parallel = parallel;
    if (tsr_attention_run(c, &err) != TSR_OK)
        fail_msg("%s", err.message);
    tsr_test_unguard(c->scratch, c->scratch_bytes);
}

static double result(const struct rig *r, size_t i)
{
    float x = 0;
    if (r->call.format == TSR_F32)
        return ((const float *)r->call.o)[i];
    tsr_convert_bf16_f32(1, (const uint16_t *)r->call.o + i, &x);
    return x;
}

/* The contract's: 2 max|v| (error of the logits + of the weights) + half an ULP. */
static double bound(const struct rig *r, const struct tsr_variant *v, double slack, double value)
{
    const struct tsr_attention *a = r->call.what;
    const bool bf16 = r->call.format == TSR_BF16;
    double keys = 0;
    for (size_t b = 0; b < a->batch; b++)
        keys = a->kv_len[b] > keys ? a->kv_len[b] : keys;
    double e = 0x1p-24 * ((double)a->dim + 16) * slack + 0x1p-21 * a->softcap;
    double c = 0x1p-24 * (keys + 64) + 0x1p-20;
    if (bf16 && v->tolerance != 0) {
        e += r->rounded ? 0x1p-8 * slack : 0;
        c += 0x1p-8 + 1.6e-5 + (r->rounded ? 0x1p-8 : 0);
    }
    return 2 * (e + c) + fabs(value) * (bf16 ? 0x1p-8 : 0x1p-23) + 0x1p-120;
}

static void check(struct rig *r, const struct tsr_variant *v, unsigned features)
{
    const struct tsr_attention *a = r->call.what;
    const size_t rows = r->p->queries * a->heads;
    double *o = malloc((rows * a->value_dim + 1) * 8), *lse = malloc((rows + 1) * 8);
    double *slack = malloc((rows + 1) * 8);
    assert_true(o != NULL && lse != NULL && slack != NULL);
    attention_long_way(r->p, o, lse, NULL, slack);
    for (size_t i = 0; i < rows; i++) {
        const double most = bound(r, v, slack[i], 0);
        if (!(isinf(lse[i]) ? (double)r->call.lse[i] == lse[i]
                            : fabs(r->call.lse[i] - lse[i]) <= most + fabs(lse[i]) * 0x1p-23))
            fail_msg("%s: lse[%zu] = %.9g, want %.9g +- %g", v->name, i, (double)r->call.lse[i],
                     lse[i], most);
        for (size_t d = 0; d < a->value_dim; d++) {
            const double got = result(r, i * a->value_dim + d), want = o[i * a->value_dim + d];
            if (!(fabs(got - want) <= bound(r, v, slack[i], want)))
                fail_msg("%s_%s kv %d heads %zu/%zu dim %zu/%zu q %u kv %u features %x page %zu: "
                         "o[%zu][%zu] = %.9g, want %.9g +- %g",
                         tsr_op_name(v->op), v->name, (int)r->kv.format, a->heads, a->kv_heads,
                         a->dim, a->value_dim, a->q_len[0], a->kv_len[0], features,
                         r->kv.page_tokens, i, d, got, want, bound(r, v, slack[i], want));
        }
    }
    free(o);
    free(lse);
    free(slack);
}

/* The reference is slow, and the same everywhere: where emulated it is left to the cores without a
 * variant. */
static bool is_wanted(const struct tsr_variant *v)
{
    return (v->op == TSR_OP_attention_f32 || v->op == TSR_OP_attention_bf16) &&
           (v->features & ~tsr_cpu_features()) == 0 &&
           (v->features != 0 || !tsr_test_emulated() || (tsr_cpu_features() & TSR_CPU_SVE) == 0);
}

static const struct tsr_variant *next_variant(const struct tsr_variant *after)
{
    const struct tsr_variant *end = tsr_variants + tsr_variant_count;
    for (const struct tsr_variant *v = after == NULL ? tsr_variants : after + 1; v < end; v++)
        if (is_wanted(v))
            return v;
    return NULL;
}

static enum tsr_dtype format_of(const struct tsr_variant *v)
{
    return v->op == TSR_OP_attention_f32 ? TSR_F32 : TSR_BF16;
}

static const enum tsr_dtype kv_formats[] = {TSR_F32, TSR_BF16,   TSR_F16,
                                            TSR_I8,  TSR_F8E4M3, TSR_MXF8E4M3};

struct shape {
    size_t batch, heads, kv_heads, dim, value_dim;
    uint32_t q_len[3], kv_len[3];
    unsigned features;
};

static void check_shape(const struct tsr_variant *v, const struct shape *s,
                        enum tsr_dtype kv_format, size_t page_tokens, uint64_t *seed)
{
    struct attention_problem p = {.what = {.batch = s->batch,
                                           .heads = s->heads,
                                           .kv_heads = s->kv_heads,
                                           .dim = s->dim,
                                           .value_dim = s->value_dim}};
    struct rig r;
    for (size_t b = 0; b < s->batch; b++) {
        p.q_len[b] = s->q_len[b];
        p.kv_len[b] = s->kv_len[b];
    }
    attention_problem_fill(&p, s->features, 3, seed);
    tsr_variant_use(v);
    open_rig(&r, &p, format_of(v), kv_format, page_tokens, seed);
    run(&r, NULL);
    check(&r, v, s->features);
    close_rig(&r);
    attention_problem_free(&p);
}

/* Around tiles of 8 keys, blocks of 256, splits of 2048, the rows of a block at several lengths. */
static void test_attention_edges_are_within_bound(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {1, 1, 1, 8, 8, {1}, {1}, 0},
        {1, 2, 1, 16, 24, {3}, {7}, PROBLEM_CAUSAL},
        {1, 4, 4, 64, 64, {5}, {8}, PROBLEM_CAUSAL},
        {1, 4, 2, 24, 8, {9}, {9}, PROBLEM_CAUSAL},
        {1, 1, 1, 80, 96, {13}, {255}, 0},
        {1, 2, 2, 32, 16, {25}, {256}, PROBLEM_CAUSAL},
        {1, 8, 1, 40, 40, {2}, {257}, PROBLEM_CAUSAL | PROBLEM_WINDOW},
        {3, 2, 1, 8, 8, {0, 4, 1}, {5, 4, 0}, PROBLEM_SINKS},
        {2, 2, 1, 16, 16, {2, 1}, {2049, 2048}, PROBLEM_CAUSAL | PROBLEM_SINKS},
        {1, 1, 1, 8, 24, {65}, {300}, PROBLEM_CAUSAL | PROBLEM_PREFIX},
        {1, 3, 1, 24, 8, {97}, {40}, PROBLEM_MASK},
        {1, 2, 2, 192, 128, {2}, {70}, PROBLEM_CAUSAL},
        {1, 4, 1, 576, 512, {1}, {33}, PROBLEM_CAUSAL},
        {1, 1, 1, 256, 256, {2}, {31}, PROBLEM_SOFTCAP | PROBLEM_SLOPES},
    };
    uint64_t seed = tsr_test_seed("attention edges", 71);
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;)
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
            check_shape(v, &shapes[i], format_of(v), i % 2 ? 16 : 104, &seed);
}

static void test_attention_random_mixtures_are_within_bound(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention mixtures", 72);
    const int rounds = tsr_test_nightly() ? 600 : tsr_test_emulated() ? 9 : 24;
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;)
        for (int i = 0; i < rounds; i++) {
            struct shape s = {.batch = 1 + tsr_test_random_below(&seed, 3),
                              .kv_heads = 1 + tsr_test_random_below(&seed, 2),
                              .dim = 8 + 8 * tsr_test_random_below(&seed, 6),
                              .value_dim = 8 + 8 * tsr_test_random_below(&seed, 6)};
            s.heads = s.kv_heads * (1 + tsr_test_random_below(&seed, 4));
            for (size_t b = 0; b < s.batch; b++) {
                s.q_len[b] = (uint32_t)tsr_test_random_below(&seed, 20);
                s.kv_len[b] = s.q_len[b] + (uint32_t)tsr_test_random_below(&seed, 90);
            }
            s.features = i < 7 ? 1u << i : (unsigned)tsr_test_random(&seed) & PROBLEM_ALL;
            const size_t page = 8 + 8 * tsr_test_random_below(&seed, 6);
            check_shape(v, &s, kv_formats[i % 6], page, &seed);
        }
}

/* The same bits for threads, for a sequence alone or among others, for a query alone. */
static void test_attention_bits_depend_on_the_row_alone(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention bits", 73);
    struct tsr_pool *pool;
    assert_int_equal(tsr_pool_create(3, &pool, NULL), TSR_OK);
    const struct tsr_parallel three = tsr_pool_parallel(pool);
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;) {
        struct attention_problem p = {
            .q_len = {21, 3},
            .kv_len = {270, 2100},
            .what = {.batch = 2, .heads = 4, .kv_heads = 2, .dim = 16, .value_dim = 8}};
        struct rig r;
        tsr_variant_use(v);
        attention_problem_fill(&p, PROBLEM_CAUSAL | PROBLEM_SINKS, 40, &seed);
        open_rig(&r, &p, format_of(v), format_of(v), 32, &seed);
        run(&r, NULL);
        char *once = malloc(r.o_bytes);
        assert_non_null(once);
        memcpy(once, r.call.o, r.o_bytes);
        run(&r, &three);
        assert_memory_equal(once, r.call.o, r.o_bytes);
        /* The last query of the first sequence, alone in a call. */
        const size_t row = r.o_bytes / 24, q_row = r.q_bytes / 24;
        const uint32_t one = 1;
        p.what.batch = 1;
        p.what.q_len = &one;
        r.call.q = (const char *)r.call.q + 20 * q_row;
        run(&r, NULL);
        assert_memory_equal(once + 20 * row, r.call.o, row);
        r.call.q = (const char *)r.call.q - 20 * q_row;
        close_rig(&r);
        free(once);
        attention_problem_free(&p);
    }
    tsr_pool_destroy(pool);
}

static void test_attention_keys_in_another_order_stay_within_bound(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention order", 74);
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;) {
        struct attention_problem p = {
            .q_len = {9},
            .kv_len = {300},
            .what = {.batch = 1, .heads = 1, .kv_heads = 1, .dim = 32, .value_dim = 16}};
        struct rig r;
        tsr_variant_use(v);
        attention_problem_fill(&p, 0, 3, &seed);
        open_rig(&r, &p, format_of(v), format_of(v), 32, &seed);
        /* Token t of the cache becomes 7 t of 300: the long way keeps the old order. */
        for (size_t t = 0; t < 300; t++)
            tsr_kv_append(&r.kv, 0, t, 1, p.k + 7 * t % 300 * 32, 32, p.v + 7 * t % 300 * 16, 16,
                          NULL);
        run(&r, NULL);
        check(&r, v, 0);
        close_rig(&r);
        attention_problem_free(&p);
    }
}

/* Two parts of the context, put together by their lse, are the whole. */
static void test_attention_parts_merge_to_the_whole(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention parts", 75);
    enum {
        ROWS = 5,
        KEYS = 333,
        D = 16
    };
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;) {
        struct attention_problem p = {
            .q_len = {ROWS},
            .kv_len = {KEYS},
            .what = {.batch = 1, .heads = 1, .kv_heads = 1, .dim = D, .value_dim = D}};
        struct rig r;
        double o[ROWS][D], weight[2][ROWS], part[2][ROWS][D], slack[ROWS];
        tsr_variant_use(v);
        attention_problem_fill(&p, PROBLEM_SINKS, 3, &seed);
        const uint32_t cut = 1 + (uint32_t)tsr_test_random_below(&seed, KEYS - 1);
        for (int i = 0; i < 2; i++) {
            struct attention_problem half = p;
            half.what.kv_len = half.kv_len;
            half.what.q_len = half.q_len;
            half.what.sinks = i == 0 ? p.sinks : NULL;
            half.kv_len[0] = i == 0 ? cut : KEYS - cut;
            half.k = p.k + (i == 0 ? 0 : cut * D);
            half.v = p.v + (i == 0 ? 0 : cut * D);
            open_rig(&r, &half, format_of(v), format_of(v), 16, &seed);
            run(&r, NULL);
            for (int row = 0; row < ROWS; row++) {
                weight[i][row] = exp((double)r.call.lse[row]);
                for (int d = 0; d < D; d++)
                    part[i][row][d] = result(&r, (size_t)(row * D + d));
            }
            close_rig(&r);
        }
        open_rig(&r, &p, format_of(v), format_of(v), 16, &seed);
        attention_long_way(&p, &o[0][0], NULL, NULL, slack);
        for (int row = 0; row < ROWS; row++)
            for (int d = 0; d < D; d++) {
                const double got =
                    (part[0][row][d] * weight[0][row] + part[1][row][d] * weight[1][row]) /
                    (weight[0][row] + weight[1][row]);
                /* The parts' own errors, and those of their weights, in the same measure. */
                if (!(fabs(got - o[row][d]) <= 3 * bound(&r, v, slack[row], 1)))
                    fail_msg("%s: cut at %u: o[%d][%d] = %.9g, want %.9g", v->name, cut, row, d,
                             got, o[row][d]);
            }
        close_rig(&r);
        attention_problem_free(&p);
    }
}

/* Huge logits, tiny ones, a constant on all: within the bound. NaN and infinity stay in their row.
 */
static void test_attention_extremes_are_as_defined(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("attention extremes", 76);
    static const double sizes[] = {1e4, 1e-8, 300, 0};
    for (const struct tsr_variant *v = NULL; (v = next_variant(v)) != NULL;)
        for (int i = 0; i < 4; i++) {
            struct attention_problem p = {
                .q_len = {5},
                .kv_len = {70},
                .what = {.batch = 1, .heads = 2, .kv_heads = 1, .dim = 16, .value_dim = 8}};
            struct rig r;
            tsr_variant_use(v);
            attention_problem_fill(&p, 0, sizes[i], &seed);
            for (int q = 0; i == 2 && q < 10; q++)
                p.q[q * 16] = 64;
            for (int k = 0; i == 2 && k < 70; k++)
                p.k[k * 16] = 512; /* 8192 on each logit */
            p.what.scale = i == 0 ? -0.25 : i == 3 ? 0 : 0.25;
            open_rig(&r, &p, format_of(v), format_of(v), 16, &seed);
            run(&r, NULL);
            check(&r, v, 0);
            /* Queries 1 and 3 of head 0 spoilt: those rows alone are NaN. */
            p.q[2 * 16 + 3] = NAN;
            p.q[6 * 16 + 15] = i == 3 ? NAN : INFINITY;
            close_rig(&r);
            open_rig(&r, &p, format_of(v), format_of(v), 16, &seed);
            run(&r, NULL);
            for (size_t n = 0; n < 80; n++)
                assert_true(isnan(result(&r, n)) == (n / 8 == 2 || n / 8 == 6));
            close_rig(&r);
            attention_problem_free(&p);
        }
}

static void test_attention_refuses_what_it_does_not_serve(void **state)
{
    (void)state;
    const uint32_t q_len = 4, kv_len = 3;
    const struct tsr_kv kv = {
        .format = TSR_BF16, .kv_heads = 1, .dim = 8, .value_dim = 8, .page_tokens = 8};
    struct tsr_attention a = {.batch = 1,
                              .q_len = &q_len,
                              .kv_len = &kv_len,
                              .heads = 2,
                              .kv_heads = 1,
                              .dim = 8,
                              .value_dim = 8,
                              .scale = 1,
                              .causal = true};
    struct tsr_attention_call c = {
        .what = &a, .format = TSR_F32, .kv = &kv, .q_stride = 16, .o_stride = 16};
    struct tsr_error err = {0};
    tsr_variants_reset();
    assert_int_equal(tsr_attention_run(&c, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message,
                        "attention: causal sequence 0 has 4 queries, allowed: up to its keys, 3");
    a.causal = false;
    a.heads = 3;
    a.kv_heads = 2;
    assert_int_equal(tsr_attention_run(&c, NULL), TSR_BAD_INPUT);
    a.heads = 2;
    a.kv_heads = 1;
    a.scale = NAN;
    assert_int_equal(tsr_attention_run(&c, NULL), TSR_BAD_INPUT);
    a.scale = 1;
    a.softcap = -1;
    assert_int_equal(tsr_attention_run(&c, NULL), TSR_BAD_INPUT);
    a.softcap = 0;
    a.dim = 16;
    assert_int_equal(tsr_attention_run(&c, NULL), TSR_BAD_INPUT);
    a.dim = 8;
    c.format = TSR_F16;
    assert_int_equal(tsr_attention_run(&c, NULL), TSR_USAGE);
    c.format = TSR_F32;
    size_t bytes = 0;
    assert_int_equal(tsr_attention_scratch_bytes(&c, 1, &bytes, NULL), TSR_OK);
    if (bytes > 0) {
        c.scratch_bytes = bytes - 1;
        assert_int_equal(tsr_attention_run(&c, NULL), TSR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_edges_are_within_bound),
        cmocka_unit_test(test_attention_random_mixtures_are_within_bound),
        cmocka_unit_test(test_attention_bits_depend_on_the_row_alone),
        cmocka_unit_test(test_attention_keys_in_another_order_stay_within_bound),
        cmocka_unit_test(test_attention_parts_merge_to_the_whole),
        cmocka_unit_test(test_attention_extremes_are_as_defined),
        cmocka_unit_test(test_attention_refuses_what_it_does_not_serve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
