#include "scratch.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "report/put.h"

/* What was written must be exactly this, and no longer than promised. */
static void expect(const char *start, const char *end, const char *wanted, size_t most) {
    char got[512];
    snprintf(got, sizeof got, "%.*s", (int)(end - start), start);
    assert_string_equal(got, wanted);
    assert_true((size_t)(end - start) <= most);
}

static void numbers(void **state) {
    (void)state;
    char buf[64], wanted[64];
    uint64_t seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = i < 1000 ? i : random_splitmix(&seed) >> i % 64;
        snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)v);
        expect(buf, put_u64(buf, v), wanted, PUT_U64_MAX);
    }
    expect(buf, put_u64(buf, UINT64_MAX), "18446744073709551615", PUT_U64_MAX);
}

static void thousandths(void **state) {
    (void)state;
    static const struct {
        uint64_t v;
        const char *text;
    } cases[] = {{0, "0"}, {1, "0.001"}, {10, "0.01"}, {100, "0.1"}, {1000, "1"}, {1500, "1.5"}, {10001, "10.001"},
                 {100000000, "100000"}, {UINT64_MAX, "18446744073709551.615"}};
    char buf[64];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(buf, put_milli(buf, cases[i].v), cases[i].text, PUT_U64_MAX + 1);
}

static void addresses(void **state) {
    (void)state;
    char buf[64], wanted[ADDR_STRLEN], endpoint[ADDR_STRLEN + 8];
    uint64_t seed = 2;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t hi = random_splitmix(&seed), lo = random_splitmix(&seed);
        addr_t a = i % 2 ? addr_from_v4((uint32_t)lo) : (addr_t)hi << 64 | lo;
        expect(buf, put_addr(buf, a), addr_format(a, wanted), PUT_ADDR_MAX);
        snprintf(endpoint, sizeof endpoint, i % 2 ? "%s:%u" : "[%s]:%u", wanted, (unsigned)(hi & 65535));
        expect(buf, put_endpoint(buf, a, (uint16_t)hi), endpoint, PUT_ENDPOINT_MAX);
    }
    for (uint32_t octet = 0; octet < 256; octet++) {
        addr_t a = addr_from_v4(octet << 24 | (255 - octet) << 16 | octet << 8 | octet);
        expect(buf, put_addr(buf, a), addr_format(a, wanted), PUT_ADDR_MAX);
    }
}

static void times(void **state) {
    (void)state;
    char buf[64], wanted[64], date[32];
    struct put_time_cache cache = {.n = 0};
    uint64_t seed = 3;
    expect(buf, put_time(buf, &cache, 0), "1970-01-01T00:00:00.000000Z", PUT_TIME_MAX);
    expect(buf, put_time(buf, &cache, UINT64_MAX), "2554-07-21T23:34:33.709551Z", PUT_TIME_MAX);
    expect(buf, put_time(buf, &cache, UINT64_C(1767225600000001999)), "2026-01-01T00:00:00.000001Z", PUT_TIME_MAX);
    for (unsigned i = 0; i < 20000; i++) {
        /* Mostly within the cached second, sometimes far away. */
        uint64_t ns = i % 5 ? UINT64_C(1767225600000000000) + random_splitmix(&seed) % (2 * NS_PER_SEC)
                            : random_splitmix(&seed);
        time_t second = (time_t)(ns / NS_PER_SEC);
        struct tm tm;
        strftime(date, sizeof date, "%FT%T", gmtime_r(&second, &tm));
        snprintf(wanted, sizeof wanted, "%s.%06uZ", date, (unsigned)(ns % NS_PER_SEC / 1000));
        expect(buf, put_time(buf, &cache, ns), wanted, PUT_TIME_MAX);
    }
}

static void small_things(void **state) {
    (void)state;
    char buf[64];
    static const uint8_t mac[MAC_LEN] = {0x02, 0x00, 0x5e, 0xab, 0xcd, 0xef};
    expect(buf, put_mac(buf, mac), "02:00:5e:ab:cd:ef", PUT_MAC_MAX);
    expect(buf, put_tcp_flags(buf, 0), "", 8);
    expect(buf, put_tcp_flags(buf, 0x12), "SA", 8);
    expect(buf, put_tcp_flags(buf, 0x14), "RA", 8);
    expect(buf, put_tcp_flags(buf, 0xff), "FSRPAUEC", 8);
    expect(buf, put_pad(put_text(buf, "ab"), buf, 5), "ab   ", 5);
    expect(buf, put_pad(put_text(buf, "abcdef"), buf, 5), "abcdef", 6);
}

static void escapes(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain.example", "plain.example"},
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"\x01\t\n\x1f\x7f", "\\u0001\\u0009\\u000a\\u001f\\u007f"},
        {"\xc2\x80\xc2\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0"},
        {"m\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\xa6\x87", "m\xc3\xbcnchen \xe2\x82\xac \xf0\x9f\xa6\x87"},
        {"\x80\xff\xfe", "\\ufffd\\ufffd\\ufffd"},
        {"\xc0\xaf", "\\ufffd\\ufffd"},                     /* overlong '/' */
        {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},          /* overlong in three bytes */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond U+10FFFF */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xe2\x82", "\\ufffd\\ufffd"},                     /* cut off by the end */
        {"\xe2\x82(", "\\ufffd\\ufffd("},
        {"\xf0\x9f\xa6", "\\ufffd\\ufffd\\ufffd"},
    };
    char buf[PUT_NAME_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect(buf, put_name(buf, cases[i].in), cases[i].out, sizeof buf);
}

/* Whatever bytes a name holds, another reader finds a string, and finds the same one where it was UTF-8. */
static void any_name_is_a_json_string(void **state) {
    (void)state;
    uint64_t seed = 4;
    char name[64], text[PUT_NAME_MAX + 3];
    for (unsigned i = 0; i < 50000; i++) {
        size_t n = random_splitmix(&seed) % (sizeof name - 1);
        for (size_t j = 0; j < n; j++) {
            uint64_t r = random_splitmix(&seed);
            name[j] = (char)(r % 255 + 1);
            if (r >> 60 < 8)
                name[j] = "\"\\\xe2\x82\xac\xf0\x9f\xa6\x87 a\x7f"[r >> 32 & 11];
        }
        name[n] = '\0';
        char *p = text;
        *p++ = '"';
        p = put_name(p, name);
        *p++ = '"';
        json_t *read = json_loadb(text, (size_t)(p - text), JSON_DECODE_ANY, NULL);
        assert_non_null(read);
        json_t *same = json_string(name);
        if (same) /* jansson refuses what is not UTF-8 */
            assert_string_equal(json_string_value(read), name);
        else
            assert_non_null(strstr(json_string_value(read), "\xef\xbf\xbd"));
        json_decref(same);
        json_decref(read);
    }
}

static void long_names_are_cut(void **state) {
    (void)state;
    char name[4096], buf[PUT_NAME_MAX];
    memset(name, 1, sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(put_name(buf, name) - buf, PUT_NAME_MAX);
    memset(name, 'a', sizeof name - 1);
    assert_in_range(put_name(buf, name) - buf, 255, PUT_NAME_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(thousandths),
        cmocka_unit_test(addresses),
        cmocka_unit_test(times),
        cmocka_unit_test(small_things),
        cmocka_unit_test(escapes),
        cmocka_unit_test(any_name_is_a_json_string),
        cmocka_unit_test(long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
