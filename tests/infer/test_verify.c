/* SPDX-License-Identifier: Apache-2.0 */
/* The second opinion on every operation: it agrees with each launch of each family, and says which
 * operation of which layer and token is wrong when one is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/infer/host_verify.h"
#include "sim/infer/verify.h"
#include "tests/support/families.h"
#include "tests/support/harness.h"

struct rig {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    struct family_model t;
    struct infer_options o;
};

/* A family in formats; kv 0: bf16. */
struct in_formats {
    const char *family;
    enum tsr_dtype weights, activations, kv;
};

static const struct family *family_of(const char *name)
{
    for (size_t i = 0; i < n_families; i++)
        if (strcmp(families[i].name, name) == 0)
            return &families[i];
    fail_msg("no family %s", name);
    return NULL;
}

static void setup(struct rig *r, const struct in_formats *f)
{
    memset(r, 0, sizeof *r);
    assert_int_equal(tsr_isa_load(NULL, 0, &r->isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &r->chip, NULL), TSR_OK);
    family_make(family_of(f->family), false, &r->t);
    r->o = family_options(&r->t, r->isa);
    r->o.target = INFER_NPU;
    r->o.chip = &r->chip;
    r->o.format = &r->isa->formats[f->weights];
    r->o.activations = &r->isa->formats[f->activations];
    r->o.kv = &r->isa->formats[f->kv];
    r->o.verify = 1;
}

static void teardown(struct rig *r)
{
    family_drop(&r->t);
    tsr_isa_free(r->isa);
}

static struct infer *start(const struct rig *r)
{
    struct tsr_error err = {0};
    struct infer *s = NULL;
    if (infer_create(&r->o, &s, &err))
        fail_msg("%s: %s", r->t.name, err.message);
    return s;
}

/* Every launch of some tokens, in bf16 of all families, and in formats whose steps differ. */
static void test_verify_agrees_with_every_launch(void **state)
{
    static const struct in_formats more[] = {
        {"qwen3", TSR_I8, TSR_I8, TSR_BF16},         {"qwen3", TSR_F16, TSR_F16, TSR_F16},
        {"qwen3", TSR_MXF4, TSR_MXF4, TSR_MX9},      {"qwen3", TSR_MX6, TSR_MX6, TSR_F8E4M3},
        {"mixtral", TSR_MX9, TSR_MX9, TSR_MX6},      {"qwen3", TSR_Q4_0, TSR_Q4_0, TSR_MXF8E4M3},
        {"gpt_oss", TSR_MXF4, TSR_BF16, TSR_Q8_0},   {"grok", TSR_F8E4M3, TSR_F8E4M3, TSR_F8E5M2},
        {"qwen3_moe", TSR_Q4_K, TSR_Q8_0, TSR_BF16}, {"gpt_oss", TSR_BF16, TSR_BF16, TSR_I8},
        {"grok", TSR_F16, TSR_F16, TSR_I8},          {"qwen3", TSR_MX9, TSR_MX9, TSR_I8},
    };
    (void)state;
    for (size_t i = 0; i < n_families + sizeof more / sizeof *more; i++) {
        const struct in_formats bf16 = {i < n_families ? families[i].name : "", TSR_BF16, TSR_BF16,
                                        TSR_BF16};
        const struct in_formats *f = i < n_families ? &bf16 : &more[i - n_families];
        struct tsr_error err = {0};
        struct rig r;
        setup(&r, f);
        struct infer *s = start(&r);
        float *logits = malloc(9 * sizeof *logits * r.t.model.vocab);
        if (infer_step(s, r.t.tokens, 9, i % 2 == 0, logits, &err) ||
            infer_step(s, r.t.tokens + 9, 1, false, NULL, &err) ||
            infer_step(s, r.t.tokens + 10, 1, false, NULL, &err))
            fail_msg("%s in %s: %s", f->family, r.o.format->name, err.message);
        const struct infer_verified v = infer_verified(s);
        if (v.unknown != 0 || v.checked != infer_cost(s)->launches)
            fail_msg("%s in %s: %llu checked, %llu without a reference", f->family,
                     r.o.format->name, (unsigned long long)v.checked,
                     (unsigned long long)v.unknown);
        free(logits);
        infer_destroy(s);
        teardown(&r);
    }
}

