/* SPDX-License-Identifier: Apache-2.0 */
/* The binary container: versions, damage, truncation. labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/container.h"
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

struct blob {
    uint8_t *b;
    size_t n;
};

static struct blob container(const struct tsr_isa *of, const char *text)
{
    struct tsr_program p;
    struct tsr_error err = {0};
    struct blob out = {0};
    if (tsr_assemble(of, "p.s", text, strlen(text), &p, &err) != TSR_OK ||
        tsr_program_write(of, &p, &out.b, &out.n, &err) != TSR_OK)
        fail_msg("%s", err.message);
    tsr_program_free(&p);
    return out;
}

/* Reads with an instruction set; `want` null: must be accepted, else the start of the message. */
static void check_read(const struct tsr_isa *with, struct blob c, const char *want)
{
    struct tsr_program p = {.tiles = 77};
    struct tsr_error err = {0};
    enum tsr_status st = tsr_program_read(with, "p.bin", c.b, c.n, &p, &err);
    if (want == NULL) {
        if (st != TSR_OK)
            fail_msg("%s", err.message);
        assert_int_equal(p.isa_digest, with->digest);
        tsr_program_free(&p);
        return;
    }
    assert_int_equal(st, TSR_BAD_INPUT);
    if (strncmp(err.message, want, strlen(want)) != 0)
        fail_msg("\"%s\"\nwanted \"%s...\"", err.message, want);
    assert_int_equal(p.tiles, 77);
}

static const char text[] = ".sem 1 ttu\n.tiles 2\n.arg all x1 5\n.control 1 0 7\n"
                           ".tensor A in bf16 hbm:0 4x4\n"
                           "vcall r wait(s1)\nli x1, 3\nhalt\n"
                           ".routine r\nvadd v1, v2, v3\nvst v1, a0, f16\nvret\n.end\n";

static void test_program_reads_what_was_written(void **state)
{
    (void)state;
    struct blob c = container(isa, text);
    struct tsr_program p, q;
    struct tsr_error err = {0};
    assert_int_equal(tsr_assemble(isa, "p.s", text, strlen(text), &p, &err), TSR_OK);
    assert_int_equal(tsr_program_read(isa, "p.bin", c.b, c.n, &q, &err), TSR_OK);
    tsr_test_same_program(&p, &q);
    assert_memory_equal(p.tcp_line, q.tcp_line, p.n_tcp * sizeof *p.tcp_line);
    assert_memory_equal(p.tvp_line, q.tvp_line, p.n_tvp * sizeof *p.tvp_line);
    tsr_program_free(&p);
    tsr_program_free(&q);
    free(c.b);
}

#define LANES(name, code, expression, latency) \
    "- {mnemonic: " name ", stream: tvp, unit: tvp, opcode: " code ", exec: lanes, lanes: \"" \
    expression "\", occupancy: 1, latency: " latency ", operands: [{name: d, kind: vreg, at: 8}, " \
    "{name: a, kind: vreg, at: 13}, {name: b, kind: vreg, at: 18}], doc: x}\n"

static void test_program_version_rule(void **state)
{
    (void)state;
    static const struct {
        const char *overlay, *message;
    } of[] = {
        /* Additions and times: the program means the same. */
        {"instructions:\n" LANES("vnew", "0x80", "mul(a, b)", "3"), NULL},
        {"parameters: {lat_add: 9}\n", NULL},
        {"instructions:\n" LANES("vadd", "0x21", "add(a, b)", "9"), NULL},
        {"version: {major: 1, minor: 3}\n", NULL},
        {"instructions:\n" LANES("vmul", "0x23", "mul(b, a)", "9"), NULL}, /* not used */
        /* Anything else is refused. */
        {"instructions:\n" LANES("vadd", "0x21", "add(b, a)", "9"),
         "p.bin: made with another instruction set: instruction vadd (0x21) differs"},
        {"instructions:\n" LANES("vadd", "0x81", "add(a, b)", "9"),
         "p.bin: made with another instruction set: it uses instruction 0x21, which is missing"},
        {"formats:\n- {name: bf16, code: 2, family: float, specials: ieee, bits: 16, ebits: 8, "
         "mbits: 7, bias: 126, block: 1, scale_bits: 0, width_class: 16, doc: x}\n",
         "p.bin: made with another instruction set: format bf16 (0x02) differs"},
    };
    struct blob c = container(isa, text);
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        struct tsr_isa *other = tsr_test_overlay(of[i].overlay, NULL);
        assert_true(other->digest != isa->digest);
        check_read(other, c, of[i].message);
        tsr_isa_free(other);
    }
    free(c.b);
    /* A newer minor version is refused by an older instruction set, even without its additions. */
    struct tsr_isa *newer = tsr_test_overlay("version: {major: 1, minor: 3}\n", NULL);
    c = container(newer, text);
    check_read(isa, c, "p.bin: made for version 1.3 of the instruction set, this is 1.0, allowed");
    check_read(newer, c, NULL);
    free(c.b);
    char older[sizeof text + 20];
    snprintf(older, sizeof older, ".isa 1.0\n%s", text);
    c = container(newer, older);
    check_read(isa, c, NULL);
    free(c.b);
    tsr_isa_free(newer);
}

