/* SPDX-License-Identifier: Apache-2.0 */
/* Projections in formats of few bits: bytes worked out by hand, steps, and runs on a small chip.
 * labels: badinput */
#include "tests/support/harness.h"

#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"

static const char config[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 2,"
    " \"num_attention_heads\": 4, \"num_key_value_heads\": 2, \"head_dim\": 32,"
    " \"intermediate_size\": 96, \"vocab_size\": 128}";

/* Of the model above on micro, whose lines have 32 bytes: bytes of a row of 64 elements of weights
 * beside these activations (rows of 96 and 128 take 3/2 and twice that), and of a position of a
 * head in the cache, two parts of 16 elements beside 16-bit queries.
 *   mx9, q8_0: 16 elements in 18 bytes, two would not fit a line: 4 x 18
 *   mx6: 32 in 24: 2 x 24; beside mx9, whose line holds 16: 4 x 12; mxf4: 32 in 17
 *   cache: mxf4 16 elements in 8 and a scale, mxf8e4m3 in 16 and a scale, of blocks of 32 each */
static const struct {
    const char *weights, *activations, *kv;
    uint32_t row, position;
} cases[] = {
    {"bf16", "bf16", "bf16", 128, 64},  {"f8e4m3", "f8e4m3", "f8e4m3", 64, 32},
    {"mx9", "mx9", "mx9", 72, 36},      {"mx6", "mx6", "mx6", 48, 24},
    {"mxf4", "mxf4", "mxf4", 34, 18},   {"q8_0", "q8_0", "q8_0", 72, 36},
    {"mx6", "mx9", "mxf8e4m3", 48, 34}, {"q4_k", "bf16", "bf16", 72, 64},
};
enum {
    CASES = sizeof cases / sizeof *cases,
    BATCH = 2,
    SEQ = 40
};

struct fixture {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct tsr_model model;
    struct project_plan plan;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tsr_error e = {0};
    assert_int_equal(tsr_isa_load(NULL, 0, &f->isa, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &f->chip, &e), TSR_OK);
    assert_int_equal(tsr_model_parse("tiny.json", config, strlen(config), &f->model, &e), TSR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    project_plan_free(&f->plan);
    tsr_isa_free(f->isa);
    free(f);
    return 0;
}

static struct project_options options(const struct fixture *f, const char *weights,
                                      const char *activations, const char *kv, enum tsr_phase phase)
{
    return (struct project_options){.isa = f->isa,
                                    .chip = &f->chip,
                                    .phase = phase,
                                    .batch = BATCH,
                                    .seq = SEQ,
                                    .weights = tsr_isa_format(f->isa, weights),
                                    .activations = tsr_isa_format(f->isa, activations),
                                    .kv = tsr_isa_format(f->isa, kv),
                                    .seed = 1,
                                    .threads = 1};
}

/* Rows of the matrices by their K: q k v 4 x 32 + 2 x 2 x 32, gate and up 2 x 96 and the head 128
 * of 64; down 64 of 96; o 64 of 128. Norms and the input table are bf16. */
static uint64_t weight_bytes(uint64_t row)
{
    const uint64_t layer = (256 + 192) * row + 64 * row * 3 / 2 + 64 * row * 2;
    return 2 * layer + 128 * row + 2 * (128 * 64 + (2 * 2 + 1) * 64);
}

static void test_formats_bytes_are_those_worked_out_by_hand(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < CASES; i++) {
        struct tsr_error e = {0};
        struct project_options o =
            options(f, cases[i].weights, cases[i].activations, cases[i].kv, TSR_DECODE);
        project_plan_free(&f->plan);
        if (project_plan(&f->model, &o, &f->plan, &e) != TSR_OK)
            fail_msg("%s: %s", cases[i].weights, e.message);
        struct tsr_fit fit = project_plan_fit(&f->plan);
        assert_int_equal(fit.weight_bytes, weight_bytes(cases[i].row));
        /* k and v, heads, sequences, positions, layers */
        assert_int_equal(fit.kv_bytes, 2ull * 2 * BATCH * SEQ * 2 * cases[i].position);
        assert_int_equal(fit.total_bytes, f->plan.used + f->plan.workspace);
        assert_int_equal(fit.weight_bytes + fit.kv_bytes + fit.workspace_bytes, fit.total_bytes);
    }
}

/* Both phases run, and a decode step reads all weights and the cache. */
static void test_formats_run_on_a_small_chip(void **state)
{
    struct fixture *f = *state;
    static const char *const integers[][3] = {{"i8", "i8", "mx9"}, {"i4", "i8", "bf16"}};
    for (int i = 0; i < CASES + 2; i++)
        for (int phase = 0; phase < 2; phase++) {
            struct tsr_error e = {0};
            struct project_result *r = NULL;
            const char *own[] = {cases[i % CASES].weights, cases[i % CASES].activations,
                                 cases[i % CASES].kv};
            const char *const *x = i < CASES ? own : integers[i - CASES];
            struct project_options o =
                options(f, x[0], x[1], x[2], phase ? TSR_DECODE : TSR_PREFILL);
            if (project_run(&f->model, &o, &r, &e) != TSR_OK)
                fail_msg("%s:%s:%s: %s", x[0], x[1], x[2], e.message);
            assert_true(r->ttu_utilisation > 0 && r->ttu_utilisation <= r->ttu_busy);
            assert_true(r->hbm_utilisation > 0 && r->hbm_utilisation <= 1);
            if (phase)
                assert_true(r->hbm_bytes >= r->fit.weight_bytes - 2 * 128 * 64 + r->fit.kv_bytes);
            free(r);
        }
}

static const struct project_step *find(const struct project_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (strcmp(p->step[i].name, name) == 0)
            return &p->step[i];
    return NULL;
}

/* Every matmul reads what the step before it quantized into the layout for its weights: a norm,
 * the matmul of a gate, or a step of its own. */
static void test_formats_block_activations_are_quantized_for_each_matmul(void **state)
{
    static const struct {
        const char *matmul, *before;
    } each[] = {{"qkv", "attn_norm"},
                {"o", "o_quantize"},
                {"gate_up", "ffn_norm"},
                {"lm_head", "final_norm"}};
    struct fixture *f = *state;
    struct project_options o = options(f, "mx6", "mx9", "mxf8e4m3", TSR_PREFILL);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
    for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
        const struct project_step *s = find(&f->plan, each[i].before);
        const struct tsr_npu_matmul *m = &find(&f->plan, each[i].matmul)->op.matmul;
        assert_non_null(s);
        bool norm = strcmp(s->kernel->name, "rmsnorm_quantize") == 0;
        const struct tsr_npu_slab *slab =
            norm ? &s->op.rmsnorm_quantize.slab : &s->op.quantize.slab;
        assert_true(norm || strcmp(s->kernel->name, "quantize") == 0);
        assert_int_equal(norm ? s->op.rmsnorm_quantize.op.to.y : s->op.quantize.op.y, m->a);
        assert_int_equal(slab->k, m->k);
        assert_int_equal(slab->rows, m->m);
        assert_int_equal(slab->ks, 16);
        assert_int_equal(m->a_format, TSR_MX9);
        assert_int_equal(m->b_format, TSR_MX6);
    }
    assert_int_equal(find(&f->plan, "attention")->op.attention.kv_format, TSR_MXF8E4M3);
    const struct tsr_npu_matmul *gate = &find(&f->plan, "gate_up")->op.matmul;
    const struct tsr_npu_matmul *down = &find(&f->plan, "down")->op.matmul;
    assert_null(find(&f->plan, "down_quantize"));
    assert_int_equal(gate->epilogue, TSR_EPILOGUE_SILU_GATE);
    assert_int_equal(gate->c_format, TSR_MX9);
    assert_int_equal(gate->c_partner, TSR_MX6);
    assert_int_equal(gate->c, down->a);
    assert_int_not_equal(gate->c, gate->a);
    assert_int_equal(gate->n, 2 * down->k);
    assert_int_equal(down->a_format, TSR_MX9);
}

