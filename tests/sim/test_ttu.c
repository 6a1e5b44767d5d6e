/* SPDX-License-Identifier: Apache-2.0 */
/* The tensor unit: its cycles by hand and by an oracle of the ports, its values by a plain loop. */
#include <stdio.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

enum {
    LAUNCH = 200,
    A = 0,
    B = 8192,
    C = 16384,
    HBM_C = 1 << 16
};

static struct sim_rig r;

static int setup(void **state)
{
    (void)state;
    sim_open(&r, "micro");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_close(&r);
    return 0;
}

#define MMA "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=bf16, bf=bf16"

/* ---- cycles */

/* L + 1 of one mma that starts in s: when its operands are there. */
static uint64_t operands(uint64_t s, int64_t a, int64_t as, int64_t rows_a, int64_t b, int64_t bs,
                         int64_t rows_b)
{
    struct sim_port pa = {.requester = SIM_TTU_A}, pb = {.requester = SIM_TTU_B};
    uint64_t ta = s + 1, tb = s + 1;
    for (int64_t i = 0; i < rows_a; i++)
        ta = sim_read(&pa, ta, (uint64_t)(a + i * as) / r.chip.tile.line_bytes);
    for (int64_t i = 0; i < rows_b; i++)
        tb = sim_read(&pb, tb, (uint64_t)(b + i * bs) / r.chip.tile.line_bytes);
    return (ta > tb ? ta : tb) + 2 + 1;
}

static void test_mma_timing_by_hand(void **state)
{
    (void)state;
    /* Four lines each; queued in 208, so s = 209. A: line 0 with requester 0 from 210 is granted
     * where c mod 8 = 0: 216, then 217, 218, 219. B: line 256, requester 1: c mod 8 = 7: 215..218.
     * L = 219 + 2, C = 222, O = ceil(16/4) x max(1, 4) = 16: ends in 237, posts in 241. */
    sim_do(&r, "li x1, 0\nli x2, 32\nli x3, 8192\nli x4, 32\nli x5, 4\nli x6, 4\nli x7, 16\n"
               "li x8, 0\n" MMA "\nhalt\n");
    const struct sim_retired *m = sim_unit(&r, 0, 8);
    assert_int_equal(m->start, LAUNCH + 9);
    assert_int_equal(m->end, LAUNCH + 41);
    assert_int_equal(r.stats.unit[TSR_Q_TTU][TSR_WAIT_BUSY], 16);
    assert_int_equal(r.stats.unit[TSR_Q_TTU][TSR_WAIT_OPERAND_PORT], 222 - 209);
    assert_int_equal(r.stats.macs, 4 * 4 * 16);
    assert_int_equal(r.stats.ttu_cycles, 16);
    assert_int_equal(r.stats.tsram_read_bytes, 4 * 32 + 4 * 32);
}

/* One mma after another, all starts and ends by the rules. */
static void chain(int64_t as, int64_t bs, int64_t m, int64_t n, int64_t k, bool strided, int count)
{
    char text[4000];
    const struct tsr_ttu_config *u = &r.chip.tile.ttu;
    uint64_t d = u->dim, t0 = LAUNCH + 8, prev_end = 0, free_at = 0;
    int n_text = snprintf(text, sizeof text,
                          "li x1, 0\nli x2, %lld\nli x3, 8192\nli x4, %lld\nli x5, %lld\n"
                          "li x6, %lld\nli x7, %lld\nli x8, 0\n",
                          (long long)as, (long long)bs, (long long)m, (long long)n, (long long)k);
    for (int i = 0; i < count; i++)
        n_text +=
            snprintf(text + n_text, sizeof text - (size_t)n_text, MMA ", at=%d, acc=1\n", strided);
    snprintf(text + n_text, sizeof text - (size_t)n_text, "halt\n");
    sim_do(&r, text);
    uint64_t tiles = (((uint64_t)m + d - 1) / d) * (((uint64_t)n + d - 1) / d);
    uint64_t steps = ((uint64_t)k + u->r16 - 1) / u->r16;
    uint64_t busy = steps * (tiles > u->acc_latency_cycles ? tiles : u->acc_latency_cycles);
    for (int i = 0; i < count; i++) {
        uint64_t s = t0 + (uint64_t)i + 1 > free_at ? t0 + (uint64_t)i + 1 : free_at;
        uint64_t ready = operands(s, 0, as, strided ? k : m, 8192, bs, n);
        uint64_t c = ready > prev_end + 1 ? ready : prev_end + 1, end = c + busy - 1;
        const struct sim_retired *got = sim_nth(&r, 0, TSR_Q_TTU, (size_t)i);
        assert_int_equal(got->start, s);
        assert_int_equal(got->end, end + u->pipe_cycles);
        /* fetched, and the compute before this one has left its half of the buffers */
        free_at = ready > prev_end + 1 ? ready : prev_end + 1;
        prev_end = end;
    }
}

