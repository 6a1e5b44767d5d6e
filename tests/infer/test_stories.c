/* SPDX-License-Identifier: Apache-2.0 */
/* A real trained model, stories260K: the text that it writes and its loss on a sample, as other
 * programs and its makers' own have them. The data are the developers': absent, it says so.
 * labels: nosan (half a minute more for what made-up models run there, too) */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"
#include "tests/support/program.h"

/* Of the sample text under the makers' float32 model, nats per token. */
#define LOSS 1.297745

struct data {
    char weights[512], tokenizer[512], text[512], expected[512];
};

static bool find(struct data *d)
{
    static const char *const names[] = {"stories260k/stories260K.bin", "stories260k/tok512.bin",
                                        "stories260k/tinystories_valid_sample.txt",
                                        "stories260k/stories260K.greedy200.expected.txt"};
    char *const to[] = {d->weights, d->tokenizer, d->text, d->expected};
    for (int i = 0; i < 4; i++) {
        const char *path = tsr_test_data(names[i]);
        if (path == NULL)
            return false;
        snprintf(to[i], sizeof d->weights, "%s", path);
    }
    return true;
}

static double real_of(json_t *j, const char *key)
{
    json_t *v = json_object_get(j, key);
    assert_non_null(v);
    return json_number_value(v);
}

static void test_ref_writes_the_expected_text(void **state)
{
    struct data d;
    (void)state;
    if (!find(&d))
        return;
    char *want = tsr_test_read(d.expected, NULL);
    size_t n = strlen(want);
    while (n > 0 && want[n - 1] == '\n')
        want[--n] = '\0';
    char *got = TSR_EXPECT(0, NULL, "generate", "--weights", d.weights, "--tokenizer", d.tokenizer,
                           "--prompt", "", "--tokens", "200");
    assert_memory_equal(got, want, n);
    free(got);
    free(want);
}

static void test_ref_has_the_known_loss(void **state)
{
    struct data d;
    (void)state;
    if (!find(&d))
        return;
    json_t *j = TSR_JSON("eval", "--weights", d.weights, "--tokenizer", d.tokenizer, "--text",
                         d.text, "--json");
    assert_true(fabs(real_of(j, "loss") - LOSS) <= 0.0005);
    assert_true(real_of(j, "kl") == 0 && real_of(j, "top1_agreement") == 1);
    json_decref(j);
}

/* How far a format may move the loss. */
static void test_npu_keeps_the_loss(void **state)
{
    static const struct {
        const char *chip, *weights, *kv;
        double within;
    } rows[] = {{"micro", "bf16", "bf16", 0.01}, {"maia100", "bf16", "bf16", 0.01},
                {"micro", "mx9", "bf16", 0.02},  {"micro", "i8", "bf16", 0.03},
                {"micro", "bf16", "i8", 0.03},   {"maia100", "bf16", "i8", 0.03}};
    struct data d;
    (void)state;
    for (size_t i = 0; find(&d) && i < sizeof rows / sizeof *rows; i++) {
        json_t *j = TSR_JSON("eval", "--weights", d.weights, "--tokenizer", d.tokenizer, "--text",
                             d.text, "--target", "npu", "--chip", rows[i].chip, "--weights-format",
                             rows[i].weights, "--kv", rows[i].kv, "--json");
        const double off = real_of(j, "loss") - LOSS;
        if (!(fabs(off) <= rows[i].within))
            fail_msg("%s, weights %s, cache %s: loss off by %g", rows[i].chip, rows[i].weights,
                     rows[i].kv, off);
        assert_true(real_of(j, "kl") > 0 && real_of(j, "kl") < rows[i].within);
        assert_true(real_of(j, "cycles") > 0);
        json_decref(j);
    }
}

/* bf16 on the chip: the text that float32 has. */
static void test_npu_keeps_the_text(void **state)
{
    struct data d;
    (void)state;
    if (!find(&d))
        return;
    char *want = TSR_EXPECT(0, NULL, "generate", "--weights", d.weights, "--tokenizer", d.tokenizer,
                            "--prompt", "One day", "--tokens", "12");
    char *got =
        TSR_EXPECT(0, NULL, "generate", "--weights", d.weights, "--tokenizer", d.tokenizer,
                   "--prompt", "One day", "--tokens", "12", "--target", "npu", "--chip", "micro");
    assert_memory_equal(got, want, strlen(want));
    free(got);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref_writes_the_expected_text),
        cmocka_unit_test(test_ref_has_the_known_loss),
        cmocka_unit_test(test_npu_keeps_the_loss),
        cmocka_unit_test(test_npu_keeps_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
