
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The load of small POSTs: sends one request again and again to several
 * nginx, one at a time, in short slices, over connections that stay.
 *
 *     posts SEED SLICES REQUESTS CONNECTIONS URI TYPE BODY PORT:PID ...
 *
 * SLICES is how often each nginx has its turn, REQUESTS how many answers that
 * takes.  One line a turn: which nginx, from 0 on, nanoseconds that passed,
 * and nanoseconds of processor time that PID, its worker, had in them.
 *
 * The order is drawn anew for each round of turns, the same one for the same
 * seed.  A slice begins with the caches full of another nginx's data, so its
 * first answers are not timed.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


#define SERVERS      8
#define CONNECTIONS  64
#define ANSWER       8192
#define PAUSE        300                /* microseconds */


typedef struct {
    int         fd;
    size_t      len;                    /* of answer */
    char        answer[ANSWER + 1];
} conn_t;


typedef struct {
    int         port;
    int         pid;
    int         epoll;
    int         n;                      /* of conns */
    size_t      size;                   /* of request */
    char       *request;
    conn_t      conns[CONNECTIONS];
} server_t;


static void make_request(server_t *s, const char *uri, const char *type,
    const char *file);
static void connect_all(server_t *s, int n);
static void turn(server_t *s, long n);
static void load(server_t *s, long n);
static void post(server_t *s, conn_t *c);
static int answered(conn_t *c);
static unsigned long long cpu(int pid);
static unsigned long long now(void);
static void shuffle(int *order, int n);
static void fail(const char *what) __attribute__((noreturn));


static server_t            servers[SERVERS];
static unsigned long long  seed;


int
main(int argc, char **argv)
{
    int   i, n, conns, order[SERVERS];
    long  slices, requests;

    n = argc - 8;

    if (n < 1 || n > SERVERS || atoi(argv[4]) > CONNECTIONS) {
        fprintf(stderr, "usage: posts SEED SLICES REQUESTS CONNECTIONS URI "
                "TYPE BODY PORT:PID ...\n");
        return 2;
    }

    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    seed = strtoull(argv[1], NULL, 10);
    slices = atol(argv[2]);
    requests = atol(argv[3]);
    conns = atoi(argv[4]);

    for (i = 0; i < n; i++) {
        order[i] = i;

        if (sscanf(argv[8 + i], "%d:%d", &servers[i].port, &servers[i].pid)
            != 2)
        {
            fail("PORT:PID");
        }

        make_request(&servers[i], argv[5], argv[6], argv[7]);
        connect_all(&servers[i], conns);

        /* pools, connections to the backend, and caches */

        load(&servers[i], 1000);
    }

    while (slices--) {
        shuffle(order, n);

        for (i = 0; i < n; i++) {
            printf("%d ", order[i]);
            turn(&servers[order[i]], requests);
        }
    }

    return 0;
}


static void
make_request(server_t *s, const char *uri, const char *type, const char *file)
{
    int     n;
    long    len;
    char   *p;
    FILE   *fp;

    fp = fopen(file, "rb");

    if (fp == NULL || fseek(fp, 0, SEEK_END) == -1
        || (len = ftell(fp)) == -1 || fseek(fp, 0, SEEK_SET) == -1)
    {
        fail(file);
    }

    n = asprintf(&p, "POST %s HTTP/1.1\r\n"
                 "Host: 127.0.0.1:%d\r\n"
                 "User-Agent: guardrail-bench/1\r\n"
                 "Accept: */*\r\n"
                 "Content-Type: %s\r\n"
                 "Content-Length: %ld\r\n\r\n", uri, s->port, type, len);

    if (n == -1 || (s->request = malloc((size_t) (n + len))) == NULL) {
        fail("malloc");
    }

    memcpy(s->request, p, (size_t) n);
    free(p);

    if (fread(s->request + n, 1, (size_t) len, fp) != (size_t) len) {
        fail(file);
    }

    s->size = (size_t) (n + len);
    fclose(fp);
}


