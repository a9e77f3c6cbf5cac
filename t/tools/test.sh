#!/bin/bash

# Copyright (C) nginx-guardrail authors

# What "make test" runs.  Each stage is a run of prove, whose output shows
# while it goes on; every test file's TAP and exit status are kept, and at
# last one more prove reads them all: its summary is the result.
#
#     t/tools/test.sh [STAGE...]
#
# Stages: build unit check fuzz release locks asan ubsan.  FUZZ_SECONDS is 20.

set -eu

cd "$(dirname "$0")/../.."
root=$PWD
out=$root/build/test
stages=${*:-build unit check fuzz release locks asan ubsan}
began=$SECONDS

t/tools/deps.sh build test

# tests that a run left out must not linger from the one before

rm -rf "$out"
mkdir -p "$out"


# add STAGE NAME MODE COMMAND...

add() {
    local stage=$1 name=$2 mode=$3 file=$out/$1/$2
    shift 3

    mkdir -p "$out/$stage" "$out/records/$stage"

    {
        printf '#!/bin/bash\n\nexec %q %q %q' "$root/t/tools/tap.sh" \
            "$out/records/$stage/$name" "$mode"
        printf ' %q' "$@"
        printf '\n'
    } > "$file"

    chmod +x "$file"

    # what reads the record afterwards; no record is a failure

    {
        printf '#!/bin/bash\n\ncd %q\n' "$out/records/$stage"
        printf 'cat %q && exit "$(cat %q)"\n' "$name" "$name.status"
        printf 'exit 1\n'
    } > "$out/records/$stage/$name.replay"

    chmod +x "$out/records/$stage/$name.replay"
}


# a stage that could not even be prepared fails by one test that says so

prepare() {
    local stage=$1
    shift

    if ! "$@" > "$out/prepare-$stage" 2>&1; then
        add "$stage" prepare exit bash -c "cat '$out/prepare-$stage'; exit 1"
        return 1
    fi
}


# every t/*.t, or those that hold $only, with the environment that is given; a
# test whose file has a line "# no-STAGE" is left out

add_tests() {
    local stage=$1 f
    shift

    for f in t/*.t; do
        if ! grep -q "^# .*\bno-$stage\b" "$f" && grep -q "${only:-}" "$f"; then
            add "$stage" "$(basename "$f" .t)" tap env "$@" perl "$f"
        fi
    done
}


run() {
    local stage=$1 jobs=$2 from=$SECONDS

    echo "== $stage"

    # the result is judged at the end, by the records

    (cd "$out/$stage" && find . -type f -printf '%P\n' | sort |
        (cd "$root" && sed "s,^,build/test/$stage/," |
         xargs -r prove -j"$jobs" --timer --exec '')) || true

    echo "== $stage: $((SECONDS - from)) seconds"
}


for stage in $stages; do
    case $stage in

    build)
        for v in release clang asan ubsan; do
            add build $v exit t/tools/build.sh $v
        done

        run build 2
        ;;

    unit)
        if prepare unit t/tools/unit.sh build; then
            for f in $(t/tools/unit.sh build); do
                add unit "$(basename "$(dirname "$f")")-$(basename "$f")" \
                    tap "$f"
            done
        fi

        run unit 2
        ;;

    check)
        for c in style layers docs cppcheck; do
            add check $c exit t/tools/check.sh $c
        done

        run check 2
        ;;

    fuzz)
        if prepare fuzz t/tools/fuzz.sh build; then
            for f in $(t/tools/fuzz.sh build); do
                add fuzz "$f" exit t/tools/fuzz.sh one "$f" \
                    "${FUZZ_SECONDS:-20}"
            done
        fi

        [ ! -d "$out/fuzz" ] || run fuzz 2
        ;;

    release)
        add_tests release \
            TEST_MODULE="$root/build/ngx_http_guardrail_module.so"
        run release 3
        ;;

    locks)

        # the rules of the zones' locks, over the tests of quotas

        if [ "$(uname -m)" = x86_64 ]; then
            if prepare locks t/tools/build.sh locks; then
                only=guardrail_quota add_tests locks \
                    TEST_MODULE="$root/build/locks/ngx_http_guardrail_module.so"
            fi

            run locks 3
        fi
        ;;

    asan)
        add_tests asan \
            TEST_MODULE="$root/build/asan/ngx_http_guardrail_module.so" \
            TEST_PRELOAD="$(gcc -print-file-name=libasan.so)"
        run asan 3
        ;;

    ubsan)

        # what a preloaded runtime cannot be with: reloads, killed workers

        only='^# .*no-asan' add_tests ubsan \
            TEST_MODULE="$root/build/ubsan/ngx_http_guardrail_module.so"
        run ubsan 3
        ;;

    *)
        echo "test.sh: unknown stage \"$stage\"" >&2
        exit 2
        ;;

    esac
done

echo "== all: $((SECONDS - began)) seconds"

mapfile -t files < <(find "$out/records" -name '*.replay' \
                     -printf 'build/test/records/%P\n' | sort)

prove -Q --exec '' "${files[@]}"
