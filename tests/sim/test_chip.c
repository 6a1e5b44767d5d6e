/* SPDX-License-Identifier: Apache-2.0 */
/* Chips and programs that the simulator refuses, and odd ones that it takes. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

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

/* The chip must be refused with a message that begins with the key. */
static void refused(const struct tsr_chip *chip, const char *key)
{
    struct tsr_sim *sim = NULL;
    struct tsr_error err = {0};
    assert_int_equal(tsr_sim_create(chip, r.isa, &sim, &err), TSR_BAD_INPUT);
    assert_null(sim);
    if (strncmp(err.message, key, strlen(key)) != 0)
        fail_msg("\"%s\" does not begin with %s", err.message, key);
}

#define REFUSED(key, change)                                                                       \
    do {                                                                                           \
        struct tsr_chip c = r.chip;                                                                \
        c.change;                                                                                  \
        refused(&c, key);                                                                          \
    } while (0)

static void test_chips_beyond_the_arrays_are_refused_by_key(void **state)
{
    (void)state;
    REFUSED("tiles_per_cluster", tiles_per_cluster = 65);
    REFUSED("tiles_per_cluster", tiles_per_cluster = 0);
    REFUSED("mesh.x", mesh.x = 0);
    REFUSED("mesh.y", mesh.y = 1 << 20);
    REFUSED("mesh.link_bytes", mesh.link_bytes = 0);
    REFUSED("tile.queue_depth", tile.queue_depth = 17);
    REFUSED("tile.queue_depth", tile.queue_depth = 0);
    REFUSED("tile.ttu.acc_banks", tile.ttu.acc_banks = 17);
    REFUSED("tile.ttu.dim", tile.ttu.dim = 5);
    REFUSED("tile.ttu.r16", tile.ttu.r16 = 0);
    REFUSED("tile.ttu.r6", tile.ttu.r6 = 65);
    REFUSED("tile.tvp.vregs", tile.tvp.vregs = 33);
    REFUSED("tile.tvp.aregs", tile.tvp.aregs = 8);
    REFUSED("tile.tvp.lanes", tile.tvp.lanes = 512);
    REFUSED("tile.line_bytes", tile.line_bytes = 24);
    REFUSED("tile.line_bytes", tile.line_bytes = 64);
    REFUSED("tile.tsram_bytes", tile.tsram_bytes = 0);
    REFUSED("tile.control_bytes", tile.control_bytes = 12);
    REFUSED("tile.semaphores", tile.semaphores = 65);
    REFUSED("tile.tdma.channels", tile.tdma.channels = 5);
    REFUSED("tile.tdma.max_request_bytes", tile.tdma.max_request_bytes = 300);
    REFUSED("tile.tdma.window_bytes", tile.tdma.window_bytes = 255);
    REFUSED("csram.bytes", csram.bytes = 0);
    REFUSED("hbm.segment_bytes", hbm.segment_bytes = 1000);
    REFUSED("hbm.t_refi", hbm.t_refi = 1);
    REFUSED("hbm.stack_x", hbm.stack_x[0] = 1);
    struct tsr_chip c = r.chip;
    c.tile.tdma.max_request_bytes = c.tile.tdma.window_bytes = 4096;
    refused(&c, "tile.tdma.max_request_bytes");
    c = r.chip;
    c.mesh.x = 8, c.mesh.y = 8, c.tiles_per_cluster = 2;
    refused(&c, "tiles_per_cluster");
}

static void test_programs_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    sim_load(&r, ".tiles 2\nhalt\n");
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_BAD_INPUT);
    assert_non_null(strstr(r.err.message, "runs on 2 tiles, micro has 1"));
    char *text = calloc(1, 4096 * 4 + 100);
    assert_non_null(text);
    for (int i = 0; i < 4097; i++)
        memcpy(text + 4 * i, "nop\n", 4);
    sim_load(&r, text);
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_BAD_INPUT);
    assert_non_null(strstr(r.err.message, "4097 TCP words"));
    free(text);
    sim_load(&r, ".control 0 4096 1\nhalt\n");
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_BAD_INPUT);
    r.chip.tile.semaphores = 16;
    sim_fresh(&r);
    sim_load(&r, ".sem 15 tcp\nwait post(s15)\nwait wait(s15)\nhalt\n");
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
    sim_load(&r, "wait post(s16)\nhalt\n");
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_BAD_INPUT);
    assert_non_null(strstr(r.err.message, "word 0: s16, micro has 16 semaphores"));
    r.chip.tile.semaphores = 64;
    sim_fresh(&r);
}

