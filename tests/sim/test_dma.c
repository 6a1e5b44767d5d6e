/* SPDX-License-Identifier: Apache-2.0 */
/* The data mover: requests, order and posts in time; every kind of transfer by value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static struct sim_rig r;
static uint8_t image[1 << 16];

static int setup(void **state)
{
    (void)state;
    uint64_t seed = 77;
    sim_open(&r, "micro");
    for (size_t i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)tsr_test_random(&seed);
    sim_put(&r, TSR_HBM(0), image, sizeof image);
    sim_put(&r, TSR_CSRAM(0, 0), image, sizeof image);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_close(&r);
    return 0;
}

/* ---- cycles */

static void test_read_of_csram_by_hand(void **state)
{
    (void)state;
    /* Queued in 203, starts in 204, issues in 208; control plane 8, CSRAM 20: 236. Own cluster, no
     * link. 64 bytes through a port of 16 a cycle: 240. Two lines into TSRAM by requester 6: line 0
     * in the first c >= 240 with c mod 8 = 2: 242, 243; posts a cycle later. */
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 64\ncopy ch=0, dst=x1, src=x2, len=x3\nhalt\n");
    const struct sim_retired *c = sim_unit(&r, 0, 3);
    assert_int_equal(c->start, 204);
    assert_int_equal(c->end, 244);
    assert_int_equal(r.stats.csram_bytes, 64);
    assert_int_equal(r.stats.tile_in_bytes, 64);
}

