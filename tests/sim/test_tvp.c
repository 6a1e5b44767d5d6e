/* SPDX-License-Identifier: Apache-2.0 */
/* The vector unit: issue, latencies and ports by hand; loads, stores, tails, reductions by value.
 */
#include <stdio.h>
#include <string.h>

#include "isa/num/element.h"
#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

enum {
    LAUNCH = 200,
    LANES = 8
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

/* The cycles from a routine's start to its end. The vcall is word 0: starts in LAUNCH + 1 = 201. */
static uint64_t length(const char *words)
{
    sim_loadf(&r, ".routine q\n%s\nvret\n.end\nvcall q\nhalt\n", words);
    if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("%s\n%s", r.err.message, words);
    assert_int_equal(sim_unit(&r, 0, 0)->start, LAUNCH + 1);
    return sim_unit(&r, 0, 0)->end - sim_unit(&r, 0, 0)->start;
}

static void takes(uint64_t cycles, const char *words)
{
    uint64_t got = length(words);
    if (got != cycles)
        fail_msg("%llu cycles, wanted %llu:\n%s", (unsigned long long)got,
                 (unsigned long long)cycles, words);
}

static void test_issue_and_latency(void **state)
{
    (void)state;
    takes(1, "");            /* vret issues in s + 1 */
    takes(3, "vmov v1, v2"); /* issued s + 1, there in s + 3 */
    takes(1 + 4, "vadd v1, v2, v3");
    takes(1 + 8, "vfma v1, v2, v3, v4");
    takes(1 + 4 + 4, "vadd v1, v2, v3\nvmul v4, v1, v1"); /* the second in s + 5 */
    takes(2 + 4, "vadd v1, v2, v3\nvmul v4, v5, v5");     /* one arithmetic a cycle */
    takes(1 + 4 + 2, "vadd v1, v2, v3\nvmov v1, v5");     /* the target is pending */
    takes(1 + 24 + 24, "vsum v1, v2\nvmaxr v3, v1");
    takes(1 + 8 + 20, "vbmax v1, v2, 3\nvscale_f16 v3, v1, v4");
    takes(1 + 16 + 4, "vrscale v1, v2\nvquot v3, v4, v1");
    takes(1 + 16 + 4, "vdiv v1, v2, v3\nvscale_e8m0 v4, v1, v1");
    takes(1 + 2 + 4, "vmaxmag v1, v2, v3\nvdescale v4, v1, v2");
    takes(1 + 6 + 24, "vexp2 v1, v2\nvsilu_mul v3, v1, v1");
    takes(4, "ali a1, 4\naadd a2, a1, a1\naaddi a3, a2, 1"); /* next cycle; vret in s + 4 */
    takes(1 + 2, "vimm v1, 0");
    /* memory words too wait for their register: a store for its source, a load for its target */
    struct sim_port w = {.requester = SIM_WRITE};
    sim_write(&w, LAUNCH + 1 + 1 + 24, 0);
    takes(sim_flush(&w, LAUNCH + 1 + 1 + 24) - LAUNCH - 1, "vsum v1, v2\nvst v1, a0, f32");
    struct sim_port p = {.requester = SIM_READ0};
    takes(sim_read(&p, LAUNCH + 1 + 1 + 24, 0) + 4 - LAUNCH - 1, "vsum v1, v2\nvld v1, a0, f32");
    takes(1 + 24 + 4, "vsum v1, v2\nvlda v1, a0");
}

static void test_one_memory_and_one_arithmetic_word_a_cycle(void **state)
{
    (void)state;
    /* vlda needs no port: an accumulator line a cycle, beside arithmetic in either order. */
    takes(1 + 4, "vlda v1, a0\nvadd v2, v3, v4");
    takes(1 + 4, "vadd v2, v3, v4\nvlda v1, a0");
    takes(3 + 4, "vlda v1, a0\nvlda v2, a1\nvlda v3, a2");
    takes(2 + 4, "vlda v1, a0\nvadd v2, v3, v4\nvlda v5, a1\nvadd v6, v3, v4");
    /* what a memory word adds to an address register is there in the next cycle */
    takes(3 + 4, "vlda v1, a1, 1\naaddi a2, a1, 0\nvadd v2, v3, v4");
    takes(3 + 4, "vlda v1, a1, 1\nvsplat v5, a1\nvadd v2, v3, v4");
    takes(2 + 4, "vlda v1, a1, 1\nvsplat v5, a2\nvadd v2, v3, v4");
    struct sim_port p = {.requester = SIM_READ1};
    takes(sim_read(&p, LAUNCH + 1 + 1, 0) - LAUNCH - 1 + 2 + 4,
          "vld v1, a1, f32, 32\naadd a2, a3, a1\nvadd v2, v3, v4");
    /* in order: a blocked word holds all behind it */
    takes(1 + 4 + 4, "vadd v1, v2, v3\nvadd v4, v1, v1\nvlda v5, a0");
}

static void test_loops_have_free_back_edges(void **state)
{
    (void)state;
    /* ali s+1, vloop s+2, eight sums s+3..s+10 */
    takes(11 + 4, "ali a1, 8\nvloop a1, e\naaddi a2, a2, 1\ne:\nvadd v4, v5, v6");
    /* and eight of one target, each when the one before is there */
    takes(3 + 7 * 4 + 1 + 4, "ali a1, 8\nvloop a1, e\nvadd v1, v2, v3\ne:\nvadd v4, v5, v6");
    takes(2 + 3 + 4, "ali a1, 0\nvloop a1, e\nnever: vadd v1, v1, v1\ne:\nvadd v4, v5, v6");
    /* twice a vloop and three sums, then vret */
    takes(3 + 2 * (1 + 3) + 1, "ali a1, 2\nali a2, 3\nvloop a1, e\nvloop a2, e\naaddi a3, a3, 1\n"
                               "e:\n");
}

/* One load of line `line` by address register a.. that issues in s + 2 at the earliest. */
static void test_loads_wait_for_their_port(void **state)
{
    (void)state;
    for (unsigned line = 0; line < 40; line += 3)
        for (unsigned reg = 2; reg < 4; reg++) {
            char text[200];
            snprintf(text, sizeof text, "ali a%u, %u\nvld v1, a%u, f32", reg, 32 * line, reg);
            struct sim_port p = {.requester = reg % 2 ? SIM_READ1 : SIM_READ0};
            uint64_t s = LAUNCH + 1;
            takes(sim_read(&p, s + 2, line) + 4 - s, text);
        }
}

static void test_streams_keep_lines_and_rise_without_waits(void **state)
{
    (void)state;
    struct sim_port p = {.requester = SIM_READ0};
    uint64_t s = LAUNCH + 1, t = s + 2;
    /* bf16: two loads of eight a line; the second needs no grant but the memory slot */
    t = sim_read(&p, t, 0);
    t = sim_read(&p, t + 1, 0);
    t = sim_read(&p, t + 1, 1);
    t = sim_read(&p, t + 1, 1);
    takes(t + 4 - s, "ali a0, 0\nvld v1, a0, bf16, 16\nvld v2, a0, bf16, 16\nvld v3, a0, bf16, 16\n"
                     "vld v4, a0, bf16, 16");
    /* an access across a line needs both */
    struct sim_port q = {.requester = SIM_READ1};
    t = sim_read(&q, s + 2, 0);
    t = sim_read(&q, t, 1);
    takes(t + 4 - s, "ali a1, 16\nvld v1, a1, f32");
    /* the two read ports do not share their kept lines */
    struct sim_port a = {.requester = SIM_READ0}, b = {.requester = SIM_READ1};
    t = sim_read(&a, s + 2, 5); /* beside the second ali */
    t = sim_read(&b, t + 1, 5);
    takes(t + 4 - s, "ali a0, 160\nali a1, 160\nvld v1, a0, f32\nvld v2, a1, f32");
}

static void test_stores_keep_the_line_until_another_comes(void **state)
{
    (void)state;
    struct sim_port p = {.requester = SIM_WRITE};
    uint64_t s = LAUNCH + 1;
    uint64_t t = sim_write(&p, s + 2, 0);
    assert_int_equal(t, s + 2);
    takes(sim_flush(&p, s + 2) - s, "ali a0, 0\nvst v1, a0, f32");
    p = (struct sim_port){.requester = SIM_WRITE};
    t = sim_write(&p, s + 2, 0);
    t = sim_write(&p, t + 1, 0);
    t = sim_write(&p, t + 1, 1); /* waits until line 0 is written */
    t = sim_write(&p, t + 1, 3);
    /* vret issues with the last store: the arithmetic slot is free */
    takes(sim_flush(&p, t) - s, "ali a0, 0\nvst v1, a0, bf16, 16\nvst v1, a0, bf16, 16\n"
                                "vst v1, a0, bf16, 64\nvst v1, a0, bf16");
}

static void test_next_routine_starts_a_cycle_after_the_end(void **state)
{
    (void)state;
    sim_do(&r, ".sem 1 tcp\n.routine q\nvadd v1, v2, v3\nvret\n.end\n"
               "vcall q\nvcall q post(s1)\nwait wait(s1)\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 1)->start, sim_unit(&r, 0, 0)->end + 1);
    assert_int_equal(sim_tcp(&r, 0, 2)->start, sim_unit(&r, 0, 1)->end + 1);
    assert_int_equal(r.stats.instructions[TSR_Q_TVP], 4);
}

/* ---- values */

/* Runs words over `bytes_in` at TSRAM 0 and returns `bytes_out` from TSRAM 4096 on; a0 = 0,
 * a1 = 4096, a2 = `n`. */
static void transform(const char *words, const void *in, unsigned bytes_in, void *out,
                      unsigned bytes_out, int n)
{
    sim_put(&r, TSR_HBM(0), in, bytes_in);
    sim_loadf(&r,
              ".sem 1 tvp\n.sem 2 dma0\n.routine q\n%s\nvret\n.end\n"
              "li x1, hbm:0\nli x2, %u\nli x3, 4096\nli x4, hbm:65536\nli x5, %u\nli x6, %d\n"
              "copy ch=0, dst=x0, src=x1, len=x2, p0=s1\n"
              "vcall q, x0, x3, x6 wait(s1) post(s2)\n"
              "copy ch=0, dst=x4, src=x3, len=x5, w0=s2\nhalt\n",
              words, bytes_in, bytes_out, n);
    if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
        fail_msg("%s\n%s", r.err.message, words);
    sim_get(&r, TSR_HBM(65536), out, bytes_out);
}

static uint32_t element(const void *p, int i, int bytes)
{
    uint32_t v = 0;
    memcpy(&v, (const uint8_t *)p + i * bytes, (size_t)bytes);
    return v;
}

static uint32_t loaded(const struct tsr_format *f, uint32_t code)
{
    return f->code == TSR_F32 || f->code == TSR_I32 ? code
           : f->code == TSR_I8                      ? (uint32_t)(int8_t)code
                                                    : tsr_num_decode_f32(f, code);
}

static uint32_t stored(const struct tsr_format *f, uint32_t v)
{
    int32_t w = (int32_t)v;
    return f->code == TSR_F32 || f->code == TSR_I32 ? v
           : f->code == TSR_I8                      ? (uint8_t)(w < -128  ? -128
                                                                : w > 127 ? 127
                                                                          : w)
                                                    : tsr_num_encode(f, v, TSR_ROUND_EVEN);
}

static void test_loads_and_stores_in_every_format_with_tails(void **state)
{
    (void)state;
    static const char *const names[] = {"f32", "f16", "bf16", "f8e4m3", "f8e5m2", "i8", "i32"};
    uint64_t seed = tsr_test_seed("vector formats", 9);
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 7; b++) {
            const struct tsr_format *in = tsr_isa_format(r.isa, names[a]),
                                    *out = tsr_isa_format(r.isa, names[b]);
            int bi = in->bits / 8, bo = out->bits / 8, n = (int)tsr_test_random_below(&seed, 9);
            uint8_t x[32], got[32];
            char words[400];
            for (int i = 0; i < 32; i++)
                x[i] = (uint8_t)tsr_test_random(&seed);
            /* all lanes are stored once as 0, then n loaded lanes by eight, so that the tail shows
             */
            snprintf(words, sizeof words,
                     "vimm v1, 0\nvst v1, a1, f32\nvlen a2\nvld v1, a0, %s\n"
                     "ali a3, %d\nvlen a3\nvst v1, a1, %s",
                     names[a], n > 1 ? n - 1 : n, names[b]);
            transform(words, x, 32, got, 32, n);
            for (int i = 0; i < 32 / bo; i++) {
                uint32_t want =
                    i < (n > 1 ? n - 1 : n) ? stored(out, loaded(in, element(x, i, bi))) : 0;
                if (element(got, i, bo) != want)
                    fail_msg("%s to %s, %d lanes, lane %d: 0x%x, wanted 0x%x", names[a], names[b],
                             n, i, element(got, i, bo), want);
            }
        }
}

/* Block formats: what isa/num/element.h does with the same lanes. 8 lanes are half a block of
 * shared microexponents: two registers. */
static void test_loads_and_stores_of_block_elements(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("vector block formats", 10);
    for (int n = 0; n < 400; n++) {
        static const uint8_t code[] = {
            TSR_I4,  TSR_MXF8E4M3, TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3, TSR_MXF4, TSR_MXI8,
            TSR_MX9, TSR_MX6,      TSR_MX4,      TSR_NVF4,     TSR_Q8_0,     TSR_Q4_0};
        const struct tsr_format *f = &r.isa->formats[code[n % 13]];
        struct tsr_num_group g = tsr_num_element_group(f);
        int regs = g.elems > LANES ? 2 : 1, active = (int)tsr_test_random_below(&seed, 9);
        bool by_word = n % 3 == 0 && active > 0; /* the word says how many lanes, or vlen */
        uint32_t x[16], v[16] = {0}, back[16], elems;
        uint8_t got[128], want[128] = {0};
        char words[400];
        for (int i = 0; i < 16; i++) {
            float y = tsr_test_random_f32(&seed) * (n % 2 ? 2 : 100);
            memcpy(&x[i], &y, 4);
            if (i < regs * LANES && i % LANES < active)
                v[i] = x[i];
        }
        elems = ((uint32_t)active * (uint32_t)regs + g.elems - 1) / g.elems * g.elems;
        tsr_num_store_elements(f, want, v, elems);
        snprintf(words, sizeof words,
                 "vld v30, a0, f32, 32\nvld v31, a0, f32\nvlen a2\nvst v30, a1, %s, 32, %d\n"
                 "ali a3, 4096\nvld v4, a3, %s, 0, %d\nali a2, 8\nvlen a2\n"
                 "vst v4, a1, f32, 32\nvst v5, a1, f32",
                 f->name, by_word ? active : 0, f->name, by_word ? active : 256);
        transform(words, x, 64, got, 96, by_word ? 8 : active);
        if (memcmp(got, want, 32) != 0)
            fail_msg("%s, %d lanes", f->name, active);
        tsr_num_load_elements(f, back, want, elems);
        for (int i = 0; i < regs * LANES; i++) {
            uint32_t w = 0, have;
            if (i % LANES < active)
                w = back[i];
            memcpy(&have, got + 32 + 4 * i, 4);
            if (have != w)
                fail_msg("%s, %d lanes, loaded lane %d: 0x%x, wanted 0x%x", f->name, active, i,
                         have, w);
        }
    }
}

static void test_scales_and_segments(void **state)
{
    (void)state;
    float x[8] = {1, -6, 2, 6, 3, 0.5f, -9, 9}, y[8];
    uint32_t got[24];
    transform("vld v1, a0, f32\nvbmax v2, v1, 2\nvst v2, a1, f32, 32\nvlen a2\n"
              "vbmax v3, v1, 3\nali a3, 8\nvlen a3\nvst v3, a1, f32",
              x, 32, y, 32, 8);
    for (int i = 0; i < 8; i++) /* the first of equals */
        assert_true(y[i] == (i < 4 ? -6 : -9));
    transform("vld v1, a0, f32\nvlen a2\nvbmax v3, v1, 2\nvlen a3\nali a3, 8\nvlen a3\n"
              "vst v3, a1, f32",
              x, 32, y, 32, 3);
    assert_true(y[0] == -6 && y[3] == -6 && y[4] == 0 && y[7] == 0);
    /* one scale of a block wider than the lanes */
    float s[8] = {0x1p-3f, 0, 0, 0, 0, 0, 0, 0};
    transform("vld v1, a0, f32\nvsts v1, a1, mx9, 2\nvsts v1, a1, q8_0, 2\nvsts v1, a1, nvf4\n"
              "ali a2, 4096\nali a3, 4128\nvlds v2, a2, mx9, 2\nvlds v3, a2, q4_0\n"
              "vst v2, a3, f32, 32\nvst v3, a3, f32",
              s, 32, got, 96, 0);
    assert_int_equal(got[0], 124u | 0x3000u << 16);
    assert_int_equal(got[1] & 0xFF, 0x20); /* e4m3 2^-3 */
    for (int i = 8; i < 24; i++)
        assert_int_equal(got[i], 0x3E000000);
    sim_want_fault(&r, ".routine q\nali a0, 1\nvsts v1, a0, q8_0\nvret\n.end\nvcall q\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TVP, 1, LAUNCH + 3);
}

static void test_inactive_lanes_load_as_zero(void **state)
{
    (void)state;
    uint32_t x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got[8];
    transform("vimm v1, 9\nvlen a2\nvld v1, a0, i32\nali a3, 8\nvlen a3\nvst v1, a1, i32", x, 32,
              got, 32, 3);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(got[i], i < 3 ? i + 1 : 0);
    transform("vldb v1, a0, i32, 4\nvldb v2, a0, i32\nviadd v1, v1, v2\nvst v1, a1, i32", x, 32,
              got, 32, 3);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(got[i], 3);
}

static void test_stores_of_i8_saturate(void **state)
{
    (void)state;
    static const int32_t x[8] = {127, 128, -128, -129, INT32_MAX, INT32_MIN, -1, 0};
    static const int8_t want[8] = {127, 127, -128, -128, 127, -128, -1, 0};
    int8_t got[8];
    transform("vld v1, a0, i32\nvst v1, a1, i8", x, 32, got, 8, 8);
    assert_memory_equal(got, want, 8);
}

static void test_reductions_pass_inactive_lanes_over(void **state)
{
    (void)state;
    int32_t x[8] = {5, -3, 9, 1, 100, -200, 7, 8}, got[24];
    transform("vld v1, a0, i32\nvlen a2\nvisum v2, v1\nvimaxr v3, v1\nviminr v4, v1\n"
              "ali a3, 99\nvlen a3\nvst v2, a1, i32, 32\nvst v3, a1, i32, 32\nvst v4, a1, i32",
              x, 32, got, 96, 5);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(got[i], 112);
        assert_int_equal(got[8 + i], 100);
        assert_int_equal(got[16 + i], -3);
    }
}

static void test_lane_expressions_equal_the_primitives(void **state)
{
    (void)state;
    static const char *const ops[][2] = {{"vadd", "add"},   {"vsub", "sub"}, {"vmul", "mul"},
                                         {"vmin", "min"},   {"vmax", "max"}, {"vand", "and"},
                                         {"viadd", "iadd"}, {"vlt", "lt"}};
    uint64_t seed = tsr_test_seed("lane expressions", 4);
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        uint32_t x[16], got[16];
        char words[200];
        for (int i = 0; i < 16; i++)
            x[i] = (uint32_t)tsr_test_random(&seed);
        snprintf(words, sizeof words,
                 "vld v1, a0, f32, 32\nvld v2, a0, f32\n%s v1, v1, v2\n"
                 "vst v1, a1, f32, 32\nvsilu_mul v3, v1, v2\nvst v3, a1, f32",
                 ops[k][0]);
        transform(words, x, 64, got, 64, 8);
        int p = tsr_num_primitive_find(ops[k][1]), mul = tsr_num_primitive_find("mul");
        for (int i = 0; i < 8; i++) {
            uint32_t v = tsr_num_primitive_apply(p, x[i], x[8 + i], 0), e;
            assert_int_equal(got[i], v);
            e = tsr_num_primitive_apply(mul, v, 0xBFB8AA3B, 0); /* -log2 e */
            e = tsr_num_primitive_apply(tsr_num_primitive_find("exp2"), e, 0, 0);
            e = tsr_num_primitive_apply(tsr_num_primitive_find("add"), 0x3F800000, e, 0);
            e = tsr_num_primitive_apply(tsr_num_primitive_find("rcp"), e, 0, 0);
            e = tsr_num_primitive_apply(mul, tsr_num_primitive_apply(mul, v, e, 0), x[8 + i], 0);
            assert_int_equal(got[8 + i], e);
        }
    }
}

