/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/cli.h"

#define CLI_COMMAND(name) extern const struct cli_command cmd_##name;
#include "sim/cli/commands.def"
#undef CLI_COMMAND

const struct cli_command *const cli_commands[] = {
#define CLI_COMMAND(name) &cmd_##name,
#include "sim/cli/commands.def"
#undef CLI_COMMAND
    NULL,
};

const struct cli_option cli_common_options[] = {
    {.name = "isa",
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .repeats = true,
     .doc = "overlay on the instruction set: its rows replace those of the same name or are added"},
    {.name = "help", .letter = 'h', .doc = "this text"},
    {0},
};
