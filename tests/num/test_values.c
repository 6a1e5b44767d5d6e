/* SPDX-License-Identifier: Apache-2.0 */
/* labels: mpfr
 * What codes are worth in f64: all codes of every format of 16 bits or fewer, and every element
 * under every scale of its block, against MPFR; the way back through encode; corners by name. */
#include "tests/support/harness.h"

#include <string.h>

#include "isa/num/quant.h"
#include "tests/num/formats.h"
#include "tests/num/overlay.h"
#include "tests/num/ttu_oracle.h"
#include "tests/support/isa_random.h"

static struct tsr_isa *isa;

static int setup(void **state)
{
    (void)state;
    isa = load_isa();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    mpfr_free_cache();
    return 0;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* The same bits, zeros' signs included; of NaNs only the positive quiet one. */
static bool same(double got, double want)
{
    return isnan(want) ? bits_of(got) == UINT64_C(0x7FF8000000000000)
                       : bits_of(got) == bits_of(want);
}

/* The oracle's m 2^e in f64, by MPFR, which must lose nothing; `negative` is the sign of a zero. */
static double by_mpfr(struct tsr_oracle_value x, struct tsr_oracle_value scale, bool negative)
{
    mpfr_t v, s;
    if (x.class == TSR_ORACLE_NAN || scale.class == TSR_ORACLE_NAN)
        return (double)NAN;
    if (x.class == TSR_ORACLE_INFINITE)
        return x.m < 0 ? (double)-INFINITY : (double)INFINITY;
    if (x.m == 0 || scale.m == 0)
        return negative ? -0.0 : 0.0;
    mpfr_inits2(53, v, s, (mpfr_ptr)NULL);
    int lost = mpfr_set_si_2exp(v, x.m, x.e, MPFR_RNDN);
    lost |= mpfr_set_si_2exp(s, scale.m, scale.e, MPFR_RNDN);
    lost |= mpfr_mul(v, v, s, MPFR_RNDN);
    double out = mpfr_get_d(v, MPFR_RNDN);
    lost |= mpfr_cmp_d(v, out);
    mpfr_clears(v, s, (mpfr_ptr)NULL);
    assert_int_equal(lost, 0);
    return out;
}

/* The sign bit where there is one (zeros show it), else the integer's. */
static bool sign_of(const struct tsr_oracle_format *f, uint32_t code)
{
    bool has = f->kind == TSR_ORACLE_FLOAT || f->kind == TSR_ORACLE_SHIFT;
    return has ? code >> (f->bits - 1) & 1 : tsr_oracle_element(f, code).m < 0;
}

static const struct tsr_oracle_value one = {TSR_ORACLE_NUMBER, 1, 0};

/* ---- plain codes ---------------------------------------------------------------------------- */

static void test_values_all_plain_codes_equal_mpfr(void **state)
{
    unsigned formats = 0;
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++) {
        const struct tsr_oracle_format *f = &tsr_oracle_formats[i];
        const struct tsr_format *row = &isa->formats[f->dtype];
        if (!tsr_num_has_codec(row))
            continue;
        formats++;
        for (uint32_t c = 0; c < 1u << f->bits; c++) {
            double want = by_mpfr(tsr_oracle_element(f, c), one, sign_of(f, c));
            double got = tsr_num_value(row, c);
            if (!same(got, want))
                fail_msg("%s code %x: %a, not %a", f->name, c, got, want);
            assert_true(same(tsr_num_value(row, c | 1u << f->bits), want));
        }
    }
    /* bf16 f16 e4m3 e5m2 i8 i4, the five float elements of mx, nvf4's; four of the overlay */
    assert_int_equal(formats, 12 + 4);
}

/* A second statement of the same values, and formats that an overlay might add. */
static void test_values_all_codes_equal_the_layouts_definition(void **state)
{
    (void)state;
    for (int i = 0; i < N_FORMATS; i++) {
        const struct tsr_format *f = &num_formats[i];
        for (uint32_t c = 0; f->bits <= 16 && c < 1u << f->bits; c++)
            if (!same(tsr_num_value(f, c), num_value(f, c)))
                fail_msg("%s code %x: %a, not %a", f->name, c, tsr_num_value(f, c),
                         num_value(f, c));
    }
}

