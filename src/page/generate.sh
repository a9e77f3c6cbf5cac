#!/bin/sh

# Copyright (C) nginx-guardrail authors

# Puts the status page together from the files of this directory.
#
#     sh generate.sh html      the document, with its placeholders
#     sh generate.sh c         the source that the module is built with
#
# A line of page.html that is @STYLE@ or @SCRIPT@ alone is replaced by the
# files that belong there.  @NONCE@ and @TABLES@ are filled in for each
# request: there the document is cut into pieces.  The files are ASCII, so
# that no locale and no awk reads them otherwise.

set -eu

LC_ALL=C
export LC_ALL

dir=$(dirname "$0")
styles=$dir/page.css
scripts="$dir/data.js $dir/draw.js $dir/page.js"


html() {
    awk -v styles="$styles" -v scripts="$scripts" '
        function put(files,    i, n, name, line, rc) {
            n = split(files, name, " ")

            for (i = 1; i <= n; i++) {
                while ((rc = (getline line < name[i])) > 0) {
                    print line
                }

                if (rc < 0) {
                    print "generate.sh: cannot read " name[i] > "/dev/stderr"
                    exit 1
                }

                close(name[i])
            }
        }

        $0 == "@STYLE@"     { put(styles); next }
        $0 == "@SCRIPT@"    { put(scripts); next }
                            { print }
    ' "$dir/page.html"
}


c() {
    awk '
        BEGIN {
            for (i = 1; i < 128; i++) {
                code[sprintf("%c", i)] = i
            }

            text = ""
            pieces = 0
            table = ""

            print "\n/*\n * Made by src/page/generate.sh.\n */\n\n"
            print "#include <ngx_config.h>"
            print "#include <ngx_core.h>\n"
            print "#include \"ngx_http_guardrail_page.h\""
        }

        # a text becomes an array of bytes: a string may not be that long

        function flush_text(    i, n, ch, line) {
            n = length(text)

            if (n == 0) {
                return
            }

            printf "\n\nstatic const u_char  ngx_http_guardrail_page_%d[] = {",
                   pieces

            line = ""

            for (i = 1; i <= n; i++) {
                ch = substr(text, i, 1)

                if (!(ch in code)) {
                    print "generate.sh: a byte that is not ASCII" \
                        > "/dev/stderr"
                    failed = 1
                    exit 1
                }

                if (i % 16 == 1) {
                    printf "%s\n   ", line
                    line = ""
                }

                line = line " " code[ch] ","
            }

            print line "\n};"

            table = table sprintf("    { ngx_http_guardrail_page_%d, %d,\n" \
                                  "      NGX_HTTP_GUARDRAIL_PAGE_TEXT },\n",
                                  pieces, n)
            pieces++
            text = ""
        }

        function hole(kind) {
            flush_text()
            table = table sprintf("    { NULL, 0, NGX_HTTP_GUARDRAIL_PAGE_%s" \
                                  " },\n", kind)
            pieces++
        }

        {
            line = $0 "\n"

            while (match(line, /@(NONCE|TABLES)@/)) {
                text = text substr(line, 1, RSTART - 1)
                kind = substr(line, RSTART + 1, RLENGTH - 2)
                line = substr(line, RSTART + RLENGTH)
                hole(kind)
            }

            text = text line
        }

        END {
            if (failed) {
                exit 1
            }

            flush_text()

            print "\n\nconst ngx_http_guardrail_page_piece_t" \
                  "  ngx_http_guardrail_page[] = {"
            printf "%s", table
            print "};\n\n"
            print "const ngx_uint_t  ngx_http_guardrail_page_pieces = " \
                  pieces ";"
        }
    '
}


case ${1:-} in

html)
    html
    ;;

c)
    # a pipe would hide that the first part failed

    page=$(html)
    printf '%s\n' "$page" | c
    ;;

*)
    echo "usage: generate.sh html|c" >&2
    exit 2
    ;;

esac
