/* SPDX-License-Identifier: Apache-2.0 */
/* Typed reads of a JSON object with messages that name file, line, column and key. */
#ifndef TESSERA_JSON_READER_H
#define TESSERA_JSON_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tessera/status.h"

/* After the first error every later read returns its default at once, so that a caller reads all
 * fields and checks `err->status` (or `failed`) once. */
struct tsr_json {
    const char *file, *text;
    size_t length;
    json_t *root;
    bool failed;
    struct tsr_error *err;
};

/* Parses; false with an error when the text is no JSON object. Duplicate keys are errors. */
bool tsr_json_open(struct tsr_json *j, const char *file, const char *text, size_t length,
                   struct tsr_error *err);
void tsr_json_close(struct tsr_json *j);

/* A key inside an object that hangs under root by `parent` (null: root itself). */
struct tsr_json_key {
    const char *parent, *key;
};

/* Records "file:line:column: key: what" for a key; a missing key is placed at its object. */
void tsr_json_fail(struct tsr_json *j, struct tsr_json_key at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The value, or null when absent, JSON null, or after an error. */
json_t *tsr_json_get(struct tsr_json *j, struct tsr_json_key at);

enum { TSR_JSON_REQUIRED = -1 };

/* An integer in [low, high]; `fallback` when absent or null, or an error if it is
 * TSR_JSON_REQUIRED. Returns 0 after an error. */
uint32_t tsr_json_uint(struct tsr_json *j, struct tsr_json_key at, uint32_t low, uint32_t high,
                       int64_t fallback);
/* A finite number with low <= x <= high, or `fallback` when absent or null. */
double tsr_json_real(struct tsr_json *j, struct tsr_json_key at, double low, double high,
                     double fallback);
bool tsr_json_bool(struct tsr_json *j, struct tsr_json_key at, bool fallback);
/* A string, or null when absent or after an error. Borrowed from the document. */
const char *tsr_json_string(struct tsr_json *j, struct tsr_json_key at);

#endif
