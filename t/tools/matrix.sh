#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The tests with other versions of nginx, each in a Debian system of its own
# below build/chroot.  Not a part of "make test": it takes minutes for each.
#
#     t/tools/matrix.sh [WHAT...]
#
#   bookworm trixie sid   the nginx of this release of Debian
#   dynamic-gcc dynamic-clang static-gcc static-clang
#                         nginx of the source tree NGINX_SRC, in trixie
#
# Without WHAT: all, those of NGINX_SRC if it is given.  TESTS="t/a.t t/b.t"
# chooses tests, JOBS=2 is how many run at once.  Systems are kept; FRESH=1
# makes them anew, and so asks the archive for what is newest.

set -eu

cd "$(dirname "$0")/../.."
out=$PWD/build/matrix
chroot=t/tools/chroot.sh
tests=${TESTS:-t/}
all="bookworm trixie sid"

if [ -n "${NGINX_SRC:-}" ]; then
    nginx_src=$(cd "$NGINX_SRC" && pwd)
    all="$all dynamic-gcc dynamic-clang static-gcc static-clang"
fi

unset NGINX_SRC NGINX_CONF_FLAGS
mkdir -p "$out"


# a system with what the tests need, and this tree in /guardrail

system() {
    local suite=$1

    if [ -n "${FRESH:-}" ]; then
        rm -f "build/chroot/$suite.tar"
    fi

    if [ -n "${FRESH:-}" ] || [ ! -d "build/chroot/$suite" ]; then
        $chroot new "$suite" "$suite"
    fi

    $chroot copy "$suite" guardrail
    $chroot run "$suite" apt-get update -qq
    $chroot run "$suite" /guardrail/t/tools/deps.sh build test http3
}


# the tests, offline, with an environment

tests() {
    local suite=$1
    shift

    # shellcheck disable=SC2086
    $chroot offline "$suite" env "$@" /bin/bash -c '
        cd /guardrail
        "${TEST_NGINX:-nginx}" -V 2>&1
        jobs=$1
        shift
        exec nice prove -j"$jobs" --timer "$@"
    ' matrix "${JOBS:-2}" $tests
}


debian() {
    system "$1"
    $chroot offline "$1" nice /guardrail/t/tools/build.sh clang
    $chroot offline "$1" nice /guardrail/t/tools/build.sh release
    tests "$1" A=
}


# a source tree, built as anyone would

mainline() {
    local how=$1 cc=$2 dir=/nginx-$1-$2 root=build/chroot/trixie add module
    local flags

    flags="--with-compat --with-debug --with-threads --with-http_ssl_module
           --with-http_v2_module --with-http_v3_module
           --with-http_realip_module --with-http_auth_request_module
           --with-http_dav_module --with-http_stub_status_module
           --with-http_gunzip_module --with-http_gzip_static_module
           --with-http_addition_module --with-http_sub_module
           --with-http_slice_module --with-stream"

    if [ -z "${nginx_src:-}" ]; then
        echo "matrix.sh: $how-$cc needs NGINX_SRC" >&2
        return 2
    fi

    system trixie
    rm -rf "${root:?}$dir"
    mkdir "$root$dir"
    tar -C "$nginx_src" --exclude=./objs --exclude=.git -cf - . |
        tar -C "$root$dir" -xf -

    # a tree of the repository has it elsewhere than a release

    [ -e "$root$dir/configure" ] ||
        ln -s auto/configure "$root$dir/configure"

    if [ "$how" = static ]; then
        add=--add-module=/guardrail
        module=none

    else
        add=--add-dynamic-module=/guardrail
        module=$dir/objs/ngx_http_guardrail_module.so
    fi

    # shellcheck disable=SC2086
    $chroot offline trixie /bin/bash -e -c '
        cd "$1"
        shift
        "$2" --version | head -1
        ./configure --with-cc="$2" "${@:3}" "$1"
        nice make -s -j2
    ' matrix "$dir" "$add" "$cc" $flags

    tests trixie NGINX_SRC="$dir" TEST_NGINX="$dir/objs/nginx" \
        TEST_MODULE="$module"
}


one() {
    case $1 in
        bookworm|trixie|sid) debian "$1" ;;
        dynamic-*|static-*) mainline "${1%%-*}" "${1#*-}" ;;
        *) echo "matrix.sh: unknown \"$1\"" >&2; return 2 ;;
    esac
}


if [ "${1:-}" = --one ]; then
    nginx_src=${MATRIX_SRC:-}
    one "$2"
    exit
fi

failed=0
table=()

for what in ${*:-$all}; do
    log=$out/$what.log
    result=passed

    echo "== $what, see build/matrix/$what.log"

    if ! MATRIX_SRC=${nginx_src:-} "$0" --one "$what" > "$log" 2>&1; then
        result=FAILED
        failed=1
        grep -a -A 999 '^Test Summary' "$log" || tail -20 "$log"
    fi

    version=$(sed -n 's,^nginx version: nginx/,,p' "$log" | tail -1)
    table+=("$(printf '%-14s %-8s %-7s %s' "$what" "${version:--}" $result \
               "$(grep -a '^Files=' "$log" | tail -1)")")

    FRESH=
done

printf '%s\n' "" "${table[@]}"
exit $failed
