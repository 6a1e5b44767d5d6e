/* SPDX-License-Identifier: Apache-2.0 */
/* act(gate) * up in vector registers, for the kernel of its own and for fused ones. */
#ifndef KERNELS_NPU_ACTIVATION_H
#define KERNELS_NPU_ACTIVATION_H

#include "kernels/npu/schedule.h"
#include "tessera/model.h"

struct npu_gate {
    enum tsr_activation activation;
    double limit, alpha; /* SWIGLU_CLAMP */
};

extern const double npu_log2_e;

bool npu_gate_known(const struct npu_gate *g);
/* Sets v24..v27 where the activation needs them. */
void npu_gate_constants(struct tsr_text *t, const struct npu_gate *g);
/* v<16 + i> = act(v<i>) * v<8 + i> for i below n <= 8; changes v0..v23. */
void npu_gate_body(struct tsr_text *t, const struct npu_gate *g, uint32_t n);
/* The same for one pair of registers in any place: v<x> = act(v<x>) * v<up>, which may change. */
void npu_gate_words(struct npu_block *b, const struct npu_gate *g, unsigned x, unsigned up);

#endif
