/* Whole scans in memory, in simulated time: the real order, ledger, estimate and lot against hosts of which some limit
 * all their answers by a token bucket, on a path that loses packets. What counts is what is said of each endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "plan/order.h"
#include "probe/technique.h"
#include "scan/estimate.h"
#include "scan/ledger.h"
#include "scan/park.h"

#define STEP_NS (NS_PER_MS / 2)
#define RTT_NS (10 * NS_PER_MS)
#define PORTS_MAX 65536u
#define MISS 0.001
#define START_NS (1000 * NS_PER_SEC)
#define ROAD_MAX (1u << 20)

enum said { SAID_NOTHING, SAID_SILENT, SAID_ANSWERED, SAID_UNDECIDED };

struct world {
    unsigned n_hosts, n_limited, n_ports; /* the first n_limited hosts limit their answers */
    unsigned open_permille, closed_permille;
    double pps;                /* of the whole scan */
    double limit, burst;       /* answers a second of one host, and at once */
    double loss;               /* each way */
    unsigned retries;          /* 0: as many as the measured loss needs */
    uint64_t rto_ns, timeout_ns;
    uint64_t far_ns;           /* by how much the others are further away than the first host */
    uint64_t shut_from_ns, shut_ns; /* nothing arrives from then on, for so long */
    uint64_t held_from_ns, held_ns; /* nothing is sent */

    struct plan *plan;
    struct order order;
    struct ledger ledger;
    struct lot *lot;
    uint64_t random, now, sent, sent_first; /* the latter to the first host */
    double allowance, *tokens;
    uint64_t *filled_ns;
    uint8_t *said;
    struct road {
        struct {
            uint64_t index, at;
            int tried;
        } *answers;
        size_t first, n;
    } roads[2]; /* of the first host, and of the others: in the order of their arrival */
    unsigned enough;
    uint64_t suspected_ns, others_done_ns;
};

static uint64_t total(const struct world *w) {
    return (uint64_t)w->n_hosts * w->n_ports;
}

static bool is_limited(const struct world *w, uint64_t index) {
    return index / w->n_ports < w->n_limited;
}

static enum state truth(uint64_t index, const struct world *w) {
    uint64_t state = index + 99;
    unsigned x = (unsigned)(random_splitmix(&state) % 1000);
    return x < w->open_permille ? STATE_OPEN : x < w->open_permille + w->closed_permille ? STATE_CLOSED
                                                                                         : STATE_FILTERED;
}

static bool chance(struct world *w, double p) {
    return (double)(random_splitmix(&w->random) >> 11) * 0x1p-53 < p;
}

static void world_init(struct world *w) {
    static struct slot slots[PORTS_MAX];
    struct error e;
    for (unsigned i = 0; i < w->n_ports; i++)
        slots[i] = (struct slot){.port = (uint16_t)i, .technique = TECHNIQUE_SYN};
    struct target target = {.range = {addr_from_v4(0xc6120000u), addr_from_v4(0xc6120000u + w->n_hosts - 1)},
                            .port = -1};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = w->n_ports,
                            .keep_special = true};
    assert_int_equal(plan_create(&in, &w->plan, &e), 0);
    order_init(&w->order, total(w), 5);
    w->ledger = LEDGER_INIT;
    unsigned retries = w->retries > 0 ? w->retries : ESTIMATE_RETRIES_MAX;
    assert_int_equal(ledger_init(&w->ledger, 0, total(w), retries, 1u << 24, 100 * NS_PER_MS, &e), 0);
    ledger_want(&w->ledger, w->retries > 0 ? w->retries : ESTIMATE_RETRIES_UNKNOWN);
    ledger_timeouts(&w->ledger, w->rto_ns, 5 * NS_PER_SEC);
    w->lot = lot_new(w->plan, w->timeout_ns);
    w->random = 7;
    w->now = START_NS;
    w->tokens = calloc(w->n_hosts, sizeof *w->tokens);
    w->filled_ns = calloc(w->n_hosts, sizeof *w->filled_ns);
    w->said = calloc(total(w), 1);
    for (unsigned i = 0; i < 2; i++)
        w->roads[i].answers = calloc(ROAD_MAX, sizeof *w->roads[i].answers);
    assert_true(w->lot != NULL && w->tokens != NULL && w->filled_ns != NULL && w->said != NULL &&
                w->roads[0].answers != NULL && w->roads[1].answers != NULL);
    for (unsigned h = 0; h < w->n_hosts; h++)
        w->tokens[h] = w->burst;
}

