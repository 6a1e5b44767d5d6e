/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that pass over their data several times: cycles per element, summed over the hot loops
 * of the functions named here, and the share of the larger of two bounds:
 *   L1: each element read once and written once, in vectors, at the core's loads and stores;
 *   pipes: the vector instructions of the loops, evenly on the core's vector pipes. */
#include "bench/loops.h"

#include <stdlib.h>
#include <string.h>

struct pass {
    const char *function; /* %u: the core's vector bits */
    unsigned elems;       /* of a round of its loop, at 128 bits where it grows */
    bool grows;           /* with the vector length */
};

enum {
    MAX_PASSES = 6,
    MAX_UNITS = 32
};

/* Elements of a round follow from the unrolling in the kernel's source. */
static const struct kernel {
    const char *file; /* in kernels/, without level */
    const char *name;
    double in_bytes, out_bytes; /* of an element */
    struct pass passes[MAX_PASSES];
} kernels[] = {
    {"quantize_i8",
     "quantize_i8_f32",
     4,
     1,
     {{"i8_max_f32", 16, true}, {"i8_encode_f32", 16, true}}},
    {"quantize_i8",
     "quantize_i8_bf16",
     2,
     1,
     {{"i8_max_bf16", 32, true}, {"i8_encode_bf16", 16, true}}},
    {"quantize_f8", "quantize_f8e4m3_f32", 4, 1, {{"f8e4m3_f32", 16, true}}},
    {"quantize_f8", "quantize_f8e4m3_bf16", 2, 1, {{"f8e4m3_bf16", 16, true}}},
    {"quantize_f8",
     "quantize_mxf8e4m3_f32",
     4,
     33 / 32.0,
     {{"mx_narrow", 16, true},
      {"mx_max_%u", 32, false},
      {"mx_scales", 256, true},
      {"mxf8e4m3_encode_%u", 32, false}}},
    {"quantize_f8",
     "quantize_mxf8e4m3_bf16",
     2,
     33 / 32.0,
     {{"mx_max_%u", 32, false}, {"mx_scales", 256, true}, {"mxf8e4m3_encode_%u", 32, false}}},
    {"quantize_f8",
     "quantize_mxf4_f32",
     4,
     17 / 32.0,
     {{"mx_narrow", 16, true},
      {"mx_max_%u", 32, false},
      {"mx_scales", 256, true},
      {"mxf4_encode_%u", 32, false}}},
    {"quantize_f8",
     "quantize_mxf4_bf16",
     2,
     17 / 32.0,
     {{"mx_max_%u", 32, false}, {"mx_scales", 256, true}, {"mxf4_encode_%u", 32, false}}},
    {"quantize_gguf",
     "quantize_q8_0_f32",
     4,
     34 / 32.0,
     {{"q8_0_max_f32_%u", 32, false},
      {"q8_0_scales", 128, true},
      {"gguf_bytes_f32_%u", 32, false}}},
    {"quantize_gguf",
     "quantize_q8_0_bf16",
     2,
     34 / 32.0,
     {{"q8_0_max_bf16_%u", 32, false},
      {"q8_0_scales", 128, true},
      {"gguf_bytes_bf16_%u", 32, false}}},
    {"quantize_gguf",
     "quantize_q4_0_f32",
     4,
     18 / 32.0,
     {{"q4_0_max_f32_%u", 32, false},
      {"q4_0_ties", 128, true},
      {"q4_0_scales", 128, true},
      {"gguf_bytes_f32_%u", 32, false},
      {"q4_0_pack", 16, true}}},
    {"quantize_gguf",
     "quantize_q4_0_bf16",
     2,
     18 / 32.0,
     {{"q4_0_max_bf16_%u", 32, false},
      {"q4_0_ties", 128, true},
      {"q4_0_scales", 128, true},
      {"gguf_bytes_bf16_%u", 32, false},
      {"q4_0_pack", 16, true}}},
    /* A of integer products: rows' maxima, then two rows at once into cells. */
    {"rows_cells", "rows_cells", 4, 1, {{"rows_largest", 64, false}, {"rows_codes", 64, false}}},
    {"dequantize_int", "dequantize_i8_f32", 1, 4, {{"i8_values_f32", 16, true}}},
    {"dequantize_int",
     "dequantize_q8_0_f32",
     34 / 32.0,
     4,
     {{"gguf_scales", 128, true}, {"q8_0_values_f32_%u", 32, false}}},
    {"dequantize_int",
     "dequantize_q4_0_f32",
     18 / 32.0,
     4,
     {{"gguf_scales", 128, true}, {"q4_0_values_f32_%u", 32, false}}},
    {"dequantize_f8",
     "dequantize_f8e4m3_f32",
     1,
     4,
     {{"e4m3_nan", 32, true}, {"f8e4m3_values_f32", 16, true}}},
    {"dequantize_f8",
     "dequantize_mxf8e4m3_f32",
     33 / 32.0,
     4,
     {{"mx_powers", 128, true}, {"e4m3_nan", 32, true}, {"mxf8e4m3_values_f32_%u", 32, false}}},
    {"dequantize_f8",
     "dequantize_mxf4_f32",
     17 / 32.0,
     4,
     {{"mx_powers", 128, true}, {"mxf4_values_f32_%u", 32, false}}},
    {"dequantize_int", "dequantize_i8_bf16", 1, 2, {{"i8_values_bf16", 16, true}}},
    {"dequantize_int",
     "dequantize_q8_0_bf16",
     34 / 32.0,
     2,
     {{"gguf_scales", 128, true}, {"q8_0_values_bf16_%u", 32, false}}},
    {"dequantize_int",
     "dequantize_q4_0_bf16",
     18 / 32.0,
     2,
     {{"gguf_scales", 128, true}, {"q4_0_values_bf16_%u", 32, false}}},
    {"dequantize_f8",
     "dequantize_f8e4m3_bf16",
     1,
     2,
     {{"e4m3_nan", 32, true}, {"f8e4m3_values_bf16", 16, true}}},
    {"dequantize_f8",
     "dequantize_mxf8e4m3_bf16",
     33 / 32.0,
     2,
     {{"mx_powers", 128, true}, {"e4m3_nan", 32, true}, {"mxf8e4m3_values_bf16_%u", 32, false}}},
    {"dequantize_f8",
     "dequantize_mxf4_bf16",
     17 / 32.0,
     2,
     {{"mx_powers", 128, true}, {"mxf4_values_bf16_%u", 32, false}}},
    {"exp_f32", "exp_one_f32", 4, 4, {{"exp_one", 16, true}}},
    {"exp_f32", "exp_two_f32", 4, 4, {{"exp_two", 16, true}}},
    {"exp_f32", "exp_full_f32", 4, 4, {{"exp_full", 16, true}}},
    /* The exponentials and their sum alone, and with the maximum and the division. */
    {"softmax_f32", "softmax_step_one_f32", 4, 4, {{"softmax_one_%u", 32, true}}},
    {"softmax_f32", "softmax_step_two_f32", 4, 4, {{"softmax_two_%u", 32, true}}},
    {"softmax_f32",
     "softmax_one_f32",
     4,
     4,
     {{"softmax_max", 16, true}, {"softmax_one_%u", 32, true}, {"softmax_scale", 16, true}}},
    {"softmax_f32",
     "softmax_two_f32",
     4,
     4,
     {{"softmax_max", 16, true}, {"softmax_two_%u", 32, true}, {"softmax_scale", 16, true}}},
    {"norm_f32", "rmsnorm_f32", 8, 4, {{"norm_squares_%u", 32, true}, {"norm_rms", 16, true}}},
    {"norm_f32",
     "layernorm_f32",
     12,
     4,
     {{"norm_sum_%u", 32, true}, {"norm_spread_%u", 32, true}, {"norm_layer", 16, true}}},
    {"gate_f32", "silu_f32", 4, 4, {{"act_silu", 8, true}}},
    {"gate_f32", "gelu_f32", 4, 4, {{"act_gelu", 8, true}}},
    {"gate_f32", "gelu_tanh_f32", 4, 4, {{"act_gelu_tanh", 8, true}}},
    {"gate_f32", "gate_silu_f32", 8, 4, {{"gate_silu", 8, true}}},
    {"gate_f32", "gate_clamp_f32", 8, 4, {{"gate_clamp", 8, true}}},
    /* Per element of x: two of a pair, one cosine and sine. */
    {"rope_f32", "rope_halves_f32", 8, 4, {{"rope_halves", 16, true}}},
    {"rope_f32", "rope_neighbors_f32", 8, 4, {{"rope_neighbors", 16, true}}},
    {"residual_f32", "residual_f32", 8, 4, {{"residual_add", 16, true}}},
    {"convert_f32", "convert_f32_bf16", 4, 2, {{"f32_bf16", 16, true}}},
    {"convert_f32", "convert_bf16_f32", 2, 4, {{"bf16_f32", 16, true}}},
    {"convert_f32", "convert_f32_f16", 4, 2, {{"f32_f16", 16, true}}},
    {"convert_f32", "convert_f16_f32", 2, 4, {{"f16_f32", 16, true}}},
    {"requantize_i32", "requantize_f32", 8, 4, {{"sums_f32", 16, true}}},
    {"requantize_i32", "requantize_bf16", 8, 2, {{"sums_bf16", 16, true}}},
    {"requantize_i32", "requantize_i8", 8, 1, {{"sums_i8", 16, true}}},
    {"requantize_i32", "requantize_bias_f32", 12, 4, {{"sums_bias_f32", 16, true}}},
    {"requantize_i32", "requantize_bias_bf16", 12, 2, {{"sums_bias_bf16", 16, true}}},
    {"requantize_i32", "requantize_bias_i8", 12, 1, {{"sums_bias_i8", 16, true}}},
};
enum {
    KERNELS = sizeof kernels / sizeof kernels[0]
};

