#include "../unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "plan/order.h"

/* Every N of a scan of a few hosts, wholly: at() takes each index once, and find() leads back. */
static void test_every_small_n(void **state) {
    (void)state;
    enum { LAST = 5000 };
    uint8_t *seen = test_malloc(LAST);
    for (uint64_t n = 1; n <= LAST; n++) {
        struct order o;
        order_init(&o, n, n * 977);
        memset(seen, 0, n);
        for (uint64_t p = 0; p < n; p++) {
            uint64_t index = order_at(&o, p);
            if (index >= n || seen[index] || order_find(&o, index) != p)
                fail_msg("N %lu, position %lu, index %lu", (unsigned long)n, (unsigned long)p, (unsigned long)index);
            seen[index] = 1;
        }
    }
    test_free(seen);
}

#define MANY 600u /* more than are walked together */

static void check_many(struct order *o, enum vector_way way, const uint64_t *positions, unsigned n) {
    uint64_t index[MANY + 1], in_place[MANY];
    index[n] = 4711;
    o->way = way;
    order_at_many(o, positions, n, index);
    assert_int_equal(index[n], 4711);
    memcpy(in_place, positions, n * sizeof *positions);
    order_at_many(o, in_place, n, in_place);
    for (unsigned i = 0; i < n; i++)
        if (index[i] != order_at(o, positions[i]) || index[i] != in_place[i])
            fail_msg("N %lu, position %lu, one of %u, %s", (unsigned long)o->n, (unsigned long)positions[i], n,
                     vector_name(way));
}

