// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/random_edge.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" {
#include "isa/code.h"
}

void edges::line(const char *format, ...)
{
    char buffer[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(buffer, sizeof buffer, format, ap);
    va_end(ap);
    text += std::string(buffer) + "\n";
    words++;
}

void edges::set(unsigned reg, uint64_t value)
{
    line("li x%u, %" PRId64, reg, static_cast<int64_t>(value));
}

void edges::word(tsr_word w)
{
    line("nop #!word 0x%016" PRIx64 " 0x%016" PRIx64, w.w[0], w.w[1]);
}

void edges::word(const tsr_insn &in)
{
    tsr_word w = {};
    tsr_error err = {};
    if (tsr_encode(&in, &w, &err) != TSR_OK) {
        fprintf(stderr, "an edge's word: %s\n", err.message);
        abort();
    }
    word(w);
}

void edges::end()
{
    programs.push_back(text);
    text.clear();
    words = 0;
}

void edges::random(unsigned n, uint64_t length, tsr_unit unit)
{
    for (unsigned seed = 1; seed <= n; seed++) {
        text = random_program_of(isa, chip, seed, length, unit);
        end();
    }
}

const tsr_op *edges::op(tsr_stream s, const char *mnemonic) const
{
    return tsr_isa_find(isa, s, mnemonic);
}

int64_t edges::value(const tsr_operand &o)
{
    if (o.kind == TSR_KIND_WAIT || o.kind == TSR_KIND_POST)
        return 0;
    for (;;) {
        uint64_t range = static_cast<uint64_t>(o.max) - static_cast<uint64_t>(o.min) + 1;
        uint64_t r = any();
        int64_t v = static_cast<int64_t>(static_cast<uint64_t>(o.min) + (range ? r % range : r));
        if (tsr_operand_legal(&o, v))
            return v;
    }
}

tsr_insn edges::draw(const tsr_op *op)
{
    tsr_insn in = {};
    in.op = op;
    for (int i = 0; i < op->n_operands; i++)
        in.v[i] = value(op->operand[i]);
    return in;
}

void edges::put(tsr_insn *in, const char *operand, int64_t value)
{
    in->v[tsr_op_operand(in->op, operand)] = value;
}

namespace
{

const struct {
    const char *unit;
    void (*make)(edges *);
} makers[] = {{"tcp", edge_tcp}, {"sync", edge_sync}, {"control", edge_control}, {"acc", edge_acc},
              {"ttu", edge_ttu}, {"tvp", edge_tvp},   {"tdma", edge_tdma}};

} // namespace

const char *const edge_units[] = {"tcp", "sync", "control", "acc", "ttu", "tvp", "tdma", nullptr};

bool edge_programs(const char *unit, edges *e)
{
    for (const auto &m : makers)
        if (!strcmp(m.unit, unit)) {
            m.make(e);
            return true;
        }
    return false;
}
