/* SPDX-License-Identifier: Apache-2.0 */
/* The program's frame: commands as rows, options as rows, results, errors.
 * A command is one file cmd_<name>.c that defines `const struct cli_command cmd_<name>` and one
 * row in commands.def; help, completion and the checks of options follow from it. */
#ifndef SIM_CLI_CLI_H
#define SIM_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "tessera/chip.h"
#include "tessera/isa.h"
#include "tessera/model.h"
#include "tessera/status.h"

/* What an argument stands for: completion offers these. */
enum cli_words {
    CLI_WORDS_NONE,
    CLI_WORDS_FILE,
    CLI_WORDS_CHIP,  /* names, or a file */
    CLI_WORDS_MODEL, /* names, or a file */
    CLI_WORDS_FORMAT,
    CLI_WORDS_KERNEL, /* of the suite, and all */
    CLI_WORDS_COMMAND,
    CLI_WORDS_LIST, /* the option's own `list` */
};

struct cli_option {
    const char *name;     /* without the dashes */
    char letter;          /* short form, 0: none */
    const char *argument; /* its name in help, e.g. "FILE"; null: a flag */
    enum cli_words words;
    const char *list; /* LIST: allowed words, separated by blanks; others are refused */
    bool required, repeats;
    const char *doc;
};

struct cli;

struct cli_command {
    const char *name;
    const char *doc;        /* one line */
    const char *positional; /* "PROG", "[KERNEL]"; null: none */
    unsigned min_positional, max_positional;
    enum cli_words words;             /* of the positional arguments */
    const char *list;                 /* with CLI_WORDS_LIST */
    const struct cli_option *options; /* ended by a null name; null: only the common ones */
    /* Results to stdout, through cli_print_json or stdio; diagnostics into err, which becomes the
     * message on stderr. The status is the exit code. */
    enum tsr_status (*run)(struct cli *c, struct tsr_error *err);
    const char *notes; /* further lines of --help; may be null */
};

/* Ended by null. */
extern const struct cli_command *const cli_commands[];
extern const struct cli_option cli_common_options[]; /* help, isa */

enum {
    CLI_MAX_OVERLAYS = 16
};

struct cli_given {
    const struct cli_option *option;
    const char *text; /* null for flags */
};

struct cli {
    const struct cli_command *command;
    const char *overlays[CLI_MAX_OVERLAYS];
    size_t n_overlays;
    struct cli_given *given; /* in the order of the command line */
    size_t n_given;
    char **positional;
    size_t n_positional;
    struct tsr_isa *isa; /* of cli_isa */
};

/* The whole program but the process's exit. */
int cli_main(int argc, char **argv);

/* ---- options of the running command (options.c). The name must be one of the command's rows. */
bool cli_has(const struct cli *c, const char *name);
const char *cli_text(const struct cli *c, const char *name); /* the last one given, or null */
/* Walks over all that were given: *at starts at 0. Null at the end. */
const char *cli_each(const struct cli *c, const char *name, size_t *at);
/* A decimal integer; `absent` when the option is not given. */
enum tsr_status cli_u64(const struct cli *c, const char *name, uint64_t min, uint64_t max,
                        uint64_t absent, uint64_t *out, struct tsr_error *err);
/* A number in [min, max]; `absent` when the option is not given. */
enum tsr_status cli_real(const struct cli *c, const char *name, double min, double max,
                         double absent, double *out, struct tsr_error *err);
/* Decimal digits only, in [min, max]; `what` names it in the message. */
enum tsr_status cli_parse_u64(const char *what, const char *text, uint64_t min, uint64_t max,
                              uint64_t *out, struct tsr_error *err);

/* ---- what commands load (inputs.c) */
/* The instruction set with the overlays of --isa; owned by c, loaded once. */
enum tsr_status cli_isa(struct cli *c, const struct tsr_isa **out, struct tsr_error *err);
/* Option --chip. */
enum tsr_status cli_chip(const struct cli *c, struct tsr_chip *out, struct tsr_error *err);
/* A model's numbers: a preset, a config.json, or a file of weights (.gguf .bin .safetensors, or
 * .index.json) whose values are not read. */
enum tsr_status cli_model(const char *name_or_file, struct tsr_model *out, struct tsr_error *err);
/* The format that option `name` says; `absent` (may be null) when it is not given. */
enum tsr_status cli_format(const struct cli *c, const struct tsr_isa *isa, const char *name,
                           const char *absent, const struct tsr_format **out,
                           struct tsr_error *err);
/* The format of that name (f8 is f8e4m3); messages name the option. */
enum tsr_status cli_parse_format(const struct tsr_isa *isa, const char *option, const char *text,
                                 const struct tsr_format **out, struct tsr_error *err);
/* A program, text or binary as its first bytes say. */
enum tsr_status cli_program(const struct tsr_isa *isa, const char *path, struct tsr_program *out,
                            struct tsr_error *err);
/* A whole file; the caller frees *bytes, which end with a null byte that *n leaves out. */
enum tsr_status cli_read_file(const char *path, uint8_t **bytes, size_t *n, struct tsr_error *err);

/* ---- outputs (output.c) */
/* Writes a file beside `path` and renames it into place, so that `path` is whole or untouched; a
 * device or pipe is written directly. Errors: TSR_BAD_INPUT the folder is missing or refuses;
 * TSR_INTERNAL the disk is full. */
enum tsr_status cli_write_file(const char *path, const void *head, size_t n_head, const void *body,
                               size_t n_body, struct tsr_error *err);
/* Signals remove a half-written file and then do what they do. */
void cli_guard_outputs(void);

/* ---- JSON (json.c). All take over the reference to `root`. */
/* Adds cpu_s, wall_s and max_rss_kib at the end of the object, then prints as below. */
enum tsr_status cli_print_result(json_t *root, struct tsr_error *err);
/* Two blanks of indentation, keys in the order of their making, floats with 17 digits. */
enum tsr_status cli_print_json(json_t *root, struct tsr_error *err);
void cli_start_clock(void);

/* ---- help (help.c) */
void cli_usage(FILE *out);
void cli_command_usage(FILE *out, const struct cli_command *command);
const struct cli_command *cli_find_command(const char *name);

#endif
