#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Fuzzes the core with libFuzzer, ASan and UBSan.
#
#     t/tools/fuzz.sh [SECONDS]          every target, 20 seconds each
#     t/tools/fuzz.sh build              build only, print the targets' names
#     t/tools/fuzz.sh one NAME SECONDS   one target
#
# A target is t/fuzz/NAME.c, with seeds in t/fuzz/corpus/NAME, words in
# t/fuzz/NAME.dict, and options in a line "fuzz-options: ..." of the source.
# What the fuzzer finds interesting stays below build/.

set -eu

cd "$(dirname "$0")/../.."

out=build/fuzz

build() {
    local f to

    mkdir -p $out

    for f in t/fuzz/*.c; do
        [ -f "$f" ] || continue

        to=$out/$(basename "$f" .c)

        if [ ! -x "$to" ] ||
           [ -n "$(find src/core t/fuzz t/unit t/tools/fuzz.sh -newer "$to" \
                   -type f -name '*.[chs]*' -print -quit)" ]
        then
            echo "$f $to"
        fi
    done |
    xargs -r -P "$(nproc)" -L 1 bash -c '
        clang -std=c11 -g -O1 -Isrc/core -It/unit -Wall -Wextra \
            -DGUARDRAIL_HAVE_BROTLI=1 -DGUARDRAIL_HAVE_ZSTD=1 \
            -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
            -fno-omit-frame-pointer -DGUARDRAIL_ZONE_POINTS -o "$2.new" \
            "$1" src/core/*/*.c -lz -lbrotlidec -lbrotlienc -lzstd -lm &&
            mv "$2.new" "$2"' bash
}

names() {
    local f

    for f in t/fuzz/*.c; do
        [ ! -f "$f" ] || basename "$f" .c
    done
}

one() {
    local name=$1 seconds=$2 args=()

    mkdir -p "$out/corpus/$name"

    args=("$out/corpus/$name")

    if [ -d "t/fuzz/corpus/$name" ]; then
        args+=("t/fuzz/corpus/$name")
    fi

    if [ -f "t/fuzz/$name.dict" ]; then
        args+=("-dict=t/fuzz/$name.dict")
    fi

    # shellcheck disable=SC2207
    args+=($(sed -n 's,.*fuzz-options: \(-[^*]*\).*,\1,p' "t/fuzz/$name.c"))

    # the first directory is the one that grows

    "$out/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$out/$name-" -verbosity=1 "${args[@]}" 2>&1 |
        tail -40
}

set -o pipefail

case ${1:-20} in

build)
    build
    names
    ;;

one)
    one "$2" "${3:-20}"
    ;;

*)
    build

    names | xargs -r -P "$(nproc)" -I '{}' bash -c '
        if out=$("$0" one "$1" "$2"); then
            echo "ok $1: $(tail -1 <<< "$out")"

        else
            echo "not ok $1"
            echo "$out"
            exit 1
        fi' "$0" '{}' "${1:-20}"
    ;;

esac
