#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The Debian package of what is committed, in fresh systems: built there, seen
# by lintian, installed, tried, upgraded, removed and purged.
#
#     t/tools/deb-test.sh [SUITE...]      bookworm and trixie unless told

set -eu

cd "$(dirname "$0")/../.."

chroot=t/tools/chroot.sh
name=libnginx-mod-http-guardrail
suites=${*:-bookworm trixie}
out=$PWD/build/deb-test
export DEBIAN_FRONTEND=noninteractive


build() {
    local suite=$1 root=build/chroot/$1-deb v

    $chroot new "$suite" "$suite-deb"
    mkdir "$root/guardrail"
    git archive HEAD | tar -C "$root/guardrail" -xf -

    $chroot run "$suite-deb" /guardrail/t/tools/deps.sh deb lintian
    version=$($chroot offline "$suite-deb" dpkg-parsechangelog \
              -l /guardrail/packaging/debian/changelog -S Version)

    rm -rf "${out:?}/$suite"
    mkdir -p "$out/$suite"

    for v in "$version" "$version+next"; do
        $chroot offline "$suite-deb" env SOURCE=. \
            nice /guardrail/t/tools/deb.sh "$v"
        cp "$root"/guardrail/build/deb/*.deb "$out/$suite"
    done

    # as root it would warn of that

    $chroot offline "$suite-deb" chown -R nobody /guardrail/build
    $chroot offline "$suite-deb" setpriv --reuid=nobody --regid=nogroup \
        --clear-groups sh -c '
            HOME=/tmp lintian --info \
                --fail-on error,warning /guardrail/build/deb/*.changes'
}


# what a package may leave its traces in

traces() {
    $chroot offline "$1" find /etc /usr/lib/nginx /usr/share/nginx \
        /usr/share/doc /var/lib/nginx /var/log/nginx /var/lib/dpkg/info \
        ! -type s -printf '%p %l\n' |
        grep -vE '^/etc/(ld.so.cache|resolv.conf) |^/var/lib/nginx/[a-z]+ ' |
        sort
}


smoke() {
    $chroot offline "$1" /packages/smoke
}


# says what must be so

so() {
    local what=$1
    shift

    if ! "$@"; then
        echo "deb-test.sh: not so: $what" >&2
        exit 1
    fi

    echo "ok: $what"
}


enabled() {
    [ -L "$1/etc/nginx/modules-enabled/50-mod-http-guardrail.conf" ]
}


try() {
    local suite=$1 root=build/chroot/$1-install system=$1-install
    local so=usr/lib/nginx/modules/ngx_http_guardrail_module.so

    $chroot new "$suite" "$system"

    # nothing is to be started by packages

    printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"

    $chroot run "$system" apt-get update -qq
    $chroot run "$system" apt-get install -qq -y --no-install-recommends \
        nginx curl libbrotli1 libzstd1 > "$out/$suite/apt.log"

    mkdir "$root/packages"
    cp "$out/$suite"/*.deb packaging/debian/tests/smoke "$root/packages"
    traces "$system" > "$out/$suite/before"

    $chroot run "$system" apt-get install -qq -y --no-install-recommends \
        "/packages/$(cd "$root/packages" && echo "$name"_*[0-9]_*.deb)"
    so "installed, it is enabled" enabled "$root"
    so "nginx -t passes, a request is refused" smoke "$system"

    $chroot run "$system" apt-get install -qq -y --no-install-recommends \
        "/packages/$(cd "$root/packages" && echo "$name"_*+next_*.deb)"
    so "upgraded, it is enabled" enabled "$root"
    so "of the new version" grep -q 'ok installed.*+next' <(
        $chroot offline "$system" dpkg-query -W \
            -f '${Status} ${Version}\n' $name)
    so "and refuses" smoke "$system"

    $chroot run "$system" apt-get remove -qq -y $name
    so "removed, it is not enabled" test ! -e \
        "$root/etc/nginx/modules-enabled/50-mod-http-guardrail.conf"
    so "nginx -t passes without it" $chroot offline "$system" nginx -t

    $chroot run "$system" apt-get install -qq -y --no-install-recommends \
        "/packages/$(cd "$root/packages" && echo "$name"_*+next_*.deb)"
    so "installed again, it is enabled" enabled "$root"

    $chroot run "$system" apt-get purge -qq -y $name
    so "purged, the module is gone" test ! -e "$root/$so"

    traces "$system" > "$out/$suite/after"
    so "purged, nothing is left" diff "$out/$suite/before" "$out/$suite/after"
}


for suite in $suites; do
    echo "== $suite"
    build "$suite"
    try "$suite"
    rm -rf "build/chroot/$suite-deb" "build/chroot/$suite-install"
done

echo "deb-test.sh: all was so, in $suites"
