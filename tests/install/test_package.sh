#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# labels: nosan
# Installs into a prefix and builds the example outside of the tree, by the CMake package and by
# pkg-config. The prefix is moved first: nothing may depend on where it was.
set -eu
rm -rf prefix moved user
cmake --install "$TESSERA_BINARY_DIR" --prefix "$PWD/prefix" >install.log
mv prefix moved
mkdir user
for file in example.c CMakeLists.txt; do
    cp "$TESSERA_SOURCE_DIR/tests/install/$file" user/
done
if grep -rlF "$TESSERA_SOURCE_DIR" moved/include moved/lib*/cmake moved/lib*/pkgconfig; then
    echo "these installed files name the source tree" >&2
    exit 1
fi

cmake -G Ninja -S user -B user/build -DCMAKE_C_COMPILER="$TESSERA_CC" \
    -DCMAKE_PREFIX_PATH="$PWD/moved" >cmake.log
cmake --build user/build >build.log
user/build/example >by-cmake.txt

PKG_CONFIG_PATH=$(dirname "$(find moved -name tessera.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
"$TESSERA_CC" -std=c11 -Wall -Wextra -Werror -o user/example user/example.c \
    $(pkg-config --cflags --libs tessera)
user/example >by-pkg-config.txt

grep -q '^4 5 10 11 by ' by-cmake.txt
cmp by-cmake.txt by-pkg-config.txt