static void test_write_to_csram_by_hand(void **state)
{
    (void)state;
    /* Issues in 208, reads from 209 by requester 5: line 0 where c mod 8 = 3: 211, 212; data in
     * 214; out through the port in 218; CSRAM takes one cycle of 256 bytes and 20; back 8. */
    sim_do(&r,
           "li x1, csram:0:4096\nli x2, 0\nli x3, 64\ncopy ch=1, dst=x1, src=x2, len=x3\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 3)->end, 218 + 1 + 20 + 8);
}

static void test_rows_over_one_another_by_hand(void **state)
{
    (void)state;
    /* As above, of 96 rows of two bytes at one place: 16 fill an access of 32 bytes, so there are
     * six of line 0: 211, 219, ... 251. Data in 253, 192 bytes through the port in 265. */
    sim_do(&r, "li x1, csram:0:4096\nli x2, 0\nli x3, 2\nli x4, 96\n"
               "copy ch=1, dst=x1, src=x2, len=x3, n1=x4, ss1=x0, ds1=x3\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 4)->end, 265 + 1 + 20 + 8);
}

static void test_copy_within_tsram_by_hand(void **state)
{
    (void)state;
    /* From line 0 to line 3 (requester 6, from 214: (3 - c) mod 8 = 6, c mod 8 = 5: 221, 222). */
    sim_do(&r, "li x1, 96\nli x2, 0\nli x3, 64\ncopy ch=1, dst=x1, src=x2, len=x3\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 3)->end, 223);
}

static void test_descriptor_starts_when_the_one_before_has_issued(void **state)
{
    (void)state;
    /* 1,000 bytes from 256 k + 200: requests of 56, 256, 256, 256, 176 */
    sim_do(&r, "li x1, 0\nli x2, csram:0:200\nli x3, 1000\nli x4, 2048\nli x5, 4096\n"
               "copy ch=0, dst=x1, src=x2, len=x3\ncopy ch=0, dst=x4, src=x2, len=x3\n"
               "copy ch=0, dst=x1, src=x2, len=x0\ncopy ch=0, dst=x5, src=x2, len=x3\nhalt\n");
    uint64_t s = sim_unit(&r, 0, 5)->start;
    assert_int_equal(s, 206);
    assert_int_equal(sim_unit(&r, 0, 6)->start, s + SETUP + 4 + 1);
    assert_int_equal(sim_unit(&r, 0, 7)->start, s + 2 * (SETUP + 5));
    assert_int_equal(sim_unit(&r, 0, 8)->start, s + 2 * (SETUP + 5) + SETUP + 1);
    assert_int_equal(sim_unit(&r, 0, 7)->end,
                     sim_unit(&r, 0, 6)->end + 1); /* empty, but in order, one a cycle */
    assert_true(sim_unit(&r, 0, 6)->end > sim_unit(&r, 0, 5)->end);
}

static void test_channels_take_turns_one_request_a_cycle(void **state)
{
    (void)state;
    /* Two channels of 8 requests each; the second starts a cycle after the first. Issue cycles:
     * ch0 208, then by turns: ch1 209, ch0 210, ... so 16 requests take until 223. */
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 16\nli x4, 8\nli x5, 256\nli x6, 4096\n"
               "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3\n"
               "copy ch=1, dst=x6, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3\n"
               "copy ch=0, dst=x1, src=x2, len=x0\ncopy ch=1, dst=x1, src=x2, len=x0\nhalt\n");
    uint64_t s = sim_unit(&r, 0, 6)->start;
    assert_int_equal(s, 207);
    assert_int_equal(sim_unit(&r, 0, 7)->start, s + 1);
    assert_int_equal(sim_unit(&r, 0, 8)->start, s + SETUP + 14 + 1); /* 211, 213, ... 225 */
    assert_int_equal(sim_unit(&r, 0, 9)->start, s + SETUP + 15 + 1);
}

static void test_window_bounds_the_bytes_in_flight(void **state)
{
    (void)state;
    /* 16 requests of 256 bytes fill 4,096: the last of 17 waits for the first one's data. */
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 4352\ncopy ch=0, dst=x1, src=x2, len=x3\n"
               "copy ch=0, dst=x1, src=x2, len=x0\nhalt\n");
    struct sim_port w = {.requester = SIM_DMA_WRITE};
    uint64_t first = 204 + SETUP + REQUEST + CSRAM + 256 / 16, in = first;
    for (uint64_t l = 0; l < 8; l++)
        in = sim_write(&w, in, l);
    in = sim_flush(&w, in);
    assert_int_equal(sim_unit(&r, 0, 4)->start, in + 1 + 1);
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 4096\ncopy ch=0, dst=x1, src=x2, len=x3\n"
               "copy ch=0, dst=x1, src=x2, len=x0\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 4)->start, 204 + SETUP + 16);
}

static void test_transpose_and_to_control_by_hand(void **state)
{
    (void)state;
    /* Issues in 208; lines 0..3 by requester 5 where c mod 8 = 3: 211..214; there in 216. */
    sim_do(&r, "li x1, 4096\nli x2, 4\nli x3, 32\n"
               "transpose ch=0, dst=x1, src=x0, rows=x2, cols=x2, ss=x3, ds=x3, size=2\nhalt\n");
    struct sim_port w = {.requester = SIM_DMA_WRITE};
    uint64_t t = 216;
    for (uint64_t l = 128; l < 132; l++)
        t = sim_write(&w, t, l);
    assert_int_equal(sim_unit(&r, 0, 3)->end, sim_flush(&w, t));
    /* Issues in 207, line 0 in 211, there in 213, 32 bytes at 8 a cycle: over after 217. */
    sim_do(&r, "li x1, 64\nli x2, 8\nto_control ch=0, dst=x1, src=x0, n=x2, id=0\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 2)->end, 218);
    /* Issues in 208, reads from 209: line 5 was free in 208 and is again in 216. */
    sim_do(&r, "li x1, 64\nli x2, 8\nli x3, 160\n"
               "to_control ch=0, dst=x1, src=x3, n=x2, id=0\nhalt\n");
    assert_int_equal(sim_unit(&r, 0, 3)->end, 216 + 2 + 4 + 1);
}

static void test_to_control_fills_the_control_memory(void **state)
{
    (void)state;
    int words = (int)(r.chip.tile.control_bytes / 4);
    for (int from = 0; from < 2; from++)
        for (int more = 0; more < 2; more++) {
            sim_loadf(&r,
                      "li x1, %d\nli x2, %d\nto_control ch=0, dst=x1, src=x0, n=x2, id=0\nhalt\n",
                      4 * from, words - from + more);
            assert_int_equal(sim_run(&r, TSR_MODE_FULL), more ? TSR_FAULT : TSR_OK);
            assert_int_equal(r.fault.kind, more ? TSR_FAULT_ADDRESS : 0);
        }
}

static void test_slabs_are_written_line_by_line(void **state)
{
    (void)state;
    static const int strides[] = {32, 64, 96, 256, 288, 40, 16416};
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
        int n = strides[i] > 9000 ? 3 : 8;
        sim_loadf(&r,
                  "li x1, 64\nli x2, csram:0:0\nli x3, 32\nli x4, %d\nli x5, %d\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x3, ds1=x5\nhalt\n",
                  n, strides[i]);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
        struct sim_port w = {.requester = SIM_DMA_WRITE};
        uint64_t t = 206 + SETUP + REQUEST + CSRAM + (uint64_t)n * 32 / 16;
        for (int k = 0; k < n; k++) {
            uint64_t at = 64 + (uint64_t)(k * strides[i]);
            for (uint64_t l = at / 32; l <= (at + 31) / 32; l++)
                t = sim_write(&w, t, l);
        }
        assert_int_equal(sim_unit(&r, 0, 5)->end, sim_flush(&w, t));
        assert_int_equal(r.stats.tsram_write_bytes, 32 * n);
        assert_int_equal(r.stats.tsram_read_bytes, 0);
        sim_loadf(&r,
                  "li x1, csram:0:0\nli x2, 64\nli x3, 32\nli x4, %d\nli x5, %d\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3\nhalt\n",
                  n, strides[i]);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
        assert_int_equal(r.stats.tsram_read_bytes, 32 * n);
        assert_int_equal(r.stats.tsram_write_bytes, 0);
    }
}

static void test_limit_holds_without_time(void **state)
{
    (void)state;
    sim_load(&r, "li x1, 16777216\nli x2, hbm:0\nli x3, 1\nli x4, 16\n"
                 "copy ch=1, dst=x0, src=x2, len=x3, n1=x1, n2=x4\nhalt\n");
    for (int mode = 0; mode < 3; mode++) {
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_LIMIT);
    }
    /* and every piece is a request: 3,000 of one byte are more than 2,000 cycles */
    uint64_t limit = r.opt.limit_cycles;
    r.opt.limit_cycles = 2000;
    sim_load(&r, "li x1, 3000\nli x2, csram:0:0\nli x3, 1\nli x4, 2\n"
                 "copy ch=1, dst=x0, src=x2, len=x3, n1=x1, ss1=x4\nhalt\n");
    for (int mode = 0; mode < 3; mode++) {
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_LIMIT);
    }
    r.opt.limit_cycles = limit;
}

