/* SPDX-License-Identifier: Apache-2.0 */
/* Every variant of every product with packed weights that this processor has: against sums in
 * double of the operands as isa/num decodes them, and, where the table says so, against the
 * reference's bits. */
#include "tests/support/harness.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/matmul/packed.h"
#include "tessera/cpu.h"
#include "tests/support/matmul_problem.h"

static const enum tsr_dtype formats[] = {TSR_F32,  TSR_F16,      TSR_BF16,    TSR_I8,
                                         TSR_I4,   TSR_Q8_0,     TSR_Q4_0,    TSR_Q4_K,
                                         TSR_MXF4, TSR_MXF8E4M3, TSR_MXF8E5M2};
enum {
    FORMATS = sizeof formats / sizeof formats[0]
};

/* ---- running -------------------------------------------------------------------------------- */

/* Backwards, so that a task that relies on an earlier one fails. */
static void backwards(void *pool, void (*task)(void *, size_t), void *arg, size_t count)
{
    (void)pool;
    while (count-- > 0)
        task(arg, count);
}

#if defined(__aarch64__)
/* Calls tsr_matmul_run with known values in the registers that a callee must keep. */
static enum tsr_status call(const struct tsr_matmul *op, struct tsr_error *err)
{
    const double in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    double out[8] = {0};
    register const void *x0 __asm__("x0") = op;
    register void *x1 __asm__("x1") = err;
    register const double *x19 __asm__("x19") = in;
    register double *x20 __asm__("x20") = out;
    register enum tsr_status (*x21)(const struct tsr_matmul *, struct tsr_error *) __asm__("x21") =
        tsr_matmul_run;
    __asm__ volatile("ldp d8, d9, [x19]\n ldp d10, d11, [x19, #16]\n"
                     "ldp d12, d13, [x19, #32]\n ldp d14, d15, [x19, #48]\n"
                     "blr x21\n"
                     "stp d8, d9, [x20]\n stp d10, d11, [x20, #16]\n"
                     "stp d12, d13, [x20, #32]\n stp d14, d15, [x20, #48]\n"
                     : "+r"(x0), "+r"(x1)
                     : "r"(x19), "r"(x20), "r"(x21)
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                       "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17",
                       "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",
                       "v29", "v30", "v31", "memory", "cc");
    const enum tsr_status status = (enum tsr_status)(uint32_t)(uintptr_t)x0; /* before any call */
    assert_memory_equal(in, out, sizeof in);
    return status;
}
#else
#define call tsr_matmul_run
#endif

static const float sentinel = -77.25f;

/* C of the problem by a variant, m x n without gaps, to be freed; checks that nothing else is
 * written. */
static float *run(const struct tsr_problem *p, const struct tsr_variant *v, size_t threads)
{
    const struct tsr_shape s = p->s;
    const int keep = tsr_problem_buffers();
    size_t packed_bytes = 0, scratch_bytes = 0;
    struct tsr_error err = {0};
    tsr_variant_use(v);
    assert_int_equal(tsr_weights_bytes(p->format, s.n, s.k, &packed_bytes, &err), TSR_OK);
    assert_int_equal(tsr_matmul_scratch_bytes(p->format, s.m, s.k, threads, &scratch_bytes, &err),
                     TSR_OK);
    void *packed = tsr_problem_buffer(packed_bytes), *scratch = tsr_problem_buffer(scratch_bytes);
    memset(packed, 0xA5, packed_bytes);
    memset(scratch, 0xFF, scratch_bytes); /* NaNs */
    assert_int_equal(tsr_weights_pack(p->format, s.n, s.k, p->w, p->row_bytes,
                                      p->scale_bytes > 0 ? p->scales : NULL, packed, &err),
                     TSR_OK);
    const size_t ldc = s.n + s.pad, elems = s.m > 0 ? (s.m - 1) * ldc + s.n : 0;
    float *c = tsr_problem_buffer(elems * sizeof *c);
    for (size_t i = 0; i < elems; i++)
        c[i] = sentinel;
    const struct tsr_parallel parallel = {backwards, NULL, threads};
    const struct tsr_matmul op = {.format = p->format,
                                  .a_format = p->a_format,
                                  .m = s.m,
                                  .n = s.n,
                                  .k = s.k,
                                  .a = p->a,
                                  .lda = p->lda,
                                  .a_scales = p->a_scales,
                                  .weights = packed,
                                  .c = c,
                                  .ldc = ldc,
                                  .scratch = scratch,
                                  .scratch_bytes = scratch_bytes,
                                  .parallel = &parallel};
    if (call(&op, &err) != TSR_OK)
        fail_msg("%s", err.message);
    float *out = malloc((s.m * s.n + 1) * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < elems; i++)
        if (i % ldc < s.n)
            out[i / ldc * s.n + i % ldc] = c[i];
        else
            assert_true(bits_of(c[i]) == bits_of(sentinel));
    tsr_problem_free_buffers(keep);
    return out;
}

