// SPDX-License-Identifier: Apache-2.0
// tessera-rtl-CHIP: programs on the simulator and on the RTL of one tile, in lock-step.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "tests/rtl/campaign.h"
#include "tests/rtl/lockstep.h"
#include "tests/rtl/random_edge.h"

extern "C" {
#include "sim/suite/suite.h"
}

namespace
{

struct session {
    const char *name; // of this program
    tsr_isa *isa = nullptr;
    tsr_chip chip = {};
    lockstep lock = {};
    rtl_record record = {};
    campaign programs = {};
    const char *cover = nullptr; // file for the bins of functional coverage
    uint64_t seed = 1, jobs = 0;
    bool json = false;
    std::string options;           // as given: part of the command that repeats
    const char *kernel = nullptr;  // of a check
    uint64_t number = 0, only = 0; // of its programs: the one at hand; the one that runs, 0: all
    uint64_t every = 1;            // of those that aim at edges
    uint64_t parts = 1, part = 0;  // a process runs those with number % parts = part
    std::string repeat;            // the command that repeats the program at hand
};

[[noreturn]] void fail(int code, const std::string &what)
{
    fprintf(stderr, "tessera-rtl: %s\n", what.c_str());
    exit(code);
}

verdict judge(session *s, const tsr_program *p, const tsr_stats *stats, const tsr_fault *fault)
{
    if (!rtl_record_finish(&s->record, stats, fault))
        fail(70, "out of memory");
    verdict v = lockstep_run(&s->lock, p, &s->record);
    if (v == verdict::different)
        fprintf(stderr, "%s", s->lock.report.c_str());
    if (v == verdict::different)
        campaign_repeat(s->name, s->repeat);
    return v;
}

std::string read_file(const char *path)
{
    std::string out;
    FILE *f = fopen(path, "rb");
    if (!f)
        fail(3, std::string(path) + ": cannot be read");
    char buffer[4096];
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;)
        out.append(buffer, n);
    fclose(f);
    return out;
}

void ran(void *self, const tsr_program *p, const tsr_stats *stats)
{
    auto *s = static_cast<session *>(self);
    tsr_fault none = {};
    s->number++;
    if ((s->only && s->number != s->only) || s->number % s->parts != s->part) {
        rtl_record_clear(&s->record);
        return;
    }
    s->repeat = std::string(s->name) + " check " + s->kernel + s->options + " --only " +
                std::to_string(s->number);
    if (judge(s, p, stats, &none) == verdict::not_built && s->lock.not_run == 1)
        fprintf(stderr, "not run: %s\n", s->lock.report.c_str());
    rtl_record_clear(&s->record);
}

// The whole suite on the simulator; its programs, or this process's part of them, on the RTL.
int check_part(session *s, suite *u, const char *kernel)
{
    tsr_error err = {};
    u->isa = s->isa;
    u->chip = &s->chip;
    u->seed = s->seed;
    rtl_record_clear(&s->record);
    u->observer = rtl_record_observer(&s->record);
    u->ran = ran;
    u->ran_self = s;
    s->kernel = kernel;
    tsr_status st = suite_run(u, kernel, &err);
    if (st != TSR_OK && st != TSR_MISMATCH)
        fail(st == TSR_USAGE ? 2 : st == TSR_FAULT ? 4 : 3, err.message);
    return st == TSR_OK ? 0 : 1;
}

struct counts {
    uint64_t programs, not_run, instructions, cycles, mismatches;
    int code;
};

// A process per part: models share nothing, and simulating the suite once more costs seconds.
pid_t start_part(session *s, suite *u, const char *kernel, int *from)
{
    int ends[2];
    fflush(nullptr);
    if (pipe(ends) != 0)
        fail(70, "no pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        counts c = {};
        c.code = check_part(s, u, kernel);
        const lockstep &l = s->lock;
        c.programs = l.programs, c.not_run = l.not_run, c.instructions = l.instructions;
        c.cycles = l.cycles, c.mismatches = l.mismatches;
        bool told = write(ends[1], &c, sizeof c) == sizeof c;
        fflush(nullptr);
        _exit(told ? 0 : 70);
    }
    close(ends[1]);
    *from = ends[0];
    return child;
}

