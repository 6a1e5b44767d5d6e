/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/cli.h"
#include "sim/cli/rtl.h"
#include "sim/suite/suite.h"

enum {
    MAX_SIZE = 1 << 20
};

struct check {
    struct cli *c;
    struct suite suite;
    FILE *junit;        /* null: not asked for */
    const char *kernel; /* of the line being summed */
    uint64_t cases, failed;
};

static void print_kernel(struct check *k)
{
    if (k->kernel && !cli_has(k->c, "json"))
        printf("%-14s %5" PRIu64 " cases, %" PRIu64 " failed\n", k->kernel, k->cases, k->failed);
    k->kernel = NULL;
    k->cases = k->failed = 0;
}

static void print_repeat(FILE *out, const struct check *k, const struct suite_result *r)
{
    fprintf(out, "tessera check %s --chip %s --shape %" PRIu64 "x%" PRIu64 "x%" PRIu64, r->kernel,
            cli_text(k->c, "chip"), r->shape.m, r->shape.n, r->shape.k);
    if (r->format)
        fprintf(out, " --format %s", r->format);
    fprintf(out, " --seed %" PRIu64, k->suite.seed);
    size_t at = 0;
    for (const char *file; (file = cli_each(k->c, "isa", &at)) != NULL;)
        fprintf(out, " --isa %s", file);
}

static void put_xml(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
}

static void put_junit(const struct check *k, const struct suite_result *r)
{
    fprintf(k->junit, "  <testcase classname=\"%s\" name=\"", r->kernel);
    put_xml(k->junit, r->label);
    if (!r->message) {
        fputs("\"/>\n", k->junit);
        return;
    }
    fprintf(k->junit, "\">\n    <%s message=\"", r->fault ? "error" : "failure");
    put_xml(k->junit, r->message);
    fputs("\"/>\n  </testcase>\n", k->junit);
}

static void report(void *self, const struct suite_result *r)
{
    struct check *k = self;
    if (r->refused) {
        fprintf(stderr, "not run: %s %s: %s\n", r->kernel, r->label, r->message);
        return;
    }
    if (!k->kernel || strcmp(k->kernel, r->kernel) != 0)
        print_kernel(k);
    k->kernel = r->kernel;
    k->cases++;
    k->failed += r->message != NULL;
    if (k->junit)
        put_junit(k, r);
    if (!r->message)
        return;
    fprintf(stderr, "%s %s: %s\n  repeat: ", r->kernel, r->label, r->message);
    print_repeat(stderr, k, r);
    fputs("\n", stderr);
}

/* "MxNxK", missing ones are 1. */
static enum tsr_status read_shape(const char *text, struct suite_shape *out, struct tsr_error *err)
{
    uint64_t v[3] = {1, 1, 1};
    char part[32];
    for (int i = 0; i < 3 && text; i++) {
        size_t n = strcspn(text, "x");
        snprintf(part, sizeof part, "%.*s", (int)(n < 31 ? n : 31), text);
        enum tsr_status st = cli_parse_u64("--shape", part, 1, MAX_SIZE, &v[i], err);
        if (st != TSR_OK)
            return st;
        text = text[n] ? text + n + 1 : NULL;
    }
    if (text)
        return tsr_error_set(err, TSR_USAGE, "--shape: MxNxK is wanted");
    *out = (struct suite_shape){v[0], v[1], v[2]};
    return TSR_OK;
}

static enum tsr_status print_result(struct check *k, struct tsr_error *err)
{
    const struct suite *s = &k->suite;
    print_kernel(k);
    if (!cli_has(k->c, "json")) {
        printf("%" PRIu64 " programs, %" PRIu64 " instructions, %" PRIu64 " cycles, %" PRIu64
               " mismatches, seed %" PRIu64 "\n",
               s->programs, s->instructions, s->cycles, s->mismatches, s->seed);
        return TSR_OK;
    }
    json_t *o = json_object();
    json_object_set_new(o, "chip", json_string(s->chip->name));
    json_object_set_new(o, "cases", json_integer((json_int_t)s->cases));
    json_object_set_new(o, "failed", json_integer((json_int_t)s->failed_cases));
    json_object_set_new(o, "programs", json_integer((json_int_t)s->programs));
    json_object_set_new(o, "instructions", json_integer((json_int_t)s->instructions));
    json_object_set_new(o, "cycles", json_integer((json_int_t)s->cycles));
    json_object_set_new(o, "mismatches", json_integer((json_int_t)s->mismatches));
    json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
    return cli_print_result(o, err);
}

