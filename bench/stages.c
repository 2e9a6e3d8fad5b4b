/* Nanoseconds that each stage of a probe and of a reply costs, on one core: what the program itself adds to the
 * kernel's price of a frame. Prints a table, and writes a line of JSON a stage into the file that is named, if one is.
 * The plan is the lab's (198.18.0.0/15, 20 ports); that of a dry run has 32,768 ports, 2^32 endpoints; that of many
 * parts is all of IPv4 but 5,000 networks. Time is this thread's on the CPU, so that a busy machine disturbs less. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/siphash_ends.h"
#include "plan/order.h"
#include "plan/plan.h"
#include "probe/probe.h"
#include "probe/reply.h"
#include "probe/stamp.h"
#include "scan/ledger.h"

#define PORTS 20u
#define PORTS_MANY 32768u
#define EXCLUSIONS 5000u
#define RUN 64u               /* probes at a time */
#define ROUNDS (RUN * 8192u)
#define REPEATS 15u

struct stages {
    struct plan *plan, *plan_many; /* of PORTS and of PORTS_MANY */
    struct plan *plan_parts;
    struct order order, order_many;
    struct probe_config config;
    struct probe_path path, path6;
    struct stamp stamp, stamp6;
    enum vector_way way;
    struct endpoint ep[RUN], ep6[RUN];
    uint8_t frame[PROBE_FRAME_MAX];
    uint8_t frames[RUN * STAMP_FRAME_MAX];
    uint8_t reply[PROBE_FRAME_MAX];
    size_t reply_len;
    volatile uint64_t sink;
};

typedef void stage_fn(struct stages *s);

static void run_order_at(struct stages *s) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < ROUNDS; i++)
        sum += order_at(&s->order, i);
    s->sink = sum;
}

/* The indexes of a run's positions. */
static void order_run(const struct order *o, uint64_t first, uint64_t indexes[RUN]) {
    for (unsigned i = 0; i < RUN; i++)
        indexes[i] = first + i;
    order_at_many(o, indexes, RUN, indexes);
}

static void run_order_at_many(struct stages *s) {
    uint64_t indexes[RUN];
    s->order.way = s->way;
    for (uint64_t i = 0; i < ROUNDS; i += RUN)
        order_run(&s->order, i, indexes);
}

static void run_order_find(struct stages *s) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < ROUNDS; i++)
        sum += order_find(&s->order, i);
    s->sink = sum;
}

static void run_plan_at(struct stages *s) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < ROUNDS; i++)
        sum += plan_at(s->plan, i).slot.port;
    s->sink = sum;
}

static void run_plan_at_many(struct stages *s) {
    uint64_t indexes[RUN];
    for (unsigned i = 0; i < RUN; i++)
        indexes[i] = i * 7919u;
    for (uint64_t i = 0; i < ROUNDS; i += RUN)
        plan_at_many(s->plan, indexes, RUN, s->ep);
}

static void run_plan_parts(struct stages *s) {
    uint64_t indexes[RUN], size = plan_size(s->plan_parts);
    for (unsigned i = 0; i < RUN; i++)
        indexes[i] = (i + 1) * UINT64_C(0x9e3779b97f4a7c15) % size;
    for (uint64_t i = 0; i < ROUNDS; i += RUN) {
        for (unsigned k = 0; k < RUN; k++) /* other ones each time, as far apart */
            indexes[k] = indexes[k] + 987654321 < size ? indexes[k] + 987654321 : indexes[k] + 987654321 - size;
        plan_at_many(s->plan_parts, indexes, RUN, s->ep);
    }
}

static void run_cookie(struct stages *s) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ROUNDS; i++)
        sum += probe_cookie(&s->config.key, s->path.source, addr_from_v4(i), 40000, 80);
    s->sink = sum;
}

static void run_cookies(struct stages *s) {
    struct siphash_state begun = siphash_start(&s->config.key);
    struct siphash_ends ends = {0};
    uint64_t cookies[SIPHASH_LANES], sum = 0;
    for (uint32_t i = 0; i < ROUNDS; i += SIPHASH_LANES) {
        siphash24_ends(s->way, &begun, &ends, SIPHASH_LANES, cookies);
        sum += cookies[i % SIPHASH_LANES];
    }
    s->sink = sum;
}

