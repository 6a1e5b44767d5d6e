// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/campaign.h"

#include "tests/rtl/reduce.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tessera/sim.h"

namespace
{

enum {
    REDUCE_TRIES = 600
};

void load_memory(const campaign *c, tsr_sim *sim, const std::string &text)
{
    size_t at = text.find("#!seed ");
    uint64_t seed = at == std::string::npos ? 1 : strtoull(text.c_str() + at + 7, nullptr, 0);
    std::vector<uint8_t> m = random_memory(c->isa, seed);
    tsr_error err = {};
    tsr_sim_write(sim, TSR_HBM(0), m.data(), m.size(), &err);
    m = random_memory(c->isa, ~seed);
    for (uint32_t i = 0; i < tsr_chip_clusters(c->chip); i++)
        tsr_sim_write(sim, TSR_CSRAM(i, 0), m.data(), m.size(), &err);
}

// Spoils what the simulator told of one mnemonic, to see that differences are found and reduced.
void falsify(campaign *c, const tsr_program *p)
{
    rtl_stream *s = &c->record->stream[RTL_TCP];
    tsr_error err = {};
    tsr_insn in;
    for (size_t i = 0; c->falsify && i < s->n; i++)
        if (s->e[i].reg && tsr_decode(c->isa, TSR_STREAM_TCP, p->tcp[s->e[i].pc], &in, &err) == 0 &&
            !strcmp(in.op->mnemonic, c->falsify))
            s->e[i].value ^= 1;
}

void rtl_counted(void *self, const tsr_program *p, const rtl_record *own)
{
    static_cast<campaign *>(self)->rtl_covered->count(p, own);
}

outcome run(campaign *c, const std::string &text, const tsr_program *p, uint64_t limit)
{
    tsr_sim *sim = nullptr;
    tsr_error err = {};
    tsr_stats stats = {};
    tsr_fault fault = {};
    if (tsr_sim_create(c->chip, c->isa, &sim, &err) != TSR_OK) {
        c->error = err.message;
        return outcome::no_program;
    }
    load_memory(c, sim, text);
    rtl_record_clear(c->record);
    tsr_run_options opt = {};
    opt.mode = TSR_MODE_FULL;
    opt.check_races = true;
    opt.limit_cycles = limit;
    opt.observer = rtl_record_observer(c->record);
    tsr_status st = tsr_sim_run(sim, p, &opt, &stats, &fault, &err);
    tsr_sim_destroy(sim);
    if ((st != TSR_OK && st != TSR_FAULT) || !rtl_record_finish(c->record, &stats, &fault)) {
        c->error = err.message;
        return outcome::no_program;
    }
    if (fault.kind == TSR_FAULT_RACE) {
        c->error = std::string(tsr_queue_name[fault.queue]) + " word " + std::to_string(fault.pc) +
                   ": " + fault.text;
        return outcome::racing;
    }
    falsify(c, p);
    verdict v = verdict::equal;
    c->lock->traced = c->rtl_covered && !fault.kind ? rtl_counted : nullptr;
    c->lock->traced_self = c;
    if (!c->simulator_only)
        v = lockstep_run(c->lock, p, c->record);
    if (v == verdict::equal && c->covered)
        c->covered->count(p, c->record);
    if (v == verdict::equal && c->rtl_covered && !fault.kind)
        c->sim_covered->count(p, c->record);
    return v == verdict::equal       ? outcome::equal
           : v == verdict::not_built ? outcome::not_built
                                     : outcome::different;
}

void count(campaign *c, random_kind kind)
{
    const rtl_record *r = c->record;
    c->kinds[static_cast<int>(kind)]++;
    c->faults[r->fault.kind]++;
    c->instructions[TSR_Q_TCP] += r->stream[RTL_TCP].n;
    c->instructions[TSR_Q_TVP] += r->stream[RTL_VISSUE].n;
    for (size_t i = 0; i < r->stream[RTL_START].n; i++) {
        uint32_t q = r->stream[RTL_START].e[i].queue;
        c->instructions[q] += q != TSR_Q_TVP;
    }
}

std::string with_seed(const std::string &text, uint64_t seed)
{
    return "#!seed " + std::to_string(seed) + "\n" + text;
}

void reduce(campaign *c, const std::string &text, uint64_t seed, uint64_t limit)
{
    std::string report = c->lock->report, file = c->program + "-" + std::to_string(seed) + ".s";
    lockstep before = *c->lock;
    std::string least = random_reduce(text, REDUCE_TRIES, [&](const std::string &t) {
        if (campaign_text(c, "reduced.s", with_seed(t, seed), limit) != outcome::different)
            return false;
        report = c->lock->report;
        return true;
    });
    *c->lock = before;
    std::string command = c->program + " run " + file;
    std::string out = "# reduced from seed " + std::to_string(seed) + "; repeat: " + command +
                      "\n" + with_seed(least, seed);
    FILE *f = fopen(file.c_str(), "w");
    if (f) {
        fputs(out.c_str(), f);
        fclose(f);
    }
    fprintf(stderr, "%s\nseed %" PRIu64 ", reduced (%s):\n%s", report.c_str(), seed, file.c_str(),
            out.c_str());
    campaign_repeat(c->program, command);
}

} // namespace

