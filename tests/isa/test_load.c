/* SPDX-License-Identifier: Apache-2.0 */
/* The loader: what it proves of rows, and the message for every kind of mistake.
 * labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/exec_names.h"
#include "isa/expr.h"
#include "isa/load.h"
#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

/* A correct row of a fused instruction; the tests spoil it in one place each. */
#define ROW "instructions:\n" \
    "- {mnemonic: vfoo, stream: tvp, unit: tvp, opcode: 0x80, exec: lanes,\n" \
    "   lanes: \"mul(add(a, 1.0), b)\", occupancy: 1, latency: lat_add,\n" \
    "   operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, at: 13},\n" \
    "   {name: b, kind: vreg, at: 18}],\n" \
    "   doc: an example}\n"

/* ROW with the first `from` replaced. */
static char *spoil(const char *row, const char *from, const char *to)
{
    const char *at = strstr(row, from);
    assert_non_null(at);
    size_t head = (size_t)(at - row);
    char *out = malloc(strlen(row) + strlen(to) + 1);
    assert_non_null(out);
    memcpy(out, row, head);
    strcpy(out + head, to);
    strcat(out, at + strlen(from));
    return out;
}

static void check_message(const char *text, const char *want)
{
    char message[1024];
    assert_null(tsr_test_overlay(text, message));
    if (strncmp(message, want, strlen(want)) != 0)
        fail_msg("\"%s\"\nwanted \"%s...\" for\n%s", message, want, text);
}

static void test_load_built_in_is_whole(void **state)
{
    (void)state;
    struct tsr_isa *isa = tsr_test_isa(), *again = tsr_test_isa();
    assert_int_equal(isa->major, 1);
    assert_true(isa->n_ops >= 102);
    assert_int_equal(isa->digest, again->digest);
    const struct tsr_op *mma = tsr_isa_find(isa, TSR_STREAM_TCP, "mma");
    assert_non_null(mma);
    assert_int_equal(mma->unit, TSR_UNIT_TTU);
    assert_true(mma->named);
    /* bf16 f16 f8e4m3 f8e5m2 i8 i4, and every block format that is not of GGUF's nested kinds */
    assert_int_equal(mma->operand[tsr_op_operand(mma, "af")].formats, 0xFFF7E);
    /* The semaphore slots come last. */
    assert_int_equal(tsr_op_operand(mma, "p1"), mma->n_operands - 1);
    assert_int_equal(tsr_isa_param(isa, "lat_tree", -1), 24);
    assert_int_equal(tsr_isa_param(isa, "nothing", -1), -1);
    assert_int_equal(tsr_isa_format(isa, "bf16")->code, TSR_BF16);
    assert_null(tsr_isa_find(isa, TSR_STREAM_TVP, "mma"));
    for (int i = 0; i < isa->n_ops; i++) {
        assert_true(tsr_isa_exec_known(isa->ops[i].stream, isa->ops[i].exec));
        assert_ptr_equal(&isa->ops[isa->by_opcode[isa->ops[i].stream][isa->ops[i].opcode] - 1],
                         &isa->ops[i]);
    }
    tsr_isa_free(isa);
    tsr_isa_free(again);
}

/* Every code of enum tsr_dtype is the row of that name. */
static void test_load_formats_agree_with_the_header(void **state)
{
    (void)state;
    static const char *const names[] = {
        "f32",  "f16",      "bf16",     "f8e4m3",   "f8e5m2", "i8",   "i4",  "i32",
        "mxf8e4m3", "mxf8e5m2", "mxf6e3m2", "mxf6e2m3", "mxf4", "mxi8", "mx9", "mx6",
        "mx4",  "nvf4",     "q8_0",     "q4_0",     "q4_k",   "q6_k"};
    struct tsr_isa *isa = tsr_test_isa();
    assert_int_equal(sizeof names / sizeof *names, TSR_Q6_K + 1);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(isa->has_format[i]);
        assert_string_equal(isa->formats[i].name, names[i]);
    }
    tsr_isa_free(isa);
}

