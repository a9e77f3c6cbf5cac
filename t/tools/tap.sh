#!/bin/bash

# Copyright (C) nginx-guardrail authors

# Runs a command as one test file, and keeps what it said:
#
#     t/tools/tap.sh RECORD tap COMMAND...    the command writes TAP
#     t/tools/tap.sh RECORD exit COMMAND...   its exit status is the test
#
# What hangs is ended after ten minutes.

set -u

record=$1
mode=$2
shift 2

mkdir -p "$(dirname "$record")"
rm -f "$record.status"

if [ "$mode" = tap ]; then
    timeout -k 10 600 "$@" | tee "$record"
    status=${PIPESTATUS[0]}

else
    name=$(basename "$record")
    timeout -k 10 600 "$@" > "$record.log" 2>&1
    status=$?

    {
        echo "1..1"

        if [ $status = 0 ]; then
            echo "ok 1 - $name"

        else
            echo "not ok 1 - $name"
        fi
    } | tee "$record"

    if [ $status != 0 ]; then
        tail -60 "$record.log" | sed 's/^/# /' >&2
    fi
fi

echo "$status" > "$record.status"
exit "$status"
