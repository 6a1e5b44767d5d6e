/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/cli/attention.h"
#include "sim/cli/figures.h"
#include "sim/cli/npy.h"
#include "tessera/sim.h"

enum input {
    Q,
    K,
    V,
    INPUTS
};

struct job {
    struct cli *c;
    struct cli_attention a;
    const char *file[INPUTS];
    struct npy in[INPUTS], sinks, slopes, mask, result;
    uint32_t *prefix;
    uint64_t kv_group; /* i8: tokens of a head that share a scale */
    struct tsr_sim *sim;
    struct tsr_stats stats;
};

/* [batch][tokens][heads][elements]; without the batch it is one. */
struct shape {
    uint64_t batch, tokens, heads, dim;
};

static struct shape shape_of(const struct npy *a)
{
    const uint64_t *d = a->dim + (a->dims - 3);
    return (struct shape){a->dims == 4 ? a->dim[0] : 1, d[0], d[1], d[2]};
}

static enum tsr_status read_tensor(const char *file, struct npy *a, struct tsr_error *err)
{
    enum tsr_status st = npy_read(file, a, err);
    if (st == TSR_OK && a->dims != 3 && a->dims != 4)
        st = tsr_error_set(err, TSR_BAD_INPUT,
                           "%s: %u dimensions, [batch,] tokens, heads, elements are wanted", file,
                           a->dims);
    if (st == TSR_OK && a->n == 0)
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: the tensor is empty", file);
    return st;
}

static enum tsr_status wrong_shape(const struct job *j, enum input i, const char *what,
                                   struct tsr_error *err)
{
    struct shape q = shape_of(&j->in[Q]), x = shape_of(&j->in[i]);
    return tsr_error_set(
        err, TSR_BAD_INPUT,
        "%s is %" PRIu64 " x %" PRIu64 " x %" PRIu64 " x %" PRIu64 " beside queries of %" PRIu64
        " x %" PRIu64 " x %" PRIu64 " x %" PRIu64 ": %s",
        j->file[i], x.batch, x.tokens, x.heads, x.dim, q.batch, q.tokens, q.heads, q.dim, what);
}

static enum tsr_status check_shapes(struct job *j, struct tsr_error *err)
{
    struct shape q = shape_of(&j->in[Q]), k = shape_of(&j->in[K]), v = shape_of(&j->in[V]);
    if (k.batch != q.batch || k.dim != q.dim || q.heads % k.heads)
        return wrong_shape(j, K,
                           "allowed are as many sequences and elements, and key heads that divide "
                           "the query heads",
                           err);
    if (v.batch != k.batch || v.tokens != k.tokens || v.heads != k.heads)
        return wrong_shape(j, V, "allowed are as many sequences, tokens and heads as keys have",
                           err);
    struct tsr_npu_attention *op = &j->a.op;
    op->batch = q.batch;
    op->q_len = q.tokens;
    op->heads = q.heads;
    op->head_dim = q.dim;
    op->v_dim = v.dim;
    op->kv_len = k.tokens;
    op->kv_heads = k.heads;
    return TSR_OK;
}

/* A number for each head, where the option is given. */
static enum tsr_status read_per_head(struct job *j, const char *option, struct npy *out, bool *has,
                                     struct tsr_error *err)
{
    const char *file = cli_text(j->c, option);
    if (!file)
        return TSR_OK;
    enum tsr_status st = npy_read(file, out, err);
    if (st == TSR_OK && (out->dims != 1 || out->n != j->a.op.heads))
        st = tsr_error_set(err, TSR_BAD_INPUT,
                           "%s: a vector of %" PRIu64 " numbers is wanted, one for each head", file,
                           j->a.op.heads);
    *has = true;
    return st;
}

