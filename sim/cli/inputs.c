/* SPDX-License-Identifier: Apache-2.0 */
/* What several commands read: instruction set, chip, format, program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "isa/container.h"
#include "sim/cli/cli.h"
#include "tessera/weights.h"

enum tsr_status cli_isa(struct cli *c, const struct tsr_isa **out, struct tsr_error *err)
{
    enum tsr_status st = c->isa ? TSR_OK : tsr_isa_load(c->overlays, c->n_overlays, &c->isa, err);
    *out = c->isa;
    return st;
}

enum tsr_status cli_chip(const struct cli *c, struct tsr_chip *out, struct tsr_error *err)
{
    return tsr_chip_load(cli_text(c, "chip"), out, err);
}

enum tsr_status cli_model(const char *name_or_file, struct tsr_model *out, struct tsr_error *err)
{
    static const char *const endings[] = {".gguf", ".bin", ".safetensors", ".index.json"};
    size_t n = strlen(name_or_file);
    bool weights = false;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        weights = weights || (n > strlen(endings[i]) &&
                              strcmp(name_or_file + n - strlen(endings[i]), endings[i]) == 0);
    if (!weights)
        return tsr_model_load(name_or_file, out, err);
    struct tsr_weights *w = NULL;
    enum tsr_status st = tsr_weights_open(name_or_file, &w, err);
    if (st == TSR_OK)
        st = tsr_weights_model(w, out, err);
    tsr_weights_close(w);
    return st;
}

static enum tsr_status unknown_format(const struct tsr_isa *isa, const char *option,
                                      const char *name, struct tsr_error *err)
{
    char list[512] = "";
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (isa->has_format[i] && strlen(list) + strlen(f->name) + 2 < sizeof list) {
            strcat(list, " ");
            strcat(list, f->name);
        }
    }
    return tsr_error_set(err, TSR_USAGE, "--%s %s: no such format, allowed:%s", option, name, list);
}

enum tsr_status cli_parse_format(const struct tsr_isa *isa, const char *option, const char *text,
                                 const struct tsr_format **out, struct tsr_error *err)
{
    *out = tsr_isa_format(isa, strcmp(text, "f8") == 0 ? "f8e4m3" : text);
    return *out ? TSR_OK : unknown_format(isa, option, text, err);
}

enum tsr_status cli_format(const struct cli *c, const struct tsr_isa *isa, const char *name,
                           const char *absent, const struct tsr_format **out, struct tsr_error *err)
{
    const char *text = cli_text(c, name);
    text = text ? text : absent;
    *out = NULL;
    return text ? cli_parse_format(isa, name, text, out, err) : TSR_OK;
}

enum tsr_status cli_read_file(const char *path, uint8_t **bytes, size_t *n, struct tsr_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s", path, strerror(errno));
    struct stat s;
    bool sized = fstat(fileno(f), &s) == 0 && S_ISREG(s.st_mode) && s.st_size >= 0;
    size_t used = 0, room = (sized ? (size_t)s.st_size : 0) + 4096;
    uint8_t *p = malloc(room);
    for (size_t got; p && (got = fread(p + used, 1, room - used - 1, f)) > 0;) {
        used += got;
        if (room - used == 1) {
            uint8_t *wide = room < SIZE_MAX / 2 ? realloc(p, room *= 2) : NULL;
            if (!wide)
                free(p);
            p = wide;
        }
    }
    int bad = ferror(f) ? errno : 0;
    fclose(f);
    if (!p)
        return tsr_error_set(err, TSR_INTERNAL, "%s: out of memory", path);
    if (bad) {
        free(p);
        return tsr_error_set(err, TSR_BAD_INPUT, "%s: %s", path, strerror(bad));
    }
    p[used] = 0;
    *bytes = p;
    *n = used;
    return TSR_OK;
}

enum tsr_status cli_program(const struct tsr_isa *isa, const char *path, struct tsr_program *out,
                            struct tsr_error *err)
{
    uint8_t *bytes;
    size_t n, magic = strlen(TSR_PROGRAM_MAGIC);
    enum tsr_status st = cli_read_file(path, &bytes, &n, err);
    if (st != TSR_OK)
        return st;
    if (n >= magic && memcmp(bytes, TSR_PROGRAM_MAGIC, magic) == 0)
        st = tsr_program_read(isa, path, bytes, n, out, err);
    else
        st = tsr_assemble(isa, path, (const char *)bytes, n, out, err);
    free(bytes);
    return st;
}
