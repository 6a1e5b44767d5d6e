// SPDX-License-Identifier: Apache-2.0
// Edges of the semaphores: all of them, of every queue, high counts, and one too many posts by
// several units in one cycle.
#include "tests/rtl/random_edge.h"

namespace
{

const char *const queue_name[TSR_QUEUES] = {"tcp",  "ttu",  "acc",  "tvp",
                                            "dma0", "dma1", "dma2", "dma3"};

std::string post(uint64_t a, uint64_t b)
{
    return " post(s" + std::to_string(a) + ", s" + std::to_string(b) + ")";
}

// A word of the queue that does nothing much.
void idle_word(edges *e, unsigned queue, const std::string &sems)
{
    const char *text = sems.c_str();
    if (queue == TSR_Q_TCP)
        e->line("wait%s", text);
    else if (queue == TSR_Q_TTU)
        e->line("tsync%s", text);
    else if (queue == TSR_Q_ACC)
        e->line("drain dst=x20, ds=x0, m=x1, n=x1, c=x19, fmt=f32%s", text);
    else if (queue == TSR_Q_TVP)
        e->line("vcall nothing%s", text);
    else
        e->line("copy ch=%u, dst=x0, src=x0, len=x0%s", queue - TSR_Q_DMA0, text);
}

void begin(edges *e, const std::vector<unsigned> &owner)
{
    for (unsigned s = 0; s < owner.size(); s++)
        if (owner[s] < TSR_QUEUES)
            e->line(".sem %u %s", s, queue_name[owner[s]]);
    e->line(".routine nothing\nvret\n.end");
    e->set(1, 1);
    e->set(19, 0x100); // where no mma is
    e->set(20, 0x1000);
}

void end(edges *e)
{
    e->line("halt");
    e->end();
}

// Who consumes each: anybody, or nobody.
void consumers(edges *e)
{
    for (unsigned i = 0; i < 24; i++) {
        std::vector<unsigned> owner;
        for (unsigned s = 0; s < e->chip->tile.semaphores; s++)
            owner.push_back(static_cast<unsigned>(e->below(TSR_QUEUES + 1)));
        begin(e, owner);
        end(e);
    }
}

// Every queue consumes its own, what the TCP and other words have posted before.
void all(edges *e)
{
    unsigned n = e->chip->tile.semaphores;
    std::vector<unsigned> owner, count(n);
    std::vector<std::vector<unsigned>> of(TSR_QUEUES);
    for (unsigned s = 0; s < n; s++) {
        owner.push_back(static_cast<unsigned>(s < TSR_QUEUES ? s : e->below(TSR_QUEUES)));
        of[owner[s]].push_back(s);
    }
    begin(e, owner);
    while (e->words < 1500) {
        unsigned q = static_cast<unsigned>(e->below(TSR_QUEUES));
        unsigned a = of[q][e->below(of[q].size())], b = of[q][e->below(of[q].size())];
        unsigned x = 1 + static_cast<unsigned>(e->below(e->below(4) ? 5 : 31));
        unsigned y = 1 + static_cast<unsigned>(e->below(e->below(4) ? 5 : 31));
        while (count[a] < x || count[b] < y + (a == b ? x : 0)) {
            e->line("wait%s", post(a, b).c_str());
            count[a]++, count[b]++;
        }
        std::string waits = " wait(s" + std::to_string(a) + "*" + std::to_string(x) + ", s" +
                            std::to_string(b) + "*" + std::to_string(y) + ")";
        unsigned c = static_cast<unsigned>(e->below(n)), d = static_cast<unsigned>(e->below(n));
        count[a] -= x, count[b] -= y;
        bool posts = count[c] < 60 && count[d] < 60;
        if (posts)
            count[c]++, count[d]++;
        idle_word(e, q, waits + (posts ? post(c, d) : ""));
    }
    end(e);
}

// Two semaphores short of the greatest count, and words of all units that post them at once: those
// of the tensor unit end together, behind an mma.
void overflow(edges *e)
{
    unsigned n = e->chip->tile.semaphores, most = e->chip->tile.semaphore_max;
    std::vector<unsigned> owner(n, TSR_Q_TCP);
    unsigned s = static_cast<unsigned>(e->below(n)), t = static_cast<unsigned>(e->below(n));
    std::vector<unsigned> gate(TSR_QUEUES);
    for (unsigned q = 0, id = 0; q < TSR_QUEUES; id++)
        if (id != s && id != t) {
            gate[q] = id;
            owner[id] = q++;
        }
    begin(e, owner);
    unsigned count[2] = {most - static_cast<unsigned>(e->below(30)),
                         most - static_cast<unsigned>(e->below(30))};
    unsigned both = count[0] < count[1] ? count[0] : count[1];
    if (s == t)
        both /= 2;
    e->set(2, both);
    e->line("loop x2, on");
    e->line("wait%s", post(s, t).c_str());
    e->line("on:");
    const uint64_t mma[] = {0, 32, 0, 32, 4, 4, 8, 0};
    for (unsigned k = 0; k < 8; k++)
        e->set(11 + k, mma[k]);
    auto some = [&] {
        unsigned a = e->below(2) ? s : t, b = e->below(2) ? s : t;
        if (e->below(3) == 0)
            return " post(s" + std::to_string(a) + ")";
        return post(a, b);
    };
    bool gated[TSR_QUEUES] = {};
    for (unsigned i = 0; i < 7; i++)
        for (unsigned q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
            if (e->below(q == TSR_Q_TTU ? 6 : 3) && q != TSR_Q_TTU)
                continue;
            std::string wait = gated[q] ? "" : " wait(s" + std::to_string(gate[q]) + ")";
            if (q == TSR_Q_TTU && !gated[q])
                e->line("mma a=x11, as=x12, b=x13, bs=x14, m=x15, n=x16, k=x17, c=x18, af=i8, "
                        "bf=i8%s%s",
                        wait.c_str(), some().c_str());
            else
                idle_word(e, q, wait + some());
            gated[q] = true;
        }
    for (unsigned i = 0; i < 24; i++) { // gates open while the TCP posts, too
        unsigned q = TSR_Q_TTU + static_cast<unsigned>(e->below(TSR_QUEUES - TSR_Q_TTU));
        if (gated[q])
            e->line("wait post(s%u)", gate[q]);
        else if (e->below(8) == 0)
            e->line("wait%s", some().c_str());
        else
            e->line("nop");
        gated[q] = false;
    }
    end(e);
}

// The last cycle before: exactly the greatest count, of each semaphore, by each way.
void greatest(edges *e)
{
    unsigned n = e->chip->tile.semaphores, most = e->chip->tile.semaphore_max;
    for (unsigned s = 0; s < n; s++) {
        std::vector<unsigned> owner(n, TSR_Q_TCP);
        begin(e, owner);
        e->set(2, most / 2);
        e->line("loop x2, on");
        e->line("wait%s", post(s, s).c_str());
        e->line("on:");
        if (most % 2)
            e->line("wait post(s%u)", s);
        e->line("nop");
        e->line("wait wait(s%u*31) post(s%u)", s, s);
        e->line("nop");
        unsigned q = s % TSR_QUEUES;
        for (unsigned i = 0; i < 20; i++)
            idle_word(e, q, post(s, (s + i) % n));
        end(e);
    }
}

} // namespace

void edge_sync(edges *e)
{
    consumers(e);
    for (unsigned i = 0; i < 6; i++)
        all(e);
    for (unsigned i = 0; i < 160; i++)
        overflow(e);
    greatest(e);
}
