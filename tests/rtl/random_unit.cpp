// SPDX-License-Identifier: Apache-2.0
// Pieces of programs for the tensor unit and the accumulators' drain and fill. Formats and their
// legal pairs are those of the instruction set.
#include <algorithm>
#include <cinttypes>
#include <cstring>

#include "tests/rtl/random_plan.h"

extern "C" {
#include "isa/num/num.h"
}

namespace
{

struct rectangle {
    uint64_t c, m, n, across, first, banks;
};

// Registers of one instruction, all different.
struct registers {
    unsigned r[20];
    explicit registers(plan *p)
    {
        for (unsigned i = 0; i < 20; i++)
            r[i] = i + 1;
        for (unsigned i = 19; i > 0; i--)
            std::swap(r[i], r[p->below(i + 1)]);
    }
};

bool draw_rectangle(plan *p, uint64_t most_m, uint64_t most_n, rectangle *r)
{
    uint64_t d = p->chip->tile.ttu.dim, side = 4 * d;
    r->m = 1 + p->below(p->below(2) ? most_m : d + 2);
    r->n = 1 + p->below(p->below(2) ? most_n : d + 2);
    r->across = p->below(3);
    uint64_t tr = p->below(4), tc = p->below(4);
    uint64_t down = (tr * d + r->m + side - 1) / side, wide = (tc * d + r->n + side - 1) / side;
    r->banks = ((down - 1) << r->across) + wide;
    if (tc * d + r->n > side << r->across || down << r->across > 4 || r->banks > p->banks)
        return false;
    r->first = p->below(p->banks - r->banks + 1);
    r->c = r->first << 8 | tr << 4 | tc;
    return true;
}

struct operand {
    const tsr_format *f;
    bool strided;
    uint64_t rows, bytes, scale_bytes, at, scales, stride, base, reach;
};

uint64_t run_bytes(const tsr_format *f, uint64_t n)
{
    if (f->family == TSR_FAMILY_SMX)
        return (n + f->block - 1u) / f->block * ((f->block * f->bits + f->block / 2u + 7u) / 8u);
    return (n * f->bits + 7u) / 8u;
}

// Rows within lines, their scales beside them; false where that does not fit.
bool draw_operand(plan *p, uint64_t outer, uint64_t k, operand *o)
{
    uint64_t line = p->chip->tile.line_bytes;
    o->rows = o->strided ? k : outer;
    o->bytes = run_bytes(o->f, o->strided ? outer : k);
    o->scale_bytes =
        o->f->block > 1 ? (k + o->f->block - 1u) / o->f->block * o->f->scale_bits / 8u : 0;
    uint64_t all = o->bytes + o->scale_bytes, share = 1;
    if (all > line)
        return false;
    while (2 * share * all <= line && p->below(4))
        share *= 2;
    uint64_t first = p->below(line / share - all + 1);
    // one line a row, several rows a line, or rows that meet the same banks again and again
    o->stride =
        share > 1 ? line / share : line * (p->one_in(6) ? 16 : 1 + p->below(p->one_in(2) ? 1 : 3));
    if (p->one_in(12))
        o->stride = 0;
    o->reach = (o->stride * (o->rows - 1) / line + 1) * line;
    if (o->reach > p->window)
        return false;
    o->base = p->below((p->window - o->reach) / line + 1) * line;
    bool front = p->below(2);
    o->at = o->base + first + (front ? o->scale_bytes : 0);
    o->scales = o->base + first + (front ? 0 : o->bytes);
    return true;
}

// Bytes of the pattern of a format from afar to where an operand lies: elements, then scales.
void feed(plan *p, const operand &o, bool scales)
{
    uint64_t bytes = scales ? o.scale_bytes : o.bytes;
    uint64_t room = scales ? RANDOM_PATTERN - RANDOM_SCALES : RANDOM_SCALES;
    uint64_t rows = o.stride ? o.rows : 1;
    if (!bytes)
        return;
    job j = {};
    j.queue = static_cast<tsr_queue>(TSR_Q_DMA0 + p->below(4));
    j.writes = {{place::tsram, o.base, o.reach}};
    std::string sems;
    if (!p->begin(j, &sems))
        return;
    uint64_t from = o.f->code * RANDOM_PATTERN + (scales ? RANDOM_SCALES : 0);
    uint64_t step = rows * bytes <= room ? bytes : (room - bytes) / rows;
    registers x(p);
    p->line("li x%u, %s0x%" PRIx64, x.r[0], p->one_in(2) ? "hbm:" : "csram:0:",
            from + p->below(room - step * (rows - 1) - bytes + 1));
    p->set(x.r[1], scales ? o.scales : o.at);
    p->set(x.r[2], bytes);
    p->set(x.r[3], rows);
    p->set(x.r[4], step);
    p->set(x.r[5], o.stride);
    p->line("copy ch=%d, src=x%u, dst=x%u, len=x%u, n1=x%u, ss1=x%u, ds1=x%u%s",
            j.queue - TSR_Q_DMA0, x.r[0], x.r[1], x.r[2], x.r[3], x.r[4], x.r[5], sems.c_str());
}

const tsr_format *draw_format(plan *p, uint32_t legal)
{
    for (;;) {
        uint64_t code = p->below(TSR_DTYPE_MAX);
        if (legal >> code & 1)
            return &p->isa->formats[code];
    }
}

uint32_t formats_of(const tsr_isa *isa, const char *mnemonic, const char *name)
{
    const tsr_op *op = tsr_isa_find(isa, TSR_STREAM_TCP, mnemonic);
    return op->operand[tsr_op_operand(op, name)].formats;
}

uint32_t step_of(const plan *p, const tsr_format *f)
{
    const tsr_ttu_config &u = p->chip->tile.ttu;
    return f->width_class == 16 ? u.r16 : f->width_class == 9 ? u.r9 : u.r6;
}

bool multiply(const plan *p, const tsr_format *a, const tsr_format *b)
{
    struct tsr_num_plan np;
    tsr_error err = {};
    return tsr_num_plan(a, b, std::min(step_of(p, a), step_of(p, b)), &np, &err) == TSR_OK;
}

struct product {
    operand a, b;
    rectangle r;
    uint64_t k, e, sc;
};

bool draw_product(plan *p, product *x)
{
    uint64_t d = p->chip->tile.ttu.dim, line = p->chip->tile.line_bytes;
    uint32_t legal = formats_of(p->isa, "mma", "af");
    x->a.f = draw_format(p, legal);
    x->b.f = p->one_in(4) ? x->a.f : draw_format(p, formats_of(p->isa, "mma", "bf"));
    if (!multiply(p, x->a.f, x->b.f) || !draw_rectangle(p, 8 * d, 8 * d, &x->r))
        return false;
    x->a.strided = x->a.f->block == 1 && p->one_in(3);
    x->b.strided = x->b.f->block == 1 && p->one_in(3);
    uint64_t least = std::min(x->a.strided ? 64 : x->a.f->bits, x->b.strided ? 64 : x->b.f->bits);
    x->k = 1 + p->below(p->one_in(2) ? 16 : std::max<uint64_t>(1, 8 * line / least));
    if ((x->a.strided || x->b.strided) && x->k > 8 * d)
        x->k = 1 + p->below(8 * d);
    if (x->r.m * x->r.n * x->k > 1024 && !p->one_in(8)) // large ones take long
        return false;
    x->sc = p->one_in(2) ? 0 : 1 + p->below(2);
    x->e = p->below((p->window - 32 * d) / 4) * 4;
    return draw_operand(p, x->r.m, x->k, &x->a) && draw_operand(p, x->r.n, x->k, &x->b);
}

} // namespace