int check(session *s, suite *u, const char *kernel)
{
    int code = 0;
    long here = sysconf(_SC_NPROCESSORS_ONLN);
    if (s->jobs == 0)
        s->jobs = here < 1 ? 1 : here > 4 ? 4 : static_cast<uint64_t>(here);
    if (s->jobs == 1 || s->only || s->lock.wave || s->cover)
        return check_part(s, u, kernel);
    std::vector<std::pair<pid_t, int>> parts(s->jobs);
    for (s->parts = s->jobs; s->part < s->parts; s->part++) {
        int from = -1;
        pid_t child = start_part(s, u, kernel, &from);
        if (child < 0)
            fail(70, "no process");
        parts[s->part] = {child, from};
    }
    for (auto &[child, from] : parts) {
        counts c = {};
        int status = 0;
        bool told = read(from, &c, sizeof c) == sizeof c;
        close(from);
        waitpid(child, &status, 0);
        if (!told)
            exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : 70);
        s->lock.programs += c.programs, s->lock.not_run += c.not_run;
        s->lock.instructions += c.instructions, s->lock.cycles += c.cycles;
        s->lock.mismatches += c.mismatches;
        code |= c.code;
    }
    return code;
}

void print(const session *s, bool many)
{
    const lockstep *l = &s->lock;
    if (s->json)
        printf("{\n  \"chip\": \"%s\",\n", s->chip.name);
    if (many)
        campaign_print(&s->programs, s->json);
    if (s->json)
        printf("  \"programs\": %" PRIu64 ",\n  \"not_run\": %" PRIu64
               ",\n  \"instructions\": %" PRIu64 ",\n  \"cycles\": %" PRIu64
               ",\n  \"mismatches\": %" PRIu64 ",\n  \"seed\": %" PRIu64 "\n}\n",
               l->programs, l->not_run, l->instructions, l->cycles, l->mismatches, s->seed);
    else
        printf("%" PRIu64 " programs in lock-step, %" PRIu64 " not run, %" PRIu64
               " instructions, %" PRIu64 " cycles, %" PRIu64 " mismatches, seed %" PRIu64 "\n",
               l->programs, l->not_run, l->instructions, l->cycles, l->mismatches, s->seed);
}

int run(session *s, const char *file)
{
    s->repeat = std::string(s->name) + " run " + file + s->options;
    uint64_t limit = s->programs.limit ? s->programs.limit : 1000000;
    outcome o = campaign_text(&s->programs, file, read_file(file), limit);
    if (o == outcome::no_program)
        fail(3, s->programs.error);
    if (o == outcome::racing)
        fail(3, "not compared: " + s->programs.error);
    if (o == outcome::not_built)
        fprintf(stderr, "not run: %s\n", s->lock.report.c_str());
    if (o == outcome::different) {
        fprintf(stderr, "%s", s->lock.report.c_str());
        campaign_repeat(s->name, s->repeat);
    }
    return 0;
}

// The programs that aim at edges of a unit, or of all: the first that differs is told as it is.
int run_edges(session *s, const std::string &unit)
{
    bool known = unit == "all";
    for (const char *const *u = edge_units; *u; u++) {
        if (unit != "all" && unit != *u)
            continue;
        known = true;
        edges e = {s->isa, &s->chip};
        e.whole = s->every == 1;
        edge_programs(*u, &e);
        for (size_t i = 0; i < e.programs.size(); i += s->every)
            if (!campaign_edge(&s->programs, *u, i, e.programs[i]))
                return 1;
    }
    if (!known)
        fail(2, unit + ": no unit with edges");
    return 0;
}

const char usage[] =
    "usage: tessera-rtl-CHIP run FILE.s | random N | edges UNIT | check KERNEL\n"
    "  --tile T    the tile that is RTL (0)     --seed S    (1)\n"
    "  --most L    instructions of random programs (10000), drawn from 10 on\n"
    "  --length L  of all random programs       --falsify MNEMONIC  a test of the test\n"
    "  --coverage F  bins of functional coverage, counted   --sim-only  without the RTL\n"
    "  --limit C   cycles                       --wave F    FST, in the -wave build\n"
    "  --only N    of a check's programs        --jobs N    processes of a check\n"
    "  --every N   one in N of edges' programs; of the data mover's by one channel each\n"
    "  --shape MxNxK --format F                 --json\n";

uint64_t number(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 0);
    if (*end || !*text)
        fail(2, std::string(text) + ": a number is wanted");
    return v;
}

uint64_t positive(const std::string &option, const char *text)
{
    uint64_t v = number(text);
    if (v == 0)
        fail(2, option + ": 1 or more is wanted");
    return v;
}

