/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/num/ttu_oracle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A fraction of mbits under an exponent field of bias b has the least magnitude 2^(1 - b - mbits).
 */
#define FLOAT(name, dtype, bits, ebits, mbits, bias, specials, block, scale, wide)                 \
    {                                                                                              \
        name, dtype, TSR_ORACLE_FLOAT, bits, ebits, mbits, 1 - (bias) - (mbits), (mbits) + 1,      \
            TSR_SPECIALS_##specials, block, TSR_ORACLE_##scale, wide                               \
    }
#define INTEGER(name, dtype, kind, bits, least, block, scale)                                      \
    {                                                                                              \
        name, dtype, TSR_ORACLE_##kind, bits, 0, 0, least, bits, TSR_SPECIALS_NONE, block,         \
            TSR_ORACLE_##scale, false                                                              \
    }
/* m << (1 - shift) in units of 2^-mbits. */
#define SHIFT(name, dtype, mbits)                                                                  \
    {                                                                                              \
        name, dtype, TSR_ORACLE_SHIFT, (mbits) + 1, 0, mbits, -(mbits), (mbits) + 1,               \
            TSR_SPECIALS_NONE, 16, TSR_ORACLE_E8M0, false                                          \
    }

const struct tsr_oracle_format tsr_oracle_formats[TSR_ORACLE_FORMATS] = {
    FLOAT("bf16", TSR_BF16, 16, 8, 7, 127, IEEE, 0, NO_SCALE, true),
    FLOAT("f16", TSR_F16, 16, 5, 10, 15, IEEE, 0, NO_SCALE, true),
    FLOAT("f8e4m3", TSR_F8E4M3, 8, 4, 3, 7, FN, 0, NO_SCALE, false),
    FLOAT("f8e5m2", TSR_F8E5M2, 8, 5, 2, 15, IEEE, 0, NO_SCALE, true),
    INTEGER("i8", TSR_I8, TWOS, 8, 0, 0, NO_SCALE),
    INTEGER("i4", TSR_I4, TWOS, 4, 0, 0, NO_SCALE),
    FLOAT("mxf8e4m3", TSR_MXF8E4M3, 8, 4, 3, 7, FN, 32, E8M0, false),
    FLOAT("mxf8e5m2", TSR_MXF8E5M2, 8, 5, 2, 15, IEEE, 32, E8M0, true),
    FLOAT("mxf6e3m2", TSR_MXF6E3M2, 6, 3, 2, 3, NONE, 32, E8M0, false),
    FLOAT("mxf6e2m3", TSR_MXF6E2M3, 6, 2, 3, 1, NONE, 32, E8M0, false),
    FLOAT("mxf4", TSR_MXF4, 4, 2, 1, 1, NONE, 32, E8M0, false),
    INTEGER("mxi8", TSR_MXI8, TWOS, 8, -6, 32, E8M0),
    SHIFT("mx9", TSR_MX9, 7),
    SHIFT("mx6", TSR_MX6, 4),
    SHIFT("mx4", TSR_MX4, 2),
    FLOAT("nvf4", TSR_NVF4, 4, 2, 1, 1, NONE, 16, E4M3, false),
    INTEGER("q8_0", TSR_Q8_0, TWOS, 8, 0, 32, F16),
    INTEGER("q4_0", TSR_Q4_0, OFFSET, 4, 0, 32, F16),
    /* those of tests/num/overlay.h */
    FLOAT("e3m4", 22, 8, 3, 4, 3, IEEE, 0, NO_SCALE, false),
    FLOAT("mxf8e3m4", 23, 8, 3, 4, 3, NONE, 32, E8M0, false),
    SHIFT("mx5", 24, 3),
    INTEGER("mxi6", 25, TWOS, 6, -4, 16, E8M0),
    FLOAT("nvf6", 26, 6, 2, 3, 1, NONE, 16, E4M3, false),
    INTEGER("i6", 27, TWOS, 6, 0, 0, NO_SCALE),
};

bool tsr_oracle_plain_integer(const struct tsr_oracle_format *f)
{
    return f->kind == TSR_ORACLE_TWOS && f->scale == TSR_ORACLE_NO_SCALE;
}

