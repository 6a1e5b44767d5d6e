/* SPDX-License-Identifier: Apache-2.0 */
/* Passes over a block of scores that the fused kernels share (SVE at any vector length; included by
 * files of an Arm level only): logits with soft cap and slopes, masks, maxima, weights.
 *
 * Weights are 2^(s c - M) with M, a row's reference, a multiple of 1/64 no further than 8 below the
 * largest so far (2^8 is no loss in f32, and M seldom has to move). z = s c + (shift - M) has the
 * ULP 1/64, so that z - (shift - M) = n is s c rounded to 1/64 and r = s c - n exact; FEXPA of z
 * gives 2^(n - M), and 1 + r ln 2 the rest. z at least FLASH_LOWEST makes FEXPA 0; r is then large,
 * but no infinity: |s c| stays below 2^62, so that the square of two terms is finite. */
#ifndef KERNELS_ATTENTION_FLASH_SVE_H
#define KERNELS_ATTENTION_FLASH_SVE_H

#include <arm_sve.h>
#include <float.h>

#include "kernels/attention/attention.h"
#include "kernels/vecmath/vec_sve.h"

#define FLASH_NOTHING (-FLT_MAX)
#define FLASH_SLACK 8.0f       /* growth of the maximum that moves no sums */
#define FLASH_LARGE 0x1p16f    /* |M| from which shift - M is not exact */
#define FLASH_GRID 0x1.8p17f   /* added and taken away: to a multiple of 1/64, below 2^17 */
#define FLASH_LOWEST EXP_SHIFT /* FEXPA's 0 */

/* Keys of a lane, counted from the vector's first: 0 0 0 0, or 0 1 0 1. */
static VEC_INLINE svint32_t flash_lane_keys(unsigned keys)
{
    return svand_x(svptrue_b32(), svindex_s32(0, 1), (int32_t)keys - 1);
}

/* Scores to logits in units of log2: soft cap, then slopes. tanh(y) = sign(y) (1 - e) / (1 + e),
 * e = exp(-2 |y|). */
static VEC_PASS void flash_logits(const struct tsr_flash *f, unsigned keys)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw(), steps = f->tiles * TSR_KV_TILE / keys;
    const svfloat32_t c = svdup_f32(f->c), cap = svdup_f32(f->cap);
    const svfloat32_t twice = svdup_f32(f->cap != 0 ? 2 / f->cap : 0);
    for (size_t v = 0; v < f->vectors; v++) {
        const svfloat32_t slope = svld1(all, f->slope + v * vl);
        const svfloat32_t position = svld1(all, f->position + v * vl);
        for (size_t s = 0; s < steps; s++) {
            float *at = f->scores + (s * f->vectors + v) * vl;
            svfloat32_t t = svmul_x(all, svld1(all, at), c);
            if (f->cap != 0) {
                svfloat32_t y = svmin_x(all, svabs_x(all, svmul_x(all, t, twice)), EXP_VANISHES);
                svfloat32_t e = vec_exp_negative(y, svdup_f32(0));
                svfloat32_t th = svdiv_x(all, svsubr_x(all, e, 1.0f), svadd_x(all, e, 1.0f));
                th = svmul_x(all, th, cap);
                t = svneg_m(th, svcmplt(all, t, 0.0f), th);
            }
            if (f->biased) {
                svint32_t key = svadd_x(all, flash_lane_keys(keys), f->key + (int32_t)(s * keys));
                svfloat32_t ahead = svsub_x(all, svcvt_f32_x(all, key), position);
                t = svmla_x(all, t, slope, ahead);
            }
            svst1(all, at, t);
        }
    }
}

