/* SPDX-License-Identifier: Apache-2.0 */
/* What the host's processor can do, and how to make the library use less of it. */
#ifndef TESSERA_CPU_H
#define TESSERA_CPU_H

#include <stdint.h>

#include "tessera/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Features a kernel may need; a set is an or of them. Elsewhere than on 64-bit Arm there are none,
 * and every operation runs its reference. */
enum tsr_cpu_feature {
    TSR_CPU_NEON = 1 << 0,
    TSR_CPU_SVE = 1 << 1,
    TSR_CPU_SVE2 = 1 << 2,
    TSR_CPU_SVE_I8MM = 1 << 3,
    TSR_CPU_SVE_BF16 = 1 << 4,
    TSR_CPU_DOTPROD = 1 << 5, /* SDOT on 128-bit vectors */
};

/* The features in use: those of the processor, less what TESSERA_CPU or tsr_cpu_limit took away.
 * Threads: any; the first call reads the environment. A malformed TESSERA_CPU allows nothing, so
 * that the references run, and every kernel choice says so. */
uint32_t tsr_cpu_features(void);

/* Length of an SVE vector in bits as the kernel (Linux) set it; 0 without SVE. */
uint32_t tsr_cpu_vector_bits(void);

/* Restricts the features in use, in place of TESSERA_CPU and of any earlier call, and forgets the
 * kernels chosen so far.
 *   allowed  comma-separated words: native (all there is), ref (none), neon, dotprod, sve, sve2,
 *            sve-i8mm, sve-bf16. A word allows what it builds on: sve2 is neon, sve and sve2.
 *            Null: native.
 * A word for a feature that the processor lacks is allowed and has no effect.
 * Errors: TSR_USAGE for an unknown word, naming the known ones; nothing changes.
 * Threads: call it while no other thread is in the library. */
enum tsr_status tsr_cpu_limit(const char *allowed, struct tsr_error *err);

/* Name of one feature as tsr_cpu_limit takes it; null for anything else. */
const char *tsr_cpu_feature_name(uint32_t feature);

#ifdef __cplusplus
}
#endif
#endif