static enum tsr_status read_mask(struct job *j, struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    const char *file = cli_text(j->c, "mask");
    struct npy *m = &j->mask;
    if (!file)
        return TSR_OK;
    enum tsr_status st = npy_read(file, m, err);
    const uint64_t *d = m->dim + (m->dims == 3);
    if (st == TSR_OK && (m->dims < 2 || m->dims > 3 || d[0] != op->q_len || d[1] != op->kv_len ||
                         (m->dims == 3 && m->dim[0] != op->batch)))
        st = tsr_error_set(err, TSR_BAD_INPUT,
                           "%s: [%" PRIu64 " x] %" PRIu64 " x %" PRIu64 " is wanted: sequences, "
                           "queries, keys",
                           file, op->batch, op->q_len, op->kv_len);
    j->a.op.has_mask = true;
    return st;
}

static enum tsr_status read_prefix(struct job *j, struct tsr_error *err)
{
    uint64_t prefix;
    enum tsr_status st = cli_u64(j->c, "prefix", 1, UINT32_MAX, 0, &prefix, err);
    if (st != TSR_OK || prefix == 0)
        return st;
    j->prefix = malloc(j->a.op.batch * sizeof *j->prefix);
    if (!j->prefix)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (uint64_t b = 0; b < j->a.op.batch; b++)
        j->prefix[b] = (uint32_t)prefix;
    j->a.op.prefix = j->prefix;
    return TSR_OK;
}

static enum tsr_status read_inputs(struct job *j, struct tsr_error *err)
{
    static const char *const option[INPUTS] = {"q", "k", "v"};
    enum tsr_status st = TSR_OK;
    for (int i = 0; i < INPUTS && st == TSR_OK; i++) {
        j->file[i] = cli_text(j->c, option[i]);
        st = read_tensor(j->file[i], &j->in[i], err);
    }
    if (st == TSR_OK)
        st = check_shapes(j, err);
    j->a.op.sink_format = TSR_F32;
    if (st == TSR_OK)
        st = read_per_head(j, "sinks", &j->sinks, &j->a.op.has_sinks, err);
    if (st == TSR_OK)
        st = read_per_head(j, "slopes", &j->slopes, &j->a.op.has_slopes, err);
    if (st == TSR_OK)
        st = read_mask(j, err);
    return st == TSR_OK ? read_prefix(j, err) : st;
}

/* ---- into the chip's memory ----------------------------------------------------------------- */

static enum tsr_status encode(const char *file, const struct npy *a, const struct tsr_format *f,
                              uint8_t **codes, size_t *bytes, struct tsr_error *err)
{
    size_t saturated = 0;
    enum tsr_status st = npy_encode(file, a, f, codes, bytes, &saturated, err);
    if (st == TSR_OK)
        npy_note_saturated("attention", file, f, saturated);
    return st;
}

/* Row by row from the file's order to the cache's; rows of a plain format lie in `codes`, those of
 * a block format are made from `bits`. */
static enum tsr_status arrange(const struct job *j, const struct tsr_npu_rows *to,
                               const uint8_t *codes, const uint32_t *bits, uint8_t *image,
                               struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    size_t row = to->token_stride, heads = op->kv_heads;
    enum tsr_status st = TSR_OK;
    for (size_t i = 0; i < op->batch * op->kv_len * heads && st == TSR_OK; i++) {
        uint8_t *at = image + i / heads / op->kv_len * to->batch_stride +
                      i / heads % op->kv_len * to->token_stride + i % heads * to->head_stride;
        if (bits)
            st = tsr_npu_slab_pack(&j->a.cache, 0, bits + i * op->head_dim, at, err);
        else
            memcpy(at, codes + i * row, row);
    }
    return st;
}

/* The scale of the group that begins at the token of row i of the file: largest / 127, an f16. */
static float group_scale(const struct job *j, const float *x, size_t i, uint16_t *code)
{
    const struct tsr_npu_attention *op = &j->a.op;
    size_t left = op->kv_len - i / op->kv_heads % op->kv_len, heads = op->kv_heads;
    size_t tokens = left < j->kv_group ? left : j->kv_group;
    float most = 0, scale;
    for (size_t t = 0; t < tokens; t++)
        for (size_t e = 0; e < op->head_dim; e++)
            most = fmaxf(most, fabsf(x[(i + t * heads) * op->head_dim + e]));
    scale = most / 127;
    tsr_num_encode_array(&j->a.isa->formats[TSR_F16], code, (const uint32_t *)(const void *)&scale,
                         1, TSR_ROUND_EVEN);
    tsr_num_decode_array(&j->a.isa->formats[TSR_F16], (uint32_t *)(void *)&scale, code, 1);
    return scale;
}

