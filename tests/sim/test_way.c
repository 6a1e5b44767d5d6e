/* SPDX-License-Identifier: Apache-2.0 */
/* The way to far memory and to other tiles: mesh, memory's queue, remote posts, casts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/mem/hbm.h"
#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

enum {
    LAUNCH = 200,
    SETUP = 4,
    REQUEST = 8,
    HOP = 3,
    CSRAM = 20,
    TSRAM = 2
};

static struct sim_rig r, four;
static uint8_t image[1 << 16];

static int setup(void **state)
{
    (void)state;
    uint64_t seed = 77;
    sim_open(&r, "micro");
    sim_open(&four, "micro4");
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)tsr_test_random(&seed);
    sim_put(&r, TSR_HBM(0), image, sizeof image);
    sim_put(&r, TSR_CSRAM(0, 0), image, sizeof image);
    sim_put(&four, TSR_HBM(0), image, sizeof image);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_close(&r);
    sim_close(&four);
    return 0;
}

static void test_read_across_the_mesh_by_hand(void **state)
{
    (void)state;
    /* Tile 0 reads CSRAM 5, two hops away: issues in 208, 8 + 2 x 2 on the control plane, CSRAM 20:
     * 240; links west and north and the local port, 3 each: 249; 64 bytes of 128 a cycle: 250;
     * line 0 by requester 6 where c mod 8 = 2: 250. The write back: line read in 211 (requester 5,
     * c mod 8 = 3), data in 213, port 214, links east and south 220, local 223, CSRAM 1 + 20, back
     * 12. */
    struct sim_rig maia;
    sim_open(&maia, "maia100");
    sim_do(&maia, "li x1, 0\nli x2, csram:5:0\nli x3, 64\n"
                  "copy ch=0, dst=x1, src=x2, len=x3\nhalt\n");
    assert_int_equal(sim_unit(&maia, 0, 3)->end, 251);
    assert_int_equal(maia.stats.mesh_bytes, 3 * 64);
    sim_do(&maia, "li x1, 0\nli x2, csram:5:0\nli x3, 64\n"
                  "copy ch=0, dst=x2, src=x1, len=x3\nhalt\n");
    assert_int_equal(sim_unit(&maia, 0, 3)->end, 223 + 1 + 20 + 12);
    sim_close(&maia);
}

static void test_read_of_memory_by_hand(void **state)
{
    (void)state;
    /* Issues in 208, arrives in 216; from the controller through the local port and the tile's, for
     * the stack is at the tile's own cluster. */
    const struct tsr_hbm_config *c = &r.chip.hbm;
    void *memory = aligned_alloc(64, (tsr_hbm_bytes(c, 4) + 63) / 64 * 64);
    assert_non_null(memory);
    struct tsr_hbm *h = tsr_hbm_init(memory, c, 4);
    struct tsr_hbm_request q = {.address = 4096, .bytes = 64};
    struct tsr_hbm_done done;
    tsr_hbm_next(h, 0, tsr_hbm_arrive(h, 0, 204 + SETUP + REQUEST, &q), &done);
    free(memory);
    sim_do(&r, "li x1, 0\nli x2, hbm:4096\nli x3, 64\ncopy ch=0, dst=x1, src=x2, len=x3\nhalt\n");
    struct sim_port w = {.requester = SIM_DMA_WRITE};
    uint64_t t = done.cycle + HOP + 64 / 16;
    for (uint64_t l = 0; l < 2; l++)
        t = sim_write(&w, t, l);
    assert_int_equal(sim_unit(&r, 0, 3)->start, 204);
    assert_int_equal(sim_unit(&r, 0, 3)->end, sim_flush(&w, t));
    assert_int_equal(r.stats.mesh_bytes, 64);
}

/* Two kilobyte packets in every direction: of tile `from` over a cluster to `to`, and of tile
 * `between` in that cluster, moved cycle by cycle over the time in which the first comes by. A link
 * takes four cycles: the first waits three at the most, for it goes first if both arrive at once.
 */
