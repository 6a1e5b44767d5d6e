/* SPDX-License-Identifier: Apache-2.0 */
/* The control processor's cycles, worked out by hand from isa/MACHINE.md; its faults. */
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/sim_rig.h"

enum {
    LAUNCH = 200
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

/* The TCP's first passage of word pc starts in LAUNCH + at. */
static void starts(uint32_t pc, uint64_t at)
{
    uint64_t start = sim_tcp(&r, 0, pc)->start;
    if (start != LAUNCH + at)
        fail_msg("word %u starts in %llu + %d, wanted %llu", pc, (unsigned long long)start - LAUNCH,
                 LAUNCH, (unsigned long long)at);
}

static void test_scalar_words_take_one_cycle_and_loads_four(void **state)
{
    (void)state;
    sim_do(&r, "li x1, 8\n add x2, x1, x1\n lw x3, x1, 8\n ld x4, x1, 8\n sw x2, x1\n halt\n");
    starts(0, 0);
    starts(1, 1);
    starts(2, 2);
    starts(3, 6);
    starts(4, 10);
    starts(5, 11);
    assert_int_equal(r.stats.cycles, LAUNCH + 12);
}

static void test_branch_taken_costs_three_and_not_taken_one(void **state)
{
    (void)state;
    sim_do(&r,
           "li x1, 1\n beq x1, x0, far\n bne x1, x0, far\n nop\nfar: jmp end\n nop\nend: halt\n");
    starts(1, 1);
    starts(2, 2);
    starts(4, 5);
    starts(6, 8);
}

static void test_loops_nest_four_deep_with_free_back_edges(void **state)
{
    (void)state;
    sim_do(&r, "li x1, 2\n li x2, 3\n li x3, 4\n li x4, 5\n"
               "loop x1, end\n loop x2, end\n loop x3, end\n loop x4, end\n"
               "addi x5, x5, 1\n"
               "end: sd x5, x0\n ld x6, x0\n halt\n");
    /* loops: 1 + 2 + 6 + 24, bodies: 120 */
    starts(9, 4 + 33 + 120);
    assert_int_equal(r.stats.instructions[TSR_Q_TCP], 4 + 33 + 120 + 3);
}

static void test_loop_without_turns_jumps(void **state)
{
    (void)state;
    sim_do(&r, "loop x0, end\n nop\n nop\nend: halt\n");
    starts(3, 3);
}

static void test_loop_fault_names_the_fifth(void **state)
{
    (void)state;
    sim_want_fault(&r,
                   "li x1, 2\n loop x1, e\n loop x1, e\n loop x1, e\n loop x1, e\n loop x1, e\n"
                   "nop\ne: halt\n",
                   TSR_FAULT_LOOP_DEPTH, 0, TSR_Q_TCP, 5, LAUNCH + 5);
    sim_want_fault(&r, "li x1, 1\n loop x1, e\n e: halt\n", TSR_FAULT_LOOP_DEPTH, 0, TSR_Q_TCP, 1,
                   LAUNCH + 1);
}

static void test_full_queue_holds_until_a_cycle_after_a_start(void **state)
{
    (void)state;
    /* One routine of 30 ali: starts at 2 after its queueing in 1, and of ten vcalls the first one
     * runs, eight wait, the tenth is held. */
    sim_load(&r, ".routine r\n"
                 "ali a0, 1\nali a0, 2\nali a0, 3\nali a0, 4\nali a0, 5\nali a0, 6\nali a0, 7\n"
                 "ali a0, 8\nali a0, 9\nali a0, 10\nali a0, 11\nali a0, 12\nali a0, 13\n"
                 "vret\n.end\n"
                 "vcall r\n vcall r\n vcall r\n vcall r\n vcall r\n vcall r\n vcall r\n vcall r\n"
                 "vcall r\n vcall r\n vcall r\n halt\n");
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
    const struct sim_retired *first = sim_nth(&r, 0, TSR_Q_TVP, 0);
    assert_int_equal(first->start, LAUNCH + 1);
    /* words 1..8 take the eight places (word 0 left in LAUNCH + 1, its place is free in + 2) */
    starts(8, 8);
    const struct sim_retired *second = sim_nth(&r, 0, TSR_Q_TVP, 1);
    assert_int_equal(second->start, first->end + 1);
    assert_int_equal(sim_tcp(&r, 0, 9)->start, second->start + 1);
    assert_int_equal(sim_tcp(&r, 0, 10)->start, sim_nth(&r, 0, TSR_Q_TVP, 2)->start + 1);
    assert_int_equal(r.stats.unit[TSR_Q_TCP][TSR_WAIT_QUEUE_FULL],
                     second->start + 1 - (LAUNCH + 9) + first->end + 1 - first->start - 1);
}

static void test_post_is_seen_in_the_next_cycle(void **state)
{
    (void)state;
    sim_do(&r, ".sem 1 tcp\n.sem 2 ttu\n.sem 3 ttu\n"
               "wait post(s1, s1)\n wait wait(s1*2)\n"
               "tsync wait(s2, s3)\n wait post(s2)\n nop\n nop\n wait post(s3)\n halt\n");
    starts(1, 1); /* posted in 0 */
    assert_int_equal(sim_unit(&r, 0, 2)->start, sim_tcp(&r, 0, 6)->start + 1);
    assert_int_equal(r.stats.unit[TSR_Q_TTU][TSR_WAIT_SEMAPHORE],
                     4); /* 203 is queued, 208 starts */
}

static void test_one_semaphore_in_both_slots_is_waited_for_twice(void **state)
{
    (void)state;
    sim_do(&r, ".sem 2 ttu\ntsync wait(s2, s2*2)\nwait post(s2, s2)\nnop\nnop\nwait post(s2)\n"
               "halt\n");
    assert_int_equal(sim_unit(&r, 0, 0)->start, sim_tcp(&r, 0, 4)->start + 1);
}

static void test_first_cycle_may_be_zero(void **state)
{
    (void)state;
    r.chip.launch_cycles = 0;
    sim_fresh(&r);
    sim_do(&r, ".sem 1 tcp\n.routine q\nvret\n.end\nvcall q post(s1)\n wait wait(s1)\n halt\n");
    assert_int_equal(sim_tcp(&r, 0, 0)->start, 0);
    assert_int_equal(sim_unit(&r, 0, 0)->start, 1);
    assert_int_equal(sim_unit(&r, 0, 0)->end, 2); /* vret issues in 2 */
    assert_int_equal(sim_tcp(&r, 0, 1)->start, 3);
    r.chip.launch_cycles = LAUNCH;
    sim_fresh(&r);
}

static void test_semaphore_faults(void **state)
{
    (void)state;
    /* 255 fit; the cycle of the 256th */
    sim_want_fault(&r, ".sem 1 tcp\nli x1, 256\nloop x1, e\nwait post(s1)\ne: halt\n",
                   TSR_FAULT_SEMAPHORE_OVERFLOW, 0, TSR_Q_TCP, 2, LAUNCH + 2 + 255);
    sim_do(&r, ".sem 1 tcp\nli x1, 255\nloop x1, e\nwait post(s1)\ne: halt\n");
    /* of two that post in one cycle the older one comes first: the younger is the 256th. The mma
     * starts in LAUNCH + 259, A's last line comes in + 269, computes 4 cycles from + 270, pipe 4 */
    sim_want_fault(&r,
                   ".sem 1 tcp\nli x1, 254\nloop x1, e\nwait post(s1)\ne: li x2, 32\nli x3, 4\n"
                   "mma a=x0, as=x2, b=x0, bs=x2, m=x3, n=x3, k=x3, c=x0, af=i8, bf=i8 post(s1)\n"
                   "tsync post(s1)\nhalt\n",
                   TSR_FAULT_SEMAPHORE_OVERFLOW, 0, TSR_Q_TTU, 6, LAUNCH + 277);
    sim_want_fault(&r, ".sem 1 acc\nwait post(s1)\ntsync wait(s1)\nhalt\n",
                   TSR_FAULT_SEMAPHORE_CONSUMER, 0, TSR_Q_TTU, 1, LAUNCH + 2);
    sim_want_fault(&r, "wait post(s1)\nwait wait(s1)\nhalt\n", TSR_FAULT_SEMAPHORE_CONSUMER, 0,
                   TSR_Q_TCP, 1, LAUNCH + 1);
}

static void test_control_memory_faults(void **state)
{
    (void)state;
    sim_want_fault(&r, "li x1, 4096\nlw x2, x1\nhalt\n", TSR_FAULT_CONTROL_ADDRESS, 0, TSR_Q_TCP, 1,
                   LAUNCH + 1);
    sim_want_fault(&r, "lw x2, x0, 2\nhalt\n", TSR_FAULT_CONTROL_ADDRESS, 0, TSR_Q_TCP, 0, LAUNCH);
    sim_want_fault(&r, "li x1, -8\nsd x2, x1\nhalt\n", TSR_FAULT_CONTROL_ADDRESS, 0, TSR_Q_TCP, 1,
                   LAUNCH + 1);
    sim_want_fault(&r, "li x1, 0x7fffffffffffffff\nld x2, x1, 9\nhalt\n", TSR_FAULT_CONTROL_ADDRESS,
                   0, TSR_Q_TCP, 1, LAUNCH + 1);
    sim_do(&r, "li x1, 4088\nld x2, x1\nhalt\n");
}

static void test_program_end_and_illegal_words(void **state)
{
    (void)state;
    sim_want_fault(&r, "nop\nnop\n", TSR_FAULT_PROGRAM_END, 0, TSR_Q_TCP, 2, LAUNCH + 2);
    sim_load(&r, "nop\nnop\nhalt\n");
    r.program.tcp[1].w[0] = 0xEE; /* no such opcode */
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_FAULT);
    assert_int_equal(r.fault.kind, TSR_FAULT_ILLEGAL);
    assert_int_equal(r.fault.pc, 1);
    assert_int_equal(r.fault.cycle, LAUNCH + 1);
    r.program.tcp[1].w[0] = 0; /* not reached: no fault */
    r.program.tcp[0] = r.program.tcp[2];
    assert_int_equal(sim_run(&r, TSR_MODE_FULL), TSR_OK);
    sim_want_fault(&r, ".routine q\nvmov v1, v1\n.end\nvcall q\nhalt\n", TSR_FAULT_PROGRAM_END, 0,
                   TSR_Q_TVP, 1, -1);
}

