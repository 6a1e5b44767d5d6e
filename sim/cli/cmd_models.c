/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "sim/cli/cli.h"
#include "tessera/model.h"

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    json_t *all = json_array();
    bool json = cli_has(c, "json");
    if (!json)
        printf("%-16s %16s %16s\n", "name", "parameters", "active");
    enum tsr_status st = TSR_OK;
    for (const char *const *n = tsr_model_names(); st == TSR_OK && *n; n++) {
        struct tsr_model m;
        struct tsr_params p;
        st = tsr_model_load(*n, &m, err);
        if (st != TSR_OK)
            break;
        tsr_model_count(&m, &p);
        if (json) {
            json_t *o = json_object();
            json_object_set_new(o, "name", json_string(*n));
            json_object_set_new(o, "parameters_total", json_integer((json_int_t)p.total));
            json_object_set_new(o, "parameters_active", json_integer((json_int_t)p.active));
            json_array_append_new(all, o);
        } else {
            printf("%-16s %16" PRIu64 " %16" PRIu64 "\n", *n, p.total, p.active);
        }
    }
    if (st == TSR_OK && json)
        return cli_print_json(all, err);
    json_decref(all);
    return st;
}

static const struct cli_option options[] = {
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_models = {
    .name = "models",
    .doc = "list the built-in models and their parameters",
    .options = options,
    .run = run,
    .notes = "Active parameters are those read for one token: without the input table, with the\n"
             "output head, of the experts only those chosen.\n",
};