static void test_packets_of_one_cycle_go_by_their_input_port(void **state)
{
    (void)state;
    static const struct {
        int from, between, to;
    } way[] = {{0, 4, 2}, {8, 4, 0}, {0, 16, 8}, {32, 16, 0}};
    struct sim_rig maia;
    sim_open(&maia, "maia100");
    for (size_t w = 0; w < 4; w++) {
        uint64_t waits = 0;
        for (int i = 0; i < 3 * 8; i++) { /* grants move in steps of eight cycles, lines of one */
            char nops[12 * 4 + 1] = "";
            for (int k = 0; k < 4 + i / 8 * 4; k++)
                strcat(nops, "nop\n");
            sim_loadf(&maia,
                      ".tiles 33\n.arg %d x9 1\n.arg %d x9 2\nli x2, csram:%d:0\nli x3, 1024\n"
                      "li x4, %d\nli x5, csram:%d:8192\nli x6, 2\n"
                      "beq x9, x0, end\nbeq x9, x6, other\n"
                      "nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\n"
                      "copy ch=0, dst=x2, src=x1, len=x3\nend: halt\n"
                      "other: %scopy ch=0, dst=x5, src=x4, len=x3\nhalt\n",
                      way[w].from, way[w].between, way[w].to, 256 * (i % 8), way[w].to, nops);
            assert_int_equal(sim_run(&maia, TSR_MODE_FULL), TSR_OK);
            const struct sim_retired *c = sim_unit(&maia, (uint32_t)way[w].from, 15);
            /* lines 0..3, the port, two links and the local port, CSRAM, two hops back */
            uint64_t alone = sim_grant(c->start + SETUP + 1, SIM_DMA_READ, 0) + 3 + TSRAM +
                             1024 / 128 + 3 * HOP + 1024 / 256 + CSRAM + REQUEST + 2 * 2;
            assert_in_range(c->end, alone, alone + 3);
            waits |= 1u << (c->end - alone);
        }
        assert_int_equal(waits, 15);
    }
    sim_close(&maia);
}

/* Reads go first among what has arrived, not among what is on its way: one that arrives a cycle or
 * two behind a lone write finds that it has begun. */
static void test_what_has_not_arrived_does_not_go_first(void **state)
{
    (void)state;
    for (int k = 0; k < 40; k++) {
        uint64_t took[2], begun = 0, arrives = 0;
        for (int with = 0; with < 2; with++) {
            char nops[40 * 4 + 1] = "";
            for (int i = 0; i < k; i++)
                strcat(nops, "nop\n");
            sim_loadf(&r,
                      "li x1, 0\nli x2, hbm:65536\nli x3, 256\nli x4, 8192\nli x5, hbm:0\n"
                      "li x6, 32\n%s\n%scopy ch=0, dst=x4, src=x5, len=x6\nhalt\n",
                      with ? "copy ch=1, dst=x2, src=x1, len=x3" : "nop", nops);
            assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
            const struct sim_retired *c = sim_unit(&r, 0, 7 + (uint32_t)k);
            took[with] = c->end - c->start;
            arrives = c->start + SETUP + REQUEST;
            if (with) { /* eight lines, the port, a hop and one cycle of the link */
                begun = sim_grant(sim_unit(&r, 0, 6)->start + SETUP + 1, SIM_DMA_READ, 0) + 7 +
                        TSRAM + 256 / 16 + HOP + 1;
            }
        }
        if (arrives <= begun)
            assert_int_equal(took[1], took[0]);
        else if (arrives >= begun + 2 && arrives < begun + 8)
            assert_true(took[1] > took[0]);
    }
}

static void test_remote_posts_arrive_one_a_tile_and_cycle(void **state)
{
    (void)state;
    /* Four tiles post to tile 0 in one cycle; a wait for n of them tells the n-th arrival. */
    for (uint32_t n = 1; n <= 4; n++) {
        sim_loadf(&four,
                  ".tiles 4\n.sem 1 tcp\n.arg 0 x3 1\nli x1, 1\n"
                  "rpost ch=0, mask=x1, sem=1\nbeq x3, x0, end\nwait wait(s1*%u)\n"
                  "end: halt\n",
                  n);
        assert_int_equal(sim_run(&four, TSR_MODE_FULL), TSR_OK);
        uint64_t sent = sim_unit(&four, 3, 1)->end;
        assert_int_equal(sent, LAUNCH + 2 + SETUP);
        assert_int_equal(sim_tcp(&four, 0, 3)->start, sent + REQUEST + n - 1 + 1);
    }
}

