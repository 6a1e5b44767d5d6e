// SPDX-License-Identifier: Apache-2.0
// What a record shows of vector routines: values that rows meet, hazards, ports.
#include "tests/rtl/coverage.h"

#include <algorithm>
#include <cmath>
#include <cstring>

extern "C" {
#include "isa/num/element.h"
}

namespace
{

enum {
    PORT_READ0 = 2 // requester of the TSRAM; read1 is the next
};

bool source(const tsr_op *op, const tsr_operand &o)
{
    bool store = !strcmp(op->exec, "vst") || !strcmp(op->exec, "vsts");
    return o.kind == TSR_KIND_VREG && (store || strcmp(o.name, "d") != 0);
}

std::string name_of(const tsr_op *op)
{
    return std::string("tvp/") + op->mnemonic;
}

const tsr_operand *format_of(const tsr_op *op)
{
    for (int k = 0; k < op->n_operands; k++)
        if (op->operand[k].kind == TSR_KIND_FMT)
            return &op->operand[k];
    return nullptr;
}

// What the elements of a format reach, as f32, found by loading all of its codes.
struct range {
    float greatest, least_normal;
    bool integer, small, infinity, nan;
};

range range_of(const tsr_format *f)
{
    range r = {};
    r.integer = f->code == TSR_I8 || f->code == TSR_I32;
    r.small = f->ebits > 0;
    r.least_normal = std::ldexp(1.0f, 1 - f->bias);
    r.infinity = f->ebits && f->specials == TSR_SPECIALS_IEEE;
    r.nan = f->ebits && f->specials != TSR_SPECIALS_NONE;
    tsr_num_group g = tsr_num_element_group(f);
    if (f->code == TSR_F32 || f->code == TSR_I32 || !g.elems) {
        r.greatest = 3.40282347e+38f;
        return r;
    }
    uint64_t step = f->bits > 8 && !f->ebits ? 257 : 1;
    for (uint64_t c = 0; c < UINT64_C(1) << std::min<unsigned>(16, f->bits); c += step) {
        uint8_t codes[32] = {};
        uint32_t values[64];
        for (uint64_t bit = 0; bit < f->bits * (f->bits < 8 ? g.elems : 1u); bit++)
            codes[bit / 8] |= static_cast<uint8_t>((c >> bit % f->bits & 1) << bit % 8);
        tsr_num_load_elements(f, values, codes, g.elems);
        float v;
        memcpy(&v, &values[0], 4);
        if (std::isfinite(v))
            r.greatest = std::max(r.greatest, std::fabs(v));
    }
    return r;
}

// Of a value on its way from or to a format.
const char *element_class(const range &r, uint32_t bits, bool store)
{
    float v;
    memcpy(&v, &bits, 4);
    if (r.integer)
        return bits == 0 ? "zero" : static_cast<int32_t>(bits) < 0 ? "negative" : "positive";
    if (std::isnan(v))
        return "nan";
    if (std::isinf(v))
        return "infinity";
    if (v == 0)
        return "zero";
    if (std::fabs(v) >= r.greatest)
        return store && std::fabs(v) > r.greatest ? "beyond" : "greatest";
    return r.small && std::fabs(v) < r.least_normal ? "subnormal" : "ordinary";
}

const range &cached(const tsr_format *f)
{
    static range all[TSR_DTYPE_MAX];
    static bool there[TSR_DTYPE_MAX];
    if (!there[f->code]) {
        all[f->code] = range_of(f);
        there[f->code] = true;
    }
    return all[f->code];
}

} // namespace

void coverage::legal_vector()
{
    vextreme_.clear();
    for (int i = 0; i < isa_->n_ops; i++) {
        const tsr_op *op = &isa_->ops[i];
        vextreme_.push_back(bins.total());
        if (op->stream != TSR_STREAM_TVP)
            continue;
        bool target = false;
        for (int k = 0; k < op->n_operands; k++) {
            const tsr_operand &o = op->operand[k];
            target |= o.kind == TSR_KIND_VREG && !source(op, o);
            for (int c = 0; source(op, o) && !op->memory && c < COVER_FLOATS; c++)
                bins.add("extreme/" + name_of(op) + "/" + o.name + "/" + cover_float_name[c]);
            if (source(op, o))
                bins.add("hazard/waits_for/" + name_of(op) + "/" + o.name);
        }
        if (target)
            for (const char *h : {"used_at_once", "waw", "war"})
                bins.add(std::string("hazard/") + h + "/" + name_of(op));
        const tsr_operand *f = format_of(op);
        bool scales = !strcmp(op->exec, "vlds") || !strcmp(op->exec, "vsts");
        for (int c = 0; f && !scales && c < TSR_DTYPE_MAX; c++) {
            if (!(f->formats >> c & 1))
                continue;
            const range &r = cached(&isa_->formats[c]);
            bool store = !strcmp(op->exec, "vst");
            std::string group = "element/" + name_of(op) + "/" + isa_->formats[c].name + "/";
            bins.add(group + "zero");
            if (r.integer) {
                bins.add(group + "negative");
                bins.add(group + "positive");
                continue;
            }
            bins.add(group + "ordinary");
            if (store || r.infinity)
                bins.add(group + "infinity");
            if (store || r.nan)
                bins.add(group + "nan");
            if (r.small)
                bins.add(group + "subnormal");
            bins.add(group + "greatest");
            if (store && c != TSR_F32)
                bins.add(group + "beyond");
        }
    }
    for (const char *b :
         {"issue/pair/memory_first", "issue/pair/arithmetic_first", "vlen/none", "vlen/some",
          "vlen/all", "port/tvp/read0/kept", "port/tvp/read1/kept", "port/tvp/two_lines",
          "port/tvp/nothing", "vloop/left_out", "vloop/entered"})
        bins.add(b);
    for (const char *port : {"port/tvp/read0", "port/tvp/read1"})
        for (int w = 0; w < 8; w++)
            bins.add(std::string(port) + "/waits=" + std::to_string(w));
}

