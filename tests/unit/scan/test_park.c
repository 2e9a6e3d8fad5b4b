/* The lot against hosts in memory, in simulated time: a token bucket limits their errors, packets get lost, some ports
 * are closed and some silent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"
#include "probe/technique.h"
#include "scan/park.h"

#define HOST_MAX 4u
#define PORTS_MAX 65536u
#define RTT_NS (2 * NS_PER_MS)
#define RTO_NS (100 * NS_PER_MS)
#define STEP_NS (NS_PER_MS / 2) /* of simulated time */

struct world {
    struct lot *lot;
    struct plan *plan;
    bool tcp;
    unsigned n_hosts, n_ports, silent_every; /* every so-manieth port never answers */
    double tokens_per_second, burst;
    unsigned loss_percent;
    uint64_t rto_ns; /* of most hosts; 0: RTO_NS */
    double tokens[HOST_MAX];
    uint64_t filled_ns[HOST_MAX];
    bool order_done;
    uint64_t random, now, sent, asked;
    struct {
        uint64_t index, at;
    } under_way[2 * LOT_GROUP_MAX * HOST_MAX];
    unsigned n_under_way;
    uint64_t closed, silent, undecided;
    uint64_t wrong; /* silence said of a closed port, or a port decided twice */
    uint8_t decided[HOST_MAX][PORTS_MAX];
};

static addr_t host_of(unsigned h) {
    return addr_from_v4(0xc6120001u + h);
}

/* A port of the host answers with an error of the limited kind, or as an open one. */
static bool answered_so(struct world *w, uint64_t index, enum state state, enum reason reason, int tried) {
    struct endpoint ep = plan_at(w->plan, index);
    struct heard heard = {.ep = &ep, .index = index, .asked = w->asked++, .verdict = {state, reason},
                          .tried = tried, .now_ns = w->now};
    return lot_answered(w->lot, &heard);
}

static bool answer(struct world *w, uint64_t index, bool error, int tried) {
    return answered_so(w, index, error ? STATE_CLOSED : STATE_OPEN, error ? REASON_PORT_UNREACH : REASON_UDP_RESPONSE,
                       tried);
}

static enum lot_fate take(struct world *w, uint64_t index) {
    struct endpoint ep = plan_at(w->plan, index);
    return lot_take(w->lot, &ep, index, w->now);
}

static enum lot_step next(struct world *w, struct lot_work *work) {
    struct lot_now now = {.now_ns = w->now, .watermark_ns = w->now, .rto_ns = w->rto_ns > 0 ? w->rto_ns : RTO_NS,
                          .order_done = w->order_done, .packets_max = LOT_GROUP_MAX};
    return lot_next(w->lot, &now, work);
}

static bool is_silent(const struct world *w, uint64_t index) {
    return w->silent_every > 0 && index % w->n_ports % w->silent_every == 0;
}

static void world_init(struct world *w) {
    static struct slot slots[PORTS_MAX];
    struct error e;
    for (unsigned i = 0; i < w->n_ports; i++)
        slots[i] = (struct slot){.port = (uint16_t)i, .technique = w->tcp ? TECHNIQUE_SYN : TECHNIQUE_UDP};
    struct target target = {.range = {host_of(0), host_of(w->n_hosts - 1)}, .port = -1};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = w->n_ports,
                            .keep_special = true};
    assert_int_equal(plan_create(&in, &w->plan, &e), 0);
    w->random = 7;
    w->now = 1000 * NS_PER_SEC;
    for (unsigned h = 0; h < w->n_hosts && h < HOST_MAX; h++)
        w->filled_ns[h] = w->now;
}

static bool lost(struct world *w) {
    return random_splitmix(&w->random) % 100 < w->loss_percent;
}

/* A packet reaches its host: its error, if it has one left, is under way. */
static void arrive(struct world *w, uint64_t index) {
    unsigned h = (unsigned)(index / w->n_ports);
    w->sent++;
    if (is_silent(w, index) || lost(w))
        return;
    w->tokens[h] += (double)(w->now - w->filled_ns[h]) / NS_PER_SEC * w->tokens_per_second;
    w->filled_ns[h] = w->now;
    if (w->tokens[h] > w->burst)
        w->tokens[h] = w->burst;
    if (w->tokens[h] < 1)
        return;
    w->tokens[h] -= 1;
    if (lost(w))
        return;
    assert_true(w->n_under_way < sizeof w->under_way / sizeof *w->under_way);
    w->under_way[w->n_under_way].index = index;
    w->under_way[w->n_under_way++].at = w->now + RTT_NS;
}

