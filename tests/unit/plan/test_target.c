#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "plan/target.h"

/* The list as text, "lo-hi:port" with 'w' behind it for a piece of a wide octet range. */
static const char *list_text(const struct array *list, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < list->n && at < size; i++) {
        const struct target *t = (const struct target *)list->items + i;
        char lo[ADDR_STRLEN], hi[ADDR_STRLEN];
        addr_format(t->range.lo, lo);
        addr_format(t->range.hi, hi);
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "", lo);
        if (t->range.lo != t->range.hi)
            at += (size_t)snprintf(out + at, size - at, "-%s", hi);
        if (t->port >= 0)
            at += (size_t)snprintf(out + at, size - at, ":%d", t->port);
        if (t->wide)
            at += (size_t)snprintf(out + at, size - at, "w");
    }
    return out;
}

static void test_good(void **state) {
    (void)state;
    static const struct {
        const char *text, *ranges;
    } good[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"192.0.2.77/24", "192.0.2.0-192.0.2.255"}, /* host bits may be set */
        {"192.0.2.1/32", "192.0.2.1"},
        {"192.0.2.1/31", "192.0.2.0-192.0.2.1"},
        {"1.2.3.4/1", "0.0.0.0-127.255.255.255"},
        {"1.2.3.4/0", "0.0.0.0-255.255.255.255"},
        {"10.0.0.9-10.0.1.3", "10.0.0.9-10.0.1.3"},
        {"0.0.0.0-255.255.255.255", "0.0.0.0-255.255.255.255"},
        {"10.0.0.1-10.0.0.1", "10.0.0.1"},
        {"10.0.0.1-9", "10.0.0.1-10.0.0.9"},
        {"10.0.0-3.1,7", "10.0.0.1 10.0.0.7 10.0.1.1 10.0.1.7 10.0.2.1 10.0.2.7 10.0.3.1 10.0.3.7"},
        {"10.0.0.7,1,3-5,4,2", "10.0.0.1-10.0.0.5 10.0.0.7"},
        {"10.1-2,5.*.*", "10.1.0.0-10.2.255.255 10.5.0.0-10.5.255.255"},
        {"10.0.0.*", "10.0.0.0-10.0.0.255"},
        {"*.*.*.*", "0.0.0.0-255.255.255.255w"},
        {"0-255.0-127,128-255.*.0-255", "0.0.0.0-255.255.255.255w"},
        {"1,3.2.3.0-255", "1.2.3.0-1.2.3.255w 3.2.3.0-3.2.3.255w"},
        {"126-128.0.0.1", "126.0.0.1w 127.0.0.1w 128.0.0.1w"},
        {"224-239.0.0.1,2", "224.0.0.1-224.0.0.2 225.0.0.1-225.0.0.2 226.0.0.1-226.0.0.2 227.0.0.1-227.0.0.2 "
                            "228.0.0.1-228.0.0.2 229.0.0.1-229.0.0.2 230.0.0.1-230.0.0.2 231.0.0.1-231.0.0.2 "
                            "232.0.0.1-232.0.0.2 233.0.0.1-233.0.0.2 234.0.0.1-234.0.0.2 235.0.0.1-235.0.0.2 "
                            "236.0.0.1-236.0.0.2 237.0.0.1-237.0.0.2 238.0.0.1-238.0.0.2 239.0.0.1-239.0.0.2"},
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"192.0.2.0/30:65535", "192.0.2.0-192.0.2.3:65535"},
        {"192.0.2.1-192.0.2.9:1", "192.0.2.1-192.0.2.9:1"},
        {"192.0.2.1,3:22", "192.0.2.1:22 192.0.2.3:22"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8::A", "2001:db8::a"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1:443"},
        {"2001:db8::1:443", "2001:db8::1:443"}, /* a group, not a port */
        {"2001:db8::77/64", "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"},
        {"[2001:db8::/127]:80", "2001:db8::-2001:db8::1:80"},
        {"2001:db8::1/128", "2001:db8::1"},
        {"8000::/1", "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8::9-2001:db8::1:3", "2001:db8::9-2001:db8::1:3"},
        {"[2001:db8::9-2001:db8::a]:22", "2001:db8::9-2001:db8::a:22"},
        {"::2-::2", "::2"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
        {"::ffff:192.0.2.0/126", "192.0.2.0-192.0.2.3"},
        {"::ffff:0:0/96", "0.0.0.0-255.255.255.255"},
        {"::ffff:10.0.0.1-::ffff:10.0.0.9", "10.0.0.1-10.0.0.9"},
        {"::/0", "::-::fffe:ffff:ffffw ::1:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffffw"},
        {"::/80", "::-::fffe:ffff:ffffw"},
        {"::ffff:1.2.3.4/95", "::fffe:0:0-::fffe:ffff:ffffw"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"fe80::1%lo", "fe80::1%lo"},
        {"FE80::1%1", "fe80::1%lo"},
        {"[fe80::1%lo]:22", "fe80::1%lo:22"},
        {"fe80::/120%lo", "fe80::%lo-fe80::ff%lo"},
        {"fe80::%lo/120", "fe80::%lo-fe80::ff%lo"},
        {"fe80::/32%lo", "fe80::%lo-fe80:0:ffff:ffff:ffff:ffff:ffff:ffff%lo"},
        {"fe80::1%lo-fe80::9%lo", "fe80::1%lo-fe80::9%lo"},
        {"fe80::1-fe80::9%lo", "fe80::1%lo-fe80::9%lo"},
        {"fe80::1%lo-fe80::9", "fe80::1%lo-fe80::9%lo"},
        {"fe80::1", "fe80::1"}, /* without a zone, as exclusions may be */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct array list = ARRAY_INIT(struct target, TARGETS_MAX);
        struct error e = ERROR_INIT;
        char text[1000];
        if (target_parse(good[i].text, strlen(good[i].text), true, &list, NULL, &e) != 0)
            fail_msg("%s", e.text);
        assert_string_equal(list_text(&list, text, sizeof text), good[i].ranges);
        array_deinit(&list);
    }
}

