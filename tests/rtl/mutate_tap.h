/* SPDX-License-Identifier: Apache-2.0 */
/* A unit's ports in every cycle, for mutate_replay.cpp: of each program a word 0, then of each of
 * its cycles a word 1, the inputs and the outputs. For what mutate_ports.awk writes. */
#ifndef TESTS_RTL_MUTATE_TAP_H
#define TESTS_RTL_MUTATE_TAP_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "svdpi.h"

/* The unit whose ports are of interest in the program at hand, and those of the accumulators where
 * it uses them; null: all. */
extern const char *tap_only;

inline bool tap_wants(const char *unit)
{
    return !tap_only || !strcmp(tap_only, unit) ||
           (!strcmp(unit, "acc_pool") && (!strcmp(tap_only, "acc") || !strcmp(tap_only, "ttu")));
}

/* Where for QUIET cycles all ports have repeated what they were eight cycles before (a turn of the
 * TSRAM's banks), a unit without mistakes has come to rest: whole turns are left out until
 * something changes. That it gives the same bits then is checked before mutants are (replay of 0).
 */
class tap
{
  public:
    /* A program begins: the file ports.UNIT opens with the first one. */
    void begin(const char *unit)
    {
        const uint32_t none = 0;
        on_ = tap_wants(unit);
        still_ = seen_ = 0;
        pending_.clear();
        if (!on_)
            return;
        if (!file_)
            file_ = fopen((std::string("ports.") + unit).c_str(), "wb");
        write(&none, 1);
    }

    void cycle(const svBitVecVal *in, size_t n_in, const svBitVecVal *out, size_t n_out)
    {
        if (!on_)
            return;
        std::vector<uint32_t> now(1, 1);
        now.insert(now.end(), in, in + n_in);
        now.insert(now.end(), out, out + n_out);
        std::vector<uint32_t> &before = turn_[seen_ % TURN];
        still_ = seen_ >= TURN && now == before ? still_ + 1 : 0;
        before = now;
        seen_++;
        if (still_ <= QUIET) {
            write(pending_.data(), pending_.size());
            pending_.clear();
            write(now.data(), now.size());
            return;
        }
        pending_.insert(pending_.end(), now.begin(), now.end());
        if (pending_.size() == TURN * now.size())
            pending_.clear();
    }

  private:
    enum {
        TURN = 8,
        QUIET = 96
    };
    void write(const uint32_t *words, size_t n) const
    {
        if (!file_ || fwrite(words, sizeof *words, n, file_) != n) {
            fputs("tessera-rtl-ports: a unit's ports cannot be written\n", stderr);
            exit(70);
        }
    }

    FILE *file_ = nullptr;
    bool on_ = false;
    size_t still_ = 0, seen_ = 0;
    std::vector<uint32_t> turn_[TURN], pending_;
};

#endif
