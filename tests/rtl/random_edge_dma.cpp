// SPDX-License-Identifier: Apache-2.0
// Edges of the data mover: of each operand the last value that is legal and the first that is not,
// single high bits, transfers at the ends of the memories and all over them.
#include "tests/rtl/random_edge.h"

#include <cinttypes>

namespace
{

constexpr uint64_t bit(unsigned i)
{
    return UINT64_C(1) << i;
}

constexpr uint64_t HBM = UINT64_C(2) << 56, CSRAM = UINT64_C(1) << 56;

unsigned channel(edges *e)
{
    return static_cast<unsigned>(e->below(4) + e->turn) % 4;
}

struct dimension {
    uint64_t n, ss, ds;
    bool used;
};

struct copy {
    uint64_t dst, src, len;
    dimension d[3];
    bool cast;
    uint64_t mask;
};

copy plain(uint64_t dst, uint64_t src, uint64_t len)
{
    return {dst, src, len, {}, false, 1};
}

void word(edges *e, const copy &c, const char *sems)
{
    e->set(1, c.dst);
    e->set(2, c.src);
    e->set(3, c.len);
    std::string more;
    for (unsigned i = 0; i < 3; i++)
        if (c.d[i].used) {
            e->set(4 + 3 * i, c.d[i].n);
            e->set(5 + 3 * i, c.d[i].ss);
            e->set(6 + 3 * i, c.d[i].ds);
            std::string k = std::to_string(i + 1);
            more += ", n" + k + "=x" + std::to_string(4 + 3 * i) + ", ss" + k + "=x" +
                    std::to_string(5 + 3 * i) + ", ds" + k + "=x" + std::to_string(6 + 3 * i);
        }
    if (c.cast) {
        e->set(13, c.mask);
        more += ", mask=x13, mc=1";
    }
    e->line("copy ch=%u, dst=x1, src=x2, len=x3%s%s", channel(e), more.c_str(), sems);
}

void halt(edges *e)
{
    e->line("halt");
    e->end();
}

void alone(edges *e, const copy &c)
{
    word(e, c, "");
    halt(e);
}

void some(edges *e, const copy &c) // of those without fault a hundred make a program
{
    word(e, c, "");
    if (e->words > 1000)
        halt(e);
}

// Descriptors of no bytes: their sizes are checked all the same.
void sizes(edges *e)
{
    const uint64_t most = bit(24), stride = bit(40);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned side = 0; side < 2; side++)
            for (unsigned minus = 0; minus < 2; minus++) {
                auto make = [&](uint64_t n, uint64_t s) {
                    copy c = plain(side ? HBM : 0x100, side ? 0x100 : HBM, 0);
                    uint64_t v = minus ? 0 - s : s;
                    c.d[i] = {n, i % 2 != side ? v : 0, i % 2 != side ? 0 : v, true};
                    return c;
                };
                some(e, make(most, 0));
                some(e, make(2, stride));
                some(e, make(3, stride));
                for (unsigned b = 0; b < 24; b++)
                    some(e, make(bit(b) + 1, bit(41 - b) > stride ? stride : bit(41 - b)));
            }
    halt(e);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned b = 24; b < 64; b++) {
            copy c = plain(0x100, HBM, 0);
            c.d[i] = {bit(b) + (b == 24), 0, 0, true};
            alone(e, c);
        }
        for (unsigned b = 40; b < 64; b++)
            for (unsigned side = 0; side < 4; side++) {
                copy c = plain(0x100, HBM, 0);
                uint64_t s = bit(b) + (b == 40);
                c.d[i] = {1, 0, 0, true};
                (side & 1 ? c.d[i].ss : c.d[i].ds) = side & 2 ? 0 - s : s;
                alone(e, c);
            }
        for (unsigned b = 42; b < 64; b++)
            for (unsigned side = 0; side < 2; side++) { // too far in all, by one high bit alone
                copy c = plain(0x100, HBM, 0);
                c.d[i] = {bit(b - 40) + 1, 0, 0, true};
                (side ? c.d[i].ss : c.d[i].ds) = stride;
                alone(e, c);
            }
        for (unsigned b = 2; b < 24; b++)
            for (unsigned side = 0; side < 2; side++) { // too far in all, by a step of one
                copy c = plain(0x100, HBM, 0);
                uint64_t s = (bit(41 - b) > bit(40) ? bit(40) : bit(41 - b)) + (b > 1);
                c.d[i] = {bit(b) + 1, 0, 0, true};
                (side ? c.d[i].ss : c.d[i].ds) = e->below(2) ? 0 - s : s;
                alone(e, c);
            }
    }
    for (unsigned b = 31; b < 64; b++)
        for (unsigned over = 0; over < 2; over++) {
            copy c = plain(0x100, HBM, bit(b) + over);
            c.d[2] = {0, 0, 0, true};
            if (b == 31 && !over)
                some(e, c);
            else
                alone(e, c);
        }
}

