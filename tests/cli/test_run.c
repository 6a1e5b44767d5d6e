/* SPDX-License-Identifier: Apache-2.0 */
/* asm, dis, run: from a text to values and cycles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/harness.h"
#include "tests/support/program.h"

/* D = A, which was rounded to bf16 on the way in; C is what no routine wrote: zeros. */
static const char copying[] = ".tiles 1\n"
                              ".sem 0 tcp\n"
                              ".sem 1 tcp\n"
                              ".sem 2 tcp\n"
                              ".tensor A in bf16 hbm:0 4x8\n"
                              ".tensor C out f32 hbm:0x1000 4x8\n"
                              ".tensor D out bf16 hbm:0x2000 4x8\n"
                              "li x1, hbm:0\n"
                              "li x2, hbm:0x1000\n"
                              "li x3, hbm:0x2000\n"
                              "li x4, 64\n"
                              "li x5, 128\n"
                              "li x6, 0x400\n"
                              "li x7, 4\n"
                              "li x8, 0\n"
                              "copy ch=0, dst=x8, src=x1, len=x4 post(s0)\n"
                              "wait wait(s0)\n"
                              "vcall nothing, x8, x6, x7 post(s1)\n"
                              "wait wait(s1)\n"
                              "copy ch=0, dst=x2, src=x6, len=x5 post(s2)\n"
                              "copy ch=1, dst=x3, src=x8, len=x4 post(s2)\n"
                              "wait wait(s2*2)\n"
                              "halt\n";

static const float input[32] = {1.0f, 1.00390625f, -1.01171875f, 0.3f, 1e-40f, 3e38f, -0.0f, 7.0f};
/* Nearest bf16, ties to even. */
static const float rounded[32] = {1.0f,      1.0f,        -1.015625f, 0.30078125f,
                                  0x1p-133f, 0x1.c4p127f, -0.0f,      7.0f};

static void write_program(void)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s", copying, ".routine nothing\nvret\n.end\n");
    tsr_test_write("p.s", text, strlen(text));
    tsr_test_write_npy("a.npy", 4, 8, input);
}

static void test_run_rounds_inputs_and_writes_outputs(void **state)
{
    (void)state;
    float c[32], d[32];
    write_program();
    free(TSR_EXPECT(0, NULL, "run", "p.s", "--chip", "micro", "--input", "A=a.npy", "--output",
                    "D=d.npy", "--output", "C=c.npy", "--races"));
    tsr_test_read_npy("c.npy", 4, 8, c);
    tsr_test_read_npy("d.npy", 4, 8, d);
    for (int i = 0; i < 32; i++) {
        assert_true(c[i] == 0.0f);
        if (memcmp(&d[i], &rounded[i], 4) != 0)
            fail_msg("element %d: %a, wanted %a", i, (double)d[i], (double)rounded[i]);
    }
}

static void test_run_of_text_and_binary_and_each_mode_agree(void **state)
{
    (void)state;
    size_t n, k;
    write_program();
    free(TSR_EXPECT(0, NULL, "asm", "p.s", "-o", "p.tsr"));
    char *text = TSR_EXPECT(0, NULL, "dis", "p.tsr");
    tsr_test_write("q.s", text, strlen(text));
    free(text);
    free(TSR_EXPECT(0, NULL, "asm", "q.s", "-o", "q.tsr"));
    free(TSR_EXPECT(0, NULL, "dis", "q.tsr", "--output", "r.s"));
    char *a = tsr_test_read("p.tsr", &n), *b = tsr_test_read("q.tsr", &k);
    char *q = tsr_test_read("q.s", NULL), *r = tsr_test_read("r.s", NULL);
    assert_string_equal(q, r);
    free(q);
    free(r);
    free(a);
    free(b);
    json_t *full = TSR_JSON("run", "p.s", "--chip", "micro", "--input", "A=a.npy", "--output",
                            "D=full.npy", "--json");
    json_t *binary = TSR_JSON("run", "q.tsr", "--chip", "micro", "--input", "A=a.npy", "--json");
    json_t *timing = TSR_JSON("run", "p.s", "--chip", "micro", "--mode", "timing", "--json");
    json_t *values = TSR_JSON("run", "p.s", "--chip", "micro", "--mode", "functional", "--input",
                              "A=a.npy", "--output", "D=values.npy", "--json");
    json_int_t cycles = json_integer_value(json_object_get(full, "cycles"));
    assert_true(cycles > 200);
    assert_int_equal(json_integer_value(json_object_get(binary, "cycles")), cycles);
    assert_int_equal(json_integer_value(json_object_get(timing, "cycles")), cycles);
    assert_true(json_equal(json_object_get(full, "units"), json_object_get(timing, "units")));
    assert_null(json_object_get(values, "cycles"));
    assert_true(json_is_null(json_object_get(full, "fault")));
    a = tsr_test_read("full.npy", &n);
    b = tsr_test_read("values.npy", &k);
    assert_int_equal(n, k);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
    json_decref(full);
    json_decref(binary);
    json_decref(timing);
    json_decref(values);
}

