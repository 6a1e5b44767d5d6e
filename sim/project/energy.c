/* SPDX-License-Identifier: Apache-2.0 */
/* An estimate of dynamic energy from what the runs counted. All constants are assumed: published
 * values of like parts, none of them measured on the chip. Left out: leakage, clock, host, cooling.
 */
#include "sim/project/plan.h"

#define PJ 1e-12

/* Picojoules. */
static const double pj_hbm_byte =
    8 * 4.3; /* HBM2E, 4.3 pJ/bit: SK hynix, IEDM 2023 (second hand) */
static const double pj_sram_byte = 14.0 / 8; /* 1 MB SRAM at 7 nm, 14 pJ per 64 bits: TPUv4i, ISCA
                                                2021, table 2; for TSRAM and CSRAM */
static const double pj_link_byte = 8 * 0.1;  /* one hop of some mm on chip: no source */

/* One multiply-accumulate by the width class of the wider operand; TPUv4i, 7 nm: bf16 product 0.21
 * + f32 sum 0.38; int8 0.07 + int32 0.03; 8-bit floats: a 5 nm FMA, 0.063 (second hand). */
static double pj_mac(const struct tsr_format *a, const struct tsr_format *b)
{
    const struct tsr_format *f = a->width_class > b->width_class ? a : b;
    if (f->width_class == 16)
        return 0.21 + 0.38;
    return f->family == TSR_FAMILY_INT ? 0.07 + 0.03 : 0.063;
}

void project_estimate_energy(struct project_result *r)
{
    struct project_energy e = {0};
    for (uint32_t i = 0; i < r->n_steps; i++) {
        const struct tsr_stats *s = &r->step[i].stats;
        double n = r->step[i].repeat;
        /* a step at another width than the format's (attention) runs in 16 bits */
        bool own = r->step[i].macs_per_cycle ==
                   project_peak(r->options.chip, r->options.activations, r->stored);
        double mac = own ? pj_mac(r->options.activations, r->stored) : 0.21 + 0.38;
        e.mac += n * (double)s->macs * mac * PJ;
        e.tsram += n * (double)(s->tsram_read_bytes + s->tsram_write_bytes) * pj_sram_byte * PJ;
        e.csram += n * (double)s->csram_bytes * pj_sram_byte * PJ;
        e.mesh += n * (double)s->mesh_bytes * pj_link_byte * PJ;
        e.hbm += n * (double)(s->hbm_read_bytes + s->hbm_write_bytes) * pj_hbm_byte * PJ;
    }
    e.total = e.mac + e.tsram + e.csram + e.mesh + e.hbm;
    r->energy = e;
}
