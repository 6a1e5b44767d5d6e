/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by q8_0 weights, i8 with an f16 scale, read as they are stored
 * (groups_few_i8mm.h). */
#include "kernels/matmul/groups_few_i8mm.h"

void tsr_matvec_q8_0_i8mm(const struct tsr_few *f)
{
    groups_few(TSR_Q8_0, f);
}
