/* SPDX-License-Identifier: Apache-2.0 */
/* .npy files: what is read back, what is refused, and that no file can do harm. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/npy.h"
#include "tessera/isa.h"
#include "tests/support/harness.h"

static struct tsr_isa *isa;

/* A file in memory: magic, version, header text padded to 64 bytes, data. */
static uint8_t *make(int version, const char *header, const void *data, size_t n, size_t *size)
{
    size_t at = version == 1 ? 10 : 12, length = strlen(header);
    size_t padded = (at + length + 1 + 63) / 64 * 64 - at;
    uint8_t *p = calloc(1, at + padded + n + 1);
    assert_non_null(p);
    memcpy(p, "\x93NUMPY", 6);
    p[6] = (uint8_t)version;
    for (size_t i = 8; i < at; i++)
        p[i] = (uint8_t)(padded >> 8 * (i - 8));
    memset(p + at, ' ', padded);
    memcpy(p + at, header, length);
    p[at + padded - 1] = '\n';
    if (n)
        memcpy(p + at + padded, data, n);
    *size = at + padded + n;
    return p;
}

static enum tsr_status parse(int version, const char *header, const void *data, size_t n,
                             struct npy *out, struct tsr_error *err)
{
    size_t size;
    uint8_t *p = make(version, header, data, n, &size);
    *err = (struct tsr_error){0};
    return npy_parse("f.npy", p, size, out, err);
}

static void test_read_of_each_version_and_spelling_gives_the_array(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{\"shape\":(2,3,),\"descr\":\"<f4\",\"fortran_order\":False}",
        "{ 'fortran_order' : False, 'shape' : ( 2 , 3 ) , 'descr' : '<f4' }",
    };
    const float x[] = {0, 1, 2, 3, 4, 5};
    for (int version = 1; version <= 3; version++)
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
            struct npy a;
            struct tsr_error err;
            assert_int_equal(parse(version, headers[i], x, sizeof x, &a, &err), TSR_OK);
            assert_int_equal(a.kind, NPY_F4);
            assert_int_equal(a.dims, 2);
            assert_int_equal(a.dim[0], 2);
            assert_int_equal(a.dim[1], 3);
            assert_int_equal(a.n, 6);
            assert_memory_equal(a.data, x, sizeof x);
            npy_free(&a);
        }
}

static void test_read_of_odd_shapes_gives_their_sizes(void **state)
{
    (void)state;
    struct npy a;
    struct tsr_error err;
    assert_int_equal(parse(1, "{'descr':'|i1','fortran_order':False,'shape':()}", "x", 1, &a, &err),
                     TSR_OK);
    assert_int_equal(a.dims, 0);
    assert_int_equal(a.n, 1);
    npy_free(&a);
    assert_int_equal(
        parse(1, "{'descr':'<i4','fortran_order':False,'shape':(7,0)}", "", 0, &a, &err), TSR_OK);
    assert_int_equal(a.n, 0);
    npy_free(&a);
}

static void test_read_of_bad_files_says_what_and_where(void **state)
{
    (void)state;
    static const struct {
        const char *header, *says;
        size_t bytes;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", "C order", 8},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", "big-endian", 8},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}", "'<f8'", 8},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "descr", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "cut off", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "its shape says 4", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "shape", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "cut off",
         8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "2^56", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "8 dim", 4},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 2}", "tuple", 8},
        {"{'descr': '<f4', 'fortran_order': False}", "wanted", 8},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "twice", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", "unknown", 8},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "True or False", 8},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "comma", 8},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} 1", "follows", 8},
        {"", "dict", 8},
        {"{", "key", 8},
        {"{'descr", "key", 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct npy a = {.n = 77};
        struct tsr_error err;
        const float x[] = {1, 2};
        assert_int_equal(parse(1, bad[i].header, x, bad[i].bytes, &a, &err), TSR_BAD_INPUT);
        if (strncmp(err.message, "f.npy: ", 7) != 0 || !strstr(err.message, bad[i].says))
            fail_msg("%s: \"%s\"", bad[i].header, err.message);
        assert_int_equal(a.n, 77); /* untouched */
    }
}

static void test_read_of_short_files_is_refused(void **state)
{
    (void)state;
    const float x[] = {0, 1, 2, 3, 4, 5};
    size_t size;
    uint8_t *whole =
        make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x, &size);
    for (size_t n = 0; n < size; n++) {
        uint8_t *p = malloc(n ? n : 1); /* exactly as long: a sanitizer sees each byte beyond */
        struct npy a;
        struct tsr_error err = {0};
        memcpy(p, whole, n);
        assert_int_equal(npy_parse("f.npy", p, n, &a, &err), TSR_BAD_INPUT);
    }
    free(whole);
}

