/* SPDX-License-Identifier: Apache-2.0 */
/* Small models of every family, made up: their logits against those of an independent reference in
 * double precision, on the host and on the chip.
 *
 * The tolerance: the reference runs again with every weight and every result of an operation moved
 * at random by what the target's arithmetic may err (see units below); a token's logits may be off
 * by four times the largest distance that DISPLACED such runs show for it. A wrong operation shows
 * as a distance of the order of the logits, which is asserted to lie far above for at least half of
 * the tokens: not for those where a router's choice hangs on the last bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/infer/infer.h"
#include "tests/support/harness.h"
#include "tests/support/model_oracle.h"

enum {
    TOKENS = 12, /* twice the window of the models that have one */
    DISPLACED = 4
};

/* f32: a sum of k products errs by (k / 16 + 6) 2^-24 of its magnitudes, k at most 256 here; all
 * else by a few 2^-24. bf16 on the chip: every result is rounded to 8 bits, 2^-9 of itself, and may
 * be rounded twice (a product, then its sum with the stream); weights once; sums are f32, each of
 * k steps rounded. */
static const struct units {
    double result, sum, weight, share;
} f32_units = {8 * 0x1p-24, 22 * 0x1p-24, 0, 0.002},
  bf16_units = {0x1p-8, 256 * 0x1p-24, 0x1p-9, 0.2};

struct family {
    const char *name;
    enum tsr_arch arch;
    void (*change)(struct tsr_model *m);
    enum tsr_weights_container container;
};

static void llama3(struct tsr_model *m)
{
    m->rope = (struct tsr_rope_config){.scaling = TSR_ROPE_LLAMA3,
                                       .theta = 500000,
                                       .factor = 8,
                                       .low_freq_factor = 1,
                                       .high_freq_factor = 4,
                                       .attention_factor = 1,
                                       .original_context = 16};
}

static const struct family families[] = {
    {"llama", TSR_ARCH_LLAMA, NULL, TSR_WEIGHTS_LLAMA2C},
    {"llama", TSR_ARCH_LLAMA, NULL, TSR_WEIGHTS_GGUF},
    {"llama3", TSR_ARCH_LLAMA, llama3, TSR_WEIGHTS_SAFETENSORS},
    {"mistral", TSR_ARCH_MISTRAL, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"mixtral", TSR_ARCH_MIXTRAL, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"qwen2", TSR_ARCH_QWEN2, NULL, TSR_WEIGHTS_GGUF},
    {"qwen3", TSR_ARCH_QWEN3, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"qwen3_moe", TSR_ARCH_QWEN3_MOE, NULL, TSR_WEIGHTS_GGUF},
    {"gpt_oss", TSR_ARCH_GPT_OSS, NULL, TSR_WEIGHTS_GGUF},
    {"gpt_oss_mxf4", TSR_ARCH_GPT_OSS, NULL, TSR_WEIGHTS_SAFETENSORS}, /* experts */
    {"grok", TSR_ARCH_GROK, NULL, TSR_WEIGHTS_GGUF},
    {"phi3", TSR_ARCH_PHI3, NULL, TSR_WEIGHTS_SAFETENSORS},
};

struct model {
    struct tsr_test_weights w;
    struct tsr_weights *file, *values;
    struct tsr_model model;
    uint32_t tokens[TOKENS];
    double *want, allowed[TOKENS];
};

static void make(const struct family *f, struct model *t)
{
    static const char *const suffix[] = {".gguf", "", ".bin"};
    struct tsr_error err = {0};
    char path[64];
    memset(t, 0, sizeof *t);
    tsr_test_model(f->arch, false, &t->w.model);
    if (f->change != NULL)
        f->change(&t->w.model);
    t->w.container = f->container;
    t->w.matrices = TSR_F32;
    t->w.seed = 7;
    snprintf(path, sizeof path, "%s%s", f->name, suffix[f->container]);
    tsr_test_weights_write(&t->w, path);
    if (tsr_weights_open(path, &t->file, &err) || tsr_weights_model(t->file, &t->model, &err))
        fail_msg("%s", err.message);
    for (uint32_t i = 0; i < TOKENS; i++)
        t->tokens[i] = (i * 37 + 11) % t->model.vocab;
    t->want = malloc(TOKENS * (size_t)t->model.vocab * sizeof *t->want);
    assert_non_null(t->want);
    t->values = strcmp(f->name, "gpt_oss_mxf4") == 0 ? t->file : NULL;
    const struct tsr_oracle o = {&t->w, t->values, 0, 0, 0, 0};
    tsr_oracle_logits(&o, t->tokens, TOKENS, t->want);
}

