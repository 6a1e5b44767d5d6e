/* SPDX-License-Identifier: Apache-2.0 */
/* Writer of GGUF files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/model_entries.h"

/* The head's keys; the count goes in afterwards. */
struct head {
    struct tsr_test_bytes b;
    uint64_t n;
    const char *arch;
};

static void string(struct tsr_test_bytes *b, const char *s)
{
    tsr_test_append_u64(b, strlen(s));
    tsr_test_append(b, s, strlen(s));
}

/* A key that starts with a point is the family's. */
static void key(struct head *h, const char *name, uint32_t kind)
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", name[0] == '.' ? h->arch : "", name);
    string(&h->b, full);
    tsr_test_append_u32(&h->b, kind);
    h->n++;
}

static void put_u32(struct head *h, const char *name, uint32_t v)
{
    key(h, name, 4);
    tsr_test_append_u32(&h->b, v);
}

static void f32(struct tsr_test_bytes *b, double v)
{
    float x = (float)v;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    tsr_test_append_u32(b, bits);
}

static void put_f32(struct head *h, const char *name, double v)
{
    key(h, name, 6);
    f32(&h->b, v);
}

static void put_string(struct head *h, const char *name, const char *v)
{
    key(h, name, 8);
    string(&h->b, v);
}

static void put_array(struct head *h, const char *name, uint32_t kind, uint64_t n)
{
    key(h, name, 9);
    tsr_test_append_u32(&h->b, kind);
    tsr_test_append_u64(&h->b, n);
}

static const char *arch_name(enum tsr_arch arch)
{
    static const char *const names[TSR_ARCH_COUNT] = {"llama", "llama",    "llama",    "qwen2",
                                                      "qwen3", "qwen3moe", "qwen2moe", "gpt-oss",
                                                      "grok",  "phi3"};
    return names[arch];
}

static void put_family(struct head *h, const struct tsr_model *m)
{
    if (m->experts > 0) {
        put_u32(h, ".expert_count", m->experts);
        put_u32(h, ".expert_used_count", m->top_k);
        if (m->expert_ffn != m->ffn)
            put_u32(h, ".expert_feed_forward_length", m->expert_ffn);
    }
    if (m->shared_ffn > 0)
        put_u32(h, ".expert_shared_feed_forward_length", m->shared_ffn);
    if (m->window > 0) {
        put_u32(h, ".attention.sliding_window", m->window);
        if (m->arch == TSR_ARCH_GPT_OSS)
            put_u32(h, ".attention.sliding_window_pattern", 2);
    }
    if (m->rope.scaling == TSR_ROPE_YARN) {
        put_string(h, ".rope.scaling.type", "yarn");
        put_f32(h, ".rope.scaling.factor", m->rope.factor);
        put_u32(h, ".rope.scaling.original_context_length", m->rope.original_context);
    }
}

static void put_model(struct head *h, const struct tsr_model *m)
{
    put_string(h, "general.architecture", h->arch);
    put_string(h, "general.name", "made up");
    put_u32(h, "general.alignment", 64);
    put_u32(h, ".block_count", m->layers);
    put_u32(h, ".context_length", m->context);
    put_u32(h, ".embedding_length", m->hidden);
    put_u32(h, ".feed_forward_length", m->ffn);
    put_u32(h, ".attention.head_count", m->heads);
    put_u32(h, ".attention.head_count_kv", m->kv_heads);
    put_u32(h, ".attention.key_length", m->head_dim);
    put_u32(h, ".attention.value_length", m->head_dim);
    put_f32(h, ".attention.layer_norm_rms_epsilon", m->norm_eps);
    put_f32(h, ".rope.freq_base", m->rope.theta);
    put_family(h, m);
}

/* sentencepiece's kind: unknown, begin, end, bytes, then letters and pairs of letters. */
static void put_tokenizer(struct head *h, const struct tsr_model *m)
{
    static const char *const letters[] = {
        "\xE2\x96\x81", "e", "t", "a", "o", "i", "n", "s", "h", "r", "d", "l", "u"};
    char name[32];
    put_string(h, "tokenizer.ggml.model", "llama");
    put_u32(h, "tokenizer.ggml.bos_token_id", 1);
    put_u32(h, "tokenizer.ggml.eos_token_id", 2);
    put_array(h, "tokenizer.ggml.tokens", 8, m->vocab);
    for (uint32_t id = 0; id < m->vocab; id++) {
        static const char *const first[] = {"<unk>", "<s>", "</s>"};
        uint32_t k = id - 259;
        if (id < 3)
            snprintf(name, sizeof name, "%s", first[id]);
        else if (id < 259)
            snprintf(name, sizeof name, "<0x%02X>", id - 3);
        else if (k < 13)
            snprintf(name, sizeof name, "%s", letters[k]);
        else
            snprintf(name, sizeof name, "%s%s", letters[k % 12], letters[1 + k / 2 % 11]);
        string(&h->b, name);
    }
    put_array(h, "tokenizer.ggml.scores", 6, m->vocab);
    for (uint32_t id = 0; id < m->vocab; id++)
        f32(&h->b, id < 259 ? 0 : -(double)(id - 259));
    put_array(h, "tokenizer.ggml.token_type", 5, m->vocab);
    for (uint32_t id = 0; id < m->vocab; id++)
        tsr_test_append_u32(&h->b, id == 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1);
}

/* ---- tensors ---- */