enum {
    MOST_GROUPS = 128
};

/* A weight row of 32 elements a group, as its GGUF blocks have it. */
struct groups {
    float scale[MOST_GROUPS], dmin[MOST_GROUPS / 8];
    int minimum[MOST_GROUPS]; /* of q4_k, else 0 */
    int code[MOST_GROUPS * 32];
};

static float half_at(const uint8_t *at)
{
    const uint32_t code = at[0] | (uint32_t)at[1] << 8;
    return float_of(tsr_num_decode_f32(tsr_problem_format(TSR_F16), code));
}

static void read_super_block(const uint8_t *at, size_t b, struct groups *to)
{
    const uint8_t *s = at + 4;
    to->dmin[b] = half_at(at + 2);
    for (size_t j = 0; j < 8; j++) {
        const int scale = j < 4 ? s[j] & 63 : (s[j + 4] & 15) | s[j - 4] >> 6 << 4;
        to->scale[8 * b + j] = half_at(at) * (float)scale;
        to->minimum[8 * b + j] = j < 4 ? s[j + 4] & 63 : s[j + 4] >> 4 | s[j] >> 6 << 4;
        for (size_t i = 0; i < 32; i++)
            to->code[(8 * b + j) * 32 + i] = at[16 + j / 2 * 32 + i] >> j % 2 * 4 & 15;
    }
}

static void read_groups(const struct tsr_problem *p, size_t row, struct groups *to)
{
    const uint8_t *at = p->w + row * p->row_bytes;
    memset(to, 0, sizeof *to);
    for (size_t b = 0; p->format == TSR_Q4_K && b < p->s.k / 256; b++)
        read_super_block(at + 144 * b, b, to);
    for (size_t g = 0; p->format == TSR_Q8_0 && g < p->s.k / 32; g++, at += 34) {
        to->scale[g] = half_at(at);
        for (size_t i = 0; i < 32; i++)
            to->code[g * 32 + i] = (int8_t)at[2 + i];
    }
    for (size_t g = 0; p->format == TSR_Q4_0 && g < p->s.k / 32; g++, at += 18) {
        to->scale[g] = half_at(at);
        for (size_t i = 0; i < 32; i++)
            to->code[g * 32 + i] = (at[2 + i % 16] >> i / 16 * 4 & 15) - 8;
    }
}

/* The element's bits, as the contract has them. */
static float groups_element(const struct tsr_problem *p, size_t i, size_t j)
{
    static struct groups w;
    const double *a = p->av + i * p->s.k;
    const size_t groups = p->s.k / 32, supers = p->format == TSR_Q4_K ? groups / 8 : 0;
    const size_t run = p->format == TSR_Q8_0 ? 8 : 64;
    int64_t part[MOST_GROUPS] = {0}, sum = 0;
    float f = 0;
    assert_true(groups <= MOST_GROUPS);
    read_groups(p, j, &w);
    for (size_t b = 0; b < supers; b++) {
        sum = b % 8 == 0 ? 0 : sum;
        for (size_t x = 256 * b; x < 256 * (b + 1); x++)
            sum += (int64_t)a[x] * w.minimum[x / 32];
        const bool last = b % 8 == 7 || b + 1 == supers;
        f = fmaf(-(float)sum, last ? w.dmin[b] : w.dmin[b] - w.dmin[b + 1], f);
    }
    for (size_t x = 0; x < p->s.k; x++)
        part[x / 32] += (int64_t)a[x] * w.code[x];
    for (size_t g = 0; g < groups; g++) {
        sum = g % run == 0 ? part[g] : sum + part[g];
        const bool last = g % run == run - 1 || g + 1 == groups;
        f = fmaf((float)sum, last ? w.scale[g] : w.scale[g] - w.scale[g + 1], f);
    }
    return f * (float)p->row[i];
}

