// SPDX-License-Identifier: Apache-2.0
// Edges of what is under way in the data mover: transfers too long to end, one in each place of
// each channel's ring; as many requests as there are numbers; turns of the TSRAM's write side all
// round.
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

// 2^b bytes and a few requests, b from 8 to 39, so that whoever loses the one high bit ends soon.
// All four channels; in front of it so many that have no bytes.
void giants(edges *e, unsigned place, unsigned b)
{
    const unsigned most = 27; // so many bytes of far memory for each channel to write
    for (unsigned ch = 0; ch < 4; ch++) {
        unsigned total = 8 + (b + 8 * ch) % 32, len = total < most ? total : most;
        for (unsigned k = 0; k < place; k++)
            e->line("copy ch=%u, dst=x0, src=x0, len=x0", ch);
        e->set(1, HBM + (static_cast<uint64_t>(ch) << most));
        e->set(2, HBM + (UINT64_C(1) << (most + 2)));
        // what is beyond 2^total are some whole requests
        e->set(3, (UINT64_C(1) << len) + (total - len < 8 ? 256u >> (total - len) : 1));
        e->set(4, UINT64_C(1) << (total - len));
        e->line("copy ch=%u, dst=x1, src=x2, len=x3%s", ch,
                total > len ? ", n1=x4, ss1=x0, ds1=x0" : "");
    }
    cut_off(e, 1400);
}

struct rows {
    uint64_t dst, src, len, n, ss, ds;
};

void copy(edges *e, unsigned ch, const rows &r)
{
    const uint64_t values[] = {r.dst, r.src, r.len, r.n, r.ss, r.ds};
    for (unsigned i = 0; i < 6; i++)
        e->set(1 + i, values[i]);
    e->line("copy ch=%u, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x6", ch);
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
// any, so that requests of many end together.
void rings(edges *e)
{
    const uint64_t shared = 0xC000; // only read
    for (unsigned i = 0; i < 96; i++) {
        unsigned ch = e->below(8) ? i % 4 : static_cast<unsigned>(e->below(4));
        uint64_t n = 1 + e->below(12), len = 1 + e->below(400 / n), gap = e->below(3) * e->below(5);
        uint64_t mine = 512 * i, far = HBM + 0x100000 * i + e->below(300);
        uint64_t step = len + gap + (e->below(4) ? 0 : 0x1000);
        unsigned kind = static_cast<unsigned>(e->below(8));
        if (kind < 4)
            copy(e, ch, {mine, far, len, n, step, len + gap});
        else if (kind < 6)
            copy(e, ch, {mine, shared + e->below(0x3000), len, n, len, len + gap});
        else if (kind < 7)
            copy(e, ch, {far, shared + e->below(0x3000), len, n, len, step});
        else
            copy(e, ch, {far, HBM + 0x20000000 + e->below(0x10000), len, n, len, step});
    }
    e->line("halt");
    e->end();
}

} // namespace

void edge_flight(edges *e)
{
    for (unsigned place = 0; place < 16; place++)
        for (unsigned b = 0; b < 32; b++)
            giants(e, place, b);
    for (unsigned turn = 0; turn < 12; turn++) {
        crowd(e, turn);
        turns(e, turn);
    }
    for (unsigned program = 0; program < 40; program++)
        rings(e);
}
