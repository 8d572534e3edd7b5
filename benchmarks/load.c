/* Sends one HTTP request again and again over keep-alive connections, and measures the answers. One thread, epoll.
 *
 *   load PORT FILE CONNECTIONS SECONDS RATE
 *
 * FILE holds the whole request. RATE 0: each connection sends its next request when the last one is answered.
 * Otherwise RATE requests per second are due at even times, whatever became of the earlier ones, and an answer's time
 * counts from when its request was due. Prints: answers, those that were not 200, seconds, p50, p95, p99 in microseconds.
 *
 * Used by the benchmarks only. It trusts its peer: an answer must fit its buffer, and name its length or come in chunks. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 65536, CONNECTIONS = 1024, MOST = 4000000 };

struct connection {
    int fd, used, is_busy, sent;
    double due;
    char bytes[BUFFER];
};

static struct connection connections[CONNECTIONS];
static unsigned times[MOST];
static long answers, failures;
static char *request;
static int length;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

static void give_up(const char *what) {
    perror(what);
    exit(1);
}

static void begin(struct connection *c, double due) {
    c->is_busy = 1;
    c->due = due;
    for (int sent = 0; sent < length;) {
        int some = write(c->fd, request + sent, length - sent);
        if (some > 0) sent += some;
        else if (errno != EAGAIN) give_up("write");
    }
}

/* Whether the answer is whole. */
static int receive(struct connection *c) {
    int got = read(c->fd, c->bytes + c->used, BUFFER - 1 - c->used);
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return 0;
        give_up("the server closed a connection");
    }
    c->used += got;
    c->bytes[c->used] = 0;
    char *end = strstr(c->bytes, "\r\n\r\n"), *field = strcasestr(c->bytes, "content-length:");
    if (!end) return 0;
    if (field && field < end) {
        if (c->used < end - c->bytes + 4 + atoi(field + 15)) return 0;
    } else if (strcmp(c->bytes + c->used - 5, "0\r\n\r\n")) {
        return 0; /* sent in chunks: the last one is empty */
    }
    if (strncmp(c->bytes, "HTTP/1.1 200", 12)) failures++;
    if (answers < MOST) times[answers] = (now() - c->due) * 1e6;
    answers++;
    c->used = 0;
    c->is_busy = 0;
    return 1;
}

int main(int count, char **arguments) {
    if (count != 6) return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons(atoi(arguments[1]));
    int wanted = atoi(arguments[3]), one = 1, poll = epoll_create1(0), busy = 0;
    double seconds = atof(arguments[4]), rate = atof(arguments[5]);
    FILE *file = fopen(arguments[2], "rb");
    if (!file || wanted > CONNECTIONS) return 2;
    request = malloc(BUFFER * 16);
    length = fread(request, 1, BUFFER * 16, file);
    for (int i = 0; i < wanted; i++) {
        struct connection *c = &connections[i];
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) give_up("connect");
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
    double began = now(), ends = began + seconds;
    long due = 0;
    if (rate == 0)
        for (int i = 0; i < wanted; i++, busy++) begin(&connections[i], now());
    while (busy || now() < ends) {
        int patience = 100;
        if (rate > 0 && now() < ends) {
            for (int i = 0; i < wanted && began + due / rate <= now(); i++) {
                if (connections[i].is_busy) continue;
                begin(&connections[i], began + due++ / rate);
                busy++;
            }
            double left = began + due / rate - now();
            patience = left > 0 ? left * 1000 + 1 : 1;
            if (left > 0 && left < 0.0015) patience = 0;
        }
        struct epoll_event ready[CONNECTIONS];
        int some = epoll_wait(poll, ready, CONNECTIONS, patience);
        for (int i = 0; i < some; i++) {
            struct connection *c = ready[i].data.ptr;
            if (!receive(c)) continue;
            busy--;
            if (rate == 0 && now() < ends) {
                begin(c, now());
                busy++;
            }
        }
    }
    double took = now() - began;
    long kept = answers < MOST ? answers : MOST;
    if (!kept) return 1;
    qsort(times, kept, sizeof *times, ascending);
    printf("%ld %ld %.6f %u %u %u\n", answers, failures, took, times[kept / 2], times[kept * 95 / 100], times[kept * 99 / 100]);
    return 0;
}