// Bytes in all, of descriptors whose last count is 0: 2^40, of a cast 2^31.
void totals(edges *e)
{
    for (unsigned dims = 1; dims < 3; dims++)
        for (unsigned cast = 0; cast < 2; cast++) {
            unsigned limit = cast ? 31 : 40;
            for (unsigned over = 0; over < 2; over++)
                for (unsigned b = cast ? 8 : 17; b <= 31; b++) {
                    copy c = plain(0x100, HBM, bit(b));
                    unsigned left = limit - b, second = dims == 2 ? left / 2 : 0;
                    c.d[0] = {bit(left - second), 0, 0, true};
                    if (dims == 2)
                        c.d[1] = {bit(second), 0, 0, true};
                    c.d[2] = {0, 0, 0, true};
                    if (over && c.len < bit(31))
                        c.len++;
                    else if (over)
                        c.d[0].n++;
                    c.cast = cast;
                    if (over)
                        alone(e, c);
                    else
                        some(e, c);
                }
        }
    halt(e);
}

// To the last byte of each memory, from its first; then one byte beyond either.
void ends(edges *e)
{
    const uint64_t tsram = e->chip->tile.tsram_bytes, csram = e->chip->csram.bytes,
                   hbm = e->chip->hbm.bytes;
    const uint64_t base[] = {0, CSRAM, HBM}, size[] = {tsram, csram, hbm};
    for (unsigned over = 0; over < 2; over++)
        for (unsigned mem = 0; mem < 3; mem++)
            for (unsigned written = 0; written < 2; written++)
                for (unsigned dims = 0; dims < 4; dims++)
                    for (unsigned down = 0; down < 2; down++) {
                        uint64_t other = mem == 2 ? 0x8000 : HBM + 0x10000, reach = 0;
                        copy c = plain(other, other, 1 + e->below(40));
                        for (unsigned i = 0; i < dims; i++) {
                            uint64_t s = c.len + reach + e->below(mem ? 3000 : 500);
                            uint64_t n = 1 + e->below(4);
                            // beside it rows lie one behind the other
                            uint64_t t = c.len;
                            for (unsigned k = 0; k < i; k++)
                                t *= c.d[k].n;
                            c.d[i] = {n, written ? t : s, written ? s : t, true};
                            reach += (n - 1) * s;
                        }
                        uint64_t at = base[mem] + size[mem] - c.len - reach + over;
                        if (down) { // all strides negative: its last row is at the start
                            for (unsigned i = 0; i < dims; i++) {
                                uint64_t &s = written ? c.d[i].ds : c.d[i].ss;
                                s = 0 - s;
                            }
                            at = base[mem] + reach - over;
                        }
                        (written ? c.dst : c.src) = at;
                        alone(e, c);
                    }
    for (unsigned b = 0; b < 64; b++)
        for (unsigned written = 0; written < 2; written++)
            for (unsigned mem = 0; mem < 3; mem++) {
                uint64_t at = base[mem] ^ bit(b);
                if (b < 56 && bit(b) < size[mem])
                    continue;
                copy c = plain(written ? at : 0x100, written ? HBM + 0x100 : at, 16);
                alone(e, c);
            }
}

// A byte beyond a memory's end, or before its start, by rows of which one bit counts.
void reaches(edges *e)
{
    const uint64_t hbm = e->chip->hbm.bytes, tsram = e->chip->tile.tsram_bytes;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned b = 0; b < 40; b++) {
            // by all bits of a step in HBM, by 16 in the TSRAM
            bool written = (b + e->turn) % 2, down = e->below(2), near = b >= 24;
            uint64_t size = near ? tsram : hbm, base = near ? 0 : HBM, n = bit(near ? b - 24 : b);
            uint64_t s = 1 + e->below(size / n / 2), reach = n * s;
            copy c = plain(near ? HBM : 0x100, near ? HBM : 0x100, 1);
            (written ? c.dst : c.src) = down ? base + reach - 1 : base + size - reach;
            c.d[i] = {n + 1, 0, 0, true};
            (written ? c.d[i].ds : c.d[i].ss) = down ? 0 - s : s;
            alone(e, c);
        }
}

