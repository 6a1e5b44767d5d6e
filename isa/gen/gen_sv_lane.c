/* SPDX-License-Identifier: Apache-2.0 */
/* The vector unit's lane in SystemVerilog, composed from the lane expressions of tile.yaml.
 *
 * An instruction issues any cycle, whatever ran before it, and its result is due after its latency;
 * so a primitive that instructions use at different distances from their issue stands there once
 * for each distance. An instance is (primitive, stage): the stage counts cycles from issue. All
 * instructions that need that primitive at that stage share it. Primitives that take less than two
 * cycles are not worth the multiplexers of sharing: they stand where they are used. Registers
 * follow the logic of an instance, for a synthesiser to move into it; what is checked here is that
 * a row's latency, less the cycle that writes the register, is no less than its primitives take
 * together. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/expr.h"
#include "isa/gen/gen.h"
#include "isa/num/num.h"
#include "isa/num/tables.h"

enum {
    MAX_CALLS = 2 * TSR_MAX_NODES,
    MAX_INSTANCES = 256,
    MAX_STAGES = 256,
    OPERANDS = 3
};

/* ---- tables ------------------------------------------------------------------------------- */

static void put_table(FILE *out, const char *name, const struct num_segment *row, int n, int bits)
{
    fprintf(out,
            "\n  function automatic logic [95:0] %s_row(input logic [%d:0] i);\n    case (i)\n",
            name, bits - 1);
    for (int i = 0; i < n; i++)
        fprintf(out, "      %d'd%d: %s_row = 96'h%08" PRIx32 "_%08" PRIx32 "_%08" PRIx32 ";\n",
                bits, i, name, (uint32_t)row[i].c0, (uint32_t)row[i].c1, (uint32_t)row[i].c2);
    fprintf(out, "      default: %s_row = 96'd0;\n    endcase\n  endfunction\n", name);
}

void tsr_gen_tables(FILE *out)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// Constants {c0, c1, c2} of the elementary functions. Written by tessera-gen.\n"
                 "package tsr_table_pkg;\n");
    put_table(out, "exp2", num_exp2_table, 64, 6);
    put_table(out, "rcp", num_rcp_table, 128, 7);
    put_table(out, "rsqrt_even", num_rsqrt_even_table, 128, 7);
    put_table(out, "rsqrt_odd", num_rsqrt_odd_table, 128, 7);
    put_table(out, "log2", num_log2_table, 128, 7);
    fprintf(out, "\nendpackage\n");
}

/* ---- primitives --------------------------------------------------------------------------- */

/* Primitives of two roundings are two in a row. */
static const struct {
    const char *name, *first, *second;
} chains[] = {
    {"fma", "mul", "add"}, {"add3", "add", "add"}, {"min3", "min", "min"}, {"max3", "max", "max"}};

/* Time of a primitive in eighths of a cycle of 25 to 30 FO4: assumed. */
enum {
    CYCLE = 8,
    LOGIC = 1,
    SHARED = 2 * CYCLE /* from here on */
};
static const struct {
    int time;
    const char *primitives;
} times[] = {
    {2, " ieq ine shl shr sra "},
    {3, " iadd isub exponent lt le eq ne gt ge ilt ile igt ige maxmag "},
    {4, " min max imin imax "},
    {8, " scale2_odd "},
    {9, " scale2 "},
    {16, " floor ceil rint cvt_f32_i32 cvt_i32_f32 scale_e4m3 scale_f16 scale_bf16 scale_f32 "},
    {20, " add sub mul imul "},
    {36, " exp2 log2 rcp rsqrt "},
    {104, " div "},
};

static int time_of(const char *primitive)
{
    char word[24];
    snprintf(word, sizeof word, " %s ", primitive);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (strstr(times[i].primitives, word) != NULL)
            return times[i].time;
    return LOGIC;
}

static int stage_of(int time)
{
    return (time + CYCLE - 1) / CYCLE;
}

static int arity_of(const char *primitive)
{
    int i = tsr_num_primitive_find(primitive);
    assert(i >= 0);
    return tsr_num_primitives[i].operands;
}

