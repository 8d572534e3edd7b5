/* A receiver over TLS: answers each POST with 204. A thread for each connection, which stays open.
 *
 *   tls_sink CERTIFICATE KEY COUNT      prints COUNT ports, one a line, and serves on all of them until killed.
 *
 * Used by the benchmarks only. It trusts its peer: a request must fit its buffer and name its length. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER = 65536, STACK = 262144 };

static SSL_CTX *context;
static pthread_attr_t small;

static void *serve(void *given) {
    static const char text[] = "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    int fd = (int)(long)given, used = 0;
    char *bytes = malloc(BUFFER);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        for (;;) {
            int got = SSL_read(ssl, bytes + used, BUFFER - 1 - used);
            if (got <= 0) break;
            used += got;
            bytes[used] = 0;
            char *end;
            while ((end = memmem(bytes, used, "\r\n\r\n", 4))) {
                *end = 0;
                char *field = strcasestr(bytes, "content-length:");
                *end = '\r';
                int whole = (int)(end - bytes) + 4 + (field && field < end ? atoi(field + 15) : 0);
                if (used < whole) break;
                if (SSL_write(ssl, text, sizeof text - 1) <= 0) goto over;
                memmove(bytes, bytes + whole, used -= whole);
            }
        }
over:
    SSL_free(ssl);
    free(bytes);
    close(fd);
    return NULL;
}

static void *accept_all(void *given) {
    for (;;) {
        int fd = accept((int)(long)given, NULL, NULL), one = 1;
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_t thread;
        if (pthread_create(&thread, &small, serve, (void *)(long)fd)) close(fd);
        else pthread_detach(thread);
    }
}

int main(int count, char **arguments) {
    if (count != 4) return fprintf(stderr, "tls_sink CERTIFICATE KEY COUNT\n"), 2;
    signal(SIGPIPE, SIG_IGN);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK);
    context = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_file(context, arguments[1], SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, arguments[2], SSL_FILETYPE_PEM) != 1)
        return fprintf(stderr, "tls_sink: the certificate or its key cannot be used\n"), 1;
    for (int number = 0; number < atoi(arguments[3]); number++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024)) return perror("tls_sink"), 1;
        getsockname(fd, (struct sockaddr *)&address, &size);
        printf("%d\n", ntohs(address.sin_port));
        pthread_t thread;
        pthread_create(&thread, &small, accept_all, (void *)(long)fd);
    }
    fflush(stdout);
    pause();
}