/* ---- memory --------------------------------------------------------------------------------- */

unsigned tsr_oracle_code_bits(const struct tsr_oracle_format *f)
{
    return (unsigned)f->bits + (f->kind == TSR_ORACLE_SHIFT);
}

size_t tsr_oracle_element_bytes(const struct tsr_oracle_format *f, unsigned k)
{
    size_t bits = (size_t)f->bits;
    if (f->kind == TSR_ORACLE_SHIFT) /* whole blocks of 16 elements and 8 shifts */
        return (k + 15) / 16 * (2 * bits + 1);
    return (k * bits + 7) / 8;
}

size_t tsr_oracle_one_scale_bytes(const struct tsr_oracle_format *f)
{
    return f->scale == TSR_ORACLE_NO_SCALE ? 0 : f->scale == TSR_ORACLE_F16 ? 2 : 1;
}

size_t tsr_oracle_scale_bytes(const struct tsr_oracle_format *f, unsigned k)
{
    return f->block == 0 ? 0 : (k + f->block - 1) / f->block * tsr_oracle_one_scale_bytes(f);
}

static void put_bits(uint8_t *bytes, size_t at, unsigned n, uint32_t v)
{
    for (unsigned i = 0; i < n; i++, at++) {
        bytes[at / 8] = (uint8_t)(bytes[at / 8] & ~(1u << at % 8));
        bytes[at / 8] = (uint8_t)(bytes[at / 8] | (v >> i & 1) << at % 8);
    }
}

static uint32_t get_bits(const uint8_t *bytes, size_t at, unsigned n)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++, at++)
        v |= (uint32_t)(bytes[at / 8] >> at % 8 & 1) << i;
    return v;
}

/* Where element k starts in its run, in bits, and (SHIFT) the shift of its pair. */
static size_t element_at(const struct tsr_oracle_format *f, unsigned k, size_t *shift)
{
    size_t bits = (size_t)f->bits, block = 16 * bits + 8;
    if (f->kind != TSR_ORACLE_SHIFT)
        return k * bits;
    *shift = k / 16 * block + 16 * bits + k % 16 / 2;
    return k / 16 * block + k % 16 * bits;
}

void tsr_oracle_put(const struct tsr_oracle_format *f, uint8_t *run, unsigned k, uint32_t code)
{
    size_t shift = 0, at = element_at(f, k, &shift);
    put_bits(run, at, (unsigned)f->bits, code);
    if (f->kind == TSR_ORACLE_SHIFT)
        put_bits(run, shift, 1, code >> f->bits);
}

uint32_t tsr_oracle_get(const struct tsr_oracle_format *f, const uint8_t *run, unsigned k)
{
    size_t shift = 0, at = element_at(f, k, &shift);
    uint32_t code = get_bits(run, at, (unsigned)f->bits);
    return f->kind == TSR_ORACLE_SHIFT ? code | get_bits(run, shift, 1) << f->bits : code;
}

void tsr_oracle_put_scale(const struct tsr_oracle_format *f, uint8_t *scales, unsigned b,
                          uint32_t code)
{
    unsigned bits = 8 * (unsigned)tsr_oracle_one_scale_bytes(f);
    put_bits(scales, (size_t)b * bits, bits, code);
}

/* ---- values --------------------------------------------------------------------------------- */

static const struct tsr_oracle_value nan_value = {TSR_ORACLE_NAN, 0, 0};

static struct tsr_oracle_value number(int m, int e)
{
    return (struct tsr_oracle_value){TSR_ORACLE_NUMBER, m, e};
}

static struct tsr_oracle_value float_value(const struct tsr_oracle_format *f, uint32_t code)
{
    int fraction = (int)(code % (1u << f->mbits)), hidden = 1 << f->mbits;
    int field = (int)(code >> f->mbits) % (1 << f->ebits), top = (1 << f->ebits) - 1;
    int sign = code >> (f->bits - 1) & 1 ? -1 : 1;
    if (field == top && f->specials == TSR_SPECIALS_IEEE)
        return fraction != 0 ? nan_value : (struct tsr_oracle_value){TSR_ORACLE_INFINITE, sign, 0};
    if (field == top && f->specials == TSR_SPECIALS_FN && fraction == hidden - 1)
        return nan_value;
    if (field == 0)
        return number(sign * fraction, f->least);
    return number(sign * (hidden + fraction), f->least + field - 1);
}