static void test_waits_for_the_tile_itself_are_not_charged_to_the_mesh(void **state)
{
    (void)state;
    /* The TCP waits for a transpose, whose channel waits for the ports of the TSRAM. */
    sim_do(&r, ".sem 1 tcp\nli x1, 4096\nli x2, 8\nli x3, 32\n"
               "transpose ch=0, dst=x1, src=x0, rows=x2, cols=x2, ss=x3, ds=x3, size=2, p0=s1\n"
               "wait wait(s1)\nhalt\n");
    uint64_t waited = sim_tcp(&r, 0, 4)->start - sim_tcp(&r, 0, 3)->start - 1;
    assert_int_equal(r.stats.unit[TSR_Q_TCP][TSR_WAIT_SEMAPHORE], waited);
    for (int q = 0; q < TSR_QUEUES; q++) {
        assert_int_equal(r.stats.unit[q][TSR_WAIT_MESH], 0);
        assert_int_equal(r.stats.unit[q][TSR_WAIT_HBM], 0);
    }
}

static void test_window_keeps_room_for_a_whole_request(void **state)
{
    (void)state;
    /* Runs of 130 bytes: after 30 of them 3,900 are in flight, and 256 more would be too many. */
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 130\nli x4, 31\nli x5, 256\n"
               "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x5\n"
               "copy ch=0, dst=x1, src=x2, len=x0\nhalt\n");
    struct sim_port w = {.requester = SIM_DMA_WRITE};
    uint64_t in = 206 + SETUP + REQUEST + CSRAM + (130 + 15) / 16;
    for (uint64_t l = 0; l < 5; l++)
        in = sim_write(&w, in, l);
    in = sim_flush(&w, in);
    assert_int_equal(sim_unit(&r, 0, 6)->start, in + 1 + 1);
}

