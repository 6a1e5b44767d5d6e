// SPDX-License-Identifier: Apache-2.0
// replay FILE... <NUMBERS: of those mutants of a unit, which differ at its ports where somebody
// looks, in TESSERA_PROGRAMS of the programs (all), a fair sample. FILEs: what stood at them in
// every cycle of the tile's programs (mutate_record.cpp); the unit gets the inputs, its outputs are
// compared by the rules of mutate_ports.txt. A mutant that differs nowhere cannot change what the
// tile does in those programs. Says
//   NUMBER killed by program P cycle C: PORT | NUMBER survived N
// with N the programs in which a port differed that nobody looked at.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "Vunit.h"
#include "verilated.h"

namespace
{

enum rule {
    ALWAYS,
    VALID,  // a struct, if the bit on top is set
    LANES,  // structs of `n` bits each, likewise
    EACH,   // lane i, if bit i of another output is set
    IF,     // if any bit of another output is set
    MASKED, // {valid, line, a mask of n, n data}
    READ,   // {gnt, rvalid, data}: data if rvalid
    ASKED   // if the bit on top of an input was set in the cycle before
};

struct port {
    const char *name;
    unsigned lsb, width;
    enum rule rule;
    unsigned n;     // of lanes; bits of a lane
    unsigned other; // the bit where the port that decides begins
};

#include "unit.h" // IN_BITS, OUT_BITS, ports[]

enum {
    FIRST = 32, // programs that all mutants meet before any meets more
    IN = (IN_BITS + 31) / 32,
    OUT = (OUT_BITS + 31) / 32
};

struct program {
    std::vector<uint32_t> words; // IN and OUT of each cycle
    size_t cycles() const { return words.size() / (IN + OUT); }
};

int awake; // the mutant, 0: none

bool bit(const uint32_t *v, unsigned i)
{
    return v[i / 32] >> i % 32 & 1;
}

bool any(const uint32_t *v, unsigned lsb, unsigned n)
{
    for (unsigned i = lsb; i < lsb + n; i++)
        if (bit(v, i))
            return true;
    return false;
}

bool same(const uint32_t *a, const uint32_t *b, unsigned lsb, unsigned n)
{
    unsigned end = lsb + n;
    for (unsigned i = lsb; i < end;) {
        bool whole = i % 32 == 0 && end - i >= 32;
        if (whole ? a[i / 32] != b[i / 32] : bit(a, i) != bit(b, i))
            return false;
        i += whole ? 32 : 1;
    }
    return true;
}

// A struct with its valid bit on top.
bool same_valid(const uint32_t *want, const uint32_t *got, unsigned lsb, unsigned n)
{
    return bit(want, lsb + n - 1) ? same(want, got, lsb, n) : !bit(got, lsb + n - 1);
}

bool same_masked(const port &p, const uint32_t *want, const uint32_t *got)
{
    unsigned data = p.n, each = p.other, top = p.width - 1;
    unsigned mask = p.lsb + data * each;
    if (!bit(want, p.lsb + top) || !bit(got, p.lsb + top))
        return bit(want, p.lsb + top) == bit(got, p.lsb + top);
    if (!same(want, got, mask, p.width - data * each))
        return false;
    for (unsigned i = 0; i < data; i++)
        if (bit(want, mask + i) && !same(want, got, p.lsb + i * each, each))
            return false;
    return true;
}

// `before`: the inputs of the cycle before, null in the first.
bool same_port(const port &p, const uint32_t *want, const uint32_t *got, const uint32_t *before)
{
    switch (p.rule) {
    case ALWAYS:
        return same(want, got, p.lsb, p.width);
    case VALID:
        return same_valid(want, got, p.lsb, p.width);
    case LANES:
        for (unsigned i = 0; i < p.width; i += p.n)
            if (!same_valid(want, got, p.lsb + i, p.n))
                return false;
        return true;
    case EACH:
        for (unsigned i = 0; i < p.n; i++)
            if (bit(want, p.other + i) &&
                !same(want, got, p.lsb + i * (p.width / p.n), p.width / p.n))
                return false;
        return true;
    case IF:
        return !any(want, p.other, p.n) || same(want, got, p.lsb, p.width);
    case MASKED:
        return same_masked(p, want, got);
    case READ:
        return same(want, got, p.lsb + p.width - 2, 2) &&
               (!bit(want, p.lsb + p.width - 2) || same(want, got, p.lsb, p.width));
    case ASKED:
        return !before || !bit(before, p.other) || same(want, got, p.lsb, p.width);
    }
    return false;
}

// Null, or the first port that differs where somebody looks; *cycle and *anywhere tell when, and
// whether one differs at all.
const char *differs(const program &p, size_t *cycle, bool *anywhere)
{
    VerilatedContext context;
    Vunit unit(&context);
    const uint32_t *before = nullptr;
    unit.rst_ni = 0;
    for (int clock = 0; clock < 2; clock++) {
        unit.clk_i = static_cast<uint8_t>(clock);
        unit.eval();
    }
    unit.rst_ni = 1;
    for (*cycle = 0; *cycle < p.cycles(); ++*cycle) {
        const uint32_t *in = &p.words[*cycle * (IN + OUT)], *want = in + IN;
        unit.clk_i = 0;
        memcpy(reinterpret_cast<uint8_t *>(&unit.in_i), in, IN * sizeof *in);
        unit.eval();
        const auto *got = reinterpret_cast<const uint32_t *>(&unit.out_o);
        if (memcmp(want, got, OUT * sizeof *want) != 0) {
            *anywhere = true;
            for (const port &q : ports)
                if (!same_port(q, want, got, before))
                    return q.name;
        }
        before = in;
        unit.clk_i = 1;
        unit.eval();
    }
    return nullptr;
}

void read_programs(const char *file, std::vector<program> *to)
{
    std::vector<program> &all = *to;
    uint32_t more;
    FILE *f = fopen(file, "rb");
    while (f && fread(&more, sizeof more, 1, f) == 1) {
        if (!more) {
            all.emplace_back();
            continue;
        }
        std::vector<uint32_t> &w = all.back().words;
        w.resize(w.size() + IN + OUT);
        if (fread(&w[w.size() - IN - OUT], sizeof w[0], IN + OUT, f) != IN + OUT)
            break;
    }
    if (f)
        fclose(f);
}

// The programs by hand first, then the others, every stretch of them a sample of all.
std::vector<size_t> fair_order(size_t n)
{
    std::vector<size_t> order;
    size_t first = n < FIRST ? n : FIRST, rest = n - first, step = rest * 5 / 8 | 1;
    while (std::gcd(step, rest) > 1)
        step += 2;
    for (size_t i = 0; i < first; i++)
        order.push_back(i);
    for (size_t i = 0; i < rest; i++)
        order.push_back(first + i * step % rest);
    return order;
}

struct mutant {
    int number;
    size_t odd; // programs in which a port differs, but nobody looks
};

// Whether a program kills it, which is told.
bool killed(const program &p, size_t number, mutant *m)
{
    size_t cycle = 0;
    bool anywhere = false;
    std::string name;
    awake = m->number;
    try {
        const char *port = differs(p, &cycle, &anywhere);
        name = port ? port : "";
    } catch (const std::string &what) {
        name = what;
    }
    m->odd += anywhere;
    if (!name.empty())
        printf("%d killed by program %zu cycle %zu: %s\n", m->number, number, cycle, name.c_str());
    fflush(stdout);
    return !name.empty();
}

// All of them meet some programs, those that are left twice as many others, and so on: what has
// been told when the time is up is as good as it can be.
void judge(const std::vector<program> &programs, std::vector<mutant> alive)
{
    std::vector<size_t> order = fair_order(programs.size());
    const char *most = getenv("TESSERA_PROGRAMS");
    if (most && strtoul(most, nullptr, 10) < order.size())
        order.resize(strtoul(most, nullptr, 10));
    for (size_t from = 0, to = FIRST; from < order.size(); from = to, to *= 2) {
        std::vector<mutant> left;
        for (mutant &m : alive) {
            bool dead = false;
            for (size_t i = from; i < to && i < order.size() && !dead; i++)
                dead = killed(programs[order[i]], order[i], &m);
            if (!dead)
                left.push_back(m);
        }
        alive = left;
        fprintf(stderr, "%zu programs: %zu alive\n", to, alive.size());
    }
    for (const mutant &m : alive)
        printf("%d survived %zu\n", m.number, m.odd);
}

} // namespace

extern "C" int tsr_mutant()
{
    return awake;
}

// In place of the library's, which ends the process: a mutant may have made a loop.
void vl_fatal(const char *, int, const char *, const char *what)
{
    throw std::string(what);
}

int main(int argc, char **argv)
{
    std::vector<program> programs;
    std::vector<mutant> mutants;
    int number;
    for (int i = 1; i < argc; i++)
        read_programs(argv[i], &programs);
    if (programs.empty()) {
        fprintf(stderr, "usage: replay FILE... <NUMBERS\n");
        return 2;
    }
    while (scanf("%d", &number) == 1)
        mutants.push_back({number, 0});
    judge(programs, mutants);
    return 0;
}
