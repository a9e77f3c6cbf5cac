#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The slow and thorough way, not a part of "make test": nginx from source
# with the module linked in, all of it under ASan, our part under UBSan too,
# with pools that allocate each piece by itself; then tests under valgrind.
#
#     t/tools/sanitize.sh [TEST.t...]
#
# NGINX_SRC=dir is used as it is; else the source package of the installed
# nginx is fetched.  Tests that are named run both ways; else valgrind gets the
# list below, which takes each path of the module once.  VALGRIND_TESTS may be
# "all", "none", or names as "t/a.t t/b.t".

set -eu

cd "$(dirname "$0")/../.."

t/tools/deps.sh build test sanitize

# Not here: tests of "nginx -t" alone, which is not run under valgrind, and the
# long tests of a path of which a shorter one is here.

chosen=(

    # the filter of bodies: framings, cuts, refusals, clients that leave

    52-client-abort 10-max-body 35-problem-json 40-refused-body-is-no-request
    42-expect-100-continue 51-unbuffered 53-http2-streams 60-dry-run
    62-variables 66-answer-and-other-filters 86-slow-after-the-answer
    145-body-that-cannot-be-stored 146-memory-grows-while-streaming

    # decoders, stepping aside, their memory

    16-gzip 17-br 17-deflate 17-zstd 27-decoder-memory-windows 54-step-aside

    # records, JSON, the memory that it takes

    22-endless-record 23-records-cut 76-json-shape 77-max-memory
    78-csv-and-elements

    # bodies that go on decoded

    111-decode-redirects 137-decode-upstreams 138-decode-beside-mirrors

    # late bodies, subrequests, redirects

    36-error-page 47-refused-body-vanishes 48-body-that-is-gone 49-subrequests
    80-client-max-body-size-after-redirects 81-refusal-leaves-mirrors-alone
    83-answer-of-the-second-verdict 84-chunked-body-thrown-away
    85-skipped-gate

    # arguments, types, tenants

    73-arguments 74-types 90-tenant-keys 92-tenant-elsewhere

    # quotas, those who wait

    94-rates-of-streams 95-dry-run-quotas 96-quotas-of-redirects
    97-quota-answers 132-waiting-connections 142-none-in-flight
    143-who-waited 144-retry-after-of-the-body

    # status

    110-status 115-status-zones 140-status-suggestions 141-status-subrequests
)


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

few=("$@")

if [ $# = 0 ]; then
    set -- t/*.t
    few=("${chosen[@]/%/.t}")
    few=("${few[@]/#/t/}")
fi

export TEST_NGINX=$PWD/build/static/nginx TEST_MODULE=none
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
failed=0

prove -j3 --timer "$@" || failed=1

# valgrind runs the installed nginx, which it knows the symbols of, and as one
# process: that has no workers to be replaced, killed or counted

unset TEST_NGINX TEST_MODULE ASAN_OPTIONS UBSAN_OPTIONS

many='^# .*\bno-valgrind\b|->reload\b|kill_worker|worker_pids|workers => [2-9]'

case ${VALGRIND_TESTS:-} in

'')
    mapfile -t few < <(grep -LE -- "$many" "${few[@]}")
    ;;

all)
    mapfile -t few < <(grep -LE -- "$many" "$@")
    ;;

none)
    few=()
    ;;

*)
    read -r -a few <<< "$VALGRIND_TESTS"
    ;;

esac

if [ ${#few[@]} != 0 ]; then
    (unset NGINX_SRC && t/tools/build.sh release)

    TEST_VALGRIND=1 prove -j3 --timer "${few[@]}" || failed=1
fi

exit $failed