static void test_a_channels_wait_is_charged_to_its_semaphore(void **state)
{
    (void)state;
    /* Channel 0 waits for a transpose of channel 1, from the cycle after it was queued. */
    sim_do(&r, ".sem 1 dma0\nli x1, 4096\nli x2, 8\nli x3, 32\n"
               "transpose ch=1, dst=x1, src=x0, rows=x2, cols=x2, ss=x3, ds=x3, size=2, p0=s1\n"
               "copy ch=0, dst=x0, src=x1, len=x0, w0=s1\nhalt\n");
    assert_int_equal(r.stats.unit[TSR_Q_DMA0][TSR_WAIT_SEMAPHORE],
                     sim_unit(&r, 0, 4)->start - sim_tcp(&r, 0, 4)->start - 1);
}

static void test_requests_in_flight_are_512(void **state)
{
    (void)state;
    /* A thousand bytes of CSRAM, each its own request and its own write of a line of the TSRAM: the
     * last goes when the 512th before it is there. */
    sim_do(&r, "li x1, 0\nli x2, csram:0:0\nli x3, 1\nli x4, 1000\nli x5, 2\n"
               "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3\n"
               "copy ch=0, dst=x1, src=x2, len=x0\nhalt\n");
    struct sim_port w = {.requester = SIM_DMA_WRITE};
    uint64_t there = 0;
    for (uint64_t i = 0; i < 1000 - 512; i++) {
        uint64_t in = 206 + SETUP + i + REQUEST + CSRAM + 1;
        there = sim_flush(&w, sim_write(&w, in, i / 32));
    }
    assert_int_equal(sim_unit(&r, 0, 6)->start, there + 1 + 1);
}

static void test_requests_join_runs_that_are_contiguous_far_away(void **state)
{
    (void)state;
    static const struct {
        const char *dst, *src;
        int ss, ds, requests;
    } c[] = {
        {"0", "csram:0:0", 16, 64, 1},
        {"0", "csram:0:0", 64, 16, 8},
        {"csram:0:0", "0", 64, 16, 1},
        {"csram:0:0", "0", 16, 64, 8},
        {"8192", "0", 64, 16, 1},
        {"8192", "0", 16, 64, 8},
        {"hbm:0x10000", "csram:0:0", 16, 16, 1},
        {"hbm:0x10000", "csram:0:0", 16, 64, 8},
        {"hbm:0x10000", "csram:0:0", 64, 16, 8},
        {"0", "csram:0:240", 16, 64, 2},
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        sim_loadf(&r,
                  "li x1, %s\nli x2, %s\nli x3, 16\nli x4, 8\nli x5, %d\nli x6, %d\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x6\n"
                  "copy ch=0, dst=x1, src=x2, len=x0\nhalt\n",
                  c[i].dst, c[i].src, c[i].ss, c[i].ds);
        assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
        assert_int_equal(sim_unit(&r, 0, 7)->start,
                         sim_unit(&r, 0, 6)->start + SETUP + (uint64_t)c[i].requests);
    }
}

static void test_many_tiny_requests_stay_within_the_memory_queue(void **state)
{
    (void)state;
    sim_do(&r, "li x1, 0\nli x2, hbm:0\nli x3, 1\nli x4, 2000\nli x5, 4096\n"
               "copy ch=0, dst=x1, src=x2, len=x3, n1=x4, ss1=x5, ds1=x3\nhalt\n");
}

static void test_posts_come_in_order_and_rpost_behind_them(void **state)
{
    (void)state;
    sim_do(&r,
           ".sem 1 tcp\n.sem 2 tcp\n"
           "li x1, 0\nli x2, hbm:0\nli x3, 2048\nli x4, csram:0:0\nli x5, 16\nli x6, 1\n"
           "li x7, 8192\n"
           "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\ncopy ch=0, dst=x7, src=x4, len=x5, p0=s1\n"
           "rpost ch=0, mask=x6, sem=2\nwait wait(s1)\nwait wait(s1)\nwait wait(s2)\nhalt\n");
    const struct sim_retired *slow = sim_unit(&r, 0, 7), *fast = sim_unit(&r, 0, 8);
    assert_int_equal(slow->end + 1,
                     fast->end); /* a little read passes a long one but posts behind it */
    assert_int_equal(sim_tcp(&r, 0, 10)->start, slow->end + 1);
    assert_int_equal(sim_tcp(&r, 0, 12)->start, fast->end + 1 + REQUEST + 1);
}