/* A prompt of so many tokens that a gate's products leave blocks. */
static void test_verify_agrees_with_results_in_blocks(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_MX9, TSR_MX6, TSR_MX4, TSR_NVF4};
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const struct in_formats f = {"llama", formats[i], formats[i], TSR_BF16};
        struct tsr_error err = {0};
        uint32_t tokens[40], blocks = 0;
        struct rig r;
        setup(&r, &f);
        r.o.positions = 40;
        for (uint32_t t = 0; t < 40; t++)
            tokens[t] = (t * 37 + 11) % r.t.model.vocab;
        struct infer *s = start(&r);
        if (infer_step(s, tokens, 40, false, NULL, &err))
            fail_msg("%s: %s", r.o.format->name, err.message);
        assert_int_equal(infer_verified(s).unknown, 0);
        const struct project_plan *p = ((struct npu *)s)->plan;
        for (uint32_t k = 0; k < p->n_steps; k++)
            blocks += strcmp(p->step[k].kernel->name, "matmul") == 0 &&
                      r.isa->formats[p->step[k].op.matmul.c_format].block > 1;
        assert_true(blocks > 0);
        infer_destroy(s);
        teardown(&r);
    }
}

/* ---- operations that go wrong ---- */

/* What is launched for a token, in order. */
struct launches {
    const struct npu *npu;
    uint32_t n;
    struct {
        const char *name;
        uint32_t layer;
    } of[512];
};

static enum tsr_status collect(void *self, uint32_t op, uint32_t layer, struct tsr_error *err)
{
    struct launches *l = self;
    (void)err;
    for (uint32_t i = l->npu->first_step[op]; i < l->npu->first_step[op + 1]; i++, l->n++) {
        assert_true(l->n < sizeof l->of / sizeof *l->of);
        l->of[l->n].name = l->npu->plan->step[i].name;
        l->of[l->n].layer = layer;
    }
    return TSR_OK;
}

/* A program that leaves everything but the last bytes of the memory as it is. */
static void emit_nothing(const struct rig *r, struct tsr_program *out)
{
    const struct tsr_npu_kv_append op = {.bytes = 2,
                                         .n = {1, 1, 1},
                                         .src = TSR_HBM(r->chip.hbm.bytes - 4096),
                                         .dst = TSR_HBM(r->chip.hbm.bytes - 2048)};
    assert_int_equal(tsr_npu_kv_append(r->isa, &r->chip, &op, out, NULL), TSR_OK);
}

/* An operation that does nothing is found, whichever it is: its name, layer and token are said. The
 * token takes the place of another, whose values still lie there; not the first place, where RoPE
 * turns nothing. */
static void test_verify_names_the_operation_that_is_wrong(void **state)
{
    static const struct in_formats rows[] = {
        {"mixtral", TSR_BF16, TSR_BF16, TSR_BF16},
        {"qwen3", TSR_I8, TSR_I8, TSR_F8E4M3},
        {"qwen3_moe", TSR_MXF4, TSR_MXF4, TSR_MX9},
        {"qwen3", TSR_BF16, TSR_BF16, TSR_I8},
    };
    (void)state;
    for (size_t f = 0; f < sizeof rows / sizeof *rows; f++) {
        struct tsr_program nothing, was;
        struct rig r;
        setup(&r, &rows[f]);
        struct infer *s = start(&r);
        struct npu *n = (struct npu *)s;
        struct launches l = {.npu = n};
        assert_int_equal(infer_step(s, r.t.tokens, 1, false, NULL, NULL), TSR_OK);
        assert_int_equal(infer_step(s, r.t.tokens + 1, 1, false, NULL, NULL), TSR_OK);
        assert_int_equal(infer_walk(&n->plan->graph, &r.t.model, collect, &l, NULL), TSR_OK);
        assert_int_equal(l.n, n->n_launches);
        emit_nothing(&r, &nothing);
        for (uint32_t i = 0; i < l.n; i++) {
            struct tsr_error err = {0};
            char want[128];
            snprintf(want, sizeof want, "%s of layer %u, token 1: ", l.of[i].name, l.of[i].layer);
            was = n->launch[i].program;
            n->launch[i].program = nothing;
            s->position = 1;
            if (infer_step(s, r.t.tokens + 2, 1, false, NULL, &err) != TSR_MISMATCH ||
                strstr(err.message, want) == NULL)
                fail_msg("%s, launch %u: \"%s\" is wanted, not \"%s\"", r.t.name, i, want,
                         err.message);
            n->launch[i].program = was;
        }
        tsr_program_free(&nothing);
        s->position = 1;
        assert_int_equal(infer_step(s, r.t.tokens + 2, 1, false, NULL, NULL), TSR_OK);
        infer_destroy(s);
        teardown(&r);
    }
}