/* Whatever is changed, the reader gives a clear error or an array that its bytes hold. */
static void test_read_of_mutated_files_never_does_harm(void **state)
{
    (void)state;
    static const char *const tokens[] = {"'",  "(",          ")",  ",",    "{",     "}",
                                         ":",  "9999999999", "0",  "True", "'<i4'", "'|i1'",
                                         "\n", "shape",      "\\", "\""};
    uint64_t seed = tsr_test_seed("npy", 5);
    const float x[] = {0, 1, 2, 3, 4, 5};
    size_t good = 0;
    int rounds = tsr_test_nightly() ? 2000000 : 60000;
    for (int i = 0; i < rounds; i++) {
        size_t size, token;
        uint8_t *p =
            make(1 + (int)tsr_test_random_below(&seed, 3),
                 "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", x, sizeof x, &size);
        for (uint64_t k = tsr_test_random_below(&seed, 4); k-- > 0;) {
            size_t at = (size_t)tsr_test_random_below(&seed, size);
            const char *t = tokens[tsr_test_random_below(&seed, 16)];
            token = strlen(t) < size - at ? strlen(t) : size - at;
            if (tsr_test_random(&seed) & 1)
                memcpy(p + at, t, token);
            else
                p[at] = (uint8_t)tsr_test_random(&seed);
        }
        if (tsr_test_random_below(&seed, 4) == 0)
            size = (size_t)tsr_test_random_below(&seed, size);
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, p, size);
        free(p);
        struct npy a = {0};
        struct tsr_error err = {0};
        if (npy_parse("f.npy", exact, size, &a, &err) == TSR_OK) {
            uint32_t *bits = NULL;
            good++;
            assert_true(a.n * npy_bytes(a.kind) <= size);
            if (npy_to_f32("f.npy", &a, &bits, &err) == TSR_OK)
                free(bits);
            npy_free(&a);
        } else {
            assert_int_equal(err.status, TSR_BAD_INPUT);
            assert_int_equal(strncmp(err.message, "f.npy: ", 7), 0);
        }
    }
    assert_true(good > 1000); /* the mutations are not all fatal */
}

static enum tsr_status encode(enum npy_kind kind, const void *data, size_t n, enum tsr_dtype f,
                              uint8_t *codes, size_t *saturated, char *message)
{
    struct npy a = {.kind = kind, .dims = 1, .dim = {n}, .n = n};
    a.data = malloc(n * npy_bytes(kind));
    memcpy(a.data, data, n * npy_bytes(kind));
    uint8_t *out = NULL;
    size_t bytes;
    struct tsr_error err = {0};
    enum tsr_status st = npy_encode("f.npy", &a, &isa->formats[f], &out, &bytes, saturated, &err);
    if (st == TSR_OK)
        memcpy(codes, out, bytes);
    snprintf(message, 256, "%.255s", err.message);
    free(out);
    npy_free(&a);
    return st;
}

static void test_encode_rounds_and_keeps(void **state)
{
    (void)state;
    uint8_t c[64];
    char m[256];
    size_t cut;
    const float x[] = {1.0f, 1.00390625f, -1.01171875f, 3e38f}; /* ties of bf16 */
    const uint8_t bf16[] = {0x80, 0x3f, 0x80, 0x3f, 0x82, 0xbf, 0x62, 0x7f};
    assert_int_equal(encode(NPY_F4, x, 4, TSR_BF16, c, &cut, m), TSR_OK);
    assert_memory_equal(c, bf16, sizeof bf16);
    const int8_t small[] = {-128, 127, -1, 0};
    assert_int_equal(encode(NPY_I1, small, 4, TSR_I8, c, &cut, m), TSR_OK);
    assert_memory_equal(c, small, 4);
    const float whole[] = {-128.0f, 127.0f, -0.0f, 5.0f};
    const int8_t wanted[] = {-128, 127, 0, 5};
    assert_int_equal(encode(NPY_F4, whole, 4, TSR_I8, c, &cut, m), TSR_OK);
    assert_memory_equal(c, wanted, 4);
    const float big[] = {1e6f, -500.0f, 448.0f};
    const uint8_t e4m3[] = {0x7e, 0xfe, 0x7e};
    assert_int_equal(encode(NPY_F4, big, 3, TSR_F8E4M3, c, &cut, m), TSR_OK);
    assert_memory_equal(c, e4m3, 3);
    assert_int_equal(cut, 2);
    const int8_t nibbles[] = {-8, 7, -1};
    const uint8_t packed[] = {0x78, 0x0f};
    assert_int_equal(encode(NPY_I1, nibbles, 3, TSR_I4, c, &cut, m), TSR_OK);
    assert_memory_equal(c, packed, 2);
}

