/* The scan that needs no privilege: connect(2), non-blocking, a bounded number at a time, in the order's order. One
 * thread; an endpoint keeps its attempt through all its tries, so memory is bounded by the number of sockets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "plan/order.h"
#include "scan/dial.h"
#include "scan/pace.h"
#include "scan/rtt.h"
#include "scan/scan.h"

enum {
    SOCKETS_DEFAULT = 512,
    DESCRIPTORS_SPARE = 3, /* left for others in this process: name lookups, an output's end */
    ROUND = 64,            /* connects, and events, between two looks at everything else */
    REFUSALS_MAX = 50,     /* times that the kernel may have no source port for an endpoint, REFUSAL_NAP_MS apart */
    REFUSAL_NAP_MS = 100,
    ROOM_NAP_MS = 20,      /* until the next look for a free descriptor when none was closed meanwhile */
    SLICE_MS = 50,         /* longest sleep: a signal is heard soon */
    PRESSURE_HIGH = 128,   /* of 256: sinks are behind, connect no more */
    SYN_BITS_V4 = (74 + 24) * 8, /* the kernel's SYN with its 20 bytes of options, on Ethernet as -B counts it */
    SYN_BITS_V6 = (94 + 24) * 8,
};
#define STARVED_MAX_NS (10 * NS_PER_SEC) /* without a single socket: then nobody will give us one */

/* One endpoint in work. */
struct attempt {
    struct endpoint endpoint;
    bool used;
    bool crossed;     /* the other end of the connection is another of our sockets */
    uint8_t tried;
    uint8_t refusals;
    int fd;           /* -1: waits for its next connect, not before due_ns */
    uint64_t sent_ns; /* monotonic, as due_ns: when the try ends */
    uint64_t due_ns;
};

struct connects {
    const struct scan_config *config;
    struct summary *sum;
    struct order order;
    uint64_t next, end; /* positions not begun */
    struct pace pace;
    struct rtt rtt;
    int epoll;
    unsigned scope;     /* interface index of -e, 0 without */
    struct attempt *attempts;
    unsigned n_attempts, used, open; /* there are, in work, with a socket */
    uint64_t started_ns, room_ns /* no socket before */, starved_ns /* since when none could be had; 0 = not so */;
    int failed;         /* negative errno that ends the scan */
};

/* ---- an attempt's life ---- */

/* On the own machine a SYN may meet the very socket that sent it, or another of ours whose SYN is under way to it
 * (simultaneous open, RFC 9293 3.5). Such a connection says that nobody listens: connect(2) never takes a source port
 * that somebody has bound. */
static bool meets_ourselves(struct connects *c, const struct attempt *a) {
    if (a->crossed)
        return true;
    uint16_t port = dial_port_at(a->fd, a->endpoint.addr);
    if (port == 0 || port == a->endpoint.slot.port)
        return port != 0;
    for (unsigned i = 0; i < c->n_attempts; i++) {
        struct attempt *b = &c->attempts[i];
        if (b->used && b->fd >= 0 && b->endpoint.addr == a->endpoint.addr && b->endpoint.slot.port == port &&
            dial_port_at(b->fd, b->endpoint.addr) == a->endpoint.slot.port) {
            b->crossed = true; /* by the time it is asked, this end may be closed */
            return true;
        }
    }
    return false;
}

static void attempt_close(struct connects *c, struct attempt *a) {
    if (a->fd < 0)
        return;
    close(a->fd);
    a->fd = -1;
    c->open--;
    c->room_ns = 0;
}

static void attempt_free(struct connects *c, struct attempt *a) {
    attempt_close(c, a);
    a->used = false;
    c->used--;
}

