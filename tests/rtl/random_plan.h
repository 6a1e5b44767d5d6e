/* SPDX-License-Identifier: Apache-2.0 */
/* What a random program has begun and not yet waited for. Every instruction of a unit is a job with
 * the memory it reads and writes; one that would meet another's waits for it, by a semaphore of its
 * queue or by the TCP. So programs are free of races while all units work at once. */
#ifndef TESTS_RTL_RANDOM_PLAN_H
#define TESTS_RTL_RANDOM_PLAN_H

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tests/rtl/random.h"

enum class place {
    tsram,
    banks, // of accumulators, in units of one
    hbm,
    csram,
    control
};

struct span {
    place in;
    uint64_t at, bytes;
};

struct job {
    tsr_queue queue;
    std::vector<span> reads = {}, writes = {};
    bool silent = false;          // posts nothing: a later one of its queue does
    bool gated = false;           // waits for the TCP, too, which posts later
    unsigned join = 0, token = 0; // the semaphores it posts, for the TCP and for `to`
    tsr_queue to = TSR_Q_TCP;
    std::vector<unsigned> takes = {}; // semaphores that it waits for
};

class plan
{
  public:
    plan(const tsr_isa *isa, const tsr_chip *chip, uint64_t seed);

    const tsr_isa *isa;
    const tsr_chip *chip;
    uint64_t state;
    std::string text;
    unsigned words = 0, labels = 0;
    uint64_t window;  // bytes of the TSRAM that the program works in
    bool fed = false; // the window holds codes of all formats from the start
    unsigned banks;   // of accumulators, likewise
    bool acc_tokens;  // the ACC waits for semaphores; its last bank then serves only to use them up

    uint64_t below(uint64_t n) { return random_next(&state) % n; }
    bool one_in(uint64_t n) { return below(n) == 0; }
    void line(const char *format, ...) __attribute__((format(printf, 2, 3)));
    void set(unsigned reg, uint64_t value); // a word that gives x<reg> the value
    std::string label() { return "L" + std::to_string(labels++); }
    void here(const std::string &label) { text += label + ":\n"; }

    // A block whose jobs end within it, so that it may be repeated or left out. No gate is open
    // where it begins.
    void enter() { scope_++; }
    void leave();

    // Waits for what the job would meet; false where that cannot be waited for here. Then `sems`
    // are the semaphores of its instruction, as assembly text.
    bool begin(job j, std::string *sems);
    bool wait_for(const job &j); // the TCP, for what it would meet itself; false as begin()
    void join_some();            // the TCP waits for a job
    void open_gates();           // posts what the TCP holds back
    bool busy(unsigned most) const { return jobs_.size() >= most; }

    const std::vector<std::string> &declarations() const { return declared_; }

  private:
    struct active {
        job j;
        unsigned scope;
    };
    struct semaphore {
        unsigned id;
        tsr_queue consumer;
        unsigned count, scope; // posts to come, and the block that owns them
    };
    bool meets(const job &a, const job &b) const;
    void join(unsigned sem);
    void joined(unsigned sem);
    std::vector<semaphore *> choice(tsr_queue consumer);
    void take_tokens(job *j, std::vector<bool> *settled, std::string *clause);
    bool outside(const job &j) const;
    void join_met(const job &j, const std::vector<bool> &settled);
    void post(job *j, std::string *clause);
    void use_up(const semaphore &s);
    void gate(job *j, std::string *clause);
    void pushed(tsr_queue q);
    semaphore *find(unsigned id);

    std::vector<active> jobs_;
    std::vector<semaphore> sems_;
    std::vector<std::string> declared_;
    std::vector<std::pair<unsigned, unsigned>> gates_; // semaphores and posts that words wait for
    unsigned pushed_[TSR_QUEUES] = {};                 // since the first of them
    unsigned scope_ = 0;
};

/* Pieces of programs, by unit; x1..x20 are theirs. */
void random_mma(plan *p);
void random_acc(plan *p, bool fill);
void random_copy(plan *p);
void random_indexed(plan *p);
void random_transpose(plan *p);
void random_to_control(plan *p);
void random_rpost(plan *p);
void random_burst(plan *p);         // a long copy, then many of nothing
void random_last(plan *p);          // descriptors that post nothing, at a program's end
void random_feed(plan *p, span to); // extremes of a format into the TSRAM
void random_call(plan *p);
void random_fault(plan *p); // a word or more that ends in a fault

#endif
