/* SPDX-License-Identifier: Apache-2.0 */
/* Elements and scales one by one: every code back and forth, and rows of the block formats, whose
 * own codecs stand in other files, rebuilt from them. */
#include "tests/num/block_support.h"

#include <math.h>

#include "isa/num/element.h"

static float f32(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, 4);
    return v;
}

static uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    return bits;
}

static bool takes(const struct tsr_format *f)
{
    return tsr_num_element_group(f).elems > 0;
}

/* Random bytes load as values that store as the same bytes, but for codes that no value makes: the
 * most negative integer of a symmetric range, NaNs, and infinities, which saturate. */
static void test_element_codes_survive_load_and_store(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("codes", 61);
    (void)state;
    for (int code = 0; code < TSR_DTYPE_MAX; code++) {
        const struct tsr_format *f = &isa->formats[code];
        if (!isa->has_format[code] || !takes(f) || f->family == TSR_FAMILY_SMX || f->bits > 8)
            continue;
        struct tsr_num_group g = tsr_num_element_group(f);
        assert_int_equal(g.elems * f->bits, g.bytes * 8);
        for (uint32_t c = 0; c < 1u << f->bits; c++) {
            uint8_t in[8] = {0}, out[8];
            uint32_t x[8];
            uint64_t word = tsr_test_random(&s) & ~(~UINT64_C(0) << f->bits * g.elems % 64);
            word = (word >> f->bits << f->bits) | c;
            memcpy(in, &word, g.bytes);
            tsr_num_load_elements(f, x, in, g.elems);
            tsr_num_store_elements(f, out, x, g.elems);
            uint32_t got = out[0] & ((1u << f->bits) - 1), low = 1u << (f->bits - 1);
            bool cut = f->ebits == 0 && f->code != TSR_Q4_0 && c == low;
            if (got != (cut ? low + 1 : c) && isfinite(f32(x[0])))
                fail_msg("%s: 0x%x became 0x%x", f->name, c, got);
        }
    }
    tsr_isa_free(isa);
}

/* Values by definition of shared microexponents, in double. */
static void test_element_pairs_share_a_shift(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("pairs", 62);
    (void)state;
    for (int code = 0; code < TSR_DTYPE_MAX; code++) {
        const struct tsr_format *f = &isa->formats[code];
        if (!isa->has_format[code] || f->family != TSR_FAMILY_SMX)
            continue;
        for (int n = 0; n < 4000; n++) {
            uint32_t x[16], y[16];
            uint8_t out[40];
            for (int i = 0; i < 16; i++) {
                uint64_t r = tsr_test_random(&s);
                x[i] = bits_of(ldexpf(tsr_test_random_f32(&s), 1 - (int)(r % 12)));
                x[i] = r >> 20 & 15 ? x[i] : (uint32_t)r & 0x80000001;
                if (fabsf(f32(x[i])) >= 2)
                    x[i] = 0x3FFFFFFF;
            }
            tsr_num_store_elements(f, out, x, 16);
            tsr_num_load_elements(f, y, out, 16);
            for (int i = 0; i < 16; i++) {
                double a = fabs((double)f32(x[i])), b = fabs((double)f32(x[i ^ 1]));
                int shift = a < 1 && b < 1 && (a > 0 || b > 0);
                double step = ldexp(1, 1 - f->mbits - shift), most = (1 << f->mbits) - 1;
                double want = fmin(nearbyint(a / step), most) * step;
                if (bits_of((float)want) != (y[i] & 0x7FFFFFFF) || (x[i] ^ y[i]) >> 31)
                    fail_msg("%s element %d: %a became %a, wanted %a", f->name, i, f32(x[i]),
                             f32(y[i]), want);
            }
        }
    }
    tsr_isa_free(isa);
}

static void test_element_integers_round_and_saturate(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("integers", 63);
    static const int codes[] = {TSR_I8, TSR_I4, TSR_Q8_0, TSR_Q4_0, TSR_MXI8};
    (void)state;
    for (int n = 0; n < 200000; n++) {
        const struct tsr_format *f = &isa->formats[codes[n % 5]];
        double unit = f->code == TSR_MXI8 ? 0x1p-6 : 1, top = (1 << (f->bits - 1)) - 1;
        double low = f->code == TSR_Q4_0 ? -8 : -top;
        uint32_t x[2] = {bits_of(tsr_test_random_f32(&s) * (n % 3 ? 150 : 9)), 0}, y[2];
        if (n % 16 == 0)
            x[0] = n % 32 ? TSR_NUM_NAN : (uint32_t)tsr_test_random(&s);
        if (n % 7 == 0)
            x[0] = bits_of(rintf(f32(x[0])) / 2);
        uint8_t out[2];
        uint32_t elems = tsr_num_element_group(f).elems;
        tsr_num_store_elements(f, out, x, elems);
        tsr_num_load_elements(f, y, out, elems);
        double v = f32(x[0]);
        double want = isnan(v) ? 0 : fmin(fmax(nearbyint(v / unit), low), top) * unit;
        if ((double)f32(y[0]) != want)
            fail_msg("%s: %a became %a, wanted %a", f->name, v, f32(y[0]), want);
    }
    tsr_isa_free(isa);
}