static void test_cast_posts_at_each_destination_in_order(void **state)
{
    (void)state;
    uint8_t got[4][512];
    sim_do(&four, ".tiles 4\n.sem 1 tcp\n.sem 2 tcp\n.sem 3 dma1\n.arg 0 x10 1\n"
                  ".arg 0 x11 hbm:65536\n.arg 1 x11 hbm:66048\n.arg 2 x11 hbm:66560\n"
                  ".arg 3 x11 hbm:67072\n"
                  "li x1, 0\nli x2, hbm:1024\nli x3, 256\nli x4, 14\nli x5, hbm:4096\nli x6, 512\n"
                  "beq x10, x0, receive\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, mask=x4, mc=1, p0=s1, p1=s3\n"
                  "copy ch=0, dst=x3, src=x5, len=x3, mask=x4, mc=1, p0=s1, p1=s3\n"
                  "copy ch=0, dst=x1, src=x5, len=x0, mask=x4, mc=1, p0=s1, p1=s2\n"
                  "wait wait(s1*3)\nhalt\n"
                  "receive: wait wait(s2)\nnop\n"
                  "copy ch=1, dst=x11, src=x1, len=x6, w0=s3*2\nhalt\n");
    for (int i = 1; i < 4; i++) {
        sim_get(&four, TSR_HBM(65536 + 512 * i), got[i], 512);
        assert_memory_equal(got[i], image + 1024, 256);
        assert_memory_equal(got[i] + 256, image + 4096, 256);
    }
    sim_get(&four, TSR_HBM(65536), got[0], 512);
    for (int i = 0; i < 512; i++)
        assert_int_equal(got[0][i], 0);
    assert_int_equal(four.stats.hbm_read_bytes, 512);
    assert_int_equal(four.stats.tile_in_bytes, 3 * 512);
    /* the source hears of it after the destinations */
    assert_true(sim_unit(&four, 0, 7)->end >= sim_unit(&four, 1, 14)->start - 256 / 16);
}

static void test_cast_from_a_tiles_own_memory(void **state)
{
    (void)state;
    uint8_t got[256];
    sim_do(&four, ".tiles 4\n.sem 1 dma0\n.sem 2 tcp\n.sem 3 dma1\n.arg 0 x10 1\n"
                  ".arg 1 x11 hbm:66048\n.arg 2 x11 hbm:66560\n.arg 3 x11 hbm:67072\n"
                  "li x1, 64\nli x2, hbm:3000\nli x3, 256\nli x4, 14\nli x5, 1024\n"
                  "beq x10, x0, receive\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\n"
                  "copy ch=0, dst=x5, src=x1, len=x3, mask=x4, mc=1, w0=s1, p0=s2, p1=s3\n"
                  "wait wait(s2)\nhalt\n"
                  "receive: copy ch=1, dst=x11, src=x5, len=x3, w0=s3\nhalt\n");
    for (int i = 1; i < 4; i++) {
        sim_get(&four, TSR_HBM(65536 + 512 * i), got, 256);
        assert_memory_equal(got, image + 3000, 256);
    }
    assert_int_equal(four.stats.tsram_read_bytes, 4 * 256); /* once for all, and each its own */
}

static void test_a_fast_cast_does_not_overtake_a_slow_one(void **state)
{
    (void)state;
    /* From HBM, then from CSRAM: tile 1 waits for the second, tile 2 for the first. */
    sim_do(&four, ".tiles 3\n.sem 4 tcp\n.sem 5 tcp\n.arg 0 x9 1\n.arg 1 x9 2\n"
                  "li x1, hbm:0\nli x2, csram:0:0\nli x3, 16\nli x4, 6\nli x5, 1\nli x6, 2\n"
                  "beq x9, x6, one\nbeq x9, x0, two\n"
                  "copy ch=0, dst=x0, src=x1, len=x3, mask=x4, mc=1, p1=s4\n"
                  "copy ch=0, dst=x3, src=x2, len=x3, mask=x4, mc=1, p1=s5\nhalt\n"
                  "one: wait wait(s5)\nhalt\ntwo: wait wait(s4)\nhalt\n");
    uint64_t second = sim_tcp(&four, 1, 11)->start, first = sim_tcp(&four, 2, 13)->start;
    assert_int_equal(second, first);
    assert_true(first > LAUNCH + 9 + 1 + SETUP + REQUEST + four.chip.hbm.controller_cycles);
}

