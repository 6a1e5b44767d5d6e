// SPDX-License-Identifier: Apache-2.0
// What vector loads and stores make of elements and scales, in every format, and the reductions,
// against isa/num. Loads see every code of 16 bits or fewer, stores COUNT vectors of values.
// usage: Vtvp_bench COUNT SEED [load|store|tree: that alone]
#include "tests/rtl/unit_bench.h"

#include <algorithm>

#include "Vtvp_bench.h"

extern "C" {
#include "isa/num/element.h"
}

namespace
{

enum {
    LANES = 8,
    ELEMS = 16,
    LINE = 32
};

int bad;

struct shape {
    const tsr_format *f;
    bool scale;
    uint32_t group, bytes, regs;
};

shape shape_of(const tsr_format *f, bool scale)
{
    tsr_num_group g = tsr_num_element_group(f);
    if (scale)
        return {f, true, f->block, f->scale_bits / 8u, 1};
    if (f->bits == 32)
        return {f, false, 1, 4, 1};
    return {f, false, g.elems, g.bytes, g.elems > LANES ? g.elems / LANES : 1u};
}

// As sim/exec says of a register of `active` lanes.
void load(const shape &s, const uint8_t *p, unsigned active, bool splat, uint32_t *out)
{
    uint32_t x[64] = {};
    unsigned lanes = splat ? 1 : active, groups = (lanes * s.regs + s.group - 1) / s.group;
    memset(out, 0, 4 * ELEMS);
    if (s.scale) {
        for (unsigned at = 0; at < lanes; at += s.group, p += s.bytes)
            for (unsigned i = at; i < LANES && i < at + s.group; i++)
                out[i] = tsr_num_load_scale(s.f, p);
        return;
    }
    for (unsigned i = 0; s.f->code == TSR_I8 && i < groups; i++)
        x[i] = static_cast<uint32_t>(static_cast<int8_t>(p[i]));
    if (s.f->bits == 32)
        memcpy(x, p, 4 * groups);
    else if (s.f->code != TSR_I8)
        tsr_num_load_elements(s.f, x, p, groups * s.group);
    for (unsigned r = 0; r < s.regs; r++)
        for (unsigned i = 0; i < LANES; i++)
            out[r * LANES + i] = splat ? x[0] : i < active ? x[r * LANES + i] : 0;
}

unsigned store(const shape &s, const uint32_t *v, unsigned active, uint8_t *p)
{
    uint32_t x[64] = {};
    unsigned groups = (active * s.regs + s.group - 1) / s.group;
    if (s.scale) {
        for (unsigned i = 0; i < active; i += s.group, p += s.bytes)
            tsr_num_store_scale(s.f, p, v[i]);
        return groups * s.bytes;
    }
    for (unsigned r = 0; r < s.regs; r++)
        for (unsigned i = 0; i < active; i++)
            x[r * LANES + i] = v[r * LANES + i];
    if (s.f->code == TSR_I8)
        for (unsigned i = 0; i < groups; i++)
            p[i] = static_cast<uint8_t>(std::clamp(static_cast<int32_t>(x[i]), -128, 127));
    else if (s.f->bits == 32)
        memcpy(p, x, 4 * groups);
    else
        tsr_num_store_elements(s.f, p, x, groups * s.group);
    return groups * s.bytes;
}

void say(const char *what, const shape &s, unsigned active, unsigned i, uint32_t got, uint32_t want,
         uint32_t from)
{
    if (bad++ < 20)
        printf("%s %s%s, %u active, element %u (0x%08" PRIx32 "): RTL 0x%08" PRIx32
               ", isa/num 0x%08" PRIx32 "\n",
               what, s.f->name, s.scale ? "'s scale" : "", active, i, from, got, want);
}

void check_load(Vtvp_bench &v, const shape &s, const uint8_t *bytes, unsigned active, bool splat)
{
    uint32_t want[ELEMS], got[ELEMS];
    v.format_i = static_cast<uint8_t>(s.f->code | s.scale << 5);
    v.splat_i = splat;
    v.active_i = static_cast<uint16_t>(active);
    memcpy(&v.bytes_i, bytes, LINE);
    v.eval();
    memcpy(got, &v.loaded_o, sizeof got);
    load(s, bytes, active, splat, want);
    for (unsigned i = 0; i < LANES * s.regs; i++)
        if (got[i] != want[i])
            say("load", s, active, i, got[i], want[i], bytes[0]);
}

void loads(Vtvp_bench &v, const shape &s, uint64_t count)
{
    uint8_t bytes[LINE];
    unsigned width = s.scale ? s.f->scale_bits : s.f->bits;
    bool element = !s.scale && s.f->block == 1 && width >= 8 && s.f->code != TSR_I4;
    // Every code, in every place where it fits.
    if (width == 8 || width == 16)
        for (uint32_t c = 0; c < 1u << width; c += LANES) {
            for (unsigned i = 0; i < LINE; i++)
                bytes[i] = width == 8 ? static_cast<uint8_t>(c + i)
                                      : static_cast<uint8_t>((c + i / 2) >> (i % 2 ? 8 : 0));
            check_load(v, s, bytes, LANES, false);
        }
    for (uint64_t n = 0; n < count; n++) {
        for (uint8_t &b : bytes)
            b = static_cast<uint8_t>(draw() >> 13);
        unsigned active = n % 3 ? LANES : static_cast<unsigned>(draw() % (LANES + 1));
        check_load(v, s, bytes, active, element && n % 4 == 0);
    }
}

// An exponent field from where the format rounds to zero to where it saturates; of a scale from
// 2^-30 to 2^20.
uint32_t exponent_of(const shape &s, uint64_t r)
{
    const tsr_format *f = s.f;
    if (s.scale)
        return 97 + static_cast<uint32_t>(r % 51);
    int least = f->ebits ? 1 - static_cast<int>(f->bias) : 0;
    int from = 127 + least - static_cast<int>(f->mbits ? f->mbits : f->bits) - 3;
    int to = 127 + (f->ebits ? least + (1 << f->ebits) : static_cast<int>(f->bits)) + 2;
    return static_cast<uint32_t>(
        std::clamp(from + static_cast<int>(r % static_cast<uint64_t>(to - from + 1)), 0, 255));
}

// Near what the format can tell apart: codes' own values, halves between them, the ends and what
// differs from them in a bit; and bits at random.
uint32_t value(const shape &s)
{
    uint64_t r = draw();
    uint32_t x = static_cast<uint32_t>(r >> 32), sign = x & 0x80000000;
    static const uint32_t ends[] = {0,          1,          0x7FFFFF,   0x800000,   0x7F7FFFFF,
                                    0x7F800000, 0x7F800001, 0x7FC00000, 0x3F800000, 0x3F7FFFFF,
                                    0x3F000000, 0x3F000001, 0x40E80000, 0x40F00000, 0x43E80000,
                                    0x477FEFFF, 0x477FF000, 0x7F7F7FFF, 0x7F7F8000, 0x00400000};
    uint32_t end = ends[(r >> 8) % (sizeof ends / sizeof *ends)];
    if (s.f->family == TSR_FAMILY_INT && s.f->bits >= 8) { // shifted, or next to a power of two
        uint32_t near = (1u << (r & 31)) + x % 3 - 1;
        return r & 32 ? static_cast<uint32_t>(static_cast<int32_t>(x) >> (r & 31))
                      : (sign ? 0 - near : near);
    }
    switch (r & 15) {
    case 0:
        return sign | end;
    case 1:
        return x;
    case 2: // few bits: ties
    case 3:
        return sign | (static_cast<uint32_t>(110 + (r >> 8 & 31)) << 23) |
               (x & (0x7FFFFF << (8 + (r >> 16) % 15) & 0x7FFFFF));
    case 4:
    case 5:
        return (sign | (static_cast<uint32_t>(110 + (r >> 8 & 31)) << 23) |
                (x & (0x7FFFFF << (8 + (r >> 16) % 15) & 0x7FFFFF))) +
               static_cast<uint32_t>(r >> 24 & 2) - 1;
    case 6: // around the subnormals of small formats
        return sign | (static_cast<uint32_t>(96 + (r >> 8 & 31)) << 23) | (x & 0x7FFFFF);
    case 7: // subnormals of any length
        return sign | (x & 0x7FFFFF) >> (r >> 8) % 23;
    case 8:
    case 9:
        return sign | (end ^ 1u << (r >> 16) % 31);
    case 10:
    case 11:
    case 12:
        return sign | exponent_of(s, r >> 8) << 23 | shaped(draw());
    default:
        return sign | (static_cast<uint32_t>(118 + (r >> 8 & 15)) << 23) | (x & 0x7FFFFF);
    }
}

// A bit off, of either sign.
uint32_t relative(uint32_t of)
{
    uint64_t r = draw();
    return of ^ (static_cast<uint32_t>(r) & 0x80000000) ^ 1u << (r & 0xFFFF) % 31;
}

void stores(Vtvp_bench &v, const shape &s, uint64_t count)
{
    for (uint64_t n = 0; n < count; n++) {
        uint32_t x[ELEMS];
        uint8_t want[LINE + 8] = {}, got[LINE];
        for (unsigned i = 0; i < ELEMS; i++) {
            x[i] = value(s);
            if (n % 5 == 4) // of a pair one a zero, the other one a bit off it
                x[i] = (i ^ n / 5) % 2 ? relative(0) : x[i] & 0x80000000;
        }
        unsigned active = n % 3 ? LANES : static_cast<unsigned>(draw() % (LANES + 1));
        v.format_i = static_cast<uint8_t>(s.f->code | s.scale << 5);
        v.active_i = static_cast<uint16_t>(active);
        memcpy(&v.values_i, x, sizeof x);
        v.eval();
        memcpy(got, &v.stored_o, sizeof got);
        unsigned bytes = store(s, x, active, want);
        for (unsigned i = 0; i < bytes; i++)
            if (got[i] != want[i])
                say("store", s, active, i, got[i], want[i],
                    x[std::min<unsigned>(i * s.group / s.bytes, ELEMS - 1)]);
    }
}

// Half the last place of a float, or a bit off it: what is lost of it decides a tie.
uint32_t half_place(uint32_t of)
{
    uint64_t r = draw();
    uint32_t e = of >> 23 & 0xFF, low = r & 1 ? 1u << (r >> 8) % 23 : 0;
    return (static_cast<uint32_t>(r >> 32) & 0x80000000) |
           (e > 26 ? e - 26 + static_cast<uint32_t>(r >> 16 & 3) : e) << 23 | low;
}

void reductions(Vtvp_bench &v, const tsr_isa *isa, uint64_t count)
{
    for (int k = 0; k < isa->n_ops; k++) {
        const tsr_op *op = &isa->ops[k];
        if (op->stream != TSR_STREAM_TVP || !*op->reduce)
            continue;
        auto r = static_cast<tsr_num_reduction>(tsr_num_reduction_find(op->reduce));
        bool whole = !strcmp(op->exec, "reduce");
        shape s = shape_of(tsr_isa_format(isa, r == TSR_NUM_REDUCE_IADD ? "i32" : "f32"), false);
        for (uint64_t n = 0; n < count; n++) {
            uint32_t x[ELEMS], want[LANES], got[LANES];
            for (unsigned i = 0; i < ELEMS; i++) {
                x[i] = n % 2 ? value(s) : static_cast<uint32_t>(draw() >> 20);
                if (n % 5 > 2 && i % 2) // a bit off its neighbour, of either sign
                    x[i] = relative(x[i - 1]);
                else if (n % 5 == 1 && i % 2)
                    x[i] = half_place(x[i - 1]);
                else if (n % 5 == 4) // a bit off a zero or an infinity
                    x[i] = relative(draw() & 1 << 20 ? 0x7F800000 : 0);
            }
            unsigned active = n % 3 ? LANES : static_cast<unsigned>(draw() % (LANES + 1));
            unsigned level = whole ? 15 : static_cast<unsigned>(draw() % 9);
            v.op_i = op->opcode;
            v.level_i = static_cast<uint8_t>(level);
            v.active_i = static_cast<uint16_t>(active);
            memcpy(&v.values_i, x, sizeof x);
            v.eval();
            memcpy(got, &v.reduced_o, sizeof got);
            if (whole)
                std::fill(want, want + LANES, tsr_num_reduce_count(r, x, active, LANES));
            else
                tsr_num_reduce_segments(r, want, x, 1u << level, active, LANES);
            for (unsigned i = 0; i < LANES; i++)
                if (got[i] != want[i] && bad++ < 20)
                    printf("%s, %u active, level %u, lane %u: RTL 0x%08" PRIx32
                           ", isa/num 0x%08" PRIx32 "\n",
                           op->mnemonic, active, level, i, got[i], want[i]);
        }
    }
}

} // namespace

int main(int argc, char **argv)
{
    uint64_t count = argument(argc, argv, 1, 20000);
    auto v = std::make_unique<Vtvp_bench>();
    tsr_isa *isa = begin_bench("rtl.tvp_units", argument(argc, argv, 2, 1));
    int formats = 0;
    auto wanted = [&](const char *part) { return argc < 4 || !strcmp(argv[3], part); };
    for (int c = 0; c < TSR_DTYPE_MAX; c++) {
        const tsr_format *f = &isa->formats[c];
        if (!isa->has_format[c])
            continue;
        for (bool scale : {false, true}) {
            if (scale ? !tsr_num_has_scale(f) : f->bits < 32 && !tsr_num_element_group(f).elems)
                continue;
            shape s = shape_of(f, scale);
            if (wanted("load"))
                loads(*v, s, count / 4);
            if (wanted("store"))
                stores(*v, s, count);
            formats++;
        }
    }
    if (wanted("tree"))
        reductions(*v, isa, count);
    printf("%d formats of elements and scales x %" PRIu64 " vectors of %d, and reductions: %d "
           "differences\n",
           formats, count, LANES, bad);
    tsr_isa_free(isa);
    return bad != 0;
}
