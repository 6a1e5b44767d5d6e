/* SPDX-License-Identifier: Apache-2.0 */
/* What the vector unit's converting loads and stores do with elements and scales. */
#include "isa/num/element.h"

#include <assert.h>
#include <string.h>

#include "isa/num/block.h"

enum {
    CHUNK = TSR_NUM_MAX_LANES
};

struct tsr_num_group tsr_num_element_group(const struct tsr_format *f)
{
    /* lcm(bits, 8) / bits */
    static const uint8_t elems[9] = {0, 8, 4, 8, 2, 8, 4, 8, 1};
    if (f->family == TSR_FAMILY_SMX)
        return (struct tsr_num_group){f->block, (f->block * f->bits + f->block / 2u) / 8u};
    if (f->family == TSR_FAMILY_GGUF && f->code != TSR_Q8_0 && f->code != TSR_Q4_0)
        return (struct tsr_num_group){0, 0};
    if (f->bits > 8) {
        bool codec = f->family == TSR_FAMILY_FLOAT && f->bits % 8 == 0 && tsr_num_has_codec(f);
        return codec ? (struct tsr_num_group){1, f->bits / 8u} : (struct tsr_num_group){0, 0};
    }
    return (struct tsr_num_group){elems[f->bits], elems[f->bits] * f->bits / 8u};
}

/* ---- shared microexponents ------------------------------------------------------------------ */

/* |x| * 2^point to the nearest even integer, at most `most`; x finite or infinite. */
static uint32_t fixed(uint32_t mag, int point, uint32_t most)
{
    int e;
    uint32_t m = num_split(mag, &e);
    if (mag >= UINT32_C(0x47800000)) /* 2^16: beyond any element's magnitude */
        return most;
    int drop = -(e + point);
    if (drop <= 0) /* large: 24 bits and no fraction */
        return most;
    drop = drop < 25 ? drop : 25;
    uint32_t kept = m >> drop, rest = m - (kept << drop), half = UINT32_C(1) << (drop - 1);
    kept += rest + (kept & 1) > half;
    return kept < most ? kept : most;
}

static void store_smx(const struct tsr_format *f, uint8_t *out, const uint32_t *x)
{
    uint64_t held = 0, shifts = 0;
    unsigned bits = 0;
    uint32_t most = (UINT32_C(1) << f->mbits) - 1;
    for (uint32_t i = 0; i < f->block; i++) {
        uint32_t own = num_is_nan(x[i]) ? 0 : x[i], pair = num_is_nan(x[i ^ 1]) ? 0 : x[i ^ 1];
        uint32_t a = own & NUM_MAGNITUDE, b = pair & NUM_MAGNITUDE, larger = a > b ? a : b;
        int shift = larger > 0 && larger < UINT32_C(0x3F800000);
        held |= (uint64_t)((own >> 31 << f->mbits) | fixed(a, f->mbits - 1 + shift, most)) << bits;
        shifts |= (uint64_t)shift << i / 2;
        for (bits += f->bits; bits >= 8; bits -= 8, held >>= 8)
            *out++ = (uint8_t)held;
    }
    for (uint32_t i = 0; i < f->block / 16u; i++)
        *out++ = (uint8_t)(shifts >> 8 * i);
}

static void load_smx(const struct tsr_format *f, uint32_t *x, const uint8_t *in)
{
    const uint8_t *shifts = in + f->block * f->bits / 8;
    uint32_t most = (UINT32_C(1) << f->mbits) - 1;
    uint64_t held = 0;
    unsigned bits = 0;
    for (uint32_t i = 0; i < f->block; i++, held >>= f->bits, bits -= f->bits) {
        for (; bits < f->bits; bits += 8)
            held |= (uint64_t)*in++ << bits;
        uint32_t mag = (uint32_t)held & most, negative = (uint32_t)(held >> f->mbits) & 1;
        int shift = shifts[i / 16] >> (i / 2 % 8) & 1;
        x[i] = mag > 0 ? num_round_pack(negative, mag, 1 - f->mbits - shift) : negative << 31;
    }
}

/* ---- integers ------------------------------------------------------------------------------- */

/* Bits behind the binary point of a code: mxi8 has 6. */
static int point_of(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_MX ? f->mbits : 0;
}