/* Few rows, or blocks wider than half a product of the chip's tensor unit: a step of its own. */
static void test_formats_rows_of_a_gate_are_quantized_apart_where_that_is_better(void **state)
{
    struct fixture *f = *state;
    for (int few = 0; few < 2; few++) {
        struct project_options o =
            options(f, "mx6", few ? "mx9" : "mxf8e4m3", "bf16", few ? TSR_DECODE : TSR_PREFILL);
        assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
        assert_int_equal(find(&f->plan, "down_quantize")->op.quantize.op.y,
                         find(&f->plan, "down")->op.matmul.a);
        assert_int_equal(find(&f->plan, "gate_up")->op.matmul.c_format, TSR_BF16);
        project_plan_free(&f->plan);
    }
}

/* Plain integers: rows with a scale each, int32 products, then the scales of rows and columns. */
static void test_formats_integers_are_requantized(void **state)
{
    struct fixture *f = *state;
    const struct project_plan *p = &f->plan;
    struct project_options o = options(f, "i4", "i8", "bf16", TSR_DECODE);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
    const struct project_step *q = find(p, "down_quantize"), *m = find(p, "down");
    const struct project_step *r = find(p, "down_requantize"), *a = find(p, "down_add");
    assert_int_equal(q->op.quantize.op.y, m->op.matmul.a);
    assert_int_equal(q->op.quantize.op.scale_format, TSR_F32);
    assert_int_equal(m->op.matmul.c_format, TSR_I32);
    assert_int_equal(m->op.matmul.epilogue, TSR_EPILOGUE_NONE);
    assert_int_equal(r->op.requantize.x, m->op.matmul.c);
    assert_int_equal(r->op.requantize.row, q->op.quantize.op.scales);
    assert_int_equal(r->op.requantize.column, m->op.matmul.b + 64 * 96 / 2);
    assert_int_equal(r->op.requantize.y, a->op.residual.a);
    assert_int_equal(a->op.residual.y, p->stream);
    assert_int_equal(r->op.requantize.bias, 0);
    assert_non_null(find(p, "gate_up_act"));
    /* i4: half the elements in bytes, and 4 bytes for each column of the matrices */
    uint64_t columns = 2 * (256 + 192 + 64 + 64) + 128;
    assert_int_equal(p->weight_bytes, weight_bytes(32) + 4 * columns);
    f->model.qkv_bias = true;
    project_plan_free(&f->plan);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
    const struct tsr_npu_requantize *biased = &find(p, "qkv_requantize")->op.requantize;
    assert_int_equal(biased->bias, biased->column + 4 * 256);
    assert_false(find(p, "qkv")->op.matmul.has_bias);
    assert_int_equal(p->weight_bytes, weight_bytes(32) + 4 * columns + 4 * 2 * 256);
}

