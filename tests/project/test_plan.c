/* SPDX-License-Identifier: Apache-2.0 */
/* Steps and addresses of a plan; nothing is simulated. labels: badinput */
#include "tests/support/harness.h"

#include <stdlib.h>
#include <string.h>

#include "sim/project/plan.h"

struct fixture {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct project_plan *plan;
};

static struct project_options options(const struct fixture *f, const char *format,
                                      enum tsr_phase phase, uint64_t batch, uint64_t seq)
{
    const struct tsr_format *w = tsr_isa_format(f->isa, format);
    return (struct project_options){.isa = f->isa,
                                    .chip = &f->chip,
                                    .phase = phase,
                                    .batch = batch,
                                    .seq = seq,
                                    .weights = w,
                                    .activations = w,
                                    .kv = tsr_isa_format(f->isa, "bf16"),
                                    .seed = 1,
                                    .threads = 1};
}

static struct tsr_model load(const char *name)
{
    struct tsr_model m;
    assert_int_equal(tsr_model_load(name, &m, NULL), TSR_OK);
    return m;
}

static enum tsr_status plan(struct fixture *f, const struct tsr_model *m,
                            const struct project_options *o, struct tsr_error *err)
{
    project_plan_free(f->plan);
    return project_plan(m, o, f->plan, err);
}