/* An endpoint's final verdict. */
static void settle(struct connects *c, struct attempt *a, struct verdict v, addr_t reporter, uint64_t now_ns) {
    bool answered = a->sent_ns > 0 && v.reason != REASON_NO_RESPONSE;
    struct finding f = {.addr = a->endpoint.addr, .reporter = reporter, .time_ns = clock_real_ns(),
                        .port = a->endpoint.slot.port, .technique = a->endpoint.slot.technique,
                        .state = (uint8_t)v.state, .reason = (uint8_t)v.reason, .tried = -1};
    c->sum->states[v.state]++;
    c->sum->finals++;
    if (answered) {
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
    if (c->config->show & 1u << v.state)
        report_push(c->config->report, 0, &f); /* a failure is seen by the loop, in report_failed() and *stop */
}

/* The socket has an outcome. False when that tells nothing about the target. */
static bool attempt_finish(struct connects *c, struct attempt *a, int error, uint64_t now_ns) {
    addr_t reporter = 0;
    struct verdict v = dial_verdict(a->fd, error, a->endpoint.addr, &reporter);
    if (v.state == STATE_OPEN && meets_ourselves(c, a)) {
        v = (struct verdict){STATE_CLOSED, REASON_OWN_PORT};
        c->sum->own_ports++;
    }
    if (v.state == STATE_OPEN && !c->config->no_reset)
        c->sum->resets_sent++;
    if (v.state == STATE_UNKNOWN)
        return false;
    settle(c, a, v, reporter, now_ns);
    return true;
}

/* The kernel could not connect now. Where it had no socket to give, for want of descriptors or memory, all wait until
 * there is room; for want of a source port only this endpoint does, and not for ever. */
static void attempt_refused(struct connects *c, struct attempt *a, int error, uint64_t now_ns) {
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
    if (++a->refusals < REFUSALS_MAX)
        return;
    c->sum->unreachable++;
    c->sum->states[STATE_UNKNOWN]++;
    c->sum->finals++;
    attempt_free(c, a);
}

/* How long a try waits. What answers a socket that is closed already is lost, so the last try is not cut short. */
static uint64_t try_timeout(const struct connects *c, unsigned tried) {
    uint64_t most = c->config->timeout_ns > RTT_TIMEOUT_MAX_NS ? c->config->timeout_ns : RTT_TIMEOUT_MAX_NS;
    uint64_t timeout = atomic_load_explicit(&c->rtt.timeout_ns, memory_order_relaxed) << tried;
    if (tried == c->config->retries && !c->config->timeout_ns && timeout < RTT_TIMEOUT_FIRST_NS)
        timeout = RTT_TIMEOUT_FIRST_NS;
    return timeout < most ? timeout : most;
}

/* One connect(2). */
static void attempt_start(struct connects *c, struct attempt *a) {
    uint64_t now = clock_mono_ns();
    int error = dial(c->config, c->scope, &a->endpoint, &a->fd);
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
        a->sent_ns = now;
        a->due_ns = clock_mono_ns() + try_timeout(c, a->tried);
        c->sum->sent++;
        c->sum->sent_at_try[a->tried]++;
        pace_spend(&c->pace, !c->config->bandwidth_bps ? 1 : addr_is_v4(a->endpoint.addr) ? SYN_BITS_V4 : SYN_BITS_V6);
    }
    if (error != EINPROGRESS && !attempt_finish(c, a, error, clock_mono_ns()))
        attempt_refused(c, a, error, now);
}

/* ---- the loop ---- */

static unsigned allowed(struct connects *c, uint64_t now_ns) {
    return pace_allow(&c->pace, now_ns, c->config->bandwidth_bps ? SYN_BITS_V4 : 1, ROUND);
}

/* Takes the next position up. */
static struct attempt *attempt_new(struct connects *c) {
    struct attempt *a = c->attempts;
    while (a->used)
        a++;
    *a = (struct attempt){.used = true, .fd = -1};
    a->endpoint = plan_at(c->config->plan, order_at(&c->order, c->next++));
    c->used++;
    return a;
}

/* Connects what is due, re-tries first, as far as pace, sockets and sinks allow. */
static void start_some(struct connects *c, uint64_t now_ns) {
    unsigned may = report_pressure(c->config->report) > PRESSURE_HIGH ? 0 : allowed(c, now_ns);
    for (unsigned i = 0; i < c->n_attempts && may > 0 && c->room_ns <= now_ns; i++) {
        struct attempt *a = &c->attempts[i];
        if (a->used && a->fd < 0 && a->due_ns <= now_ns) {
            attempt_start(c, a);
            may--;
        }
    }
    while (may-- > 0 && c->room_ns <= now_ns && c->next < c->end && c->used < c->n_attempts && !c->failed)
        attempt_start(c, attempt_new(c));
}

/* Waits for outcomes, at most until wake_ns, and reads them. Returns the watermark: every outcome from before it has
 * been read. Timeouts are compared with it, for what waits to be read must not look like silence. */
