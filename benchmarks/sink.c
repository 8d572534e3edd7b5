/* A receiver that is never the limit: answers each POST with 204 and counts it. One thread, epoll.
 *
 *   sink DELAY_MS      prints its port, then serves until killed; GET answers the number of POSTs as text.
 *
 * Used by the benchmarks only. It trusts its peer: a request must fit its buffer and name its length. */
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

enum { BUFFER = 262144, CONNECTIONS = 65536, WAITING = 1 << 17 };

struct connection {
    int used;
    char *bytes;
};

static struct connection connections[CONNECTIONS];
static struct { int fd; double due; } waiting[WAITING];
static unsigned first_waiting, last_waiting;
static long posts;
static double delay;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void answer(int fd) {
    static const char text[] = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    posts++;
    if (write(fd, text, sizeof text - 1) < 0 && errno != EPIPE && errno != ECONNRESET) perror("write");
}

static void drop(int fd) {
    connections[fd].used = 0;
    close(fd);
}

/* How many bytes the first whole request in the buffer takes; 0 when more must come. */
static int whole_request(struct connection *c, int *is_post) {
    char *end = memmem(c->bytes, c->used, "\r\n\r\n", 4);
    if (!end) return 0;
    int head = end - c->bytes + 4, length = 0;
    *end = 0;
    char *field = strcasestr(c->bytes, "content-length:");
    if (field) length = atoi(field + 15);
    *end = '\r';
    *is_post = c->bytes[0] == 'P';
    return c->used >= head + length ? head + length : 0;
}

static void receive(int fd) {
    struct connection *c = &connections[fd];
    int got = read(fd, c->bytes + c->used, BUFFER - c->used), size, is_post;
    if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return;
        drop(fd);
        return;
    }
    c->used += got;
    while ((size = whole_request(c, &is_post))) {
        memmove(c->bytes, c->bytes + size, c->used - size);
        c->used -= size;
        if (!is_post) {
            char text[128], number[32];
            int digits = snprintf(number, sizeof number, "%ld", posts);
            int all = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", digits, number);
            if (write(fd, text, all) < 0) perror("write");
        } else if (delay > 0) {
            waiting[last_waiting % WAITING].fd = fd;
            waiting[last_waiting++ % WAITING].due = now() + delay;
        } else {
            answer(fd);
        }
    }
}

int main(int count, char **arguments) {
    delay = count > 1 ? atof(arguments[1]) / 1000 : 0;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[512];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int some = epoll_wait(poll, ready, 512, first_waiting != last_waiting ? 1 : 1000);
        for (int i = 0; i < some; i++) {
            int fd = ready[i].data.fd;
            if (fd != listener) {
                receive(fd);
                continue;
            }
            while ((fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                if (fd >= CONNECTIONS) { close(fd); continue; }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (!connections[fd].bytes) connections[fd].bytes = malloc(BUFFER);
                connections[fd].used = 0;
                event.data.fd = fd;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
            }
        }
        while (first_waiting != last_waiting && waiting[first_waiting % WAITING].due <= now())
            answer(waiting[first_waiting++ % WAITING].fd);
    }
}
