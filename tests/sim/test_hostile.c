/* SPDX-License-Identifier: Apache-2.0 */
/* Random legal programs, sensible and senseless: no crash, no hang, the same in every mode.
 * labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/isa_random.h"
#include "tests/support/sim_rig.h"

enum {
    LIMIT = 6000,
    WINDOW = 8192, /* bytes of HBM and CSRAM that are compared */
};

static int64_t pick(uint64_t *s, const int64_t *from, size_t n)
{
    return from[tsr_test_random_below(s, n)];
}

/* A register value that an instruction may like: a count, a size, an address, now and then any. */
static int64_t sensible(uint64_t *s)
{
    static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 33, 64, 100};
    static const int64_t masks[] = {1, 2, 3, 15, 5, 0x8000, -1};
    static const int64_t odd[] = {
        INT64_MAX,     INT64_MIN,        -1,           -4, 1 << 24, INT64_C(1) << 32,
        INT64_MAX - 3, INT64_C(1) << 62, (1 << 24) - 1};
    switch (tsr_test_random_below(s, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return pick(s, counts, sizeof counts / sizeof *counts);
    case 5:
    case 6:
        return 32 * (int64_t)tsr_test_random_below(s, 100);
    case 7:
        return (int64_t)tsr_test_random_below(s, 70000);
    case 8:
        return (int64_t)TSR_HBM(tsr_test_random_below(s, WINDOW));
    case 9:
        return (int64_t)TSR_CSRAM(0, tsr_test_random_below(s, WINDOW));
    case 10:
        return pick(s, masks, sizeof masks / sizeof *masks);
    default:
        return pick(s, odd, sizeof odd / sizeof *odd);
    }
}

