/* SPDX-License-Identifier: Apache-2.0 */
/* Name or file -> tsr_model. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/project/model_priv.h"

enum { MAX_FILE_BYTES = 16 << 20 }; /* published config.json files are below 1 MiB */

/* Reads a whole file of at most MAX_FILE_BYTES; the caller frees *text. Reading a directory fails
 * with EISDIR in fread, so no stat is needed; devices and pipes end at the limit. */
static enum tsr_status read_file(const char *path, char **text, size_t *length,
                                 struct tsr_error *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: cannot open: %s", path, strerror(errno));
    size_t room = 1 << 16, used = 0;
    char *buffer = malloc(room);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, room - used, f);
        if (used < room || used > MAX_FILE_BYTES)
            break;
        char *larger = realloc(buffer, room *= 2);
        if (larger == NULL)
            free(buffer);
        buffer = larger;
    }
    int failed = ferror(f) ? errno : 0;
    fclose(f);
    if (buffer == NULL)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", path);
    if (failed == 0 && used <= MAX_FILE_BYTES) {
        *text = buffer;
        *length = used;
        return TSR_OK;
    }
    free(buffer);
    if (failed != 0)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: cannot read: %s", path, strerror(failed));
    return tsr_error_set(err, TSR_BAD_INPUT, "%s: larger than 16 MiB, a config.json is allowed",
                         path);
}

static enum tsr_status unknown_name(const char *name, struct tsr_error *err)
{
    char list[512] = "";
    size_t used = 0;
    for (const char *const *n = tsr_model_names(); *n != NULL; n++)
        used += (size_t)snprintf(list + used, sizeof list - used, " %s", *n);
    return tsr_error_set(err, TSR_USAGE,
                         "model: unknown name \"%.80s\", one of%s or the path of a config.json "
                         "is allowed", name, list);
}

enum tsr_status tsr_model_load(const char *name_or_file, struct tsr_model *out,
                               struct tsr_error *err)
{
    if (tsr_preset_find(name_or_file, out))
        return TSR_OK;
    size_t n = strlen(name_or_file);
    bool path = strchr(name_or_file, '/') != NULL ||
                (n >= 5 && strcmp(name_or_file + n - 5, ".json") == 0);
    if (!path)
        return unknown_name(name_or_file, err);
    char *text = NULL;
    size_t length = 0;
    enum tsr_status status = read_file(name_or_file, &text, &length, err);
    if (status != TSR_OK)
        return status;
    status = tsr_model_parse(name_or_file, text, length, out, err);
    free(text);
    return status;
}
