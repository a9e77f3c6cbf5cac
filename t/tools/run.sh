#!/bin/bash

# Copyright (C) nginx-guardrail authors

# What "make run" shows: nginx with the module, by the file conf-examples/
# ndjson-ingest.conf, before the application of conf-examples/app, and what
# uploads meet there; then what the same uploads do to the application when
# nothing is in front of it.  Every number that is printed was measured.
#
#     t/tools/run.sh [--once]
#
#   --once   ends after the tour, with 0 if every answer was the expected one
#
# PORT is 8080.  TEST_NGINX, TEST_MODULE and PYTHON replace what is installed
# and built.

set -eu

usage="usage: [PORT=8080] t/tools/run.sh [--once], or make run [ARGS=--once]"

root=$(cd "$(dirname "$0")/../.." && pwd)
PATH=$PATH:/usr/sbin:/usr/local/nginx/sbin
nginx=${TEST_NGINX:-nginx}
module=${TEST_MODULE:-$root/build/ngx_http_guardrail_module.so}
python=${PYTHON:-/usr/bin/python3}
port=${PORT:-8080}
url=http://127.0.0.1:$port

# what a worker of the unguarded application may have (RLIMIT_AS), as it
# would in a container, so that it cannot take the machine with it

memory_mb=384

# how the uploads are made; they are printed, and run, as they stand here

declare -A make=(
    [good]="seq 100000 |
     sed 's|.*|{\"id\":&,\"host\":\"web-&\",\"path\":\"/item/&\",\"ms\":&}|' |
     gzip > good.gz"

    [bomb]="head -c 1G /dev/zero | gzip -9 > bomb.gz"

    [flood]="seq 2000000 | sed 's|.*|{\"a\":&}|' | gzip -1 > flood.gz"

    [long]="{ printf '{\"id\":1,\"note\":\"'
       head -c 150000 /dev/urandom | base64 -w 0
       printf '\"}\\n'; } | gzip > long.gz"
)

declare -A maker=()

once=
dir=
nginx_pid=
app_pid=
unguarded_pid=
watcher=
wrong=0
table=()


main() {
    for arg; do
        case $arg in
            --once) once=1 ;;
            -h|--help) echo "$usage"; exit 0 ;;
            *) die "unknown argument \"$arg\"; $usage" ;;
        esac
    done

    trap clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    trap 'exit 141' PIPE

    prepare
    start
    tour
    report

    if [ -n "$once" ]; then
        exit $wrong
    fi

    stay
}


die() {
    echo "run.sh: $*" >&2
    exit 2
}


