/* SPDX-License-Identifier: Apache-2.0 */
/* The race check: each missing semaphore is found, each mended program passes in silence. */
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

static struct sim_rig one, four;

static int setup(void **state)
{
    (void)state;
    sim_open(&one, "micro");
    sim_open(&four, "micro4");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sim_close(&one);
    sim_close(&four);
    return 0;
}

/* The program with %s replaced by nothing races, found in a full and in a functional run; with the
 * words of `mend` it does not. Without the check both run. */
static void races(struct sim_rig *r, const char *format, const char *mend, const char *names)
{
    char text[4096];
    for (int mended = 0; mended < 2; mended++) {
        const char *at = strstr(format, "@");
        assert_non_null(at);
        int head = (int)(at - format);
        sim_loadf(r, "%.*s%s%s", head, format, mended ? mend : "", at + 1);
        strcpy(text, mended ? "mended" : "broken");
        for (int mode = 0; mode < 3; mode += 2) {
            sim_run(r, (enum tsr_mode)mode);
            if ((r->fault.kind == TSR_FAULT_RACE) == mended || (mended && r->status != TSR_OK))
                fail_msg("%s program: \"%s\"\n%s", text, r->err.message, format);
            if (!mended && mode == TSR_MODE_FULL && !strstr(r->err.message, names))
                fail_msg("\"%s\" lacks \"%s\"", r->err.message, names);
        }
        r->opt.check_races = false;
        assert_int_equal(sim_run(r, TSR_MODE_FULL), TSR_OK);
        r->opt.check_races = true;
    }
}

#define LOAD "li x1, 0\nli x2, hbm:0\nli x3, 512\nli x4, 32\nli x5, 4\n"

/* An mma reads m rows of so many bytes as its elements take, and nothing between or behind. */
static void test_neighbours_of_an_operand_do_not_race(void **state)
{
    (void)state;
    sim_do(&one, LOAD "li x6, 128\nli x7, 24\nli x8, 8\nli x9, 256\n"
                      "copy ch=0, dst=x6, src=x2, len=x4\ncopy ch=1, dst=x8, src=x2, len=x7\n"
                      "mma a=x1, as=x4, b=x9, bs=x4, m=x5, n=x5, k=x5, c=x0, af=bf16, bf=bf16\n"
                      "halt\n");
}

static void test_mma_before_its_data(void **state)
{
    (void)state;
    races(&one,
          ".sem 1 ttu\n" LOAD "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\n"
          "mma a=x1, as=x4, b=x1, bs=x4, m=x5, n=x5, k=x5, c=x0, af=bf16, bf=bf16@\nhalt\n",
          ", w0=s1", "dma0");
}

static void test_copy_over_what_the_vector_unit_reads(void **state)
{
    (void)state;
    races(&one,
          ".sem 1 dma0\n.routine q\nvsum v1, v1\nvsum v1, v1\nvld v2, a0, f32\nvret\n.end\n" LOAD
          "vcall q, x1 post(s1)\ncopy ch=0, dst=x1, src=x2, len=x3@\nhalt\n",
          ", w0=s1", "tvp");
}

static void test_drain_without_waiting_for_the_tensor_unit(void **state)
{
    (void)state;
    /* long after its end in time, but nothing says so */
    races(&one,
          ".sem 1 acc\n" LOAD
          "mma a=x1, as=x4, b=x1, bs=x4, m=x5, n=x5, k=x5, c=x0, af=bf16, bf=bf16, p0=s1\n"
          "li x6, 100\nloop x6, e\nnop\ne: li x7, 4096\n"
          "drain dst=x7, ds=x4, m=x5, n=x5, c=x0, fmt=f32@\nhalt\n",
          ", w0=s1", "accumulator");
}

static void test_vlda_without_waiting_for_the_tensor_unit(void **state)
{
    (void)state;
    races(&one,
          ".sem 1 tvp\n.routine q\nvlda v1, a0\nvret\n.end\n" LOAD
          "mma a=x1, as=x4, b=x1, bs=x4, m=x5, n=x5, k=x5, c=x0, af=bf16, bf=bf16, p0=s1\n"
          "li x6, 100\nloop x6, e\nnop\ne: vcall q, x0 @\nhalt\n",
          "wait(s1)", "accumulator");
}

static void test_two_descriptors_of_a_channel(void **state)
{
    (void)state;
    /* read-back of what the same channel still writes */
    races(&one,
          ".sem 1 dma0\n" LOAD "li x6, hbm:4096\ncopy ch=0, dst=x1, src=x2, len=x3, p0=s1\n"
          "copy ch=0, dst=x6, src=x1, len=x3@\nhalt\n",
          ", w0=s1", "dma0");
}

static void test_transfer_that_writes_a_byte_twice(void **state)
{
    (void)state;
    races(&one,
          LOAD "li x6, 51@\nli x7, 2\n"
               "copy ch=0, dst=x1, src=x2, len=x3, n1=x7, ss1=x3, ds1=x6\nhalt\n",
          "2", "same transfer");
    races(&one,
          LOAD "li x6, @3\nli x7, 2\nli x8, hbm:4096\n"
               "copy ch=0, dst=x8, src=x1, len=x5, n1=x7, ss1=x5, ds1=x6\nhalt\n",
          "1", "same transfer");
}

static void test_transfer_that_reads_what_it_writes(void **state)
{
    (void)state;
    races(&one, LOAD "li x6, 51@\ncopy ch=0, dst=x6, src=x1, len=x3\nhalt\n", "2", "TSRAM");
}

static void test_control_memory_before_its_words(void **state)
{
    (void)state;
    races(&one,
          ".sem 1 tcp\n" LOAD "to_control ch=1, dst=x5, src=x1, n=x5, id=0, p0=s1\n@\n"
          "lw x6, x5, 12\nhalt\n",
          "wait w0=s1", "control memory");
}

