/* SPDX-License-Identifier: Apache-2.0 */
/* The vector unit's primitives: one function and one row each.
 *
 * IEEE 754 defines addition, multiplication and comparison of binary32 to the bit, but for the NaN
 * returned: these use the host's float unit, in its default state (round to nearest even,
 * subnormals kept), and make every NaN TSR_NUM_NAN. All else is integers. */
#include <assert.h>
#include <float.h>
#include <string.h>

#include "isa/num/bits.h"
#include "isa/num/elementary.h"

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must round every operation");

static inline float as_float(uint32_t x)
{
    float f;
    memcpy(&f, &x, sizeof f);
    return f;
}

static inline uint32_t canonical(float f)
{
    uint32_t x;
    memcpy(&x, &f, sizeof x);
    return num_is_nan(x) ? TSR_NUM_NAN : x;
}

static inline uint32_t add1(uint32_t a, uint32_t b)
{
    return canonical(as_float(a) + as_float(b));
}

static inline uint32_t mul1(uint32_t a, uint32_t b)
{
    return canonical(as_float(a) * as_float(b));
}

/* Orders all floats as integers, -0 below +0. */
static inline int32_t key(uint32_t x)
{
    return (int32_t)(x ^ ((0 - (x >> 31)) & NUM_MAGNITUDE));
}

static inline uint32_t min1(uint32_t a, uint32_t b)
{
    uint32_t m = key(a) < key(b) ? a : b;
    return num_is_nan(a) || num_is_nan(b) ? TSR_NUM_NAN : m;
}

static inline uint32_t max1(uint32_t a, uint32_t b)
{
    uint32_t m = key(a) > key(b) ? a : b;
    return num_is_nan(a) || num_is_nan(b) ? TSR_NUM_NAN : m;
}

static inline uint32_t mask(bool x)
{
    return 0 - (uint32_t)x;
}

enum direction {
    TO_EVEN,
    DOWN,
    UP
};

/* The integral float next to x in the direction; zeros keep their sign. */
static inline uint32_t integral(uint32_t x, enum direction to)
{
    uint32_t mag = x & NUM_MAGNITUDE, sign = x & NUM_SIGN, field = mag >> 23;
    bool outward = to == (sign != 0 ? DOWN : UP);
    if (field >= 150) /* no fraction, infinity or NaN */
        return num_is_nan(x) ? TSR_NUM_NAN : x;
    if (field < 127) {
        bool one = to == TO_EVEN ? mag > UINT32_C(0x3F000000) : outward && mag != 0;
        return sign | (one ? UINT32_C(0x3F800000) : 0);
    }
    uint32_t last = UINT32_C(1) << (150 - field), rest = mag & (last - 1);
    mag -= rest;
    if (to == TO_EVEN)
        mag += rest + ((mag & last) != 0) > last / 2 ? last : 0;
    else
        mag += outward && rest != 0 ? last : 0;
    return sign | mag; /* a carry moves into the exponent */
}

static inline uint32_t to_i32(uint32_t x)
{
    uint32_t n = integral(x, TO_EVEN), mag = n & NUM_MAGNITUDE;
    if (mag > TSR_NUM_INF)
        return 0;
    if (mag >= UINT32_C(0x4F000000)) /* 2^31 */
        return n >> 31 ? UINT32_C(0x80000000) : UINT32_C(0x7FFFFFFF);
    int e;
    uint64_t m = num_split(mag, &e);
    uint32_t v = (uint32_t)(e >= 0 ? m << e : m >> (e > -63 ? -e : 63));
    return n >> 31 ? 0 - v : v;
}

static inline uint32_t from_i32(uint32_t x)
{
    return canonical((float)(int32_t)x);
}

/* floor(log2|x|): 128 for infinity and NaN, -150 for zero. */
static inline uint32_t exponent1(uint32_t x)
{
    uint32_t mag = x & NUM_MAGNITUDE;
    int e = (int)(mag >> 23) - 127;
    if (mag >> 23 == 0)
        e = mag == 0 ? -150 : -118 - num_clz32(mag);
    return (uint32_t)e;
}