/* Units of k and v, [k, v][head][unit][token], to their places in the cache. */
static void test_formats_cache_of_blocks_is_appended_unit_by_unit(void **state)
{
    struct fixture *f = *state;
    const struct project_plan *p = &f->plan;
    struct project_options o = options(f, "bf16", "bf16", "mx6", TSR_DECODE);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
    const struct project_quantize *q = &find(p, "kv_append_quantize")->op.quantize;
    const struct tsr_npu_attention *a = &find(p, "attention")->op.attention;
    assert_int_equal(q->slab.unit_bytes, 12);
    assert_int_equal(q->slab.slabs, 2 * 2 * 2);
    assert_int_equal(q->op.x, find(p, "rope")->op.rope.y + 4 * 32 * 2);
    for (uint64_t kv = 0; kv < 2; kv++) {
        const struct tsr_npu_kv_append *k =
            &find(p, kv ? "kv_append_v" : "kv_append_k")->op.kv_append;
        const struct tsr_npu_rows *to = kv ? &a->v : &a->k;
        assert_int_equal(k->bytes, 12);
        for (uint64_t t = 0; t < BATCH; t++)
            for (uint64_t h = 0; h < 2; h++)
                for (uint64_t u = 0; u < 2; u++) {
                    assert_int_equal(
                        k->src + h * k->src_stride[0] + t * k->src_stride[1] + u * k->src_stride[2],
                        q->op.y + tsr_npu_slab_offset(&q->slab, t, (kv * 2 + h) * 2 + u));
                    assert_int_equal(k->dst + h * k->dst_stride[0] + t * k->dst_stride[1] +
                                         u * k->dst_stride[2],
                                     to->address + t * to->batch_stride + h * to->head_stride +
                                         (SEQ - 1) * to->token_stride + u * 12);
                }
    }
}

