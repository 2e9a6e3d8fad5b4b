/* Stamped frames against those that are built one by one: every byte, for random scans. */
#include "cmocka_all.h"

#include <string.h>

#include "base/random.h"
#include "probe/packet.h"
#include "probe/stamp.h"

#define BATCH 67u /* not a multiple of any number of lanes */
#define STRIDE 101u

static bool chance(uint64_t *random, unsigned one_in) {
    return random_splitmix(random) % one_in == 0;
}

static struct probe_config random_config(uint64_t *random) {
    struct probe_config c = {
        .key = {random_splitmix(random), random_splitmix(random)},
        .tries = (uint8_t)(1 + random_splitmix(random) % 8),
        .port_fixed = chance(random, 3),
        .ttl = (uint8_t)random_splitmix(random),
        .flags_given = chance(random, 3),
        .flags = (uint8_t)random_splitmix(random),
    };
    uint16_t fixed = (uint16_t)random_splitmix(random);
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++)
        c.first_port[t] = c.port_fixed ? fixed : (uint16_t)random_splitmix(random);
    return c;
}

/* Many zero and one bits in a row, so that sums carry far; link-local ones may have a zone. */
static addr_t random_addr(uint64_t *random, bool v4) {
    uint64_t high = random_splitmix(random), low = random_splitmix(random);
    if (chance(random, 4))
        high = low = chance(random, 2) ? 0 : UINT64_MAX;
    if (v4)
        return addr_from_v4((uint32_t)low);
    addr_t a = (addr_t)high << 64 | low;
    if (chance(random, 4))
        a = addr_with_zone((addr_t)0xfe80 << 112 | low, (unsigned)high & ADDR_ZONE_MAX);
    return addr_is_v4(a) ? a + 1 : a;
}

static struct probe_path random_path(uint64_t *random, bool v4) {
    struct probe_path path = {
        .link = chance(random, 2) ? LINK_ETHERNET : LINK_IP,
        .source = random_addr(random, v4),
    };
    for (unsigned i = 0; i < MAC_LEN; i++) {
        path.source_mac[i] = (uint8_t)random_splitmix(random);
        path.dest_mac[i] = (uint8_t)random_splitmix(random);
    }
    return path;
}

static uint16_t random_port(uint64_t *random) {
    return chance(random, 8) ? UINT16_MAX : (uint16_t)random_splitmix(random);
}

static void check_stamp(const struct stamp *s, const struct probe_config *c, const struct probe_path *path,
                        const struct endpoint *ep, unsigned n, unsigned try) {
    static uint8_t frames[BATCH * STRIDE + STAMP_FRAME_MAX];
    memset(frames, 0xa5, sizeof frames);
    stamp_many(s, ep, n, frames, STRIDE);
    for (unsigned i = 0; i < n; i++) {
        uint8_t built[PROBE_FRAME_MAX];
        assert_int_equal(probe_build(c, path, &ep[i], try, 0, built), s->len);
        assert_memory_equal(frames + i * STRIDE, built, s->len);
    }
    /* Nothing after the room of the last frame, and nothing of a frame that was not asked for. */
    size_t end = n ? (n - 1) * STRIDE + STAMP_FRAME_MAX : 0;
    for (size_t i = end; i < sizeof frames; i++)
        assert_int_equal(frames[i], 0xa5);
}

static void check_random_scan(uint64_t *random, enum vector_way way) {
    bool v4 = chance(random, 2);
    struct probe_config c = random_config(random);
    struct probe_path path = random_path(random, v4);
    unsigned try = (unsigned)(random_splitmix(random) % c.tries), n = (unsigned)(random_splitmix(random) % (BATCH + 1));
    for (unsigned technique = 0; technique < TECHNIQUE_COUNT; technique++) {
        struct stamp s;
        bool alike = techniques[technique].ip_proto == PROTO_TCP;
        assert_int_equal(stamp_init(&s, &c, &path, technique, try, v4), alike);
        assert_false(stamp_init(&s, &c, &path, technique, try, !v4));
        if (!alike)
            continue;
        assert_true(stamp_init(&s, &c, &path, technique, try, v4));
        s.way = way;
        struct endpoint ep[BATCH];
        for (unsigned i = 0; i < n; i++)
            ep[i] = (struct endpoint){random_addr(random, v4), {random_port(random), (uint8_t)technique}};
        check_stamp(&s, &c, &path, ep, n, try);
    }
}

static void test_like_built(void **state) {
    (void)state;
    for (enum vector_way way = 0; way < VECTOR_WAYS; way++) {
        uint64_t random = 20260615 + way;
        for (unsigned i = 0; i < 2000 && vector_has(way); i++)
            check_random_scan(&random, way);
    }
}

static const struct probe_path us = {.link = LINK_IP, .source = (addr_t)0xffffc6120002u};

static struct probe_config config_of(uint64_t key) {
    return (struct probe_config){.key = {key, 4}, .first_port[TECHNIQUE_SYN] = 61000, .tries = 1, .ttl = 64};
}

static uint16_t id_of(const struct probe_config *c, uint32_t dest) {
    return (uint16_t)(probe_cookie(&c->key, us.source, addr_from_v4(dest), 61000, 80) >> 32);
}

/* One cookie in 65,536 has an identification of 0, which is sent as 1. */
static void test_no_identification_is_zero(void **state) {
    (void)state;
    struct probe_config c = config_of(3);
    struct stamp s;
    unsigned zeros = 0;
    assert_true(stamp_init(&s, &c, &us, TECHNIQUE_SYN, 0, true));
    for (uint32_t dest = 0xc6130000; dest < 0xc6130000 + 500000; dest++)
        if (id_of(&c, dest) == 0) {
            check_stamp(&s, &c, &us, &(struct endpoint){addr_from_v4(dest), {80, TECHNIQUE_SYN}}, 1, 0);
            zeros++;
        }
    assert_int_not_equal(zeros, 0);
}

/* One header in 2^32 or so sums up to what carries even in its last fold: 0x1ffff after the first, 0x10000 after the
 * second. It is looked for from its end: the address that a header with that sum has, if the cookie agrees. */
static void test_last_fold_carries(void **state) {
    (void)state;
    unsigned found = 0;
    for (uint64_t key = 0; key < 40 && found == 0; key++) {
        struct probe_config c = config_of(key);
        struct stamp s;
        assert_true(stamp_init(&s, &c, &us, TECHNIQUE_SYN, 0, true));
        for (uint32_t id = 1; id <= UINT16_MAX; id++) {
            uint32_t dest = (uint32_t)(UINT64_C(0x1ffffffff) - s.ip_sum - id);
            if (id_of(&c, dest) != id)
                continue;
            check_stamp(&s, &c, &us, &(struct endpoint){addr_from_v4(dest), {80, TECHNIQUE_SYN}}, 1, 0);
            found++;
        }
    }
    assert_int_not_equal(found, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_built),
        cmocka_unit_test(test_no_identification_is_zero),
        cmocka_unit_test(test_last_fold_carries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
