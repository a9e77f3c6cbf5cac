#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Prints the directory from which nginx loads modules: the one that is
# installed, or is to be from the configured source tree in NGINX_SRC.

set -eu

PATH=$PATH:/usr/sbin:/usr/local/nginx/sbin
tree=${NGINX_SRC:-}/objs/ngx_auto_config.h

if [ -n "${TEST_NGINX:-}" ]; then
    conf=$("$TEST_NGINX" -V 2>&1)

elif [ -n "${NGINX_SRC:-}" ] && [ -f "$tree" ]; then
    conf=$(sed -n 's/^#define NGX_CONFIGURE "\(.*\)"$/\1/p' "$tree")

elif command -v nginx > /dev/null; then
    conf=$(nginx -V 2>&1)

else
    echo "modules-path.sh: no nginx, and no configured tree in NGINX_SRC" >&2
    exit 1
fi

path=$(sed -n "s/.*--modules-path='\{0,1\}\([^ ']*\).*/\1/p" <<< "$conf")
prefix=$(sed -n "s/.*--prefix='\{0,1\}\([^ ']*\).*/\1/p" <<< "$conf")
prefix=${prefix:-/usr/local/nginx}
path=${path:-modules}

case $path in
    /*) echo "$path" ;;
    *) echo "${prefix%/}/$path" ;;
esac
