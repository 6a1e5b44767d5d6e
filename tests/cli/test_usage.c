/* SPDX-License-Identifier: Apache-2.0 */
/* Help, exit codes, and messages for what is wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/cli/cli.h"
#include "tests/support/harness.h"
#include "tests/support/program.h"

static void test_help_of_each_command_names_its_options(void **state)
{
    (void)state;
    char *all = TSR_EXPECT(0, NULL, "--help"), *again = TSR_EXPECT(0, NULL, "help");
    assert_string_equal(all, again);
    for (const struct cli_command *const *m = cli_commands; *m; m++) {
        char line[128];
        snprintf(line, sizeof line, "\n  %s ", (*m)->name);
        assert_non_null(strstr(all, line));
        char *a = TSR_EXPECT(0, NULL, (*m)->name, "--help"),
             *b = TSR_EXPECT(0, NULL, "help", (*m)->name);
        char *c = TSR_EXPECT(0, NULL, (*m)->name, "-h", "and", "whatever");
        snprintf(line, sizeof line, "usage: tessera %s", (*m)->name);
        assert_int_equal(strncmp(a, line, strlen(line)), 0);
        for (const struct cli_option *o = (*m)->options; o && o->name; o++) {
            snprintf(line, sizeof line, "--%s", o->name);
            assert_non_null(strstr(a, line));
        }
        assert_non_null(strstr(a, "--isa FILE"));
        assert_string_equal(a, b);
        assert_string_equal(a, c);
        free(a);
        free(b);
        free(c);
    }
    free(all);
    free(again);
}

/* Rows: exit code, what stderr says, words. */
struct row {
    int code;
    const char *says;
    const char *words[14];
};

static void check_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(tsr_test_expect(rows[i].code, rows[i].says, rows[i].words));
}
#define CHECK(rows) check_rows(rows, sizeof rows / sizeof *rows)

static void test_wrong_usage_exits_2_and_says_what_is_allowed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {2, "usage:", {NULL}},
        {2, "frobnicate: no such command", {"frobnicate"}},
        {2, "no such command", {"help", "frobnicate"}},
        {2, "--frob: no such option", {"chips", "--frob"}},
        {2, "--frob: no such option", {"--frob", "chips"}},
        {2, "-z: no such option", {"chips", "-z"}},
        {2, "--chip: wants an argument", {"chips", "--chip"}},
        {2, "--json=1: takes no argument", {"chips", "--json=1"}},
        {2, "one word too many", {"chips", "more"}},
        {2, "IN.s is missing", {"asm", "-o", "x"}},
        {2, "--output OUT.tsr is missing", {"asm", "x.s"}},
        {2, "--chip CHIP is missing", {"run", "x.s"}},
        {2, "allowed: full timing functional", {"run", "x.s", "--chip", "micro", "--mode", "fast"}},
        {2, "allowed: full timing functional", {"run", "x.s", "--chip", "micro", "--mode", ""}},
        {2, "maia100", {"run", "x.s", "--chip", "maia1000"}},
        {2, "kernel frob: unknown, allowed: all matmul", {"check", "frob", "--chip", "micro"}},
        {2, "no such format, allowed:", {"check", "--chip", "micro", "--format", "f17"}},
        {2, "no case for format q4_k", {"check", "matmul", "--chip", "micro", "--format", "q4_k"}},
        {2, "--shape", {"check", "--chip", "micro", "--shape", "1x2x3x4"}},
        {2, "--shape", {"check", "--chip", "micro", "--shape", "1xx3"}},
        {2, "--shape 0", {"check", "--chip", "micro", "--shape", "0x1x1"}},
        {2, "--seed", {"check", "--chip", "micro", "--seed", "-1"}},
        {2, "the built-in instruction set",
         {"check", "--chip", "micro", "--target", "rtl", "--isa", "x.yaml"}},
        {2, "allowed: sim rtl", {"check", "--chip", "micro", "--target", "fpga"}},
        {2, "--tile", {"check", "--chip", "micro4", "--tile", "1"}},
        {2,
         "--m 0: an integer from 1",
         {"bench-gemm", "--chip", "micro", "--m", "0", "--n", "1", "--k", "1", "--format", "bf16"}},
        {2,
         "--k 99999999999999999999999:",
         {"bench-gemm", "--chip", "micro", "--m", "1", "--n", "1", "--k", "99999999999999999999999",
          "--format", "bf16"}},
        {2,
         "--n 1e3:",
         {"bench-gemm", "--chip", "micro", "--m", "1", "--n", "1e3", "--k", "1", "--format",
          "bf16"}},
        {2,
         "--format FORMAT is missing",
         {"bench-gemm", "--chip", "micro", "--m", "1", "--n", "1", "--k", "1"}},
        {2,
         "--phase train: allowed: prefill decode",
         {"bench-attention", "--chip", "micro", "--phase", "train", "--heads", "1", "--kv-heads",
          "1", "--dim", "8", "--seq=4"}},
        {2, "allowed: bash", {"completion", "fish"}},
    };
    CHECK(rows);
}

