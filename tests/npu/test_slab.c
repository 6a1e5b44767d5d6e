/* SPDX-License-Identifier: Apache-2.0 */
/* The slab-major layout: sizes against figures worked out by hand from the formats' definitions,
 * every pair's rules on every chip, and rows through it against the planes of isa/num/quant.h. */
#include "tests/support/harness.h"

#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "isa/num/quant.h"
#include "kernels/npu/slab.h"

static struct tsr_isa *isa;
static struct tsr_chip maia, micro;

static int setup(void **state)
{
    struct tsr_error err = {0};
    (void)state;
    return tsr_isa_load(NULL, 0, &isa, &err) || tsr_chip_load("maia100", &maia, &err) ||
           tsr_chip_load("micro", &micro, &err);
}

static int teardown(void **state)
{
    (void)state;
    tsr_isa_free(isa);
    return 0;
}

static const enum tsr_dtype formats[] = {
    TSR_BF16,     TSR_F16,      TSR_F8E4M3,   TSR_F8E5M2,   TSR_I8,   TSR_I4,
    TSR_MXF8E4M3, TSR_MXF8E5M2, TSR_MXF6E3M2, TSR_MXF6E2M3, TSR_MXF4, TSR_MXI8,
    TSR_MX9,      TSR_MX6,      TSR_MX4,      TSR_NVF4,     TSR_Q8_0, TSR_Q4_0};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Lines of 256 and 32 bytes. mx9: 18 bytes for 16; mx6: 12; mx4: 8; nvf4: 9; mxf8, mxi8: 33 for 32;
 * mxf6: 25; mxf4: 17; q8_0: 34; q4_0: 18. */
static void test_slab_units_are_as_worked_out(void **state)
{
    static const struct {
        enum tsr_dtype own, partner;
        bool small;
        uint32_t ks, unit, scales_at;
    } want[] = {
        {TSR_MX9, TSR_MX9, false, 224, 252, 238},
        {TSR_MX6, TSR_MX6, false, 320, 240, 220},
        {TSR_MX4, TSR_MX4, false, 512, 256, 224},
        {TSR_NVF4, TSR_NVF4, false, 448, 252, 224},
        {TSR_MXF4, TSR_MXF4, false, 448, 238, 224},
        {TSR_Q4_0, TSR_Q4_0, false, 448, 252, 224},
        {TSR_Q8_0, TSR_Q8_0, false, 224, 238, 224},
        {TSR_MXI8, TSR_MXI8, false, 224, 231, 224},
        {TSR_MXF6E2M3, TSR_MXF6E2M3, false, 320, 250, 240},
        {TSR_MX6, TSR_MX9, false, 224, 168, 154},
        {TSR_MX6, TSR_BF16, false, 128, 96, 88},
        {TSR_MX9, TSR_MX9, true, 16, 18, 17},
        {TSR_MX6, TSR_MX6, true, 32, 24, 22},
        {TSR_MXF8E4M3, TSR_MXF8E4M3, true, 16, 17, 16},
        {TSR_Q8_0, TSR_MXF4, true, 16, 18, 16},
        {TSR_Q4_0, TSR_Q4_0, true, 32, 18, 16},
        {TSR_MXF4, TSR_BF16, true, 16, 9, 8},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        struct tsr_npu_slab s;
        assert_int_equal(tsr_npu_slab_plan(isa, want[i].small ? &micro : &maia, want[i].own,
                                           want[i].partner, 7, 1000, &s, NULL),
                         TSR_OK);
        assert_true(s.blocked);
        assert_int_equal(s.ks, want[i].ks);
        assert_int_equal(s.unit_bytes, want[i].unit);
        assert_int_equal(s.scales_at, want[i].scales_at);
        assert_int_equal(s.slabs, (1000 + s.ks - 1) / s.ks);
        assert_int_equal(tsr_npu_slab_offset(&s, 3, 2), (2 * 7 + 3) * s.unit_bytes);
        assert_int_equal(tsr_npu_slab_bytes(&s), 7 * s.slabs * s.unit_bytes);
    }
}

static uint32_t lanes(const struct tsr_chip *chip, const struct tsr_format *f)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    return f->width_class == 16 ? t->r16 : f->width_class == 9 ? t->r9 : t->r6;
}

static void check_pair(const struct tsr_chip *chip, enum tsr_dtype a, enum tsr_dtype b)
{
    struct tsr_npu_slab s, t;
    struct tsr_error err = {0};
    const struct tsr_format *f = &isa->formats[a], *g = &isa->formats[b];
    enum tsr_status st = tsr_npu_slab_plan(isa, chip, a, b, 5, 777, &s, &err);
    if ((f->family == TSR_FAMILY_INT) != (g->family == TSR_FAMILY_INT)) {
        assert_int_equal(st, TSR_BAD_INPUT);
        assert_non_null(strstr(err.message, f->name));
        return;
    }
    assert_int_equal(st, TSR_OK);
    assert_int_equal(tsr_npu_slab_plan(isa, chip, b, a, 5, 777, &t, &err), TSR_OK);
    assert_int_equal(s.ks, t.ks);
    uint32_t rf = lanes(chip, f), rg = lanes(chip, g);
    assert_int_equal(s.ks % (rf < rg ? rf : rg), 0);
    assert_true(s.ks % f->block == 0 || f->block % s.ks == 0);
    assert_true(s.line_bytes <= chip->tile.line_bytes);
    assert_int_equal(s.blocked, f->block > 1);
    if (!s.blocked)
        assert_int_equal(tsr_npu_slab_bytes(&s), 5 * ((777 * f->bits + 7) / 8));
}