/* i8: codes into `image` in the cache's order, scales into `scales` in theirs. */
static enum tsr_status integers(const struct job *j, enum input in, const struct tsr_npu_rows *to,
                                const float *x, uint8_t *image, uint16_t *scales,
                                struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    const size_t d = op->head_dim, heads = op->kv_heads, rows = op->batch * op->kv_len * heads;
    for (size_t i = 0; i < rows; i++) {
        size_t t = i / heads % op->kv_len, first = i - t % j->kv_group * heads;
        uint64_t place = i / heads / op->kv_len * to->batch_stride + t * to->token_stride +
                         i % heads * to->head_stride;
        uint16_t *code = &scales[place / d];
        float scale = group_scale(j, x, first, code);
        if (isinf(scale))
            return tsr_error_set(err, TSR_BAD_INPUT,
                                 "%s: values beyond 127 x 65504 do not fit i8 under a scale in f16",
                                 j->file[in]);
        for (size_t e = 0; e < d; e++) {
            float c = scale > 0 ? rintf(x[i * d + e] / scale) : 0;
            image[place + e] = (uint8_t)(int8_t)fminf(fmaxf(c, -127), 127);
        }
    }
    return TSR_OK;
}

static enum tsr_status place_integers(struct job *j, enum input i, const struct tsr_npu_rows *to,
                                      uint64_t scales_at, struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    size_t bytes = to->head_stride * op->kv_heads, scale_bytes = 2 * (bytes / op->head_dim);
    uint8_t *image = calloc(1, bytes);
    uint16_t *scales = calloc(1, scale_bytes);
    uint32_t *bits = NULL;
    enum tsr_status st =
        image && scales ? TSR_OK : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK)
        st = npy_to_finite(j->file[i], &j->in[i], &bits, err);
    if (st == TSR_OK)
        st = integers(j, i, to, (const float *)(const void *)bits, image, scales, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, to->address, image, bytes, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, scales_at, scales, scale_bytes, err);
    free(bits);
    free(image);
    free(scales);
    return st;
}

static enum tsr_status place_cache(struct job *j, enum input i, const struct tsr_npu_rows *to,
                                   struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    size_t bytes = to->head_stride * op->kv_heads, ignored;
    uint8_t *codes = NULL, *image = calloc(1, bytes);
    uint32_t *bits = NULL;
    enum tsr_status st = image ? TSR_OK : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK && j->a.cache.blocked)
        st = npy_to_finite(j->file[i], &j->in[i], &bits, err);
    else if (st == TSR_OK)
        st = encode(j->file[i], &j->in[i], j->a.kv, &codes, &ignored, err);
    if (st == TSR_OK)
        st = arrange(j, to, codes, bits, image, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, to->address, image, bytes, err);
    free(bits);
    free(codes);
    free(image);
    return st;
}

static enum tsr_status place_dense(struct job *j, const char *file, const struct npy *a,
                                   const struct tsr_format *f, uint64_t address,
                                   struct tsr_error *err)
{
    uint8_t *codes = NULL;
    size_t bytes = 0;
    enum tsr_status st = encode(file, a, f, &codes, &bytes, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, address, codes, bytes, err);
    free(codes);
    return st;
}

/* [sequence][key][query][head of a group], 0 or 1. */
static enum tsr_status place_mask(struct job *j, struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    size_t group = op->heads / op->kv_heads, pairs = op->q_len * op->kv_len,
           bytes = op->batch * pairs * group;
    uint32_t *bits = NULL;
    uint8_t *image = malloc(bytes);
    enum tsr_status st = image ? npy_to_f32(cli_text(j->c, "mask"), &j->mask, &bits, err)
                               : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (size_t i = 0; st == TSR_OK && i < bytes; i++) {
        size_t query = i / group % op->q_len, key = i / group / op->q_len % op->kv_len,
               b = j->mask.dims == 3 ? i / group / pairs : 0;
        image[i] = bits[b * pairs + query * op->kv_len + key] << 1 != 0; /* not 0, nor -0 */
    }
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, op->mask.address, image, bytes, err);
    free(bits);
    free(image);
    return st;
}

