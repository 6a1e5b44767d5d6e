// SPDX-License-Identifier: Apache-2.0
// What a record shows of the tensor unit: pairs of formats, layouts, steps, and the elements and
// scales that products meet, read from a copy of the TSRAM which the record's writes keep.
#include "tests/rtl/coverage.h"

#include <algorithm>
#include <cstring>

extern "C" {
#include "isa/num/num.h"
}

namespace
{

uint32_t step_of(const tsr_chip *chip, const tsr_format *f)
{
    const tsr_ttu_config &u = chip->tile.ttu;
    return f->width_class == 16 ? u.r16 : f->width_class == 9 ? u.r9 : u.r6;
}

bool multiply(const tsr_chip *chip, const tsr_format *a, const tsr_format *b)
{
    struct tsr_num_plan plan;
    tsr_error err = {};
    return tsr_num_plan(a, b, std::min(step_of(chip, a), step_of(chip, b)), &plan, &err) == TSR_OK;
}

bool has_nan(const tsr_format *f)
{
    return f->ebits && f->specials != TSR_SPECIALS_NONE;
}

// Elements that count as zero, as greatest, ...: by the code alone.
enum {
    ZERO = 1,
    GREATEST = 2,
    SUBNORMAL = 4,
    INFINITE = 8,
    NOT_A_NUMBER = 16,
    ORDINARY = 32
};
const char *const class_name[6] = {"zero", "greatest", "subnormal", "infinity", "nan", "ordinary"};

unsigned classify(const tsr_format *f, uint32_t code)
{
    uint32_t sign = 1u << (f->bits - 1), magnitude = code & (sign - 1);
    if (!f->ebits) {
        if (f->family == TSR_FAMILY_SMX)
            return magnitude == 0 ? ZERO : magnitude == sign - 1 ? GREATEST : ORDINARY;
        int32_t v = f->bias ? static_cast<int32_t>(code) - f->bias
                            : static_cast<int32_t>(code ^ sign) - static_cast<int32_t>(sign);
        int32_t most = static_cast<int32_t>(sign);
        return v == 0 ? ZERO : v == -most || v == most - 1 ? GREATEST : ORDINARY;
    }
    uint32_t mantissa = magnitude & ((1u << f->mbits) - 1), exponent = magnitude >> f->mbits,
             top = (1u << f->ebits) - 1;
    if (exponent == top && f->specials == TSR_SPECIALS_IEEE)
        return mantissa ? NOT_A_NUMBER : INFINITE;
    if (has_nan(f) && f->specials == TSR_SPECIALS_FN && magnitude == sign - 1)
        return NOT_A_NUMBER;
    uint32_t greatest = f->specials == TSR_SPECIALS_IEEE ? (top << f->mbits) - 1
                        : has_nan(f)                     ? sign - 2
                                                         : sign - 1;
    return magnitude == 0          ? ZERO
           : magnitude == greatest ? GREATEST
           : exponent == 0         ? SUBNORMAL
                                   : ORDINARY;
}

unsigned legal_classes(const tsr_format *f)
{
    unsigned c = 0;
    for (uint32_t code = 0; code < 1u << f->bits; code++)
        c |= classify(f, code);
    return c;
}

uint32_t bits_at(const std::vector<uint8_t> &m, uint64_t byte, uint64_t bit, unsigned n)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++, bit++)
        v |= static_cast<uint32_t>(m[byte + bit / 8] >> bit % 8 & 1) << i;
    return v;
}

const char *scale_class(const tsr_format *f, uint32_t code)
{
    if (f->scale_bits == 16 || f->family == TSR_FAMILY_NVF) {
        uint32_t sign = f->scale_bits == 16 ? 0x8000 : 0x80,
                 top = f->scale_bits == 16 ? 0x7C00 : 0x7F;
        uint32_t normal = f->scale_bits == 16 ? 0x0400 : 0x08;
        uint32_t magnitude = code & (sign - 1);
        return magnitude >= top     ? "nan"
               : magnitude == 0     ? "least"
               : magnitude < normal ? "subnormal"
               : code & sign        ? "negative"
                                    : "ordinary";
    }
    return code == 0xFF ? "nan" : code == 0 ? "least" : "ordinary";
}

} // namespace

void coverage::legal_products()
{
    const tsr_op *mma = tsr_isa_find(isa_, TSR_STREAM_TCP, "mma");
    uint32_t legal = mma->operand[tsr_op_operand(mma, "af")].formats;
    for (unsigned a = 0; a < TSR_DTYPE_MAX; a++) {
        const tsr_format *f = &isa_->formats[a];
        if (!(legal >> a & 1))
            continue;
        for (unsigned b = 0; b < TSR_DTYPE_MAX; b++) {
            const tsr_format *g = &isa_->formats[b];
            if (!(legal >> b & 1) || !multiply(chip_, f, g))
                continue;
            std::string pair = std::string("pair/") + f->name + "/" + g->name + "/";
            for (const char *v : {"overwrites", "accumulates", "one_step", "steps", "cut_step"})
                bins.add(pair + v);
            if (has_nan(f) || has_nan(g) || f->block > 1 || g->block > 1)
                bins.add(pair + "special");
        }
        for (const char *side : {"/a/", "/b/"}) {
            std::string group = std::string("operand/") + f->name + side;
            for (int c = 0; c < 6; c++)
                if (legal_classes(f) >> c & 1)
                    bins.add(group + class_name[c]);
            for (const char *v : {"nan", "least", "ordinary"})
                if (f->block > 1)
                    bins.add(group + "scale_" + v);
            for (const char *v : {"subnormal", "negative"})
                if (f->scale_bits == 16 || f->family == TSR_FAMILY_NVF)
                    bins.add(group + "scale_" + v);
            for (const char *v : {"line_a_row", "rows_in_a_line", "lines_apart", "one_bank"})
                bins.add(group + v);
            if (f->block == 1)
                bins.add(group + "k_strided");
            else
                bins.add(group + "blocks=1");
            uint64_t more = f->family == TSR_FAMILY_SMX ? 2 * (f->block * f->bits + f->block / 2u)
                                                        : (f->block + 1u) * f->bits;
            if (f->block > 1 && (more + 7) / 8 + 2 * f->scale_bits / 8u <= chip_->tile.line_bytes)
                bins.add(group + "blocks=several");
        }
    }
    for (const char *sc : {"sc=0", "sc=1", "sc=2"})
        for (const char *acc : {"/acc=0", "/acc=1"})
            bins.add(std::string("mma/") + sc + acc);
    for (const char *e : {"least", "negative", "zero", "positive", "greatest"})
        bins.add(std::string("mma/exponent/") + e);
}