/* "DIR/quantize_f8_sve2.c.o" is of `file` quantize_f8; *level is then "sve2". */
static bool is_of(const char *object, const char *file, char level[16])
{
    const char *slash = strrchr(object, '/'), *base = slash != NULL ? slash + 1 : object;
    size_t n = strlen(file);
    if (strncmp(base, file, n) != 0 || base[n] != '_')
        return false;
    snprintf(level, 16, "%.*s", (int)strcspn(base + n + 1, "."), base + n + 1);
    return true;
}

bool has_passes(const char *object)
{
    char level[16];
    for (int k = 0; k < KERNELS; k++)
        if (is_of(object, kernels[k].file, level))
            return true;
    return false;
}

/* Whether the object has the kernel: level bf16 leaves f32 to sve. */
static bool present(const struct kernel *k, const struct insn *insns, size_t n)
{
    const char *last = k->passes[0].function;
    for (int p = 0; p < MAX_PASSES && k->passes[p].function != NULL; p++)
        last = k->passes[p].function;
    const size_t fixed = strcspn(last, "%");
    for (size_t i = 0; i < n; i++)
        if (strncmp(function_names[insns[i].function], last, fixed) == 0)
            return true;
    return false;
}

/* The innermost loop of the function with the most instructions on vectors. */
static bool find(const struct insn *insns, size_t n, const char *function, struct loop *out)
{
    size_t covered = 0, most = 0;
    for (size_t last = 0; last < n; last++) {
        struct loop l;
        if (strcmp(function_names[insns[last].function], function) != 0 ||
            !loop_at(insns, last, covered, &l))
            continue;
        covered = last + 1;
        size_t vectors = 0;
        for (size_t i = l.first; i <= l.last; i++) {
            const char *operands = strchr(insns[i].text, ' ');
            vectors += operands != NULL &&
                       (operands[1] == 'z' || operands[1] == 'v' ||
                        strncmp(operands, " { z", 4) == 0 || strncmp(operands, " { v", 4) == 0);
        }
        if (vectors > most)
            *out = l;
        most = vectors > most ? vectors : most;
    }
    return most > 0;
}