void coverage::vector(const rtl_event *issue, const rtl_event *value)
{
    tsr_insn in = {};
    tsr_error err = {};
    if (issue->pc >= p_->n_tvp ||
        tsr_decode(isa_, TSR_STREAM_TVP, {{p_->tvp[issue->pc], 0}}, &in, &err) != TSR_OK)
        return;
    const tsr_op *op = in.op;
    bins.hit("row/" + name_of(op));
    fields(in);
    if (v_.in_routine && issue->pc != v_.pc_last + 1 && v_.pc_last < p_->n_tvp &&
        (p_->tvp[v_.pc_last] & 0xFF) == tsr_isa_find(isa_, TSR_STREAM_TVP, "vloop")->opcode)
        bins.hit("vloop/left_out");
    vector_sources(in, issue->cycle);
    if (issue->cycle == v_.cycle && (op->memory ? v_.arithmetic : v_.memory))
        bins.hit(op->memory ? "issue/pair/arithmetic_first" : "issue/pair/memory_first");
    if (op->memory)
        vector_memory(in, issue->cycle, value);
    auto reg = [&](const char *name) {
        return static_cast<unsigned>(in.v[tsr_op_operand(op, name)]);
    };
    if (issue->cycle > v_.cycle)
        v_.arithmetic = v_.memory = false;
    v_.cycle = issue->cycle;
    (op->memory ? v_.memory : v_.arithmetic) = true;
    if (!strcmp(op->exec, "ali")) {
        v_.a[reg("d")] = in.v[tsr_op_operand(op, "imm")];
        v_.aready[reg("d")] = issue->cycle + 1;
    } else if (!strcmp(op->exec, "aaddi") || !strcmp(op->exec, "aadd")) {
        int64_t b = !strcmp(op->exec, "aadd") ? v_.a[reg("b")] : in.v[tsr_op_operand(op, "imm")];
        v_.a[reg("d")] =
            static_cast<int64_t>(static_cast<uint64_t>(v_.a[reg("a")]) + static_cast<uint64_t>(b));
        v_.aready[reg("d")] = issue->cycle + 1;
    } else if (!strcmp(op->exec, "vlen")) {
        int64_t n = v_.a[reg("n")], lanes = chip_->tile.tvp.lanes;
        v_.active = n < 0 ? 0 : n > lanes ? lanes : n;
        bins.hit(n <= 0 ? "vlen/none" : n < lanes ? "vlen/some" : "vlen/all");
    } else if (!strcmp(op->exec, "vloop") && v_.a[reg("n")] > 0) {
        bins.hit("vloop/entered");
    }
    vector_result(in, issue, value);
    v_.in_routine = strcmp(op->exec, "vret") != 0;
    v_.pc_last = issue->pc;
}

// Values and hazards of what a word reads; what it writes may be pending or just read.
void coverage::vector_sources(const tsr_insn &in, uint64_t cycle)
{
    const tsr_op *op = in.op;
    size_t bin = vextreme_[static_cast<size_t>(op - isa_->ops)];
    for (int k = 0; k < op->n_operands; k++) {
        const tsr_operand &o = op->operand[k];
        if (o.kind != TSR_KIND_VREG)
            continue;
        unsigned reg = static_cast<unsigned>(in.v[k]);
        if (source(op, o)) {
            unsigned seen = 0;
            for (unsigned l = 0; v_.known[reg] && !op->memory && l < chip_->tile.tvp.lanes; l++)
                seen |= 1u << cover_float(v_.v[reg][l]);
            for (unsigned c = 0; c < COVER_FLOATS; c++)
                if (seen >> c & 1)
                    bins.hit(bin + c);
            bin += op->memory ? 0 : COVER_FLOATS;
            if (v_.vready[reg] == cycle && v_.producer[reg]) {
                bins.hit(bin);
                bins.hit("hazard/used_at_once/" + name_of(&isa_->ops[v_.producer[reg] - 1]));
            }
            bin++;
        } else {
            if (v_.vready[reg] == cycle && v_.producer[reg])
                bins.hit("hazard/waw/" + name_of(op));
            if (v_.last_read[reg] && v_.last_read[reg] + 1 >= cycle)
                bins.hit("hazard/war/" + name_of(op));
        }
    }
    for (int k = 0; k < op->n_operands; k++)
        if (source(op, op->operand[k]))
            v_.last_read[in.v[k]] = cycle;
}

