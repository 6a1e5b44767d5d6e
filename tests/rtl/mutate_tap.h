/* SPDX-License-Identifier: Apache-2.0 */
/* A unit's ports in every cycle, for mutate_replay.cpp: of each program a word 0, then of each of
 * its cycles a word 1, the inputs and the outputs. For what mutate_ports.awk writes. */
#ifndef TESTS_RTL_MUTATE_TAP_H
#define TESTS_RTL_MUTATE_TAP_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "svdpi.h"

inline void tap_write(FILE *f, const uint32_t *words, size_t n)
{
    if (!f || fwrite(words, sizeof *words, n, f) != n) {
        fputs("tessera-rtl-ports: a unit's ports cannot be written\n", stderr);
        exit(70);
    }
}

/* A program begins: the file ports.UNIT opens with the first one. */
inline void tap_begin(FILE **f, const char *unit)
{
    const uint32_t none = 0;
    if (!*f)
        *f = fopen((std::string("ports.") + unit).c_str(), "wb");
    tap_write(*f, &none, 1);
}

inline void tap_cycle(FILE *f, const svBitVecVal *in, size_t n_in, const svBitVecVal *out,
                      size_t n_out)
{
    const uint32_t more = 1;
    tap_write(f, &more, 1);
    tap_write(f, in, n_in);
    tap_write(f, out, n_out);
}

#endif
