/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by mxf8e4m3 weights, read as they are stored (mx_few_bf16.h). */
#include "kernels/matmul/mx_few_bf16.h"

void tsr_matvec_mxf8e4m3_bf16(const struct tsr_few *f)
{
    mx_few(&mx_e4m3, f);
}
