// SPDX-License-Identifier: Apache-2.0
// Edges of control memory: all of its words from each side, lists anywhere in it, any index.
#include "tests/rtl/random_edge.h"

namespace
{

// Every word by stores of both widths, and back by loads.
void words(edges *e)
{
    unsigned bytes = static_cast<unsigned>(e->chip->tile.control_bytes);
    for (unsigned at = 0; at < bytes; at += 8) {
        e->set(1, e->any());
        e->line("sd x1, x0, %u", at);
    }
    for (unsigned at = 0; at < bytes; at += 8)
        e->line("ld x2, x0, %u", at);
    for (unsigned at = 0; at < bytes; at += 4)
        if (e->below(2)) {
            e->set(1, e->any());
            e->line("sw x1, x0, %u", at);
        }
    for (unsigned at = 0; at < bytes; at += 8)
        e->line("ld x2, x0, %u", at);
    e->line("halt");
    e->end();
}

// What the host put there.
void image(edges *e)
{
    unsigned bytes = static_cast<unsigned>(e->chip->tile.control_bytes);
    for (unsigned at = 0; at < bytes; at += 16)
        e->line(".control all %u 0x%x 0x%x 0x%x 0x%x", at, static_cast<uint32_t>(e->any()),
                static_cast<uint32_t>(e->any()), static_cast<uint32_t>(e->any()),
                static_cast<uint32_t>(e->any()));
    for (unsigned at = 0; at < bytes; at += 8)
        e->line("ld x2, x0, %u", at);
    e->line("halt");
    e->end();
}

// A list of any indices, all of row 0, since rows lie over one another.
void lists(edges *e)
{
    unsigned bytes = static_cast<unsigned>(e->chip->tile.control_bytes), most = 60;
    for (unsigned from = 0; from < bytes; from += 4 * most) {
        unsigned n = (bytes - from) / 4 < most ? (bytes - from) / 4 : most;
        e->line(".sem 1 tcp");
        for (unsigned i = 0; i < n; i++) {
            e->set(1, e->any());
            e->line("sw x1, x0, %u", from + 4 * i);
        }
        const uint64_t values[] = {0x100, 8, from, n, 0, 8};
        e->line("li x1, hbm:0x%x", static_cast<unsigned>(e->below(1000)));
        for (unsigned i = 0; i < 6; i++)
            e->set(2 + i, values[i]);
        e->line("gather ch=%u, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7, p0=s1",
                static_cast<unsigned>(e->below(4)));
        e->line("wait wait(s1)");
        e->line("halt");
        e->end();
    }
}

// Words of the TSRAM to everywhere in control memory, of both halves of a word; read back.
void brought(edges *e)
{
    unsigned bytes = static_cast<unsigned>(e->chip->tile.control_bytes);
    for (unsigned turn = 0; turn < 24; turn++) {
        unsigned n = 1 + static_cast<unsigned>(e->below(120));
        unsigned to = static_cast<unsigned>(e->below((bytes - 4 * n) / 4 + 1)) * 4;
        unsigned src = static_cast<unsigned>(e->below(1000)), first = 8 + to / 8 * 8 - 8;
        e->line(".sem 1 tcp");
        e->line(".sem 2 dma0");
        for (unsigned at = first; at < to + 4 * n; at += 8) { // what stays beside them
            e->set(1, e->any());
            e->line("sd x1, x0, %u", at);
        }
        e->line("li x1, hbm:0x%x", 0x8000u + static_cast<unsigned>(e->below(0x4000)));
        e->set(2, 0);
        e->set(3, 2048);
        e->set(4, to);
        e->set(5, src);
        e->set(6, n);
        e->line("copy ch=1, dst=x2, src=x1, len=x3, p0=s2");
        e->line("to_control ch=0, dst=x4, src=x5, n=x6, id=0, w0=s2, p0=s1");
        e->line("wait wait(s1)");
        for (unsigned at = first; at < to + 4 * n; at += 8)
            e->line("ld x2, x0, %u", at);
        e->line("halt");
        e->end();
    }
}

} // namespace

void edge_control(edges *e)
{
    words(e);
    image(e);
    lists(e);
    brought(e);
}
