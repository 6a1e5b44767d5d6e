// SPDX-License-Identifier: Apache-2.0
// Edges of the vector processor: bits that no row has, loops whose counts' and ends' high bits
// decide, address registers bit by bit, accesses to the last byte and beyond.
#include <cinttypes>
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

// One routine, called with x1..x8; what `lines` says before vret.
void routine(edges *e, const std::string &lines)
{
    e->text = ".routine r\n" + lines + "vret\n.end\n" + e->text;
}

void call(edges *e)
{
    e->line("vcall r, x1, x2, x3, x4, x5, x6, x7, x8");
}

void end(edges *e)
{
    e->line("halt");
    e->end();
}

std::string raw(uint64_t word)
{
    char text[80];
    snprintf(text, sizeof text, "vidx v0 #!word 0x%016" PRIx64 " 0x0\n", word);
    return text;
}

std::string plain(const edges *e, const tsr_insn &in)
{
    char text[256];
    tsr_disassemble_insn(e->isa, &in, text, sizeof text);
    return std::string(text) + "\n";
}

// Of each row all words that one wrong bit makes illegal: as the first word, or the second of two
// that could issue together.
void illegal_words(edges *e)
{
    for (int k = 0; k < e->isa->n_ops; k++) {
        const tsr_op *op = &e->isa->ops[k];
        if (op->stream != TSR_STREAM_TVP)
            continue;
        tsr_word w = {};
        tsr_error err = {};
        tsr_insn drawn = e->draw(op);
        tsr_encode(&drawn, &w, &err);
        for (unsigned b = 0; b < 64; b++) {
            tsr_word wrong = w;
            tsr_insn in;
            wrong.w[0] ^= bit(b);
            if (tsr_decode(e->isa, TSR_STREAM_TVP, wrong, &in, &err) == TSR_OK)
                continue;
            bool second = (b + static_cast<unsigned>(k)) % 2;
            call(e);
            routine(e, (second ? op->memory ? "vidx v30\n" : "vld v30, a15, f32\n" : "") +
                           raw(wrong.w[0]));
            end(e);
        }
    }
}

// Address registers: sums over all 64 bits, seen as lengths, which clamp them.
void registers(edges *e)
{
    std::string body;
    for (unsigned i = 0; i < 8; i++) {
        std::string k = std::to_string(i), next = std::to_string((i + 1) % 8);
        body += "vlen a" + k + "\nvld v" + k + ", a15, f32\n";
        body += "aadd a" + std::to_string(8 + i % 7) + ", a" + k + ", a" + next + "\n";
        body += "vlen a" + std::to_string(8 + i % 7) + "\nvld v" + std::to_string(8 + i) +
                ", a15, f32\n";
        body += "vsplat v" + std::to_string(16 + i) + ", a" + std::to_string(8 + i % 7) + "\n";
    }
    e->line("li x11, hbm:0x8000");
    e->set(12, 64);
    e->line("copy ch=0, src=x11, dst=x0, len=x12, p0=s1");
    e->line("vcall r, x0 wait(s1)");
    e->text = ".sem 1 tvp\n" + e->text;
    for (unsigned turn = 0; turn < 90; turn++) {
        for (unsigned i = 0; i < 8; i++) {
            uint64_t v = turn < 64 ? bit((turn + 8 * i) % 64) : e->any() >> e->below(64);
            e->set(1 + i, turn % 2 && i % 2 ? 0 - bit((turn + 8 * (i - 1)) % 64) : v);
        }
        call(e);
    }
    routine(e, body);
    end(e);
    // aaddi and ali over their immediates' bits
    body.clear();
    for (unsigned b = 0; b < 32; b++) {
        std::string imm = std::to_string(static_cast<int32_t>(b == 31 ? bit(31) : bit(b)));
        std::string d = std::to_string(8 + b % 7);
        body += "aaddi a" + d + ", a" + std::to_string(b % 8) + ", " + imm + "\nvsplat v" +
                std::to_string(b) + ", a" + d + "\nvlen a" + d + "\nvld v" + std::to_string(b) +
                ", a15, f32\nali a" + d + ", " + imm + "\nvsplat v" + std::to_string(31 - b) +
                ", a" + d + "\n";
    }
    e->text = "";
    for (unsigned turn = 0; turn < 12; turn++) {
        for (unsigned i = 0; i < 8; i++)
            e->set(1 + i, turn ? e->any() >> e->below(64) : 0 - bit(i));
        call(e);
    }
    routine(e, body);
    end(e);
}

