// SPDX-License-Identifier: Apache-2.0
// Values of whole mma, drain and fill in RTL against isa/num: random bytes in the TSRAM, random
// instructions of every pair of formats and layout, then every accumulator and every byte compared.
// usage: Vttu_unit_bench PROGRAMS SEED CHIP
#include "tests/rtl/unit_bench.h"

#include <algorithm>
#include <string>
#include <vector>

#include "Vttu_unit_bench.h"

extern "C" {
#include "isa/chip.h"
}

struct instruction {
    const struct tsr_op *op;
    std::vector<uint64_t> x; // registers in the order of the row
    uint32_t word[4];
    std::string text;
};

struct machine {
    struct tsr_isa *isa;
    struct tsr_chip chip;
    uint32_t d, line, bytes, banks;
    std::vector<uint8_t> tsram;
    std::vector<uint32_t> acc; // banks of 4D x 4D
    Vttu_unit_bench v;
};

static const struct tsr_op *row(const struct tsr_isa *isa, const char *name)
{
    for (int i = 0; i < isa->n_ops; i++)
        if (!strcmp(isa->ops[i].mnemonic, name))
            return &isa->ops[i];
    std::exit(1);
}

static void set(instruction &in, const char *name, uint64_t value)
{
    size_t slot = 0;
    for (int i = 0; i < in.op->n_operands; i++) {
        const struct tsr_operand &o = in.op->operand[i];
        bool x = o.kind == TSR_KIND_XREG;
        if (!strcmp(o.name, name)) {
            in.text += std::string(" ") + name + "=" + std::to_string(value);
            if (x)
                in.x[slot] = value;
            for (unsigned b = 0; !x && b < o.width; b++)
                if (value >> b & 1)
                    in.word[(o.at + b) / 32] |= 1u << (o.at + b) % 32;
        }
        slot += x;
    }
}

static instruction begin(const machine &m, const char *name)
{
    instruction in = {row(m.isa, name), std::vector<uint64_t>(16), {}, name};
    in.word[0] = in.op->opcode;
    return in;
}

static uint32_t *acc_at(machine &m, uint32_t c, uint32_t across, uint32_t i, uint32_t j)
{
    uint32_t side = 4 * m.d, r = (c >> 4 & 15) * m.d + i, k = (c & 15) * m.d + j;
    uint32_t bank = (c >> 8) + (r / side << across) + k / side;
    return &m.acc[(bank * side + r % side) * side + k % side];
}

struct rectangle {
    uint32_t c, m, n, across;
};

static rectangle draw_rectangle(const machine &m, uint32_t most_m, uint32_t most_n)
{
    for (;;) {
        rectangle r = {0, 1 + below(below(2) ? most_m : m.d + 2), 1 + below(below(2) ? most_n : 6),
                       below(3)};
        uint32_t tr = below(4), tc = below(4), side = 4 * m.d;
        uint32_t down = (tr * m.d + r.m + side - 1) / side,
                 wide = (tc * m.d + r.n + side - 1) / side;
        uint32_t span = ((down - 1) << r.across) + wide;
        if (tc * m.d + r.n > side << r.across || down << r.across > 4 || span > m.banks)
            continue;
        r.c = below(m.banks - span + 1) << 8 | tr << 4 | tc;
        return r;
    }
}

struct operand {
    uint64_t at, stride, scales;
    struct tsr_num_operand num;
};

static uint32_t row_bytes(const struct tsr_format *f, uint32_t n)
{
    if (f->family == TSR_FAMILY_SMX)
        return (n + f->block - 1u) / f->block * ((f->block * f->bits + f->block / 2u) / 8u);
    return (n * f->bits + 7u) / 8u;
}

// Rows within lines, scales beside them; false where the shape does not fit.
static bool draw_operand(machine &m, const struct tsr_format *f, uint32_t outer, uint32_t k,
                         bool strided, operand &o)
{
    uint32_t rows = strided ? k : outer, bytes = row_bytes(f, strided ? outer : k);
    uint32_t scales = f->block > 1 ? (k + f->block - 1u) / f->block * f->scale_bits / 8u : 0;
    uint32_t all = bytes + scales;
    if (all > m.line)
        return false;
    uint32_t first = below(m.line - all + 1), share = 1;
    while (2 * share * all <= m.line && below(4))
        share *= 2;
    o.stride = below(2) ? m.line / share : m.line * (1 + below(3));
    if (o.stride < m.line)
        first = below(m.line / share - all + 1);
    uint64_t room = m.bytes - (o.stride * rows + m.line);
    uint64_t base = below(room / m.line) * m.line;
    bool front = below(2);
    o.at = base + first + (front ? scales : 0);
    o.scales = base + first + (front ? 0 : bytes);
    o.num = {m.tsram.data() + o.at, static_cast<ptrdiff_t>(o.stride), strided,
             scales ? m.tsram.data() + o.scales : nullptr, static_cast<ptrdiff_t>(o.stride)};
    return true;
}

