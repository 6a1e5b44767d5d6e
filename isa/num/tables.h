/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of the elementary functions. Private to isa/num, its tests and the RTL's generator. */
#ifndef ISA_NUM_TABLES_H
#define ISA_NUM_TABLES_H

#include <stdint.h>

struct num_segment {
    int32_t c0, c1, c2; /* magnitudes; exp2 adds c1, the falling functions take it off */
};

extern const struct num_segment num_exp2_table[64];
extern const struct num_segment num_rcp_table[128];
extern const struct num_segment num_rsqrt_even_table[128];
extern const struct num_segment num_rsqrt_odd_table[128];
extern const struct num_segment num_log2_table[128];

#endif