static void test_host_access_outside_the_memories_is_refused(void **state)
{
    (void)state;
    uint8_t b[8] = {0};
    struct tsr_error err = {0};
    uint64_t top = r.chip.hbm.bytes;
    assert_int_equal(tsr_sim_write(r.sim, TSR_HBM(top - 8), b, 8, &err), TSR_OK);
    assert_int_equal(tsr_sim_write(r.sim, TSR_HBM(top - 7), b, 8, &err), TSR_BAD_INPUT);
    memset(&err, 0, sizeof err);
    assert_int_equal(tsr_sim_read(r.sim, TSR_CSRAM(1, 0), b, 8, &err), TSR_BAD_INPUT);
    assert_int_equal(tsr_sim_read(r.sim, TSR_CSRAM(0, r.chip.csram.bytes), b, 1, &err),
                     TSR_BAD_INPUT);
    assert_int_equal(tsr_sim_read(r.sim, 0, b, 1, &err), TSR_BAD_INPUT);
    assert_int_equal(tsr_sim_read(r.sim, TSR_HBM(0), b, UINT64_MAX, &err), TSR_BAD_INPUT);
}

/* The extremes that are allowed: one copy, one mma, a drain and a routine. */
static void works(void)
{
    sim_fresh(&r);
    sim_do(&r, ".sem 1 ttu\n.sem 2 acc\n.sem 3 tvp\n.sem 4 dma1\n"
               ".routine q\nvld v1, a0, f32\nvst v1, a0, f32\nvret\n.end\n"
               "li x1, hbm:0\nli x2, 32\nli x3, 4\nli x4, 1024\nli x5, 2\n"
               "copy ch=0, dst=x0, src=x1, len=x2, p0=s1\n"
               "mma a=x0, as=x2, b=x0, bs=x2, m=x5, n=x5, k=x5, c=x0, af=i8, bf=i8, w0=s1, p0=s2\n"
               "drain dst=x4, ds=x2, m=x5, n=x5, c=x0, fmt=i32, w0=s2, p0=s3\n"
               "vcall q, x4 wait(s3) post(s4)\ncopy ch=1, dst=x1, src=x4, len=x2, w0=s4\nhalt\n");
}

static void test_the_smallest_and_the_largest_work(void **state)
{
    (void)state;
    const struct tsr_chip micro = r.chip;
    r.chip.tile.ttu.dim = 1;
    r.chip.tile.tvp.lanes = 1;
    r.chip.tile.line_bytes = 4;
    r.chip.tile.queue_depth = 1;
    r.chip.tile.port_bytes = 1;
    r.chip.tile.ttu.acc_banks = 2;
    works();
    r.chip = micro;
    r.chip.tile.ttu.dim = 64;
    r.chip.tile.tvp.lanes = 256;
    r.chip.tile.line_bytes = 1024;
    r.chip.tile.queue_depth = 16;
    r.chip.tile.ttu.acc_banks = 16;
    r.chip.tile.ttu.r16 = r.chip.tile.ttu.r9 = r.chip.tile.ttu.r6 = 64;
    works();
    sim_do(&r, "li x1, 64\nli x2, 512\nli x3, 32768\n"
               "transpose ch=0, dst=x3, src=x0, rows=x1, cols=x1, ss=x2, ds=x2, size=2\nhalt\n");
    sim_want_fault(&r,
                   "li x1, 65\nli x2, 512\nli x3, 32768\n"
                   "transpose ch=0, dst=x3, src=x0, rows=x1, cols=x1, ss=x2, ds=x2, size=2\n"
                   "halt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_DMA0, 3, -1);
    r.chip = micro;
    r.chip.mesh.x = r.chip.mesh.y = 8;
    works();
    r.chip = micro;
    sim_fresh(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chips_beyond_the_arrays_are_refused_by_key),
        cmocka_unit_test(test_programs_that_do_not_fit_are_refused),
        cmocka_unit_test(test_host_access_outside_the_memories_is_refused),
        cmocka_unit_test(test_the_smallest_and_the_largest_work),
    };
    return cmocka_run_group_tests_name("sim.chip", tests, setup, teardown);
}