// Short transfers at any place of far memory, with strides of any size, both ways.
void far_places(edges *e)
{
    const uint64_t csram = e->chip->csram.bytes, hbm = e->chip->hbm.bytes;
    for (unsigned turn = 0; turn < 10; turn++) {
        for (unsigned i = 0; i < 24; i++) {
            bool in_hbm = e->below(3), written = e->below(2);
            uint64_t size = in_hbm ? hbm : csram;
            copy c = plain(0, 0, 1 + e->below(70));
            uint64_t low = 0, high = 0, other = c.len; // of the far side
            for (unsigned k = 0; k < 3; k++) {
                uint64_t n = 1 + e->below(3), room = size / 8;
                uint64_t s = (e->any() >> e->below(48)) % (room / n);
                // rows that are written lie apart
                if (written && n > 1 && s <= high - low + c.len)
                    s += high - low + c.len;
                bool minus = e->below(2);
                (minus ? low : high) += (n - 1) * s * (minus ? -1 : 1);
                c.d[k] = {n,
                          written ? other
                          : minus ? 0 - s
                                  : s,
                          written ? (minus ? 0 - s : s) : other, true};
                other *= n;
            }
            uint64_t room = size - (high - low) - c.len;
            if (high - low + c.len >= size)
                continue;
            uint64_t far = (in_hbm ? HBM : CSRAM) + e->any() % room - low;
            uint64_t near = e->below(e->chip->tile.tsram_bytes / 2 - other);
            // reads go to one half of the TSRAM, writes come from the other; one at a time
            c.dst = written ? far : near;
            c.src = written ? near + e->chip->tile.tsram_bytes / 2 : far;
            if (i == 0)
                e->line(".sem 1 tcp");
            word(e, c, ", p0=s1");
            e->line("wait wait(s1)");
        }
        halt(e);
    }
}

struct indexed {
    bool gather;
    uint64_t near, far, len, list, n, near_stride, far_stride;
};

indexed indices(edges *e)
{
    return {e->below(2) != 0, 0x100, HBM + 0x10000, 8, 0x40, 2, 8, 8};
}

void word(edges *e, const indexed &x)
{
    const uint64_t values[] = {x.near, x.far, x.len, x.list, x.n, x.near_stride, x.far_stride};
    for (unsigned i = 0; i < 7; i++)
        e->set(1 + i, values[i]);
    if (x.gather)
        e->line("gather ch=%u, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x7, ds=x6", channel(e));
    else
        e->line("scatter ch=%u, src=x1, dst=x2, len=x3, idx=x4, n=x5, ss=x6, ds=x7", channel(e));
}

void alone(edges *e, const indexed &x, uint64_t first, uint64_t second)
{
    e->set(9, first);
    e->set(10, second);
    if (x.list < e->chip->tile.control_bytes - 8 && x.list % 4 == 0) {
        e->line("sw x9, x0, %" PRIu64, x.list);
        e->line("sw x10, x0, %" PRIu64, x.list + 4);
    }
    word(e, x);
    halt(e);
}

void lists(edges *e)
{
    const uint64_t control = e->chip->tile.control_bytes, tsram = e->chip->tile.tsram_bytes;
    for (unsigned b = 0; b < 64; b++) {
        indexed x = indices(e);
        x.list = bit(b);
        alone(e, x, 1, 2);
        x = indices(e);
        x.n = bit(b) + (bit(b) >= control / 4);
        if (x.n > 64 && x.n < control / 4)
            continue;
        x.list = 0, x.len = 1, x.near_stride = 1;
        x.gather = true;
        alone(e, x, 1, 2);
        x = indices(e);
        x.near = bit(b);
        alone(e, x, 1, 2);
        x = indices(e);
        x.far = bit(b);
        alone(e, x, 1, 2);
    }
    for (unsigned i = 0; i < 24; i++) { // the list's last word, the TSRAM's last byte; beyond
        indexed x = indices(e);
        x.n = 1 + e->below(6), x.gather = true;
        x.list = control - 4 * x.n + (i % 3 == 1 ? 4 : 0);
        x.len = 1 + e->below(20), x.near_stride = x.len + e->below(30);
        x.near = tsram - (x.n - 1) * x.near_stride - x.len + (i % 3 == 2);
        alone(e, x, 0, 0);
    }
    // an index whose row ends at the far memory's end, or a byte beyond, or begins anywhere
    const uint64_t base[] = {HBM, CSRAM}, size[] = {e->chip->hbm.bytes, e->chip->csram.bytes};
    for (unsigned mem = 0; mem < 2; mem++)
        for (unsigned b = 0; b < 32; b++)
            for (unsigned over = 0; over < 2; over++) {
                indexed x = indices(e);
                uint64_t index = bit(b) | e->below(bit(b));
                x.far_stride = b < 18 ? 1 + e->below(size[mem] / index > 1 ? size[mem] / index : 1)
                                      : e->below(2);
                // bytes left of the memory that differ in any bit, odd ones too
                x.len = x.near_stride = bit(b % 11) + e->below(bit(b % 11));
                if (index * x.far_stride + x.len > size[mem])
                    x.far_stride = 0;
                x.gather = x.gather || x.far_stride < x.len; // written rows lie apart
                x.far = base[mem] + size[mem] - index * x.far_stride - x.len + over;
                alone(e, x, index, index ? index - 1 : 0);
                // and one that leaves it by far
                x.far = base[mem] + 0x100;
                x.far_stride = bit(over ? 56 - (b < 30 ? b : 30) : 40 - (b < 24 ? b : 24)) + b;
                alone(e, x, index, 0);
            }
}

