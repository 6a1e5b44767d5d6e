/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/quant.h"

struct range {
    double least, most; /* magnitudes, scales included */
};

static double value(uint32_t f32_bits)
{
    float f;
    memcpy(&f, &f32_bits, sizeof f);
    return (double)f;
}

static struct range of_element(const struct tsr_format *f)
{
    struct tsr_format e = *f;
    e.family = f->ebits > 0 ? TSR_FAMILY_FLOAT : TSR_FAMILY_INT;
    if (f->family == TSR_FAMILY_SMX) /* in steps of the pair */
        return (struct range){ldexp(1, -f->mbits), 2 - ldexp(1, 1 - f->mbits)};
    if (f->family == TSR_FAMILY_GGUF) {
        double most = f->code == TSR_Q8_0 ? 127 : f->code == TSR_Q4_0 ? 8 : 0;
        most = f->code == TSR_Q4_K ? 63 * 15 : f->code == TSR_Q6_K ? 128 * 32 : most;
        return (struct range){1, most};
    }
    if (e.family == TSR_FAMILY_INT) {
        int fixed = f->family == TSR_FAMILY_MX ? f->mbits : 0;
        double most = ldexp(1, f->bits - 1) - (f->block > 1 ? 1 : 0);
        return (struct range){ldexp(1, -fixed), ldexp(most, -fixed)};
    }
    uint32_t most = tsr_num_encode(&e, TSR_NUM_INF - 1, TSR_ROUND_ZERO);
    return (struct range){value(tsr_num_decode_f32(&e, 1)), value(tsr_num_decode_f32(&e, most))};
}

/* With the least and the largest scale. */
static struct range of_values(const struct tsr_format *f)
{
    struct range r = of_element(f);
    switch (f->family) {
    case TSR_FAMILY_MX:
    case TSR_FAMILY_SMX:
        return (struct range){ldexp(r.least, -127), ldexp(r.most, 127)};
    case TSR_FAMILY_NVF:
        return (struct range){ldexp(r.least, -9), r.most * 448};
    case TSR_FAMILY_GGUF:
        return (struct range){ldexp(r.least, -24), r.most * 65504};
    default:
        return r;
    }
}

static const char *scale_name(const struct tsr_format *f)
{
    switch (f->family) {
    case TSR_FAMILY_MX:
        return "e8m0";
    case TSR_FAMILY_SMX:
        return "e8 + shifts";
    case TSR_FAMILY_NVF:
        return "e4m3";
    case TSR_FAMILY_GGUF:
        return f->code == TSR_Q4_K ? "f16 x 6 bits" : f->code == TSR_Q6_K ? "f16 x i8" : "f16";
    case TSR_FAMILY_INT:
        return f->bits <= 8 ? "given" : "none";
    default:
        return "none";
    }
}

/* Sign, exponent, mantissa: "1-4-3"; "int8" for two's complement; "1+7" sign and magnitude. */
static const char *layout(const struct tsr_format *f, char *out, size_t cap)
{
    if (f->ebits > 0)
        snprintf(out, cap, "1-%u-%u", f->ebits, f->mbits);
    else if (f->family == TSR_FAMILY_SMX)
        snprintf(out, cap, "1+%u", f->mbits);
    else
        snprintf(out, cap, "%s%u", f->bias ? "q" : "int", f->bits);
    return out;
}

static json_t *describe(const struct tsr_format *f)
{
    char text[32];
    struct range e = of_element(f), r = of_values(f);
    json_t *o = json_object();
    json_object_set_new(o, "name", json_string(f->name));
    json_object_set_new(o, "code", json_integer(f->code));
    json_object_set_new(o, "layout", json_string(layout(f, text, sizeof text)));
    json_object_set_new(o, "element_bits", json_integer(f->bits));
    json_object_set_new(o, "block", json_integer(f->block));
    json_object_set_new(o, "scale", json_string(scale_name(f)));
    json_object_set_new(o, "bits_per_element", json_real(quant_bits(f)));
    json_object_set_new(o, "element_min", json_real(e.least));
    json_object_set_new(o, "element_max", json_real(e.most));
    json_object_set_new(o, "min", json_real(r.least));
    json_object_set_new(o, "max", json_real(r.most));
    json_object_set_new(o, "width_class", json_integer(f->width_class));
    json_object_set_new(o, "doc", json_string(f->doc));
    return o;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    bool json = cli_has(c, "json");
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st != TSR_OK)
        return st;
    json_t *all = json_array();
    if (!json)
        printf("%-10s %-7s %5s %-13s %7s %10s %10s %6s  %s\n", "name", "layout", "block", "scale",
               "bits", "least", "largest", "class", "what");
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        struct range r = {0};
        char text[32];
        if (!isa->has_format[i])
            continue;
        if (json) {
            json_array_append_new(all, describe(f));
            continue;
        }
        r = of_values(f);
        printf("%-10s %-7s %5u %-13s %7.4g %10.4g %10.4g %6u  %s\n", f->name,
               layout(f, text, sizeof text), f->block, scale_name(f), quant_bits(f), r.least,
               r.most, f->width_class, f->doc);
    }
    if (json)
        return cli_print_json(all, err);
    json_decref(all);
    return TSR_OK;
}

static const struct cli_option options[] = {
    {.name = "json", .doc = "for machines: a list"},
    {0},
};

const struct cli_command cmd_formats = {
    .name = "formats",
    .doc = "list the number formats: layout, blocks, storage, range",
    .options = options,
    .run = run,
    .notes =
        "layout: sign-exponent-mantissa, intN two's complement, qN less an offset, 1+N sign and\n"
        "magnitude in the block's step. bits: per element with its share of the scales. least,\n"
        "largest: magnitudes of values, with the least and the largest scale; of i8, i4, i32\n"
        "without one. class: the tensor unit's rate, 16, 9 or 6; 0: it does not take it.\n",
};
