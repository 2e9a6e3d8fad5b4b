#include "../unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "naive.h"
#include "plan/order.h"
#include "plan/plan_parts.h"

#define LAST (~(addr_t)0)
#define V4(a, b, c, d) addr_from_v4((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* Windows at plain addresses, across the edges of special-use ranges, and at both ends of the number space. */
static addr_t window_base(unsigned i) {
    const addr_t bases[] = {
        V4(198, 18, 0, 0), V4(192, 0, 1, 240), V4(203, 0, 112, 200), V4(223, 255, 255, 100), V4(239, 255, 255, 100),
        V4(255, 255, 255, 100), V4(0, 0, 0, 0) - 60, V4(8, 8, 8, 0), (addr_t)0, LAST - (NAIVE_WINDOW - 1),
        ((addr_t)0xfe80 << 112) - 100, ((addr_t)UINT64_C(0x20010db800000000) << 64) - 100,
    };
    return bases[i % (sizeof bases / sizeof *bases)];
}

static void check_ranges(const struct plan *p) {
    size_t n = 0;
    const struct addr_range *ranges = plan_ranges(p, &n);
    addr_t total = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(ranges[i].lo <= ranges[i].hi);
        assert_true(i == 0 || ranges[i - 1].hi < ranges[i].lo);
        total += ranges[i].hi - ranges[i].lo + 1;
    }
    assert_true(total == plan_addresses(p));
}

/* The indices in another order, some twice, in runs of every length. */
static void check_many(const struct plan *p) {
    enum { MOST = 300 };
    uint64_t index[MOST];
    struct endpoint many[MOST + 1];
    for (unsigned n = 0; n <= MOST && plan_size(p) > 0; n += n < 20 ? 1 : 70) {
        for (uint64_t i = 0; i < n; i++)
            index[i] = (i * 7919 + n) % plan_size(p);
        many[n].slot.port = 4711;
        plan_at_many(p, index, n, many);
        for (unsigned i = 0; i < n; i++) {
            struct endpoint one = plan_at(p, index[i]);
            assert_true(many[i].addr == one.addr && many[i].slot.port == one.slot.port);
            assert_true(many[i].slot.technique == one.slot.technique);
        }
        assert_int_equal(many[n].slot.port, 4711);
    }
}

/* Both ways, over the whole window and just outside of it. */
static void check_plan(const struct plan *p, const struct naive_input *n, const struct naive *want) {
    assert_int_equal(plan_size(p), want->size);
    assert_true(plan_addresses(p) == want->addresses);
    check_ranges(p);
    check_many(p);
    uint64_t next = 0;
    for (unsigned i = 0; i < n->width; i++) {
        for (unsigned s = 0; s < NAIVE_SLOTS; s++) {
            struct endpoint ep = {n->base + i, naive_slot(s)};
            uint64_t index = plan_find(p, &ep);
            assert_int_equal(index, want->has[i][s] ? next : PLAN_NONE);
            if (index == PLAN_NONE)
                continue;
            struct endpoint back = plan_at(p, index);
            assert_true(back.addr == ep.addr && back.slot.port == ep.slot.port);
            assert_true(back.slot.technique == ep.slot.technique);
            next++;
        }
    }
    assert_int_equal(next, want->size);
    for (unsigned s = 0; s < NAIVE_SLOTS; s++) {
        assert_int_equal(plan_find(p, &(struct endpoint){n->base - 1, naive_slot(s)}), PLAN_NONE);
        assert_int_equal(plan_find(p, &(struct endpoint){n->base + n->width, naive_slot(s)}), PLAN_NONE);
    }
}

struct slots_seen {
    bool has[NAIVE_SLOTS];
    unsigned calls, stop_at;
};

static int see_slot(void *ctx, const struct slot *s) {
    struct slots_seen *seen = ctx;
    unsigned i = s->technique * NAIVE_PORTS + s->port - 1u;
    assert_true(i < NAIVE_SLOTS);
    seen->has[i] = true;
    return ++seen->calls == seen->stop_at ? 42 : 0;
}