static enum tsr_status place_inputs(struct job *j, struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    enum tsr_status st = cli_attention_place(&j->a, err);
    if (st == TSR_OK)
        st = place_dense(j, j->file[Q], &j->in[Q], j->a.format, op->q.address, err);
    if (st == TSR_OK && op->kv_format == TSR_I8) {
        st = place_integers(j, K, &op->k, op->k_scales.address, err);
        if (st == TSR_OK)
            st = place_integers(j, V, &op->v, op->v_scales.address, err);
    } else if (st == TSR_OK) {
        st = place_cache(j, K, &op->k, err);
        if (st == TSR_OK)
            st = place_cache(j, V, &op->v, err);
    }
    if (st == TSR_OK && op->has_sinks)
        st = place_dense(j, cli_text(j->c, "sinks"), &j->sinks, &j->a.isa->formats[TSR_F32],
                         op->sinks, err);
    if (st == TSR_OK && op->has_slopes)
        st = place_dense(j, cli_text(j->c, "slopes"), &j->slopes, &j->a.isa->formats[TSR_F32],
                         op->slopes, err);
    if (st == TSR_OK && op->has_mask)
        st = place_mask(j, err);
    return st;
}

/* ---- and out of it -------------------------------------------------------------------------- */

static enum tsr_status simulate(struct job *j, struct tsr_error *err)
{
    struct tsr_program program = {0};
    struct tsr_run_options o = {.mode = TSR_MODE_FULL};
    size_t bytes = j->in[Q].n / j->a.op.head_dim * j->a.op.v_dim * j->a.out->bits / 8;
    enum tsr_status st = tsr_npu_attention(j->a.isa, &j->a.chip, &j->a.op, &program, err);
    if (st != TSR_OK)
        return st;
    st = tsr_sim_run(j->sim, &program, &o, &j->stats, NULL, err);
    tsr_program_free(&program);
    if (st != TSR_OK)
        return st;
    uint8_t *codes = malloc(bytes);
    st = codes ? tsr_sim_read(j->sim, j->a.op.o.address, codes, bytes, err)
               : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK) {
        j->result.dims = j->in[Q].dims;
        memcpy(j->result.dim, j->in[Q].dim, sizeof j->result.dim);
        j->result.dim[j->result.dims - 1] = j->a.op.v_dim;
        st = npy_decode(j->a.out, codes, &j->result, err);
    }
    free(codes);
    return st;
}

