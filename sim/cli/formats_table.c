/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/formats_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ENTRY = 64
};

struct table {
    const struct tsr_model *model;
    struct project_options *o;
    bool json;
    json_t *results;
    uint32_t done;
    enum tsr_status refused; /* of the first refusal */
    struct tsr_error why;
};

enum tsr_status formats_entry(const struct tsr_isa *isa, const char *entry,
                              const struct tsr_format *f[3], struct tsr_error *err)
{
    char text[MAX_ENTRY];
    int n = 0;
    f[0] = f[1] = f[2] = NULL;
    snprintf(text, sizeof text, "%s", entry);
    for (char *at = text, *next; at != NULL; at = next, n++) {
        next = strchr(at, ':');
        if (next != NULL)
            *next++ = '\0';
        if (n == 3)
            return tsr_error_set(err, TSR_USAGE,
                                 "--formats %s: FORMAT or WEIGHTS:ACTIVATIONS:CACHE is wanted",
                                 entry);
        enum tsr_status st = cli_parse_format(isa, "formats", at, &f[n], err);
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}

bool formats_next(const char **at, char *entry, size_t cap)
{
    if (*at == NULL)
        return false;
    size_t n = strcspn(*at, ",");
    snprintf(entry, cap, "%.*s", (int)(n < cap ? n : cap), *at);
    *at = (*at)[n] == ',' ? *at + n + 1 : NULL;
    return true;
}

/* One entry into *o. */
static enum tsr_status read_entry(const char *entry, const struct tsr_model *model,
                                  struct project_options *o, struct tsr_error *err)
{
    const struct tsr_format *f[3];
    enum tsr_status st = formats_entry(o->isa, entry, f, err);
    if (st != TSR_OK)
        return st;
    o->weights = f[0];
    o->activations = f[1] != NULL ? f[1] : f[0];
    const char *cache = project_default_cache(model, o->activations, f[1] != NULL ? NULL : f[0]);
    o->kv = f[2] != NULL ? f[2] : tsr_isa_format(o->isa, cache);
    return TSR_OK;
}

static void name_of(const struct project_options *o, char *out, size_t cap)
{
    snprintf(out, cap, "%s:%s:%s", o->weights->name, o->activations->name, o->kv->name);
}

static void print_line(const struct project_result *r)
{
    char name[MAX_ENTRY];
    name_of(&r->options, name, sizeof name);
    printf("%-26s %11.1f %10.4f %6.1f%% %6.1f%% %8.2f %7.2f %9.2f %9.4f\n", name, r->tokens_per_s,
           1e3 * r->latency_s, 100 * r->ttu_utilisation, 100 * r->hbm_utilisation,
           (double)r->fit.weight_bytes / 0x1p30, (double)r->fit.kv_bytes / 0x1p30,
           (double)r->fit.workspace_bytes / 0x1p30, r->joules_per_token);
}

static void refuse(struct table *t, enum tsr_status st, const struct tsr_error *why)
{
    const struct project_options *o = t->o;
    char name[MAX_ENTRY];
    if (t->refused == TSR_OK) {
        t->refused = st;
        t->why = *why;
    }
    name_of(o, name, sizeof name);
    if (!t->json) {
        printf("%-26s refused: %s\n", name, why->message);
        return;
    }
    json_t *j = json_object();
    json_object_set_new(j, "weights_format", json_string(o->weights->name));
    json_object_set_new(j, "activations", json_string(o->activations->name));
    json_object_set_new(j, "kv", json_string(o->kv->name));
    json_object_set_new(j, "refused", json_string(why->message));
    json_array_append_new(t->results, j);
}

static enum tsr_status one(struct table *t, const char *entry, struct tsr_error *err)
{
    struct project_result *r = NULL;
    struct tsr_error why = {0};
    enum tsr_status st = read_entry(entry, t->model, t->o, err);
    if (st != TSR_OK)
        return st;
    st = project_run(t->model, t->o, &r, &why);
    if (st == TSR_BAD_INPUT) {
        refuse(t, st, &why);
        return TSR_OK;
    }
    if (st != TSR_OK)
        return tsr_error_set(err, st, "%s", why.message);
    if (t->json)
        json_array_append_new(t->results, project_json(r));
    else
        print_line(r);
    fflush(stdout);
    t->done++;
    free(r);
    return TSR_OK;
}

static void print_head(const struct table *t)
{
    const struct project_options *o = t->o;
    printf("%s on %s, %s, batch %" PRIu64 ", %s %" PRIu64 "\n\n", t->model->name, o->chip->name,
           o->phase == TSR_PREFILL ? "prefill" : "decode", o->batch,
           o->phase == TSR_PREFILL ? "prompt" : "KV", o->seq);
    printf("%-26s %11s %10s %7s %7s %8s %7s %9s %9s\n", "weights:activations:cache", "tokens/s",
           "ms", "tensor", "HBM", "weights", "cache", "workspace", "J/token");
}

enum tsr_status formats_table(struct cli *c, const struct tsr_model *model,
                              struct project_options *o, struct tsr_error *err)
{
    struct table t = {.model = model, .o = o, .json = cli_has(c, "json")};
    const char *at = cli_text(c, "formats");
    enum tsr_status st = TSR_OK;
    t.results = json_array();
    if (!t.json)
        print_head(&t);
    for (char entry[MAX_ENTRY]; st == TSR_OK && formats_next(&at, entry, sizeof entry);)
        st = one(&t, entry, err);
    if (st == TSR_OK && t.done == 0)
        st = tsr_error_set(err, t.refused, "%s", t.why.message);
    if (st != TSR_OK || !t.json) {
        json_decref(t.results);
        return st;
    }
    json_t *all = json_object();
    json_object_set_new(all, "schema", json_integer(1));
    json_object_set_new(all, "results", t.results);
    return cli_print_result(all, err);
}
