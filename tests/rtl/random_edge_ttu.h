/* SPDX-License-Identifier: Apache-2.0 */
/* What programs at the tensor unit's edges are made of. */
#ifndef TESTS_RTL_RANDOM_EDGE_TTU_H
#define TESTS_RTL_RANDOM_EDGE_TTU_H

#include "tests/rtl/random_edge.h"

namespace edge_mma
{

constexpr uint64_t bit(unsigned i)
{
    return UINT64_C(1) << i;
}

struct mma {
    uint64_t a, as, b, bs, m, n, k, c, e, asc, bsc;
    const tsr_format *af, *bf;
    unsigned at, bt, acc, across, sc;
};

mma small(edges *e);
void word(edges *e, const mma &x, const char *sems);
void end(edges *e);                 // with halt
void alone(edges *e, const mma &x); // a program of it
/* Bytes for operands at 0x100 to 0x1100, of a format's own patterns, which s1 waits for. */
void begin(edges *e, unsigned code);
std::vector<const tsr_format *> formats(const edges *e); // those that mma takes

} // namespace edge_mma

#endif
