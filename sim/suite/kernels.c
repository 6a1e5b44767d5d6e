/* SPDX-License-Identifier: Apache-2.0 */
/* The table of checked kernels: one row here, one prototype in suite.h, one file. */
#include "sim/suite/suite.h"

const struct suite_kernel suite_kernels[] = {
    {"matmul", "C[m,n] = A[m,k] x B[n,k]^T with its epilogues; --shape is m x n x k", suite_matmul},
    {"matmul_quantize", "the matmul with C in a block format; --shape is m x n x k",
     suite_matmul_quantize},
    {"residual", "y = a + b; --shape is rows x cols x 1", suite_residual},
    {"cast", "y = x * scale in another format; --shape is rows x cols x 1", suite_cast},
    {"quantize", "rows into block formats and integers; --shape is rows x k x 1", suite_quantize},
    {"quantize_fused", "norm and gate into block formats; --shape is rows x k x 1",
     suite_quantize_fused},
    {"requantize", "y = i32 sums * row's and column's scale; --shape is rows x cols x 1",
     suite_requantize},
    {"dequantize", "blocks and integers into floats; --shape is rows x k x 1", suite_dequantize},
    {"activation", "y = act(gate) * up; --shape is rows x cols x 1", suite_activation},
    {"rmsnorm", "y = x / rms(x) * w; --shape is rows x cols x 1", suite_rmsnorm},
    {"softmax", "over rows; --shape is rows x cols x 1", suite_softmax},
    {"attention", "softmax(Q K^T) V, causal or not; --shape is q_len x kv_len x head_dim",
     suite_attention},
    {"rope", "rotary embedding; --shape is tokens x heads x head_dim", suite_rope},
    {"kv_append", "V into the cache; --shape is tokens x heads x bytes of a head", suite_kv_append},
    {"embedding", "gather of rows; --shape is tokens x cols x vocab", suite_embedding},
    {"moe_router", "top k of experts; --shape is tokens x experts x top_k", suite_moe_router},
    {"moe_dispatch", "rows to their experts; --shape is tokens x experts x top_k",
     suite_moe_dispatch},
    {"moe_combine", "weighted sums of experts' rows; --shape is tokens x experts x top_k",
     suite_moe_combine},
    {"moe_expert", "rows times their experts' weights; --shape is tokens x n x k, 8 experts, top 2",
     suite_moe_expert},
    {NULL, NULL, NULL},
};
