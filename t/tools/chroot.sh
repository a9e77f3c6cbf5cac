#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Debian systems below build/chroot, for what must not touch the one we are
# on.  They come from the archive that this machine's own apt is set up for.
# Needs root and mmdebstrap.
#
#     t/tools/chroot.sh new SUITE NAME         a fresh system
#     t/tools/chroot.sh copy NAME DIR          this tree, to DIR in it
#     t/tools/chroot.sh run NAME COMMAND...
#     t/tools/chroot.sh offline NAME COMMAND...    with loopback only
#
# What "run" starts ends with it: it is a namespace of processes.

set -eu

cd "$(dirname "$0")/../.."
base=$PWD/build/chroot


# the sources of this machine, for another suite

sources() {
    local suite=$1 here

    here=$(. /etc/os-release && echo "$VERSION_CODENAME")

    for f in /etc/apt/sources.list.d/*.sources; do
        if grep -qs debian-archive "$f"; then
            # shellcheck disable=SC2016
            awk -v RS= -v ORS='\n\n' -v here="$here" -v suite="$suite" '
                {
                    # unstable has neither updates nor security

                    if (suite == "sid") {
                        if ($0 !~ ("Suites:[^\n]* " here "( |\n|$)")) {
                            next
                        }

                        sub(/Suites:[^\n]*/, "Suites: sid")
                    }

                    gsub(here, suite)
                    print
                }' "$f"
        fi
    done

    if [ -f /etc/apt/sources.list ]; then
        sed -n "s/^\(deb .* \)$here\( .*\)/\1$suite\2/p" /etc/apt/sources.list

        if [ "$suite" != sid ]; then
            sed -n "s/^\(deb .* \)$here\(-[^ ]* .*\)/\1$suite\2/p" \
                /etc/apt/sources.list
        fi
    fi
}


tarball() {
    local suite=$1 tar=$base/$1.tar list=$base/$1.sources
    local -a opt=(--quiet --variant=apt --include=ca-certificates)

    if [ -f "$tar" ]; then
        return
    fi

    mkdir -p "$base"
    sources "$suite" > "$list"

    if ! grep -q . "$list"; then
        echo "chroot.sh: no sources of Debian in /etc/apt" >&2
        exit 1
    fi

    if grep -q '^deb ' "$list"; then
        mv "$list" "$base/$suite.list"
        list=$base/$suite.list
    fi

    while IFS= read -r line; do
        opt+=("--aptopt=$line")
    done < <(apt-config dump | grep '^Acquire::https\?::Proxy' || true)

    # a mirror that stands still has an old one

    if [ "$suite" = sid ]; then
        opt+=('--aptopt=Acquire::Check-Valid-Until "false"')
    fi

    echo "chroot.sh: making $suite" >&2

    mmdebstrap "${opt[@]}" --format=tar "$suite" "$tar.new" "$list" >&2
    mv "$tar.new" "$tar"
}


# enter NAME NETWORK COMMAND...

enter() {
    local root=$base/$1 network=$2
    local -a with=(--mount --pid --ipc --fork --kill-child)
    shift 2

    if [ "$network" = offline ]; then
        with+=(--net)

    else
        cat /etc/resolv.conf > "$root/etc/resolv.conf"
    fi

    # the shell stays, as process 1, for orphans to be waited for

    # shellcheck disable=SC2016
    unshare "${with[@]}" -- bash -c '
        root=$1 network=$2
        shift 2

        mount -t proc proc "$root/proc" || exit
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || exit

        if [ "$network" = offline ]; then
            ip link set lo up || exit
        fi

        env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            chroot "$root" "$@"
        exit
    ' chroot.sh "$root" "$network" "$@"
}


if [ "$(id -u)" != 0 ]; then
    echo "chroot.sh: must be root" >&2
    exit 1
fi

case ${1:-} in

new)
    t/tools/deps.sh chroot
    mkdir -p "$base"

    exec 9> "$base/lock"
    flock 9

    tarball "$2"
    rm -rf "${base:?}/$3"
    mkdir "$base/$3"
    tar -C "$base/$3" -xf "$base/$2.tar"
    ;;

copy)
    to=$base/$2/$3
    mkdir -p "$to"
    find "$to" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +

    git ls-files -z --cached --others --exclude-standard --deduplicate |
        while IFS= read -r -d '' f; do
            [ ! -e "$f" ] || printf '%s\0' "$f"
        done | tar --null -T - --owner=0 --group=0 -cf - | tar -C "$to" -xf -
    ;;

run)
    shift
    name=$1
    shift
    enter "$name" online "$@"
    ;;

offline)
    shift
    name=$1
    shift
    enter "$name" offline "$@"
    ;;

*)
    echo "chroot.sh: unknown command \"${1:-}\"" >&2
    exit 2
    ;;

esac