void coverage::elements(const std::string &group, const tsr_format *f, const unit_word &w, bool b)
{
    uint64_t at = operand(w, b ? "b" : "a"), stride = operand(w, b ? "bs" : "as"),
             scales = operand(w, b ? "bsc" : "asc"), k = operand(w, "k"),
             outer = operand(w, b ? "n" : "m"), line = chip_->tile.line_bytes;
    bool strided = operand(w, b ? "bt" : "at") != 0;
    uint64_t rows = strided ? k : outer, n = strided ? outer : k, size = tsram_.size();
    unsigned seen = 0;
    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t e = 0; e < n; e++) {
            uint64_t block = f->family == TSR_FAMILY_SMX ? e / f->block : 0;
            uint64_t bit =
                block * (f->block * f->bits + f->block / 2u) + (e - block * f->block) * f->bits;
            if (at + i * stride + bit / 8 + 4 < size)
                seen |= classify(f, bits_at(tsram_, at + i * stride, bit, f->bits));
        }
    for (int c = 0; c < 6; c++)
        if (seen >> c & 1)
            bins.hit(group + class_name[c]);
    bool special = (seen & (INFINITE | NOT_A_NUMBER)) != 0;
    uint64_t blocks = f->block > 1 ? (k + f->block - 1u) / f->block : 0;
    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t s = 0; s < blocks; s++) {
            uint64_t where = scales + i * stride + s * f->scale_bits / 8u;
            if (where + 2 > size)
                continue;
            const char *c = scale_class(f, bits_at(tsram_, where, 0, f->scale_bits));
            bins.hit(group + "scale_" + c);
            special |= !strcmp(c, "nan");
        }
    if (strided)
        bins.hit(group + "k_strided");
    if (blocks) {
        std::string name = group + "blocks=" + (blocks > 1 ? "several" : "1");
        if (bins.find(name) != SIZE_MAX)
            bins.hit(name);
    }
    bins.hit(group + (stride == line         ? "line_a_row"
                      : stride < line        ? "rows_in_a_line"
                      : stride % (16 * line) ? "lines_apart"
                                             : "one_bank"));
    const tsr_format *other = &isa_->formats[operand(w, b ? "af" : "bf")];
    if (special)
        bins.hit(std::string("pair/") + (b ? other : f)->name + "/" + (b ? f : other)->name +
                 "/special");
}

void coverage::product(const unit_word &w)
{
    const tsr_format *fa = &isa_->formats[operand(w, "af")], *fb = &isa_->formats[operand(w, "bf")];
    std::string pair = std::string("pair/") + fa->name + "/" + fb->name + "/";
    uint64_t k = operand(w, "k"), acc = operand(w, "acc"), sc = operand(w, "sc");
    uint64_t step = std::min(step_of(chip_, fa), step_of(chip_, fb));
    uint64_t m = operand(w, "m"), n = operand(w, "n"), limit = 8 * chip_->tile.ttu.dim;
    if (bins.find(pair + "steps") == SIZE_MAX || !m || !n || m > limit || n > limit || !k ||
        k > 8 * chip_->tile.line_bytes || operand(w, "a") >= tsram_.size() ||
        operand(w, "b") >= tsram_.size() || (operand(w, "at") && fa->block > 1) ||
        (operand(w, "bt") && fb->block > 1))
        return; // a fault
    bins.hit(pair + (acc ? "accumulates" : "overwrites"));
    bins.hit(pair + (k > step ? "steps" : "one_step"));
    if (k % step)
        bins.hit(pair + "cut_step");
    bins.hit("mma/sc=" + std::to_string(sc) + "/acc=" + std::to_string(acc));
    rectangle("mma", operand(w, "c"), m, n, operand(w, "across"));
    elements(std::string("operand/") + fa->name + "/a/", fa, w, false);
    elements(std::string("operand/") + fb->name + "/b/", fb, w, true);
    uint64_t at = operand(w, "e");
    for (uint64_t i = 0; sc && acc && i < (sc == 1 ? m : n) && at + 4 * i + 4 <= tsram_.size();
         i++) {
        int32_t e;
        memcpy(&e, &tsram_[at + 4 * i], 4);
        bins.hit(std::string("mma/exponent/") + (e == 0           ? "zero"
                                                 : e == INT32_MIN ? "least"
                                                 : e == INT32_MAX ? "greatest"
                                                 : e < 0          ? "negative"
                                                                  : "positive"));
    }
}
