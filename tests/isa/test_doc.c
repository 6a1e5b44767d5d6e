/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML reader: places, and refusals of what is outside the subset. labels: badinput */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/doc.h"
#include "tests/support/harness.h"

static struct tsr_doc *parse(const char *text)
{
    struct tsr_doc *doc;
    struct tsr_error err = {0};
    if (tsr_doc_parse("f.yaml", text, strlen(text), &doc, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return doc;
}

static void check_refused(const char *text, size_t bytes, const char *start)
{
    struct tsr_doc *doc = NULL;
    struct tsr_error err = {0};
    assert_int_equal(tsr_doc_parse("f.yaml", text, bytes, &doc, &err), TSR_BAD_INPUT);
    assert_null(doc);
    if (strncmp(err.message, start, strlen(start)) != 0)
        fail_msg("\"%s\", wanted \"%s...\"", err.message, start);
}

static void test_doc_nodes_know_their_places(void **state)
{
    (void)state;
    struct tsr_doc *doc = parse("# head\na: 1\nbb:\n  - x\n  - {c: \"y z\", d: [1, 2]}\n");
    const struct tsr_doc_node *bb = tsr_doc_get(doc->root, "bb");
    assert_int_equal(doc->root->kind, TSR_DOC_MAP);
    assert_int_equal(doc->root->n, 2);
    assert_int_equal(bb->kind, TSR_DOC_SEQ);
    assert_int_equal(bb->key_line, 3);
    assert_int_equal(bb->line, 4);
    assert_int_equal(bb->column, 3);
    const struct tsr_doc_node *map = bb->first->next, *c = tsr_doc_get(map, "c");
    assert_string_equal(bb->first->text, "x");
    assert_int_equal(bb->first->column, 5);
    assert_string_equal(c->text, "y z");
    assert_true(c->quoted);
    assert_int_equal(c->line, 5);
    assert_int_equal(c->column, 9);
    assert_int_equal(c->key_column, 6);
    assert_int_equal(tsr_doc_get(map, "d")->n, 2);
    assert_null(tsr_doc_get(map, "e"));
    tsr_doc_free(doc);
}

static void test_doc_typed_readings_check_type_and_range(void **state)
{
    (void)state;
    struct tsr_doc *doc = parse("n: 0x1F\nm: -3\nt: word\nb: true\nl: [1]\ne:\nbig: 99999999999\n");
    struct tsr_error err = {0};
    int64_t v;
    bool flag;
    char text[4] = "";
    assert_int_equal(tsr_doc_int(doc, doc->root, "n", 0, 31, &v, &err), TSR_OK);
    assert_int_equal(v, 31);
    assert_int_equal(tsr_doc_int(doc, doc->root, "m", -3, 0, &v, &err), TSR_OK);
    assert_int_equal(v, -3);
    assert_int_equal(tsr_doc_bool(doc, doc->root, "b", &flag, &err), TSR_OK);
    assert_true(flag);
    const struct {
        const char *key, *message;
    } bad[] = {
        {"big", "f.yaml:7:6: big: \"99999999999\": an integer from 0 to 30 is allowed"},
        {"n", "f.yaml:1:4: n: \"0x1F\": an integer from 0 to 30 is allowed"},
        {"t", "f.yaml:3:4: t: \"word\": an integer from 0 to 30 is allowed"},
        {"e", "f.yaml:6:3: e: \"\": an integer from 0 to 30 is allowed"},
        {"l", "f.yaml:5:4: l: one value is wanted"},
        {"x", "f.yaml:1:1: x: missing, one value is wanted"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsr_error why = {0};
        assert_int_equal(tsr_doc_int(doc, doc->root, bad[i].key, 0, 30, &v, &why), TSR_BAD_INPUT);
        assert_string_equal(why.message, bad[i].message);
    }
    assert_int_equal(tsr_doc_text(doc, doc->root, "t", text, sizeof text, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "f.yaml:3:4: t: 4 characters, 1 to 3 are allowed");
    assert_string_equal(text, "");
    tsr_doc_free(doc);
}

static void test_doc_integers_end_where_int64_does(void **state)
{
    (void)state;
    int64_t v = 7;
    assert_true(tsr_text_int("9223372036854775807", &v) && v == INT64_MAX);
    assert_true(tsr_text_int("-9223372036854775808", &v) && v == INT64_MIN);
    assert_true(tsr_text_int("-0x8000000000000000", &v) && v == INT64_MIN);
    assert_true(tsr_text_int("0X7f", &v) && v == 127);
    static const char *const bad[] = {"", "-", "0x", "1a", "9223372036854775808", "--1", "+1",
                                      "-9223372036854775809", "0xg", "1 ", "18446744073709551617"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tsr_text_int(bad[i], &v));
}

static void test_doc_refuses_what_is_outside_the_subset(void **state)
{
    (void)state;
    static const struct {
        const char *text, *start;
    } bad[] = {
        {"", "f.yaml:1:1: no content"},
        {"# only a comment\n", "f.yaml:1:1: no content"},
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: key given twice, first in line 1"},
        {"a: {b: 1, b: 2}\n", "f.yaml:1:11: b: key given twice"},
        {"a: &x 1\nb: *x\n", "f.yaml:1:4: anchors and tags"},
        {"a: !!int 1\n", "f.yaml:1:4: anchors and tags"},
        {"a: 1\nb: *x\n", "f.yaml:2:4: aliases"},
        {"a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document"},
        {"%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: directives"},
        {"? [a]\n: 1\n", "f.yaml:1:3: a key must be a plain word"},
        {"a: [1, 2\n", "f.yaml:2:1: "},
        {"a: \"x\\0y\"\n", "f.yaml:1:4: a text with a null"},
        {"\"x\\0y\": 1\n", "f.yaml:1:1: a key with a null"},
        {"a:\n\tb: 1\n", "f.yaml:2:1: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(bad[i].text, strlen(bad[i].text), bad[i].start);
    check_refused("a: \xff\n", 5, "f.yaml:");
    check_refused("%\xe4", 2, "f.yaml:");
    check_refused("a: \0b\n", 6, "f.yaml:");
}

/* `n` times `piece`, then `end`. */
static char *repeat(const char *piece, size_t n, const char *end)
{
    size_t len = strlen(piece);
    char *text = malloc(n * len + strlen(end) + 1);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, piece, len);
    strcpy(text + n * len, end);
    return text;
}

static void test_doc_bounds_hold(void **state)
{
    (void)state;
    char *text = repeat("[", 33, "");
    check_refused(text, strlen(text), "f.yaml:1:33: nested more than 32 deep");
    free(text);
    text = repeat("[", 32, "");
    check_refused(text, strlen(text), "f.yaml:2:1: did not find expected");
    free(text);
    text = repeat("[", 200000, "");
    check_refused(text, strlen(text), "f.yaml:1:33: nested");
    free(text);
    text = repeat("- 1\n", TSR_DOC_MAX_NODES, "");
    check_refused(text, strlen(text), "f.yaml:262144:3: more than 262144 values");
    free(text);
    text = repeat("a", (4u << 20) + 1, "");
    check_refused(text, strlen(text), "f.yaml: 4194305 bytes, at most 4 MiB");
    free(text);
    char *keys = malloc(16 * 1030);
    size_t n = 0;
    for (int i = 0; i < 1030; i++)
        n += (size_t)sprintf(keys + n, "k%d: 1\n", i);
    check_refused(keys, n, "f.yaml:1025:1: more than 1024 keys");
    free(keys);
}

static void test_doc_messages_are_one_line(void **state)
{
    (void)state;
    struct tsr_doc *doc = parse("\"a\\nb\": 1\nc: \"x\\ny\\u007f\"\n");
    static const char *const keys[] = {"c", NULL};
    struct tsr_error err = {0}, other = {0};
    int64_t v;
    assert_int_equal(tsr_doc_keys(doc, doc->root, keys, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "f.yaml:1:1: a?b: unknown key, allowed are c");
    assert_int_equal(tsr_doc_int(doc, doc->root, "c", 0, 1, &v, &other), TSR_BAD_INPUT);
    assert_null(strchr(other.message, '\n'));
    tsr_doc_free(doc);
}

static void test_doc_load_names_the_missing_file(void **state)
{
    (void)state;
    struct tsr_doc *doc;
    struct tsr_error err = {0}, other = {0};
    assert_int_equal(tsr_doc_load("no/such.yaml", &doc, &err), TSR_BAD_INPUT);
    assert_string_equal(err.message, "no/such.yaml: No such file or directory");
    assert_null(doc);
    assert_int_equal(tsr_doc_load(".", &doc, &other), TSR_BAD_INPUT);
    assert_non_null(strstr(other.message, ".: cannot be read"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doc_nodes_know_their_places),
        cmocka_unit_test(test_doc_typed_readings_check_type_and_range),
        cmocka_unit_test(test_doc_integers_end_where_int64_does),
        cmocka_unit_test(test_doc_refuses_what_is_outside_the_subset),
        cmocka_unit_test(test_doc_bounds_hold),
        cmocka_unit_test(test_doc_messages_are_one_line),
        cmocka_unit_test(test_doc_load_names_the_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