static const struct project_step *find(const struct project_plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (strcmp(p->step[i].name, name) == 0)
            return &p->step[i];
    return NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct tsr_error e = {0};
    f->plan = calloc(1, sizeof *f->plan);
    assert_int_equal(tsr_isa_load(NULL, 0, &f->isa, &e), TSR_OK);
    assert_int_equal(tsr_chip_load("maia100", &f->chip, &e), TSR_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tsr_isa_free(f->isa);
    project_plan_free(f->plan);
    free(f->plan);
    free(f);
    return 0;
}

/* Every preset, both phases: the steps hold all MACs of the graph, and no operation is left out. */
static void test_plan_steps_hold_all_work_of_the_graph(void **state)
{
    struct fixture *f = *state;
    f->chip.hbm.bytes = (uint64_t)1 << 41; /* large enough for each */
    for (const char *const *n = tsr_model_names(); *n; n++)
        for (int phase = 0; phase < 2; phase++) {
            struct tsr_model m = load(*n);
            struct project_options o = options(f, "bf16", phase ? TSR_DECODE : TSR_PREFILL, 2, 300);
            struct tsr_error e = {0};
            struct tsr_graph_totals t;
            if (plan(f, &m, &o, &e) != TSR_OK)
                fail_msg("%s: %s", *n, e.message);
            tsr_graph_sum(&f->plan->graph, &t);
            uint64_t macs = 0;
            for (uint32_t i = 0; i < f->plan->n_steps; i++)
                macs += f->plan->step[i].macs * f->plan->step[i].repeat;
            assert_int_equal(macs, t.macs);
            for (uint32_t i = 0; i < f->plan->n_assumptions; i++)
                assert_null(strstr(f->plan->assumption[i], "left out"));
            assert_true(f->plan->used + f->plan->workspace <= f->chip.hbm.bytes);
            assert_true(f->plan->used >= t.weight_bytes);
        }
}

static void test_plan_repeats_are_the_layers(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-2-7b");
    struct project_options o = options(f, "bf16", TSR_DECODE, 1, 2048);
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    static const char *const layer[] = {
        "attn_norm", "qkv", "rope", "kv_append", "attention", "o", "ffn_norm", "gate_up", "down"};
    for (size_t i = 0; i < sizeof layer / sizeof *layer; i++) {
        assert_non_null(find(f->plan, layer[i]));
        assert_int_equal(find(f->plan, layer[i])->repeat, 32);
    }
    assert_int_equal(find(f->plan, "lm_head")->repeat, 1);
    assert_int_equal(f->plan->n_steps, 12);
}

static void test_plan_fuses_gate_residual_and_bias(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("qwen2.5-7b");
    struct project_options o = options(f, "bf16", TSR_PREFILL, 1, 64);
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    assert_true(find(f->plan, "qkv")->op.matmul.has_bias);
    assert_false(find(f->plan, "o")->op.matmul.has_bias);
    assert_int_equal(find(f->plan, "gate_up")->op.matmul.epilogue, TSR_EPILOGUE_SILU_GATE);
    assert_int_equal(find(f->plan, "down")->op.matmul.epilogue, TSR_EPILOGUE_RESIDUAL);
    assert_int_equal(find(f->plan, "down")->op.matmul.residual, find(f->plan, "down")->op.matmul.c);
    assert_null(find(f->plan, "gate_up_act"));
}

/* What a step reads is what the one before it wrote. */
static void test_plan_rows_flow_from_step_to_step(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-3.1-8b");
    struct project_options o = options(f, "bf16", TSR_PREFILL, 2, 96);
    const struct project_plan *p = f->plan;
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    assert_int_equal(find(p, "attn_norm")->op.rmsnorm.x, find(p, "embed")->op.embedding.y);
    assert_int_equal(find(p, "qkv")->op.matmul.a, find(p, "attn_norm")->op.rmsnorm.y);
    assert_int_equal(find(p, "rope")->op.rope.x, find(p, "qkv")->op.matmul.c);
    assert_int_equal(find(p, "attention")->op.attention.q.address, find(p, "rope")->op.rope.y);
    assert_int_equal(find(p, "attention")->op.attention.k.address,
                     find(p, "rope")->op.rope.k_cache);
    assert_int_equal(find(p, "attention")->op.attention.v.address,
                     find(p, "kv_append")->op.kv_append.dst);
    assert_int_equal(find(p, "o")->op.matmul.a, find(p, "attention")->op.attention.o.address);
    assert_int_equal(find(p, "ffn_norm")->op.rmsnorm.x, find(p, "o")->op.matmul.c);
    assert_int_equal(find(p, "down")->op.matmul.a, find(p, "gate_up")->op.matmul.c);
    /* the last token of each sequence only */
    const struct tsr_npu_rmsnorm *last = &find(p, "final_norm")->op.rmsnorm;
    assert_int_equal(last->rows, 2);
    assert_int_equal(last->x, p->stream + 95 * 4096 * 2);
    assert_int_equal(last->x_stride, 96 * 4096 * 2);
}

/* The new token's key stands in the last position of its sequence. */
static void test_plan_decode_appends_at_the_end_of_the_cache(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-3.1-8b");
    struct project_options o = options(f, "bf16", TSR_DECODE, 3, 500);
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    const struct tsr_npu_rope *r = &find(f->plan, "rope")->op.rope;
    const struct tsr_npu_attention *a = &find(f->plan, "attention")->op.attention;
    for (uint64_t t = 0; t < 3; t++)
        for (uint64_t h = 0; h < 8; h++)
            assert_int_equal(r->k_cache + t * r->k_token_stride + h * r->k_head_stride,
                             a->k.address + t * a->k.batch_stride + h * a->k.head_stride +
                                 499 * a->k.token_stride);
}

/* A cache of 8 bits: k and v are rounded in rows of their own, which go to the cache together. */
static void test_plan_narrow_cache_is_rounded_and_appended(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-3.1-8b");
    struct project_options o = options(f, "bf16", TSR_DECODE, 3, 500);
    const struct project_plan *p = f->plan;
    o.kv = tsr_isa_format(f->isa, "f8e4m3");
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    const struct tsr_npu_rope *r = &find(p, "rope")->op.rope;
    const struct tsr_npu_cast *c = &find(p, "kv_append_cast")->op.cast;
    const struct tsr_npu_kv_append *k = &find(p, "kv_append")->op.kv_append;
    const struct tsr_npu_attention *a = &find(p, "attention")->op.attention;
    assert_int_equal(r->keys, 0);
    assert_int_equal(r->y_format, TSR_BF16);
    assert_int_equal(c->x, r->y + 32 * 128 * 2); /* behind the queries */
    assert_int_equal(c->cols, 2 * 8 * 128);
    assert_int_equal(c->y, k->src);
    assert_int_equal(k->bytes, 128);
    assert_int_equal(a->kv_format, TSR_F8E4M3);
    assert_int_equal(a->format, TSR_BF16);
    for (uint64_t t = 0; t < 3; t++)
        for (uint64_t h = 0; h < 8; h++)
            for (uint64_t kv = 0; kv < 2; kv++) {
                assert_int_equal(k->src + h * k->src_stride[0] + t * k->src_stride[1] +
                                     kv * k->src_stride[2],
                                 c->y + ((t * 2 + kv) * 8 + h) * 128);
                const struct tsr_npu_rows *to = kv ? &a->v : &a->k;
                assert_int_equal(k->dst + h * k->dst_stride[0] + t * k->dst_stride[1] +
                                     kv * k->dst_stride[2],
                                 to->address + t * to->batch_stride + h * to->head_stride +
                                     499 * to->token_stride);
            }
    /* 8 heads, k and v, 3 sequences of 500 positions of 128 bytes in 32 layers */
    assert_int_equal(p->kv_bytes, 8ull * 2 * 3 * 500 * 128 * 32);
    assert_int_equal(project_plan_fit(p).kv_token_bytes, 8 * 2 * 128 * 32);
}

static void test_plan_window_reads_a_ring_in_decode(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("gpt-oss-20b");
    struct project_options o = options(f, "bf16", TSR_DECODE, 1, 1000);
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    const struct tsr_npu_attention *w = &find(f->plan, "attention_window")->op.attention;
    assert_int_equal(w->kv_len, 128);
    assert_int_equal(w->window, 0);
    assert_int_equal(find(f->plan, "attention")->op.attention.kv_len, 1000);
    o.phase = TSR_PREFILL;
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    w = &find(f->plan, "attention_window")->op.attention;
    assert_int_equal(w->kv_len, 1000);
    assert_int_equal(w->window, 128);
}

static void test_plan_norms_of_one_shape_run_once(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-2-7b");
    struct project_options o = options(f, "bf16", TSR_DECODE, 4, 64);
    const struct project_plan *p = f->plan;
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    assert_int_equal(find(p, "attn_norm")->same_as, -1);
    assert_ptr_equal(&p->step[find(p, "ffn_norm")->same_as], find(p, "attn_norm"));
    assert_true(find(p, "ffn_norm")->op.rmsnorm.w != find(p, "attn_norm")->op.rmsnorm.w);
    o.phase = TSR_PREFILL; /* the last norm has fewer rows than the others then */
    assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
    assert_int_equal(find(p, "final_norm")->same_as, -1);
}

/* 8-bit activations: what leaves a kernel in 16 bits passes a cast, or, for integers, which have
 * scales, a quantization before the next matmul. */
static void test_plan_narrows_before_narrow_matmuls(void **state)
{
    struct fixture *f = *state;
    struct tsr_model m = load("llama-2-7b");
    static const struct {
        const char *format;
        bool integers;
    } cases[] = {{"i8", true}, {"f8e4m3", false}};
    for (int i = 0; i < 2; i++) {
        struct project_options o = options(f, cases[i].format, TSR_DECODE, 4, 64);
        assert_int_equal(plan(f, &m, &o, NULL), TSR_OK);
        assert_int_equal(find(f->plan, "qkv_quantize") != NULL, cases[i].integers);
        assert_non_null(find(f->plan, cases[i].integers ? "o_quantize" : "o_cast"));
        assert_non_null(find(f->plan, cases[i].integers ? "down_quantize" : "down_cast"));
        for (uint32_t k = 0; k < f->plan->n_steps; k++) {
            const struct project_step *s = &f->plan->step[k];
            if (strcmp(s->kernel->name, "matmul") != 0)
                continue;
            assert_int_equal(s->op.matmul.a_format, o.activations->code);
            assert_int_equal(s->op.matmul.b_format, o.weights->code);
        }
    }
}

static void refused(struct fixture *f, struct project_options o, const char *word)
{
    struct tsr_model m = load("llama-2-7b");
    struct tsr_error e = {0};
    assert_int_equal(plan(f, &m, &o, &e), TSR_BAD_INPUT);
    if (strstr(e.message, word) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.message, word);
}

static void test_plan_refuses_what_no_kernel_serves(void **state)
{
    struct fixture *f = *state;
    struct project_options o = options(f, "bf16", TSR_DECODE, 1, 64);
    o.kv = tsr_isa_format(f->isa, "i4");
    refused(f, o, "kv: i4");
    o = options(f, "f32", TSR_DECODE, 1, 64);
    refused(f, o, "weights: f32");
    o = options(f, "bf16", TSR_DECODE, 1, 64);
    o.weights = tsr_isa_format(f->isa, "i8");
    refused(f, o, "integers with plain integers");
    f->chip.hbm.bytes = (uint64_t)12 << 30; /* 12.55 GiB of weights */
    refused(f, options(f, "bf16", TSR_DECODE, 1, 64),
            "llama-2-7b: does not fit maia100: weights 12.55 GiB");
    f->chip.hbm.bytes = (uint64_t)64 << 30;
    o = options(f, "bf16", TSR_DECODE, 1, 64);
    o.activations = tsr_isa_format(f->isa, "q4_k");
    refused(f, o, "activations: q4_k: the tensor unit does not take it, allowed: f16 bf16");
    o = options(f, "bf16", TSR_DECODE, 1, 64);
    o.kv = tsr_isa_format(f->isa, "f32");
    refused(f, o, "kv: f32: no kernel takes it, allowed: f16 bf16 f8e4m3 f8e5m2");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_plan_steps_hold_all_work_of_the_graph),
        T(test_plan_repeats_are_the_layers),
        T(test_plan_fuses_gate_residual_and_bias),
        T(test_plan_rows_flow_from_step_to_step),
        T(test_plan_decode_appends_at_the_end_of_the_cache),
        T(test_plan_narrow_cache_is_rounded_and_appended),
        T(test_plan_window_reads_a_ring_in_decode),
        T(test_plan_norms_of_one_shape_run_once),
        T(test_plan_narrows_before_narrow_matmuls),
        T(test_plan_refuses_what_no_kernel_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