/* What is asked of a plan as a whole, and of one of its addresses. */
static void check_slots(const struct plan *p, const struct naive_input *n, const struct naive *want) {
    struct slots_seen seen = {.calls = 0};
    bool has[NAIVE_SLOTS] = {false};
    unsigned most = 0;
    uint32_t mask = 0;
    uint64_t next = 0;
    for (unsigned i = 0; i < n->width; i++) {
        uint64_t first = 0;
        unsigned count = 99, slots = 0;
        const struct slot *slot = plan_slots_of(p, n->base + i, &first, &count);
        for (unsigned s = 0; s < NAIVE_SLOTS; s++) {
            if (!want->has[i][s])
                continue;
            has[s] = true;
            mask |= UINT32_C(1) << naive_slot(s).technique;
            assert_true(slots < count);
            assert_int_equal(slot[slots].port, naive_slot(s).port);
            assert_int_equal(slot[slots++].technique, naive_slot(s).technique);
        }
        assert_int_equal(count, slots);
        assert_true(count == 0 || first == next);
        next += slots;
        most = slots > most ? slots : most;
    }
    assert_int_equal(plan_slots_max(p), most);
    assert_int_equal(plan_techniques(p), mask);
    assert_int_equal(plan_each_slot(p, see_slot, &seen), 0);
    assert_memory_equal(seen.has, has, sizeof has);
    seen = (struct slots_seen){.stop_at = 1};
    assert_int_equal(plan_each_slot(p, see_slot, &seen), want->size > 0 ? 42 : 0);
    assert_int_equal(seen.calls, want->size > 0);
}

/* A random half of the addresses, as if these alone had been planned. */
static void check_restricted(const struct plan *p, const struct naive_input *n, const struct naive *want,
                             uint64_t *random) {
    addr_t some[NAIVE_WINDOW];
    struct naive *left = test_calloc(1, sizeof *left);
    struct plan *q = NULL;
    struct error e = ERROR_INIT;
    size_t count = 0;
    for (unsigned i = 0; i < n->width; i++) {
        unsigned slots = 0;
        for (unsigned s = 0; s < NAIVE_SLOTS; s++)
            slots += want->has[i][s];
        if (slots == 0 || random_splitmix(random) % 2)
            continue;
        some[count++] = n->base + i;
        memcpy(left->has[i], want->has[i], sizeof left->has[i]);
        left->size += slots;
        left->addresses++;
    }
    assert_int_equal(plan_restrict(p, some, count, &q, &e), 0);
    check_plan(q, n, left);
    check_slots(q, n, left);
    plan_free(q);
    test_free(left);
}

/* Slots of technique 0 become technique 2: they are found under it, and 1 stands before them. */
static void check_retold(struct plan *p, const struct naive_input *n, const struct naive *want) {
    uint64_t size = plan_size(p);
    plan_retell(p, 0, 2);
    assert_int_equal(plan_size(p), size);
    assert_int_equal(plan_techniques(p) & 1, 0);
    for (unsigned i = 0; i < n->width; i++)
        for (unsigned s = 0; s < NAIVE_SLOTS; s++) {
            struct endpoint ep = {n->base + i, naive_slot(s)};
            if (ep.slot.technique == 0)
                ep.slot.technique = 2;
            uint64_t index = plan_find(p, &ep);
            assert_int_equal(index != PLAN_NONE, want->has[i][s]);
            assert_true(index == PLAN_NONE || plan_at(p, index).slot.technique == ep.slot.technique);
        }
}

static void test_random_plans_against_naive(void **state) {
    (void)state;
    uint64_t random = 1;
    unsigned built = 0;
    for (unsigned i = 0; i < 3000; i++) {
        struct naive_input n;
        struct naive *want = test_malloc(sizeof *want);
        struct plan *p = NULL;
        struct error e = ERROR_INIT;
        naive_random(&n, window_base(i), (unsigned)(random_splitmix(&random) % NAIVE_WINDOW) + 1, &random);
        naive_plan(&n, want);
        int r = plan_create(&n.in, &p, &e);
        if (want->size == 0) {
            assert_int_equal(r, -EINVAL);
            assert_string_not_equal(e.text, "");
        } else {
            assert_int_equal(r, 0);
            check_plan(p, &n, want);
            check_slots(p, &n, want);
            check_restricted(p, &n, want, &random);
            assert_true(plan_special_removed(p) == want->special_removed);
            check_retold(p, &n, want);
            plan_free(p);
            built++;
        }
        test_free(want);
    }
    assert_true(built > 1500); /* else the inputs say little */
}

/* All shards of a plan, walked in order: every endpoint once, and nothing else. */
static void test_shards_of_random_plans(void **state) {
    (void)state;
    uint64_t random = 2;
    for (unsigned done = 0; done < 50;) {
        struct naive_input n;
        struct plan *p = NULL;
        struct error e = ERROR_INIT;
        naive_random(&n, window_base((unsigned)random_splitmix(&random)), NAIVE_WINDOW, &random);
        if (plan_create(&n.in, &p, &e) < 0)
            continue;
        uint64_t size = plan_size(p), parts = random_splitmix(&random) % 12 + 1, walked = 0;
        struct order o;
        order_init(&o, size, random_splitmix(&random));
        bool *seen = test_calloc(size, sizeof *seen);
        for (uint64_t i = 1; i <= parts; i++) {
            struct shard s = shard_of(size, i, parts);
            for (uint64_t position = s.first; position < s.end; position++, walked++) {
                struct endpoint ep = plan_at(p, order_at(&o, position));
                uint64_t index = plan_find(p, &ep);
                assert_true(index < size && !seen[index]);
                assert_int_equal(order_find(&o, index), position);
                seen[index] = true;
            }
        }
        assert_int_equal(walked, size);
        test_free(seen);
        plan_free(p);
        done++;
    }
}