/* Every tile of the chip gets its copy, and hears of it, wherever the source lies. */
static void test_cast_to_every_tile_of_the_chip(void **state)
{
    (void)state;
    static const int sources[] = {0, 23, 40, 63};
    struct sim_rig maia;
    uint8_t got[128];
    sim_open(&maia, "maia100");
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        sim_fresh(&maia);
        sim_put(&maia, TSR_HBM(0), image, sizeof image);
        char args[64 * 32], *at = args;
        for (int t = 0; t < 64; t++)
            at += sprintf(at, ".arg %d x9 hbm:%d\n", t, 65536 + 128 * t);
        sim_loadf(&maia,
                  ".tiles 64\n.sem 1 tcp\n.sem 2 dma1\n%s.arg %d x8 1\n"
                  "li x2, hbm:640\nli x3, 128\nli x4, -1\nli x5, 512\n"
                  "beq x8, x0, receive\n"
                  "copy ch=0, dst=x5, src=x2, len=x3, mask=x4, mc=1, p0=s1, p1=s2\n"
                  "wait wait(s1)\nreceive: copy ch=1, dst=x9, src=x5, len=x3, w0=s2\nhalt\n",
                  args, sources[i]);
        assert_int_equal(sim_run(&maia, TSR_MODE_FULL), TSR_OK);
        for (int t = 0; t < 64; t++) {
            sim_get(&maia, TSR_HBM(65536 + 128 * t), got, sizeof got);
            assert_memory_equal(got, image + 640, sizeof got);
        }
        assert_int_equal(maia.stats.hbm_read_bytes, 128);
        assert_int_equal(maia.stats.tile_in_bytes, 64 * 128);
    }
    sim_close(&maia);
}

/* More packets on their way than there is room for at first (4096): 24 tiles of 512 requests. */
static void test_very_many_packets_at_once(void **state)
{
    (void)state;
    struct sim_rig maia;
    uint8_t got[600];
    sim_open(&maia, "maia100");
    sim_put(&maia, TSR_HBM(0), image, sizeof image);
    sim_loadf(&maia, ".tiles 24\n.sem 1 dma0\n.arg 23 x9 hbm:65536\n"
                     "li x2, hbm:0\nli x3, 1\nli x4, 600\nli x5, 64\n"
                     "copy ch=0, dst=x0, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3, p0=s1\n"
                     "beq x9, x0, end\ncopy ch=0, dst=x9, src=x0, len=x4, w0=s1\nend: halt\n");
    assert_int_equal(sim_run(&maia, TSR_MODE_FULL), TSR_OK);
    sim_get(&maia, TSR_HBM(65536), got, sizeof got);
    for (size_t i = 0; i < sizeof got; i++)
        assert_int_equal(got[i], image[64 * i]);
    assert_int_equal(maia.stats.tile_in_bytes, 24 * 600);
    sim_close(&maia);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_across_the_mesh_by_hand),
        cmocka_unit_test(test_read_of_memory_by_hand),
        cmocka_unit_test(test_packets_of_one_cycle_go_by_their_input_port),
        cmocka_unit_test(test_what_has_not_arrived_does_not_go_first),
        cmocka_unit_test(test_remote_posts_arrive_one_a_tile_and_cycle),
        cmocka_unit_test(test_cast_posts_at_each_destination_in_order),
        cmocka_unit_test(test_cast_from_a_tiles_own_memory),
        cmocka_unit_test(test_a_fast_cast_does_not_overtake_a_slow_one),
        cmocka_unit_test(test_cast_to_every_tile_of_the_chip),
        cmocka_unit_test(test_very_many_packets_at_once),
    };
    return cmocka_run_group_tests_name("sim.way", tests, setup, teardown);
}