/* What a round costs. */
struct cost {
    double cycles;
    double vector_uops; /* on the core's vector pipes */
};

/* Of llvm-mca's table of pressures: the sum of the first `pipes` vector units. */
static double vector_pressure(FILE *out, char *line, int size, unsigned pipes)
{
    bool vector[MAX_UNITS] = {false};
    int units = 0;
    unsigned found = 0;
    while (fgets(line, size, out) != NULL && line[0] == '[' && units < MAX_UNITS) {
        bool is = strstr(line, "UnitV") != NULL || strstr(line, "IPFL") != NULL;
        vector[units++] = is && found < pipes;
        found += is;
    }
    while (fgets(line, size, out) != NULL && line[0] != '[')
        ;
    double sum = 0;
    if (fgets(line, size, out) == NULL)
        return 0;
    char *save = NULL;
    int i = 0;
    for (char *word = strtok_r(line, " \n", &save); word != NULL && i < units;
         word = strtok_r(NULL, " \n", &save), i++)
        sum += vector[i] ? strtod(word, NULL) : 0; /* "-": none */
    return sum;
}

static bool run(const struct core *core, const char *rounds, const struct insn *insns,
                struct loop l, struct cost *c)
{
    char line[1024];
    pid_t pid;
    FILE *out = start_model(core, rounds, insns, l, &pid);
    *c = (struct cost){0, 0};
    while (fgets(line, sizeof line, out) != NULL) {
        if (strncmp(line, "Total Cycles:", 13) == 0)
            c->cycles = strtod(line + 13, NULL);
        if (strncmp(line, "Resources:", 10) == 0)
            c->vector_uops = vector_pressure(out, line, sizeof line, core->pipes);
    }
    return finish(out, pid) && c->cycles > 0;
}

