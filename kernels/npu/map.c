/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/npu/map.h"

#define L(...) tsr_text_line(t, __VA_ARGS__)

struct walk {
    const struct npu_map *m;
    const struct tsr_chip *chip;
};

/* a is read by the port of the even address registers, b by that of the odd ones, by turns: while
 * one waits for its lines to come round again, the other goes. */
static void body(struct tsr_text *t, const void *self, uint32_t n)
{
    const struct walk *w = self;
    const struct npu_map *m = w->m;
    n = n ? n : 1;
    struct npu_group a = npu_group(w->chip, n, m->a.size), b = npu_group(w->chip, n, m->b.size);
    struct npu_group y = npu_group(w->chip, n, m->y.size);
    for (uint32_t k = 0; k < n; k += a.lines) {
        npu_loads(t, &a, 0, 0, m->fa, k, k + a.lines);
        npu_loads(t, &b, 8, 1, m->fb, k, k + a.lines);
    }
    m->body(t, m->self, n);
    npu_stores(t, &y, 16, 3, m->fy, 0, n);
}

enum tsr_status npu_map_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct npu_map *m, struct tsr_program *out,
                                struct tsr_error *err)
{
    struct npu_stream s = {.name = m->name,
                           .rows = m->rows,
                           .cols = m->cols,
                           .split = true,
                           .n_in = 2,
                           .n_out = 1,
                           .n_pass = 1,
                           .in = {m->a, m->b},
                           .out = {m->y},
                           .pass = {{.routine = "map", .inputs = 2, .output = true}}};
    const uint64_t most = (uint64_t)1 << 40;
    if (!m->rows || !m->cols || m->rows > most || m->cols > most / m->rows)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %llu rows of %llu, each from 1, 2^40 in all",
                             m->name, (unsigned long long)m->rows, (unsigned long long)m->cols);
    if (!m->a.size || !m->b.size || !m->y.size)
        return tsr_error_set(err, TSR_BAD_INPUT,
                             "%s: a format that the vector unit does not load as floats", m->name);
    for (uint32_t i = 0; i < 2; i++)
        if (!s.in[i].stride)
            s.in[i].stride = m->cols * s.in[i].size;
    s.out[0].cols = m->cols;
    if (!s.out[0].stride)
        s.out[0].stride = m->cols * s.out[0].size;
    s.setup = m->constants ? "constants" : NULL;
    if (!npu_stream_plan(chip, &s))
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: does not fit the tiles of %s", m->name,
                             chip->name);
    struct tsr_text text = {0}, *t = &text;
    struct walk w = {m, chip};
    npu_stream_emit(t, chip, &s);
    if (m->constants) {
        L(".routine constants");
        m->constants(t, m->self);
        L("  vret");
        L(".end");
    }
    L(".routine map");
    L("  vloop a4, rows");
    npu_walk(t, chip, "map", body, &w);
    L("rows:");
    L("  vret");
    L(".end");
    return npu_stream_program(t, isa, chip, &s, out, err);
}
