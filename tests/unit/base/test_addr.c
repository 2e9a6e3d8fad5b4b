#include "../unit.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

#define V6(high, low) ((addr_t)UINT64_C(high) << 64 | UINT64_C(low))

static const struct {
    const char *text; /* the form that addr_format() gives */
    addr_t addr;
} both_ways[] = {
    {"0.0.0.0", V6(0, 0xffff00000000)},
    {"192.0.2.1", V6(0, 0xffffc0000201)},
    {"255.255.255.255", V6(0, 0xffffffffffff)},
    {"::", V6(0, 0)},
    {"::1", V6(0, 1)},
    {"2001:db8::7", V6(0x20010db800000000, 7)},
    {"fe80::1:2:3:4", V6(0xfe80000000000000, 0x0001000200030004)},
    {"2001:db8::ffff:c000:201", V6(0x20010db800000000, 0xffffc0000201)}, /* only its end looks like IPv4 */
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", V6(0xffffffffffffffff, 0xffffffffffffffff)},
};

static void test_text_both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof both_ways / sizeof *both_ways; i++) {
        char text[ADDR_STRLEN];
        addr_t addr = 0;
        assert_string_equal(addr_format(both_ways[i].addr, text), both_ways[i].text);
        assert_int_equal(addr_parse(both_ways[i].text, strlen(both_ways[i].text), &addr), 0);
        assert_true(addr == both_ways[i].addr);
    }
}

static void test_parse_other_forms(void **state) {
    (void)state;
    addr_t addr = 0;
    assert_int_equal(addr_parse("2001:DB8:0:0::0:7", 17, &addr), 0);
    assert_true(addr == V6(0x20010db800000000, 7));
    assert_int_equal(addr_parse("::ffff:192.0.2.1", 16, &addr), 0);
    assert_true(addr_is_v4(addr) && addr_v4(addr) == 0xc0000201);
    assert_int_equal(addr_parse("192.0.2.1,rest", 9, &addr), 0); /* n bytes, not the whole string */
    assert_true(addr == addr_from_v4(0xc0000201));
}

static void test_parse_refuses(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", " 1.2.3.4", "1.2.3.4 ", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.04", "0x1.2.3.4", "-1.2.3.4",
        "1..2.3", "1.2.3.", "host", ":::", "1::2::3", "12345::", "[::1]", "::1/128",
        "fe80::1%", "2001:db8::1%lo", "192.0.2.1%lo", "%lo", "fe80%lo", "fe80:1::1", "febf:ffff::", "fe80:1::%lo",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999", "11111111111111111111111111111111111111111111111111111111",
    };
    addr_t addr = 42;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(addr_parse(bad[i], strlen(bad[i]), &addr), -22);
    assert_int_equal(addr_parse("1.2.3.4\0", 8, &addr), -22);
    assert_true(addr == 42);
}

/* lo is interface 1 of every network namespace. */
static void test_zones(void **state) {
    (void)state;
    static const struct {
        const char *text, *formatted;
        addr_t addr;
    } good[] = {
        {"fe80::1%lo", "fe80::1%lo", V6(0xfe80000100000000, 1)},
        {"fe80::1%1", "fe80::1%lo", V6(0xfe80000100000000, 1)},
        {"febf::ffff%lo", "febf::ffff%lo", V6(0xfebf000100000000, 0xffff)},
        {"fe80::1", "fe80::1", V6(0xfe80000000000000, 1)},
        {"fec0:1::1", "fec0:1::1", V6(0xfec0000100000000, 1)}, /* behind fe80::/10 */
    };
    char text[ADDR_STRLEN];
    addr_t addr = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(addr_parse(good[i].text, strlen(good[i].text), &addr), 0);
        assert_true(addr == good[i].addr);
        assert_string_equal(addr_format(addr, text), good[i].formatted);
    }
    assert_string_equal(addr_format(V6(0xfe80ffff00000000, 0xffffffffffffffff), text),
                        "fe80::ffff:ffff:ffff:ffff%65535");
    static const char *const unknown[] = {"fe80::1%nowhere0", "fe80::1%65535", "fe80::1%65536", "fe80::1%0",
                                          "fe80::1%01x", "fe80::1%a-name-that-is-too-long", "fe80::1%lo%lo"};
    addr = 42;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(addr_parse(unknown[i], strlen(unknown[i]), &addr), -19);
    assert_true(addr == 42);
    addr_t a = addr_with_zone(V6(0xfe80000100000000, 1), 7);
    assert_true(a == V6(0xfe80000700000000, 1));
    assert_int_equal(addr_zone(a), 7);
    assert_true(addr_with_zone(V6(0x20010db800000000, 1), 7) == V6(0x20010db800000000, 1));
    assert_int_equal(addr_zone(V6(0x2001000100000000, 1)), 0);
}

static void test_v4_is_told_in_128_bits(void **state) {
    (void)state;
    assert_true(addr_is_v4(addr_from_v4(0)) && addr_is_v4(addr_from_v4(UINT32_MAX)));
    assert_false(addr_is_v4(V6(0, 0xfffeffffffff)) || addr_is_v4(V6(0, 0x1000000000000)) || addr_is_v4(0));
    assert_false(addr_is_v4(V6(0x20010db800000000, 0xffffc0000201)));
}

static void test_bytes(void **state) {
    (void)state;
    uint8_t p[8] = {0};
    store_be16(p, 0x1234);
    assert_memory_equal(p, "\x12\x34\0", 3);
    assert_int_equal(load_be16(p), 0x1234);
    store_be32(p, 0x89abcdef);
    assert_memory_equal(p, "\x89\xab\xcd\xef\0", 5);
    assert_int_equal(load_be32(p), 0x89abcdef);
    store_be64(p, UINT64_C(0xfedcba9876543210));
    assert_memory_equal(p, "\xfe\xdc\xba\x98\x76\x54\x32\x10", 8);
    assert_int_equal(load_be64(p), UINT64_C(0xfedcba9876543210));
    assert_int_equal(load_le64(p), UINT64_C(0x1032547698badcfe));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_both_ways), cmocka_unit_test(test_parse_other_forms),
        cmocka_unit_test(test_parse_refuses), cmocka_unit_test(test_zones),
        cmocka_unit_test(test_v4_is_told_in_128_bits), cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
