#include "cli/values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/parse.h"
#include "probe/packet.h"
#include "probe/verdict.h"

/* One value on its way into the settings. */
struct setter {
    struct settings *s;
    const struct option *o;
    const char *text; /* owned by s->given, or a literal */
    void *at;         /* the place in *s */
    struct error *e;
};

void *value_place(struct settings *s, const struct option *o) {
    return (char *)s + o->at;
}

__attribute__((format(printf, 2, 3))) static int expected(const struct setter *t, const char *fmt, ...) {
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return error_set(t->e, -EINVAL, "expected %s, not \"%.60s%s\"", what, t->text,
                     strlen(t->text) > 60 ? "..." : "");
}

int value_no_room(struct error *e) {
    if (errno == E2BIG)
        return error_set(e, -E2BIG, "more than %u options in one run; long lists go into files", VALUE_WORDS_MAX);
    return error_set(e, -ENOMEM, "out of memory for the options");
}

static int set_flag(const struct setter *t) {
    bool yes = strcmp(t->text, "yes") == 0 || strcmp(t->text, "true") == 0;
    if (!yes && strcmp(t->text, "no") != 0 && strcmp(t->text, "false") != 0)
        return expected(t, "yes or no");
    *(bool *)t->at = yes;
    return 0;
}

static int set_technique(const struct setter *t) {
    bool yes = false;
    struct setter flag = *t;
    flag.at = &yes;
    int code = set_flag(&flag);
    uint32_t bit = UINT32_C(1) << t->o->lo, *mask = t->at;
    if (code == 0)
        *mask = yes ? *mask | bit : *mask & ~bit;
    return code;
}

/* "verbose = 2" in a file; on the command line every -v adds one. */
static int set_count(const struct setter *t) {
    uint64_t n = 0;
    if (parse_u64(t->text, 0, 9, &n) < 0)
        return expected(t, "a whole number from 0 to 9");
    *(uint64_t *)t->at += n;
    return 0;
}

static int set_number(const struct setter *t) {
    if (parse_u64(t->text, t->o->lo, t->o->hi, t->at) < 0)
        return expected(t, "a whole number from %" PRIu64 " to %" PRIu64, t->o->lo, t->o->hi);
    return 0;
}

static int set_rate(const struct setter *t) {
    uint64_t milli = 0;
    bool may_adapt = t->o->kind == KIND_RATE;
    if (may_adapt && strcmp(t->text, "auto") == 0)
        milli = RATE_AUTO;
    else if (parse_scaled(t->text, &milli) < 0 || milli < t->o->lo || milli > t->o->hi)
        return expected(t, "%spackets a second, 0.001 to 1000M (such as 0.1, 500, 10k)", may_adapt ? "auto, or " : "");
    *(uint64_t *)t->at = milli;
    return 0;
}

static int set_bits(const struct setter *t) {
    uint64_t milli = 0;
    if (parse_scaled(t->text, &milli) < 0 || milli % 1000 || milli / 1000 < t->o->lo || milli / 1000 > t->o->hi)
        return expected(t, "bits a second, 1 to 1000G (such as 500k, 10M, 1G)");
    *(uint64_t *)t->at = milli / 1000;
    return 0;
}

static int set_retries(const struct setter *t) {
    uint64_t n = RETRIES_AUTO;
    if (strcmp(t->text, "auto") != 0 && parse_u64(t->text, t->o->lo, t->o->hi, &n) < 0)
        return expected(t, "auto, or a whole number from %" PRIu64 " to %" PRIu64, t->o->lo, t->o->hi);
    *(uint64_t *)t->at = n;
    return 0;
}

static int set_choice(const struct setter *t) {
    const char *at = t->o->choices, *word;
    size_t n = 0;
    for (uint64_t i = 0; (word = option_next_word(&at, &n)); i++)
        if (strlen(t->text) == n && strncmp(t->text, word, n) == 0) {
            *(uint64_t *)t->at = i;
            return 0;
        }
    return expected(t, "one of: %s", t->o->choices);
}

