#!/bin/bash

# Copyright (C) nginx-guardrail authors

# What "make page-test" runs: the tests of the status page in Chromium, with
# pictures of it in build/page/shots.

set -eu

cd "$(dirname "$0")/../.."
dir=build/page

mkdir -p $dir

if ! cmp -s t/page/package-lock.json $dir/package-lock.json ||
   [ ! -d $dir/node_modules/playwright-core ]
then
    cp t/page/package.json t/page/package-lock.json $dir
    (cd $dir && npm ci --ignore-scripts --no-audit --no-fund --silent)
fi

TEST_BROWSER=1 prove --timer "$@" t/118-status-page-in-a-browser.t \
    t/119-status-page-alone.t