static void world_deinit(struct world *w) {
    lot_free(w->lot);
    ledger_deinit(&w->ledger);
    plan_free(w->plan);
    free(w->tokens);
    free(w->filled_ns);
    free(w->said);
    free(w->roads[0].answers);
    free(w->roads[1].answers);
}

static bool is_within(const struct world *w, uint64_t from_ns, uint64_t ns) {
    return w->now - START_NS >= from_ns && w->now - START_NS < from_ns + ns;
}

static bool has_token(struct world *w, uint64_t index) {
    size_t h = (size_t)(index / w->n_ports);
    if (h >= w->n_limited)
        return true;
    w->tokens[h] += (double)(w->now - w->filled_ns[h]) / NS_PER_SEC * w->limit;
    w->filled_ns[h] = w->now;
    if (w->tokens[h] > w->burst)
        w->tokens[h] = w->burst;
    if (w->tokens[h] < 1)
        return false;
    w->tokens[h] -= 1;
    return true;
}

/* A probe leaves, and its answer, if there is one, is under way. */
static void probe(struct world *w, uint64_t index, int tried) {
    w->sent++;
    w->sent_first += index < w->n_ports;
    w->allowance -= 1;
    if (truth(index, w) == STATE_FILTERED || is_within(w, w->shut_from_ns, w->shut_ns) || chance(w, w->loss) ||
        !has_token(w, index) || chance(w, w->loss))
        return;
    struct road *road = &w->roads[index >= w->n_ports];
    assert_true(road->n < ROAD_MAX);
    size_t i = (road->first + road->n++) % ROAD_MAX;
    road->answers[i].index = index;
    road->answers[i].tried = tried;
    road->answers[i].at = w->now + RTT_NS + (index >= w->n_ports ? w->far_ns : 0);
}

static void say(struct world *w, uint64_t index, enum said what) {
    assert_int_equal(w->said[index], SAID_NOTHING); /* each endpoint once */
    w->said[index] = (uint8_t)what;
    if (!is_limited(w, index))
        w->others_done_ns = w->now;
}

static void road_deliver(struct world *w, struct road *road) {
    for (; road->n > 0 && road->answers[road->first].at <= w->now; road->n--) {
        uint64_t index = road->answers[road->first].index;
        int tried = road->answers[road->first].tried;
        road->first = (road->first + 1) % ROAD_MAX;
        struct endpoint ep = plan_at(w->plan, index);
        bool open = truth(index, w) == STATE_OPEN;
        struct verdict v = {open ? STATE_OPEN : STATE_CLOSED, open ? REASON_SYN_ACK : REASON_RESET};
        uint64_t position = order_find(&w->order, index);
        enum ledger_mark mark = ledger_mark(&w->ledger, position, false);
        struct heard heard = {.ep = &ep, .index = index, .asked = position, .verdict = v,
                              .tried = mark == LEDGER_FIRST ? tried : -1, .now_ns = w->now};
        bool parked = lot_answered(w->lot, &heard);
        if (mark == LEDGER_FIRST || parked)
            say(w, index, SAID_ANSWERED);
    }
}

static void deliver(struct world *w) {
    road_deliver(w, &w->roads[0]);
    road_deliver(w, &w->roads[1]);
    ledger_watermark(&w->ledger, w->now);
    if (w->suspected_ns == 0 && w->n_limited > 0 && lot_is_limited(w->lot, addr_from_v4(0xc6120000u)))
        w->suspected_ns = w->now;
}

