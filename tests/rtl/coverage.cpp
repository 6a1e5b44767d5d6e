// SPDX-License-Identifier: Apache-2.0
// The walk through a record in the order of cycles, and what it shows of the TCP, the queues and
// the semaphores.
#include "tests/rtl/coverage.h"

#include <algorithm>
#include <cstring>

namespace
{

const char *const unit_queue[TSR_QUEUES] = {"tcp", "ttu", "acc", "tvp", "dma", "dma", "dma", "dma"};

// Which queue may raise which fault; the TVP queue stands for routines too.
const struct {
    tsr_fault_kind kind;
    const char *queues;
} fault_of[] = {
    {TSR_FAULT_ADDRESS, "ttu acc tvp dma"},
    {TSR_FAULT_OPERAND_LINE, "ttu"},
    {TSR_FAULT_SHAPE, "ttu acc"},
    {TSR_FAULT_ACC_CONFLICT, "ttu acc tvp"},
    {TSR_FAULT_SEMAPHORE_OVERFLOW, "tcp ttu"},
    {TSR_FAULT_SEMAPHORE_CONSUMER, "tcp ttu acc tvp dma"},
    {TSR_FAULT_ILLEGAL, "tcp ttu tvp"},
    {TSR_FAULT_LOOP_DEPTH, "tcp tvp"},
    {TSR_FAULT_CONTROL_ADDRESS, "tcp"},
    {TSR_FAULT_PROGRAM_END, "tcp tvp"},
    {TSR_FAULT_DEADLOCK, "tcp"},
};

std::vector<std::string> split(const std::string &s)
{
    std::vector<std::string> out;
    for (size_t at = 0, end; at < s.size(); at = end + 1) {
        end = std::min(s.find(' ', at), s.size());
        out.push_back(s.substr(at, end - at));
    }
    return out;
}

bool semaphore_slot(const tsr_operand &o)
{
    return o.kind == TSR_KIND_WAIT || o.kind == TSR_KIND_POST;
}

// Fields of few values: each value is a bin.
bool listed(const tsr_operand &o)
{
    return o.kind == TSR_KIND_UIMM && o.max - o.min < 10;
}

unsigned queue_of(const tsr_insn &in)
{
    switch (in.op->unit) {
    case TSR_UNIT_TTU:
        return TSR_Q_TTU;
    case TSR_UNIT_ACC:
        return TSR_Q_ACC;
    case TSR_UNIT_TVP:
        return TSR_Q_TVP;
    case TSR_UNIT_TDMA:
        return TSR_Q_DMA0 + static_cast<unsigned>(in.v[tsr_op_operand(in.op, "ch")]);
    default:
        return TSR_Q_TCP;
    }
}

std::string stream_name(const tsr_op *op)
{
    return std::string(op->stream == TSR_STREAM_TCP ? "tcp/" : "tvp/") + op->mnemonic;
}

bool is_scalar(const tsr_op *op)
{
    return !strcmp(op->exec, "alu") || !strcmp(op->exec, "branch");
}

} // namespace

coverage::coverage(const tsr_isa *isa, const tsr_chip *chip)
    : isa_(isa), chip_(chip), queue_(TSR_QUEUES), active_(TSR_QUEUES), starts_(TSR_QUEUES)
{
    legal_rows();
    legal_units();
    legal_vector();
    legal_products();
}

