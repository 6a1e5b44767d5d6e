/* SPDX-License-Identifier: Apache-2.0 */
/* The words that data files and assembly use for the enums, in their order. */
#include <stddef.h>

#include "isa/load.h"

const char *const tsr_stream_words[] = {"tcp", "tvp", NULL};
const char *const tsr_unit_words[] = {"tcp", "ttu", "acc", "tvp", "tdma", NULL};
const char *const tsr_kind_words[] = {"xreg", "vreg", "areg", "uimm", "simm",
                                      "fmt",  "label", "wait", "post", NULL};
const char *const tsr_queue_words[] = {"tcp",  "ttu",  "acc",  "tvp", "dma0",
                                       "dma1", "dma2", "dma3", NULL};
const char *const tsr_family_words[] = {"float", "int", "mx", "smx", "nvf", "gguf", NULL};
const char *const tsr_specials_words[] = {"ieee", "fn", "none", NULL};
