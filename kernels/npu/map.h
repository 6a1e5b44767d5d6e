/* SPDX-License-Identifier: Apache-2.0 */
/* Element by element operations of two tensors: y = f(a, b). */
#ifndef KERNELS_NPU_MAP_H
#define KERNELS_NPU_MAP_H

#include "kernels/npu/stream.h"

struct npu_map {
    const char *name;
    uint64_t rows, cols;
    struct npu_tensor a, b, y;
    const char *fa, *fb, *fy; /* names of the formats */
    /* Writes v<16 + i> = f(v<i>, v<8 + i>) for i below n >= 1; may change v0..v23, keeps
     * v24..v31. */
    npu_body *body;
    /* Sets v24..v31, once; or null. */
    void (*constants)(struct tsr_text *t, const void *self);
    const void *self;
};

enum tsr_status npu_map_program(const struct tsr_isa *isa, const struct tsr_chip *chip,
                                const struct npu_map *m, struct tsr_program *out,
                                struct tsr_error *err);

#endif
