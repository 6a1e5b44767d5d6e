// SPDX-License-Identifier: Apache-2.0
// The semaphores of a tile against MACHINE.md's rules: waits of all queues and posts of all lanes
// in one cycle, of few semaphores, until one goes too far. Programs reach neither all lanes at once
// nor most pairs of them. COUNT inputs.
// usage: Vsync_bench COUNT SEED
#include "tests/rtl/unit_bench.h"

#include <algorithm>

#include "Vsync_bench.h"

namespace
{

enum {
    LANES = 38,
    QUEUES = 8,
    SEMS = 64,
    MOST = 255, // a count
    OVERFLOW = 5,
    CONSUMER = 4, // what the host sets
    NOBODY = 15
};

struct wait {
    unsigned id, amount;
};

struct post {
    bool valid;
    unsigned id, queue, pc;
};

struct inputs {
    bool enabled;
    bool starts[QUEUES]; // which consumes
    wait waits[QUEUES][2];
    post posts[LANES];
    bool host;
    unsigned what, addr, consumer;
};

struct state {
    unsigned count[SEMS] = {}, consumer[SEMS];
};

// What a cycle does.
struct outcome {
    int next[SEMS];
    uint64_t touched;
    const post *fault; // whose post is charged with an overflow
};

int bad;

// The posts that go too far are the last of their semaphore; the lowest queue among them is told.
outcome expected(const state &s, const inputs &in)
{
    outcome o = {{}, 0, nullptr};
    for (unsigned i = 0; i < SEMS; i++)
        o.next[i] = static_cast<int>(s.count[i]);
    for (unsigned q = 0; q < QUEUES; q++)
        for (const wait &w : in.waits[q])
            if (in.starts[q] && w.amount) {
                o.next[w.id] -= static_cast<int>(w.amount);
                o.touched |= UINT64_C(1) << w.id;
            }
    for (const post &p : in.posts) {
        if (!p.valid)
            continue;
        o.touched |= UINT64_C(1) << p.id;
        if (++o.next[p.id] > MOST && (!o.fault || p.queue < o.fault->queue))
            o.fault = &p;
    }
    return o;
}

void set_bits(uint32_t *to, unsigned lsb, unsigned n, uint32_t value)
{
    for (unsigned i = lsb; i < lsb + n; i++, value >>= 1) {
        uint32_t mask = UINT32_C(1) << i % 32;
        to[i / 32] = (to[i / 32] & ~mask) | (value & 1 ? mask : 0);
    }
}

void drive(Vsync_bench &v, const inputs &in)
{
    uint32_t waits[(QUEUES * 22 + 31) / 32] = {}, posts[(LANES * 27 + 31) / 32] = {};
    uint32_t starts = 0;
    for (unsigned q = 0; q < QUEUES; q++) {
        starts |= uint32_t{in.starts[q]} << q;
        for (unsigned k = 0; k < 2; k++)
            set_bits(waits, 11 * (2 * q + k), 11, in.waits[q][k].amount << 6 | in.waits[q][k].id);
    }
    for (unsigned l = 0; l < LANES; l++) {
        const post &p = in.posts[l];
        set_bits(posts, 27 * l, 27, uint32_t{p.valid} << 26 | p.id << 20 | p.queue << 17 | p.pc);
    }
    v.en_i = in.enabled;
    v.consume_i = static_cast<uint8_t>(starts);
    memcpy(&v.waits_i, waits, sizeof waits);
    memcpy(&v.posts_i, posts, sizeof posts);
    v.host_valid_i = in.host;
    v.host_what_i = static_cast<uint8_t>(in.what);
    v.host_addr_i = in.addr;
    memset(&v.host_data_i, static_cast<int>(below(256)), 16);
    set_bits(reinterpret_cast<uint32_t *>(&v.host_data_i), 0, 4, in.consumer);
}

// Semaphores of a run: one alone, a few, or neighbours of another in one bit.
struct choice {
    unsigned n, id[8];
    unsigned waits;  // a queue starts in one cycle of so many
    unsigned strays; // another semaphore, one in so many times
    unsigned any() const { return below(strays) ? id[below(n)] : below(SEMS); }
};

choice choose()
{
    choice c = {
        1 + below(below(2) ? 2 : 8), {}, 4u << below(7), below(4) ? below(2) ? 16u : 1024u : 1u};
    c.id[0] = below(SEMS);
    for (unsigned i = 1; i < c.n; i++)
        c.id[i] = below(2) ? below(SEMS) : c.id[0] ^ 1u << below(6);
    return c;
}

// A queue starts what the counts allow, all of them together.
void draw_waits(const state &s, const choice &c, inputs *in)
{
    unsigned left[SEMS];
    std::copy(s.count, s.count + SEMS, left);
    for (unsigned q = 0; q < QUEUES; q++) {
        wait *w = in->waits[q];
        for (unsigned k = 0; k < 2; k++)
            w[k] = {c.any(), below(4) ? below(32) : 0};
        bool same = w[0].id == w[1].id;
        in->starts[q] = below(c.waits) == 0 && w[0].amount <= left[w[0].id] &&
                        w[1].amount + (same ? w[0].amount : 0) <= left[w[1].id];
        for (unsigned k = 0; k < 2; k++)
            left[w[k].id] -= in->starts[q] ? w[k].amount : 0;
    }
}

inputs draw_inputs(const state &s, const choice &c)
{
    inputs in = {};
    unsigned few = 1u << below(below(2) ? 2 : 6), turn = below(QUEUES), odd = below(LANES);
    bool one_queue = below(2);
    in.enabled = below(16);
    draw_waits(s, c, &in);
    for (unsigned l = 0; l < LANES; l++) {
        bool valid = below(few) == 0;
        unsigned queue = one_queue && l != odd ? turn : below(QUEUES);
        in.posts[l] = {valid, c.any(), queue, below(1 << 17)};
    }
    in.host = below(2);
    in.what = below(2) ? CONSUMER : below(8);
    in.addr = c.any() | (below(2) ? 0 : 1u << below(17));
    in.consumer = below(16);
    return in;
}

void differs(const char *what, unsigned i, uint64_t got, uint64_t want)
{
    if (bad++ < 20)
        printf("%s of %u: RTL %" PRIu64 ", expected %" PRIu64 "\n", what, i, got, want);
}

void same(const char *what, unsigned i, uint64_t got, uint64_t want)
{
    if (got != want)
        differs(what, i, got, want);
}

void compare(Vsync_bench &v, const state &s, const outcome &o)
{
    const auto *count = reinterpret_cast<const uint8_t *>(&v.counts_o);
    const auto *next = reinterpret_cast<const uint8_t *>(&v.next_o);
    const auto *consumer = reinterpret_cast<const uint8_t *>(&v.consumers_o);
    for (unsigned i = 0; i < SEMS; i++) {
        same("count", i, count[i], s.count[i]);
        if (o.next[i] <= MOST)
            same("next count", i, next[i], static_cast<unsigned>(o.next[i]));
        same("consumer", i, consumer[i / 2] >> 4 * (i % 2) & 15, s.consumer[i]);
        same("touched", i, v.touched_o >> i & 1, o.touched >> i & 1);
    }
    same("overflow", 0, v.fault_o, o.fault != nullptr);
    if (o.fault && v.fault_o) {
        same("kind", 0, v.fault_kind_o, OVERFLOW);
        same("queue", 0, v.fault_queue_o, o.fault->queue);
        same("pc", 0, v.fault_pc_o, o.fault->pc);
    }
}

void clock(Vsync_bench &v)
{
    v.clk_i = 1;
    v.eval();
    v.clk_i = 0;
}

void reset(Vsync_bench &v, state *s)
{
    *s = {};
    std::fill(s->consumer, s->consumer + SEMS, unsigned{NOBODY});
    v.host_valid_i = 0;
    v.rst_ni = 0;
    v.eval();
    clock(v);
    v.rst_ni = 1;
}

// From reset on, to the greatest count. Several inputs of each state are looked at; the last is
// what happens, unless it goes too far. Says how many.
uint64_t run(Vsync_bench &v)
{
    state s;
    choice c = choose();
    uint64_t looks = 0;
    reset(v, &s);
    for (unsigned cycle = 0; cycle < 24; cycle++) {
        inputs in;
        outcome o;
        for (unsigned look = 0; look < 10; look++, looks++) {
            in = draw_inputs(s, c);
            o = expected(s, in);
            drive(v, in);
            v.eval();
            compare(v, s, o);
        }
        if (o.fault)
            continue;
        for (unsigned i = 0; i < SEMS && in.enabled; i++)
            s.count[i] = static_cast<unsigned>(o.next[i]);
        if (in.host && in.what == CONSUMER && in.addr < SEMS)
            s.consumer[in.addr] = in.consumer;
        clock(v);
    }
    return looks;
}

} // namespace

int main(int argc, char **argv)
{
    uint64_t count = argument(argc, argv, 1, 60000), looks = 0, runs = 0;
    auto v = std::make_unique<Vsync_bench>();
    tsr_isa_free(begin_bench("rtl.sync", argument(argc, argv, 2, 1)));
    for (; looks < count && bad < 20; runs++)
        looks += run(*v);
    printf("%" PRIu64 " runs of semaphores, %" PRIu64 " inputs: %d differences\n", runs, looks,
           bad);
    return bad != 0;
}