static void test_registers_survive_between_routines(void **state)
{
    (void)state;
    uint32_t got[8];
    sim_do(&r,
           ".sem 1 dma0\n.routine p\nvimm v9, 77\nali a9, 4096\nali a1, 5\nvret\n.end\n"
           ".routine q\nvsplat v8, a1\nviadd v9, v9, v8\nvst v9, a9, i32\nvret\n.end\n"
           "li x2, 4096\nli x3, hbm:0\nli x4, 32\nli x5, 3\n"
           "vcall p\nvcall q, x0, x5 post(s1)\ncopy ch=0, dst=x3, src=x2, len=x4, w0=s1\nhalt\n");
    sim_get(&r, TSR_HBM(0), got, 32);
    assert_int_equal(got[0], 80);
    assert_int_equal(got[7], 80);
}

static void test_vector_faults(void **state)
{
    (void)state;
    /* vcall in 200, start 201, the load in 203 at the earliest */
    sim_want_fault(&r, ".routine q\nali a0, 2\nvld v1, a0, f32\nvret\n.end\nvcall q\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TVP, 1, LAUNCH + 3);
    sim_want_fault(&r, ".routine q\nali a0, 65520\nvst v1, a0, f32\nvret\n.end\nvcall q\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TVP, 1, LAUNCH + 3);
    sim_do(&r, ".routine q\nali a0, 255\nvlda v1, a0\nvret\n.end\nvcall q\nhalt\n");
    sim_want_fault(&r, ".routine q\nali a0, 256\nvlda v1, a0\nvret\n.end\nvcall q\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TVP, 1, LAUNCH + 3);
    sim_want_fault(&r,
                   ".routine q\nali a0, 2\nvloop a0, e\nvloop a0, e\nvloop a0, e\nvloop a0, e\n"
                   "vloop a0, e\nvmov v1, v1\ne: vret\n.end\nvcall q\nhalt\n",
                   TSR_FAULT_LOOP_DEPTH, 0, TSR_Q_TVP, 5, LAUNCH + 7);
    static const struct {
        const char *at, *format;
    } outside[] = {{"65520", "f32"}, {"65536", "f32"}, {"131072", "f32"},     {"-32", "f32"},
                   {"65529", "i8"},  {"65537", "i8"},  {"0x40000000", "bf16"}};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        for (int mode = 0; mode < 3; mode++) {
            sim_loadf(&r, ".routine q\nali a0, %s\nvld v1, a0, %s\nvret\n.end\nvcall q\nhalt\n",
                      outside[i].at, outside[i].format);
            assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
            assert_int_equal(r.fault.kind, TSR_FAULT_ADDRESS);
            assert_int_equal(r.fault.pc, 1);
        }
    /* A second routine may not fault before the first one does. */
    sim_want_fault(&r,
                   ".routine q\nvsum v1, v1\nvsum v1, v1\nvsum v1, v1\nali a0, 2\nvld v1, a0, f32\n"
                   "vret\n.end\n.routine p\nali a0, 2\nvld v1, a0, f32\nvret\n.end\n"
                   "vcall q\nvcall p\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_TVP, 4, -1);
    sim_load(&r, ".routine q\nvmov v1, v1\nvret\n.end\nvcall q\nhalt\n");
    r.program.tvp[0] = 0xFF;
    for (int mode = 0; mode < 3; mode++) {
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_ILLEGAL);
        assert_int_equal(r.fault.queue, TSR_Q_TVP);
        assert_int_equal(r.fault.pc, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_issue_and_latency),
        cmocka_unit_test(test_one_memory_and_one_arithmetic_word_a_cycle),
        cmocka_unit_test(test_loops_have_free_back_edges),
        cmocka_unit_test(test_loads_wait_for_their_port),
        cmocka_unit_test(test_streams_keep_lines_and_rise_without_waits),
        cmocka_unit_test(test_stores_keep_the_line_until_another_comes),
        cmocka_unit_test(test_next_routine_starts_a_cycle_after_the_end),
        cmocka_unit_test(test_loads_and_stores_in_every_format_with_tails),
        cmocka_unit_test(test_loads_and_stores_of_block_elements),
        cmocka_unit_test(test_scales_and_segments),
        cmocka_unit_test(test_inactive_lanes_load_as_zero),
        cmocka_unit_test(test_stores_of_i8_saturate),
        cmocka_unit_test(test_reductions_pass_inactive_lanes_over),
        cmocka_unit_test(test_lane_expressions_equal_the_primitives),
        cmocka_unit_test(test_registers_survive_between_routines),
        cmocka_unit_test(test_vector_faults),
    };
    return cmocka_run_group_tests_name("sim.tvp", tests, setup, teardown);
}
