#!/bin/bash

# Copyright (C) nginx-guardrail authors

# The benchmarks: medians and ratios side by side with plain nginx.
#
#     t/tools/bench.sh [--quick] [GROUP...]
#
# Groups: posts uploads content bombs fairness scan quota quotas.  Without
# --quick it takes some ten minutes, with it under three.  TEST_NGINX and
# TEST_MODULE as in the tests.  What the figures mean is in
# docs/performance.md.

set -eu

cd "$(dirname "$0")/../.."

out=build/bench
mkdir -p $out

compile() {
    local to=$1
    shift

    gcc -std=gnu11 -O2 -g -Wall -Wextra -Isrc/core -o "$out/$to.new" "$@"
    mv "$out/$to.new" "$out/$to"
}

compile backend t/bench/backend.c
compile posts t/bench/posts.c
compile inflate t/bench/inflate.c -lz
compile ndjson t/bench/ndjson.c src/core/*/*.c -lz
compile csv t/bench/csv.c src/core/records/*.c src/core/base/*.c

# C++ is for simdjson only

g++ -std=c++17 -O2 -g -Wall -Wextra -c -o $out/simdjson.o t/bench/simdjson.cpp

compile json -DHAVE_YAJL=1 -DHAVE_SIMDJSON=1 t/bench/json.c $out/simdjson.o \
    src/core/*/*.c -lz -lyajl -lsimdjson -lstdc++
compile codec -DGUARDRAIL_HAVE_BROTLI=1 -DGUARDRAIL_HAVE_ZSTD=1 \
    t/bench/codec.c src/core/codec/*.c src/core/base/*.c \
    -lz -lbrotlidec -lzstd
compile quota t/bench/quota.c src/core/quota/*.c
compile zone t/bench/zone.c src/core/quota/*.c

# the bodies, the same ones every time

make_once() {
    local to=$1
    shift

    if [ ! -f "$out/$to" ] || [ t/bench/body.pl -nt "$out/$to" ]; then
        "$@" > "$out/$to.new"
        mv "$out/$to.new" "$out/$to"
    fi
}

bomb() {
    head -c 1G /dev/zero | gzip -9n
}

make_once body.ndjson t/bench/body.pl 100000000
make_once body.ndjson.gz gzip -6nc $out/body.ndjson
make_once body.ndjson.br brotli -q 4 -c $out/body.ndjson
make_once body.ndjson.zst zstd -q -3 -c $out/body.ndjson
make_once body.csv t/bench/body.pl 100000000 csv
make_once bomb.gz bomb
make_once 64k.ndjson t/bench/body.pl 65536
make_once 1k.json t/bench/body.pl 1024 json

exec t/bench/bench.pl "$@"
