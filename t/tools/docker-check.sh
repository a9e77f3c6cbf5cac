#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The steps of packaging/docker/Dockerfile, of what is committed, without
# Docker: each stage is a fresh Debian system, and the last one is tried.
#
#     t/tools/docker-check.sh
#
# With NGINX_SRC those of Dockerfile.nginx too, where this source, installed
# as the packages of nginx.org are, in Debian 13, stands for the image.

set -eu

cd "$(dirname "$0")/../.."

chroot=t/tools/chroot.sh
source=${NGINX_SRC:-}
file=
systems=()

unset NGINX_SRC NGINX_CONF_FLAGS


die() {
    echo "docker-check.sh: $file: $*" >&2
    exit 1
}


# from IMAGE NAME: a system for a stage

from() {
    local suite

    case $1 in
        debian:12-slim) suite=bookworm ;;
        debian:13-slim|nginx:*) suite=trixie ;;
        *) die "an unknown image, $1" ;;
    esac

    system=docker-$2
    dir=/
    systems+=("$system")

    case $1 in
        debian:*) $chroot new "$suite" "$system" ;;
        nginx:*) image "$suite" "$system" ;;
    esac
}


# what stands for the image "nginx", made once

image() {
    local suite=$1 name=docker-image root=build/chroot/docker-image

    if [ ! -d "$root" ]; then
        systems+=("$name")

        $chroot new "$suite" "$name"
        $chroot run "$name" apt-get update -qq
        $chroot run "$name" apt-get install -qq -y --no-install-recommends \
            gcc libc6-dev make libpcre2-dev libssl-dev zlib1g-dev perl

        mkdir "$root/nginx"
        tar -C "$source" --exclude=./objs --exclude=.git -cf - . |
            tar -C "$root/nginx" -xf -
        [ -e "$root/nginx/configure" ] ||
            ln -s auto/configure "$root/nginx/configure"

        $chroot offline "$name" nice /bin/sh -e -c '
            cd /nginx
            ./configure --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx \
                --modules-path=/usr/lib/nginx/modules \
                --conf-path=/etc/nginx/nginx.conf \
                --error-log-path=/var/log/nginx/error.log \
                --http-log-path=/var/log/nginx/access.log \
                --pid-path=/run/nginx.pid --with-compat --with-threads \
                --with-http_ssl_module --with-http_v2_module \
                --with-http_v3_module \
                --with-cc-opt="-g -O2 -fPIC" --with-ld-opt="-Wl,-z,now -pie"
            make -s -j2
            make -s install
            cd / && rm -rf /nginx
            mkdir /etc/nginx/conf.d
            sed -i "s,^http {,&\n    include /etc/nginx/conf.d/*.conf;," \
                /etc/nginx/nginx.conf'

        # the image has none of these

        $chroot run "$name" apt-get purge -qq -y --auto-remove gcc libc6-dev \
            make libpcre2-dev libssl-dev zlib1g-dev
    fi

    cp -a "$root" "build/chroot/$system"
}


# copy SOURCE TARGET [STAGE]

copy() {
    local root=build/chroot/$system

    if [ -n "${3:-}" ]; then
        cp -a "build/chroot/docker-$3$1." "$root$2"
        return
    fi

    [ "$1" = . ] || die "COPY of $1"

    mkdir -p "$root$2"
    git archive HEAD | tar -C "$root$2" -xf -

    if [ -n "$source" ]; then
        mkdir -p "$root$2/build/nginx-source"
        tar -C "$source" --exclude=./objs --exclude=.git -cf - . |
            tar -C "$root$2/build/nginx-source" -xf -
        [ -e "$root$2/build/nginx-source/configure" ] ||
            ln -s auto/configure "$root$2/build/nginx-source/configure"
    fi
}


# the instructions, one a line, without comments

instructions() {
    sed -e '/^#/d' -e '/^ *$/d' "$file" |
        sed -e ':a' -e '/\\$/{N;s/\\\n */ /;ba' -e '}'
}


check() {
    local word rest a b c stage=0

    file=packaging/docker/$1
    echo "== $file"

    while read -r word rest <&3; do
        read -r a b c <<< "$rest"

        case $word in

        FROM)
            stage=$((stage + 1))
            echo "FROM $rest"
            from "$a" "${c:-$stage}" 3<&-
            ;;

        COPY)
            echo "COPY $rest"

            if [[ $a = --from=* ]]; then
                copy "$b" "$c" "${a#--from=}"

            else
                copy "$a" "$b"
            fi
            ;;

        WORKDIR)
            dir=$a
            ;;

        RUN)
            echo "RUN $rest"
            # shellcheck disable=SC2016
            $chroot run "$system" nice /bin/sh -e -c 'cd "$1" && eval "$2"' \
                run "$dir" "$rest" 3<&- < /dev/null
            ;;

        ARG|EXPOSE|STOPSIGNAL|CMD)
            ;;

        *)
            die "an unknown instruction, $word"
            ;;

        esac
    done 3< <(instructions)

    # the smoke test of the Debian package, without its first lines on links

    $chroot run "$system" sh -c 'apt-get update -qq &&
        apt-get install -qq -y --no-install-recommends curl' > /dev/null
    sed '/^test -e/d' packaging/debian/tests/smoke \
        > "build/chroot/$system/smoke"
    $chroot offline "$system" sh /smoke
}


clean() {
    for system in "${systems[@]}"; do
        rm -rf "build/chroot/${system:?}"
    done
}


trap clean EXIT

if [ -n "$source" ]; then
    source=$(cd "$source" && pwd)
    check Dockerfile.nginx
    clean
    source=
fi

check Dockerfile
echo "docker-check.sh: built and tried"
