#include "cli/guided_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "cli/guided_explain.h"
#include "scan/scan.h"

#define PING_NS (3 * NS_PER_SEC)       /* a host that has not answered by then, does not */
#define PING_TRIES 2u                  /* after a second again, so that the second one has two */
/* The cap of noctule's default, and fixed: --rate auto would ask open ports again, which would want explaining. */
#define RATE_MILLI_PPS UINT64_C(10000000)
#define RETRIES 3u
#define TTL 64u
#define CONNECTIONS_MAX 100u
#define SHOW_ALL 0xffffu
#define TELL_EVERY_NS (5 * NS_PER_SEC) /* how much time remains; the first time after a second */
#define TELL_FIRST_NS NS_PER_SEC

const struct guided_kind guided_kinds[] = {
    {'c', TECHNIQUE_CONNECT, TEXT_BEGIN_CONNECT},
    {'s', TECHNIQUE_SYN, TEXT_BEGIN_SYN},
    {'f', TECHNIQUE_FIN, TEXT_BEGIN_FIN},
    {'u', TECHNIQUE_UDP, TEXT_BEGIN_UDP},
};
const size_t guided_kind_count = sizeof guided_kinds / sizeof *guided_kinds;

/* What is known of one port. */
struct port_result {
    addr_t reporter;
    uint8_t state, reason;
    bool known, told;
};

static bool is_limited(const struct port_result *p) {
    return p->known && p->state == STATE_UNKNOWN && p->reason == REASON_RATE_LIMITED;
}

/* One scan, or one ping. */
struct run {
    struct guided *g;
    enum technique_id technique;
    struct plan *plan;
    struct scan *scan;             /* or */
    struct connect_scan *connect;
    struct summary sum;
    struct port_result *ports;     /* of a scan: from answers.begin on */
    struct record *record;         /* with --explain, else NULL */
    uint64_t started_ns, tell_ns;  /* monotonic */
    _Atomic bool up;               /* of a ping: answered */
};

static unsigned ports_asked(const struct guided *g) {
    return g->answers.end - g->answers.begin + 1u;
}

/* ---- one pass of the engine over one host ---- */

static int plan_for(const struct guided *g, addr_t host, enum technique_id technique, struct plan **out,
                    struct error *e) {
    bool ping = technique == TECHNIQUE_PING;
    unsigned n = ping ? 1 : ports_asked(g);
    struct target target = {.range = {host, host}, .port = -1};
    struct slot *slots = calloc(n, sizeof *slots);
    if (!slots)
        return error_set(e, -ENOMEM, "no memory for %u ports", n);
    for (unsigned i = 0; i < n; i++)
        slots[i] = (struct slot){.port = ping ? 0 : (uint16_t)(g->answers.begin + i), .technique = (uint8_t)technique};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = n};
    int code = plan_create(&in, out, e);
    free(slots);
    return code;
}

static void hear_frames(void *ctx, bool sent, enum link_type link, const struct frame *frames, unsigned n) {
    struct run *r = ctx;
    record_frames(r->record, sent, link, frames, n);
}

static struct scan_config config_for(struct run *r) {
    bool ping = r->technique == TECHNIQUE_PING;
    struct scan_config c = {
        .plan = r->plan,
        .shard = 1,
        .shards = 1,
        .rate_milli_pps = RATE_MILLI_PPS,
        .rate_default = true,
        .retries = ping ? PING_TRIES - 1 : RETRIES,
        .timeout_ns = ping ? PING_NS / 3 : 0,
        .ttl = TTL,
        .host_timeout_ns = r->g->host_timeout_ns,
        .ping = {{PING_ECHO, 0}, {PING_SYN, 443}, {PING_ACK, 80}, {PING_TIMESTAMP, 0}},
        .n_ping = 4,
        .show = SHOW_ALL,
        .frames = r->record && r->technique != TECHNIQUE_CONNECT ? hear_frames : NULL,
        .ctx = r,
        .stop = &r->g->watch.stop,
    };
    random_bytes(&c.seed, sizeof c.seed); /* only the order of the ports comes from it: any value is one */
    return c;
}

/* Runs the engine, with everything heard by listener, and the time by tick. */
static int run_engine(struct run *r, bool raw, void (*listener)(void *ctx, const struct finding *f),
                      void (*tick)(void *ctx), struct error *e) {
    struct scan_config config = config_for(r);
    struct report_config report_config = {.show = SHOW_ALL, .listener = listener, .listener_ctx = r};
    struct report *report = NULL;
    struct error late = ERROR_INIT;
    int code = raw ? scan_create(&config, &r->scan, e) : connect_create(&config, CONNECTIONS_MAX, &r->connect, e);
    if (code == 0)
        code = report_create(&report_config, SCAN_QUEUES, &report, e);
    r->started_ns = clock_mono_ns();
    r->tell_ns = r->started_ns + TELL_FIRST_NS;
    if (code == 0)
        code = guided_watch_begin(&r->g->watch, tick, r, e);
    if (code == 0) {
        code = raw ? scan_run(r->scan, report, &r->sum, e) : connect_run(r->connect, report, &r->sum, e);
        guided_watch_end(&r->g->watch);
    }
    if (report) {
        int closed = report_finish(report, &r->sum, &late);
        if (code == 0 && closed < 0)
            code = error_set(e, closed, "%s", late.text);
    }
    scan_free(r->scan);
    if (r->connect)
        connect_free(r->connect);
    r->scan = NULL;
    r->connect = NULL;
    return code;
}

