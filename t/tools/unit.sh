#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Builds the core and its unit tests and runs them.
#
#     t/tools/unit.sh          build and run
#     t/tools/unit.sh build    build only, print the programs
#     t/tools/unit.sh core     compile the core only
#     t/tools/unit.sh gcov     build what counts lines, print the programs

set -eu

cd "$(dirname "$0")/../.."

programs() {
    local v f

    for v in "$@"; do
        for f in t/unit/*.c; do
            [ ! -f "$f" ] || echo "build/unit/$v/$(basename "$f" .c)"
        done
    done
}

mkdir -p build/unit
exec 9> build/unit/lock
flock 9

case ${1:-run} in

core)
    make -s -j"$(nproc)" -f t/tools/unit.mk core 9>&-
    ;;

build)
    make -s -j"$(nproc)" -f t/tools/unit.mk all 9>&- >&2
    programs gcc clang asan
    ;;

gcov)
    make -s -j"$(nproc)" -f t/tools/unit.mk gcov 9>&- >&2
    programs gcov
    ;;

run)
    make -s -j"$(nproc)" -f t/tools/unit.mk all 9>&-
    exec 9>&-
    programs gcc clang asan | xargs -r prove -j"$(nproc)" --timer --exec ''
    ;;

*)
    echo "unit.sh: unknown argument \"$1\"" >&2
    exit 2
    ;;

esac