static void
connect_all(server_t *s, int n)
{
    int                 i, fd, on;
    struct epoll_event  ev;
    struct sockaddr_in  sin;

    on = 1;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) s->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    s->epoll = epoll_create1(EPOLL_CLOEXEC);

    for (i = 0; i < n; i++) {
        fd = socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0);

        memset(&ev, 0, sizeof(ev));
        ev.events = EPOLLIN;
        ev.data.ptr = &s->conns[i];

        if (fd == -1
            || connect(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
            || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
            || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) == -1)
        {
            fail("connect");
        }

        s->conns[i].fd = fd;
    }

    s->n = n;
}


/* a slice of n answers, after some that are not timed */

static void
turn(server_t *s, long n)
{
    unsigned long long  start, end, used;

    load(s, n / 8);
    usleep(PAUSE);

    used = cpu(s->pid);
    start = now();

    load(s, n);

    end = now();

    /* what the worker does once the last answer is out counts, too */

    usleep(PAUSE);

    printf("%llu %llu\n", end - start, cpu(s->pid) - used);
}


/* n requests, one on each connection at a time */

static void
load(server_t *s, long n)
{
    int                 i, k;
    long                busy;
    conn_t             *c;
    struct epoll_event  events[CONNECTIONS];

    for (busy = 0; busy < s->n && n > 0; busy++, n--) {
        post(s, &s->conns[busy]);
    }

    while (busy) {
        k = epoll_wait(s->epoll, events, CONNECTIONS, 10000);

        if (k <= 0 && errno != EINTR) {
            fail("no answer");
        }

        for (i = 0; i < k; i++) {
            c = events[i].data.ptr;

            if (!answered(c)) {
                continue;
            }

            if (n > 0) {
                post(s, c);
                n--;

            } else {
                busy--;
            }
        }
    }
}


/* blocks: nginx reads whether its answers are read or not */

static void
post(server_t *s, conn_t *c)
{
    size_t   sent;
    ssize_t  n;

    c->len = 0;

    for (sent = 0; sent < s->size; sent += (size_t) n) {
        n = send(c->fd, s->request + sent, s->size - sent, 0);

        if (n == -1) {
            fail("send");
        }
    }
}


static int
answered(conn_t *c)
{
    char     *body, *length;
    ssize_t   n;

    n = recv(c->fd, c->answer + c->len, ANSWER - c->len, MSG_DONTWAIT);

    if (n <= 0) {

        if (n == -1 && errno == EAGAIN) {
            return 0;
        }

        fail("recv");
    }

    c->len += (size_t) n;
    c->answer[c->len] = '\0';

    body = strstr(c->answer, "\r\n\r\n");

    if (body == NULL) {
        return 0;
    }

    length = strcasestr(c->answer, "\r\nContent-Length:");

    if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || length == NULL) {
        fail(c->answer);
    }

    return c->len - (size_t) (body + 4 - c->answer)
           >= strtoul(length + 17, NULL, 10);
}


/* nanoseconds; the kernel accounts them when the process goes to sleep */

static unsigned long long
cpu(int pid)
{
    char                name[64];
    FILE               *fp;
    unsigned long long  ns;

    snprintf(name, sizeof(name), "/proc/%d/schedstat", pid);

    fp = fopen(name, "r");

    if (fp == NULL || fscanf(fp, "%llu", &ns) != 1) {
        fail(name);
    }

    fclose(fp);

    return ns;
}


static unsigned long long
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (unsigned long long) ts.tv_sec * 1000000000
           + (unsigned long long) ts.tv_nsec;
}


static void
shuffle(int *order, int n)
{
    int  i, k, swap;

    for (i = n - 1; i > 0; i--) {

        /* any generator will do; this one is Knuth's */

        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        k = (int) ((seed >> 33) % (unsigned) (i + 1));

        swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}


static void
fail(const char *what)
{
    fprintf(stderr, "posts: %s: %s\n", what, strerror(errno));
    exit(1);
}
