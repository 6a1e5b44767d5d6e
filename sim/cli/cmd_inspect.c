/* SPDX-License-Identifier: Apache-2.0 */
/* What a file of weights holds. The text is a view of the JSON. */
#include <math.h>
#include <string.h>

#include "sim/cli/model_run.h"
#include "sim/weights/gguf.h"
#include "sim/weights/weights_priv.h"
#include "tessera/tokenizer.h"
#include "tessera/weights.h"

static void set_int(json_t *o, const char *key, uint64_t v)
{
    json_object_set_new(o, key, json_integer(v <= INT64_MAX ? (json_int_t)v : INT64_MAX));
}

/* Text of a file: what is no printable ASCII or UTF-8 becomes '?'. */
static json_t *text(const char *s, size_t n)
{
    char out[256] = "";
    size_t k = n < sizeof out ? n : sizeof out - 4;
    for (size_t i = 0; i < k; i++)
        out[i] = (uint8_t)s[i] < 0x20 || s[i] == 0x7f ? ' ' : s[i];
    if (k < n) {
        memcpy(out + k, "...", 3);
        k += 3;
    }
    json_t *v = json_stringn(out, k);
    for (size_t i = 0; v == NULL && i < k; i++)
        out[i] = (char)((uint8_t)out[i] < 0x80 ? out[i] : '?');
    return v != NULL ? v : json_stringn(out, k);
}

static json_t *describe_model(const struct tsr_model *m)
{
    json_t *o = json_object();
    struct tsr_params p;
    tsr_model_count(m, &p);
    json_object_set_new(o, "architecture", json_string(tsr_arch_name(m->arch)));
    set_int(o, "parameters", p.total);
    set_int(o, "active_parameters", p.active);
    set_int(o, "layers", m->layers);
    set_int(o, "hidden", m->hidden);
    set_int(o, "heads", m->heads);
    set_int(o, "kv_heads", m->kv_heads);
    set_int(o, "head_dim", m->head_dim);
    set_int(o, "ffn", m->ffn);
    set_int(o, "experts", m->experts);
    set_int(o, "top_k", m->top_k);
    set_int(o, "expert_ffn", m->expert_ffn);
    set_int(o, "vocab", m->vocab);
    set_int(o, "context", m->context);
    set_int(o, "window", m->window);
    json_object_set_new(o, "tied", json_boolean(m->tied));
    return o;
}

static json_t *describe_tokenizer(const struct tsr_tokenizer *t)
{
    const struct tsr_tokenizer_info *i = tsr_tokenizer_describe(t);
    json_t *o = json_object();
    json_object_set_new(o, "merges_by",
                        json_string(i->kind == TSR_TOKENIZER_SCORES ? "score" : "rank"));
    set_int(o, "vocab", i->vocab);
    set_int(o, "merges", i->merges);
    json_object_set_new(o, "bos", json_integer(i->bos));
    json_object_set_new(o, "eos", json_integer(i->eos));
    json_object_set_new(o, "unknown", json_integer(i->unknown));
    json_object_set_new(o, "add_bos", json_boolean(i->add_bos));
    return o;
}

static json_t *describe_value(const struct tsr_gguf_value *v)
{
    int64_t n;
    double x;
    if (v->kind == TSR_GGUF_ARRAY) {
        json_t *o = json_object();
        json_object_set_new(o, "array", json_string(tsr_gguf_kind_name(v->item)));
        set_int(o, "count", v->count);
        return o;
    }
    if (v->kind == TSR_GGUF_STRING) {
        size_t length;
        const uint8_t *at = v->data;
        const char *s = tsr_gguf_next_string(&at, &length);
        return text(s, length);
    }
    if (v->kind == TSR_GGUF_BOOL)
        return json_boolean(v->data[0]);
    if (tsr_gguf_real(v, 0, &x))
        return isfinite(x) ? json_real(x) : json_null();
    return tsr_gguf_int(v, 0, &n) ? json_integer(n) : json_null();
}

static json_t *describe_metadata(const struct tsr_weights *w)
{
    json_t *o = json_object();
    for (size_t i = 0; w->gguf != NULL && i < w->gguf->n_values; i++)
        json_object_set_new(o, w->gguf->values[i].key, describe_value(&w->gguf->values[i]));
    return o;
}

/* Tensors and bytes of each type, in the order of their first tensor. */
static json_t *describe_types(const struct tsr_weights *w)
{
    json_t *o = json_object();
    for (size_t i = 0; i < tsr_weights_count(w); i++) {
        const struct tsr_tensor *t = tsr_weights_tensor(w, i);
        json_t *row = json_object_get(o, t->type);
        if (row == NULL) {
            row = json_object();
            json_object_set_new(o, t->type, row);
        }
        set_int(row, "tensors", 1 + (uint64_t)json_integer_value(json_object_get(row, "tensors")));
        set_int(row, "bytes",
                t->bytes + (uint64_t)json_integer_value(json_object_get(row, "bytes")));
        json_object_set_new(row, "decoded", json_boolean(t->layout != TSR_LAYOUT_OPAQUE));
    }
    return o;
}