static void store_integers(const struct tsr_format *f, uint8_t *out, const uint32_t *x, size_t n)
{
    struct tsr_format integer = block_element(f);
    uint32_t most = block_largest(&integer), codes[CHUNK];
    bool offset = f->code == TSR_Q4_0;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = tsr_num_scale_pow2(x[i], -point_of(f)), mag = v & NUM_MAGNITUDE;
        bool cut = !offset && mag <= TSR_NUM_INF && mag > most;
        codes[i] = cut ? (v & NUM_SIGN) | most : v;
    }
    tsr_num_encode_array(&integer, out, codes, n, TSR_ROUND_EVEN);
    for (size_t i = 0; offset && i < n / 2; i++)
        out[i] ^= 0x88; /* q = value + 8 */
}

static void load_integers(const struct tsr_format *f, uint32_t *x, const uint8_t *in, size_t n)
{
    struct tsr_format integer = block_element(f);
    uint8_t codes[CHUNK];
    size_t bytes = n * f->bits / 8;
    for (size_t i = 0; i < bytes; i++)
        codes[i] = in[i] ^ (f->code == TSR_Q4_0 ? 0x88 : 0);
    tsr_num_decode_array(&integer, x, codes, n);
    for (size_t i = 0; point_of(f) && i < n; i++)
        x[i] = tsr_num_scale_pow2(x[i], point_of(f));
}

/* ---- any ------------------------------------------------------------------------------------ */

void tsr_num_store_elements(const struct tsr_format *f, void *codes, const uint32_t *values,
                            size_t n)
{
    struct tsr_num_group g = tsr_num_element_group(f);
    uint8_t *out = codes;
    assert(g.elems > 0 && n % g.elems == 0);
    if (f->family != TSR_FAMILY_SMX && f->ebits > 0) {
        struct tsr_format element = block_element(f);
        tsr_num_encode_array(&element, codes, values, n, TSR_ROUND_EVEN);
        return;
    }
    uint32_t step = f->family == TSR_FAMILY_SMX ? g.elems : CHUNK;
    for (size_t at = 0; at < n; at += step, out += step / g.elems * g.bytes) {
        if (f->family == TSR_FAMILY_SMX)
            store_smx(f, out, values + at);
        else
            store_integers(f, out, values + at, n - at < step ? n - at : step);
    }
}

void tsr_num_load_elements(const struct tsr_format *f, uint32_t *values, const void *codes,
                           size_t n)
{
    struct tsr_num_group g = tsr_num_element_group(f);
    const uint8_t *in = codes;
    assert(g.elems > 0 && n % g.elems == 0);
    if (f->family != TSR_FAMILY_SMX && f->ebits > 0) {
        struct tsr_format element = block_element(f);
        tsr_num_decode_array(&element, values, codes, n);
        return;
    }
    uint32_t step = f->family == TSR_FAMILY_SMX ? g.elems : CHUNK;
    for (size_t at = 0; at < n; at += step, in += step / g.elems * g.bytes) {
        if (f->family == TSR_FAMILY_SMX)
            load_smx(f, values + at, in);
        else
            load_integers(f, values + at, in, n - at < step ? n - at : step);
    }
}

bool tsr_num_has_scale(const struct tsr_format *f)
{
    return f->block > 1 && tsr_num_element_group(f).elems > 0;
}

static bool power_of_two(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_MX || f->family == TSR_FAMILY_SMX;
}

static const struct tsr_format *scale_format(const struct tsr_format *f)
{
    return f->family == TSR_FAMILY_NVF ? &block_e4m3 : &block_f16;
}

void tsr_num_store_scale(const struct tsr_format *f, void *code, uint32_t scale)
{
    uint32_t mag = scale & NUM_MAGNITUDE, byte;
    if (!power_of_two(f)) {
        block_scale_store(scale_format(f), code, 0,
                          tsr_num_encode(scale_format(f), scale, TSR_ROUND_EVEN));
        return;
    }
    if (mag > TSR_NUM_INF)
        byte = BLOCK_EXPONENT_NAN;
    else
        byte = (uint32_t)(block_clamp_exponent(mag > 0 ? block_exponent(mag) : -127) +
                          BLOCK_EXPONENT_BIAS);
    *(uint8_t *)code = (uint8_t)byte;
}

uint32_t tsr_num_load_scale(const struct tsr_format *f, const void *code)
{
    if (!power_of_two(f))
        return tsr_num_decode_f32(scale_format(f), block_scale_load(scale_format(f), code, 0));
    uint8_t byte = *(const uint8_t *)code;
    if (byte == BLOCK_EXPONENT_NAN)
        return TSR_NUM_NAN;
    return tsr_num_scale_pow2(UINT32_C(0x3F800000), BLOCK_EXPONENT_BIAS - byte);
}
