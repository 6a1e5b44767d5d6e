/* SPDX-License-Identifier: Apache-2.0 */
/* Text to token ids and back, as the model was trained: tokenizers of llama2.c, of GGUF files and
 * of HF's tokenizer.json. */
#ifndef TESSERA_TOKENIZER_H
#define TESSERA_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tsr_tokenizer_kind {
    TSR_TOKENIZER_SCORES, /* sentencepiece: the pair whose joined token has the best score merges */
    TSR_TOKENIZER_MERGES, /* byte-level BPE: the pair that stands first in the list of merges */
};

struct tsr_tokenizer_info {
    enum tsr_tokenizer_kind kind;
    uint32_t vocab;
    int32_t bos, eos, unknown; /* ids; -1: none */
    bool add_bos, add_eos;     /* what encoding puts around a text unless told otherwise */
    bool space_prefix;         /* a blank is put before a text */
    uint32_t merges;           /* MERGES: how many */
};

struct tsr_tokenizer;

/* Opens a tokenizer: llama2.c's file, a GGUF file's own, or a tokenizer.json; a folder's
 * tokenizer.json. vocab: how many tokens there must be at least, the model's; 0: any number.
 * A tokenizer.json may lack the last 16th of them: tables are padded, and no text has those.
 * Errors: TSR_BAD_INPUT "file: what, what is allowed"; TSR_INTERNAL out of memory. *out is
 * untouched on failure. Nothing of the file is kept open.
 * Threads: an open tokenizer may be used by any number at once. */
enum tsr_status tsr_tokenizer_open(const char *path, uint32_t vocab, struct tsr_tokenizer **out,
                                   struct tsr_error *err);
void tsr_tokenizer_close(struct tsr_tokenizer *t); /* null is allowed */

const struct tsr_tokenizer_info *tsr_tokenizer_describe(const struct tsr_tokenizer *t);

/* Whether nothing follows the token: bos, eos, and what the file, or a config.json beside, names
 * as eos besides; a chat model ends its turn with another token than a text. */
bool tsr_tokenizer_ends(const struct tsr_tokenizer *t, uint32_t id);

/* Tokens of `length` bytes of text, with the tokens around it that the file asks for (add_bos,
 * add_eos). Names of special tokens in the text are text, not tokens. Bytes that are no UTF-8 are
 * encoded as bytes. An empty text gives no blank prefix.
 * Shapes: *ids has *count of them, made by malloc; the caller frees it (null when *count is 0).
 * Errors: TSR_BAD_INPUT a text above 16 MiB, or with what the vocabulary has no token for;
 *   TSR_INTERNAL out of memory. Outputs untouched on failure. */
enum tsr_status tsr_tokenizer_encode(const struct tsr_tokenizer *t, const char *text, size_t length,
                                     uint32_t **ids, size_t *count, struct tsr_error *err);

/* The bytes that a token adds to a text: *length of them, in the tokenizer's memory, not ended by
 * a null; special tokens add none. previous: the token before it, -1 at the start (after bos, or at
 * the start, a blank prefix is left out). An id outside of the vocabulary is an assertion. */
const char *tsr_tokenizer_bytes(const struct tsr_tokenizer *t, int64_t previous, uint32_t id,
                                size_t *length);

/* The token as the file spells it, for messages ("▁the", "<0x0A>"). */
const char *tsr_tokenizer_name(const struct tsr_tokenizer *t, uint32_t id, size_t *length);

#ifdef __cplusplus
}
#endif
#endif