void coverage::legal_rows()
{
    for (int i = 0; i < isa_->n_ops; i++) {
        const tsr_op *op = &isa_->ops[i];
        bins.add("row/" + stream_name(op));
        extreme_.push_back(bins.total());
        for (int k = 0; k < op->n_operands; k++) {
            const tsr_operand &o = op->operand[k];
            std::string field = "field/" + stream_name(op) + "/" + o.name + "=";
            bool source = o.kind == TSR_KIND_XREG && strcmp(o.name, "d") != 0;
            for (int c = 0; is_scalar(op) && source && c < COVER_INTEGERS; c++)
                bins.add("extreme/" + stream_name(op) + "/" + o.name + "/" + cover_integer_name[c]);
            if (is_scalar(op) && source)
                bins.add("hazard/raw/" + stream_name(op) + "/" + o.name);
            for (int64_t v = o.min; listed(o) && v <= o.max; v++)
                bins.add(field + std::to_string(v));
            for (int f = 0; o.kind == TSR_KIND_FMT && f < TSR_DTYPE_MAX; f++)
                if (o.formats >> f & 1)
                    bins.add(field + isa_->formats[f].name);
            for (const char *v : {"unused", "used"})
                if (semaphore_slot(o))
                    bins.add(field + v);
            if (o.kind == TSR_KIND_WAIT)
                bins.add(field + "several");
        }
        if (!strcmp(op->exec, "branch"))
            for (const char *v : {"taken", "passed"})
                bins.add("branch/" + std::string(op->mnemonic) + "/" + v);
    }
    for (const char *v :
         {"left_out", "turns_1", "turns_more", "depth_1", "depth_2", "depth_3", "depth_4"})
        bins.add(std::string("loop/") + v);
}

void coverage::legal_units()
{
    for (const auto &f : fault_of)
        for (const std::string &q : split(f.queues))
            bins.add(std::string("fault/") + tsr_fault_name[f.kind] + "/" + q);
    bins.add("fault/none");
    for (unsigned q = TSR_Q_TTU; q < TSR_QUEUES; q++) {
        std::string queue = std::string("queue/") + tsr_queue_name[q];
        for (uint32_t d = 1; d <= chip_->tile.queue_depth; d++)
            bins.add(queue + "/holds=" + std::to_string(d));
        bins.add(queue + "/full");
        for (unsigned p = 0; p < TSR_QUEUES; p++)
            bins.add(std::string("post/") + tsr_queue_name[p] + "/" + tsr_queue_name[q]);
    }
    for (unsigned p = 0; p < TSR_QUEUES; p++)
        bins.add(std::string("post/") + tsr_queue_name[p] + "/tcp");
    for (int i = 0; i < isa_->n_ops; i++)
        for (int k = 0; k < isa_->n_ops; k++) {
            const tsr_op *a = &isa_->ops[i], *b = &isa_->ops[k];
            bool units = a->stream == TSR_STREAM_TCP && b->stream == TSR_STREAM_TCP &&
                         a->unit != TSR_UNIT_TCP && b->unit != TSR_UNIT_TCP;
            if (units && (a->unit != b->unit || a->unit == TSR_UNIT_TDMA))
                bins.add(std::string("overlap/") + a->mnemonic + "/during/" + b->mnemonic);
        }
    for (unsigned n = 2; n <= 4; n++)
        bins.add("overlap/units=" + std::to_string(n));
    for (const char *from : {"tsram", "csram", "hbm"})
        for (const char *to : {"tsram", "csram", "hbm"}) {
            for (unsigned d = 0; d < 4; d++)
                bins.add(std::string("copy/") + from + "/" + to + "/dims=" + std::to_string(d));
            bins.add(std::string("copy/") + from + "/" + to + "/nothing");
        }
    for (const char *op : {"mma", "drain", "fill"}) {
        for (unsigned b = 1; b <= 4; b++)
            bins.add(std::string("rectangle/") + op + "/banks=" + std::to_string(b));
        for (const char *v :
             {"one_tile", "row_of_tiles", "column_of_tiles", "tiles", "corner_inside"})
            bins.add(std::string("rectangle/") + op + "/" + v);
    }
}

void coverage::begin()
{
    for (unsigned q = 0; q < TSR_QUEUES; q++) {
        queue_[q].clear();
        active_[q].clear();
        starts_[q].clear();
    }
    pushes_.assign(TSR_QUEUES, 0);
    memset(x_, 0, sizeof x_);
    for (unsigned i = 0; p_->args && i < TSR_LAUNCH_REGS; i++)
        x_[i + 1] = p_->args[r_->tile][i];
    memset(writer_, 0, sizeof writer_);
    memset(&v_, 0, sizeof v_);
    tsram_.assign(chip_->tile.tsram_bytes, 0);
    last_op_ = nullptr;
    words_ = 0;
}