static inline uint32_t scale1(uint32_t x, uint32_t by)
{
    int32_t e = (int32_t)by;
    return tsr_num_scale_pow2(x, e > 400 ? -400 : e < -400 ? 400 : -e);
}

/* Of larger magnitude; of equal ones the first; NaN counts above infinity. */
static inline uint32_t larger1(uint32_t a, uint32_t b)
{
    return (b & NUM_MAGNITUDE) > (a & NUM_MAGNITUDE) ? b : a;
}

/* a * 2^by; what falls below the normal range is cut, its lowest bit set if anything was lost: a
 * later rounding to fewer bits is that of the exact value, and only a zero gives a zero. */
static inline uint32_t scale_odd1(uint32_t a, uint32_t by)
{
    uint32_t mag = a & NUM_MAGNITUDE, sign = a & NUM_SIGN;
    int32_t e = (int32_t)by;
    int low;
    if (mag == 0 || mag >= TSR_NUM_INF)
        return mag > TSR_NUM_INF ? TSR_NUM_NAN : a;
    uint64_t m = num_split(mag, &low);
    e = e > 400 ? 400 : e < -400 ? -400 : e;
    int lz = num_clz64(m) - 40; /* leading bit at 23 */
    m <<= lz;
    low += e - lz;
    if (low > 254 - 150)
        return sign | TSR_NUM_INF;
    if (low >= -149)
        return sign | (((uint32_t)(low + 149) << 23) + (uint32_t)m);
    return sign | (uint32_t)num_shift_jam(m, -149 - low);
}

static inline uint32_t div1(uint32_t a, uint32_t b)
{
    return canonical(as_float(a) / as_float(b));
}

/* A format of scales: bits behind the leading one; exponent field (of f32) of its least normal
 * value; f32 bits of the least and the largest magnitude that a scale has. */
struct scale_kind {
    int bits, normal;
    uint32_t least, most;
};

/* To nearest even with the magnitude held between least and most: never zero, never infinite. */
static inline uint32_t scale_round1(uint32_t a, struct scale_kind k)
{
    uint32_t mag = a & NUM_MAGNITUDE, sign = a & NUM_SIGN;
    if (mag > TSR_NUM_INF)
        return TSR_NUM_NAN;
    if (mag <= k.least || mag >= k.most)
        return sign | (mag <= k.least ? k.least : k.most);
    int field = (int)(mag >> 23), drop = 23 - k.bits + (field < k.normal ? k.normal - field : 0);
    uint32_t m = (mag & 0x7FFFFF) | 0x800000, last = UINT32_C(1) << drop, rest = m & (last - 1);
    m -= rest;
    m += 2 * rest + ((m & last) != 0) > last ? last : 0;
    return sign | ((((uint32_t)field - 1) << 23) + m); /* a carry moves into the exponent */
}

static const struct scale_kind of_f32 = {23, 1, 0x00800000, 0x7F7FFFFF};
static const struct scale_kind of_bf16 = {7, 1, 0x00800000, 0x7F7F0000};
static const struct scale_kind of_f16 = {10, 113, 0x33800000, 0x477FE000};
static const struct scale_kind of_e4m3 = {3, 121, 0x3B000000, 0x43E00000};

static inline uint32_t shift_right_signed(uint32_t a, uint32_t b)
{
    return (uint32_t)((int32_t)a >> (b < 31 ? b : 31));
}

/* One loop over lanes; unused operands are not read. */
#define LANES(name, value)                                                                         \
    static void lanes_##name(uint32_t *d, const uint32_t *pa, const uint32_t *pb,                  \
                             const uint32_t *pc, unsigned n)                                       \
    {                                                                                              \
        (void)pb;                                                                                  \
        (void)pc;                                                                                  \
        for (unsigned i = 0; i < n; i++)                                                           \
            d[i] = (value);                                                                        \
    }
#define A pa[i]
#define B pb[i]
#define C pc[i]

