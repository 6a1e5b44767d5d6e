/* SPDX-License-Identifier: Apache-2.0 */
/* A pass that is compiled once for each vector length that its data's grouping favours, its number
 * of vectors a constant in each copy, and picked when it runs. Included by files of an SVE level.
 */
#ifndef KERNELS_LENGTHS_SVE_H
#define KERNELS_LENGTHS_SVE_H

#include <arm_sve.h>

/* Calls PASS_128, PASS_256 or PASS_512 by the vectors' bits, at other lengths PASS_any. */
#define SVE_BY_LENGTH(pass, ...)                                                                   \
    switch (svcntw()) {                                                                            \
    case 4:                                                                                        \
        pass##_128(__VA_ARGS__);                                                                   \
        break;                                                                                     \
    case 8:                                                                                        \
        pass##_256(__VA_ARGS__);                                                                   \
        break;                                                                                     \
    case 16:                                                                                       \
        pass##_512(__VA_ARGS__);                                                                   \
        break;                                                                                     \
    default:                                                                                       \
        pass##_any(__VA_ARGS__);                                                                   \
        break;                                                                                     \
    }

#endif
