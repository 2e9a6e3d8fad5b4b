#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BENCHMARK_NET 0xc6120000u /* nothing outside is ever answered for */
#define BENCHMARK_HOSTS (1u << 17)
#define BENCHMARK_LENGTH6 48
#define DELAY_MAX 60000000u /* microseconds */
#define HOSTS6_LENGTH_MIN 104 /* the shortest prefix: 2^24 hosts */

struct list6_entry {
    struct address6 address;
    uint32_t host;
};

static const struct {
    const char *name;
    size_t offset;
    uint32_t min, max;
} numbers[] = {
    {"--first-port", offsetof(struct settings, first_port), 0, 65535},
    {"--ports", offsetof(struct settings, ports), 1, 65536},
    {"--absent", offsetof(struct settings, absent_ppm), 0, TRUTH_PPM},
    {"--open", offsetof(struct settings, open_ppm), 0, TRUTH_PPM},
    {"--closed", offsetof(struct settings, closed_ppm), 0, TRUTH_PPM},
    {"--unreachable", offsetof(struct settings, unreachable_ppm), 0, TRUTH_PPM},
    {"--echo", offsetof(struct settings, echo_ppm), 0, TRUTH_PPM},
    {"--stamp", offsetof(struct settings, stamp_ppm), 0, TRUTH_PPM},
    {"--loss-out", offsetof(struct settings, loss_out_ppm), 0, TRUTH_PPM},
    {"--loss-in", offsetof(struct settings, loss_in_ppm), 0, TRUTH_PPM},
    {"--bad-hosts", offsetof(struct settings, bad_hosts_ppm), 0, TRUTH_PPM},
    {"--bad-loss", offsetof(struct settings, bad_loss_ppm), 0, TRUTH_PPM},
    {"--burst-loss", offsetof(struct settings, burst_loss_ppm), 0, TRUTH_PPM},
    {"--burst-us", offsetof(struct settings, burst_us), 1, DELAY_MAX},
    {"--clear-us", offsetof(struct settings, clear_us), 1, DELAY_MAX},
    {"--delay-us", offsetof(struct settings, delay_us), 0, DELAY_MAX},
    {"--delay-spread-us", offsetof(struct settings, delay_spread_us), 0, DELAY_MAX},
    {"--late", offsetof(struct settings, late_ppm), 0, TRUTH_PPM},
    {"--late-us", offsetof(struct settings, late_us), 0, DELAY_MAX},
    {"--duplicate", offsetof(struct settings, duplicate_ppm), 0, TRUTH_PPM},
    {"--copies", offsetof(struct settings, copies), 1, WORLD_COPIES_MAX},
    {"--police", offsetof(struct settings, police_pps), 0, 1000000000},
    {"--police-burst", offsetof(struct settings, police_burst), 0, 1000000},
    {"--answer-limit", offsetof(struct settings, answer_pps), 0, 1000000000},
    {"--answer-burst", offsetof(struct settings, answer_burst), 0, 1000000},
    {"--answer-limited-hosts", offsetof(struct settings, answer_hosts), 1, UINT32_MAX},
    {"--error-limit", offsetof(struct settings, error_pps), 0, 1000000000},
    {"--error-burst", offsetof(struct settings, error_burst), 0, 1000000},
};

static const char *const kinds[] = {
#define X(kind, name) name,
    TRUTH_KINDS(X)
#undef X
};

const char *settings_help(void) {
    return "settings of the world (shares and loss in parts per million):\n"
           "  --key N             everything is a hash under this key (1)\n"
           "  --net PREFIX|none   the addresses of the universe, within 198.18.0.0/15 (198.19.0.0/18)\n"
           "  --net6 PREFIX       its IPv6 addresses, within 2001:2::/48, a /104 at most (none)\n"
           "  --list6 FILE        or those of a file, one a line\n"
           "  --first-port N --ports N  its ports: so many of each address, from the first on (1, 20)\n"
           "  --answers KINDS     probes that are answered: syn,fin,null,xmas,maimon,ack,udp,sctp-init,sctp-cookie,\n"
           "                      protocol,ping (syn)\n"
           "  --arp PREFIX        the addresses whose ARP requests are answered (198.18.0.0/15)\n"
           "  --nd PREFIX         likewise for neighbour solicitations, up to a /64 (2001:2::/48)\n"
           "  --router ADDRESS    who reports unreachable hosts (198.18.0.1; 2001:2:0:ffff::1)\n"
           "  --absent PPM        addresses at which nobody is\n"
           "  --open PPM --closed PPM --unreachable PPM   states; the rest of the endpoints is silent\n"
           "  --echo PPM --stamp PPM                      hosts that answer pings (all)\n"
           "  --loss-out PPM --loss-in PPM                probes and answers that get lost\n"
           "  --bad-hosts PPM --bad-loss PPM              hosts that lose so much more, each way\n"
           "  --burst-loss PPM --burst-us N --clear-us N  what bursts lose each way, how long they last, and how long\n"
           "                                              the path is clear between them: means (20000, 180000)\n"
           "  --duplicate PPM --copies N                  answers sent N times (2)\n"
           "  --delay-us N --delay-spread-us N            how late answers leave: so much, and by host up to the\n"
           "                                              spread more\n"
           "  --late PPM --late-us N                      answers that are held up for so long besides\n"
           "  --police PPS --police-burst N               what the path lets through (0: all)\n"
           "  --answer-limit PPS --answer-burst N         what one host answers (0: all)\n"
           "  --answer-limited-hosts N                    only the first so many hosts limit their answers (all)\n"
           "  --error-limit PPS --error-burst N           ICMP errors that one host sends (0: all)\n";
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || *end || value < min || value > max)
        return -EINVAL;
    *out = value;
    return 0;
}