static void copy(machine &m, const rectangle &r, std::vector<uint32_t> &block, bool out)
{
    for (uint32_t i = 0; i < r.m; i++)
        for (uint32_t j = 0; j < r.n; j++) {
            uint32_t *a = acc_at(m, r.c, r.across, i, j);
            (out ? block[i * r.n + j] : *a) = out ? *a : block[i * r.n + j];
        }
}

static uint32_t step_of(const machine &m, const struct tsr_format *f)
{
    const struct tsr_ttu_config &u = m.chip.tile.ttu;
    return f->width_class == 16 ? u.r16 : f->width_class == 9 ? u.r9 : u.r6;
}

static const struct tsr_format *draw_format(const machine &m)
{
    for (;;) {
        uint32_t i = below(TSR_DTYPE_MAX);
        if (m.isa->has_format[i] && m.isa->formats[i].width_class)
            return &m.isa->formats[i];
    }
}

static instruction draw_mma(machine &m)
{
    for (;;) {
        const struct tsr_format *fa = draw_format(m), *fb = draw_format(m);
        rectangle r = draw_rectangle(m, 8 * m.d, 8 * m.d);
        uint32_t k = 1 + below(below(2) ? 2 * m.line : 16), sc = below(2) ? 0 : 1 + below(2);
        bool at = fa->block == 1 && below(3) == 0, bt = fb->block == 1 && below(3) == 0;
        operand a, b;
        if ((fa->family == TSR_FAMILY_INT) != (fb->family == TSR_FAMILY_INT) ||
            ((at || bt) && k > 8 * m.d) || !draw_operand(m, fa, r.m, k, at, a) ||
            !draw_operand(m, fb, r.n, k, bt, b))
            continue;
        instruction in = begin(m, "mma");
        uint32_t e = below(m.bytes / 4 - 16 * m.d) * 4, acc = below(4) != 0;
        const struct {
            const char *name;
            uint64_t value;
        } fields[] = {{"a", a.at},       {"as", a.stride},     {"b", b.at},
                      {"bs", b.stride},  {"m", r.m},           {"n", r.n},
                      {"k", k},          {"c", r.c},           {"e", e},
                      {"asc", a.scales}, {"bsc", b.scales},    {"af", fa->code},
                      {"bf", fb->code},  {"at", at},           {"bt", bt},
                      {"acc", acc},      {"across", r.across}, {"sc", sc}};
        for (const auto &f : fields)
            set(in, f.name, f.value);
        in.text += std::string(" ") + fa->name + " x " + fb->name;
        // Exponents of any size are rare: small ones, where all bytes would be alike, help more.
        for (uint32_t i = 0; sc && i < 8 * m.d; i++)
            if (below(8)) {
                int32_t small = static_cast<int32_t>(below(60)) - 20;
                memcpy(&m.tsram[e + 4 * i], &small, 4);
            }
        return in;
    }
}

static instruction draw_acc(machine &m)
{
    static const uint32_t formats[] = {TSR_F32, TSR_BF16, TSR_F16, TSR_I32};
    bool drain = below(2);
    rectangle r = draw_rectangle(m, 8 * m.d, 16 * m.d);
    uint32_t format = formats[below(4)], size = format == TSR_BF16 || format == TSR_F16 ? 2 : 4;
    uint32_t strides[] = {r.n * size, (r.n + 1) * size, (r.n * size / m.line + 1) * m.line};
    uint64_t stride = strides[below(3)];
    if (!drain && below(4) == 0)
        stride = below(3) * size; // rows of a fill may overlap
    uint64_t at = below((m.bytes - stride * r.m - r.n * 4) / size) * size;
    instruction in = begin(m, drain ? "drain" : "fill");
    set(in, drain ? "dst" : "src", at);
    set(in, drain ? "ds" : "ss", stride);
    set(in, "m", r.m);
    set(in, "n", r.n);
    set(in, "c", r.c);
    set(in, "fmt", format);
    set(in, "across", r.across);
    if (drain) {
        uint64_t bias, end = at + stride * r.m;
        do // not where the drain itself writes
            bias = below(m.bytes / 4 - r.n) * 4;
        while (bias < end + m.line && bias + 4 * r.n + m.line > at);
        set(in, "bias", bias);
        set(in, "bi", below(2));
        set(in, "int", below(2));
    }
    return in;
}