// MxNxK; those that are missing are 1.
void shape(const char *text, suite_shape *out)
{
    *out = {1, 1, 1};
    if (sscanf(text, "%" SCNu64 "x%" SCNu64 "x%" SCNu64, &out->m, &out->n, &out->k) < 1)
        fail(2, "--shape: MxNxK is wanted");
}

} // namespace

int main(int argc, char **argv)
{
    session s;
    suite u = {};
    uint64_t length = 0;
    std::vector<const char *> words;
    tsr_error err = {};
    const char *slash = strrchr(argv[0], '/'), *format = nullptr;
    s.name = slash ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++) {
        std::string a = argv[i];
        bool more = i + 1 < argc;
        if (a.compare(0, 2, "--") == 0 && more && a != "--json" && a != "--wave" && a != "--only" &&
            a != "--jobs" && a != "--coverage" && a != "--sim-only")
            s.options += " " + a + " " + argv[i + 1];
        if (a == "--json")
            s.json = true;
        else if (a == "--sim-only")
            s.programs.simulator_only = true;
        else if (a.compare(0, 2, "--") != 0)
            words.push_back(argv[i]);
        else if (!more)
            fail(2, usage);
        else if (a == "--seed")
            s.seed = number(argv[++i]);
        else if (a == "--length")
            length = number(argv[++i]);
        else if (a == "--most")
            s.programs.most = number(argv[++i]);
        else if (a == "--limit")
            s.programs.limit = number(argv[++i]);
        else if (a == "--coverage")
            s.cover = argv[++i];
        else if (a == "--falsify")
            s.programs.falsify = argv[++i];
        else if (a == "--tile")
            s.record.tile = static_cast<uint32_t>(number(argv[++i]));
        else if (a == "--jobs")
            s.jobs = number(argv[++i]);
        else if (a == "--every")
            s.every = positive(a, argv[++i]);
        else if (a == "--only")
            s.only = number(argv[++i]);
        else if (a == "--wave")
            s.lock.wave = argv[++i];
        else if (a == "--format")
            format = argv[++i];
        else if (a == "--shape")
            shape(argv[++i], &u.shape);
        else
            fail(2, usage);
    }
    if (words.size() != 2)
        fail(2, usage);
    if (tsr_isa_load(nullptr, 0, &s.isa, &err) != TSR_OK ||
        tsr_chip_load(TESSERA_CHIP, &s.chip, &err) != TSR_OK)
        fail(70, err.message);
    if (s.record.tile >= tsr_chip_tiles(&s.chip))
        fail(2, "--tile: the chip has " + std::to_string(tsr_chip_tiles(&s.chip)) + " tiles");
    s.lock.isa = s.isa;
    s.lock.chip = &s.chip;
    if (format && !(u.format = tsr_isa_format(s.isa, format)))
        fail(2, std::string(format) + ": no such format");
    int code = 0;
    std::string what = words[0];
    s.programs.isa = s.isa;
    s.programs.chip = &s.chip;
    s.programs.lock = &s.lock;
    s.programs.record = &s.record;
    s.programs.program = s.name;
    coverage covered(s.isa, &s.chip);
    coverage rtl(s.isa, &s.chip), sim(s.isa, &s.chip);
    if (s.cover) {
        s.programs.covered = &covered;
        s.programs.rtl_covered = s.programs.simulator_only ? nullptr : &rtl;
        s.programs.sim_covered = &sim;
    }
    if (what == "run") {
        code = run(&s, words[1]);
    } else if (what == "random") {
        code = !campaign_random(&s.programs, s.seed, number(words[1]), length);
    } else if (what == "edges") {
        code = run_edges(&s, words[1]);
    } else if (what == "check") {
        code = check(&s, &u, words[1]);
    } else {
        fail(2, usage);
    }
    if (s.cover && !covered.bins.illegal().empty())
        fail(70, "coverage: " + covered.bins.illegal() + " is no legal bin, but was hit");
    if (s.cover && !(rtl.bins == sim.bins)) {
        fprintf(stderr, "coverage: the RTL and the simulator differ in %s\n",
                rtl.bins.difference(sim.bins).c_str());
        code = 1;
    }
    if (s.cover && !covered.bins.write(s.cover))
        fail(70, std::string(s.cover) + ": cannot be written");
    print(&s, what == "random" || what == "edges");
    rtl_record_clear(&s.record);
    tsr_isa_free(s.isa);
    return s.lock.mismatches ? 1 : code;
}