void coverage::count(const tsr_program *p, const rtl_record *r)
{
    p_ = p;
    r_ = r;
    begin();
    size_t at[RTL_KINDS] = {};
    // Within a cycle: what is written before what starts, retired before started.
    static const rtl_kind order[] = {RTL_VLINE, RTL_WRITE,  RTL_RETIRE,
                                     RTL_START, RTL_VISSUE, RTL_TCP};
    for (;;) {
        int best = -1;
        for (rtl_kind k : order)
            if (at[k] < r->stream[k].n &&
                (best < 0 || r->stream[k].e[at[k]].cycle < r->stream[best].e[at[best]].cycle))
                best = k;
        if (best < 0)
            break;
        size_t i = at[best]++;
        const rtl_event *e = &r->stream[best].e[i];
        const rtl_stream *values = &r->stream[RTL_VALUE], *lines = &r->stream[RTL_VDATA],
                         *drained = &r->stream[RTL_ADATA];
        unsigned line = chip_->tile.line_bytes;
        switch (best) {
        case RTL_TCP:
            word(e);
            break;
        case RTL_START:
            started(e);
            break;
        case RTL_RETIRE:
            retired(e);
            break;
        case RTL_VISSUE:
            vector(e, i < values->n ? &values->e[i] : nullptr);
            break;
        case RTL_VLINE:
        case RTL_ALINE: {
            const rtl_stream *of = best == RTL_VLINE ? lines : drained;
            if (i < of->n)
                written(e->address, r->data + of->e[i].data, r->data + of->e[i].data + line, line);
            break;
        }
        default:
            written(e->address * line, r->data + e->data + line, r->data + e->data, line);
        }
    }
    end();
}

void coverage::written(uint64_t at, const uint8_t *data, const uint8_t *mask, unsigned n)
{
    for (unsigned i = 0; i < n && at + i < tsram_.size(); i++)
        if (mask[i])
            tsram_[at + i] = data[i];
}

void coverage::end()
{
    const tsr_fault *f = &r_->fault;
    if (!f->kind) {
        bins.hit("fault/none");
        return;
    }
    if (f->kind == TSR_FAULT_LIMIT)
        return;
    const char *queue = f->kind == TSR_FAULT_DEADLOCK ? "tcp" : unit_queue[f->queue];
    std::string name = std::string("fault/") + tsr_fault_name[f->kind] + "/" + queue;
    if (f->kind != TSR_FAULT_SEMAPHORE_OVERFLOW || bins.find(name) != SIZE_MAX)
        bins.hit(name);
}

// ---- the TCP ------------------------------------------------------------------------------------

void coverage::extremes(const tsr_insn &in)
{
    size_t bin = extreme_[static_cast<size_t>(in.op - isa_->ops)];
    if (!is_scalar(in.op))
        return;
    for (int k = 0; k < in.op->n_operands; k++) {
        const tsr_operand &o = in.op->operand[k];
        if (o.kind != TSR_KIND_XREG || !strcmp(o.name, "d"))
            continue;
        unsigned reg = static_cast<unsigned>(in.v[k]);
        bins.hit(bin + cover_integer(x_[reg]));
        if (reg && writer_[reg] == words_)
            bins.hit(bin + COVER_INTEGERS);
        bin += COVER_INTEGERS + 1;
    }
}

void coverage::fields(const tsr_insn &in)
{
    for (int k = 0; k < in.op->n_operands; k++) {
        const tsr_operand &o = in.op->operand[k];
        std::string field = "field/" + stream_name(in.op) + "/" + o.name + "=";
        if (listed(o))
            bins.hit(field + std::to_string(in.v[k]));
        else if (o.kind == TSR_KIND_FMT)
            bins.hit(field + isa_->formats[in.v[k]].name);
        else if (o.kind == TSR_KIND_WAIT)
            bins.hit(field + (in.v[k] >> 6 == 0   ? "unused"
                              : in.v[k] >> 6 == 1 ? "used"
                                                  : "several"));
        else if (o.kind == TSR_KIND_POST)
            bins.hit(field + (in.v[k] >> 6 ? "used" : "unused"));
    }
}

