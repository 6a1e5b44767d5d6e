/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "isa/num/num.h"
#include "kernels/npu/npu.h"
#include "kernels/npu/slab.h"
#include "sim/cli/cli.h"
#include "sim/cli/figures.h"
#include "sim/cli/npy.h"
#include "tessera/sim.h"

enum {
    ALIGNMENT = 1024
};

struct job {
    struct cli *c;
    const struct tsr_isa *isa;
    struct tsr_chip chip;
    const struct tsr_format *a_format, *b_format, *out_format;
    struct tsr_npu_matmul op;
    uint64_t at; /* next free byte of HBM */
    struct tsr_sim *sim;
    struct tsr_stats stats;
    struct npy result;
};

static enum tsr_status read_matrix(const char *file, struct npy *a, struct tsr_error *err)
{
    enum tsr_status st = npy_read(file, a, err);
    if (st == TSR_OK && a->dims != 2)
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: %u dimensions, a matrix is wanted", file,
                           a->dims);
    if (st == TSR_OK && a->n == 0)
        st = tsr_error_set(err, TSR_BAD_INPUT, "%s: the matrix is empty", file);
    return st;
}

/* Reserves HBM; the address goes to *out. */
static enum tsr_status reserve(struct job *j, uint64_t bytes, uint64_t *out, struct tsr_error *err)
{
    uint64_t room = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (room > j->chip.hbm.bytes || j->at > j->chip.hbm.bytes - room)
        return tsr_error_set(err, TSR_BAD_INPUT, "A, B and C do not fit the HBM of %s, %.2f GiB",
                             j->chip.name, (double)j->chip.hbm.bytes / 0x1p30);
    *out = TSR_HBM(j->at);
    j->at += room;
    return TSR_OK;
}

/* The file's values as f32, in plain formats already rounded. The caller frees *bits. */
static enum tsr_status read_values(const char *file, const struct npy *a,
                                   const struct tsr_format *f, uint32_t **bits,
                                   struct tsr_error *err)
{
    uint8_t *codes = NULL;
    size_t bytes = 0, saturated = 0;
    if (f->block > 1)
        return npy_to_finite(file, a, bits, err);
    enum tsr_status st = npy_encode(file, a, f, &codes, &bytes, &saturated, err);
    if (st == TSR_OK)
        npy_note_saturated("matmul", file, f, saturated);
    if (st == TSR_OK && !(*bits = malloc(4 * a->n)))
        st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK)
        tsr_num_decode_array(f, *bits, codes, a->n);
    free(codes);
    return st;
}

/* Packs the operand's rows, which in a file that is `turned` are its columns. */
static enum tsr_status pack(const struct tsr_npu_slab *s, const struct npy *a, bool turned,
                            const uint32_t *bits, uint8_t *image, struct tsr_error *err)
{
    uint32_t *row = malloc(4 * s->k);
    enum tsr_status st = row ? TSR_OK : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    for (uint64_t r = 0; st == TSR_OK && r < s->rows; r++) {
        for (uint64_t q = 0; q < s->k; q++)
            row[q] = bits[turned ? q * a->dim[1] + r : r * a->dim[1] + q];
        st = tsr_npu_slab_pack(s, r, row, image, err);
    }
    free(row);
    return st;
}

/* B comes as K x N, the kernel takes N x K. */
static enum tsr_status place(struct job *j, const char *file, const struct npy *a, bool turned,
                             uint64_t *address, struct tsr_error *err)
{
    const struct tsr_format *own = turned ? j->b_format : j->a_format,
                            *other = turned ? j->a_format : j->b_format;
    struct tsr_npu_slab s;
    uint32_t *bits = NULL;
    uint8_t *image = NULL;
    enum tsr_status st =
        tsr_npu_slab_plan(j->isa, &j->chip, (enum tsr_dtype)own->code, (enum tsr_dtype)other->code,
                          a->dim[turned ? 1 : 0], a->dim[turned ? 0 : 1], &s, err);
    if (st == TSR_OK)
        st = read_values(file, a, own, &bits, err);
    if (st == TSR_OK)
        st = reserve(j, tsr_npu_slab_bytes(&s), address, err);
    if (st == TSR_OK && !(image = malloc(tsr_npu_slab_bytes(&s))))
        st = tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK)
        st = pack(&s, a, turned, bits, image, err);
    if (st == TSR_OK)
        st = tsr_sim_write(j->sim, *address, image, tsr_npu_slab_bytes(&s), err);
    free(image);
    free(bits);
    return st;
}

static enum tsr_status load_operands(struct job *j, struct tsr_error *err)
{
    const char *a_file = cli_text(j->c, "a"), *b_file = cli_text(j->c, "b");
    struct npy a = {0}, b = {0};
    enum tsr_status st = read_matrix(a_file, &a, err);
    if (st == TSR_OK)
        st = read_matrix(b_file, &b, err);
    if (st == TSR_OK && a.dim[1] != b.dim[0])
        st = tsr_error_set(err, TSR_BAD_INPUT,
                           "%s is %" PRIu64 " x %" PRIu64 ", %s is %" PRIu64 " x %" PRIu64
                           ": A's columns must be B's rows",
                           a_file, a.dim[0], a.dim[1], b_file, b.dim[0], b.dim[1]);
    if (st == TSR_OK)
        st = place(j, a_file, &a, false, &j->op.a, err);
    if (st == TSR_OK)
        st = place(j, b_file, &b, true, &j->op.b, err);
    if (st == TSR_OK) {
        j->op.m = a.dim[0];
        j->op.n = b.dim[1];
        j->op.k = a.dim[1];
    }
    npy_free(&a);
    npy_free(&b);
    return st;
}

