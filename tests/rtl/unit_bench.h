// SPDX-License-Identifier: Apache-2.0
// What the benches of units share: random numbers from one seed, the built-in instruction set, and
// how a run begins.
#ifndef TESTS_RTL_UNIT_BENCH_H
#define TESTS_RTL_UNIT_BENCH_H

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "verilated.h"

extern "C" {
#include "isa/num/num.h"
#include "tessera/isa.h"
}

inline uint64_t random_state;

inline uint64_t draw() // splitmix64
{
    uint64_t z = random_state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

inline uint32_t below(uint64_t n)
{
    return static_cast<uint32_t>((draw() >> 32) % n);
}

// A mantissa whose run of ones or zeros ends anywhere, or that has a lone one: ties, carries, what
// a shift just drops or just keeps.
inline uint32_t shaped(uint64_t r)
{
    uint32_t bit = 1u << r % 24, low = bit - 1;
    const uint32_t shapes[] = {bit, low, ~low, bit | 1, static_cast<uint32_t>(r >> 40)};
    return shapes[(r >> 8) % (sizeof shapes / sizeof *shapes)] & 0x7FFFFF;
}

// Argument i as a number.
inline uint64_t argument(int argc, char **argv, int i, uint64_t otherwise)
{
    return i < argc ? strtoull(argv[i], nullptr, 0) : otherwise;
}

// Random numbers from `seed`, and the command that repeats them; `test` as ctest names it. The
// caller frees the instruction set.
inline tsr_isa *begin_bench(const char *test, uint64_t seed)
{
    tsr_isa *isa = nullptr;
    tsr_error err = {};
    random_state = seed;
    printf("seed %" PRIu64 "; repeat: TESSERA_SEED=%" PRIu64 " ctest -R %s -V\n", seed, seed, test);
    if (tsr_isa_load(nullptr, 0, &isa, &err) != TSR_OK) {
        printf("%s\n", err.message);
        exit(1);
    }
    return isa;
}

#endif