static void decide(struct world *w, uint64_t index, bool silent) {
    uint8_t *before = &w->decided[index / w->n_ports][index % w->n_ports];
    w->wrong += *before || (silent && !is_silent(w, index));
    *before = 1;
}

static void deliver(struct world *w) {
    unsigned left = 0;
    for (unsigned i = 0; i < w->n_under_way; i++) {
        uint64_t index = w->under_way[i].index;
        if (w->under_way[i].at > w->now) {
            w->under_way[left++] = w->under_way[i];
        } else if (answer(w, index, true, -1)) {
            w->closed++;
            decide(w, index, false);
        }
    }
    w->n_under_way = left;
}

/* Everything that the lot wants done at this moment. Returns what it said last. */
static enum lot_step serve(struct world *w) {
    struct lot_work work;
    for (;;) {
        enum lot_step step = next(w, &work);
        switch (step) {
        case LOT_PROBE:
            arrive(w, work.index);
            if (work.last)
                lot_sent(w->lot, w->now);
            break;
        case LOT_SILENT:
            w->silent++;
            decide(w, work.index, true);
            break;
        case LOT_UNDECIDED:
            w->undecided++;
            decide(w, work.index, false);
            break;
        default:
            return step;
        }
    }
}

/* One answered port a host, then everything parked, until nothing is. Returns the simulated seconds. */
static double run(struct world *w, uint64_t timeout_ns, double seconds_max) {
    uint64_t start = w->now, total = (uint64_t)w->n_hosts * w->n_ports;
    w->lot = lot_new(w->plan, timeout_ns);
    assert_non_null(w->lot);
    for (unsigned h = 0; h < w->n_hosts; h++) {
        uint64_t canary = (uint64_t)h * w->n_ports + 1;
        assert_false(answer(w, canary, true, 0));
        decide(w, canary, false);
        for (uint64_t i = 0; i < w->n_ports; i++)
            if (i != 1)
                assert_int_equal(take(w, (uint64_t)h * w->n_ports + i), LOT_FATE_PARKED);
    }
    while (serve(w) != LOT_IDLE && (double)(w->now - start) < seconds_max * 1e9) {
        w->now += STEP_NS;
        deliver(w);
    }
    assert_int_equal(lot_parked(w->lot), 0);
    assert_int_equal(w->closed + w->silent + w->undecided + w->n_hosts, total);
    assert_int_equal(w->wrong, 0);
    lot_free(w->lot);
    plan_free(w->plan);
    return (double)(w->now - start) / 1e9;
}

/* Linux: one error a second after a burst of six. 300 ports, of which 10 never answer. */
static void test_linux(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 300, .silent_every = 30, .tokens_per_second = 1, .burst = 6};
    world_init(&w);
    double seconds = run(&w, 0, 2000);
    print_message("300 ports at one error a second: %.0f s, %.2f packets an answer\n", seconds, (double)w.sent / 300);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 10);
    assert_true(seconds < 1.1 * 300);
}

static void test_linux_with_loss(void **state) {
    (void)state;
    struct world w = {.n_hosts = 2, .n_ports = 200, .silent_every = 20, .tokens_per_second = 1, .burst = 6,
                      .loss_percent = 3};
    world_init(&w);
    run(&w, 0, 2000);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 20);
}

/* A host that limits nothing but drops most: it must not be slowed for being quiet. */
static void test_unlimited(void **state) {
    (void)state;
    static struct world w;
    w = (struct world){.n_hosts = 1, .n_ports = 65536, .silent_every = 1, .tokens_per_second = 1e9, .burst = 1e9};
    world_init(&w);
    w.silent_every = 2; /* ports 0, 2, 4 ... */
    double seconds = run(&w, 0, 2000);
    print_message("65,536 ports without a limit: %.1f s\n", seconds);
    assert_int_equal(w.silent, 32768);
    assert_true(seconds < 30);
}

static void test_hundred_a_second(void **state) {
    (void)state;
    struct world w = {.n_hosts = 4, .n_ports = 1000, .silent_every = 10, .tokens_per_second = 100, .burst = 20};
    world_init(&w);
    double seconds = run(&w, 0, 2000);
    print_message("1,000 ports at 100 errors a second: %.0f s\n", seconds);
    assert_int_equal(w.undecided, 0);
    assert_int_equal(w.silent, 400);
    assert_true(seconds < 60);
}