// All vector registers in all places, results of all latencies on their way to all of them.
void vectors(edges *e, unsigned programs)
{
    std::vector<const tsr_op *> rows;
    for (int k = 0; k < e->isa->n_ops; k++) {
        const tsr_op *op = &e->isa->ops[k];
        if (op->stream == TSR_STREAM_TVP && (!strcmp(op->exec, "lanes") || !op->memory) &&
            strcmp(op->exec, "vret") != 0 && op->exec[0] != 'a' && strcmp(op->exec, "vloop") != 0)
            rows.push_back(op);
    }
    for (unsigned program = 0; program < programs; program++) {
        std::string body;
        for (unsigned r = 0; r < 32; r++)
            body += "vimm v" + std::to_string(r) + ", " +
                    std::to_string(static_cast<uint32_t>(e->any())) + "\n";
        for (unsigned i = 0; i < 300; i++) {
            body += plain(e, e->draw(rows[e->below(rows.size())]));
            if (e->below(6) == 0)
                body += "vimm v" + std::to_string(e->below(32)) + ", " +
                        std::to_string(static_cast<uint32_t>(e->any())) + "\n";
            if (e->below(3) == 0)
                body += "vld v" + std::to_string(e->below(32)) + ", a" +
                        std::to_string(8 + e->below(8)) + ", f32\n";
        }
        for (unsigned i = 0; i < 8; i++)
            e->set(1 + i, e->any() >> e->below(64));
        call(e);
        routine(e, body);
        end(e);
    }
}

// Loops of 2^b turns, and of 2^b + 2.
void loops(edges *e)
{
    // A loop without end is left by a fault: an address that grows beyond the memory in its third
    // turn. So the high bit alone of the count decides whether that turn comes.
    for (unsigned b = 2; b < 63; b++)
        for (unsigned depth = 1; depth <= 4; depth++) {
            std::string body;
            bool two = (b + depth) % 2;
            for (unsigned i = 1; i < depth; i++)
                body += "vloop a2, e" + std::to_string(i) + "\nvidx v1\n";
            body += "vloop a0, out\nvld v2, a1, f32, inc=" +
                    std::to_string(e->chip->tile.tsram_bytes / (two ? 3 : 2) / 4 * 4 + 64) +
                    "\nvidx v3\nout:\nvidx v4\n";
            for (unsigned i = depth - 1; i >= 1; i--)
                body += "e" + std::to_string(i) + ":\n";
            body += "vidx v5\n";
            e->set(1, bit(b) + (two ? 2 : 0));
            e->set(2, 0);
            e->set(3, 1);
            call(e);
            routine(e, body);
            end(e);
        }
    for (unsigned b = 0; b < 64; b++) { // none
        e->set(1, b == 63 ? bit(63) : 0 - bit(b));
        call(e);
        routine(e, "vloop a0, out\nvidx v1\nout:\nvidx v2\n");
        end(e);
    }
}

// Loops up to four deep of one to three turns each, all of which come to their end: at one word or
// apart, anywhere in the routine; and a fifth inside.
void nests(edges *e)
{
    for (unsigned program = 0; program < 120; program++) {
        unsigned depth = 1 + program % 5;
        bool together = e->below(3) == 0;
        std::string body, ends;
        for (uint64_t n = e->below(program % 7 ? 40 : 500); n > 0; n--)
            body += "vidx v" + std::to_string(n % 32) + "\n";
        for (unsigned i = 1; i <= depth; i++) {
            body +=
                "vloop a" + std::to_string(i - 1) + ", e" + std::to_string(together ? 1 : i) + "\n";
            for (uint64_t n = e->below(3) + (i == depth); n > 0; n--)
                body += e->below(2) ? "aaddi a8, a8, 3\n" : "vsplat v3, a8\n";
        }
        for (unsigned i = together ? 1 : depth; i >= 1; i--) {
            ends += "e" + std::to_string(i) + ":\n";
            for (uint64_t n = 1 + e->below(3); n > 0; n--)
                ends += e->below(2) ? "aaddi a8, a8, 5\n" : "vlen a8\n";
        }
        for (unsigned i = 1; i <= depth; i++)
            e->set(i, 1 + e->below(3));
        call(e);
        routine(e, body + ends + "vsplat v5, a8\n");
        end(e);
    }
}

