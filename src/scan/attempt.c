/* An attempt's life: from one endpoint's first connect(2) to its verdict. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "scan/connect.h"

enum {
    REFUSALS_MAX = 50, /* times that the kernel may have no source port for an endpoint, REFUSAL_NAP_MS apart */
    REFUSAL_NAP_MS = 100,
    ROOM_NAP_MS = 20,  /* until the next look for a free descriptor when none was closed meanwhile */
};
#define STARVED_MAX_NS (10 * NS_PER_SEC) /* without a single socket: then nobody will give us one */

static bool is_host(const struct attempt *a) {
    return techniques[a->endpoint.slot.technique].host;
}

struct attempt *attempt_new(struct connect_scan *c, const struct endpoint *ep) {
    struct attempt *a = c->attempts;
    while (a->used)
        a++;
    *a = (struct attempt){.used = true, .fd = -1, .endpoint = *ep};
    c->used++;
    return a;
}

/* On the own machine a SYN may meet the very socket that sent it, or another of ours whose SYN is under way to it
 * (simultaneous open, RFC 9293 3.5). Such a connection says that nobody listens: connect(2) never takes a source port
 * that somebody has bound. */
static bool meets_ourselves(struct connect_scan *c, const struct attempt *a) {
    if (a->crossed)
        return true;
    uint16_t port = dial_port_at(a->fd, a->endpoint.addr);
    if (port == 0 || port == a->port)
        return port != 0;
    for (unsigned i = 0; i < c->n_attempts; i++) {
        struct attempt *b = &c->attempts[i];
        if (b->used && b->fd >= 0 && b->endpoint.addr == a->endpoint.addr && b->port == port &&
            dial_port_at(b->fd, b->endpoint.addr) == a->port) {
            b->crossed = true; /* by the time it is asked, this end may be closed */
            return true;
        }
    }
    return false;
}

static void attempt_close(struct connect_scan *c, struct attempt *a) {
    if (a->fd < 0)
        return;
    close(a->fd);
    a->fd = -1;
    c->open--;
    c->room_ns = 0;
}

void attempt_free(struct connect_scan *c, struct attempt *a) {
    attempt_close(c, a);
    a->used = false;
    c->used--;
}

static void tell(struct connect_scan *c, const struct finding *f) {
    if (!c->discovery) {
        if (c->config.show & 1u << f->state)
            report_push(c->config.report, 0, f); /* a failure is seen by the loop, in report_failed() and *stop */
        return;
    }
    addr_t *up = f->state == STATE_UP ? array_add(&c->up) : NULL;
    if (up)
        *up = f->addr;
    else if (f->state == STATE_UP)
        c->failed = -errno;
}

/* An endpoint's final verdict. */
static void settle(struct connect_scan *c, struct attempt *a, struct verdict v, addr_t reporter, bool answered,
                   uint64_t now_ns) {
    struct finding f = {.addr = a->endpoint.addr, .reporter = reporter, .time_ns = clock_real_ns(),
                        .port = a->endpoint.slot.port, .technique = a->endpoint.slot.technique,
                        .state = (uint8_t)v.state, .reason = (uint8_t)v.reason, .tried = -1};
    c->sum->states[v.state]++;
    c->sum->finals++;
    answered = answered && a->sent_ns > 0;
    if (answered) {
        c->answered++;
        c->sum->answered_at_try[a->tried]++;
        f.tried = (int8_t)a->tried;
    }
    /* After a second the kernel has sent its SYN again, and nobody knows which one was answered (Karn's rule). */
    uint64_t rtt = now_ns - a->sent_ns;
    if (answered && rtt < RTT_TIMEOUT_FIRST_NS) {
        f.flags = FINDING_HAS_RTT;
        f.rtt_us = (uint32_t)(rtt / NS_PER_US);
        rtt_sample(&c->rtt, rtt);
    }
    attempt_free(c, a);
    tell(c, &f);
}

/* What an outcome means. Host or port, the two answers have connect(2)'s own reasons. */
static struct verdict judge(const struct attempt *a, const struct dialled *d) {
    unsigned technique = is_host(a) ? TECHNIQUE_PING : TECHNIQUE_CONNECT;
    struct verdict v = techniques[technique].on[d->outcome];
    enum reason own = techniques[TECHNIQUE_CONNECT].on[d->outcome].reason;
    v.reason = own != REASON_NONE ? own : d->reason;
    return v;
}