/* Where a head is one unit, a prompt's k and v are quantized into the cache itself. */
static void test_formats_cache_of_blocks_is_filled_in_place_by_a_prompt(void **state)
{
    struct fixture *f = *state;
    const struct project_plan *p = &f->plan;
    struct tsr_error e = {0};
    assert_int_equal(tsr_chip_load("maia100", &f->chip, &e), TSR_OK);
    struct project_options o = options(f, "bf16", "bf16", "mx9", TSR_PREFILL);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, NULL), TSR_OK);
    const struct project_quantize *q = &find(p, "kv_append_quantize")->op.quantize;
    const struct tsr_npu_attention *a = &find(p, "attention")->op.attention;
    assert_null(find(p, "kv_append"));
    assert_int_equal(q->slab.unit_bytes, 36);
    for (uint64_t kv = 0; kv < 2; kv++)
        for (uint64_t t = 0; t < BATCH * SEQ; t++)
            for (uint64_t h = 0; h < 2; h++) {
                const struct tsr_npu_rows *to = kv ? &a->v : &a->k;
                assert_int_equal(q->op.y + tsr_npu_slab_offset(&q->slab, t, kv * 2 + h),
                                 to->address + t / SEQ * to->batch_stride + h * to->head_stride +
                                     t % SEQ * to->token_stride);
            }
}

/* 128 GiB of bf16 do not fit a chip of 64; 4-bit formats do, with what their layout adds. */
static void test_formats_llama_2_70b_fits_in_four_bits(void **state)
{
    static const char *const formats[] = {"mx4", "mxf4", "nvf4", "q4_0"};
    struct fixture *f = *state;
    struct tsr_error e = {0};
    assert_int_equal(tsr_chip_load("maia100", &f->chip, &e), TSR_OK);
    assert_int_equal(tsr_model_load("llama-2-70b", &f->model, &e), TSR_OK);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct project_options o = options(f, formats[i], formats[i], formats[i], TSR_DECODE);
        uint64_t table = 32000ull * 8192, norms = 161 * 8192;
        project_plan_free(&f->plan);
        if (project_plan(&f->model, &o, &f->plan, &e) != TSR_OK)
            fail_msg("%s: %s", formats[i], e.message);
        uint64_t least = tsr_format_bytes(o.weights, (68976648192 - table - norms) / 8192, 8192) +
                         2 * (table + norms);
        assert_true(f->plan.weight_bytes >= least);
        assert_true((double)f->plan.weight_bytes < 1.1 * (double)least);
    }
    struct project_options o = options(f, "bf16", "bf16", "bf16", TSR_DECODE);
    project_plan_free(&f->plan);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "does not fit maia100: weights 128.48 GiB"));
}

static void test_formats_say_what_they_cannot_do(void **state)
{
    static const struct {
        const char *weights, *activations, *kv, *says;
    } bad[] = {
        {"q4_k", "q4_k", "bf16", "activations: q4_k: the tensor unit does not take it"},
        {"bf16", "bf16", "i4", "kv: i4: no kernel takes it"},
        {"bf16", "bf16", "q6_k", "kv: q6_k: no kernel takes it"},
        {"i8", "mx9", "bf16", "plain integers with plain integers only"},
        {"q4_0", "i4", "bf16", "plain integers with plain integers only"},
        {"bf16", "f16", "bf16", NULL},
    };
    struct fixture *f = *state;
    struct tsr_error e = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct project_options o =
            options(f, bad[i].weights, bad[i].activations, bad[i].kv, TSR_DECODE);
        memset(&e, 0, sizeof e);
        project_plan_free(&f->plan);
        assert_int_equal(project_plan(&f->model, &o, &f->plan, &e),
                         bad[i].says ? TSR_BAD_INPUT : TSR_OK);
        if (bad[i].says && strstr(e.message, bad[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", e.message, bad[i].says);
    }
    f->model.head_dim = 24;
    struct project_options o = options(f, "bf16", "bf16", "mx9", TSR_DECODE);
    project_plan_free(&f->plan);
    assert_int_equal(project_plan(&f->model, &o, &f->plan, &e), TSR_BAD_INPUT);
    assert_non_null(strstr(e.message, "head_dim 24 does not divide into mx9's blocks of 16"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_formats_bytes_are_those_worked_out_by_hand),
        T(test_formats_run_on_a_small_chip),
        T(test_formats_block_activations_are_quantized_for_each_matmul),
        T(test_formats_rows_of_a_gate_are_quantized_apart_where_that_is_better),
        T(test_formats_integers_are_requantized),
        T(test_formats_cache_of_blocks_is_appended_unit_by_unit),
        T(test_formats_cache_of_blocks_is_filled_in_place_by_a_prompt),
        T(test_formats_llama_2_70b_fits_in_four_bits),
        T(test_formats_say_what_they_cannot_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