static VEC_PASS void flash_mask(const struct tsr_flash *f, unsigned keys)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw(), steps = f->tiles * TSR_KV_TILE / keys;
    for (size_t v = 0; v < f->vectors; v++) {
        const svint32_t first = svld1(all, f->first + v * vl), end = svld1(all, f->end + v * vl);
        const svint32_t prefix = svld1(all, f->prefix + v * vl);
        for (size_t s = 0; s < steps; s++) {
            float *at = f->scores + (s * f->vectors + v) * vl;
            const svint32_t key = svadd_x(all, flash_lane_keys(keys), f->key + (int32_t)(s * keys));
            svbool_t sees = svcmpge(svcmplt(all, key, end), key, first);
            sees = svorr_z(all, sees, svcmplt(all, key, prefix));
            svst1(all, at, svsel(sees, svld1(all, at), svdup_f32(f->masked)));
        }
    }
}

/* Largest score of each lane, over the keys of its row. */
static VEC_PASS void flash_maxima(const struct tsr_flash *f, unsigned keys, float *to)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw(), step = f->vectors * vl;
    for (size_t v = 0; v < f->vectors; v++) {
        const float *at = f->scores + v * vl;
        svfloat32_t m0 = svld1(all, at), m1 = m0, m2 = m0, m3 = m0;
        for (size_t left = f->tiles * TSR_KV_TILE / keys; left > 0; left -= 4, at += 4 * step) {
            const float *later = at + 2 * step;
            m0 = svmax_x(all, m0, svld1(all, at));
            m1 = svmax_x(all, m1, svld1(all, at + step));
            m2 = svmax_x(all, m2, svld1(all, later));
            m3 = svmax_x(all, m3, svld1(all, later + step));
        }
        m0 = svmax_x(all, svmax_x(all, m0, m1), svmax_x(all, m2, m3));
        if (keys == 2) {
            const svuint64_t pairs = svreinterpret_u64(m0);
            const svuint64_t swapped =
                svorr_x(all, svlsl_x(svptrue_b64(), pairs, 32), svlsr_x(svptrue_b64(), pairs, 32));
            m0 = svmax_x(all, m0, svreinterpret_f32(swapped));
        }
        svst1(all, to + v * vl, m0);
    }
}

/* The new reference of the lanes of vector v, which goes to f->max. *factor: what earlier sums are
 * to be multiplied by; returns whether that is not 1 in some lane. */
static VEC_INLINE bool flash_reference(const struct tsr_flash *f, svfloat32_t largest, float c,
                                       size_t v, svfloat32_t *factor)
{
    const svbool_t all = svptrue_b32();
    float *at = f->max + v * svcntw();
    const svfloat32_t old = svld1(all, at), t = svmul_x(all, largest, c);
    /* A NaN is no smaller than anything: it becomes the reference. */
    svbool_t grows = svnot_z(all, svcmple(all, t, svadd_x(all, old, FLASH_SLACK)));
    grows = svbic_z(all, grows, svcmple(all, largest, f->masked / 2));
    const svfloat32_t grid = svsub_x(all, svadd_x(all, t, FLASH_GRID), FLASH_GRID);
    const svfloat32_t found = svsel(svaclt(all, t, svdup_f32(0x1p17f)), grid, t);
    const svfloat32_t now = svsel(grows, found, old);
    svst1(all, at, now);
    svfloat32_t d = svmax_x(all, svsub_x(all, old, now), -(float)EXP_BIAS);
    *factor = vec_fexpa(svadd_x(all, d, EXP_SHIFT + EXP_BIAS));
    return svptest_any(all, grows);
}

/* What the weights of vector v are relative to: M, 0 where no key was seen yet. */
static VEC_INLINE svfloat32_t flash_base(const struct tsr_flash *f, size_t v)
{
    const svbool_t all = svptrue_b32();
    const svfloat32_t m = svld1(all, f->max + v * svcntw());
    return svsel(svcmpeq(all, m, svdup_f32(FLASH_NOTHING)), svdup_f32(0), m);
}

/* Multiplier c and base M of vector v's weights. Where M is too large for the short form, scores
 * have become s c - M themselves: 1 and 0. */
