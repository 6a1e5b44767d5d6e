/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/cli/cli.h"
#include "sim/cli/npy.h"
#include "sim/cli/quant.h"

enum {
    PLANE_ALIGNMENT = 64
};

/* Blocks lie along the last axis; no axes: one value. */
static size_t columns(const struct npy *a)
{
    return a->dims ? (size_t)a->dim[a->dims - 1] : 1;
}

/* The elements, zeros up to a multiple of 64 bytes, the scales. */
static enum tsr_status write_packed(const char *path, const struct quant_codes *codes,
                                    struct tsr_error *err)
{
    size_t pad = codes->scale_bytes ? -codes->element_bytes % PLANE_ALIGNMENT : 0;
    uint8_t *tail = calloc(1, pad + codes->scale_bytes + 1);
    if (!tail)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    memcpy(tail + pad, codes->scales, codes->scale_bytes);
    enum tsr_status st = cli_write_file(path, codes->elements, codes->element_bytes, tail,
                                        pad + codes->scale_bytes, err);
    free(tail);
    return st;
}

/* The second of two outputs would replace the first. Devices and pipes take both. */
static enum tsr_status refuse_one_file(const char *output, const char *packed,
                                       struct tsr_error *err)
{
    struct stat a, b;
    bool there = packed && stat(output, &a) == 0 && stat(packed, &b) == 0;
    bool same = there ? S_ISREG(a.st_mode) && a.st_dev == b.st_dev && a.st_ino == b.st_ino
                      : packed && strcmp(output, packed) == 0;
    return same ? tsr_error_set(err, TSR_USAGE, "--packed %s: --output is the same file", packed)
                : TSR_OK;
}

static size_t count_nonfinite(const uint32_t *x, size_t n)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++)
        bad += (x[i] & 0x7FFFFFFF) >= TSR_NUM_INF;
    return bad;
}

static enum tsr_status refuse_or_tell(struct cli *c, const char *file, const uint32_t *x, size_t n,
                                      const struct quant *s, struct tsr_error *err)
{
    size_t bad = count_nonfinite(x, n);
    if (bad == 0)
        return TSR_OK;
    if (cli_has(c, "finite"))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %zu of %zu values are NaN or infinite", file,
                             bad, n);
    fprintf(stderr, "tessera quantize: %s: %zu of %zu values are NaN or infinite%s\n", file, bad, n,
            s->plain ? "" : "; what shares a scale with them becomes NaN");
    return TSR_OK;
}

static enum tsr_status print_summary(struct cli *c, const struct quant *s, size_t rows, size_t cols,
                                     const struct quant_codes *codes, struct tsr_error *err)
{
    const char *name = s->q.format->name;
    size_t total = codes->element_bytes + codes->scale_bytes;
    double values = (double)rows * (double)cols;
    double bits = values > 0 ? 8.0 * (double)total / values : 0;
    float factor = 1;
    if (s->q.tensor_scale)
        memcpy(&factor, &s->q.tensor_scale, sizeof factor);
    if (!cli_has(c, "json")) {
        printf("%s: %zu x %zu values in %zu bytes of elements and %zu of scales, %.3f bits each\n",
               name, rows, cols, codes->element_bytes, codes->scale_bytes, bits);
        return TSR_OK;
    }
    json_t *o = json_object();
    json_object_set_new(o, "format", json_string(name));
    json_object_set_new(o, "rows", json_integer((json_int_t)rows));
    json_object_set_new(o, "columns", json_integer((json_int_t)cols));
    json_object_set_new(o, "element_bytes", json_integer((json_int_t)codes->element_bytes));
    json_object_set_new(o, "scale_bytes", json_integer((json_int_t)codes->scale_bytes));
    json_object_set_new(o, "bits_per_element", json_real(bits));
    json_object_set_new(o, "tensor_scale", json_real((double)factor));
    return cli_print_json(o, err);
}

static enum tsr_status convert(struct cli *c, struct quant *s, struct npy *in,
                               struct tsr_error *err)
{
    const char *file = cli_text(c, "input"), *packed = cli_text(c, "packed");
    size_t cols = columns(in), rows = cols ? in->n / cols : 0;
    struct tsr_error why = {0};
    uint32_t *x = NULL;
    enum tsr_status st = quant_check(s, cols, &why);
    if (st != TSR_OK)
        return tsr_error_set(err, st, "%s: %s", file, why.message);
    st = npy_to_f32(file, in, &x, err);
    if (st == TSR_OK)
        st = refuse_or_tell(c, file, x, in->n, s, err);
    struct quant_codes codes = {0};
    if (st == TSR_OK)
        st = quant_array(s, x, rows, cols, &codes, x, err);
    if (st == TSR_OK) {
        struct npy out = *in;
        out.kind = NPY_F4;
        out.data = (uint8_t *)x;
        st = npy_write(cli_text(c, "output"), &out, err);
    }
    if (st == TSR_OK && packed)
        st = write_packed(packed, &codes, err);
    if (st == TSR_OK)
        st = print_summary(c, s, rows, cols, &codes, err);
    free(codes.elements);
    free(x);
    return st;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    const struct tsr_format *f;
    struct quant s;
    struct npy in = {0};
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st == TSR_OK)
        st = cli_format(c, isa, "format", NULL, &f, err);
    if (st == TSR_OK)
        st = quant_refuse_unused(c, f, err);
    if (st == TSR_OK)
        st = refuse_one_file(cli_text(c, "output"), cli_text(c, "packed"), err);
    if (st == TSR_OK)
        st = quant_options(c, isa, f, &s, err);
    if (st == TSR_OK)
        st = npy_read(cli_text(c, "input"), &in, err);
    if (st == TSR_OK)
        st = convert(c, &s, &in, err);
    npy_free(&in);
    return st;
}

static const struct cli_option options[] = {
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .required = true,
     .doc = "see `tessera formats`"},
    {.name = "input",
     .argument = "X.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "values; blocks lie along the last axis"},
    {.name = "output",
     .letter = 'o',
     .argument = "Y.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "what the codes stand for, float32, in X's shape"},
    {.name = "packed",
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .doc = "the bytes: elements row by row, zeros up to a multiple of 64, scales row by row"},
    QUANT_OPTIONS,
    {.name = "finite", .doc = "refuse NaN and infinity"},
    {.name = "json", .doc = "for machines: sizes"},
    {0},
};

const struct cli_command cmd_quantize = {
    .name = "quantize",
    .doc = "round your own values to a number format",
    .options = options,
    .run = run,
    .notes =
        "A NaN or infinity makes all NaN that shares its scale; plain floats keep NaN, those of\n"
        "8 bits saturate. The last block of a row is padded with zeros, but a row that does not\n"
        "divide into GGUF's blocks is refused; --packed then holds blocks as in the file.\n",
};
