// SPDX-License-Identifier: Apache-2.0
// What far memory holds before a random program: codes of every format, its extremes among them.
#include <algorithm>
#include <cstring>

#include "tests/rtl/random.h"

extern "C" {
#include "isa/num/element.h"
}

namespace
{

// The codes of a format around which things happen: zeros, ones, the ends of subnormal and normal
// numbers, and whatever the highest exponent code holds.
std::vector<uint32_t> extremes(const tsr_format *f)
{
    uint64_t all = (UINT64_C(1) << f->bits) - 1, sign = UINT64_C(1) << (f->bits - 1);
    std::vector<uint64_t> codes = {0, 1, all, all >> 1, sign, sign | 1, all - 1, (all >> 1) - 1};
    if (f->ebits) {
        uint64_t mantissa = (UINT64_C(1) << f->mbits) - 1, top = ((UINT64_C(1) << f->ebits) - 1)
                                                                 << f->mbits;
        for (uint64_t c : {mantissa, mantissa + 1, top - 1, top, top | 1, top | mantissa,
                           static_cast<uint64_t>(f->bias) << f->mbits, (top | mantissa) - 1}) {
            codes.push_back(c & all);
            codes.push_back((c | sign) & all);
        }
    }
    std::vector<uint32_t> out;
    for (uint64_t c : codes)
        out.push_back(static_cast<uint32_t>(c));
    return out;
}

// Random codes near one, where sums neither vanish nor overflow; any code at times.
uint32_t ordinary(const tsr_format *f, uint64_t *state)
{
    uint64_t r = random_next(state), all = (UINT64_C(1) << f->bits) - 1, code = r & all;
    if (f->code == TSR_I32) // exponents and indices
        return static_cast<uint32_t>((r >> 40) % 60) - (r >> 32 & 1 ? 20 : 0);
    if (f->ebits > 3 && (r >> 60)) {
        uint64_t exponent = static_cast<uint64_t>(f->bias) + (r >> 40) % 9 - 4;
        uint64_t mantissa = (UINT64_C(1) << f->mbits) - 1;
        code = (code & (mantissa | UINT64_C(1) << (f->bits - 1))) | exponent << f->mbits;
    }
    return static_cast<uint32_t>(code & all);
}

void put_bits(uint8_t *to, size_t at, unsigned bits, uint32_t code)
{
    for (unsigned b = 0; b < bits; b++, at++)
        to[at / 8] =
            static_cast<uint8_t>((to[at / 8] & ~(1u << at % 8)) | (code >> b & 1) << at % 8);
}

// Runs of one kind: extremes among ordinary numbers, extremes only, ordinary ones, one code.
void codes(const tsr_format *f, uint8_t *to, size_t bytes, uint64_t *state)
{
    std::vector<uint32_t> extreme = extremes(f);
    for (size_t at = 0, n = bytes * 8 / f->bits; at < n;) {
        uint64_t kind = random_next(state) % 5;
        uint32_t one = extreme[random_next(state) % extreme.size()];
        for (size_t end = std::min(n, at + 8 + random_next(state) % 56); at < end; at++) {
            bool edge = kind == 1 || (kind == 0 && random_next(state) % 8 == 0);
            put_bits(to, at * f->bits, f->bits,
                     kind == 2 ? one
                     : edge    ? extreme[random_next(state) % extreme.size()]
                               : ordinary(f, state));
        }
    }
}

} // namespace

uint32_t random_greatest(const tsr_isa *isa, uint64_t code)
{
    static uint32_t known[TSR_DTYPE_MAX];
    const tsr_format *f = &isa->formats[code];
    tsr_num_group g = tsr_num_element_group(f);
    if (code == TSR_F32)
        return 0x7F7FFFFF;
    if (known[code] || !isa->has_format[code])
        return known[code] ? known[code] : 0x3F800000;
    known[code] = 0x3F800000;
    for (uint32_t c = 0; g.elems && f->bits <= 16 && c < 1u << f->bits; c++) {
        std::vector<uint8_t> codes(2 * g.bytes + 2);
        std::vector<uint32_t> values(g.elems);
        for (size_t i = 0; i < g.elems; i++)
            put_bits(codes.data(), i * f->bits, f->bits, c);
        tsr_num_load_elements(f, values.data(), codes.data(), g.elems);
        uint32_t v = values[0] & 0x7FFFFFFF; // of positive floats the order is that of the bits
        if (v < 0x7F800000 && v > known[code])
            known[code] = v;
    }
    return known[code];
}

std::vector<uint8_t> random_memory(const tsr_isa *isa, uint64_t seed)
{
    std::vector<uint8_t> m(2 * RANDOM_PATTERNS);
    uint64_t state = seed ^ 0x5EED;
    for (size_t i = 0; i < m.size(); i += 8) {
        uint64_t r = random_next(&state);
        memcpy(&m[i], &r, 8);
    }
    static const tsr_format e8m0 = {
        "e8m0", 0, TSR_FAMILY_INT, TSR_SPECIALS_NONE, 8, 0, 0, 0, 1, 0, 0, 8, ""};
    for (size_t c = 0; c < TSR_DTYPE_MAX; c++) {
        const tsr_format *f = &isa->formats[c];
        uint8_t *to = &m[c * RANDOM_PATTERN];
        if (!isa->has_format[c])
            continue;
        // of shared microexponents any bits are a block
        if (f->family != TSR_FAMILY_SMX)
            codes(f, to, RANDOM_SCALES, &state);
        uint8_t *scales = to + RANDOM_SCALES;
        size_t n = RANDOM_PATTERN - RANDOM_SCALES;
        if (f->family == TSR_FAMILY_NVF)
            codes(&isa->formats[TSR_F8E4M3], scales, n, &state);
        else if (f->scale_bits == 16)
            codes(&isa->formats[TSR_F16], scales, n, &state);
        else
            for (size_t i = 0; i < n; i++) { // powers of two near one, the ends at times
                uint64_t r = random_next(&state);
                scales[i] = static_cast<uint8_t>(r % 8 ? 0x7F + (r >> 8) % 24 - 12
                                                       : extremes(&e8m0)[(r >> 8) % 8]);
            }
    }
    return m;
}