// One product, or several of the same operands behind each other.
void random_mma(plan *p)
{
    product x = {};
    unsigned tries = 0;
    while (!draw_product(p, &x))
        if (++tries == 300)
            return;
    if (!p->fed && p->one_in(2)) {
        feed(p, x.a, true);
        feed(p, x.a, false);
        feed(p, x.b, true);
        feed(p, x.b, false);
    }
    uint64_t exponents = 4 * (x.sc == 1 ? x.r.m : x.r.n);
    const uint64_t small = TSR_I32 * RANDOM_PATTERN;
    if (p->fed && x.sc && p->below(4) && small + RANDOM_SCALES <= p->window) {
        x.e = small + p->below((RANDOM_SCALES - exponents) / 4) * 4;
    } else if (x.sc && p->below(8)) { // small ones are where bytes are many
        operand e = {};
        e.f = &p->isa->formats[TSR_I32];
        e.rows = 1, e.bytes = exponents, e.at = e.base = x.e, e.reach = exponents;
        if (exponents <= RANDOM_SCALES)
            feed(p, e, false);
    }
    job j = {};
    j.queue = TSR_Q_TTU;
    j.reads = {{place::tsram, x.a.base, x.a.reach}, {place::tsram, x.b.base, x.b.reach}};
    if (x.sc)
        j.reads.push_back({place::tsram, x.e, exponents});
    j.writes = {{place::banks, x.r.first, x.r.banks}};
    registers g(p);
    const uint64_t values[] = {x.a.at, x.a.stride, x.b.at, x.b.stride, x.r.m,     x.r.n,
                               x.k,    x.r.c,      x.e,    x.a.scales, x.b.scales};
    for (unsigned i = 0; i < 11; i++)
        p->set(g.r[i], values[i]);
    unsigned turns = p->one_in(4) ? 2 + static_cast<unsigned>(p->below(12)) : 1;
    if (x.r.m * x.r.n * x.k > 1024)
        turns = 1;
    for (unsigned t = 0; t < turns; t++) {
        std::string sems;
        j.silent = t + 1 < turns;
        if (!p->begin(j, &sems))
            return; // only the first of them, which then posts nothing: none has begun
        bool acc = p->below(4) || t;
        p->line("mma a=x%u, as=x%u, b=x%u, bs=x%u, m=x%u, n=x%u, k=x%u, c=x%u, e=x%u, asc=x%u, "
                "bsc=x%u, af=%s, bf=%s, at=%d, bt=%d, acc=%d, across=%" PRIu64 ", sc=%" PRIu64 "%s",
                g.r[0], g.r[1], g.r[2], g.r[3], g.r[4], g.r[5], g.r[6], g.r[7], g.r[8], g.r[9],
                g.r[10], x.a.f->name, x.b.f->name, x.a.strided, x.b.strided, acc, x.r.across,
                x.sc && (t == 0 || p->below(2)) ? x.sc : 0, sems.c_str());
    }
}