void tsr_gen_primitives(FILE *out)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// One module per lane primitive: d_o where on_i, else 0. Written by "
                 "tessera-gen.\n"
                 "/* verilator lint_off DECLFILENAME */\n");
    for (const struct tsr_num_primitive *p = tsr_num_primitives; p->fn != NULL; p++) {
        bool chain = false;
        for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
            chain |= strcmp(chains[i].name, p->name) == 0;
        if (chain)
            continue;
        fprintf(out, "\nmodule tsr_prim_%s (\n  input  logic on_i,\n", p->name);
        for (int i = 0; i < p->operands; i++)
            fprintf(out, "  input  logic [31:0] %c_i,\n", 'a' + i);
        fprintf(out,
                "  output logic [31:0] d_o\n);\n  always_comb begin\n    d_o = 32'd0;\n"
                "    if (on_i) d_o = tsr_prim_pkg::prim_%s(",
                p->name);
        for (int i = 0; i < p->operands; i++)
            fprintf(out, "%s%c_i", i ? ", " : "", 'a' + i);
        fprintf(out, ");\n  end\nendmodule\n");
    }
}

/* ---- the plan of a lane --------------------------------------------------------------------- */

struct source {
    enum {
        OPERAND,
        CONSTANT,
        CALL
    } kind;
    uint32_t value; /* which of a, b, c; the bits; index of the call */
};

struct call {
    int instance; /* -1: its logic stands where its value is used */
    char primitive[16];
    struct source source[OPERANDS];
    int sources;
    int done; /* when its value is there, in eighths of a cycle from issue */
};

struct plan {
    const struct tsr_op *op;
    struct call call[MAX_CALLS];
    int n_calls, latency;
    struct source root;
};

struct instance {
    char primitive[16];
    int stage, arity;
    int kept; /* longest time its value is used after its start */
};

struct lane {
    const struct tsr_isa *isa;
    struct plan *plan;
    int n_plans, n_instances, stages;
    struct instance instance[MAX_INSTANCES];
    int operand_kept[OPERANDS]; /* last stage at which a, b, c is used */
};

static int ready(const struct plan *p, struct source s)
{
    return s.kind == CALL ? p->call[s.value].done : 0;
}

static int find_instance(struct lane *l, const char *primitive, int stage)
{
    for (int i = 0; i < l->n_instances; i++)
        if (l->instance[i].stage == stage && strcmp(l->instance[i].primitive, primitive) == 0)
            return i;
    struct instance *n = &l->instance[l->n_instances];
    if (l->n_instances == MAX_INSTANCES)
        return -1;
    snprintf(n->primitive, sizeof n->primitive, "%s", primitive);
    n->stage = stage;
    n->arity = arity_of(primitive);
    n->kept = 1;
    return l->n_instances++;
}

/* The value is wanted at `stage`. */
static void use(struct lane *l, const struct plan *p, struct source s, int stage)
{
    if (s.kind == OPERAND && l->operand_kept[s.value] < stage)
        l->operand_kept[s.value] = stage;
    if (s.kind != CALL)
        return;
    const struct call *c = &p->call[s.value];
    for (int i = 0; c->instance < 0 && i < c->sources; i++)
        use(l, p, c->source[i], stage);
    if (c->instance >= 0) {
        struct instance *n = &l->instance[c->instance];
        if (n->kept < stage - n->stage)
            n->kept = stage - n->stage;
    }
}

static struct source add_call(struct lane *l, struct plan *p, const char *primitive,
                              const struct source *s, int n)
{
    struct call *c = &p->call[p->n_calls];
    int start = 0;
    bool shared = time_of(primitive) >= SHARED;
    for (int i = 0; i < n; i++) {
        c->source[i] = s[i];
        start = ready(p, s[i]) > start ? ready(p, s[i]) : start;
    }
    snprintf(c->primitive, sizeof c->primitive, "%s", primitive);
    c->sources = n;
    if (shared)
        start = CYCLE * stage_of(start);
    c->instance = shared ? find_instance(l, primitive, start / CYCLE) : -1;
    if ((shared && c->instance < 0) || p->n_calls + 1 == MAX_CALLS) {
        fprintf(stderr, "tessera-gen: row %s: too many primitives\n", p->op->mnemonic);
        exit(1);
    }
    c->done = start + time_of(primitive);
    for (int i = 0; shared && i < n; i++)
        use(l, p, s[i], start / CYCLE);
    return (struct source){CALL, (uint32_t)p->n_calls++};
}

static struct source add_primitive(struct lane *l, struct plan *p, const char *name,
                                   const struct source *s, int n)
{
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++)
        if (strcmp(chains[i].name, name) == 0) {
            struct source step[2] = {add_call(l, p, chains[i].first, s, 2), s[2]};
            return add_call(l, p, chains[i].second, step, 2);
        }
    return add_call(l, p, name, s, n);
}

