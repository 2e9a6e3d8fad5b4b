/* The filter's program over hand-made frames, run by libpcap's interpreter: what the kernel would let through. */
#include "../unit.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/filter.h"

#define LO 40000
#define HI 40007
#define ROOM 128u

/* A frame by its parts. */
struct sketch {
    int version;       /* 4, 6 or 0 (then `protocol` is an ethertype) */
    unsigned protocol; /* IPv6: the first next header */
    uint16_t from, to; /* what stands where ports would be */
    uint16_t fragment; /* IPv4: flags and offset */
    bool options;      /* IPv4: four bytes of them */
};

static unsigned draw(const struct sketch *s, enum link_type link, uint8_t out[static ROOM]) {
    memset(out, 0, ROOM);
    uint8_t *ip = out;
    if (link == LINK_ETHERNET) {
        store_be16(out + 12, s->version == 4 ? ETH_P_IP : s->version == 6 ? ETH_P_IPV6 : (uint16_t)s->protocol);
        ip += ETHERNET_HEADER_LEN;
    }
    uint8_t *payload = ip + (s->version == 6 ? 40 : s->options ? 24 : 20);
    if (s->version == 4) {
        ip[0] = s->options ? 0x46 : 0x45;
        store_be16(ip + 2, 60);
        store_be16(ip + 6, s->fragment);
        ip[9] = (uint8_t)s->protocol;
    } else if (s->version == 6) {
        ip[0] = 0x60;
        store_be16(ip + 4, 20);
        ip[6] = (uint8_t)s->protocol;
    }
    store_be16(payload, s->from);
    store_be16(payload + 2, s->to);
    return (unsigned)(payload - out) + 20;
}

/* A filter's programs, for either kind of link. */
struct pair {
    struct bpf_program of[2];
};

static const enum link_type links[] = {LINK_ETHERNET, LINK_IP};

static struct pair compile(const struct wire_protocols *protocols) {
    struct wire_filter filter = {.port_lo = LO, .port_hi = HI, .protocols = protocols};
    struct error e = ERROR_INIT;
    struct pair p;
    for (size_t i = 0; i < 2; i++)
        if (filter_compile(&filter, links[i], &p.of[i], &e) < 0)
            fail_msg("%s", e.text);
    return p;
}

static void drop(struct pair *p) {
    pcap_freecode(&p->of[0]);
    pcap_freecode(&p->of[1]);
}

static bool passes(const struct pair *p, size_t link, const struct sketch *s) {
    uint8_t frame[ROOM];
    unsigned len = draw(s, links[link], frame);
    return bpf_filter(p->of[link].bf_insns, frame, len, len) > 0;
}

static void expect(const struct pair *p, const struct sketch *s, bool wanted) {
    for (size_t i = 0; i < 2; i++)
        if (passes(p, i, s) != wanted)
            fail_msg("IPv%d protocol %u, port %u to %u, on %s: must %spass", s->version, s->protocol, s->from, s->to,
                     links[i] == LINK_ETHERNET ? "Ethernet" : "plain IP", wanted ? "" : "not ");
}

