/* SPDX-License-Identifier: Apache-2.0 */
/* Writers of safetensors with config.json, and of llama2.c's files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/harness.h"
#include "tests/support/model_entries.h"

static void append_text(struct tsr_test_bytes *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append_text(struct tsr_test_bytes *b, const char *format, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    assert_in_range(n, 0, sizeof line - 1);
    tsr_test_append(b, line, (size_t)n);
}

static const char *flag(bool b)
{
    return b ? "true" : "false";
}

/* ---- config.json ---- */

static void append_rope(struct tsr_test_bytes *b, const struct tsr_rope_config *r)
{
    append_text(b, "  \"rope_theta\": %.17g,\n", r->theta);
    if (r->scaling == TSR_ROPE_YARN)
        append_text(b,
                    "  \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": %.17g, "
                    "\"beta_fast\": %.17g, \"beta_slow\": %.17g, \"truncate\": %s, "
                    "\"original_max_position_embeddings\": %u},\n",
                    r->factor, r->beta_fast, r->beta_slow, flag(r->truncate), r->original_context);
    if (r->scaling == TSR_ROPE_LLAMA3)
        append_text(b,
                    "  \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": %.17g, "
                    "\"low_freq_factor\": %.17g, \"high_freq_factor\": %.17g, "
                    "\"original_max_position_embeddings\": %u},\n",
                    r->factor, r->low_freq_factor, r->high_freq_factor, r->original_context);
}

static void append_family(struct tsr_test_bytes *b, const struct tsr_model *m)
{
    if (m->arch == TSR_ARCH_QWEN2_MOE)
        append_text(b, "  \"shared_expert_intermediate_size\": %u,\n", m->shared_ffn);
    if (m->arch == TSR_ARCH_QWEN3_MOE || m->arch == TSR_ARCH_QWEN2_MOE)
        append_text(b,
                    "  \"num_experts\": %u,\n  \"moe_intermediate_size\": %u,\n"
                    "  \"norm_topk_prob\": %s,\n",
                    m->experts, m->expert_ffn, flag(m->router_renorm));
    else if (m->experts > 0)
        append_text(b, "  \"num_local_experts\": %u,\n", m->experts);
    if (m->experts > 0)
        append_text(b, "  \"num_experts_per_tok\": %u,\n", m->top_k);
    if (m->window > 0) {
        append_text(b, "  \"sliding_window\": %u,\n  \"layer_types\": [", m->window);
        for (uint32_t i = 0; i < m->layers; i++)
            append_text(b, "%s\"%s_attention\"", i > 0 ? ", " : "",
                        (m->layer_kind[i] & TSR_LAYER_SLIDING) != 0 ? "sliding" : "full");
        append_text(b, "],\n");
    }
    if (m->arch == TSR_ARCH_GROK)
        append_text(b,
                    "  \"embedding_multiplier_scale\": %.17g,\n"
                    "  \"output_multiplier_scale\": %.17g,\n  \"attn_output_multiplier\": %.17g,\n",
                    m->embed_scale, m->logit_scale, m->attn_scale);
    if (m->arch != TSR_ARCH_QWEN2 && m->arch != TSR_ARCH_QWEN2_MOE)
        append_text(b, "  \"attention_bias\": %s,\n", flag(m->qkv_bias));
}

static void append_config(struct tsr_test_bytes *b, const struct tsr_model *m)
{
    append_text(b, "{\n  \"model_type\": \"%s\",\n", tsr_arch_name(m->arch));
    append_family(b, m);
    append_rope(b, &m->rope);
    append_text(b,
                "  \"hidden_size\": %u,\n  \"num_hidden_layers\": %u,\n"
                "  \"num_attention_heads\": %u,\n  \"num_key_value_heads\": %u,\n"
                "  \"head_dim\": %u,\n  \"intermediate_size\": %u,\n  \"vocab_size\": %u,\n"
                "  \"max_position_embeddings\": %u,\n  \"rms_norm_eps\": %.17g,\n"
                "  \"tie_word_embeddings\": %s\n}\n",
                m->hidden, m->layers, m->heads, m->kv_heads, m->head_dim, m->ffn, m->vocab,
                m->context, m->norm_eps, flag(m->tied));
}

/* ---- safetensors ---- */

struct shard {
    struct tsr_test_bytes header, data;
};