void random_acc(plan *p, bool fill)
{
    const char *name = fill ? "fill" : "drain";
    uint64_t d = p->chip->tile.ttu.dim, line = p->chip->tile.line_bytes;
    const tsr_format *f = draw_format(p, formats_of(p->isa, name, "fmt"));
    uint64_t size = f->bits / 8u;
    rectangle r = {};
    while (!draw_rectangle(p, p->one_in(6) ? 8 * d : 2 * d, p->one_in(6) ? 16 * d : 4 * d, &r))
        ;
    const uint64_t strides[] = {r.n * size, (r.n + 1) * size, (r.n * size / line + 1) * line};
    uint64_t stride = strides[p->below(3)];
    if (fill && p->one_in(4))
        stride = p->below(3) * size; // rows of a fill may overlap
    uint64_t reach = stride * (r.m - 1) + r.n * size, bias_bytes = 4 * r.n;
    if (reach + bias_bytes + 8 > p->window)
        return;
    uint64_t at = p->below((p->window - reach) / size) * size, bias = 0;
    bool bi = !fill && p->one_in(2);
    if (bi) { // not where the drain itself writes
        bool below = p->one_in(2);
        uint64_t low = below ? 0 : (at + reach + line) & ~UINT64_C(3),
                 high = below ? at : p->window;
        if (high < low + bias_bytes + line)
            bi = false;
        else
            bias = low + p->below((high - low - bias_bytes - line) / 4 + 1) * 4;
    }
    job j = {};
    j.queue = TSR_Q_ACC;
    span banks = {place::banks, r.first, r.banks}, tsram = {place::tsram, at, reach};
    (fill ? j.writes : j.reads).push_back(banks);
    (fill ? j.reads : j.writes).push_back(tsram);
    if (bi)
        j.reads.push_back({place::tsram, bias, bias_bytes});
    registers g(p);
    const uint64_t values[] = {at, stride, r.m, r.n, r.c, bias};
    for (unsigned i = 0; i < 6; i++)
        p->set(g.r[i], values[i]);
    std::string more;
    if (!fill)
        more = ", bias=x" + std::to_string(g.r[5]) + ", bi=" + std::to_string(bi) + ", int=";
    for (uint64_t turns = p->one_in(8) ? 10 : 1; turns > 0; turns--) {
        std::string sems;
        j.silent = turns > 1;
        if (!p->begin(j, &sems))
            return; // the first: none has begun
        p->line("%s %s=x%u, %s=x%u, m=x%u, n=x%u, c=x%u, fmt=%s, across=%" PRIu64 "%s%s%s", name,
                fill ? "src" : "dst", g.r[0], fill ? "ss" : "ds", g.r[1], g.r[2], g.r[3], g.r[4],
                f->name, r.across, more.c_str(),
                fill          ? ""
                : p->below(2) ? "1"
                              : "0",
                sems.c_str());
    }
}