LANES(add, add1(A, B))
LANES(sub, add1(A, B ^ NUM_SIGN)) /* a NaN's sign does not matter */
LANES(mul, mul1(A, B))
LANES(fma, add1(mul1(A, B), C))
LANES(add3, add1(add1(A, B), C))
LANES(min, min1(A, B))
LANES(max, max1(A, B))
LANES(min3, min1(min1(A, B), C))
LANES(max3, max1(max1(A, B), C))
LANES(neg, A ^ NUM_SIGN)
LANES(abs, A &NUM_MAGNITUDE)
LANES(copysign, (A & NUM_MAGNITUDE) | (B & NUM_SIGN))
LANES(exp2, num_exp2(A))
LANES(log2, num_log2(A))
LANES(rcp, num_rcp(A))
LANES(rsqrt, num_rsqrt(A))
LANES(exponent, exponent1(A))
LANES(scale2, scale1(A, B))
LANES(scale2_odd, scale_odd1(A, B))
LANES(maxmag, larger1(A, B))
LANES(div, div1(A, B))
LANES(scale_f32, scale_round1(A, of_f32))
LANES(scale_bf16, scale_round1(A, of_bf16))
LANES(scale_f16, scale_round1(A, of_f16))
LANES(scale_e4m3, scale_round1(A, of_e4m3))
LANES(floor, integral(A, DOWN))
LANES(ceil, integral(A, UP))
LANES(rint, integral(A, TO_EVEN))
LANES(cvt_f32_i32, to_i32(A))
LANES(cvt_i32_f32, from_i32(A))
LANES(lt, mask(as_float(A) < as_float(B)))
LANES(le, mask(as_float(A) <= as_float(B)))
LANES(eq, mask(as_float(A) == as_float(B)))
LANES(ne, mask(as_float(A) != as_float(B)))
LANES(gt, mask(as_float(A) > as_float(B)))
LANES(ge, mask(as_float(A) >= as_float(B)))
LANES(ilt, mask((int32_t)A < (int32_t)B))
LANES(ile, mask((int32_t)A <= (int32_t)B))
LANES(ieq, mask(A == B))
LANES(ine, mask(A != B))
LANES(igt, mask((int32_t)A > (int32_t)B))
LANES(ige, mask((int32_t)A >= (int32_t)B))
LANES(select, A != 0 ? B : C)
LANES(and, A &B)
LANES(or, A | B)
LANES(xor, A ^ B)
LANES(not, ~A)
LANES(shl, B < 32 ? A << (B & 31) : 0)
LANES(shr, B < 32 ? A >> (B & 31) : 0)
LANES(sra, shift_right_signed(A, B))
LANES(iadd, A + B)
LANES(isub, A - B)
LANES(imul, A *B)
LANES(imin, (int32_t)A < (int32_t)B ? A : B)
LANES(imax, (int32_t)A > (int32_t)B ? A : B)