static void test_mma_chains_overlap_fetch_and_compute(void **state)
{
    (void)state;
    chain(32, 32, 4, 4, 16, false, 5);   /* compute-bound */
    chain(32, 32, 16, 16, 4, false, 6);  /* fetch-bound: 16 lines for 16 cycles and waits */
    chain(64, 32, 16, 16, 16, false, 5); /* every other line: half rate */
    chain(256, 32, 8, 8, 16, false, 5);  /* one bank: a line every eight cycles */
    chain(8, 8, 8, 8, 4, false, 5);      /* four rows a line: kept */
    chain(32, 96, 16, 5, 13, false, 5);
    chain(32, 32, 16, 8, 7, true, 5);    /* K-strided A */
    chain(32, 32, 32, 16, 16, false, 3); /* two banks */
}

static void test_mma_chains_on_the_large_unit(void **state)
{
    (void)state;
    const struct sim_rig micro = r;
    sim_open(&r, "maia100");
    chain(256, 256, 64, 64, 128, false, 4);
    chain(256, 256, 128, 64, 128, false, 4);
    chain(512, 256, 64, 64, 128, false, 4); /* half rate */
    chain(256, 768, 64, 17, 100, false, 4);
    chain(256, 256, 64, 40, 64, true, 4);
    sim_close(&r);
    r = micro;
}

static void test_mma_widths_set_the_rate(void **state)
{
    (void)state;
    sim_do(&r, "li x2, 32\nli x3, 8192\nli x4, 32\nli x5, 16\nli x6, 16\nli x7, 16\n"
               "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=i8, bf=i8\n"
               "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=bf16, bf=bf16\n"
               "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=f8e4m3, bf=f16\n"
               "halt\n");
    assert_int_equal(r.stats.ttu_cycles, 2 * 16 + 4 * 16 + 4 * 16);
}

static void test_tsync_posts_with_the_last_mma_and_lets_the_next_pass(void **state)
{
    (void)state;
    sim_do(&r, ".sem 1 tcp\nli x2, 32\nli x3, 8192\nli x4, 32\nli x5, 16\nli x6, 16\nli x7, 16\n"
               "tsync\n" MMA "\ntsync post(s1)\n" MMA "\nwait wait(s1)\nhalt\n");
    const struct sim_retired *alone = sim_unit(&r, 0, 6), *first = sim_unit(&r, 0, 7),
                             *sync = sim_unit(&r, 0, 8), *second = sim_unit(&r, 0, 9);
    assert_int_equal(alone->start, LAUNCH + 7);
    assert_int_equal(alone->end, LAUNCH + 8);
    assert_int_equal(sync->end, first->end);
    assert_int_equal(second->start, sync->start + 1);
    assert_int_equal(sim_tcp(&r, 0, 10)->start, first->end + 1);
}

static void test_exponents_are_fetched_before_a(void **state)
{
    (void)state;
    sim_do(&r, "li x2, 32\nli x3, 8192\nli x4, 32\nli x5, 4\nli x6, 4\nli x7, 16\nli x9, 4096\n" MMA
               ", e=x9, sc=1, acc=1\nhalt\n");
    struct sim_port p = {.requester = SIM_TTU_A};
    uint64_t s = LAUNCH + 8, t = sim_read(&p, s + 1, 4096 / 32);
    for (uint64_t i = 0; i < 4; i++)
        t = sim_read(&p, t, i);
    assert_int_equal(sim_unit(&r, 0, 7)->end, t + 3 + 16 - 1 + 4);
}

/* ---- faults */

#define REGS(a, as, m, n, k, c)                                                                    \
    "li x1, " #a "\nli x2, " #as "\nli x3, 8192\nli x4, 32\nli x5, " #m "\nli x6, " #n             \
    "\nli x7, " #k "\nli x8, " #c "\n"