void masks(edges *e)
{
    for (unsigned i = 0; i < 4 * 65; i++) {
        unsigned b = i / 4, beside = i / 2 % 2; // a tile that there is
        copy c = plain(0x100, HBM, 8);
        c.cast = true;
        c.mask = b == 64 ? 0 : bit(b) | beside;
        if (i % 2) {
            e->set(1, c.mask);
            e->line("rpost ch=%u, mask=x1, sem=%u", (b + e->turn) % 4, b % 64);
            halt(e);
        } else {
            alone(e, c);
        }
    }
    copy c = plain(HBM, 0x100, 8); // a cast's destination is no far one
    c.cast = true;
    alone(e, c);
}

void transposes(edges *e)
{
    const uint64_t tsram = e->chip->tile.tsram_bytes;
    auto one = [&](uint64_t dst, uint64_t src, uint64_t rows, uint64_t cols, uint64_t ss,
                   uint64_t ds, unsigned size) {
        const uint64_t values[] = {dst, src, rows, cols, ss, ds};
        for (unsigned i = 0; i < 6; i++)
            e->set(1 + i, values[i]);
        e->line("transpose ch=%u, dst=x1, src=x2, rows=x3, cols=x4, ss=x5, ds=x6, size=%u",
                channel(e), size);
        halt(e);
    };
    uint64_t side = e->chip->tile.tvp.lanes < 64 ? e->chip->tile.tvp.lanes : 64;
    for (unsigned b = 0; b < 64; b++) {
        unsigned size = b % 3;
        uint64_t wrong = bit(b) == side ? side + 1 : bit(b);
        one(0x100, 0x1000, wrong, 2, 64, 64, size);
        one(0x100, 0x1000, 2, wrong, 64, 64, size);
        if (b >= 5) {
            one(0x100, 0x1000, 2, 2, bit(b), 64, size);
            one(0x100, 0x1000, 2, 2, 64, bit(b), size);
            one(0x100, bit(b) + 0x800, 2, 2, 64, 64, size);
            one(bit(b) + 0x800, 0x100, 2, 2, 64, 64, size);
        }
    }
    one(0x100, 0x1000, 0, 2, 64, 64, 0);
    one(0x100, 0x1000, 2, 0, 64, 64, 0);
    for (unsigned i = 0; i < 60; i++) {
        unsigned size = static_cast<unsigned>(e->below(3)), over = i % 2;
        uint64_t rows = 1 + e->below(side), cols = 1 + e->below(side);
        uint64_t ss = (cols << size) + e->below(2000), ds = (rows << size) + e->below(2000);
        uint64_t from = (rows - 1) * ss + (cols << size), to = (cols - 1) * ds + (rows << size);
        if (i % 4 < 2)
            one(0x100, tsram - from + over, rows, cols, ss, (rows << size), size);
        else
            one(tsram - to + over, 0x100, rows, cols, (cols << size), ds, size);
    }
}

void to_control(edges *e)
{
    const uint64_t tsram = e->chip->tile.tsram_bytes, control = e->chip->tile.control_bytes;
    auto one = [&](uint64_t dst, uint64_t src, uint64_t n) {
        e->set(1, dst);
        e->set(2, src);
        e->set(3, n);
        e->line("to_control ch=%u, dst=x1, src=x2, n=x3, id=%u", channel(e),
                static_cast<unsigned>(e->below(256)));
        halt(e);
    };
    for (unsigned b = 0; b < 64; b++) {
        one(bit(b), 0x100, 2);
        one(0x100, bit(b), 2);
        one(0, 0x100, bit(b));
        one(0, tsram - 8 + bit(b % 5), 2);
    }
    for (unsigned i = 0; i < 24; i++) {
        uint64_t n = 1 + e->below(64);
        one(control - 4 * n + (i % 3 == 1 ? 4 : 0), tsram - 4 * n + (i % 3 == 2), n);
    }
    for (uint64_t n : {control / 4 - 1, control / 4, control / 4 + 1})
        one(0, 0x103, n);
}

} // namespace

// Each channel is its own: the same again by the other three.
void edge_tdma(edges *e)
{
    const uint64_t first = e->state;
    for (e->turn = 0; e->turn < (e->whole ? 4u : 1u); e->turn++) {
        e->state = first;
        sizes(e);
        totals(e);
        ends(e);
        reaches(e);
        far_places(e);
        lists(e);
        masks(e);
        transposes(e);
        to_control(e);
    }
    edge_flight(e);
    e->random(160, 60, TSR_UNIT_TDMA);
}