/* Operands of lane rows are named d (the result), a, b, c. */
static void plan_row(struct lane *l, const struct tsr_op *op)
{
    struct plan *p = &l->plan[l->n_plans++];
    struct source stack[TSR_MAX_NODES];
    int top = 0;
    p->op = op;
    p->latency = (int)tsr_expr_eval(&op->latency, TSR_EXPR_CYCLES, l->isa, NULL, NULL);
    for (int i = 0; i < op->lanes.n; i++) {
        const struct tsr_node *n = &op->lanes.node[i];
        if (n->kind == TSR_NODE_CALL) {
            top -= n->arity;
            stack[top] =
                add_primitive(l, p, tsr_num_primitives[n->index].name, stack + top, n->arity);
            top++;
        } else if (n->kind == TSR_NODE_OPERAND) {
            uint32_t letter = (uint32_t)(op->operand[n->index].name[0] - 'a');
            assert(letter < OPERANDS);
            stack[top++] = (struct source){OPERAND, letter};
        } else {
            stack[top++] = (struct source){CONSTANT, (uint32_t)n->value};
        }
    }
    assert(top == 1);
    p->root = stack[0];
    if (ready(p, p->root) > CYCLE * (p->latency - 1)) {
        fprintf(stderr, "tessera-gen: row %s: latency %d, its primitives take %d\n", op->mnemonic,
                p->latency, stage_of(ready(p, p->root)) + 1);
        exit(1);
    }
    use(l, p, p->root, p->latency - 1);
    if (l->stages < p->latency)
        l->stages = p->latency;
}

/* ---- the lane as text ------------------------------------------------------------------------ */

static void put_source(FILE *out, const struct lane *l, const struct plan *p, struct source s,
                       int stage)
{
    if (s.kind == OPERAND) {
        fprintf(out, "%c_s%d", 'a' + (int)s.value, stage);
        return;
    }
    if (s.kind == CONSTANT) {
        fprintf(out, "32'h%08" PRIx32, s.value);
        return;
    }
    const struct call *c = &p->call[s.value];
    if (c->instance >= 0) {
        const struct instance *n = &l->instance[c->instance];
        fprintf(out, "%s_s%d_q%d", n->primitive, n->stage, stage - n->stage);
        return;
    }
    fprintf(out, "tsr_prim_pkg::prim_%s(", c->primitive);
    for (int i = 0; i < c->sources; i++) {
        fprintf(out, "%s", i ? ", " : "");
        put_source(out, l, p, c->source[i], stage);
    }
    fprintf(out, ")");
}

/* x_s0 .. x_s<last>: a value and its delays. */
static void put_delays(FILE *out, const char *type, const char *name, const char *suffix, int first,
                       int last)
{
    fprintf(out, "  %s %s%s%d", type, name, suffix, first);
    for (int s = first + 1; s <= last; s++)
        fprintf(out, ", %s%s%d", name, suffix, s);
    fprintf(out, ";\n");
    if (last == first)
        return;
    fprintf(out, "  always_ff @(posedge clk_i) if (en_i) begin\n");
    for (int s = first + 1; s <= last; s++)
        fprintf(out, "    %s%s%d <= %s%s%d;\n", name, suffix, s, name, suffix, s - 1);
    fprintf(out, "  end\n");
}

static void put_instance(FILE *out, const struct lane *l, int index)
{
    const struct instance *n = &l->instance[index];
    char name[32], upper[32];
    snprintf(name, sizeof name, "%s_s%d", n->primitive, n->stage);
    fprintf(out, "\n  logic [31:0] ");
    for (int i = 0; i < n->arity; i++)
        fprintf(out, "%s_%c, ", name, 'a' + i);
    fprintf(out, "%s_d;\n  logic %s_on;\n  always_comb begin\n    %s_on = 1'b1;\n", name, name,
            name);
    for (int i = 0; i < n->arity; i++)
        fprintf(out, "    %s_%c = 32'd0;\n", name, 'a' + i);
    fprintf(out, "    case (op_s%d)\n", n->stage);
    for (int i = 0; i < l->n_plans; i++)
        for (int k = 0; k < l->plan[i].n_calls; k++) {
            const struct plan *p = &l->plan[i];
            if (p->call[k].instance != index)
                continue;
            fprintf(out, "      tsr_isa_pkg::TVP_%s: begin\n",
                    tsr_gen_upper(p->op->mnemonic, upper, sizeof upper));
            for (int o = 0; o < n->arity; o++) {
                fprintf(out, "        %s_%c = ", name, 'a' + o);
                put_source(out, l, p, p->call[k].source[o], n->stage);
                fprintf(out, ";\n");
            }
            fprintf(out, "      end\n");
        }
    fprintf(out,
            "      default: %s_on = 1'b0;\n    endcase\n  end\n  tsr_prim_%s u_%s (.on_i(%s_on), ",
            name, n->primitive, name, name);
    for (int i = 0; i < n->arity; i++)
        fprintf(out, ".%c_i(%s_%c), ", 'a' + i, name, 'a' + i);
    fprintf(out, ".d_o(%s_d));\n  logic [31:0] %s_q0;\n  assign %s_q0 = %s_d;\n", name, name, name,
            name);
    char q[36];
    snprintf(q, sizeof q, "%s_q", name);
    fprintf(out, "  logic [31:0] %s1", q);
    for (int s = 2; s <= n->kept; s++)
        fprintf(out, ", %s%d", q, s);
    fprintf(out, ";\n  always_ff @(posedge clk_i) if (en_i) begin\n");
    for (int s = 1; s <= n->kept; s++)
        fprintf(out, "    %s%d <= %s%d;\n", q, s, q, s - 1);
    fprintf(out, "  end\n");
}