static void give_up(struct world *w, uint64_t index) {
    struct endpoint ep = plan_at(w->plan, index);
    enum lot_fate fate = lot_take(w->lot, &ep, index, w->now);
    if (fate != LOT_FATE_PARKED)
        say(w, index, fate == LOT_FATE_SILENT ? SAID_SILENT : SAID_UNDECIDED);
}

static void retire(struct world *w) {
    uint64_t base, silent[CHUNK_WORDS];
    ledger_retire(&w->ledger, w->now, &base, silent);
    for (unsigned i = 0; i < CHUNK_PROBES; i++)
        if (silent[i / 64] >> i % 64 & 1)
            give_up(w, order_at(&w->order, base + i));
}

static void work(struct world *w, const struct ledger_work *work) {
    uint64_t index = order_at(&w->order, work->position);
    struct endpoint ep = plan_at(w->plan, index);
    if (!lot_wants(w->lot, &ep)) {
        probe(w, index, (int)work->tried);
        return;
    }
    if (work->tried == 0)
        ledger_settle(&w->ledger, work->position);
    else if (!ledger_withdraw(&w->ledger, work->position))
        return;
    give_up(w, index);
}

static void reprobes_choose(struct world *w) {
    struct estimate_counts counts = {.tries = w->ledger.retries + 1};
    if (w->retries > 0 || w->now % (20 * NS_PER_MS) != 0)
        return;
    memcpy(counts.reached, w->ledger.tally.reached, sizeof w->ledger.tally.reached);
    memcpy(counts.answered, w->ledger.tally.answered, sizeof w->ledger.tally.answered);
    w->enough = estimate_enough(&counts, MISS, w->enough);
    ledger_want(&w->ledger, w->enough > 0 ? w->enough : ESTIMATE_RETRIES_UNKNOWN);
}

static void lot_serve(struct world *w) {
    struct lot_work work;
    for (;;) {
        struct lot_now now = {.now_ns = w->now, .watermark_ns = w->now, .rto_ns = w->rto_ns,
                              .order_done = ledger_is_done(&w->ledger),
                              .packets_max = w->allowance < 1 ? 0 : (unsigned)(w->pps < 12800 ? w->pps / 100 : 128)};
        switch (lot_next(w->lot, &now, &work)) {
        case LOT_PROBE:
            probe(w, work.index, -1);
            if (work.last)
                lot_sent(w->lot, w->now);
            break;
        case LOT_SILENT:
            say(w, work.index, SAID_SILENT);
            break;
        case LOT_UNDECIDED:
            say(w, work.index, SAID_UNDECIDED);
            break;
        default:
            return;
        }
    }
}

struct result {
    uint64_t wrong_limited, wrong_others; /* silence said of what answers */
    uint64_t undecided, undecided_others;
    uint64_t sent, sent_first, answering;
    double suspected, others, seconds; /* from the start */
    unsigned suspects, limited;
};

static struct result run(const struct world *settings) {
    struct world w = *settings;
    struct result o = {0};
    world_init(&w);
    uint64_t start = w.now;
    for (bool done = false; !done || lot_parked(w.lot) > 0; w.now += STEP_NS) {
        struct ledger_work next;
        enum ledger_step step;
        deliver(&w);
        reprobes_choose(&w);
        lot_serve(&w);
        w.allowance += is_within(&w, w.held_from_ns, w.held_ns) ? 0 : w.pps * STEP_NS / NS_PER_SEC;
        if (w.allowance > w.pps / 200 + 1)
            w.allowance = w.pps / 200 + 1;
        while ((step = ledger_next(&w.ledger, w.allowance >= 1 ? 1 : 0, &next)) < LEDGER_WAIT || step == LEDGER_FLUSH) {
            if (step == LEDGER_PROBE)
                work(&w, &next);
            else if (step == LEDGER_RETIRE)
                retire(&w);
            else
                ledger_stamp(&w.ledger, w.now);
        }
        ledger_stamp(&w.ledger, w.now);
        done = step == LEDGER_DONE;
    }
    for (uint64_t i = 0; i < total(&w); i++) {
        bool wrong = w.said[i] == SAID_SILENT && truth(i, &w) != STATE_FILTERED;
        assert_int_not_equal(w.said[i], SAID_NOTHING);
        *(is_limited(&w, i) ? &o.wrong_limited : &o.wrong_others) += wrong;
        o.answering += truth(i, &w) != STATE_FILTERED;
        o.undecided += w.said[i] == SAID_UNDECIDED;
        o.undecided_others += w.said[i] == SAID_UNDECIDED && !is_limited(&w, i);
    }
    o.sent = w.sent;
    o.sent_first = w.sent_first;
    o.seconds = (double)(w.now - start) / NS_PER_SEC;
    o.suspected = w.suspected_ns > 0 ? (double)(w.suspected_ns - start) / NS_PER_SEC : -1;
    o.others = w.others_done_ns > 0 ? (double)(w.others_done_ns - start) / NS_PER_SEC : -1;
    o.suspects = lot_suspects(w.lot);
    o.limited = (unsigned)lot_limited(w.lot);
    world_deinit(&w);
    return o;
}