static void test_load_good_row_loads(void **state)
{
    (void)state;
    struct tsr_isa *isa = tsr_test_overlay(ROW, NULL), *base = tsr_test_isa();
    const struct tsr_op *op = tsr_isa_find(isa, TSR_STREAM_TVP, "vfoo");
    assert_int_equal(isa->n_ops, base->n_ops + 1);
    assert_int_equal(op->source, 1);
    assert_int_equal(op->line, 2);
    assert_int_equal(op->lanes.n, 5);
    assert_int_equal(op->lanes.node[1].value, 0x3f800000);
    assert_true(isa->digest != base->digest);
    tsr_isa_free(isa);
    tsr_isa_free(base);
}

static void test_load_spoiled_rows_name_line_and_key(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *message;
    } bad[] = {
        /* encodings */
        {"0x80", "0x21", "over.yaml:2:52: opcode: 0x21 of vfoo is that of vadd already "
                         "(isa/tile.yaml:"},
        {"0x80", "0", "over.yaml:2:52: opcode: \"0\": an integer from 1 to 255"},
        {"0x80", "256", "over.yaml:2:52: opcode: \"256\": an integer from 1 to 255"},
        {"at: 13", "at: 12", "over.yaml:4:71: at: vfoo: bits 12 to 16 of a overlap bits 8 to 12 "
                             "of d"},
        {"at: 8", "at: 7", "over.yaml:4:41: at: vfoo.d overlaps the opcode in bits 0 to 7"},
        {"at: 18", "at: 60", "over.yaml:5:30: at: b: bits 60 to 64, the word ends at bit 63"},
        {"at: 18", "at: 64", "over.yaml:5:30: at: \"64\": an integer from 0 to 63"},
        {"at: 8", "at: 8, width: 6", "over.yaml:4:51: width: \"6\": only 5 is allowed"},
        {"kind: vreg", "kind: zreg", "over.yaml:4:31: kind: \"zreg\": allowed are xreg, vreg,"},
        {"name: b", "name: a", "over.yaml:5:11: name: vfoo has two operands a"},
        {"name: b", "name: wait", "over.yaml:5:11: name: wait and post are words"},
        {"name: b, kind: vreg", "name: b, kind: wait, width: 11", "over.yaml:5:20: kind: wait and"},
        /* keys */
        {"doc: an example", "dock: an example", "over.yaml:6:4: dock: unknown key, allowed are "
                                                "mnemonic, stream, unit,"},
        {"occupancy: 1, ", "", "over.yaml:2:3: occupancy: missing"},
        {"mnemonic: vfoo", "mnemonic: v-foo", "over.yaml:2:14: mnemonic: \"v-foo\": a name"},
        {"vfoo", "v_much_too_long_a_name", "over.yaml:2:14: mnemonic: 22 characters, 1 to 15"},
        {"stream: tvp", "stream: tvx", "over.yaml:2:28: stream: \"tvx\": allowed are tcp, tvp"},
        {"unit: tvp", "unit: ttu", "over.yaml:2:39: unit: ttu, exec lanes belongs to unit tvp"},
        {"doc: an example", "memory: true, doc: x", "over.yaml:6:12: memory: exec lanes wants"},
        {"doc: an example", "sems: true, doc: x", "over.yaml:6:10: sems: only instructions of"},
        {"doc: an example", "value: a, doc: x", "over.yaml:6:11: value: exec lanes does not take"},
        /* handlers */
        {"exec: lanes", "exec: magic", "over.yaml:2:64: exec: \"magic\": no such handler in"},
        {"exec: lanes", "exec: vld", "over.yaml:2:3: memory: exec vld wants true"},
        {"exec: lanes", "exec: aadd", "over.yaml:2:64: exec: aadd: operand d has kind vreg, it"},
        {"name: d", "name: q", "over.yaml:2:64: exec: lanes needs an operand d"},
        {", b)", ", a)", "over.yaml:2:64: exec: operand b has no effect"},
        {"exec: lanes", "exec: reduce", "over.yaml:3:11: lanes: exec reduce does not take it"},
        /* expressions */
        {"b)", "c)", "over.yaml:3:29: lanes: \"c\": not an operand of vfoo"},
        {"b)", "d)", "over.yaml:3:29: lanes: d: the target cannot be read"},
        {"mul(", "mull(", "over.yaml:3:12: lanes: \"mull\": no such function"},
        {"mul(", "fma(", "over.yaml:3:12: lanes: fma: 2 arguments, it takes 3"},
        {", b)", ", b", "over.yaml:3:30: lanes: \",\" or \")\" is wanted here"},
        {", b)", ", )", "over.yaml:3:29: lanes: a name or number is wanted here"},
        {", b)", ", b))", "over.yaml:3:31: lanes: the expression should end here"},
        {"1.0", "1", "over.yaml:3:23: lanes: \"1\": write 1.0 for the f32, or the bits as 0x..."},
        {"1.0", "1e39", "over.yaml:3:23: lanes: \"1e39\": a finite f32 like 1.5 is allowed"},
        {"1.0", "1.0x", "over.yaml:3:23: lanes: \"1.0x\": a finite f32"},
        {"1.0", "0x100000000", "over.yaml:3:23: lanes: \"0x100000000\": a pattern of 32 bits"},
        {"latency: lat_add", "latency: lat_ad", "over.yaml:3:57: latency: \"lat_ad\": neither an "
                                                "operand of vfoo nor a parameter"},
        {"occupancy: 1", "occupancy: tiles", "over.yaml:3:45: occupancy: \"tiles\": neither"},
        {"occupancy: 1", "occupancy: a", "over.yaml:3:45: occupancy: a: only parameters and"},
        {"occupancy: 1", "occupancy: 1.5", "over.yaml:3:45: occupancy: \"1.5\": an integer"},
        {"occupancy: 1", "occupancy: [1]", "over.yaml:3:45: occupancy: one value is wanted"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = spoil(ROW, bad[i].from, bad[i].to);
        check_message(text, bad[i].message);
        free(text);
    }
}