static void test_mma_faults(void **state)
{
    (void)state;
    int64_t at = LAUNCH + 9;
    sim_want_fault(&r, REGS(8, 32, 4, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_OPERAND_LINE, 0,
                   TSR_Q_TTU, 8, at);
    sim_want_fault(&r, REGS(0, 40, 4, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_OPERAND_LINE, 0,
                   TSR_Q_TTU, 8, at);
    sim_want_fault(&r, REGS(65536, 32, 4, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_ADDRESS, 0, TSR_Q_TTU,
                   8, at);
    sim_want_fault(&r, REGS(0x0200000000000000, 32, 4, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_ADDRESS,
                   0, TSR_Q_TTU, 8, at);
    sim_want_fault(&r, REGS(0, -32, 4, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_ADDRESS, 0, TSR_Q_TTU, 8,
                   at);
    sim_want_fault(&r, REGS(0, 32, 33, 4, 16, 0) MMA "\nhalt\n", TSR_FAULT_SHAPE, 0, TSR_Q_TTU, 8,
                   at);
    sim_want_fault(&r, REGS(0, 32, 4, 0, 16, 0) MMA "\nhalt\n", TSR_FAULT_SHAPE, 0, TSR_Q_TTU, 8,
                   at);
    sim_want_fault(&r, REGS(0, 32, 4, 17, 16, 0) MMA "\nhalt\n", TSR_FAULT_SHAPE, 0, TSR_Q_TTU, 8,
                   at); /* wider than the bank */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0x800) MMA "\nhalt\n", TSR_FAULT_SHAPE, 0, TSR_Q_TTU,
                   8, at); /* no bank 8 */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0x7fffffffffffffff) MMA "\nhalt\n", TSR_FAULT_SHAPE, 0,
                   TSR_Q_TTU, 8, at);
    sim_want_fault(&r,
                   REGS(0, 32, 4, 4, 16, 0) "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, "
                                            "af=i8, bf=bf16\nhalt\n",
                   TSR_FAULT_ILLEGAL, 0, TSR_Q_TTU, 8, at);
}

/* A row of 16 elements of mx9: 16 bytes, 2 of shifts together, the scale behind them: 18 of a
 * line's 32 bytes. */
#define MX9 "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, asc=x9, bsc=x10, af=mx9, bf=mx9"
#define SCALES(a, b) "li x9, " #a "\nli x10, " #b "\n"

static void test_block_scales_lie_in_the_line_of_their_row(void **state)
{
    (void)state;
    int64_t at = LAUNCH + 11;
    sim_do(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(17, 8209) MX9 "\nhalt\n");
    uint64_t plain = operands(LAUNCH + 11, 0, 32, 4, 8192, 32, 4);
    /* no cycle for scales; R = 8 */
    assert_int_equal(sim_unit(&r, 0, 10)->end, plain + 2 * 4 - 1 + 4);
    assert_int_equal(r.stats.tsram_read_bytes, 8 * (16 + 1)); /* of elements and shifts */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(32, 8209) MX9 "\nhalt\n",
                   TSR_FAULT_OPERAND_LINE, 0, TSR_Q_TTU, 10, at); /* the line after */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(17, 17) MX9 "\nhalt\n",
                   TSR_FAULT_OPERAND_LINE, 0, TSR_Q_TTU, 10, at); /* A's for B */
    sim_want_fault(&r, REGS(0, 16, 1, 4, 32, 0) SCALES(31, 8209) MX9 "\nhalt\n",
                   TSR_FAULT_OPERAND_LINE, 0, TSR_Q_TTU, 10, at); /* two blocks do not fit */
    sim_want_fault(&r, REGS(0, 24, 2, 4, 16, 0) SCALES(17, 8209) MX9 "\nhalt\n",
                   TSR_FAULT_OPERAND_LINE, 0, TSR_Q_TTU, 10, at); /* row 1 crosses */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(65536, 8209) MX9 "\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TTU, 10, at);
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(17, 8209) MX9 ", at=1\nhalt\n",
                   TSR_FAULT_ILLEGAL, 0, TSR_Q_TTU, 10, at); /* K-strided */
    sim_want_fault(&r, REGS(0, 32, 4, 4, 16, 0) SCALES(17, 8209) MX9 ", bt=1\nhalt\n",
                   TSR_FAULT_ILLEGAL, 0, TSR_Q_TTU, 10, at);
}