void coverage::vector_memory(const tsr_insn &in, uint64_t cycle, const rtl_event *value)
{
    const tsr_op *op = in.op;
    unsigned a = static_cast<unsigned>(in.v[tsr_op_operand(op, "a")]);
    uint64_t address = static_cast<uint64_t>(v_.a[a]), line = chip_->tile.line_bytes;
    uint64_t at = std::max(v_.cycle + (v_.memory ? 1 : 0), v_.aready[a]);
    v_.a[a] += in.v[tsr_op_operand(op, "inc")];
    v_.aready[a] = cycle + 1;
    const tsr_operand *fo = format_of(op);
    if (!fo)
        return; // vlda
    const tsr_format *f = &isa_->formats[in.v[fo - op->operand]];
    bool store = !strcmp(op->exec, "vst") || !strcmp(op->exec, "vsts"),
         scales = !strcmp(op->exec, "vlds") || !strcmp(op->exec, "vsts");
    unsigned reg = static_cast<unsigned>(in.v[tsr_op_operand(op, store ? "s" : "d")]);
    int n_at = tsr_op_operand(op, "n");
    int64_t lanes = n_at >= 0 && in.v[n_at] ? std::min(v_.active, in.v[n_at]) : v_.active;
    if (!strcmp(op->exec, "vldb"))
        lanes = 1;
    if (lanes <= 0) {
        bins.hit("port/tvp/nothing");
        return;
    }
    if (!store) { // one line, and not the kept one: how long the port lets it wait
        tsr_num_group g = tsr_num_element_group(f);
        uint64_t size = !g.elems ? 4 : g.bytes, number = static_cast<uint64_t>(lanes);
        uint64_t bytes = scales        ? f->scale_bits / 8u * ((number + f->block - 1u) / f->block)
                         : g.elems > 1 ? (number + g.elems - 1) / g.elems * size
                                       : number * size;
        uint64_t first = address / line, last = (address + bytes - 1) / line;
        std::string port = std::string("port/tvp/read") + (a & 1 ? "1" : "0");
        at = std::max(at, v_.vready[reg]);
        bool plain = f->family != TSR_FAMILY_SMX; // of several registers
        if (first != last)
            bins.hit("port/tvp/two_lines");
        else if (first == v_.kept[a & 1])
            bins.hit(port + "/kept");
        else if (plain && cycle - at < 8 && (first - (PORT_READ0 + (a & 1)) - at) % 8 == cycle - at)
            bins.hit(port + "/waits=" + std::to_string(cycle - at));
        v_.kept[a & 1] = last;
    }
    if (scales)
        return;
    const range &r = cached(f);
    std::string group = "element/" + name_of(op) + "/" + f->name + "/";
    const uint8_t *loaded = value && value->bytes ? r_->data + value->data : nullptr;
    for (int64_t l = 0; l < lanes && (store ? v_.known[reg] : loaded != nullptr); l++) {
        uint32_t x = v_.v[reg][l];
        if (!store)
            memcpy(&x, loaded + 4 * l, 4);
        bins.hit(group + element_class(r, x, store));
    }
}

void coverage::vector_result(const tsr_insn &in, const rtl_event *issue, const rtl_event *value)
{
    int d = tsr_op_operand(in.op, "d");
    if (d < 0 || in.op->operand[d].kind != TSR_KIND_VREG)
        return;
    uint32_t lanes = chip_->tile.tvp.lanes;
    unsigned regs = value ? value->bytes / (4 * lanes) : 0;
    for (unsigned i = 0; i < std::max(regs, 1u); i++) {
        unsigned reg = (static_cast<unsigned>(in.v[d]) + i) % 32;
        v_.known[reg] = i < regs;
        if (i < regs)
            memcpy(v_.v[reg], r_->data + value->data + size_t{4} * lanes * i, 4 * lanes);
        v_.vready[reg] = issue->value;
        v_.producer[reg] = static_cast<unsigned>(in.op - isa_->ops) + 1;
    }
}
