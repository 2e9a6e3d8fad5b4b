#include "base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <strings.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

/* Appends the digits at *s to *value and moves *s behind them. Returns how many there were, or -ERANGE. */
static int read_digits(const char **s, uint64_t *value) {
    int n = 0;
    for (; **s >= '0' && **s <= '9'; (*s)++, n++) {
        if (__builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, (uint64_t)(**s - '0'), value))
            return -ERANGE;
    }
    return n;
}

/* One decimal ("12", "1.5", ".5") and one of the units, to value x factor. */
static int read_decimal(const char *s, const struct unit *units, size_t n_units, uint64_t *out) {
    uint64_t value = 0;
    int whole = read_digits(&s, &value), fraction = 0;
    if (whole < 0)
        return whole;
    if (*s == '.') {
        s++;
        fraction = read_digits(&s, &value);
        if (fraction <= 0)
            return fraction < 0 ? fraction : -EINVAL;
    }
    if (whole + fraction == 0)
        return -EINVAL;
    const struct unit *unit = NULL;
    for (size_t i = 0; i < n_units && !unit; i++)
        if (strcasecmp(s, units[i].suffix) == 0)
            unit = &units[i];
    if (!unit)
        return -EINVAL;
    /* value < 2^64 and factor < 2^47, so the product fits 128 bits; each step divides exactly or is too fine. */
    __extension__ unsigned __int128 scaled = value;
    scaled *= unit->factor;
    for (; fraction > 0 && scaled > 0; fraction--) {
        if (scaled % 10 != 0)
            return -ERANGE;
        scaled /= 10;
    }
    if (scaled > UINT64_MAX)
        return -ERANGE;
    *out = (uint64_t)scaled;
    return 0;
}

int parse_u64(const char *s, uint64_t lo, uint64_t hi, uint64_t *out) {
    uint64_t value = 0;
    const char *digits = s;
    int n = read_digits(&s, &value);
    if (n < 0) {
        while (*digits >= '0' && *digits <= '9')
            digits++;
        return *digits ? -EINVAL : -ERANGE;
    }
    if (n == 0 || *s)
        return -EINVAL;
    if (value < lo || value > hi)
        return -ERANGE;
    *out = value;
    return 0;
}

int parse_scaled(const char *s, uint64_t *milli_units) {
    static const struct unit units[] = {{"", 1000}, {"k", 1000000}, {"m", 1000000000}, {"g", UINT64_C(1000000000000)}};
    return read_decimal(s, units, sizeof units / sizeof *units, milli_units);
}

int parse_duration(const char *s, uint64_t *ns) {
    static const struct unit units[] = {
        {"", 1000000000}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)}, {"d", UINT64_C(86400000000000)},
    };
    return read_decimal(s, units, sizeof units / sizeof *units, ns);
}