static uint64_t imm(const instruction &in, const char *name)
{
    for (int i = 0; i < in.op->n_operands; i++) {
        const struct tsr_operand &o = in.op->operand[i];
        if (!strcmp(o.name, name)) {
            uint64_t v = 0;
            for (unsigned b = 0; b < o.width; b++)
                v |= static_cast<uint64_t>(in.word[(o.at + b) / 32] >> (o.at + b) % 32 & 1) << b;
            return v;
        }
    }
    return 0;
}

static void expect_mma(machine &m, const instruction &in)
{
    const std::vector<uint64_t> &x = in.x;
    const struct tsr_format *fa = &m.isa->formats[imm(in, "af")],
                            *fb = &m.isa->formats[imm(in, "bf")];
    rectangle r = {static_cast<uint32_t>(x[7]), static_cast<uint32_t>(x[4]),
                   static_cast<uint32_t>(x[5]), static_cast<uint32_t>(imm(in, "across"))};
    uint32_t k = static_cast<uint32_t>(x[6]);
    struct tsr_num_plan plan;
    struct tsr_num_panel pa, pb;
    struct tsr_error err = {};
    if (tsr_num_plan(fa, fb, std::min(step_of(m, fa), step_of(m, fb)), &plan, &err) != TSR_OK)
        std::exit(1);
    struct tsr_num_operand a = {&m.tsram[x[0]], static_cast<ptrdiff_t>(x[1]), imm(in, "at") != 0,
                                fa->block > 1 ? &m.tsram[x[9]] : nullptr,
                                static_cast<ptrdiff_t>(x[1])};
    struct tsr_num_operand b = {&m.tsram[x[2]], static_cast<ptrdiff_t>(x[3]), imm(in, "bt") != 0,
                                fb->block > 1 ? &m.tsram[x[10]] : nullptr,
                                static_cast<ptrdiff_t>(x[3])};
    size_t na = (tsr_num_panel_bytes(&plan, TSR_NUM_A, r.m, k) + 127) / 64 * 64;
    size_t nb = (tsr_num_panel_bytes(&plan, TSR_NUM_B, r.n, k) + 127) / 64 * 64;
    void *ma = std::aligned_alloc(64, na), *mb = std::aligned_alloc(64, nb);
    std::vector<uint32_t> c(r.m * r.n);
    tsr_num_unpack(&plan, TSR_NUM_A, &a, r.m, k, ma, &pa);
    tsr_num_unpack(&plan, TSR_NUM_B, &b, r.n, k, mb, &pb);
    copy(m, r, c, true);
    if (imm(in, "sc") && imm(in, "acc")) {
        std::vector<int32_t> e(8 * m.d);
        memcpy(e.data(), &m.tsram[x[8]], 4 * (imm(in, "sc") == 1 ? r.m : r.n));
        tsr_num_scale_block(c.data(), r.n, r.m, r.n, e.data(), imm(in, "sc") == 2);
    }
    tsr_num_mma(&plan, &pa, &pb, c.data(), r.n, !imm(in, "acc"));
    copy(m, r, c, false);
    std::free(ma);
    std::free(mb);
}

// One value on its way out, by isa/num's primitives and codecs.
static uint32_t drained(const machine &m, const instruction &in, uint32_t v, uint64_t bias)
{
    uint32_t format = static_cast<uint32_t>(imm(in, "fmt")), b;
    bool integer = imm(in, "int") != 0;
    if (imm(in, "bi")) {
        memcpy(&b, &m.tsram[bias], 4);
        v = tsr_num_primitive_apply(tsr_num_primitive_find(integer ? "iadd" : "add"), v, b, 0);
    }
    if (format == TSR_I32)
        return v;
    if (integer)
        v = tsr_num_primitive_apply(tsr_num_primitive_find("cvt_i32_f32"), v, 0, 0);
    return tsr_num_encode(&m.isa->formats[format], v, TSR_ROUND_EVEN);
}