static uint64_t collect(struct connects *c, uint64_t wake_ns) {
    struct epoll_event events[ROUND];
    uint64_t before = clock_mono_ns();
    int ms = wake_ns > before ? (int)((wake_ns - before + NS_PER_MS - 1) / NS_PER_MS) : 0;
    int n = epoll_wait(c->epoll, events, ROUND, ms);
    uint64_t now = clock_mono_ns();
    for (int i = 0; i < n; i++) {
        struct attempt *a = &c->attempts[events[i].data.u32];
        int error = 0;
        socklen_t len = sizeof error;
        if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
            error = errno;
        if (error == 0 && !(events[i].events & EPOLLOUT))
            error = ETIMEDOUT; /* woken by something else than a connection */
        if (!attempt_finish(c, a, error, now))
            a->due_ns = before; /* such as ETIMEDOUT, when the kernel gave up: silence */
    }
    return n == ROUND ? 0 : before;
}

/* Ends the tries whose time was over by the watermark. */
static void expire(struct connects *c, uint64_t watermark_ns, bool stopping) {
    for (unsigned i = 0; i < c->n_attempts; i++) {
        struct attempt *a = &c->attempts[i];
        if (!a->used || (a->fd >= 0 && a->due_ns > watermark_ns))
            continue;
        bool silent = a->fd >= 0;
        if (silent && a->tried == c->config->retries) {
            settle(c, a, (struct verdict){STATE_FILTERED, REASON_NO_RESPONSE}, 0, watermark_ns);
        } else if (stopping) {
            attempt_free(c, a); /* undecided */
        } else if (silent) {
            attempt_close(c, a);
            a->tried++;
        }
    }
}

/* When the loop has to look again, outcomes aside. */
static uint64_t next_wake(const struct connects *c, uint64_t now_ns, bool stopping) {
    uint64_t ready = pace_when(&c->pace, c->config->bandwidth_bps ? SYN_BITS_V4 : 1, 1);
    uint64_t wake = now_ns + SLICE_MS * NS_PER_MS;
    ready = ready > c->room_ns ? ready : c->room_ns;
    if (report_pressure(c->config->report) > PRESSURE_HIGH)
        ready = now_ns + NS_PER_MS;
    if (!stopping && c->next < c->end && c->used < c->n_attempts)
        wake = ready < wake ? ready : wake;
    for (unsigned i = 0; i < c->n_attempts; i++) {
        const struct attempt *a = &c->attempts[i];
        uint64_t due = a->fd < 0 && a->due_ns < ready ? ready : a->due_ns;
        if (a->used && due < wake)
            wake = due;
    }
    return wake;
}

/* Why nothing more is to be sent, or NULL. */
static const char *reason_to_stop(const struct connects *c, uint64_t now_ns) {
    const struct scan_config *config = c->config;
    if (atomic_load_explicit(config->stop, memory_order_relaxed) > 0)
        return "interrupted";
    if (report_failed(config->report))
        return "output failed";
    if (report_full(config->report))
        return "max-results";
    if (config->max_runtime_ns > 0 && now_ns - c->started_ns >= config->max_runtime_ns)
        return "max-runtime";
    return NULL;
}

static void connects_run(struct connects *c) {
    const char *ended = NULL;
    uint64_t now = c->started_ns;
    while (c->used > 0 || (!ended && c->next < c->end)) {
        ended = ended ? ended : reason_to_stop(c, now);
        if (atomic_load_explicit(c->config->stop, memory_order_relaxed) > 1 || c->failed ||
            report_failed(c->config->report) || report_full(c->config->report))
            break; /* listening on would tell nobody anything */
        uint64_t before = now;
        bool sinks_behind = report_pressure(c->config->report) > PRESSURE_HIGH;
        if (!ended)
            start_some(c, now);
        expire(c, collect(c, next_wake(c, now, ended != NULL)), ended != NULL);
        now = clock_mono_ns();
        if (sinks_behind)
            c->sum->sink_waits_ns += now - before;
    }
    if (c->sum->finals == c->sum->planned && !report_failed(c->config->report))
        c->sum->ended = "complete"; /* a limit that was met by the last endpoint cut nothing off */
    else
        c->sum->ended = ended ? ended : reason_to_stop(c, now);
}

/* ---- beginning and end ---- */

/* Sockets at a time: what was asked for, and what the process may have. */
static unsigned sockets_most(unsigned wanted) {
    struct rlimit limit;
    rlim_t most = wanted ? wanted : SOCKETS_DEFAULT;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        rlim_t room = limit.rlim_cur > DESCRIPTORS_SPARE ? limit.rlim_cur - DESCRIPTORS_SPARE : 1;
        most = most < room ? most : room;
    }
    return (unsigned)most;
}

