/* SPDX-License-Identifier: Apache-2.0 */
/* Vector math: every variant that this processor has gives the reference's bits, whatever the
 * size, the alignment and the values; buffers end at unmapped pages. How far the reference lies
 * from exact results: test_vecmath_bounds.c. */
#include "tests/support/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/variants.h"
#include "tessera/cpu.h"

enum {
    MOST = 1100,
    INPUTS = 4,
    KINDS = 7
};

struct problem {
    size_t n;
    unsigned kind, turn; /* turn: of the operation's own choices */
    const float *in[INPUTS];
    void *out;
};

static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

static float value(uint64_t *s, unsigned kind)
{
    static const uint32_t special[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001,
                                       0,          0x80000000, 1,          0x7F7FFFFF};
    const uint64_t r = tsr_test_random(s);
    const float v = tsr_test_random_f32(s);
    switch (kind) {
    case 0:
        return v;
    case 1:
        return v * 12;
    case 2:
        return v * 100; /* around the ends of exp */
    case 3:
        return from_bits((uint32_t)r); /* anything */
    case 4:
        return r % 40 == 0 ? from_bits(special[r >> 8 & 7]) : v * 20;
    case 5:
        return 1e5f + v * 3; /* a far mean, a far maximum */
    default:
        return from_bits((uint32_t)r & 0x807FFFFF); /* subnormals */
    }
}

/* Calls the variant on the problem. */
static void call(const struct tsr_variant *v, const struct problem *p, void *out)
{
    const float *x = p->in[0], *w = p->in[1], *b = p->in[2];
    const size_t n = p->n;
    switch (v->op) {
    case TSR_OP_exp_f32:
        ((tsr_exp_f32_fn *)v->function)((enum tsr_exp_terms)(p->turn % 3), n, x, out);
        break;
    case TSR_OP_softmax_f32:
        ((tsr_softmax_f32_fn *)v->function)((enum tsr_exp_terms)(p->turn % 3), n, x, out);
        break;
    case TSR_OP_rmsnorm_f32:
        ((tsr_rmsnorm_f32_fn *)v->function)(n, 1e-5, x, p->turn % 3 > 0 ? w : NULL, out);
        break;
    case TSR_OP_layernorm_f32:
        ((tsr_layernorm_f32_fn *)v->function)(n, 1e-5, x, p->turn % 4 > 0 ? w : NULL,
                                              p->turn % 3 > 0 ? b : NULL, out);
        break;
    case TSR_OP_gate_f32: {
        const enum tsr_activation act = (enum tsr_activation)(p->turn % 4);
        const bool gated = act == TSR_ACT_SWIGLU_CLAMP || p->turn % 3 > 0;
        ((tsr_gate_f32_fn *)v->function)(act, 7, 1.702f, n, x, gated ? w : NULL, out);
        break;
    }
    case TSR_OP_rope_f32: {
        const size_t heads = 1 + p->turn % 3, dim = n / heads / 2 * 2;
        ((tsr_rope_f32_fn *)v->function)((enum tsr_rope_pairs)(p->turn % 2), heads, dim, w, b, x,
                                         out);
        break;
    }
    case TSR_OP_residual_f32:
        ((tsr_residual_f32_fn *)v->function)(n, x, w, out);
        break;
    default:
        ((tsr_convert_fn *)v->function)(n, x, out);
        break;
    }
}

/* 0: none of vector math; else bytes of a result. */
static size_t result_bytes(enum tsr_cpu_op op)
{
    switch (op) {
    case TSR_OP_exp_f32:
    case TSR_OP_softmax_f32:
    case TSR_OP_rmsnorm_f32:
    case TSR_OP_layernorm_f32:
    case TSR_OP_gate_f32:
    case TSR_OP_rope_f32:
    case TSR_OP_residual_f32:
    case TSR_OP_convert_bf16_f32:
    case TSR_OP_convert_f16_f32:
        return 4;
    case TSR_OP_convert_f32_bf16:
    case TSR_OP_convert_f32_f16:
        return 2;
    default:
        return 0;
    }
}

static bool narrow_input(enum tsr_cpu_op op)
{
    return op == TSR_OP_convert_bf16_f32 || op == TSR_OP_convert_f16_f32;
}

static const struct tsr_variant *reference(enum tsr_cpu_op op)
{
    const struct tsr_variant *v = tsr_variants;
    while (v->op != op)
        v++;
    return v;
}

/* NaNs that arithmetic makes may differ in their payload; conversions keep theirs. */
static bool same(const struct tsr_variant *v, size_t bytes, const void *got, const void *want,
                 size_t i)
{
    uint32_t g = 0, w = 0;
    memcpy(&g, (const char *)got + bytes * i, bytes);
    memcpy(&w, (const char *)want + bytes * i, bytes);
    if (g == w)
        return true;
    const bool converts = bytes == 2 || narrow_input(v->op);
    if (!converts && isnan(from_bits(g)) && isnan(from_bits(w)))
        return true;
    /* Each within an ULP of exact: SLEEF and the full polynomial. */
    return v->tolerance > 0 && !isnan(from_bits(g)) && !isnan(from_bits(w)) && g - w + 2 <= 4;
}