static void test_encode_of_what_does_not_fit_names_the_element(void **state)
{
    (void)state;
    static const struct {
        float x;
        enum tsr_dtype format;
        const char *says;
    } bad[] = {{NAN, TSR_BF16, "not finite"},
               {INFINITY, TSR_F8E4M3, "not finite"},
               {65520.0f, TSR_F16, "range of f16"},
               {3.4e38f, TSR_BF16, "range of bf16"},
               {128.0f, TSR_I8, "fits i8"},
               {0.5f, TSR_I8, "fits i8"},
               {NAN, TSR_I8, "fits i8"},
               {-129.0f, TSR_I8, "fits i8"},
               {0x1p31f, TSR_I32, "fits i32"},
               {1e30f, TSR_I32, "fits i32"},
               {1.0f, TSR_MX9, "not read as mx9"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t c[64];
        char m[256];
        size_t cut;
        const float x[] = {0.0f, 1.0f, bad[i].x};
        assert_int_equal(encode(NPY_F4, x, 3, bad[i].format, c, &cut, m), TSR_BAD_INPUT);
        if (!strstr(m, bad[i].says) || (bad[i].format != TSR_MX9 && !strstr(m, "element [2]")))
            fail_msg("\"%s\"", m);
    }
    uint8_t c[64];
    char m[256];
    size_t cut;
    const int32_t wide[] = {1, 200};
    assert_int_equal(encode(NPY_I4, wide, 2, TSR_I8, c, &cut, m), TSR_BAD_INPUT);
    const int32_t odd[] = {1, 16777217};
    assert_int_equal(encode(NPY_I4, odd, 2, TSR_F32, c, &cut, m), TSR_BAD_INPUT);
}

static void test_write_and_read_again_is_the_identity(void **state)
{
    (void)state;
    static const enum tsr_dtype formats[] = {TSR_F32,    TSR_F16, TSR_BF16,
                                             TSR_F8E4M3, TSR_I8,  TSR_I32};
    static const enum npy_kind kinds[] = {NPY_F4, NPY_F2, NPY_F4, NPY_F4, NPY_I1, NPY_I4};
    for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
        const struct tsr_format *row = &isa->formats[formats[f]];
        uint8_t codes[24];
        for (size_t i = 0; i < sizeof codes; i++)
            codes[i] = (uint8_t)(i * 5 + 1);
        struct npy a = {.dims = 2, .dim = {2, 3}}, b = {0};
        struct tsr_error err = {0};
        uint8_t *back = NULL;
        size_t bytes, cut;
        assert_int_equal(npy_decode(row, codes, &a, &err), TSR_OK);
        assert_int_equal(a.kind, kinds[f]);
        assert_int_equal(npy_write("x.npy", &a, &err), TSR_OK);
        assert_int_equal(npy_read("x.npy", &b, &err), TSR_OK);
        assert_int_equal(b.kind, a.kind);
        assert_int_equal(b.dims, 2);
        assert_int_equal(b.dim[1], 3);
        assert_int_equal(npy_encode("x.npy", &b, row, &back, &bytes, &cut, &err), TSR_OK);
        assert_int_equal(bytes, 6u * row->bits / 8);
        assert_memory_equal(back, codes, bytes);
        free(back);
        npy_free(&a);
        npy_free(&b);
    }
    struct npy one = {.kind = NPY_I1, .dims = 1, .dim = {3}, .n = 3, .data = malloc(3)}, b;
    struct tsr_error err = {0};
    memcpy(one.data, "abc", 3);
    assert_int_equal(npy_write("y.npy", &one, &err), TSR_OK);
    assert_int_equal(npy_read("y.npy", &b, &err), TSR_OK);
    assert_int_equal(b.dims, 1);
    assert_memory_equal(b.data, "abc", 3);
    npy_free(&one);
    npy_free(&b);
}

int main(void)
{
    struct tsr_error err = {0};
    if (tsr_isa_load(NULL, 0, &isa, &err) != TSR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_of_each_version_and_spelling_gives_the_array),
        cmocka_unit_test(test_read_of_odd_shapes_gives_their_sizes),
        cmocka_unit_test(test_read_of_bad_files_says_what_and_where),
        cmocka_unit_test(test_read_of_short_files_is_refused),
        cmocka_unit_test(test_read_of_mutated_files_never_does_harm),
        cmocka_unit_test(test_encode_rounds_and_keeps),
        cmocka_unit_test(test_encode_of_what_does_not_fit_names_the_element),
        cmocka_unit_test(test_write_and_read_again_is_the_identity),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    tsr_isa_free(isa);
    return failures;
}
