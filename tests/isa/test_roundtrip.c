/* SPDX-License-Identifier: Apache-2.0 */
/* text -> bits -> text -> bits is the identity, and what has no meaning has no encoding.
 * labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/code.h"
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

/* Assembles one instruction; numbers stand for labels. */
static struct tsr_word assemble(const struct tsr_op *op, const char *text)
{
    char source[1024];
    bool tvp = op->stream == TSR_STREAM_TVP;
    int n = snprintf(source, sizeof source, "%s%s%s\n", tvp ? ".routine r\n" : "", text,
                     tvp ? "\n.end" : "");
    struct tsr_program p;
    struct tsr_error err = {0};
    if (tsr_assemble(isa, "one.s", source, (size_t)n, &p, &err) != TSR_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(p.n_tcp + p.n_tvp, 1);
    struct tsr_word w = tvp ? (struct tsr_word){{p.tvp[0], 0}} : p.tcp[0];
    tsr_program_free(&p);
    return w;
}

static void check_identity(const struct tsr_insn *in)
{
    struct tsr_word w, again;
    struct tsr_insn back;
    struct tsr_error err = {0};
    char text[600], text_again[600];
    if (tsr_encode(in, &w, &err) != TSR_OK || tsr_decode(isa, in->op->stream, w, &back, &err))
        fail_msg("%s", err.message);
    assert_ptr_equal(back.op, in->op);
    assert_memory_equal(back.v, in->v, sizeof back.v);
    assert_true(tsr_disassemble_insn(isa, &back, text, sizeof text) < sizeof text);
    again = assemble(in->op, text);
    if (memcmp(&w, &again, sizeof w) != 0)
        fail_msg("%s: %016llx %016llx became %016llx %016llx", text, (unsigned long long)w.w[1],
                 (unsigned long long)w.w[0], (unsigned long long)again.w[1],
                 (unsigned long long)again.w[0]);
    assert_int_equal(tsr_decode(isa, in->op->stream, again, &back, &err), TSR_OK);
    tsr_disassemble_insn(isa, &back, text_again, sizeof text_again);
    assert_string_equal(text, text_again);
}

static void test_roundtrip_every_extreme_is_identity(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("extremes", 1);
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        struct tsr_insn in = tsr_test_insn(op, &seed, 0, 0);
        check_identity(&in);
        for (int k = 0; k < op->n_operands; k++) {
            int64_t v[TSR_TEST_EXTREMES];
            unsigned n = tsr_test_extremes(&op->operand[k], v);
            for (unsigned e = 0; e < n; e++) {
                in = tsr_test_insn(op, &seed, 0, 0);
                in.v[k] = v[e];
                check_identity(&in);
            }
        }
    }
}

static void test_roundtrip_defaults_and_all_minima_are_identity(void **unused)
{
    (void)unused;
    for (int i = 0; i < isa->n_ops; i++) {
        struct tsr_insn in = {.op = &isa->ops[i]}, most = in;
        for (int k = 0; k < in.op->n_operands; k++) {
            int64_t v[TSR_TEST_EXTREMES];
            unsigned n = tsr_test_extremes(&in.op->operand[k], v);
            in.v[k] = in.op->operand[k].has_default ? in.op->operand[k].dflt : v[0];
            most.v[k] = v[n > 1 ? 1 : 0];
        }
        check_identity(&in);
        check_identity(&most);
    }
}

static void test_roundtrip_random_is_identity(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("random", 20260101);
    for (int round = 0; round < 200; round++)
        for (int i = 0; i < isa->n_ops; i++) {
            struct tsr_insn in = tsr_test_insn(&isa->ops[i], &seed, 0, 0);
            check_identity(&in);
        }
}

static void test_roundtrip_illegal_values_have_no_encoding(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("illegal", 3);
    for (int i = 0; i < isa->n_ops; i++)
        for (int k = 0; k < isa->ops[i].n_operands; k++) {
            const struct tsr_operand *o = &isa->ops[i].operand[k];
            int64_t v[TSR_TEST_EXTREMES];
            unsigned n = tsr_test_illegal(o, v);
            for (unsigned e = 0; e < n; e++) {
                struct tsr_insn in = tsr_test_insn(&isa->ops[i], &seed, 0, 0), back;
                struct tsr_word w, kept = {{1, 2}};
                struct tsr_error err = {0};
                assert_int_equal(tsr_encode(&in, &w, NULL), TSR_OK);
                in.v[k] = v[e];
                assert_int_equal(tsr_encode(&in, &kept, &err), TSR_BAD_INPUT);
                assert_non_null(strstr(err.message, o->name));
                assert_true(kept.w[0] == 1 && kept.w[1] == 2);
                /* What the field could hold all the same is refused on the way back. */
                if (v[e] < 0 || v[e] >> o->width != 0 || o->kind == TSR_KIND_SIMM)
                    continue;
                tsr_field_set(&w, o->at, o->width, (uint64_t)v[e]);
                struct tsr_error why = {0};
                assert_int_equal(tsr_decode(isa, in.op->stream, w, &back, &why), TSR_BAD_INPUT);
                assert_non_null(strstr(why.message, o->name));
            }
        }
}