/* Cycles and vector instructions per element of a kernel; false where the model refuses. */
static bool model(const struct core *core, const struct kernel *k, const struct insn *insns,
                  size_t n, struct cost *sum)
{
    *sum = (struct cost){0, 0};
    for (int p = 0; p < MAX_PASSES && k->passes[p].function != NULL; p++) {
        const struct pass *pass = &k->passes[p];
        char function[TEXT];
        struct loop l;
        struct cost few, many;
        /* The only conversion in a name is the core's vector length. */
        const size_t fixed = strcspn(pass->function, "%");
        bool by_length = pass->function[fixed] != '\0';
        snprintf(function, sizeof function, "%.*s%.0u", (int)(fixed < 64 ? fixed : 64),
                 pass->function, by_length ? core->vector_bits : 0);
        if (!find(insns, n, function, &l))
            die("no loop in", function);
        if (!run(core, "100", insns, l, &few) || !run(core, "300", insns, l, &many))
            return false;
        double elems = pass->elems * (pass->grows ? core->vector_bits / 128 : 1);
        sum->cycles += (many.cycles - few.cycles) / 200 / elems;
        sum->vector_uops += many.vector_uops / elems;
    }
    return true;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void print_row(const struct core *core, const struct kernel *k, const char *level,
                      struct cost c, bool json)
{
    double vector = core->vector_bits / 8.0;
    double l1 = larger(k->in_bytes / core->loads, k->out_bytes / core->stores);
    l1 = larger(l1, (k->in_bytes + k->out_bytes) / core->loads) / vector;
    double pipes = c.vector_uops / core->pipes;
    char name[TEXT];
    snprintf(name, sizeof name, "%s_%s", k->name, level);
    if (json)
        printf("\n  {\"kernel\": \"%s\", \"target\": \"%s\", \"dim\": 0, \"unit\": \"elements\", "
               "\"cycles_per_elem\": %.4f, \"bytes_per_cycle\": %.2f, \"percent_of_l1\": %.1f, "
               "\"percent_of_pipes\": %.1f, \"percent_of_peak\": %.1f, \"vector_uops_per_elem\": "
               "%.3f}",
               name, core->name, c.cycles, (k->in_bytes + k->out_bytes) / c.cycles,
               100 * l1 / c.cycles, 100 * pipes / c.cycles, 100 * larger(l1, pipes) / c.cycles,
               c.vector_uops);
    else
        printf("%-29s %-12s %10.3f %7.1f %7.1f %7.1f %10.3f\n", name, core->name, c.cycles,
               (k->in_bytes + k->out_bytes) / c.cycles, 100 * l1 / c.cycles, 100 * pipes / c.cycles,
               c.vector_uops);
}

bool report_passes(const char *object, const struct insn *insns, size_t n, bool json, bool first,
                   const char *only)
{
    bool any = false;
    char level[16];
    if (!json)
        printf("%-29s %-12s %10s %7s %7s %7s %10s\n", "kernel", "core", "cycle/elem", "B/cycle",
               "% L1", "% pipes", "uops/elem");
    for (int k = 0; k < KERNELS; k++) {
        if (!is_of(object, kernels[k].file, level) || !present(&kernels[k], insns, n))
            continue;
        for (size_t c = 0; c < core_count; c++) {
            struct cost cost;
            if (only != NULL && strcmp(only, cores[c].name) != 0)
                continue;
            /* A64FX and V1 have no SVE2, whatever llvm-mca takes. */
            if (strcmp(level, "sve2") == 0 &&
                (strcmp(cores[c].name, "a64fx") == 0 || strcmp(cores[c].name, "neoverse-v1") == 0))
                continue;
            if (!model(&cores[c], &kernels[k], insns, n, &cost)) {
                fprintf(stderr, "loops: %s: no model for %s\n", kernels[k].name, cores[c].name);
                continue;
            }
            if (json && !(first && !any))
                printf(",");
            print_row(&cores[c], &kernels[k], level, cost, json);
            any = true;
        }
    }
    return any;
}
