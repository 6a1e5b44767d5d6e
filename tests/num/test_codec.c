/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs against the definition of the formats: the values of all codes in a sorted list, the
 * nearest found by search in double, where all values and midpoints in play are exact. */
#include "tests/support/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/num/formats.h"

static const char *const round_names[] = {"even", "away", "zero"};

static uint32_t sign_bit(const struct tsr_format *f)
{
    return 1u << (f->bits - 1);
}

/* Largest finite code without sign. */
static uint32_t largest(const struct tsr_format *f)
{
    uint32_t c = sign_bit(f) - 1;
    if (f->specials == TSR_SPECIALS_IEEE)
        c -= 1u << f->mbits;
    return f->specials == TSR_SPECIALS_FN ? c - 1 : c;
}

static uint32_t nan_code(const struct tsr_format *f)
{
    switch (f->specials) {
    case TSR_SPECIALS_IEEE: /* quiet: the mantissa's top bit */
        return largest(f) + 1 + (1u << (f->mbits - 1));
    case TSR_SPECIALS_FN:
        return sign_bit(f) - 1;
    default:
        return largest(f);
    }
}

/* What a magnitude beyond the largest finite becomes. */
static uint32_t overflow(const struct tsr_format *f, enum tsr_round round, bool infinite)
{
    bool ieee = f->specials == TSR_SPECIALS_IEEE && f->bits > 8;
    return ieee && (round != TSR_ROUND_ZERO || infinite) ? largest(f) + 1 : largest(f);
}

/* The code of x (not NaN) by search. */
static uint32_t oracle_float(const struct tsr_format *f, float x, enum tsr_round round)
{
    uint32_t sign = signbit(x) ? sign_bit(f) : 0, lo = 0, hi = largest(f);
    double v = fabs((double)x), top = num_value(f, hi);
    if (isinf(x))
        return sign | overflow(f, round, true);
    while (lo < hi) { /* the last code whose value is not above v */
        uint32_t mid = (lo + hi + 1) / 2;
        if (num_value(f, mid) <= v)
            lo = mid;
        else
            hi = mid - 1;
    }
    bool last = lo == largest(f);
    /* The place after the largest finite, as if the format went on. */
    double below = num_value(f, lo),
           above = last ? 2 * top - num_value(f, lo - 1) : num_value(f, lo + 1);
    if (f->specials != TSR_SPECIALS_IEEE && last)
        return sign | lo; /* saturates */
    double d0 = v - below, d1 = above - v;
    bool up = round == TSR_ROUND_EVEN ? d0 > d1 || (d0 == d1 && (lo & 1))
                                      : round == TSR_ROUND_AWAY && d0 >= d1;
    if (last)
        return sign | (up || v >= above ? overflow(f, round, false) : lo);
    return sign | (lo + up);
}

static void check(const struct tsr_format *f, uint32_t bits, enum tsr_round round)
{
    float x = num_float(bits);
    uint32_t want = isnan(x) ? nan_code(f) : oracle_float(f, x, round);
    uint32_t got = tsr_num_encode(f, bits, round);
    if (got != want)
        fail_msg("%s of %08x (%a), %s: %x, not %x", f->name, bits, (double)x, round_names[round],
                 got, want);
}

/* A value and its neighbours in f32, both signs, all roundings. */
static void check_around(const struct tsr_format *f, double v)
{
    uint32_t at = num_bits((float)v);
    for (uint32_t bits = at - (at > 0); bits <= at + 1; bits++) {
        for (int round = 0; round < 3; round++) {
            check(f, bits, (enum tsr_round)round);
            check(f, bits | 0x80000000u, (enum tsr_round)round);
        }
    }
}

static void test_codec_all_codes_come_back(void **state)
{
    (void)state;
    for (int i = N_F16; i < N_FORMATS; i++) {
        const struct tsr_format *f = &num_formats[i];
        if (f->family != TSR_FAMILY_FLOAT || f->bits > 16)
            continue;
        for (uint32_t c = 0; c < 1u << f->bits; c++) {
            double v = num_value(f, c);
            uint32_t got = tsr_num_decode_f32(f, c);
            uint32_t want = isnan(v) ? TSR_NUM_NAN : num_bits((float)v);
            if (got != want)
                fail_msg("%s code %x: %08x, not %08x", f->name, c, got, want);
            assert_int_equal(tsr_num_decode_f32(f, c | 1u << f->bits), want);
            double exact = tsr_num_value(f, c); /* test_values: the zeros' signs, too */
            assert_true(isnan(v) ? isnan(exact) : exact == v);
            uint32_t back = isnan(v)                   ? nan_code(f)
                            : isinf(v) && f->bits == 8 ? (c & sign_bit(f)) | largest(f)
                                                       : c;
            for (int round = 0; round < 3; round++)
                assert_int_equal(tsr_num_encode(f, got, (enum tsr_round)round), back);
        }
    }
}