static struct tsr_word encode(const struct tsr_insn *in)
{
    struct tsr_word w;
    struct tsr_error err = {0};
    if (tsr_encode(in, &w, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return w;
}

static struct tsr_word load_immediate(const struct tsr_isa *isa, unsigned reg, int64_t v)
{
    struct tsr_insn in = {.op = tsr_isa_find(isa, TSR_STREAM_TCP, "li")};
    in.v[tsr_op_operand(in.op, "d")] = reg;
    in.v[tsr_op_operand(in.op, "imm")] = v;
    return encode(&in);
}

/* Most waits go, the others ask for little; the semaphore's consumer is mostly this queue. */
static void tame(struct tsr_program *p, struct tsr_insn *in, uint64_t *s)
{
    int ch = tsr_op_operand(in->op, "ch");
    for (int i = 0; i < in->op->n_operands; i++) {
        enum tsr_operand_kind k = in->op->operand[i].kind;
        if (k == TSR_KIND_WAIT && tsr_test_random_below(s, 10) != 0) {
            in->v[i] = 0;
        } else if (k == TSR_KIND_WAIT) {
            int64_t id = (int64_t)tsr_test_random_below(s, 8);
            in->v[i] = id | 1 << 6;
            if (tsr_test_random_below(s, 8) != 0)
                p->consumer[id] = (uint8_t)(in->op->unit == TSR_UNIT_TDMA ? TSR_Q_DMA0 + in->v[ch]
                                                                          : (int64_t)in->op->unit);
        } else if (k == TSR_KIND_POST && in->v[i]) {
            in->v[i] = (int64_t)tsr_test_random_below(s, 8) | 1 << 6;
        } else if (k == TSR_KIND_SIMM && in->op->operand[i].width == 32) {
            in->v[i] = 4 * (int64_t)tsr_test_random_below(s, 20);
        }
    }
}

static bool is_exec(const struct tsr_insn *in, const char *name)
{
    return strcmp(in->op->exec, name) == 0;
}

static struct tsr_insn random_insn(const struct tsr_isa *isa, enum tsr_stream stream, uint64_t *s,
                                   uint32_t at, uint32_t n, uint32_t routines)
{
    const struct tsr_op *op;
    do
        op = &isa->ops[tsr_test_random_below(s, isa->n_ops)];
    while (op->stream != stream || (op->unit == TSR_UNIT_TCP && op->stream == TSR_STREAM_TCP &&
                                    tsr_test_random_below(s, 3)));
    struct tsr_insn in = tsr_test_insn(op, s, n, routines);
    for (int i = 0; i < op->n_operands; i++) /* forward, mostly */
        if (op->operand[i].kind == TSR_KIND_LABEL && op->unit != TSR_UNIT_TVP &&
            tsr_test_random_below(s, 8) != 0)
            in.v[i] = (int64_t)(at + 1 + tsr_test_random_below(s, n - at));
    return in;
}

/* Which registers hold what the operand of this name wants; see fill_registers. */
struct wish {
    const char *names;
    uint8_t first, n;
};
enum {
    COUNT = 1,
    NEAR = 9,
    STRIDE = 15,
    FAR = 17,
    MASK = 22,
    LENGTH = 23,
    ACC = 24,
    CONTROL = 25,
    FREE = 26,
    REGS = 31
};
static const struct wish wishes[] = {
    {"m n k n1 n2 rows cols", COUNT, 8},
    {"as bs ds ss ss1 ds1 ss2 ds2", STRIDE, 2},
    {"a b e bias r0 r1 r2 r3 r4", NEAR, 6},
    {"c", ACC, 1},
    {"mask", MASK, 1},
    {"len", LENGTH, 1},
    {"idx", CONTROL, 1},
    {"n3 ss3 ds3 asc bsc", 0, 1},
};

static int64_t wished(const struct tsr_insn *in, const char *name, uint64_t *s)
{
    const char *exec = in->op->exec;
    bool to = strcmp(name, "dst") == 0, from = strcmp(name, "src") == 0;
    if (to && strcmp(exec, "to_control") == 0)
        return CONTROL;
    if ((to && strcmp(exec, "scatter") == 0) || (from && strcmp(exec, "gather") == 0) ||
        ((to || from) && strcmp(exec, "copy") == 0 && tsr_test_random_below(s, 2)))
        return FAR + (int64_t)tsr_test_random_below(s, 5);
    if (to || from)
        return NEAR + (int64_t)tsr_test_random_below(s, 6);
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        const char *at = strstr(wishes[i].names, name);
        size_t n = strlen(name);
        if (at && (at == wishes[i].names || at[-1] == ' ') && (at[n] == ' ' || at[n] == 0))
            return wishes[i].first + (int64_t)tsr_test_random_below(s, wishes[i].n);
    }
    return FREE;
}

/* Operands of unit instructions mostly as their names wish; TCP words write free registers only. */
static void choose_registers(struct tsr_insn *in, uint64_t *s)
{
    bool unit = in->op->unit != TSR_UNIT_TCP,
         memory = strncmp(in->op->exec, "load", 4) == 0 || strncmp(in->op->exec, "store", 5) == 0;
    int af = tsr_op_operand(in->op, "af"), bf = tsr_op_operand(in->op, "bf");
    for (int i = 0; i < in->op->n_operands; i++) {
        const struct tsr_operand *o = &in->op->operand[i];
        if (o->kind != TSR_KIND_XREG)
            continue;
        if (strcmp(o->name, "d") == 0)
            in->v[i] = FREE + (int64_t)tsr_test_random_below(s, 5);
        else if (memory && strcmp(o->name, "a") == 0)
            in->v[i] = CONTROL;
        else if (strcmp(in->op->exec, "loop") == 0)
            in->v[i] = COUNT + (int64_t)tsr_test_random_below(s, 8);
        else if (unit && tsr_test_random_below(s, 100) != 0)
            in->v[i] = wished(in, o->name, s);
    }
    if (af >= 0 && tsr_test_random_below(s, 30) != 0)
        in->v[bf] = in->v[af];
    int mc = tsr_op_operand(in->op, "mc");
    if (mc >= 0 && in->v[mc])
        in->v[tsr_op_operand(in->op, "dst")] = NEAR;
}

static int64_t register_value(unsigned reg, uint32_t tiles, uint64_t *s)
{
    static const int64_t counts[] = {1, 2, 4, 8, 3, 5, 7, 6};
    if (reg == 0)
        return 0;
    if (reg < NEAR)
        return counts[reg - COUNT];
    if (reg < STRIDE)
        return 32 * (int64_t)tsr_test_random_below(s, 1500);
    if (reg < FAR)
        return 32 << (reg - STRIDE);
    if (reg < FAR + 3)
        return (int64_t)TSR_HBM(tsr_test_random_below(s, WINDOW) & ~31u);
    if (reg < MASK)
        return (int64_t)TSR_CSRAM(0, tsr_test_random_below(s, WINDOW) & ~31u);
    if (reg == MASK)
        return 1 + (int64_t)tsr_test_random_below(s, (1u << tiles) - 1);
    if (reg == LENGTH)
        return (int64_t)tsr_test_random_below(s, 400);
    if (reg == ACC)
        return 256 * (int64_t)tsr_test_random_below(s, 7);
    if (reg == CONTROL)
        return 8 * (int64_t)tsr_test_random_below(s, 100);
    return sensible(s);
}

/* A unit's word is followed by a wait of the TCP for its end. */
static uint32_t serialize(const struct tsr_isa *isa, struct tsr_program *p, struct tsr_insn *in,
                          uint32_t at)
{
    struct tsr_insn wait = {.op = tsr_isa_find(isa, TSR_STREAM_TCP, "wait")};
    for (int i = 0; i < in->op->n_operands; i++)
        if (in->op->operand[i].kind == TSR_KIND_WAIT)
            in->v[i] = 0;
    in->v[tsr_op_operand(in->op, "p0")] = 8 | 1 << 6;
    p->consumer[8] = TSR_Q_TCP;
    p->tcp[at] = encode(in);
    wait.v[tsr_op_operand(wait.op, "w0")] = 8 | 1 << 6;
    p->tcp[at + 1] = encode(&wait);
    return at + 2;
}

static void random_routines(const struct tsr_isa *isa, struct tsr_program *p, uint32_t words,
                            uint64_t *s)
{
    for (uint32_t i = 0; i < p->n_tvp; i++) {
        struct tsr_insn in = random_insn(isa, TSR_STREAM_TVP, s, i, p->n_tvp, 0);
        int imm = tsr_op_operand(in.op, "imm");
        if (i % words == words - 1)
            in = (struct tsr_insn){.op = tsr_isa_find(isa, TSR_STREAM_TVP, "vret")};
        else if (imm >= 0 && in.op->operand[imm].kind == TSR_KIND_SIMM)
            in.v[imm] = 32 * (int64_t)tsr_test_random_below(s, 50);
        else
            tame(p, &in, s);
        p->tvp[i] = encode(&in).w[0];
    }
}

/* Registers first, then random words, then halt; a few routines that end. Of three programs two
 * let no two units work at a time, so that most of them are free of races. */
static struct tsr_program sensible_program(const struct tsr_isa *isa, uint32_t tiles, uint64_t *s)
{
    uint32_t body = 2 + (uint32_t)tsr_test_random_below(s, 20), at = REGS;
    bool serial = tsr_test_random_below(s, 3) != 0;
    struct tsr_program p = {.isa_major = isa->major, .isa_digest = isa->digest};
    memset(p.consumer, 0xFF, sizeof p.consumer);
    p.tiles = serial ? 1 : 1 + (uint32_t)tsr_test_random_below(s, tiles);
    p.n_tcp = REGS + 2 * body + 1;
    p.n_tvp = 32;
    p.tcp = calloc(p.n_tcp, sizeof *p.tcp);
    p.tvp = calloc(p.n_tvp, sizeof *p.tvp);
    assert_true(p.tcp != NULL && p.tvp != NULL);
    for (uint32_t i = 0; i < REGS; i++)
        p.tcp[i] = load_immediate(isa, i, register_value(i, tiles, s));
    while (at < p.n_tcp - 2) {
        struct tsr_insn in = random_insn(isa, TSR_STREAM_TCP, s, at, p.n_tcp - 1, 32);
        if (is_exec(&in, "halt") && tsr_test_random_below(s, 8))
            continue;
        tame(&p, &in, s);
        choose_registers(&in, s);
        if (serial && is_exec(&in, "wait"))
            continue;
        if (serial && in.op->unit != TSR_UNIT_TCP)
            at = serialize(isa, &p, &in, at);
        else
            p.tcp[at++] = encode(&in);
    }
    for (; at < p.n_tcp; at++)
        p.tcp[at] = encode(&(struct tsr_insn){.op = tsr_isa_find(isa, TSR_STREAM_TCP, "halt")});
    random_routines(isa, &p, 8, s);
    return p;
}

static void supply(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        words[i] = (tile * 7 + call * 3 + i) % 50;
}

struct outcome {
    enum tsr_status status;
    struct tsr_stats stats;
    struct tsr_fault fault;
    struct sim_retired *log;
    size_t n_log;
    uint8_t hbm[2 * WINDOW], csram[2 * WINDOW];
};

static void run(struct sim_rig *r, enum tsr_mode mode, const uint8_t *data, struct outcome *o)
{
    sim_fresh(r);
    sim_put(r, TSR_HBM(0), data, 2 * WINDOW);
    sim_put(r, TSR_CSRAM(0, 0), data + 100, WINDOW);
    o->status = sim_run(r, mode);
    if (o->status == TSR_INTERNAL)
        fail_msg("%s", r->err.message);
    o->stats = r->stats;
    o->fault = r->fault;
    o->log = malloc((r->n_log + 1) * sizeof *o->log);
    assert_non_null(o->log);
    if (r->n_log > 0)
        memcpy(o->log, r->log, r->n_log * sizeof *o->log);
    o->n_log = r->n_log;
    sim_get(r, TSR_HBM(0), o->hbm, sizeof o->hbm);
    sim_get(r, TSR_CSRAM(0, 0), o->csram, sizeof o->csram);
}

/* Full and timing-only runs are the same run but for values. */
static void same_run(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->status, b->status);
    if (a->fault.kind != b->fault.kind || strcmp(a->fault.text, b->fault.text) != 0)
        fail_msg("\"%s\" and \"%s\"", a->fault.text, b->fault.text);
    assert_int_equal(a->fault.cycle, b->fault.cycle);
    assert_int_equal(a->fault.pc, b->fault.pc);
    assert_memory_equal(&a->stats, &b->stats, sizeof a->stats);
    assert_int_equal(a->n_log, b->n_log);
    assert_memory_equal(a->log, b->log, a->n_log * sizeof *a->log);
}

