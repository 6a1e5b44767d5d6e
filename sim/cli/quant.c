/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/quant.h"

#include <stdlib.h>
#include <string.h>

enum tsr_status quant_options(struct cli *c, const struct tsr_isa *isa, const struct tsr_format *f,
                              struct quant *out, struct tsr_error *err)
{
    const char *round = cli_text(c, "round"), *scales = cli_text(c, "scales");
    bool integer = f->family == TSR_FAMILY_INT, nvf = f->family == TSR_FAMILY_NVF;
    struct quant s = {.q = {.format = f, .file_layout = f->family == TSR_FAMILY_GGUF},
                      .plain = f->family == TSR_FAMILY_FLOAT,
                      .factor = nvf && cli_has(c, "tensor-scale")};
    if (round && strcmp(round, "even") != 0)
        s.q.round = strcmp(round, "away") == 0 ? TSR_ROUND_AWAY : TSR_ROUND_ZERO;
    enum tsr_status st =
        cli_format(c, isa, "scale-format", integer ? "bf16" : NULL, &s.q.scale_format, err);
    if (st == TSR_OK && scales && strcmp(scales, "tensor") == 0) {
        s.scale_tensor = true;
    } else if (st == TSR_OK && scales && strcmp(scales, "row") != 0) {
        uint64_t n = 0;
        if (cli_parse_u64("--scales", scales, 1, UINT32_MAX, &n, NULL) != TSR_OK)
            st = tsr_error_set(err, TSR_USAGE,
                               "--scales %s: allowed are tensor, row, or a number of elements",
                               scales);
        s.q.group = (uint32_t)n;
    }
    if (st == TSR_OK)
        *out = s;
    return st;
}

enum tsr_status quant_refuse_unused(const struct cli *c, const struct tsr_format *f,
                                    struct tsr_error *err)
{
    static const struct {
        const char *option;
        enum tsr_family family;
        const char *who;
    } uses[] = {{"scales", TSR_FAMILY_INT, "plain integers (i8, i4)"},
                {"scale-format", TSR_FAMILY_INT, "plain integers (i8, i4)"},
                {"tensor-scale", TSR_FAMILY_NVF, "nvf4"}};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (cli_has(c, uses[i].option) && f->family != uses[i].family)
            return tsr_error_set(err, TSR_USAGE, "--%s: only for %s, not for %s", uses[i].option,
                                 uses[i].who, f->name);
    return TSR_OK;
}

enum tsr_status quant_check(const struct quant *s, size_t n, struct tsr_error *err)
{
    const struct tsr_format *f = s->q.format;
    if (s->plain ? !tsr_num_has_codec(f) : !tsr_num_has_blocks(f))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: values are not quantized to it", f->name);
    if (f->code == TSR_Q4_K || f->code == TSR_Q6_K)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: is read from GGUF files only, no values are encoded as it",
                             f->name);
    return s->plain ? TSR_OK : tsr_num_quant_check(&s->q, n, err);
}

static enum tsr_status one_row(const struct quant *s, const uint32_t *x, size_t cols,
                               uint8_t *elements, uint8_t *scales, uint32_t *y,
                               struct tsr_error *err)
{
    if (s->plain) {
        tsr_num_encode_array(s->q.format, elements, x, cols, s->q.round);
        tsr_num_decode_array(s->q.format, y, elements, cols);
        return TSR_OK;
    }
    enum tsr_status st = tsr_num_quantize(&s->q, x, cols, elements, scales, err);
    if (st == TSR_OK)
        st = tsr_num_dequantize(&s->q, elements, scales, cols, y, err);
    return st;
}

enum tsr_status quant_array(struct quant *s, const uint32_t *x, size_t rows, size_t cols,
                            struct quant_codes *codes, uint32_t *y, struct tsr_error *err)
{
    enum tsr_status st = quant_check(s, cols, err);
    if (st != TSR_OK)
        return st;
    const struct tsr_format *f = s->q.format;
    size_t e = s->plain ? (cols * f->bits + 7) / 8 : tsr_num_element_bytes(&s->q, cols);
    size_t sc = s->plain ? 0 : tsr_num_scale_bytes(&s->q, cols);
    bool shared = s->scale_tensor && f->family == TSR_FAMILY_INT;
    struct quant_codes r = {.element_bytes = rows * e, .scale_bytes = shared ? sc : rows * sc};
    r.elements = calloc(1, r.element_bytes + r.scale_bytes + 1);
    if (!r.elements)
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    r.scales = r.elements + r.element_bytes;
    if (s->factor)
        s->q.tensor_scale = tsr_num_tensor_scale(f, x, rows * cols);
    if (shared && rows * cols > 0) {
        uint32_t code = tsr_num_group_scale(&s->q, x, rows * cols);
        memcpy(r.scales, &code, sc); /* little-endian, as the codecs are */
        s->q.scales_given = true;
    }
    for (size_t i = 0; i < rows && st == TSR_OK; i++)
        st = one_row(s, x + i * cols, cols, r.elements + i * e, r.scales + (shared ? 0 : i * sc),
                     y + i * cols, err);
    if (st == TSR_OK)
        *codes = r;
    else
        free(r.elements);
    return st;
}

double quant_bits(const struct tsr_format *f)
{
    struct tsr_num_quant q = {.format = f, .file_layout = f->family == TSR_FAMILY_GGUF};
    if (f->family == TSR_FAMILY_FLOAT || f->family == TSR_FAMILY_INT)
        return f->bits; /* scales per row or tensor weigh nothing */
    size_t n = f->family == TSR_FAMILY_GGUF ? 256 : f->block;
    size_t bytes = tsr_num_element_bytes(&q, n) + tsr_num_scale_bytes(&q, n);
    return 8.0 * (double)bytes / (double)n;
}