static void show(const char *what, const struct result *o) {
    print_message("%s: %lu wrong, %lu undecided, %lu packets (%lu to the first host), suspected after %.2f s, the "
                  "others done after %.2f s, all after %.2f s\n",
                  what, (unsigned long)(o->wrong_limited + o->wrong_others), (unsigned long)o->undecided,
                  (unsigned long)o->sent, (unsigned long)o->sent_first, o->suspected, o->others, o->seconds);
}

/* One of 64 hosts limits all its answers. Nothing false is said of it, and nobody waits for it: the others are done
 * within 5 % of the time without the limit, for 5 % more packets at most. */
static void test_one_of_many(void **state) {
    (void)state;
    static const double limits[] = {20, 100, 200}, bursts[] = {10, 200}, rates[] = {390, 2000, 10000};
    for (unsigned i = 0; i < 18; i++) {
        char what[80];
        double limit = limits[i % 3], burst = bursts[i / 3 % 2], rate = rates[i / 6];
        struct world w = {.n_hosts = 64, .n_ports = 1000, .open_permille = 10, .closed_permille = 600,
                          .pps = 64 * rate, .rto_ns = 100 * NS_PER_MS};
        struct result without = run(&w), with;
        w.n_limited = 1;
        w.limit = limit;
        w.burst = burst;
        with = run(&w);
        snprintf(what, sizeof what, "%.0f answers a second (%.0f at once), asked %.0f times", limit, burst, rate);
        show(what, &with);
        assert_int_equal(with.wrong_limited + with.wrong_others + with.undecided, 0);
        assert_true(with.suspects <= 1);
        assert_true(with.others < 1.05 * without.others);
        assert_true((double)(with.sent - with.sent_first) <= 1.05 * (double)(without.sent - without.sent_first));
        assert_int_equal(without.suspects, 0);
    }
}

/* Nobody to compare it with. */
static void test_alone(void **state) {
    (void)state;
    static const double limits[] = {100, 200}, bursts[] = {10, 200}, rates[] = {1000, 10000, 65000};
    for (unsigned i = 0; i < 12; i++) {
        struct world w = {.n_hosts = 1, .n_limited = 1, .n_ports = 2000, .open_permille = 10, .closed_permille = 600,
                          .pps = rates[i / 4], .limit = limits[i % 2], .burst = bursts[i / 2 % 2],
                          .rto_ns = 100 * NS_PER_MS};
        struct result o = run(&w);
        show("alone", &o);
        assert_int_equal(o.wrong_limited + o.undecided, 0);
    }
}

/* Some others that limit theirs as well do not hide it: half of many, or the only other one. */
static void test_several(void **state) {
    (void)state;
    for (unsigned hosts = 2; hosts <= 64; hosts *= 32) {
        struct world w = {.n_hosts = hosts, .n_limited = hosts == 2 ? 2 : hosts / 2, .n_ports = 1000,
                          .open_permille = 10, .closed_permille = 600, .pps = hosts * 5000.0, .limit = 100, .burst = 50,
                          .rto_ns = 100 * NS_PER_MS};
        struct result o = run(&w);
        show("several", &o);
        assert_int_equal(o.wrong_limited + o.wrong_others + o.undecided, 0);
        assert_int_equal(o.suspects, w.n_limited);
    }
}

