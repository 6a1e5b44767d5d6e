/* SPDX-License-Identifier: Apache-2.0 */
/* `loops [--json] [--core=NAME] SUBJECT...`: finds in each Arm object file the innermost loop with
 * the most multiply-accumulates, lets llvm-mca run it on models of cores, and prints MAC per cycle
 * and the share of the core's peak. Of matvec_* it is the loop with the fewest MACs per vector that
 * is loaded, that of one row, and the share is of the larger of two bounds: the core's vector
 * loads and its MAC instructions. Kernels of several passes: passes.c. Modelled
 * figures: memory is taken as always in L1.
 *   SUBJECT  OBJECT, or NAME@CORE=FILE:FUNCTION, one function of a library on one core */
#include "bench/loops.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Pipes: Arm's software optimisation guides of N2, V2 and V1, Fujitsu's A64FX manual. */
const struct core cores[] = {{"neoverse-n2", 128, 2, 3, 2},
                             {"neoverse-v2", 128, 4, 3, 2},
                             {"neoverse-v1", 256, 2, 2, 2},
                             {"a64fx", 512, 2, 2, 1}};
enum {
    CORES = sizeof cores / sizeof cores[0]
};
const size_t core_count = CORES;

char function_names[MAX_FUNCTIONS][TEXT];

/* MACs of one instruction per 128 bits of vector, by element type of the destination. */
static const struct mac_op {
    const char *name;
    const char *type; /* null: any */
    unsigned macs;
} mac_ops[] = {
    {"fmla", "h", 8},     {"fmla", "s", 4},     {"fmla", "d", 2},     {"fmad", "h", 8},
    {"fmad", "s", 4},     {"fmad", "d", 2},     {"bfmmla", NULL, 16}, {"bfdot", NULL, 8},
    {"bfmlalb", NULL, 4}, {"bfmlalt", NULL, 4}, {"fmlalb", NULL, 4},  {"fmlalt", NULL, 4},
    {"smmla", NULL, 32},  {"ummla", NULL, 32},  {"usmmla", NULL, 32}, {"sdot", NULL, 16},
    {"udot", NULL, 16},   {"usdot", NULL, 16},  {"sudot", NULL, 16},  {"mla", "s", 4},
};
enum {
    MAC_OPS = sizeof mac_ops / sizeof mac_ops[0]
};

void die(const char *what, const char *which)
{
    fprintf(stderr, "loops: %s: %s\n", what, which);
    exit(70);
}