static VEC_INLINE svfloat32_t flash_terms(const struct tsr_flash *f, size_t v, float c,
                                          svfloat32_t *base)
{
    const svbool_t all = svptrue_b32();
    const svfloat32_t m = flash_base(f, v);
    const svbool_t large = svacge(all, m, svdup_f32(FLASH_LARGE));
    *base = svsel(large, svdup_f32(0), m);
    return svsel(large, svdup_f32(1), svdup_f32(c));
}

static VEC_PASS void flash_subtract(const struct tsr_flash *f, unsigned keys, float c)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw(), steps = f->tiles * TSR_KV_TILE / keys;
    for (size_t v = 0; v < f->vectors; v++) {
        const svfloat32_t m = flash_base(f, v);
        const svbool_t large = svacge(all, m, svdup_f32(FLASH_LARGE));
        for (size_t s = 0; s < steps; s++) {
            float *at = f->scores + (s * f->vectors + v) * vl;
            const svfloat32_t t = svnmsb_x(all, svld1(all, at), svdup_f32(c), m);
            svst1(large, at, svmax_x(all, t, -0x1p20f));
        }
    }
}

/* O times the factors. `outs` vectors of each of f->vectors. */
static VEC_PASS void flash_rescale(const struct tsr_flash *f, const float *factors, size_t outs)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw();
    for (size_t i = 0; i < outs; i++)
        for (size_t v = 0; v < f->vectors; v++) {
            float *at = f->o + (i * f->vectors + v) * vl;
            svst1(all, at, svmul_x(all, svld1(all, at), svld1(all, factors + v * vl)));
        }
}

/* Logits, masks, references and rescaling of what there is. Returns c for flash_terms. */
static VEC_INLINE float flash_prepare(const struct tsr_flash *f, unsigned keys, size_t outs)
{
    const svbool_t all = svptrue_b32();
    const size_t vl = svcntw();
    float factors[4 * 64], largest[4 * 64], c = f->c;
    bool moved = false, large = false;
    if (f->cap != 0 || f->biased) {
        flash_logits(f, keys);
        c = 1;
    }
    if (f->partial)
        flash_mask(f, keys);
    if (f->hide != NULL)
        f->hide(f, f->arg);
    flash_maxima(f, keys, largest);
    for (size_t v = 0; v < f->vectors; v++) {
        svfloat32_t factor;
        if (flash_reference(f, svld1(all, largest + v * vl), c, v, &factor)) {
            float *sum = f->sum + v * vl;
            svst1(all, sum, svmul_x(all, svld1(all, sum), factor));
            moved = true;
        }
        svst1(all, factors + v * vl, factor);
        large = large || svptest_any(all, svacge(all, flash_base(f, v), svdup_f32(FLASH_LARGE)));
    }
    if (moved && !f->fresh)
        flash_rescale(f, factors, outs);
    if (large)
        flash_subtract(f, keys, c);
    return c;
}

/* 2^(s c - M): s is given twice, since each chain overwrites it. shift: EXP_SHIFT + bias - M.
 * one, ln2: 1 and ln 2, or both times what the result is to be multiplied by. */
static VEC_INLINE svfloat32_t flash_weight(svfloat32_t s, svfloat32_t again, svfloat32_t c,
                                           svfloat32_t shift, svfloat32_t one, svfloat32_t ln2,
                                           bool two)
{
    const svbool_t all = svptrue_b32();
    svfloat32_t z = svmad_x(all, s, c, shift);
    z = svmax_x(all, z, svdup_f32(FLASH_LOWEST));
    const svfloat32_t e = vec_fexpa(z);
    svfloat32_t w = svnmsb_x(all, again, c, svsub_x(all, z, shift));
    w = svmad_x(all, w, ln2, one);
    return svmul_x(all, e, two ? svmad_x(all, w, w, one) : w);
}

#endif
