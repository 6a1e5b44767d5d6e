/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/product.h"

#include <stdlib.h>
#include <string.h>

#include "sim/cli/quant.h"

/* Products of a step: by the wider of the two width classes. */
static uint32_t step_of(const struct product *p, const struct tsr_chip *chip)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    uint8_t a = p->a_format->width_class, b = p->b_format->width_class, w = a > b ? a : b;
    return a == 0 || b == 0 ? 0 : w == 16 ? t->r16 : w == 9 ? t->r9 : t->r6;
}

static struct quant scheme(const struct tsr_format *f, const struct tsr_format *f32)
{
    return (struct quant){.q = {.format = f, .scale_format = f32},
                          .plain = f->family == TSR_FAMILY_FLOAT};
}

static enum tsr_status plan(const struct product *p, const struct tsr_chip *chip,
                            struct tsr_num_plan *out, struct tsr_error *err)
{
    struct tsr_error why = {0};
    uint32_t r = step_of(p, chip);
    if (r == 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: the tensor unit does not take it",
                             (p->a_format->width_class ? p->b_format : p->a_format)->name);
    if (tsr_num_plan(p->a_format, p->b_format, r, out, &why) != TSR_OK)
        return tsr_error_set(err, TSR_BAD_INPUT, "activations %s with weights %s: %s",
                             p->a_format->name, p->b_format->name, why.message);
    return TSR_OK;
}

enum tsr_status product_check(const struct product *p, const struct tsr_chip *chip,
                              const struct tsr_isa *isa, struct tsr_error *err)
{
    const struct tsr_format *f32 = &isa->formats[TSR_F32];
    struct tsr_num_plan ignored;
    struct quant a = scheme(p->a_format, f32), b = scheme(p->b_format, f32);
    enum tsr_status st = plan(p, chip, &ignored, err);
    if (st == TSR_OK)
        st = quant_check(&a, p->k, err);
    return st == TSR_OK ? quant_check(&b, p->k, err) : st;
}

/* One operand: its codes, and what the tensor unit makes of them. */
struct side {
    struct quant_codes codes;
    void *memory;
    struct tsr_num_panel panel;
};

static void release(struct side *s)
{
    free(s->codes.elements);
    free(s->memory);
}

static enum tsr_status take(const struct tsr_num_plan *plan, enum tsr_num_side which,
                            const struct tsr_format *f, const struct tsr_format *f32, size_t rows,
                            size_t k, const uint32_t *x, struct side *s, struct tsr_error *err)
{
    struct quant q = scheme(f, f32);
    uint32_t *y = malloc(4 * rows * k);
    size_t bytes = tsr_num_panel_bytes(plan, which, (uint32_t)rows, (uint32_t)k);
    s->memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    enum tsr_status st = y && s->memory ? quant_array(&q, x, rows, k, &s->codes, y, err)
                                        : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    free(y);
    if (st != TSR_OK)
        return st;
    bool blocks = f->block > 1;
    struct tsr_num_operand o = {.codes = s->codes.elements,
                                .stride_bytes = (ptrdiff_t)(s->codes.element_bytes / rows),
                                .scales = blocks ? s->codes.scales : NULL,
                                .scale_stride_bytes =
                                    blocks ? (ptrdiff_t)(s->codes.scale_bytes / rows) : 0};
    tsr_num_unpack(plan, which, &o, (uint32_t)rows, (uint32_t)k, s->memory, &s->panel);
    return TSR_OK;
}

/* The f32 scale of a row of integers. */
static double row_scale(const struct side *s, size_t row)
{
    uint32_t bits;
    memcpy(&bits, s->codes.scales + 4 * row, sizeof bits);
    return (double)samples_value(bits);
}

/* Four chains, so that the loop is not bound by one addition's latency; fixed order. */
static double exact(const uint32_t *a, const uint32_t *b, size_t k)
{
    double sum[4] = {0};
    for (size_t i = 0; i < k; i++)
        sum[i % 4] += (double)samples_value(a[i]) * (double)samples_value(b[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void compare(const struct product *p, const struct side *a, const struct side *b,
                    const uint32_t *c, bool integer, struct samples_power *power)
{
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < p->n; j++) {
            uint32_t bits = c[i * p->n + j];
            double want = exact(p->a + i * p->k, p->b + j * p->k, p->k);
            double got = integer ? (double)(int32_t)bits * row_scale(a, i) * row_scale(b, j)
                                 : (double)samples_value(bits);
            power->signal += want * want;
            power->noise += (got - want) * (got - want);
        }
}

enum tsr_status product_measure(const struct product *p, const struct tsr_chip *chip,
                                const struct tsr_isa *isa, struct samples_power *power,
                                struct tsr_error *err)
{
    const struct tsr_format *f32 = &isa->formats[TSR_F32];
    struct tsr_num_plan pair;
    struct side a = {0}, b = {0};
    enum tsr_status st = plan(p, chip, &pair, err);
    uint32_t *c = malloc(4 * p->m * p->n);
    if (st == TSR_OK && c == NULL)
        st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK)
        st = take(&pair, TSR_NUM_A, p->a_format, f32, p->m, p->k, p->a, &a, err);
    if (st == TSR_OK)
        st = take(&pair, TSR_NUM_B, p->b_format, f32, p->n, p->k, p->b, &b, err);
    if (st == TSR_OK) {
        tsr_num_mma(&pair, &a.panel, &b.panel, c, p->n, true);
        compare(p, &a, &b, c, pair.kind == TSR_NUM_INTEGER, power);
    }
    release(&a);
    release(&b);
    free(c);
    return st;
}
