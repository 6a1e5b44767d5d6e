// SPDX-License-Identifier: Apache-2.0
#include "tests/rtl/random_plan.h"

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace
{

enum {
    MOST_POSTS = 24, // to one semaphore; a word waits for at most 31
    MOST_JOBS = 40
};

const char *const consumer_name[TSR_QUEUES] = {"tcp",  "ttu",  "acc",  "tvp",
                                               "dma0", "dma1", "dma2", "dma3"};

bool in_order(tsr_queue q)
{
    return q < TSR_Q_DMA0; // descriptors of a channel overlap
}

bool overlap(const std::vector<span> &a, const std::vector<span> &b)
{
    for (const span &x : a)
        for (const span &y : b)
            if (x.in == y.in && x.at < y.at + y.bytes && y.at < x.at + x.bytes)
                return true;
    return false;
}

} // namespace

plan::plan(const tsr_isa *i, const tsr_chip *c, uint64_t seed) : isa(i), chip(c), state(seed)
{
    static const unsigned share[TSR_QUEUES] = {10, 6, 5, 6, 4, 4, 4, 4};
    unsigned id = 12; // those below are the TCP's own
    for (int q = 0; q < TSR_QUEUES; q++)
        for (unsigned n = 0; n < share[q] && id < chip->tile.semaphores; n++, id++)
            sems_.push_back({id, static_cast<tsr_queue>(q), 0, 0});
    for (const semaphore &s : sems_)
        declared_.push_back(".sem " + std::to_string(s.id) + " " + consumer_name[s.consumer]);
    uint64_t all = chip->tile.tsram_bytes;
    acc_tokens = one_in(2);
    banks = chip->tile.ttu.acc_banks - acc_tokens;
    window = std::max<uint64_t>(64 * chip->tile.line_bytes, all >> below(6));
    if (acc_tokens && window == all)
        window -= chip->tile.line_bytes; // where use_up() writes
}

void plan::line(const char *format, ...)
{
    char buffer[600];
    va_list ap;
    va_start(ap, format);
    vsnprintf(buffer, sizeof buffer, format, ap);
    va_end(ap);
    text += std::string("    ") + buffer + "\n";
    words++;
}

void plan::set(unsigned reg, uint64_t value)
{
    line("li x%u, %" PRId64, reg, static_cast<int64_t>(value));
}

bool plan::meets(const job &a, const job &b) const
{
    if (a.queue == b.queue && in_order(a.queue))
        return false;
    return overlap(a.writes, b.writes) || overlap(a.writes, b.reads) || overlap(a.reads, b.writes);
}

plan::semaphore *plan::find(unsigned id)
{
    for (semaphore &s : sems_)
        if (s.id == id)
            return &s;
    return nullptr;
}

// Those that nobody else's posts go to, and that nobody may be waiting for.
std::vector<plan::semaphore *> plan::choice(tsr_queue consumer)
{
    std::vector<semaphore *> free;
    uint64_t taken = 0;
    for (const active &a : jobs_)
        for (unsigned id : a.j.takes)
            taken |= UINT64_C(1) << id;
    for (semaphore &s : sems_)
        if (s.consumer == consumer && !(taken >> s.id & 1) &&
            (s.count == 0 || (s.scope == scope_ && s.count < MOST_POSTS)))
            free.push_back(&s);
    return free;
}

// All posts to the semaphore; then what posted them has ended, and with it what its queue began
// before.
void plan::joined(unsigned sem)
{
    for (size_t i = 0; i < jobs_.size(); i++)
        if (jobs_[i].j.join == sem)
            for (size_t k = 0; k < i; k++)
                if (jobs_[k].j.silent && jobs_[k].j.queue == jobs_[i].j.queue)
                    jobs_[k].j.join = sem;
    jobs_.erase(std::remove_if(jobs_.begin(), jobs_.end(),
                               [&](const active &a) { return a.j.join == sem; }),
                jobs_.end());
    find(sem)->count = 0;
}

void plan::join(unsigned sem)
{
    open_gates();
    line("wait wait(s%u*%u)", sem, find(sem)->count);
    joined(sem);
}

void plan::join_some()
{
    std::vector<unsigned> mine;
    for (const active &a : jobs_)
        if (a.scope == scope_ && a.j.join)
            mine.push_back(a.j.join);
    if (mine.empty())
        return;
    unsigned a = mine[below(mine.size())], b = mine[below(mine.size())];
    if (a == b) {
        join(a);
        return;
    }
    open_gates();
    line("wait wait(s%u*%u, s%u*%u)", a, find(a)->count, b, find(b)->count);
    joined(a);
    joined(b);
}

// Posts that wait for a job of its queue: two at most, those of jobs that it would meet first.
void plan::take_tokens(job *j, std::vector<bool> *settled, std::string *clause)
{
    for (unsigned slots = 2, i = 0; i < jobs_.size() && slots; i++) {
        const job &o = jobs_[i].j;
        semaphore *s = o.token && o.to == j->queue ? find(o.token) : nullptr;
        if (!s || s->count == 0 || s->scope != scope_ || !(meets(o, *j) || one_in(4)))
            continue;
        for (size_t k = 0; k < jobs_.size(); k++) {
            if (jobs_[k].j.token != s->id || jobs_[k].scope != scope_)
                continue;
            (*settled)[k] = true;
            jobs_[k].j.token = 0;
            for (size_t l = 0; l < k; l++)
                if (jobs_[l].j.silent && jobs_[l].j.queue == jobs_[k].j.queue)
                    (*settled)[l] = true;
        }
        *clause += clause->empty() ? "" : ", ";
        *clause += "s" + std::to_string(s->id) + "*" + std::to_string(s->count);
        s->count = 0;
        j->takes.push_back(s->id);
        slots--;
    }
}