/* A near host among far ones is asked at its own pace: its own round trips count, not those of most. */
static void test_near_among_far(void **state) {
    (void)state;
    double seconds[2];
    for (unsigned far = 0; far < 2; far++) {
        struct world w = {.n_hosts = 1, .n_ports = 500, .silent_every = 2, .tokens_per_second = 100, .burst = 20,
                          .rto_ns = far > 0 ? NS_PER_SEC : 0};
        world_init(&w);
        seconds[far] = run(&w, 0, 2000);
        assert_int_equal(w.silent, 250);
    }
    print_message("500 ports of a near host: %.1f s; where most are far: %.1f s\n", seconds[0], seconds[1]);
    assert_true(seconds[1] < 1.2 * seconds[0] + 2);
}

/* The host's time is over: what is not decided is said to be so, each port once. */
static void test_timeout(void **state) {
    (void)state;
    struct world w = {.n_hosts = 2, .n_ports = 500, .tokens_per_second = 1, .burst = 6};
    world_init(&w);
    double seconds = run(&w, 60 * NS_PER_SEC, 2000);
    assert_true(seconds >= 59 && seconds < 66);
    assert_true(w.closed > 2 * 50 && w.undecided > 2 * 400);
    assert_int_equal(w.silent, 0);
}

/* A host that goes away: it is given up although its time is not limited. */
static void test_gone(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 100, .tokens_per_second = 0, .burst = 0};
    world_init(&w);
    run(&w, 0, 500);
    assert_int_equal(w.undecided, 99);
}

static void test_strangers(void **state) {
    (void)state;
    struct world w = {.n_hosts = 1, .n_ports = 10, .tokens_per_second = 1, .burst = 1};
    world_init(&w);
    w.lot = lot_new(w.plan, 0);
    struct lot_work work;
    assert_int_equal(take(&w, 3), LOT_FATE_SILENT); /* it never sent an error */
    assert_false(answer(&w, 4, false, 0));           /* nor is a UDP answer one */
    assert_int_equal(take(&w, 3), LOT_FATE_SILENT);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    assert_false(answer(&w, 4, true, 0));
    assert_int_equal(take(&w, 3), LOT_FATE_PARKED);
    assert_true(answer(&w, 3, false, 0)); /* open, in the meantime */
    assert_int_equal(lot_parked(w.lot), 0);
    assert_int_equal(take(&w, 5), LOT_FATE_PARKED);
    lot_end(w.lot);
    assert_int_equal(next(&w, &work), LOT_UNDECIDED);
    assert_int_equal(work.index, 5);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    lot_free(w.lot);
    plan_free(w.plan);
}

/* TCP ports of the same hosts, in a plan of their own. */
static void tcp_init(struct world *w, unsigned n_hosts, unsigned n_ports) {
    *w = (struct world){.n_hosts = n_hosts, .n_ports = n_ports, .tcp = true};
    world_init(w);
    w->lot = lot_new(w->plan, 0);
    assert_non_null(w->lot);
}

static void heard(struct world *w, uint64_t index, enum state state, enum reason reason, int tried) {
    assert_false(answered_so(w, index, state, reason, tried));
}

static void deinit(struct world *w) {
    lot_free(w->lot);
    plan_free(w->plan);
}

/* Answers of many other hosts, all to the first try; then one host whose answers come late. */
static void suspect(struct world *w, unsigned late) {
    for (unsigned h = 1; h < w->n_hosts; h++)
        for (unsigned i = 0; i < 64; i++)
            heard(w, (uint64_t)h * w->n_ports + i, STATE_CLOSED, REASON_RESET, 0);
    for (unsigned i = 0; i < 32; i++)
        heard(w, i, STATE_CLOSED, REASON_RESET, i < late);
}

static void test_suspicion(void **state) {
    (void)state;
    static struct world w;
    tcp_init(&w, 4, 200);
    suspect(&w, 16);
    assert_int_equal(lot_suspects(w.lot), 1);
    assert_true(lot_is_limited(w.lot, host_of(0)));
    assert_false(lot_is_limited(w.lot, host_of(1)));
    assert_false(lot_is_limited(w.lot, host_of(9))); /* nobody has heard of it */
    struct endpoint mine = plan_at(w.plan, 100), other = plan_at(w.plan, 300);
    assert_true(lot_wants(w.lot, &mine));
    assert_false(lot_wants(w.lot, &other));
    assert_int_equal(take(&w, 100), LOT_FATE_PARKED);
    assert_int_equal(take(&w, 300), LOT_FATE_SILENT);
    deinit(&w);
}