/* f64 holds more than f32: nothing is lost on the way, so the way back gives the code. */
static void test_values_come_back_as_their_codes(void **state)
{
    (void)state;
    for (int i = 0; i < N_FORMATS; i++) {
        const struct tsr_format *f = &num_formats[i];
        for (uint32_t c = 0; f->bits <= 16 && c < 1u << f->bits; c++) {
            double v = tsr_num_value(f, c);
            if (!isfinite(v))
                continue;
            assert_true((double)(float)v == v);
            for (int round = TSR_ROUND_EVEN; round <= TSR_ROUND_ZERO; round++) {
                uint32_t back = tsr_num_encode(f, num_bits((float)v), (enum tsr_round)round);
                if (back != c)
                    fail_msg("%s code %x, %a, came back as %x", f->name, c, v, back);
            }
        }
    }
}

static void test_values_of_32_bits_are_exact(void **state)
{
    uint64_t s = tsr_test_seed("values: TESSERA_SEED=N ctest -R num.values", 31);
    (void)state;
    for (int n = 0; n < 200000; n++) {
        uint32_t c = (uint32_t)tsr_test_random(&s);
        assert_true(tsr_num_value(&num_formats[N_I32], c) == (double)(int32_t)c);
        assert_true(same(tsr_num_value(&num_formats[N_F32], c), (double)num_float(c)));
    }
}