// Ends of loops beyond the one that a part of their bits gives, and beyond all words.
void places(edges *e)
{
    const tsr_op *op = e->op(TSR_STREAM_TVP, "vloop");
    for (unsigned b = 3; b < 16; b++)
        for (unsigned depth = 1; depth <= 4; depth++) {
            std::string body;
            for (unsigned i = 1; i <= depth; i++) {
                tsr_insn in = e->draw(op);
                tsr_word w = {};
                tsr_error err = {};
                edges::put(&in, "n", 0);
                edges::put(&in, "end",
                           static_cast<int64_t>(i == depth ? (b > 4 ? 20 | bit(b) : 70) : 60 + i));
                tsr_encode(&in, &w, &err);
                body += raw(w.w[0]);
            }
            for (unsigned i = 0; i < 30; i++)
                body += "vimm v" + std::to_string(i) + ", " + std::to_string(i) + "\n";
            e->set(1, 2);
            call(e);
            routine(e, body);
            end(e);
        }
    for (unsigned b = 4; b < 16; b++) { // calls to words that there are none
        tsr_insn in = e->draw(e->op(TSR_STREAM_TCP, "vcall"));
        edges::put(&in, "routine", static_cast<int64_t>(bit(b)));
        e->word(in);
        routine(e, "vidx v1\n");
        end(e);
    }
    for (unsigned b = 4; b < 12; b++) { // the routine's words end at 2^b, past the last one
        if (bit(b) > e->chip->tile.tvp.routine_words)
            break;
        std::string body;
        for (unsigned i = 0; i < bit(b); i++)
            body += "vimm v" + std::to_string(i % 32) + ", " + std::to_string(i) + "\n";
        e->line("vcall r");
        e->text = ".routine r\n" + body + ".end\n" + e->text;
        end(e);
    }
}

// Each format at the TSRAM's end, and a byte or an element beyond; then any bit too many.
void bounds(edges *e)
{
    const uint64_t bytes = e->chip->tile.tsram_bytes;
    for (int k = 0; k < e->isa->n_ops; k++) {
        const tsr_op *op = &e->isa->ops[k];
        int f = op->stream == TSR_STREAM_TVP && op->memory ? tsr_op_operand(op, "fmt") : -1;
        if (f < 0)
            continue;
        for (int64_t code = 0; code < 32; code++)
            for (unsigned before = 0; before <= 36 && op->operand[f].formats >> code & 1;
                 before++) {
                tsr_insn in = e->draw(op);
                in.v[f] = code;
                edges::put(&in, "a", 0);
                edges::put(&in, "inc", 0);
                if (tsr_op_operand(op, "n") >= 0)
                    edges::put(&in, "n", 0);
                if (before % 4 && before > 9 && e->below(2))
                    continue;
                e->set(1, bytes - before);
                call(e);
                routine(e, plain(e, in));
                end(e);
            }
    }
    for (unsigned b = 0; b < 64; b++)
        for (const char *word : {"vld v1, a0, f32\n", "vst v1, a0, f32\n", "vlda v1, a0\n"}) {
            e->set(1, bit(b));
            call(e);
            routine(e, word);
            end(e);
        }
    unsigned lines = e->chip->tile.ttu.acc_banks * 16 * e->chip->tile.ttu.dim *
                     e->chip->tile.ttu.dim / e->chip->tile.tvp.lanes;
    for (unsigned over = 0; over < 2; over++) {
        e->set(1, lines - 1 + over);
        call(e);
        routine(e, "vlda v1, a0\n");
        end(e);
    }
}

// vlda of each bank while an mma owns one.
void conflicts(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    uint64_t lines = 16 * d * d / e->chip->tile.tvp.lanes;
    for (uint64_t i = 0; i < banks * 3; i++) {
        uint64_t owned = i % banks, read = i < 2 * banks ? owned : e->below(banks);
        const uint64_t mma[] = {0, 32, 0, 32, 4 * d, 4 * d, 8, owned << 8};
        for (unsigned k = 0; k < 8; k++)
            e->set(11 + k, mma[k]);
        e->set(1, read * lines + e->below(lines));
        e->line("mma a=x11, as=x12, b=x13, bs=x14, m=x15, n=x16, k=x17, c=x18, af=i8, bf=i8");
        call(e);
        routine(e, i % 2 ? "vlda v1, a0\n" : "vidx v2\nvlda v1, a0\n");
        end(e);
    }
}

