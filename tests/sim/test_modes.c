/* SPDX-License-Identifier: Apache-2.0 */
/* Full, timing-only and functional runs of one program; control data by record, replay and source;
 * statistics; two runs alike. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

/* Reads A, multiplies it by itself, drains, doubles in the vector unit, writes C; gathers by a list
 * that comes from the data. x1: this tile's offset. */
static const char program[] =
    ".tiles %u\n.sem 1 ttu\n.sem 2 acc\n.sem 3 tvp\n.sem 4 dma1\n.sem 5 tcp\n.sem 6 dma2\n"
    ".routine twice\nvloop a1, e\nvld v1, a0, f32\nvadd v1, v1, v1\nvst v1, a0, f32, 32\n"
    "e: vret\n.end\n"
    "%s"
    "li x2, hbm:0\nadd x2, x2, x1\nli x3, 512\nli x4, 32\nli x5, 16\nli x6, 8\nli x7, 4096\n"
    "li x8, hbm:0x20000\nadd x8, x8, x1\nli x9, 1024\nli x10, 64\nli x11, 12288\nli x12, 20480\n"
    "li x13, 4\nli x14, 0x40\nli x15, hbm:0x40000\nadd x15, x15, x1\n"
    "li x16, 3\nloop x16, again\n"
    "copy ch=0, dst=x0, src=x2, len=x3, p0=s1, p1=s6\n"
    "mma a=x0, as=x4, b=x0, bs=x4, m=x5, n=x5, k=x6, c=x0, af=bf16, bf=bf16, w0=s1, p0=s2, p1=s5\n"
    "drain dst=x7, ds=x10, m=x5, n=x5, c=x0, fmt=f32, w0=s2, p0=s3\n"
    "vcall twice, x7, x4 wait(s3) post(s4)\n"
    "copy ch=1, dst=x8, src=x7, len=x9, w0=s4, p0=s5\n"
    "to_control ch=2, dst=x14, src=x0, n=x13, id=7, w0=s6, p0=s5\n"
    "wait wait(s5*3)\n"
    "lw x17, x14\nandi x17, x17, 31\nsw x17, x14\nsw x0, x14, 4\nsw x16, x14, 8\nsw x0, x14, 12\n"
    "gather ch=3, dst=x11, src=x2, len=x10, idx=x14, n=x13, ss=x10, ds=x10, p0=s5\n"
    "wait wait(s5)\n"
    "copy ch=3, dst=x15, src=x11, len=x9, p0=s5\nwait wait(s5)\n"
    "again: halt\n";

static uint8_t image[1 << 16];

static void open(struct sim_rig *r, const char *chip, uint32_t tiles)
{
    char args[64 * 32] = "";
    uint64_t seed = 3;
    sim_open(r, chip);
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)(i % 2 ? 0x3F : tsr_test_random(&seed) & 0x7F);
    sim_put(r, TSR_HBM(0), image, sizeof image);
    for (uint32_t t = 0; t < tiles; t++) {
        char one[32];
        snprintf(one, sizeof one, ".arg %u x1 %u\n", t, t * 2048);
        strcat(args, one);
    }
    sim_loadf(r, program, tiles, args);
}

static const struct {
    const char *chip;
    uint32_t tiles;
} chips[] = {{"micro", 1}, {"micro4", 4}, {"maia100", 20}};

struct result {
    struct tsr_stats stats;
    struct sim_retired *log;
    size_t n_log;
    uint8_t *memory;
};
enum {
    MEMORY = 1 << 17
};

static struct result run(struct sim_rig *r, enum tsr_mode mode)
{
    struct result x = {.memory = malloc(MEMORY)};
    assert_non_null(x.memory);
    memset(x.memory, 0, MEMORY);
    for (uint64_t at = 0x20000; at < 0x60000; at += MEMORY)
        sim_put(r, TSR_HBM(at), x.memory, MEMORY);
    if (sim_run(r, mode) != TSR_OK)
        fail_msg("%s", r->err.message);
    sim_get(r, TSR_HBM(0x20000), x.memory, MEMORY / 2);
    sim_get(r, TSR_HBM(0x40000), x.memory + MEMORY / 2, MEMORY / 2);
    x.stats = r->stats;
    x.n_log = r->n_log;
    x.log = malloc((x.n_log + 1) * sizeof *x.log);
    assert_non_null(x.log);
    memcpy(x.log, r->log, x.n_log * sizeof *x.log);
    return x;
}

static void drop(struct result *x)
{
    free(x->log);
    free(x->memory);
}

static void same_times(const struct result *a, const struct result *b)
{
    assert_memory_equal(&a->stats, &b->stats, sizeof a->stats);
    assert_int_equal(a->n_log, b->n_log);
    assert_memory_equal(a->log, b->log, a->n_log * sizeof *a->log);
}