/* Why nothing came of it; -ENETUNREACH in our own words, for that is what learners meet. */
static int complain(const struct guided *g, int code, const struct error *e) {
    char host[ADDR_STRLEN];
    if (code == -ENETUNREACH)
        guided_say(stderr, g->language, TEXT_NO_ROUTE, (const char *const[]){addr_format(g->answers.host, host)});
    else
        guided_say(stderr, g->language, TEXT_FAILED, (const char *const[]){e->text});
    return code;
}

bool guided_may_send(void) {
    struct guided g = {.answers = {.begin = 1, .end = 1}, .watch = GUIDED_WATCH_INIT};
    struct run r = {.g = &g, .technique = TECHNIQUE_SYN};
    struct scan *scan = NULL;
    struct error e = ERROR_INIT;
    int code = plan_for(&g, addr_from_v4(0x7f000001), r.technique, &r.plan, &e);
    if (code == 0) {
        struct scan_config config = config_for(&r);
        code = scan_create(&config, &scan, &e);
    }
    scan_free(code == 0 ? scan : NULL);
    plan_free(r.plan);
    return code != -EPERM && code != -EACCES;
}

/* ---- ping ---- */

static void hear_ping(void *ctx, const struct finding *f) {
    struct run *r = ctx;
    if (f->state == STATE_UP)
        atomic_store(&r->up, true);
}

/* Ends the ping with the answer, or when its time is over. */
static void tick_ping(void *ctx) {
    struct run *r = ctx;
    if (atomic_load(&r->up) || clock_mono_ns() - r->started_ns >= PING_NS)
        atomic_store(&r->g->watch.stop, 2);
}

int guided_ping(struct guided *g, bool *answered) {
    struct run r = {.g = g, .technique = TECHNIQUE_PING};
    struct error e = ERROR_INIT;
    int code = plan_for(g, g->answers.host, TECHNIQUE_PING, &r.plan, &e);
    if (code == 0)
        code = run_engine(&r, g->privileged, hear_ping, tick_ping, &e);
    plan_free(r.plan);
    if (atomic_load(&g->watch.signal))
        return -EINTR;
    *answered = atomic_load(&r.up);
    return code < 0 ? complain(g, code, &e) : 0;
}

/* ---- scans ---- */

static void say_port(const struct guided *g, enum guided_text text, uint16_t port, const char *what, const char *more) {
    char host[ADDR_STRLEN], number[8];
    snprintf(number, sizeof number, "%u", port);
    guided_say(stdout, g->language, text,
               (const char *const[]){addr_format(g->answers.host, host), number, what, more});
}

/* May a better answer still come? What connect(2) says is final. */
static bool is_firm(const struct run *r, enum state state) {
    return r->technique == TECHNIQUE_CONNECT || verdict_rank(state) >= verdict_rank(STATE_CLOSED);
}

/* Called by the report's thread, for each verdict and for each that is better than an earlier one. */
static void hear_port(void *ctx, const struct finding *f) {
    struct run *r = ctx;
    const struct guided *g = r->g;
    if (finding_is_host(f) || f->port < g->answers.begin || f->port > g->answers.end)
        return;
    struct port_result *p = &r->ports[f->port - g->answers.begin];
    enum state before = (enum state)p->state, now = (enum state)f->state;
    p->known = true;
    p->state = f->state;
    p->reason = f->reason;
    p->reporter = f->reporter;
    if (p->told && now != before)
        say_port(g, TEXT_PORT_REVISED, f->port, guided_state(g->language, now), guided_state(g->language, before));
    if (p->told || now == STATE_UNKNOWN || !is_firm(r, now))
        return;
    p->told = true;
    say_port(g, TEXT_PORT, f->port, guided_state(g->language, now), NULL);
}

static void tick_scan(void *ctx) {
    struct run *r = ctx;
    struct scan_progress progress = {.eta_ns = 0};
    char minutes[24], seconds[24];
    uint64_t now = clock_mono_ns();
    if (ferror(stdout))
        atomic_store(&r->g->watch.stop, 2); /* nobody reads any more */
    if (r->technique != TECHNIQUE_UDP || now < r->tell_ns)
        return;
    scan_progress(r->scan, &progress);
    uint64_t left = (progress.eta_ns + NS_PER_SEC - 1) / NS_PER_SEC;
    if (left == 0)
        return; /* not known yet: asked again in a moment */
    r->tell_ns = now + TELL_EVERY_NS;
    snprintf(minutes, sizeof minutes, "%" PRIu64, left / 60);
    snprintf(seconds, sizeof seconds, "%" PRIu64, left % 60);
    if (left < 60)
        guided_say(stderr, r->g->language, TEXT_LEFT_SECONDS, (const char *const[]){seconds});
    else
        guided_say(stderr, r->g->language, TEXT_LEFT_MINUTES, (const char *const[]){minutes, seconds});
}