static void test_slab_every_pair_keeps_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++)
        for (size_t j = 0; j < COUNT(formats); j++) {
            check_pair(&maia, formats[i], formats[j]);
            check_pair(&micro, formats[i], formats[j]);
        }
}

static void test_slab_bad_shape_or_format_is_refused(void **state)
{
    struct tsr_npu_slab s;
    struct tsr_error err = {0};
    (void)state;
    assert_int_equal(tsr_npu_slab_plan(isa, &maia, TSR_MX9, TSR_MX9, 0, 1, &s, &err),
                     TSR_BAD_INPUT);
    assert_non_null(strstr(err.message, "1 to 2^32"));
    assert_int_equal(tsr_npu_slab_plan(isa, &maia, TSR_F32, TSR_MX9, 1, 1, &s, &err),
                     TSR_BAD_INPUT);
    assert_int_equal(tsr_npu_slab_plan(isa, &maia, TSR_MX9, TSR_Q4_K, 1, 1, &s, &err),
                     TSR_BAD_INPUT);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Rows of k values through the image, against quantize and dequantize of whole planes. */
static void check_rows(const struct tsr_chip *chip, enum tsr_dtype own, enum tsr_dtype partner,
                       uint64_t k, uint64_t *seed)
{
    enum {
        ROWS = 3,
        MOST = 1024
    };
    struct tsr_npu_slab s;
    static uint32_t x[ROWS][MOST], want[MOST], got[MOST];
    static uint8_t elements[2 * MOST], scales[MOST], again[2 * MOST], scales_again[MOST];
    assert_int_equal(tsr_npu_slab_plan(isa, chip, own, partner, ROWS, k, &s, NULL), TSR_OK);
    uint64_t bytes = tsr_npu_slab_bytes(&s), block = s.format->block;
    uint64_t n = (k + block - 1) / block * block;
    uint8_t *image = malloc(bytes);
    assert_non_null(image);
    memset(image, 0xa5, bytes);
    memset(x, 0, sizeof x);
    for (uint64_t i = 0; i < ROWS; i++) {
        for (uint64_t j = 0; j < k; j++) {
            *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            float v = (float)(int32_t)(*seed >> 32) * 0x1p-30f;
            memcpy(&x[i][j], &v, 4);
        }
        assert_int_equal(tsr_npu_slab_pack(&s, i, x[i], image, NULL), TSR_OK);
    }
    struct tsr_num_quant q = {.format = s.format, .round = TSR_ROUND_EVEN};
    for (uint64_t i = 0; i < ROWS; i++) {
        assert_int_equal(tsr_num_quantize(&q, x[i], n, elements, scales, NULL), TSR_OK);
        assert_int_equal(tsr_num_dequantize(&q, elements, scales, n, want, NULL), TSR_OK);
        assert_int_equal(tsr_npu_slab_unpack(&s, i, image, got, NULL), TSR_OK);
        assert_memory_equal(got, want, 4 * k);
        tsr_npu_slab_to_planes(&s, i, image, again, scales_again);
        assert_memory_equal(again, elements, tsr_num_element_bytes(&q, n));
        assert_memory_equal(scales_again, scales, tsr_num_scale_bytes(&q, n));
    }
    free(image);
}

static void test_slab_rows_come_back_as_from_planes(void **state)
{
    static const uint64_t ks[] = {1, 15, 32, 33, 320, 777};
    uint64_t seed = 20260131;
    (void)state;
    for (size_t i = 0; i < COUNT(formats); i++)
        for (size_t j = 0; j < COUNT(ks) && isa->formats[formats[i]].block > 1; j++) {
            check_rows(&maia, formats[i], formats[i], ks[j], &seed);
            check_rows(&maia, formats[i], TSR_BF16, ks[j], &seed);
            check_rows(&micro, formats[i], TSR_MX9, ks[j], &seed);
        }
}

/* q8_0 in units of 16 of a block of 32: both halves carry the block's scale; behind the row's last
 * block there are zeros. */
static void test_slab_scales_repeat_where_a_line_is_short(void **state)
{
    struct tsr_npu_slab s;
    uint32_t x[40];
    uint8_t image[2 * 4 * 18];
    (void)state;
    for (int i = 0; i < 40; i++) {
        float v = i < 32 ? (float)(127 - i) : -127.0f * 2.0f;
        memcpy(&x[i], &v, 4);
    }
    assert_int_equal(tsr_npu_slab_plan(isa, &micro, TSR_Q8_0, TSR_Q8_0, 2, 40, &s, NULL), TSR_OK);
    assert_int_equal(tsr_npu_slab_bytes(&s), 2 * 3 * 18);
    memset(image, 0xee, sizeof image);
    assert_int_equal(tsr_npu_slab_pack(&s, 1, x, image, NULL), TSR_OK);
    const uint8_t *first = image + 18, *second = image + 3 * 18, *third = image + 5 * 18;
    assert_int_equal(image[0], 0xee); /* the other row */
    assert_int_equal(first[0], 127);
    assert_int_equal(second[0], 127 - 16);
    assert_int_equal(first[16] | first[17] << 8, 0x3c00); /* 1.0 in f16 */
    assert_int_equal(second[16] | second[17] << 8, 0x3c00);
    assert_int_equal(third[0], 0x81);
    assert_int_equal(third[8], 0);
    assert_int_equal(third[16] | third[17] << 8, 0x4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slab_units_are_as_worked_out),
        cmocka_unit_test(test_slab_every_pair_keeps_the_rules),
        cmocka_unit_test(test_slab_bad_shape_or_format_is_refused),
        cmocka_unit_test(test_slab_rows_come_back_as_from_planes),
        cmocka_unit_test(test_slab_scales_repeat_where_a_line_is_short),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
