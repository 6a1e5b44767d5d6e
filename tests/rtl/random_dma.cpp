// SPDX-License-Identifier: Apache-2.0
// Pieces of programs for the data mover. Far memories: RANDOM_PATTERNS bytes that are only read,
// then as many that are written too.
#include <algorithm>
#include <cinttypes>

#include "tests/rtl/random_plan.h"

namespace
{

const char *const space_name[3] = {"", "hbm:", "csram:0:"};
const place space_place[3] = {place::tsram, place::hbm, place::csram};

tsr_queue channel(plan *p)
{
    return static_cast<tsr_queue>(TSR_Q_DMA0 + p->below(4));
}

struct walk {
    uint64_t len, n[3], ss[3], ds[3], sreach, dreach;
};

// Rows do not overlap where they are written.
walk draw_walk(plan *p, unsigned dims, bool far_source)
{
    walk w = {};
    w.len = p->one_in(16) ? 0 : 1 + p->below(UINT64_C(1) << p->below(10));
    w.sreach = w.dreach = w.len;
    for (unsigned d = 0; d < 3; d++) {
        w.n[d] = d < dims ? 1 + p->below(5) : 1;
        if (d < dims && p->one_in(40))
            w.n[d] = 0;
        bool tight = p->one_in(3);
        w.ds[d] = w.dreach + (tight ? 0 : p->below(40));
        w.ss[d] = w.sreach + (tight || p->one_in(3) ? 0 : p->below(40));
        if (far_source && p->one_in(6)) // far rows may be read twice
            w.ss[d] = p->below(w.sreach + 1);
        w.dreach += (w.n[d] ? w.n[d] - 1 : 0) * w.ds[d];
        w.sreach += (w.n[d] ? w.n[d] - 1 : 0) * w.ss[d];
    }
    return w;
}

// Where a walk of `reach` bytes lies: of far memories all is read, the upper half is written.
uint64_t locate(plan *p, unsigned space, bool written, uint64_t reach)
{
    if (space == 0)
        return p->below(p->window - reach + 1);
    uint64_t from = written || p->one_in(3) ? RANDOM_PATTERNS : 0;
    return from + p->below(RANDOM_PATTERNS - reach + 1);
}

} // namespace

void random_copy(plan *p)
{
    unsigned from = static_cast<unsigned>(p->below(3)), to = static_cast<unsigned>(p->below(3));
    unsigned dims = static_cast<unsigned>(p->below(4));
    walk w = draw_walk(p, dims, from != 0);
    uint64_t most = std::min<uint64_t>(p->window, RANDOM_PATTERNS) / 2;
    if (w.sreach > most || w.dreach > most)
        return;
    uint64_t src = locate(p, from, false, w.sreach), dst = locate(p, to, true, w.dreach);
    if (from == to && src < dst + w.dreach && dst < src + w.sreach)
        return;
    job j = {};
    j.queue = channel(p);
    j.reads = {{space_place[from], src, w.sreach}};
    j.writes = {{space_place[to], dst, w.dreach}};
    std::string sems;
    unsigned base = static_cast<unsigned>(1 + p->below(8));
    p->line("li x%u, %s0x%" PRIx64, base, space_name[from], src);
    p->line("li x%u, %s0x%" PRIx64, base + 1, space_name[to], dst);
    p->set(base + 2, w.len);
    for (unsigned d = 0; d < dims; d++) {
        p->set(base + 3 + 3 * d, w.n[d]);
        p->set(base + 4 + 3 * d, w.ss[d]);
        p->set(base + 5 + 3 * d, w.ds[d]);
    }
    if (!p->begin(j, &sems))
        return;
    std::string more;
    for (unsigned d = 0; d < dims; d++) {
        std::string i = std::to_string(d + 1);
        more += ", n" + i + "=x" + std::to_string(base + 3 + 3 * d) + ", ss" + i + "=x" +
                std::to_string(base + 4 + 3 * d) + ", ds" + i + "=x" +
                std::to_string(base + 5 + 3 * d);
    }
    if (to == 0 && p->one_in(6)) { // to the tiles of a mask: this one
        p->set(20, 1);
        more += ", mask=x20, mc=1";
    }
    p->line("copy ch=%d, src=x%u, dst=x%u, len=x%u%s%s", j.queue - TSR_Q_DMA0, base, base + 1,
            base + 2, more.c_str(), sems.c_str());
}

