// SPDX-License-Identifier: Apache-2.0
// Edges of the control processor: bits that no row has, each register in each place that reads
// one, counts, ends of loops and addresses whose high bits alone decide.
#include <cstring>

#include "tests/rtl/random_edge.h"

extern "C" {
#include "isa/code.h"
}

namespace
{

constexpr uint64_t bit(unsigned i)
{
    return UINT64_C(1) << i;
}

tsr_word encoded(const tsr_insn &in)
{
    tsr_word w = {};
    tsr_error err = {};
    tsr_encode(&in, &w, &err);
    return w;
}

// Of each row all words that one wrong bit makes illegal, alone in a program.
void illegal_words(edges *e)
{
    for (int k = 0; k < e->isa->n_ops; k++) {
        const tsr_op *op = &e->isa->ops[k];
        if (op->stream != TSR_STREAM_TCP)
            continue;
        tsr_word w = encoded(e->draw(op));
        for (unsigned b = 0; b < 128; b++) {
            tsr_word wrong = w;
            tsr_insn in;
            tsr_error err = {};
            wrong.w[b / 64] ^= bit(b % 64);
            if (tsr_decode(e->isa, TSR_STREAM_TCP, wrong, &in, &err) == TSR_OK)
                continue;
            e->word(wrong);
            e->line("halt");
            e->end();
        }
    }
}

// Queues whose heads wait for ever fill with any words of any registers: what the TCP hands over.
void parked(edges *e)
{
    std::vector<const tsr_op *> rows[TSR_QUEUES];
    for (int k = 0; k < e->isa->n_ops; k++) {
        const tsr_op *op = &e->isa->ops[k];
        if (op->stream != TSR_STREAM_TCP || op->unit == TSR_UNIT_TCP)
            continue;
        if (op->unit == TSR_UNIT_TDMA)
            for (unsigned c = 0; c < 4; c++)
                rows[TSR_Q_DMA0 + c].push_back(op);
        else
            rows[op->unit == TSR_UNIT_TTU   ? TSR_Q_TTU
                 : op->unit == TSR_UNIT_ACC ? TSR_Q_ACC
                                            : TSR_Q_TVP]
                .push_back(op);
    }
    static const char *const name[TSR_QUEUES] = {"tcp",  "ttu",  "acc",  "tvp",
                                                 "dma0", "dma1", "dma2", "dma3"};
    for (unsigned q = 0; q < TSR_QUEUES; q++)
        e->line(".sem %u %s", 40 + q, name[q]);
    for (unsigned r = 1; r < 32; r++)
        e->set(r, e->any());
    unsigned depth = static_cast<unsigned>(e->chip->tile.queue_depth);
    for (unsigned i = 0; i < depth; i++)
        for (unsigned q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
            tsr_insn in = e->draw(rows[q][e->below(rows[q].size())]);
            if (q >= TSR_Q_DMA0)
                edges::put(&in, "ch", q - TSR_Q_DMA0);
            for (const char *wait : {"w0", "w1"})
                edges::put(&in, wait, static_cast<int64_t>(e->below(64) | (1 + e->below(31)) << 6));
            for (const char *post : {"p0", "p1"})
                edges::put(&in, post, static_cast<int64_t>(e->below(64) | 64));
            if (i == 0)
                edges::put(&in, "w0", static_cast<int64_t>((40 + q) | 1 << 6));
            e->word(in);
            if (e->below(3) == 0)
                e->set(1 + static_cast<unsigned>(e->below(31)), e->any());
        }
    e->line("halt");
    e->end();
}

// All semaphores are the TCP's: it posts and consumes them, and waits while tsyncs post.
void semaphores(edges *e)
{
    unsigned count[TSR_MAX_SEMAPHORES] = {}, n = e->chip->tile.semaphores;
    unsigned most = e->chip->tile.semaphore_max;
    for (unsigned s = 0; s < n; s++)
        e->line(".sem %u tcp", s);
    while (e->words < e->chip->tile.program_words - 100) {
        unsigned a = static_cast<unsigned>(e->below(n)), b = static_cast<unsigned>(e->below(n));
        bool late = e->below(2);
        for (uint64_t k = e->below(late ? 6 : 40); k > 0; k--)
            if (count[a] < most && count[b] < most && count[a] + (a == b) < most) {
                e->line(late ? "tsync post(s%u, s%u)" : "wait post(s%u, s%u)", a, b);
                count[a]++, count[b]++;
            }
        unsigned c = e->below(4) ? a : static_cast<unsigned>(e->below(n));
        unsigned d = e->below(4) ? b : static_cast<unsigned>(e->below(n));
        // what they may take: all of it, or any part
        unsigned x = count[c] < 31 ? count[c] : 31, y = count[d] - (c == d ? x : 0);
        y = y < 31 ? y : 31;
        if (e->below(2))
            x = static_cast<unsigned>(e->below(x + 1));
        if (e->below(2))
            y = static_cast<unsigned>(e->below(y + 1));
        if (count[c] > most - 31 && e->below(3)) // or keep it high
            x = 0;
        if (x && y)
            e->line("wait wait(s%u*%u, s%u*%u)", c, x, d, y);
        else if (x)
            e->line("wait wait(s%u*%u)", c, x);
        else if (y)
            e->line("wait wait(s%u*%u)", d, y);
        count[c] -= x;
        count[d] -= y;
    }
    e->line("halt");
    e->end();
}

// The TCP consumes what is another queue's, or nobody's.
void strangers(edges *e)
{
    static const char *const others[] = {"ttu", "acc", "dma0", "dma3", nullptr};
    for (unsigned s = 0; s < e->chip->tile.semaphores; s++)
        for (unsigned slot = 0; slot < 2; slot++) {
            const char *owner = others[(s + slot) % 5];
            unsigned mine = (s + 1) % e->chip->tile.semaphores;
            e->line(".sem %u tcp", mine);
            if (owner)
                e->line(".sem %u %s", s, owner);
            e->line("wait post(s%u, s%u)", s, mine);
            e->line(slot ? "wait wait(s%u, s%u)" : "wait wait(s%u)", slot ? mine : s, s);
            e->line("halt");
            e->end();
        }
}

// Its own beside those of any other: each in both slots.
void neighbours(edges *e)
{
    static const char *const others[] = {"tcp", "tcp",  "ttu",  "acc",
                                         "tvp", "dma0", "dma3", nullptr};
    std::vector<unsigned> mine;
    for (unsigned s = 0; s < e->chip->tile.semaphores; s++) {
        uint64_t owner = e->below(8);
        if (others[owner])
            e->line(".sem %u %s", s, others[owner]);
        if (owner < 2)
            mine.push_back(s);
    }
    for (unsigned i = 0; i < mine.size(); i++) {
        unsigned a = mine[i], b = mine[(i + 1) % mine.size()];
        e->line("wait post(s%u, s%u)", a, b);
        e->line("wait wait(s%u, s%u)", a, b);
    }
    e->line("halt");
    e->end();
}

// A loop of 2^b turns, and one of 2^b + 2, left after the second and the third.
void counts(edges *e)
{
    for (unsigned b = 2; b < 63; b++) {
        for (unsigned depth = 0; depth < 4; depth++) {
            bool two = (b + depth) % 2;
            e->set(1, bit(b) + (two ? 2 : 0));
            e->set(2, two ? 3 : 2);
            e->line("loop x1, end%u", depth);
            e->line("addi x%u, x%u, 1", 3 + depth, 3 + depth);
            e->line("beq x%u, x2, on%u", 3 + depth, depth);
            e->line("addi x10, x10, %u", depth);
            e->line("end%u:", depth);
            e->line("jmp stop");
            e->line("on%u:", depth);
        }
        e->line("addi x11, x10, 1");
        e->line("stop:");
        e->line("halt");
        e->end();
    }
    for (unsigned b = 0; b < 64; b++) { // none, or one
        e->set(1, b == 63 ? bit(63) : 0 - bit(b));
        e->set(2, 1);
        for (unsigned depth = 0; depth < 2; depth++) {
            e->line("loop x%u, end%u", 1 + depth, depth);
            e->line("addi x3, x3, 1");
            e->line("end%u:", depth);
        }
        e->line("halt");
        e->end();
    }
}

tsr_word with_target(edges *e, const char *mnemonic, unsigned reg, unsigned target)
{
    tsr_insn in = e->draw(e->op(TSR_STREAM_TCP, mnemonic));
    for (const char *r : {"n", "a", "b"})
        if (tsr_op_operand(in.op, r) >= 0)
            edges::put(&in, r, reg);
    edges::put(&in, in.op->mnemonic[0] == 'l' ? "end" : "target", target);
    return encoded(in);
}

// Loops that end far beyond the word at which a part of the end's bits would end them.
void ends(edges *e)
{
    for (unsigned b = 1; b < 16; b++)
        for (unsigned depth = 0; depth < 4; depth++) {
            // the loop at word 1 + depth would end at word 8, were it not for bit b or above
            unsigned near = 24, loops = depth + 1;
            e->set(1, 3);
            for (unsigned i = 0; i < loops; i++)
                e->word(with_target(e, "loop", 1, i == depth && b > 4 ? near | bit(b) : 200 + i));
            for (unsigned i = 1 + loops; i < 40; i++)
                e->line("addi x2, x2, %u", i);
            e->line("jmp out");
            for (unsigned i = 41; i < 260; i++)
                e->line("nop");
            e->line("out:");
            e->line("halt");
            e->end();
        }
}

// Jumps beyond the program, and ways to its end: the words' numbers bit by bit.
void places(edges *e)
{
    for (const char *mnemonic : {"jmp", "beq"})
        for (unsigned b = 3; b < 16; b++) {
            e->line("nop");
            e->word(with_target(e, mnemonic, 0, bit(b) + b));
            e->line("halt");
            e->end();
        }
    for (unsigned b = 5; b < 13; b++) { // the last word is 2^b - 1, or 2^b
        unsigned words = bit(b) + (b < 12 ? b & 1 : 0);
        if (words > e->chip->tile.program_words)
            continue;
        e->line("jmp last");
        for (unsigned i = 1; i + 1 < words; i++)
            e->line("addi x1, x1, %u", i);
        e->line("last:");
        e->line("addi x1, x1, 7");
        e->end(); // and past it
    }
    // there and back over all bits of a word's number
    unsigned words = e->chip->tile.program_words;
    e->line("jmp to5");
    for (unsigned i = 1; i + 1 < words; i++) {
        for (unsigned b = 5; b < 12; b++)
            if (i == bit(b) + 3)
                e->line("to%u:", b);
        bool hop = false;
        for (unsigned b = 5; b < 11; b++)
            hop = hop || i == bit(b) + 4;
        unsigned next = 0;
        for (unsigned b = 5; b < 11; b++)
            if (i == bit(b) + 4)
                next = b + 1;
        if (hop)
            e->line("jmp to%u", next);
        else
            e->line("addi x1, x1, %u", i & 255);
    }
    e->line("halt");
    e->end();
}

// Control memory everywhere, by any base and any offset; then addresses with one bit too many.
void memory(edges *e)
{
    static const char *const name[] = {"lw", "sw", "ld", "sd"};
    for (unsigned program = 0; program < 2; program++) {
        for (unsigned i = 0; i < 500; i++) {
            unsigned k = static_cast<unsigned>(e->below(4)), size = k < 2 ? 4 : 8;
            uint64_t at = e->below(e->chip->tile.control_bytes / size) * size;
            int64_t imm = static_cast<int32_t>(e->any());
            e->set(1, at - static_cast<uint64_t>(imm));
            e->set(2, e->any());
            e->line("%s x2, x1, %d", name[k], static_cast<int>(imm));
        }
        e->line("halt");
        e->end();
    }
    for (unsigned k = 0; k < 4; k++)
        for (unsigned b = 0; b < 64; b++) {
            if (bit(b) >= (k < 2 ? 4 : 8) && bit(b) < e->chip->tile.control_bytes)
                continue;
            e->set(1, 0x100);
            e->set(1, bit(b) + (b % 2 ? 0x100 : 0));
            e->line("%s x2, x1, 0", name[k]);
            e->line("halt");
            e->end();
        }
}

// Values that differ in one bit, both ways, and any at all.
void arithmetic(edges *e)
{
    std::vector<const tsr_op *> alu;
    for (int k = 0; k < e->isa->n_ops; k++)
        if (e->isa->ops[k].stream == TSR_STREAM_TCP && !strcmp(e->isa->ops[k].exec, "alu"))
            alu.push_back(&e->isa->ops[k]);
    for (unsigned b = 0; b < 64; b++) {
        uint64_t v = e->any();
        e->set(1, v);
        e->set(2, v ^ bit(b));
        for (const char *row : {"beq", "bne", "blt", "bge"})
            for (unsigned i = 0; i < 3; i++) {
                e->line("%s x%u, x%u, l%s%u_%u", row, 1 + i % 2, i ? 1u : 2u, row, b, i);
                e->line("addi x3, x3, %u", i + 1);
                e->line("l%s%u_%u:", row, b, i);
            }
        for (const char *row : {"min", "max", "slt"})
            for (unsigned i = 0; i < 2; i++)
                e->line("%s x4, x%u, x%u", row, 1 + i, 2 - i);
    }
    e->line("halt");
    e->end();
    for (unsigned r = 1; r < 32; r++)
        e->set(r, e->any());
    for (unsigned i = 0; i < 1500; i++) {
        tsr_insn in = e->draw(alu[e->below(alu.size())]);
        e->word(in);
        if (e->below(4) == 0)
            e->set(1 + static_cast<unsigned>(e->below(31)), e->any() >> e->below(64));
    }
    e->line("halt");
    e->end();
}

} // namespace

void edge_tcp(edges *e)
{
    illegal_words(e);
    for (unsigned i = 0; i < 40; i++)
        parked(e);
    for (unsigned i = 0; i < 3; i++)
        semaphores(e);
    strangers(e);
    for (unsigned i = 0; i < 12; i++)
        neighbours(e);
    counts(e);
    ends(e);
    places(e);
    memory(e);
    arithmetic(e);
}
