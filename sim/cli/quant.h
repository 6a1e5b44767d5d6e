/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of values in any number format: what the commands quantize and accuracy share. */
#ifndef SIM_CLI_QUANT_H
#define SIM_CLI_QUANT_H

#include "isa/num/quant.h"
#include "sim/cli/cli.h"

/* How an array becomes a format. */
struct quant {
    struct tsr_num_quant q;
    bool plain;        /* no scales: q.format and q.round only */
    bool scale_tensor; /* integers: one scale for the whole array */
    bool factor;       /* nvf: with a factor per tensor, found from the array */
};

/* An array as codes: row after row, elements and scales apart (GGUF: whole file blocks). */
struct quant_codes {
    uint8_t *elements, *scales; /* one allocation, freed through elements */
    size_t element_bytes, scale_bytes;
};

/* Options --round, --scales, --scale-format and --tensor-scale where the command has them.
 * Errors: TSR_USAGE a scheme that the format does not take. */
enum tsr_status quant_options(struct cli *c, const struct tsr_isa *isa, const struct tsr_format *f,
                              struct quant *out, struct tsr_error *err);

/* Errors: TSR_USAGE one of those options is given, and the format has no use for it. */
enum tsr_status quant_refuse_unused(const struct cli *c, const struct tsr_format *f,
                                    struct tsr_error *err);

/* Whether rows of n values become the format. Errors: TSR_BAD_INPUT, TSR_USAGE as
 * tsr_num_quant_check; integers without scales of their own (i32) and formats that are read only.
 */
enum tsr_status quant_check(const struct quant *s, size_t n, struct tsr_error *err);

/* rows x cols values, f32 bits, into codes and back into y (may be x). Finds q.tensor_scale.
 * Ownership: the caller frees codes->elements. */
enum tsr_status quant_array(struct quant *s, const uint32_t *x, size_t rows, size_t cols,
                            struct quant_codes *codes, uint32_t *y, struct tsr_error *err);

/* Bits of storage per element, its share of the scales included; cols 0: of whole blocks. */
double quant_bits(const struct tsr_format *f);

/* The rows of options, for use in a command's table. */
#define QUANT_OPTIONS                                                                              \
    {.name = "round",                                                                              \
     .argument = "MODE",                                                                           \
     .words = CLI_WORDS_LIST,                                                                      \
     .list = "even away zero",                                                                     \
     .doc = "nearest with ties to even (the default) or away from zero, or toward zero"},          \
        {.name = "scales",                                                                         \
         .argument = "WHAT",                                                                       \
         .doc = "i8, i4: one scale for the tensor, each row (the default), or N elements"},        \
        {.name = "scale-format",                                                                   \
         .argument = "FORMAT",                                                                     \
         .words = CLI_WORDS_FORMAT,                                                                \
         .doc = "i8, i4: of the scales, bf16 by default"},                                         \
    {                                                                                              \
        .name = "tensor-scale", .doc = "nvf4: with a float32 factor for the tensor"                \
    }

#endif