static json_t *describe_tensors(const struct tsr_weights *w)
{
    json_t *all = json_array();
    for (size_t i = 0; i < tsr_weights_count(w); i++) {
        const struct tsr_tensor *t = tsr_weights_tensor(w, i);
        json_t *o = json_object(), *shape = json_array();
        for (uint32_t d = 0; d < t->n_dims; d++)
            json_array_append_new(shape, json_integer((json_int_t)t->dims[d]));
        json_object_set_new(o, "name", json_string(t->name));
        json_object_set_new(o, "type", json_string(t->type));
        json_object_set_new(o, "shape", shape);
        set_int(o, "bytes", t->bytes);
        set_int(o, "offset", t->offset);
        json_object_set_new(o, "file", text(t->file, strlen(t->file)));
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *describe(const struct tsr_weights *w, const char *tokenizer)
{
    static const char *const kinds[] = {
        [TSR_WEIGHTS_GGUF] = "gguf",
        [TSR_WEIGHTS_SAFETENSORS] = "safetensors",
        [TSR_WEIGHTS_LLAMA2C] = "llama2.c",
    };
    struct tsr_model m;
    struct tsr_tokenizer *t;
    struct tsr_error err = {0}, token_err = {0};
    char beside[4200];
    json_t *o = json_object();
    json_object_set_new(o, "file", text(tsr_weights_path(w), strlen(tsr_weights_path(w))));
    json_object_set_new(o, "container", json_string(kinds[tsr_weights_kind(w)]));
    set_int(o, "bytes", tsr_weights_file_bytes(w));
    if (tsr_weights_model(w, &m, &err) == TSR_OK)
        json_object_set_new(o, "model", describe_model(&m));
    else
        json_object_set_new(o, "model_error", text(err.message, strlen(err.message)));
    if (tokenizer == NULL)
        tokenizer = model_run_tokenizer(w, beside, sizeof beside);
    if (tokenizer != NULL && tsr_tokenizer_open(tokenizer, 0, &t, &token_err) == TSR_OK) {
        json_object_set_new(o, "tokenizer", describe_tokenizer(t));
        tsr_tokenizer_close(t);
    } else if (tokenizer != NULL) {
        json_object_set_new(o, "tokenizer_error",
                            text(token_err.message, strlen(token_err.message)));
    }
    json_object_set_new(o, "types", describe_types(w));
    json_object_set_new(o, "metadata", describe_metadata(w));
    json_object_set_new(o, "tensors", describe_tensors(w));
    return o;
}

/* ---- text ---- */

static void print_value(const json_t *v)
{
    if (json_is_string(v))
        printf("%s", json_string_value(v));
    else if (json_is_integer(v))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_real(v))
        printf("%.9g", json_real_value(v));
    else if (json_is_object(v))
        printf("%" JSON_INTEGER_FORMAT " x %s", json_integer_value(json_object_get(v, "count")),
               json_string_value(json_object_get(v, "array")));
    else
        printf("%s", json_is_true(v) ? "true" : json_is_false(v) ? "false" : "none");
}

/* Keys and values on one line; a part that could not be read says why. */
static void print_line(const json_t *root, const char *name, const char *error)
{
    const char *key, *separator = ": ";
    json_t *v, *o = json_object_get(root, name);
    if (o == NULL && json_object_get(root, error) == NULL)
        return;
    printf("%s", name);
    if (o == NULL)
        printf(": none: %s", json_string_value(json_object_get(root, error)));
    json_object_foreach(o, key, v)
    {
        printf("%s%s ", separator, key);
        print_value(v);
        separator = ", ";
    }
    printf("\n");
}

static void print_tensors(const json_t *tensors)
{
    size_t i, d;
    json_t *t, *n;
    printf("\n%-48s %-6s %14s  %s\n", "tensor", "type", "bytes", "shape");
    json_array_foreach(tensors, i, t)
    {
        printf("%-48s %-6s %14" JSON_INTEGER_FORMAT " ",
               json_string_value(json_object_get(t, "name")),
               json_string_value(json_object_get(t, "type")),
               json_integer_value(json_object_get(t, "bytes")));
        json_array_foreach(json_object_get(t, "shape"), d, n)
            printf("%s%" JSON_INTEGER_FORMAT, d > 0 ? " x " : " ", json_integer_value(n));
        printf("\n");
    }
}

static void print(const json_t *root)
{
    const char *key;
    json_t *v;
    printf("%s: %s, %" JSON_INTEGER_FORMAT " bytes\n",
           json_string_value(json_object_get(root, "file")),
           json_string_value(json_object_get(root, "container")),
           json_integer_value(json_object_get(root, "bytes")));
    print_line(root, "model", "model_error");
    print_line(root, "tokenizer", "tokenizer_error");
    json_object_foreach(json_object_get(root, "types"), key, v)
        printf("%s: %" JSON_INTEGER_FORMAT " tensors, %.2f MiB%s\n", key,
               json_integer_value(json_object_get(v, "tensors")),
               (double)json_integer_value(json_object_get(v, "bytes")) / 0x1p20,
               json_is_true(json_object_get(v, "decoded")) ? "" : ", not decoded");
    json_object_foreach(json_object_get(root, "metadata"), key, v)
    {
        printf("  %s = ", key);
        print_value(v);
        printf("\n");
    }
    print_tensors(json_object_get(root, "tensors"));
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct tsr_weights *w;
    enum tsr_status st = tsr_weights_open(c->positional[0], &w, err);
    if (st != TSR_OK)
        return st;
    json_t *root = describe(w, cli_text(c, "tokenizer"));
    tsr_weights_close(w);
    if (cli_has(c, "json"))
        return cli_print_json(root, err);
    print(root);
    json_decref(root);
    return TSR_OK;
}

static const struct cli_option options[] = {
    {.name = "tokenizer",
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .doc = "a tokenizer; without it that of the GGUF file or folder"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_inspect = {
    .name = "inspect",
    .doc = "say what a file of trained weights holds",
    .positional = "FILE",
    .min_positional = 1,
    .max_positional = 1,
    .words = CLI_WORDS_FILE,
    .options = options,
    .run = run,
    .notes = "FILE: a GGUF file, a .safetensors file, its index or the folder of both with the\n"
             "config.json, or llama2.c's .bin. Every length, offset and type is checked against\n"
             "the file. A model that is not known, or misses a tensor, is said and is no error.\n",
};
