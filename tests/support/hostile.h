/* SPDX-License-Identifier: Apache-2.0 */
/* Reading bytes as a file of weights in memory that ends where they end, so that the sanitizers see
 * a read beyond. Shared by the tests of hostile files. */
#ifndef TESTS_SUPPORT_HOSTILE_H
#define TESTS_SUPPORT_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/weights.h"

enum hostile_outcome {
    HOSTILE_REFUSED,  /* an error with a message that names the file */
    HOSTILE_NO_MODEL, /* a valid container whose model or tokenizer is not */
    HOSTILE_WHOLE,
};

/* Opens, checks that tensors lie within the bytes, decodes every part, opens the tokenizer and
 * takes a text there and back. Fails the test on a crash, an internal error or a message that does
 * not start with the file's name or is not one printable line. `message`: the error's, where there
 * was one. `path` is not opened; of safetensors its folder has the config.json. */
enum hostile_outcome hostile_weights(enum tsr_weights_container kind, const char *path,
                                     const uint8_t *bytes, size_t n, char message[1024]);
enum hostile_outcome hostile_tokenizer(const char *path, const uint8_t *bytes, size_t n,
                                       char message[1024]);

/* Places of a valid file's numbers: 4 or 8 bytes each. */
struct hostile_field {
    size_t at, bytes;
};
/* Those of a GGUF file's head, in order; *head is where the tensors' data may begin. */
struct hostile_field *hostile_gguf_fields(const uint8_t *bytes, size_t *n, size_t *head);
struct hostile_field *hostile_tokenizer_fields(const uint8_t *bytes, size_t size, size_t *n);

#endif
