/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by q4_0 weights, nibbles with an f16 scale, read as they are stored
 * (groups_few_i8mm.h). */
#include "kernels/matmul/groups_few_i8mm.h"

void tsr_matvec_q4_0_i8mm(const struct tsr_few *f)
{
    groups_few(TSR_Q4_0, f);
}
