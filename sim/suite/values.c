/* SPDX-License-Identifier: Apache-2.0 */
/* Random values that a format holds exactly, and comparisons. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "isa/num/num.h"
#include "sim/suite/case.h"

uint64_t suite_random(struct suite *s)
{
    uint64_t z = s->now->random += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t suite_random_below(struct suite *s, uint64_t n)
{
    return suite_random(s) % n;
}

static float rounded(const struct tsr_format *f, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = tsr_num_decode_f32(f, tsr_num_encode(f, bits, TSR_ROUND_EVEN));
    memcpy(&x, &bits, 4);
    return x;
}

static float unit(struct suite *s)
{
    return (float)((int64_t)(suite_random(s) >> 40) - (1 << 23)) * 0x1p-23f;
}

static float integer(struct suite *s, const struct tsr_format *f, enum suite_values kind)
{
    int64_t half = (int64_t)1 << (f->bits < 25 ? f->bits - 1 : 24);
    if (kind == SUITE_SMALL)
        return (float)((int64_t)suite_random_below(s, 5) - 2);
    uint64_t pick = kind == SUITE_EXTREMES ? suite_random_below(s, 8) : 8;
    if (pick < 2)
        return pick ? (float)(half - 1) : (float)-half;
    if (pick < 4)
        return pick == 3 ? 1.0f : 0.0f;
    return (float)((int64_t)suite_random_below(s, 2 * (uint64_t)half) - half);
}

/* |x| < 2^51: a product lies below 2^102, 2^25 of them below the largest f32. */
static float extreme(struct suite *s, const struct tsr_format *f)
{
    float sign = suite_random(s) & 1 ? -1.0f : 1.0f;
    int top = f->ebits ? (1 << f->ebits) - 2 - f->bias : 0;
    int low = f->ebits ? 1 - f->bias - f->mbits : 0;
    top = top > 50 ? 50 : top;
    low = low < -60 ? -60 : low; /* products keep their bits in f32 */
    switch (suite_random_below(s, 8)) {
    case 0:
        return sign * 0.0f;
    case 1:
        return sign;
    case 2:
        return sign * ldexpf(1.0f, low);
    case 3: /* formats of 8 bits saturate */
        return sign * (f->bits <= 8 ? 0x1p50f : ldexpf(2.0f - ldexpf(1.0f, -f->mbits), top));
    case 4:
        return ldexpf(unit(s), low + (int)suite_random_below(s, (uint64_t)(top - low)));
    default:
        return unit(s);
    }
}

void suite_fill(struct suite *s, const struct tsr_format *f, enum suite_values kind, float *x,
                size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (f->family == TSR_FAMILY_INT)
            x[i] = integer(s, f, kind);
        else if (kind == SUITE_SMALL)
            x[i] = 0.5f * (float)((int64_t)suite_random_below(s, 9) - 4);
        else
            x[i] = rounded(f, kind == SUITE_UNIT ? unit(s) : extreme(s, f));
    }
}

double suite_half_ulp(const struct tsr_format *f, double x)
{
    int e, least = 1 - f->bias;
    frexp(x, &e); /* |x| in [2^(e-1), 2^e) */
    e = x == 0.0 || e - 1 < least ? least : e - 1;
    return ldexp(0.5, e - f->mbits);
}

void suite_fail(struct suite *s, const char *format, ...)
{
    struct suite_case *c = s->now;
    if (c->mismatches++)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->message, sizeof c->message, format, ap);
    va_end(ap);
}

static bool close_to(float got, float want, double bound)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want);
    if (isinf(got) || isinf(want))
        return got == want;
    return fabs((double)got - (double)want) <= bound;
}

bool suite_compare(struct suite *s, const char *what, const float *got, const float *want,
                   const double *bound, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        double b = bound ? bound[i] : 0.0;
        if (close_to(got[i], want[i], b))
            continue;
        suite_fail(s, "%s[%zu] of %zu: got %.9g, want %.9g, |difference| %.3g, bound %.3g", what, i,
                   n, (double)got[i], (double)want[i], fabs((double)got[i] - (double)want[i]), b);
        good = false;
    }
    return good;
}

bool suite_compare_words(struct suite *s, const char *what, const uint32_t *got,
                         const uint32_t *want, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i]) {
            suite_fail(s, "%s[%zu] of %zu: got %" PRId32 ", want %" PRId32, what, i, n,
                       (int32_t)got[i], (int32_t)want[i]);
            good = false;
        }
    return good;
}
