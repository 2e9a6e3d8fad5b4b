/* Every sum against the slow reference, over millions of random headers and over those that carry twice. */
#include "cmocka_all.h"

#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "packets.h"
#include "probe/checksum.h"
#include "probe/crc32c.h"

static void fill_random(uint8_t *p, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i += 8) {
        uint8_t raw[8];
        store_be64(raw, random_splitmix(state));
        memcpy(p + i, raw, n - i < 8 ? n - i : 8);
    }
}

static void test_random_headers(void **state) {
    (void)state;
    uint64_t seed = 1;
    uint8_t header[60];
    for (unsigned i = 0; i < 3000000; i++) {
        size_t n = 20 + i % 41;
        fill_random(header, n, &seed);
        uint16_t got = checksum_fold(checksum_add(0, header, n)), want = slow_sum(0, header, n);
        if (got != want) /* one assertion a header would cost more than the sums */
            fail_msg("seed 1, header %u of %zu bytes: %04x, not %04x", i, n, got, want);
    }
}

/* Sums whose first fold carries again: random headers, each with a last word that brings the low half near its top. */
static void test_carries_twice(void **state) {
    (void)state;
    uint64_t seed = 2;
    uint8_t header[60];
    unsigned twice = 0;
    for (unsigned i = 0; i < 1000000; i++) {
        fill_random(header, sizeof header, &seed);
        uint32_t plain = 0;
        for (unsigned at = 0; at < sizeof header - 2; at += 2)
            plain += load_be16(header + at);
        store_be16(header + sizeof header - 2, (uint16_t)(0xffff - i % 16 - plain));
        plain += load_be16(header + sizeof header - 2);
        twice += ((plain & 0xffff) + (plain >> 16)) >> 16;
        uint16_t got = checksum_fold(checksum_add(0, header, sizeof header));
        if (got != slow_sum(0, header, sizeof header))
            fail_msg("seed 2, header %u: %04x", i, got);
    }
    assert_true(twice > 500000); /* the case was met, not missed */
}

static void test_fold(void **state) {
    (void)state;
    static const struct {
        uint64_t sum;
        uint16_t folded;
    } cases[] = {
        {0, 0},
        {1, 1},
        {0xffff, 0xffff},
        {0x10000, 1},
        {0x1ffff, 1},          /* 0x10000 after one fold */
        {0x2fffe, 1},          /* the same */
        {0x1fffe, 0xffff},
        {0xffffffff, 0xffff},
        {0x100000000, 1},
        {0xffff0001ffff, 1},
        {UINT64_MAX, 0xffff},
        {UINT64_MAX - 1, 0xfffe},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(checksum_fold(cases[i].sum), cases[i].folded);
}

/* RFC 1071, section 3: the worked example. */
static void test_rfc1071_example(void **state) {
    (void)state;
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_fold(checksum_add(0, data, sizeof data)), 0xddf2);
    assert_int_equal(checksum_finish(checksum_add(0, data, sizeof data)), 0x220d);
}

/* Every length from 0 up, odd ones too, and every even place to cut it into two pieces. */
static void test_lengths_and_pieces(void **state) {
    (void)state;
    uint64_t seed = 3;
    uint8_t data[67];
    fill_random(data, sizeof data, &seed);
    for (size_t n = 0; n <= sizeof data; n++) {
        uint16_t want = slow_sum(0, data, n);
        for (size_t cut = 0; cut <= n; cut += 2)
            assert_int_equal(checksum_fold(checksum_add(checksum_add(0, data, cut), data + cut, n - cut)), want);
    }
}

static void test_large_data(void **state) {
    (void)state;
    static uint8_t data[65535];
    memset(data, 0xff, sizeof data);
    assert_int_equal(checksum_fold(checksum_add(0, data, sizeof data)), slow_sum(0, data, sizeof data));
    uint64_t seed = 4;
    fill_random(data, sizeof data, &seed);
    assert_int_equal(checksum_fold(checksum_add(0, data, sizeof data)), slow_sum(0, data, sizeof data));
}

static void test_pseudo_header(void **state) {
    (void)state;
    uint64_t seed = 5;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t a = random_splitmix(&seed), b = random_splitmix(&seed);
        uint8_t pseudo[12] = {0};
        store_be64(pseudo, a);
        pseudo[9] = (uint8_t)b;
        store_be16(pseudo + 10, (uint16_t)(b >> 8));
        uint64_t sum = checksum_pseudo_v4((uint32_t)(a >> 32), (uint32_t)a, (uint8_t)b, (uint16_t)(b >> 8));
        assert_int_equal(checksum_fold(sum), slow_sum(0, pseudo, sizeof pseudo));
    }
}

/* The pseudo-header of IPv6 (RFC 8200 8.1), whose length and next header have 32 bits each. */
static void test_pseudo_header_v6(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t p[40];
        fill_random(p, 32, &seed);
        store_be32(p + 32, (uint32_t)(seed % 65536));
        store_be32(p + 36, (uint32_t)(seed >> 20 & 255));
        addr_t source = (addr_t)load_be64(p) << 64 | load_be64(p + 8);
        addr_t dest = (addr_t)load_be64(p + 16) << 64 | load_be64(p + 24);
        uint64_t sum = checksum_addr(source) + checksum_addr(dest) + seed % 65536 + (seed >> 20 & 255);
        assert_int_equal(checksum_fold(sum), slow_sum(0, p, sizeof p));
    }
}

/* Published values (RFC 3720 B.4 and the polynomial's usual check), then every length against the bitwise way. */
static void test_crc32c(void **state) {
    (void)state;
    uint8_t p[300];
    assert_int_equal(~crc32c_add(CRC32C_START, (const uint8_t *)"123456789", 9), 0xe3069283);
    memset(p, 0, 32);
    assert_int_equal(~crc32c_add(CRC32C_START, p, 32), 0x8a9136aa);
    memset(p, 0xff, 32);
    assert_int_equal(~crc32c_add(CRC32C_START, p, 32), 0x62a8ab43);
    uint64_t seed = 5;
    fill_random(p, sizeof p, &seed);
    for (size_t n = 0; n <= sizeof p; n++) {
        assert_int_equal(~crc32c_add(CRC32C_START, p, n), slow_crc(p, n));
        assert_int_equal(~crc32c_add(crc32c_add(CRC32C_START, p, n), p + n, sizeof p - n), slow_crc(p, sizeof p));
        if (n < 12)
            continue;
        uint8_t sctp[300];
        memcpy(sctp, p, n);
        memset(sctp + 8, 0, 4);
        assert_int_equal(crc32c_sctp(p, n), slow_crc(sctp, n)); /* whatever the field holds */
        crc32c_store(sctp + 8, 0x01020304);
        assert_true(sctp[8] == 4 && sctp[11] == 1 && crc32c_load(sctp + 8) == 0x01020304);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_headers),  cmocka_unit_test(test_carries_twice),
        cmocka_unit_test(test_fold),            cmocka_unit_test(test_rfc1071_example),
        cmocka_unit_test(test_lengths_and_pieces), cmocka_unit_test(test_large_data),
        cmocka_unit_test(test_pseudo_header),   cmocka_unit_test(test_pseudo_header_v6),
        cmocka_unit_test(test_crc32c),
    };
    return cmocka_run_group_tests_name("probe/checksum", tests, NULL, NULL);
}