/* ---- values */

static void test_copy_of_four_dimensions_each_way(void **state)
{
    (void)state;
    static uint8_t got[1 << 16];
    /* 3 x 2 x 4 runs of 24 bytes: HBM -> TSRAM -> TSRAM -> CSRAM -> HBM, strides change each time
     */
    sim_do(&r, ".sem 1 dma1\n.sem 2 dma2\n.sem 3 dma3\n"
               "li x1, 24\nli x2, 4\nli x3, 2\nli x4, 3\n"
               "li x5, hbm:1000\nli x6, 100\nli x7, 1000\nli x8, 5000\n" /* HBM */
               "li x9, 64\nli x10, 40\nli x11, 200\nli x12, 500\n"       /* TSRAM */
               "li x13, 8192\nli x14, 24\nli x15, 96\nli x16, 192\n"     /* dense */
               "li x17, csram:0:40000\nli x18, 32\nli x19, 160\nli x20, 480\n"
               "li x21, hbm:65536\n"
               "copy ch=0, dst=x9, src=x5, len=x1, n1=x2, ss1=x6, ds1=x10, n2=x3, ss2=x7, ds2=x11, "
               "n3=x4, ss3=x8, ds3=x12, p0=s1\n"
               "copy ch=1, dst=x13, src=x9, len=x1, n1=x2, ss1=x10, ds1=x14, n2=x3, ss2=x11, "
               "ds2=x15, n3=x4, ss3=x12, ds3=x16, w0=s1, p0=s2\n"
               "copy ch=2, dst=x17, src=x13, len=x1, n1=x2, ss1=x14, ds1=x18, n2=x3, ss2=x15, "
               "ds2=x19, n3=x4, ss3=x16, ds3=x20, w0=s2, p0=s3\n"
               "copy ch=3, dst=x21, src=x17, len=x1, n1=x2, ss1=x18, ds1=x14, n2=x3, ss2=x19, "
               "ds2=x15, n3=x4, ss3=x20, ds3=x16, w0=s3\nhalt\n");
    sim_get(&r, TSR_HBM(65536), got, 576);
    for (int z = 0; z < 3; z++)
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 4; x++)
                assert_memory_equal(got + z * 192 + y * 96 + x * 24,
                                    image + 1000 + z * 5000 + y * 1000 + x * 100, 24);
}

static void test_negative_strides_and_forward_between_memories(void **state)
{
    (void)state;
    uint8_t got[4096];
    sim_do(&r, ".sem 1 tcp\nli x1, 128\nli x2, 8\nli x3, hbm:1920\nli x4, -128\nli x5, hbm:131072\n"
               "copy ch=0, dst=x5, src=x3, len=x1, n1=x2, ss1=x4, ds1=x1, p0=s1\nwait wait(s1)\n"
               "li x6, hbm:3\nli x7, hbm:200001\nli x8, 3000\ncopy ch=0, dst=x7, src=x6, len=x8\n"
               "halt\n");
    sim_get(&r, TSR_HBM(131072), got, 1024);
    for (int i = 0; i < 8; i++)
        assert_memory_equal(got + 128 * i, image + 1920 - 128 * i, 128);
    sim_get(&r, TSR_HBM(200001), got, 3000);
    assert_memory_equal(got, image + 3, 3000);
}

