#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# Every public header compiles alone, as C11 and as C++17.
set -u
dir=$TESSERA_SOURCE_DIR/include
bad=0
for header in "$dir"/tessera/*.h; do
    for language in "${TESSERA_CC:-cc} -std=c11 -x c" "${TESSERA_CXX:-c++} -std=c++17 -x c++"; do
        # shellcheck disable=SC2086
        if ! $language -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$dir" \
            -include "$header" /dev/null; then
            echo "${header#"$dir"/} does not compile alone: $language" >&2
            bad=1
        fi
    done
done
exit $bad
