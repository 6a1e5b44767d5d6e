/* SPDX-License-Identifier: Apache-2.0 */
/* Fused attention on modelled cores: the passes over one block of rows and one of 256 keys, by
 * their names in the object file. Of a pass, llvm-mca models the innermost loop and, as straight
 * code, what the loop around it does besides; the first counts as often as the pass's work asks for
 * (multiply- accumulates, exponentials or maxima, of which the loop shows how many a round does),
 * the second once for each tile. Left out: what a block does once, masks, and sums that are
 * rescaled. */
#include "bench/loops.h"

#include <stdlib.h>
#include <string.h>

enum {
    KEYS = 256, /* of a block: kernels/attention/attention.h */
    TILES = KEYS / 8,
    PASSES = 4,
    DIMS = 4
};
static const unsigned dims[DIMS] = {64, 96, 128, 256};

/* Bytes a cycle that memory gives a core: 64-byte lines, 14 in flight over 112 cycles. */
static const double memory_bytes = 8;

static const struct kernel {
    const char *object, *name;
    unsigned vectors, row_lanes; /* of a block; lanes of a row in 4 */
    unsigned rows;               /* that are used, at 128 bits; 0: all */
    unsigned scores, values;     /* tiles, of keys and of values, of a round of the outer loop */
    const char *passes[PASSES];  /* scores, maxima, weights, values */
} kernels[] = {
    {"attention_f32_sve",
     "attention_prefill_f32",
     3,
     1,
     0,
     1,
     1,
     {"f32_scores_3", "flash_maxima", "f32_weights_3", "f32_values_3"}},
    {"attention_bf16_bf16",
     "attention_prefill_bf16",
     4,
     2,
     0,
     1,
     1,
     {"bf16_scores_4", "flash_maxima", "bf16_weights_4", "bf16_values_4"}},
    {"attention_f32_sve",
     "attention_decode_f32",
     1,
     1,
     4,
     1,
     1,
     {"f32_scores_1", "flash_maxima", "f32_weights_1", "f32_values_1"}},
    {"attention_bf16_bf16",
     "attention_decode_bf16",
     2,
     2,
     4,
     1,
     1,
     {"bf16_scores_2", "flash_maxima", "bf16_weights_2", "bf16_values_2"}},
    {"attention_bf16_bf16",
     "attention_decode_mha_bf16",
     1,
     2,
     1,
     2,
     2,
     {"bf16_scores_1", "flash_maxima", "bf16_weights_1", "bf16_values_1"}},
};
enum {
    KERNELS = sizeof kernels / sizeof kernels[0]
};

/* The opcodes that are a pass's work, and how much of it each is per 128 bits. */
static double work_of(const char *text, int pass)
{
    if (pass == 1)
        return opcode_is(text, "fmax") || opcode_is(text, "fmaxnm");
    if (pass == 2)
        return opcode_is(text, "fexpa");
    return opcode_is(text, "bfmmla") ? 16 : opcode_is(text, "fmla") ? 4 : 0;
}

struct nest {
    struct loop inner;
    double work;         /* of a round */
    struct insn *around; /* the loop around it without it */
    size_t count;
};

/* The innermost loop with the most work, and the smallest one around it. */
static bool find(const struct insn *insns, size_t n, const char *function, int pass,
                 struct nest *out)
{
    size_t covered = 0;
    out->work = 0;
    for (size_t last = 0; last < n; last++) {
        struct loop l;
        if (strcmp(function_names[insns[last].function], function) != 0 ||
            !loop_at(insns, last, covered, &l))
            continue;
        covered = last + 1;
        double work = 0;
        for (size_t i = l.first; i <= l.last; i++)
            work += work_of(insns[i].text, pass);
        if (work > out->work) {
            out->inner = l;
            out->work = work;
        }
    }
    out->count = 0;
    for (size_t last = out->inner.last + 1; out->work > 0 && last < n; last++) {
        struct loop l;
        if (!loop_at(insns, last, 0, &l) || l.first > out->inner.first)
            continue;
        for (size_t i = l.first; i <= l.last && out->count < MAX_LOOP; i++)
            if (i < out->inner.first || i > out->inner.last)
                out->around[out->count++] = insns[i];
        break;
    }
    return out->work > 0;
}

/* Cycles of a round in the steady state; negative where the model refuses. */
static double round_cycles(const struct core *core, const struct insn *insns, struct loop l)
{
    static const char *const rounds[2] = {"100", "300"};
    double cycles[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        char line[1024];
        pid_t pid;
        FILE *out = start_model(core, rounds[i], insns, l, &pid);
        while (fgets(line, sizeof line, out) != NULL)
            if (strncmp(line, "Total Cycles:", 13) == 0)
                cycles[i] = strtod(line + 13, NULL);
        if (!finish(out, pid) || cycles[i] <= 0)
            return -1;
    }
    return (cycles[1] - cycles[0]) / 200;
}

/* What a pass costs: a round of its loop, its work, and what the loop around it adds. */
struct cost {
    double inner, work, around;
};

