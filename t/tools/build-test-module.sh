#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Builds the module of the tests, t/modules, below build/testmod/, for the
# nginx that is tested (TEST_NGINX, NGINX_SRC and NGINX_CONF_FLAGS as in
# build.sh), and prints its name.  Does nothing if it is there already.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
addon=$root/t/modules

nginx=${TEST_NGINX:-$(PATH=$PATH:/usr/sbin:/usr/local/nginx/sbin \
                      command -v nginx || true)}

if [ -n "${NGINX_SRC:-}" ]; then
    src=$(cd "$NGINX_SRC" && pwd)
    flags=()

    if [ -n "${NGINX_CONF_FLAGS:-}" ]; then
        eval "flags=($NGINX_CONF_FLAGS)"

    elif [ -f "$src/objs/ngx_auto_config.h" ]; then
        eval "flags=($(sed -n \
            's/^#define NGX_CONFIGURE "\(.*\)"$/\1/p' \
            "$src/objs/ngx_auto_config.h"))"

    else
        flags=(--with-compat --with-debug --with-http_v2_module)
    fi

elif [ -f /usr/share/nginx/src/conf_flags ]; then
    src=/usr/share/nginx/src
    # shellcheck source=/dev/null
    . $src/conf_flags
    flags=("${NGX_CONF_FLAGS[@]}")

else
    echo "build-test-module.sh: neither nginx-dev nor NGINX_SRC" >&2
    exit 1
fi

keep=()

for f in "${flags[@]}"; do
    case $f in
        --with-cc-opt=*|--with-ld-opt=*|--with-cc=*) ;;
        --add-module=*|--add-dynamic-module=*) ;;
        *) keep+=("$f") ;;
    esac
done

version=$([ -z "$nginx" ] || "$nginx" -V 2>&1)
stamp=$({ printf '%s\n' "$version" "$src" "${keep[@]}"
          cat "$addon"/* "$root"/src/*.h "$root"/src/core/*/*.h
        } | sha1sum | cut -c 1-16)

dir=$root/build/testmod/$stamp
so=$dir/ngx_http_guardrail_test_module.so

mkdir -p "$dir/nginx"

exec 9> "$dir/lock"
flock 9

if [ ! -f "$so" ]; then
    for f in auto configure src conf contrib man html; do
        if [ -e "$src/$f" ]; then
            ln -sfn "$src/$f" "$dir/nginx/$f"
        fi
    done

    cd "$dir/nginx"

    if ! { ./configure "${keep[@]}" --builddir=objs \
               --with-cc-opt="-g -O1 -fPIC" --add-dynamic-module="$addon" &&
           make -s -f objs/Makefile modules 9>&-; } > "$dir/build.log" 2>&1
    then
        tail -20 "$dir/build.log" >&2
        exit 1
    fi

    # nginx's own dynamic modules may be among them

    cp "objs/${so##*/}" "$so"
    rm -rf "$dir/nginx"
fi

echo "$so"
