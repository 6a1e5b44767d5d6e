/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/harness.h"

static struct tsr_test_run run(const char *const *w)
{
    const char *a[TSR_TEST_ARGS] = {NULL};
    size_t n = 0;
    for (; w[n]; n++) {
        assert_true(n < TSR_TEST_ARGS - 1);
        a[n] = w[n];
    }
    return tsr_test_program(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10],
                            a[11], a[12], a[13], a[14], a[15], a[16], a[17], a[18], a[19], a[20],
                            a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30],
                            NULL);
}

static void complain(const char *const *w, const struct tsr_test_run *r, const char *wanted)
{
    print_error("tessera");
    for (; *w; w++)
        print_error(" %s", *w);
    print_error("\nexit code %d, stderr: %s\n", r->exit_code, r->err);
    fail_msg("wanted: %s", wanted);
}

char *tsr_test_expect(int code, const char *says, const char *const *words)
{
    char wanted[256];
    struct tsr_test_run r = run(words);
    snprintf(wanted, sizeof wanted, "exit code %d, stderr: %s", code, says ? says : "(nothing)");
    if (r.exit_code != code || (says ? !strstr(r.err, says) : *r.err != '\0'))
        complain(words, &r, wanted);
    free(r.err);
    return r.out;
}

json_t *tsr_test_json(const char *const *words)
{
    json_error_t e;
    char *out = tsr_test_expect(0, NULL, words);
    json_t *root = json_loads(out, 0, &e);
    if (!root)
        fail_msg("no JSON, line %d: %s", e.line, e.text);
    free(out);
    return root;
}

void tsr_test_same_twice(const char *const *words)
{
    static const char *const times[] = {"cpu_s", "wall_s", "max_rss_kib"};
    char *text[2];
    for (int i = 0; i < 2; i++) {
        json_t *root = tsr_test_json(words);
        for (size_t k = 0; json_is_object(root) && k < 3; k++)
            json_object_del(root, times[k]);
        text[i] = json_dumps(root, JSON_REAL_PRECISION(17));
        json_decref(root);
    }
    assert_string_equal(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

void tsr_test_write_npy(const char *path, size_t rows, size_t cols, const float *x)
{
    char head[128];
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    int n = snprintf(head, sizeof head,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu), }", rows, cols);
    memset(head + n, ' ', sizeof head - (size_t)n);
    head[117] = '\n'; /* 10 + 118 = 128 bytes */
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, f);
    fwrite(head, 1, 118, f);
    fwrite(x, 4, rows * cols, f);
    assert_int_equal(fclose(f), 0);
}

void tsr_test_read_npy(const char *path, size_t rows, size_t cols, float *x)
{
    size_t size, head;
    char shape[64], *bytes = tsr_test_read(path, &size);
    assert_true(size > 10 && memcmp(bytes, "\x93NUMPY\x01\x00", 8) == 0);
    head = 10 + (unsigned char)bytes[8] + 256u * (unsigned char)bytes[9];
    assert_int_equal(head % 64, 0);
    snprintf(shape, sizeof shape, "'shape': (%zu, %zu)", rows, cols);
    bytes[head - 1] = '\0';
    assert_non_null(strstr(bytes + 10, shape));
    assert_non_null(strstr(bytes + 10, "'<f4'"));
    assert_int_equal(size, head + 4 * rows * cols);
    memcpy(x, bytes + head, 4 * rows * cols);
    free(bytes);
}