/* Whether `got` is the element's value: its bits of integer weights, else within the contract's
 * bound. */
static bool element_holds(const struct tsr_problem *p, size_t i, size_t j, float got, double *want)
{
    const double u = 0x1p-24, k = (double)p->s.k;
    const double *a = p->av + i * p->s.k, *w = p->wv + j * p->s.k;
    const struct tsr_weights_layout *l = tsr_weights_layout(p->format);
    double sum = 0, magnitude = 0, tiny = k * 0x1p-125;
    *want = 0;
    if (p->s.k == 0)
        return bits_of(got) == 0;
    for (size_t x = 0; x < p->s.k; x++) {
        sum += a[x] * w[x];
        magnitude += fabs(a[x] * w[x]);
    }
    if (l->column_scale) { /* exact */
        *want = (float)sum * (float)p->row[i] * (float)p->column[j];
        return isnan(*want) ? isnan(got) : bits_of(got) == bits_of((float)*want);
    }
    if (l->run > 0) {
        *want = groups_element(p, i, j);
        return isnan(*want) ? isnan(got) : bits_of(got) == bits_of((float)*want);
    }
    *want = sum * p->row[i];
    const double bound = (k + 3) * u * magnitude * 1.01 + tiny;
    if (!isfinite(*want) || !isfinite(magnitude))
        return isnan(*want) ? !isfinite(got) : got == (float)*want;
    return fabs((double)got - *want) <= bound;
}

static void same_bits(const struct tsr_problem *p, const struct tsr_variant *v, const char *as,
                      const float *got, const float *want)
{
    for (size_t i = 0; i < p->s.m * p->s.n; i++)
        if (bits_of(got[i]) != bits_of(want[i]) && !(isnan(got[i]) && isnan(want[i])))
            fail_msg("%s %s a %s %zux%zux%zu: c[%zu][%zu] = %a, %s %a", tsr_op_name(v->op), v->name,
                     tsr_problem_format(p->a_format)->name, p->s.m, p->s.n, p->s.k, i / p->s.n,
                     i % p->s.n, (double)got[i], as, (double)want[i]);
}

/* tasks > 1: as many must give the bits that one gives. */
static void check(struct tsr_problem *p, uint64_t *seed, bool specials, size_t tasks)
{
    const size_t whole = tsr_weights_layout(p->format)->whole;
    p->s.k = (p->s.k + whole - 1) / whole * whole;
    tsr_problem_make(p, seed, specials);
    float *reference = NULL;
    for (size_t r = 0; r < tsr_variant_count; r++) {
        const struct tsr_variant *v = &tsr_variants[r];
        if (v->op != tsr_weights_layout(p->format)->op || (v->features & ~tsr_cpu_features()) != 0)
            continue;
        float *got = run(p, v, 1), *threaded = tasks > 1 ? run(p, v, tasks) : NULL;
        for (size_t i = 0; i < p->s.m * p->s.n; i++) {
            double want = 0;
            if (!element_holds(p, i / p->s.n, i % p->s.n, got[i], &want))
                fail_msg("%s %s a %s %zux%zux%zu pad %zu: c[%zu][%zu] = %a, want %a",
                         tsr_op_name(v->op), v->name, tsr_problem_format(p->a_format)->name, p->s.m,
                         p->s.n, p->s.k, p->s.pad, i / p->s.n, i % p->s.n, (double)got[i], want);
        }
        if (reference != NULL && v->tolerance == 0)
            same_bits(p, v, "the reference's", got, reference);
        if (threaded != NULL)
            same_bits(p, v, "by several tasks", got, threaded);
        free(threaded);
        if (reference == NULL)
            reference = got; /* the first row is */
        else
            free(got);
    }
    free(reference);
    tsr_problem_free(p);
}

