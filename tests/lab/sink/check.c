/* The checker of what the sink sampled:
 *
 *     check FIRST LAST PORT_FIRST PORT_LAST SAMPLES
 *
 * holds every frame to what a SYN scan of these addresses and ports may send, and prints one JSON object:
 *
 *   frames      samples that were looked at; all the following but the tries are shares of them, and should be 0:
 *   malformed   no SYN over IPv4: another protocol, fragment, flag, length
 *   bad_ip_sum, bad_tcp_sum
 *   unplanned   to no address or port of the plan
 *   foreign     from another address, or between other hardware addresses, than the first frame
 *   repeated    one of the same address and port came before, from the same source port, which stands for the try
 *   tries       how many frames came from each source port */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/parse.h"
#include "sample.h"

#define ETHERNET_BYTES 14u
#define MAC_PAIR_BYTES 12u
#define IP_BYTES 20u
#define TCP_BYTES 20u
#define TCP_MORE_THAN_SYN 0x3d /* every flag but SYN and those of congestion notification */
#define PORTS 65536u

struct plan {
    uint32_t first, last;
    uint64_t port_first, port_last;
};

struct verdict {
    uint64_t frames, malformed, bad_ip_sum, bad_tcp_sum, unplanned, foreign, repeated;
    uint64_t tries[PORTS];
};

static int fail(const char *what, const char *why) {
    fprintf(stderr, "check: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

/* RFC 1071, from a sum so far; 0 if the data holds its own checksum. */
static uint16_t internet_sum(uint32_t sum, const uint8_t *p, size_t n) {
    for (size_t i = 0; i + 1 < n; i += 2)
        sum += load_be16(p + i);
    if (n & 1)
        sum += (uint32_t)p[n - 1] << 8;
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

/* Whether it is a whole SYN without data; then its TCP header has *tcp_bytes. */
static bool is_syn(const struct sample *s, size_t *tcp_bytes) {
    const uint8_t *ip = s->frame + ETHERNET_BYTES, *tcp = ip + IP_BYTES;
    if (s->length < ETHERNET_BYTES + IP_BYTES + TCP_BYTES || s->length > SAMPLE_FRAME_MAX)
        return false;
    *tcp_bytes = (size_t)(tcp[12] >> 4) * 4;
    return load_be16(ip - 2) == 0x0800 && ip[0] == 0x45 && (load_be16(ip + 6) & 0x3fff) == 0 && ip[9] == 6 &&
           (tcp[13] & 2) != 0 && (tcp[13] & TCP_MORE_THAN_SYN) == 0 && *tcp_bytes >= TCP_BYTES &&
           load_be16(ip + 2) == IP_BYTES + *tcp_bytes && s->length >= ETHERNET_BYTES + IP_BYTES + *tcp_bytes;
}

/* What identifies a probe: source port, address and port. */
static uint64_t frame_judge(const struct plan *plan, const struct sample *s, const struct sample *first,
                            struct verdict *v) {
    const uint8_t *ip = s->frame + ETHERNET_BYTES, *tcp = ip + IP_BYTES;
    size_t tcp_bytes = 0;
    v->frames++;
    if (!is_syn(s, &tcp_bytes)) {
        v->malformed++;
        return UINT64_MAX;
    }
    uint32_t address = load_be32(ip + 16), pseudo = 6 + (uint32_t)tcp_bytes;
    for (size_t i = 12; i < IP_BYTES; i += 2)
        pseudo += load_be16(ip + i);
    uint16_t source = load_be16(tcp), target = load_be16(tcp + 2);
    v->bad_ip_sum += internet_sum(0, ip, IP_BYTES) != 0;
    v->bad_tcp_sum += internet_sum(pseudo, tcp, tcp_bytes) != 0;
    v->unplanned += address < plan->first || address > plan->last || target < plan->port_first ||
                    target > plan->port_last;
    v->foreign += memcmp(s->frame, first->frame, MAC_PAIR_BYTES) != 0 ||
                  memcmp(ip + 12, first->frame + ETHERNET_BYTES + 12, 4) != 0;
    v->tries[source]++;
    return (uint64_t)source << 48 | (uint64_t)address << 16 | target;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print(const struct verdict *v) {
    printf("{\"frames\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"bad_ip_sum\":%" PRIu64 ",\"bad_tcp_sum\":%" PRIu64
           ",\"unplanned\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"repeated\":%" PRIu64 ",\"tries\":{",
           v->frames, v->malformed, v->bad_ip_sum, v->bad_tcp_sum, v->unplanned, v->foreign, v->repeated);
    const char *comma = "";
    for (unsigned int port = 0; port < PORTS; port++) {
        if (v->tries[port] == 0)
            continue;
        printf("%s\"%u\":%" PRIu64, comma, port, v->tries[port]);
        comma = ",";
    }
    puts("}}");
}

/* All samples of a file, to be freed; NULL with errno if it can't be read. */
static struct sample *samples_read(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    bool sized = fseek(file, 0, SEEK_END) == 0;
    long size = sized ? ftell(file) : -1;
    struct sample *samples = size > 0 ? malloc((size_t)size) : NULL;
    rewind(file);
    *n = size > 0 ? (size_t)size / sizeof *samples : 0;
    if (samples && fread(samples, sizeof *samples, *n, file) != *n) {
        free(samples);
        samples = NULL;
    }
    fclose(file);
    return samples;
}

static int plan_read(char **arguments, struct plan *plan) {
    addr_t first, last;
    if (addr_parse(arguments[0], strlen(arguments[0]), &first) ||
        addr_parse(arguments[1], strlen(arguments[1]), &last) || !addr_is_v4(first) || !addr_is_v4(last))
        return -EINVAL;
    plan->first = addr_v4(first);
    plan->last = addr_v4(last);
    int r = parse_u64(arguments[2], 0, PORTS - 1, &plan->port_first);
    return r < 0 ? r : parse_u64(arguments[3], 0, PORTS - 1, &plan->port_last);
}

int main(int argc, char **argv) {
    static struct verdict verdict;
    struct plan plan;
    size_t n = 0;
    if (argc != 6 || plan_read(argv + 1, &plan) < 0)
        return fail("usage", "check FIRST LAST PORT_FIRST PORT_LAST SAMPLES");
    struct sample *samples = samples_read(argv[5], &n);
    uint64_t *keys = samples ? calloc(n, sizeof *keys) : NULL;
    if (!keys)
        return fail(argv[5], samples ? "no memory" : "no samples there");
    for (size_t i = 0; i < n; i++)
        keys[i] = frame_judge(&plan, &samples[i], samples, &verdict);
    qsort(keys, n, sizeof *keys, compare);
    for (size_t i = 1; i < n; i++)
        verdict.repeated += keys[i] == keys[i - 1] && keys[i] != UINT64_MAX;
    print(&verdict);
    free(keys);
    free(samples);
    return EXIT_SUCCESS;
}
