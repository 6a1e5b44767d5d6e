/* SPDX-License-Identifier: Apache-2.0 */
#include "tessera/cpu.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/variants.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#include <sys/prctl.h>
#endif

/* Set in `state` once the features are known. */
#define KNOWN 0x80000000u

static const struct {
    const char *name;
    uint32_t feature;
    uint32_t allows; /* with all it builds on */
} words[] = {
    {"neon", TSR_CPU_NEON, TSR_CPU_NEON},
    {"dotprod", TSR_CPU_DOTPROD, TSR_CPU_NEON | TSR_CPU_DOTPROD},
    {"sve", TSR_CPU_SVE, TSR_CPU_NEON | TSR_CPU_SVE},
    {"sve2", TSR_CPU_SVE2, TSR_CPU_NEON | TSR_CPU_SVE | TSR_CPU_SVE2},
    {"sve-i8mm", TSR_CPU_SVE_I8MM, TSR_CPU_NEON | TSR_CPU_SVE | TSR_CPU_SVE_I8MM},
    {"sve-bf16", TSR_CPU_SVE_BF16, TSR_CPU_NEON | TSR_CPU_SVE | TSR_CPU_SVE_BF16},
    {"native", 0, ~KNOWN},
    {"ref", 0, 0},
};
enum {
    WORDS = sizeof words / sizeof words[0]
};

static _Atomic uint32_t state;
static const char *_Atomic complaint;

/* Bits as in the Linux kernel's Documentation/arm64/elf_hwcaps.rst. */
static uint32_t detect(void)
{
    uint32_t f = 0;
#if defined(__aarch64__) && defined(__linux__)
    unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    f |= cap & HWCAP_ASIMD ? TSR_CPU_NEON : 0u;
    f |= cap & HWCAP_ASIMDDP ? TSR_CPU_DOTPROD : 0u;
    f |= cap & HWCAP_SVE ? TSR_CPU_SVE : 0u;
    f |= cap2 & HWCAP2_SVE2 ? TSR_CPU_SVE2 : 0u;
    f |= cap2 & HWCAP2_SVEI8MM ? TSR_CPU_SVE_I8MM : 0u;
    f |= cap2 & HWCAP2_SVEBF16 ? TSR_CPU_SVE_BF16 : 0u;
#endif
    return f;
}

/* The set that a list of words allows; TSR_USAGE where one is unknown. */
static enum tsr_status parse(const char *list, uint32_t *allowed, struct tsr_error *err)
{
    uint32_t set = 0;
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ","), i = 0;
        while (i < WORDS && (strlen(words[i].name) != n || memcmp(words[i].name, p, n) != 0))
            i++;
        if (i == WORDS)
            return tsr_error_set(err, TSR_USAGE,
                                 "TESSERA_CPU: unknown word '%.*s', allowed: native, ref, neon, "
                                 "dotprod, sve, sve2, sve-i8mm, sve-bf16",
                                 (int)n, p);
        set |= words[i].allows;
        p += n;
        if (*p == '\0')
            break;
    }
    *allowed = set;
    return TSR_OK;
}

uint32_t tsr_cpu_features(void)
{
    uint32_t s = atomic_load(&state);
    if (s == 0) {
        /* Two threads may both come here: they store the same values. */
        const char *list = getenv("TESSERA_CPU");
        uint32_t allowed = ~KNOWN;
        if (list != NULL && *list != '\0' && parse(list, &allowed, NULL) != TSR_OK) {
            allowed = 0;
            atomic_store(&complaint, "TESSERA_CPU holds an unknown word, so only references run");
        }
        s = (detect() & allowed) | KNOWN;
        atomic_store(&state, s);
    }
    return s & ~KNOWN;
}

const char *tsr_cpu_complaint(void)
{
    return atomic_load(&complaint);
}

enum tsr_status tsr_cpu_limit(const char *allowed, struct tsr_error *err)
{
    uint32_t set = ~KNOWN;
    enum tsr_status status = allowed != NULL ? parse(allowed, &set, err) : TSR_OK;
    if (status != TSR_OK)
        return status;
    atomic_store(&complaint, NULL);
    atomic_store(&state, (detect() & set) | KNOWN);
    tsr_variants_reset();
    return TSR_OK;
}

uint32_t tsr_cpu_vector_bits(void)
{
#if defined(__aarch64__) && defined(__linux__)
    if (detect() & TSR_CPU_SVE) {
        int length = prctl(PR_SVE_GET_VL);
        return length > 0 ? 8u * ((unsigned)length & PR_SVE_VL_LEN_MASK) : 0;
    }
#endif
    return 0;
}

const char *tsr_cpu_feature_name(uint32_t feature)
{
    for (int i = 0; i < WORDS; i++)
        if (feature != 0 && words[i].feature == feature)
            return words[i].name;
    return NULL;
}
