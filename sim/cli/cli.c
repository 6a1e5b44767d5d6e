/* SPDX-License-Identifier: Apache-2.0 */
/* From the command line to a command and back to an exit code. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"

enum {
    MAX_OPTIONS = 48,
    MMAP_THRESHOLD_BYTES = 1 << 20
};

/* getopt's view of the option rows: `val` is the row's place + 1. */
struct getopt_table {
    struct option longs[MAX_OPTIONS + 1];
    const struct cli_option *row[MAX_OPTIONS];
    char shorts[2 * MAX_OPTIONS + 4];
    int n;
};

static void add_rows(struct getopt_table *t, const struct cli_option *rows)
{
    size_t at = strlen(t->shorts);
    for (; rows && rows->name; rows++) {
        assert(t->n < MAX_OPTIONS);
        t->row[t->n] = rows;
        t->longs[t->n] = (struct option){
            rows->name, rows->argument ? required_argument : no_argument, NULL, 256 + t->n};
        t->n++;
        if (rows->letter) {
            t->shorts[at++] = rows->letter;
            if (rows->argument)
                t->shorts[at++] = ':';
        }
    }
    t->shorts[at] = '\0';
}

static const struct cli_option *row_of(const struct getopt_table *t, int code)
{
    if (code >= 256)
        return t->row[code - 256];
    for (int i = 0; i < t->n; i++)
        if (t->row[i]->letter == code)
            return t->row[i];
    return NULL;
}

static bool in_list(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; n > 0 && (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return strchr(word, ' ') == NULL;
    return false;
}

/* Notes one option; --isa is kept apart, since it may stand before the command, too. */
static enum tsr_status take_option(struct cli *c, const struct cli_option *o, const char *text,
                                   struct tsr_error *err)
{
    if (o->list && !in_list(o->list, text))
        return tsr_error_set(err, TSR_USAGE, "--%s %s: allowed: %s", o->name, text, o->list);
    if (o == &cli_common_options[0]) {
        if (c->n_overlays == CLI_MAX_OVERLAYS)
            return tsr_error_set(err, TSR_USAGE, "--isa: more than %d files", CLI_MAX_OVERLAYS);
        c->overlays[c->n_overlays++] = text;
    }
    c->given[c->n_given++] = (struct cli_given){o, text};
    return TSR_OK;
}

/* Options from argv[1] on; `first` is "+" to stop at the first word that is none. */
static enum tsr_status parse(struct cli *c, const char *first, const struct cli_option *rows,
                             int argc, char **argv, struct tsr_error *err)
{
    struct getopt_table t = {.n = 0};
    strcpy(t.shorts, first);
    strcat(t.shorts, ":");
    add_rows(&t, cli_common_options);
    add_rows(&t, rows);
    opterr = 0;
    optind = 0; /* starts glibc's scan anew */
    for (int code; (code = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (code == ':')
            return tsr_error_set(err, TSR_USAGE, "%s: wants an argument", word);
        if (code == '?' && optopt >= 256)
            return tsr_error_set(err, TSR_USAGE, "%s: takes no argument", word);
        if (code == '?' && optopt)
            return tsr_error_set(err, TSR_USAGE, "-%c: no such option", optopt);
        if (code == '?')
            return tsr_error_set(err, TSR_USAGE,
                                 "%s: no such option, or not the only one that "
                                 "begins like this",
                                 word);
        enum tsr_status st = take_option(c, row_of(&t, code), optarg, err);
        if (st != TSR_OK)
            return st;
    }
    return TSR_OK;
}

static enum tsr_status check_complete(const struct cli *c, struct tsr_error *err)
{
    const struct cli_command *m = c->command;
    for (const struct cli_option *o = m->options; o && o->name; o++)
        if (o->required && !cli_has(c, o->name))
            return tsr_error_set(err, TSR_USAGE, "--%s %s is missing", o->name,
                                 o->argument ? o->argument : "");
    if (c->n_positional < m->min_positional)
        return tsr_error_set(err, TSR_USAGE, "%s is missing", m->positional);
    if (c->n_positional > m->max_positional)
        return tsr_error_set(err, TSR_USAGE, "%s: one word too many",
                             c->positional[m->max_positional]);
    for (size_t i = 0; m->list && i < c->n_positional; i++)
        if (!in_list(m->list, c->positional[i]))
            return tsr_error_set(err, TSR_USAGE, "%s: allowed: %s", c->positional[i], m->list);
    return TSR_OK;
}

/* argv[0] is the command's name. */
static enum tsr_status run_command(struct cli *c, int argc, char **argv, struct tsr_error *err)
{
    enum tsr_status st = parse(c, "", c->command->options, argc, argv, err);
    if (st != TSR_OK)
        return st;
    c->positional = argv + optind;
    c->n_positional = (size_t)(argc - optind);
    if (cli_has(c, "help")) {
        cli_command_usage(stdout, c->command);
        return TSR_OK;
    }
    st = check_complete(c, err);
    return st == TSR_OK ? c->command->run(c, err) : st;
}

static enum tsr_status dispatch(struct cli *c, int argc, char **argv, struct tsr_error *err)
{
    enum tsr_status st = parse(c, "+", NULL, argc, argv, err);
    if (st != TSR_OK)
        return st;
    if (cli_has(c, "help")) {
        cli_usage(stdout);
        return TSR_OK;
    }
    if (optind >= argc) {
        cli_usage(stderr);
        return tsr_error_set(err, TSR_USAGE, "a command is missing");
    }
    int at = optind;
    c->command = cli_find_command(argv[at]);
    if (!c->command)
        return tsr_error_set(err, TSR_USAGE, "%s: no such command; `tessera help` lists them",
                             argv[at]);
    return run_command(c, argc - at, argv + at, err);
}

/* What stdio still holds must reach stdout: a full disk is an error. */
static enum tsr_status flush_results(struct tsr_error *err)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return TSR_OK;
    return tsr_error_set(err, TSR_INTERNAL, "standard output: %s",
                         errno ? strerror(errno) : "write error");
}

int cli_main(int argc, char **argv)
{
    struct cli c = {0};
    struct tsr_error err = {0};
    cli_start_clock();
    cli_guard_outputs();
    /* Fixed: glibc would raise it once a tile's memory is freed, and then clear all of the next
     * run's memories by hand, where the kernel gives zero pages as they are touched. */
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
    c.given = calloc((size_t)argc + 1, sizeof *c.given);
    enum tsr_status st = c.given ? dispatch(&c, argc, argv, &err)
                                 : tsr_error_set(&err, TSR_INTERNAL, "out of memory");
    enum tsr_status flushed = flush_results(&err);
    st = st == TSR_OK ? flushed : st;
    if (st != TSR_OK && err.message[0])
        fprintf(stderr, "tessera%s%s: %s\n", c.command ? " " : "", c.command ? c.command->name : "",
                err.message);
    if (st == TSR_USAGE && c.command)
        fprintf(stderr, "`tessera %s --help` says what is allowed\n", c.command->name);
    tsr_isa_free(c.isa);
    free(c.given);
    return (int)st;
}