void campaign_repeat(const std::string &program, const std::string &command)
{
    std::string wave = program + "-wave" + command.substr(program.size());
    fprintf(stderr,
            "  repeat: %s\n  waveform: cmake --build . --target %s-wave && %s --wave "
            "difference.fst\n",
            command.c_str(), program.c_str(), wave.c_str());
}

outcome campaign_text(campaign *c, const char *name, const std::string &text, uint64_t limit)
{
    tsr_program p = {};
    tsr_error err = {};
    outcome o = outcome::no_program;
    if (random_assemble(c->isa, name, text, &p, &err) != TSR_OK)
        c->error = err.message;
    else if (p.n_tcp)
        o = run(c, text, &p, limit);
    tsr_program_free(&p);
    return o;
}

bool campaign_random(campaign *c, uint64_t seed, uint64_t n, uint64_t length)
{
    for (uint64_t end = seed + n; seed < end; seed++) {
        random_kind kind = random_kind_of(seed);
        uint64_t words = length ? length : random_length(seed, c->most);
        uint64_t limit = c->limit ? c->limit : 20000 + 60 * words;
        std::string text = random_program(c->isa, c->chip, seed, words, kind);
        outcome o = campaign_text(c, "random.s", with_seed(text, seed), limit);
        if (o == outcome::no_program) {
            fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, c->error.c_str());
            return false;
        }
        if (o == outcome::racing) {
            c->racing++;
            c->wrong_race += kind == random_kind::legal;
            if (kind == random_kind::legal)
                fprintf(stderr, "seed %" PRIu64 " races: %s\n", seed, c->error.c_str());
            continue;
        }
        if (o == outcome::different) {
            if (!getenv("TESSERA_MUTANT")) // of a mutant's difference nobody wants the least text
                reduce(c, text, seed, limit);
            return false;
        }
        if (o == outcome::equal)
            count(c, kind);
    }
    return c->wrong_race == 0;
}

bool campaign_edge(campaign *c, const char *unit, size_t number, const std::string &text)
{
    std::string file = c->program + "-" + unit + "-" + std::to_string(number) + ".s";
    outcome o = campaign_text(c, file.c_str(), text, c->limit ? c->limit : 1000000);
    if (o == outcome::equal) {
        count(c, c->record->fault.kind ? random_kind::faulty : random_kind::legal);
        return true;
    }
    FILE *f = fopen(file.c_str(), "w");
    if (f) {
        fputs(text.c_str(), f);
        fclose(f);
    }
    fprintf(stderr, "%s: %s%s\n", file.c_str(), c->error.c_str(), c->lock->report.c_str());
    campaign_repeat(c->program, c->program + " run " + file);
    return false;
}

void campaign_print(const campaign *c, bool json)
{
    const char *const kind[3] = {"legal", "faulty", "damaged"};
    const char *const open = json ? "  \"%s\": {" : "%s:", *const close = json ? "},\n" : "\n";
    const char *const entry = json ? "%s\"%s\": %" PRIu64 : "%s %s %" PRIu64;
    const char *comma = "";
    printf(open, "programs_by_kind");
    for (int i = 0; i < 3; i++, comma = ", ")
        printf(entry, comma, kind[i], c->kinds[i]);
    printf(entry, comma, "racing", c->racing);
    printf("%s", close);
    comma = "";
    printf(open, "instructions_by_queue");
    for (int q = 0; q < TSR_QUEUES; q++, comma = json ? ", " : ",")
        printf(entry, comma, tsr_queue_name[q], c->instructions[q]);
    printf("%s", close);
    comma = "";
    printf(open, "ends");
    for (int f = 0; f < TSR_FAULT_KINDS; f++)
        if (c->faults[f]) {
            printf(entry, comma, f ? tsr_fault_name[f] : "halt", c->faults[f]);
            comma = json ? ", " : ",";
        }
    printf("%s", close);
}