static const struct slot three_slots[] = {{.port = 443}, {.port = 80}, {.port = 22}};

static uint64_t size_of(const struct plan_input *in, uint64_t *special) {
    struct plan *p = NULL;
    struct error e = ERROR_INIT;
    int r = plan_create(in, &p, &e);
    if (r < 0)
        fail_msg("%s", e.text);
    uint64_t size = plan_size(p);
    *special = (uint64_t)plan_special_removed(p);
    plan_free(p);
    return size;
}

/* The whole of IPv4 without what is special: 5,000 exclusions in ordinary space come off exactly. */
static void test_all_of_ipv4(void **state) {
    (void)state;
    enum { EXCLUSIONS = 5000 };
    struct target all = {{V4(0, 0, 0, 0), V4(255, 255, 255, 255)}, -1, false};
    struct addr_range *exclude = test_calloc(EXCLUSIONS, sizeof *exclude);
    for (uint32_t i = 0; i < EXCLUSIONS; i++)
        exclude[i] = (struct addr_range){V4(20, 0, 0, 0) + 4096 * i, V4(20, 0, 0, 0) + 4096 * i + 9};
    struct plan_input in = {.targets = &all, .n_targets = 1, .slots = three_slots, .n_slots = 3,
                            .exclude = exclude, .n_exclude = EXCLUSIONS};
    /* 0/8 10/8 127/8, 100.64/10, 172.16/12, 169.254/16 192.168/16, 198.18/15, five /24, 224/3 */
    uint64_t special = 3 * (UINT64_C(1) << 24) + (1 << 22) + (1 << 20) + 2 * (1 << 16) + (1 << 17) + 5 * 256 + (1 << 29);
    uint64_t removed = 0;
    assert_int_equal(size_of(&in, &removed), 3 * ((UINT64_C(1) << 32) - special - 10 * EXCLUSIONS));
    assert_int_equal(removed, special);
    in.keep_special = true;
    assert_int_equal(size_of(&in, &removed), 3 * ((UINT64_C(1) << 32) - 10 * EXCLUSIONS));
    assert_int_equal(removed, 0);
    test_free(exclude);
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_a_million_lines_with_ports(void **state) {
    (void)state;
    enum { LINES = 1000000 };
    struct target *targets = test_calloc(LINES, sizeof *targets);
    uint64_t *pairs = test_calloc(LINES, sizeof *pairs), random = 3, unique = 0;
    for (size_t i = 0; i < LINES; i++) {
        uint32_t ip = 0x14000000 + (uint32_t)(random_splitmix(&random) % 700000); /* 20.0.0.0 and up: some twice */
        uint16_t port = (uint16_t)(random_splitmix(&random) % 65535 + 1);
        targets[i] = (struct target){.range = {addr_from_v4(ip), addr_from_v4(ip)}, .port = port};
        pairs[i] = (uint64_t)ip << 16 | port;
    }
    qsort(pairs, LINES, sizeof *pairs, compare_u64);
    struct plan_input in = {.targets = targets, .n_targets = LINES, .port_techniques = 1u << 1};
    struct plan *p = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(plan_create(&in, &p, &e), 0);
    for (size_t i = 0; i < LINES; i++) {
        if (i > 0 && pairs[i] == pairs[i - 1])
            continue;
        struct endpoint ep = {addr_from_v4((uint32_t)(pairs[i] >> 16)),
                              {.port = (uint16_t)pairs[i], .technique = 1}};
        struct endpoint back = plan_at(p, unique);
        if (plan_find(p, &ep) != unique || back.addr != ep.addr || back.slot.port != ep.slot.port)
            fail_msg("line %zu", i);
        unique++;
    }
    assert_int_equal(plan_size(p), unique);
    check_many(p);
    plan_free(p);
    test_free(pairs);
    test_free(targets);
}

static void test_up_to_2_63(void **state) {
    (void)state;
    addr_t base = (addr_t)0x2a00 << 112;
    struct target t = {{base, base + ((addr_t)1 << 62) - 1}, -1, false};
    struct plan_input in = {.targets = &t, .n_targets = 1, .slots = three_slots, .n_slots = 2};
    struct plan *p = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(plan_create(&in, &p, &e), 0);
    assert_int_equal(plan_size(p), ORDER_MAX);
    struct endpoint last = plan_at(p, ORDER_MAX - 1);
    assert_true(last.addr == t.range.hi && last.slot.port == 443);
    assert_int_equal(plan_find(p, &last), ORDER_MAX - 1);
    check_many(p);
    plan_free(p);

    in.n_slots = 3;
    assert_int_equal(plan_create(&in, &p, &e), -ERANGE);
    assert_non_null(strstr(e.text, "2^63"));
    in.n_slots = 2;
    t.range.hi++;
    assert_int_equal(plan_create(&in, &p, &e), -ERANGE);
    t.range = (struct addr_range){0, LAST};
    in.keep_special = true;
    assert_int_equal(plan_create(&in, &p, &e), -ERANGE);
}

static void check_quotient(uint64_t x, uint32_t n) {
    struct slot_set set = slot_set_of(0, n);
    struct quotient q = slot_set_divide(&set, x);
    if (q.whole != x / n || q.rest != x % n)
        fail_msg("%lu / %u", (unsigned long)x, n);
}

/* Division by a reciprocal: where it would be off by one, if at all, is around the multiples. */
static void test_quotients(void **state) {
    (void)state;
    uint64_t random = 11;
    for (unsigned i = 0; i < 200000; i++) {
        unsigned shift = (unsigned)(32 + random_splitmix(&random) % 32);
        uint32_t n = i < 70000 ? i + 1 : (uint32_t)(random_splitmix(&random) >> shift) | 1;
        uint64_t multiple = random_splitmix(&random) >> random_splitmix(&random) % 64, most = UINT64_MAX / n;
        multiple = (multiple > most ? most : multiple) * n;
        check_quotient(multiple, n);
        check_quotient(multiple - 1, n);
        check_quotient(multiple + (n - 1), n);
        check_quotient(most * n, n);
        check_quotient(most * n - 1, n);
        check_quotient(UINT64_MAX, n);
        check_quotient(random_splitmix(&random), n);
    }
    check_quotient(UINT64_MAX, UINT32_MAX);
    check_quotient(UINT64_MAX - 1, UINT32_MAX);
}

static void expect_empty(const struct plan_input *in, const char *why) {
    struct plan *p = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(plan_create(in, &p, &e), -EINVAL);
    if (!strstr(e.text, why))
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void test_nothing_left_says_why(void **state) {
    (void)state;
    struct target t = {{V4(20, 0, 0, 0), V4(20, 0, 0, 9)}, -1, false};
    struct plan_input in = {.slots = three_slots, .n_slots = 3};
    expect_empty(&in, "no target");
    in.targets = &t;
    in.n_targets = 1;
    in.exclude = &t.range;
    in.n_exclude = 1;
    expect_empty(&in, "every target is excluded");
    in.n_exclude = 0;
    in.n_slots = 0;
    expect_empty(&in, "every port is excluded");
    struct port_set *ports = test_calloc(1, sizeof *ports);
    port_set_add(ports, 1, 1000);
    in.exclude_ports = ports;
    in.port_techniques = 1;
    in.n_slots = 3; /* nothing of a target with a port of its own */
    t.port = 80;
    expect_empty(&in, "every port is excluded");
    in.exclude_ports = NULL;
    t = (struct target){{V4(127, 0, 0, 1), V4(127, 0, 0, 1)}, -1, true};
    expect_empty(&in, "special use");
    test_free(ports);
}

/* Many targets with different ports over one range: the sets are shared, not held an address each. */
static void test_overlapping_port_ranges(void **state) {
    (void)state;
    enum { N = 300 };
    struct target targets[N];
    uint64_t expected = 0;
    for (uint32_t i = 0; i < N; i++) {
        targets[i] = (struct target){{V4(20, 0, 0, 0) + i, V4(20, 1, 0, 0) + 2 * i}, (int32_t)i + 1, false};
        expected += 65536 + i + 1;
    }
    struct plan_input in = {.targets = targets, .n_targets = N, .slots = three_slots, .n_slots = 3,
                            .port_techniques = 1u << 4 | 1u << 9};
    uint64_t special = 0;
    assert_int_equal(size_of(&in, &special), 2 * expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_plans_against_naive), cmocka_unit_test(test_shards_of_random_plans),
        cmocka_unit_test(test_all_of_ipv4), cmocka_unit_test(test_a_million_lines_with_ports),
        cmocka_unit_test(test_up_to_2_63), cmocka_unit_test(test_nothing_left_says_why),
        cmocka_unit_test(test_overlapping_port_ranges), cmocka_unit_test(test_quotients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