static void test_load_bad_overlays_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"- 1\n", "over.yaml:1:1: a map is wanted here"},
        {"sems: []\n", "over.yaml:1:1: sems: unknown key, allowed are isa, version, parameters"},
        {"instructions: {}\n", "over.yaml:1:15: instructions: a list is wanted"},
        {"instructions: [x]\n", "over.yaml:1:16: a map is wanted here"},
        {"isa: other\n", "over.yaml:1:6: isa: \"other\": allowed are tessera-tile"},
        {"version: {major: 2, minor: 0}\n", "over.yaml:1:18: major: \"2\": only 1 is allowed"},
        {"parameters: {lat_ad: 3}\n", "over.yaml:1:14: lat_ad: no such parameter"},
        {"parameters: {tiles: 3}\n", "over.yaml:1:14: tiles: the units use this name"},
        {"parameters: {lat_add: -1}\n", "over.yaml:1:23: lat_add: \"-1\": an integer from 0"},
        {ROW "- {mnemonic: vfoo, stream: tvp}\n", "over.yaml:7:3: mnemonic: vfoo given twice, "
                                                   "first in line 2"},
        {"formats:\n- {name: bf16, code: 25, family: float, specials: ieee, bits: 16, ebits: 8, "
         "mbits: 7, bias: 127, block: 1, scale_bits: 0, width_class: 16, doc: x}\n",
         "over.yaml:2:22: code: 25, a built-in format keeps its code, here 2"},
        {"formats:\n- {name: f16x, code: 2, family: float, specials: ieee, bits: 16, ebits: 8, "
         "mbits: 7, bias: 127, block: 1, scale_bits: 0, width_class: 16, doc: x}\n",
         "over.yaml:2:22: code: 2 is the code of bf16 already"},
        {"formats:\n- {name: f16x, code: 31, family: float, specials: ieee, bits: 16, ebits: 8, "
         "mbits: 8, bias: 127, block: 1, scale_bits: 0, width_class: 16, doc: x}\n",
         "over.yaml:2:63: bits: 16, with 8 exponent and 8 mantissa bits it must be 17"},
        {"formats:\n- {name: f16x, code: 31, family: float, specials: ieee, bits: 16, ebits: 8, "
         "mbits: 7, bias: 127, block: 1, scale_bits: 0, width_class: 7, doc: x}\n",
         "over.yaml:2:136: width_class: 7, allowed are 16, 9, 6 and 0"},
        {"formats:\n- {name: f16x, code: 31, family: froat}\n",
         "over.yaml:2:34: family: \"froat\": allowed are float, int, mx, smx, nvf, gguf"},
        {"instructions:\n- {mnemonic: mma2, stream: tcp, unit: tcp, opcode: 0x90, exec: alu, "
         "value: \"add(a, b)\", occupancy: 1, doc: x, operands: [{name: d, kind: xreg, at: 8}, "
         "{name: a, kind: xreg, at: 13}, {name: b, kind: fmt, at: 18, width: 5, formats: [bf17]}]}"
         "\n", "over.yaml:2:232: formats: \"bf17\": no such format in formats.yaml or an overlay"},
        {"instructions:\n- {mnemonic: foo, stream: tcp, unit: tcp, opcode: 0x90, exec: wait, "
         "sems: true, occupancy: 1, doc: x, operands: [{name: q, kind: xreg, at: 40}]}\n",
         "over.yaml:2:140: at: foo: bits 40 to 44 of q overlap bits 37 to 43 of p1"},
        {"instructions:\n- {mnemonic: foo, stream: tcp, unit: tcp, opcode: 0x90, exec: halt, "
         "sems: true, occupancy: 1, doc: x}\n", "over.yaml:2:75: sems: exec halt wants no"},
        {"instructions:\n- {mnemonic: foo, stream: tcp, unit: tcp, opcode: 0x90, exec: alu, "
         "value: imm, occupancy: 1, doc: x, operands: [{name: d, kind: xreg, at: 8}, {name: imm, "
         "kind: uimm, at: 64, width: 4, max: 16}]}\n",
         "over.yaml:2:190: max: \"16\": an integer from 0 to 15"},
        {"instructions:\n- {mnemonic: foo, stream: tcp, unit: tcp, opcode: 0x90, exec: alu, "
         "value: imm, occupancy: 1, doc: x, operands: [{name: d, kind: xreg, at: 8}, {name: imm, "
         "kind: simm, at: 64, width: 4, default: 8}]}\n",
         "over.yaml:2:194: default: \"8\": an integer from -8 to 7"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_message(bad[i].text, bad[i].message);
}

