/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by f16 weights by FMLA (f32_few_sve.h). */
#include "kernels/matmul/f32_few_sve.h"

void tsr_matvec_f16_sve(const struct tsr_few *f)
{
    f32_few(true, f);
}
