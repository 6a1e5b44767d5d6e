/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json as models come with it: fewer tokens than the model's padded table has, and ends
 * that only config.json names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tessera/tokenizer.h"
#include "tests/support/harness.h"

enum {
    TOKENS = 160 /* of the file */
};

/* A byte-level tokenizer without merges: id i is the character 32 + i, beyond ASCII a name. */
static void write_tokenizer(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false},"
               "\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"unused-0\": 0");
    for (int id = 1; id < TOKENS; id++) {
        const int c = 32 + id;
        if (c < 127)
            fprintf(f, ", \"%s%c\": %d", c == '"' || c == '\\' ? "\\" : "", c, id);
        else
            fprintf(f, ", \"unused-%d\": %d", id, id);
    }
    fprintf(f, "}}}");
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    (void)state;
    assert_true(mkdir("folder", 0777) == 0 || access("folder", W_OK) == 0);
    write_tokenizer("folder/tokenizer.json");
    return 0;
}

static struct tsr_tokenizer *open_for(uint32_t vocab)
{
    struct tsr_tokenizer *t = NULL;
    struct tsr_error err = {0};
    if (tsr_tokenizer_open("folder", vocab, &t, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return t;
}

/* Qwen 3: 151,936 rows in the model's table, 151,669 tokens in the file. */
static void test_a_padded_table_has_tokens_of_no_text(void **state)
{
    struct tsr_error err = {0};
    uint32_t *ids = NULL;
    size_t n = 0;
    (void)state;
    struct tsr_tokenizer *t = open_for(TOKENS + 10); /* a 16th of 170 is 10 */
    assert_int_equal(tsr_tokenizer_describe(t)->vocab, TOKENS + 10);
    assert_int_equal(tsr_tokenizer_encode(t, "a~", 2, &ids, &n, &err), TSR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], 'a' - 32);
    assert_int_equal(ids[1], '~' - 32);
    free(ids);
    for (uint32_t id = TOKENS; id < TOKENS + 10; id++) {
        tsr_tokenizer_bytes(t, -1, id, &n);
        assert_int_equal(n, 0);
    }
    tsr_tokenizer_close(t);
    t = NULL;
    assert_int_equal(tsr_tokenizer_open("folder", TOKENS + 11, &t, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "160 tokens, the model's 171 are needed"));
    assert_null(t);
}

struct config {
    const char *text; /* null: no file */
    int64_t bos, eos;
    uint32_t ends[4];
    size_t n;
};

static void test_ends_are_those_of_config_json(void **state)
{
    static const struct config rows[] = {
        {NULL, -1, -1, {0}, 0},
        {"{\"bos_token_id\": 3, \"eos_token_id\": 7}", 3, 7, {3, 7}, 2},
        {"{\"bos_token_id\": 3, \"eos_token_id\": [7, 8, 159]}", 3, 7, {3, 7, 8, 159}, 4},
        {"{\"bos_token_id\": null, \"eos_token_id\": [160, 9]}", -1, 9, {9}, 1},
        {"{\"eos_token_id\": [\"x\", -1, 4194304, {}, 5]}", -1, 5, {5}, 1},
        {"{\"eos_token_id\": [1, 1, 1, 1, 1, 1, 1, 1, 2]}", -1, 1, {1}, 1},
        {"{\"eos_token_id\": ", -1, -1, {0}, 0},
        {"", -1, -1, {0}, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct config *c = &rows[i];
        unlink("folder/config.json");
        if (c->text != NULL)
            tsr_test_write("folder/config.json", c->text, strlen(c->text));
        struct tsr_tokenizer *t = open_for(0);
        assert_int_equal(tsr_tokenizer_describe(t)->bos, c->bos);
        assert_int_equal(tsr_tokenizer_describe(t)->eos, c->eos);
        for (uint32_t id = 0, k = 0; id < TOKENS; id++) {
            const bool ends = k < c->n && c->ends[k] == id;
            if (tsr_tokenizer_ends(t, id) != ends)
                fail_msg("%s: token %u", c->text != NULL ? c->text : "no file", id);
            k += ends;
        }
        tsr_tokenizer_close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_padded_table_has_tokens_of_no_text),
        cmocka_unit_test(test_ends_are_those_of_config_json),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