static void write_text(const char *path, const char *text)
{
    tsr_test_write(path, text, strlen(text));
}

static void test_bad_input_exits_3_and_names_the_file(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {3, "none.s: No such file", {"run", "none.s", "--chip", "micro"}},
        {3, "none.s: No such file", {"asm", "none.s", "-o", "out.tsr"}},
        {3, "bad.s:2:", {"asm", "bad.s", "-o", "out.tsr"}},
        {3, "bad.s:2:", {"run", "bad.s", "--chip", "micro"}},
        {3, "cut.tsr", {"dis", "cut.tsr"}},
        {3, "cut.tsr", {"run", "cut.tsr", "--chip", "micro"}},
        {3, ".: Is a directory", {"run", ".", "--chip", "micro"}},
        {3, "none.yaml", {"chips", "--chip", "none.yaml"}},
        {3, "bad.yaml:2:", {"chips", "--chip", "bad.yaml"}},
        {3, "none.yaml", {"--isa", "none.yaml", "isa"}},
        {3, "bad.yaml:2:", {"isa", "--isa", "bad.yaml"}},
        {3, "bits.yaml:1:", {"isa", "--isa", "bits.yaml"}},
        {3, "empty.yaml", {"isa", "--isa", "empty.yaml"}},
        {3, "lie outside", {"run", "far.s", "--chip", "micro", "--input", "A=a.npy"}},
        {3, "runs on 9 tiles, micro has 1", {"run", "tiles.s", "--chip", "micro"}},
        {3,
         "the HBM of micro has 1.00",
         {"bench-gemm", "--chip", "micro", "--m", "100000", "--n", "100000", "--k", "1", "--format",
          "bf16"}},
    };
    write_text("bad.s", "halt\nfrobnicate x1\n");
    write_text("cut.tsr", "TSRPROG1\x01\x02");
    write_text("bad.yaml", "{ a: [1, 2\n");
    write_text("bits.yaml", "%\xe4");
    write_text("empty.yaml", "");
    write_text("far.s", ".tiles 1\n.tensor A in f32 hbm:0x7fffffff 1x1\nhalt\n");
    write_text("tiles.s", ".tiles 9\nhalt\n");
    tsr_test_write_npy("a.npy", 1, 1, (const float[]){1});
    CHECK(rows);
}

static void test_bad_matrices_exit_3_and_name_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *format, *says;
    } bad[] = {
        {"none.npy", "b.npy", "bf16", "none.npy: No such file"},
        {"a.npy", "none.npy", "bf16", "none.npy: No such file"},
        {"a.npy", "a.npy", "bf16", "A's columns must be B's rows"},
        {"text.npy", "b.npy", "bf16", "text.npy: no .npy file"},
        {"nan.npy", "b.npy", "bf16", "nan.npy: element [1, 2] is not finite"},
        {"a.npy", "inf.npy", "bf16", "inf.npy: element [2, 0] is not finite"},
        {"big.npy", "b.npy", "f16", "big.npy: element [0, 0] lies beyond the range of f16"},
        {"half.npy", "b.npy", "i8", "half.npy: element [0, 1]: an integer that fits i8"},
        {"vector.npy", "b.npy", "bf16", "vector.npy: 1 dimensions"},
        {"none.npy", "b.npy", "q6_k", "does not take q6_k by q6_k"},
        {"nan.npy", "b.npy", "mx9", "nan.npy: element [1, 2] is not finite"},
    };
    const float zero[6] = {0}, nan[6] = {0, 0, 0, 0, 0, 0.0f / zero[0]};
    const float inf[6] = {0, 0, 0, 0, 1.0f / zero[0], 0}, big[6] = {65520}, half[6] = {0, 0.5f};
    tsr_test_write_npy("a.npy", 2, 3, zero);
    tsr_test_write_npy("b.npy", 3, 2, zero);
    tsr_test_write_npy("nan.npy", 2, 3, nan);
    tsr_test_write_npy("inf.npy", 3, 2, inf);
    tsr_test_write_npy("big.npy", 2, 3, big);
    tsr_test_write_npy("half.npy", 2, 3, half);
    write_text("text.npy", "1 2 3\n");
    tsr_test_write("vector.npy",
                   "\x93NUMPY\x01\x00\x37\x00{'descr': '|i1', 'fortran_order': False, "
                   "'shape': (3,)}abc",
                   68);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        remove("c.npy");
        free(TSR_EXPECT(3, bad[i].says, "matmul", "--chip", "micro", "--format", bad[i].format,
                        "--a", bad[i].a, "--b", bad[i].b, "--output", "c.npy"));
        assert_int_not_equal(access("c.npy", F_OK), 0);
    }
}