prepare() {
    local name

    [[ $port =~ ^[0-9]{1,5}$ ]] && [ "$port" -ge 1 ] && [ "$port" -le 65535 ] ||
        die "PORT=$port is no port"

    command -v "$nginx" > /dev/null || die "no nginx; make run installs it"
    [ -f "$module" ] || die "no $module; make builds it"

    "$python" -I -c 'import flask, gunicorn' 2>/dev/null ||
        die "$python has no Flask or no gunicorn; make run installs them"

    if (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        die "port $port of 127.0.0.1 is taken; choose another one:" \
            "make run PORT=$((port < 65535 ? port + 1 : 8080))"
    fi

    # a proxy does not know our loopback

    unset http_proxy HTTP_PROXY all_proxy ALL_PROXY

    # the name of a socket holds 107 bytes

    dir=$(mktemp -d -t guardrail-run.XXXXXX)

    if [ ${#dir} -gt 80 ]; then
        rmdir "$dir"
        dir=$(mktemp -d /tmp/guardrail-run.XXXXXX)
    fi

    chmod 755 "$dir"

    # the slow one first

    for name in bomb flood good long; do
        (cd "$dir" && exec bash -o pipefail -c "${make[$name]}") &
        maker[$name]=$!
    done
}


start() {
    cp "$root/conf-examples/app/app.py" "$dir"

    local i

    user=()

    if [ "$(id -u)" = 0 ]; then
        user=(--user www-data --group www-data)
    fi

    start_app app unlimited
    app_pid=$started

    start_app unguarded $((memory_mb * 1024))
    unguarded_pid=$started

    wait_app app "$app_pid"
    wait_app unguarded "$unguarded_pid"

    configure > "$dir/nginx.conf"

    "$nginx" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" \
        -g 'daemon off;' 2> "$dir/stderr" &
    nginx_pid=$!

    for ((i = 0; i < 100; i++)); do
        [ "$(get -m 5 "$url/")" != 200 ] || break

        if ! kill -0 "$nginx_pid" 2>/dev/null || [ $i = 99 ]; then
            cat "$dir/stderr" "$dir/error.log" >&2
            die "nginx does not answer on port $port"
        fi

        sleep 0.1
    done

    cat <<END
nginx with the module listens on 127.0.0.1:$port, started with
conf-examples/ndjson-ingest.conf (other ports and paths).  Behind it is
conf-examples/app/app.py: Flask, gunicorn, 2 workers.  /tenants/ leads to it
too, 3 requests a minute for each tenant.  /unguarded/ leads to the same
application without the guard, each worker limited to $memory_mb MB.
END
}


# start_app NAME LIMIT: the pid is in $started.  gunicorn's own timeout of 30
# seconds could end a worker of a busy machine before its memory is full.

start_app() {
    (
        ulimit -v "$2"
        cd "$dir"
        exec "$python" -I -m gunicorn --workers 2 --timeout 120 \
            --bind "unix:$dir/$1.sock" --chdir "$dir" "${user[@]}" \
            --error-logfile "$dir/$1.log" --capture-output \
            --access-logfile "$dir/$1.access" app:app
    ) > /dev/null 2>&1 &

    started=$!
}


# The example, with what names a machine replaced, and two locations more: one
# with a quota, and the unguarded one.

configure() {
    local text temp

    text=$(< "$root/conf-examples/ndjson-ingest.conf")
    temp=$(printf "\n    %s_temp_path $dir/%s;" client_body body proxy proxy \
           fastcgi fastcgi uwsgi uwsgi scgi scgi)

    swap "load_module modules/ngx_http_guardrail_module.so;" \
         "load_module \"$module\";"
    swap "error_log /var/log/nginx/" "pid $dir/nginx.pid;
error_log $dir/"
    swap "access_log /var/log/nginx/" "access_log $dir/"
    swap "listen 80;" "listen 127.0.0.1:$port;"
    swap "server 127.0.0.1:8000;" "server unix:$dir/app.sock;"
    swap "http {" "http {$temp

    guardrail_zone tenants size=1m;
"
    swap "        location / {" "        location /tenants/ {
            guardrail_tenant \$http_x_api_key pattern=^([a-z]+)- secret=off
                             default=reject;
            guardrail_quota tenants requests 3/1m;
            proxy_pass http://application/;
        }

        location = /guardrail {
            guardrail off;
            guardrail_status;
        }

        location /unguarded/ {
            guardrail off;
            proxy_pass http://unix:$dir/unguarded.sock:/;
        }

        location / {"

    if [ "$(id -u)" != 0 ]; then
        swap "user www-data;" ""
    fi

    printf '%s\n' "$text"
}


swap() {
    case $text in
        *"$1"*) text=${text/"$1"/"$2"} ;;
        *) die "conf-examples/ndjson-ingest.conf has no \"$1\"" ;;
    esac
}


# get ARGS: the status, 000 for no answer

get() {
    curl -q -s -o /dev/null -w '%{http_code}' "$@" || true
}


# wait_app NAME PID: until all its workers are there, and it answers

wait_app() {
    local i

    for ((i = 0; i < 300; i++)); do
        if [ -S "$dir/$1.sock" ] && [ "$(workers "$2" | wc -l)" = 2 ] &&
           [ "$(get -m 10 --unix-socket "$dir/$1.sock" http://app/)" = 200 ]
        then
            return
        fi

        kill -0 "$2" 2>/dev/null || break
        sleep 0.1
    done

    cat "$dir/$1.log" >&2 || true
    die "the application does not answer"
}


# the workers of a master process

workers() {
    grep -ls "^PPid:[[:space:]]$1\$" /proc/[0-9]*/status | tr -dc '0-9\n' ||
        true
}


# the highest peak among processes, in MB

peak() {
    local pid kb max=0

    for pid; do
        kb=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" \
             2>/dev/null) || continue

        if [ "${kb:-0}" -gt $max ]; then
            max=$kb
        fi
    done

    echo $((max / 1024))
}


# POST requests the guarded application has heard of

posts() {
    grep -c '"POST ' "$dir/app.access" || true
}


title() {
    printf '\n== %s\n\n' "$1"
}


# what the last line means

means() {
    printf '   -> %s\n' "$*"
}


# post NAME URI: prints a command and runs it; what came back is in $status,
# $kind, $seconds, and in the file "answer"

post() {
    local type=octet-stream
    local file=$1.gz
    local args

    # how an upload was made is shown where it is used first

    if [ -n "${maker[$1]:-}" ]; then
        wait "${maker[$1]}" || die "cannot make $file"
        unset "maker[$1]"
        printf '   $ %s\n' "${make[$1]}"
    fi

    if [ "${2##*/}" = ingest ]; then
        type=x-ndjson
    fi

    printf "   $ %s \\\\\n     %s \\\\\n     %s\n\n" \
        "curl --data-binary @$file" \
        "-H 'Content-Encoding: gzip' -H 'Content-Type: application/$type'" \
        "$url$2"

    args=(--data-binary "@$file" -H 'Content-Encoding: gzip'
          -H "Content-Type: application/$type" "$url$2")

    : > "$dir/answer"

    args=$(cd "$dir" && curl -q -s -m 120 -o answer \
           -w '%{http_code} %{time_total} %{content_type}' "${args[@]}") || true

    read -r status seconds kind <<< "$args"

    printf '   %s %s, after %s s\n' "$status" "$kind" "$seconds"
}


size_of() {
    stat -c %s "$dir/$1"
}


# the value of a member of the last answer

member() {
    sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" "$dir/answer"
}


print_answer() {
    sed 's/^/   /' "$dir/answer"
}


tour() {
    local i before after heard line

    title "1. A good upload: 100,000 rows under gzip"
    post good /ingest
    print_answer

    # nginx writes it after the answer

    for ((i = 0; i < 50; i++)); do
        line=$(grep -a -m 1 '"uri":"/ingest"' "$dir/access.log") && break
        sleep 0.1
    done

    echo "   access.log: $line"

    means "accepted: $(size_of good.gz) bytes on the wire," \
        "$(member rows) rows at the application"
    expect "good upload" "200, 100000 rows" "$status, $(member rows) rows"

    before=$(peak $(workers "$app_pid"))

    title "2. A gzip bomb: 1 GiB of zeros"
    refused bomb /upload "413 max_ratio"
    means "nginx stopped at $decoded decoded bytes, $wire of the" \
        "$(size_of bomb.gz) bytes having been fed"

    title "3. A row flood: 2,000,000 rows"
    refused flood /ingest "413 max_records"
    means "nginx stopped at row $records, after $wire of" \
        "$(size_of flood.gz) bytes"

    title "4. A record without end: 200,000 bytes in one row"
    refused long /ingest "413 max_record_size"
    means "nginx stopped at $decoded decoded bytes, inside row $records"

    after=$(peak $(workers "$app_pid"))
    heard=$(posts)

    title "What the guarded application noticed"
    echo "   POST requests: $heard"
    echo "   peak memory of a worker: $before MB after the good upload," \
        "$after MB now"
    echo "   peak memory of an nginx worker: $(peak $(workers "$nginx_pid")) MB"

    expect "refused uploads that got through" 0 $((heard - 1))

    title "5. A tenant that has 3 requests a minute, and another one"
    tenant acme-7f3a "200 200 200 429"
    print_answer

    means "refused for a while, and told for how long:" \
        "Retry-After $(field retry-after)"

    tenant globex-01c2 "200"
    tenant "" "400"
    print_answer

    title "6. What was counted meanwhile"
    counted

    title "7. The bomb, without the guard"
    unguarded bomb /unguarded/upload

    # fresh workers: a peak does not go down

    stop "$unguarded_pid"
    start_app unguarded $((memory_mb * 1024))
    unguarded_pid=$started
    wait_app unguarded "$unguarded_pid"

    title "8. The row flood, without the guard"
    unguarded flood /unguarded/ingest
}


# refused NAME URI STATUS_AND_REASON: $wire, $decoded, $records are the log's

refused() {
    local line

    post "$1" "$2"
    print_answer

    line=$(grep -a 'guardrail: rejected' "$dir/error.log" | tail -1) || true

    echo "   error.log: $line"

    wire=$(sed -n 's/.*, wire \([0-9]*\) .*/\1/p' <<< "$line")
    decoded=$(sed -n 's/.* decoded \([0-9]*\) .*/\1/p' <<< "$line")
    records=$(sed -n 's/.* records \([0-9]*\), .*/\1/p' <<< "$line")

    expect "$1, guarded" "$3" "$status $(member reason)"
}


# tenant KEY STATUS...: so many requests with a key

tenant() {
    local i got=
    local -a count args

    read -r -a count <<< "$2"
    args=(-H "X-Api-Key: $1" "$url/tenants/")

    printf "   \$ %s \\\\\n     %s\n\n" "curl -i -H 'X-Api-Key: $1'" \
        "$url/tenants/"

    for ((i = 0; i < ${#count[@]}; i++)); do
        got+=" $(cd "$dir" && curl -q -s -m 10 -o answer -D head \
                 -w '%{http_code}' "${args[@]}")" || true

        printf '   %s\n' "${got##* }"
        sed -n 's/\r$//; s/^ratelimit/   &/ip; s/^retry-after/   &/ip' \
            "$dir/head"
    done

    expect "tenant \"${1%%-*}\"" "$2" "${got# }"
}


# a field of the last answer to a tenant

field() {
    sed -n "s/\r$//; s/^$1: *//ip" "$dir/head"
}


# the status page, as Prometheus reads it: refusals by their reason

counted() {
    local page=$url/guardrail?format=prometheus

    echo "   curl '$page'"
    curl -q -s "$page" | grep 'verdict="reject"' | sed 's/^/   /' || true

    expect "refusals on the status page" 5 \
        "$(curl -q -s "$page" | grep -c 'verdict="reject".* 1$' || true)"
    means "as a page: $url/guardrail"
}


# unguarded NAME URI: the application may answer 5xx, or die of it

unguarded() {
    local before now what pid
    local log=$dir/unguarded.log
    local lost=0
    local -a old

    mapfile -t old < <(workers "$unguarded_pid")
    before=$(peak "${old[@]}")

    # a worker that is killed takes its peak with it: look all the time

    while sleep 0.2; do
        peak "${old[@]}"
    done > "$dir/peaks" &

    watcher=$!
    post "$1" "$2"
    peak "${old[@]}" >> "$dir/peaks"
    stop "$watcher"
    watcher=

    now=$(sort -n "$dir/peaks" | tail -1)

    for pid in "${old[@]}"; do
        kill -0 "$pid" 2>/dev/null || lost=$((lost + 1))
    done

    what=$(grep -ao -m 1 MemoryError "$log") || what="no MemoryError"

    if [ $lost != 0 ]; then
        what="worker killed"
    fi

    echo "   the application: $what; $lost of ${#old[@]} workers lost"
    echo "   peak memory of a worker: $before MB before, $now MB now"

    means "$(size_of "$1.gz") bytes, which client_max_body_size allows, took" \
        "what a worker may have: $memory_mb MB of address space"

    expect "$1, unguarded" "5xx, MemoryError" "${status/5??/5xx}, $what" \
        "5xx, worker killed"

    expect "$1, unguarded, peak in MB" "above $((memory_mb / 2))" \
        "$([ "$now" -gt $((memory_mb / 2)) ] && echo above || echo "not above"
        ) $((memory_mb / 2))"
}


# expect WHAT EXPECTED ANSWER [ALSO_GOOD]: a row of the table

expect() {
    local ok=ok

    if [ "$3" != "$2" ] && [ "$3" != "${4:-$2}" ]; then
        ok=WRONG
        wrong=1
    fi

    table+=("$(printf '   %-34s %-22s %-22s %s' "$1" "$2" "$3" $ok)")
}


report() {
    title "Expected and answered"
    printf '   %-34s %-22s %s\n' "" expected answer
    printf '%s\n' "${table[@]}"

    if [ $wrong != 0 ]; then
        printf '\nNOT every answer was the expected one.  Logs:\n\n'
        tail -n 20 "$dir/error.log" "$dir/app.log" "$dir/unguarded.log"

    else
        printf '\nEvery answer was the expected one.\n'
    fi
}


stay() {
    cat <<END

nginx stays up until Ctrl-C.  The uploads are in $dir:

    cd $dir
    curl --data-binary @good.gz -H 'Content-Encoding: gzip' $url/ingest
    curl --data-binary @bomb.gz -H 'Content-Encoding: gzip' $url/upload
    curl --data-binary @flood.gz -H 'Content-Encoding: gzip' $url/ingest
    printf '{"a":1}\n{"a":2}\n' | curl --data-binary @- $url/ingest
    curl -i -H 'X-Api-Key: initech-1' $url/tenants/

    nginx.conf, error.log, access.log are there too
END

    printf '\nThe status page: %s/guardrail\n' "$url"

    trap 'echo; exit $wrong' INT

    wait "$nginx_pid" || true
    cat "$dir/stderr" >&2
    die "nginx has ended"
}


# stop PID...: with their children, and not without end

stop() {
    local pid i

    kill -TERM "$@" 2>/dev/null || true

    for ((i = 0; i < 50; i++)); do
        kill -0 "$@" 2>/dev/null || break
        sleep 0.1
    done

    for pid; do
        if kill -0 "$pid" 2>/dev/null; then
            # shellcheck disable=SC2046
            kill -KILL $(workers "$pid") "$pid" 2>/dev/null || true
        fi

        wait "$pid" 2>/dev/null || true
    done
}


clean() {
    local pid
    local -a all=()

    trap '' INT TERM HUP PIPE
    set +e

    # those that make the uploads first: they write where we remove

    for pid in "${maker[@]}"; do
        # shellcheck disable=SC2046
        kill -TERM $(workers "$pid") "$pid" 2>/dev/null
        all+=("$pid")
    done

    for pid in $watcher $nginx_pid $app_pid $unguarded_pid; do
        all+=("$pid")
    done

    [ ${#all[@]} = 0 ] || stop "${all[@]}"
    [ -z "$dir" ] || rm -rf "$dir"
}


main "$@"
