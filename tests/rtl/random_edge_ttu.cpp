// SPDX-License-Identifier: Apache-2.0
// Edges of the tensor unit: all pairs of formats, sizes and places at their ends and beyond, bits
// that are too high, rows that end with their line and a byte behind it, posts that wait.
#include <cstring>

#include "tests/rtl/random_edge_ttu.h"

namespace edge_mma
{

mma small(edges *e)
{
    const tsr_format *f = &e->isa->formats[TSR_I8];
    return {0x100, 32, 0x900, 32, 4, 4, 8, 0, 0x1000, 0, 0, f, f, 0, 0, 0, 0, 0};
}

void word(edges *e, const mma &x, const char *sems)
{
    const uint64_t values[] = {x.a, x.as, x.b, x.bs, x.m, x.n, x.k, x.c, x.e, x.asc, x.bsc};
    for (unsigned i = 0; i < 11; i++)
        e->set(1 + i, values[i]);
    e->line("mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, e=x9, asc=x10, bsc=x11, af=%s, "
            "bf=%s, at=%u, bt=%u, acc=%u, across=%u, sc=%u%s",
            x.af->name, x.bf->name, x.at, x.bt, x.acc, x.across, x.sc, sems);
}

void end(edges *e)
{
    e->line("halt");
    e->end();
}

void alone(edges *e, const mma &x)
{
    word(e, x, "");
    end(e);
}

void begin(edges *e, unsigned code)
{
    e->line(".sem 1 ttu");
    e->line("li x1, hbm:0x%x", code * RANDOM_PATTERN);
    e->set(2, 0x100);
    e->set(3, 0x400);
    e->set(4, 4);
    e->set(5, 0x400);
    e->line("copy ch=0, src=x1, dst=x2, len=x3, n1=x4, ss1=x0, ds1=x5, p0=s1");
}

std::vector<const tsr_format *> formats(const edges *e)
{
    const tsr_op *op = e->op(TSR_STREAM_TCP, "mma");
    uint32_t legal = op->operand[tsr_op_operand(op, "af")].formats;
    std::vector<const tsr_format *> all;
    for (unsigned c = 0; c < 32; c++)
        if (legal >> c & 1)
            all.push_back(&e->isa->formats[c]);
    return all;
}

} // namespace edge_mma

using namespace edge_mma;