/* Many groups at once are each group by itself, both ways. */
static void test_element_arrays_equal_their_groups(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("element arrays", 6);
    (void)state;
    for (int code = 0; code < TSR_DTYPE_MAX; code++) {
        const struct tsr_format *f = &isa->formats[code];
        struct tsr_num_group g = tsr_num_element_group(f);
        if (!isa->has_format[code] || g.elems == 0)
            continue;
        enum {
            GROUPS = 5
        };
        uint8_t *in = tsr_test_guarded(GROUPS * g.bytes), *out = tsr_test_guarded(GROUPS * g.bytes);
        uint32_t *x = tsr_test_guarded(4 * GROUPS * g.elems), y[64];
        for (size_t i = 0; i < GROUPS * g.bytes; i++)
            in[i] = (uint8_t)tsr_test_random(&s);
        tsr_num_load_elements(f, x, in, GROUPS * g.elems);
        tsr_num_store_elements(f, out, x, GROUPS * g.elems);
        for (size_t i = 0; i < GROUPS; i++) {
            uint8_t one[64];
            tsr_num_load_elements(f, y, in + i * g.bytes, g.elems);
            tsr_num_store_elements(f, one, y, g.elems);
            assert_memory_equal(y, x + i * g.elems, 4 * g.elems);
            assert_memory_equal(one, out + i * g.bytes, g.bytes);
        }
    }
    tsr_isa_free(isa);
}

static void test_element_scales_survive_load_and_store(void **state)
{
    struct tsr_isa *isa = load_isa();
    (void)state;
    for (int code = 0; code < TSR_DTYPE_MAX; code++) {
        const struct tsr_format *f = &isa->formats[code];
        if (!isa->has_format[code] || !tsr_num_has_scale(f))
            continue;
        for (uint32_t c = 0; c < 1u << f->scale_bits; c++) {
            uint8_t in[2] = {(uint8_t)c, (uint8_t)(c >> 8)}, out[2] = {0};
            uint32_t x = tsr_num_load_scale(f, in);
            tsr_num_store_scale(f, out, x);
            if (memcmp(in, out, f->scale_bits / 8u) != 0 && !isnan(f32(x)))
                fail_msg("%s: scale 0x%x became 0x%02x%02x", f->name, c, out[1], out[0]);
            if (f->scale_bits == 8 && f->family != TSR_FAMILY_NVF && c < 255)
                assert_true(f32(x) == ldexpf(1, (int)c - 127));
            if (f->scale_bits == 8 && f->family != TSR_FAMILY_NVF && c == 255)
                assert_true(isnan(f32(x)) && out[0] == 255);
        }
    }
    tsr_isa_free(isa);
}

/* A block as quant.h makes it: its scale loaded, x times a power of two (exactly, but for what the
 * element drops anyway), stored element by element: the same bytes. */
static void test_element_blocks_of_powers_of_two_equal_quantize(void **state)
{
    struct tsr_isa *isa = load_isa();
    uint64_t s = tsr_test_seed("blocks", 64);
    struct tsr_error err = {0};
    int odd = tsr_num_primitive_find("scale2_odd");
    (void)state;
    for (int n = 0; n < 60000; n++) {
        const struct tsr_format *f = &isa->formats[TSR_MXF8E4M3 + n % 9];
        struct tsr_num_quant q = {.format = f};
        uint32_t x[32], v[32], block = f->block;
        uint8_t want[40], got[40], scale[2];
        int spread = (int)tsr_test_random_below(&s, 60), base = (int)tsr_test_random_below(&s, 280);
        for (uint32_t i = 0; i < block; i++) {
            int e = base - 150 - (int)tsr_test_random_below(&s, (uint64_t)spread + 1);
            x[i] = bits_of(ldexpf(tsr_test_random_f32(&s), e > 126 ? 126 : e));
            x[i] = tsr_test_random_below(&s, 12) ? x[i] : x[i] & 0x80000000;
        }
        if (n % 500 == 0)
            x[n % block] = 0x7F7FFFFF;
        assert_int_equal(tsr_num_quantize(&q, x, block, want, scale, &err), TSR_OK);
        int down = 127 - scale[0];
        for (uint32_t i = 0; i < block; i++)
            v[i] = tsr_num_primitive_apply(odd, x[i], (uint32_t)down, 0);
        tsr_num_store_elements(f, got, v, block);
        struct tsr_num_group g = tsr_num_element_group(f);
        if (memcmp(want, got, block / g.elems * g.bytes) != 0)
            fail_msg("%s: block %d, scale %u", f->name, n, scale[0]);
    }
    tsr_isa_free(isa);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_element_codes_survive_load_and_store),
        cmocka_unit_test(test_element_pairs_share_a_shift),
        cmocka_unit_test(test_element_integers_round_and_saturate),
        cmocka_unit_test(test_element_arrays_equal_their_groups),
        cmocka_unit_test(test_element_scales_survive_load_and_store),
        cmocka_unit_test(test_element_blocks_of_powers_of_two_equal_quantize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