static int address_parse(const char *text, uint32_t *out) {
    struct in_addr in;
    if (inet_pton(AF_INET, text, &in) != 1)
        return -EINVAL;
    *out = ntohl(in.s_addr);
    return 0;
}

int address6_parse(const char *text, struct address6 *out) {
    uint8_t bytes[16];
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return -EINVAL;
    *out = (struct address6){0, 0};
    for (size_t i = 0; i < 8; i++) {
        out->high = out->high << 8 | bytes[i];
        out->low = out->low << 8 | bytes[i + 8];
    }
    return 0;
}

/* Splits "address/length"; without a length it is `full`. */
static int prefix_split(const char *text, char address[INET6_ADDRSTRLEN], uint64_t min, uint64_t full,
                        uint64_t *length) {
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    *length = full;
    if (n >= INET6_ADDRSTRLEN || (slash && number_parse(slash + 1, min, full, length)))
        return -EINVAL;
    memcpy(address, text, n);
    address[n] = '\0';
    return 0;
}

static int prefix_parse(const char *text, uint32_t *net, uint32_t *hosts) {
    char address[INET6_ADDRSTRLEN];
    uint64_t length;
    if (prefix_split(text, address, 15, 32, &length) || address_parse(address, net))
        return -EINVAL;
    *hosts = 1u << (32 - length);
    return *net & (*hosts - 1) ? -EINVAL : 0;
}

static int universe4_parse(const char *text, struct settings *s) {
    if (strcmp(text, "none") != 0)
        return prefix_parse(text, &s->net, &s->hosts4);
    s->hosts4 = 0;
    return 0;
}

static int universe6_parse(const char *text, struct settings *s) {
    char address[INET6_ADDRSTRLEN];
    uint64_t length;
    if (prefix_split(text, address, HOSTS6_LENGTH_MIN, 128, &length) || address6_parse(address, &s->net6))
        return -EINVAL;
    s->hosts6 = 1u << (128 - length);
    return s->net6.low & (s->hosts6 - 1) ? -EINVAL : 0;
}

static int neighbours6_parse(const char *text, struct settings *s) {
    char address[INET6_ADDRSTRLEN];
    uint64_t length;
    if (prefix_split(text, address, 1, 64, &length) || address6_parse(address, &s->nd_net))
        return -EINVAL;
    s->nd_length = (uint32_t)length;
    return 0;
}

static int answers_parse(const char *text, uint32_t *out) {
    *out = 0;
    while (*text) {
        size_t n = strcspn(text, ","), kind = 0;
        while (kind < KIND_COUNT && (strlen(kinds[kind]) != n || strncmp(kinds[kind], text, n) != 0))
            kind++;
        if (kind == KIND_COUNT)
            return -EINVAL;
        *out |= 1u << kind;
        text += n + (text[n] == ',');
    }
    return *out ? 0 : -EINVAL;
}

static int entry_compare(const void *a, const void *b) {
    const struct address6 *x = &((const struct list6_entry *)a)->address;
    const struct address6 *y = &((const struct list6_entry *)b)->address;
    if (x->high != y->high)
        return x->high < y->high ? -1 : 1;
    return x->low == y->low ? 0 : x->low < y->low ? -1 : 1;
}

static bool within_benchmark6(struct address6 address, uint32_t length) {
    return length >= BENCHMARK_LENGTH6 && (address.high ^ BENCHMARK_NET6) >> (64 - BENCHMARK_LENGTH6) == 0;
}

