#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Which lines of src/ the tests reach, for each file, worst first: those of t/
# through nginx, and with them t/unit/*.c, since a machine runs one of several
# implementations of the core's loops, and the others are theirs to test.
#
#     t/tools/coverage.sh [TEST.t...]
#
# What is not reached is listed in build/coverage.txt.  Tests that are named
# run alone, without those of t/unit.

set -euo pipefail

cd "$(dirname "$0")/../.."

t/tools/deps.sh build test
t/tools/build.sh gcov

objs=(build/gcov/tree/objs/addon)
units=()
failed=0

if [ $# = 0 ]; then
    set -- t/*.t
    programs=$(t/tools/unit.sh gcov)
    mapfile -t units <<< "$programs"
    objs+=(build/unit/.objs/gcov)
fi

find "${objs[@]}" -name '*.gcda' -delete

if [ ${#units[@]} != 0 ]; then
    prove -j"$(nproc)" --timer --exec '' "${units[@]}" || failed=1
fi

TEST_MODULE=$PWD/build/gcov/ngx_http_guardrail_module.so \
    prove -j"$(nproc)" --timer "$@" || failed=1

# a line counts where any object that was made of it was there

find "${objs[@]}" -name '*.gcno' | while read -r f; do
    gcov -t -o "$(dirname "$f")" "$f" 2>/dev/null
done |
awk -v root="$PWD/" '
    BEGIN {
        FS = ":"
        sorted = "sort -t: -k1,1 -k2,2n > build/coverage.txt"
    }

    $2 + 0 == 0 {
        if ($3 == "Source") {
            file = $4
            sub(root, "", file)
        }

        next
    }

    file ~ /^src\// && $1 !~ /-/ {
        at = file FS $2 + 0

        if (!(at in text)) {
            lines[file]++
            text[at] = $0
            sub(/^[^:]*:[^:]*:/, "", text[at])
        }

        if ($1 !~ /[#=]/ && !(at in reached)) {
            reached[at] = 1
            hits[file]++
        }
    }

    END {
        for (at in text) {
            if (!(at in reached)) {
                print at ":" text[at] | sorted
            }
        }

        for (file in lines) {
            printf "%6.2f %%  %5d lines  %s\n",
                   100 * hits[file] / lines[file], lines[file], file
            all += lines[file]
            hit += hits[file]
        }

        printf "%6.2f %%  %5d lines  total\n", all ? 100 * hit / all : 0, all
    }' | sort -n

exit $failed
