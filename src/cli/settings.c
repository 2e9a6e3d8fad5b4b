#include "cli/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "probe/technique.h"

#define WORDS_MAX (1u << 20) /* options of one run: the kernel takes fewer words on a command line */

/* One value on its way into the settings. */
struct setter {
    struct settings *s;
    const struct option *o;
    const char *text; /* owned by s->given, or a literal */
    void *at;         /* the place in *s */
    struct error *e;
};

static void *place(struct settings *s, const struct option *o) {
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

static int no_room(struct error *e) {
    if (errno == E2BIG)
        return error_set(e, -E2BIG, "more than %u options in one run; long lists go into files", WORDS_MAX);
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
    if (parse_scaled(t->text, &milli) < 0 || milli < t->o->lo || milli > t->o->hi)
        return expected(t, "packets a second, 0.001 to 1000M (such as 0.1, 500, 10k)");
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

/* The limits in the table are whole milliseconds and whole minutes. */
static int set_duration(const struct setter *t) {
    uint64_t ns = 0;
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
        return no_room(t->e);
    *word = t->text;
    return 0;
}

static int set_words(const struct setter *t) {
    return *t->text ? add_word(t, t->at) : expected(t, "a %s", t->o->metavar);
}

static int set_targets(const struct setter *t) {
    struct target_words *words = t->at;
    int code = target_parse(t->text, strlen(t->text), t->o->flags & OPTION_PORTS_OK, &words->targets, NULL, t->e);
    return code == TARGET_NAME ? add_word(t, &words->names) : code;
}

static int set_ports(const struct setter *t) {
    return ports_parse(t->text, t->at, t->e);
}

static int set_address(const struct setter *t) {
    addr_t a = 0;
    if (addr_parse(t->text, strlen(t->text), &a) < 0 || !addr_is_v4(a) || addr_v4(a) == 0)
        return expected(t, "an IPv4 address (such as 192.0.2.7)");
    *(addr_t *)t->at = a;
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

/* The states that today's techniques can give. */
static const enum state shown_states[] = {STATE_OPEN, STATE_CLOSED, STATE_FILTERED};

static int set_states(const struct setter *t) {
    uint16_t mask = 0;
    if (strcmp(t->text, "all") == 0)
        mask = UINT16_MAX;
    for (const char *at = t->text; mask != UINT16_MAX;) {
        size_t n = strcspn(at, ",");
        uint16_t bit = 0;
        for (size_t i = 0; i < sizeof shown_states / sizeof *shown_states; i++) {
            const char *name = state_name(shown_states[i]);
            if (strlen(name) == n && memcmp(name, at, n) == 0)
                bit = (uint16_t)(1u << shown_states[i]);
        }
        if (!bit)
            return expected(t, "open, closed, filtered with commas between, or all");
        mask |= bit;
        at += n;
        if (*at++ == '\0')
            break;
    }
    *(uint16_t *)t->at = mask;
    return 0;
}

static int (*const setters[KIND_COUNT_OF_KINDS])(const struct setter *t) = {
    [KIND_FLAG] = set_flag,         [KIND_COUNT] = set_count,     [KIND_NUMBER] = set_number,
    [KIND_RATE] = set_rate,         [KIND_BITS] = set_bits,       [KIND_DURATION] = set_duration,
    [KIND_SHARD] = set_shard,       [KIND_TEXT] = set_text,       [KIND_WORDS] = set_words,
    [KIND_TARGETS] = set_targets,   [KIND_PORTS] = set_ports,     [KIND_ADDRESS] = set_address,
    [KIND_MAC] = set_mac,           [KIND_STATES] = set_states,
    [KIND_TECHNIQUE] = set_technique,
};

static int apply(struct settings *s, const struct option *o, const char *text, struct error *e) {
    struct setter t = {.s = s, .o = o, .text = text, .at = place(s, o), .e = e};
    return setters[o->kind](&t);
}

int settings_init(struct settings *s, struct error *e) {
    *s = (struct settings){.given = ARRAY_INIT(struct given, WORDS_MAX)};
    for (const struct option *o = options; o < options + option_count; o++) {
        if (o->flags & OPTION_PLANNED)
            continue;
        if (o->kind == KIND_WORDS)
            *(struct array *)place(s, o) = ARRAY_INIT(const char *, WORDS_MAX);
        if (o->kind == KIND_TARGETS)
            *(struct target_words *)place(s, o) = (struct target_words){
                .targets = ARRAY_INIT(struct target, TARGETS_MAX), .names = ARRAY_INIT(const char *, WORDS_MAX)};
        int code = o->fallback ? apply(s, o, o->fallback, e) : 0;
        if (code < 0)
            return code;
    }
    return 0;
}

void settings_deinit(struct settings *s) {
    for (const struct option *o = options; o < options + option_count; o++) {
        if (o->flags & OPTION_PLANNED)
            continue;
        if (o->kind == KIND_WORDS)
            array_deinit(place(s, o));
        if (o->kind == KIND_TARGETS) {
            struct target_words *words = place(s, o);
            array_deinit(&words->targets);
            array_deinit(&words->names);
        }
    }
    struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        free(given[i].text);
    array_deinit(&s->given);
}

int settings_set(struct settings *s, const struct option *o, const char *text, struct error *e) {
    char *copy = strdup(text);
    struct given *given = copy ? array_add(&s->given) : NULL;
    if (!given) {
        free(copy);
        return no_room(e);
    }
    *given = (struct given){.option = o, .text = copy};
    return apply(s, o, copy, e);
}

static bool given_option(const struct settings *s, const struct option *o) {
    const struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        if (given[i].option == o)
            return true;
    return false;
}

bool settings_given(const struct settings *s, const char *name) {
    return given_option(s, option_by_name(name, strlen(name)));
}

const struct option *settings_raw_option(const struct settings *s) {
    const struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        if (given[i].option->flags & OPTION_RAW)
            return given[i].option;
    return NULL;
}

/* How often "-" stands in a list of files. */
static size_t count_stdin(const struct array *words) {
    size_t n = 0;
    const char *const *word = words->items;
    for (size_t i = 0; i < words->n; i++)
        n += strcmp(word[i], "-") == 0;
    return n;
}

int settings_check(const struct settings *s, struct error *e) {
    bool connect = s->techniques >> TECHNIQUE_CONNECT & 1;
    if (connect && s->techniques != UINT32_C(1) << TECHNIQUE_CONNECT)
        return error_set(e, -EINVAL, "-sT goes alone, since the kernel sends its probes: expected a scan for each");
    const struct option *raw = settings_raw_option(s);
    if (connect && raw)
        return error_set(e, -EINVAL, "--%s goes with raw packets, but -sT has the kernel send its own", raw->name);
    if (settings_given(s, "rate") && settings_given(s, "bandwidth"))
        return error_set(e, -EINVAL, "--rate and --bandwidth exclude each other: expected one of them");
    if (s->open && settings_given(s, "show") && s->show != 1u << STATE_OPEN)
        return error_set(e, -EINVAL, "--open and --show exclude each other: expected one of them");
    if (count_stdin(&s->input_files) + count_stdin(&s->exclude_files) + count_stdin(&s->configs) > 1)
        return error_set(e, -EINVAL, "stdin can be read once only, but \"-\" is given as an input file more than once");
    if (s->top_ports > ports_ranked_count())
        return error_set(e, -EINVAL, "--top-ports: expected a whole number from 1 to %u, not %" PRIu64,
                         ports_ranked_count(), s->top_ports);
    if (s->targets.targets.n + s->targets.names.n + s->input_files.n == 0)
        return error_set(e, -EINVAL, "no target: expected an address, a range or a host name, or a list with -iL FILE");
    return 0;
}