static void test_every_octet_once(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, TARGETS_MAX);
    struct error e = ERROR_INIT;
    static const char text[] = "20.*.1,3,5.0-255,7";
    assert_int_equal(target_parse(text, sizeof text - 1, false, &list, NULL, &e), 0);
    assert_int_equal(list.n, 256 * 3);
    for (uint32_t i = 0; i < list.n; i++) {
        const struct target *t = (const struct target *)list.items + i;
        uint32_t lo = UINT32_C(0x14000100) + (i / 3 << 16) + (i % 3 << 9);
        assert_true(t->range.lo == addr_from_v4(lo) && t->range.hi == addr_from_v4(lo + 255));
    }
    array_deinit(&list);
}

static void test_names(void **state) {
    (void)state;
    static const char *const names[] = {
        "localhost", "example.com", "a.b.c.d.", "xn--nxasmq6b.example", "3com.com", "10.0.0.example", "_sip.example",
        "host-1", "1.2.3.4x", "0xyz", "feed.cafe", "example.com:8080", "10.0.0.0-x",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct array list = ARRAY_INIT(struct target, 10);
        struct error e = ERROR_INIT;
        int r = target_parse(names[i], strlen(names[i]), true, &list, NULL, &e);
        if (r != TARGET_NAME || list.n != 0)
            fail_msg("%s: %d, %s", names[i], r, e.text);
    }
}