static enum tsr_status run_suite(struct check *k, struct tsr_error *err)
{
    char *xml = NULL;
    size_t n_xml = 0;
    const char *kernel = k->c->n_positional ? k->c->positional[0] : "all";
    const char *junit = cli_text(k->c, "junit");
    if (junit && !(k->junit = open_memstream(&xml, &n_xml)))
        return tsr_error_set(err, TSR_INTERNAL, "out of memory");
    k->suite.report = report;
    k->suite.report_self = k;
    enum tsr_status st = suite_run(&k->suite, kernel, err);
    enum tsr_status written = TSR_OK;
    if (k->junit) {
        char head[128];
        int n = snprintf(head, sizeof head,
                         "<testsuite name=\"tessera check\" tests=\"%" PRIu64
                         "\" failures=\"%" PRIu64 "\">\n",
                         k->suite.cases, k->suite.failed_cases);
        fputs("</testsuite>\n", k->junit);
        written = fclose(k->junit) == 0 ? cli_write_file(junit, head, (size_t)n, xml, n_xml, err)
                                        : tsr_error_set(err, TSR_INTERNAL, "out of memory");
        free(xml);
    }
    if (st == TSR_OK || st == TSR_MISMATCH || st == TSR_FAULT) {
        enum tsr_status printed = print_result(k, err);
        written = written == TSR_OK ? printed : written;
    }
    return st == TSR_OK ? written : st;
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct check k = {.c = c};
    struct tsr_chip chip;
    const char *target = cli_text(c, "target"), *shape = cli_text(c, "shape");
    if (target && strcmp(target, "rtl") == 0)
        return cli_check_rtl(c, err);
    if (cli_has(c, "tile"))
        return tsr_error_set(err, TSR_USAGE, "--tile: which tile is RTL, with --target rtl only");
    enum tsr_status st = cli_isa(c, &k.suite.isa, err);
    if (st == TSR_OK)
        st = cli_chip(c, &chip, err);
    if (st == TSR_OK)
        st = cli_format(c, k.suite.isa, "format", NULL, &k.suite.format, err);
    if (st == TSR_OK && shape)
        st = read_shape(shape, &k.suite.shape, err);
    if (st == TSR_OK)
        st = cli_u64(c, "seed", 0, INT64_MAX, 1, &k.suite.seed, err);
    k.suite.chip = &chip;
    k.suite.thorough = cli_has(c, "thorough");
    return st == TSR_OK ? run_suite(&k, err) : st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .required = true,
     .doc = "name or file"},
    {.name = "shape", .argument = "MxNxK", .doc = "one shape instead of the kernel's own"},
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "one format instead of all"},
    {.name = "seed", .argument = "S", .doc = "of the random inputs, default 1"},
    {.name = "thorough", .doc = "the kernels' long lists of shapes"},
    {.name = "target",
     .argument = "TARGET",
     .words = CLI_WORDS_LIST,
     .list = "sim rtl",
     .doc = "what runs the programs"},
    {.name = "tile", .argument = "T", .doc = "with --target rtl: the tile that is RTL, default 0"},
    {.name = "junit", .argument = "FILE", .words = CLI_WORDS_FILE, .doc = "report as JUnit XML"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_check = {
    .name = "check",
    .doc = "compare the kernels on a simulated chip with their plain references",
    .positional = "[KERNEL]",
    .max_positional = 1,
    .words = CLI_WORDS_KERNEL,
    .options = options,
    .run = run,
    .notes =
        "Each case runs three times: with values, cycles and the race check; for the cycles\n"
        "alone, which must be the same; for the values alone, likewise. KERNEL is a name or\n"
        "all (the default). A kernel that disagrees ends with exit code 1, a fault with 4.\n"
        "--target rtl runs the programs on the simulator and on the RTL of one tile in lock-step:\n"
        "every retired instruction, write and semaphore change in value and cycle. There KERNEL\n"
        "may also be FILE.s, any program.\n",
};