/* Runs of positions and single ones, in batches of every length, of orders of every size. */
static void test_many_at_a_time(void **state) {
    (void)state;
    uint64_t random = 77, positions[MANY];
    for (unsigned i = 0; i < 10000; i++) {
        struct order o;
        uint64_t n = (random_splitmix(&random) >> 1 >> random_splitmix(&random) % 63) + 1;
        if (i % 8 == 0) /* powers of two, and one beside them: fewest and most steps */
            n = (UINT64_C(1) << i / 8 % 64) + (i / 512 % 3) - 1;
        order_init(&o, n == 0 ? 1 : n > ORDER_MAX ? ORDER_MAX : n, random_splitmix(&random));
        unsigned count = i % (MANY + 1);
        uint64_t start = random_splitmix(&random);
        for (unsigned k = 0; k < count; k++)
            positions[k] = (i % 3 ? start + k : random_splitmix(&random)) % o.n;
        for (enum vector_way way = 0; way < VECTOR_WAYS; way++)
            if (vector_has(way))
                check_many(&o, way, positions, count);
    }
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Checks range, inverse and distinctness on up to 1,000 different positions, ends included. */
static void check_sampled(uint64_t n, uint64_t seed, uint64_t *random) {
    enum { SAMPLES = 1000 };
    uint64_t index[SAMPLES], count = 0, step = n / SAMPLES ? n / SAMPLES : 1;
    struct order o;
    order_init(&o, n, seed);
    for (uint64_t i = 0; i < SAMPLES && i < n; i++) {
        uint64_t p = i * step + random_splitmix(random) % step; /* one of each stretch, so no two are equal */
        if (i == 0)
            p = 0;
        else if (i == SAMPLES - 1 || i == n - 1)
            p = n - 1;
        index[count] = order_at(&o, p);
        if (index[count] >= n || order_find(&o, index[count]) != p || order_at(&o, order_find(&o, p)) != p)
            fail_msg("N %lu, seed %lu, position %lu", (unsigned long)n, (unsigned long)seed, (unsigned long)p);
        count++;
    }
    qsort(index, count, sizeof *index, compare_u64);
    for (uint64_t i = 1; i < count; i++)
        assert_true(index[i - 1] < index[i]);
}

static void test_random_n(void **state) {
    (void)state;
    uint64_t random = 20260101;
    for (int i = 0; i < 1000; i++) {
        unsigned shift = (unsigned)(random_splitmix(&random) % 63); /* every magnitude alike */
        uint64_t n = (random_splitmix(&random) >> 1 >> shift) + 1;
        check_sampled(n, random_splitmix(&random), &random);
    }
    for (unsigned bits = 0; bits <= 63; bits++)
        for (int off = -1; off <= 1; off++) {
            uint64_t n = (UINT64_C(1) << bits) + (uint64_t)(int64_t)off;
            if (n >= 1 && n <= ORDER_MAX)
                check_sampled(n, bits, &random);
        }
}

/* --- How random it looks. Orders to compare: each maps a position below n to an index below n. --- */

struct candidate {
    uint64_t n;
    uint64_t seed;
    struct order order;
};

typedef uint64_t map_fn(const struct candidate *c, uint64_t position);

static uint64_t map_ours(const struct candidate *c, uint64_t position) {
    return order_at(&c->order, position);
}

static uint64_t map_identity(const struct candidate *c, uint64_t position) {
    (void)c;
    return position;
}

__extension__ typedef unsigned __int128 product_t;

/* a x position + b modulo n, with a large odd a; n is a power of two or prime wherever it is used. */
static uint64_t map_linear(const struct candidate *c, uint64_t position) {
    uint64_t state = c->seed, a = random_splitmix(&state) % c->n | 1;
    return (uint64_t)(((product_t)a * position + random_splitmix(&state)) % c->n);
}

/* The network of ours with fewer rounds. */
static uint64_t few_rounds(const struct candidate *c, uint64_t position, unsigned rounds) {
    uint64_t right_mask = (UINT64_C(1) << c->order.right_bits) - 1, left_mask = (UINT64_C(1) << c->order.left_bits) - 1;
    uint64_t x = position;
    do {
        uint64_t left = x >> c->order.right_bits, right = x & right_mask;
        left ^= order_round(right, c->order.key[0]) & left_mask;
        if (rounds > 1)
            right ^= order_round(left, c->order.key[1]) & right_mask;
        x = left << c->order.right_bits | right;
    } while (x >= c->n);
    return x;
}

static uint64_t map_one_round(const struct candidate *c, uint64_t position) {
    return few_rounds(c, position, 1);
}

static uint64_t map_two_rounds(const struct candidate *c, uint64_t position) {
    return few_rounds(c, position, 2);
}

#define SAMPLES 65536u
#define CELLS 256u /* of each table: 256 samples a cell */

/* How far the counts are from even ones, in standard deviations: chi-square has mean df and variance 2 df. Below zero:
 * more even than chance is. */
static double deviation(const unsigned count[static CELLS], double total) {
    double expected = total / CELLS, chi = 0, df = CELLS - 1, root = 1;
    for (unsigned i = 0; i < CELLS; i++)
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    for (int i = 0; i < 40; i++) /* sqrt(2 df), by Newton: no libm for one root */
        root = (root + 2 * df / root) / 2;
    return (chi - df) / root;
}

/* The index's 4 highest bits, as a sixteenth of n. */
static unsigned high(const struct candidate *c, uint64_t index) {
    return (unsigned)((product_t)index * 16 / c->n);
}

/* Which cell of table t the neighbouring positions p and q = p + distance fall into. */
enum { HIGH_PAIRS, LOW_PAIRS, DIFFERENCE, LOW_DIFFERENCE, PLACE, XOR_LOW, TABLES };
static unsigned cell(const struct candidate *c, int t, uint64_t a, uint64_t b) {
    switch (t) {
    case HIGH_PAIRS:
        return high(c, a) * 16 + high(c, b);
    case LOW_PAIRS:
        return (unsigned)(a % 16 * 16 + b % 16);
    case DIFFERENCE:
        return (unsigned)((product_t)(b >= a ? b - a : b + (c->n - a)) * CELLS / c->n);
    case LOW_DIFFERENCE:
        return (unsigned)((b - a) & 0xff);
    case PLACE:
        return (unsigned)((product_t)a * CELLS / c->n);
    default:
        return (unsigned)((a ^ b) & 0xff);
    }
}

/* The worst deviation over all tables, over neighbours at several distances (one of them changes the network's left half
 * only), from several starts. */
static double worst_deviation(const struct candidate *c, map_fn *map) {
    const uint64_t distances[] = {1, 2, 256, 65536, UINT64_C(1) << c->order.right_bits};
    double worst = 0;
    for (size_t d = 0; d < sizeof distances / sizeof *distances; d++) {
        unsigned count[TABLES][CELLS] = {{0}};
        uint64_t start = d * (c->n / 8);
        for (uint64_t i = 0; i < SAMPLES; i++) {
            /* Pairs that share no position, so that they are independent. */
            uint64_t p = start + i / distances[d] * 2 * distances[d] + i % distances[d];
            uint64_t a = map(c, p), b = map(c, p + distances[d]);
            for (int t = 0; t < TABLES; t++)
                count[t][cell(c, t, a, b)]++;
        }
        for (int t = 0; t < TABLES; t++) {
            double z = deviation(count[t], SAMPLES);
            worst = z > worst ? z : -z > worst ? -z : worst;
        }
    }
    return worst;
}

/* Chance alone passes six deviations of this chi-square less than once in 10^6 tables. The seeds are fixed. */
#define LIMIT 6.0

static const uint64_t sizes[] = {
    UINT64_C(1) << 23, 8388617 /* prime */, UINT64_C(1) << 32, UINT64_C(408021893137), (UINT64_C(1) << 63) - 25 /* prime */,
    UINT64_C(1) << 63,
};
#define N_SIZES (sizeof sizes / sizeof *sizes)

static struct candidate candidate_of(uint64_t n, uint64_t seed) {
    struct candidate c = {.n = n, .seed = seed};
    order_init(&c.order, n, seed);
    return c;
}

static void test_ours_looks_random(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SIZES; i++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct candidate c = candidate_of(sizes[i], seed);
            double z = worst_deviation(&c, map_ours);
            if (z > LIMIT)
                fail_msg("N %lu, seed %lu: %.2f deviations", (unsigned long)sizes[i], (unsigned long)seed, z);
        }
}

