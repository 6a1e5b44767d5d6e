// SPDX-License-Identifier: Apache-2.0
// Edges of the tensor unit's operands and of what is under way in it: rows any number of bytes
// apart, exponents and scales at each place of a line, each place of the instructions started.
#include <cstring>

#include "tests/rtl/random_edge_ttu.h"

using namespace edge_mma;

namespace
{

// Rows any number of bytes below a line apart, so that lines hold several or are passed over: of A
// and B all of them, K-contiguous and, in two steps, K-strided; those whole lines apart, too.
void strides(edges *e)
{
    const uint64_t line = e->chip->tile.line_bytes, rows = 8 * e->chip->tile.ttu.dim;
    for (uint64_t stride = 1; stride < line + 8; stride++)
        for (unsigned strided = 0; strided < 2; strided++) {
            // as many bytes as no row carries over its line's end
            uint64_t unit = stride < line ? stride & (0 - stride) : line;
            mma x = small(e);
            x.af = x.bf = &e->isa->formats[strided ? TSR_I4 : TSR_I8];
            x.at = x.bt = strided;
            x.across = 1, x.m = x.n = rows;
            x.as = x.bs = stride < line ? stride : line * (stride - line + 1);
            begin(e, x.af->code);
            for (unsigned i = 0; i < 3; i++) {
                uint64_t at[2];
                for (uint64_t &a : at)
                    a = stride < line ? unit * e->below(line / unit) : e->below(line - 4);
                uint64_t room = stride < line ? unit : line - (at[0] > at[1] ? at[0] : at[1]);
                x.a = 0x100 + at[0], x.b = 0x500 + at[1];
                x.k = strided ? rows - e->below(rows / 2) : 1 + e->below(room);
                if (strided)
                    x.m = x.n = 2 * room < rows ? 2 * room : rows;
                word(e, x, i ? "" : " wait(s1)");
            }
            end(e);
        }
}

// Exponents from each word of their line on, of as many rows as there can be; read in both halves
// of the buffer.
void exponents(edges *e)
{
    const uint64_t line = e->chip->tile.line_bytes, rows = 8 * e->chip->tile.ttu.dim;
    for (uint64_t at = 0; at < line; at += 4)
        for (unsigned sc = 1; sc < 3; sc++) {
            mma x = small(e);
            begin(e, TSR_I8);
            e->line("li x1, hbm:0x%x", static_cast<unsigned>(TSR_I32 * RANDOM_PATTERN));
            e->set(2, 0x2000 + 4 * (2 * at / 4 + sc) % line);
            e->line("copy ch=1, src=x1, dst=x2, len=x3, p0=s1");
            x.af = x.bf = &e->isa->formats[TSR_F8E4M3];
            (sc == 1 ? x.m : x.n) = rows;
            x.across = sc - 1, x.k = 1; // few rows are NaN
            for (unsigned i = 0; i < 12; i++) {
                x.acc = i % 3 != 0, x.sc = x.acc ? sc : 0;
                x.a = 0x100 + line * e->below(8) + e->below(line);
                x.b = 0x100 + line * e->below(8) + e->below(line);
                x.e = 0x2000 + line * e->below(26) + at;
                word(e, x, i ? "" : " wait(s1*2)");
            }
            end(e);
        }
}

// Behind an mma that takes long tsyncs with and without posts, an mma of each bank in each place
// among them, and tsyncs as many as fit.
void queued(edges *e)
{
    const uint64_t banks = e->chip->tile.ttu.acc_banks;
    for (uint64_t bank = 0; bank < banks; bank++)
        for (unsigned place = 0; place < 7; place++) {
            mma x = small(e);
            x.m = x.n = 4 * e->chip->tile.ttu.dim;
            x.k = 32;
            x.c = (bank + 1 + e->below(banks - 1)) % banks << 8;
            word(e, x, "");
            x.m = x.n = 4, x.c = bank << 8;
            for (unsigned i = 0; i < 7; i++) {
                const char *posts[] = {"", " post(s1)", " post(s2, s3)"};
                const char *of = posts[e->below(3)];
                if (i == place)
                    word(e, x, of);
                else
                    e->line("tsync%s", of);
            }
            end(e);
        }
}

// Scales at each place of their line, up to its last byte, before or behind their elements, of as
// many rows as there can be.
void scales(edges *e)
{
    const uint64_t line = e->chip->tile.line_bytes, rows = 8 * e->chip->tile.ttu.dim;
    std::vector<const tsr_format *> scaled;
    for (const tsr_format *f : formats(e))
        if (f->block > 1)
            scaled.push_back(f);
    for (unsigned program = 0; program < 12; program++) {
        begin(e, RANDOM_PATTERNS / RANDOM_PATTERN);
        e->line("wait wait(s1)");
        for (unsigned i = 0; i < 8; i++) {
            const tsr_format *f = scaled[(program + i) % scaled.size()];
            uint64_t place[2] = {line / 4 * (program % 4) + i, 0}, bytes = 0;
            mma x = small(e);
            place[1] = line - 1 - place[0];
            x.af = x.bf = f, x.k = 0, x.m = x.n = rows, x.across = 1;
            for (uint64_t k = 1; k <= 8 * line; k++) { // the most that fits on both sides
                uint64_t b = f->family == TSR_FAMILY_SMX ? (k + 15) / 16 * (2 * f->bits + 1)
                                                         : (k * f->bits + 7) / 8;
                uint64_t s = (k + f->block - 1) / f->block * f->scale_bits / 8;
                unsigned fits = 0;
                for (uint64_t p : place)
                    fits += p + s <= line && (b <= p || p + s + b <= line);
                if (fits == 2)
                    x.k = k, bytes = b;
            }
            x.asc = 0x100 + place[0], x.bsc = 0x500 + place[1];
            x.a = 0x100 + (bytes <= place[0] ? 0 : line - bytes);
            x.b = 0x500 + (bytes <= place[1] ? 0 : line - bytes);
            if (x.k)
                word(e, x, "");
        }
        e->text.replace(0, strlen(".sem 1 ttu"), ".sem 1 tcp");
        end(e);
    }
}

// Scales whose last row is at the TSRAM's end or a byte beyond it; their elements are elsewhere, so
// that at the end they only lie in another line.
void far_scales(edges *e)
{
    const tsr_format *mx = &e->isa->formats[TSR_MXF8E4M3];
    for (unsigned b = 5; b < 16; b++)
        for (unsigned which = 0; which < 4; which++) {
            mma x = small(e);
            bool side = which & 1;
            x.af = x.bf = mx;
            x.asc = x.a + 16, x.bsc = x.b + 16;
            (side ? x.bs : x.as) = bit(b);
            (side ? x.n : x.m) = 2;
            (side ? x.bsc : x.asc) = e->chip->tile.tsram_bytes - bit(b) + which / 2;
            alone(e, x);
        }
}

} // namespace

void edge_rows(edges *e)
{
    strides(e);
    exponents(e);
    queued(e);
    scales(e);
    far_scales(e);
}
