/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/families.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"

enum {
    TOKENS = FAMILY_TOKENS,
    DISPLACED = 2
};

const struct family_units family_f32 = {8 * 0x1p-24, 22 * 0x1p-24, 0, 0.002};
const struct family_units family_bf16 = {0x1p-8, 256 * 0x1p-24, 0x1p-9, 0.2};

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

const struct family families[] = {
    {"llama", TSR_ARCH_LLAMA, NULL, TSR_WEIGHTS_LLAMA2C},
    {"llama", TSR_ARCH_LLAMA, NULL, TSR_WEIGHTS_GGUF},
    {"llama3", TSR_ARCH_LLAMA, llama3, TSR_WEIGHTS_SAFETENSORS},
    {"mistral", TSR_ARCH_MISTRAL, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"mixtral", TSR_ARCH_MIXTRAL, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"qwen2", TSR_ARCH_QWEN2, NULL, TSR_WEIGHTS_GGUF},
    {"qwen3", TSR_ARCH_QWEN3, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"qwen3_moe", TSR_ARCH_QWEN3_MOE, NULL, TSR_WEIGHTS_GGUF},
    {"qwen2_moe", TSR_ARCH_QWEN2_MOE, NULL, TSR_WEIGHTS_GGUF},
    {"qwen2_moe_hf", TSR_ARCH_QWEN2_MOE, NULL, TSR_WEIGHTS_SAFETENSORS},
    {"gpt_oss", TSR_ARCH_GPT_OSS, NULL, TSR_WEIGHTS_GGUF},
    {"gpt_oss_mxf4", TSR_ARCH_GPT_OSS, NULL, TSR_WEIGHTS_SAFETENSORS}, /* experts */
    {"grok", TSR_ARCH_GROK, NULL, TSR_WEIGHTS_GGUF},
    {"phi3", TSR_ARCH_PHI3, NULL, TSR_WEIGHTS_SAFETENSORS},
};

const size_t n_families = sizeof families / sizeof *families;

void family_make(const struct family *f, bool all_experts, struct family_model *t)
{
    family_make_seeded(f, all_experts, 7, t);
}

void family_make_seeded(const struct family *f, bool all_experts, uint64_t seed,
                        struct family_model *t)
{
    static const char *const suffix[] = {".gguf", "", ".bin"};
    struct tsr_error err = {0};
    char path[64];
    memset(t, 0, sizeof *t);
    tsr_test_model(f->arch, false, &t->w.model);
    if (f->change != NULL)
        f->change(&t->w.model);
    if (all_experts)
        t->w.model.top_k = t->w.model.experts;
    t->name = f->name;
    t->w.container = f->container;
    t->w.matrices = TSR_F32;
    t->w.seed = seed;
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

void family_drop(struct family_model *t)
{
    tsr_weights_close(t->file);
    free(t->want);
}

void family_tolerance(struct family_model *t, const struct family_units *u)
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
    if (tight < TOKENS)
        fail_msg("%s: for %u of %d tokens alone a wrong operation would show", t->name, tight,
                 TOKENS);
}

void family_run(const struct family_model *t, const struct infer_options *o, const float *again,
                float *got)
{
    struct tsr_error err = {0};
    struct infer *s = NULL;
    const uint32_t v = t->model.vocab;
    if (infer_create(o, &s, &err))
        fail_msg("%s: %s", t->name, err.message);
    /* some together, the rest one by one */
    if (infer_step(s, t->tokens, 5, true, got, &err))
        fail_msg("%s: %s", t->name, err.message);
    for (uint32_t i = 5; i < TOKENS; i++)
        if (infer_step(s, t->tokens + i, 1, i % 2 == 0, got + (size_t)i * v, &err))
            fail_msg("%s: %s", t->name, err.message);
    infer_destroy(s);
    for (size_t i = 0; again == NULL && i < TOKENS * (size_t)v; i++)
        if (!(fabs((double)got[i] - t->want[i]) <= t->allowed[i / v]))
            fail_msg("%s: token %zu, logit %zu: %g, %g is wanted, within %g", t->name, i / v, i % v,
                     (double)got[i], t->want[i], t->allowed[i / v]);
    if (again != NULL)
        assert_memory_equal(got, again, TOKENS * (size_t)v * sizeof *got);
}

struct infer_options family_options(const struct family_model *t, const struct tsr_isa *isa)
{
    return (struct infer_options){.isa = isa,
                                  .weights = t->file,
                                  .model = &t->model,
                                  .target = INFER_REF,
                                  .positions = TOKENS + 2,
                                  .threads = 1};
}