/* A bit of an output that is wrong is found, whatever the kernel. */
static void test_verify_finds_a_wrong_value(void **state)
{
    static const struct in_formats rows[] = {{"llama", TSR_I8, TSR_I8, TSR_BF16},
                                             {"qwen3_moe", TSR_MX9, TSR_MX9, TSR_MXF8E4M3},
                                             {"mistral", TSR_BF16, TSR_BF16, TSR_I8}};
    (void)state;
    for (size_t f = 0; f < sizeof rows / sizeof *rows; f++) {
        struct rig r;
        setup(&r, &rows[f]);
        r.o.verify = 0;
        struct infer *s = start(&r);
        assert_int_equal(infer_step(s, r.t.tokens, 1, false, NULL, NULL), TSR_OK);
        assert_int_equal(infer_step(s, r.t.tokens + 1, 1, false, NULL, NULL), TSR_OK);
        struct npu *n = (struct npu *)s;
        for (uint32_t i = 0; i < n->n_launches; i++) {
            struct tsr_error err = {0};
            struct tsr_run_options run = {.mode = TSR_MODE_FUNCTIONAL};
            struct npu_launch *l = &n->launch[i];
            struct verify v;
            bool served;
            uint8_t byte;
            assert_int_equal(verify_begin(n, l->kernel, &l->op, &v, &served, &err), TSR_OK);
            assert_true(served);
            assert_int_equal(tsr_sim_run(n->sim, &l->program, &run, NULL, NULL, &err), TSR_OK);
            if (verify_end(&v, &err) != TSR_OK)
                fail_msg("%s: %s", l->kernel->name, err.message);
            /* the top byte of an element in the middle of the last output: exponent, or sign */
            const struct verify_rows *o = v.out[v.n - 1];
            const uint64_t size = r.isa->formats[o->format].bits / 8;
            const uint64_t at =
                o->address + (o->rows - 1) * o->stride + (o->cols / 2 + 1) * size - 1;
            assert_int_equal(tsr_sim_read(n->sim, at, &byte, 1, NULL), TSR_OK);
            byte ^= 0x40;
            assert_int_equal(tsr_sim_write(n->sim, at, &byte, 1, NULL), TSR_OK);
            if (verify_end(&v, &err) != TSR_MISMATCH)
                fail_msg("%s: a wrong value was not found", l->kernel->name);
            byte ^= 0x40;
            assert_int_equal(tsr_sim_write(n->sim, at, &byte, 1, NULL), TSR_OK);
            assert_non_null(strstr(err.message, "the reference has"));
            verify_free(&v);
        }
        infer_destroy(s);
        teardown(&r);
    }
}

/* ---- the host's kernels ---- */

static void setup_sve(struct rig *r, const char *family, enum tsr_dtype weights)
{
    const struct in_formats f = {family, weights, weights, TSR_BF16};
    setup(r, &f);
    r->o.target = INFER_SVE;
    r->o.activations = infer_sve_activations(r->isa, r->o.format);
}

static void test_verify_agrees_with_every_operation_on_the_host(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_F32,  TSR_F16,  TSR_BF16,     TSR_I8,  TSR_I4,
                                             TSR_Q8_0, TSR_Q4_0, TSR_MXF8E4M3, TSR_MXF4};
    (void)state;
    for (size_t i = 0; i < n_families; i++)
        for (size_t j = 0; j < sizeof formats / sizeof *formats; j++) {
            struct tsr_error err = {0};
            struct rig r;
            if (i % 3 != j % 3 && formats[j] != TSR_BF16)
                continue;
            setup_sve(&r, families[i].name, formats[j]);
            struct infer *s = start(&r);
            if (infer_step(s, r.t.tokens, 5, true, NULL, &err) ||
                infer_step(s, r.t.tokens + 5, 1, false, NULL, &err))
                fail_msg("%s in %s: %s", families[i].name, r.o.format->name, err.message);
            assert_true(infer_verified(s).checked > 2 * r.t.model.layers);
            infer_destroy(s);
            teardown(&r);
        }
}

/* q4_k as the file has it: its values to the bit, or the bounds would not hold; rows that are not
 * whole blocks of q8_0 and q4_0. */
