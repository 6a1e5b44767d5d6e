/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatch table of CPU kernels. A kernel is one file and one row of variants.def. */
#ifndef KERNELS_CPU_VARIANTS_H
#define KERNELS_CPU_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

#include "tessera/kernels.h"
#include "tessera/vecmath.h"

/* One operation: the type of its function, called by all variants. */
typedef void tsr_matmul_f32_fn(size_t m, size_t n, size_t k, const float *a, size_t lda,
                               const float *b, size_t ldb, float *c, size_t ldc);

/* One row of n elements; shapes and bits: tessera/quant.h. x and y: f32, or bf16 bits. */
typedef void tsr_quantize_row_fn(size_t n, size_t group, const void *x, void *elements,
                                 void *scales);
typedef void tsr_dequantize_row_fn(size_t n, size_t group, const void *elements, const void *scales,
                                   void *y);

/* Of one row of sums; r: 1 / the scale of the result, i8 alone. NaNs among the scales and bias are
 * 0x7FC00000. */
typedef void tsr_requantize_row_fn(size_t n, const int32_t *x, float row, const float *column,
                                   const float *bias, float r, void *y);
typedef tsr_requantize_row_fn tsr_requantize_f32_fn, tsr_requantize_bf16_fn, tsr_requantize_i8_fn;

/* i8 in two steps, for rows that come in pieces: the largest magnitude as bits, a NaN's if there
 * is one; codes under the scale of the row's largest. */
typedef uint32_t tsr_i8_max_f32_fn(size_t n, const float *x);
typedef void tsr_i8_codes_f32_fn(size_t n, const float *x, float scale, int8_t *elements);

/* The formats whose quantization has variants: do(name, code). */
#define TSR_QUANT_FORMATS(do)                                                                      \
    do                                                                                             \
    (i8, TSR_I8) do(f8e4m3, TSR_F8E4M3) do(mxf8e4m3, TSR_MXF8E4M3) do(mxf4, TSR_MXF4) do(          \
        q8_0, TSR_Q8_0) do(q4_0, TSR_Q4_0)
#define TSR_QUANT_TYPES(name, code)                                                                \
    typedef tsr_quantize_row_fn tsr_quantize_##name##_f32_fn, tsr_quantize_##name##_bf16_fn;       \
    typedef tsr_dequantize_row_fn tsr_dequantize_##name##_f32_fn, tsr_dequantize_##name##_bf16_fn;
TSR_QUANT_FORMATS(TSR_QUANT_TYPES)

/* Products with packed weights: the variant's descriptor (kernels/matmul/packed.h). */
struct tsr_matmul_kernel;
typedef const struct tsr_matmul_kernel *tsr_matmul_kernel_fn(void);
typedef tsr_matmul_kernel_fn tsr_matmul_packed_f32_fn, tsr_matmul_f16_fn, tsr_matmul_bf16_fn,
    tsr_matmul_mxf4_fn, tsr_matmul_mxf8e4m3_fn, tsr_matmul_mxf8e5m2_fn, tsr_matmul_i8_fn,
    tsr_matmul_i4_fn, tsr_matmul_q8_0_fn, tsr_matmul_q4_0_fn, tsr_matmul_q4_k_fn;

/* Fused attention: the variant's descriptor (kernels/attention/attention.h); null: the reference.
 */
struct tsr_attention_kernel;
typedef const struct tsr_attention_kernel *tsr_attention_kernel_fn(void);
typedef tsr_attention_kernel_fn tsr_attention_f32_fn, tsr_attention_bf16_fn;

/* Vector math (tessera/vecmath.h): of one row, of one token. */
typedef void tsr_exp_f32_fn(enum tsr_exp_terms terms, size_t n, const float *x, float *y);
typedef void tsr_softmax_f32_fn(enum tsr_exp_terms terms, size_t n, const float *x, float *y);
typedef void tsr_rmsnorm_f32_fn(size_t n, double eps, const float *x, const float *w, float *y);
/* RMSNorm's two passes over a row in pieces, all but the last of multiples of 32 elements: squares
 * add up in the lanes, whose fold (kernels/vecmath/norm.h) makes the factor; y = x factor w. */
typedef void tsr_rms_squares_f32_fn(size_t n, const float *x, float *lane);
typedef void tsr_rms_scale_f32_fn(size_t n, float factor, const float *x, const float *w, float *y);
typedef void tsr_layernorm_f32_fn(size_t n, double eps, const float *x, const float *w,
                                  const float *b, float *y);
typedef void tsr_gate_f32_fn(enum tsr_activation act, float limit, float alpha, size_t n,
                             const float *x, const float *up, float *y); /* up may be null */
typedef void tsr_rope_f32_fn(enum tsr_rope_pairs pairs, size_t heads, size_t head_dim,
                             const float *cosine, const float *sine, const float *x, float *y);
typedef void tsr_residual_f32_fn(size_t n, const float *a, const float *b, float *y);
typedef void tsr_convert_fn(size_t n, const void *x, void *y);
typedef tsr_convert_fn tsr_convert_f32_bf16_fn, tsr_convert_bf16_f32_fn, tsr_convert_f32_f16_fn,
    tsr_convert_f16_f32_fn;

enum tsr_cpu_op {
#define TSR_OP(op) TSR_OP_##op,
#define TSR_VARIANT(op, variant, features, tolerance)
#include "kernels/cpu/variants.def"
    TSR_OPS
};

struct tsr_variant {
    enum tsr_cpu_op op;
    const char *name;
    uint32_t features; /* all of them must be in use */
    double tolerance;  /* in units of the operation's own error bound; 0: the reference's bits */
    void (*function)(void); /* to be cast to the operation's type */
};

/* Rows in the file's order: within an operation from the reference to the best. Rows of another
 * architecture are not there. */
extern const struct tsr_variant tsr_variants[];
extern const size_t tsr_variant_count;

const char *tsr_op_name(enum tsr_cpu_op op);

/* The variant of `op` that runs: the last row whose features are all in use. Never null. Cached;
 * threads: any. */
const struct tsr_variant *tsr_variant_chosen(enum tsr_cpu_op op);

/* Makes `v` run from now on in place of the best: for tests and benchmarks of single rows. Its
 * features must be in use. */
void tsr_variant_use(const struct tsr_variant *v);

/* Forgets the cached choices. */
void tsr_variants_reset(void);

/* Null, or what is wrong with TESSERA_CPU. */
const char *tsr_cpu_complaint(void);

#endif