static void test_limit_ends_an_endless_program(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        r.opt.limit_cycles = 5000;
        sim_load(&r, "again: jmp again\n");
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_LIMIT);
        sim_load(&r, ".routine q\na: ali a1, 0\nvloop a1, a\nvret\n.end\nvcall q\nhalt\n");
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_LIMIT);
        assert_int_equal(r.fault.queue, TSR_Q_TVP);
        r.opt.limit_cycles = 1000000;
    }
}

static void test_deadlock_report_names_who_waits_for_what(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        sim_load(&r, ".sem 1 tcp\n.sem 2 ttu\n.sem 3 dma2\nli x1, 1\n"
                     "tsync wait(s2*3) post(s1)\nwait post(s2)\n"
                     "rpost ch=2, mask=x1, sem=4, w0=s3\nwait wait(s1*2)\nhalt\n");
        assert_int_equal(sim_run(&r, (enum tsr_mode)mode), TSR_FAULT);
        assert_int_equal(r.fault.kind, TSR_FAULT_DEADLOCK);
        assert_non_null(strstr(r.fault.text, "tile 0 tcp word 4 waits for s1 (0 of 2)"));
        assert_non_null(strstr(r.fault.text, "tile 0 ttu word 1 waits for s2 (1 of 3)"));
        assert_non_null(strstr(r.fault.text, "tile 0 dma2 word 3 waits for s3 (0 of 1)"));
        assert_non_null(strstr(r.err.message, "fault deadlock in cycle"));
    }
}

