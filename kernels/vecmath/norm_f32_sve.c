/* SPDX-License-Identifier: Apache-2.0 */
/* One row of RMSNorm and of LayerNorm for SVE at any vector length. Contract: tessera/vecmath.h. */
#include "kernels/vecmath/norm.h"
#include "kernels/vecmath/vec_sve.h"

tsr_rmsnorm_f32_fn tsr_rmsnorm_f32_sve;
tsr_rms_squares_f32_fn tsr_rms_squares_f32_sve;
tsr_rms_scale_f32_fn tsr_rms_scale_f32_sve;
tsr_layernorm_f32_fn tsr_layernorm_f32_sve;

/* The sum of x^2 goes on from its lanes. */
static VEC_INLINE void squares_body(unsigned sums, bool exact, size_t n, const float *x,
                                    float *lane)
{
    const svbool_t true32 = svptrue_b32(), all = vec_all(exact);
    const uint64_t vl = vec_step(exact);
    size_t i = 0;
    VEC_SUM(sum)
    for (unsigned v = 0; v < sums; v++)
        *sum[v] = svld1(all, lane + v * (VEC_LANES / sums));
#define ADD(p, j)                                                                                  \
    {                                                                                              \
        svfloat32_t v = svld1(p, x + i + (j)*vl);                                                  \
        *sum[(j) % sums] = svmla_x(true32, *sum[(j) % sums], v, v);                                \
    }
#define STEP(j) ADD(all, j)
    for (; n - i >= VEC_UNROLL * vl; i += VEC_UNROLL * vl) {
        VEC_8(STEP)
    }
#undef STEP
#define STEP(j) ADD(vec_rest(exact, i + (j)*vl, n), j)
    if (i < n) {
        VEC_8(STEP)
    }
#undef STEP
#undef ADD
    for (unsigned v = 0; v < sums; v++)
        svst1(all, lane + v * (VEC_LANES / sums), *sum[v]);
}

/* The sum of x. */
static VEC_INLINE void sum_body(unsigned sums, bool exact, size_t n, const float *x, float *total)
{
    const svbool_t true32 = svptrue_b32(), all = vec_all(exact);
    const uint64_t vl = vec_step(exact);
    size_t i = 0;
    VEC_SUM(sum)
#define ADD(p, j) *sum[(j) % sums] = svadd_x(true32, *sum[(j) % sums], svld1(p, x + i + (j)*vl));
#define STEP(j) ADD(all, j)
    for (; n - i >= VEC_UNROLL * vl; i += VEC_UNROLL * vl) {
        VEC_8(STEP)
    }
#undef STEP
#define STEP(j) ADD(vec_rest(exact, i + (j)*vl, n), j)
    if (i < n) {
        VEC_8(STEP)
    }
#undef STEP
#undef ADD
    VEC_TOTAL(sum, sums, exact, total)
}

/* The sums of d = x - mean and of d^2. */
static VEC_INLINE void spread_body(unsigned sums, bool exact, size_t n, const float *x, float mean,
                                   float *total)
{
    const svbool_t true32 = svptrue_b32(), all = vec_all(exact);
    const uint64_t vl = vec_step(exact);
    size_t i = 0;
    VEC_SUM(sum)
    VEC_SUM(square)
#define STEP(j)                                                                                    \
    {                                                                                              \
        svfloat32_t d = svsub_x(true32, svld1(all, x + i + (j)*vl), mean);                         \
        *sum[(j) % sums] = svadd_x(true32, *sum[(j) % sums], d);                                   \
        *square[(j) % sums] = svmla_x(true32, *square[(j) % sums], d, d);                          \
    }
    for (; n - i >= VEC_UNROLL * vl; i += VEC_UNROLL * vl) {
        VEC_8(STEP)
    }
#undef STEP
#define STEP(j)                                                                                    \
    {                                                                                              \
        svbool_t p = vec_rest(exact, i + (j)*vl, n);                                               \
        svfloat32_t d = svsub_x(true32, svld1(p, x + i + (j)*vl), mean);                           \
        *sum[(j) % sums] = svadd_m(p, *sum[(j) % sums], d);                                        \
        *square[(j) % sums] = svmla_m(p, *square[(j) % sums], d, d);                               \
    }
    if (i < n) {
        VEC_8(STEP)
    }
#undef STEP
    VEC_TOTAL(sum, sums, exact, total)
    VEC_TOTAL(square, sums, exact, total + 1)
}

VEC_LENGTHS(norm_squares, squares_body, (size_t n, const float *x, float *lane), n, x, lane)
VEC_LENGTHS(norm_sum, sum_body, (size_t n, const float *x, float *total), n, x, total)
VEC_LENGTHS(norm_spread, spread_body, (size_t n, const float *x, float mean, float *total), n, x,
            mean, total)

