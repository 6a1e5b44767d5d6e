/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/cpu/variants.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tessera/cpu.h"

#define TSR_OP(op)
#define TSR_VARIANT(op, variant, features, tolerance) tsr_##op##_fn tsr_##op##_##variant;
#include "kernels/cpu/variants.def"

const struct tsr_variant tsr_variants[] = {
#define TSR_OP(op)
#define TSR_VARIANT(op, variant, features, tolerance)                                              \
    {TSR_OP_##op, #variant, features, tolerance, (void (*)(void))tsr_##op##_##variant},
#include "kernels/cpu/variants.def"
};
const size_t tsr_variant_count = sizeof tsr_variants / sizeof tsr_variants[0];

static const char *const op_names[] = {
#define TSR_OP(op) #op,
#define TSR_VARIANT(op, variant, features, tolerance)
#include "kernels/cpu/variants.def"
    NULL};

static _Atomic(const struct tsr_variant *) chosen[TSR_OPS];

const char *tsr_op_name(enum tsr_cpu_op op)
{
    return op_names[op];
}

const char *const *tsr_kernel_ops(void)
{
    return op_names;
}

static const struct tsr_variant *choose(enum tsr_cpu_op op, uint32_t features)
{
    const struct tsr_variant *best = NULL;
    for (size_t i = 0; i < tsr_variant_count; i++)
        if (tsr_variants[i].op == op && (tsr_variants[i].features & ~features) == 0)
            best = &tsr_variants[i];
    return best;
}

const struct tsr_variant *tsr_variant_chosen(enum tsr_cpu_op op)
{
    /* Two threads may both compute it: they store the same pointer. */
    const struct tsr_variant *v = atomic_load_explicit(&chosen[op], memory_order_acquire);
    if (v == NULL) {
        v = choose(op, tsr_cpu_features());
        atomic_store_explicit(&chosen[op], v, memory_order_release);
    }
    return v;
}

void tsr_variant_use(const struct tsr_variant *v)
{
    atomic_store(&chosen[v->op], v);
}

void tsr_variants_reset(void)
{
    for (int op = 0; op < TSR_OPS; op++)
        atomic_store(&chosen[op], NULL);
}

/* The operation's row of that name; null: none here. */
static const struct tsr_variant *find(enum tsr_cpu_op op, const char *name)
{
    for (size_t i = 0; i < tsr_variant_count; i++)
        if (tsr_variants[i].op == op && strcmp(tsr_variants[i].name, name) == 0)
            return &tsr_variants[i];
    return NULL;
}

/* Appends to the line in s, cutting what does not fit. */
static void append(char *s, size_t size, const char *text)
{
    size_t used = strlen(s);
    snprintf(s + used, size - used, "%s", text);
}

static void append_features(char *s, size_t size, uint32_t set)
{
    const char *comma = "";
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((set & bit) == 0)
            continue;
        append(s, size, comma);
        append(s, size, tsr_cpu_feature_name(bit));
        comma = ",";
    }
}

static void explain(const struct tsr_variant *v, char *s, size_t size)
{
    uint32_t in_use = tsr_cpu_features();
    bool better = false;
    s[0] = '\0';
    for (const struct tsr_variant *w = v + 1; w < tsr_variants + tsr_variant_count; w++) {
        if (w->op != v->op)
            continue;
        append(s, size, better ? "; " : "");
        append(s, size, w->name);
        append(s, size, " needs ");
        append_features(s, size, w->features & ~in_use);
        better = true;
    }
    if (!better)
        append(s, size, "the best there is for this architecture");
    if (tsr_cpu_complaint() != NULL) {
        append(s, size, "; ");
        append(s, size, tsr_cpu_complaint());
    } else if (better) {
        append(s, size, ", not in use here (processor, TESSERA_CPU or tsr_cpu_limit)");
    }
}

static enum tsr_status unknown(const char *op, struct tsr_error *err)
{
    char known[960] = ""; /* of a message of 1024 */
    for (int i = 0; i < TSR_OPS; i++) {
        append(known, sizeof known, i > 0 ? ", " : "");
        append(known, sizeof known, op_names[i]);
    }
    return tsr_error_set(err, TSR_USAGE, "kernel: unknown operation '%s', known: %s", op, known);
}

enum tsr_status tsr_kernel_choose(const char *op, struct tsr_kernel_choice *out,
                                  struct tsr_error *err)
{
    for (int i = 0; i < TSR_OPS; i++) {
        if (strcmp(op, op_names[i]) != 0)
            continue;
        const struct tsr_variant *v = tsr_variant_chosen((enum tsr_cpu_op)i);
        out->op = op_names[i];
        out->variant = v->name;
        explain(v, out->reason, sizeof out->reason);
        return TSR_OK;
    }
    return unknown(op, err);
}

enum tsr_status tsr_kernel_use(const char *op, const char *variant, struct tsr_error *err)
{
    for (int i = 0; i < TSR_OPS; i++) {
        if (strcmp(op, op_names[i]) != 0)
            continue;
        const struct tsr_variant *v = find((enum tsr_cpu_op)i, variant);
        if (v == NULL)
            return tsr_error_set(err, TSR_USAGE, "kernel: %s has no variant '%s' in this build", op,
                                 variant);
        char lacks[128] = "";
        append_features(lacks, sizeof lacks, v->features & ~tsr_cpu_features());
        if (lacks[0] != '\0')
            return tsr_error_set(err, TSR_USAGE, "kernel: %s by %s needs %s, not in use here", op,
                                 variant, lacks);
        tsr_variant_use(v);
        return TSR_OK;
    }
    return unknown(op, err);
}
