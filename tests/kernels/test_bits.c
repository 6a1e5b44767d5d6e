/* SPDX-License-Identifier: Apache-2.0 */
/* One line "OP DIGEST" for each operation whose bits are the same on every processor, at every
 * vector length and by every compiler: test_compilers.sh compares them between builds. Operations
 * that are only as close as their bound come as "OP-VARIANT DIGEST", the same by every compiler.
 * Values are drawn by tsr_test_random alone, so no function of the C library has a say. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/matmul/packed.h"
#include "tessera/cpu.h"
#include "tessera/quant.h"
#include "tessera/vecmath.h"
#include "tests/support/matmul_problem.h"

enum {
    N = 1030, /* no multiple of anything */
    COLUMNS = 512,
};

static float x[N], w[N], y[N];

/* FNV-1a of floats; a NaN's payload and sign do not count. */
static uint64_t digest_floats(const float *v, size_t n)
{
    uint64_t d = 0xCBF29CE484222325;
    for (size_t i = 0; i < n; i++)
        d = (d ^ (v[i] != v[i] ? 0x7FC00000 : bits_of(v[i]))) * 0x100000001B3;
    return d;
}

static uint64_t digest_bytes(const void *p, size_t n)
{
    uint64_t d = 0xCBF29CE484222325;
    for (size_t i = 0; i < n; i++)
        d = (d ^ ((const uint8_t *)p)[i]) * 0x100000001B3;
    return d;
}

static void show(const char *op, const char *more, uint64_t digest)
{
    printf("bits: %s%s %016llx\n", op, more, (unsigned long long)digest);
}

static void fill(uint64_t seed)
{
    for (size_t i = 0; i < N; i++) {
        x[i] = tsr_test_random_f32(&seed) * 12;
        w[i] = tsr_test_random_f32(&seed);
        y[i] = -1;
    }
}

static void product(enum tsr_dtype format, enum tsr_dtype a_format, const struct tsr_variant *v)
{
    uint64_t seed = 7;
    size_t packed_bytes = 0, scratch_bytes = 0;
    struct tsr_problem p = {.format = format, .a_format = a_format, .s = {29, 31, 512, 1}};
    tsr_problem_make(&p, &seed, false);
    tsr_variant_use(v);
    assert_int_equal(tsr_weights_bytes(format, p.s.n, p.s.k, &packed_bytes, NULL), TSR_OK);
    assert_int_equal(tsr_matmul_scratch_bytes(format, p.s.m, p.s.k, 1, &scratch_bytes, NULL),
                     TSR_OK);
    void *packed = tsr_problem_buffer(packed_bytes), *scratch = tsr_problem_buffer(scratch_bytes);
    float *c = tsr_problem_buffer(p.s.m * p.s.n * sizeof *c);
    assert_int_equal(
        tsr_weights_pack(format, p.s.n, p.s.k, p.w, p.row_bytes, p.scales, packed, NULL), TSR_OK);
    const struct tsr_matmul op = {.format = format,
                                  .a_format = a_format,
                                  .m = p.s.m,
                                  .n = p.s.n,
                                  .k = p.s.k,
                                  .a = p.a,
                                  .lda = p.lda,
                                  .a_scales = p.a_scales,
                                  .weights = packed,
                                  .c = c,
                                  .ldc = p.s.n,
                                  .scratch = scratch,
                                  .scratch_bytes = scratch_bytes};
    assert_int_equal(tsr_matmul_run(&op, NULL), TSR_OK);
    char more[32];
    snprintf(more, sizeof more, "%s%s%s", a_format == TSR_F32 ? "" : "-own",
             v->tolerance > 0 ? "-" : "", v->tolerance > 0 ? v->name : "");
    show(tsr_op_name(v->op), more, digest_floats(c, p.s.m * p.s.n));
    tsr_problem_free(&p);
}