static enum tsr_status simulate(struct job *j, struct tsr_error *err)
{
    struct tsr_program program = {0};
    struct tsr_run_options o = {.mode = TSR_MODE_FULL};
    size_t bytes = (size_t)(j->op.m * j->op.n * j->out_format->bits / 8);
    enum tsr_status st = reserve(j, bytes, &j->op.c, err);
    if (st == TSR_OK)
        st = tsr_npu_matmul(j->isa, &j->chip, &j->op, &program, err);
    if (st != TSR_OK)
        return st;
    st = tsr_sim_run(j->sim, &program, &o, &j->stats, NULL, err);
    tsr_program_free(&program);
    if (st != TSR_OK)
        return st;
    uint8_t *codes = malloc(bytes);
    st = codes ? tsr_sim_read(j->sim, j->op.c, codes, bytes, err)
               : tsr_error_set(err, TSR_INTERNAL, "out of memory");
    if (st == TSR_OK) {
        j->result = (struct npy){.dims = 2, .dim = {j->op.m, j->op.n}};
        st = npy_decode(j->out_format, codes, &j->result, err);
    }
    free(codes);
    return st;
}

static enum tsr_status read_options(struct job *j, struct tsr_error *err)
{
    enum tsr_status st = cli_isa(j->c, &j->isa, err);
    if (st == TSR_OK)
        st = cli_chip(j->c, &j->chip, err);
    if (st == TSR_OK)
        st = cli_format(j->c, j->isa, "format", NULL, &j->a_format, err);
    if (st == TSR_OK)
        st = cli_format(j->c, j->isa, "b-format", j->a_format->name, &j->b_format, err);
    if (st != TSR_OK)
        return st;
    j->op.a_format = (enum tsr_dtype)j->a_format->code;
    j->op.b_format = (enum tsr_dtype)j->b_format->code;
    struct tsr_npu_slab any;
    st = tsr_npu_slab_plan(j->isa, &j->chip, j->op.a_format, j->op.b_format, 1, 1, &any, err);
    if (st != TSR_OK)
        return st;
    bool integer = j->a_format->family == TSR_FAMILY_INT;
    st = cli_format(j->c, j->isa, "out-format", integer ? "i32" : "f32", &j->out_format, err);
    if (st == TSR_OK)
        j->op.c_format = (enum tsr_dtype)j->out_format->code;
    return st;
}

static enum tsr_status print_result(const struct job *j, struct tsr_error *err)
{
    double macs = (double)j->op.m * (double)j->op.n * (double)j->op.k;
    if (!cli_has(j->c, "json")) {
        bool same = j->a_format == j->b_format;
        printf("%s %s%s%s %" PRIu64 "x%" PRIu64 "x%" PRIu64 ": %" PRIu64 " cycles, %.2f us\n",
               j->chip.name, j->a_format->name, same ? "" : " x ", same ? "" : j->b_format->name,
               j->op.m, j->op.n, j->op.k, j->stats.cycles,
               1e6 * (double)j->stats.cycles / (double)j->chip.clock_hz);
        return TSR_OK;
    }
    json_t *o = json_object();
    json_object_set_new(o, "chip", json_string(j->chip.name));
    json_object_set_new(o, "format", json_string(j->a_format->name));
    json_object_set_new(o, "b_format", json_string(j->b_format->name));
    json_object_set_new(o, "out_format", json_string(j->out_format->name));
    json_object_set_new(o, "m", json_integer((json_int_t)j->op.m));
    json_object_set_new(o, "n", json_integer((json_int_t)j->op.n));
    json_object_set_new(o, "k", json_integer((json_int_t)j->op.k));
    bool a_wider = j->a_format->width_class > j->b_format->width_class;
    figures_add_matmul(o, &j->chip, a_wider ? j->a_format : j->b_format, macs, &j->stats);
    return cli_print_result(o, err);
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    struct job j = {.c = c};
    enum tsr_status st = read_options(&j, err);
    if (st == TSR_OK)
        st = tsr_sim_create(&j.chip, j.isa, &j.sim, err);
    if (st == TSR_OK)
        st = load_operands(&j, err);
    if (st == TSR_OK)
        st = simulate(&j, err);
    if (st == TSR_OK)
        st = npy_write(cli_text(c, "output"), &j.result, err);
    if (st == TSR_OK)
        st = print_result(&j, err);
    npy_free(&j.result);
    tsr_sim_destroy(j.sim);
    return st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .required = true,
     .doc = "name or file"},
    {.name = "format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .required = true,
     .doc = "that A and B are rounded to"},
    {.name = "b-format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of B, where it is another: any that the tensor unit multiplies by A's"},
    {.name = "a",
     .argument = "A.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "M x K, float32 (int8 for i8)"},
    {.name = "b",
     .argument = "B.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "K x N, likewise"},
    {.name = "output",
     .letter = 'o',
     .argument = "C.npy",
     .words = CLI_WORDS_FILE,
     .required = true,
     .doc = "M x N"},
    {.name = "out-format",
     .argument = "FORMAT",
     .words = CLI_WORDS_FORMAT,
     .doc = "of C in the chip's memory: f32 (the default: as accumulated), bf16, f16; i32"},
    {.name = "json", .doc = "for machines: cycles and utilisation"},
    {0},
};

const struct cli_command cmd_matmul = {
    .name = "matmul",
    .doc = "multiply your own matrices on a simulated chip",
    .options = options,
    .run = run,
    .notes =
        "C = A x B with the bits that the chip's tensor units give, for every format they take;\n"
        "block formats are quantized along K, as tessera quantize does. C is written as float32\n"
        "(float16 for f16, int32 for integers).\n",
};