void plan::post(job *j, std::string *clause)
{
    std::vector<semaphore *> free = choice(TSR_Q_TCP);
    semaphore *s = free[below(free.size())];
    j->join = s->id;
    s->count++;
    s->scope = scope_;
    *clause = "s" + std::to_string(s->id);
    j->to = static_cast<tsr_queue>(TSR_Q_TTU + below(TSR_QUEUES - TSR_Q_TTU));
    if (j->to == TSR_Q_ACC && !acc_tokens)
        return;
    free = choice(j->to);
    if (free.empty() || one_in(2))
        return;
    s = free[below(free.size())];
    j->token = s->id;
    s->count++;
    s->scope = scope_;
    *clause += ", s" + std::to_string(s->id);
}

bool plan::outside(const job &j) const
{
    for (const active &a : jobs_)
        if (a.scope != scope_ && meets(a.j, j))
            return true;
    return false;
}

// The TCP waits for all that the job would meet and that is not settled yet.
void plan::join_met(const job &j, const std::vector<bool> &settled)
{
    std::vector<unsigned> joins;
    for (size_t i = 0; i < jobs_.size(); i++)
        if (!settled[i] && meets(jobs_[i].j, j)) {
            unsigned sem = jobs_[i].j.join;
            for (size_t k = i; sem == 0 && k < jobs_.size(); k++)
                if (jobs_[k].j.queue == jobs_[i].j.queue)
                    sem = jobs_[k].j.join;
            joins.push_back(sem);
        }
    for (unsigned sem : joins)
        if (find(sem)->count)
            join(sem);
}

bool plan::wait_for(const job &j)
{
    if (outside(j))
        return false;
    join_met(j, std::vector<bool>(jobs_.size(), false));
    return true;
}

// A semaphore that the TCP posts later: until then the job's queue stands, and fills.
void plan::gate(job *j, std::string *clause)
{
    std::vector<semaphore *> free = choice(j->queue);
    free.erase(std::remove_if(free.begin(), free.end(),
                              [&](semaphore *s) {
                                  return s->count > 0 ||
                                         std::count(j->takes.begin(), j->takes.end(), s->id);
                              }),
               free.end());
    if (free.empty() || j->takes.size() > 1)
        return;
    unsigned id = free[below(free.size())]->id, n = 1 + static_cast<unsigned>(below(3));
    *clause += (clause->empty() ? "s" : ", s") + std::to_string(id) + "*" + std::to_string(n);
    j->takes.push_back(id);
    if (gates_.empty())
        memset(pushed_, 0, sizeof pushed_);
    gates_.push_back({id, n});
}

void plan::open_gates()
{
    for (const auto &g : gates_)
        for (unsigned left = g.second; left > 0;) {
            bool two = left > 1 && one_in(2);
            line(two ? "wait post(s%u, s%u)" : "wait post(s%u)", g.first, g.first);
            left -= two ? 2 : 1;
        }
    gates_.clear();
}

// A full queue would hold the TCP, and with it what the queue waits for.
void plan::pushed(tsr_queue q)
{
    if (!gates_.empty() && (++pushed_[q] >= chip->tile.queue_depth || one_in(24)))
        open_gates();
}

bool plan::begin(job j, std::string *sems)
{
    if (outside(j) || choice(TSR_Q_TCP).empty())
        return false;
    for (size_t before = 0; jobs_.size() >= MOST_JOBS && before != jobs_.size();) {
        before = jobs_.size();
        join_some();
    }
    std::vector<bool> settled(jobs_.size(), false);
    std::string waits, posts;
    take_tokens(&j, &settled, &waits);
    join_met(j, settled);
    pushed(j.queue);
    if (j.gated || one_in(10))
        gate(&j, &waits);
    if (!j.silent)
        post(&j, &posts);
    *sems = (waits.empty() ? "" : " wait(" + waits + ")") +
            (posts.empty() ? "" : " post(" + posts + ")");
    jobs_.push_back({j, scope_});
    return true;
}

// A word of the semaphore's consumer that does nothing but wait.
void plan::use_up(const semaphore &s)
{
    std::string wait = "wait(s" + std::to_string(s.id) + "*" + std::to_string(s.count) + ")";
    if (s.consumer == TSR_Q_TTU)
        line("tsync %s", wait.c_str());
    else if (s.consumer == TSR_Q_TVP)
        line("vcall nothing %s", wait.c_str());
    else if (s.consumer == TSR_Q_ACC)
        line("drain dst=x28, ds=x0, m=x29, n=x29, c=x27, fmt=f32 %s", wait.c_str());
    else
        line("copy ch=%u, dst=x0, src=x0, len=x0 %s", s.consumer - TSR_Q_DMA0, wait.c_str());
}

// Joins everything that began in the block, and uses up the posts that no job of a queue took.
void plan::leave()
{
    open_gates();
    for (semaphore &s : sems_)
        if (s.count && s.scope == scope_ && s.consumer == TSR_Q_TCP)
            join(s.id);
    for (semaphore &s : sems_)
        if (s.count && s.scope == scope_) {
            use_up(s);
            s.count = 0;
        }
    jobs_.erase(std::remove_if(jobs_.begin(), jobs_.end(),
                               [&](const active &a) { return a.scope == scope_; }),
                jobs_.end());
    scope_ -= scope_ > 0;
}