// The list lies in the first KiB of control memory, which stores leave alone: written by stores, or
// by to_control from small numbers in far memory.
void random_indexed(plan *p)
{
    uint64_t len = 1 + p->below(100), n = p->one_in(20) ? 0 : 1 + p->below(6);
    uint64_t list = p->below(RANDOM_LIST / 4 - 8) * 4;
    bool gather = p->one_in(2);
    uint64_t stride = len + p->below(60), near_stride = len + p->below(40);
    uint64_t far_reach = 9 * stride + len, near_reach = (n ? n - 1 : 0) * near_stride + len;
    unsigned space = static_cast<unsigned>(1 + p->below(2));
    uint64_t far = locate(p, space, !gather, far_reach), near = locate(p, 0, true, near_reach);
    job j = {};
    j.queue = channel(p);
    j.reads = {{place::control, list, 4 * n}};
    (gather ? j.reads : j.writes).push_back({space_place[space], far, far_reach});
    (gather ? j.writes : j.reads).push_back({place::tsram, near, near_reach});
    job stores = {};
    stores.queue = TSR_Q_TCP;
    stores.silent = true;
    stores.writes = {{place::control, list, 4 * n}};
    std::string sems;
    if (!p->wait_for(stores))
        return;
    for (uint64_t i = 0; i < n; i++) {
        p->set(1, gather ? p->below(9) : (i * 5 + 3) % 9); // scattered rows are distinct
        p->line("sw x1, x0, %" PRIu64, list + 4 * i);
    }
    if (!p->begin(j, &sems))
        return;
    p->line("li x1, %s0x%" PRIx64, space_name[space], far);
    const uint64_t values[] = {near, len, list, n, stride, near_stride};
    for (unsigned i = 0; i < 6; i++)
        p->set(2 + i, values[i]);
    if (gather)
        p->line("gather ch=%d, dst=x2, src=x1, len=x3, idx=x4, n=x5, ss=x6, ds=x7%s",
                j.queue - TSR_Q_DMA0, sems.c_str());
    else
        p->line("scatter ch=%d, dst=x1, src=x2, len=x3, idx=x4, n=x5, ss=x7, ds=x6%s",
                j.queue - TSR_Q_DMA0, sems.c_str());
}

void random_transpose(plan *p)
{
    uint64_t most = std::min<uint64_t>(p->chip->tile.tvp.lanes, 64), size = p->below(3);
    uint64_t rows = 1 + p->below(most), cols = 1 + p->below(most);
    uint64_t ss = (cols << size) + p->below(20), ds = (rows << size) + p->below(20);
    uint64_t sreach = (rows - 1) * ss + (cols << size), dreach = (cols - 1) * ds + (rows << size);
    if (std::max(sreach, dreach) > p->window / 2)
        return;
    uint64_t src = locate(p, 0, false, sreach), dst = locate(p, 0, true, dreach);
    if (src < dst + dreach && dst < src + sreach)
        return;
    job j = {};
    j.queue = channel(p);
    j.reads = {{place::tsram, src, sreach}};
    j.writes = {{place::tsram, dst, dreach}};
    const uint64_t values[] = {dst, src, rows, cols, ss, ds};
    for (unsigned i = 0; i < 6; i++)
        p->set(1 + i, values[i]);
    std::string sems;
    if (p->begin(j, &sems))
        p->line("transpose ch=%d, dst=x1, src=x2, rows=x3, cols=x4, ss=x5, ds=x6, size=%" PRIu64
                "%s",
                j.queue - TSR_Q_DMA0, size, sems.c_str());
}