/* Why a port has no verdict, as far as the scan can tell. */
static enum guided_text undecided_because(const struct run *r) {
    return r->sum.hosts_down ? TEXT_HOST_DOWN : r->sum.unreachable ? TEXT_NO_WAY : TEXT_NOT_REACHED;
}

/* What waited for the end of the scan, because a better answer could still have come. */
static void say_the_rest(const struct run *r) {
    const struct guided *g = r->g;
    unsigned limited = 0;
    char count[16];
    for (unsigned i = 0; i < ports_asked(g); i++) {
        const struct port_result *p = &r->ports[i];
        uint16_t port = (uint16_t)(g->answers.begin + i);
        limited += is_limited(p);
        if (p->told)
            continue;
        if (p->known && p->state != STATE_UNKNOWN)
            say_port(g, TEXT_PORT, port, guided_state(g->language, (enum state)p->state), NULL);
        else if (is_limited(p))
            say_port(g, TEXT_PORT_LIMITED, port, NULL, NULL);
        else
            say_port(g, TEXT_PORT_UNDECIDED, port, guided_text(g->language, undecided_because(r)), NULL);
    }
    snprintf(count, sizeof count, "%u", limited);
    if (limited)
        guided_say(stdout, g->language, TEXT_LIMITED_HINT, (const char *const[]){count});
}

/* A signal came: what was decided is told, the others are counted. */
static void say_stopped(const struct run *r) {
    const struct guided *g = r->g;
    unsigned undecided = 0;
    char count[16];
    for (unsigned i = 0; i < ports_asked(g); i++) {
        const struct port_result *p = &r->ports[i];
        if (!p->known || p->state == STATE_UNKNOWN)
            undecided++;
        else if (!p->told)
            say_port(g, TEXT_PORT, (uint16_t)(g->answers.begin + i),
                     guided_state(g->language, (enum state)p->state), NULL);
    }
    snprintf(count, sizeof count, "%u", undecided);
    guided_say(stdout, g->language, TEXT_STOPPED, (const char *const[]){count});
}

static bool all_closed(const struct run *r) {
    unsigned closed = 0;
    for (unsigned i = 0; i < ports_asked(r->g); i++)
        closed += r->ports[i].state == STATE_CLOSED;
    return closed == ports_asked(r->g);
}

static void explain_all(const struct run *r, bool unseen) {
    record_sort(r->record);
    for (unsigned i = 0; i < ports_asked(r->g); i++) {
        const struct port_result *p = &r->ports[i];
        struct explanation of = {
            .port = (uint16_t)(r->g->answers.begin + i),
            .technique = r->technique,
            .verdict = {(enum state)p->state, (enum reason)p->reason},
            .reporter = p->reporter,
            .unseen = unseen,
        };
        explain_port(stdout, r->g->language, r->record, &of);
    }
}

/* The scan between its first and its last words. */
static int scan_ports(struct run *r, struct error *e) {
    struct guided *g = r->g;
    struct capture capture = CAPTURE_INIT;
    bool connects = r->technique == TECHNIQUE_CONNECT, unseen = false;
    int code = plan_for(g, g->answers.host, r->technique, &r->plan, e);
    if (code == 0 && r->record && connects)
        unseen = capture_begin(&capture, r->record) < 0;
    if (code == 0)
        code = run_engine(r, !connects, hear_port, tick_scan, e);
    capture_end(&capture);
    plan_free(r->plan);
    if (code < 0)
        return complain(g, code, e);
    if (atomic_load(&g->watch.signal)) {
        say_stopped(r);
        return -EINTR;
    }
    say_the_rest(r);
    if (r->record)
        explain_all(r, unseen);
    return ferror(stdout) ? -EPIPE : 0;
}

int guided_scan(struct guided *g, const struct guided_kind *kind) {
    struct run r = {.g = g, .technique = kind->technique};
    struct error e = ERROR_INIT;
    r.ports = calloc(ports_asked(g), sizeof *r.ports);
    r.record = g->explain ? malloc(sizeof *r.record) : NULL;
    if (!r.ports || (g->explain && !r.record)) {
        free(r.ports);
        return complain(g, error_set(&e, -ENOMEM, "out of memory"), &e);
    }
    if (r.record)
        record_init(r.record, g->answers.host, g->answers.begin, g->answers.end);
    guided_say(stdout, g->language, kind->begin, NULL);
    int code = scan_ports(&r, &e);
    if (code == 0) {
        guided_say(stdout, g->language, kind->begin + 1, NULL);
        guided_say(stdout, g->language, kind->begin + 2, NULL);
        if (kind->technique == TECHNIQUE_FIN && all_closed(&r))
            guided_say(stdout, g->language, TEXT_FIN_HINT, NULL);
    }
    if (r.record)
        record_deinit(r.record);
    free(r.record);
    free(r.ports);
    return code;
}