static void test_roundtrip_holes_are_illegal(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("holes", 4);
    unsigned holes = 0;
    for (int i = 0; i < isa->n_ops; i++) {
        const struct tsr_op *op = &isa->ops[i];
        struct tsr_insn in = tsr_test_insn(op, &seed, 0, 0), back;
        struct tsr_word w;
        assert_int_equal(tsr_encode(&in, &w, NULL), TSR_OK);
        for (unsigned bit = 8; bit < 128; bit++) {
            if (op->used[bit / 64] >> bit % 64 & 1)
                continue;
            struct tsr_word v = w;
            v.w[bit / 64] |= UINT64_C(1) << bit % 64;
            assert_int_equal(tsr_decode(isa, op->stream, v, &back, NULL), TSR_BAD_INPUT);
            holes++;
        }
    }
    assert_true(holes > 1000);
}

static void test_roundtrip_unknown_opcodes_are_illegal(void **unused)
{
    (void)unused;
    for (int s = 0; s < TSR_STREAMS; s++)
        for (unsigned code = 0; code < TSR_MAX_OPS; code++) {
            struct tsr_insn back;
            struct tsr_error err = {0};
            if (isa->by_opcode[s][code] != 0)
                continue;
            struct tsr_word w = {{code, 0}};
            assert_int_equal(tsr_decode(isa, (enum tsr_stream)s, w, &back, &err), TSR_BAD_INPUT);
            assert_non_null(strstr(err.message, "opcode"));
        }
    assert_int_equal(isa->by_opcode[0][0], 0);
    assert_int_equal(isa->by_opcode[1][0], 0);
}

/* Any word either has no meaning or is the encoding of what it means. */
static void test_roundtrip_random_words_decode_or_not(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("words", 5);
    unsigned legal = 0;
    for (int round = 0; round < 300000; round++) {
        const struct tsr_op *op = &isa->ops[tsr_test_random_below(&seed, isa->n_ops)];
        struct tsr_word w = {{tsr_test_random(&seed), tsr_test_random(&seed)}}, again;
        struct tsr_insn in;
        if (round % 8 != 0)
            for (int i = 0; i < 2; i++)
                w.w[i] &= op->used[i];
        if (round % 16 != 0)
            w.w[0] = (w.w[0] & ~UINT64_C(0xff)) | op->opcode;
        if (tsr_decode(isa, op->stream, w, &in, NULL) != TSR_OK)
            continue;
        legal++;
        assert_int_equal(tsr_encode(&in, &again, NULL), TSR_OK);
        assert_memory_equal(&w, &again, sizeof w);
    }
    printf("%u of 300000 random words are legal\n", legal);
    assert_true(legal > 50000);
}

static void test_roundtrip_programs_are_identity(void **unused)
{
    (void)unused;
    uint64_t seed = tsr_test_seed("programs", 6);
    for (int round = 0; round < 60; round++) {
        struct tsr_program p = tsr_test_program_random(isa, &seed, 200), q, r;
        struct tsr_error err = {0};
        char *text = NULL, *again = NULL;
        if (tsr_disassemble(isa, &p, &text, &err) != TSR_OK ||
            tsr_assemble(isa, "p.s", text, strlen(text), &q, &err) != TSR_OK)
            fail_msg("%s in\n%s", err.message, text != NULL ? text : "");
        tsr_test_same_program(&p, &q);
        assert_int_equal(tsr_disassemble(isa, &q, &again, &err), TSR_OK);
        assert_string_equal(text, again);
        uint8_t *bytes;
        size_t n;
        if (tsr_program_write(isa, &p, &bytes, &n, &err) != TSR_OK ||
            tsr_program_read(isa, "p.bin", bytes, n, &r, &err) != TSR_OK)
            fail_msg("%s", err.message);
        tsr_test_same_program(&p, &r);
        free(bytes);
        free(text);
        free(again);
        tsr_program_free(&p);
        tsr_program_free(&q);
        tsr_program_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip_every_extreme_is_identity),
        cmocka_unit_test(test_roundtrip_defaults_and_all_minima_are_identity),
        cmocka_unit_test(test_roundtrip_random_is_identity),
        cmocka_unit_test(test_roundtrip_illegal_values_have_no_encoding),
        cmocka_unit_test(test_roundtrip_holes_are_illegal),
        cmocka_unit_test(test_roundtrip_unknown_opcodes_are_illegal),
        cmocka_unit_test(test_roundtrip_random_words_decode_or_not),
        cmocka_unit_test(test_roundtrip_programs_are_identity),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
