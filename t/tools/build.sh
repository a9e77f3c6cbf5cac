#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Builds the module out of tree, below build/VARIANT:
#
#     t/tools/build.sh release|asan|ubsan|gcov|clang|static
#
# For the nginx that is installed, or for the source tree in NGINX_SRC=, with
# the arguments in NGINX_CONF_FLAGS= or those the tree was configured with.
#
#   release  build/ngx_http_guardrail_module.so
#   asan     AddressSanitizer, its runtime to be preloaded (see test.sh), and
#            undefined behaviour traps
#   ubsan    undefined behaviour traps alone, no runtime needed
#   gcov     counts lines
#   points   a process can be told to die inside a section of a zone
#   locks    aborts where a rule of the zones' locks is broken; x86-64 only
#   clang    the same as release, compiled by clang
#   static   build/static/nginx under ASan with the module linked in, that under
#            UBSan too; needs NGINX_SRC

set -eu

variant=${1:-release}
root=$(cd "$(dirname "$0")/../.." && pwd)
addon=${ADDON:-$root}
dir=$root/build/$variant
tree=$dir/tree

warn="-Wall -Wextra -Wno-unused-parameter -Wshadow -Wcast-qual"
warn="$warn -Wmissing-prototypes -Werror"
hard="-fstack-protector-strong -Wformat -Werror=format-security"
cc=${CC:-gcc}
ld="-Wl,-z,relro -Wl,-z,now"
how=--add-dynamic-module

case $variant in

release)
    opt="-g -O2 $hard -D_FORTIFY_SOURCE=2"
    ;;

clang)
    cc=clang
    opt="-g -O2 $hard -D_FORTIFY_SOURCE=2"
    ;;

asan)
    opt="-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined"
    opt="$opt -fsanitize-undefined-trap-on-error"
    ld="-fsanitize=address"
    ;;

ubsan)
    opt="-g -O1 -fsanitize=undefined -fsanitize-undefined-trap-on-error"
    ;;

points)
    opt="-g -O1 -DGUARDRAIL_ZONE_POINTS"
    ld="$dir/points.o"
    ;;

locks)
    opt="-g -O1 -fno-omit-frame-pointer"
    ld="$dir/audit.o @$dir/audit.opt"
    ;;

gcov)
    opt="-g -O0 --coverage -fprofile-update=atomic"
    ld="--coverage"
    ;;

static)
    opt="-g -O1 -fno-omit-frame-pointer -fsanitize=address"
    opt="$opt -DNGX_DEBUG_PALLOC=1"
    ld="-fsanitize=address,undefined"
    how=--add-module
    warn=
    ;;

*)
    echo "build.sh: unknown variant \"$variant\"" >&2
    exit 2
    ;;

esac

nginx=${TEST_NGINX:-$(PATH=$PATH:/usr/sbin:/usr/local/nginx/sbin \
                      command -v nginx || true)}
flags=()

if [ -n "${NGINX_SRC:-}" ]; then
    src=$(cd "$NGINX_SRC" && pwd)

    if [ -n "${NGINX_CONF_FLAGS:-}" ]; then
        eval "flags=($NGINX_CONF_FLAGS)"

    elif [ -f "$src/objs/ngx_auto_config.h" ]; then
        eval "flags=($(sed -n \
            's/^#define NGX_CONFIGURE "\(.*\)"$/\1/p' \
            "$src/objs/ngx_auto_config.h"))"

    else
        flags=(--with-compat --with-debug --with-http_v2_module
               --with-http_ssl_module --with-http_realip_module
               --with-http_auth_request_module --with-http_dav_module
               --with-http_stub_status_module --with-http_gunzip_module
               --with-http_sub_module --with-http_addition_module
               --with-threads)
    fi

elif [ -f /usr/share/nginx/src/conf_flags ]; then
    src=/usr/share/nginx/src
    # shellcheck source=/dev/null
    . $src/conf_flags
    flags=("${NGX_CONF_FLAGS[@]}")

else
    echo "build.sh: neither nginx-dev nor NGINX_SRC: no sources" >&2
    exit 1
fi

if [ "$variant" = static ]; then

    if [ -z "${NGINX_SRC:-}" ]; then
        echo "build.sh: the static build needs NGINX_SRC" >&2
        exit 1
    fi

    # the tests give every path; the defaults must not point outside

    flags=("${flags[@]}" --prefix=/usr/share/nginx)
fi

# what the installed nginx or the caller was configured with is not ours to
# compile with

keep=()

