/* SPDX-License-Identifier: Apache-2.0 */
/* A fused vector instruction is one row: from an overlay file it is assembled, encoded, decoded and
 * shown without a change of code. labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/expr.h"
#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

static const char overlay[] =
    "# GELU by the sigmoid\n"
    "parameters: {lat_quick: 30}\n"
    "instructions:\n"
    "- {mnemonic: vquick, stream: tvp, unit: tvp, opcode: 0xE0, exec: lanes, occupancy: 1,\n"
    "   lanes: \"mul(a, rcp(add(1.0, exp2(mul(a, -2.4554669595930157)))))\", latency: lat_quick,\n"
    "   operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, at: 13}],\n"
    "   doc: \"a / (1 + e^(-1.702 a))\"}\n";

static struct tsr_isa *load_files(const char *a, const char *b, struct tsr_error *err)
{
    const char *const files[] = {a, b};
    struct tsr_isa *isa = NULL;
    tsr_isa_load(files, b != NULL ? 2 : 1, &isa, err);
    return isa;
}

static void test_overlay_adds_a_fused_instruction(void **state)
{
    (void)state;
    tsr_test_write("quick.yaml", overlay, strlen(overlay));
    struct tsr_error err = {0};
    struct tsr_isa *isa = load_files("quick.yaml", NULL, &err);
    if (isa == NULL)
        fail_msg("%s", err.message);
    const char source[] = "vcall r\nhalt\n.routine r\nvquick v3, v17\nvret\n.end\n";
    struct tsr_program p;
    if (tsr_assemble(isa, "p.s", source, strlen(source), &p, &err) != TSR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.tvp[0], 0xE0 | 3 << 8 | 17 << 13);
    struct tsr_insn in;
    assert_int_equal(tsr_decode(isa, TSR_STREAM_TVP, (struct tsr_word){{p.tvp[0], 0}}, &in, &err),
                     TSR_OK);
    char text[200];
    tsr_disassemble_insn(isa, &in, text, sizeof text);
    assert_string_equal(text, "vquick v3, v17");
    assert_int_equal(in.op->source, 1);
    assert_int_equal(in.op->line, 4);
    assert_int_equal(tsr_expr_eval(&in.op->latency, TSR_EXPR_CYCLES, isa, NULL, NULL), 30);
    tsr_expr_print(&in.op->lanes, TSR_EXPR_LANES, text, sizeof text);
    assert_string_equal(text, "mul(a, rcp(add(1.0, exp2(mul(a, -2.45546699)))))");
    /* The built-in set knows nothing of it. */
    struct tsr_isa *base = tsr_test_isa();
    struct tsr_error other = {0};
    struct tsr_program q;
    assert_int_equal(tsr_assemble(base, "p.s", source, strlen(source), &q, &other), TSR_BAD_INPUT);
    assert_string_equal(other.message, "p.s:4:1: vquick: no such instruction");
    tsr_isa_free(base);
    tsr_program_free(&p);
    tsr_isa_free(isa);
}