// Words of tensor data into control memory, which the TCP reads when it has waited for them: a
// number that becomes a count of turns or leads a branch.
void random_to_control(plan *p)
{
    uint64_t n = p->one_in(20) ? 0 : 1 + p->below(24), half = p->chip->tile.control_bytes / 2;
    uint64_t src = p->below(p->window - 4 * n + 1),
             dst = RANDOM_LIST + p->below((half - RANDOM_LIST) / 4 - n) * 4;
    job j = {};
    j.queue = channel(p);
    j.reads = {{place::tsram, src, 4 * n}};
    j.writes = {{place::control, dst, 4 * n}};
    p->set(1, dst);
    p->set(2, src);
    p->set(3, n);
    std::string sems;
    if (!p->begin(j, &sems))
        return;
    p->line("to_control ch=%d, dst=x1, src=x2, n=x3, id=%u%s", j.queue - TSR_Q_DMA0,
            static_cast<unsigned>(p->below(256)), sems.c_str());
    job loads = {};
    loads.queue = TSR_Q_TCP;
    loads.reads = j.writes;
    if (n == 0 || p->one_in(3) || !p->wait_for(loads))
        return;
    std::string end = p->label();
    p->line("lw x%u, x0, %" PRIu64, static_cast<unsigned>(4 + p->below(17)), dst + 4 * p->below(n));
    p->line("lw x4, x0, %" PRIu64, dst + 4 * p->below(n));
    p->line("andi x4, x4, 3");
    p->line("%s x4, x0, %s", p->one_in(2) ? "beq" : "bne", end.c_str());
    p->line("addi x5, x4, 1");
    p->here(end);
}

// A channel whose queue fills behind a long copy; what is behind it completes in order.
void random_burst(plan *p)
{
    tsr_queue q = channel(p);
    uint64_t len = std::min<uint64_t>(p->window / 2, 512 + p->below(2048));
    uint64_t dst = locate(p, 0, true, len), n = 6 + p->below(8);
    job j = {};
    j.queue = q;
    j.gated = p->one_in(2);
    j.writes = {{place::tsram, dst, len}};
    std::string sems;
    p->line("li x1, %s0x%" PRIx64, space_name[1 + p->below(2)],
            p->below(RANDOM_PATTERNS - len + 1));
    p->set(2, dst);
    p->set(3, len);
    p->set(4, 1);
    if (!p->begin(j, &sems))
        return;
    p->line("copy ch=%d, src=x1, dst=x2, len=x3%s", q - TSR_Q_DMA0, sems.c_str());
    unsigned posts = 0;
    for (; n > 0; n--) {
        job none = {};
        none.queue = q;
        bool remote = p->one_in(2);
        if (!p->begin(none, &sems))
            break;
        if (remote)
            p->line("rpost ch=%d, mask=x4, sem=11%s", q - TSR_Q_DMA0, sems.c_str());
        else
            p->line("copy ch=%d, src=x1, dst=x2, len=x0%s", q - TSR_Q_DMA0, sems.c_str());
        posts += remote;
    }
    p->open_gates();
    if (posts)
        p->line("wait wait(s11*%u)", posts);
}

void random_feed(plan *p, span to)
{
    uint64_t len = std::min<uint64_t>(to.bytes, RANDOM_SCALES);
    uint64_t from = p->below(TSR_DTYPE_MAX) * RANDOM_PATTERN;
    job j = {};
    j.queue = channel(p);
    j.writes = {{place::tsram, to.at, len}};
    std::string sems;
    p->line("li x1, %s0x%" PRIx64, space_name[1 + p->below(2)],
            from + p->below(RANDOM_SCALES - len + 1) / 4 * 4);
    p->set(2, to.at);
    p->set(3, len);
    if (p->begin(j, &sems))
        p->line("copy ch=%d, src=x1, dst=x2, len=x3%s", j.queue - TSR_Q_DMA0, sems.c_str());
}

// Nothing follows that could meet them.
void random_last(plan *p)
{
    p->set(1, 0);
    p->set(2, p->window / 2);
    p->set(3, 4);
    p->line("li x4, hbm:0x%x", static_cast<unsigned>(RANDOM_PATTERNS));
    switch (p->below(4)) {
    case 0:
        p->line("gather ch=1, src=x4, dst=x1, len=x3, idx=x1, n=x3, ss=x3, ds=x3");
        break;
    case 1:
        p->line("scatter ch=2, src=x1, dst=x4, len=x3, idx=x1, n=x0, ss=x3, ds=x3");
        break;
    case 2:
        p->line("copy ch=3, src=x1, dst=x2, len=x3");
        break;
    default:
        p->set(5, 1);
        p->line("rpost ch=0, mask=x5, sem=11");
    }
}

void random_rpost(plan *p)
{
    job j = {};
    j.queue = channel(p);
    std::string sems;
    p->set(1, 1);
    if (p->begin(j, &sems)) {
        p->line("rpost ch=%d, mask=x1, sem=11%s", j.queue - TSR_Q_DMA0, sems.c_str());
        p->open_gates();
        p->line("wait wait(s11)");
    }
}
