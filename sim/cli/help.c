/* SPDX-License-Identifier: Apache-2.0 */
/* Help, from the rows. */
#include <string.h>

#include "sim/cli/cli.h"

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *const *m = cli_commands; *m; m++)
        if (strcmp((*m)->name, name) == 0)
            return *m;
    return NULL;
}

void cli_usage(FILE *out)
{
    fprintf(out, "usage: tessera [--isa FILE]... COMMAND [OPTION]...\n\n");
    for (const struct cli_command *const *m = cli_commands; *m; m++)
        fprintf(out, "  %-12s %s\n", (*m)->name, (*m)->doc);
    fprintf(out, "\n`tessera COMMAND --help` gives a command's options. Exit codes: 0 ok, 1 a "
                 "comparison\nfailed, 2 usage, 3 bad input, 4 simulated fault, 70 internal.\n");
}

static void print_option(FILE *out, const struct cli_option *o)
{
    char left[64];
    snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ',
             o->letter ? ", " : "   ", o->name, o->argument ? " " : "",
             o->argument ? o->argument : "");
    fprintf(out, "  %-24s %s%s%s%s", left, o->doc, o->list ? ": " : "", o->list ? o->list : "",
            o->required ? " (required)" : "");
    fprintf(out, "%s\n", o->repeats ? " (may be repeated)" : "");
}

void cli_command_usage(FILE *out, const struct cli_command *m)
{
    fprintf(out, "usage: tessera %s%s%s [OPTION]...\n%s\n\n", m->name, m->positional ? " " : "",
            m->positional ? m->positional : "", m->doc);
    for (const struct cli_option *o = m->options; o && o->name; o++)
        print_option(out, o);
    for (const struct cli_option *o = cli_common_options; o->name; o++)
        print_option(out, o);
    if (m->notes)
        fprintf(out, "\n%s", m->notes);
}