/* Errors of exp2, log2, rcp, rsqrt: what tests/num/test_elementary.c measures, rounded up. */
const struct tsr_num_primitive tsr_num_primitives[] = {
    {"add", 2, 500, lanes_add, "f32 a + b"},
    {"sub", 2, 500, lanes_sub, "f32 a - b"},
    {"mul", 2, 500, lanes_mul, "f32 a * b"},
    {"fma", 3, 500, lanes_fma, "f32 a * b, rounded, then + c, rounded"},
    {"add3", 3, 500, lanes_add3, "f32 a + b, rounded, then + c, rounded"},
    {"min", 2, 0, lanes_min, "IEEE 754-2019 minimum: NaN wins, -0 is below +0"},
    {"max", 2, 0, lanes_max, "IEEE 754-2019 maximum: NaN wins, -0 is below +0"},
    {"min3", 3, 0, lanes_min3, "min(min(a, b), c)"},
    {"max3", 3, 0, lanes_max3, "max(max(a, b), c)"},
    {"neg", 1, 0, lanes_neg, "flips the sign bit, of NaN too"},
    {"abs", 1, 0, lanes_abs, "clears the sign bit, of NaN too"},
    {"copysign", 2, 0, lanes_copysign, "a with the sign bit of b"},
    {"exp2", 1, 700, lanes_exp2, "2^a; below -126 +0, from 128 infinity; exp2(0) = 1"},
    {"log2", 1, 570, lanes_log2, "log2(a); NaN below zero, -Inf at +-0; log2(1) = +0"},
    {"rcp", 1, 760, lanes_rcp, "1 / a; below 2^-126 +0, at +-Inf +0, at +-0 +-Inf"},
    {"rsqrt", 1, 600, lanes_rsqrt, "1 / sqrt(a); NaN below zero, at +-0 +-Inf, at +Inf +0"},
    {"exponent", 1, 0, lanes_exponent, "i32 floor(log2|a|); zero -150, infinity and NaN 128"},
    {"scale2", 2, 500, lanes_scale2, "f32 a * 2^b, b i32; rounds into subnormals"},
    {"scale2_odd", 2, 1000, lanes_scale2_odd, "a * 2^b, b i32; subnormals cut, lowest bit sticky"},
    {"maxmag", 2, 0, lanes_maxmag, "of larger magnitude, of equal ones a; NaN above infinity"},
    {"div", 2, 500, lanes_div, "f32 a / b"},
    {"scale_f32", 1, 500, lanes_scale_f32, "within +-[2^-126, largest], zero to 2^-126; NaN"},
    {"scale_bf16", 1, 500, lanes_scale_bf16, "the same to 8 bits, as bf16 has"},
    {"scale_f16", 1, 500, lanes_scale_f16, "to f16, within +-[2^-24, 65504]; NaN"},
    {"scale_e4m3", 1, 500, lanes_scale_e4m3, "to e4m3, within +-[2^-9, 448]; NaN"},
    {"floor", 1, 0, lanes_floor, "integral, downwards; zeros keep their sign"},
    {"ceil", 1, 0, lanes_ceil, "integral, upwards; zeros keep their sign"},
    {"rint", 1, 0, lanes_rint, "integral, nearest even; zeros keep their sign"},
    {"cvt_f32_i32", 1, 500, lanes_cvt_f32_i32, "f32 to i32, nearest even, saturating; NaN 0"},
    {"cvt_i32_f32", 1, 500, lanes_cvt_i32_f32, "i32 to f32, nearest even"},
    {"lt", 2, 0, lanes_lt, "f32 a < b: all ones, else zero; false with NaN"},
    {"le", 2, 0, lanes_le, "f32 a <= b; false with NaN"},
    {"eq", 2, 0, lanes_eq, "f32 a = b; false with NaN, -0 equals +0"},
    {"ne", 2, 0, lanes_ne, "f32 not a = b; true with NaN"},
    {"gt", 2, 0, lanes_gt, "f32 a > b; false with NaN"},
    {"ge", 2, 0, lanes_ge, "f32 a >= b; false with NaN"},
    {"ilt", 2, 0, lanes_ilt, "i32 a < b: all ones, else zero"},
    {"ile", 2, 0, lanes_ile, "i32 a <= b"},
    {"ieq", 2, 0, lanes_ieq, "i32 a = b"},
    {"ine", 2, 0, lanes_ine, "i32 not a = b"},
    {"igt", 2, 0, lanes_igt, "i32 a > b"},
    {"ige", 2, 0, lanes_ige, "i32 a >= b"},
    {"select", 3, 0, lanes_select, "b where a is not zero (32 bits), else c"},
    {"and", 2, 0, lanes_and, "bitwise and"},
    {"or", 2, 0, lanes_or, "bitwise or"},
    {"xor", 2, 0, lanes_xor, "bitwise exclusive or"},
    {"not", 1, 0, lanes_not, "bitwise not"},
    {"shl", 2, 0, lanes_shl, "a << b; 0 for b >= 32 unsigned"},
    {"shr", 2, 0, lanes_shr, "a >> b unsigned; 0 for b >= 32 unsigned"},
    {"sra", 2, 0, lanes_sra, "a >> b signed; the sign for b >= 32 unsigned"},
    {"iadd", 2, 0, lanes_iadd, "i32 a + b modulo 2^32"},
    {"isub", 2, 0, lanes_isub, "i32 a - b modulo 2^32"},
    {"imul", 2, 0, lanes_imul, "i32 a * b modulo 2^32"},
    {"imin", 2, 0, lanes_imin, "i32 minimum"},
    {"imax", 2, 0, lanes_imax, "i32 maximum"},
    {"", 0, 0, NULL, ""},
};