static void test_bad(void **state) {
    (void)state;
    static const struct {
        const char *text;
        unsigned column;
        const char *says; /* a part of the line */
    } bad[] = {
        {"", 1, "empty"},
        {"256.1.1.1", 1, "at most 255"},
        {"1.1.1.256", 7, "at most 255"},
        {"1.1.1.99999999999999999999", 7, "at most 255"},
        {"010.0.0.1", 1, "leading zero"},
        {"10.0.00.1", 6, "leading zero"},
        {"10.0.0.1-10.0.0.09", 17, "leading zero"},
        {"10.0.0", 7, "four octets"},
        {"10", 3, "four octets"},
        {"10.0.0.", 8, "missing"},
        {".10.0.0.1", 1, "missing"},
        {"10..0.1", 4, "missing"},
        {"10.0.0.1.2", 9, "end of the target"},
        {"10.0.0.0/33", 10, "at most 32"},
        {"10.0.0.0/", 10, "missing"},
        {"10.0.0.0/08", 10, "leading zero"},
        {"10.0.0.0/8/9", 11, "end of the target"},
        {"10.0.0.0/-8", 9, "prefix length"},
        {"10.0.0/8", 7, "four octets"},
        {"10.0.0.9-10.0.0.3", 10, "backwards"},
        {"10.0.0.9-10.0.0", 16, "four octets"},
        {"10.0.0.9-10.0.0.10/24", 19, "end of the target"},
        {"10.0.0.9-3", 8, "backwards"},
        {"10.0.5-3.1", 6, "backwards"},
        {"10.0.0.1-", 10, "missing"},
        {"10.0.0.1,", 10, "missing"},
        {"10.0.0.,1", 8, "missing"},
        {"10.0.0.1-2-3", 11, "end of the target"},
        {"10.0.0.1-300", 10, "at most 255"},
        {"10.0.0.**", 9, "end of the target"},
        {"10.0.*", 7, "four octets"},
        {"10.0.0-3.0/24", 11, "prefix length"},
        {"-10.0.0.1", 1, "missing"},
        {"10.0.0.1:0", 10, "at least 1"},
        {"10.0.0.1:65536", 10, "at most 65535"},
        {"10.0.0.1:", 10, "missing"},
        {"10.0.0.1:80,81", 12, "end of the port"},
        {"10.0.0.1:http", 10, "missing"},
        {"10.0.0.256:80", 8, "at most 255"},
        {":80", 1, "the address is missing"},
        {":::", 1, "expected an IPv6 address"},
        {"2001:db8:1:2:3:4:5:6:443", 1, "[ADDRESS]:PORT"},
        {"2001:db8::12345", 1, "expected an IPv6 address"},
        {"2001::db8::1", 1, "expected an IPv6 address"},
        {"2001:db8::g", 11, "does not belong into an IPv6 address"},
        {"http://[2001:db8::1]/", 1, "does not belong"},
        {"2001:db8::1,2", 12, "does not belong"},
        {"2001:db8::/129", 12, "at most 128"},
        {"2001:db8::/", 12, "missing"},
        {"2001:db8::/064", 12, "leading zero"},
        {"2001:db8::/64/65", 14, "end of the target"},
        {"/64::", 1, "the address is missing"},
        {"2001:db8::9-2001:db8::3", 13, "backwards"},
        {"2001:db8::9-2001:db8::a/64", 24, "not with a range"},
        {"2001:db8::9-::ffff:10.0.0.1", 13, "from one family to another"},
        {"10.0.0.1-2001:db8::1", 1, "expected an IPv6 address"},
        {"2001:db8::9-", 12, "does not belong"},
        {"-2001:db8::9", 1, "the address is missing"},
        {"[2001:db8::1", 13, "not closed"},
        {"[]", 2, "missing"},
        {"[", 2, "not closed"},
        {"[10.0.0.1]:80", 2, "expected an IPv6 address"},
        {"[2001:db8::1]80", 14, "only :PORT"},
        {"[2001:db8::1]/64", 14, "only :PORT"},
        {"[2001:db8::1]:", 15, "missing"},
        {"[2001:db8::1]:0", 15, "at least 1"},
        {"[2001:db8::1]:65536", 15, "at most 65535"},
        {"[2001:db8::1]:80x", 17, "end of the port"},
        {"fe80::1%", 9, "expected an interface"},
        {"fe80::1%nope0", 9, "no interface \"nope0\""},
        {"fe80::1%4000000000", 9, "no interface"},
        {"fe80::1%averyverylongname", 9, "as long as this"},
        {"2001:db8::1%lo", 13, "link-local"},
        {"fe80::/10%lo", 8, "at least 32"},
        {"fe80::%lo/64%lo", 13, "twice"},
        {"fe80::/64%", 11, "expected an interface"},
        {"fe80::1%lo%lo", 9, "no interface"},
        {"fe80:1::1", 1, "expected an IPv6 address"}, /* bits that RFC 4291 2.5.6 wants zero */
        {"example.com/24", 1, "not with a name"},
        {"http://example.com", 6, "missing"},
        {"a b", 1, "neither"},
        {"-host", 2, "neither"},
        {"host-", 1, "neither"},
        {"a..b", 1, "neither"},
        {"caf\xc3\xa9", 1, "neither"},
        {"10.0.0.1\x01", 9, "\\x01"},
        {"0x7f.1", 1, "four decimal octets"},
        {"1.2.3.0x4", 1, "four decimal octets"},
        {"host.127", 1, "four decimal octets"},
        {"abc.0xbeef", 1, "four decimal octets"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct array list = ARRAY_INIT(struct target, 100);
        struct error e = ERROR_INIT;
        unsigned column = 0;
        int r = target_parse(bad[i].text, strlen(bad[i].text), true, &list, &column, &e);
        if (r != -EINVAL || column != bad[i].column || !strstr(e.text, bad[i].says) || list.n != 0)
            fail_msg("\"%s\": %d, column %u, %zu ranges, %s", bad[i].text, r, column, list.n, e.text);
        assert_null(strchr(e.text, '\n'));
    }
}

static void test_ports_where_none_belong(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    unsigned column = 0;
    assert_int_equal(target_parse("10.0.0.1:80", 11, false, &list, &column, &e), -EINVAL);
    assert_int_equal(column, 9);
    assert_non_null(strstr(e.text, "-p"));
    assert_int_equal(target_parse("example.com:80", 14, false, &list, &column, &e), -EINVAL);
}

/* n bytes count, whatever stands behind them or in them. */
static void test_bounds_and_nul(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    assert_int_equal(target_parse("10.0.0.12", 8, false, &list, NULL, &e), 0);
    assert_true(((struct target *)list.items)->range.lo == addr_from_v4(0x0a000001));
    assert_int_equal(target_parse("10.0.0.1\0", 9, false, &list, NULL, &e), -EINVAL);
    assert_int_equal(target_parse("\0", 1, false, &list, NULL, &e), -EINVAL);
    array_deinit(&list);
}

static void test_too_many(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    assert_int_equal(target_parse("10.0.*.1", 8, false, &list, NULL, &e), -E2BIG);
    assert_non_null(strstr(e.text, "100"));
    assert_int_equal(list.n, 100);
    array_deinit(&list);
}

static void test_special_table(void **state) {
    (void)state;
    size_t n = 0;
    const struct special_range *special = special_ranges(&n);
    assert_true(n > 20);
    for (size_t i = 0; i < n; i++) {
        assert_true(special[i].range.lo <= special[i].range.hi);
        assert_true(i == 0 || special[i - 1].range.lo < special[i].range.lo);
        assert_non_null(special[i].name);
        assert_non_null(special[i].source);
    }
    static const struct {
        const char *addr;
        bool special;
    } points[] = {
        {"0.255.255.255", true}, {"1.0.0.0", false}, {"10.9.8.7", true}, {"100.63.255.255", false},
        {"100.64.0.0", true}, {"100.127.255.255", true}, {"100.128.0.0", false}, {"127.0.0.1", true},
        {"169.254.1.1", true}, {"172.15.255.255", false}, {"172.31.255.255", true}, {"172.32.0.0", false},
        {"192.0.0.255", true}, {"192.0.1.0", false}, {"192.0.2.255", true}, {"192.0.3.0", false},
        {"192.88.99.1", true}, {"192.168.255.255", true}, {"192.169.0.0", false}, {"198.17.255.255", false},
        {"198.18.0.0", true}, {"198.19.255.255", true}, {"198.20.0.0", false}, {"198.51.100.1", true},
        {"203.0.113.255", true}, {"203.0.114.0", false}, {"223.255.255.255", false}, {"224.0.0.0", true},
        {"255.255.255.255", true}, {"::", true}, {"::1", true}, {"::2", false}, {"64:ff9b::1", false},
        {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", true}, {"64:ff9b:2::", false}, {"100::1", true}, {"100:0:0:1::", false},
        {"2001:1ff:ffff::", true}, {"2001:200::", false}, {"2001:db8:ffff::", true}, {"2001:db9::", false},
        {"2002:ffff::", true}, {"2003::", false}, {"3fff:fff::", true}, {"3fff:1000::", false}, {"5f00::1", true},
        {"fbff::", false}, {"fc00::", true}, {"fdff::1", true}, {"fe80::1", true}, {"febf::1", true}, {"fec0::", false},
        {"ff02::1", true}, {"2a00::1", false},
    };
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        addr_t a = 0;
        bool found = false;
        assert_int_equal(addr_parse(points[i].addr, strlen(points[i].addr), &a), 0);
        for (size_t j = 0; j < n; j++)
            found = found || (special[j].range.lo <= a && a <= special[j].range.hi);
        if (found != points[i].special)
            fail_msg("%s", points[i].addr);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good), cmocka_unit_test(test_every_octet_once), cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad), cmocka_unit_test(test_ports_where_none_belong),
        cmocka_unit_test(test_bounds_and_nul), cmocka_unit_test(test_too_many), cmocka_unit_test(test_special_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
