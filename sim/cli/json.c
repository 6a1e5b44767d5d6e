/* SPDX-License-Identifier: Apache-2.0 */
/* Results as JSON, and the figures of the process itself. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "sim/cli/cli.h"

static struct timespec started;

void cli_start_clock(void)
{
    clock_gettime(CLOCK_MONOTONIC, &started);
}

static double wall_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - started.tv_sec) + 1e-9 * (double)(now.tv_nsec - started.tv_nsec);
}

/* VmHWM is of this program alone; ru_maxrss would carry over what the caller was before exec. */
static json_int_t max_rss_kib(const struct rusage *u)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = u->ru_maxrss;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

enum tsr_status cli_print_result(json_t *root, struct tsr_error *err)
{
    struct rusage u = {0};
    getrusage(RUSAGE_SELF, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    json_object_set_new(root, "cpu_s", json_real(cpu));
    json_object_set_new(root, "wall_s", json_real(wall_s()));
    json_object_set_new(root, "max_rss_kib", json_integer(max_rss_kib(&u)));
    return cli_print_json(root, err);
}

enum tsr_status cli_print_json(json_t *root, struct tsr_error *err)
{
    errno = 0;
    int bad = root == NULL || json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    bad = bad || putchar('\n') == EOF;
    int number = errno;
    json_decref(root);
    if (bad && number)
        return tsr_error_set(err, TSR_INTERNAL, "standard output: %s", strerror(number));
    return bad ? tsr_error_set(err, TSR_INTERNAL, "JSON: out of memory") : TSR_OK;
}