static void test_values_by_name(void **state)
{
    const struct {
        int format;
        uint32_t code;
        double value;
    } rows[] = {
        {N_F16, 0x8000, -0.0},
        {N_F16, 0x0001, 0x1p-24},
        {N_F16, 0x03FF, 0x1.ff8p-15}, /* largest subnormal, smallest normal, largest */
        {N_F16, 0x0400, 0x1p-14},
        {N_F16, 0x7BFF, 65504},
        {N_F16, 0xFC00, (double)-INFINITY},
        {N_F16, 0xFC01, (double)NAN},
        {N_BF16, 0x0080, 0x1p-126},
        {N_BF16, 0x8001, -0x1p-133},
        {N_BF16, 0x7F7F, 0x1.fep127},
        {N_E4M3, 0x08, 0x1p-6},
        {N_E4M3, 0x87, -0x1.cp-7},
        {N_E4M3, 0x7E, 448},
        {N_E4M3, 0xFF, (double)NAN},
        {N_E5M2, 0x04, 0x1p-14},
        {N_E5M2, 0x7B, 57344},
        {N_E5M2, 0x7C, (double)INFINITY},
        {N_E3M2, 0x1F, 28},
        {N_E3M2, 0x04, 0.25},
        {N_E2M3, 0x3F, -7.5},
        {N_E2M3, 0x08, 1},
        {N_E2M1, 0x7, 6},
        {N_E2M1, 0x8, -0.0},
        {N_I8, 0x80, -128},
        {N_I4, 0x8, -8},
        {N_I32, 0x80000000u, -2147483648.0},
        {N_I32, 0x7FFFFFFF, 2147483647}, /* f32 would round this one */
        {N_F32, 0x00000001, 0x1p-149},
        {N_F32, 0x00800000, 0x1p-126},
        {N_F32, 0xFFFFFFFF, (double)NAN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tsr_format *f = &num_formats[rows[i].format];
        double got = tsr_num_value(f, rows[i].code);
        if (!same(got, rows[i].value))
            fail_msg("%s code %x: %a, not %a", f->name, rows[i].code, got, rows[i].value);
    }
}

/* Where floating-point units are wrong: ties, the smallest normal, the least subnormal's half, the
 * sign of zero, the last step before overflow. Both signs. */
static void test_values_corners_encode_by_name(void **state)
{
    static const struct {
        int format;
        struct {
            double x; /* f32 holds it */
            uint32_t even, away, zero;
        } at[8];
    } rows[] = {
        {N_F16,
         {{0.0, 0, 0, 0},
          {0x1p-25, 0, 1, 0},                      /* half of the least */
          {0x1.8p-24, 2, 2, 1},                    /* halfway, up to even */
          {0x1.ffcp-15, 0x0400, 0x0400, 0x03FF},   /* halfway to the smallest normal */
          {1 + 0x1p-11, 0x3C00, 0x3C01, 0x3C00},   /* halfway, down to even */
          {1 + 0x3p-11, 0x3C02, 0x3C02, 0x3C01},   /* halfway, up to even */
          {0x1.ffdffep15, 0x7BFF, 0x7BFF, 0x7BFF}, /* the last f32 that does not overflow */
          {0x1.ffep15, 0x7C00, 0x7C00, 0x7BFF}}},  /* halfway to 65536 */
        {N_BF16,
         {{0.0, 0, 0, 0},
          {0x1p-134, 0, 1, 0},
          {0x1.8p-133, 2, 2, 1},
          {0x1.fep-127, 0x0080, 0x0080, 0x007F},
          {1 + 0x1p-8, 0x3F80, 0x3F81, 0x3F80},
          {1 + 0x3p-8, 0x3F82, 0x3F82, 0x3F81},
          {0x1.fefffep127, 0x7F7F, 0x7F7F, 0x7F7F},
          {0x1.ffp127, 0x7F80, 0x7F80, 0x7F7F}}},
        {N_E4M3,
         {{0.0, 0, 0, 0},
          {0x1p-10, 0, 1, 0},
          {0x3p-10, 2, 2, 1},
          {0xFp-10, 0x08, 0x08, 0x07},
          {1 + 0x1p-4, 0x38, 0x39, 0x38},
          {1 + 0x3p-4, 0x3A, 0x3A, 0x39},
          {464, 0x7E, 0x7E, 0x7E}, /* saturates, where 480 is a NaN's code */
          {1e30, 0x7E, 0x7E, 0x7E}}},
        {N_E5M2,
         {{0.0, 0, 0, 0},
          {0x1p-17, 0, 1, 0},
          {0x3p-17, 2, 2, 1},
          {0x7p-17, 0x04, 0x04, 0x03},
          {1.125, 0x3C, 0x3D, 0x3C},
          {1.375, 0x3E, 0x3E, 0x3D},
          {61440, 0x7B, 0x7B, 0x7B},
          {1e30, 0x7B, 0x7B, 0x7B}}},
        {N_E3M2,
         {{0.0, 0, 0, 0},
          {0x1p-5, 0, 1, 0},
          {0x3p-5, 2, 2, 1},
          {0x7p-5, 0x04, 0x04, 0x03},
          {1.125, 0x0C, 0x0D, 0x0C},
          {1.375, 0x0E, 0x0E, 0x0D},
          {30, 0x1F, 0x1F, 0x1F},
          {1e30, 0x1F, 0x1F, 0x1F}}},
        {N_E2M3,
         {{0.0, 0, 0, 0},
          {0x1p-4, 0, 1, 0},
          {0x3p-4, 2, 2, 1},
          {0xFp-4, 0x08, 0x08, 0x07},
          {1.0625, 0x08, 0x09, 0x08},
          {1.1875, 0x0A, 0x0A, 0x09},
          {7.75, 0x1F, 0x1F, 0x1F},
          {1e30, 0x1F, 0x1F, 0x1F}}},
        {N_E2M1,
         {{0.0, 0, 0, 0},
          {0.25, 0, 1, 0},
          {0.75, 2, 2, 1}, /* halfway to the smallest normal */
          {1.25, 2, 3, 2},
          {1.75, 4, 4, 3},
          {5, 6, 7, 6},
          {7, 7, 7, 7},
          {1e30, 7, 7, 7}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int n = 0; n < 16; n++) {
            const struct tsr_format *f = &num_formats[rows[i].format];
            uint32_t sign = n & 1 ? 1u << (f->bits - 1) : 0,
                     x = num_bits((float)rows[i].at[n / 2].x);
            uint32_t want[] = {rows[i].at[n / 2].even, rows[i].at[n / 2].away,
                               rows[i].at[n / 2].zero};
            for (int round = TSR_ROUND_EVEN; round <= TSR_ROUND_ZERO; round++) {
                uint32_t got =
                    tsr_num_encode(f, x | (n & 1 ? 0x80000000u : 0), (enum tsr_round)round);
                if (got != (want[round] | sign))
                    fail_msg("%s of %s%a, rounding %d: %x, not %x", f->name, n & 1 ? "-" : "",
                             rows[i].at[n / 2].x, round, got, want[round] | sign);
            }
        }
}

/* ---- elements under scales ------------------------------------------------------------------ */

/* Decoding a row is the same value rounded once: for one element at the start of a block. */
static void check_decoded(const struct tsr_oracle_format *f, uint32_t code, uint32_t scale,
                          double want)
{
    struct tsr_num_quant q = {.format = &isa->formats[f->dtype]};
    struct tsr_error err = {0};
    uint8_t elements[64] = {0}, scales[4] = {0};
    uint32_t out[32], bits = num_bits((float)want);
    tsr_oracle_put(f, elements, 0, code);
    tsr_oracle_put_scale(f, scales, 0, scale);
    assert_int_equal(tsr_num_dequantize(&q, elements, scales, f->block, out, &err), TSR_OK);
    bits = isnan(want) ? TSR_NUM_NAN : bits;
    if (out[0] != bits)
        fail_msg("%s code %x under %x: decoded %08x, not %08x", f->name, code, scale, out[0], bits);
}

static void check_block(const struct tsr_oracle_format *f, uint32_t code, uint32_t scale)
{
    const struct tsr_format *row = &isa->formats[f->dtype];
    struct tsr_oracle_value x = tsr_oracle_element(f, code), s = tsr_oracle_scale(f, scale);
    double want = by_mpfr(x, s, sign_of(f, code));
    /* Dequantizing keeps an infinite scale, which the tensor unit calls NaN. */
    if (f->scale == TSR_ORACLE_F16 && (scale & 0x7FFF) == 0x7C00 && x.m != 0)
        want = (x.m < 0) != (scale >> 15) ? (double)-INFINITY : (double)INFINITY;
    double got = tsr_num_block_value(row, code, scale);
    if (!same(got, want))
        fail_msg("%s code %x under %x: %a, not %a", f->name, code, scale, got, want);
}

static void test_values_every_element_under_every_scale_equals_mpfr(void **state)
{
    unsigned formats = 0;
    (void)state;
    for (int i = 0; i < TSR_ORACLE_FORMATS; i++) {
        const struct tsr_oracle_format *f = &tsr_oracle_formats[i];
        if (f->block == 0)
            continue;
        uint32_t scales = f->scale == TSR_ORACLE_F16 ? 65536 : 256;
        /* 16.8 M of q8_0 take some seconds: each scale with a seventh of the codes by default. */
        uint32_t step = scales * (1u << f->bits) > 1u << 20 && !tsr_test_nightly() ? 7 : 1;
        formats++;
        for (uint32_t scale = 0; scale < scales; scale++)
            for (uint32_t c = scale % step; c < 1u << tsr_oracle_code_bits(f); c += step)
                check_block(f, c, scale);
        for (uint32_t scale = 0; scale < scales; scale += scales / 256)
            for (uint32_t c = 0; c < 1u << tsr_oracle_code_bits(f); c++)
                check_decoded(f, c, scale, tsr_num_block_value(&isa->formats[f->dtype], c, scale));
    }
    assert_int_equal(formats, 12 + 4); /* the overlay's */
}

static void test_values_of_blocks_by_name(void **state)
{
    static const struct {
        enum tsr_dtype format;
        uint32_t code, scale;
        double value;
    } rows[] = {
        {TSR_MXF8E4M3, 0x7E, 254, 448 * 0x1p127}, /* beyond f32 */
        {TSR_MXF8E4M3, 0x01, 0, 0x1p-136},
        {TSR_MXF8E5M2, 0xFC, 127, (double)-INFINITY},
        {TSR_MXF8E5M2, 0x00, 255, (double)NAN},
        {TSR_MXF4, 0x9, 128, -1},
        {TSR_MXI8, 0x80, 127, -2}, /* the code that encoding never makes */
        {TSR_MXI8, 0x01, 127, 0x1p-6},
        {TSR_MX9, 0x7F, 127, 127 * 0x1p-6},
        {TSR_MX9, 0x17F, 127, 127 * 0x1p-7}, /* the shift above the sign */
        {TSR_MX9, 0x80, 200, -0.0},
        {TSR_MX6, 0x1F, 130, -15},
        {TSR_MX4, 0x0B, 128, 1.5},
        {TSR_NVF4, 0x7, 0x7E, 2688},
        {TSR_NVF4, 0x7, 0x7F, (double)NAN},
        {TSR_NVF4, 0x9, 0x80, -0.0}, /* a zero has its element's sign */
        {TSR_NVF4, 0x1, 0x81, -0x1p-10},
        {TSR_Q8_0, 0x80, 0x0001, -128 * 0x1p-24},
        {TSR_Q8_0, 0x00, 0x7C00, (double)NAN},
        {TSR_Q8_0, 0xFF, 0x7C00, (double)-INFINITY},
        {TSR_Q4_0, 0x0, 0x3C00, -8},
        {TSR_Q4_0, 0xF, 0xBC00, -7},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct tsr_format *f = &isa->formats[rows[i].format];
        double got = tsr_num_block_value(f, rows[i].code, rows[i].scale);
        if (!same(got, rows[i].value))
            fail_msg("%s code %x under %x: %a, not %a", f->name, rows[i].code, rows[i].scale, got,
                     rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_all_plain_codes_equal_mpfr),
        cmocka_unit_test(test_values_all_codes_equal_the_layouts_definition),
        cmocka_unit_test(test_values_come_back_as_their_codes),
        cmocka_unit_test(test_values_of_32_bits_are_exact),
        cmocka_unit_test(test_values_by_name),
        cmocka_unit_test(test_values_corners_encode_by_name),
        cmocka_unit_test(test_values_every_element_under_every_scale_equals_mpfr),
        cmocka_unit_test(test_values_of_blocks_by_name),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