static void test_list_overwritten_under_its_gather(void **state)
{
    (void)state;
    races(&one,
          ".sem 1 tcp\n" LOAD "sw x0, x5, 4\n"
          "gather ch=1, dst=x1, src=x2, idx=x4, n=x5, len=x5, ss=x5, ds=x5, p0=s1\n"
          "sw x0, x5, 24\n@\nsw x0, x5, 28\nhalt\n",
          "wait w0=s1", "control memory");
}

static void test_transfer_that_reads_a_byte_twice(void **state)
{
    (void)state;
    sim_do(&one, LOAD "li x6, 512\ncopy ch=0, dst=x6, src=x1, len=x4, n1=x5, ss1=x0, ds1=x4\n"
                      "halt\n");
}

static void test_two_tiles_write_one_word(void **state)
{
    (void)state;
    races(&four,
          ".tiles 2\n.sem 1 dma0\n.sem 2 tcp\n.arg 0 x9 1\nli x1, hbm:100\nli x2, 4\nli x3, 2\n"
          "beq x9, x0, second\ncopy ch=0, dst=x1, src=x0, len=x2, p0=s2\nwait wait(s2)\n"
          "rpost ch=0, mask=x3, sem=1\nhalt\n"
          "second: copy ch=0, dst=x1, src=x0, len=x2@\nhalt\n",
          ", w0=s1", "memory at");
}

static void test_neighbours_of_one_word_do_not_race(void **state)
{
    (void)state;
    sim_do(&four, ".tiles 4\n.arg 0 x1 hbm:100\n.arg 1 x1 hbm:101\n.arg 2 x1 hbm:102\n"
                  ".arg 3 x1 hbm:104\nli x2, 1\ncopy ch=0, dst=x1, src=x0, len=x2\nhalt\n");
}

static void test_multicast_over_a_buffer_that_is_read(void **state)
{
    (void)state;
    /* tile 1 reads its buffer while tile 0 casts into it; mended: tile 1 tells when it is done */
    races(&four,
          ".tiles 2\n.sem 1 dma0\n.sem 2 tcp\n.arg 0 x9 1\n"
          ".routine q\nvsum v1, v1\nvsum v1, v1\nvsum v1, v1\nvsum v1, v1\nvsum v1, v1\n"
          "vld v2, a0, f32\nvret\n.end\n"
          "li x1, 0\nli x2, hbm:0\nli x3, 32\nli x4, 2\nli x5, 1\n"
          "beq x9, x0, second\ncopy ch=0, dst=x1, src=x2, len=x3, mask=x4, mc=1@\nhalt\n"
          "second: vcall q, x1 post(s2)\nwait wait(s2)\nrpost ch=0, mask=x5, sem=1\nhalt\n",
          ", w0=s1", "TSRAM");
}

static void test_counting_semaphore_with_two_posters(void **state)
{
    (void)state;
    /* One of two posts is taken for that of the slow channel; the CSRAM's comes first. */
    static const char *const text =
        ".sem 1 ttu\nli x1, 0\nli x2, hbm:0\nli x3, 512\nli x4, 32\nli x5, 4\nli x6, csram:0:0\n"
        "li x7, 8192\n"
        "copy ch=0, dst=x1, src=x2, len=x3, p0=s1\ncopy ch=1, dst=x7, src=x6, len=x4, p0=s1\n"
        "mma a=x1, as=x4, b=x1, bs=x4, m=x5, n=x5, k=x5, c=x0, af=bf16, bf=bf16, w0=s1%s\nhalt\n";
    sim_loadf(&one, text, "");
    assert_int_equal(sim_run(&one, TSR_MODE_FULL), TSR_FAULT);
    assert_int_equal(one.fault.kind, TSR_FAULT_RACE);
    sim_loadf(&one, text, "*2");
    assert_int_equal(sim_run(&one, TSR_MODE_FULL), TSR_OK);
}

static void test_race_fault_says_where(void **state)
{
    (void)state;
    sim_want_fault(
        &one, LOAD "copy ch=0, dst=x1, src=x2, len=x3\ncopy ch=2, dst=x1, src=x2, len=x4\nhalt\n",
        TSR_FAULT_RACE, 0, TSR_Q_DMA0, 5, -1); /* the later of the two */
    assert_int_equal(one.fault.cycle, sim_unit(&one, 0, 5)->end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_of_an_operand_do_not_race),
        cmocka_unit_test(test_mma_before_its_data),
        cmocka_unit_test(test_copy_over_what_the_vector_unit_reads),
        cmocka_unit_test(test_drain_without_waiting_for_the_tensor_unit),
        cmocka_unit_test(test_vlda_without_waiting_for_the_tensor_unit),
        cmocka_unit_test(test_two_descriptors_of_a_channel),
        cmocka_unit_test(test_transfer_that_writes_a_byte_twice),
        cmocka_unit_test(test_transfer_that_reads_what_it_writes),
        cmocka_unit_test(test_control_memory_before_its_words),
        cmocka_unit_test(test_list_overwritten_under_its_gather),
        cmocka_unit_test(test_transfer_that_reads_a_byte_twice),
        cmocka_unit_test(test_two_tiles_write_one_word),
        cmocka_unit_test(test_neighbours_of_one_word_do_not_race),
        cmocka_unit_test(test_multicast_over_a_buffer_that_is_read),
        cmocka_unit_test(test_counting_semaphore_with_two_posters),
        cmocka_unit_test(test_race_fault_says_where),
    };
    return cmocka_run_group_tests_name("sim.race", tests, setup, teardown);
}