/* One late answer: silence is kept, for eight timeouts at most, and then told without a packet. */
static void test_doubt(void **state) {
    (void)state;
    static struct world w;
    struct lot_work work;
    tcp_init(&w, 4, 200);
    assert_false(lot_takes(w.lot));
    suspect(&w, 1);
    assert_int_equal(lot_suspects(w.lot), 0);
    assert_true(lot_takes(w.lot));
    for (unsigned end = 0; end < 2; end++) {
        assert_int_equal(next(&w, &work), LOT_IDLE);
        assert_int_equal(take(&w, 100), LOT_FATE_PARKED);
        assert_int_equal(take(&w, 101), LOT_FATE_PARKED);
        w.now += 7 * RTO_NS;
        assert_int_equal(next(&w, &work), LOT_WAIT);
        assert_true(answered_so(&w, 101, STATE_OPEN, REASON_SYN_ACK, -1));
        w.now += end == 0 ? RTO_NS : RTO_NS / 2;
        w.order_done = end == 1;
        assert_int_equal(next(&w, &work), LOT_SILENT);
        assert_int_equal(work.index, 100);
    }
    assert_int_equal(next(&w, &work), LOT_IDLE);
    deinit(&w);
}

/* What was kept is asked as soon as its host is suspected. */
static void test_doubt_confirmed(void **state) {
    (void)state;
    static struct world w;
    struct lot_work work;
    tcp_init(&w, 4, 200);
    suspect(&w, 1);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    assert_int_equal(take(&w, 100), LOT_FATE_PARKED);
    for (unsigned i = 40; i < 80; i++)
        heard(&w, i, STATE_CLOSED, REASON_RESET, 1);
    w.now += RTO_NS;
    assert_int_equal(next(&w, &work), LOT_PROBE);
    assert_int_equal(work.index, 100);
    deinit(&w);
}

/* Resets are preferred as canaries, for open ports are left half open. */
static void test_canaries(void **state) {
    (void)state;
    static struct world w;
    tcp_init(&w, 4, 200);
    heard(&w, 150, STATE_OPEN, REASON_SYN_ACK, 0);
    suspect(&w, 16);
    heard(&w, 151, STATE_OPEN, REASON_SYN_ACK, 0);
    heard(&w, 152, STATE_FILTERED, REASON_ADMIN_PROHIBITED, 0); /* somebody else's word */
    for (unsigned i = 0; i < 2; i++) {
        struct endpoint open = plan_at(w.plan, 150 + i), latest = plan_at(w.plan, 31);
        assert_false(lot_is_canary(w.lot, &open, 150 + i));
        assert_int_equal(lot_is_canary(w.lot, &latest, 31), i == 1); /* when something is parked */
        assert_int_equal(take(&w, 100 + i), LOT_FATE_PARKED);
    }
    deinit(&w);
}

/* The group that the pace allows leaves as a whole; none does when it allows nothing. */
static void test_pace(void **state) {
    (void)state;
    static struct world w;
    struct lot_work work;
    tcp_init(&w, 4, 200);
    suspect(&w, 16);
    for (unsigned i = 100; i < 200; i++)
        assert_int_equal(take(&w, i), LOT_FATE_PARKED);
    struct lot_now now = {.now_ns = w.now, .watermark_ns = w.now, .rto_ns = RTO_NS};
    assert_int_equal(lot_next(w.lot, &now, &work), LOT_WAIT);
    assert_true(work.wake_ns > w.now && work.wake_ns < w.now + RTO_NS);
    for (unsigned group = 0; group < 20; group++) {
        unsigned packets = 0;
        now.packets_max = 6;
        while (lot_next(w.lot, &now, &work) == LOT_PROBE) {
            packets++;
            now.packets_max = 0; /* the rest of the group leaves all the same */
            heard(&w, work.index < 32 ? work.index : 0, STATE_CLOSED, REASON_RESET, -1);
            if (work.last)
                lot_sent(w.lot, now.now_ns);
        }
        assert_in_range(packets, 2, 6);
        now.now_ns = now.watermark_ns = work.wake_ns > now.now_ns ? work.wake_ns + NS_PER_SEC : now.now_ns + NS_PER_SEC;
        w.now = now.now_ns;
    }
    deinit(&w);
}

