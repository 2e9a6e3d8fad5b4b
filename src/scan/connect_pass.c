/* One walk over one plan, in the order's order: connects what may be connected, waits, reads what came of it. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "scan/connect.h"

enum {
    ROUND = 64,          /* connects, and events, between two looks at everything else */
    SLICE_MS = 50,       /* longest sleep: a signal is heard soon */
    PRESSURE_HIGH = 128, /* of 256: sinks are behind, connect no more */
};

static bool sinks_behind(const struct connect_scan *c) {
    return report_pressure(c->config.report) > PRESSURE_HIGH;
}

static unsigned allowed(struct connect_scan *c, uint64_t now_ns) {
    return pace_allow(&c->pace, now_ns, c->config.bandwidth_bps ? CONNECT_SYN_BITS_V4 : 1, ROUND);
}

/* Connects what is due, re-tries first, as far as pace, sockets and sinks allow. */
static void start_some(struct connect_scan *c, uint64_t now_ns) {
    unsigned may = sinks_behind(c) ? 0 : allowed(c, now_ns);
    for (unsigned i = 0; i < c->n_attempts && may > 0 && c->room_ns <= now_ns; i++) {
        struct attempt *a = &c->attempts[i];
        if (a->used && a->fd < 0 && a->due_ns <= now_ns) {
            attempt_start(c, a);
            may--;
        }
    }
    while (may-- > 0 && c->room_ns <= now_ns && c->next < c->end && c->used < c->n_attempts && !c->failed) {
        struct endpoint ep = plan_at(c->plan, order_at(&c->order, c->next++));
        attempt_start(c, attempt_new(c, &ep));
    }
}

/* Waits for outcomes, at most until wake_ns, and reads them. Returns the watermark: every outcome from before it has
 * been read. Timeouts are compared with it, for what waits to be read must not look like silence. */
static uint64_t collect(struct connect_scan *c, uint64_t wake_ns) {
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
static void expire(struct connect_scan *c, uint64_t watermark_ns, bool stopping) {
    for (unsigned i = 0; i < c->n_attempts; i++) {
        struct attempt *a = &c->attempts[i];
        if (!a->used || (a->fd >= 0 && a->due_ns > watermark_ns))
            continue;
        bool silent = a->fd >= 0;
        if (stopping && !(silent && attempt_is_last(c, a)))
            attempt_free(c, a); /* undecided */
        else if (silent)
            attempt_silent(c, a, watermark_ns);
    }
}

/* When the loop has to look again, outcomes aside. */
static uint64_t next_wake(const struct connect_scan *c, uint64_t now_ns, bool stopping) {
    uint64_t ready = pace_when(&c->pace, c->config.bandwidth_bps ? CONNECT_SYN_BITS_V4 : 1, 1);
    uint64_t wake = now_ns + SLICE_MS * NS_PER_MS;
    ready = ready > c->room_ns ? ready : c->room_ns;
    if (sinks_behind(c))
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
static const char *reason_to_stop(const struct connect_scan *c, uint64_t now_ns) {
    const struct scan_config *config = &c->config;
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

/* Shows how far it is; the sum of the four always is what was planned. */
static void publish(struct connect_scan *c) {
    uint64_t begun = c->next - c->first;
    /* Slots ascend by technique, and pings come last. */
    bool pings = plan_size(c->plan) > 0 && plan_at(c->plan, 0).slot.technique == TECHNIQUE_PING;
    struct scan_progress p = {
        .phase = c->discovery ? "ping" : c->next < c->end ? "scan" : "listening",
        .planned = c->end - c->first,
        .unsent = c->end - c->next,
        .in_flight = c->used,
        .answered = c->answered,
        .given_up = begun - c->used - c->answered,
        .sent = c->sum->sent,
        .received = c->answered,
        .found = c->sum->states[pings ? STATE_UP : STATE_OPEN],
        .pings = pings,
        .drops = c->sum->send_refused,
    };
    pthread_mutex_lock(&c->lock);
    c->shown = p;
    c->shown_started_ns = c->pass_started_ns;
    pthread_mutex_unlock(&c->lock);
}

static bool gives_up(const struct connect_scan *c) {
    const struct scan_config *config = &c->config;
    return atomic_load_explicit(config->stop, memory_order_relaxed) > 1 || c->failed || report_failed(config->report) ||
           report_full(config->report); /* listening on would tell nobody anything */
}

static void free_all(struct connect_scan *c) {
    for (unsigned i = 0; i < c->n_attempts; i++)
        if (c->attempts[i].used)
            attempt_free(c, &c->attempts[i]);
}

struct shard connect_shard(const struct scan_config *config, const struct plan *plan) {
    uint64_t total = plan_size(plan);
    struct shard s = total > 0 ? shard_of(total, config->shard, config->shards) : (struct shard){0, 0};
    if (config->sample > 0 && s.end - s.first > config->sample)
        s.end = s.first + config->sample;
    return s;
}

void connect_pass(struct connect_scan *c, const struct plan *plan, bool discovery, struct summary *sum) {
    const struct scan_config *config = &c->config;
    uint64_t total = plan_size(plan);
    /* Every shard looks for all hosts: which of them its ports are on shows only then. */
    struct shard shard = discovery ? (struct shard){0, total} : connect_shard(config, plan);
    c->plan = plan;
    c->sum = sum;
    c->discovery = discovery;
    c->answered = 0;
    c->first = c->next = shard.first;
    c->end = shard.end;
    c->pass_started_ns = clock_mono_ns();
    sum->planned = c->end - c->first;
    if (total > 0)
        order_init(&c->order, total, config->seed);

    const char *ended = NULL;
    uint64_t now = c->pass_started_ns;
    while (c->used > 0 || (!ended && c->next < c->end)) {
        ended = ended ? ended : reason_to_stop(c, now);
        if (gives_up(c))
            break;
        publish(c);
        uint64_t before = now;
        bool behind = sinks_behind(c);
        if (!ended)
            start_some(c, now);
        expire(c, collect(c, next_wake(c, now, ended != NULL)), ended != NULL);
        now = clock_mono_ns();
        if (behind)
            sum->sink_waits_ns += now - before;
    }
    free_all(c);
    publish(c);
    if (sum->finals == sum->planned && !report_failed(config->report))
        sum->ended = "complete"; /* a limit that was met by the last endpoint cut nothing off */
    else
        sum->ended = ended ? ended : reason_to_stop(c, now);
}