static bool all_loopback(const struct plan *plan) {
    size_t n;
    const struct addr_range *ranges = plan_ranges(plan, &n);
    for (size_t i = 0; i < n; i++) {
        bool v4 = ranges[i].lo >= addr_from_v4(0x7f000000) && ranges[i].hi <= addr_from_v4(0x7fffffff);
        if (!v4 && !(ranges[i].lo == 1 && ranges[i].hi == 1))
            return false;
    }
    return true;
}

static void summary_begin(struct connects *c) {
    const struct scan_config *config = c->config;
    struct summary *sum = c->sum;
    addr_t addresses = plan_addresses(config->plan);
    sum->seed = config->seed;
    sum->start_ns = clock_real_ns();
    sum->planned = c->end - c->next;
    sum->addresses = addresses > UINT64_MAX ? UINT64_MAX : (uint64_t)addresses;
    sum->rate_milli_pps = config->rate_milli_pps;
    sum->bandwidth_bps = config->bandwidth_bps;
    sum->retries = config->retries;
    sum->batch = 1;
    memcpy(sum->wire, "connect", sizeof "connect");
}

static int connects_init(struct connects *c, unsigned max_sockets, struct error *e) {
    const struct scan_config *config = c->config;
    uint64_t total = plan_size(config->plan), rate = config->rate_milli_pps;
    struct shard shard = shard_of(total, config->shard, config->shards);
    c->next = shard.first;
    c->end = config->sample > 0 && shard.end - shard.first > config->sample ? shard.first + config->sample : shard.end;
    order_init(&c->order, total, config->seed);
    summary_begin(c);
    int r = dial_check(config, &c->scope, e);
    if (r < 0)
        return r;
    if ((config->pcap_path || config->frames) && config->note)
        config->note(config->ctx, "a connect scan sees no packets: there is nothing to capture or to trace");
    if (config->bandwidth_bps)
        rate = config->bandwidth_bps * 1000;
    else if (config->rate_default && all_loopback(config->plan))
        rate = 0;
    c->started_ns = clock_mono_ns();
    pace_init(&c->pace, rate, c->started_ns);
    rtt_init(&c->rtt, config->timeout_ns ? config->timeout_ns : RTT_TIMEOUT_FIRST_NS, config->timeout_ns != 0);
    c->n_attempts = sockets_most(max_sockets);
    c->attempts = calloc(c->n_attempts, sizeof *c->attempts);
    if (!c->attempts)
        return error_set(e, -ENOMEM, "no memory for %u connections", c->n_attempts);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    return c->epoll < 0 ? error_set(e, -errno, "cannot watch connections: %s", strerror(errno)) : 0;
}

static void connects_deinit(struct connects *c) {
    for (unsigned i = 0; c->attempts && i < c->n_attempts; i++) {
        if (c->attempts[i].used)
            attempt_free(c, &c->attempts[i]);
    }
    free(c->attempts);
    if (c->epoll >= 0)
        close(c->epoll);
}

struct connect_scan {
    struct scan_config config;
    unsigned max_sockets;
};

int connect_create(const struct scan_config *config, unsigned max_sockets, struct connect_scan **out, struct error *e) {
    *out = malloc(sizeof **out);
    if (!*out)
        return error_set(e, -ENOMEM, "no memory for a scan");
    **out = (struct connect_scan){*config, max_sockets};
    return 0;
}

void connect_progress(struct connect_scan *c, struct scan_progress *out) {
    (void)c;
    *out = (struct scan_progress){.phase = "starting"};
}

void connect_free(struct connect_scan *c) {
    free(c);
}

int connect_run(struct connect_scan *s, struct report *report, struct summary *sum, struct error *e) {
    s->config.report = report;
    const struct scan_config *config = &s->config;
    struct connects c = {.config = config, .sum = sum, .epoll = -1};
    int r = connects_init(&c, s->max_sockets, e);
    if (r == 0)
        connects_run(&c);
    sum->end_ns = clock_real_ns();
    sum->duration_ns = c.started_ns ? clock_mono_ns() - c.started_ns : 0;
    sum->srtt_ns = c.rtt.srtt_ns;
    sum->rto_ns = atomic_load_explicit(&c.rtt.timeout_ns, memory_order_relaxed);
    if (r == 0 && c.failed && !report_failed(config->report))
        r = error_set(e, c.failed, "no socket to connect with: %s", strerror(-c.failed));
    if (r < 0 || !sum->ended)
        sum->ended = "failed";
    connects_deinit(&c);
    return r;
}
