// SPDX-License-Identifier: Apache-2.0
// What a program should not do: pieces that end in a fault, and words with flipped bits.
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include "tests/rtl/random_plan.h"

namespace
{

const char mark[] = "#!word";

void set_all(plan *p, std::initializer_list<uint64_t> values)
{
    unsigned r = 1;
    for (uint64_t v : values)
        p->set(r++, v);
}

void product(plan *p, const char *pair)
{
    p->line("mma a=x1, as=x2, b=x3, bs=x4, m=x5, n=x6, k=x7, c=x8, %s", pair);
}

void address(plan *p)
{
    uint64_t tsram = p->chip->tile.tsram_bytes;
    const uint64_t base[] = {tsram, tsram - 40, UINT64_C(2) << 56 | p->chip->hbm.bytes,
                             UINT64_C(1) << 56 | (p->chip->csram.bytes - 9), UINT64_C(3) << 56};
    uint64_t wrong = base[p->below(5)];
    switch (p->below(4)) {
    case 0:
        set_all(p, {p->below(2) ? wrong : 0, p->below(2) ? wrong : 4096, 64});
        p->line("copy ch=%d, dst=x1, src=x2, len=x3", static_cast<int>(p->below(4)));
        break;
    case 1:
        set_all(p, {wrong, 16, 4, 4, 0x10});
        p->line("%s, m=x3, n=x4, c=x5, fmt=f32",
                p->below(2) ? "drain dst=x1, ds=x2" : "fill src=x1, ss=x2");
        break;
    default:
        set_all(p, {wrong, 32, 0, 32, 4, 4, 8, 0});
        product(p, "af=i8, bf=i8");
    }
}

void shape(plan *p)
{
    uint64_t d = p->chip->tile.ttu.dim, line = p->chip->tile.line_bytes;
    const uint64_t wrong[][4] = {{0, 4, 8, 0}, {8 * d + 1, 4, 8, 0}, {4, 4, 8 * line + 1, 0},
                                 {4, 4, 8, 4}, {4, 4, 8, 0x40},      {4, 8 * d, 4, 0},
                                 {4, 4, 0, 0}, {4, 4, 8, 64 << 8},   {4, 4, 8, UINT64_MAX}};
    const uint64_t *w = wrong[p->below(9)];
    set_all(p, {0, line, 0, line, w[0], w[1], w[2], w[3]});
    if (p->below(2))
        product(p, "af=i4, bf=i4");
    else
        p->line("drain dst=x1, ds=x2, m=x5, n=x6, c=x8, fmt=f32");
}

void operand_line(plan *p)
{
    uint64_t line = p->chip->tile.line_bytes;
    set_all(p, {p->below(2) ? line - 3 : 0, line, line - 3, line, 4, 4, 8, 0});
    product(p, "af=i8, bf=i8");
}

void illegal_pair(plan *p)
{
    set_all(p, {0, 32, 0, 32, 4, 4, 8, 0});
    product(p, p->below(2) ? "af=i8, bf=bf16" : "af=mxf4, bf=i4");
}

void conflict(plan *p)
{
    uint64_t d = p->chip->tile.ttu.dim, line = p->chip->tile.line_bytes;
    set_all(p, {0, line, 0, line, 4 * d, 4 * d, 8, 0});
    static const char *const word[2] = {"fill src=x1, ss=x2, m=x5, n=x6, c=x8, fmt=f32",
                                        "drain dst=x1, ds=x2, m=x5, n=x6, c=x8, fmt=bf16"};
    unsigned late = static_cast<unsigned>(p->below(2));
    for (unsigned i = 0; i < 2; i++)
        if (i == late)
            product(p, "af=i8, bf=i8");
        else
            p->line("%s", word[p->below(2)]);
}

void overflow(plan *p)
{
    std::string end = p->label();
    p->set(22, p->chip->tile.semaphore_max + 1 + p->below(3));
    p->line("loop x22, %s", end.c_str());
    p->line(p->below(2) ? "wait post(s1)" : "tsync post(s1)");
    p->here(end);
}

// Words that consume what another queue should.
void consumer(plan *p)
{
    static const char *const word[] = {
        "tsync wait(s1)",
        "wait wait(s8)",
        "vcall nothing wait(s1)",
        "copy ch=2, src=x0, dst=x0, len=x0 wait(s8)",
        "drain dst=x0, ds=x0, m=x1, n=x1, c=x0, fmt=f32 wait(s1)",
        "mma a=x0, as=x0, b=x0, bs=x0, m=x1, n=x1, k=x1, c=x0, af=i8, bf=i8 wait(s1)",
    };
    p->set(1, 1);
    p->line("wait post(s1, s8)");
    p->line("%s", word[p->below(6)]);
}

void depth(plan *p)
{
    std::string end = p->label();
    bool deep = p->below(2);
    p->set(22, 2);
    for (int i = deep ? 0 : 4; i < 5; i++)
        p->line("loop x22, %s", end.c_str());
    if (deep)
        p->line("nop");
    p->here(end);
}

void control(plan *p)
{
    static const char *const word[] = {"lw x1, x0, 2", "ld x1, x0, 4",  "sw x1, x2, 0",
                                       "sd x1, x2, 0", "lw x1, x2, -4", "ld x1, x0, -8"};
    p->set(2, p->chip->tile.control_bytes);
    p->line("%s", word[p->below(6)]);
}

void dead(plan *p)
{
    p->line(p->below(2) ? "wait wait(s2)" : "tsync wait(s9)");
}

void lost(plan *p)
{
    p->line("vcall lost, x1");
}

void past(plan *p)
{
    p->line("jmp past");
}

} // namespace