static bool has_latency(const struct lane *l, int latency)
{
    for (int i = 0; i < l->n_plans; i++)
        if (l->plan[i].latency == latency)
            return true;
    return false;
}

static void put_result(FILE *out, const struct lane *l, int latency)
{
    char upper[32];
    fprintf(out, "\n  always_comb begin\n    d%d_o = 32'd0;\n    case (op_s%d)\n", latency,
            latency - 1);
    for (int i = 0; i < l->n_plans; i++) {
        const struct plan *p = &l->plan[i];
        if (p->latency != latency)
            continue;
        fprintf(out, "      tsr_isa_pkg::TVP_%s: d%d_o = ",
                tsr_gen_upper(p->op->mnemonic, upper, sizeof upper), latency);
        put_source(out, l, p, p->root, latency - 1);
        fprintf(out, ";\n");
    }
    fprintf(out, "      default: ;\n    endcase\n  end\n");
}

static void put_lane(FILE *out, const struct lane *l)
{
    fprintf(out, "// SPDX-License-Identifier: Apache-2.0\n"
                 "// A vector lane: the rows of tile.yaml with a lane expression. Written by "
                 "tessera-gen.\n"
                 "// d<L>_o: the result of the instruction of latency L that issued L - 1 cycles "
                 "ago.\n"
                 "module tsr_lane (\n  input  logic clk_i,\n"
                 "  input  logic en_i, // from an issue until its result\n"
                 "  input  tsr_isa_pkg::tvp_op_e op_i, // issued in this cycle; no lane row: none\n"
                 "  input  logic [31:0] a_i,\n  input  logic [31:0] b_i,\n"
                 "  input  logic [31:0] c_i");
    for (int s = 1; s <= l->stages; s++)
        if (has_latency(l, s))
            fprintf(out, ",\n  output logic [31:0] d%d_o", s);
    fprintf(out, "\n);\n");
    put_delays(out, "tsr_isa_pkg::tvp_op_e", "op", "_s", 0, l->stages - 1);
    fprintf(out, "  assign op_s0 = op_i;\n");
    for (int i = 0; i < OPERANDS; i++) {
        char name[2] = {(char)('a' + i), 0};
        put_delays(out, "logic [31:0]", name, "_s", 0, l->operand_kept[i]);
        fprintf(out, "  assign %s_s0 = %s_i;\n", name, name);
    }
    for (int i = 0; i < l->n_instances; i++)
        put_instance(out, l, i);
    for (int s = 1; s <= l->stages; s++)
        if (has_latency(l, s))
            put_result(out, l, s);
    fprintf(out, "\nendmodule\n");
}

void tsr_gen_lane(FILE *out, const struct tsr_isa *isa)
{
    struct lane *l = calloc(1, sizeof *l);
    if (l != NULL)
        l->plan = calloc(isa->n_ops, sizeof *l->plan);
    if (l == NULL || l->plan == NULL) {
        fprintf(stderr, "tessera-gen: out of memory\n");
        exit(1);
    }
    l->isa = isa;
    for (int i = 0; i < isa->n_ops; i++)
        if (isa->ops[i].stream == TSR_STREAM_TVP && isa->ops[i].lanes.n > 0)
            plan_row(l, &isa->ops[i]);
    put_lane(out, l);
    free(l->plan);
    free(l);
}
