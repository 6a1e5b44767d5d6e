// SPDX-License-Identifier: Apache-2.0
// Edges of what is under way in the data mover: transfers too long to end, one in each place of
// each channel's ring, and long ones that end; as many requests as there are numbers; turns of the
// TSRAM's write side all round; acknowledgements of several in one cycle; rows in any order.
#include "tests/rtl/random_edge.h"

namespace
{

constexpr uint64_t HBM = UINT64_C(2) << 56, CSRAM = UINT64_C(1) << 56;

// A word that no unit takes ends the program, whatever is under way.
void cut_off(edges *e, unsigned cycles)
{
    e->set(1, cycles);
    e->line("loop x1, late");
    e->line("nop");
    e->line("late:");
    e->word(tsr_word{{~UINT64_C(0), ~UINT64_C(0)}});
    e->end();
}

// So many places of a channel's ring are passed.
void empty(edges *e, unsigned ch, unsigned places)
{
    for (unsigned k = 0; k < places; k++)
        e->line("copy ch=%u, dst=x0, src=x0, len=x0", ch);
}

// 2^b bytes and a few requests, b from 8 to 39, so that whoever loses the one high bit ends soon.
// All four channels; in front of it so many that have no bytes. CSRAM keeps up with the tile's
// port, HBM has room for long runs.
void giants(edges *e, unsigned place, unsigned b, bool hbm)
{
    const unsigned most = hbm ? 27 : 17; // so many bytes of it for each channel to write
    const uint64_t base = hbm ? HBM : CSRAM;
    for (unsigned ch = 0; ch < 4; ch++) {
        unsigned total = 8 + (b + 8 * ch) % 32, len = total < most ? total : most;
        empty(e, ch, place);
        e->set(1, base + (static_cast<uint64_t>(ch) << most));
        e->set(2, base + (UINT64_C(1) << (most + 2)));
        // what is beyond 2^total are some whole requests
        e->set(3, (UINT64_C(1) << len) + (total - len < 8 ? 256u >> (total - len) : 1));
        e->set(4, UINT64_C(1) << (total - len));
        e->line("copy ch=%u, dst=x1, src=x2, len=x3%s", ch,
                total > len ? ", n1=x4, ss1=x0, ds1=x0" : "");
    }
    cut_off(e, hbm ? 1400 : 500);
}

// 2^16 bytes and some more, to their end: whoever has a count wrong and right by turns, or wrong
// where it passes a power of two, ends late or never. Of each place two, cut into requests anyhow,
// so that cycles are odd or even.
void long_ones(edges *e, unsigned place)
{
    for (unsigned ch = 0; ch < 4; ch++) {
        empty(e, ch, place);
        e->set(1, CSRAM + 0x20000 * ch + e->below(256));
        e->set(2, CSRAM + 0x80000 + 0x20000 * ch + e->below(256));
        e->set(3, 0x10000 + e->below(0x2000));
        e->line("copy ch=%u, dst=x1, src=x2, len=x3", ch);
    }
    e->line("halt");
    e->end();
}

struct rows {
    uint64_t dst, src, len, n, ss, ds;
};

void copy(edges *e, unsigned ch, const rows &r, bool cast = false)
{
    const uint64_t values[] = {r.dst, r.src, r.len, r.n, r.ss, r.ds};
    for (unsigned i = 0; i < 6; i++)
        e->set(1 + i, values[i]);
    if (cast)
        e->set(7, 1);
    e->line("copy ch=%u, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x6%s", ch,
            cast ? ", mask=x7, mc=1" : "");
}

// Rows of a byte or a few from slow places: requests wait until no number is left.
void crowd(edges *e, unsigned turn)
{
    for (unsigned ch = 0; ch < 4; ch++) {
        uint64_t half = 0x2000 * ch, len = 1 + e->below(3), n = 300 + e->below(100);
        uint64_t far = HBM + ch * 0x1000000, step = 0x1000 + 8 * e->below(64);
        bool out = (turn + ch) % 4 == 3;
        if (out)
            copy(e, ch, {far, half, len, n, 16, step});
        else if (turn % 2 && ch == 1)
            copy(e, ch, {half, CSRAM, len, n, 24 + len, 16});
        else
            copy(e, ch, {half, far, len, n, step, 16});
    }
    e->line("halt");
    e->end();
}

// More turns than the ring has, of packets and of copies in the TSRAM, by many orders.
void turns(edges *e, unsigned turn)
{
    for (unsigned part = 0; part < 2; part++)
        for (unsigned ch = 0; ch < 4; ch++) {
            uint64_t at = 0x4000 * ch + 0x2000 * part, n = 230 + e->below(20);
            bool local = (ch + turn) % 2 || e->below(4) == 0;
            uint64_t len = 4 + e->below(4), from = local ? at + 0x1000 : CSRAM + 0x800 * ch;
            copy(e, ch, {at, from, len, n, 16, 15});
        }
    e->line("halt");
    e->end();
}

// All places of all rings at once: descriptors of a few rows behind one another, none waits for
// any, so that requests of many end together. CSRAM, HBM and the tile itself, as a cast's only one,
// acknowledge each at most one a cycle: three lanes in all.
void rings(edges *e)
{
    const uint64_t shared = 0xC000; // only read
    for (unsigned i = 0; i < 96; i++) {
        unsigned ch = e->below(8) ? i % 4 : static_cast<unsigned>(e->below(4));
        uint64_t n = 1 + e->below(12), len = 1 + e->below(400 / n), gap = e->below(3) * e->below(5);
        uint64_t mine = 512 * i, far = HBM + 0x100000 * i + e->below(300);
        uint64_t step = len + gap + (e->below(4) ? 0 : 0x1000);
        uint64_t near = shared + e->below(0x3000), other = HBM + 0x20000000 + e->below(0x10000);
        if (e->below(2)) {
            far = CSRAM + 0x400 * i + e->below(300), step = len + gap;
            other = CSRAM + 0x80000 + e->below(0x10000);
        }
        switch (e->below(8)) {
        case 0:
            copy(e, ch, {mine, far, len, n, step, len + gap});
            break;
        case 1:
            copy(e, ch, {mine, near, len, n, len, len + gap});
            break;
        case 2:
            copy(e, ch, {far, other, len, n, len, step});
            break;
        case 3:
            copy(e, ch, {mine, e->below(2) ? near : other, len, n, len, len + gap}, true);
            break;
        default:
            copy(e, ch, {far, near, len, n, len, step});
        }
    }
    e->line("halt");
    e->end();
}

// Short rows by the hundred, each channel's by all three ways: the slowest first, so that its
// acknowledgements meet those of what comes later.
void lanes(edges *e, unsigned turn)
{
    const uint64_t shared = 0xC000; // only read
    for (unsigned ch = 0; ch < 4; ch++)
        empty(e, ch, turn);
    for (unsigned i = 0; i < 32; i++) {
        unsigned ch = i % 4, way = (i / 4 + (turn + ch) / 2) % 4;
        uint64_t len = e->below(3) ? 1 + e->below(16) : 128 + e->below(128);
        uint64_t n = len < 128 ? 20 + e->below(40) : 2 + e->below(4), step = len + e->below(16);
        uint64_t near = shared + e->below(0x1000), part = 0x1000 * i;
        if (way < 2)
            copy(e, ch, {HBM + part + e->below(64), near, len, n, len, step});
        else if (way < 3)
            copy(e, ch, {CSRAM + part + e->below(64), near, len, n, len, step});
        else
            copy(e, ch, {0x600 * i, CSRAM + 0x80000 + part, len, n, step, len}, true);
    }
    e->line("halt");
    e->end();
}

// Rows of random bytes at any places of the TSRAM, where the far side is contiguous: so that a line
// has bytes of several, of pieces longer than a line, one behind or before another. Rows that are
// read may have bytes in common. Whole requests, too.
void orders(edges *e)
{
    const uint64_t half = 0x8000, noise = HBM + RANDOM_PATTERNS;
    e->line(".sem 1 tcp");
    e->set(1, 0);
    e->set(2, noise);
    e->set(3, half);
    e->line("copy ch=0, dst=x1, src=x2, len=x3, p0=s1");
    e->line("wait wait(s1)");
    uint64_t far = CSRAM + 0x10000, near = half; // all that is written lies one behind another
    for (unsigned i = 0; i < 64; i++) {
        bool out = i % 2, whole = e->below(4) == 0, back = e->below(2);
        uint64_t len = 1 + (e->below(3) ? e->below(20) : 33 + e->below(160));
        uint64_t n = 1 + 320 / len + e->below(3), step = e->below(out ? 2 * len + 4 : 6);
        if (whole)
            n = 1, len = 256 + e->below(300);
        step += out ? 0 : len;
        uint64_t reach = (n - 1) * step;
        uint64_t minus = 0 - step, at = out ? e->below(half - reach - len) : near;
        at += back ? reach : 0;
        if (out) {
            copy(e, i / 2 % 4, {far + e->below(9), at, len, n, back ? minus : step, len});
            far += n * len + 16;
        } else if (near + reach + len < 2 * half) {
            copy(e, i / 2 % 4,
                 {at, noise + e->below(half - n * len), len, n, len, back ? minus : step});
            near += reach + len + e->below(9);
        }
    }
    e->line("halt");
    e->end();
}

} // namespace

void edge_flight(edges *e)
{
    for (unsigned place = 0; place < 16; place++)
        for (unsigned b = 0; b < 32; b++)
            giants(e, place, b, false);
    for (unsigned b = 0; b < 32; b++)
        giants(e, b % 16, b, true);
    for (unsigned turn = 0; turn < 12; turn++) {
        crowd(e, turn);
        turns(e, turn);
    }
    for (unsigned program = 0; program < 40; program++)
        rings(e);
    for (unsigned place = 0; place < 16; place++) {
        for (unsigned k = 0; k < 2; k++) {
            long_ones(e, place);
            lanes(e, place);
        }
        orders(e);
    }
}