void random_fault(plan *p)
{
    static void (*const all[])(plan *) = {address,  shape,    operand_line, illegal_pair,
                                          conflict, overflow, consumer,     depth,
                                          control,  dead,     lost,         past};
    p->open_gates();
    unsigned quiet = p->below(2) ? 0 : 40;
    while (quiet-- > 0 && p->busy(1)) // else in the midst of everything
        p->join_some();
    all[p->below(sizeof all / sizeof *all)](p);
}

std::string random_damaged(const tsr_isa *isa, const std::string &text, uint64_t seed)
{
    uint64_t state = seed ^ 0xDA3A6E;
    std::vector<std::string> lines = random_lines(text);
    tsr_program p = {};
    tsr_error err = {};
    if (random_assemble(isa, "random.s", text, &p, &err) != TSR_OK)
        return text;
    for (uint64_t n = 1 + random_next(&state) % 3; n > 0; n--) {
        bool vector = p.n_tvp > 1 && random_next(&state) % 2;
        uint64_t i = random_next(&state) % (vector ? p.n_tvp : p.n_tcp);
        tsr_word w = vector ? tsr_word{{p.tvp[i], 0}} : p.tcp[i];
        uint64_t r = random_next(&state);
        for (uint64_t bits = 1 + (r >> 20) % 2; bits > 0; bits--, r >>= 24)
            w.w[vector ? 0 : r & 1] ^= UINT64_C(1) << (r >> 8 & 63);
        std::string &line = lines[(vector ? p.tvp_line : p.tcp_line)[i] - 1];
        char buffer[80];
        snprintf(buffer, sizeof buffer, " %s 0x%016" PRIx64 " 0x%016" PRIx64, mark, w.w[0], w.w[1]);
        line = line.substr(0, line.find('#')) + buffer;
    }
    tsr_program_free(&p);
    std::string out;
    for (const std::string &l : lines)
        out += l + "\n";
    return out;
}

std::vector<std::string> random_lines(const std::string &text)
{
    std::vector<std::string> lines;
    for (size_t at = 0, end; at < text.size(); at = end + 1) {
        end = text.find('\n', at);
        if (end == std::string::npos)
            end = text.size();
        lines.push_back(text.substr(at, end - at));
    }
    return lines;
}

tsr_status random_assemble(const tsr_isa *isa, const char *name, const std::string &text,
                           tsr_program *p, tsr_error *err)
{
    tsr_status st = tsr_assemble(isa, name, text.data(), text.size(), p, err);
    if (st != TSR_OK || text.find(mark) == std::string::npos)
        return st;
    std::vector<std::string> lines = random_lines(text);
    for (int vector = 0; vector < 2; vector++)
        for (uint32_t i = 0; i < (vector ? p->n_tvp : p->n_tcp); i++) {
            const std::string &line = lines[(vector ? p->tvp_line : p->tcp_line)[i] - 1];
            size_t at = line.find(mark);
            if (at == std::string::npos)
                continue;
            char *end;
            uint64_t low = strtoull(line.c_str() + at + strlen(mark), &end, 16),
                     high = strtoull(end, nullptr, 16);
            if (vector)
                p->tvp[i] = low;
            else
                p->tcp[i] = {{low, high}};
        }
    return TSR_OK;
}