static void run_build(struct stages *s) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct endpoint ep = {addr_from_v4(0xc6120000u + i % 131072u), {.port = 80, .technique = TECHNIQUE_SYN}};
        sum += probe_build(&s->config, &s->path, &ep, 0, 0, s->frame);
    }
    s->sink = sum;
}

static void run_stamp(struct stages *s) {
    s->stamp.way = s->way;
    for (uint32_t i = 0; i < ROUNDS; i += RUN)
        stamp_many(&s->stamp, s->ep, RUN, s->frames, STAMP_FRAME_MAX);
}

static void run_stamp6(struct stages *s) {
    s->stamp6.way = s->way;
    for (uint32_t i = 0; i < ROUNDS; i += RUN)
        stamp_many(&s->stamp6, s->ep6, RUN, s->frames, STAMP_FRAME_MAX);
}

/* Positions to frames: all but the ledger. */
static void run_generation(struct stages *s) {
    uint64_t indexes[RUN];
    s->order.way = s->stamp.way = s->way;
    for (uint64_t i = 0; i < ROUNDS; i += RUN) {
        order_run(&s->order, i, indexes);
        plan_at_many(s->plan, indexes, RUN, s->ep);
        stamp_many(&s->stamp, s->ep, RUN, s->frames, STAMP_FRAME_MAX);
    }
}

/* What a dry run does of a scan of 2^32 endpoints. */
static void run_dry(struct stages *s) {
    uint64_t indexes[RUN];
    s->order_many.way = s->way;
    for (uint64_t i = 0; i < ROUNDS; i += RUN) {
        order_run(&s->order_many, i, indexes);
        plan_at_many(s->plan_many, indexes, RUN, s->ep);
    }
}

static void run_parse_and_judge(struct stages *s) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct reply r;
        struct answer a;
        sum += reply_parse(LINK_ETHERNET, s->reply, s->reply_len, (uint32_t)s->reply_len, 0, &r);
        sum += reply_judge(&s->config, &r, &a);
    }
    if (sum != 0) { /* IGNORED_NOT is 0: every one was true */
        fputs("the reply was not judged true\n", stderr);
        exit(1);
    }
}

static void run_ledger(struct stages *s) {
    struct ledger l;
    struct error e;
    struct ledger_work work;
    uint64_t base, silent[CHUNK_WORDS], sum = 0, now = 1;
    if (ledger_init(&l, 0, ROUNDS, 0, 1u << 20, 0, &e) < 0)
        exit(1);
    ledger_timeouts(&l, 1, 1);
    for (enum ledger_step step; (step = ledger_next(&l, true, &work)) != LEDGER_DONE;) {
        if (step == LEDGER_PROBE) {
            sum += work.position;
        } else if (step == LEDGER_RETIRE) {
            sum += ledger_retire(&l, now, &base, silent);
        } else {
            ledger_stamp(&l, now);
            now += 2;
            ledger_watermark(&l, now);
        }
    }
    ledger_deinit(&l);
    s->sink = sum;
}