/* Runs the loaded program in all modes; counts what came of it. */
static void all_modes(struct sim_rig *r, const uint8_t *data, unsigned *ok, unsigned *kinds)
{
    static struct outcome full, timing, functional;
    struct tsr_trace *trace = tsr_trace_new();
    struct tsr_control_source source = {.fill = supply};
    r->opt.sources = &source;
    r->opt.n_sources = 0;
    r->opt.record = trace;
    r->opt.replay = NULL;
    r->opt.check_races = true;
    run(r, TSR_MODE_FULL, data, &full);
    *ok += full.status == TSR_OK;
    kinds[full.fault.kind]++;
    r->opt.record = NULL;
    if (full.fault.kind != TSR_FAULT_RACE) {
        r->opt.replay = trace;
        run(r, TSR_MODE_TIMING, data, &timing);
        r->opt.replay = NULL;
        same_run(&full, &timing);
        free(timing.log);
    }
    run(r, TSR_MODE_FUNCTIONAL, data, &functional);
    /* Which of several posters' posts a wait consumes depends on their order: a run without time
     * may meet a race that the full run did not. */
    if (full.status == TSR_OK && functional.fault.kind != TSR_FAULT_RACE) {
        if (functional.status != TSR_OK)
            fail_msg("functional only: %s", r->err.message);
        assert_memory_equal(full.hbm, functional.hbm, sizeof full.hbm);
        assert_memory_equal(full.csram, functional.csram, sizeof full.csram);
        assert_int_equal(full.stats.macs, functional.stats.macs);
        assert_memory_equal(full.stats.instructions + 1, functional.stats.instructions + 1,
                            sizeof full.stats.instructions - sizeof full.stats.instructions[0]);
    }
    free(full.log);
    free(functional.log);
    tsr_trace_free(trace);
}