FILE *start(char *const argv[], FILE *in, pid_t *pid, bool quiet)
{
    int fd[2];
    if (pipe(fd) != 0 || (*pid = fork()) < 0)
        die("cannot start", argv[0]);
    if (*pid == 0) {
        dup2(fd[1], STDOUT_FILENO);
        close(fd[0]);
        close(fd[1]);
        if (in != NULL)
            dup2(fileno(in), STDIN_FILENO);
        if (quiet && freopen("/dev/null", "w", stderr) == NULL)
            _exit(127);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(fd[1]);
    return fdopen(fd[0], "r");
}

bool finish(FILE *out, pid_t pid)
{
    int status = 0;
    fclose(out);
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* An instruction's line "   df0:   \tld1w\t{ z0.s }, p0/z, [x0] // note", its blanks evened. */
static bool parse_insn(const char *line, unsigned function, struct insn *out)
{
    char *end;
    out->address = strtoul(line, &end, 16);
    if (end == line || *end++ != ':')
        return false;
    size_t n = 0;
    for (bool gap = true; *end != '\0' && strncmp(end, "//", 2) != 0 && n < TEXT - 1; end++) {
        bool blank = isspace((unsigned char)*end);
        if (!blank || !gap)
            out->text[n++] = blank ? ' ' : *end;
        gap = blank;
    }
    while (n > 0 && out->text[n - 1] == ' ')
        n--;
    out->text[n] = '\0';
    out->function = function;
    return n > 0;
}

/* What is looked at: see the head of the file. */
struct subject {
    char name[TEXT]; /* of the kernel */
    char core[TEXT]; /* the only one; empty: all */
    char file[512];
    char function[TEXT]; /* the only one; empty: all */
};

static struct subject subject_of(const char *word)
{
    struct subject s = {0};
    const char *slash = strrchr(word, '/'), *base = slash != NULL ? slash + 1 : word;
    const char *at = strchr(word, '@'), *is = strchr(word, '='), *colon = strrchr(word, ':');
    if (at == NULL || is == NULL || colon == NULL || at > is || is > colon) {
        snprintf(s.name, sizeof s.name, "%.*s", (int)strcspn(base, "."), base);
        snprintf(s.file, sizeof s.file, "%s", word);
        return s;
    }
    snprintf(s.name, sizeof s.name, "%.*s", (int)(at - word), word);
    snprintf(s.core, sizeof s.core, "%.*s", (int)(is - at - 1), at + 1);
    snprintf(s.file, sizeof s.file, "%.*s", (int)(colon - is - 1), is + 1);
    snprintf(s.function, sizeof s.function, "%s", colon + 1);
    return s;
}

static size_t disassemble(const struct subject *s, struct insn *insns)
{
    const char *object = s->file;
    char only[TEXT + 32];
    snprintf(only, sizeof only, "--disassemble-symbols=%s", s->function);
    char *argv[] = {"llvm-objdump-19",
                    "--no-show-raw-insn",
                    "--mattr=+all",
                    (char *)object,
                    s->function[0] != '\0' ? only : "-d",
                    NULL};
    pid_t pid;
    FILE *out = start(argv, NULL, &pid, false);
    char line[1024];
    size_t n = 0;
    unsigned function = 0;
    while (fgets(line, sizeof line, out) != NULL) {
        if (strstr(line, ">:\n") != NULL) {
            const char *name = strchr(line, '<') + 1;
            if (++function >= MAX_FUNCTIONS)
                die("too many functions", object);
            snprintf(function_names[function], TEXT, "%.*s", (int)strcspn(name, ">"), name);
        } else if (n < MAX_INSNS && parse_insn(line, function, &insns[n]))
            n++;
    }
    if (!finish(out, pid))
        die("llvm-objdump-19 failed", object);
    return n;
}

bool opcode_is(const char *text, const char *opcode)
{
    size_t n = strlen(opcode);
    return strncmp(text, opcode, n) == 0 && (text[n] == ' ' || text[n] == '\0');
}

static unsigned macs_of(const char *text)
{
    const char *first = strchr(text, ' ');
    if (first == NULL || (first[1] != 'z' && first[1] != 'v'))
        return 0;
    const char *type = strchr(first, '.'); /* .s, or .4s of NEON */
    type = type != NULL ? type + 1 + strspn(type + 1, "0123456789") : "";
    for (int i = 0; i < MAC_OPS; i++)
        if (opcode_is(text, mac_ops[i].name) &&
            (mac_ops[i].type == NULL || *type == mac_ops[i].type[0]))
            return mac_ops[i].macs;
    return 0;
}

/* Whether the loop's products are NEON's: of 128 bits whatever the core's vectors. */
static bool is_neon(const struct insn *insns, struct loop l)
{
    for (size_t i = l.first; i <= l.last; i++)
        if (macs_of(insns[i].text) > 0)
            return strchr(insns[i].text, ' ')[1] == 'v';
    return false;
}

/* Where a conditional or plain branch goes; 0 for other instructions and calls. */
static unsigned long branch_target(const char *text)
{
    if (!opcode_is(text, "b") && strncmp(text, "b.", 2) != 0 && strncmp(text, "cb", 2) != 0 &&
        strncmp(text, "tb", 2) != 0)
        return 0;
    const char *hex = strstr(text, "0x");
    for (const char *next = hex; next != NULL; next = strstr(next + 2, ", 0x"))
        hex = next[0] == ',' ? next + 2 : next;
    return hex != NULL ? strtoul(hex, NULL, 16) : 0;
}

/* Bytes that it loads per 128 bits of vector; 0 for other instructions, and for loads of one value
 * or segment into all of it. */
static unsigned vector_bytes(const char *text)
{
    if (strncmp(text, "ld1", 3) != 0 || text[3] == 'r')
        return 0;
    static const char sizes[] = "bhwd", types[] = "bhsd";
    const char *type = strchr(text, '.'), *opcode = text + 3 + (text[3] == 's');
    const char *memory = strchr(sizes, *opcode), *element = type ? strchr(types, type[1]) : NULL;
    return memory != NULL && element != NULL ? 16u >> ((element - types) - (memory - sizes)) : 16;
}

/* Whether `l` is the loop that is asked for, rather than `best`. */
static bool is_better(struct loop l, struct loop best, bool few_rows)
{
    if (!few_rows)
        return l.macs > best.macs;
    if (l.macs == 0 || l.loads == 0)
        return false;
    return best.macs == 0 || l.macs * best.loads < best.macs * l.loads;
}

/* MACs of an object's widest instruction per 128 bits: the loops that hold it are the products. */
static unsigned widest(const struct insn *insns, size_t n)
{
    unsigned most = 0;
    for (size_t i = 0; i < n; i++)
        most = macs_of(insns[i].text) > most ? macs_of(insns[i].text) : most;
    return most;
}

bool loop_at(const struct insn *insns, size_t last, size_t covered, struct loop *out)
{
    unsigned long target = branch_target(insns[last].text);
    if (target == 0 || target > insns[last].address)
        return false;
    size_t first = last;
    while (first > covered && insns[first].address > target &&
           insns[first - 1].function == insns[last].function)
        first--;
    *out = (struct loop){first, last, 0, 0, 0};
    return insns[first].address == target && last - first < MAX_LOOP;
}

/* Whether a function is for the core's vectors: its name may end in _to_BITS or _from_BITS. */
static bool is_for(const char *function, unsigned bits)
{
    const char *to = strstr(function, "_to_"), *from = strstr(function, "_from_");
    if (to != NULL && isdigit((unsigned char)to[4]))
        return bits <= strtoul(to + 4, NULL, 10);
    return from == NULL || !isdigit((unsigned char)from[6]) || bits >= strtoul(from + 6, NULL, 10);
}

/* The innermost loop with the most MACs, or of one row; macs = 0 where there is none. Loops come
 * out in the order of their ends, so one that starts before the last found loop encloses it. */
static struct loop hottest(const struct insn *insns, size_t n, bool few_rows, unsigned bits)
{
    struct loop best = {0, 0, 0, 0, 0};
    size_t covered = 0; /* no innermost loop starts before this */
    const unsigned product = widest(insns, n);
    for (size_t last = 0; last < n; last++) {
        struct loop l;
        if (!is_for(function_names[insns[last].function], bits) ||
            !loop_at(insns, last, covered, &l))
            continue;
        bool products = false;
        for (size_t i = l.first; i <= last; i++) {
            unsigned macs = macs_of(insns[i].text);
            l.macs += macs;
            l.loads += vector_bytes(insns[i].text) > 0;
            l.bytes += vector_bytes(insns[i].text);
            products = products || macs == product;
        }
        if ((products || !few_rows) && is_better(l, best, few_rows))
            best = l;
        covered = last + 1;
    }
    return best;
}

static void write_loop(FILE *f, const struct insn *insns, struct loop l)
{
    fputs("again:\n", f);
    for (size_t i = l.first; i <= l.last; i++) {
        const char *text = insns[i].text;
        /* Every branch to the label: llvm-mca assumes straight code, the target is only syntax. */
        const char *hex = branch_target(text) != 0 ? strstr(text, " 0x") : NULL;
        const char *comma = branch_target(text) != 0 ? strstr(text, ", 0x") : NULL;
        const char *cut = comma != NULL ? comma + 1 : hex;
        if (cut != NULL)
            fprintf(f, "%.*s again\n", (int)(cut - text), text);
        else
            fprintf(f, "%s\n", text);
    }
}

FILE *start_model(const struct core *core, const char *iterations, const struct insn *insns,
                  struct loop l, pid_t *pid)
{
    char cpu[64], rounds[32];
    snprintf(cpu, sizeof cpu, "-mcpu=%s", core->name);
    snprintf(rounds, sizeof rounds, "-iterations=%s", iterations);
    char *argv[] = {"llvm-mca-19", "-mtriple=aarch64", cpu, "-mattr=+sve2,+i8mm,+bf16", rounds,
                    NULL};
    FILE *in = tmpfile();
    if (in == NULL)
        die("cannot write", "temporary file");
    write_loop(in, insns, l);
    fflush(in);
    rewind(in);
    FILE *out = start(argv, in, pid, true);
    fclose(in);
    return out;
}

/* Total cycles of `iterations` rounds; negative where the model refuses an instruction. */
static long model_cycles(const struct core *core, const char *iterations, const struct insn *insns,
                         struct loop l)
{
    char line[1024];
    pid_t pid;
    long cycles = -1;
    FILE *out = start_model(core, iterations, insns, l, &pid);
    while (fgets(line, sizeof line, out) != NULL)
        if (strncmp(line, "Total Cycles:", 13) == 0)
            cycles = strtol(line + 13, NULL, 10);
    return finish(out, pid) ? cycles : -1;
}

/* The steady state: what 200 more rounds cost. False: the model refuses. */
static bool steady_cycles(const struct core *core, const struct insn *insns, struct loop l,
                          double *cycles)
{
    const long few = model_cycles(core, "100", insns, l);
    const long many = few < 0 ? -1 : model_cycles(core, "300", insns, l);
    *cycles = (double)(many - few);
    return few >= 0 && many > few;
}

/* MACs per 128 bits of the instruction that makes most of the loop's: the peak is its. *l keeps
 * those MACs alone: a scale's FMLA beside the products is a cost. */
static unsigned main_op(const struct insn *insns, struct loop *l)
{
    unsigned count[65] = {0}, best = 0;
    for (size_t i = l->first; i <= l->last; i++) {
        unsigned macs = macs_of(insns[i].text);
        count[macs] += macs;
        if (macs > 0 && count[macs] > count[best])
            best = macs;
    }
    l->macs = count[best];
    return best;
}

/* A kernel whose hottest loop has another beside it, which runs once in `rounds` of it. */
static const struct {
    const char *kernel;
    unsigned rounds;
} accompanied[] = {{"matmul_q4_k", 8}}; /* minima of a super-block, products of its 8 groups */

struct beside {
    unsigned rounds; /* 0: none */
    struct loop loop;
};

/* The loop beside l: the innermost one with MACs before it in its function. */
static struct beside beside_of(const char *name, const struct insn *insns, struct loop l)
{
    struct beside b = {0, {0, 0, 0, 0, 0}};
    size_t k = 0, covered = 0;
    while (k < sizeof accompanied / sizeof accompanied[0] &&
           strncmp(name, accompanied[k].kernel, strlen(accompanied[k].kernel)) != 0)
        k++;
    if (k == sizeof accompanied / sizeof accompanied[0])
        return b;
    for (size_t last = 0; last < l.first; last++) {
        struct loop found;
        if (insns[last].function != insns[l.first].function ||
            !loop_at(insns, last, covered, &found))
            continue;
        covered = last + 1;
        for (size_t i = found.first; i <= last; i++)
            found.macs += macs_of(insns[i].text);
        if (found.macs > 0)
            b = (struct beside){accompanied[k].rounds, found};
    }
    if (b.rounds == 0)
        die("no loop beside the products in", name);
    return b;
}

/* How often an opcode occurs in a loop. */
static double count_of(const struct insn *insns, struct loop l, const char *opcode)
{
    double count = 0;
    for (size_t i = l.first; i <= l.last; i++)
        count += opcode_is(insns[i].text, opcode);
    return count;
}

/* Instructions of a round, those beside it counted in part. */
static double insns_of(struct loop l, struct beside b)
{
    double n = (double)(l.last - l.first + 1);
    return b.rounds > 0 ? n + (double)(b.loop.last - b.loop.first + 1) / b.rounds : n;
}

/* {"all": insns / MAC, "OPCODE": ..., ...} in the order of first use in the loop. */
static void print_mix(const struct insn *insns, struct loop l, struct beside b, double macs)
{
    printf("{\"all\": %.5f", insns_of(l, b) / macs);
    for (size_t i = l.first; i <= l.last; i++) {
        char opcode[TEXT];
        snprintf(opcode, sizeof opcode, "%.*s", (int)strcspn(insns[i].text, " "), insns[i].text);
        const struct loop before = {l.first, i - 1, 0, 0, 0};
        if (i > l.first && count_of(insns, before, opcode) > 0)
            continue;
        double count = count_of(insns, l, opcode);
        if (b.rounds > 0)
            count += count_of(insns, b.loop, opcode) / b.rounds;
        printf(", \"%s\": %.5f", opcode, count / macs);
    }
    printf("}");
}

/* One core's row. cycles: of 200 rounds. */
static void print_row(const struct core *core, const char *name, const struct insn *insns,
                      struct loop l, struct beside b, double cycles, bool json)
{
    const bool few_rows = strncmp(name, "matvec", 6) == 0;
    const unsigned main_macs = main_op(insns, &l);
    const double segments = core->vector_bits / 128;
    const double vectors = is_neon(insns, l) ? 1 : segments, macs = l.macs * vectors;
    const double rate = macs * 200 / cycles, bytes = l.bytes * vectors * 200 / cycles;
    double percent = 100 * rate / (main_macs * segments * core->pipes);
    if (few_rows) {
        double by_load = (double)l.loads / core->loads;
        double by_mac = (double)l.macs / main_macs / core->pipes;
        percent = 100 * 200 * (by_load > by_mac ? by_load : by_mac) / cycles;
    }
    if (json) {
        printf("\n  {\"kernel\": \"%s\", \"target\": \"%s\", \"dim\": 0, \"unit\": \"%s\", "
               "\"mac_per_cycle\": %.2f, \"percent_of_peak\": %.1f, \"cycles_per_elem\": %.5f, "
               "\"bytes_per_cycle\": %.1f, \"insns_per_mac\": ",
               name, core->name, few_rows ? "bandwidth" : "matmul", rate, percent, 1 / rate, bytes);
        print_mix(insns, l, b, macs);
        printf("}");
        return;
    }
    printf("%-26s %-12s %9.2f %7.1f %9.1f %10.4f %12.1f\n", name, core->name, rate, percent,
           insns_of(l, b), insns_of(l, b) / macs, bytes);
}

/* One row per core of the subject's loop; returns whether there was one. `only`: null, or the one
 * core. */
static bool report(const char *name, const struct insn *insns, size_t n, bool json, bool first,
                   const char *only)
{
    bool any = false;
    for (int c = 0; c < CORES; c++) {
        if (only != NULL && strcmp(only, cores[c].name) != 0)
            continue;
        const bool few_rows = strncmp(name, "matvec", 6) == 0;
        struct loop l = hottest(insns, n, few_rows, cores[c].vector_bits);
        if (l.macs == 0) {
            fprintf(stderr, "loops: %s: no loop with multiply-accumulates, no row\n", name);
            break;
        }
        const struct beside b = beside_of(name, insns, l);
        double cycles = 0, more = 0;
        if (!steady_cycles(&cores[c], insns, l, &cycles) ||
            (b.rounds > 0 && !steady_cycles(&cores[c], insns, b.loop, &more))) {
            fprintf(stderr, "loops: %s: no model for %s\n", name, cores[c].name);
            continue;
        }
        if (b.rounds > 0)
            cycles += more / b.rounds;
        if (json && !(first && !any))
            printf(",");
        print_row(&cores[c], name, insns, l, b, cycles, json);
        any = true;
    }
    return any;
}

int main(int argc, char **argv)
{
    bool json = false;
    const char *only = NULL;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        json = json || strcmp(argv[at], "--json") == 0;
        if (strncmp(argv[at], "--core=", 7) == 0)
            only = argv[at] + 7;
        else if (strcmp(argv[at], "--json") != 0)
            at = argc;
    }
    if (at >= argc) {
        fprintf(stderr, "usage: loops [--json] [--core=NAME] SUBJECT...\n");
        return 2;
    }
    struct insn *insns = malloc(MAX_INSNS * sizeof *insns);
    if (insns == NULL)
        die("out of memory", argv[at]);
    if (json)
        printf("[");
    else
        printf("Modelled by llvm-mca, the steady state of the hot loop, data in L1.\n"
               "%-26s %-12s %9s %7s %9s %10s %12s\n",
               "kernel", "core", "MAC/cycle", "% peak", "loop insn", "insn/MAC", "byte/cycle");
    fflush(stdout);
    bool first = true;
    for (; at < argc; at++) {
        const struct subject s = subject_of(argv[at]);
        if (only != NULL && s.core[0] != '\0' && strcmp(only, s.core) != 0)
            continue;
        const size_t n = disassemble(&s, insns);
        const char *core = s.core[0] != '\0' ? s.core : only;
        const bool whole = s.function[0] == '\0';
        if (whole && has_passes(s.file)      ? report_passes(s.file, insns, n, json, first, core)
            : whole && has_attention(s.file) ? report_attention(s.file, insns, n, json, first, core)
                                             : report(s.name, insns, n, json, first, core))
            first = false;
    }
    if (json)
        printf("\n]\n");
    free(insns);
    return 0;
}
