/* Nanoseconds that each stage of a probe and of a reply costs, on one core: what the program itself adds to the kernel's
 * price of a frame. Prints a line of JSON a stage; the plan is the lab's (198.18.0.0/15, 20 ports). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "plan/order.h"
#include "plan/plan.h"
#include "probe/probe.h"
#include "probe/reply.h"
#include "scan/ledger.h"

#define PORTS 20u
#define ROUNDS 2000000u
#define REPEATS 5u

struct stages {
    struct plan *plan;
    struct order order;
    struct probe_config config;
    struct probe_path path;
    uint8_t frame[PROBE_FRAME_MAX];
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

static void run_cookie(struct stages *s) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ROUNDS; i++)
        sum += probe_cookie(&s->config.key, s->path.source, addr_from_v4(i), 40000, 80);
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

int main(void) {
    struct stages s = {.config = {.key = {1, 2}, .first_port[TECHNIQUE_SYN] = 40000, .tries = 4, .ttl = 64},
                       .path = {.link = LINK_ETHERNET, .source = addr_from_v4(0xc6120002u)}};
    struct target target = {.range = {addr_from_v4(0xc6120000u), addr_from_v4(0xc613ffffu)}, .port = -1};
    struct slot slots[PORTS];
    struct error e = ERROR_INIT;
    for (unsigned i = 0; i < PORTS; i++)
        slots[i] = (struct slot){.port = (uint16_t)(i + 1), .technique = TECHNIQUE_SYN};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = PORTS};
    if (plan_create(&in, &s.plan, &e) < 0) {
        fprintf(stderr, "%s\n", e.text);
        return 1;
    }
    order_init(&s.order, plan_size(s.plan), 7);
    make_reply(&s);
    const struct {
        const char *name;
        stage_fn *run;
    } stages[] = {{"order_at", run_order_at},       {"order_find", run_order_find}, {"plan_at", run_plan_at},
                  {"cookie", run_cookie},           {"build", run_build},           {"ledger, a silent probe", run_ledger},
                  {"reply, parsed and judged", run_parse_and_judge}};
    for (unsigned i = 0; i < sizeof stages / sizeof *stages; i++) {
        double ns[REPEATS];
        for (unsigned k = 0; k < REPEATS; k++) {
            uint64_t start = clock_mono_ns();
            stages[i].run(&s);
            ns[k] = (double)(clock_mono_ns() - start) / ROUNDS;
        }
        qsort(ns, REPEATS, sizeof *ns, compare);
        printf("{\"stage\":\"%s\",\"ns\":%.1f,\"least\":%.1f,\"most\":%.1f}\n", stages[i].name, ns[REPEATS / 2], ns[0],
               ns[REPEATS - 1]);
    }
    plan_free(s.plan);
    return 0;
}
