/* SPDX-License-Identifier: Apache-2.0 */
/* Drain and fill: rows in time by an oracle of the ports, values by a plain loop. */
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/core/observe.h"
#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

enum {
    LAUNCH = 200,
    AT = 4096,
    OUT = 16384,
    PIPE = 4
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

/* ---- cycles */

static uint64_t lines_of(uint64_t first, uint64_t bytes, uint64_t *line)
{
    *line = first / 32;
    return (first + bytes - 1) / 32 - *line + 1;
}

/* Of its cycles an instruction of m rows is busy in one more than it has rows, the others wait for
 * the port; and what it moved. */
static void books(int m, int bytes, bool drain)
{
    const struct sim_retired *a = sim_unit(&r, 0, 5);
    uint64_t busy = (uint64_t)m + 1, all = a->end + 1 - a->start;
    assert_int_equal(r.stats.unit[TSR_Q_ACC][TSR_WAIT_BUSY], busy);
    assert_int_equal(r.stats.unit[TSR_Q_ACC][TSR_WAIT_OPERAND_PORT], all - busy);
    assert_int_equal(r.stats.tsram_write_bytes, drain ? m * bytes : 0);
    assert_int_equal(r.stats.tsram_read_bytes, drain ? 0 : m * bytes);
}

/* The end of a drain of m rows of `bytes` from columns col.. of n that starts in s. */
static uint64_t drain_end(uint64_t s, uint64_t address, uint64_t stride, int m, int n, int bytes,
                          int col)
{
    struct sim_port p = {.requester = SIM_ACC};
    uint64_t line, acc = lines_of((uint64_t)col * 4, (uint64_t)n * 4, &line), at = s + 1, last = s;
    for (int i = 0; i < m; i++) {
        uint64_t asked = at + acc - 1 + PIPE; /* its last line is through the pipe */
        uint64_t count = lines_of(address + (uint64_t)i * stride, (uint64_t)bytes, &line);
        last = asked;
        for (uint64_t l = line; l < line + count; l++)
            last = sim_write(&p, last, l);
        uint64_t held = last + 1 - PIPE; /* the pipe stands while the port waits */
        at = at + acc > held ? at + acc : held;
    }
    return sim_flush(&p, last);
}

static uint64_t fill_end(uint64_t s, uint64_t address, uint64_t stride, int m, int n, int bytes)
{
    struct sim_port p = {.requester = SIM_ACC};
    uint64_t line, acc = lines_of(0, (uint64_t)n * 4, &line), at = s + 1;
    for (int i = 0; i < m; i++) {
        uint64_t count = lines_of(address + (uint64_t)i * stride, (uint64_t)bytes, &line), g = at;
        for (uint64_t l = line; l < line + count; l++)
            g = sim_read(&p, g, l);
        at = at + acc > g + 1 ? at + acc : g + 1;
    }
    return at + PIPE;
}

static void test_drain_of_one_line_by_hand(void **state)
{
    (void)state;
    /* Starts in 206, reads the accumulators in 207, asks in 211 and keeps the line; ends at once:
     * line 128, requester 7: (0 - c) mod 8 = 7, c mod 8 = 1: 217, over in 218. */
    sim_do(&r, "li x1, 4096\nli x2, 32\nli x3, 1\nli x4, 8\nli x5, 0\n"
               "drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 5)->start, 206);
    assert_int_equal(sim_unit(&r, 0, 5)->end, 218);
    assert_int_equal(r.stats.tsram_write_bytes, 32);
}

static void test_drain_and_fill_rows_follow_the_ports(void **state)
{
    (void)state;
    static const struct {
        const char *fmt;
        int m, n, bytes, stride, col;
    } c[] = {
        {"f32", 16, 8, 4, 32, 0},  {"f32", 16, 16, 4, 64, 0}, {"bf16", 16, 16, 2, 32, 0},
        {"bf16", 16, 8, 2, 16, 0}, {"f32", 5, 3, 4, 256, 0},  {"f32", 9, 16, 4, 72, 0},
        {"i32", 7, 5, 4, 96, 4},   {"f16", 12, 9, 2, 288, 4}, {"bf16", 16, 16, 2, 34, 0},
        {"f32", 32, 16, 4, 64, 0},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        sim_loadf(&r,
                  "li x1, %d\nli x2, %d\nli x3, %d\nli x4, %d\nli x5, %d\n"
                  "drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=%s\nhalt\n",
                  AT, c[i].stride, c[i].m, c[i].n, c[i].col / 4, c[i].fmt);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
        assert_int_equal(sim_unit(&r, 0, 5)->end,
                         drain_end(LAUNCH + 6, AT, (uint64_t)c[i].stride, c[i].m, c[i].n,
                                   c[i].n * c[i].bytes, c[i].col));
        books(c[i].m, c[i].n * c[i].bytes, true);
        if (c[i].col)
            continue;
        sim_loadf(&r,
                  "li x1, %d\nli x2, %d\nli x3, %d\nli x4, %d\nli x5, 0\n"
                  "fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=%s\nhalt\n",
                  AT, c[i].stride, c[i].m, c[i].n, c[i].fmt);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
        assert_int_equal(sim_unit(&r, 0, 5)->end, fill_end(LAUNCH + 6, AT, (uint64_t)c[i].stride,
                                                           c[i].m, c[i].n, c[i].n * c[i].bytes));
        books(c[i].m, c[i].n * c[i].bytes, false);
    }
}

static void test_fill_ends_after_its_last_write_by_hand(void **state)
{
    (void)state;
    /* Two rows of 51 f16, seven accumulator lines each. The first begins in 207; of lines 132 to
     * 135 the first is granted where c mod 8 = 5, so 213 to 216: written in 215 to 221. The second
     * begins in 217 with line 135 kept; 136 to 138 in 217 to 219, written in 222 to 228. Without
     * these writes it would end in 217 + 7 + 4. */
    sim_do(&r, "li x1, 4240\nli x2, 104\nli x3, 2\nli x4, 51\nli x5, 256\n"
               "fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=f16, across=2\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 5)->start, 206);
    assert_int_equal(sim_unit(&r, 0, 5)->end, 228 + 1);
}

static void test_next_drain_starts_a_cycle_after_the_last_ended(void **state)
{
    (void)state;
    sim_do(&r, "li x1, 4096\nli x2, 32\nli x3, 4\nli x4, 8\nli x5, 0\n"
               "drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32\n"
               "drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 6)->start, sim_unit(&r, 0, 5)->end + 1);
}

/* ---- values: HBM -> TSRAM -> accumulators -> TSRAM -> HBM */

static void round_trip(const char *in, const char *out, bool bias, bool ints, const uint32_t *x,
                       const uint32_t *b, void *got, int bytes_in, int bytes_out)
{
    sim_put(&r, TSR_HBM(0), x, (uint64_t)(15 * 12 * bytes_in));
    sim_put(&r, TSR_HBM(4096), b, 4 * 12);
    sim_loadf(&r,
              ".sem 1 acc\n.sem 2 dma0\n"
              "li x1, 0\nli x2, hbm:0\nli x3, %d\nli x4, 4096\nli x5, hbm:4096\nli x6, 48\n"
              "li x7, %d\nli x8, 15\nli x9, 12\nli x10, 0x310\nli x11, 8192\nli x12, %d\n"
              "li x13, hbm:65536\nli x14, %d\n"
              "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\ncopy ch=0, dst=x4, src=x5, len=x6, p0=s1\n"
              "fill src=x1, ss=x7, m=x8, n=x9, c=x10, fmt=%s, w0=s1*2\n"
              "drain dst=x11, ds=x12, m=x8, n=x9, c=x10, fmt=%s, bias=x4, bi=%d, int=%d, p0=s2\n"
              "copy ch=0, dst=x13, src=x11, len=x14, w0=s2\nhalt\n",
              15 * 12 * bytes_in, 12 * bytes_in, 12 * bytes_out, 15 * 12 * bytes_out, in, out, bias,
              ints);
    if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("%s", r.err.message);
    sim_get(&r, TSR_HBM(65536), got, (uint64_t)(15 * 12 * bytes_out));
}

static uint32_t code_of(const void *p, int i, int bytes)
{
    uint32_t v = 0;
    memcpy(&v, (const uint8_t *)p + i * bytes, (size_t)bytes);
    return v;
}

static void test_drain_rounds_adds_the_bias_and_fill_keeps_bits(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        bool bias, ints;
    } c[] = {
        {"f32", "f32", false, false}, {"f32", "bf16", false, false}, {"f32", "f16", true, false},
        {"f32", "f32", true, false},  {"i32", "i32", false, true},   {"i32", "i32", true, true},
        {"i32", "bf16", true, true},  {"i32", "f32", false, true},   {"bf16", "f32", false, false},
        {"f16", "bf16", true, false},
    };
    uint64_t seed = tsr_test_seed("drain and fill values", 3);
    int add = tsr_num_primitive_find("add"), iadd = tsr_num_primitive_find("iadd"),
        cvt = tsr_num_primitive_find("cvt_i32_f32");
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        const struct tsr_format *in = tsr_isa_format(r.isa, c[i].in),
                                *out = tsr_isa_format(r.isa, c[i].out);
        int bi = in->bits / 8, bo = out->bits / 8;
        uint32_t x[180], b[12], got[180];
        for (int k = 0; k < 180; k++)
            x[k] = (uint32_t)tsr_test_random(&seed);
        for (int k = 0; k < 12; k++) {
            float f = tsr_test_random_f32(&seed) * 100;
            memcpy(&b[k], &f, 4);
        }
        round_trip(c[i].in, c[i].out, c[i].bias, c[i].ints, x, b, got, bi, bo);
        for (int k = 0; k < 180; k++) {
            uint32_t v = code_of(x, k, bi);
            if (bi == 2)
                v = tsr_num_decode_f32(in, v);
            if (c[i].bias)
                v = tsr_num_primitive_apply(c[i].ints ? iadd : add, v, b[k % 12], 0);
            if (c[i].ints && out->code != TSR_I32)
                v = tsr_num_primitive_apply(cvt, v, 0, 0);
            if (out->code != TSR_I32)
                v = tsr_num_encode(out, v, TSR_ROUND_EVEN);
            if (code_of(got, k, bo) != v)
                fail_msg("%s to %s, element %d: 0x%x, wanted 0x%x", c[i].in, c[i].out, k,
                         code_of(got, k, bo), v);
        }
    }
}

static void test_acc_faults(void **state)
{
    (void)state;
#define DRAIN "drain dst=x1, ds=x2, m=x3, n=x4, c=x5, fmt=f32\nhalt\n"
    sim_want_fault(&r, "li x1, 2\nli x2, 32\nli x3, 1\nli x4, 8\n" DRAIN, TSR_FAULT_ADDRESS, 0,
                   TSR_Q_ACC, 4, LAUNCH + 5);
    sim_want_fault(&r, "li x1, 65504\nli x2, 32\nli x3, 2\nli x4, 8\n" DRAIN, TSR_FAULT_ADDRESS, 0,
                   TSR_Q_ACC, 4, LAUNCH + 5);
    sim_want_fault(&r, "li x1, 0\nli x2, 32\nli x3, 0\nli x4, 8\n" DRAIN, TSR_FAULT_SHAPE, 0,
                   TSR_Q_ACC, 4, LAUNCH + 5);
    sim_want_fault(&r, "li x3, 0x7fffffffffffffff\nli x4, 8\nli x5, 0x33\n" DRAIN, TSR_FAULT_SHAPE,
                   0, TSR_Q_ACC, 3, LAUNCH + 4);
    sim_want_fault(&r, "li x3, 1\nli x4, 0x7fffffffffffffff\nli x5, 0x33\n" DRAIN, TSR_FAULT_SHAPE,
                   0, TSR_Q_ACC, 3, LAUNCH + 4);
}

static void note_wait(void *self, const struct observation *o)
{
    *(bool *)self |= o->kind == OBS_TCP && o->pc == 8;
}

/* A routine will read a bank that an mma takes meanwhile: the fault lies ahead, and what is done up
 * to then is seen: a wait that ends between. */
static void test_what_comes_before_a_fault_is_observed(void **state)
{
    (void)state;
    bool seen = false;
    struct tsr_observer observer = {.self = &seen, .tell = note_wait};
    sim_load(&r, ".sem 1 tcp\n.routine q\nvsum v1, v1\nvsum v1, v1\nvsum v1, v1\nvlda v1, a8\n"
                 "vret\n.end\n"
                 "li x1, csram:0:0\nli x2, 32\nli x3, 16\nli x4, 1024\nvcall q\n"
                 "copy ch=0, dst=x4, src=x1, len=x2, p0=s1\n"
                 "mma a=x0, as=x2, b=x0, bs=x2, m=x3, n=x3, k=x3, c=x0, af=bf16, bf=bf16\n"
                 "nop\nwait wait(s1)\nhalt\n");
    r.opt.observer = &observer;
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_FAULT);
    r.opt.observer = NULL;
    assert_int_equal(r.fault.kind, TSR_FAULT_ACC_CONFLICT);
    assert_int_equal(r.fault.queue, TSR_Q_TVP);
    assert_true(sim_tcp(&r, 0, 8)->start < r.fault.cycle);
    assert_true(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drain_of_one_line_by_hand),
        cmocka_unit_test(test_drain_and_fill_rows_follow_the_ports),
        cmocka_unit_test(test_fill_ends_after_its_last_write_by_hand),
        cmocka_unit_test(test_next_drain_starts_a_cycle_after_the_last_ended),
        cmocka_unit_test(test_drain_rounds_adds_the_bias_and_fill_keeps_bits),
        cmocka_unit_test(test_acc_faults),
        cmocka_unit_test(test_what_comes_before_a_fault_is_observed),
    };
    return cmocka_run_group_tests_name("sim.acc", tests, setup, teardown);
}
