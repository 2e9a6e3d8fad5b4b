#include "settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BENCHMARK_NET 0xc6120000u /* 198.18.0.0/15 (RFC 2544): nothing outside it is ever answered for */
#define BENCHMARK_HOSTS (1u << 17)

static const struct {
    const char *name;
    size_t offset;
    uint32_t min, max;
} numbers[] = {
    {"--ports", offsetof(struct settings, ports), 1, 65535},
    {"--absent", offsetof(struct settings, absent_ppm), 0, TRUTH_PPM},
    {"--open", offsetof(struct settings, open_ppm), 0, TRUTH_PPM},
    {"--closed", offsetof(struct settings, closed_ppm), 0, TRUTH_PPM},
    {"--unreachable", offsetof(struct settings, unreachable_ppm), 0, TRUTH_PPM},
    {"--loss-out", offsetof(struct settings, loss_out_ppm), 0, TRUTH_PPM},
    {"--loss-in", offsetof(struct settings, loss_in_ppm), 0, TRUTH_PPM},
    {"--duplicate", offsetof(struct settings, duplicate_ppm), 0, TRUTH_PPM},
    {"--copies", offsetof(struct settings, copies), 1, WORLD_COPIES_MAX},
    {"--police", offsetof(struct settings, police_pps), 0, 1000000000},
    {"--police-burst", offsetof(struct settings, police_burst), 0, 1000000},
    {"--answer-limit", offsetof(struct settings, answer_pps), 0, 1000000000},
    {"--answer-burst", offsetof(struct settings, answer_burst), 0, 1000000},
};

const char *settings_help(void) {
    return "settings of the world (shares and loss in parts per million):\n"
           "  --key N             everything is a hash under this key (1)\n"
           "  --net PREFIX        the addresses of the universe, within 198.18.0.0/15 (198.19.0.0/18)\n"
           "  --ports N           its ports: 1 to N of each address (20)\n"
           "  --arp PREFIX        the addresses whose ARP requests are answered (198.18.0.0/15)\n"
           "  --router ADDRESS    who reports unreachable hosts (198.18.0.1)\n"
           "  --absent PPM        addresses at which nobody is\n"
           "  --open PPM --closed PPM --unreachable PPM   states; the rest of the endpoints is silent\n"
           "  --loss-out PPM --loss-in PPM                probes and answers that get lost\n"
           "  --duplicate PPM --copies N                  answers sent N times (2)\n"
           "  --police PPS --police-burst N               what the path lets through (0: all)\n"
           "  --answer-limit PPS --answer-burst N         what one host answers (0: all)\n";
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

static int prefix_parse(const char *text, uint32_t *net, uint32_t *hosts) {
    char address[INET_ADDRSTRLEN] = "";
    uint64_t length = 32;
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);
    if (n >= sizeof(address) || (slash && number_parse(slash + 1, 15, 32, &length)))
        return -EINVAL;
    memcpy(address, text, n);
    if (address_parse(address, net))
        return -EINVAL;
    *hosts = 1u << (32 - length);
    return *net & (*hosts - 1) ? -EINVAL : 0;
}

int settings_option(struct settings *s, const char *name, const char *value) {
    uint64_t number = 0;
    if (strcmp(name, "--key") == 0)
        return number_parse(value, 0, UINT64_MAX, &s->key);
    if (strcmp(name, "--net") == 0)
        return prefix_parse(value, &s->net, &s->hosts);
    if (strcmp(name, "--arp") == 0)
        return prefix_parse(value, &s->arp_net, &s->arp_hosts);
    if (strcmp(name, "--router") == 0)
        return address_parse(value, &s->router);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
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

static bool within_benchmark(uint32_t net, uint32_t hosts) {
    return net - BENCHMARK_NET < BENCHMARK_HOSTS && hosts <= BENCHMARK_HOSTS - (net - BENCHMARK_NET);
}

const char *settings_fault(const struct settings *s) {
    if (!within_benchmark(s->net, s->hosts) || !within_benchmark(s->arp_net, s->arp_hosts))
        return "--net and --arp must lie within 198.18.0.0/15";
    if ((uint64_t)s->open_ppm + s->closed_ppm + s->unreachable_ppm > TRUTH_PPM)
        return "--open, --closed and --unreachable are more than the whole";
    if ((s->loss_out_ppm || s->loss_in_ppm) && !truth_counted(s))
        return "a universe that loses frames has at most 2^24 endpoints";
    return NULL;
}
