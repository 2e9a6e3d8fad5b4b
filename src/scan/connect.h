/* Inside of the connect scan: an endpoint keeps its attempt through all its tries, so memory is bounded by the number of
 * sockets. One thread. Nothing outside the connect scan's own files includes this. */
#ifndef NOCTULE_SCAN_CONNECT_H
#define NOCTULE_SCAN_CONNECT_H

#include <pthread.h>

#include "base/array.h"
#include "plan/order.h"
#include "scan/dial.h"
#include "scan/pace.h"
#include "scan/rtt.h"
#include "scan/scan.h"

enum {
    CONNECT_SYN_BITS_V4 = (74 + 24) * 8, /* the kernel's SYN with its 20 bytes of options, on Ethernet as -B counts it */
    CONNECT_SYN_BITS_V6 = (94 + 24) * 8,
};

/* One endpoint in work. */
struct attempt {
    struct endpoint endpoint;
    bool used;
    bool crossed;     /* the other end of the connection is another of our sockets */
    uint8_t tried;
    uint8_t part;     /* of a ping: which of its ports */
    uint8_t refusals;
    uint16_t port;    /* that is connected to */
    int fd;           /* -1: waits for its next connect, not before due_ns */
    uint64_t sent_ns; /* monotonic, as due_ns: when the try ends */
    uint64_t due_ns;
    enum reason heard; /* of a ping: an error on the way, which says nothing of the host itself */
    addr_t reporter;   /* ... and who sent it */
};

struct connect_scan {
    struct scan_config config;
    unsigned scope; /* interface index of -e, 0 without */
    uint16_t ping_ports[PROBE_PARTS_MAX];
    unsigned n_ping;
    struct pace pace;
    struct rtt rtt;
    int epoll;
    struct attempt *attempts;
    unsigned n_attempts, used, open; /* there are, in work, with a socket */
    uint64_t started_ns;
    uint64_t room_ns;    /* no socket before */
    uint64_t starved_ns; /* since when none could be had; 0 = not so */
    int failed;          /* negative errno that ends the scan */

    /* the present pass */
    const struct plan *plan;
    struct order order;
    uint64_t first, next, end; /* positions; those from `next` are not begun */
    uint64_t answered, pass_started_ns;
    bool discovery;      /* looks for hosts only: they go to `up`, and nothing is reported */
    struct array up;     /* addr_t */
    struct summary *sum; /* of the pass */

    pthread_mutex_t lock;       /* of what follows: any thread may ask */
    struct scan_progress shown;
    uint64_t shown_started_ns;
};

/* Takes up the endpoint as an attempt that is due at once; there must be a free one. */
struct attempt *attempt_new(struct connect_scan *c, const struct endpoint *ep);

/* One connect(2). */
void attempt_start(struct connect_scan *c, struct attempt *a);

/* The socket has an outcome. False when that tells nothing about the target. */
bool attempt_finish(struct connect_scan *c, struct attempt *a, int error, uint64_t now_ns);

/* The time of the present connect is over without an answer: the next port, the next try, or the end. */
void attempt_silent(struct connect_scan *c, struct attempt *a, uint64_t now_ns);

/* Would silence now be the attempt's last word? */
bool attempt_is_last(const struct connect_scan *c, const struct attempt *a);

/* Gives it up, whatever its state. */
void attempt_free(struct connect_scan *c, struct attempt *a);

/* The positions of a plan (which may be empty) that are for this process to probe. */
struct shard connect_shard(const struct scan_config *config, const struct plan *plan);

/* Walks one plan; counts go to sum. Ends when every endpoint is settled or something ends the scan: sum->ended says it.
 * With `discovery`, addresses that answer are added to c->up. */
void connect_pass(struct connect_scan *c, const struct plan *plan, bool discovery, struct summary *sum);

#endif