void coverage::word(const rtl_event *e)
{
    unit_word w = {};
    tsr_error err = {};
    if (e->pc >= p_->n_tcp ||
        tsr_decode(isa_, TSR_STREAM_TCP, p_->tcp[e->pc], &w.in, &err) != TSR_OK)
        return;
    const tsr_op *op = w.in.op;
    bins.hit("row/" + stream_name(op));
    if (last_op_ && !strcmp(last_op_->exec, "branch"))
        bins.hit(std::string("branch/") + last_op_->mnemonic +
                 (e->pc == last_pc_ + 1 ? "/passed" : "/taken"));
    if (last_op_ && !strcmp(last_op_->exec, "loop") && e->pc != last_pc_ + 1)
        bins.hit("loop/left_out");
    if (!strcmp(op->exec, "loop")) {
        int64_t n = x_[w.in.v[tsr_op_operand(op, "n")]];
        if (n > 0)
            bins.hit(n == 1 ? "loop/turns_1" : "loop/turns_more");
        unsigned depth = 1; // words of the text that hold this one
        for (uint32_t i = 0; i < e->pc; i++)
            if ((p_->tcp[i].w[0] & 0xFF) == op->opcode && (p_->tcp[i].w[1] & 0xFFFF) > e->pc)
                depth++;
        if (depth <= 4)
            bins.hit("loop/depth_" + std::to_string(depth));
    }
    extremes(w.in);
    fields(w.in);
    for (int k = 0; k < op->n_operands; k++)
        w.x[k] = op->operand[k].kind == TSR_KIND_XREG ? x_[w.in.v[k]] : w.in.v[k];
    unsigned queue = queue_of(w.in);
    w.pc = e->pc;
    if (queue != TSR_Q_TCP)
        pushed(w, queue, e->cycle);
    else
        semaphores(w.in, queue);
    words_++;
    if (e->reg) {
        x_[e->reg] = static_cast<int64_t>(e->value);
        writer_[e->reg] = words_;
    }
    last_op_ = op;
    last_pc_ = e->pc;
}

// ---- queues -------------------------------------------------------------------------------------

void coverage::semaphores(const tsr_insn &in, unsigned queue)
{
    for (int k = 0; k < in.op->n_operands; k++) {
        if (in.op->operand[k].kind != TSR_KIND_POST || !(in.v[k] >> 6))
            continue;
        unsigned consumer = p_->consumer[in.v[k] & 63];
        if (consumer < TSR_QUEUES)
            bins.hit(std::string("post/") + tsr_queue_name[queue] + "/" + tsr_queue_name[consumer]);
    }
}

void coverage::pushed(const unit_word &w, unsigned queue, uint64_t cycle)
{
    // a place is free one cycle after its instruction started
    uint64_t gone = starts_[queue].size(), late = 0;
    for (size_t i = starts_[queue].size(); i > 0 && starts_[queue][i - 1] + 1 >= cycle; i--)
        late++;
    if (pushes_[queue] - (gone - late) >= chip_->tile.queue_depth)
        bins.hit(std::string("queue/") + tsr_queue_name[queue] + "/full");
    pushes_[queue]++;
    uint64_t holds = std::min<uint64_t>(pushes_[queue] - gone, chip_->tile.queue_depth);
    if (holds)
        bins.hit(std::string("queue/") + tsr_queue_name[queue] + "/holds=" + std::to_string(holds));
    queue_[queue].push_back(w);
}