static void random_programs(const char *chip, const char *what, uint64_t seed, unsigned n,
                            bool senseless)
{
    struct sim_rig r;
    uint8_t *data = malloc(2 * WINDOW + 100);
    unsigned ok = 0, kinds[TSR_FAULT_KINDS] = {0};
    assert_non_null(data);
    uint64_t s = tsr_test_seed(what, seed);
    if (tsr_test_nightly())
        n *= 20;
    sim_open(&r, chip);
    r.opt.limit_cycles = LIMIT;
    for (int i = 0; i < 2 * WINDOW + 100; i++)
        data[i] = (uint8_t)(tsr_test_random(&s) % 60);
    for (unsigned i = 0; i < n; i++) {
        uint64_t one = s;
        if (r.loaded)
            tsr_program_free(&r.program);
        r.program = senseless ? tsr_test_program_random(r.isa, &s, 30)
                              : sensible_program(r.isa, tsr_chip_tiles(&r.chip), &s);
        r.loaded = true;
        if (getenv("TESSERA_SIM_SHOW"))
            printf("%s program %u state %llu\n", what, i, (unsigned long long)one), fflush(stdout);
        all_modes(&r, data, &ok, kinds);
    }
    printf("%s: %u programs ended well;", what, ok);
    for (int k = 1; k < TSR_FAULT_KINDS; k++)
        printf(" %s %u", tsr_fault_name[k], kinds[k]);
    printf("\n");
    if (!senseless)
        assert_true(ok > n / 10);
    free(data);
    sim_close(&r);
}

static void test_random_programs_agree_in_all_modes_on_micro4(void **state)
{
    (void)state;
    random_programs("micro4", "sensible programs on micro4", 20, 300, false);
}

static void test_random_programs_agree_in_all_modes_on_micro(void **state)
{
    (void)state;
    random_programs("micro", "sensible programs on micro", 21, 150, false);
}

static void test_random_words_never_crash(void **state)
{
    (void)state;
    random_programs("micro4", "senseless programs on micro4", 22, 150, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_programs_agree_in_all_modes_on_micro4),
        cmocka_unit_test(test_random_programs_agree_in_all_modes_on_micro),
        cmocka_unit_test(test_random_words_never_crash),
    };
    return cmocka_run_group_tests_name("sim.hostile", tests, NULL, NULL);
}