static void test_of_several_faults_the_earliest_then_lowest_is_reported(void **state)
{
    (void)state;
    struct sim_rig four;
    sim_open(&four, "micro4");
    /* All tiles fault in the same cycle: the lowest tile. */
    sim_want_fault(&four, ".tiles 3\nlw x1, x0, 2\nhalt\n", TSR_FAULT_CONTROL_ADDRESS, 0, TSR_Q_TCP,
                   0, LAUNCH);
    /* Tile 2 branches to an earlier fault. */
    sim_want_fault(&four,
                   ".tiles 3\n.arg 2 x1 1\nbne x1, x0, now\nnop\nnop\nnop\nnop\nnop\n"
                   "now: lw x1, x0, 2\nhalt\n",
                   TSR_FAULT_CONTROL_ADDRESS, 2, TSR_Q_TCP, 6, LAUNCH + 3);
    /* One cycle, one tile: TCP before TTU. The mma starts one cycle after it was queued. */
    sim_want_fault(&four,
                   "mma a=x0, as=x0, b=x0, bs=x0, m=x0, n=x0, k=x0, c=x0, af=bf16, bf=bf16\n"
                   "lw x1, x0, 2\nhalt\n",
                   TSR_FAULT_CONTROL_ADDRESS, 0, TSR_Q_TCP, 1, LAUNCH + 1);
    sim_want_fault(&four,
                   "mma a=x0, as=x0, b=x0, bs=x0, m=x0, n=x0, k=x0, c=x0, af=bf16, bf=bf16\n"
                   "nop\nlw x1, x0, 2\nhalt\n",
                   TSR_FAULT_SHAPE, 0, TSR_Q_TTU, 0, LAUNCH + 1);
    sim_close(&four);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalar_words_take_one_cycle_and_loads_four),
        cmocka_unit_test(test_branch_taken_costs_three_and_not_taken_one),
        cmocka_unit_test(test_loops_nest_four_deep_with_free_back_edges),
        cmocka_unit_test(test_loop_without_turns_jumps),
        cmocka_unit_test(test_loop_fault_names_the_fifth),
        cmocka_unit_test(test_full_queue_holds_until_a_cycle_after_a_start),
        cmocka_unit_test(test_post_is_seen_in_the_next_cycle),
        cmocka_unit_test(test_one_semaphore_in_both_slots_is_waited_for_twice),
        cmocka_unit_test(test_first_cycle_may_be_zero),
        cmocka_unit_test(test_semaphore_faults),
        cmocka_unit_test(test_control_memory_faults),
        cmocka_unit_test(test_program_end_and_illegal_words),
        cmocka_unit_test(test_limit_ends_an_endless_program),
        cmocka_unit_test(test_deadlock_report_names_who_waits_for_what),
        cmocka_unit_test(test_of_several_faults_the_earliest_then_lowest_is_reported),
    };
    return cmocka_run_group_tests_name("sim.tcp", tests, setup, teardown);
}
