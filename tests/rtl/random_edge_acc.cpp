// SPDX-License-Identifier: Apache-2.0
// Edges of drain and fill: the largest rectangle from each corner and one that is larger, the last
// bytes of the TSRAM and the first beyond, each bank that an mma owns, bits that are too high, rows
// of each width at each place, sums and values that just round up or down.
#include "tests/rtl/random_edge.h"

namespace
{

constexpr uint64_t bit(unsigned i)
{
    return UINT64_C(1) << i;
}

struct access {
    bool fill;
    const char *format; // f32 i32: 4 bytes, bf16 f16: 2
    uint64_t at, stride, m, n, c, across;
    bool biased;
    uint64_t bias;
};

access whole(edges *e, bool fill)
{
    static const char *const formats[] = {"f32", "i32", "bf16", "f16"};
    return {fill, formats[e->below(4)], 0x400, 64, 4, 4, 0, e->below(3), false, 0};
}

uint64_t size_of(const access &a)
{
    return a.format[1] == '3' ? 4 : 2;
}

void word(edges *e, const access &a, const char *sems)
{
    const uint64_t values[] = {a.at, a.stride, a.m, a.n, a.c, a.bias};
    for (unsigned i = 0; i < 6; i++)
        e->set(1 + i, values[i]);
    if (a.fill)
        e->line("fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=%s, across=%u%s", a.format,
                static_cast<unsigned>(a.across), sems);
    else
        e->line("drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=%s, across=%u, bias=x6, bi=%u%s",
                a.format, static_cast<unsigned>(a.across), a.biased, sems);
}

void alone(edges *e, const access &a)
{
    word(e, a, "");
    e->line("halt");
    e->end();
}

// Accumulators that are all different, by fills from far memory.
void begin(edges *e)
{
    uint64_t side = 4 * e->chip->tile.ttu.dim, bytes = side * side * 4;
    e->line(".sem 1 acc");
    e->line(".sem 2 tcp");
    for (unsigned b = 0; b < e->chip->tile.ttu.acc_banks; b++) {
        e->line("li x1, hbm:0x%x", 0x8000 + 0x400 * b);
        e->set(2, 0x2000 + b * bytes);
        e->set(3, bytes);
        e->line("copy ch=%u, src=x1, dst=x2, len=x3, p0=s1", b % 4);
    }
    for (unsigned b = 0; b < e->chip->tile.ttu.acc_banks; b++) {
        access a = {true,  "i32", 0x2000 + b * bytes, side * 4, side, side, uint64_t{b} << 8, 0,
                    false, 0};
        word(e, a, b ? "" : ", w0=s1*8");
    }
}

struct corner {
    uint64_t c, across, most_m, most_n; // the largest rectangle there
};

std::vector<corner> corners(const edges *e)
{
    std::vector<corner> all;
    uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    for (uint64_t across = 0; across < 3; across++)
        for (uint64_t bank = 0; bank < banks; bank++)
            for (uint64_t row = 0; row < 4; row++)
                for (uint64_t col = 0; col < 4; col++)
                    all.push_back({bank << 8 | row << 4 | col, across, 0, 0});
    for (corner &k : all) {
        uint64_t bank = k.c >> 8, row = k.c >> 4 & 3, col = k.c & 3, wide = banks - bank;
        if (wide > uint64_t{1} << k.across)
            wide = uint64_t{1} << k.across;
        k.most_n = (4 * wide - col) * d;
        uint64_t down = 1; // with one column
        while ((down + 1) << k.across <= 4 && bank + (down << k.across) + 1 <= banks)
            down++;
        k.most_m = (4 * down - row) * d;
    }
    return all;
}

// Of each corner a column and a row as long as they may be, many in a program.
void longest(edges *e)
{
    unsigned in_program = 0;
    bool fill = false;
    begin(e);
    for (const corner &k : corners(e))
        for (unsigned i = 0; i < 2; i++) {
            access a = whole(e, fill);
            a.c = k.c, a.across = k.across;
            a.m = i ? 1 + e->below(2) : k.most_m;
            a.n = i ? k.most_n : 1 + e->below(3);
            if (i && a.m > 4 - (k.c >> 4 & 3))
                a.m = 1;
            if (!i && a.n > 4 - (k.c & 3))
                a.n = 1;
            a.stride = e->below(2) ? a.n * size_of(a) : 32 * (1 + e->below(4));
            if (a.stride < a.n * size_of(a)) // rows of a drain do not lie over one another
                a.stride = a.n * size_of(a);
            a.at = 0x400 + e->below(100) * 4;
            word(e, a, "");
            fill = !fill;
            if (++in_program % 60 == 0) {
                e->line("halt");
                e->end();
                begin(e);
            }
        }
    e->line("halt");
    e->end();
}

void too_long(edges *e)
{
    for (const corner &k : corners(e)) {
        access a = whole(e, e->below(2));
        bool tall = e->below(2);
        a.c = k.c, a.across = k.across;
        a.m = tall ? k.most_m + 1 : 1;
        a.n = tall ? 1 : k.most_n + 1;
        alone(e, a);
    }
    for (unsigned b = 0; b < 64; b++) { // sizes and corners with a bit too many
        access a = whole(e, b % 2);
        a.m = bit(b) + (bit(b) >= 128 ? 4 : 0);
        a.across = 0;
        alone(e, a);
        a = whole(e, b % 2);
        a.n = bit(b) + (bit(b) >= 128 ? 4 : 0);
        a.across = 2;
        alone(e, a);
        a = whole(e, b % 2);
        a.c = bit(b);
        alone(e, a);
    }
    for (unsigned i = 0; i < 2; i++) {
        access a = whole(e, i);
        a.m = 0;
        alone(e, a);
        a = whole(e, i);
        a.n = 0;
        alone(e, a);
    }
}

// Up to the last byte, and a step beyond: of the rows, of the distance between them, of the bias.
void bounds(edges *e)
{
    uint64_t bytes = e->chip->tile.tsram_bytes;
    begin(e);
    for (unsigned i = 0; i < 60; i++) {
        access a = whole(e, i & 1);
        a.m = 1 + e->below(4), a.n = 1 + e->below(16), a.across = 2;
        uint64_t size = size_of(a), most = a.m > 1 ? (bytes - a.n * size) / (a.m - 1) : bytes;
        uint64_t shortest = a.n * size;
        a.stride = (shortest + e->below(most - shortest + 1)) / size * size;
        if (a.stride < shortest)
            a.stride = shortest;
        a.at = bytes - a.stride * (a.m - 1) - a.n * size;
        if (!a.fill && e->below(2) && a.at > 4 * a.n + 64) { // not where it writes
            a.biased = true;
            a.bias = a.stride > 2 * shortest + 4 * a.n + 64 && a.m > 1
                         ? a.at + (shortest + 63) / 64 * 64
                         : e->below((a.at - 4 * a.n) / 4) * 4;
        }
        word(e, a, "");
        if (i % 10 == 9) {
            e->line("halt");
            e->end();
            begin(e);
        }
    }
    e->line("halt");
    e->end();
    for (unsigned i = 0; i < 40; i++) { // beyond, by a step
        access a = whole(e, i & 1);
        a.m = 1 + e->below(4), a.n = 1 + e->below(16), a.across = 2;
        uint64_t size = size_of(a);
        a.stride = (bytes / 4 + e->below(64)) / size * size;
        a.at = bytes - a.stride * (a.m - 1) - a.n * size + size;
        alone(e, a);
    }
    for (unsigned i = 0; i < 16; i++) { // the bias: to the last byte, beyond, not at a word
        access a = whole(e, false);
        a.n = 1 + e->below(16), a.across = 2;
        a.biased = true;
        a.bias = bytes - 4 * a.n + (i % 4 == 0 ? 0 : i % 4 == 1 ? 4 : i % 4);
        alone(e, a);
    }
}

void high_bits(edges *e)
{
    for (unsigned b = 0; b < 64; b++)
        for (unsigned which = 0; which < 3; which++) {
            bool legal = which == 0   ? b >= 6 && b < 16
                         : which == 1 ? b >= 2 && b < 14
                                      : b >= 2 && b < 16;
            access a = whole(e, which < 2 && b % 2);
            if (which == 0)
                a.at = bit(b) + (b < 16 ? 0x400 : 0x100);
            else if (which == 1)
                a.stride = bit(b) + (b < 5 ? 64 : 0);
            else
                a.biased = true, a.at = 0xC004, a.bias = bit(b) + (b < 16 ? 0 : 0x100);
            if (b >= 32 && which == 1)
                a.m = 1; // nothing but the stride itself is wrong
            if (!legal || b % 3 == 0)
                alone(e, a);
        }
}

// Banks that an mma owns, by each of them and by rectangles of several, from before and behind.
void conflicts(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    for (unsigned i = 0; i < 6 * banks; i++) {
        uint64_t owned = i % banks;
        access a = whole(e, e->below(2));
        a.across = e->below(3);
        uint64_t across = uint64_t{1} << a.across, reach = e->below(banks);
        a.c = reach << 8;
        a.m = 4 * d * (1 + e->below(4 / across)), a.n = 4 * d * across;
        uint64_t wide = 1 + e->below(across);
        a.n = 4 * d * wide;
        uint64_t span = (((a.m + 4 * d - 1) / (4 * d) - 1) << a.across) + wide;
        if (reach + span > banks)
            continue;
        a.stride = a.n * 4;
        const uint64_t mma[] = {0, 32, 0, 32, 4 * d, 4 * d, 8, owned << 8};
        for (unsigned k = 0; k < 8; k++)
            e->set(11 + k, mma[k]);
        const uint64_t values[] = {a.at, a.stride, a.m, a.n, a.c, a.bias};
        for (unsigned k = 0; k < 6; k++)
            e->set(1 + k, values[k]);
        e->line("mma a=x11, as=x12, b=x13, bs=x14, m=x15, n=x16, k=x17, c=x18, af=i8, bf=i8");
        if (a.fill)
            e->line("fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=f32, across=%u",
                    static_cast<unsigned>(a.across));
        else
            e->line("drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32, across=%u",
                    static_cast<unsigned>(a.across));
        e->line("halt");
        e->end();
    }
}

// Large ones of all formats, with and without bias, aligned and not.
void large(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim;
    for (unsigned i = 0; i < 24; i++) {
        begin(e);
        for (unsigned k = 0; k < 6; k++) {
            access a = whole(e, e->below(2));
            uint64_t col = e->below(4), row = e->below(4);
            a.across = e->below(3);
            a.c = e->below(5) << 8 | row << 4 | col;
            a.n = 1 + e->below((4 * (uint64_t{1} << a.across) - col) * d);
            a.m =
                1 + e->below(((4 >> a.across) * 4 - row) * d < 16 ? ((4 >> a.across) * 4 - row) * d
                                                                  : 16);
            uint64_t size = size_of(a);
            a.at = 0x400 + e->below(0x400) * size;
            a.stride = a.n * size + e->below(40) * size;
            a.biased = !a.fill && e->below(2);
            a.bias = 0x2000 + e->below(0x400) * 4;
            if (a.biased && a.at + a.stride * a.m > 0x2000)
                a.stride = a.n * size;
            if (!a.fill && a.at + a.stride * a.m > 0x2000)
                a.m = 2;
            word(e, a, "");
        }
        e->line("halt");
        e->end();
    }
}

// Rows of each width from each column, from any byte on, close behind one another (they share
// lines) or apart, so that every place in the ring and every shift of a row is met.
void shapes(edges *e)
{
    static const unsigned widths[] = {1, 2, 3, 7, 8, 9, 15, 17, 24, 31, 33, 40, 48, 57, 63, 64};
    const uint64_t d = e->chip->tile.ttu.dim;
    unsigned in_program = 0;
    begin(e);
    for (unsigned i = 0; i < 16 * 4 * 8; i++) {
        access a = whole(e, i % 2);
        uint64_t col = i / 16 % 4, row = e->below(4), most = 16 * d - col * d;
        a.n = widths[i / 64 % 2 * 8 + i / 2 % 8];
        a.n = a.n > most ? most : a.n;
        a.across = a.n + col * d > 8 * d ? 2 : a.n + col * d > 4 * d ? 1 : e->below(3);
        a.c = e->below(e->chip->tile.ttu.acc_banks - 3) << 8 | row << 4 | col;
        most = (16 >> a.across) * d - row * d;
        a.m = most < 9 ? most : 5 + e->below(most < 16 ? most - 4 : 12);
        uint64_t size = size_of(a), run = a.n * size;
        const uint64_t strides[] = {run, run + size,
                                    (run + 31) / 32 * 32 + size * (1 + 2 * e->below(3)),
                                    a.fill ? size * e->below(3) : run};
        a.stride = strides[e->below(4)];
        a.at = (a.fill ? 0x2000 : 0x8000) + e->below(64) * size;
        a.biased = !a.fill && e->below(2);
        a.bias = 0x2000 + e->below(0x100) * 4;
        word(e, a, "");
        if (++in_program % 16 == 0) {
            e->line("halt");
            e->end();
            begin(e);
        }
    }
    e->line("halt");
    e->end();
}

// A row of values: those of another, shifted, some bits kept, some flipped.
struct change {
    uint32_t shift, kept, flipped;
};

uint32_t some_bit(edges *e, unsigned from, unsigned n)
{
    return UINT32_C(1) << (from + e->below(n));
}

// Close to the other's negative: what is left of their sum.
change near(edges *e)
{
    const uint32_t sign = e->below(4) ? UINT32_C(1) << 31 : 0;
    const uint32_t bits = e->below(8) ? some_bit(e, 0, 31) : 0;
    return {0, ~UINT32_C(0), sign ^ bits ^ (e->below(2) ? some_bit(e, 23, 5) : 0)};
}

// Integers of all magnitudes, half way between two floats or a bit off.
change integer(edges *e)
{
    const uint32_t shift = static_cast<uint32_t>(e->below(32));
    const uint32_t low = static_cast<uint32_t>(bit(1 + static_cast<unsigned>(e->below(22))));
    const uint32_t flipped = e->below(4) ? low / 2 : low / 2 ^ (e->below(2) ? 1 : low / 2 - 1);
    return {shift, ~(low - 1), flipped};
}

// Floats about the range of f16, likewise: to 10 bits of 23, fewer below it, or 7.
change narrow(edges *e)
{
    const uint32_t exponent =
        static_cast<uint32_t>(e->below(4) ? 98 + e->below(18) : 139 + e->below(8));
    const unsigned cut = exponent < 113 ? 126 - exponent : e->below(4) ? 13 : 16;
    const uint32_t low = static_cast<uint32_t>(bit(cut < 23 ? cut : 23));
    const uint32_t off = e->below(3) ? 0 : e->below(2) ? 1 : low / 2 - 1;
    return {0, UINT32_C(0x807FFFFF) & ~(low - 1), exponent << 23 | ((low / 2 ^ off) & 0x7FFFFF)};
}

// Sums with a bias, and what each format makes of values: 16 rows made from the bias row by a
// routine, then drained in all formats and filled from as halves, too.
void values(edges *e, change (*draw)(edges *), bool extremes, bool integers)
{
    std::string body = ".routine change\nvld v0, a0, i32, 32\nvld v1, a0, i32\n";
    for (unsigned r = 0; r < 16; r++) {
        const change c = draw(e);
        body += "vimm v2, " + std::to_string(c.shift) + "\nvimm v3, " + std::to_string(c.kept) +
                "\nvimm v4, " + std::to_string(c.flipped) + "\n";
        for (unsigned h = 0; h < 2; h++) {
            const std::string x = "v" + std::to_string(8 + h);
            body += "vsra " + x + ", v" + std::to_string(h) + ", v2\nvand " + x + ", " + x +
                    ", v3\nvxor " + x + ", " + x + ", v4\nvst " + x + ", a1, i32, 32\n";
        }
    }
    e->line(".sem 1 tvp");
    e->line(".sem 2 acc");
    e->text += body + "vret\n.end\n";
    e->line("li x1, hbm:0x%x",
            static_cast<unsigned>(extremes ? TSR_F32 * RANDOM_PATTERN + 64 * e->below(8)
                                           : RANDOM_PATTERNS + 64 * e->below(256)));
    e->set(2, 0x2000);
    e->set(3, 64);
    e->set(4, 0x3000);
    e->line("copy ch=0, src=x1, dst=x2, len=x3, p0=s1");
    e->line("vcall change, x2, x4, w0=s1, p0=s2");
    access a = {true, "i32", 0x3000, 64, 16, 16, 0, 0, false, 0};
    word(e, a, ", w0=s2");
    for (const char *format : {"bf16", "f16"}) {
        a = {true, format, 0x3000, 32, 16, 16, 0x100, 0, false, 0};
        word(e, a, "");
    }
    for (const char *format : {"f32", "i32", "bf16", "f16"})
        for (bool biased : {true, false}) {
            a = {false, format, 0x8000, 64, 16, 16, 0, 0, biased, 0x2000};
            word(e, a, integers ? ", int=1" : "");
        }
    e->line("halt");
    e->end();
}

// Every line of the accumulators by vlda, in any order, beside drains of the same banks.
void lines(edges *e)
{
    const uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    const uint64_t all = banks * 4 * d * (4 * d) / e->chip->tile.tvp.lanes;
    const uint64_t step = 2 * e->below(all / 2) + 1; // to each line once
    std::string body = ".routine lines\n";
    for (uint64_t i = 0, at = e->below(all); i < all; i++, at = (at + step) % all)
        body += "ali a8, " + std::to_string(at) + "\nvlda v" + std::to_string(i % 32) + ", a8\n";
    e->text += body + "vret\n.end\n.sem 3 tvp\n";
    begin(e);
    access a = {false, "f32", 0x8000, 64, 1, 1, 0, 0, false, 0};
    word(e, a, ", p0=s3");
    e->line("vcall lines, w0=s3");
    for (uint64_t i = 0; i < 2 * banks; i++) {
        const uint64_t side = (4 - i % 4) * d; // from each row and column of tiles on
        a = {false, "f32", 0x8000, 64, side, side, i / 2 << 8 | i % 4 << 4 | i % 4, 0, false, 0};
        word(e, a, "");
    }
    e->line("halt");
    e->end();
}

// No rows or no columns, from each row and column of tiles on.
void empty(edges *e)
{
    for (unsigned at = 1; at < 4; at++)
        for (bool tall : {true, false}) {
            access a = whole(e, at % 2);
            (tall ? a.n : a.m) = 0;
            a.c = tall ? at : at << 4;
            alone(e, a);
        }
}

// Rows as wide as they may be from each word of a line on: of the last line in the ring the last
// bytes count, in each of its four rows.
void widest(edges *e)
{
    const uint64_t d = e->chip->tile.ttu.dim, line = e->chip->tile.line_bytes;
    begin(e);
    for (uint64_t at = 0; at < line; at += 4)
        for (bool fill : {true, false}) {
            access a = whole(e, fill);
            a.format = fill ? "f32" : "i32";
            a.at = (fill ? 0x2000 : 0x8000) + at;
            a.m = 8, a.n = 16 * d, a.across = 2;
            a.stride = 64 * d + line; // each row begins there
            word(e, a, "");
        }
    e->line("halt");
    e->end();
}

} // namespace

void edge_acc(edges *e)
{
    longest(e);
    too_long(e);
    bounds(e);
    high_bits(e);
    conflicts(e);
    large(e);
    shapes(e);
    for (unsigned i = 0; i < 24; i++) {
        values(e, near, i % 4 == 3, false);
        values(e, integer, i % 8 == 7, true);
        values(e, narrow, false, false);
    }
    for (unsigned i = 0; i < 4; i++)
        lines(e);
    empty(e);
    widest(e);
}
