#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# need.sh TOOL...: a test that lacks one of these tools (or files) says so aloud and ends with 77.
set -eu
for tool; do
    [ -e "$tool" ] || command -v "$tool" >which.txt 2>&1 || {
        echo "SKIPPED: $(basename "$PWD"): $tool is not installed"
        exit 77
    }
done
