/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    struct tsr_program p = {0};
    char *text = NULL;
    const char *output = cli_text(c, "output");
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st == TSR_OK)
        st = cli_program(isa, c->positional[0], &p, err);
    if (st != TSR_OK)
        return st;
    st = tsr_disassemble(isa, &p, &text, err);
    if (st == TSR_OK && output)
        st = cli_write_file(output, NULL, 0, text, strlen(text), err);
    else if (st == TSR_OK)
        fputs(text, stdout);
    free(text);
    tsr_program_free(&p);
    return st;
}

static const struct cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .argument = "FILE",
     .words = CLI_WORDS_FILE,
     .doc = "where to write; without it to standard output"},
    {0},
};

const struct cli_command cmd_dis = {
    .name = "dis",
    .doc = "disassemble a program into text that assembles to the same bits",
    .positional = "PROG",
    .min_positional = 1,
    .max_positional = 1,
    .words = CLI_WORDS_FILE,
    .options = options,
    .run = run,
};