/* A true SYN-ACK to our own probe, so that judging it goes the whole way. */
static void make_reply(struct stages *s) {
    struct endpoint ep = {addr_from_v4(0xc6120001u), {.port = 80, .technique = TECHNIQUE_SYN}};
    size_t n = probe_build(&s->config, &s->path, &ep, 0, 0, s->frame);
    struct reply r;
    reply_parse(LINK_ETHERNET, s->frame, n, (uint32_t)n, 0, &r);
    s->reply_len = probe_build_syn_ack(&s->config, LINK_ETHERNET, &r, s->reply);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static uint64_t thread_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static struct plan *make_plan(struct addr_range range, unsigned ports, unsigned exclusions) {
    static struct slot slots[PORTS_MANY];
    static struct addr_range exclude[EXCLUSIONS];
    struct target target = {.range = range, .port = -1};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = ports,
                            .exclude = exclude, .n_exclude = exclusions};
    struct error e = ERROR_INIT;
    struct plan *p = NULL;
    uint64_t random = 5;
    for (unsigned i = 0; i < ports; i++)
        slots[i] = (struct slot){.port = (uint16_t)(i + 1), .technique = TECHNIQUE_SYN};
    for (unsigned i = 0; i < exclusions; i++) {
        uint32_t net = (uint32_t)random_splitmix(&random) & 0xffffff00;
        exclude[i] = (struct addr_range){addr_from_v4(net), addr_from_v4(net | 0xff)};
    }
    if (plan_create(&in, &p, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        exit(1);
    }
    return p;
}

static void make_stages(struct stages *s) {
    struct addr_range lab = {addr_from_v4(0xc6120000u), addr_from_v4(0xc613ffffu)};
    struct addr_range all = {addr_from_v4(0), addr_from_v4(UINT32_MAX)};
    s->plan = make_plan(lab, PORTS, 0);
    s->plan_many = make_plan(lab, PORTS_MANY, 0);
    s->plan_parts = make_plan(all, PORTS, EXCLUSIONS);
    order_init(&s->order, plan_size(s->plan), 7);
    order_init(&s->order_many, plan_size(s->plan_many), 7);
    for (uint32_t i = 0; i < RUN; i++) {
        s->ep[i] = plan_at(s->plan, i * 7919u);
        s->ep6[i] = (struct endpoint){s->path6.source + i * 7919u, s->ep[i].slot};
    }
    if (!stamp_init(&s->stamp, &s->config, &s->path, TECHNIQUE_SYN, 0, true) ||
        !stamp_init(&s->stamp6, &s->config, &s->path6, TECHNIQUE_SYN, 0, false))
        exit(1);
    make_reply(s);
}

static void measure(struct stages *s, const char *name, stage_fn *run, FILE *json) {
    double ns[REPEATS];
    for (unsigned k = 0; k < REPEATS; k++) {
        uint64_t start = thread_ns();
        run(s);
        ns[k] = (double)(thread_ns() - start) / ROUNDS;
    }
    qsort(ns, REPEATS, sizeof *ns, compare);
    double median = ns[REPEATS / 2], least = ns[0], most = ns[REPEATS - 1];
    printf("%-40s %8.1f %8.1f %8.1f %12.1f\n", name, median, least, most, 1e3 / median);
    if (json)
        fprintf(json, "{\"stage\":\"%s\",\"ns\":%.1f,\"least\":%.1f,\"most\":%.1f}\n", name, median, least, most);
}

static const struct {
    const char *name;
    stage_fn *run;
    bool ways; /* measured in every way that this machine has */
} stages[] = {
    {"order_at", run_order_at, false},
    {"order_at_many", run_order_at_many, true},
    {"order_find", run_order_find, false},
    {"plan_at", run_plan_at, false},
    {"plan_at_many", run_plan_at_many, false},
    {"plan_at_many, 5,000 parts", run_plan_parts, false},
    {"cookie", run_cookie, false},
    {"cookies", run_cookies, true},
    {"build", run_build, false},
    {"stamp", run_stamp, true},
    {"stamp, IPv6", run_stamp6, true},
    {"generation: all but ledger", run_generation, true},
    {"dry-run order of 2^32", run_dry, true},
    {"ledger, a silent probe", run_ledger, false},
    {"reply, parsed and judged", run_parse_and_judge, false},
};

static void measure_all(struct stages *s, FILE *json) {
    printf("%-40s %8s %8s %8s %12s\n", "ns a probe", "median", "least", "most", "million/s");
    for (unsigned i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (!stages[i].ways)
            measure(s, stages[i].name, stages[i].run, json);
        for (s->way = 0; stages[i].ways && s->way < VECTOR_WAYS; s->way++) {
            char name[64];
            snprintf(name, sizeof name, "%s, %s", stages[i].name, vector_name(s->way));
            if (vector_has(s->way))
                measure(s, name, stages[i].run, json);
        }
    }
}

int main(int argc, char **argv) {
    static struct stages s = {
        .config = {.key = {1, 2}, .first_port[TECHNIQUE_SYN] = 40000, .tries = 4, .ttl = 64},
        .path = {.link = LINK_ETHERNET, .source = (addr_t)0xffffc6120002u},
        .path6 = {.link = LINK_ETHERNET, .source = (addr_t)0x20010002u << 96 | 2},
    };
    FILE *json = argc > 1 ? fopen(argv[1], "w") : NULL;
    if (argc > 1 && json == NULL) {
        perror(argv[1]);
        return 1;
    }
    make_stages(&s);
    measure_all(&s, json);
    plan_free(s.plan);
    plan_free(s.plan_many);
    plan_free(s.plan_parts);
    if (json && fclose(json) != 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
