
/*
 * Copyright (C) nginx-guardrail authors
 *
 * CSV rows as Python's csv module counts them, which is what most backends
 * read by: random bodies in one file, read by one Python.
 */


#define _POSIX_C_SOURCE  200809L

#include <unistd.h>

#include "bytes.h"
#include "tap.h"

#include "records/guardrail_csv.h"


#define BODIES  400
#define MOST    600


static void random_body(rng_t *rng, bytes_t *b);
static uint64_t count(const bytes_t *b);


/*
 * The bodies stand behind their lengths.  Lines are handed to the reader as
 * io gives them without translation, split at LF, CR and CRLF.
 */

static const char  script[] =
    "import csv, io, struct, sys\n"
    "csv.field_size_limit(1 << 30)\n"
    "f = open(sys.argv[1], 'rb')\n"
    "while True:\n"
    "    n = f.read(4)\n"
    "    if not n: break\n"
    "    b = f.read(struct.unpack('<I', n)[0]).decode('latin-1')\n"
    "    print(sum(1 for r in csv.reader(io.StringIO(b, newline=''))))\n";


static void
random_body(rng_t *rng, bytes_t *b)
{
    size_t       n, len;
    unsigned     kind;
    const char  *set;

    /* from well-formed ones to any order of what matters */

    static const char  *sets[] = {
        "ab,\n", "ab,\r\n\"", "a,\"\n", "\"\n\r,a ", "abcdefgh,,,\"\n",
        "\x80\xffz,\"\"\n\r\t "
    };

    kind = (unsigned) rng_below(rng, 6);
    set = sets[kind];
    n = strlen(set);
    len = rng_below(rng, MOST);

    b->len = 0;

    while (b->len < len) {
        bytes_byte(b, (uint8_t) set[rng_below(rng, n)]);

        if (rng_below(rng, 12) == 0) {
            bytes_text(b, "\r\n");
        }

        if (rng_below(rng, 20) == 0) {
            bytes_text(b, ",\"quoted, \"\"twice\"\"\n\",");
        }

        if (rng_below(rng, 40) == 0) {
            bytes_fill(b, 'x', rng_below(rng, 150));
        }
    }
}


static uint64_t
count(const bytes_t *b)
{
    size_t                  used;
    guardrail_csv_t         s;
    guardrail_csv_limits_t  l = { GUARDRAIL_NO_LIMIT, GUARDRAIL_NO_LIMIT,
                                  GUARDRAIL_NO_LIMIT };

    guardrail_csv_init(&s, guardrail_csv_select(), &l);

    (void) guardrail_csv_feed(&s, b->p, b->len, &used);
    (void) guardrail_csv_finish(&s);

    return s.records;
}


int
main(int argc, char **argv)
{
    int                  fd, rc;
    char                 name[] = "/tmp/guardrail-csv-XXXXXX";
    char                 command[sizeof(script) + 128];
    FILE                *out, *in;
    size_t               i;
    rng_t                rng;
    bytes_t              b = { NULL, 0, 0 };
    bytes_t              head = { NULL, 0, 0 };
    unsigned             bad;
    unsigned long long   rows;

    static uint64_t  expected[BODIES];

    rng.s = argc > 1 ? strtoull(argv[1], NULL, 10) : 20240910;

    tap_diag("seed %" PRIu64, rng.s);

    fd = mkstemp(name);
    out = fd == -1 ? NULL : fdopen(fd, "wb");

    if (out == NULL) {
        perror(name);
        return 1;
    }

    bytes_room(&b, 1);

    for (i = 0; i < BODIES; i++) {
        random_body(&rng, &b);

        expected[i] = count(&b);

        head.len = 0;
        bytes_le32(&head, (uint32_t) b.len);

        fwrite(head.p, 1, head.len, out);
        fwrite(b.p, 1, b.len, out);
    }

    fclose(out);

    snprintf(command, sizeof(command), "python3 - %s <<'END'\n%sEND\n", name,
             script);

    in = popen(command, "r");

    if (in == NULL) {
        perror("python3");
        return 1;
    }

    bad = 0;

    for (i = 0; i < BODIES && fscanf(in, "%llu", &rows) == 1; i++) {

        if (rows != expected[i]) {
            bad++;
            tap_diag("body %zu: %llu rows in Python, %" PRIu64 " here", i,
                     rows, expected[i]);
        }
    }

    rc = pclose(in);
    unlink(name);

    if (rc == 127 << 8) {
        tap_skip("there is no python3");

    } else {
        tap_ok(i == BODIES && rc == 0, "Python read all bodies");
        tap_ok(bad == 0, "rows as Python's csv counts them");
    }

    bytes_free(&b);
    bytes_free(&head);

    return tap_done();
}