static void test_overlay_replaces_by_mnemonic_and_later_wins(void **state)
{
    (void)state;
    tsr_test_write("quick.yaml", overlay, strlen(overlay));
    /* With vquick replaced its parameter serves nobody, until another row uses it. */
    static const char *const cycles[] = {"7", "lat_quick"};
    struct tsr_isa *isa = NULL;
    for (int i = 0; i < 2; i++) {
        char again[1000];
        struct tsr_error err = {0};
        snprintf(again, sizeof again,
                 "instructions:\n"
                 "- {mnemonic: vquick, stream: tvp, unit: tvp, opcode: 0xE1, exec: lanes,\n"
                 "   lanes: a, operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, "
                 "at: 13}], occupancy: 1, doc: x}\n"
                 "- {mnemonic: nop, stream: tcp, unit: tcp, opcode: 0x01, exec: nop,\n"
                 "   occupancy: %s, doc: y}\n"
                 "parameters: {lat_add: 6}\n",
                 cycles[i]);
        tsr_test_write("again.yaml", again, strlen(again));
        isa = load_files("quick.yaml", "again.yaml", &err);
        if (i == 0) {
            assert_null(isa);
            assert_string_equal(err.message, "quick.yaml:2:14: lat_quick: no such parameter, and "
                                             "no row uses it");
        } else if (isa == NULL) {
            fail_msg("%s", err.message);
        }
    }
    const struct tsr_op *op = tsr_isa_find(isa, TSR_STREAM_TVP, "vquick");
    assert_int_equal(op->opcode, 0xE1);
    assert_int_equal(op->source, 2);
    assert_int_equal(isa->by_opcode[TSR_STREAM_TVP][0xE0], 0);
    op = tsr_isa_find(isa, TSR_STREAM_TCP, "nop");
    assert_int_equal(tsr_expr_eval(&op->occupancy, TSR_EXPR_CYCLES, isa, NULL, NULL), 30);
    assert_int_equal(tsr_isa_param(isa, "lat_add", 0), 6);
    struct tsr_isa *base = tsr_test_isa();
    assert_int_equal(isa->n_ops, base->n_ops + 1);
    tsr_isa_free(base);
    tsr_isa_free(isa);
}

static void test_overlay_adds_a_format(void **state)
{
    (void)state;
    struct tsr_isa *isa = tsr_test_overlay(
        "formats:\n"
        "- {name: f24, code: 30, family: float, specials: ieee, bits: 24, ebits: 8, mbits: 15,\n"
        "   bias: 127, block: 1, scale_bits: 0, width_class: 0, doc: x}\n"
        "instructions:\n"
        "- {mnemonic: vld, stream: tvp, unit: tvp, opcode: 0x10, exec: vld, memory: true,\n"
        "   occupancy: 1, latency: lat_load, operands: [{name: d, kind: vreg, at: 8},\n"
        "   {name: a, kind: areg, at: 13, width: 4}, {name: fmt, kind: fmt, at: 17, width: 5,\n"
        "   formats: [f32, f24]}, {name: inc, kind: simm, at: 32, width: 32, default: 0},\n"
        "   {name: n, kind: uimm, at: 22, width: 9, max: 256, default: 0}], doc: x}\n",
        NULL);
    struct tsr_program p;
    struct tsr_error err = {0};
    const char source[] = ".routine r\nvld v1, a2, f24\nvret\n.end\n";
    if (tsr_assemble(isa, "p.s", source, strlen(source), &p, &err) != TSR_OK)
        fail_msg("%s", err.message);
    assert_int_equal(p.tvp[0] >> 17 & 31, 30);
    tsr_program_free(&p);
    tsr_isa_free(isa);
}

static uint32_t formats_of(const struct tsr_isa *isa, const char *mnemonic, const char *operand)
{
    for (int i = 0; i < isa->n_ops; i++)
        if (strcmp(isa->ops[i].mnemonic, mnemonic) == 0)
            return isa->ops[i].operand[tsr_op_operand(&isa->ops[i], operand)].formats;
    fail_msg("%s: no such row", mnemonic);
    return 0;
}

/* Rows that list `tensor` or `scaled` take a new format of that kind without being touched. */
static void test_overlay_formats_are_taken_by_rows_that_list_their_kind(void **state)
{
    (void)state;
    static const struct {
        const char *mnemonic, *operand, *codes; /* which of formats 28 (plain), 29, 30 (blocks) */
    } cases[] = {{"mma", "af", "yyn"},   {"mma", "bf", "yyn"},   {"vld", "fmt", "yyn"},
                 {"vst", "fmt", "yyn"},  {"vlds", "fmt", "nyn"}, {"vsts", "fmt", "nyn"},
                 {"vldb", "fmt", "nnn"}, {"drain", "fmt", "nnn"}};
    struct tsr_isa *isa = tsr_test_overlay(
        "formats:\n"
        "- {name: f8e3m4, code: 28, family: float, specials: fn, bits: 8, ebits: 3, mbits: 4,\n"
        "   bias: 3, block: 1, scale_bits: 0, width_class: 9, doc: plain}\n"
        "- {name: mxf8e3m4, code: 29, family: mx, specials: fn, bits: 8, ebits: 3, mbits: 4,\n"
        "   bias: 3, block: 32, scale_bits: 8, width_class: 9, doc: in blocks}\n"
        "- {name: mxi7, code: 30, family: mx, specials: none, bits: 7, ebits: 0, mbits: 5,\n"
        "   bias: 0, block: 32, scale_bits: 8, width_class: 0, doc: not for the tensor unit}\n",
        NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t formats = formats_of(isa, cases[i].mnemonic, cases[i].operand);
        for (int k = 0; k < 3; k++)
            if ((formats >> (28 + k) & 1) != (cases[i].codes[k] == 'y'))
                fail_msg("%s %s: format %d", cases[i].mnemonic, cases[i].operand, 28 + k);
    }
    tsr_isa_free(isa);
}

