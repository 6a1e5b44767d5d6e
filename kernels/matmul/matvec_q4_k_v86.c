/* SPDX-License-Identifier: Apache-2.0 */
/* Few rows by q4_k weights, nibbles with scales and minima of 6 bits, read as they are stored
 * (groups_few_i8mm.h). */
#include "kernels/matmul/minima_v86.h"

/* After it. */
#include "kernels/matmul/groups_few_i8mm.h"

void tsr_matvec_q4_k_v86(const struct tsr_few *f)
{
    groups_few(TSR_Q4_K, f);
}