struct tsr_oracle_value tsr_oracle_element(const struct tsr_oracle_format *f, uint32_t code)
{
    int v = (int)(code & ((1u << f->bits) - 1)), half = 1 << (f->bits - 1);
    switch (f->kind) {
    case TSR_ORACLE_FLOAT:
        return float_value(f, code);
    case TSR_ORACLE_TWOS:
        return number(v < half ? v : v - 2 * half, f->least);
    case TSR_ORACLE_OFFSET:
        return number(v - 8, f->least);
    default: {
        bool shift = code >> f->bits & 1;
        int m = v % half * (shift ? 1 : 2);
        return number(v < half ? m : -m, f->least);
    }
    }
}

struct tsr_oracle_value tsr_oracle_scale(const struct tsr_oracle_format *f, uint32_t code)
{
    struct tsr_oracle_value v;
    switch (f->scale) {
    case TSR_ORACLE_NO_SCALE:
        return number(1, 0);
    case TSR_ORACLE_E8M0:
        return code == 255 ? nan_value : number(1, (int)code - 127);
    case TSR_ORACLE_E4M3:
        return float_value(&tsr_oracle_formats[2], code);
    default:
        v = float_value(&tsr_oracle_formats[1], code);
        return v.class == TSR_ORACLE_INFINITE ? nan_value : v;
    }
}

/* ---- one row of an operand ------------------------------------------------------------------ */

struct row {
    struct tsr_oracle_value *element, *scale; /* [k]: each element with the scale of its block */
};

static struct row row_new(unsigned k)
{
    struct row r = {calloc(k, sizeof *r.element), calloc(k, sizeof *r.scale)};
    assert(r.element != NULL && r.scale != NULL);
    return r;
}

static void row_free(struct row *r)
{
    free(r->element);
    free(r->scale);
}

static void row_read(const struct tsr_oracle_operand *o, unsigned i, unsigned k, struct row *row)
{
    const struct tsr_oracle_format *f = o->format;
    unsigned bits = 8 * (unsigned)tsr_oracle_one_scale_bytes(f);
    for (unsigned kk = 0; kk < k; kk++) {
        uint32_t scale = 0;
        if (f->block != 0)
            scale = get_bits(o->scales + (ptrdiff_t)i * o->scale_stride,
                             (size_t)(kk / f->block) * bits, bits);
        uint32_t code = o->k_strided ? tsr_oracle_get(f, o->codes + (ptrdiff_t)kk * o->stride, i)
                                     : tsr_oracle_get(f, o->codes + (ptrdiff_t)i * o->stride, kk);
        row->element[kk] = tsr_oracle_element(f, code);
        row->scale[kk] = tsr_oracle_scale(f, scale);
    }
}

/* ---- a step --------------------------------------------------------------------------------- */

/* Sums are z 2^e. One set of variables for all steps: GMP allocates. */
struct sum {
    mpz_t z;
    int e;
};

struct work {
    const struct tsr_oracle_format *a, *b;
    mpz_t product;
    struct sum group[64], step;
    mpfr_t c, t, exact;
};

/* Twice the widest sum of all: exponents from -400 (bf16's least subnormal, an MX scale of 2^-127
 * and G bits below) to 400. That no bit is lost is asserted. */
enum {
    EXACT_BITS = 1600
};