static void expect_acc(machine &m, const instruction &in)
{
    const std::vector<uint64_t> &x = in.x;
    bool drain = !strcmp(in.op->mnemonic, "drain");
    const struct tsr_format *f = &m.isa->formats[imm(in, "fmt")];
    uint32_t size = f->bits / 8u, across = static_cast<uint32_t>(imm(in, "across"));
    for (uint32_t i = 0; i < x[2]; i++)
        for (uint32_t j = 0; j < x[3]; j++) {
            uint32_t *a = acc_at(m, static_cast<uint32_t>(x[4]), across, i, j), v = 0;
            uint8_t *p = &m.tsram[x[0] + i * x[1] + j * size];
            if (drain) {
                v = drained(m, in, *a, x[5] + 4 * j);
                memcpy(p, &v, size);
            } else {
                memcpy(&v, p, size);
                *a = f->code == TSR_I32 || f->code == TSR_F32 ? v : tsr_num_decode_f32(f, v);
            }
        }
}

static void clock(machine &m)
{
    m.v.clk_i = 0;
    m.v.eval();
    m.v.clk_i = 1;
    m.v.eval();
}

// Waits until `ready` holds in a cycle, before its end.
template <class Ready> static bool settle(machine &m, Ready ready)
{
    for (int t = 0; t < 100000; t++) {
        m.v.clk_i = 0;
        m.v.eval();
        if (ready())
            return true;
        m.v.clk_i = 1;
        m.v.eval();
    }
    return false;
}

static void load(machine &m)
{
    for (uint32_t l = 0; l < m.bytes / m.line; l++) {
        m.v.write_i = 1;
        m.v.line_i = l;
        memcpy(&m.v.data_i[0], &m.tsram[l * m.line], m.line);
        settle(m, [&] { return m.v.write_gnt_o != 0; });
        clock(m);
    }
    m.v.write_i = 0;
}

static int compare(machine &m)
{
    std::vector<uint8_t> line(m.line);
    for (uint32_t l = 0; l < m.bytes / m.line; l++) {
        m.v.read_i = 1;
        m.v.line_i = l;
        settle(m, [&] { return m.v.read_gnt_o != 0; });
        clock(m);
        m.v.read_i = 0;
        m.v.clk_i = 0;
        m.v.eval();
        memcpy(line.data(), &m.v.data_o[0], m.line);
        for (uint32_t b = 0; b < m.line; b++)
            if (line[b] != m.tsram[l * m.line + b]) {
                uint32_t at = b & ~3u, got, want;
                memcpy(&got, &line[at], 4);
                memcpy(&want, &m.tsram[l * m.line + at], 4);
                std::printf("at 0x%x: RTL %08x, isa/num %08x\n", l * m.line + at, got, want);
                return 1;
            }
    }
    return 0;
}

// Starts one as soon as its unit takes it; the other unit has ended before, as they share banks.
static bool issue(machine &m, const instruction &in, uint64_t &left)
{
    bool mma = !strcmp(in.op->mnemonic, "mma");
    static bool last_mma = true;
    uint64_t in_flight = left;
    if (mma != last_mma) // the other unit
        while (in_flight) {
            m.v.clk_i = 0;
            m.v.eval();
            in_flight -= m.v.ttu_retire_o + m.v.acc_retire_o;
            m.v.clk_i = 1;
            m.v.eval();
        }
    last_mma = mma;
    memcpy(&m.v.word_i[0], in.word, 16);
    for (size_t i = 0; i < in.x.size() && 2 * i < sizeof m.v.x_i / 4; i++) {
        m.v.x_i[2 * i] = static_cast<uint32_t>(in.x[i]);
        m.v.x_i[2 * i + 1] = static_cast<uint32_t>(in.x[i] >> 32);
    }
    for (int t = 0; t < 100000; t++) {
        m.v.clk_i = 0;
        m.v.eval();
        bool ready = mma ? m.v.ttu_ready_o : m.v.acc_ready_o;
        m.v.ttu_start_i = ready && mma;
        m.v.acc_start_i = ready && !mma;
        m.v.eval();
        bool fault = m.v.fault_o;
        in_flight -= m.v.ttu_retire_o + m.v.acc_retire_o;
        m.v.clk_i = 1;
        m.v.eval();
        m.v.ttu_start_i = m.v.acc_start_i = 0;
        if (fault)
            std::printf("fault: %s\n", in.text.c_str());
        if (ready) {
            left = in_flight + 1;
            return !fault;
        }
    }
    std::printf("never ready: %s\n", in.text.c_str());
    return false;
}

