/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/rtl.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MAX_ARGS = 16
};

/* The harness beside this program. */
static enum tsr_status find(const char *chip, char *path, size_t cap, struct tsr_error *err)
{
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return tsr_error_set(err, TSR_INTERNAL, "--target rtl: this program does not find itself");
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    int length = snprintf(path, cap, "%s/tessera-rtl-%s", self, chip);
    if (length > 0 && (size_t)length < cap && access(path, X_OK) == 0)
        return TSR_OK;
    return tsr_error_set(err, TSR_USAGE,
                         "--target rtl: tessera-rtl-%s is not built; build it by "
                         "cmake --build build/default --target tessera-rtl-%s",
                         chip, chip);
}

static enum tsr_status run(const char *const *args, struct tsr_error *err)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        execv(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 127)
        return tsr_error_set(err, TSR_INTERNAL, "--target rtl: %s cannot be run", args[0]);
    switch (WEXITSTATUS(status)) {
    case 0:
        return TSR_OK;
    case 1:
        return tsr_error_set(err, TSR_MISMATCH, "the RTL differs from the simulator");
    case 2:
        return tsr_error_set(err, TSR_USAGE, "--target rtl: not taken, see above");
    case 3:
        return tsr_error_set(err, TSR_BAD_INPUT, "--target rtl: bad input, see above");
    case 4:
        return tsr_error_set(err, TSR_FAULT, "--target rtl: the simulated machine stopped");
    default:
        return tsr_error_set(err, TSR_INTERNAL, "--target rtl: %s failed", args[0]);
    }
}

static bool is_program(const char *text)
{
    size_t n = strlen(text);
    return n > 2 && strcmp(text + n - 2, ".s") == 0;
}

/* A kernel of the suite, or the text of any program. */
enum tsr_status cli_check_rtl(struct cli *c, struct tsr_error *err)
{
    static const char *const passed[] = {"shape", "format", "seed", "tile"};
    static const char *const refused[] = {"thorough", "junit"};
    char path[2200], option[4][16];
    const char *args[MAX_ARGS];
    size_t at = 0, n = 0;
    if (cli_each(c, "isa", &at))
        return tsr_error_set(err, TSR_USAGE,
                             "--target rtl: the RTL is built from the built-in instruction set; "
                             "with --isa, merge the rows into isa/ and rebuild tessera-rtl");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (cli_has(c, refused[i]))
            return tsr_error_set(err, TSR_USAGE, "--target rtl: --%s is of the simulator only",
                                 refused[i]);
    enum tsr_status st = find(cli_text(c, "chip"), path, sizeof path, err);
    if (st != TSR_OK)
        return st;
    args[n++] = path;
    const char *what = c->n_positional ? c->positional[0] : "all";
    args[n++] = is_program(what) ? "run" : "check";
    args[n++] = what;
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++)
        if (cli_has(c, passed[i])) {
            snprintf(option[i], sizeof option[i], "--%s", passed[i]);
            args[n++] = option[i];
            args[n++] = cli_text(c, passed[i]);
        }
    if (cli_has(c, "json"))
        args[n++] = "--json";
    args[n] = NULL;
    return run(args, err);
}