static void test_run_reports_waits_that_add_up(void **state)
{
    (void)state;
    static const char *const keys[] = {"busy", "semaphore", "queue_full", "operand_port",
                                       "hbm",  "mesh",      "drained"};
    write_program();
    json_t *o = TSR_JSON("run", "p.s", "--chip", "micro", "--input", "A=a.npy", "--json");
    json_t *units = json_object_get(o, "units"), *unit;
    json_int_t cycles = json_integer_value(json_object_get(o, "cycles"));
    const char *name;
    assert_int_equal(json_object_size(units), 8);
    json_object_foreach(units, name, unit)
    {
        json_int_t sum = 0;
        for (int i = 0; i < 7; i++)
            sum += json_integer_value(json_object_get(unit, keys[i]));
        assert_int_equal(sum, cycles);
        assert_int_equal(json_object_size(unit), 8);
    }
    json_t *bytes = json_object_get(o, "bytes");
    assert_int_equal(json_integer_value(json_object_get(bytes, "tile_in")), 64);
    assert_int_equal(json_integer_value(json_object_get(bytes, "tile_out")), 192);
    json_decref(o);
    TSR_SAME_TWICE("run", "p.s", "--chip", "micro", "--input", "A=a.npy", "--json");
    char *text = TSR_EXPECT(0, NULL, "run", "p.s", "--chip", "micro", "--input", "A=a.npy");
    assert_non_null(strstr(text, "queue_full"));
    free(text);
}

static void test_run_with_wrong_bindings_is_refused(void **state)
{
    (void)state;
    write_program();
    remove("d.npy");
    tsr_test_write_npy("b.npy", 8, 4, input);
    free(TSR_EXPECT(2, "--input A=FILE.npy is missing", "run", "p.s", "--chip", "micro"));
    free(TSR_EXPECT(2, "NAME=FILE.npy is wanted", "run", "p.s", "--chip", "micro", "--input", "A"));
    free(TSR_EXPECT(2, "NAME=FILE.npy is wanted", "run", "p.s", "--chip", "micro", "--input",
                    "=a.npy"));
    free(TSR_EXPECT(2, "no `.tensor B in`", "run", "p.s", "--chip", "micro", "--input", "B=a.npy"));
    free(TSR_EXPECT(2, "no `.tensor A out`", "run", "p.s", "--chip", "micro", "--input", "A=a.npy",
                    "--output", "A=d.npy"));
    free(TSR_EXPECT(3, "b.npy: the shape of A is (4, 8)", "run", "p.s", "--chip", "micro",
                    "--input", "A=b.npy"));
    free(TSR_EXPECT(2, "a timing run computes no values", "run", "p.s", "--chip", "micro", "--mode",
                    "timing", "--output", "D=d.npy"));
    free(TSR_EXPECT(2, "only a full run", "run", "p.s", "--chip", "micro", "--mode", "timing",
                    "--races"));
    assert_int_not_equal(access("d.npy", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_rounds_inputs_and_writes_outputs),
        cmocka_unit_test(test_run_of_text_and_binary_and_each_mode_agree),
        cmocka_unit_test(test_run_reports_waits_that_add_up),
        cmocka_unit_test(test_run_with_wrong_bindings_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
