/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/cli.h"
#include "sim/cli/figures.h"

static json_t *describe(const struct tsr_isa *isa, const struct tsr_chip *chip)
{
    json_t *o = json_object(), *peak = json_object(), *assumed = json_array();
    json_object_set_new(o, "name", json_string(chip->name));
    json_object_set_new(o, "tiles", json_integer(tsr_chip_tiles(chip)));
    json_object_set_new(o, "clock_hz", json_integer((json_int_t)chip->clock_hz));
    for (int i = 0; i < TSR_DTYPE_MAX; i++) {
        const struct tsr_format *f = &isa->formats[i];
        if (isa->has_format[i] && f->width_class)
            json_object_set_new(
                peak, f->name,
                json_real(2.0 * figures_macs_per_cycle(chip, f) * (double)chip->clock_hz));
    }
    json_object_set_new(o, "peak_flops", peak);
    json_object_set_new(o, "hbm_bytes", json_integer((json_int_t)chip->hbm.bytes));
    json_object_set_new(o, "hbm_bytes_per_s", json_real(figures_hbm_bytes_per_s(chip)));
    for (uint32_t i = 0; i < chip->n_assumed; i++)
        json_array_append_new(assumed, json_string(chip->assumed[i]));
    json_object_set_new(o, "assumed", assumed);
    return o;
}

static void print_row(const struct tsr_isa *isa, const struct tsr_chip *chip)
{
    const struct tsr_format *bf16 = &isa->formats[TSR_BF16], *i8 = &isa->formats[TSR_I8];
    double hz = 2e-12 * (double)chip->clock_hz;
    printf("%-12s %5u %9.0f %14.3f %12.3f %9.2f %9.1f %8u\n", chip->name, tsr_chip_tiles(chip),
           1e-6 * (double)chip->clock_hz, hz * figures_macs_per_cycle(chip, bf16),
           hz * figures_macs_per_cycle(chip, i8), (double)chip->hbm.bytes / 0x1p30,
           1e-9 * figures_hbm_bytes_per_s(chip), chip->n_assumed);
}

static enum tsr_status run(struct cli *c, struct tsr_error *err)
{
    const struct tsr_isa *isa;
    const char *one[] = {cli_text(c, "chip"), NULL};
    json_t *all = json_array();
    bool json = cli_has(c, "json");
    enum tsr_status st = cli_isa(c, &isa, err);
    if (st == TSR_OK && !json)
        printf("%-12s %5s %9s %14s %12s %9s %9s %8s\n", "name", "tiles", "MHz", "bf16 TFLOP/s",
               "i8 TOP/s", "HBM GiB", "GB/s", "assumed");
    for (const char *const *n = one[0] ? one : tsr_chip_names(); st == TSR_OK && *n; n++) {
        struct tsr_chip chip;
        st = tsr_chip_load(*n, &chip, err);
        if (st == TSR_OK && json)
            json_array_append_new(all, describe(isa, &chip));
        else if (st == TSR_OK)
            print_row(isa, &chip);
    }
    if (st == TSR_OK && json)
        return cli_print_json(all, err);
    json_decref(all);
    return st;
}

static const struct cli_option options[] = {
    {.name = "chip",
     .argument = "CHIP",
     .words = CLI_WORDS_CHIP,
     .doc = "this chip only, a name or a file"},
    {.name = "json", .doc = "for machines"},
    {0},
};

const struct cli_command cmd_chips = {
    .name = "chips",
    .doc = "list the built-in chips, with what is assumed of them",
    .options = options,
    .run = run,
    .notes = "Peaks are 2 x tiles x D x D x R x clock, R that of the format's width; `assumed` in\n"
             "--json names the keys of the chip file whose values no public source states.\n",
};
