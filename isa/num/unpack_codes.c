/* SPDX-License-Identifier: Apache-2.0 */
/* Codes out of packed runs, and block scales into panels. */
#include "isa/num/block.h"
#include "isa/num/unpack.h"

#include <string.h>

/* Eight codes of up to 8 bits: `bits` bytes. Reads 8 bytes where that many are there. */
static inline void fetch_eight(uint16_t *restrict code, const uint8_t *in, uint32_t bits,
                               bool eight_bytes)
{
    uint32_t mask = (UINT32_C(1) << bits) - 1;
    uint64_t held = 0;
    if (eight_bytes)
        memcpy(&held, in, 8);
    else
        for (uint32_t i = 0; i < bits; i++)
            held |= (uint64_t)in[i] << 8 * i;
    for (int i = 0; i < 8; i++)
        code[i] = (uint16_t)(held >> i * bits & mask);
}

/* Codes packed without gaps, the lowest bit first. */
static void fetch_packed(uint16_t *restrict code, const uint8_t *run, size_t from, uint32_t n,
                         uint32_t bits)
{
    uint32_t i = 0;
    for (; bits < 8 && from % 8 == 0 && i + 8 <= n; i += 8)
        fetch_eight(code + i, run + (from + i) / 8 * bits, bits, (n - i) * bits >= 64);
    for (; i < n; i++) {
        size_t at = (from + i) * bits, byte = at / 8;
        uint32_t c = run[byte];
        if (at % 8 + bits > 8)
            c |= (uint32_t)run[byte + 1] << 8;
        if (at % 8 + bits > 16)
            c |= (uint32_t)run[byte + 2] << 16;
        code[i] = (uint16_t)(c >> at % 8 & ((UINT32_C(1) << bits) - 1));
    }
}

static void fetch_plain(uint16_t *restrict code, const uint8_t *run, size_t from, uint32_t n,
                        uint32_t bits)
{
    if (bits == 16) {
        memcpy(code, run + 2 * from, 2 * (size_t)n);
    } else if (bits == 8) {
        for (uint32_t i = 0; i < n; i++)
            code[i] = run[from + i];
    } else {
        fetch_packed(code, run, from, n, bits);
    }
}

/* n codes of one smx block from its element `from` on. */
static void fetch_pairs(const struct tsr_format *f, uint16_t *code, const uint8_t *block,
                        size_t from, uint32_t n)
{
    const uint8_t *shifts = block + f->block * f->bits / 8u;
    uint32_t most = (UINT32_C(1) << f->mbits) - 1;
    fetch_plain(code, block, from, n, f->bits);
    for (uint32_t i = 0; i < n; i++) {
        size_t pair = (from + i) / 2;
        uint32_t kept = 1 - (shifts[pair / 8] >> pair % 8 & 1u), c = code[i];
        code[i] = (uint16_t)((c & most) << kept | (c > most ? (uint32_t)NUM_SMX_SIGN : 0));
    }
}

void num_fetch(const struct tsr_format *f, uint16_t *code, const uint8_t *run, size_t from,
               uint32_t n)
{
    if (num_coding(f) != NUM_CODED_PAIRS) {
        fetch_plain(code, run, from, n, f->bits);
        return;
    }
    size_t bytes = (f->block * f->bits + f->block / 2u) / 8u;
    for (uint32_t done = 0, part; done < n; done += part) {
        size_t at = from + done, within = at % f->block;
        part = f->block - (uint32_t)within < n - done ? f->block - (uint32_t)within : n - done;
        fetch_pairs(f, code + done, run + at / f->block * bytes, within, part);
    }
}

/* n <= NUM_PIECE scales from the first-th on: magnitude, sign, exponent and special. */
static void split_scales(const struct tsr_format *f, const uint8_t *scales, size_t first,
                         uint32_t n, struct num_piece *s)
{
    enum num_scaling scaling = num_scaling(f);
    if (scaling != NUM_SCALED_POWER) {
        const struct tsr_format *format = scaling == NUM_SCALED_F16 ? &block_f16 : &block_e4m3;
        fetch_plain(s->code, scales, first, n, format->bits);
        num_split_floats(format, s);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        s->magnitude[i] = 1;
        s->sign[i] = 0;
        s->exponent[i] = (int16_t)(scales[first + i] - BLOCK_EXPONENT_BIAS);
        s->special[i] = scales[first + i] == BLOCK_EXPONENT_NAN;
    }
}

/* Elements from k to end become NaN, or zero unless they are NaN. */
static void overrule(struct tsr_num_panel *p, uint32_t row, uint32_t k, uint32_t end, bool nan)
{
    for (; k < end; k++) {
        size_t at = num_panel_at(p, row, k);
        if (p->value != NULL) {
            bool keep = !nan && p->any_special && p->mark[at] == NUM_NAN;
            p->value[at] = 0;
            if (p->any_special)
                p->mark[at] = nan || keep ? NUM_NAN : NUM_FINITE;
        } else if (nan || p->exponent[at] != TSR_NUM_NAN_EXPONENT) {
            p->exponent[at] = nan ? TSR_NUM_NAN_EXPONENT : TSR_NUM_ZERO_EXPONENT;
            p->magnitude[at] = 0;
        }
    }
}

void num_unpack_scales(const struct tsr_num_plan *plan, const struct tsr_format *f,
                       const uint8_t *scales, uint32_t row, struct tsr_num_panel *p)
{
    struct num_piece s = {.code = {0}};
    uint32_t blocks = (p->k + f->block - 1u) / f->block, per_block = f->block / plan->group;
    for (uint32_t b = 0; b < blocks; b++) {
        uint32_t k = b * f->block, at = b % NUM_PIECE, left = blocks - b;
        uint32_t end = p->k - k < f->block ? p->k : k + f->block;
        if (at == 0)
            split_scales(f, scales, b, left < NUM_PIECE ? left : NUM_PIECE, &s);
        bool odd = s.special[at] != 0 || s.magnitude[at] == 0;
        if (s.special[at] != 0)
            num_mark_row(p, row);
        if (odd)
            overrule(p, row, k, end, s.special[at] != 0);
        for (uint32_t g = b * per_block; g < (b + 1) * per_block && g < p->groups; g++) {
            size_t to = num_scale_at(p, row, g);
            p->scale[to] = odd ? 1 : (int16_t)((s.magnitude[at] ^ s.sign[at]) - s.sign[at]);
            p->scale_power[to] = odd ? 0 : s.exponent[at];
        }
    }
}