/* A host whose parked endpoints are all answered while it waits for its next turn is parked anew, again and again. */
static void test_parked_anew(void **state) {
    (void)state;
    static struct world w;
    struct lot_work work;
    tcp_init(&w, 4, 20000);
    suspect(&w, 16);
    for (unsigned i = 100; i < 100 + 2 * LOT_PARKED_MAX; i++) {
        assert_int_equal(take(&w, i), LOT_FATE_PARKED);
        while (next(&w, &work) == LOT_PROBE)
            if (work.last)
                lot_sent(w.lot, w.now);
        if (i % 4 == 0)
            heard(&w, work.index, STATE_CLOSED, REASON_RESET, -1); /* the canary: the host has not gone */
        w.now += 2 * RTO_NS;
        assert_int_equal(next(&w, &work), LOT_WAIT);
        assert_true(answered_so(&w, i, STATE_CLOSED, REASON_RESET, -1));
        w.now += 5 * NS_PER_SEC;
    }
    assert_int_equal(lot_parked(w.lot), 0);
    assert_int_equal(next(&w, &work), LOT_IDLE);
    deinit(&w);
}

/* More hosts than are held: nothing is known of the rest. More of them limited than are parked: undecided. */
static void test_bounds(void **state) {
    (void)state;
    enum { HOSTS = 70000 };
    struct world w = {.n_hosts = HOSTS, .n_ports = 2};
    unsigned fates[3] = {0};
    world_init(&w);
    w.lot = lot_new(w.plan, 0);
    assert_non_null(w.lot);
    for (uint64_t h = 0; h < HOSTS; h++)
        assert_false(answer(&w, 2 * h, true, 0));
    for (uint64_t h = 0; h < HOSTS; h++)
        fates[take(&w, 2 * h + 1)]++;
    assert_int_equal(fates[LOT_FATE_SILENT], HOSTS - VOICE_HOSTS_MAX);
    assert_int_equal(fates[LOT_FATE_PARKED], LOT_PARKED_MAX);
    assert_int_equal(fates[LOT_FATE_UNDECIDED], VOICE_HOSTS_MAX - LOT_PARKED_MAX);
    assert_int_equal(lot_suspects(w.lot), VOICE_HOSTS_MAX);
    deinit(&w);
}

/* Errors are limited apart from other answers: a host known for its errors is not suspected over TCP. */
static void test_two_voices(void **state) {
    (void)state;
    struct slot slots[] = {{.port = 1, .technique = TECHNIQUE_SYN}, {.port = 2, .technique = TECHNIQUE_SYN},
                           {.port = 1, .technique = TECHNIQUE_UDP}, {.port = 2, .technique = TECHNIQUE_UDP}};
    struct target target = {.range = {host_of(0), host_of(0)}, .port = -1};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = 4, .keep_special = true};
    struct world w = {.n_hosts = 1, .n_ports = 4};
    struct error e;
    assert_int_equal(plan_create(&in, &w.plan, &e), 0);
    w.lot = lot_new(w.plan, 0);
    assert_non_null(w.lot);
    assert_false(answer(&w, 2, true, 0));
    heard(&w, 0, STATE_CLOSED, REASON_RESET, 0);
    struct endpoint udp = plan_at(w.plan, 3);
    assert_false(lot_wants(w.lot, &udp)); /* the order's own tries go on: most hosts answer some of them */
    assert_int_equal(take(&w, 3), LOT_FATE_PARKED);
    assert_int_equal(take(&w, 1), LOT_FATE_SILENT);
    deinit(&w);
}

static void test_which_techniques(void **state) {
    (void)state;
    assert_true(lot_concerns(TECHNIQUE_UDP));
    assert_true(lot_concerns(TECHNIQUE_PROTOCOL));
    assert_true(lot_concerns(TECHNIQUE_SYN));
    assert_false(lot_concerns(TECHNIQUE_PING));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux),           cmocka_unit_test(test_linux_with_loss),
        cmocka_unit_test(test_unlimited),       cmocka_unit_test(test_hundred_a_second),
        cmocka_unit_test(test_near_among_far),
        cmocka_unit_test(test_timeout),         cmocka_unit_test(test_gone),
        cmocka_unit_test(test_strangers),       cmocka_unit_test(test_suspicion),
        cmocka_unit_test(test_doubt),           cmocka_unit_test(test_doubt_confirmed),
        cmocka_unit_test(test_canaries),        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_parked_anew),     cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_two_voices),      cmocka_unit_test(test_which_techniques),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
