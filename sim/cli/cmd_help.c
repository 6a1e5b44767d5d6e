/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/cli.h"

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    if (c->n_positional == 0) {
        cli_usage(stdout);
        return TSR_OK;
    }
    const struct cli_command *m = cli_find_command(c->positional[0]);
    if (!m)
        return tsr_error_set(err, TSR_USAGE, "%s: no such command", c->positional[0]);
    cli_command_usage(stdout, m);
    return TSR_OK;
}

const struct cli_command cmd_help = {
    .name = "help",
    .doc = "list the commands, or the options of one",
    .positional = "[COMMAND]",
    .max_positional = 1,
    .words = CLI_WORDS_COMMAND,
    .run = run,
};