static void test_overlay_a_missing_file_is_named(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    assert_null(load_files("nowhere.yaml", NULL, &err));
    assert_int_equal(err.status, TSR_BAD_INPUT);
    assert_string_equal(err.message, "nowhere.yaml: No such file or directory");
}

/* Rows of random expressions are assembled and shown like the built-in ones. */
static void test_overlay_random_fused_rows_roundtrip(void **state)
{
    (void)state;
    static const char *const around[][2] = {
        {"add(", ", 1.5)"},        {"mul(0x7fffffff, ", ")"}, {"max(", ", b)"},
        {"select(c, ", ", a)"},    {"fma(a, b, ", ")"},       {"neg(", ")"},
        {"and(", ", 0x0000ffff)"}, {"min(-0.25, ", ")"},      {"rcp(", ")"}};
    uint64_t seed = tsr_test_seed("rows", 9);
    for (int round = 0; round < 60; round++) {
        char expression[300] = "add3(a, b, c)", next[340];
        for (uint64_t n = tsr_test_random_below(&seed, 9); n > 0; n--) {
            const char *const *call = around[tsr_test_random_below(&seed, 9)];
            snprintf(next, sizeof next, "%s%s%s", call[0], expression, call[1]);
            memcpy(expression, next, sizeof expression);
        }
        char row[800];
        snprintf(row, sizeof row,
                 "instructions:\n- {mnemonic: vr, stream: tvp, unit: tvp, opcode: 0xF%d, exec: "
                 "lanes, lanes: \"%s\", occupancy: 1, latency: 9, doc: x, operands: [{name: d, "
                 "kind: vreg, at: 8}, {name: a, kind: vreg, at: 13}, {name: b, kind: vreg, at: "
                 "18}, {name: c, kind: vreg, at: 23}]}\n",
                 round % 10, expression);
        struct tsr_isa *isa = tsr_test_overlay(row, NULL);
        const struct tsr_op *op = tsr_isa_find(isa, TSR_STREAM_TVP, "vr");
        char shown[300], source[340];
        tsr_expr_print(&op->lanes, TSR_EXPR_LANES, shown, sizeof shown);
        assert_string_equal(shown, expression);
        struct tsr_insn in = tsr_test_insn(op, &seed, 0, 0);
        struct tsr_word w;
        struct tsr_program p;
        struct tsr_error err = {0};
        assert_int_equal(tsr_encode(&in, &w, &err), TSR_OK);
        tsr_disassemble_insn(isa, &in, shown, sizeof shown);
        snprintf(source, sizeof source, ".routine r\n%s\n.end", shown);
        assert_int_equal(tsr_assemble(isa, "p.s", source, strlen(source), &p, &err), TSR_OK);
        assert_int_equal(p.tvp[0], w.w[0]);
        tsr_program_free(&p);
        tsr_isa_free(isa);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlay_adds_a_fused_instruction),
        cmocka_unit_test(test_overlay_replaces_by_mnemonic_and_later_wins),
        cmocka_unit_test(test_overlay_adds_a_format),
        cmocka_unit_test(test_overlay_formats_are_taken_by_rows_that_list_their_kind),
        cmocka_unit_test(test_overlay_a_missing_file_is_named),
        cmocka_unit_test(test_overlay_random_fused_rows_roundtrip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
