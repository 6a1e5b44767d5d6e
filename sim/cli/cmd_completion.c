/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash, from the rows of commands and options. */
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/suite/suite.h"
#include "tessera/model.h"

static void put_formats(const struct tsr_isa *isa)
{
    for (int i = 0; i < TSR_DTYPE_MAX; i++)
        if (isa->has_format[i])
            printf(" %s", isa->formats[i].name);
}

/* The words of a kind, each after a blank. */
static void put_words(const struct tsr_isa *isa, enum cli_words words, const char *list)
{
    switch (words) {
    case CLI_WORDS_NONE:
    case CLI_WORDS_FILE:
        break;
    case CLI_WORDS_CHIP:
        for (const char *const *n = tsr_chip_names(); *n; n++)
            printf(" %s", *n);
        break;
    case CLI_WORDS_MODEL:
        for (const char *const *n = tsr_model_names(); *n; n++)
            printf(" %s", *n);
        break;
    case CLI_WORDS_FORMAT:
        put_formats(isa);
        break;
    case CLI_WORDS_KERNEL:
        printf(" all");
        for (const struct suite_kernel *k = suite_kernels; k->name; k++)
            printf(" %s", k->name);
        break;
    case CLI_WORDS_COMMAND:
        for (const struct cli_command *const *m = cli_commands; *m; m++)
            printf(" %s", (*m)->name);
        break;
    case CLI_WORDS_LIST:
        printf(" %s", list);
        break;
    }
}

static bool wants_files(enum cli_words words)
{
    return words == CLI_WORDS_FILE || words == CLI_WORDS_CHIP || words == CLI_WORDS_MODEL;
}

/* `        COMMAND:--option) words="..." files=1 ;;` */
static void put_case(const struct tsr_isa *isa, const char *command, const char *option,
                     enum cli_words words, const char *list)
{
    printf("        %s:%s%s) words=\"", command, *option ? "--" : "", option);
    put_words(isa, words, list);
    printf("\"%s ;;\n", wants_files(words) ? " files=1" : "");
}

static void put_command(const struct tsr_isa *isa, const struct cli_command *m)
{
    for (const struct cli_option *o = m->options; o && o->name; o++) {
        if (!o->argument)
            continue;
        put_case(isa, m->name, o->name, o->words, o->list);
        if (o->letter)
            printf("        %s:-%c) files=1 ;;\n", m->name, o->letter);
    }
    printf("        %s:*) words=\"", m->name);
    for (const struct cli_option *o = m->options; o && o->name; o++)
        printf(" --%s", o->name);
    for (const struct cli_option *o = cli_common_options; o->name; o++)
        printf(" --%s", o->name);
    put_words(isa, m->words, m->list);
    printf("\"%s ;;\n", wants_files(m->words) ? " files=1" : "");
}

static const char head[] =
    "# Completion of tessera for bash: eval \"$(tessera completion bash)\"\n"
    "_tessera()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words= files=\n"
    "    local command= i=1\n"
    "    while [ $i -lt $COMP_CWORD ]; do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "        --isa) i=$((i + 1)) ;;\n"
    "        -*) ;;\n"
    "        *) command=${COMP_WORDS[i]}; break ;;\n"
    "        esac\n"
    "        i=$((i + 1))\n"
    "    done\n"
    "    case $command:$before in\n"
    "        *:--isa) files=1 ;;\n";

static const char tail[] = "    esac\n"
                           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                           "    [ -z \"$files\" ] || COMPREPLY+=($(compgen -f -- \"$word\"))\n"
                           "}\n"
                           "complete -o filenames -F _tessera tessera\n";

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st != TSR_OK)
        return st;
    fputs(head, stdout);
    for (const struct cli_command *const *m = cli_commands; *m; m++)
        put_command(isa, *m);
    printf("        :*) words=\"--isa --help");
    put_words(isa, CLI_WORDS_COMMAND, NULL);
    printf("\" ;;\n");
    fputs(tail, stdout);
    return TSR_OK;
}

const struct cli_command cmd_completion = {
    .name = "completion",
    .doc = "print the completion script of a shell",
    .positional = "bash",
    .min_positional = 1,
    .max_positional = 1,
    .words = CLI_WORDS_LIST,
    .list = "bash",
    .run = run,
    .notes = "In ~/.bashrc: eval \"$(tessera completion bash)\"\n",
};
