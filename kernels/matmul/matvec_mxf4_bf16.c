/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by mxf4 weights, e2m1 elements, read as they are stored (mx_few_bf16.h). */
#include "kernels/matmul/mx_few_bf16.h"

void tsr_matvec_mxf4_bf16(const struct tsr_few *f)
{
    mx_few(&mx_e2m1, f);
}