static void test_load_expression_bounds_hold(void **state)
{
    (void)state;
    char deep[600] = "", *at = deep;
    for (int i = 0; i < 25; i++)
        at += sprintf(at, "neg(");
    at += sprintf(at, "a");
    for (int i = 0; i < 25; i++)
        at += sprintf(at, ")");
    char *text = spoil(ROW, "add(a, 1.0)", deep);
    check_message(text, "over.yaml:3:108: lanes: calls nested more than 24 deep");
    free(text);
    char wide[2000] = "";
    at = wide;
    for (int i = 0; i < 5; i++)
        at += sprintf(at, "add3(a, a, ");
    for (int i = 0; i < 6; i++)
        at += sprintf(at, "add3(a, max3(a, a, a), ");
    at += sprintf(at, "a");
    for (int i = 0; i < 11; i++)
        at += sprintf(at, ")");
    text = spoil(ROW, "add(a, 1.0)", wide);
    check_message(text, "over.yaml:3:");
    free(text);
    char *longer = spoil(ROW, "add(a", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
                                       "abcdefghijklmnopqrstuvwxyz");
    check_message(longer, "over.yaml:3:16: lanes: a word of more than 63 characters");
    free(longer);
}

static void test_load_f32_constants_are_rounded_once(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t bits;
    } of[] = {
        {"0.1", 0x3dcccccd},        {"-1.4426950408889634", 0xbfb8aa3b},
        {"16777217.0", 0x4b800000}, {"16777219.0", 0x4b800002},
        {"1e-45", 0x00000001},      {"3.4028235e38", 0x7f7fffff},
        {"-0.0", 0x80000000},       {"1.00000005960464477539062501", 0x3f800001},
        {"0x7fc00001", 0x7fc00001},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        char *text = spoil(ROW, "1.0", of[i].text);
        struct tsr_isa *isa = tsr_test_overlay(text, NULL);
        const struct tsr_op *op = tsr_isa_find(isa, TSR_STREAM_TVP, "vfoo");
        assert_int_equal(op->lanes.node[1].value, of[i].bits);
        tsr_isa_free(isa);
        free(text);
    }
}

