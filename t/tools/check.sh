#!/bin/bash

# Copyright (C) nginx-guardrail authors

# What is checked without running anything: all, or one of style, layers,
# docs, cppcheck.

set -eu

cd "$(dirname "$0")/../.."

check() {
    case $1 in

    style)
        t/tools/check-style.pl
        ;;

    layers)
        t/tools/unit.sh core
        t/tools/check-layers.pl build/unit/.objs/gcc/src/core
        ;;

    docs)
        t/tools/check-docs.pl
        ;;

    cppcheck)
        cppcheck -q --enable=warning,performance,portability --std=c11 \
            --error-exitcode=1 --inline-suppr --suppress=missingIncludeSystem \
            -Isrc/core src/core
        ;;

    *)
        echo "check.sh: unknown check \"$1\"" >&2
        return 2
        ;;

    esac
}

if [ $# = 1 ]; then
    check "$1"
    exit
fi

failed=0

for name in style layers docs cppcheck; do
    if "$0" $name; then
        echo "$name: ok"

    else
        echo "$name: FAILED"
        failed=1
    fi
done

exit $failed
