/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of hostile files: the memory that it may take is bounded before it is parsed. */
#include <jansson.h>

#include "sim/weights/weights_priv.h"

/* Every value but the first stands behind one of these (within strings they are counted, too). */
static uint64_t count_values(const uint8_t *text, uint64_t length)
{
    uint64_t n = 1;
    for (uint64_t i = 0; i < length; i++)
        n += text[i] == ',' || text[i] == '[' || text[i] == '{';
    return n;
}

struct json_t *tsr_weights_json(const char *path, const char *what, const uint8_t *text,
                                uint64_t length, struct tsr_error *err)
{
    json_error_t e = {.line = 1, .text = "empty"};
    json_t *root = NULL;
    if (count_values(text, length) > TSR_WEIGHTS_MAX_VALUES) {
        tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: JSON: more than the %d values allowed", path,
                      what, TSR_WEIGHTS_MAX_VALUES);
        return NULL;
    }
    if (length > 0)
        root = json_loadb((const char *)text, (size_t)length, JSON_REJECT_DUPLICATES, &e);
    if (json_is_object(root))
        return root;
    for (char *c = e.text; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    tsr_error_set(err, TSR_BAD_INPUT, "%s: %s: JSON: line %d: %s, one object is allowed", path,
                  what, e.line > 0 ? e.line : 1,
                  root == NULL ? e.text : "the top level is an array");
    json_decref(root);
    return NULL;
}