static void test_program_every_truncation_is_refused(void **state)
{
    (void)state;
    struct blob c = container(isa, text);
    for (size_t n = 0; n < c.n; n++) {
        uint8_t *guarded = tsr_test_guarded(n > 0 ? n : 1);
        memcpy(guarded, c.b, n);
        check_read(isa, (struct blob){guarded, n}, "p.bin: ");
    }
    uint8_t *longer = malloc(c.n + 1);
    assert_non_null(longer);
    memcpy(longer, c.b, c.n);
    longer[c.n] = 0;
    check_read(isa, (struct blob){longer, c.n + 1}, "p.bin: 1 bytes after the end");
    free(longer);
    free(c.b);
}

static void test_program_every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct blob c = container(isa, text);
    for (size_t i = 0; i < 8 * c.n; i++) {
        c.b[i / 8] ^= (uint8_t)(1u << i % 8);
        struct tsr_program p;
        enum tsr_status st = tsr_program_read(isa, "p.bin", c.b, c.n, &p, NULL);
        /* Another digest in the head only asks for the comparison of rows, which are the same. */
        bool digest = i / 8 >= 16 && i / 8 < TSR_PROGRAM_HEAD;
        assert_int_equal(st, digest ? TSR_OK : TSR_BAD_INPUT);
        if (st == TSR_OK)
            tsr_program_free(&p);
        c.b[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    check_read(isa, c, NULL);
    free(c.b);
}

/* Writes the checksum of the section at `at` anew. */
static void mend(struct blob c, size_t at)
{
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes |= (uint64_t)c.b[at + 8 + (size_t)i] << 8 * i;
    if (bytes > c.n - at - TSR_SECTION_HEAD - 8)
        return;
    size_t end = at + TSR_SECTION_HEAD + (size_t)bytes;
    uint64_t sum = tsr_digest_bytes(TSR_DIGEST_SEED, c.b + at, end - at);
    for (int i = 0; i < 8; i++)
        c.b[end + (size_t)i] = (uint8_t)(sum >> 8 * i);
}

/* Damage behind a right checksum: whatever is accepted must be a program that can be shown. */
static void test_program_forged_sections_do_no_harm(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("forged", 8);
    struct blob c = container(isa, text);
    unsigned accepted = 0, rounds = 40000;
    size_t start[TSR_SECTIONS], at = TSR_PROGRAM_HEAD;
    for (int s = 0; s < TSR_SECTIONS; s++) {
        start[s] = at;
        at += TSR_SECTION_HEAD + c.b[at + 8] + 256u * c.b[at + 9] + 8;
    }
    assert_int_equal(at, c.n);
    for (unsigned round = 0; round < rounds; round++) {
        struct blob d = {malloc(c.n), c.n};
        assert_non_null(d.b);
        memcpy(d.b, c.b, c.n);
        size_t s = start[tsr_test_random_below(&seed, TSR_SECTIONS)];
        size_t bytes = d.b[s + 8] + 256u * d.b[s + 9];
        for (uint64_t k = 1 + tsr_test_random_below(&seed, 3); k > 0; k--) {
            uint64_t r = tsr_test_random(&seed);
            size_t where = r % 5 == 0 ? s + r / 5 % TSR_SECTION_HEAD
                                      : s + TSR_SECTION_HEAD + (bytes > 0 ? r / 5 % bytes : 0);
            d.b[where] = r >> 40 & 1 ? (uint8_t)(r >> 48) : (uint8_t)(d.b[where] ^ 1u << (r >> 61));
        }
        mend(d, s);
        struct tsr_program p;
        if (tsr_program_read(isa, "p.bin", d.b, d.n, &p, NULL) == TSR_OK) {
            char *shown;
            struct tsr_error err = {0};
            accepted++;
            if (tsr_disassemble(isa, &p, &shown, &err) != TSR_OK)
                fail_msg("%s", err.message);
            free(shown);
            tsr_program_free(&p);
        }
        free(d.b);
    }
    printf("%u of %u forgeries accepted\n", accepted, rounds);
    assert_in_range(accepted, rounds / 100, rounds * 9 / 10);
    free(c.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program_reads_what_was_written),
        cmocka_unit_test(test_program_version_rule),
        cmocka_unit_test(test_program_every_truncation_is_refused),
        cmocka_unit_test(test_program_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_program_forged_sections_do_no_harm),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