static void test_block_scales_count(void **state)
{
    (void)state;
    uint8_t a[4 * 32] = {0}, b[4 * 32] = {0};
    float got[16];
    for (int i = 0; i < 4; i++) {
        memset(a + 32 * i, 0x40, 16); /* 64 x 2 in units of 2^(X - 7) */
        memset(b + 32 * i, 0x40, 16);
        a[32 * i + 17] = (uint8_t)(127 + i); /* 2^i */
        b[32 * i + 17] = (uint8_t)(127 - 4 * i);
    }
    sim_fresh(&r);
    sim_put(&r, TSR_HBM(0), a, sizeof a);
    sim_put(&r, TSR_HBM(4096), b, sizeof b);
    sim_load(&r, ".sem 1 ttu\n.sem 2 acc\n.sem 3 dma0\n.equ HB hbm:4096\n" REGS(0, 32, 4, 4, 16, 0)
                     SCALES(17, 8209) "li x11, hbm:0\nli x12, HB\nli x13, 128\nli x14, 16384\n"
                                      "li x15, 16\nli x16, hbm:65536\nli x17, 64\n"
                                      "copy ch=0, dst=x1, src=x11, len=x13, p0=s1\n"
                                      "copy ch=0, dst=x3, src=x12, len=x13, p0=s1\n"
                                      "tsync wait(s1*2)\n" MX9 ", p0=s2\n"
                                      "drain dst=x14, ds=x15, m=x5, n=x6, c=x8, fmt=f32, w0=s2, "
                                      "p0=s3\ncopy ch=0, dst=x16, src=x14, len=x17, w0=s3\nhalt\n");
    if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("%s", r.err.message);
    sim_get(&r, TSR_HBM(HBM_C), got, sizeof got);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            assert_true(got[4 * i + j] == 16.0f * (float)(1 << i) / (float)(1 << 4 * j));
}

static void test_rectangles_beyond_four_banks_are_a_shape_fault(void **state)
{
    (void)state;
    sim_want_fault(&r, REGS(0, 32, 32, 32, 16, 0) MMA ", across=2\nhalt\n", TSR_FAULT_SHAPE, 0,
                   TSR_Q_TTU, 8, LAUNCH + 9);
    sim_do(&r, REGS(0, 32, 16, 32, 16, 0) MMA ", across=2\nhalt\n");
}

static void test_touching_a_bank_in_flight_is_a_conflict(void **state)
{
    (void)state;
    sim_want_fault(&r,
                   REGS(0, 32, 4, 4, 16, 0) "li x9, 16384\n" MMA
                                            "\ndrain dst=x9, ds=x2, m=x5, n=x6, c=x8, fmt=f32\n"
                                            "halt\n",
                   TSR_FAULT_ACC_CONFLICT, 0, TSR_Q_ACC, 10, LAUNCH + 11);
    /* the other bank is free */
    sim_do(&r,
           REGS(0, 32, 4, 4, 16, 0) "li x9, 16384\nli x10, 0x100\n" MMA
                                    "\ndrain dst=x9, ds=x2, m=x5, n=x6, c=x10, fmt=f32\nhalt\n");
    sim_want_fault(&r,
                   REGS(0, 32, 4, 4, 16, 0) "li x9, 16384\n"
                                            "fill src=x9, ss=x2, m=x5, n=x6, c=x8, fmt=f32\n" MMA
                                            "\nhalt\n",
                   TSR_FAULT_ACC_CONFLICT, 0, TSR_Q_TTU, 10, LAUNCH + 11);
    sim_want_fault(&r,
                   ".routine v\nvlda v1, a0\nvret\n.end\n" REGS(0, 32, 4, 4, 16, 0) MMA
                   "\nvcall v, x0\nhalt\n",
                   TSR_FAULT_ACC_CONFLICT, 0, TSR_Q_TVP, 0, LAUNCH + 11);
}

/* The mma starts while the routine runs: the first vlda that it meets faults, not the last. */
static void test_an_mma_under_a_routine_faults_at_its_first_vlda(void **state)
{
    (void)state;
    sim_want_fault(&r,
                   ".routine v\nvadd v1, v1, v1\nvadd v1, v1, v1\nvadd v1, v1, v1\n"
                   "vadd v1, v1, v1\nvadd v1, v1, v1\nvadd v1, v1, v1\nvadd v1, v1, v1\n"
                   "vlda v1, a0\nvlda v2, a0\nvlda v3, a0\nvret\n.end\nvcall v, x0\n" REGS(
                       0, 32, 4, 4, 16, 0) MMA "\nhalt\n",
                   TSR_FAULT_ACC_CONFLICT, 0, TSR_Q_TVP, 7, -1);
}

