/* SPDX-License-Identifier: Apache-2.0 */
/* The codecs of isa/num on the host: every format in formats.yaml, rows of f32 into codes and back.
 * The name's shape is 1 x columns x elements of a block. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/shim.h"
#include "isa/num/quant.h"
#include "tessera/isa.h"

enum {
    COLUMNS = 4096
};

static struct codec {
    struct tsr_num_quant q;
    bool plain, back;
} cases[2 * TSR_DTYPE_MAX];

static bool encode(const struct codec *c, const uint32_t *x, uint8_t *e, uint8_t *s)
{
    struct tsr_error err = {0};
    if (!c->plain)
        return tsr_num_quantize(&c->q, x, COLUMNS, e, s, &err) == TSR_OK;
    tsr_num_encode_array(c->q.format, e, x, COLUMNS, TSR_ROUND_EVEN);
    return true;
}

static bool decode(const struct codec *c, const uint8_t *e, const uint8_t *s, uint32_t *x)
{
    struct tsr_error err = {0};
    if (!c->plain)
        return tsr_num_dequantize(&c->q, e, s, COLUMNS, x, &err) == TSR_OK;
    tsr_num_decode_array(c->q.format, x, e, COLUMNS);
    return true;
}

static void run(struct tsr_bench *b, const void *arg)
{
    static uint32_t x[COLUMNS];
    static uint8_t e[4 * COLUMNS], s[4 * COLUMNS];
    const struct codec *c = arg;
    for (size_t i = 0; i < COLUMNS; i++) {
        float v = (float)((int)(i * 2654435761u % 2001) - 1000) / 128.0f;
        memcpy(&x[i], &v, sizeof v);
    }
    memset(e, 0x11, sizeof e); /* of formats that are read only: small finite scales */
    bool good = encode(c, x, e, s) || c->back;
    while (tsr_bench_next(b)) {
        good = (c->back ? decode(c, e, s, x) : encode(c, x, e, s)) && good;
        tsr_bench_keep(c->back ? (const void *)x : e);
    }
    if (!good)
        abort();
    tsr_bench_rate(b, "elements/s", COLUMNS);
    tsr_bench_rate(b, "bytes of f32/s", 4.0 * COLUMNS);
}

static void add(const struct codec *c)
{
    static int n;
    char name[96];
    cases[n] = *c;
    snprintf(name, sizeof name, "%s/%s/num/1x%dx%d", c->back ? "decode" : "encode",
             c->q.format->name, COLUMNS, c->q.format->block);
    tsr_bench_add(name, run, &cases[n++]);
}

void tsr_bench_register(void)
{
    struct tsr_isa *isa = NULL; /* the formats' rows are read until the program ends */
    struct tsr_error err = {0};
    if (tsr_isa_load(NULL, 0, &isa, &err) != TSR_OK)
        abort();
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        struct codec c = {.q = {.format = f,
                                .file_layout = f->family == TSR_FAMILY_GGUF,
                                .scale_format = &isa->formats[TSR_BF16]},
                          .plain = f->family == TSR_FAMILY_FLOAT};
        if (!isa->has_format[i] || !(c.plain ? tsr_num_has_codec(f) : tsr_num_has_blocks(f)))
            continue;
        if (f->code != TSR_Q4_K && f->code != TSR_Q6_K)
            add(&c);
        c.back = true;
        add(&c);
    }
}