/* What the specials of a step and C come to: 0, or the f32 that the step gives. */
static uint32_t special(const struct row *a, const struct row *b, unsigned from, unsigned to,
                        uint32_t c)
{
    bool nan = (c & 0x7FFFFFFF) > 0x7F800000, plus = c == 0x7F800000, minus = c == 0xFF800000;
    for (unsigned k = from; k < to; k++) {
        const struct tsr_oracle_value *v[4] = {&a->element[k], &a->scale[k], &b->element[k],
                                               &b->scale[k]};
        bool infinite = false, zero = false, negative = false;
        for (int i = 0; i < 4; i++) {
            nan = nan || v[i]->class == TSR_ORACLE_NAN;
            infinite = infinite || v[i]->class == TSR_ORACLE_INFINITE;
            zero = zero || (v[i]->class == TSR_ORACLE_NUMBER && v[i]->m == 0);
            negative = negative != (v[i]->m < 0);
        }
        nan = nan || (infinite && zero);
        plus = plus || (infinite && !negative);
        minus = minus || (infinite && negative);
    }
    if (nan || (plus && minus))
        return 0x7FC00000;
    return plus ? 0x7F800000 : minus ? 0xFF800000 : 0;
}

unsigned tsr_oracle_group(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                          unsigned r)
{
    unsigned group = a->block != 0 && a->block < r ? a->block : r;
    return b->block != 0 && b->block < group ? b->block : group;
}

bool tsr_oracle_even(const struct tsr_oracle_format *a, const struct tsr_oracle_format *b,
                     unsigned r)
{
    unsigned group = r > 0 && r <= 64 ? tsr_oracle_group(a, b, r) : 0;
    return group > 0 && r % group == 0 && a->block % group == 0 && b->block % group == 0;
}

/* D of a group: exact, or in units of 2^(E - G). */
static void group_sum(struct work *w, const struct row *a, const struct row *b, unsigned from,
                      unsigned to, struct sum *d)
{
    bool wide = w->a->wide || w->b->wide, any = false;
    int top = 0, g = 32 - w->a->significand - w->b->significand;
    mpz_set_ui(d->z, 0);
    for (unsigned k = from; k < to; k++) {
        int e = a->element[k].e + b->element[k].e;
        if (a->element[k].m != 0 && b->element[k].m != 0) {
            top = !any || e > top ? e : top;
            any = true;
        }
    }
    d->e = wide ? top - g : w->a->least + w->b->least;
    for (unsigned k = from; k < to; k++) {
        int e = a->element[k].e + b->element[k].e;
        mpz_set_si(w->product, (long)a->element[k].m * b->element[k].m);
        if (mpz_sgn(w->product) == 0)
            continue;
        if (wide) {
            mpz_mul_2exp(w->product, w->product, (mp_bitcnt_t)g);
            mpz_tdiv_q_2exp(w->product, w->product, (mp_bitcnt_t)(top - e));
        } else {
            mpz_mul_2exp(w->product, w->product, (mp_bitcnt_t)(e - d->e));
        }
        mpz_add(d->z, d->z, w->product);
    }
}

/* T of the step k = from..to-1; `to` lies beyond K for none. */
static void step_sum(struct work *w, const struct row *a, const struct row *b, unsigned from,
                     unsigned to, unsigned r, unsigned group)
{
    unsigned groups = r / group, used = 0;
    int top = 0;
    bool any = false;
    for (unsigned k = from; k < to; k += group, used++) {
        struct sum *v = &w->group[used];
        group_sum(w, a, b, k, k + group < to ? k + group : to, v);
        mpz_mul_si(v->z, v->z, (long)a->scale[k].m * b->scale[k].m);
        v->e += a->scale[k].e + b->scale[k].e;
        if (mpz_sgn(v->z) != 0) {
            top = !any || v->e > top ? v->e : top;
            any = true;
        }
    }
    if (groups == 1) {
        mpz_set(w->step.z, w->group[0].z);
        w->step.e = w->group[0].e;
        return;
    }
    mpz_set_ui(w->step.z, 0);
    w->step.e = top - 16;
    for (unsigned i = 0; i < used; i++) {
        struct sum *v = &w->group[i];
        if (mpz_sgn(v->z) == 0)
            continue;
        mpz_mul_2exp(v->z, v->z, 16);
        mpz_tdiv_q_2exp(v->z, v->z, (mp_bitcnt_t)(top - v->e)); /* toward zero */
        mpz_add(w->step.z, w->step.z, v->z);
    }
}

/* ---- f32 ------------------------------------------------------------------------------------ */

