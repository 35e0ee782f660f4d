/* The floor: what a request costs when the server does nothing with it.
 *
 *     floor PORT BODY_IN BODY_OUT CLOSE
 *
 * One epoll loop receives, finds the end of each request head, skips BODY_IN bytes after it, and sends one fixed response with a body of BODY_OUT
 * bytes ("Hello, World!" when that is 13). With CLOSE = 1 it closes the connection after a response. Nothing is parsed, so the figure is that of
 * the kernel: accept, receive, send and wait. No server that uses sockets gets below it on the same machine.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 65536, EVENTS = 256, INPUT = 256 * 1024, COPIES = 64, TAIL = 3 };

struct connection {
    size_t body_left;  /* request body bytes still to be skipped */
    size_t owed;       /* response bytes that still have to be sent */
    size_t position;   /* where in the response the next byte is */
    int watching_out;  /* EPOLLOUT is asked for */
    int tail_length;   /* the end of the last read: a head may end across two reads */
    char tail[TAIL];
};

static struct connection connections[CONNECTIONS];
static char input[TAIL + INPUT];
static char *response; /* several copies in a row, so that pipelined requests are answered with one send */
static size_t response_length, copies, body_in;
static int close_after, poller;

static void build_response(size_t body_out) {
    char head[256];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 200 OK\r\nserver: floor\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                               "content-type: text/plain; charset=utf-8\r\ncontent-length: %zu\r\n%s\r\n",
                               body_out, close_after ? "connection: close\r\n" : "");
    response_length = (size_t)head_length + body_out;
    copies = body_out > 4096 ? 1 : COPIES;
    response = malloc(copies * response_length);
    if (!response) exit(1);
    for (size_t i = 0; i < copies; i++) {
        char *start = response + i * response_length;
        memcpy(start, head, (size_t)head_length);
        memset(start + head_length, 'Z', body_out);
        if (body_out == 13) memcpy(start + head_length, "Hello, World!", 13);
    }
}

static int listen_on(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 2048)) {
        perror("floor");
        exit(1);
    }
    return listener;
}

static void watch(int descriptor, unsigned events, int operation) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    epoll_ctl(poller, operation, descriptor, &event);
}

static void accept_all(int listener) {
    int descriptor, one = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (descriptor >= CONNECTIONS) {
            close(descriptor);
            continue;
        }
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        memset(&connections[descriptor], 0, sizeof connections[descriptor]);
        watch(descriptor, EPOLLIN, EPOLL_CTL_ADD);
    }
}

/* Count the requests that end in these bytes; what is left of an unfinished head is kept as the tail. */
static size_t count_requests(struct connection *c, char *at, char *end) {
    size_t requests = 0;
    while (at < end) {
        if (c->body_left) {
            size_t skipped = c->body_left < (size_t)(end - at) ? c->body_left : (size_t)(end - at);
            c->body_left -= skipped;
            at += skipped;
            requests += c->body_left == 0;
            continue;
        }
        char *found = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (!found) break;
        at = found + 4;
        c->body_left = body_in;
        requests += body_in == 0;
    }
    c->tail_length = end - at < TAIL ? (int)(end - at) : TAIL;
    memcpy(c->tail, end - c->tail_length, (size_t)c->tail_length);
    return requests;
}

/* Send what is owed; 0 when the connection is over. */
static int flush(int descriptor, struct connection *c) {
    while (c->owed) {
        size_t room = copies * response_length - c->position;
        ssize_t sent = send(descriptor, response + c->position, c->owed < room ? c->owed : room, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) return 0;
            if (!c->watching_out) watch(descriptor, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
            c->watching_out = 1;
            return 1;
        }
        c->owed -= (size_t)sent;
        c->position = (c->position + (size_t)sent) % response_length;
        if (!c->owed && close_after) return 0;
    }
    if (c->watching_out) watch(descriptor, EPOLLIN, EPOLL_CTL_MOD);
    c->watching_out = 0;
    return 1;
}

static int receive(int descriptor, struct connection *c) {
    char *start = input + TAIL - c->tail_length;
    memcpy(start, c->tail, (size_t)c->tail_length);
    ssize_t received = recv(descriptor, input + TAIL, INPUT, 0);
    if (received < 0) return errno == EAGAIN;
    if (received == 0) return 0;
    c->owed += count_requests(c, start, input + TAIL + received) * response_length;
    return flush(descriptor, c);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "floor PORT BODY_IN BODY_OUT CLOSE\n");
        return 2;
    }
    body_in = strtoul(argv[2], NULL, 10);
    close_after = atoi(argv[4]);
    build_response(strtoul(argv[3], NULL, 10));
    poller = epoll_create1(0);
    int listener = listen_on(atoi(argv[1]));
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    struct epoll_event events[EVENTS];
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int descriptor = events[i].data.fd;
            if (descriptor == listener) {
                accept_all(listener);
                continue;
            }
            struct connection *c = &connections[descriptor];
            int alive = !(events[i].events & EPOLLOUT) || flush(descriptor, c);
            if (alive && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = receive(descriptor, c);
            if (!alive) close(descriptor);
        }
    }
}
