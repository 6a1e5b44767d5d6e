/* SPDX-License-Identifier: Apache-2.0 */
/* A run takes less memory than its file has bytes and 500 MiB, on every target; nightly with a file
 * of 2 GiB. labels: slow nosan serial (shadow memory counts; the file takes room) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/infer/infer.h"
#include "tests/support/harness.h"

enum {
    ALLOWED_MIB = 500
};

static uint64_t peak_bytes(void)
{
    char line[256];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && sscanf(line, "VmHWM: %llu kB", &kib) != 1)
        ;
    fclose(f);
    return 1024 * (uint64_t)kib;
}

/* llama2.c's file of untied tables: small numbers that differ, no two pages the same. */
static uint64_t write_model(const char *path)
{
    const bool night = tsr_test_nightly();
    const uint32_t dim = night ? 2048 : 512, hidden = night ? 5632 : 1408, layers = night ? 8 : 4;
    const uint32_t vocab = night ? 32000 : 4096, heads = 8, context = 16;
    const uint32_t head[7] = {dim, hidden, layers, heads, heads, 0u - vocab, context};
    const uint64_t layer = 4 * (uint64_t)dim * dim + 3 * (uint64_t)dim * hidden + 2 * dim;
    const uint64_t n = layers * layer + 2 * (uint64_t)vocab * dim + dim + context * (dim / heads);
    float *x = malloc(sizeof *x << 16);
    FILE *f = fopen(path, "wb");
    uint32_t state = 1;
    assert_true(x != NULL && f != NULL);
    assert_int_equal(fwrite(head, sizeof head, 1, f), 1);
    for (uint64_t done = 0; done < n;) {
        const size_t m = n - done < 1 << 16 ? (size_t)(n - done) : 1 << 16;
        for (size_t i = 0; i < m; i++) {
            state = state * 1664525u + 1013904223u;
            x[i] = (float)(int32_t)state * 0x1p-37f;
        }
        assert_int_equal(fwrite(x, sizeof *x, m, f), m);
        done += m;
    }
    free(x);
    assert_int_equal(fclose(f), 0);
    return 28 + 4 * n;
}

/* Two tokens as a prompt and one more, in a process of its own; its peak. */
static uint64_t run(const char *path, enum infer_target target, enum tsr_dtype format)
{
    int pipes[2];
    uint64_t peak = 0;
    assert_int_equal(pipe(pipes), 0);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const uint32_t tokens[] = {1, 7, 300};
        struct tsr_error err = {0};
        struct tsr_isa *isa = NULL;
        struct tsr_chip chip;
        struct tsr_weights *file = NULL;
        struct tsr_model model;
        struct infer *s = NULL;
        bool good = tsr_isa_load(NULL, 0, &isa, &err) == TSR_OK &&
                    tsr_chip_load("maia100", &chip, &err) == TSR_OK &&
                    tsr_weights_open(path, &file, &err) == TSR_OK &&
                    tsr_weights_model(file, &model, &err) == TSR_OK;
        struct infer_options o = {.isa = isa,
                                  .chip = &chip,
                                  .weights = file,
                                  .model = &model,
                                  .target = target,
                                  .positions = 3,
                                  .threads = 1};
        if (good && format != TSR_F32) {
            o.format = o.activations = &isa->formats[format];
            o.kv = &isa->formats[TSR_BF16];
        }
        good = good && infer_create(&o, &s, &err) == TSR_OK &&
               infer_step(s, tokens, 2, false, NULL, &err) == TSR_OK &&
               infer_step(s, tokens + 2, 1, false, NULL, &err) == TSR_OK;
        if (!good)
            fprintf(stderr, "%s\n", err.message);
        peak = good ? peak_bytes() : 0;
        _exit(write(pipes[1], &peak, sizeof peak) == sizeof peak ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(read(pipes[0], &peak, sizeof peak), sizeof peak);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
    return peak;
}

static void test_a_run_takes_its_file_and_less_than_500_mib(void **state)
{
    static const struct {
        enum infer_target target;
        enum tsr_dtype format;
    } rows[] = {{INFER_REF, TSR_F32},
                {INFER_SVE, TSR_F32},
                {INFER_SVE, TSR_BF16},
                {INFER_NPU, TSR_BF16},
                {INFER_NPU, TSR_MX9}};
    const uint64_t bytes = write_model("large.bin");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint64_t peak = run("large.bin", rows[i].target, rows[i].format);
        printf("%s %d: %llu MiB for a file of %llu MiB\n", infer_target_name[rows[i].target],
               (int)rows[i].format, (unsigned long long)peak >> 20,
               (unsigned long long)bytes >> 20);
        fflush(stdout);
        if (peak == 0 || peak > bytes + ((uint64_t)ALLOWED_MIB << 20))
            fail_msg("%s: %llu bytes", infer_target_name[rows[i].target], (unsigned long long)peak);
    }
    assert_int_equal(remove("large.bin"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_run_takes_its_file_and_less_than_500_mib)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
