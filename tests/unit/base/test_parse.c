#include "../unit.h"

#include <errno.h>

#include "base/parse.h"

struct expected {
    const char *text;
    int code;
    uint64_t value;
};

static void check(int (*parse)(const char *, uint64_t *), const struct expected *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 4242;
        int code = parse(cases[i].text, &value);
        if (code != cases[i].code || value != (code < 0 ? 4242 : cases[i].value))
            fail_msg("\"%s\": %d, %lu", cases[i].text, code, (unsigned long)value);
    }
}

#define CHECK(parse, cases) check(parse, cases, sizeof(cases) / sizeof *(cases))

static int parse_any(const char *s, uint64_t *out) {
    return parse_u64(s, 0, UINT64_MAX, out);
}

static int parse_small(const char *s, uint64_t *out) {
    return parse_u64(s, 5, 10, out);
}

static void test_u64(void **state) {
    (void)state;
    static const struct expected any[] = {
        {"0", 0, 0}, {"007", 0, 7}, {"18446744073709551615", 0, UINT64_MAX}, {"18446744073709551616", -ERANGE, 0},
        {"99999999999999999999999", -ERANGE, 0}, {"99999999999999999999999x", -EINVAL, 0}, {"", -EINVAL, 0},
        {"-1", -EINVAL, 0}, {"+1", -EINVAL, 0}, {" 1", -EINVAL, 0}, {"1 ", -EINVAL, 0}, {"0x10", -EINVAL, 0},
        {"1.0", -EINVAL, 0}, {"1e3", -EINVAL, 0}, {"ten", -EINVAL, 0},
    };
    static const struct expected small[] = {{"4", -ERANGE, 0}, {"5", 0, 5}, {"10", 0, 10}, {"11", -ERANGE, 0}};
    CHECK(parse_any, any);
    CHECK(parse_small, small);
}

static void test_scaled(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"0", 0, 0}, {"1", 0, 1000}, {"0.1", 0, 100}, {".5", 0, 500}, {"0.001", 0, 1}, {"0.0001", -ERANGE, 0},
        {"0.0001k", 0, 100}, {"10k", 0, 10000000}, {"10K", 0, 10000000}, {"1.5M", 0, 1500000000},
        {"1.5m", 0, 1500000000}, {"10G", 0, UINT64_C(10000000000000)}, {"1.0000000000", 0, 1000},
        {"0.30", 0, 300}, {"0.0000000000000000000", 0, 0}, {"18446744G", 0, UINT64_C(18446744000000000000)},
        {"18446745G", -ERANGE, 0}, {"18446744073709551.615", 0, UINT64_MAX}, {"18446744073709551.616", -ERANGE, 0},
        {"18446744073709551616", -ERANGE, 0}, {"", -EINVAL, 0}, {".", -EINVAL, 0}, {"k", -EINVAL, 0},
        {"1.", -EINVAL, 0}, {"1.k", -EINVAL, 0}, {"1kk", -EINVAL, 0}, {"1T", -EINVAL, 0}, {"-1", -EINVAL, 0},
        {"1 k", -EINVAL, 0}, {"1,5", -EINVAL, 0}, {"nan", -EINVAL, 0}, {"inf", -EINVAL, 0}, {"1e3", -EINVAL, 0},
        {"1.2.3", -EINVAL, 0},
    };
    CHECK(parse_scaled, cases);
}

static void test_duration(void **state) {
    (void)state;
    static const struct expected cases[] = {
        {"5s", 0, UINT64_C(5000000000)}, {"5", 0, UINT64_C(5000000000)}, {"200ms", 0, 200000000},
        {"1.5m", 0, UINT64_C(90000000000)}, {"2h", 0, UINT64_C(7200000000000)}, {"1d", 0, UINT64_C(86400000000000)},
        {"0.25", 0, 250000000}, {"7us", 0, 7000}, {"9ns", 0, 9}, {"0.5ns", -ERANGE, 0}, {"1.5us", 0, 1500},
        {"0.000000001", 0, 1}, {"0.0000000001", -ERANGE, 0}, {"0", 0, 0}, {"213504d", -ERANGE, 0},
        {"213503d", 0, UINT64_C(18446659200000000000)}, {"5S", 0, UINT64_C(5000000000)}, {"", -EINVAL, 0},
        {"s", -EINVAL, 0}, {"5 s", -EINVAL, 0}, {"5x", -EINVAL, 0}, {"-5s", -EINVAL, 0}, {"1h30m", -EINVAL, 0},
    };
    CHECK(parse_duration, cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64), cmocka_unit_test(test_scaled), cmocka_unit_test(test_duration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