/* What the time does not suffice for is undecided, and only that. */
static void test_undecided(void **state) {
    (void)state;
    struct world w = {.n_hosts = 64, .n_limited = 2, .n_ports = 1000, .open_permille = 10, .closed_permille = 600,
                      .pps = 64000, .limit = 20, .burst = 20, .rto_ns = 100 * NS_PER_MS, .timeout_ns = 5 * NS_PER_SEC};
    struct result o = run(&w);
    show("five seconds at twenty a second", &o);
    assert_int_equal(o.wrong_limited + o.wrong_others + o.undecided_others, 0);
    assert_true(o.undecided > 2 * 300);
    assert_true(o.seconds < 8);
    assert_int_equal(o.limited, 2);
}

/* Resets of some ports and silence of the rest, as of the commonest firewall: two packets for silence. */
static void test_firewalls(void **state) {
    (void)state;
    for (unsigned closed = 0; closed <= 900; closed += 300) {
        struct world w = {.n_hosts = 64, .n_ports = 500, .open_permille = 10, .closed_permille = closed, .pps = 64000,
                          .retries = 1, .rto_ns = 100 * NS_PER_MS};
        struct result o = run(&w);
        assert_int_equal(o.wrong_others + o.undecided + o.suspects, 0);
        assert_int_equal(o.sent, 2 * 64 * 500 - o.answering);
    }
}

/* Loss is no limit: it meets all hosts alike, and one alone is given the benefit of a tenth each way. */
static void test_loss(void **state) {
    (void)state;
    for (unsigned hosts = 1; hosts <= 256; hosts *= 16)
        for (unsigned percent = 5; percent <= 10; percent += 5) {
            struct world w = {.n_hosts = hosts, .n_ports = 65536 / hosts, .open_permille = 10, .closed_permille = 400,
                              .pps = 20000, .loss = percent / 100.0, .rto_ns = 100 * NS_PER_MS};
            struct result o = run(&w);
            show("loss", &o);
            assert_int_equal(o.suspects + o.limited + o.undecided, 0);
        }
}

/* The first host is near and all others are far; the path is shut for a while; the scanner itself is held up. None of
 * this is a limit. Only when the path shuts between one that is near and all others far does it look like one, as long
 * as the answers of those keep coming: that may cost packets, but no truth. */
static void test_mishaps(void **state) {
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct world w = {.n_hosts = 64, .n_ports = 2000, .open_permille = 10, .closed_permille = 600, .pps = 64000,
                          .retries = 3, .rto_ns = 700 * NS_PER_MS, .far_ns = i & 1 ? 300 * NS_PER_MS : 0,
                          .shut_from_ns = NS_PER_SEC, .shut_ns = i & 2 ? 200 * NS_PER_MS : 0,
                          .held_from_ns = NS_PER_SEC / 2, .held_ns = i & 4 ? 150 * NS_PER_MS : 0};
        struct result o = run(&w);
        show("mishap", &o);
        assert_int_equal(o.wrong_others + o.undecided, 0);
        assert_true(o.suspects <= (w.far_ns > 0 && w.shut_ns > 0));
    }
}

/* Where loss is so heavy that a host alone is suspected for it, that costs time but no truth. */
static void test_heavy_loss(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 2000, .open_permille = 10, .closed_permille = 500, .pps = 2000,
                      .loss = 0.2, .rto_ns = 100 * NS_PER_MS, .timeout_ns = 60 * NS_PER_SEC};
    struct result o = run(&w);
    show("a fifth lost each way", &o);
    assert_int_equal(o.undecided, 0);
    assert_true(o.wrong_others <= 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_of_many), cmocka_unit_test(test_alone), cmocka_unit_test(test_several),
        cmocka_unit_test(test_undecided),   cmocka_unit_test(test_firewalls), cmocka_unit_test(test_loss),
        cmocka_unit_test(test_heavy_loss),  cmocka_unit_test(test_mishaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
