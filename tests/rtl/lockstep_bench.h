/* SPDX-License-Identifier: Apache-2.0 */
/* The verilated tile under the harness: driven and run by lockstep.cpp, compared with the record by
 * lockstep_compare.cpp; lockstep_screen.cpp tells of the first difference. */
#ifndef TESTS_RTL_LOCKSTEP_BENCH_H
#define TESTS_RTL_LOCKSTEP_BENCH_H

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/rtl/lockstep.h"
#include "tests/rtl/rtl_trace.h"
#include "tests/rtl/vector_check.h"

#include "Vtsr_bench.h"
#include "verilated.h"
#ifdef TESSERA_WAVE
#include "verilated_fst_c.h"
#endif

// enum desc_kind of sim/core/machine.h
enum {
    READ,
    WRITE,
    LOCAL,
    FORWARD,
    CAST
};

// A field of a port of any width; ports lie in memory lowest word first.
template <typename T> uint64_t field(const T &port, unsigned lsb, unsigned width)
{
    const auto *p = reinterpret_cast<const uint8_t *>(&port);
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i += 8)
        v |= uint64_t{p[(lsb + i) / 8]} << i;
    return v;
}

template <typename T> void set_field(T &port, unsigned lsb, unsigned width, uint64_t v)
{
    auto *p = reinterpret_cast<uint8_t *>(&port);
    for (unsigned i = 0; i < width; i += 8)
        p[(lsb + i) / 8] = static_cast<uint8_t>(v >> i);
}

class bench
{
  public:
    bench(struct lockstep *l, const tsr_program *p, const rtl_record *r)
        : l_(l), p_(p), r_(r), top_(new Vtsr_bench(&context_)), vector_(r, l->chip->tile.tvp.lanes),
          acc_(16 * l->chip->tile.ttu.acc_banks * l->chip->tile.ttu.dim * l->chip->tile.ttu.dim)
    {
#ifdef TESSERA_WAVE
        if (l->wave) {
            context_.traceEverOn(true);
            top_->trace(&fst_, 99);
            fst_.open(l->wave);
        }
#endif
    }
    verdict run();

  private:
    void clock();
    void host(unsigned what, unsigned addr, uint64_t low, uint64_t high = 0);
    void load();
    void drive();
    void compare();
    void compare_tcp();
    void compare_queues();
    void compare_semaphores();
    void compare_vectors();
    void compare_fault();
    bool at_the_end(rtl_kind k) const;
    void drive_port();
    void drive_beat();
    void compare_port();
    void compare_writes();
    void compare_drain();
    void compare_data();
    void compare_accumulators();
    void compare_steps();
    void compare_tile(const rtl_event *e);
    void compare_fill();
    void differ(const char *format, ...) __attribute__((format(printf, 2, 3)));
    const rtl_event *due(rtl_kind k); // the next of its kind, if it is of this cycle
    void take(rtl_kind k)
    {
        next_[k]++;
    }
    std::string word(uint32_t pc) const;
    std::string vector_word(uint32_t pc) const;
    void say(const char *format, ...) __attribute__((format(printf, 2, 3)));
    void say_state();
    void say_vectors();
    void say_event(const char *mark, rtl_kind k, size_t i);
    void screen();

    struct lockstep *l_;
    const tsr_program *p_;
    const rtl_record *r_;
    VerilatedContext context_;
    std::unique_ptr<Vtsr_bench> top_;
    vector_check vector_;
    std::vector<uint32_t> acc_; // the accumulators, as the RTL has written them: bank, row, column
    std::unique_ptr<rtl_trace> trace_; // where somebody counts it
#ifdef TESSERA_WAVE
    VerilatedFstC fst_;
#endif
    uint64_t time_ = 0, cycle_ = 0, retired_ = 0;
    size_t next_[RTL_KINDS] = {};
    size_t next_x_ = 0; // in the TCP's stream: the next that writes a register
    std::string difference_;
    std::map<uint32_t, uint32_t> id_; // of the RTL, by the simulator's number of a request
    uint32_t beats_in_ = 0;           // of the packet that is coming in
    size_t sent_ = 0;                 // bytes of the packet that is going out
};

#endif
