/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line gave, by option name. */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

static const struct cli_option *find(const struct cli *c, const char *name)
{
    for (const struct cli_option *o = cli_common_options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    for (const struct cli_option *o = c->command ? c->command->options : NULL; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    assert(!"an option that the command does not have");
    return NULL;
}

bool cli_has(const struct cli *c, const char *name)
{
    const struct cli_option *o = find(c, name);
    for (size_t i = 0; i < c->n_given; i++)
        if (c->given[i].option == o)
            return true;
    return false;
}

const char *cli_text(const struct cli *c, const char *name)
{
    const char *last = NULL;
    size_t at = 0;
    for (const char *p; (p = cli_each(c, name, &at)) != NULL;)
        last = p;
    return last;
}

const char *cli_each(const struct cli *c, const char *name, size_t *at)
{
    const struct cli_option *o = find(c, name);
    while (*at < c->n_given) {
        const struct cli_given *g = &c->given[(*at)++];
        if (g->option == o)
            return g->text;
    }
    return NULL;
}

enum tsr_status cli_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max,
                              uint64_t *out, struct tsr_error *err)
{
    uint64_t v = 0;
    const char *p = text;
    bool good = *p != '\0';
    for (; good && *p; p++) {
        good = *p >= '0' && *p <= '9' && v <= (UINT64_MAX - (uint64_t)(*p - '0')) / 10;
        v = good ? 10 * v + (uint64_t)(*p - '0') : v;
    }
    if (!good || v < min || v > max)
        return tsr_error_set(err, TSR_USAGE,
                             "%s %s: an integer from %" PRIu64 " to %" PRIu64 " is wanted", what,
                             text, min, max);
    *out = v;
    return TSR_OK;
}

enum tsr_status cli_u64(const struct cli *c, const char *name, uint64_t min, uint64_t max,
                        uint64_t absent, uint64_t *out, struct tsr_error *err)
{
    const char *text = cli_text(c, name);
    char what[32] = "--";
    strncat(what, name, sizeof what - 3);
    if (text)
        return cli_parse_u64(what, text, min, max, out, err);
    *out = absent;
    return TSR_OK;
}

enum tsr_status cli_real(const struct cli *c, const char *name, double min, double max,
                         double absent, double *out, struct tsr_error *err)
{
    const char *text = cli_text(c, name);
    char *end = NULL;
    *out = absent;
    if (!text)
        return TSR_OK;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !(v >= min && v <= max))
        return tsr_error_set(err, TSR_USAGE, "--%s %s: a number from %g to %g is wanted", name,
                             text, min, max);
    *out = v;
    return TSR_OK;
}
