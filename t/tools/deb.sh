#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Builds the Debian package of what is committed, below build/deb, for the
# nginx of this system: the recipe is packaging/debian.
#
#     t/tools/deb.sh [VERSION]
#
# VERSION is another than that of packaging/debian/changelog, which then has
# one entry more.  SOURCE=. takes the files as they are, committed or not.

set -eu

cd "$(dirname "$0")/../.."

t/tools/deps.sh deb

out=$PWD/build/deb
tree=$out/tree
changelog=packaging/debian/changelog
version=${1:-$(dpkg-parsechangelog -l "$changelog" -S Version)}

rm -rf "$out"
mkdir -p "$tree"

if [ -z "${SOURCE:-}" ]; then
    git archive HEAD | tar -C "$tree" -xf -

else
    tar --exclude=./build --exclude=.git -cf - . | tar -C "$tree" -xf -
fi

cp -a "$tree/packaging/debian" "$tree/debian"
cd "$tree"

if [ "$version" != "$(dpkg-parsechangelog -S Version)" ]; then
    {
        printf '%s (%s) %s; urgency=medium\n\n  * Another build.\n\n' \
            "$(dpkg-parsechangelog -S Source)" "$version" \
            "$(dpkg-parsechangelog -S Distribution)"
        printf ' -- %s  %s\n\n' "$(dpkg-parsechangelog -S Maintainer)" \
            "$(date -R)"
        cat debian/changelog
    } > debian/changelog.new
    mv debian/changelog.new debian/changelog
fi

dpkg-buildpackage -us -uc -b
cd ..

for f in *.deb; do
    echo "build/deb/$f"
done