/* y = x factor w. */
static VEC_INLINE void rms_put(svbool_t p, float factor, const float *x, const float *w, float *y)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t v = svmul_x(all, svld1(p, x), factor);
    svst1(p, y, w != NULL ? svmul_x(all, v, svld1(p, w)) : v);
}

static VEC_PASS void norm_rms(size_t n, float factor, const float *x, const float *w, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        rms_put(all, factor, x + i, w + i, y + i);
        rms_put(all, factor, x + i + vl, w + i + vl, y + i + vl);
        rms_put(all, factor, x + i + 2 * vl, w + i + 2 * vl, y + i + 2 * vl);
        rms_put(all, factor, x + i + 3 * vl, w + i + 3 * vl, y + i + 3 * vl);
    }
    for (; i < n; i += vl)
        rms_put(svwhilelt_b32_u64(i, n), factor, x + i, w + i, y + i);
}

static VEC_PASS void norm_rms_plain(size_t n, float factor, const float *x, float *y)
{
    for (size_t i = 0; i < n; i += svcntw())
        rms_put(svwhilelt_b32_u64(i, n), factor, x + i, NULL, y + i);
}

void tsr_rms_squares_f32_sve(size_t n, const float *x, float *lane)
{
    norm_squares(n, x, lane);
}

void tsr_rms_scale_f32_sve(size_t n, float factor, const float *x, const float *w, float *y)
{
    if (w != NULL)
        norm_rms(n, factor, x, w, y);
    else
        norm_rms_plain(n, factor, x, y);
}

void tsr_rmsnorm_f32_sve(size_t n, double eps, const float *x, const float *w, float *y)
{
    float lane[VEC_LANES] = {0}, factor;
    norm_squares(n, x, lane);
    if (norm_factor(n, vec_fold(lane), eps, &factor))
        tsr_rms_scale_f32_sve(n, factor, x, w, y);
    else
        tsr_rmsnorm_ref(1, n, eps, x, w, y);
}

/* y = (x - mean - rest) factor w + b; w, b: null for ones and zeros. */
static VEC_INLINE void layer_put(svbool_t p, struct norm_mean m, const float *x, const float *w,
                                 const float *b, float *y)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t v = svsub_x(all, svsub_x(all, svld1(p, x), m.mean), m.rest);
    v = svmul_x(all, v, m.factor);
    svfloat32_t scale = w != NULL ? svld1(p, w) : svdup_f32(1);
    svst1(p, y, svmad_x(all, v, scale, b != NULL ? svld1(p, b) : svdup_f32(0)));
}

static VEC_PASS void norm_layer(size_t n, struct norm_mean m, const float *x, const float *w,
                                const float *b, float *y)
{
    const svbool_t all = svptrue_b32();
    const uint64_t vl = svcntw();
    size_t i = 0;
    for (; n - i >= 4 * vl; i += 4 * vl) {
        layer_put(all, m, x + i, w + i, b + i, y + i);
        layer_put(all, m, x + i + vl, w + i + vl, b + i + vl, y + i + vl);
        layer_put(all, m, x + i + 2 * vl, w + i + 2 * vl, b + i + 2 * vl, y + i + 2 * vl);
        layer_put(all, m, x + i + 3 * vl, w + i + 3 * vl, b + i + 3 * vl, y + i + 3 * vl);
    }
    for (; i < n; i += vl)
        layer_put(svwhilelt_b32_u64(i, n), m, x + i, w + i, b + i, y + i);
}

static VEC_PASS void norm_layer_plain(size_t n, struct norm_mean m, const float *x, const float *w,
                                      const float *b, float *y)
{
    for (size_t i = 0; i < n; i += svcntw())
        layer_put(svwhilelt_b32_u64(i, n), m, x + i, w != NULL ? w + i : NULL,
                  b != NULL ? b + i : NULL, y + i);
}

void tsr_layernorm_f32_sve(size_t n, double eps, const float *x, const float *w, const float *b,
                           float *y)
{
    float sum, spread[2];
    struct norm_mean m;
    norm_sum(n, x, &sum);
    m.mean = sum / (float)n;
    norm_spread(n, x, m.mean, spread);
    if (!norm_mean(n, spread[0], spread[1], eps, &m))
        tsr_layernorm_ref(1, n, eps, x, w, b, y);
    else if (w != NULL && b != NULL)
        norm_layer(n, m, x, w, b, y);
    else
        norm_layer_plain(n, m, x, w, b, y);
}
