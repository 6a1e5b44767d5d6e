// SPDX-License-Identifier: Apache-2.0
// tessera-rtl-CHIP: programs on the simulator and on the RTL of one tile, in lock-step.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/rtl/lockstep.h"
#include "tests/rtl/random.h"

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
    uint64_t seed = 1, limit = 20000;
    bool json = false, damage = false;
    std::string repeat; // the command that repeats the program at hand
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
        fprintf(stderr,
                "%s  repeat: %s\n  with its waveform: the target %s-wave, and --wave FILE\n",
                s->lock.report.c_str(), s->repeat.c_str(), s->name);
    return v;
}

// The first 64 KiB of HBM and of each cluster's CSRAM hold noise.
void fill(const session *s, tsr_sim *sim)
{
    std::vector<uint64_t> noise(8192);
    uint64_t state = s->seed;
    tsr_error err = {};
    for (uint64_t &v : noise)
        v = random_next(&state);
    tsr_sim_write(sim, TSR_HBM(0), noise.data(), 65536, &err);
    for (uint32_t c = 0; c < tsr_chip_clusters(&s->chip); c++)
        tsr_sim_write(sim, TSR_CSRAM(c, 0), noise.data(), 65536, &err);
}

verdict one(session *s, const tsr_program *p)
{
    tsr_error err = {};
    tsr_sim *sim = nullptr;
    tsr_stats stats = {};
    tsr_fault fault = {};
    if (tsr_sim_create(&s->chip, s->isa, &sim, &err) != TSR_OK)
        fail(70, err.message);
    fill(s, sim);
    rtl_record_clear(&s->record);
    tsr_run_options opt = {};
    opt.mode = TSR_MODE_FULL;
    opt.limit_cycles = s->limit;
    opt.observer = rtl_record_observer(&s->record);
    tsr_status st = tsr_sim_run(sim, p, &opt, &stats, &fault, &err);
    tsr_sim_destroy(sim);
    if (st != TSR_OK && st != TSR_FAULT)
        fail(st == TSR_BAD_INPUT ? 3 : 70, err.message);
    return judge(s, p, &stats, &fault);
}

verdict text(session *s, const char *name, const std::string &source, bool damage)
{
    tsr_program p = {};
    tsr_error err = {};
    if (tsr_assemble(s->isa, name, source.data(), source.size(), &p, &err) != TSR_OK)
        fail(3, err.message);
    if (damage)
        random_damage(&p, s->seed);
    verdict v = p.n_tcp ? one(s, &p) : verdict::equal;
    tsr_program_free(&p);
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

// Lengths from 10 to 2,000 words, all magnitudes alike; every fourth program is damaged.
void random_many(session *s, uint64_t n, uint64_t length)
{
    uint64_t first = s->seed;
    for (uint64_t i = 0; i < n && s->lock.mismatches == 0; i++) {
        uint64_t state = s->seed = first + i, words = length;
        if (!words) {
            uint64_t octave = random_next(&state) % 8;
            words = (10u << octave) + random_next(&state) % (10u << octave);
        }
        random_units units;
        s->repeat = std::string(s->name) + " random 1 --seed " + std::to_string(s->seed) +
                    " --length " + std::to_string(words) + (s->seed % 4 == 3 ? " --damage" : "");
        std::string source = random_program(s->isa, &s->chip, units, s->seed, words);
        verdict v = text(s, "random.s", source, s->damage || (n > 1 && s->seed % 4 == 3));
        if (v == verdict::different) {
            FILE *f = fopen("different.s", "w");
            if (f) {
                fputs(source.c_str(), f);
                fclose(f);
                fprintf(stderr, "  its text (before damage, if any): different.s\n");
            }
        }
    }
    s->seed = first;
}

void ran(void *self, const tsr_program *p, const tsr_stats *stats)
{
    auto *s = static_cast<session *>(self);
    tsr_fault none = {};
    if (judge(s, p, stats, &none) == verdict::not_built && s->lock.not_run == 1)
        fprintf(stderr, "not run: %s\n", s->lock.report.c_str());
    rtl_record_clear(&s->record);
}

int check(session *s, suite *u, const char *kernel)
{
    tsr_error err = {};
    u->isa = s->isa;
    u->chip = &s->chip;
    u->seed = s->seed;
    rtl_record_clear(&s->record);
    u->observer = rtl_record_observer(&s->record);
    u->ran = ran;
    u->ran_self = s;
    s->repeat = std::string(s->name) + " check " + kernel + " --seed " + std::to_string(s->seed);
    tsr_status st = suite_run(u, kernel, &err);
    if (st != TSR_OK && st != TSR_MISMATCH)
        fail(st == TSR_USAGE ? 2 : st == TSR_FAULT ? 4 : 3, err.message);
    return st == TSR_OK ? 0 : 1;
}

void print(const session *s)
{
    const lockstep *l = &s->lock;
    if (s->json)
        printf("{\n  \"chip\": \"%s\",\n  \"programs\": %" PRIu64 ",\n  \"not_run\": %" PRIu64
               ",\n  \"instructions\": %" PRIu64 ",\n  \"cycles\": %" PRIu64
               ",\n  \"mismatches\": %" PRIu64 ",\n  \"seed\": %" PRIu64 "\n}\n",
               s->chip.name, l->programs, l->not_run, l->instructions, l->cycles, l->mismatches,
               s->seed);
    else
        printf("%" PRIu64 " programs in lock-step, %" PRIu64 " not run, %" PRIu64
               " instructions, %" PRIu64 " cycles, %" PRIu64 " mismatches, seed %" PRIu64 "\n",
               l->programs, l->not_run, l->instructions, l->cycles, l->mismatches, s->seed);
}

const char usage[] =
    "usage: tessera-rtl-CHIP run FILE.s | random N | check KERNEL\n"
    "  --tile T    the tile that is RTL (0)     --seed S    (1)\n"
    "  --length L  of random programs           --damage    spoil words of them\n"
    "  --limit C   cycles                       --wave F    FST, in the -wave build\n"
    "  --shape MxNxK --format F                 --json\n";

uint64_t number(const char *text)
{
    char *end;
    uint64_t v = strtoull(text, &end, 0);
    if (*end || !*text)
        fail(2, std::string(text) + ": a number is wanted");
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
        if (a == "--json")
            s.json = true;
        else if (a == "--damage")
            s.damage = true;
        else if (a.compare(0, 2, "--") != 0)
            words.push_back(argv[i]);
        else if (!more)
            fail(2, usage);
        else if (a == "--seed")
            s.seed = number(argv[++i]);
        else if (a == "--length")
            length = number(argv[++i]);
        else if (a == "--limit")
            s.limit = number(argv[++i]);
        else if (a == "--tile")
            s.record.tile = static_cast<uint32_t>(number(argv[++i]));
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
    if (what == "run") {
        s.repeat = std::string(s.name) + " run " + words[1];
        if (text(&s, words[1], read_file(words[1]), s.damage) == verdict::not_built)
            fprintf(stderr, "not run: %s\n", s.lock.report.c_str());
    } else if (what == "random") {
        random_many(&s, number(words[1]), length);
    } else if (what == "check") {
        code = check(&s, &u, words[1]);
    } else {
        fail(2, usage);
    }
    print(&s);
    rtl_record_clear(&s.record);
    tsr_isa_free(s.isa);
    return s.lock.mismatches ? 1 : code;
}