static void append_header(struct shard *s, const char *name, const char *dtype,
                          const uint64_t *dims, int n, uint64_t begin)
{
    append_text(&s->header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", s->header.n > 0 ? "," : "{",
                name, dtype);
    for (int i = 0; i < n; i++)
        append_text(&s->header, "%s%llu", i > 0 ? "," : "", (unsigned long long)dims[i]);
    append_text(&s->header, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                (unsigned long long)s->data.n);
}

static void put_mxfp4(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                      struct shard *s)
{
    struct tsr_test_bytes scales = {0};
    uint64_t dims[4] = {e->experts, e->rows, e->cols / 32, 16}, begin = s->data.n;
    float *x = calloc(e->cols, sizeof *x);
    char name[128];
    for (uint64_t r = 0; r < tsr_test_entry_rows(e); r++) {
        tsr_test_entry_row(w, e, r, x);
        tsr_test_append_mxfp4(&s->data, &scales, x, e->cols);
    }
    snprintf(name, sizeof name, "%s_blocks", e->name);
    append_header(s, name, "U8", dims, 4, begin);
    begin = s->data.n;
    tsr_test_append(&s->data, scales.data, scales.n);
    snprintf(name, sizeof name, "%s_scales", e->name);
    append_header(s, name, "U8", dims, 3, begin);
    free(scales.data);
    free(x);
}

static void put_entry(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                      struct shard *s)
{
    if (e->mxfp4) {
        put_mxfp4(w, e, s);
        return;
    }
    uint64_t dims[3], begin = s->data.n;
    int n = 0;
    if (e->experts > 0)
        dims[n++] = e->experts;
    if (e->rows > 0)
        dims[n++] = e->rows;
    dims[n++] = e->cols;
    enum tsr_dtype format = e->rows > 0 ? w->matrices : TSR_F32;
    float *x = calloc(e->cols, sizeof *x);
    for (uint64_t r = 0; r < tsr_test_entry_rows(e); r++) {
        tsr_test_entry_row(w, e, r, x);
        tsr_test_append_row(&s->data, format, x, e->cols);
    }
    free(x);
    append_header(s, e->name,
                  format == TSR_F32   ? "F32"
                  : format == TSR_F16 ? "F16"
                                      : "BF16",
                  dims, n, begin);
}

static void write_shard(struct shard *s, const char *path)
{
    struct tsr_test_bytes out = {0};
    append_text(&s->header, ",\"__metadata__\":{\"format\":\"pt\"}}");
    while (s->header.n % 8 != 0)
        append_text(&s->header, " ");
    tsr_test_append_u64(&out, s->header.n);
    tsr_test_append(&out, s->header.data, s->header.n);
    tsr_test_append(&out, s->data.data, s->data.n);
    tsr_test_write(path, out.data, out.n);
    free(out.data);
    free(s->header.data);
    free(s->data.data);
}

static void append_index(struct tsr_test_bytes *index, const struct tsr_test_entry *e,
                         const char *file)
{
    static const char *const ends[] = {"_blocks", "_scales"};
    for (int i = 0; i < (e->mxfp4 ? 2 : 1); i++)
        append_text(index, "%s\"%s%s\": \"%s\"",
                    index->n > 0 ? ",\n  " : "{\"metadata\": {}, \"weight_map\": {\n  ", e->name,
                    e->mxfp4 ? ends[i] : "", file);
}

void tsr_test_write_safetensors(const struct tsr_test_weights *w, const char *folder)
{
    char path[1024], file[64];
    size_t n;
    uint32_t shards = w->shards > 1 ? w->shards : 1;
    struct tsr_test_bytes config = {0}, index = {0};
    struct tsr_test_entry *e = tsr_test_entries(w, &n);
    mkdir(folder, 0777);
    append_config(&config, &w->model);
    snprintf(path, sizeof path, "%s/config.json", folder);
    tsr_test_write(path, config.data, config.n);
    for (uint32_t i = 0; i < shards; i++) {
        struct shard s = {0};
        snprintf(file, sizeof file, "model.safetensors");
        if (shards > 1)
            snprintf(file, sizeof file, "model-%05u-of-%05u.safetensors", i + 1, shards);
        for (size_t k = n * i / shards; k < n * (i + 1) / shards; k++) {
            put_entry(w, &e[k], &s);
            append_index(&index, &e[k], file);
        }
        snprintf(path, sizeof path, "%s/%s", folder, file);
        write_shard(&s, path);
    }
    append_text(&index, "}}\n");
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
    remove(path);
    if (shards > 1)
        tsr_test_write(path, index.data, index.n);
    free(config.data);
    free(index.data);
    free(e);
}

/* ---- llama2.c ---- */

static void put_part(const struct tsr_test_weights *w, struct tsr_test_bytes *b, enum tsr_part part,
                     uint64_t rows, uint64_t cols)
{
    bool adjacent = part == TSR_PART_Q || part == TSR_PART_K;
    uint32_t layers = part <= TSR_PART_LM_HEAD ? 1 : w->model.layers;
    float *x = calloc(cols, sizeof *x);
    for (uint32_t l = 0; l < layers; l++) {
        struct tsr_test_entry e = {.part = {part},
                                   .n_parts = 1,
                                   .layer = l,
                                   .rows = rows,
                                   .cols = cols,
                                   .adjacent = adjacent};
        for (uint64_t r = 0; r < tsr_test_entry_rows(&e); r++) {
            tsr_test_entry_row(w, &e, r, x);
            tsr_test_append_row(b, TSR_F32, x, cols);
        }
    }
    free(x);
}

/* Tokens: unknown, begin, end, the bytes, a few pieces of two letters. */
static void write_llama2c_tokenizer(const struct tsr_test_weights *w, const char *path)
{
    static const char letters[] = " etaoinshrdlu";
    struct tsr_test_bytes b = {0};
    char name[1024];
    tsr_test_append_u32(&b, 7);
    for (uint32_t id = 0; id < w->model.vocab; id++) {
        static const char *const first[] = {"<unk>", "\n<s>\n", "\n</s>\n"};
        float score = 0;
        uint32_t bits, k = id - 259;
        if (id < 3)
            snprintf(name, sizeof name, "%s", first[id]);
        else if (id < 259)
            snprintf(name, sizeof name, "<0x%02X>", id - 3);
        else if (k < sizeof letters - 1)
            snprintf(name, sizeof name, "%c", letters[k]);
        else
            snprintf(name, sizeof name, "%c%c", letters[k % 12], letters[1 + k / 2 % 11]);
        if (id >= 259)
            score = -(float)k;
        memcpy(&bits, &score, sizeof bits);
        tsr_test_append_u32(&b, bits);
        tsr_test_append_u32(&b, (uint32_t)strlen(name));
        tsr_test_append(&b, name, strlen(name));
    }
    snprintf(name, sizeof name, "%s.tok", path);
    tsr_test_write(name, b.data, b.n);
    free(b.data);
}

void tsr_test_write_llama2c(const struct tsr_test_weights *w, const char *path)
{
    const struct tsr_model *m = &w->model;
    struct tsr_test_bytes b = {0};
    uint64_t dim = m->hidden, kv = (uint64_t)m->kv_heads * m->head_dim;
    assert_int_equal(m->arch, TSR_ARCH_LLAMA);
    tsr_test_append_u32(&b, m->hidden);
    tsr_test_append_u32(&b, m->ffn);
    tsr_test_append_u32(&b, m->layers);
    tsr_test_append_u32(&b, m->heads);
    tsr_test_append_u32(&b, m->kv_heads);
    tsr_test_append_u32(&b, m->tied ? m->vocab : 0u - m->vocab);
    tsr_test_append_u32(&b, m->context);
    put_part(w, &b, TSR_PART_EMBED, m->vocab, dim);
    put_part(w, &b, TSR_PART_ATTN_NORM, 0, dim);
    put_part(w, &b, TSR_PART_Q, dim, dim);
    put_part(w, &b, TSR_PART_K, kv, dim);
    put_part(w, &b, TSR_PART_V, kv, dim);
    put_part(w, &b, TSR_PART_O, dim, dim);
    put_part(w, &b, TSR_PART_FFN_NORM, 0, dim);
    put_part(w, &b, TSR_PART_GATE, m->ffn, dim);
    put_part(w, &b, TSR_PART_DOWN, dim, m->ffn);
    put_part(w, &b, TSR_PART_UP, m->ffn, dim);
    put_part(w, &b, TSR_PART_FINAL_NORM, 0, dim);
    for (uint32_t i = 0; i < m->context * m->head_dim; i++) /* RoPE's tables, which nobody reads */
        tsr_test_append_u32(&b, 0x7FC00000);
    if (!m->tied)
        put_part(w, &b, TSR_PART_LM_HEAD, m->vocab, dim);
    tsr_test_write(path, b.data, b.n);
    free(b.data);
    write_llama2c_tokenizer(w, path);
}
