/* SPDX-License-Identifier: Apache-2.0 */
/* Damaged and hostile text: an error with its place, or something valid; never a crash, a hang or a
 * leak (the sanitizers' run says so). labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/chip.h"
#include "isa/embedded.h"
#include "isa/load.h"
#include "tests/support/harness.h"
#include "tests/support/isa_random.h"

/* One of everything that an overlay may hold. */
static const char overlay[] =
    "isa: tessera-tile\n"
    "version: {major: 1, minor: 2}\n"
    "parameters: {lat_add: 5, mine: 0x10}\n"
    "formats:\n"
    "- {name: f24, code: 30, family: float, specials: fn, bits: 24, ebits: 8, mbits: 15,\n"
    "   bias: -127, block: 1, scale_bits: 0, width_class: 9, memory_bits: 24, doc: x}\n"
    "instructions:\n"
    "- {mnemonic: fused, stream: tvp, unit: tvp, opcode: 0xE1, exec: lanes, occupancy: 1,\n"
    "   lanes: \"mul(select(a, -1.5e-3, b), 0xff)\", latency: \"add(mine, max(1, lat_add))\",\n"
    "   operands: [{name: d, kind: vreg, at: 8}, {name: a, kind: vreg, at: 13},\n"
    "   {name: b, kind: vreg, at: 18}], doc: 'quoted'}\n"
    "- mnemonic: mma\n"
    "  stream: tcp\n"
    "  unit: acc\n"
    "  opcode: 0x4A\n"
    "  exec: fill\n"
    "  named: true\n"
    "  sems: true\n"
    "  operands:\n"
    "    - {name: src, kind: xreg, at: 44}\n"
    "    - {name: ss, kind: xreg, at: 49}\n"
    "    - {name: m, kind: xreg, at: 54}\n"
    "    - {name: n, kind: xreg, at: 59}\n"
    "    - {name: c, kind: xreg, at: 64}\n"
    "    - {name: fmt, kind: fmt, at: 74, width: 5, formats: [f32, f24], default: f24}\n"
    "    - {name: across, kind: uimm, at: 79, width: 2, min: 0, max: 2, default: 0}\n"
    "  occupancy: \"ceil_div(mul(m, n), rows)\"\n"
    "  doc: x\n";

static const char program[] =
    ".isa 1.0\n.tiles 2\n.sem 1 ttu\n.sem s2 dma0\n.equ K (1+2)*3<<2\n.arg all x1 hbm:K\n"
    ".arg 1 x2 -K\n.control 0 4 1 -2 K\n.tensor A in bf16 hbm:0x100 4x4\n"
    "a: li x1, csram:1:0x20 # c\nb:\tmma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, "
    "af=bf16, bf=bf16 wait(s1, s2*3) post(s4)\nvcall r, x1, r4=x2, post(s3)\nloop x1, e\n"
    "e: beq x1, x0, a\nhalt ; end\n.routine r\nl: vld v1, a2, f32, -4\nvloop a1, l\nvret\n.end\n";

struct base {
    struct tsr_doc *docs[2];
    struct tsr_isa *isa;
};

static int setup(void **state)
{
    static struct base b;
    struct tsr_error err = {0};
    if (tsr_doc_embedded("isa/tile.yaml", &b.docs[0], &err) != TSR_OK ||
        tsr_doc_embedded("isa/formats.yaml", &b.docs[1], &err) != TSR_OK)
        return 1;
    b.isa = tsr_test_isa();
    *state = &b;
    return 0;
}

static int teardown(void **state)
{
    struct base *b = *state;
    tsr_doc_free(b->docs[0]);
    tsr_doc_free(b->docs[1]);
    tsr_isa_free(b->isa);
    return 0;
}

/* A message starts with the file's name and is one line. */
static void check_message(const struct tsr_error *err, const char *file)
{
    if (strncmp(err->message, file, strlen(file)) != 0 || err->message[strlen(file)] != ':' ||
        strchr(err->message, '\n') != NULL)
        fail_msg("message \"%s\"", err->message);
}

/* Whether the text is accepted as an overlay. */
static bool try_overlay(const struct base *b, const char *text, size_t n)
{
    const struct tsr_doc *docs[3] = {b->docs[0], b->docs[1], NULL};
    struct tsr_doc *doc;
    struct tsr_isa *isa;
    struct tsr_error err = {0};
    enum tsr_status st = tsr_doc_parse("o.yaml", text, n, &doc, &err);
    if (st == TSR_OK) {
        docs[2] = doc;
        st = tsr_isa_load_docs(docs, 3, &isa, &err);
        tsr_doc_free(doc);
    }
    if (st == TSR_OK) {
        tsr_isa_free(isa);
        return true;
    }
    assert_int_equal(st, TSR_BAD_INPUT);
    check_message(&err, "o.yaml");
    return false;
}

static bool try_chip(const char *text, size_t n)
{
    struct tsr_doc *doc;
    struct tsr_chip chip;
    struct tsr_error err = {0};
    enum tsr_status st = tsr_doc_parse("c.yaml", text, n, &doc, &err);
    if (st == TSR_OK) {
        st = tsr_chip_from_doc(doc, &chip, &err);
        tsr_doc_free(doc);
    }
    if (st != TSR_OK)
        check_message(&err, "c.yaml");
    return st == TSR_OK;
}

