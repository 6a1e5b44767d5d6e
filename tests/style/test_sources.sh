#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# The sources speak of the product alone, name their licence, and keep to 100 columns.
set -u
cd "${1:-$TESSERA_SOURCE_DIR}" || exit 1
bad=0
complain() {
    if [ -n "$2" ]; then
        printf '%s:\n%s\n' "$1" "$2"
        bad=1
    fi
}
all=$(find include isa kernels sim rtl tests bench run .ci .github README.md CMakeLists.txt \
    CMakePresets.json -type f ! -name '*.npy' 2>/dev/null)
code=$(printf '%s\n' "$all" | grep -E '\.(c|h|cc|sv|svh|sh)$')
below=$(printf '%s\n' "$code" | grep -E '^(isa|kernels|sim)/' | grep -vE '^(sim/cli|isa/gen)/')
calls='(^|[^_a-z])(v?printf *\(|puts *\(|perror *\(|_?exit *\(|fprintf\(std(out|err))'
# shellcheck disable=SC2086
{
    complain 'a path of somebody'"'"'s machine' \
        "$(grep -nE '/wor[k]/|/tm[p]/[a-z]|/hom[e]/' $all)"
    complain 'no SPDX line' "$(grep -L 'SPDX-License-Identifier: Apache-2.0' $code)"
    complain 'over 100 columns' "$(awk 'length($0) > 100 { print FILENAME ":" FNR }' $code)"
    complain 'a tab or trailing blank' "$(grep -nE '	|[ ]+$' $code | grep -v '^tests/style')"
    complain 'exit or printing below the command line' "$(grep -nE "$calls" $below)"
}
exit $bad
