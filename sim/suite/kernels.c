/* SPDX-License-Identifier: Apache-2.0 */
/* The table of checked kernels: one row here, one prototype in suite.h, one file. */
#include "sim/suite/suite.h"

const struct suite_kernel suite_kernels[] = {
    {"matmul", "C[m,n] = A[m,k] x B[n,k]^T with its epilogues; --shape is m x n x k", suite_matmul},
    {"residual", "y = a + b; --shape is rows x cols x 1", suite_residual},
    {"activation", "y = act(gate) * up; --shape is rows x cols x 1", suite_activation},
    {"rmsnorm", "y = x / rms(x) * w; --shape is rows x cols x 1", suite_rmsnorm},
    {"softmax", "over rows; --shape is rows x cols x 1", suite_softmax},
    {NULL, NULL, NULL},
};
