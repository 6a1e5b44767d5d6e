/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/hbm.h"

#include <stdlib.h>

#include "tests/support/harness.h"

struct tsr_hbm_config tsr_test_hbm_config(const char *chip)
{
    struct tsr_chip c;
    struct tsr_error err = {0};
    enum tsr_status s = tsr_chip_load(chip, &c, &err);
    if (s != TSR_OK)
        fail_msg("%s", err.message);
    if (tsr_hbm_check(&c.hbm, &err) != TSR_OK)
        fail_msg("%s: %s", chip, err.message);
    return c.hbm;
}

void *tsr_test_hbm_memory(const struct tsr_hbm_config *c, uint32_t capacity)
{
    void *m = aligned_alloc(64, tsr_hbm_bytes(c, capacity));
    assert_non_null(m);
    return m;
}