// vlda of each bank in every cycle while an mma starts there that faults: it owns nothing.
void faulting(edges *e)
{
    uint64_t d = e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    uint64_t lines = 16 * d * d / e->chip->tile.tvp.lanes;
    std::string body;
    for (unsigned i = 0; i < 64; i++)
        body += "vlda v" + std::to_string(i % 32) + ", a0\n";
    for (uint64_t i = 0; i < banks * 3; i++) {
        const char *formats[] = {"af=mxf4, bf=i4", "af=i8, bf=i8"};
        const uint64_t k = i % 3 ? 1 << 20 : 8; // rows that are too long
        const uint64_t mma[] = {0, 32, 0, 32, 4 * d, 4 * d, k, i / 3 << 8};
        for (unsigned r = 0; r < 8; r++)
            e->set(11 + r, mma[r]);
        e->set(1, i / 3 * lines + e->below(lines));
        call(e);
        for (uint64_t wait = e->below(8) + 16; wait > 0; wait--)
            e->line("nop");
        e->line("mma a=x11, as=x12, b=x13, bs=x14, m=x15, n=x16, k=x17, c=x18, %s",
                formats[i % 3 == 2]);
        routine(e, body);
        end(e);
    }
}

// Bytes of noise from address `to` on; s1, which the unit waits for, says when they are there.
void noise(edges *e, uint64_t to, unsigned bytes, const std::string &unit)
{
    e->text = ".sem 1 " + unit + "\n" + e->text;
    e->line("li x11, hbm:0x%x", static_cast<unsigned>(RANDOM_PATTERNS + 64 * e->below(256)));
    e->set(12, to);
    e->set(13, bytes);
    e->line("copy ch=0, src=x11, dst=x12, len=x13, p0=s1");
}

// Loops of no turns, before or behind a memory word: their end is any bit, or their own first word
// could issue with them; counts in each address register.
void skips(edges *e)
{
    const tsr_op *op = e->op(TSR_STREAM_TVP, "vloop");
    for (unsigned b = 3; b < 16; b++)
        for (const char *before : {"", "vld v1, a3, f32\n"}) {
            tsr_insn in = e->draw(op);
            tsr_word w = {};
            tsr_error err = {};
            edges::put(&in, "n", 0);
            edges::put(&in, "end", static_cast<int64_t>(bit(b) | 5));
            tsr_encode(&in, &w, &err);
            call(e);
            routine(e, before + raw(w.w[0]) + "vidx v1\n");
            end(e);
        }
    for (const char *word : {"vld v2, a4, f32\n", "vst v2, a4, f32\n", "vlda v2, a4\n"})
        for (const char *before : {"", "vidx v1\n", "vld v1, a3, f32\n"}) {
            call(e);
            routine(e, std::string(before) + "vloop a0, out\n" + word + "vidx v5\nout:\nvidx v3\n");
            end(e);
        }
    std::string body;
    for (unsigned r = 0; r < 16; r++) {
        std::string n = std::to_string(r);
        body += "ali a" + n + ", " + std::to_string(1 + r % 3) + "\n" +
                (r % 4 < 2 ? "vidx v3\n" : "vld v3, a" + std::to_string((r + 1) % 16) + ", f32\n") +
                "vloop a" + n + ", e" + n + "\nvidx v1\nali a" + n + ", 0\ne" + n + ":\n";
    }
    call(e);
    routine(e, body);
    end(e);
}