static void test_modes_agree_on_every_chip(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof chips / sizeof *chips; c++) {
        struct sim_rig r;
        open(&r, chips[c].chip, chips[c].tiles);
        r.opt.check_races = chips[c].tiles < 10;
        struct tsr_trace *trace = tsr_trace_new();
        r.opt.record = trace;
        struct result full = run(&r, TSR_MODE_FULL);
        r.opt.record = NULL;
        struct result again = run(&r, TSR_MODE_FULL);
        struct result functional = run(&r, TSR_MODE_FUNCTIONAL);
        r.opt.replay = trace;
        struct result timing = run(&r, TSR_MODE_TIMING);
        same_times(&full, &again);
        same_times(&full, &timing);
        assert_memory_equal(full.memory, again.memory, MEMORY);
        assert_memory_equal(full.memory, functional.memory, MEMORY);
        uint8_t any = 0;
        for (size_t i = 0; i < MEMORY; i++)
            any |= full.memory[i] & timing.memory[i]; /* timing-only runs write nothing */
        assert_int_equal(any, 0);
        assert_int_equal(full.stats.macs, functional.stats.macs);
        assert_int_equal(full.stats.macs, 3 * 16 * 16 * 8 * chips[c].tiles);
        for (int q = 0; q < TSR_QUEUES; q++)
            assert_int_equal(full.stats.instructions[q], functional.stats.instructions[q]);
        assert_int_equal(functional.stats.cycles, 0);
        assert_int_equal(functional.n_log, 0);
        assert_true(full.stats.hbm_read_bytes > 0 && full.stats.hbm_write_bytes > 0);
        drop(&full), drop(&again), drop(&functional), drop(&timing);
        tsr_trace_free(trace);
        sim_close(&r);
    }
}

static void lists(void *self, uint32_t tile, uint32_t call, uint32_t *words, uint32_t n)
{
    ++*(unsigned *)self;
    for (uint32_t i = 0; i < n; i++)
        words[i] = tile + call + i;
}

static void test_timing_needs_a_source_of_control_data(void **state)
{
    (void)state;
    struct sim_rig r;
    open(&r, "micro4", 4);
    assert_int_equal(sim_run(&r, TSR_MODE_TIMING), TSR_FAULT);
    assert_int_equal(r.fault.kind, TSR_FAULT_CONTROL_ADDRESS);
    assert_int_equal(r.fault.queue, TSR_Q_DMA2);
    assert_non_null(strstr(r.err.message, "to_control 7"));
    unsigned calls = 0;
    struct tsr_control_source source = {.id = 7, .fill = lists, .self = &calls};
    r.opt.sources = &source;
    r.opt.n_sources = 1;
    assert_int_equal(sim_run(&r, TSR_MODE_TIMING), TSR_OK);
    assert_int_equal(calls, 12);
    uint64_t cycles = r.stats.cycles;
    assert_int_equal(sim_run(&r, TSR_MODE_TIMING), TSR_OK);
    assert_int_equal(r.stats.cycles, cycles);
    sim_close(&r);
}

static void test_memories_outlive_runs_and_tiles_start_anew(void **state)
{
    (void)state;
    struct sim_rig r;
    uint32_t v[2] = {11, 22}, got[2];
    sim_open(&r, "micro");
    sim_put(&r, TSR_CSRAM(0, 64), v, 8);
    sim_do(&r,
           ".sem 1 tcp\nli x1, csram:0:64\nli x2, 8\ncopy ch=0, dst=x0, src=x1, len=x2\nhalt\n");
    sim_do(&r, "li x1, hbm:64\nli x2, 8\ncopy ch=0, dst=x1, src=x0, len=x2\nhalt\n");
    sim_get(&r, TSR_HBM(64), got, 8);
    assert_int_equal(got[0] | got[1], 0); /* the TSRAM was new */
    sim_do(&r, "li x1, csram:0:64\nli x2, 8\nli x3, hbm:64\ncopy ch=0, dst=x3, src=x1, len=x2\n"
               "halt\n");
    sim_get(&r, TSR_HBM(64), got, 8);
    assert_memory_equal(got, v, 8);
    sim_close(&r);
}

static void test_waits_are_charged_to_what_held_the_poster(void **state)
{
    (void)state;
    struct sim_rig r;
    sim_open(&r, "micro");
    /* The tensor unit waits for one burst after another of a random walk: HBM's latency. */
    sim_do(&r, ".sem 1 ttu\nli x1, hbm:0\nli x2, 64\nli x3, 8\nli x4, 8192\n"
               "copy ch=0, dst=x0, src=x1, len=x2, n1=x3, ss1=x4, ds1=x2, p0=s1\ntsync wait(s1)\n"
               "halt\n");
    assert_true(r.stats.unit[TSR_Q_TTU][TSR_WAIT_HBM] > 100);
    assert_int_equal(r.stats.unit[TSR_Q_TTU][TSR_WAIT_SEMAPHORE], 0);
    sim_do(&r, ".sem 1 ttu\nli x1, csram:0:0\nli x2, 2048\n"
               "copy ch=0, dst=x0, src=x1, len=x2, p0=s1\ntsync wait(s1)\nhalt\n");
    assert_true(r.stats.unit[TSR_Q_TTU][TSR_WAIT_MESH] > 100);
    sim_do(&r, ".sem 1 ttu\n.routine q\nvsum v1, v1\nvsum v1, v1\nvret\n.end\nvcall q post(s1)\n"
               "tsync wait(s1)\nhalt\n");
    assert_true(r.stats.unit[TSR_Q_TTU][TSR_WAIT_SEMAPHORE] >= 40);
    assert_true(r.stats.unit[TSR_Q_ACC][TSR_WAIT_DRAINED] == r.stats.cycles);
    sim_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_agree_on_every_chip),
        cmocka_unit_test(test_timing_needs_a_source_of_control_data),
        cmocka_unit_test(test_memories_outlive_runs_and_tiles_start_anew),
        cmocka_unit_test(test_waits_are_charged_to_what_held_the_poster),
    };
    return cmocka_run_group_tests_name("sim.modes", tests, NULL, NULL);
}