static void test_gather_and_scatter_follow_the_list(void **state)
{
    (void)state;
    uint8_t got[640];
    sim_do(&r,
           ".sem 1 dma0\n.sem 2 dma1\n.control 0 0x40 5 0 31 5 12\n.control 0 0x80 3 1 0 4 2\n"
           "li x1, 0\nli x2, hbm:0\nli x3, 100\nli x4, 0x40\nli x5, 5\nli x6, 1024\nli x7, 128\n"
           "li x8, hbm:65536\nli x9, 0x80\n"
           "gather ch=0, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x6, ds=x7, p0=s2\n"
           "scatter ch=1, dst=x8, src=x1, len=x3, idx=x9, n=x5, ss=x7, ds=x7, w0=s2\nhalt\n");
    static const int from[5] = {5, 0, 31, 5, 12}, to[5] = {3, 1, 0, 4, 2};
    sim_get(&r, TSR_HBM(65536), got, 640);
    for (int i = 0; i < 5; i++)
        assert_memory_equal(got + 128 * to[i], image + 1024 * from[i], 100);
}

static void test_transpose_of_every_size(void **state)
{
    (void)state;
    for (int size = 0; size < 3; size++) {
        int b = 1 << size, rows = 7, cols = 5;
        uint8_t got[8 * 64];
        sim_loadf(&r,
                  ".sem 1 dma1\n.sem 2 dma2\nli x1, 0\nli x2, hbm:0\nli x3, 512\nli x4, 8192\n"
                  "li x5, %d\nli x6, %d\nli x7, 40\nli x8, 64\nli x9, hbm:65536\n"
                  "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\n"
                  "transpose ch=1, dst=x4, src=x1, rows=x5, cols=x6, ss=x7, ds=x8, size=%d, "
                  "w0=s1, p0=s2\n"
                  "copy ch=2, dst=x9, src=x4, len=x3, w0=s2\nhalt\n",
                  rows, cols, size);
        if (sim_run(&r, TSR_MODE_FULL) != TSR_OK)
            fail_msg("%s", r.err.message);
        sim_get(&r, TSR_HBM(65536), got, 512);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++)
                assert_memory_equal(got + j * 64 + i * b, image + i * 40 + j * b, (size_t)b);
    }
}