static uint32_t type_of(enum tsr_dtype format)
{
    switch (format) {
    case TSR_F32:
        return 0;
    case TSR_F16:
        return 1;
    case TSR_Q4_0:
        return 2;
    case TSR_Q8_0:
        return 8;
    case TSR_Q4_K:
        return 12;
    case TSR_Q6_K:
        return 14;
    case TSR_BF16:
        return 30;
    default:
        return 39;
    }
}

static void put_info(struct tsr_test_bytes *infos, const char *name, const uint64_t *dims, int n,
                     uint32_t type, uint64_t offset)
{
    string(infos, name);
    tsr_test_append_u32(infos, (uint32_t)n);
    for (int i = 0; i < n; i++) /* from the innermost */
        tsr_test_append_u64(infos, dims[i]);
    tsr_test_append_u32(infos, type);
    tsr_test_append_u64(infos, offset);
}

static void put_tensor(const struct tsr_test_weights *w, const struct tsr_test_entry *e,
                       struct tsr_test_bytes *infos, struct tsr_test_bytes *data)
{
    enum tsr_dtype format = e->rows > 0 ? tsr_test_fit_format(w->matrices, e->cols) : TSR_F32;
    uint64_t dims[3] = {e->cols};
    int n = 1;
    if (e->rows > 0)
        dims[n++] = e->rows;
    if (e->experts > 0)
        dims[n++] = e->experts;
    tsr_test_align(data, 64);
    put_info(infos, e->name, dims, n, type_of(format), data->n);
    float *x = calloc(e->cols, sizeof *x);
    for (uint64_t r = 0; r < tsr_test_entry_rows(e); r++) {
        tsr_test_entry_row(w, e, r, x);
        tsr_test_append_row(data, format, x, e->cols);
    }
    free(x);
}

/* Llama 3's divisors of the frequencies, as HF's modeling_rope_utils has them. */
static void put_rope_freqs(const struct tsr_model *m, struct tsr_test_bytes *infos,
                           struct tsr_test_bytes *data)
{
    const struct tsr_rope_config *r = &m->rope;
    uint64_t half = m->head_dim / 2;
    tsr_test_align(data, 64);
    put_info(infos, "rope_freqs.weight", &half, 1, 0, data->n);
    for (uint64_t i = 0; i < half; i++) {
        double length =
            2 * 3.14159265358979323846 * pow(r->theta, 2.0 * (double)i / (double)m->head_dim);
        double low = r->original_context / r->low_freq_factor,
               high = r->original_context / r->high_freq_factor, f = 1;
        if (length > low) {
            f = r->factor;
        } else if (length > high) {
            double s = (r->original_context / length - r->low_freq_factor) /
                       (r->high_freq_factor - r->low_freq_factor);
            f = 1 / ((1 - s) / r->factor + s);
        }
        f32(data, f);
    }
}

/* Keys of one of several files. */
static void put_split(struct head *h, uint32_t no, uint32_t count)
{
    key(h, "split.no", 2); /* u16 */
    tsr_test_append(&h->b, (uint8_t[2]){(uint8_t)no, 0}, 2);
    key(h, "split.count", 2);
    tsr_test_append(&h->b, (uint8_t[2]){(uint8_t)count, 0}, 2);
}

static void write_file(const struct head *h, struct tsr_test_bytes *infos,
                       struct tsr_test_bytes *data, size_t tensors, const char *path)
{
    struct tsr_test_bytes out = {0};
    tsr_test_append(&out, "GGUF", 4);
    tsr_test_append_u32(&out, 3);
    tsr_test_append_u64(&out, tensors);
    tsr_test_append_u64(&out, h->n);
    tsr_test_append(&out, h->b.data, h->b.n);
    tsr_test_append(&out, infos->data, infos->n);
    tsr_test_align(&out, 64);
    tsr_test_append(&out, data->data, data->n);
    tsr_test_write(path, out.data, out.n);
    free(out.data);
}

void tsr_test_write_gguf(const struct tsr_test_weights *w, const char *path)
{
    size_t n;
    struct tsr_test_entry *e = tsr_test_entries(w, &n);
    const char *first = strstr(path, "-00001-of-");
    const uint32_t shards = first != NULL ? w->shards : 1;
    for (uint32_t i = 0; i < shards; i++) {
        struct head h = {.arch = arch_name(w->model.arch)};
        struct tsr_test_bytes infos = {0}, data = {0};
        const bool freqs = i == 0 && w->model.rope.scaling == TSR_ROPE_LLAMA3;
        const size_t from = n * i / shards, end = n * (i + 1) / shards;
        char file[256];
        snprintf(file, sizeof file, "%s", path);
        if (shards > 1) {
            snprintf(file, sizeof file, "%.*s-%05u-of-%05u.gguf", (int)(first - path), path, i + 1,
                     shards);
            put_split(&h, i, shards);
        }
        if (i == 0) {
            put_model(&h, &w->model);
            put_tokenizer(&h, &w->model);
        } else {
            put_u32(&h, "general.alignment", 64);
        }
        for (size_t k = from; k < end; k++)
            put_tensor(w, &e[k], &infos, &data);
        if (freqs)
            put_rope_freqs(&w->model, &infos, &data);
        write_file(&h, &infos, &data, end - from + freqs, file);
        free(h.b.data);
        free(infos.data);
        free(data.data);
    }
    free(e);
}
