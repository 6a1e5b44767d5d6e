/* SPDX-License-Identifier: Apache-2.0 */
/* A large file read layer by layer, with its pages let go after each, never lies in memory as a
 * whole. labels: nosan (their shadow memory counts) */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tessera/weights.h"
#include "tests/support/harness.h"

/* 8 layers of 45 MiB each: 1024 x 1024 four times, 1024 x 2560 three times. */
enum {
    DIM = 1024,
    HIDDEN = 2560,
    LAYERS = 8,
    VOCAB = 4096,
    CONTEXT = 16
};

static size_t peak_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL && sscanf(line, "VmHWM: %zu kB", &kib) != 1)
        ;
    fclose(f);
    return kib;
}

/* Zeros that take no room on the disk. */
static uint64_t write_sparse(const char *path)
{
    static const uint32_t head[7] = {DIM, HIDDEN, LAYERS, 16, 16, VOCAB, CONTEXT};
    uint64_t layer = 4 * (uint64_t)DIM * DIM + 3 * (uint64_t)DIM * HIDDEN + 2 * DIM;
    uint64_t size = 28 + 4 * (LAYERS * layer + VOCAB * DIM + DIM + CONTEXT * DIM / 16);
    uint8_t bytes[28] = {0};
    for (int i = 0; i < 28; i++)
        bytes[i] = (uint8_t)(head[i / 4] >> 8 * (i % 4));
    tsr_test_write(path, bytes, sizeof bytes);
    assert_int_equal(truncate(path, (off_t)size), 0);
    return size;
}

static float read_part(const struct tsr_weights *w, enum tsr_part part, uint32_t layer)
{
    static float row[HIDDEN];
    struct tsr_matrix m;
    struct tsr_error err = {0};
    float sum = 0;
    if (tsr_weights_find(w, part, layer, 0, &m, &err) != TSR_OK)
        fail_msg("%s", err.message);
    for (uint64_t r = 0; r < m.rows; r++) {
        tsr_matrix_rows_f32(&m, r, 1, row, m.cols);
        sum += row[r % m.cols];
    }
    return sum;
}

static void test_streaming_keeps_about_one_layer(void **state)
{
    (void)state;
    static const enum tsr_part parts[] = {TSR_PART_Q,    TSR_PART_K,  TSR_PART_V,   TSR_PART_O,
                                          TSR_PART_GATE, TSR_PART_UP, TSR_PART_DOWN};
    uint64_t size = write_sparse("large.bin");
    size_t before = peak_kib();
    struct tsr_weights *w;
    struct tsr_error err = {0};
    if (tsr_weights_open("large.bin", &w, &err) != TSR_OK)
        fail_msg("%s", err.message);
    for (uint32_t l = 0; l < LAYERS; l++) {
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
            assert_true(read_part(w, parts[p], l) == 0);
        tsr_weights_release(w);
    }
    tsr_weights_close(w);
    size_t grown = peak_kib() - before, layer = (4 * DIM * DIM + 3 * DIM * HIDDEN) / 256;
    printf("%zu KiB more for a file of %llu KiB, layers of %zu\n", grown,
           (unsigned long long)size / 1024, layer);
    /* One layer, and what the kernel reads ahead. */
    assert_in_range(grown, layer / 2, 2 * layer);
    assert_int_equal(remove("large.bin"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_streaming_keeps_about_one_layer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
