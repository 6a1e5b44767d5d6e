/* SPDX-License-Identifier: Apache-2.0 */
/* The assembly language: what it means, and the place and message of every mistake.
 * labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/code.h"
#include "isa/load.h"
#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

static struct tsr_isa *isa;

static int setup(void **state)
{
    (void)state;
    isa = tsr_test_isa();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

static struct tsr_program assemble(const char *text)
{
    struct tsr_program p;
    struct tsr_error err = {0};
    if (tsr_assemble(isa, "p.s", text, strlen(text), &p, &err) != TSR_OK)
        fail_msg("%s in\n%s", err.message, text);
    return p;
}

/* Operand `name` of word i of a stream. */
static int64_t operand(const struct tsr_program *p, enum tsr_stream s, uint32_t i, const char *name)
{
    struct tsr_insn in;
    struct tsr_word w = s == TSR_STREAM_TCP ? p->tcp[i] : (struct tsr_word){{p->tvp[i], 0}};
    assert_int_equal(tsr_decode(isa, s, w, &in, NULL), TSR_OK);
    int k = tsr_op_operand(in.op, name);
    assert_true(k >= 0);
    return in.v[k];
}

static void test_asm_a_whole_program_means_what_it_says(void **state)
{
    (void)state;
    struct tsr_program p = assemble(
        "# a comment\n"
        ".isa 1.0\n"
        ".tiles 4 ; another\n"
        ".sem 3 ttu\n"
        ".sem s4 dma2\n"
        ".equ ROWS 4*4\n"
        ".equ BASE hbm:0x1000\n"
        ".arg all x1 BASE + ROWS*2\n"
        ".arg 2 x24 -1\n"
        ".control all 8 1 -2 0xffffffff, ROWS\n"
        ".tensor A in bf16 hbm:0x2000 16x32\n"
        ".tensor C out f32 BASE 1x2x3x4\n"
        "start: li x5, csram:3:0x40\n"
        "again:\n"
        "    mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, af=bf16, bf=f8e4m3, acc=1 "
        "wait(s3, s4*8) post(s5, s6)\n"
        "    vcall scale, x9, r3=x10, post(s1)\n"
        "    loop x5, done\n"
        "    add x0, x31, x1\r\n"
        "done: bne x1, x2, again\n"
        "\twait wait(s9*31)\n"
        "    jmp 7\n"
        "    halt\n"
        ".routine scale\n"
        "here: vloop a1, here\n"
        "    vld v31, a15, bf16, -64\n"
        "    vret\n"
        ".end\n"
        ".routine other\n"
        "here: vret\n"
        ".end\n");
    assert_int_equal(p.n_tcp, 9);
    assert_int_equal(p.n_tvp, 4);
    assert_int_equal(p.tiles, 4);
    assert_int_equal(p.consumer[3], TSR_Q_TTU);
    assert_int_equal(p.consumer[4], TSR_Q_DMA2);
    assert_int_equal(p.consumer[0], 0xff);
    assert_int_equal(p.args[0][0], (INT64_C(2) << 56) + 0x1020);
    assert_int_equal(p.args[3][0], p.args[0][0]);
    assert_int_equal(p.args[2][23], -1);
    assert_int_equal(p.args[1][23], 0);
    static const uint8_t image[24] = {[8] = 1, [12] = 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 16};
    assert_int_equal(p.control_bytes[1], sizeof image);
    assert_memory_equal(p.control[1], image, sizeof image);
    assert_int_equal(p.n_bindings, 2);
    assert_string_equal(p.bindings[0].name, "A");
    assert_int_equal(p.bindings[0].format, TSR_BF16);
    assert_false(p.bindings[0].output);
    assert_int_equal(p.bindings[0].dims, 2);
    assert_int_equal(p.bindings[0].dim[1], 32);
    assert_true(p.bindings[1].output);
    assert_int_equal(p.bindings[1].dim[3], 4);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 0, "imm"),
                     (INT64_C(1) << 56) + (INT64_C(3) << 32) + 0x40);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 1, "w1"), 4 + (8 << 6));
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 1, "w0"), 3 + (1 << 6));
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 1, "p1"), 6 + 64);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 1, "bf"), TSR_F8E4M3);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 1, "sc"), 0);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 2, "routine"), 0);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 2, "r0"), 9);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 2, "r3"), 10);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 3, "end"), 5);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 5, "target"), 1);
    assert_int_equal(operand(&p, TSR_STREAM_TCP, 6, "w0"), 9 + (31 << 6));
    assert_int_equal(operand(&p, TSR_STREAM_TVP, 0, "end"), 0);
    assert_int_equal(operand(&p, TSR_STREAM_TVP, 1, "inc"), -64);
    assert_int_equal(p.tcp_line[1], 15);
    assert_int_equal(p.tvp_line[2], 26);
    tsr_program_free(&p);
}

