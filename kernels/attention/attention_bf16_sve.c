/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 without BFMMLA: the kernel of f32 on widened operands, which is exact. */
#include "kernels/attention/attention.h"

tsr_attention_kernel_fn tsr_attention_bf16_sve, tsr_attention_f32_sve;

const struct tsr_attention_kernel *tsr_attention_bf16_sve(void)
{
    return tsr_attention_f32_sve();
}