static void drop(struct model *t)
{
    tsr_weights_close(t->file);
    free(t->want);
}

/* For each token. */
static void find_tolerance(struct model *t, const char *name, const struct units *u)
{
    const size_t v = t->model.vocab;
    double *other = malloc(TOKENS * v * sizeof *other), scale = 0;
    uint32_t tight = 0;
    assert_non_null(other);
    memset(t->allowed, 0, sizeof t->allowed);
    for (uint64_t i = 0; i < DISPLACED; i++) {
        const struct tsr_oracle o = {&t->w, t->values, u->result, u->sum, u->weight, 100 + i};
        tsr_oracle_logits(&o, t->tokens, TOKENS, other);
        for (size_t j = 0; j < TOKENS * v; j++) {
            t->allowed[j / v] = fmax(t->allowed[j / v], 4 * fabs(other[j] - t->want[j]));
            scale = fmax(scale, fabs(t->want[j]));
        }
    }
    free(other);
    for (uint32_t i = 0; i < TOKENS; i++)
        tight += t->allowed[i] < u->share * scale;
    if (tight < TOKENS / 2)
        fail_msg("%s: for %u of %d tokens alone a wrong operation would show", name, tight, TOKENS);
}

static void run(const struct model *t, const struct infer_options *o, const char *name,
                const float *again, float *got)
{
    struct tsr_error err = {0};
    struct infer *s = NULL;
    const uint32_t v = t->model.vocab;
    if (infer_create(o, &s, &err))
        fail_msg("%s: %s", name, err.message);
    /* some together, the rest one by one */
    if (infer_step(s, t->tokens, 5, true, got, &err))
        fail_msg("%s: %s", name, err.message);
    for (uint32_t i = 5; i < TOKENS; i++)
        if (infer_step(s, t->tokens + i, 1, i % 2 == 0, got + (size_t)i * v, &err))
            fail_msg("%s: %s", name, err.message);
    infer_destroy(s);
    for (size_t i = 0; again == NULL && i < TOKENS * (size_t)v; i++)
        if (!(fabs((double)got[i] - t->want[i]) <= t->allowed[i / v]))
            fail_msg("%s: token %zu, logit %zu: %g, %g is wanted, within %g", name, i / v, i % v,
                     (double)got[i], t->want[i], t->allowed[i / v]);
    if (again != NULL)
        assert_memory_equal(got, again, TOKENS * (size_t)v * sizeof *got);
}

static struct infer_options options_of(const struct model *t, const struct tsr_isa *isa)
{
    return (struct infer_options){.isa = isa,
                                  .weights = t->file,
                                  .model = &t->model,
                                  .target = INFER_REF,
                                  .positions = TOKENS + 2,
                                  .threads = 1};
}

static void test_ref_agrees_with_double_precision_in_every_family(void **state)
{
    struct tsr_isa *isa = NULL;
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct model t;
        make(&families[i], &t);
        find_tolerance(&t, families[i].name, &f32_units);
        const size_t n = TOKENS * (size_t)t.model.vocab;
        float *got = malloc(2 * n * sizeof *got);
        struct infer_options o = options_of(&t, isa);
        run(&t, &o, families[i].name, NULL, got);
        free(got);
        drop(&t);
    }
    tsr_isa_free(isa);
}

static void test_npu_agrees_with_double_precision_in_every_family(void **state)
{
    struct tsr_isa *isa = NULL;
    struct tsr_chip chip;
    (void)state;
    assert_int_equal(tsr_isa_load(NULL, 0, &isa, NULL), TSR_OK);
    assert_int_equal(tsr_chip_load("micro", &chip, NULL), TSR_OK);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        struct model t;
        make(&families[i], &t);
        find_tolerance(&t, families[i].name, &bf16_units);
        float *got = malloc(TOKENS * (size_t)t.model.vocab * sizeof *got);
        struct infer_options o = options_of(&t, isa);
        o.target = INFER_NPU;
        o.chip = &chip;
        o.format = o.activations = o.kv = &isa->formats[TSR_BF16];
        run(&t, &o, families[i].name, NULL, got);
        free(got);
        drop(&t);
    }
    tsr_isa_free(isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref_agrees_with_double_precision_in_every_family),
        cmocka_unit_test(test_npu_agrees_with_double_precision_in_every_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
