/* SPDX-License-Identifier: Apache-2.0 */
/* Our order of the formats next to published ones. */
#include <stdio.h>
#include <string.h>

#include "sim/cli/accuracy.h"

enum {
    CHAIN_LENGTH = 6
};

/* Published orders, the best first. Cited from memory, the papers were not at hand: what they
 * measure is not what we do (their scales of f8 are per tensor; the second ranks models' tasks). */
static const struct {
    const char *source;
    const char *format[CHAIN_LENGTH];
} chains[] = {
    {"arXiv 2302.08007, QSNR", {"mx9", "f8e4m3", "mx6", "f8e5m2", "mx4"}},
    {"arXiv 2310.10537, direct cast", {"mxi8", "mxf8e4m3", "mxf6e2m3", "mxf4"}},
};

/* Falling; equal ones stay in their order, so that the result is the same everywhere. */
static void sort(struct accuracy_rank *r, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && r[j].snr_db > r[j - 1].snr_db; j--) {
            struct accuracy_rank t = r[j];
            r[j] = r[j - 1];
            r[j - 1] = t;
        }
}

/* Place in the sorted list; n: not there. */
static size_t place(const struct accuracy_rank *r, size_t n, const char *format)
{
    size_t i = 0;
    while (i < n && strcmp(r[i].format, format) != 0)
        i++;
    return i;
}

void accuracy_print_order(struct accuracy_rank *rank, size_t n)
{
    sort(rank, n);
    printf("\nby SNR, normal:");
    for (size_t i = 0; i < n; i++)
        printf(" %s", rank[i].format);
    printf("\n");
    for (size_t c = 0; c < sizeof chains / sizeof *chains; c++) {
        const char *const *f = chains[c].format;
        bool same = true, whole = true;
        printf("published:");
        for (int i = 0; i < CHAIN_LENGTH && f[i]; i++)
            printf("%s %s", i ? " >" : "", f[i]);
        printf(" (%s);", chains[c].source);
        for (int i = 1; i < CHAIN_LENGTH && f[i]; i++) {
            size_t better = place(rank, n, f[i - 1]), worse = place(rank, n, f[i]);
            whole = whole && better < n && worse < n;
            if (better == n || worse == n || better < worse)
                continue;
            printf(" here %s is above %s", f[i], f[i - 1]);
            same = false;
        }
        printf("%s\n", !same   ? ""
                       : whole ? " the same here"
                               : " no other here, as far as they were measured");
    }
}