/* f32, or the operand's own format. */
static enum tsr_dtype native(enum tsr_dtype format)
{
    return tsr_problem_integer(format) ? TSR_I8 : tsr_problem_plain(format) ? format : TSR_BF16;
}

static void each_format(const struct tsr_shape *s, uint64_t *seed, bool specials, int which,
                        size_t tasks)
{
    for (int f = 0; f < FORMATS; f++)
        for (int a = 0; a < 2; a++) {
            if ((which + f) % 2 != a && !tsr_test_nightly())
                continue;
            struct tsr_problem p = {
                .format = formats[f], .a_format = a == 0 ? TSR_F32 : native(formats[f]), .s = *s};
            check(&p, seed, specials, tasks);
        }
}

static void test_matmul_packed_edge_shapes_hold(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_packed edge shapes", 1);
    /* Around the blocks' rows (4, 8, 12, 24), panels, cells of k, few rows, none. */
    static const struct tsr_shape shapes[] = {
        {0, 5, 8, 0},  {3, 0, 8, 0},  {3, 5, 0, 1},   {1, 1, 1, 0},   {2, 13, 7, 0},
        {7, 3, 33, 1}, {8, 25, 8, 0}, {9, 12, 31, 3}, {13, 2, 64, 0}, {25, 7, 9, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        each_format(&shapes[i], &seed, false, (int)i, 1);
}

static void test_matmul_packed_whole_panels_hold(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_packed whole panels", 2);
    /* More columns than the widest panel (192); more rows than are packed at once (528). */
    static const struct tsr_shape tall = {533, 2, 16, 0};
    static const struct tsr_shape wide[] = {
        {5, 200, 32, 0}, {1, 200, 16, 0}, {2, 197, 16, 1}, {4, 200, 8, 0}, {7, 200, 8, 0}};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        each_format(&wide[i], &seed, false, (int)i, i == 0 ? 3 : 1);
    each_format(&tall, &seed, false, 1, 300); /* more than are made */
}

static void test_matmul_packed_random_shapes_hold(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_packed random shapes", 3);
    const int rounds = tsr_test_nightly() ? 300 : tsr_test_emulated() ? 3 : 8;
    for (int i = 0; i < rounds; i++) {
        const struct tsr_shape s = {
            tsr_test_random_below(&seed, 30), tsr_test_random_below(&seed, 60),
            tsr_test_random_below(&seed, 200), tsr_test_random_below(&seed, 4)};
        each_format(&s, &seed, i % 2 == 1, i / 2, 1);
    }
}

/* Runs of groups end (8 and 64 groups), integer sums leave int32. */
static void test_matmul_packed_long_k_holds(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_packed long k", 4);
    static const struct tsr_shape grouped = {3, 3, 64 * 32 + 512, 0}, deep = {2, 3, 140000, 0};
    static const enum tsr_dtype groups[] = {TSR_Q8_0, TSR_Q4_0, TSR_Q4_K},
                                ints[] = {TSR_I8, TSR_I4};
    for (int round = 0; round < 3; round++)
        for (int f = 0; f < 3; f++) {
            struct tsr_problem p = {
                .format = groups[f], .a_format = TSR_I8, .s = grouped, .extreme = round == 0};
            check(&p, &seed, false, 1);
        }
    for (int round = 0; round < 2; round++)
        for (int f = 0; f < 2; f++) {
            struct tsr_problem p = {
                .format = ints[f], .a_format = TSR_I8, .s = deep, .extreme = round == 0};
            check(&p, &seed, false, 1);
        }
}

/* Few rows have kernels of their own, and the last panel is another: the same bits. */
static void test_matmul_packed_bits_are_those_of_any_m_and_n(void **state)
{
    (void)state;
    uint64_t seed = tsr_test_seed("matmul_packed any m and n", 5);
    static const struct tsr_shape whole = {9, 27, 256, 1};
    static const size_t rows[] = {1, 2, 4, 6, 8};
    for (int f = 0; f < FORMATS; f++)
        for (size_t r = 0; r < tsr_variant_count; r++) {
            const struct tsr_variant *v = &tsr_variants[r];
            if (v->op != tsr_weights_layout(formats[f])->op ||
                (v->features & ~tsr_cpu_features()) != 0)
                continue;
            struct tsr_problem p = {
                .format = formats[f], .a_format = native(formats[f]), .s = whole};
            tsr_problem_make(&p, &seed, false);
            float *all = run(&p, v, 1);
            for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                p.s.m = rows[i];
                p.s.n = whole.n - i;
                float *got = run(&p, v, 1), want[8 * 27];
                for (size_t j = 0; j < p.s.m * p.s.n; j++)
                    want[j] = all[j / p.s.n * whole.n + j % p.s.n];
                same_bits(&p, v, "of 9 rows", got, want);
                free(got);
            }
            free(all);
            tsr_problem_free(&p);
        }
}

static void test_matmul_packed_refuses_misuse(void **state)
{
    (void)state;
    struct tsr_error err = {0};
    size_t bytes = 7;
    assert_int_equal(tsr_weights_bytes(TSR_MX9, 4, 32, &bytes, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "q4_k"));
    memset(&err, 0, sizeof err);
    assert_int_equal(tsr_weights_bytes(TSR_Q4_K, 4, 32, &bytes, &err), TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "256"));
    assert_int_equal(tsr_weights_bytes(TSR_BF16, SIZE_MAX / 4, 32, &bytes, NULL), TSR_BAD_INPUT);
    assert_int_equal(tsr_matmul_scratch_bytes(TSR_MX9, 1, 1, 1, &bytes, NULL), TSR_USAGE);
    assert_int_equal(bytes, 7);

    static _Alignas(64) uint8_t packed[4096], scratch[16384];
    const float w[2] = {1, 2}, a[2] = {3, 4};
    float c = sentinel;
    assert_int_equal(tsr_weights_pack(TSR_F32, 1, 2, w, 8, NULL, packed, NULL), TSR_OK);
    struct tsr_matmul op = {.format = TSR_F32,
                            .a_format = TSR_F32,
                            .m = 1,
                            .n = 1,
                            .k = 2,
                            .a = a,
                            .lda = 2,
                            .weights = packed,
                            .c = &c,
                            .ldc = 1,
                            .scratch = scratch,
                            .scratch_bytes = sizeof scratch};
    assert_int_equal(tsr_matmul_run(&op, NULL), TSR_OK);
    assert_true(c == 11);
    c = sentinel;
    struct tsr_matmul bad = op;
    bad.k = 1;
    assert_int_equal(tsr_matmul_run(&bad, NULL), TSR_BAD_INPUT);
    bad = op;
    bad.format = TSR_BF16;
    assert_int_equal(tsr_matmul_run(&bad, NULL), TSR_BAD_INPUT);
    bad.format = TSR_MX9;
    assert_int_equal(tsr_matmul_run(&bad, NULL), TSR_USAGE);
    bad = op;
    bad.a_format = TSR_BF16;
    assert_int_equal(tsr_matmul_run(&bad, NULL), TSR_USAGE);
    bad = op;
    bad.scratch_bytes = 63;
    memset(&err, 0, sizeof err);
    assert_int_equal(tsr_matmul_run(&bad, &err), TSR_USAGE);
    assert_non_null(strstr(err.message, "63 bytes of scratch"));
    packed[4]++; /* the columns of a panel */
    assert_int_equal(tsr_matmul_run(&op, NULL), TSR_USAGE);
    assert_true(c == sentinel);
}

static int teardown(void **state)
{
    (void)state;
    tsr_variants_reset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matmul_packed_edge_shapes_hold),
        cmocka_unit_test(test_matmul_packed_whole_panels_hold),
        cmocka_unit_test(test_matmul_packed_random_shapes_hold),
        cmocka_unit_test(test_matmul_packed_long_k_holds),
        cmocka_unit_test(test_matmul_packed_bits_are_those_of_any_m_and_n),
        cmocka_unit_test(test_matmul_packed_refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