/* Up to nine decimals, so that a share is a whole number of parts per 10^9. */
static int set_share(const struct setter *t) {
    char *end = NULL;
    double share = strtod(t->text, &end);
    bool number = t->text[strspn(t->text, "0123456789.%")] == '\0' && end != t->text;
    if (number && *end == '%') {
        share /= 100;
        end++;
    }
    double parts = share * (double)PPB + 0.5;
    if (!number || *end || !(parts >= (double)t->o->lo && parts <= (double)t->o->hi + 0.5))
        return expected(t, "a share from 0.0000001%% to 50%% (such as 0.1%%, 0.001)");
    *(uint64_t *)t->at = (uint64_t)parts;
    return 0;
}

/* The limits in the table are whole milliseconds and whole minutes. */
static int set_duration(const struct setter *t) {
    uint64_t ns = 0;
    bool bare = !t->text[strspn(t->text, "0123456789.")];
    if (bare && t->o->flags & OPTION_UNIT)
        return expected(t, "a time with its unit (such as 500ms, 2s)");
    if (parse_duration(t->text, &ns) < 0 || ns < t->o->lo || ns > t->o->hi)
        return expected(t, "a time from %" PRIu64 "ms to %" PRIu64 "m (such as 500ms, 2s, 5m)", t->o->lo / NS_PER_MS,
                        t->o->hi / (60 * NS_PER_SEC));
    *(uint64_t *)t->at = ns;
    return 0;
}

static int set_shard(const struct setter *t) {
    struct shard_setting shard = {0};
    char part[24];
    const char *slash = strchr(t->text, '/');
    size_t n = slash ? (size_t)(slash - t->text) : sizeof part;
    int code = -EINVAL;
    if (n < sizeof part) {
        memcpy(part, t->text, n);
        part[n] = '\0';
        code = parse_u64(slash + 1, 1, UINT32_MAX, &shard.n);
        if (code == 0)
            code = parse_u64(part, 1, shard.n, &shard.i);
    }
    if (code < 0)
        return expected(t, "I/N, part I of N, 1 <= I <= N <= 4294967295 (such as 1/4)");
    *(struct shard_setting *)t->at = shard;
    return 0;
}

static int set_text(const struct setter *t) {
    if (!*t->text)
        return expected(t, "a %s", t->o->metavar);
    *(const char **)t->at = t->text;
    return 0;
}

static int add_word(const struct setter *t, struct array *words) {
    const char **word = array_add(words);
    if (!word)
        return value_no_room(t->e);
    *word = t->text;
    return 0;
}

static int set_words(const struct setter *t) {
    return *t->text ? add_word(t, t->at) : expected(t, "a %s", t->o->metavar);
}

static int set_targets(const struct setter *t) {
    struct target_words *words = t->at;
    int code = target_parse(t->text, strlen(t->text), t->o->flags & OPTION_PORTS_OK, &words->targets, NULL, t->e);
    /* No host name is all of digits (RFC 1123 2.1), but resolvers take "1000" for an address. */
    if (code == TARGET_NAME && !t->text[strspn(t->text, "0123456789-.:")])
        return expected(t, "an address, a range or a host name");
    return code == TARGET_NAME ? add_word(t, &words->names) : code;
}

static int set_ports(const struct setter *t) {
    return ports_parse(t->text, t->at, t->e);
}