static bool model_pass(const struct core *core, const struct insn *insns, size_t n,
                       const char *function, int pass, struct cost *out)
{
    struct nest nest = {.around = malloc(MAX_LOOP * sizeof(struct insn))};
    if (nest.around == NULL)
        die("out of memory", function);
    if (!find(insns, n, function, pass, &nest))
        die("no loop in", function);
    out->work = nest.work;
    out->inner = round_cycles(core, insns, nest.inner);
    const struct loop all = {0, nest.count - 1, 0, 0, 0};
    out->around = nest.count > 0 ? round_cycles(core, nest.around, all) : 0;
    free(nest.around);
    return out->inner > 0 && out->around >= 0;
}

/* Cycles of the passes on a block of rows and keys at one dim. */
static void block_cycles(const struct kernel *k, const struct cost costs[PASSES], unsigned dim,
                         double cycles[PASSES])
{
    /* Per 128 bits of vector, as the loops' work is. */
    const double rows = k->vectors * 4.0 / k->row_lanes, score_vectors = rows * KEYS / 4;
    const double work[PASSES] = {rows * KEYS * dim, score_vectors, score_vectors,
                                 rows * KEYS * dim};
    const double around[PASSES] = {(double)TILES / k->scores, k->vectors, k->vectors,
                                   dim / 8.0 / k->values};
    for (int i = 0; i < PASSES; i++)
        cycles[i] = work[i] / costs[i].work * costs[i].inner + around[i] * costs[i].around;
}

static void print_row(const struct core *core, const struct kernel *k, unsigned dim,
                      const double cycles[PASSES], bool json)
{
    const bool bf16 = strcmp(k->object, "attention_bf16_bf16") == 0, decode = k->rows != 0;
    const double segments = core->vector_bits / 128.0;
    double total = 0;
    for (int i = 0; i < PASSES; i++)
        total += cycles[i];
    const double rows = decode ? k->rows : k->vectors * 4.0 / k->row_lanes * segments;
    const double macs = 2.0 * rows * KEYS * dim;
    const double peak = (bf16 ? 16 : 4) * segments * core->pipes;
    const double bytes = 2.0 * KEYS * dim * (bf16 ? 2 : 4) / total;
    double percent = 100 * macs / total / peak;
    if (decode)
        percent = bytes < memory_bytes ? 100 * bytes / memory_bytes : 100;
    if (json)
        printf("\n  {\"kernel\": \"%s\", \"target\": \"%s\", \"dim\": %u, \"unit\": \"%s\", "
               "\"mac_per_cycle\": %.2f, \"percent_of_peak\": %.1f, \"cycles_per_elem\": %.4f, "
               "\"bytes_per_cycle\": %.2f, \"cycles\": {\"scores\": %.0f, \"maxima\": %.0f, "
               "\"weights\": %.0f, \"values\": %.0f}}",
               k->name, core->name, dim, decode ? "bandwidth" : "matmul", macs / total, percent,
               total / rows / KEYS, bytes, cycles[0], cycles[1], cycles[2], cycles[3]);
    else
        printf("%-26s %-12s %5u %9.2f %7.1f %8.2f %8.0f %7.0f %8.0f %7.0f\n", k->name, core->name,
               dim, macs / total, percent, bytes, cycles[0], cycles[1], cycles[2], cycles[3]);
}

static const char *base_of(const char *object)
{
    const char *slash = strrchr(object, '/');
    return slash != NULL ? slash + 1 : object;
}

bool has_attention(const char *object)
{
    return strncmp(base_of(object), "attention_", 10) == 0;
}

static bool report_kernel(const struct kernel *k, const struct insn *insns, size_t n, bool json,
                          bool first, const char *only)
{
    bool any = false;
    for (size_t c = 0; c < core_count; c++) {
        if (only != NULL && strcmp(only, cores[c].name) != 0)
            continue;
        struct cost costs[PASSES];
        bool known = true;
        for (int i = 0; i < PASSES && known; i++)
            known = model_pass(&cores[c], insns, n, k->passes[i], i, &costs[i]);
        if (!known) {
            fprintf(stderr, "loops: %s: no model for %s\n", k->name, cores[c].name);
            continue;
        }
        for (int d = 0; d < DIMS; d++) {
            double cycles[PASSES];
            block_cycles(k, costs, dims[d], cycles);
            if (json && !(first && !any))
                printf(",");
            print_row(&cores[c], k, dims[d], cycles, json);
            any = true;
        }
    }
    return any;
}

bool report_attention(const char *object, const struct insn *insns, size_t n, bool json, bool first,
                      const char *only)
{
    bool any = false;
    for (int k = 0; k < KERNELS; k++) {
        const size_t length = strlen(kernels[k].object);
        if (strncmp(base_of(object), kernels[k].object, length) != 0 ||
            base_of(object)[length] != '.')
            continue;
        if (!json && !any)
            printf("%-26s %-12s %5s %9s %7s %8s %8s %7s %8s %7s\n", "kernel", "core", "dim",
                   "MAC/cycle", "% peak", "B/cycle", "scores", "maxima", "weights", "values");
        any = report_kernel(&kernels[k], insns, n, json, first && !any, only) || any;
    }
    return any;
}