static void test_bits_of_products(void **state)
{
    static const enum tsr_dtype formats[] = {TSR_F32,  TSR_F16,      TSR_BF16,    TSR_I8,
                                             TSR_I4,   TSR_Q8_0,     TSR_Q4_0,    TSR_Q4_K,
                                             TSR_MXF4, TSR_MXF8E4M3, TSR_MXF8E5M2};
    (void)state;
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t r = 0; r < tsr_variant_count; r++) {
            const struct tsr_variant *v = &tsr_variants[r];
            if (v->op != tsr_weights_layout(formats[f])->op ||
                (v->features & ~tsr_cpu_features()) != 0)
                continue;
            product(formats[f], TSR_F32, v);
            if (tsr_problem_integer(formats[f]))
                product(formats[f], TSR_I8, v);
        }
    tsr_variants_reset();
    fill(1);
    static float c[32 * 30];
    tsr_matmul_f32(32, 30, 30, x, 31, w, 30, c, 30);
    show("matmul_f32", "", digest_floats(c, 32 * 30));
}

static void test_bits_of_vector_math(void **state)
{
    static uint16_t narrow[N];
    (void)state;
    fill(2);
    for (int terms = TSR_EXP_ONE; terms <= TSR_EXP_FULL; terms++) {
        tsr_exp_f32((enum tsr_exp_terms)terms, N, x, y);
        show("exp",
             terms == TSR_EXP_ONE   ? "_one"
             : terms == TSR_EXP_TWO ? "_two"
                                    : "_full",
             digest_floats(y, N));
        tsr_softmax_f32((enum tsr_exp_terms)terms, 1, N, x, N, y, N);
        show("softmax",
             terms == TSR_EXP_ONE   ? "_one"
             : terms == TSR_EXP_TWO ? "_two"
                                    : "_full",
             digest_floats(y, N));
    }
    tsr_rmsnorm_f32(1, N, 1e-5, x, N, w, y, N);
    show("rmsnorm", "", digest_floats(y, N));
    tsr_layernorm_f32(1, N, 1e-5, x, N, w, NULL, y, N);
    show("layernorm", "", digest_floats(y, N));
    for (int act = 0; act < 4; act++) {
        const char more[] = {(char)('0' + act), 0};
        tsr_gate_f32((enum tsr_activation)act, 7, 1.702, N, x, w, y);
        show("gate_", more, digest_floats(y, N));
    }
    for (int pairs = 0; pairs < 2; pairs++) {
        const char more[] = {(char)('0' + pairs), 0};
        tsr_rope_f32((enum tsr_rope_pairs)pairs, 1, 2, 510, w, w + 255, x, N, y, N);
        show("rope_", more, digest_floats(y, 1020));
    }
    tsr_residual_f32(N, x, w, y);
    show("residual", "", digest_floats(y, N));
    tsr_convert_f32_bf16(N, x, narrow);
    show("to_bf16", "", digest_bytes(narrow, sizeof narrow));
    tsr_convert_f32_f16(N, x, narrow);
    show("to_f16", "", digest_bytes(narrow, sizeof narrow));
}

static void test_bits_of_quantization(void **state)
{
#define FORMAT(name, code) {#name, code},
    static const struct {
        const char *name;
        enum tsr_dtype code;
    } formats[] = {TSR_QUANT_FORMATS(FORMAT)};
#undef FORMAT
    static uint8_t elements[4 * N], scales[4 * N];
    (void)state;
    fill(3);
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        const struct tsr_quant q = {
            .format = formats[f].code, .rows = 1, .cols = COLUMNS, .group = 0};
        size_t element_bytes = 0, scale_bytes = 0;
        assert_int_equal(tsr_quant_row_bytes(&q, &element_bytes, &scale_bytes, NULL), TSR_OK);
        assert_int_equal(tsr_quantize_f32(&q, x, COLUMNS, elements, scales, NULL), TSR_OK);
        show("quantize_", formats[f].name,
             digest_bytes(elements, element_bytes) ^ digest_bytes(scales, scale_bytes));
        assert_int_equal(tsr_dequantize_f32(&q, elements, scales, y, COLUMNS, NULL), TSR_OK);
        show("dequantize_", formats[f].name, digest_floats(y, COLUMNS));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_of_products),
        cmocka_unit_test(test_bits_of_vector_math),
        cmocka_unit_test(test_bits_of_quantization),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