static void test_banks_are_owned_up_to_the_post(void **state)
{
    (void)state;
    /* The mma of test_mma_timing_by_hand posts in 241: a drain that starts then is too early. */
    r.opt.check_races = false;
    for (int n = 28; n <= 29; n++) {
        sim_loadf(&r,
                  REGS(0, 32, 4, 4, 16, 0) MMA
                  "\nli x9, 16384\nli x10, %d\nloop x10, e\nnop\n"
                  "e: drain dst=x9, ds=x2, m=x5, n=x6, c=x8, fmt=f32\nhalt\n",
                  n);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), n == 28 ? TSR_FAULT : TSR_OK);
        if (n == 28)
            assert_int_equal(r.fault.cycle, 241);
        else
            assert_int_equal(sim_unit(&r, 0, 13)->start, 242);
    }
    r.opt.check_races = true;
}

/* ---- values */

struct shape {
    int m, n, k, at, bt, across, c;
};

static void i8_case(const struct shape *p, bool twice, uint64_t *seed)
{
    int ra = p->at ? p->k : p->m, rb = p->bt ? p->k : p->n;
    int8_t a[64 * 32] = {0}, b[64 * 32] = {0};
    int32_t got[64 * 64];
    int sa = 32, sb = 64, pitch = 256;
    for (int i = 0; i < ra * sa; i++)
        a[i] = (int8_t)tsr_test_random(seed);
    for (int i = 0; i < rb * sb / 2; i++)
        b[i] = (int8_t)tsr_test_random(seed);
    sim_put(&r, TSR_HBM(0), a, sizeof a);
    sim_put(&r, TSR_HBM(4096), b, sizeof b);
    sim_loadf(&r,
              ".sem 1 ttu\n.sem 2 acc\n.sem 3 dma0\n.equ HB hbm:4096\n"
              "li x1, 0\nli x2, %d\nli x3, 8192\nli x4, %d\nli x5, %d\nli x6, %d\nli x7, %d\n"
              "li x8, %d\nli x9, hbm:0\nli x10, HB\nli x11, 32\nli x12, %d\nli x13, 16384\n"
              "li x14, %d\nli x15, hbm:%d\nli x16, %d\nli x17, 2048\n"
              "copy ch=0, dst=x1, src=x9, len=x17, p0=s1\n"
              "copy ch=0, dst=x3, src=x10, len=x11, n1=x12, ss1=x11, ds1=x4, p0=s1\n"
              "tsync wait(s1*2)\n"
              "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=i8, bf=i8, at=%d, bt=%d, "
              "across=%d%s\n%s"
              "drain dst=x13, ds=x14, m=x5, n=x6, c=x8, fmt=i32, int=1, across=%d, w0=s2, p0=s3\n"
              "copy ch=0, dst=x15, src=x13, len=x16, n1=x5, ss1=x14, ds1=x14, w0=s3\nhalt\n",
              sa, sb, p->m, p->n, p->k, p->c, rb, pitch, HBM_C, 4 * p->n, p->at, p->bt, p->across,
              twice ? "" : ", p0=s2",
              twice ? "mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=i8, bf=i8, acc=1, "
                      "at=0, p0=s2\n"
                    : "",
              p->across);
    if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("m %d n %d k %d: %s", p->m, p->n, p->k, r.err.message);
    sim_get(&r, TSR_HBM(HBM_C), got, (uint64_t)(p->m * pitch));
    for (int i = 0; i < p->m; i++)
        for (int j = 0; j < p->n; j++) {
            int32_t want = 0;
            for (int k = 0; k < p->k; k++)
                want += (p->at ? a[k * sa + i] : a[i * sa + k]) *
                        (p->bt ? b[k * 32 + j] : b[j * 32 + k]);
            want *= twice ? 2 : 1;
            if (got[i * pitch / 4 + j] != want)
                fail_msg("C[%d,%d] of m %d n %d k %d at %d bt %d across %d c 0x%x: %d, wanted %d",
                         i, j, p->m, p->n, p->k, p->at, p->bt, p->across, p->c,
                         got[i * pitch / 4 + j], want);
        }
}