static bool finish(machine &m, uint64_t left)
{
    for (int t = 0; t < 100000; t++) {
        m.v.clk_i = 0;
        m.v.eval();
        left -= m.v.ttu_retire_o + m.v.acc_retire_o;
        m.v.clk_i = 1;
        m.v.eval();
        if (!left)
            return true;
    }
    std::printf("never ended\n");
    return false;
}

// Bytes at random; in runs of small numbers and of few values, which cancel and repeat.
static void draw_memory(machine &m)
{
    for (uint32_t i = 0; i < m.bytes; i += m.line) {
        uint32_t how = below(6);
        for (uint32_t b = 0; b < m.line; b++) {
            uint32_t r = below(256);
            uint8_t v = static_cast<uint8_t>(r);
            if (how == 0)
                v = static_cast<uint8_t>(0x38 + (r & 0x87));
            else if (how == 1)
                v = static_cast<uint8_t>(b % 2 ? 0x3C + (r & 0x83) : r);
            else if (how == 2)
                v = static_cast<uint8_t>(r & 1 ? 0 : r >> 4);
            m.tsram[i + b] = v;
        }
    }
}

static int program(machine &m, uint64_t seed, uint64_t &count)
{
    std::vector<instruction> code;
    uint64_t left = 0;
    random_state = seed * 0x100000001B3;
    draw_memory(m);
    uint32_t n = 4 + below(28);
    // Drawn before they run: mma that scale put their exponents into the memory.
    for (uint32_t i = 0; i < n; i++)
        code.push_back(below(3) ? draw_mma(m) : draw_acc(m));
    for (uint32_t b = 0; b < m.banks; b++) { // all accumulators, as they are
        instruction in = begin(m, "drain");
        set(in, "dst", b * 64 * m.d * m.d);
        set(in, "ds", 16 * m.d);
        set(in, "m", 4 * m.d);
        set(in, "n", 4 * m.d);
        set(in, "c", b << 8);
        set(in, "fmt", TSR_I32);
        set(in, "across", 0);
        code.push_back(in);
    }
    load(m);
    for (const instruction &in : code) {
        if (!issue(m, in, left))
            return 1;
        if (!strcmp(in.op->mnemonic, "mma"))
            expect_mma(m, in);
        else
            expect_acc(m, in);
        // What one writes the next may read: no semaphores here, so all that may is held back.
        if (strcmp(in.op->mnemonic, "mma") != 0) {
            if (!finish(m, left))
                return 1;
            left = 0;
        }
        count++;
    }
    if (left && !finish(m, left))
        return 1;
    int bad = compare(m);
    for (size_t i = 0; bad && i < code.size(); i++)
        std::printf("%s\n", code[i].text.c_str());
    return bad;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    uint64_t programs = argument(argc, argv, 1, 0), count = 0, seed = argument(argc, argv, 2, 1);
    auto m = std::make_unique<machine>();
    struct tsr_error err = {};
    m->isa = begin_bench("rtl.ttu_unit", seed);
    if (tsr_chip_load(argv[3], &m->chip, &err) != TSR_OK) {
        std::printf("%s\n", err.message);
        return 1;
    }
    m->d = m->chip.tile.ttu.dim;
    m->line = m->chip.tile.line_bytes;
    m->bytes = static_cast<uint32_t>(m->chip.tile.tsram_bytes);
    m->banks = m->chip.tile.ttu.acc_banks;
    m->tsram.resize(m->bytes);
    m->acc.resize(static_cast<size_t>(m->banks) * 16 * m->d * m->d);
    m->v.rst_ni = 0;
    clock(*m);
    m->v.rst_ni = 1;
    int bad = 0;
    for (uint64_t i = 0; i < programs && !bad; i++) {
        bad = program(*m, seed + i, count);
        if (bad)
            std::printf("program of seed %" PRIu64 "\n", seed + i);
    }
    std::printf("%" PRIu64 " instructions: %d differences\n", count, bad);
    tsr_isa_free(m->isa);
    return bad;
}
