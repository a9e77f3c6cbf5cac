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

export FUZZ_CC="clang -std=c11 -g -O1 -Isrc/core -It/unit -Wall -Wextra \
    -DGUARDRAIL_HAVE_BROTLI=1 -DGUARDRAIL_HAVE_ZSTD=1 \
    -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -DGUARDRAIL_ZONE_POINTS"

# the core once, not for each target

build() {
    local stamp=$out/objects/stamp f

    mkdir -p $out/objects

    if [ -f "$stamp" ] &&
       [ -z "$(find src/core t/fuzz t/unit t/tools/fuzz.sh -newer "$stamp" \
               -type f -name '*.[chs]*' -print -quit)" ]
    then
        return
    fi

    # none of a source that is gone

    rm -f $out/objects/*.o

    for f in src/core/*/*.c t/fuzz/*.c; do
        echo "$f $out/objects/$(tr / - <<< "${f%.c}").o"
    done |
    xargs -P "$(nproc)" -L 1 bash -c '$FUZZ_CC -c -o "$2" "$1"' bash

    for f in t/fuzz/*.c; do
        f=$(basename "$f" .c)
        echo "$out/objects/t-fuzz-$f.o $out/$f"
    done |
    xargs -P "$(nproc)" -L 1 bash -c '
        clang -fsanitize=fuzzer,address,undefined -o "$2.new" "$1" \
            "'$out'"/objects/src-core-*.o \
            -lz -lbrotlidec -lbrotlienc -lzstd -lm &&
            mv "$2.new" "$2"' bash

    touch "$stamp"
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