for f in "${flags[@]}"; do
    case $f in
        --with-cc-opt=*|--with-ld-opt=*|--with-cc=*) ;;
        --add-module=*|--add-dynamic-module=*) ;;
        *) keep+=("$f") ;;
    esac
done

mkdir -p "$tree"

exec 9> "$dir/lock"
flock 9

for f in auto configure src conf contrib man html; do
    if [ -e "$src/$f" ]; then
        ln -sfn "$src/$f" "$tree/$f"
    fi
done

# what these link beside the module's own

if [ "$variant" = points ]; then
    "$cc" -O1 -fPIC -Wall -c -o "$dir/points.o" "$root/t/audit/points.c"
fi

cd "$tree"

args=("${keep[@]}" --with-cc="$cc" --builddir=objs
      --with-cc-opt="$opt $warn -fPIC ${CFLAGS:-}"
      --with-ld-opt="$ld ${LDFLAGS:-}" "$how=$addon")

# another compiler, another nginx or another "config" is another build

version=$([ -z "$nginx" ] || "$nginx" -v 2>&1)
stamp=$({ printf '%s\n' "$version" "$src" "${args[@]}" \
                 "${GUARDRAIL_BROTLI:-}" "${GUARDRAIL_ZSTD:-}"
          cat "$addon/config" "$addon"/src/page/*
          cd "$addon" && find . -path ./build -prune -o -name '*.c' -print |
              sort
        } | sha1sum)

export ASAN_OPTIONS=detect_leaks=0

if [ ! -f "$dir/stamp" ] || [ "$(cat "$dir/stamp")" != "$stamp" ]; then
    rm -rf objs "$dir/stamp"

    # nothing yet, so that the autotests link

    if [ "$variant" = locks ]; then
        : > "$dir/audit.opt"
        "$cc" -xc -c -o "$dir/audit.o" /dev/null
    fi

    # autotests do not pass under -Werror with more warnings than nginx's own;
    # they get the flags without them, the module's Makefile all

    if ! CFLAGS='' ./configure "${args[@]/$warn/}" > "$dir/configure.log" 2>&1
    then
        tail -20 "$dir/configure.log" >&2
        echo "build.sh: configure failed, see build/$variant/configure.log" >&2
        exit 1
    fi

    # nginx's headers are not ours to warn about; compared with -I the order
    # of the directories stays, and our files have a prefix of their own

    if [ -n "$warn" ]; then
        sed -i -e 's,-I src/,-isystem src/,' -e 's,-I objs,-isystem objs,' \
               -e "s/^CFLAGS =.*/& $warn/" objs/Makefile
    fi

    # nginx reads unaligned words where the processor can: only ours is
    # checked for undefined behaviour

    if [ "$variant" = static ]; then
        echo 'objs/addon/%.o: CFLAGS += -fsanitize=undefined' >> objs/Makefile
    fi

    printf '%s\n' "$stamp" > "$dir/stamp"
fi

# "config" need not list every header

if [ -n "$(find "$addon" -path "$root/build" -prune -o -name '*.h' \
           -newer "$dir/stamp" -print -quit)" ]
then
    find objs -path '*addon*' -name '*.o' -delete
    touch "$dir/stamp"
fi

jobs=$(nproc)

if [ "$variant" = static ]; then
    make -s -j"$jobs" -f objs/Makefile objs/nginx 9>&-
    set -- objs/nginx
    out=$dir

else
    make -s -j"$jobs" -f objs/Makefile modules 9>&-

    # the list of functions is known now: linked once more

    if [ "$variant" = locks ]; then
        audit=$root/t/audit
        mapfile -t room < <(find objs/addon -name '*.o')

        "$audit/locks.sh" options "${room[@]}" > "$dir/audit.opt"
        "$audit/locks.sh" stubs "${room[@]}" > "$dir/stubs.s"
        "$cc" -c -o "$dir/stubs.o" "$dir/stubs.s"
        "$cc" -O1 -mgeneral-regs-only -fPIC -fvisibility=hidden \
            -Isrc/core -Isrc/event -Isrc/os/unix -Iobjs \
            -I"$addon/src/core" -c -o "$dir/locks.o" "$audit/locks.c"
        ld -r -o "$dir/audit.o" "$dir/locks.o" "$dir/stubs.o"

        rm -f objs/*.so
        make -s -f objs/Makefile modules 9>&-
    fi

    set -- objs/*.so
    out=$dir

    if [ "$variant" = release ]; then
        out=$root/build
    fi
fi

for f; do
    to=$out/${f##*/}

    if ! cmp -s "$f" "$to"; then
        cp "$f" "$to.new.$$"
        mv "$to.new.$$" "$to"
    fi

    echo "${to#"$root"/}"
done