static void test_load_cycle_expressions_evaluate(void **state)
{
    (void)state;
    struct tsr_isa *isa = tsr_test_isa();
    const struct tsr_op *mma = tsr_isa_find(isa, TSR_STREAM_TCP, "mma");
    int64_t operand[TSR_MAX_OPERANDS] = {0}, unit[TSR_UNIT_NAMES] = {0};
    operand[tsr_op_operand(mma, "k")] = 100;
    unit[TSR_NAME_R] = 16;
    unit[TSR_NAME_TILES] = 6;
    unit[TSR_NAME_ACC_LATENCY] = 4;
    assert_int_equal(tsr_expr_eval(&mma->occupancy, TSR_EXPR_CYCLES, isa, operand, unit), 7 * 6);
    unit[TSR_NAME_TILES] = 2;
    assert_int_equal(tsr_expr_eval(&mma->occupancy, TSR_EXPR_CYCLES, isa, operand, unit), 7 * 4);
    const struct tsr_op *lw = tsr_isa_find(isa, TSR_STREAM_TCP, "lw");
    assert_int_equal(tsr_expr_eval(&lw->occupancy, TSR_EXPR_CYCLES, isa, operand, NULL), 4);
    char text[200];
    tsr_expr_print(&mma->occupancy, TSR_EXPR_CYCLES, text, sizeof text);
    assert_string_equal(text, "mul(ceil_div(k, r), max(tiles, acc_latency))");
    tsr_isa_free(isa);
}

static void test_load_cycle_arithmetic_saturates(void **state)
{
    (void)state;
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_CEIL_DIV, 9, 4), 3);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_CEIL_DIV, 8, 4), 2);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_CEIL_DIV, 9, 0), 9);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_CEIL_DIV, -9, 4), 0);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_MUL, INT64_MAX, 2), INT64_MAX);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_MUL, INT64_MAX, -2), INT64_MIN);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_ADD, INT64_MAX, 1), INT64_MAX);
    assert_int_equal(tsr_cycle_apply(TSR_CYCLE_SUB, INT64_MIN, 1), INT64_MIN);
}

static void test_load_scalar_primitives_wrap(void **state)
{
    (void)state;
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_ADD, INT64_MAX, 1), INT64_MIN);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_MUL, INT64_MIN, -1), INT64_MIN);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SRA, -8, 1), -4);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SRA, -1, 63), -1);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SHR, -1, 63), 1);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SHL, 1, 64), 1);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SLT, -1, 0), 1);
    assert_int_equal(tsr_scalar_apply(TSR_SCALAR_SMIN, -1, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_built_in_is_whole),
        cmocka_unit_test(test_load_formats_agree_with_the_header),
        cmocka_unit_test(test_load_good_row_loads),
        cmocka_unit_test(test_load_spoiled_rows_name_line_and_key),
        cmocka_unit_test(test_load_bad_overlays_are_refused),
        cmocka_unit_test(test_load_expression_bounds_hold),
        cmocka_unit_test(test_load_f32_constants_are_rounded_once),
        cmocka_unit_test(test_load_cycle_expressions_evaluate),
        cmocka_unit_test(test_load_cycle_arithmetic_saturates),
        cmocka_unit_test(test_load_scalar_primitives_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
