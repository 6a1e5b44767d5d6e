/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of packed weights. Private to packing and running. */
#ifndef KERNELS_MATMUL_PACKED_HEADER_H
#define KERNELS_MATMUL_PACKED_HEADER_H

#include <stdint.h>

enum {
    TSR_HEADER_BYTES = 64
};

struct tsr_packed_header {
    uint32_t format, columns; /* enum tsr_dtype; of a panel */
    uint64_t n, k, padded;    /* padded: k as stored */
    uint64_t panel_bytes, scales_at;
    uint32_t plain; /* see struct tsr_weights_layout */
};

#endif
