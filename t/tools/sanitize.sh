#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The slow and thorough way, not a part of "make test": nginx from source
# with the module linked in, all of it under ASan, our part under UBSan too,
# with pools that allocate each piece by itself; then tests under valgrind.
#
#     t/tools/sanitize.sh [TEST.t...]
#
# NGINX_SRC=dir is used as it is; else the source package of the installed
# nginx is fetched.  VALGRIND_TESTS="t/a.t t/b.t" chooses, "none" skips.

set -eu

cd "$(dirname "$0")/../.."

t/tools/deps.sh build test sanitize


# Debian's own sources, asked for source packages, in a place of our own

fetch() {
    local dir=$PWD/build/source version versions apt

    if [ -x "$dir/nginx/configure" ]; then
        return
    fi

    rm -rf "$dir"
    mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial,download}

    for f in /etc/apt/sources.list.d/*.sources; do
        if grep -qs debian-archive "$f"; then
            sed 's/^Types:.*/Types: deb-src/' "$f" > "$dir/sources/${f##*/}"
        fi
    done

    if [ -f /etc/apt/sources.list ]; then
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list \
            > "$dir/sources/main.list"
    fi

    apt=(-o "Dir::Etc::sourcelist=/dev/null"
         -o "Dir::Etc::sourceparts=$dir/sources"
         -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache"
         -o "APT::Sandbox::User=$(id -un)" -qq)

    apt-get "${apt[@]}" update || true

    # the newest one may be listed before a mirror has it

    versions=$(apt-cache "${apt[@]}" showsrc nginx |
               sed -n 's/^Version: //p' | sort -rV | uniq)

    for version in $versions; do
        if (cd "$dir/download" &&
            apt-get "${apt[@]}" source --download-only "nginx=$version") \
            2>> "$dir/log"
        then
            (cd "$dir/download" && dpkg-source --no-check -x nginx_*.dsc \
                "$dir/nginx" > /dev/null)
            return
        fi
    done

    # the upstream tarball is enough: Debian changes little in nginx

    for version in $versions; do
        version=${version%-*}

        for uri in $(apt-get "${apt[@]}" source --print-uris nginx |
                     sed -n "s/^'\([^']*orig\.tar[^']*\)'.*/\1/p" |
                     grep -v 'asc$'); do
            if curl -fsS -o "$dir/download/orig.tar" "$uri"; then
                mkdir -p "$dir/nginx"
                tar xf "$dir/download/orig.tar" --strip-components=1 \
                    -C "$dir/nginx"
                return
            fi
        done
    done

    echo "sanitize.sh: no source package of nginx; give NGINX_SRC" >&2
    exit 1
}


if [ -z "${NGINX_SRC:-}" ]; then
    fetch
    export NGINX_SRC=$PWD/build/source/nginx
fi

t/tools/build.sh static

if [ $# = 0 ]; then
    set -- t/*.t
fi

export TEST_NGINX=$PWD/build/static/nginx TEST_MODULE=none
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
failed=0

prove -j"$(nproc)" --timer "$@" || failed=1

# valgrind runs the installed nginx, which it knows the symbols of, and as one
# process: that has no workers to be replaced, killed or counted

unset TEST_NGINX TEST_MODULE ASAN_OPTIONS UBSAN_OPTIONS

many='^# no-valgrind\b|->reload\b|kill_worker|worker_pids|workers => [2-9]'
valgrind=${VALGRIND_TESTS:-$(grep -LE -- "$many" "$@" || true)}

if [ "$valgrind" != none ]; then
    (unset NGINX_SRC && t/tools/build.sh release)

    # shellcheck disable=SC2086
    TEST_VALGRIND=1 prove -j"$(nproc)" --timer $valgrind || failed=1
fi

exit $failed