static void test_codec_only_subsets_of_f32_have_one(void **state)
{
    struct tsr_format f = num_formats[N_BF16];
    (void)state;
    for (int i = 0; i < N_FORMATS; i++)
        assert_true(tsr_num_has_codec(&num_formats[i]));
    f.bias = 126; /* 2^128 */
    assert_false(tsr_num_has_codec(&f));
    f.bias = 144; /* 2^-150 */
    assert_false(tsr_num_has_codec(&f));
    f.bias = 143;
    assert_true(tsr_num_has_codec(&f));
    f.mbits = 0; /* no room for a NaN */
    assert_false(tsr_num_has_codec(&f));
    f.ebits = 0;
    assert_false(tsr_num_has_codec(&f));
}

static void test_codec_midpoints_round_as_named(void **state)
{
    (void)state;
    for (int i = N_F16; i <= N_E2M1; i++) {
        const struct tsr_format *f = &num_formats[i];
        uint32_t step = f->bits == 16 && !tsr_test_nightly() ? 7 : 1;
        for (uint32_t c = 0; c < largest(f); c += step) {
            check_around(f, num_value(f, c));
            check_around(f, (num_value(f, c) + num_value(f, c + 1)) / 2);
        }
        double top = num_value(f, largest(f)), ulp = top - num_value(f, largest(f) - 1);
        check_around(f, top);
        check_around(f, top + ulp / 2);
        check_around(f, top + ulp);
        check_around(f, ldexp(1, 1 - f->bias));            /* smallest normal */
        check_around(f, ldexp(1, 1 - f->bias - f->mbits)); /* smallest */
        check_around(f, ldexp(1, -f->bias - f->mbits));    /* half of it */
        check_around(f, 0);
    }
}

static void test_codec_random_f32_equal_search(void **state)
{
    uint64_t s = tsr_test_seed("codec", 1);
    (void)state;
    for (int n = 0; n < 400000; n++) {
        const struct tsr_format *f = &num_formats[N_F16 + n % (N_FORMATS - N_F16)];
        if (f->family != TSR_FAMILY_FLOAT)
            continue;
        uint32_t bits = (uint32_t)tsr_test_random(&s);
        if (n & 8) /* near the format's own range */
            bits = (bits & 0x80FFFFFF) | (uint32_t)(48 + tsr_test_random_below(&s, 32)) << 24;
        check(f, bits, (enum tsr_round)(n % 3));
    }
}

static void test_codec_overflow_by_name(void **state)
{
    const struct {
        int format;
        float x;
        enum tsr_round round;
        uint32_t code;
    } rows[] = {
        {N_F16, 65519.996f, TSR_ROUND_EVEN, 0x7BFF},
        {N_F16, 65520, TSR_ROUND_EVEN, 0x7C00},
        {N_F16, 65520, TSR_ROUND_AWAY, 0x7C00},
        {N_F16, 1e9f, TSR_ROUND_ZERO, 0x7BFF},
        {N_F16, -INFINITY, TSR_ROUND_ZERO, 0xFC00},
        {N_BF16, 3.4e38f, TSR_ROUND_EVEN, 0x7F80},
        {N_BF16, -3.4e38f, TSR_ROUND_ZERO, 0xFF7F},
        {N_E4M3, 448, TSR_ROUND_EVEN, 0x7E},
        {N_E4M3, 464, TSR_ROUND_EVEN, 0x7E},
        {N_E4M3, -1e30f, TSR_ROUND_EVEN, 0xFE},
        {N_E4M3, INFINITY, TSR_ROUND_EVEN, 0x7E},
        {N_E5M2, 61440, TSR_ROUND_EVEN, 0x7B},
        {N_E5M2, -INFINITY, TSR_ROUND_AWAY, 0xFB},
        {N_E2M1, 7, TSR_ROUND_EVEN, 0x7},
        {N_E2M1, -NAN, TSR_ROUND_EVEN, 0x7},
        {N_E4M3, -NAN, TSR_ROUND_EVEN, 0x7F},
        {N_E4M3, -0.f, TSR_ROUND_EVEN, 0x80},
        {N_BF16, -1e-45f, TSR_ROUND_EVEN, 0x8000},
        {N_I8, 127.5f, TSR_ROUND_EVEN, 0x7F},
        {N_I8, -128.5f, TSR_ROUND_EVEN, 0x80},
        {N_I8, NAN, TSR_ROUND_EVEN, 0},
        {N_I8, -INFINITY, TSR_ROUND_EVEN, 0x80},
        {N_I4, 7.5f, TSR_ROUND_EVEN, 7},
        {N_I4, -0.5f, TSR_ROUND_AWAY, 0xF},
        {N_I32, 2147483648.f, TSR_ROUND_EVEN, 0x7FFFFFFF},
        {N_I32, -2147483648.f, TSR_ROUND_EVEN, 0x80000000u},
        {N_F32, -NAN, TSR_ROUND_EVEN, TSR_NUM_NAN},
        {N_F32, INFINITY, TSR_ROUND_EVEN, TSR_NUM_INF},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tsr_format *f = &num_formats[rows[i].format];
        uint32_t got = tsr_num_encode(f, num_bits(rows[i].x), rows[i].round);
        if (got != rows[i].code)
            fail_msg("%s of %g: %x, not %x", f->name, (double)rows[i].x, got, rows[i].code);
    }
}

