/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands around attention share: its options, and where its tensors lie. */
#ifndef SIM_CLI_ATTENTION_H
#define SIM_CLI_ATTENTION_H

#include "kernels/npu/attention.h"
#include "sim/cli/cli.h"

struct cli_attention {
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    const struct tsr_format *format, *kv, *out; /* of Q; of K and V; of O */
    struct tsr_npu_slab cache;                  /* a row of K or V */
    struct tsr_npu_attention op;
    uint64_t end; /* of what is placed in HBM */
};

/* chip, format, kv, causal, window: what both commands take. `head_dim` and the lengths are not
 * needed yet; op.scale stays 0. */
enum tsr_status cli_attention_options(struct cli *c, struct cli_attention *a,
                                      struct tsr_error *err);

/* Q and O as a projection leaves them, the heads of a token side by side; K and V with the tokens
 * of a head one after another, as the cache holds them. Fills in the addresses and strides, and
 * where it is 0 the scale. Errors: TSR_BAD_INPUT they do not fit the HBM, or the kernel does not
 * take the formats. */
enum tsr_status cli_attention_place(struct cli_attention *a, struct tsr_error *err);

/* The rows of all four options, for the commands' tables. */
#define CLI_ATTENTION_OPTIONS                                                                      \
    {.name = "chip",                                                                               \
     .argument = "CHIP",                                                                           \
     .words = CLI_WORDS_CHIP,                                                                      \
     .required = true,                                                                             \
     .doc = "name or file"},                                                                       \
        {.name = "causal", .doc = "a query sees the keys up to its own position"},                 \
        {.name = "window", .argument = "W", .doc = "no key that is W or more before it"},          \
        {.name = "format",                                                                         \
         .argument = "FORMAT",                                                                     \
         .words = CLI_WORDS_FORMAT,                                                                \
         .doc = "of queries, bf16 by default; f16; f8e4m3 (results bf16)"},                        \
    {                                                                                              \
        .name = "kv", .argument = "FORMAT", .words = CLI_WORDS_FORMAT,                             \
        .doc = "of keys and values: that, an 8-bit float, i8 or a block format"                    \
    }

#endif