static void test_mma_values_in_every_layout_and_rectangle(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {4, 4, 8, 0, 0, 0, 0},        {16, 16, 32, 0, 0, 0, 0x300}, {1, 1, 1, 0, 0, 0, 0x133},
        {16, 16, 32, 1, 1, 0, 0},     {7, 5, 13, 1, 0, 0, 0x201},   {5, 9, 31, 0, 1, 0, 0x710},
        {32, 16, 32, 0, 0, 0, 0},     {16, 32, 32, 0, 0, 1, 0x100}, {32, 32, 32, 0, 0, 1, 0x400},
        {16, 32, 16, 0, 1, 2, 0x000}, {9, 27, 20, 0, 1, 1, 0x211},  {20, 12, 32, 1, 0, 0, 0x531},
        {32, 30, 32, 1, 1, 1, 0x000},
    };
    uint64_t seed = tsr_test_seed("mma values", 5);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        i8_case(&shapes[i], false, &seed);
        if (!shapes[i].at && !shapes[i].bt && !shapes[i].across)
            i8_case(&shapes[i], true, &seed);
    }
}

static float as_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static void test_mma_scales_rows_or_columns_before_it_adds(void **state)
{
    (void)state;
    for (int sc = 1; sc <= 2; sc++) {
        uint16_t one[16 * 16];
        int32_t e[16] = {0, 1, -2, 3, 40, 0, -1, 2, 5, 1, 0, 0, 7, -3, 1, 2};
        uint32_t got[256];
        for (int i = 0; i < 256; i++)
            one[i] = i % 16 < 4 ? 0x3F80 : 0; /* K = 4 ones a row: C = 4 */
        sim_put(&r, TSR_HBM(0), one, sizeof one);
        sim_put(&r, TSR_HBM(4096), e, sizeof e);
        sim_loadf(&r,
                  ".sem 1 ttu\n.sem 2 acc\n.sem 3 dma0\n.sem 4 dma0\n"
                  "li x2, 32\nli x3, 0\nli x5, 16\nli x7, 16\nli x9, hbm:0\nli x10, hbm:4096\n"
                  "li x11, 512\nli x12, 64\nli x13, 16384\nli x15, hbm:65536\nli x16, 1024\n"
                  "li x17, 4096\n"
                  "copy ch=0, dst=x3, src=x9, len=x11, p0=s1\n"
                  "copy ch=0, dst=x17, src=x10, len=x12, p0=s1\n"
                  "tsync wait(s1*2)\n"
                  "mma a=x3, as=x2, b=x3, bs=x2, m=x5, n=x5, k=x7, c=x8, af=bf16, bf=bf16\n"
                  "mma a=x3, as=x2, b=x3, bs=x2, m=x5, n=x5, k=x7, c=x8, af=bf16, bf=bf16, acc=1, "
                  "e=x17, sc=%d, p0=s2\n"
                  "drain dst=x13, ds=x12, m=x5, n=x5, c=x8, fmt=f32, w0=s2, p0=s3\n"
                  "copy ch=0, dst=x15, src=x13, len=x16, w0=s3\nhalt\n",
                  sc);
        if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
            fail_msg("%s", r.err.message);
        sim_get(&r, TSR_HBM(HBM_C), got, sizeof got);
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++) {
                int x = e[sc == 1 ? i : j];
                float want = 4.0f;
                for (int k = 0; k < (x < 0 ? -x : x); k++)
                    want *= x < 0 ? 2.0f : 0.5f;
                assert_true(as_float(got[16 * i + j]) == want + 4.0f);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mma_timing_by_hand),
        cmocka_unit_test(test_mma_chains_overlap_fetch_and_compute),
        cmocka_unit_test(test_mma_chains_on_the_large_unit),
        cmocka_unit_test(test_mma_widths_set_the_rate),
        cmocka_unit_test(test_tsync_posts_with_the_last_mma_and_lets_the_next_pass),
        cmocka_unit_test(test_exponents_are_fetched_before_a),
        cmocka_unit_test(test_mma_faults),
        cmocka_unit_test(test_block_scales_lie_in_the_line_of_their_row),
        cmocka_unit_test(test_block_scales_count),
        cmocka_unit_test(test_rectangles_beyond_four_banks_are_a_shape_fault),
        cmocka_unit_test(test_touching_a_bank_in_flight_is_a_conflict),
        cmocka_unit_test(test_an_mma_under_a_routine_faults_at_its_first_vlda),
        cmocka_unit_test(test_banks_are_owned_up_to_the_post),
        cmocka_unit_test(test_mma_values_in_every_layout_and_rectangle),
        cmocka_unit_test(test_mma_scales_rows_or_columns_before_it_adds),
    };
    return cmocka_run_group_tests_name("sim.ttu", tests, setup, teardown);
}