static void test_simulated_fault_exits_4(void **state)
{
    (void)state;
    write_text("dead.s", ".tiles 1\n.sem 3 tcp\nwait wait(s3)\nhalt\n");
    free(TSR_EXPECT(4, "fault deadlock", "run", "dead.s", "--chip", "micro"));
    free(TSR_EXPECT(4, "fault deadlock", "run", "dead.s", "--chip", "micro", "--mode",
                    "functional"));
    char *out = TSR_EXPECT(4, "fault deadlock", "run", "dead.s", "--chip", "micro", "--json");
    json_t *root = json_loads(out, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "fault"), "kind")),
                        "deadlock");
    json_decref(root);
    free(out);
    write_text("loop.s", ".tiles 1\nagain:\njmp again\n");
    free(TSR_EXPECT(4, "fault limit", "run", "loop.s", "--chip", "micro", "--limit", "5000"));
}

static void test_program_runs_from_any_directory(void **state)
{
    (void)state;
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir("/"), 0);
    struct tsr_test_run r = tsr_test_program("chips", "--json", NULL);
    int code = chdir(here);
    assert_int_equal(code, 0);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "maia100"));
    tsr_test_run_free(&r);
}

static void test_lists_as_json_have_their_keys(void **state)
{
    (void)state;
    json_t *chips = TSR_JSON("chips", "--json"), *models = TSR_JSON("models", "--json");
    json_t *one = TSR_JSON("chips", "--json", "--chip", "maia100"), *m = json_array_get(one, 0);
    assert_true(json_array_size(chips) >= 3 && json_array_size(one) == 1);
    assert_int_equal(json_integer_value(json_object_get(m, "tiles")), 64);
    double peak = json_real_value(json_object_get(json_object_get(m, "peak_flops"), "bf16"));
    double rate = json_real_value(json_object_get(m, "hbm_bytes_per_s"));
    assert_true(peak > 0.75e15 && peak < 0.76e15 && rate > 1.8e12 && rate < 1.9e12);
    assert_true(json_array_size(json_object_get(m, "assumed")) > 0);
    assert_true(json_array_size(models) >= 7);
    json_t *llama = json_array_get(models, 0);
    assert_string_equal(json_string_value(json_object_get(llama, "name")), "llama-2-7b");
    assert_int_equal(json_integer_value(json_object_get(llama, "parameters_total")), 6738415616);
    json_decref(chips);
    json_decref(models);
    json_decref(one);
}

static void test_isa_overlay_counts_before_and_after_the_command(void **state)
{
    (void)state;
    write_text("fused.yaml",
               "instructions:\n"
               "- {mnemonic: vfused, stream: tvp, unit: tvp, opcode: 0x6f, exec: lanes,\n"
               "   lanes: \"add(mul(a, b), a)\", occupancy: 1, latency: lat_fma,\n"
               "   operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, at: 13},\n"
               "              {name: b, kind: vreg, at: 18}], doc: a test's own}\n");
    char *plain = TSR_EXPECT(0, NULL, "isa");
    char *before = TSR_EXPECT(0, NULL, "--isa", "fused.yaml", "isa");
    char *after = TSR_EXPECT(0, NULL, "isa", "--isa", "fused.yaml");
    assert_null(strstr(plain, "vfused"));
    assert_non_null(strstr(before, "vfused"));
    assert_string_equal(before, after);
    free(plain);
    free(before);
    free(after);
    write_text("fused.s", ".tiles 1\nhalt\n.routine r\nvfused v1, v2, v3\nvret\n.end\n");
    free(TSR_EXPECT(3, "vfused", "asm", "fused.s", "-o", "fused.tsr"));
    free(TSR_EXPECT(0, NULL, "asm", "--isa", "fused.yaml", "fused.s", "-o", "fused.tsr"));
    free(TSR_EXPECT(0, NULL, "run", "fused.tsr", "--chip", "micro", "--isa", "fused.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_of_each_command_names_its_options),
        cmocka_unit_test(test_wrong_usage_exits_2_and_says_what_is_allowed),
        cmocka_unit_test(test_bad_input_exits_3_and_names_the_file),
        cmocka_unit_test(test_bad_matrices_exit_3_and_name_the_file),
        cmocka_unit_test(test_simulated_fault_exits_4),
        cmocka_unit_test(test_program_runs_from_any_directory),
        cmocka_unit_test(test_lists_as_json_have_their_keys),
        cmocka_unit_test(test_isa_overlay_counts_before_and_after_the_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
