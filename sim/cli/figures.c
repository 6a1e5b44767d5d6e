/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/cli/figures.h"

double figures_macs_per_cycle(const struct tsr_chip *chip, const struct tsr_format *f)
{
    const struct tsr_ttu_config *t = &chip->tile.ttu;
    uint32_t r = f->width_class == 16  ? t->r16
                 : f->width_class == 9 ? t->r9
                 : f->width_class == 6 ? t->r6
                                       : 0;
    return (double)tsr_chip_tiles(chip) * t->dim * t->dim * r;
}

double figures_hbm_bytes_per_s(const struct tsr_chip *chip)
{
    const struct tsr_hbm_config *h = &chip->hbm;
    double clock_hz = (double)chip->clock_hz * h->clock_num / h->clock_den;
    return (double)h->stacks * h->channels * h->channel_bits / 8.0 * 2.0 * clock_hz;
}

double figures_ttu_utilisation(const struct tsr_chip *chip, const struct tsr_format *f, double macs,
                               const struct tsr_stats *st)
{
    double peak = figures_macs_per_cycle(chip, f) * (double)st->cycles;
    return peak > 0.0 ? macs / peak : 0.0;
}

double figures_ttu_busy(const struct tsr_chip *chip, const struct tsr_stats *st)
{
    double all = (double)tsr_chip_tiles(chip) * (double)st->cycles;
    return all > 0.0 ? (double)st->ttu_cycles / all : 0.0;
}

double figures_hbm_utilisation(const struct tsr_chip *chip, const struct tsr_stats *st)
{
    double seconds = (double)st->cycles / (double)chip->clock_hz;
    double bytes = (double)(st->hbm_read_bytes + st->hbm_write_bytes);
    return seconds > 0.0 ? bytes / (figures_hbm_bytes_per_s(chip) * seconds) : 0.0;
}

json_t *figures_waits(const struct tsr_stats *st, enum tsr_queue q)
{
    json_t *o = json_object();
    for (int w = TSR_WAIT_BUSY + 1; w < TSR_WAITS; w++)
        json_object_set_new(o, tsr_wait_name[w], json_integer((json_int_t)st->unit[q][w]));
    return o;
}

void figures_add_matmul(json_t *root, const struct tsr_chip *chip, const struct tsr_format *f,
                        double macs, const struct tsr_stats *st)
{
    json_object_set_new(root, "cycles", json_integer((json_int_t)st->cycles));
    json_object_set_new(root, "ttu_utilisation",
                        json_real(figures_ttu_utilisation(chip, f, macs, st)));
    json_object_set_new(root, "ttu_busy", json_real(figures_ttu_busy(chip, st)));
    json_object_set_new(root, "hbm_utilisation", json_real(figures_hbm_utilisation(chip, st)));
    json_object_set_new(root, "hbm_bytes",
                        json_integer((json_int_t)(st->hbm_read_bytes + st->hbm_write_bytes)));
    json_object_set_new(root, "waits", figures_waits(st, TSR_Q_TTU));
}