static int set_source(const struct setter *t) {
    struct source_setting *source = t->at;
    addr_t a = 0;
    int code = addr_parse(t->text, strlen(t->text), &a);
    if (code == -ENODEV)
        return expected(t, "the name of an interface of this machine behind the %%");
    bool v4 = addr_is_v4(a);
    if (code < 0 || (v4 ? addr_v4(a) == 0 : a == 0))
        return expected(t, "an IPv4 or IPv6 address (such as 192.0.2.7 or 2001:db8::7)");
    *(v4 ? &source->v4 : &source->v6) = a;
    return 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Six bytes with colons or hyphens between. */
static bool read_mac(const char *s, uint8_t mac[static 6]) {
    for (int i = 0; i < 6; i++, s += 3) {
        int high = hex_digit(s[0]), low = high < 0 ? -1 : hex_digit(s[1]);
        if (low < 0 || (i < 5 ? s[2] != ':' && s[2] != '-' : s[2] != '\0'))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static int set_mac(const struct setter *t) {
    static const uint8_t zero[6];
    struct mac_setting mac = {.given = true};
    bool group = !read_mac(t->text, mac.mac) || mac.mac[0] & 1; /* IEEE 802: the low bit marks group addresses */
    if (group || memcmp(mac.mac, zero, sizeof zero) == 0)
        return expected(t, "the hardware address of one card (such as 02:00:5e:10:00:01)");
    *(struct mac_setting *)t->at = mac;
    return 0;
}

/* The n bytes at s, which may have '-' for the '|' that shells take for themselves. */
static enum state read_state(const char *s, size_t n) {
    char name[24];
    if (n >= sizeof name)
        return STATE_COUNT;
    memcpy(name, s, n);
    name[n] = '\0';
    char *dash = strchr(name, '-');
    if (dash)
        *dash = '|';
    for (enum state i = 0; i < STATE_COUNT; i++)
        if (strcmp(state_name(i), name) == 0)
            return i;
    return STATE_COUNT;
}

static int set_states(const struct setter *t) {
    uint16_t mask = 0;
    if (strcmp(t->text, "all") == 0)
        mask = UINT16_MAX;
    for (const char *at = t->text; mask != UINT16_MAX;) {
        size_t n = strcspn(at, ",");
        enum state state = read_state(at, n);
        if (state == STATE_COUNT)
            return expected(t, "open, closed, filtered, unfiltered, 'open|filtered', up, down or unknown with commas "
                               "between, or all");
        mask |= (uint16_t)(1u << state);
        at += n;
        if (*at++ == '\0')
            break;
    }
    *(uint16_t *)t->at = mask;
    return 0;
}

#define FLAG_ECE 0x40u /* RFC 3168 6.1 */
#define FLAG_CWR 0x80u

static const struct {
    char name[4];
    uint8_t bit;
} tcp_flags[] = {
    {"FIN", TCP_FIN}, {"SYN", TCP_SYN}, {"RST", TCP_RST}, {"PSH", TCP_PSH},
    {"ACK", TCP_ACK}, {"URG", TCP_URG}, {"ECE", FLAG_ECE}, {"CWR", FLAG_CWR},
};

/* "SYNFIN": names in any order, nothing between. False: there is something else among them. */
static bool read_flag_names(const char *at, uint8_t *flags) {
    while (*at) {
        size_t i = 0;
        while (i < sizeof tcp_flags / sizeof *tcp_flags && strncasecmp(at, tcp_flags[i].name, 3) != 0)
            i++;
        if (i == sizeof tcp_flags / sizeof *tcp_flags)
            return false;
        *flags |= tcp_flags[i].bit;
        at += 3;
    }
    return true;
}

/* A number as C has them: nmap's users write both. */
static bool read_flag_number(const char *text, uint8_t *flags) {
    bool hex = strncasecmp(text, "0x", 2) == 0;
    uint64_t n = 0;
    if (!hex) {
        if (parse_u64(text, 0, UINT8_MAX, &n) < 0)
            return false;
    } else {
        size_t digits = strlen(text + 2);
        if (digits < 1 || digits > 2)
            return false;
        for (const char *at = text + 2; *at; at++) {
            int digit = hex_digit(*at);
            if (digit < 0)
                return false;
            n = n << 4 | (unsigned)digit;
        }
    }
    *flags = (uint8_t)n;
    return true;
}

static int set_tcp_flags(const struct setter *t) {
    struct tcp_flags_setting flags = {.given = true};
    bool number = *t->text >= '0' && *t->text <= '9';
    bool good = *t->text && (number ? read_flag_number(t->text, &flags.flags) : read_flag_names(t->text, &flags.flags));
    if (!good)
        return expected(t, "TCP flags (FIN SYN RST PSH ACK URG ECE CWR, run together) or a number from 0 to 255");
    *(struct tcp_flags_setting *)t->at = flags;
    return 0;
}

static int add_ping(const struct setter *t, uint16_t port) {
    struct ping_setting *ping = t->at;
    struct ping_part part = {.kind = (enum ping_kind)t->o->lo, .port = port};
    for (unsigned i = 0; i < ping->n; i++)
        if (ping->parts[i].kind == part.kind && ping->parts[i].port == part.port)
            return 0;
    if (ping->n == PROBE_PARTS_MAX)
        return error_set(t->e, -E2BIG, "a ping is at most %u packets, and \"%.60s\" is more", PROBE_PARTS_MAX, t->text);
    ping->parts[ping->n++] = part;
    return 0;
}

/* "no" in a file leaves it as it is. */
static int set_ping(const struct setter *t) {
    bool yes = false;
    struct setter flag = *t;
    flag.at = &yes;
    int code = set_flag(&flag);
    return code == 0 && yes ? add_ping(t, 0) : code;
}

static int set_ping_ports(const struct setter *t) {
    struct port_spec spec = {0};
    int code = *t->text ? ports_parse(t->text, &spec, t->e) : add_ping(t, (uint16_t)t->o->hi);
    if (code == 0 && (spec.t_named || spec.u_named || spec.s_named || spec.p_named))
        return expected(t, "ports without a protocol");
    for (unsigned port = 0; code == 0 && port < PORT_SET_MAX; port++)
        if (port_set_has(&spec.tcp, port))
            code = add_ping(t, (uint16_t)port);
    return code;
}

/* One "name=value" of what a preset stands for. */
static int set_meant(const struct setter *t, const char *word, size_t n) {
    char pair[64];
    if (n >= sizeof pair)
        return error_set(t->e, -E2BIG, "a preset of --%s is too long", t->o->name);
    memcpy(pair, word, n);
    pair[n] = '\0';
    size_t name_n = strcspn(pair, "=");
    const struct option *o = option_by_name(pair, name_n);
    return o && pair[name_n] ? settings_set(t->s, o, pair + name_n + 1, t->e)
                             : error_set(t->e, -EINVAL, "a preset of --%s means nothing", t->o->name);
}

static int expected_preset(const struct setter *t) {
    char words[120] = "";
    size_t at = 0;
    for (const struct preset *p = t->o->presets; p->word && at < sizeof words - 24; p++)
        at += (size_t)snprintf(words + at, sizeof words - at, "%s%s", at ? ", " : "", p->word);
    return expected(t, "%s%s", t->o->presets[1].word ? "one of " : "", words);
}

static int set_preset(const struct setter *t) {
    const struct preset *p = t->o->presets;
    bool off = !t->o->metavar && (strcmp(t->text, "no") == 0 || strcmp(t->text, "false") == 0);
    const char *text = !t->o->metavar && strcmp(t->text, "true") == 0 ? "yes" : t->text;
    while (p->word && strcmp(p->word, text) != 0)
        p++;
    if (off)
        return 0;
    if (!p->word)
        return t->o->metavar ? expected_preset(t) : expected(t, "yes or no");
    const char *at = p->means, *word;
    size_t n = 0;
    int code = 0;
    while (code == 0 && (word = option_next_word(&at, &n)))
        code = set_meant(t, word, n);
    return code;
}

static int (*const setters[KIND_COUNT_OF_KINDS])(const struct setter *t) = {
    [KIND_FLAG] = set_flag,         [KIND_COUNT] = set_count,           [KIND_NUMBER] = set_number,
    [KIND_RATE] = set_rate,         [KIND_RATE_CAP] = set_rate,         [KIND_BITS] = set_bits,
    [KIND_RETRIES] = set_retries,   [KIND_SHARE] = set_share,           [KIND_DURATION] = set_duration,
    [KIND_SHARD] = set_shard,       [KIND_TEXT] = set_text,             [KIND_WORDS] = set_words,
    [KIND_TARGETS] = set_targets,   [KIND_PORTS] = set_ports,           [KIND_SOURCE] = set_source,
    [KIND_MAC] = set_mac,           [KIND_STATES] = set_states,         [KIND_TECHNIQUE] = set_technique,
    [KIND_TCP_FLAGS] = set_tcp_flags, [KIND_PING] = set_ping,           [KIND_PING_PORTS] = set_ping_ports,
    [KIND_PRESET] = set_preset,     [KIND_CHOICE] = set_choice,
};

int value_store(struct settings *s, const struct option *o, const char *text, struct error *e) {
    struct setter t = {.s = s, .o = o, .text = text, .at = value_place(s, o), .e = e};
    return setters[o->kind](&t);
}