static int list6_fill(struct list6 *list, FILE *file) {
    char line[INET6_ADDRSTRLEN + 2];
    while (fgets(line, sizeof(line), file)) {
        struct address6 address;
        line[strcspn(line, "\n")] = '\0';
        if (list->n == WORLD_LIST_MAX || address6_parse(line, &address) || !within_benchmark6(address, 128))
            return -EINVAL;
        list->sorted[list->n] = (struct list6_entry){address, list->n};
        list->addresses[list->n++] = address;
    }
    if (ferror(file) || !list->n)
        return -EINVAL;
    qsort(list->sorted, list->n, sizeof(*list->sorted), entry_compare);
    for (uint32_t i = 1; i < list->n; i++) {
        if (entry_compare(&list->sorted[i - 1], &list->sorted[i]) == 0)
            return -EEXIST;
    }
    return 0;
}

static int list6_read(struct settings *s, struct list6 *list, const char *path) {
    list6_deinit(list);
    list->addresses = calloc(WORLD_LIST_MAX, sizeof(*list->addresses));
    list->sorted = calloc(WORLD_LIST_MAX, sizeof(*list->sorted));
    if (!list->addresses || !list->sorted)
        return -ENOMEM;
    FILE *file = fopen(path, "r");
    if (!file)
        return -errno;
    int code = list6_fill(list, file);
    fclose(file);
    s->listed = true;
    s->hosts6 = list->n;
    return code;
}

void list6_deinit(struct list6 *list) {
    free(list->addresses);
    free(list->sorted);
    *list = LIST6_INIT;
}

struct place list6_place(const struct settings *s, const struct list6 *list, struct address6 address) {
    struct place place = truth_place6(s, address.high, address.low);
    struct list6_entry key = {.address = address};
    const struct list6_entry *found =
        list->n ? bsearch(&key, list->sorted, list->n, sizeof(*list->sorted), entry_compare) : NULL;
    if (found)
        place.host = s->hosts4 + found->host;
    return place;
}

static int router_parse(const char *text, struct settings *s) {
    return strchr(text, ':') ? address6_parse(text, &s->router6) : address_parse(text, &s->router);
}

static int number_option(struct settings *s, const char *name, const char *value) {
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t number = 0;
        if (strcmp(name, numbers[i].name) != 0)
            continue;
        if (number_parse(value, numbers[i].min, numbers[i].max, &number))
            return -EINVAL;
        uint32_t field = (uint32_t)number;
        memcpy((char *)s + numbers[i].offset, &field, sizeof(field));
        return 0;
    }
    return -ENOENT;
}

int settings_option(struct settings *s, struct list6 *list, const char *name, const char *value) {
    if (strcmp(name, "--key") == 0)
        return number_parse(value, 0, UINT64_MAX, &s->key);
    if (strcmp(name, "--net") == 0)
        return universe4_parse(value, s);
    if (strcmp(name, "--net6") == 0)
        return universe6_parse(value, s);
    if (strcmp(name, "--list6") == 0)
        return list6_read(s, list, value);
    if (strcmp(name, "--answers") == 0)
        return answers_parse(value, &s->answers);
    if (strcmp(name, "--arp") == 0)
        return prefix_parse(value, &s->arp_net, &s->arp_hosts);
    if (strcmp(name, "--nd") == 0)
        return neighbours6_parse(value, s);
    if (strcmp(name, "--router") == 0)
        return router_parse(value, s);
    return number_option(s, name, value);
}

static bool within_benchmark(uint32_t net, uint32_t hosts) {
    return net - BENCHMARK_NET < BENCHMARK_HOSTS && hosts <= BENCHMARK_HOSTS - (net - BENCHMARK_NET);
}

const char *settings_fault(const struct settings *s) {
    if ((s->hosts4 && !within_benchmark(s->net, s->hosts4)) || !within_benchmark(s->arp_net, s->arp_hosts))
        return "--net and --arp must lie within 198.18.0.0/15";
    if ((s->hosts6 && !s->listed && !within_benchmark6(s->net6, 128)) || !within_benchmark6(s->nd_net, s->nd_length))
        return "--net6 and --nd must lie within 2001:2::/48";
    if (!truth_hosts(s))
        return "--net none, and no --net6: nobody is there";
    if ((uint64_t)s->first_port + s->ports > 65536)
        return "--first-port and --ports: there are ports up to 65535";
    if ((uint64_t)s->open_ppm + s->closed_ppm + s->unreachable_ppm > TRUTH_PPM)
        return "--open, --closed and --unreachable are more than the whole";
    if ((s->loss_out_ppm || s->loss_in_ppm || s->bad_loss_ppm || s->burst_loss_ppm) && !truth_counted(s))
        return "a universe that loses frames has at most 2^24 endpoints";
    return NULL;
}