static enum tsr_status print_result(const struct job *j, struct tsr_error *err)
{
    const struct tsr_npu_attention *op = &j->a.op;
    const struct tsr_chip *chip = &j->a.chip;
    if (!cli_has(j->c, "json")) {
        printf("%s %s, cache %s, %" PRIu64 " x %" PRIu64 " queries, %" PRIu64
               " keys, heads %" PRIu64 "/%" PRIu64 " of %" PRIu64 ": %" PRIu64 " cycles, %.2f us\n",
               chip->name, j->a.format->name, j->a.kv->name, op->batch, op->q_len, op->kv_len,
               op->heads, op->kv_heads, op->head_dim, j->stats.cycles,
               1e6 * (double)j->stats.cycles / (double)chip->clock_hz);
        return TSR_OK;
    }
    json_t *o = json_object();
    json_object_set_new(o, "chip", json_string(chip->name));
    json_object_set_new(o, "format", json_string(j->a.format->name));
    json_object_set_new(o, "kv_format", json_string(j->a.kv->name));
    const struct {
        const char *key;
        uint64_t v;
    } sizes[] = {{"batch", op->batch},       {"heads", op->heads}, {"kv_heads", op->kv_heads},
                 {"dim", op->head_dim},      {"q_len", op->q_len}, {"kv_len", op->kv_len},
                 {"cycles", j->stats.cycles}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        json_object_set_new(o, sizes[i].key, json_integer((json_int_t)sizes[i].v));
    json_object_set_new(o, "ttu_busy", json_real(figures_ttu_busy(chip, &j->stats)));
    json_object_set_new(o, "hbm_utilisation", json_real(figures_hbm_utilisation(chip, &j->stats)));
    return cli_print_result(o, err);
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct job j = {.c = c};
    enum tsr_status st = cli_attention_options(c, &j.a, err);
    if (st == TSR_OK)
        st = cli_real(c, "scale", 0x1p-99, 0x1p99, 0, &j.a.op.scale, err);
    if (st == TSR_OK)
        st = cli_u64(c, "kv-group", 1, 1 << 20, 1, &j.kv_group, err);
    if (st == TSR_OK && cli_has(c, "kv-group") && j.a.op.kv_format != TSR_I8)
        st = tsr_error_set(err, TSR_USAGE, "--kv-group is for --kv i8");
    if (st == TSR_OK)
        st = cli_real(c, "softcap", 0x1p-20, 1000000, 0, &j.a.op.softcap, err);
    if (st == TSR_OK)
        st = read_inputs(&j, err);
    if (st == TSR_OK)
        st = tsr_sim_create(&j.a.chip, j.a.isa, &j.sim, err);
    if (st == TSR_OK)
        st = place_inputs(&j, err);
    if (st == TSR_OK)
        st = simulate(&j, err);
    if (st == TSR_OK)
        st = npy_write(cli_text(c, "output"), &j.result, err);
    if (st == TSR_OK)
        st = print_result(&j, err);
    for (int i = 0; i < INPUTS; i++)
        npy_free(&j.in[i]);
    npy_free(&j.sinks);
    npy_free(&j.slopes);
    npy_free(&j.mask);
    free(j.prefix);
    npy_free(&j.result);
    tsr_sim_destroy(j.sim);
    return st;
}

static const struct cli_option options[] = {
    {.name = "q",
     .argument = "Q.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "[batch x] queries x heads x elements, float32 or float16"},
    {.name = "k",
     .argument = "K.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "[batch x] keys x key heads x elements; heads / key heads share one"},
    {.name = "v",
     .argument = "V.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "the values, likewise; their elements may be of another number"},
    {.name = "output",
     .letter = 'o',
     .argument = "O.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "in the shape of the queries, with the elements of the values"},
    CLI_ATTENTION_OPTIONS,
    {.name = "kv-group",
     .argument = "N",
     .doc = "i8: tokens of a head that share a scale, 1 by default"},
    {.name = "sinks",
     .argument = "S.npy",
     .words = CLI_WORDS_FILE,
     .doc = "a logit for each head that joins the softmax with a value of zero"},
    {.name = "slopes",
     .argument = "S.npy",
     .words = CLI_WORDS_FILE,
     .doc = "ALiBi: a slope for each head, times (key - query) joins the logit"},
    {.name = "mask",
     .argument = "M.npy",
     .words = CLI_WORDS_FILE,
     .doc = "[batch x] queries x keys: 0 hides the key as well"},
    {.name = "prefix", .argument = "N", .doc = "all queries see the first N keys"},
    {.name = "softcap", .argument = "X", .doc = "logits become X tanh(logit / X)"},
    {.name = "scale", .argument = "X", .doc = "on query times key, 1 / sqrt(elements) by default"},
    {.name = "json", .doc = "for machines: cycles and utilisation"},
    {0},
};

const struct cli_command cmd_attention = {
    .name = "attention",
    .doc = "attention over your own queries, keys and values on a simulated chip",
    .options = options,
    .run = run,
    .notes =
        "O = softmax(scale Q K^T, masked) V in one pass over the keys, with the bits that the\n"
        "chip gives. The last query stands at the last key. Q is rounded to --format, K and V\n"
        "to --kv; O is written as float32 (float16 for f16).\n",
};