static void test_ports(void **state) {
    (void)state;
    struct pair plain = compile(NULL);
    static const unsigned transports[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
    static const struct {
        uint16_t from, to;
        bool passes;
    } cases[] = {{80, LO, true},       {80, HI, true},  {80, LO + 3, true}, {80, LO - 1, false},
                 {80, HI + 1, false},  {LO, 80, false}, {80, 0, false},     {80, 65535, false}};
    for (size_t t = 0; t < sizeof transports / sizeof transports[0]; t++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
            for (int version = 4; version <= 6; version += 2)
                expect(&plain,
                       &(struct sketch){.version = version, .protocol = transports[t], .from = cases[i].from,
                                        .to = cases[i].to},
                       cases[i].passes);
    drop(&plain);
}

static void test_ipv4_headers(void **state) {
    (void)state;
    struct pair plain = compile(NULL);
    expect(&plain, &(struct sketch){.version = 4, .protocol = IPPROTO_TCP, .to = LO, .options = true}, true);
    expect(&plain, &(struct sketch){.version = 4, .protocol = IPPROTO_TCP, .to = LO, .fragment = 0x2000}, true);
    /* a later fragment: what stands where ports would be is data */
    expect(&plain, &(struct sketch){.version = 4, .protocol = IPPROTO_TCP, .to = LO, .fragment = 0x0001}, false);
    expect(&plain, &(struct sketch){.version = 4, .protocol = IPPROTO_TCP, .to = LO, .fragment = 0x3fff}, false);
    drop(&plain);
}

/* Each protocol number in both families: without a set, ICMP of the family and IPv6's extension headers alone. */
static void test_protocols(void **state) {
    (void)state;
    struct pair plain = compile(NULL);
    static const uint8_t extensions[] = {0, 43, 44, 51, 60};
    for (unsigned p = 0; p < 256; p++) {
        expect(&plain, &(struct sketch){.version = 4, .protocol = p}, p == IPPROTO_ICMP);
        expect(&plain, &(struct sketch){.version = 6, .protocol = p},
               p == IPPROTO_ICMPV6 || memchr(extensions, (int)p, sizeof extensions));
    }
    drop(&plain);
}

static void expect_set(const struct wire_protocols *set) {
    struct pair filter = compile(set);
    static const uint8_t extensions[] = {0, 43, 44, 51, 60};
    for (unsigned p = 0; p < 256; p++) {
        bool wanted = p != IPPROTO_TCP && p != IPPROTO_UDP && (set->bits[p / 64] >> p % 64 & 1);
        expect(&filter, &(struct sketch){.version = 4, .protocol = p}, wanted || p == IPPROTO_ICMP);
        expect(&filter, &(struct sketch){.version = 6, .protocol = p},
               wanted || p == IPPROTO_ICMPV6 || memchr(extensions, (int)p, sizeof extensions));
    }
    expect(&filter, &(struct sketch){.version = 4, .protocol = IPPROTO_TCP, .to = LO}, true);
    expect(&filter, &(struct sketch){.version = 6, .protocol = IPPROTO_UDP, .to = HI}, true);
    expect(&filter, &(struct sketch){.version = 4, .protocol = IPPROTO_UDP, .to = HI + 1}, false);
    drop(&filter);
}

static void test_sets_of_protocols(void **state) {
    (void)state;
    static const struct wire_protocols sets[] = {
        {{0, 0, 0, 0}},
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
        {{UINT64_C(1) << 47, 0, UINT64_C(1) << (132 - 128), UINT64_C(1) << 63}},
        {{0x8000000000000001, 0x8000000000000001, 1, 0}}, /* runs over the words' borders */
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        expect_set(&sets[i]);
}

/* Every second protocol is the longest expression there is. */
static void test_the_longest_set(void **state) {
    (void)state;
    static const struct wire_protocols even = {{0x5555555555555555, 0x5555555555555555, 0x5555555555555555,
                                                0x5555555555555555}};
    struct pair filter = compile(&even);
    static const unsigned tried[] = {2, 3, 47, 128, 132, 253, 254, 255};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        expect(&filter, &(struct sketch){.version = 4, .protocol = tried[i]}, tried[i] % 2 == 0);
        expect(&filter, &(struct sketch){.version = 6, .protocol = tried[i]}, tried[i] % 2 == 0);
    }
    drop(&filter);
}

static void test_ethertypes(void **state) {
    (void)state;
    struct pair plain = compile(NULL);
    static const uint16_t others[] = {ETH_P_LOOPBACK, ETH_P_8021Q, 0x88cc, 0x88b5, 0x8863, 60};
    assert_true(passes(&plain, 0, &(struct sketch){.protocol = ETH_P_ARP}));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(passes(&plain, 0, &(struct sketch){.protocol = others[i]}));
    assert_false(passes(&plain, 1, &(struct sketch){.version = 0})); /* no IP version at all */
    drop(&plain);
}

/* Frames that end anywhere never pass by what is behind their end. */
static void test_short_frames(void **state) {
    (void)state;
    struct pair plain = compile(NULL);
    static const struct sketch whole[] = {{.version = 4, .protocol = IPPROTO_TCP, .to = LO},
                                          {.version = 6, .protocol = IPPROTO_UDP, .to = LO}};
    for (size_t l = 0; l < 2; l++) {
        for (size_t i = 0; i < 2; i++) {
            uint8_t frame[ROOM];
            unsigned len = draw(&whole[i], links[l], frame), ports_end = len - 16;
            for (unsigned cut = 0; cut <= len; cut++)
                assert_int_equal(bpf_filter(plain.of[l].bf_insns, frame, len, cut) > 0, cut >= ports_end);
        }
    }
    drop(&plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),         cmocka_unit_test(test_ipv4_headers),
        cmocka_unit_test(test_protocols),     cmocka_unit_test(test_sets_of_protocols),
        cmocka_unit_test(test_the_longest_set), cmocka_unit_test(test_ethertypes),
        cmocka_unit_test(test_short_frames),
    };
    return cmocka_run_group_tests_name("wire/filter", tests, NULL, NULL);
}
