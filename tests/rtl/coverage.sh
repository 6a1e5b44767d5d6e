#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# coverage.sh BINS...: adds up the bins of several runs; prints the share that was hit, by group,
# and the names of those that were not.
set -eu
cat "$@" | awk '
    { count[$2] += $1; if (!($2 in seen)) { seen[$2] = 1; order[++n] = $2 } }
    END {
        for (i = 1; i <= n; i++) {
            split(order[i], part, "/")
            g = part[1]
            if (!(g in all)) group[++groups] = g
            all[g]++
            if (count[order[i]] > 0) { hit[g]++; hits++ } else missing = missing " " order[i]
        }
        for (i = 1; i <= groups; i++)
            printf "%s %d/%d, ", group[i], hit[group[i]], all[group[i]]
        printf "in all %d of %d bins, %.1f %%\n", hits, n, 100 * hits / n
        if (missing != "") print "missing:" missing
    }'
