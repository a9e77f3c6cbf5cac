
/*
 * Copyright (C) nginx-guardrail authors
 *
 * The backend of the benchmarks: reads each request to its end, answers 200.
 * It costs the same whoever sends, and counts what arrived, also of requests
 * that were never complete.
 *
 *     backend [port]
 *
 * It listens on 127.0.0.1, writes its port to standard output, and ends with
 * its parent.  GET /counters answers "CONNECTIONS REQUESTS BYTES", of bodies,
 * and does not count itself.  Bodies need a Content-Length.
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
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>


#define HEAD    8192
#define PIECE   (256 * 1024)
#define EVENTS  64


typedef struct {
    int                 fd;
    int                 close;
    int                 counters;
    size_t              len;            /* of head */
    unsigned long long  rest;           /* of the body */
    char                head[HEAD + 1];
} conn_t;


static int listen_on(int port);
static void accept_all(int epoll, int fd);
static int serve(conn_t *c);
static int serve_head(conn_t *c, size_t n);
static int answer(conn_t *c);
static const char *field(const char *head, const char *name);


static char                piece[PIECE];
static unsigned long long  connections, requests, bytes;


int
main(int argc, char **argv)
{
    int                 epoll, fd, i, n;
    conn_t             *c;
    struct epoll_event  ev, events[EVENTS];

    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    fd = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    epoll = epoll_create1(EPOLL_CLOEXEC);

    memset(&ev, 0, sizeof(ev));
    ev.events = EPOLLIN;

    if (epoll == -1 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == -1) {
        perror("backend: epoll");
        return 1;
    }

    for ( ;; ) {
        n = epoll_wait(epoll, events, EVENTS, -1);

        if (n == -1 && errno != EINTR) {
            perror("backend: epoll_wait");
            return 1;
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                accept_all(epoll, fd);

            } else if (!serve(c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}


static int
listen_on(int port)
{
    int                 fd, on;
    socklen_t           len;
    struct sockaddr_in  sin;

    on = 1;
    len = sizeof(sin);

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons((unsigned short) port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || listen(fd, 511) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
    {
        perror("backend: listen");
        exit(1);
    }

    printf("%d\n", ntohs(sin.sin_port));
    fflush(stdout);

    return fd;
}


static void
accept_all(int epoll, int fd)
{
    int                 s, on;
    conn_t             *c;
    struct epoll_event  ev;

    on = 1;

    for ( ;; ) {
        s = accept4(fd, NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);
        if (s == -1) {
            return;
        }

        c = calloc(1, sizeof(conn_t));
        if (c == NULL) {
            close(s);
            return;
        }

        c->fd = s;
        connections++;

        memset(&ev, 0, sizeof(ev));
        ev.events = EPOLLIN;
        ev.data.ptr = c;

        if (setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
            || epoll_ctl(epoll, EPOLL_CTL_ADD, s, &ev) == -1)
        {
            close(s);
            free(c);
        }
    }
}


/* 0 when the connection is over */

static int
serve(conn_t *c)
{
    ssize_t  n;

    for ( ;; ) {

        if (c->rest) {
            n = recv(c->fd, piece, c->rest < PIECE ? c->rest : PIECE, 0);

        } else {
            n = recv(c->fd, c->head + c->len, HEAD - c->len, 0);
        }

        if (n <= 0) {
            return n == -1 && errno == EAGAIN;
        }

        if (c->rest == 0) {

            if (!serve_head(c, (size_t) n)) {
                return 0;
            }

            continue;
        }

        c->rest -= (unsigned long long) n;
        bytes += (unsigned long long) n;

        if (c->rest == 0 && !answer(c)) {
            return 0;
        }
    }
}


static int
serve_head(conn_t *c, size_t n)
{
    char               *end;
    size_t              body;
    const char         *value;
    unsigned long long  length;

    c->len += n;
    c->head[c->len] = '\0';

    end = strstr(c->head, "\r\n\r\n");

    if (end == NULL) {
        return c->len < HEAD;
    }

    end += 2;
    body = c->len - (size_t) (end + 2 - c->head);
    *end = '\0';

    value = field(c->head, "\r\nContent-Length:");
    length = value ? strtoull(value, NULL, 10) : 0;

    if (body > length || field(c->head, "\r\nTransfer-Encoding:")) {
        return 0;
    }

    value = field(c->head, "\r\nConnection:");

    c->close = value && strncasecmp(value, "close", 5) == 0;
    c->counters = (strncmp(c->head, "GET /counters ", 14) == 0);
    c->rest = length - body;
    c->len = 0;

    bytes += body;

    return c->rest ? 1 : answer(c);
}


static int
answer(conn_t *c)
{
    int   n;
    char  body[128], text[256];

    if (c->counters) {
        n = snprintf(body, sizeof(body), "%llu %llu %llu\n",
                     connections - 1, requests, bytes);
        connections--;

    } else {
        n = snprintf(body, sizeof(body), "{}");
        requests++;
    }

    n = snprintf(text, sizeof(text),
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                 "Content-Length: %d\r\n%s\r\n%s", n,
                 c->close ? "Connection: close\r\n" : "", body);

    if (send(c->fd, text, (size_t) n, 0) != n) {
        return 0;
    }

    return !c->close;
}


static const char *
field(const char *head, const char *name)
{
    const char  *p;

    p = strcasestr(head, name);

    if (p == NULL) {
        return NULL;
    }

    p += strlen(name);

    return p + strspn(p, " ");
}