// Loads and stores of all formats within a few lines, so that ports keep what others change: each
// byte of a line, whole or in part, and of two lines.
void kept(edges *e)
{
    static const char *const words[] = {"f32", "i32"};
    static const char *const bytes[] = {"i8", "f8e4m3", "mxf4", "mxf6e3m2", "mx9", "mx6", "mx4"};
    const unsigned line = static_cast<unsigned>(e->chip->tile.line_bytes);
    for (unsigned program = 0; program < 40; program++) {
        std::string body;
        for (unsigned i = 0; i < 4; i++)
            body += "vld v" + std::to_string(2 * i) + ", a" + std::to_string(i) + ", f32\n";
        for (unsigned i = 0; i < 60; i++) {
            unsigned a = static_cast<unsigned>(e->below(8));
            const char *f = a < 4 ? words[e->below(2)] : bytes[e->below(7)];
            std::string n = e->below(3) ? "" : ", n=" + std::to_string(e->below(9));
            std::string of = ", a" + std::to_string(a) + ", " + f;
            body += (e->below(2) ? "vst v" : "vld v") + std::to_string(e->below(8)) + of + n + "\n";
            if (e->below(4) == 0)
                body += "aaddi a" + std::to_string(a) + ", a" + std::to_string(a) + ", " +
                        std::to_string(a < 4         ? (e->below(2) ? 4 : -4)
                                       : e->below(2) ? 1
                                                     : -1) +
                        "\n";
        }
        noise(e, 0x1000, 16 * line, "tvp");
        for (unsigned i = 0; i < 8; i++)
            e->set(1 + i,
                   0x1000 + 4 * line + (i < 4 ? 4 * e->below(line / 2) : e->below(2 * line)));
        e->line("vcall r, x1, x2, x3, x4, x5, x6, x7, x8 wait(s1)");
        routine(e, body);
        end(e);
    }
}

// Of each shared exponent's format a register pair stored whose lanes are ties, or a bit off one.
void ties(edges *e)
{
    static const struct {
        const char *name;
        unsigned mbits;
    } formats[] = {{"mx9", 7}, {"mx6", 4}, {"mx4", 2}};
    for (const auto &f : formats)
        for (unsigned program = 0; program < 4; program++) {
            std::string body = "vidx v1\nvimm v2, 1\n";
            for (unsigned b = 0; b < 12; b++)
                for (unsigned index = 0; index < 3; index++) {
                    unsigned d = 4 + 2 * static_cast<unsigned>(e->below(14));
                    // bit `index` of a lane's number is bit b of its value
                    body += "vimm v3, " + std::to_string(index) +
                            "\nvshr v3, v1, v3\nvand v3, v3, v2\n";
                    body += "vimm v0, " + std::to_string(b) + "\nvshl v3, v3, v0\n";
                    for (unsigned k = 0; k < 2; k++) {
                        float v = (static_cast<float>(e->below(bit(f.mbits))) + 0.5F) /
                                  static_cast<float>(bit(f.mbits));
                        uint32_t code;
                        memcpy(&code, &v, sizeof code);
                        std::string r = std::to_string(d + k);
                        body += "vimm v" + r + ", " +
                                std::to_string(code | static_cast<uint32_t>(e->below(2) << 31)) +
                                "\nvor v" + r + ", v" + r + ", v3\n";
                    }
                    body += "vst v" + std::to_string(d) + ", a0, " + f.name + ", inc=32\n";
                }
            e->set(1, 0x1000 + e->below(32));
            call(e);
            routine(e, body);
            end(e);
        }
}

// All lines of a bank of accumulators that hold noise.
void accumulators(edges *e)
{
    const uint64_t side = 4 * e->chip->tile.ttu.dim, banks = e->chip->tile.ttu.acc_banks;
    const uint64_t lines = side * side / e->chip->tile.tvp.lanes;
    for (uint64_t bank = 0; bank < banks; bank++) {
        std::string body;
        for (uint64_t i = 0; i < lines; i++)
            body += "vlda v" + std::to_string(i % 32) + ", a0, inc=1\n";
        noise(e, 0x1000, static_cast<unsigned>(4 * side * side), "acc");
        e->text = ".sem 2 tvp\n" + e->text;
        e->set(14, 4 * side);
        e->set(15, side);
        e->set(16, bank << 8);
        e->line("fill src=x12, ss=x14, m=x15, n=x15, c=x16, fmt=f32 wait(s1) post(s2)");
        e->set(1, bank * lines);
        e->line("vcall r, x1 wait(s2)");
        routine(e, body);
        end(e);
    }
}

} // namespace

void edge_tvp(edges *e)
{
    illegal_words(e);
    registers(e);
    vectors(e, 3);
    loops(e);
    places(e);
    bounds(e);
    conflicts(e);
    vectors(e, 12);
    nests(e);
    skips(e);
    kept(e);
    ties(e);
    accumulators(e);
    faulting(e);
    e->random(160, 160, TSR_UNIT_TVP);
}
