/* SPDX-License-Identifier: Apache-2.0 */
/* Chips: what ships is what it says, and every mistake in a file is named. labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/chip.h"
#include "isa/embedded.h"
#include "tests/support/harness.h"

static struct tsr_chip load(const char *name)
{
    struct tsr_chip c;
    struct tsr_error err = {0};
    if (tsr_chip_load(name, &c, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return c;
}

static void test_chip_built_ins_load_by_name(void **state)
{
    (void)state;
    const char *const *names = tsr_chip_names();
    assert_string_equal(names[0], "maia100");
    assert_string_equal(names[1], "micro");
    assert_string_equal(names[2], "micro4");
    assert_null(names[3]);
    for (; *names != NULL; names++)
        assert_string_equal(load(*names).name, *names);
    struct tsr_chip c = {.name = "kept"};
    struct tsr_error err = {0};
    assert_int_equal(tsr_chip_load("maia1000", &c, &err), TSR_USAGE);
    assert_string_equal(err.message, "maia1000: no such chip, allowed are maia100, micro, micro4, "
                                     "or a file that ends in .yaml");
    assert_string_equal(c.name, "kept");
}

static void test_chip_maia100_has_the_published_figures(void **state)
{
    (void)state;
    struct tsr_chip c = load("maia100");
    const struct tsr_ttu_config *t = &c.tile.ttu;
    assert_int_equal(tsr_chip_tiles(&c), 64);
    assert_int_equal(tsr_chip_clusters(&c), 16);
    /* 0.8, 1.5 and 3 POPS, within 6 %; 1.8 TB/s; 64 GiB. */
    const double published[] = {0.8e15, 1.5e15, 3e15};
    const uint32_t r[] = {t->r16, t->r9, t->r6};
    for (int i = 0; i < 3; i++) {
        double peak = 2.0 * t->dim * t->dim * r[i] * 64 * (double)c.clock_hz;
        assert_true(peak > 0.94 * published[i] && peak < 1.06 * published[i]);
    }
    const struct tsr_hbm_config *h = &c.hbm;
    double hz = (double)c.clock_hz * h->clock_num / h->clock_den;
    double bytes = 2 * hz * h->channel_bits / 8 * h->channels * h->stacks;
    assert_true(bytes > 1.8e12 && bytes < 1.85e12);
    assert_int_equal(h->bytes, UINT64_C(64) << 30);
    assert_int_equal(h->channel_masks, 6);
    assert_true(c.n_assumed > 10);
}

static void test_chip_micro_is_small(void **state)
{
    (void)state;
    struct tsr_chip one = load("micro"), four = load("micro4");
    assert_int_equal(tsr_chip_tiles(&one), 1);
    assert_int_equal(tsr_chip_tiles(&four), 4);
    assert_memory_equal(&one.tile, &four.tile, sizeof one.tile);
    assert_int_equal(one.tile.line_bytes, 4 * one.tile.tvp.lanes);
    assert_int_equal(one.hbm.channel_masks, 0);
}

static const char *micro_text(void)
{
    for (const struct tsr_embedded *f = tsr_embedded_files; f->path != NULL; f++)
        if (strcmp(f->path, "isa/chips/micro.yaml") == 0)
            return f->text;
    fail_msg("micro.yaml was not compiled in");
    return NULL;
}

static char *spoil(const char *from, const char *to)
{
    const char *text = micro_text(), *at = strstr(text, from);
    if (at == NULL)
        fail_msg("no \"%s\" in micro.yaml", from);
    size_t head = (size_t)(at - text);
    char *out = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(out);
    memcpy(out, text, head);
    strcpy(out + head, to);
    strcat(out, at + strlen(from));
    return out;
}