static void test_asm_expressions_are_as_in_c(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } of[] = {
        {"1+2*3", 7},      {"(1+2)*3", 9},     {"10-2-3", 5},      {"7/2*2", 6},
        {"-7/2", -3},      {"1<<3+1", 16},     {"-(2)", -2},       {"- -2", 2},
        {"0x10", 16},      {"2*-3", -6},       {"1<<63", INT64_MIN}, {"0xffffffffffffffff", -1},
        {"-9223372036854775808", INT64_MIN},   {"9223372036854775807", INT64_MAX},
        {"K", 5},          {"K*K-K", 20},      {"hbm:0", INT64_C(2) << 56},
        {"tsram:0x20", 32}, {"csram:K:K+1", (INT64_C(1) << 56) + (INT64_C(5) << 32) + 6},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char text[200];
        snprintf(text, sizeof text, ".equ K 5\nli x1, %s # end\n", of[i].text);
        struct tsr_program p = assemble(text);
        if (operand(&p, TSR_STREAM_TCP, 0, "imm") != of[i].value)
            fail_msg("%s is %lld", of[i].text,
                     (long long)operand(&p, TSR_STREAM_TCP, 0, "imm"));
        tsr_program_free(&p);
    }
}

static void test_asm_mistakes_name_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"frob x1\n", "1:1: frob: no such instruction"},
        {"\n  vret\n", "2:3: vret: no such instruction here, it belongs into a .routine"},
        {".routine r\nhalt\n.end\n", "2:1: halt: no such instruction in a .routine, it belongs"},
        {"add x1, x2\n", "1:1: add: operand b is missing"},
        {"add x1, x2, x3, x4\n", "1:17: add takes 3 operands"},
        {"add x1, x2, x32\n", "1:13: b: \"x32\", a register x0 to x31 is wanted"},
        {"add x1, x2, v3\n", "1:13: b: \"v3\", a register x0 to x31 is wanted"},
        {"add x1, x2, x03\n", "1:13: b: \"x03\", a register"},
        {"add x1 x2, x3\n", "1:8: ',' or the end of the line is wanted here"},
        {"add x1, x2,\n", "1:12: an operand is wanted after ','"},
        {"add d=x1, x2, x3\n", "1:11: after name=value only name=value may follow"},
        {"add d=x1, d=x2, a=x3, b=x4\n", "1:13: d: given twice"},
        {"add q=x1\n", "1:5: q: no operand of add, which has d, a, b"},
        {"nop q=x1\n", "1:5: q: no operand of nop, which has none"},
        {"mma x1\n", "1:5: operands of mma are written name=value"},
        {"fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=i8\n",
         "1:43: fmt: \"i8\", allowed are f32, f16"},
        {"fill src=x1, ss=x2, m=x3, n=x4, c=x5, fmt=f32, across=3\n",
         "1:55: across: 3, allowed are 0 to 2"},
        {"shli x1, x2, 64\n", "1:14: imm: 64, allowed are 0 to 63"},
        {"lw x1, x2, 1<<31\n", "1:12: imm: 2147483648, allowed are -2147483648 to 2147483647"},
        {"jmp nowhere\n", "1:5: nowhere: no such label in the TCP program"},
        {"vcall nothing\n", "1:7: nothing: no such routine"},
        {".routine r\nvloop a1, out\n.end\nout: halt\n", "2:11: out: no such label in this"},
        {"jmp 65536\n", "1:5: target: 65536, allowed are 0 to 65535"},
        {"a: nop\na: nop\n", "2:1: a: defined already in line 1"},
        {"nop wait(s1)\n", "1:5: nop takes 0 semaphores here"},
        {"wait wait(s1, s2, s3)\n", "1:6: wait takes 2 semaphores here"},
        {"wait wait(s64)\n", "1:11: w0: \"s64\", a semaphore s0 to s63 is wanted"},
        {"wait wait(s1*32)\n", "1:14: amount: 32, allowed are 1 to 31"},
        {"wait wait(s1*0)\n", "1:14: amount: 0, allowed are 1 to 31"},
        {"wait wait(s1) wait(s2)\n", "1:20: w0: given twice"},
        {"wait post(s1*2)\n", "1:13: ')' is wanted here"},
        {"wait wait(s1\n", "1:13: ')' is wanted here"},
        {"li x1, 1+\n", "1:10: a number or a constant is wanted here"},
        {"li x1, 1/0\n", "1:9: division by 0"},
        {"li x1, 9223372036854775807+1\n", "1:27: the result needs more than 64 bits"},
        {"li x1, 9223372036854775808\n", "1:8: a number of more than 64 bits"},
        {"li x1, 4611686018427387904*2\n", "1:27: the result needs more than 64 bits"},
        {"li x1, 3<<63\n", "1:9: the result needs more than 64 bits"},
        {"li x1, 1<<64\n", "1:9: shift by 64, allowed are 0 to 63"},
        {"li x1, 12ab\n", "1:10: 'a' is no digit"},
        {"li x1, (1\n", "1:10: ')' is wanted here"},
        {"li x1, WHAT\n", "1:8: WHAT: no such constant above this line"},
        {"li x1, csram:256:0\n", "1:8: cluster 256, allowed are 0 to 255"},
        {"li x1, csram:1:0x100000000\n", "1:16: offset 4294967296, 32 bits are allowed"},
        {"li x1, hbm:-1\n", "1:12: offset -1, 56 bits are allowed"},
        {"li x1, csram:1\n", "1:15: ':' is wanted here"},
        {"li x1, 1 $\n", "1:10: ',' or the end of the line is wanted here"},
        {"$\n", "1:1: an instruction, a label or a directive is wanted"},
        {".foo\n", "1:1: .foo: no such directive, allowed are .isa"},
        {".isa 2.0\n", "1:6: version 2.0, this instruction set is 1.0"},
        {".isa 1\n", "1:6: a version like 1.0 is wanted"},
        {".isa 1.0\n.isa 1.0\n", "2:6: the version is given twice"},
        {".sem 64 ttu\n", "1:6: semaphore: 64, allowed are 0 to 63"},
        {".sem 3 gpu\n", "1:8: \"gpu\": a consumer is wanted"},
        {".sem 3 ttu\n.sem s3 acc\n", "2:6: semaphore s3 has its consumer already, ttu"},
        {".tiles 0\n", "1:8: tiles: 0, allowed are 1 to 256"},
        {".arg 0 x1 5\n.tiles 2\n", "2:8: .tiles is wanted once, before .arg and .control"},
        {".arg 1 x1 5\n", "1:6: tile: 1, allowed are 0 to 0"},
        {".arg 0 x25 5\n", "1:8: \"x25\": a register x1 to x24 is wanted"},
        {".arg 0 x0 5\n", "1:8: \"x0\": a register x1 to x24 is wanted"},
        {".control 0 2 1\n", "1:12: offset: 2, a multiple of 4 is wanted"},
        {".control 0 65536 1\n", "1:12: offset: 65536, allowed are 0 to 65532"},
        {".control 0 65532 1 2\n", "1:20: more than 65536 bytes of control memory"},
        {".control 0 0 4294967296\n", "1:14: word: 4294967296, allowed are -2147483648 to"},
        {".control 0 0\n", "1:13: a number or a constant is wanted here"},
        {".tensor A both f32 hbm:0 1\n", "1:11: \"both\": in or out is wanted"},
        {".tensor A in f33 hbm:0 1\n", "1:14: \"f33\": a number format is wanted"},
        {".tensor A in f32 0 1\n", "1:18: an address hbm:... is wanted"},
        {".tensor A in f32 hbm:0 1x0\n", "1:24: one to four sizes like 16x32 are wanted"},
        {".tensor A in f32 hbm:0 1x1x1x1x1\n", "1:24: one to four sizes"},
        {".tensor A in f32 hbm:0 1048576x2000000\n", "1:24: more than 2^40 elements"},
        {".tensor A in f32 hbm:0 4\n.tensor A in f32 hbm:0 4\n", "2:9: A: a tensor of this name"},
        {".equ hbm 3\n", "1:6: \"hbm\": a name for the constant is wanted"},
        {".equ A 1\n.equ A 2\n", "2:6: A: defined already in line 1"},
        {".end\n", "1:1: .end without .routine"},
        {".routine r\n.routine s\n", "2:10: the .routine of line 1 has no .end"},
        {".routine r\nvret\n", "3:1: the .routine of line 1 has no .end"},
        {"halt halt\n", "1:6: halt takes 0 operands"},
        {".end extra\n", "1:1: .end without"},
        {".tiles 2 3\n", "1:10: the line should end here"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsr_program p = {.tiles = 77};
        struct tsr_error err = {0};
        char want[300];
        snprintf(want, sizeof want, "p.s:%s", bad[i].message);
        if (tsr_assemble(isa, "p.s", bad[i].text, strlen(bad[i].text), &p, &err) == TSR_OK)
            fail_msg("accepted: %s", bad[i].text);
        if (strncmp(err.message, want, strlen(want)) != 0)
            fail_msg("\"%s\"\nwanted \"%s...\" for\n%s", err.message, want, bad[i].text);
        assert_int_equal(p.tiles, 77);
    }
}