static void expect_weak(const char *name, map_fn *map) {
    for (size_t i = 0; i < N_SIZES; i++)
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct candidate c = candidate_of(sizes[i], seed);
            double z = worst_deviation(&c, map);
            if (z <= LIMIT)
                fail_msg("%s passes with N %lu, seed %lu: %.2f deviations", name, (unsigned long)sizes[i],
                         (unsigned long)seed, z);
        }
}

static void test_weak_orders_do_not(void **state) {
    (void)state;
    expect_weak("the identity", map_identity);
    expect_weak("a linear congruence", map_linear);
    expect_weak("one round", map_one_round);
    expect_weak("two rounds", map_two_rounds);
}

/* Over many seeds, any two positions of a tiny order go to any two indices equally often. */
static void test_seeds_spread_small_orders(void **state) {
    (void)state;
    enum { N = 17, SEEDS = 200 * 272 }; /* 17 x 16 ordered pairs, of which 256 make a table of the usual size */
    unsigned count[CELLS] = {0};
    double total = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct order o;
        order_init(&o, N, seed);
        uint64_t a = order_at(&o, 3), b = order_at(&o, 4);
        uint64_t pair = a * (N - 1) + (b > a ? b - 1 : b);
        if (pair < CELLS) {
            count[pair]++;
            total++;
        }
    }
    double z = deviation(count, total);
    if (z > LIMIT || z < -LIMIT)
        fail_msg("%.2f deviations", z);
}

/* The same (n, seed) must give the same order for ever: a resumed scan relies on it. */
static void test_golden(void **state) {
    (void)state;
    static const struct {
        uint64_t n, seed, position, index;
    } golden[] = {
        {UINT64_C(1), UINT64_C(0), UINT64_C(0), UINT64_C(0)},
        {UINT64_C(1), UINT64_C(42), UINT64_C(0), UINT64_C(0)},
        {UINT64_C(1), UINT64_C(18446744073709551615), UINT64_C(0), UINT64_C(0)},
        {UINT64_C(10), UINT64_C(0), UINT64_C(3), UINT64_C(0)},
        {UINT64_C(10), UINT64_C(42), UINT64_C(3), UINT64_C(9)},
        {UINT64_C(10), UINT64_C(18446744073709551615), UINT64_C(3), UINT64_C(7)},
        {UINT64_C(1000), UINT64_C(0), UINT64_C(333), UINT64_C(309)},
        {UINT64_C(1000), UINT64_C(42), UINT64_C(333), UINT64_C(580)},
        {UINT64_C(1000), UINT64_C(18446744073709551615), UINT64_C(333), UINT64_C(711)},
        {UINT64_C(4294967296), UINT64_C(0), UINT64_C(1431655765), UINT64_C(251851197)},
        {UINT64_C(4294967296), UINT64_C(42), UINT64_C(1431655765), UINT64_C(54950941)},
        {UINT64_C(4294967296), UINT64_C(18446744073709551615), UINT64_C(1431655765), UINT64_C(1784879016)},
        {UINT64_C(408021893137), UINT64_C(0), UINT64_C(136007297712), UINT64_C(146066494600)},
        {UINT64_C(408021893137), UINT64_C(42), UINT64_C(136007297712), UINT64_C(373399457137)},
        {UINT64_C(408021893137), UINT64_C(18446744073709551615), UINT64_C(136007297712), UINT64_C(50471371341)},
        {UINT64_C(9223372036854775808), UINT64_C(0), UINT64_C(3074457345618258602), UINT64_C(6752526222699956375)},
        {UINT64_C(9223372036854775808), UINT64_C(42), UINT64_C(3074457345618258602), UINT64_C(8660353871727533187)},
        {UINT64_C(9223372036854775808), UINT64_C(18446744073709551615), UINT64_C(3074457345618258602), UINT64_C(6905934223655158471)},
    };
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        struct order o;
        order_init(&o, golden[i].n, golden[i].seed);
        assert_int_equal(order_at(&o, golden[i].position), golden[i].index);
    }
}

static void test_shards_tile(void **state) {
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 2000; i++) {
        uint64_t total = (random_splitmix(&random) >> 1 >> random_splitmix(&random) % 63) + 1;
        uint64_t n = random_splitmix(&random) % 300 + 1, next = 0;
        for (uint64_t k = 1; k <= n; k++) {
            struct shard s = shard_of(total, k, n);
            assert_int_equal(s.first, next);
            assert_true(s.end - s.first == total / n || s.end - s.first == total / n + 1);
            next = s.end;
        }
        assert_int_equal(next, total);
    }
    struct shard whole = shard_of(ORDER_MAX, 1, 1);
    assert_int_equal(whole.first, 0);
    assert_int_equal(whole.end, ORDER_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_small_n), cmocka_unit_test(test_random_n), cmocka_unit_test(test_many_at_a_time),
        cmocka_unit_test(test_ours_looks_random), cmocka_unit_test(test_weak_orders_do_not),
        cmocka_unit_test(test_seeds_spread_small_orders), cmocka_unit_test(test_golden),
        cmocka_unit_test(test_shards_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