bool attempt_finish(struct connect_scan *c, struct attempt *a, int error, uint64_t now_ns) {
    struct dialled d;
    if (!dial_outcome(a->fd, error, a->endpoint.addr, &d))
        return false;
    struct verdict v = judge(a, &d);
    if (v.state == STATE_OPEN && meets_ourselves(c, a)) {
        v = (struct verdict){STATE_CLOSED, REASON_OWN_PORT};
        c->sum->own_ports++;
    }
    if (d.outcome == OUTCOME_SYN_ACK && v.reason != REASON_OWN_PORT && !c->config.no_reset)
        c->sum->resets_sent++;
    if (v.state == STATE_UNKNOWN) { /* a ping that somebody on the way sent back: as silent as the host itself */
        a->heard = d.reason;
        a->reporter = d.reporter;
        a->due_ns = 0;
        return true;
    }
    settle(c, a, v, d.reporter, true, now_ns);
    return true;
}

/* What may be better in a moment. */
static bool is_passing(int error) {
    return error == EADDRNOTAVAIL || error == EADDRINUSE || error == EAGAIN || error == EMFILE || error == ENFILE ||
           error == ENOMEM || error == ENOBUFS || error == EINTR || error == EALREADY;
}

/* The kernel could not connect now. Where it had no socket to give, for want of descriptors or memory, all wait until
 * there is room; for want of a source port only this endpoint does, and not for ever. */
static void attempt_refused(struct connect_scan *c, struct attempt *a, int error, uint64_t now_ns) {
    bool no_socket = a->fd < 0;
    attempt_close(c, a);
    if (no_socket && (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)) {
        c->room_ns = now_ns + ROOM_NAP_MS * NS_PER_MS;
        if (c->open > 0)
            return;
        c->starved_ns = c->starved_ns ? c->starved_ns : now_ns;
        if (now_ns - c->starved_ns > STARVED_MAX_NS)
            c->failed = -error;
        return;
    }
    c->sum->send_refused++;
    c->sum->last_send_error = error;
    a->due_ns = now_ns + REFUSAL_NAP_MS * NS_PER_MS;
    if (is_passing(error) && ++a->refusals < REFUSALS_MAX)
        return;
    c->sum->unreachable++;
    c->sum->states[STATE_UNKNOWN]++;
    c->sum->finals++;
    attempt_free(c, a);
}

bool attempt_is_last(const struct connect_scan *c, const struct attempt *a) {
    return a->tried == c->config.retries && (!is_host(a) || a->part + 1u == c->n_ping);
}

/* How long a try waits. What answers a socket that is closed already is lost, so the last try is not cut short. */
static uint64_t try_timeout(const struct connect_scan *c, const struct attempt *a) {
    uint64_t most = c->config.timeout_ns > RTT_TIMEOUT_MAX_NS ? c->config.timeout_ns : RTT_TIMEOUT_MAX_NS;
    uint64_t timeout = atomic_load_explicit(&c->rtt.timeout_ns, memory_order_relaxed) << a->tried;
    if (a->tried == c->config.retries && !c->config.timeout_ns && timeout < RTT_TIMEOUT_FIRST_NS)
        timeout = RTT_TIMEOUT_FIRST_NS;
    return timeout < most ? timeout : most;
}

void attempt_start(struct connect_scan *c, struct attempt *a) {
    uint64_t now = clock_mono_ns();
    a->port = is_host(a) ? c->ping_ports[a->part] : a->endpoint.slot.port;
    int error = dial(&c->config, c->scope, a->endpoint.addr, a->port, &a->fd);
    if (error < 0) {
        attempt_refused(c, a, -error, now);
        return;
    }
    c->open++;
    c->starved_ns = 0;
    struct epoll_event wanted = {.events = EPOLLOUT, .data.u32 = (uint32_t)(a - c->attempts)};
    if (error == EINPROGRESS && epoll_ctl(c->epoll, EPOLL_CTL_ADD, a->fd, &wanted) < 0) {
        attempt_refused(c, a, errno, now);
        return;
    }
    a->sent_ns = 0;
    if (dial_left(error)) {
        bool v4 = addr_is_v4(a->endpoint.addr);
        a->sent_ns = now;
        a->due_ns = clock_mono_ns() + try_timeout(c, a);
        c->sum->sent++;
        c->sum->sent_at_try[a->tried]++;
        pace_spend(&c->pace, !c->config.bandwidth_bps ? 1 : v4 ? CONNECT_SYN_BITS_V4 : CONNECT_SYN_BITS_V6);
    }
    if (error != EINPROGRESS && !attempt_finish(c, a, error, clock_mono_ns()))
        attempt_refused(c, a, error, now);
}

void attempt_silent(struct connect_scan *c, struct attempt *a, uint64_t now_ns) {
    if (attempt_is_last(c, a)) {
        struct verdict v = techniques[is_host(a) ? TECHNIQUE_PING : TECHNIQUE_CONNECT].on[OUTCOME_SILENCE];
        v.reason = a->heard != REASON_NONE ? a->heard : v.reason;
        settle(c, a, v, a->reporter, false, now_ns);
        return;
    }
    attempt_close(c, a);
    if (is_host(a) && ++a->part < c->n_ping)
        return;
    a->part = 0;
    a->tried++;
}
