#include "holder.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

#define ROOM_FIRST 1024u

/* A frame in the heap: no longer than it has to be, as there may be a million. */
struct waiting {
    uint64_t due_ns;
    uint32_t length, copies;
    uint8_t frame[];
};

struct holder {
    struct ring_buffer *ring;
    int fd;
    struct waiting **heap; /* the earliest first: a node is due no later than its children, 2i + 1 and 2i + 2 */
    size_t n, room;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool heap_grow(struct holder *holder) {
    size_t room = holder->room ? holder->room * 2 : ROOM_FIRST;
    struct waiting **heap = reallocarray(holder->heap, room, sizeof(*heap));
    if (!heap)
        return false;
    holder->heap = heap;
    holder->room = room;
    return true;
}

static void heap_push(struct holder *holder, struct waiting *waiting) {
    size_t i = holder->n++;
    for (size_t parent = (i - 1) / 2; i && holder->heap[parent]->due_ns > waiting->due_ns; parent = (i - 1) / 2) {
        holder->heap[i] = holder->heap[parent];
        i = parent;
    }
    holder->heap[i] = waiting;
}

static struct waiting *heap_pop(struct holder *holder) {
    struct waiting *first = holder->heap[0], *last = holder->heap[--holder->n];
    size_t i = 0;
    for (size_t child = 1; child < holder->n; child = 2 * i + 1) {
        if (child + 1 < holder->n && holder->heap[child + 1]->due_ns < holder->heap[child]->due_ns)
            child++;
        if (holder->heap[child]->due_ns >= last->due_ns)
            break;
        holder->heap[i] = holder->heap[child];
        i = child;
    }
    holder->heap[i] = last;
    return first;
}

static int take(void *context, void *data, size_t size) {
    struct holder *holder = context;
    const struct held *held = data;
    struct waiting *waiting = size >= sizeof(*held) ? malloc(sizeof(*waiting) + held->length) : NULL;
    if (!waiting || (holder->n == holder->room && !heap_grow(holder))) {
        free(waiting);
        return -ENOMEM;
    }
    waiting->due_ns = held->due_ns;
    waiting->length = held->length;
    waiting->copies = held->copies;
    memcpy(waiting->frame, held->frame, held->length);
    heap_push(holder, waiting);
    return 0;
}

static int packet_socket(int interface) {
    const int bypass = 1; /* of the queueing discipline, as for answers that leave at once */
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = interface};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* protocol 0: it receives nothing */
    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

struct holder *holder_new(int ring_fd, int interface) {
    struct holder *holder = calloc(1, sizeof(*holder));
    if (!holder)
        return NULL;
    holder->fd = packet_socket(interface);
    holder->ring = holder->fd < 0 ? NULL : ring_buffer__new(ring_fd, take, holder, NULL);
    if (holder->ring)
        return holder;
    holder_free(holder);
    return NULL;
}

int holder_turn(struct holder *holder) {
    int taken = ring_buffer__consume(holder->ring);
    while (holder->n && holder->heap[0]->due_ns <= now_ns()) {
        struct waiting *waiting = heap_pop(holder);
        for (uint32_t i = 0; i < waiting->copies; i++)
            (void)!send(holder->fd, waiting->frame, waiting->length, 0);
        free(waiting);
    }
    return taken < 0 ? taken : 0;
}

void holder_free(struct holder *holder) {
    if (!holder)
        return;
    ring_buffer__free(holder->ring);
    if (holder->fd >= 0)
        close(holder->fd);
    while (holder->n)
        free(holder->heap[--holder->n]);
    free(holder->heap);
    free(holder);
}