static void test_chip_mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *key, *message;
    } bad[] = {
        {"dim: 4", "dim: 5", "dim", "tile.ttu.dim: 5, a power of two is wanted"},
        {"dim: 4", "dims: 4", "dims", "dims: unknown key, allowed are dim, r16, r9, r6, acc_banks"},
        {"dim: 4, ", "", "ttu", "dim: missing, one value is wanted"},
        {"r9: 8", "r9: 3", "r9", "tile.ttu.r9: 3, at least r16 (4) is wanted"},
        {"r6: 16", "r6: 7", "r6", "tile.ttu.r6: 7, at least r9 (8) is wanted"},
        {"lanes: 8", "lanes: 32", "lanes", "tile.tvp.lanes: 32, a power of two that divides 4 *"},
        {"line_bytes: 32", "line_bytes: 64", "line_bytes", "tile.line_bytes: 64, 4 * tvp.lanes ="},
        {"tsram_bytes: 65536", "tsram_bytes: 65600", "tsram_bytes",
         "tile.tsram_bytes: 65600, a multiple of 16 lines (512) is wanted"},
        {"vregs: 32", "vregs: 16", "vregs", "vregs: \"16\": only 32 is allowed"},
        {"window_bytes: 4096", "window_bytes: 128", "window_bytes",
         "tile.tdma.window_bytes: 128, at least max_request_bytes (256) is wanted"},
        {"max_request_bytes: 256", "max_request_bytes: 200", "max_request_bytes",
         "tile.tdma.max_request_bytes: 200, a power of two"},
        {"queue_depth: 8", "queue_depth: 17", "queue_depth", "queue_depth: \"17\": an integer"},
        {"semaphores: 64", "semaphores: many", "semaphores", "semaphores: \"many\": an integer"},
        {"tiles_per_cluster: 1", "tiles_per_cluster: 257", "tiles_per_cluster",
         "tiles_per_cluster: \"257\": an integer from 1 to 256"},
        {"\n  y: 1\n", "\n  y: 257\n", "\n  y", "y: \"257\": an integer from 1 to 256"},
        {"stack_x: [0]", "stack_x: [1]", "stack_x", "hbm.stack_x: 1, the mesh has 1 columns"},
        {"stack_x: [0]", "stack_x: [0, 0]", "stack_x", "stack_x: 2 values, 1 are wanted"},
        {"stack_x: [0]", "stack_x: [a]", "stack_x", "stack_x: an integer from 0 to 255"},
        {"stack_x: [0]", "stack_x: 0", "stack_x", "stack_x: a list is wanted"},
        {"channel_mask: []", "channel_mask: [1]", "channel_mask", "hbm.channel_mask: 1 masks for "
                                                                  "1 x 1 pseudo-channels"},
        {"0xf590]", "0x1eb22]", "bank_mask", "hbm.bank_mask: with channel_mask the masks are not "
                                              "independent"},
        {"0xf590]", "0]", "bank_mask", "hbm.bank_mask: with channel_mask the masks are not"},
        {"  - clock_hz", "  - clock", "  - clock", "assumed: \"clock\": no such key"},
        {"  - clock_hz", "  - tile", "  - tile\n  - csram\n  - hbm", "assumed: tile given twice"},
        {"name: micro", "name: mi cro", "name", "name: \"mi cro\": a name of letters"},
        {"csram:", "cxram:", "cxram", "cxram: unknown key, allowed are clock_hz,"},
        {"clock_hz: 1440000000", "clock_hz: 1.44e9", "clock_hz",
         "clock_hz: \"1.44e9\": an integer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *text = spoil(bad[i].from, bad[i].to);
        struct tsr_chip c = {.name = "kept"};
        struct tsr_error err = {0};
        tsr_test_write("bad.yaml", text, strlen(text));
        assert_int_equal(tsr_chip_load("bad.yaml", &c, &err), TSR_BAD_INPUT);
        assert_string_equal(c.name, "kept");
        unsigned line = 0, column = 0;
        int n = 0;
        if (sscanf(err.message, "bad.yaml:%u:%u: %n", &line, &column, &n) != 2 || n == 0 ||
            strncmp(err.message + n, bad[i].message, strlen(bad[i].message)) != 0)
            fail_msg("\"%s\"\nwanted \"bad.yaml:...: %s\"", err.message, bad[i].message);
        /* The line is that of the key. */
        unsigned want = 1 + (*bad[i].key == '\n');
        for (const char *c1 = text; c1 < strstr(text, bad[i].key) && want < 1000; c1++)
            want += *c1 == '\n';
        if (strcmp(bad[i].key, "ttu") != 0 && strncmp(bad[i].key, "  -", 3) != 0)
            assert_int_equal(line, want);
        free(text);
    }
}

static void test_chip_every_key_is_needed_and_checked(void **state)
{
    (void)state;
    const char *text = micro_text();
    unsigned tried = 0;
    /* Each line of a key and a plain number: left out, and with a word in its place. */
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const char *end = strchr(line, '\n'), *colon = memchr(line, ':', (size_t)(end - line));
        if (line[strspn(line, " ")] == '#' || colon == NULL || colon[1] != ' ' ||
            colon[2] < '0' || colon[2] > '9')
            continue;
        for (int word = 0; word < 2; word++) {
            char broken[8192];
            snprintf(broken, sizeof broken, "%.*s%.*s%s%s",
                     (int)(line - text), text, word ? (int)(colon - line) : 0, line,
                     word ? ": word" : "", word ? end : end + 1);
            struct tsr_chip c;
            struct tsr_error err = {0};
            tsr_test_write("bad.yaml", broken, strlen(broken));
            assert_int_equal(tsr_chip_load("bad.yaml", &c, &err), TSR_BAD_INPUT);
            const char *key = line + strspn(line, " ");
            char name[64];
            snprintf(name, sizeof name, "%.*s: %s", (int)(colon - key), key,
                     word ? "\"word\": an integer" : "missing");
            if (strstr(err.message, name) == NULL)
                fail_msg("\"%s\" lacks \"%s\"", err.message, name);
            tried++;
        }
    }
    assert_true(tried > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chip_built_ins_load_by_name),
        cmocka_unit_test(test_chip_maia100_has_the_published_figures),
        cmocka_unit_test(test_chip_micro_is_small),
        cmocka_unit_test(test_chip_mistakes_are_named),
        cmocka_unit_test(test_chip_every_key_is_needed_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
