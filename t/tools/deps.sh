#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Installs the Debian packages that are missing.  Groups: build, test, run,
# bench, page, sanitize, http3, deb, lintian, chroot.
#
#     t/tools/deps.sh build test

set -eu

need=()

for group in "${@:-build}"; do
    case $group in

    build)
        need+=(gcc libc6-dev make perl libpcre2-dev zlib1g-dev libssl-dev
               libbrotli-dev libzstd-dev)

        # a source tree in NGINX_SRC brings its own headers

        if [ -z "${NGINX_SRC:-}" ]; then
            need+=(nginx nginx-dev)
        fi
        ;;

    test)
        need+=(nginx binutils clang libclang-rt-dev cppcheck curl
               nghttp2-client procps python3 gunicorn python3-flask
               uvicorn python3-fastapi uwsgi-core uwsgi-plugin-python3
               brotli zstd python3-prometheus-client)
        ;;

    run)
        need+=(nginx curl python3 gunicorn python3-flask)
        ;;

    bench)
        need+=(nginx curl procps libyajl-dev libsimdjson-dev g++ brotli zstd)
        ;;

    page)
        need+=(nginx chromium fonts-liberation2)

        # npm of Debian brings node; another node brings its own npm

        command -v npm > /dev/null || need+=(nodejs npm)
        ;;

    sanitize)
        need+=(dpkg-dev valgrind libc6-dbg)
        ;;

    http3)

        # Debian 12 has none

        need+=(openssl)

        if apt-cache show python3-aioquic > /dev/null 2>&1; then
            need+=(python3-aioquic)
        fi
        ;;

    deb)
        need+=(build-essential debhelper nginx nginx-dev libpcre2-dev
               zlib1g-dev libbrotli-dev libzstd-dev)
        ;;

    lintian)
        need+=(lintian)
        ;;

    chroot)
        need+=(mmdebstrap iproute2 git)
        ;;

    *)
        echo "deps.sh: unknown group \"$group\"" >&2
        exit 2
        ;;

    esac
done

if ! command -v dpkg-query > /dev/null; then
    echo "deps.sh: no Debian system, expecting the programs to be there" >&2
    exit 0
fi

missing=()

for package in "${need[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null ||
             true)

    if [ "${status:0:2}" != ii ]; then
        missing+=("$package")
    fi
done

if [ ${#missing[@]} = 0 ]; then
    exit 0
fi

sudo=

if [ "$(id -u)" != 0 ]; then
    if command -v sudo > /dev/null && sudo -n true 2>/dev/null; then
        sudo="sudo -n"

    else
        echo "deps.sh: these packages are missing:" >&2
        echo "    ${missing[*]}" >&2
        echo "install them as root: apt-get install ${missing[*]}" >&2
        exit 1
    fi
fi

export DEBIAN_FRONTEND=noninteractive

echo "installing ${missing[*]}"

# nginx must not be started by its installation: it would take port 80

policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy > /dev/null
    $sudo chmod +x $policy
    trap '$sudo rm -f $policy' EXIT
fi

log=$(mktemp)

if ! { $sudo apt-get update -qq &&
       $sudo apt-get install -y -qq --no-install-recommends \
           "${missing[@]}"; } > "$log" 2>&1
then
    tail -30 "$log" >&2
    rm -f "$log"
    echo "deps.sh: apt-get failed" >&2
    exit 1
fi

rm -f "$log"
