// SPDX-License-Identifier: Apache-2.0
// tessera-rtl-ports: programs in lock-step on a tile whose units write down what stands at their
// ports in every cycle (mutate_ports.awk), for mutate_replay.cpp.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/rtl/campaign.h"
#include "tests/rtl/random_edge.h"

const char *tap_only; // mutate_tap.h

namespace
{

struct session {
    tsr_isa *isa = nullptr;
    tsr_chip chip = {};
    lockstep lock = {};
    rtl_record record = {};
    campaign programs = {};
};

// A random program: what it costs and which bins of functional coverage it hits.
struct candidate {
    uint64_t seed, cost;
    std::vector<size_t> bins;
};

[[noreturn]] void fail(int code, const std::string &what)
{
    fprintf(stderr, "tessera-rtl-ports: %s\n", what.c_str());
    exit(code);
}

void run(session *s, uint64_t seed)
{
    if (!campaign_random(&s->programs, seed, 1, 0))
        fail(1, "seed " + std::to_string(seed) + " differs or races");
}

candidate look_at(session *s, uint64_t seed)
{
    candidate c = {seed, 0, {}};
    cover_bins *all = &s->programs.covered->bins;
    std::vector<uint64_t> before(all->total());
    for (size_t i = 0; i < before.size(); i++)
        before[i] = all->times(i);
    run(s, seed);
    for (size_t i = 0; i < before.size(); i++)
        if (all->times(i) != before[i])
            c.bins.push_back(i);
    c.cost = s->record.cycles + 100; // to load it
    return c;
}

// Of N random programs those that show most in the fewest cycles, of `budget` cycles in all: next
// is always the one with the most bins for its cost, one that was hit before counting a quarter.
void best_programs(session *s, uint64_t first, uint64_t n, uint64_t budget)
{
    coverage all(s->isa, &s->chip);
    std::vector<candidate> choice;
    std::vector<unsigned> hits(all.bins.total());
    s->programs.covered = &all;
    s->programs.simulator_only = true;
    for (uint64_t seed = first; seed < first + n; seed++)
        choice.push_back(look_at(s, seed));
    s->programs.covered = nullptr;
    s->programs.simulator_only = false;
    for (uint64_t spent = 0; spent < budget;) {
        candidate *best = nullptr;
        uint64_t best_gain = 0;
        for (candidate &c : choice) {
            uint64_t gain = 0;
            for (size_t bin : c.bins)
                gain += hits[bin] < 4 ? 64u >> 2 * hits[bin] : 0;
            if (c.cost && gain && (!best || gain * best->cost > best_gain * c.cost))
                best = &c, best_gain = gain;
        }
        if (!best)
            return;
        run(s, best->seed);
        for (size_t bin : best->bins)
            hits[bin]++;
        spent += best->cost;
        best->cost = 0;
    }
}

void run_file(session *s, const char *name)
{
    std::string text;
    char buffer[4096];
    FILE *f = fopen(name, "rb");
    if (!f)
        fail(3, std::string(name) + ": cannot be read");
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
        text.append(buffer, n);
    fclose(f);
    if (campaign_text(&s->programs, name, text, 1000000) != outcome::equal)
        fail(1, std::string(name) + ": " + s->programs.error + s->lock.report);
}

// The programs that aim at a unit's edges: no other unit's ports are of interest.
void run_edges(session *s, const char *unit)
{
    edges e = {s->isa, &s->chip};
    if (!edge_programs(unit, &e))
        fail(2, std::string(unit) + ": has no edges");
    tap_only = unit;
    for (size_t i = 0; i < e.programs.size(); i++) {
        outcome o = campaign_text(&s->programs, unit, e.programs[i], 1000000);
        if (o != outcome::equal)
            fail(1, "edge " + std::to_string(i) + " of " + unit + ": " + s->programs.error +
                        s->lock.report + e.programs[i]);
    }
    tap_only = nullptr;
}

} // namespace

int main(int argc, char **argv)
{
    static const char usage[] = "usage: tessera-rtl-ports BATCH...\n"
                                "  random:FIRST:N:MOST  random programs of N seeds, of at most "
                                "MOST instructions\n"
                                "  best:FIRST:N:MOST:CYCLES  of those the ones that cover most, in "
                                "CYCLES together\n"
                                "  run:FILE  a program\n"
                                "  edge:UNIT  those that aim at a unit's edges\n";
    session s;
    tsr_error err = {};
    if (tsr_isa_load(nullptr, 0, &s.isa, &err) != TSR_OK ||
        tsr_chip_load(TESSERA_CHIP, &s.chip, &err) != TSR_OK)
        fail(70, err.message);
    s.lock.isa = s.programs.isa = s.isa;
    s.lock.chip = s.programs.chip = &s.chip;
    s.programs.lock = &s.lock;
    s.programs.record = &s.record;
    s.programs.program = "tessera-rtl-ports";
    for (int i = 1; i < argc; i++) {
        uint64_t first, n, budget;
        if (sscanf(argv[i], "random:%" SCNu64 ":%" SCNu64 ":%" SCNu64, &first, &n,
                   &s.programs.most) == 3)
            for (uint64_t seed = first; seed < first + n; seed++)
                run(&s, seed);
        else if (sscanf(argv[i], "best:%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64, &first, &n,
                        &s.programs.most, &budget) == 4)
            best_programs(&s, first, n, budget);
        else if (!strncmp(argv[i], "edge:", 5))
            run_edges(&s, argv[i] + 5);
        else if (!strncmp(argv[i], "run:", 4))
            run_file(&s, argv[i] + 4);
        else
            fail(2, usage);
    }
    printf("%" PRIu64 " programs, %" PRIu64 " cycles\n", s.lock.programs, s.lock.cycles);
    rtl_record_clear(&s.record);
    tsr_isa_free(s.isa);
    return 0;
}
