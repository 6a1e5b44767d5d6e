/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sim/cli/cli.h"

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    struct tsr_program p = {0};
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st == TSR_OK)
        st = cli_program(isa, c->positional[0], &p, err);
    if (st != TSR_OK)
        return st;
    uint8_t *bytes = NULL;
    size_t n = 0;
    st = tsr_program_write(isa, &p, &bytes, &n, err);
    if (st == TSR_OK)
        st = cli_write_file(cli_text(c, "output"), NULL, 0, bytes, n, err);
    free(bytes);
    tsr_program_free(&p);
    return st;
}

static const struct cli_option options[] = {
    {.name = "output",
     .letter = 'o',
     .argument = "OUT.tsr",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "the binary program"},
    {0},
};

const struct cli_command cmd_asm = {
    .name = "asm",
    .doc = "assemble a program",
    .positional = "IN.s",
    .min_positional = 1,
    .max_positional = 1,
    .words = CLI_WORDS_FILE,
    .options = options,
    .run = run,
};