static void test_dma_faults(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "li x1, 65530\nli x2, hbm:0\nli x3, 7\ncopy ch=2, dst=x1, src=x2, len=x3\nhalt\n",
        "li x1, 0\nli x2, hbm:0x3fffffff\nli x3, 2\ncopy ch=2, dst=x1, src=x2, len=x3\nhalt\n",
        "li x1, 0\nli x2, csram:1:0\nli x3, 2\ncopy ch=2, dst=x1, src=x2, len=x3\nhalt\n",
        "li x1, 0\nli x2, 0x0300000000000000\nli x3, 2\ncopy ch=2, dst=x1, src=x2, len=x3\nhalt\n",
        "li x1, 0\nli x2, hbm:0\nli x3, -2\ncopy ch=2, dst=x1, src=x2, len=x3\nhalt\n",
        "li x1, 0\nli x2, hbm:0\nli x3, 4\ncopy ch=2, dst=x1, src=x2, len=x3, mc=1, "
        "mask=x0\nhalt\n",
        "li x1, 0\nli x2, hbm:0\nli x3, 4\ncopy ch=2, dst=x1, src=x2, len=x3, mc=1, "
        "mask=x3\nhalt\n",
        "li x1, 0x4000\nli x2, 8\nli x3, 4\ntranspose ch=2, dst=x1, src=x0, rows=x2, cols=x1, "
        "ss=x2, ds=x2, size=0\nhalt\n",
        "li x1, 3\nli x2, 0x7fffffffffffffff\nli x3, 4\ntranspose ch=2, dst=x0, src=x0, rows=x1, "
        "cols=x1, ss=x2, ds=x3, size=0\nhalt\n",
        "li x1, 4096\nli x2, 0\nli x3, 1\nto_control ch=2, dst=x1, src=x2, n=x3, id=0\nhalt\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        sim_want_fault(&r, bad[i], TSR_FAULT_ADDRESS, 0, TSR_Q_DMA2, 3, LAUNCH + 4);
    sim_want_fault(&r,
                   ".control 0 0 1 0x100000\nli x1, 0\nli x2, hbm:0\nli x3, 2\nli x4, 4096\n"
                   "gather ch=1, dst=x1, src=x2, len=x3, idx=x0, n=x3, ss=x4, ds=x4\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_DMA1, 4, LAUNCH + 5 + SETUP + 1);
    sim_want_fault(&r, "rpost ch=3, mask=x0, sem=1\nhalt\n", TSR_FAULT_ADDRESS, 0, TSR_Q_DMA3, 0,
                   LAUNCH + 1);
    /* 2^40 bytes are too many for the limit, more are no descriptor */
    for (int n2 = 64; n2 < 66; n2++) {
        sim_loadf(&r,
                  "li x1, 16777216\nli x2, hbm:0\nli x3, 1024\nli x4, %d\n"
                  "copy ch=0, dst=x0, src=x2, len=x3, n1=x1, n2=x4\nhalt\n",
                  n2);
        assert_int_equal(sim_run(&r, TSR_MODE_TIMING), TSR_FAULT);
        assert_int_equal(r.fault.kind, n2 == 64 ? TSR_FAULT_LIMIT : TSR_FAULT_ADDRESS);
    }
    /* 2^31 of a cast */
    for (int over = 0; over < 2; over++) {
        sim_loadf(&r,
                  "li x1, 16777216\nli x2, hbm:0\nli x3, %d\nli x4, 1\n"
                  "copy ch=0, dst=x0, src=x2, len=x3, n1=x1, mask=x4, mc=1\nhalt\n",
                  128 + over);
        assert_int_equal(sim_run(&r, TSR_MODE_TIMING), TSR_FAULT);
        assert_int_equal(r.fault.kind, over ? TSR_FAULT_ADDRESS : TSR_FAULT_LIMIT);
    }
    /* sixteen million empty rows of sixteen million are nothing */
    sim_do(&r, "li x1, 16777216\nli x2, hbm:0\nli x3, 4\nli x4, 0\n"
               "copy ch=0, dst=x0, src=x2, len=x3, n1=x4, n2=x1, n3=x1\nhalt\n");
    sim_want_fault(&r,
                   "li x1, 16777216\nli x2, hbm:0\nli x3, 0x10000000000\n"
                   "copy ch=0, dst=x0, src=x2, len=x1, n1=x1, ss1=x3, ds1=x0, n2=x1, n3=x1\nhalt\n",
                   TSR_FAULT_ADDRESS, 0, TSR_Q_DMA0, 3, LAUNCH + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_of_csram_by_hand),
        cmocka_unit_test(test_write_to_csram_by_hand),
        cmocka_unit_test(test_rows_over_one_another_by_hand),
        cmocka_unit_test(test_copy_within_tsram_by_hand),
        cmocka_unit_test(test_descriptor_starts_when_the_one_before_has_issued),
        cmocka_unit_test(test_channels_take_turns_one_request_a_cycle),
        cmocka_unit_test(test_window_bounds_the_bytes_in_flight),
        cmocka_unit_test(test_transpose_and_to_control_by_hand),
        cmocka_unit_test(test_to_control_fills_the_control_memory),
        cmocka_unit_test(test_slabs_are_written_line_by_line),
        cmocka_unit_test(test_limit_holds_without_time),
        cmocka_unit_test(test_waits_for_the_tile_itself_are_not_charged_to_the_mesh),
        cmocka_unit_test(test_window_keeps_room_for_a_whole_request),
        cmocka_unit_test(test_a_channels_wait_is_charged_to_its_semaphore),
        cmocka_unit_test(test_requests_in_flight_are_512),
        cmocka_unit_test(test_requests_join_runs_that_are_contiguous_far_away),
        cmocka_unit_test(test_many_tiny_requests_stay_within_the_memory_queue),
        cmocka_unit_test(test_posts_come_in_order_and_rpost_behind_them),
        cmocka_unit_test(test_copy_of_four_dimensions_each_way),
        cmocka_unit_test(test_negative_strides_and_forward_between_memories),
        cmocka_unit_test(test_gather_and_scatter_follow_the_list),
        cmocka_unit_test(test_transpose_of_every_size),
        cmocka_unit_test(test_dma_faults),
    };
    return cmocka_run_group_tests_name("sim.dma", tests, setup, teardown);
}