static void test_codec_integers_equal_libm(void **state)
{
    uint64_t s = tsr_test_seed("codec integers", 2);
    (void)state;
    for (int n = 0; n < 300000; n++) {
        const struct tsr_format *f = &num_formats[N_I8 + n % 3];
        uint32_t bits = (uint32_t)tsr_test_random(&s);
        float x = n & 4 ? num_float(bits) : ldexpf((float)(int32_t)bits, -(int)(bits % 40));
        if (n & 8)
            x = (float)((int32_t)bits >> 20) / 2;
        enum tsr_round mode = (enum tsr_round)(n / 16 % 3);
        double v = mode == TSR_ROUND_EVEN ? rint(x) : mode == TSR_ROUND_AWAY ? round(x) : trunc(x);
        double top = ldexp(1, f->bits - 1);
        v = isnan(v) ? 0 : v < -top ? -top : v > top - 1 ? top - 1 : v;
        uint32_t want = (uint32_t)(int64_t)v & (uint32_t)((UINT64_C(1) << f->bits) - 1);
        uint32_t got = tsr_num_encode(f, num_bits(x), mode);
        if (got != want)
            fail_msg("%s of %a, %s: %x, not %x", f->name, (double)x, round_names[mode], got, want);
        uint32_t back = tsr_num_decode_f32(f, got); /* i32 to f32 rounds as the host's cast */
        assert_int_equal(back, num_bits((float)num_value(f, got)));
    }
}

/* Bits at*width.. of a packed array. */
static uint32_t packed(const uint8_t *bytes, size_t at, unsigned width)
{
    uint32_t c = 0;
    for (unsigned i = 0; i < width; i++)
        c |= (uint32_t)(bytes[(at * width + i) / 8] >> (at * width + i) % 8 & 1) << i;
    return c;
}

static void test_codec_arrays_equal_single_elements(void **state)
{
    uint64_t s = tsr_test_seed("codec arrays", 3);
    (void)state;
    for (int i = 0; i < N_FORMATS; i++) {
        const struct tsr_format *f = &num_formats[i];
        for (size_t n = 1; n < 700; n += n < 20 ? 1 : 97) {
            size_t bytes = (n * f->bits + 7) / 8;
            uint32_t *in = tsr_test_guarded(n * 4), *out = tsr_test_guarded(n * 4);
            uint8_t *codes = tsr_test_guarded(bytes);
            for (size_t j = 0; j < n; j++)
                in[j] =
                    j % 3 ? num_bits(tsr_test_random_f32(&s) * 8) : (uint32_t)tsr_test_random(&s);
            for (int round = 0; round < 3; round++) {
                memset(codes, 0xFF, bytes);
                tsr_num_encode_array(f, codes, in, n, (enum tsr_round)round);
                tsr_num_decode_array(f, out, codes, n);
                for (size_t j = 0; j < n; j++) {
                    uint32_t c = packed(codes, j, f->bits);
                    assert_int_equal(c, tsr_num_encode(f, in[j], (enum tsr_round)round));
                    assert_int_equal(out[j], tsr_num_decode_f32(f, c));
                }
                if (n * f->bits % 8 != 0)
                    assert_int_equal(codes[bytes - 1] >> n * f->bits % 8, 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec_all_codes_come_back),
        cmocka_unit_test(test_codec_only_subsets_of_f32_have_one),
        cmocka_unit_test(test_codec_midpoints_round_as_named),
        cmocka_unit_test(test_codec_random_f32_equal_search),
        cmocka_unit_test(test_codec_overflow_by_name),
        cmocka_unit_test(test_codec_integers_equal_libm),
        cmocka_unit_test(test_codec_arrays_equal_single_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
