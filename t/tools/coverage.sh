#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Which lines of src/ the tests reach, for each file, worst first.
#
#     t/tools/coverage.sh [TEST.t...]

set -eu

cd "$(dirname "$0")/../.."

t/tools/deps.sh build test
t/tools/build.sh gcov

if [ $# = 0 ]; then
    set -- t/*.t
fi

objs=$PWD/build/gcov/tree/objs/addon
failed=0

find "$objs" -name '*.gcda' -delete

TEST_MODULE=$PWD/build/gcov/ngx_http_guardrail_module.so \
    prove -j"$(nproc)" --timer "$@" || failed=1

find "$objs" -name '*.gcno' | while read -r f; do
    gcov -n -o "$(dirname "$f")" "$f" 2>/dev/null
done |
awk -v root="$PWD/" '
    /^File / {
        file = $0
        sub(/^File ./, "", file)
        sub(/.$/, "", file)
        file = sub(root, "", file) ? file : ""
    }

    /^Lines executed/ && file ~ /^src\// {
        split($2, part, /[:%]/)
        n = $4

        # a header is seen from several files: the best of them

        if (!(file in lines) || part[2] > share[file]) {
            lines[file] = n
            share[file] = part[2]
        }

        file = ""
    }

    END {
        for (file in lines) {
            printf "%6.2f %%  %5d lines  %s\n", share[file], lines[file], file
            all += lines[file]
            hit += lines[file] * share[file] / 100
        }

        printf "%6.2f %%  %5d lines  total\n", all ? 100 * hit / all : 0, all
    }' | sort -n

exit $failed