namespace
{

// Every pair, both ways round and K-strided: what is illegal faults, the others compute.
void pairs(edges *e)
{
    for (const tsr_format *a : formats(e))
        for (const tsr_format *b : formats(e))
            for (unsigned strided = 0; strided < 4; strided++) {
                mma x = small(e);
                x.af = a, x.bf = b;
                x.at = strided & 1, x.bt = strided >> 1;
                if (strided && e->below(3))
                    continue;
                x.k = 1 + e->below(12), x.m = 1 + e->below(8), x.n = 1 + e->below(8);
                if (x.at)
                    x.m = 1 + e->below(4);
                if (x.bt)
                    x.n = 1 + e->below(4);
                x.asc = x.a + 26, x.bsc = x.b + 26;
                x.c = e->below(8) << 8 | e->below(3) << 4 | e->below(3);
                x.acc = static_cast<unsigned>(e->below(2));
                begin(e, (e->below(2) ? a : b)->code);
                word(e, x, " wait(s1)");
                x.acc = 1;
                word(e, x, "");
                end(e);
            }
}

void sizes(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, limit = 8 * d, line = e->chip->tile.line_bytes;
    const tsr_format *i4 = &e->isa->formats[TSR_I4];
    for (unsigned b = 0; b < 64; b++) {
        uint64_t v = bit(b);
        for (unsigned which = 0; which < 6; which++) {
            mma x = small(e);
            x.across = 1;
            if (which == 0)
                x.m = v + (v >= 64 ? 4 : 0);
            else if (which == 1)
                x.n = v + (v >= 64 ? 4 : 0);
            else if (which == 2)
                x.k = v + (v >= 512 ? 8 : 0), x.af = x.bf = i4;
            else if (which == 3)
                x.c = v;
            else if (which == 4)
                x.at = 1, x.k = v + (v >= 512 ? 8 : 0);
            else
                x.bt = 1, x.k = v + (v >= 512 ? 8 : 0);
            alone(e, x);
        }
    }
    for (uint64_t over = 0; over < 2; over++) {
        mma x = small(e);
        x.across = 1, x.m = limit + over;
        alone(e, x);
        x = small(e);
        x.across = 1, x.n = limit + over;
        alone(e, x);
        x = small(e);
        x.at = 1, x.k = limit + over;
        alone(e, x);
        x = small(e);
        x.bt = 1, x.k = limit + over;
        alone(e, x);
        x = small(e);
        x.k = 8 * line + over; // of no format a line holds so many
        alone(e, x);
        for (uint64_t none = 0; none < 3; none++) {
            x = small(e);
            (none == 0 ? x.m : none == 1 ? x.n : x.k) = 0;
            alone(e, x);
        }
    }
    for (const tsr_format *f : formats(e)) // as long as a line, without scales, and one more
        for (unsigned more = 0; more < 3; more++)
            for (unsigned side = 0; side < 2; side++) {
                mma x = small(e);
                uint64_t scales = f->block > 1 ? (line * 8 / f->bits + f->block - 1) / f->block *
                                                     f->scale_bits / 8
                                               : 0;
                x.af = x.bf = f;
                x.k = (line - scales) * 8 / f->bits - 1 + more;
                (side ? x.m : x.n) = 1;
                x.asc = x.a + line - scales, x.bsc = x.b + line - scales;
                begin(e, f->code);
                word(e, x, " wait(s1)");
                end(e);
            }
}

// Each address and stride bit by bit; the last row at the TSRAM's end, and beyond it.
void places(edges *e)
{
    const uint64_t bytes = e->chip->tile.tsram_bytes, line = e->chip->tile.line_bytes;
    const tsr_format *mx = &e->isa->formats[TSR_MXF8E4M3];
    for (unsigned b = 0; b < 64; b++)
        for (unsigned which = 0; which < 8; which++) {
            mma x = small(e);
            uint64_t v = bit(b);
            if (which == 5 || which == 6)
                x.af = x.bf = mx, x.asc = x.a + 16, x.bsc = x.b + 16;
            uint64_t *what[] = {&x.a, &x.as, &x.b, &x.bs, &x.e, &x.asc, &x.bsc, &x.e};
            *what[which] = v;
            if (which == 4 || which == 7)
                x.sc = which == 4 ? 1 : 2;
            if (which == 1 || which == 3) { // nothing but the stride is wrong, or two rows are
                if (b >= 31)
                    x.m = x.n = 1;
                else if (b > 13)
                    x.m = x.n = 2;
            }
            alone(e, x);
        }
    for (unsigned i = 0; i < 120; i++) {
        mma x = small(e);
        unsigned side = i & 1, over = i % 3 == 0;
        uint64_t rows = 1 + e->below(6), stride = line * (1 + e->below(300)),
                 n = 1 + e->below(line);
        x.m = x.n = 1 + e->below(4), x.k = n;
        (side ? x.m : x.n) = rows;
        uint64_t at = bytes - (rows - 1) * stride - n + over;
        (side ? x.a : x.b) = at;
        (side ? x.as : x.bs) = stride;
        (side ? x.b : x.a) = 0x100;
        alone(e, x);
    }
    for (unsigned i = 0; i < 60; i++) { // rows that cross their line: the first, the last, one
        mma x = small(e);
        unsigned side = i & 1;
        uint64_t stride = 1 + e->below(80), n = 1 + e->below(line);
        x.k = n, x.m = x.n = 1 + e->below(8);
        (side ? x.a : x.b) = 0x400 + e->below(line);
        (side ? x.as : x.bs) = stride;
        (side ? x.bs : x.as) = line;
        alone(e, x);
    }
    for (unsigned i = 0; i < 90; i++) { // scales beside their row, or not
        mma x = small(e);
        unsigned side = i & 1;
        x.af = x.bf = mx, x.k = 1 + e->below(28);
        x.a = 0x400, x.b = 0x800;
        x.asc = x.a + x.k, x.bsc = x.b + x.k;
        uint64_t &at = side ? x.a : x.b, &scale = side ? x.asc : x.bsc;
        (side ? x.as : x.bs) = i % 3 ? line : e->below(70);
        if (i % 5 == 0)
            scale = at + line - e->below(3);
        else if (i % 5 == 1)
            scale = at - 1 - e->below(40);
        else if (i % 5 == 2)
            at += e->below(4), scale = at + e->below(line);
        else if (i % 5 == 3)
            at = bytes - line * x.m, scale = at + line - 1 + (i % 2);
        alone(e, x);
    }
    for (unsigned i = 0; i < 40; i++) { // exponents at the end, beyond, not at a word
        mma x = small(e);
        x.sc = 1 + i % 2, x.across = 1;
        x.m = 1 + e->below(20), x.n = 1 + e->below(20);
        x.e = bytes - 4 * (x.sc == 1 ? x.m : x.n) + (i % 4 == 3 ? 1 + e->below(4) : 0);
        alone(e, x);
    }
}

// Banks that a drain or a fill owns.
void conflicts(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    for (uint64_t i = 0; i < 3 * banks; i++) {
        uint64_t owned = i % banks, mine = i < 2 * banks ? owned : e->below(banks);
        e->set(12, 0x2000);
        e->set(13, 64);
        e->set(14, 4 * d);
        e->set(15, owned << 8);
        e->line(i % 2 ? "drain dst=x12, ds=x13, m=x14, n=x14, c=x15, fmt=f32"
                      : "fill src=x12, ss=x13, m=x14, n=x14, c=x15, fmt=f32");
        mma x = small(e);
        x.c = mine << 8;
        alone(e, x);
    }
}

// Any size at any place with exponents of all sizes, several behind each other.
void many(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, line = e->chip->tile.line_bytes;
    std::vector<const tsr_format *> all = formats(e);
    for (unsigned program = 0; program < 24; program++) {
        const tsr_format *f = all[program % all.size()];
        e->line(".sem 1 ttu");
        e->line("li x1, hbm:0x%x",
                static_cast<unsigned>(program % 2 ? RANDOM_PATTERNS : f->code * RANDOM_PATTERN));
        e->set(2, 0);
        e->set(3, 0x1000);
        e->line("copy ch=0, src=x1, dst=x2, len=x3, p0=s1");
        e->line("li x1, hbm:0x%x", static_cast<unsigned>(TSR_I32 * RANDOM_PATTERN));
        e->set(2, 0x1000);
        e->set(3, 0x200);
        e->line("copy ch=0, src=x1, dst=x2, len=x3, p0=s1");
        for (unsigned i = 0; i < 10; i++) {
            mma x = small(e);
            x.af = x.bf = f;
            x.m = 1 + e->below(8 * d), x.n = 1 + e->below(i % 3 ? 4 : 8 * d);
            x.across = static_cast<unsigned>(e->below(3));
            uint64_t room = f->block > 1 ? 24 : line;
            x.k = 1 + e->below(room * 8 / f->bits);
            if (f->family == TSR_FAMILY_SMX)
                x.k = 1 + e->below(16);
            x.a = line * e->below(40), x.b = line * e->below(40);
            x.asc = x.a + line - 4, x.bsc = x.b + line - 4;
            x.c = e->below(5) << 8 | e->below(4) << 4 | e->below(4);
            x.sc = static_cast<unsigned>(e->below(3));
            x.e = 0x1000 + 4 * e->below(64);
            x.acc = static_cast<unsigned>(e->below(2));
            word(e, x, i ? "" : " wait(s1*2)");
        }
        end(e);
    }
}

// Of up to 8 D rows the last alone crosses its line, or its scale does, or lies a line further; and
// neither does.
void crossings(edges *e)
{
    const uint64_t line = e->chip->tile.line_bytes, rows = 8 * e->chip->tile.ttu.dim;
    const tsr_format *mx = &e->isa->formats[TSR_MXF8E4M3];
    for (uint64_t last = 0; last < rows; last++)
        for (unsigned kind = 0; kind < 4; kind++)
            for (unsigned side = 0; side < 2; side++) {
                mma x = small(e);
                uint64_t &at = side ? x.b : x.a, &scale = side ? x.bsc : x.asc;
                (side ? x.n : x.m) = last + 1;
                (side ? x.bs : x.as) = line + 1; // each row begins a byte further in its line
                at = 0x400, x.k = line - last;
                if (kind == 1)
                    x.k++;
                if (kind > 1) {
                    x.af = x.bf = mx, x.k = 1;
                    x.asc = x.a + 1, x.bsc = x.b + 1;
                    at = 0x400 + (kind == 2 && last + 1 < rows ? line - 2 - last : 0);
                    scale = 0x400 + line - 1 - last + (kind == 3);
                    if (kind == 2)
                        scale = at + 1;
                }
                x.across = 1;
                alone(e, x);
            }
}

// Nothing is wrong but one high bit of a stride or of where the scales are.
void high_bits(edges *e)
{
    const tsr_format *mx = &e->isa->formats[TSR_MXF8E4M3];
    for (unsigned b = 16; b < 64; b++)
        for (unsigned which = 0; which < 4; which++) {
            mma x = small(e);
            if (which > 1)
                x.af = x.bf = mx, x.asc = x.a + 16, x.bsc = x.b + 16;
            uint64_t *what[] = {&x.as, &x.bs, &x.asc, &x.bsc};
            *what[which] |= bit(b);
            x.m = x.n = 2;
            alone(e, x);
        }
}

// Behind an mma as many tsyncs as may wait, each with posts of its own; then one after the other.
void waiting(edges *e)
{
    for (unsigned n = 1; n < 20; n++) {
        mma x = small(e);
        std::string text;
        x.k = 8 + 24 * (n % 2), x.m = x.n = 8 + 4 * (n % 3);
        x.across = 1;
        word(e, x, "");
        if (n % 4 == 0)
            word(e, x, " post(s1)");
        for (unsigned i = 0; i < n; i++)
            e->line("tsync post(s%u, s%u)", 2 + (i + n) % 19, 21 + (5 * i + n) % 19);
        for (unsigned i = 0; i < n; i++)
            e->line("wait wait(s%u*1)", 2 + (i + n) % 19);
        for (unsigned i = 0; i < n; i++)
            e->line("wait wait(s%u*1)", 21 + (5 * i + n) % 19);
        for (unsigned s = 1; s < 40; s++)
            text += ".sem " + std::to_string(s) + " tcp\n";
        e->text = text + e->text;
        end(e);
    }
}

} // namespace

void edge_ttu(edges *e)
{
    pairs(e);
    sizes(e);
    places(e);
    conflicts(e);
    many(e);
    crossings(e);
    high_bits(e);
    waiting(e);
    edge_rows(e);
    e->random(120, 150, TSR_UNIT_TTU);
}
