/* SPDX-License-Identifier: Apache-2.0 */
/* The element types of the containers, one row each. */
#include <string.h>

#include "sim/weights/weights_priv.h"

#define PLAIN(name, id, format, bytes)                                                             \
    {                                                                                              \
        name, id, TSR_LAYOUT_PLAIN, format, 1, bytes                                               \
    }
#define BLOCKS(name, id, format, elems, bytes)                                                     \
    {                                                                                              \
        name, id, TSR_LAYOUT_BLOCKS, format, elems, bytes                                          \
    }
#define OPAQUE(name, id, elems, bytes)                                                             \
    {                                                                                              \
        name, id, TSR_LAYOUT_OPAQUE, TSR_DTYPE_MAX, elems, bytes                                   \
    }

/* Source: enum ggml_type and the block structs that ggml's gguf.md refers to. */
static const struct tsr_weight_type gguf[] = {
    PLAIN("F32", 0, TSR_F32, 4),
    PLAIN("F16", 1, TSR_F16, 2),
    BLOCKS("Q4_0", 2, TSR_Q4_0, 32, 18),
    OPAQUE("Q4_1", 3, 32, 20),
    OPAQUE("Q5_0", 6, 32, 22),
    OPAQUE("Q5_1", 7, 32, 24),
    BLOCKS("Q8_0", 8, TSR_Q8_0, 32, 34),
    OPAQUE("Q8_1", 9, 32, 36),
    OPAQUE("Q2_K", 10, 256, 84),
    OPAQUE("Q3_K", 11, 256, 110),
    BLOCKS("Q4_K", 12, TSR_Q4_K, 256, 144),
    OPAQUE("Q5_K", 13, 256, 176),
    BLOCKS("Q6_K", 14, TSR_Q6_K, 256, 210),
    OPAQUE("Q8_K", 15, 256, 292),
    OPAQUE("IQ4_NL", 20, 32, 18),
    OPAQUE("IQ4_XS", 23, 256, 136),
    OPAQUE("I8", 24, 1, 1),
    OPAQUE("I16", 25, 1, 2),
    OPAQUE("I32", 26, 1, 4),
    OPAQUE("I64", 27, 1, 8),
    OPAQUE("F64", 28, 1, 8),
    PLAIN("BF16", 30, TSR_BF16, 2),
    BLOCKS("MXFP4", 39, TSR_MXF4, 32, 17),
};

/* Source: safetensors' format. 8-bit floats come with scales in other tensors, by rules of each
 * exporter, so they are listed only. */
static const struct tsr_weight_type safetensors[] = {
    PLAIN("F32", 0, TSR_F32, 4), PLAIN("F16", 0, TSR_F16, 2), PLAIN("BF16", 0, TSR_BF16, 2),
    OPAQUE("F64", 0, 1, 8),      OPAQUE("I64", 0, 1, 8),      OPAQUE("I32", 0, 1, 4),
    OPAQUE("I16", 0, 1, 2),      OPAQUE("I8", 0, 1, 1),       OPAQUE("U64", 0, 1, 8),
    OPAQUE("U32", 0, 1, 4),      OPAQUE("U16", 0, 1, 2),      OPAQUE("U8", 0, 1, 1),
    OPAQUE("BOOL", 0, 1, 1),     OPAQUE("F8_E4M3", 0, 1, 1),  OPAQUE("F8_E5M2", 0, 1, 1),
    OPAQUE("F8_E8M0", 0, 1, 1),
};

const struct tsr_weight_type *tsr_gguf_type(uint32_t id)
{
    for (size_t i = 0; i < sizeof gguf / sizeof *gguf; i++)
        if (gguf[i].id == id)
            return &gguf[i];
    return NULL;
}

const struct tsr_weight_type *tsr_safetensors_type(const char *name)
{
    for (size_t i = 0; i < sizeof safetensors / sizeof *safetensors; i++)
        if (strcmp(safetensors[i].name, name) == 0)
            return &safetensors[i];
    return NULL;
}

bool tsr_tensor_size(const struct tsr_tensor *t, const struct tsr_weight_type *type,
                     uint64_t *bytes)
{
    uint64_t n = 1;
    uint64_t row = t->n_dims > 0 ? t->dims[t->n_dims - 1] : 1;
    for (uint32_t i = 0; i < t->n_dims; i++)
        if (__builtin_mul_overflow(n, t->dims[i], &n))
            return false;
    if (row % type->elems != 0)
        return false;
    return !__builtin_mul_overflow(n / type->elems, type->bytes, bytes);
}