void coverage::started(const rtl_event *e)
{
    unsigned q = e->queue;
    starts_[q].push_back(e->cycle);
    if (queue_[q].empty())
        return;
    unit_word w = queue_[q].front();
    queue_[q].erase(queue_[q].begin());
    unsigned units = 1;
    bool dma = false;
    for (unsigned o = TSR_Q_TTU; o < TSR_QUEUES; o++) {
        for (const unit_word &b : active_[o])
            if (o != q || q >= TSR_Q_DMA0)
                bins.hit(std::string("overlap/") + w.in.op->mnemonic + "/during/" +
                         b.in.op->mnemonic);
        bool counts =
            o != q && !active_[o].empty() && !(o >= TSR_Q_DMA0 && (dma || q >= TSR_Q_DMA0));
        units += counts;
        dma |= counts && o >= TSR_Q_DMA0;
    }
    if (units > 1)
        bins.hit("overlap/units=" + std::to_string(units));
    active_[q].push_back(w);
    if (!strcmp(w.in.op->exec, "copy"))
        descriptor(w);
    else if (!strcmp(w.in.op->exec, "mma"))
        product(w);
    else if (q == TSR_Q_ACC)
        rectangle(w.in.op->mnemonic, operand(w, "c"), operand(w, "m"), operand(w, "n"),
                  operand(w, "across"));
    else if (!strcmp(w.in.op->exec, "vcall")) {
        for (int i = 0; i < 8; i++)
            v_.a[i] = w.x[tsr_op_operand(w.in.op, ("r" + std::to_string(i)).c_str())];
        v_.active = chip_->tile.tvp.lanes;
        v_.kept[0] = v_.kept[1] = UINT64_MAX;
        v_.cycle = e->cycle + 1;
        v_.arithmetic = v_.memory = false;
        memset(v_.vready, 0, sizeof v_.vready);
        memset(v_.aready, 0, sizeof v_.aready);
    }
}

void coverage::retired(const rtl_event *e)
{
    std::vector<unit_word> &a = active_[e->queue];
    for (size_t i = 0; i < a.size(); i++)
        if (a[i].pc == e->pc) {
            semaphores(a[i].in, e->queue);
            a.erase(a.begin() + static_cast<long>(i));
            return;
        }
}

uint64_t coverage::operand(const unit_word &w, const char *name) const
{
    return static_cast<uint64_t>(w.x[tsr_op_operand(w.in.op, name)]);
}

void coverage::descriptor(const unit_word &w)
{
    static const char *const space[3] = {"tsram", "csram", "hbm"};
    uint64_t src = operand(w, "src"), dst = operand(w, "dst"), total = operand(w, "len");
    if (src >> 56 > 2 || dst >> 56 > 2)
        return;
    unsigned dims = 0;
    for (const char *n : {"n1", "n2", "n3"})
        if (w.in.v[tsr_op_operand(w.in.op, n)]) {
            dims++;
            total *= operand(w, n);
        }
    std::string name = std::string("copy/") + space[src >> 56] + "/" + space[dst >> 56];
    bins.hit(total ? name + "/dims=" + std::to_string(dims) : name + "/nothing");
}

void coverage::rectangle(const char *op, uint64_t c, uint64_t m, uint64_t n, uint64_t across)
{
    uint64_t d = chip_->tile.ttu.dim, side = 4 * d, tr = c >> 4 & 15, tc = c & 15;
    uint64_t down = (tr * d + m + side - 1) / side, wide = (tc * d + n + side - 1) / side;
    uint64_t banks = ((down - 1) << across) + wide;
    if (m == 0 || n == 0 || banks < 1 || banks > 4 || m > 8 * side || n > 8 * side)
        return;
    std::string name = std::string("rectangle/") + op + "/";
    bins.hit(name + "banks=" + std::to_string(banks));
    bool tall = m > d, broad = n > d;
    bins.hit(name + (tall    ? broad ? "tiles" : "column_of_tiles"
                     : broad ? "row_of_tiles"
                             : "one_tile"));
    if (tr || tc)
        bins.hit(name + "corner_inside");
}