int tsr_num_primitive_find(const char *name)
{
    for (int i = 0; tsr_num_primitives[i].fn != NULL; i++)
        if (strcmp(tsr_num_primitives[i].name, name) == 0)
            return i;
    return -1;
}

uint32_t tsr_num_primitive_apply(int index, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t d;
    assert(index >= 0);
    tsr_num_primitives[index].fn(&d, &a, &b, &c, 1);
    return d;
}

/* In the order of enum tsr_num_reduction. */
static const struct {
    char name[8];
    uint32_t empty;
    tsr_num_lanes_fn *fn;
} reductions[TSR_NUM_REDUCTIONS] = {
    {"add", 0, lanes_add},
    {"max", NUM_SIGN | TSR_NUM_INF, lanes_max},
    {"min", TSR_NUM_INF, lanes_min},
    {"iadd", 0, lanes_iadd},
    {"imax", UINT32_C(0x80000000), lanes_imax},
    {"imin", UINT32_C(0x7FFFFFFF), lanes_imin},
    {"maxmag", 0, lanes_maxmag},
};

int tsr_num_reduction_find(const char *name)
{
    for (int i = 0; i < TSR_NUM_REDUCTIONS; i++)
        if (strcmp(reductions[i].name, name) == 0)
            return i;
    return -1;
}

/* One level of the tree, lanes 2i and 2i+1 of x into lane i. */
static void fold(enum tsr_num_reduction op, uint32_t *x, bool *on, unsigned lanes)
{
    for (unsigned i = 0; 2 * i < lanes; i++) {
        bool left = on[2 * i], right = 2 * i + 1 < lanes && on[2 * i + 1];
        uint32_t l = x[2 * i], r = right ? x[2 * i + 1] : 0;
        if (left && right)
            reductions[op].fn(&x[i], &l, &r, NULL, 1);
        else
            x[i] = left ? l : r;
        on[i] = left || right;
    }
}

static uint32_t tree(enum tsr_num_reduction op, uint32_t *x, bool *on, unsigned lanes)
{
    for (; lanes > 1; lanes = (lanes + 1) / 2)
        fold(op, x, on, lanes);
    return lanes == 1 && on[0] ? x[0] : reductions[op].empty;
}

uint32_t tsr_num_reduce(enum tsr_num_reduction op, const uint32_t *v, const uint64_t *active,
                        unsigned lanes)
{
    uint32_t x[TSR_NUM_MAX_LANES];
    bool on[TSR_NUM_MAX_LANES];
    assert(lanes <= TSR_NUM_MAX_LANES);
    for (unsigned i = 0; i < lanes; i++) {
        x[i] = v[i];
        on[i] = active == NULL || (active[i / 64] >> i % 64 & 1);
    }
    return tree(op, x, on, lanes);
}

uint32_t tsr_num_reduce_count(enum tsr_num_reduction op, const uint32_t *v, unsigned count,
                              unsigned lanes)
{
    uint32_t x[TSR_NUM_MAX_LANES];
    bool on[TSR_NUM_MAX_LANES];
    assert(lanes <= TSR_NUM_MAX_LANES && count <= lanes);
    for (unsigned i = 0; i < lanes; i++) {
        x[i] = i < count ? v[i] : 0;
        on[i] = i < count;
    }
    return tree(op, x, on, lanes);
}

void tsr_num_reduce_segments(enum tsr_num_reduction op, uint32_t *d, const uint32_t *a,
                             unsigned segment, unsigned count, unsigned lanes)
{
    for (unsigned at = 0; at < lanes; at += segment) {
        unsigned n = lanes - at < segment ? lanes - at : segment;
        unsigned on = count <= at ? 0 : count - at < n ? count - at : n;
        uint32_t x = tsr_num_reduce_count(op, a + at, on, n);
        for (unsigned i = 0; i < n; i++)
            d[at + i] = x;
    }
}