uint32_t tsr_oracle_round(mpfr_srcptr x)
{
    mpfr_t f;
    uint32_t bits;
    mpfr_exp_t emin = mpfr_get_emin(), emax = mpfr_get_emax();
    if (mpfr_zero_p(x))
        return 0;
    mpfr_init2(f, 24);
    int inexact = mpfr_set(f, x, MPFR_RNDN);
    mpfr_set_emin(-148); /* the least subnormal is 0.1b * 2^-148 */
    mpfr_set_emax(128);
    inexact = mpfr_check_range(f, inexact, MPFR_RNDN);
    mpfr_subnormalize(f, inexact, MPFR_RNDN);
    mpfr_set_emin(emin);
    mpfr_set_emax(emax);
    float v = mpfr_get_flt(f, MPFR_RNDN);
    memcpy(&bits, &v, sizeof bits);
    mpfr_clear(f);
    return bits;
}

static uint32_t accumulate(struct work *w, uint32_t c)
{
    float v;
    memcpy(&v, &c, sizeof v);
    int lost = mpfr_set_flt(w->c, v, MPFR_RNDN);
    lost |= mpfr_set_z_2exp(w->t, w->step.z, w->step.e, MPFR_RNDN);
    lost |= mpfr_add(w->exact, w->c, w->t, MPFR_RNDN);
    assert(lost == 0);
    (void)lost;
    return tsr_oracle_round(w->exact);
}

static uint32_t float_element(struct work *w, const struct row *a, const struct row *b, unsigned k,
                              unsigned r, uint32_t c)
{
    unsigned group = tsr_oracle_group(w->a, w->b, r);
    for (unsigned from = 0; from < k; from += r) {
        unsigned to = from + r < k ? from + r : k;
        uint32_t s = special(a, b, from, to, c);
        if (s == 0)
            step_sum(w, a, b, from, to, r, group);
        c = s != 0 ? s : accumulate(w, c);
    }
    return c;
}

static uint32_t integer_element(const struct row *a, const struct row *b, unsigned k, uint32_t c)
{
    for (unsigned i = 0; i < k; i++)
        c += (uint32_t)(a->element[i].m * b->element[i].m);
    return c;
}

/* ---- the unit ------------------------------------------------------------------------------- */

static void work_init(struct work *w)
{
    mpz_inits(w->product, w->step.z, NULL);
    for (int i = 0; i < 64; i++)
        mpz_init(w->group[i].z);
    mpfr_inits2(EXACT_BITS, w->c, w->t, w->exact, (mpfr_ptr)NULL);
}

static void work_clear(struct work *w)
{
    mpz_clears(w->product, w->step.z, NULL);
    for (int i = 0; i < 64; i++)
        mpz_clear(w->group[i].z);
    mpfr_clears(w->c, w->t, w->exact, (mpfr_ptr)NULL);
}

void tsr_oracle_mma(const struct tsr_oracle_operand *a, const struct tsr_oracle_operand *b,
                    unsigned m, unsigned n, unsigned k, unsigned r, uint32_t *c, size_t c_stride,
                    bool overwrite)
{
    struct work w = {.a = a->format, .b = b->format};
    bool integers = tsr_oracle_plain_integer(w.a);
    assert(integers == tsr_oracle_plain_integer(w.b) && tsr_oracle_even(w.a, w.b, r));
    work_init(&w);
    struct row row_a = row_new(k), *rows_b = calloc(n, sizeof *rows_b);
    assert(rows_b != NULL);
    for (unsigned j = 0; j < n; j++) {
        rows_b[j] = row_new(k);
        row_read(b, j, k, &rows_b[j]);
    }
    for (unsigned i = 0; i < m; i++) {
        row_read(a, i, k, &row_a);
        for (unsigned j = 0; j < n; j++) {
            uint32_t *at = &c[i * c_stride + j], old = overwrite ? 0 : *at;
            *at = integers ? integer_element(&row_a, &rows_b[j], k, old)
                           : float_element(&w, &row_a, &rows_b[j], k, r, old);
        }
    }
    for (unsigned j = 0; j < n; j++)
        row_free(&rows_b[j]);
    free(rows_b);
    row_free(&row_a);
    work_clear(&w);
}