/* `n` times a piece. */
static char *repeat(const char *piece, size_t n, size_t *bytes)
{
    size_t len = strlen(piece);
    char *text = malloc(n * len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, piece, len);
    text[n * len] = '\0';
    *bytes = n * len;
    return text;
}

static void check_long(const char *piece, size_t n, const char *message)
{
    size_t bytes;
    char *text = repeat(piece, n, &bytes);
    struct tsr_program p;
    struct tsr_error err = {0};
    enum tsr_status st = tsr_assemble(isa, "p.s", text, bytes, &p, &err);
    free(text);
    if (message == NULL) {
        if (st != TSR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(p.n_tcp, n);
        tsr_program_free(&p);
        return;
    }
    assert_int_equal(st, TSR_BAD_INPUT);
    if (strncmp(err.message, message, strlen(message)) != 0)
        fail_msg("\"%s\", wanted \"%s\"", err.message, message);
}

static void test_asm_bounds_hold(void **state)
{
    (void)state;
    check_long("nop\n", 65536, NULL);
    check_long("nop\n", 65537, "p.s:65537:1: more than 65536 instructions");
    check_long("\n", (16u << 20) + 1, "p.s: 16777217 bytes, at most 16 MiB are allowed");
    check_long(".equ A -", 1, "p.s:1:9: a number or a constant");
    check_long("(", 100000, "p.s:1:1: an instruction, a label");
    size_t bytes;
    char *text = repeat("(", 1000, &bytes);
    memcpy(text, "li x1, ", 7);
    struct tsr_program p;
    struct tsr_error err = {0};
    assert_int_equal(tsr_assemble(isa, "p.s", text, bytes, &p, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "p.s:1:72: nested more than 64 deep");
    memset(text + 7, '-', bytes - 7);
    struct tsr_error minus = {0};
    assert_int_equal(tsr_assemble(isa, "p.s", text, bytes, &p, &minus), TSR_BAD_INPUT);
    assert_string_equal(minus.message, "p.s:1:72: nested more than 64 deep");
    free(text);
}

static void test_asm_takes_bytes_without_an_end(void **state)
{
    (void)state;
    /* Neither a final newline nor a null: the text ends before an unmapped page. */
    static const char text[] = "a: beq x1, x2, a";
    for (size_t n = 0; n < sizeof text; n++) {
        char *guarded = tsr_test_guarded(n > 0 ? n : 1);
        memcpy(guarded, text, n);
        struct tsr_program p;
        enum tsr_status st = tsr_assemble(isa, "p.s", guarded, n, &p, NULL);
        assert_int_equal(st == TSR_OK, n == 0 || n == 2 || n == 3 || n == sizeof text - 1);
        if (st == TSR_OK)
            tsr_program_free(&p);
    }
}

static void test_asm_disassembly_reads_well(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "halt",
        "add x1, x2, x3",
        "lw x1, x2",
        "lw x1, x2, -4",
        "li x1, hbm:0x1000",
        "li x1, csram:15:0x20",
        "li x1, -1",
        "vcall 3",
        "vcall 3, x1, x0, x2 wait(s1*2, s2) post(s3)",
        "wait w1=s4*2 post(s1)",
        "wait p1=s6 wait(s1)",
        "rpost ch=3, mask=x1, sem=63",
        "copy ch=0, dst=x1, src=x2, len=x3, mask=x4, mc=1 post(s0, s1)",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct tsr_program p = assemble(lines[i]);
        struct tsr_insn in;
        char text[200];
        assert_int_equal(tsr_decode(isa, TSR_STREAM_TCP, p.tcp[0], &in, NULL), TSR_OK);
        assert_int_equal(tsr_disassemble_insn(isa, &in, text, sizeof text), strlen(lines[i]));
        assert_string_equal(text, lines[i]);
        /* Cut where there is no room, never overrun. */
        char small[6] = "-----";
        assert_int_equal(tsr_disassemble_insn(isa, &in, small, 5), strlen(lines[i]));
        assert_memory_equal(small, lines[i], strlen(lines[i]) < 4 ? strlen(lines[i]) : 4);
        assert_int_equal(small[4], '\0');
        tsr_program_free(&p);
    }
}

static void test_asm_whole_disassembly_has_labels(void **state)
{
    (void)state;
    struct tsr_program p = assemble("jmp out\nvcall b\nout:\n.routine a\nvret\n.end\n"
                                    ".routine b\nvloop a1, e\nvidx v1\ne: vret\n.end\n");
    char *text;
    struct tsr_error err = {0};
    assert_int_equal(tsr_disassemble(isa, &p, &text, &err), TSR_OK);
    assert_string_equal(text, ".isa 1.0\n.tiles 1\n"
                              "    jmp L2\n    vcall r1\nL2:\n"
                              ".routine r0\n    vret\n.end\n"
                              ".routine r1\n    vloop a1, L3\n    vidx v1\nL3:\n    vret\n.end\n");
    free(text);
    p.tcp[0].w[0] |= UINT64_C(1) << 40;
    assert_int_equal(tsr_disassemble(isa, &p, &text, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "word 0 of stream tcp: jmp: bit 40 is set, no field has it, "
                                     "it must be 0");
    tsr_program_free(&p);
}

/* The indented lines of isa/README.md are a program. */
static void test_asm_readme_example_assembles(void **state)
{
    (void)state;
    char path[4096], source[8192] = "";
    snprintf(path, sizeof path, "%s/isa/README.md", tsr_test_source_dir());
    char *readme = tsr_test_read(path, NULL), *save = NULL;
    size_t n = 0;
    for (char *line = strtok_r(readme, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "    ", 4) == 0)
            n += (size_t)snprintf(source + n, sizeof source - n, "%s\n", line);
    assert_in_range(n, 500, sizeof source - 1);
    struct tsr_program p = assemble(source);
    assert_int_equal(p.n_tcp, 5);
    assert_int_equal(p.n_tvp, 3);
    tsr_program_free(&p);
    free(readme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asm_a_whole_program_means_what_it_says),
        cmocka_unit_test(test_asm_expressions_are_as_in_c),
        cmocka_unit_test(test_asm_mistakes_name_their_place),
        cmocka_unit_test(test_asm_bounds_hold),
        cmocka_unit_test(test_asm_takes_bytes_without_an_end),
        cmocka_unit_test(test_asm_disassembly_reads_well),
        cmocka_unit_test(test_asm_whole_disassembly_has_labels),
        cmocka_unit_test(test_asm_readme_example_assembles),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