/* What is accepted must come back from its own disassembly. */
static bool try_program(const struct base *b, const char *text, size_t n)
{
    struct tsr_program p, q;
    struct tsr_error err = {0};
    if (tsr_assemble(b->isa, "p.s", text, n, &p, &err) != TSR_OK) {
        assert_int_equal(err.status, TSR_BAD_INPUT);
        check_message(&err, "p.s");
        return false;
    }
    char *shown;
    if (tsr_disassemble(b->isa, &p, &shown, &err) != TSR_OK ||
        tsr_assemble(b->isa, "q.s", shown, strlen(shown), &q, &err) != TSR_OK)
        fail_msg("%s", err.message);
    tsr_test_same_program(&p, &q);
    free(shown);
    tsr_program_free(&p);
    tsr_program_free(&q);
    return true;
}

static const struct tsr_embedded *embedded(const char *path)
{
    const struct tsr_embedded *f = tsr_embedded_files;
    while (strcmp(f->path, path) != 0)
        f++;
    return f;
}

static void test_hostile_truncated_anywhere(void **state)
{
    const struct base *b = *state;
    assert_true(try_overlay(b, overlay, sizeof overlay - 1));
    assert_true(try_program(b, program, sizeof program - 1));
    unsigned taken = 0;
    for (size_t n = 0; n < sizeof overlay - 1; n++)
        taken += try_overlay(b, overlay, n);
    printf("%u truncated overlays are whole ones\n", taken);
    const struct tsr_embedded *chip = embedded("isa/chips/micro.yaml");
    assert_true(try_chip(chip->text, chip->size));
    for (size_t n = 0; n < chip->size; n++)
        if (try_chip(chip->text, n) && n + 80 < chip->size)
            fail_msg("micro.yaml cut after %zu of %lu bytes is accepted", n, chip->size);
    for (size_t n = 0; n < sizeof program - 1; n++)
        try_program(b, program, n);
}

/* A copy with a few bytes changed, left out, doubled or brought from elsewhere. */
static char *mutate(const char *text, size_t n, uint64_t *seed, size_t *out_n)
{
    static const char odd[] = "{}[],:\"'#&*!|>%-?@`\\ \n\t\r0x9aA_=().+*/<<~\x80\xff\xe4";
    char *out = malloc(2 * n + 64);
    assert_non_null(out);
    memcpy(out, text, n);
    for (uint64_t k = 1 + tsr_test_random_below(seed, 3); k > 0; k--) {
        size_t at = n > 0 ? tsr_test_random_below(seed, n) : 0;
        size_t len = 1 + tsr_test_random_below(seed, 8);
        if (len > n - at)
            len = n - at;
        size_t from = n > len ? tsr_test_random_below(seed, n - len) : 0;
        switch (tsr_test_random_below(seed, 5)) {
        case 0: /* another byte */
            if (n > 0)
                out[at] = odd[tsr_test_random_below(seed, sizeof odd)];
            break;
        case 1: /* left out */
            memmove(out + at, out + at + len, n - at - len);
            n -= len;
            break;
        case 2: /* one inserted */
            memmove(out + at + 1, out + at, n - at);
            out[at] = odd[tsr_test_random_below(seed, sizeof odd)];
            n++;
            break;
        case 3: /* overwritten from elsewhere */
            memmove(out + at, out + from, len);
            break;
        default: /* a digit */
            for (size_t i = at; i < n; i++)
                if (out[i] >= '0' && out[i] <= '9') {
                    out[i] = (char)('0' + tsr_test_random_below(seed, 10));
                    break;
                }
        }
    }
    *out_n = n;
    return out;
}

static void test_hostile_mutated(void **state)
{
    const struct base *b = *state;
    uint64_t seed = tsr_test_seed("mutations", 10);
    unsigned rounds = tsr_test_nightly() ? 200000 : 2500, taken[3] = {0};
    const struct tsr_embedded *chip = embedded("isa/chips/micro.yaml");
    for (unsigned i = 0; i < rounds; i++) {
        size_t n;
        char *text = mutate(overlay, sizeof overlay - 1, &seed, &n);
        taken[0] += try_overlay(b, text, n);
        free(text);
        text = mutate(chip->text, chip->size, &seed, &n);
        taken[1] += try_chip(text, n);
        free(text);
        for (int k = 0; k < 4; k++) {
            text = mutate(program, sizeof program - 1, &seed, &n);
            taken[2] += try_program(b, text, n);
            free(text);
        }
    }
    printf("accepted: %u overlays, %u chips of %u, %u programs of %u\n", taken[0], taken[1],
           rounds, taken[2], 4 * rounds);
    /* Both outcomes occur, or the mutations prove nothing. */
    for (int k = 0; k < 3; k++)
        assert_in_range(taken[k], rounds / 50, 4 * rounds - rounds / 10);
}

static void test_hostile_the_built_in_file_itself(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("tile.yaml", 11);
    const struct tsr_embedded *tile = embedded("isa/tile.yaml");
    const struct base *b = *state;
    unsigned taken = 0;
    for (unsigned i = 0; i < 150; i++) {
        size_t n;
        char *text = mutate(tile->text, tile->size, &seed, &n);
        struct tsr_doc *doc;
        struct tsr_isa *isa;
        struct tsr_error err = {0};
        if (tsr_doc_parse("t.yaml", text, n, &doc, &err) == TSR_OK) {
            const struct tsr_doc *docs[2] = {doc, b->docs[1]};
            if (tsr_isa_load_docs(docs, 2, &isa, &err) == TSR_OK) {
                tsr_isa_free(isa);
                taken++;
            }
            tsr_doc_free(doc);
        }
        if (err.status != TSR_OK)
            check_message(&err, "t.yaml");
        free(text);
    }
    printf("%u of 150 accepted\n", taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_truncated_anywhere),
        cmocka_unit_test(test_hostile_mutated),
        cmocka_unit_test(test_hostile_the_built_in_file_itself),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