static void check(const struct tsr_variant *v, struct problem p, bool in_place)
{
    static float want[MOST];
    const size_t bytes = result_bytes(v->op);
    if (v->tolerance > 0)
        p.turn = TSR_EXP_FULL;
    call(reference(v->op), &p, want);
    if (in_place) {
        memcpy(p.out, p.in[0], 4 * p.n);
        p.in[0] = p.out;
    } else {
        memset(p.out, 0xA5, bytes * p.n);
    }
    call(v, &p, p.out);
    for (size_t i = 0; i < p.n; i++) {
        if (v->op == TSR_OP_rope_f32 && i >= p.n / (1 + p.turn % 3) / 2 * 2 * (1 + p.turn % 3))
            break; /* behind the last pair */
        if (!same(v, bytes, p.out, want, i)) {
            uint32_t g = 0, w = 0;
            memcpy(&g, (const char *)p.out + bytes * i, bytes);
            memcpy(&w, (const char *)want + bytes * i, bytes);
            fail_msg("%s %s, %zu of kind %u, turn %u: element %zu is %08x, not %08x",
                     tsr_op_name(v->op), v->name, p.n, p.kind, p.turn, i, g, w);
        }
    }
}

/* Buffers that end at a page's end, filled anew. */
static struct problem problem(uint64_t *s, enum tsr_cpu_op op, size_t n, unsigned kind,
                              unsigned turn)
{
    static char *pages[INPUTS + 1];
    struct problem p = {.n = n, .kind = kind, .turn = turn};
    for (int b = 0; b < INPUTS + 1; b++) {
        if (pages[b] == NULL)
            pages[b] = tsr_test_guarded(4 * MOST);
        const size_t bytes = b < INPUTS ? narrow_input(op) ? 2 : 4 : result_bytes(op);
        char *start = pages[b] + 4 * MOST - bytes * n;
        for (size_t i = 0; b < INPUTS && i < n; i++) {
            const float v = value(s, b == 0 ? kind : kind % 2);
            const uint32_t u = bits_of(v);
            memcpy(start + bytes * i, bytes == 2 ? (const void *)((const char *)&u + 2) : &u,
                   bytes);
        }
        if (b < INPUTS)
            p.in[b] = (const float *)(void *)start;
        else
            p.out = start;
    }
    return p;
}

static void test_vecmath_variants_equal_reference(void **state)
{
    /* Around rounds of sums and of unrolled loops, at every vector length. */
    static const size_t sizes[] = {0,   1,   2,   5,   8,   15,  16,  17,   31,   32,  33,
                                   63,  64,  65,  96,  127, 128, 129, 255,  256,  257, 300,
                                   384, 511, 512, 513, 640, 767, 769, 1023, 1024, 1030};
    enum {
        SIZES = sizeof sizes / sizeof sizes[0]
    };
    uint64_t s = tsr_test_seed("vecmath variants", 1);
    const unsigned rounds = tsr_test_nightly() ? 40 : 1;
    unsigned turn = 0, rows = 0;
    (void)state;
    for (size_t r = 0; r < tsr_variant_count; r++) {
        const struct tsr_variant *v = &tsr_variants[r];
        if (result_bytes(v->op) == 0 || (v->features & ~tsr_cpu_features()) != 0)
            continue;
        rows++;
        for (unsigned round = 0; round < rounds; round++)
            for (unsigned kind = 0; kind < KINDS; kind++)
                for (int i = 0; i < SIZES; i++, turn++) {
                    if (tsr_test_emulated() && !tsr_test_nightly() && (turn + r) % 2 != 0)
                        continue; /* half of them, another half for each variant */
                    check(v, problem(&s, v->op, sizes[i], kind, turn),
                          turn % 5 == 0 && result_bytes(v->op) == 4 && !narrow_input(v->op) &&
                              v->op != TSR_OP_rope_f32);
                }
    }
    printf("%u variants\n", rows);
}

/* All 2^16 narrow values, and wide ones around every one of them and around their ties. */
static void test_vecmath_conversions_equal_reference_everywhere(void **state)
{
    static uint16_t narrow[1 << 16], got16[1 << 16], want16[1 << 16];
    static float wide[1 << 16], got[1 << 16], want[1 << 16];
    (void)state;
    for (uint32_t i = 0; i < 1 << 16; i++)
        narrow[i] = (uint16_t)i;
    for (size_t r = 0; r < tsr_variant_count; r++) {
        const struct tsr_variant *v = &tsr_variants[r];
        if ((v->features & ~tsr_cpu_features()) != 0)
            continue;
        tsr_convert_fn *fn = (tsr_convert_fn *)v->function;
        tsr_convert_fn *ref = (tsr_convert_fn *)reference(v->op)->function;
        if (narrow_input(v->op)) {
            ref(1 << 16, narrow, want);
            fn(1 << 16, narrow, got);
            assert_memory_equal(got, want, sizeof want);
        } else if (result_bytes(v->op) == 2) {
            const bool bf16 = v->op == TSR_OP_convert_f32_bf16;
            for (int around = 0; around < 6; around++) {
                /* Half an ULP of f16 is bit 12 of an f32, of bf16 bit 15. */
                for (uint32_t i = 0; i < 1 << 16; i++) {
                    uint32_t half = bf16 ? 0x8000 : 0x1000;
                    uint32_t base = bf16 ? i << 16 : 0x33000000 + (i << 13);
                    wide[i] = from_bits((base ^ (bf16 ? 0 : (i & 1) << 31)) +
                                        (around < 3 ? 0 : half) + (uint32_t)(around % 3) - 1);
                }
                ref(1 << 16, wide, want16);
                fn(1 << 16, wide, got16);
                assert_memory_equal(got16, want16, sizeof want16);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vecmath_variants_equal_reference),
        cmocka_unit_test(test_vecmath_conversions_equal_reference_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