static void test_verify_agrees_with_blocks_of_files_and_padded_rows(void **state)
{
    static const struct {
        enum tsr_dtype file, format;
        uint32_t ffn;
    } rows[] = {{TSR_Q4_K, TSR_Q4_K, 256}, {TSR_F32, TSR_Q8_0, 172}, {TSR_F32, TSR_Q4_0, 172}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tsr_test_weights w = {.container = TSR_WEIGHTS_GGUF, .seed = 5};
        struct tsr_error err = {0};
        struct tsr_weights *file = NULL;
        struct tsr_model model;
        struct tsr_isa *isa = NULL;
        struct infer *s = NULL;
        const uint32_t tokens[] = {3, 70, 11, 200};
        w.matrices = rows[i].file;
        tsr_test_model(TSR_ARCH_LLAMA, true, &w.model);
        w.model.ffn = rows[i].ffn;
        tsr_test_weights_write(&w, "blocks.gguf");
        assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
        if (tsr_weights_open("blocks.gguf", &file, &err) || tsr_weights_model(file, &model, &err))
            fail_msg("%s", err.message);
        struct infer_options o = {.isa = isa,
                                  .weights = file,
                                  .model = &model,
                                  .target = INFER_SVE,
                                  .format = &isa->formats[rows[i].format],
                                  .activations = &isa->formats[TSR_I8],
                                  .kv = &isa->formats[TSR_BF16],
                                  .positions = 4,
                                  .threads = 2,
                                  .verify = 1};
        if (infer_create(&o, &s, &err) || infer_step(s, tokens, 3, false, NULL, &err) ||
            infer_step(s, tokens + 3, 1, false, NULL, &err))
            fail_msg("%s: %s", o.format->name, err.message);
        const struct host *h = (const struct host *)s;
        for (uint32_t k = 0; k < h->graph.n_ops; k++)
            if (strcmp(h->graph.ops[k].name, "down") == 0)
                assert_int_equal(host_packed_format(h, &h->graph.ops[k], 0), rows[i].format);
        infer_destroy(s);
        s = NULL;
        o.format = &isa->formats[TSR_Q4_K];
        if (rows[i].file != TSR_Q4_K) {
            assert_int_equal(infer_create(&o, &s, &err), TSR_BAD_INPUT);
            assert_non_null(strstr(err.message, "no matrix of blocks.gguf is in it"));
        }
        tsr_weights_close(file);
        tsr_isa_free(isa);
    }
}

static uint32_t spoiled;

/* Of operation `spoiled` of layer 1 (or outside of layers) the first element, wherever it is; of
 * what is appended the newest keys, of choices the expert. */
static void spoil(struct host *h, uint32_t op)
{
    const struct tsr_graph_op *o = &h->graph.ops[op];
    const struct tsr_model *m = h->model;
    float *const each[] = {h->stream, h->normed,        h->wide, h->branch,
                           h->sums,   h->router_logits, h->out};
    if (op != spoiled || (o->layer_kinds != 0 && h->layer != 1))
        return;
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (each[i] != NULL)
            each[i][0] += 0.125f;
    if (o->kind == TSR_OP_TOPK)
        h->experts[0] ^= 1;
    for (uint32_t i = 0; i < m->kv_heads && o->kind == TSR_OP_KV_APPEND; i++)
        host_cache_row(h, h->k_cache, i, h->position)[0] += 0.125f;
}

static void test_verify_names_the_operation_of_the_host_that_is_wrong(void **state)
{
    static const char *const names[] = {"mixtral", "qwen3", "grok"};
    (void)state;
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        struct rig r;
        setup_sve(&r, names[f], TSR_BF16);
        struct infer *s = start(&r);
        struct host *h = (struct host *)s;
        float *logits = malloc(r.t.model.vocab * sizeof *logits);
        h->meddle = spoil;
        for (spoiled = 0; spoiled < h->graph.n_ops; spoiled++) {
            struct tsr_error err = {0};
            char want[96];
            const struct tsr_graph_op *op = &h->graph.ops[spoiled];
            snprintf(want, sizeof want, "%s of layer %u, token 0: ", op->name,
                     op->layer_kinds != 0 ? 1u : 0u);
            infer_restart(s);
            if (infer_step(s, r.t.tokens, 1, false, logits, &err) != TSR_MISMATCH ||
                strstr(err.message, want) == NULL)
                fail_msg("%s: \"%s\" is wanted, not \"%s\"", names[f], want, err.message);
        }
        free(logits);
        infer_destroy(s);
        teardown(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_agrees_with_every_operation_on_the_host),
        cmocka_unit_test(test_verify_agrees_with_blocks_of_files_and_padded_rows),
        cmocka_unit_test(test_verify_names_the_operation_of_the_host_that_is_wrong),
        cmocka_unit_test(test_verify_agrees_with_every_launch),
        cmocka_unit_test(test_verify_agrees_with_results_in_blocks),
        cmocka_unit_test(test_verify_names_the_operation_that_is_wrong),
        cmocka_unit_test(test_verify_finds_a_wrong_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
