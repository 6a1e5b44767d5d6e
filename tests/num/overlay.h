/* SPDX-License-Identifier: Apache-2.0 */
/* The instruction set with formats that an overlay adds. */
#ifndef TESTS_NUM_OVERLAY_H
#define TESTS_NUM_OVERLAY_H

#include "tests/support/harness.h"

#include "tessera/isa.h"
#include "tests/support/isa_random.h"

/* New formats of known families are rows, no code: all tests that walk over the formats take them.
 */
static const char overlay[] =
    "formats:\n"
    "- {name: e3m4, code: 22, family: float, specials: ieee, bits: 8, ebits: 3, mbits: 4, bias: "
    "3,\n"
    "   block: 1, scale_bits: 0, width_class: 9, doc: an 8-bit float of small range}\n"
    "- {name: mxf8e3m4, code: 23, family: mx, specials: none, bits: 8, ebits: 3, mbits: 4, bias: "
    "3,\n"
    "   block: 32, scale_bits: 8, width_class: 9, doc: its MX block}\n"
    "- {name: mx5, code: 24, family: smx, specials: none, bits: 4, ebits: 0, mbits: 3, bias: 127,\n"
    "   block: 16, scale_bits: 8, width_class: 6, doc: between mx6 and mx4}\n"
    "- {name: mxi6, code: 25, family: mx, specials: none, bits: 6, ebits: 0, mbits: 4, bias: 0,\n"
    "   block: 16, scale_bits: 8, width_class: 6, doc: six bits of fixed point}\n"
    "- {name: nvf6, code: 26, family: nvf, specials: none, bits: 6, ebits: 2, mbits: 3, bias: 1,\n"
    "   block: 16, scale_bits: 8, width_class: 6, doc: e2m3 under an e4m3 scale}\n"
    "- {name: i6, code: 27, family: int, specials: none, bits: 6, ebits: 0, mbits: 0, bias: 0,\n"
    "   block: 1, scale_bits: 0, width_class: 6, doc: six bits}\n";

static inline struct tsr_isa *load_isa(void)
{
    static const char *const paths[] = {"block-overlay.yaml"};
    struct tsr_isa *isa = NULL;
    struct tsr_error err = {0};
    tsr_test_write(paths[0], overlay, sizeof overlay - 1);
    if (tsr_isa_load(paths, 1, &isa, &err) != TSR_OK)
        fail_msg("%s", err.message);
    return isa;
}

#endif
