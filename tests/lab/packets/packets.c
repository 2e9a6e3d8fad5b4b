/* Random packets for an independent reader, and what our own parser makes of a capture file.
 *
 *   packets probes  ethernet|ip SEED COUNT FILE   frames that src/probe builds
 *   packets foreign ethernet|ip SEED COUNT FILE   what others may send: right, spoilt, cut
 *   packets read FILE                             one line a packet
 *
 * The same seed gives the same packets everywhere. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/parse.h"
#include "base/random.h"
#include "packets.h"
#include "probe/probe.h"
#include "probe/reply.h"

#define PCAP_MAGIC UINT32_C(0xa1b2c3d4) /* in the byte order of the machine: so are all numbers of the file */
#define PCAP_ETHERNET 1u
#define PCAP_RAW_IP 101u

/* Readers remember every connection that they see; so many packets share one. */
#define PACKETS_PER_TUPLE 64u

struct source {
    uint64_t state;
    uint64_t tuples_seed;
    uint64_t n_tuples;
    enum link_type link;
};

struct tuple {
    uint32_t a, b;
    uint16_t a_port, b_port;
};

static uint64_t draw(struct source *s, uint64_t below) {
    return random_splitmix(&s->state) % below;
}

static struct tuple draw_tuple(struct source *s) {
    uint64_t state = s->tuples_seed ^ draw(s, s->n_tuples) << 8;
    uint64_t addresses = random_splitmix(&state), ports = random_splitmix(&state);
    return (struct tuple){(uint32_t)addresses, (uint32_t)(addresses >> 32), (uint16_t)ports, (uint16_t)(ports >> 16)};
}

static addr_t addr_of(bool v6, uint32_t low) {
    return v6 ? (addr_t)0x20010002u << 96 | (addr_t)1 << 64 | low : addr_from_v4(low);
}

static struct probe_config draw_config(struct source *s, const struct tuple *t) {
    struct probe_config c = {
        .key = {random_splitmix(&s->state), random_splitmix(&s->state)},
        .wandering_port = 65020,
        .tries = (uint8_t)(1 + draw(s, 11)),
        .ttl = (uint8_t)draw(s, 256),
        .flags_given = !draw(s, 8),
        .flags = (uint8_t)draw(s, 256),
        .amplifiers = true,
        .ping = {{PING_ECHO, 0}, {PING_TIMESTAMP, 0}, {PING_SYN, 443}, {PING_ACK, 80}, {PING_UDP, 53}, {PING_SCTP, 9}},
        .n_ping = 6,
    };
    for (unsigned i = 0; i < TECHNIQUE_COUNT; i++)
        c.first_port[i] = t->a_port && t->a_port < 65000 ? t->a_port : 65000;
    return c;
}

/* The frames that answer: resets and SYN-ACKs, and where there are link addresses those of neighbours. */
static size_t draw_answer(struct source *s, const struct probe_config *c, struct reply *r, uint8_t *frame) {
    switch (draw(s, s->link == LINK_ETHERNET ? 3 : 2)) {
    case 0:
        return probe_build_reset(c, s->link, r, frame);
    case 1:
        return probe_build_syn_ack(c, s->link, r, frame);
    default:
        r->kind = REPLY_ASKED;
        memcpy(r->source_mac, packet_their_mac, MAC_LEN);
        return probe_build_neighbour_answer(s->link, r, packet_our_mac, frame);
    }
}

static struct packet draw_probe(struct source *s) {
    struct tuple t = draw_tuple(s);
    struct probe_config config = draw_config(s, &t);
    bool v6 = draw(s, 2);
    struct probe_path path = {.link = s->link, .source = addr_of(v6, t.a)};
    memcpy(path.source_mac, packet_our_mac, MAC_LEN);
    memcpy(path.dest_mac, packet_their_mac, MAC_LEN);
    struct endpoint ep = {addr_of(v6, t.b), {.port = t.b_port, .technique = TECHNIQUE_SYN}};
    struct packet p = {.len = 0};
    if (!draw(s, 4)) {
        struct reply received = {
            .kind = REPLY_TCP,
            .source = ep.addr,
            .dest = path.source,
            .source_port = t.b_port,
            .dest_port = config.first_port[TECHNIQUE_SYN],
            .seq = (uint32_t)random_splitmix(&s->state),
            .ack = (uint32_t)random_splitmix(&s->state),
        };
        p.len = draw_answer(s, &config, &received, p.data);
    }
    while (p.len == 0) { /* not every technique has a packet for every family and link */
        ep.slot.technique = (uint8_t)draw(s, TECHNIQUE_COUNT);
        ep.slot.port = ep.slot.technique == TECHNIQUE_PROTOCOL             ? (uint16_t)draw(s, 256)
                       : ep.slot.technique == TECHNIQUE_UDP && draw(s, 2) ? (uint16_t)draw(s, 4096)
                                                                          : t.b_port;
        if (techniques[ep.slot.technique].built)
            p.len = probe_build(&config, &path, &ep, (unsigned)draw(s, config.tries),
                                (unsigned)draw(s, probe_parts(&config, &ep)), p.data);
    }
    return p;
}

static struct tcp_spec draw_tcp(struct source *s) {
    struct tuple t = draw_tuple(s);
    return (struct tcp_spec){
        .ip = {.source = t.b,
               .dest = t.a,
               .ttl = (uint8_t)draw(s, 256),
               .option_words = (uint8_t)(draw(s, 4) ? 0 : draw(s, 11)),
               .fragment = draw(s, 16) ? 0x4000 : (uint16_t)(draw(s, 2) ? draw(s, 65536) : 0x2000)},
        .source_port = t.b_port,
        .dest_port = t.a_port,
        .seq = (uint32_t)random_splitmix(&s->state),
        .ack = (uint32_t)random_splitmix(&s->state),
        .flags = (uint8_t)draw(s, 256),
        .window = (uint16_t)draw(s, 65536),
        .option_words = (uint8_t)draw(s, 11),
        .payload = (uint16_t)(draw(s, 4) ? 0 : draw(s, 100)),
    };
}

static struct packet draw_icmp(struct source *s) {
    static const uint8_t types[] = {3, 3, 3, 3, 11, 11, 0, 8, 4, 5, 12, 13};
    struct icmp_spec i = {.quote = draw_tcp(s)};
    i.ip = i.quote.ip;
    i.ip.source = (uint32_t)random_splitmix(&s->state);
    i.ip.dest = i.quote.ip.source;
    i.quote.ip.option_words = (uint8_t)(draw(s, 4) ? 0 : draw(s, 11));
    i.quote.ip.fragment = draw(s, 32) ? 0x4000 : 0x0101;
    i.type = draw(s, 64) ? types[draw(s, sizeof types)] : (uint8_t)draw(s, 256);
    i.code = (uint8_t)draw(s, draw(s, 8) ? 16 : 256);
    if (draw(s, 2)) /* from one byte to the whole quoted packet */
        i.quote_len = (uint16_t)(1 + draw(s, 20 + i.quote.ip.option_words * 4u + 20));
    return packet_icmp(s->link, &i);
}

static struct packet draw_arp(struct source *s) {
    struct tuple t = draw_tuple(s);
    struct arp_spec a = {.sender = t.b, .target = t.a};
    a.opcode = (uint16_t)(draw(s, 16) ? 1 + draw(s, 2) : draw(s, 65536));
    store_be32(a.sender_mac, (uint32_t)random_splitmix(&s->state));
    return packet_arp(&a);
}

#define EXTENSIONS_MAX 3u

/* Extension headers of 8 bytes each, the last of which names proto. Returns the number of the first. */
static uint8_t draw_extensions(struct source *s, uint8_t proto, struct any_spec *spec,
                               uint8_t room[static EXTENSIONS_MAX * 8]) {
    static const uint8_t kinds[] = {43, 44, 60, 0};
    unsigned n = (unsigned)(1 + draw(s, EXTENSIONS_MAX));
    uint8_t next = proto;
    for (unsigned i = n; i-- > 0;) {
        uint8_t *header = room + i * 8, kind = kinds[draw(s, i == 0 ? 4 : 3)]; /* hop-by-hop options come first */
        memset(header, 0, 8);
        header[0] = next;
        if (kind == 43) {
            header[2] = 253;
            header[3] = !draw(s, 8);
        } else if (kind == 44) {
            store_be16(header + 2, draw(s, 4) ? 0 : (uint16_t)draw(s, 65536));
            store_be32(header + 4, (uint32_t)random_splitmix(&s->state));
        } else {
            header[2] = 1;
            header[3] = 4;
        }
        next = kind;
    }
    spec->extensions = room;
    spec->extensions_len = n * 8;
    return next;
}

/* A solicitation or advertisement, mostly with one option. */
static size_t draw_nd(struct source *s, addr_t target, struct any_spec *spec, uint8_t *payload) {
    uint8_t body[24] = {[16] = (uint8_t)(1 + draw(s, 2)), [17] = 1, [18] = 2, [23] = (uint8_t)draw(s, 256)};
    store_be64(body, (uint64_t)(target >> 64));
    store_be64(body + 8, (uint64_t)target);
    spec->ttl = draw(s, 8) ? 255 : 64;
    return put_icmp(payload, (uint8_t)(135 + draw(s, 2)), 0, 0, body, draw(s, 4) ? 24 : 16);
}

/* An error that quotes a packet of ours, whole or in part. */
static size_t draw_error(struct source *s, bool v6, addr_t us, addr_t them, const struct tuple *t, uint8_t *payload) {
    static const uint8_t v4_types[] = {3, 3, 11, 12}, v6_types[] = {1, 1, 2, 3, 4};
    uint8_t l4[64];
    bool udp = draw(s, 2);
    struct any_spec ours = {.source = us, .dest = them, .proto = udp ? 17 : 6, .id = (uint32_t)draw(s, 65536)};
    size_t n = udp ? put_udp(l4, t->a_port, t->b_port, draw(s, 30))
                   : put_segment(l4, t->a_port, t->b_port, (uint32_t)random_splitmix(&s->state), 0, 2, 64240);
    struct packet quote = packet_any(LINK_IP, &ours, l4, n);
    size_t len = draw(s, 2) ? quote.len : draw(s, quote.len + 1);
    uint8_t type = v6 ? v6_types[draw(s, sizeof v6_types)] : v4_types[draw(s, sizeof v4_types)];
    return put_icmp(payload, type, (uint8_t)draw(s, 16), 0, quote.data, len);
}

/* A packet of any other kind, in either family. */
static struct packet draw_any(struct source *s) {
    static const uint8_t others[] = {2, 47, 50, 59, 88, 103, 254};
    struct tuple t = draw_tuple(s);
    bool v6 = draw(s, 3);
    addr_t us = addr_of(v6, t.a), them = addr_of(v6, t.b);
    struct any_spec spec = {.source = them, .dest = us, .ttl = (uint8_t)(1 + draw(s, 255))};
    uint8_t payload[256], echo[16] = {0}, extensions[EXTENSIONS_MAX * 8];
    size_t n;
    switch (draw(s, v6 ? 7 : 5)) {
    case 0:
        spec.proto = 17;
        n = put_udp(payload, t.b_port, t.a_port, draw(s, 64));
        break;
    case 1:
        spec.proto = 132;
        n = put_sctp(payload, t.b_port, t.a_port, (uint32_t)random_splitmix(&s->state), (uint8_t)draw(s, 12),
                     16 + draw(s, 4) * 4);
        break;
    case 2:
        spec.proto = v6 ? 58 : 1;
        n = put_icmp(payload, v6 ? 129 : 0, 0, (uint32_t)random_splitmix(&s->state), echo,
                     draw(s, 8) ? 16 : draw(s, 8));
        break;
    case 3:
        spec.proto = v6 ? 58 : 1;
        n = draw_error(s, v6, us, them, &t, payload);
        break;
    case 4:
        spec.proto = others[draw(s, sizeof others)];
        memset(payload, 0, sizeof payload);
        n = draw(s, 40);
        break;
    case 5:
        spec.proto = 6;
        n = put_segment(payload, t.b_port, t.a_port, (uint32_t)random_splitmix(&s->state),
                        (uint32_t)random_splitmix(&s->state), (uint8_t)draw(s, 256), (uint16_t)draw(s, 65536));
        break;
    default:
        spec.proto = 58;
        n = draw_nd(s, us, &spec, payload);
    }
    if (v6 && !draw(s, 4))
        spec.extension = draw_extensions(s, spec.proto, &spec, extensions);
    return packet_any(s->link, &spec, payload, n);
}

static struct packet draw_garbage(struct source *s) {
    struct packet p = {.len = draw(s, 120)};
    for (size_t i = 0; i < p.len; i++)
        p.data[i] = (uint8_t)random_splitmix(&s->state);
    if (s->link == LINK_ETHERNET && p.len >= 14 && draw(s, 4))
        store_be16(p.data + 12, draw(s, 2) ? 0x0800 : draw(s, 2) ? 0x0806 : 0x86dd);
    p.end = p.len;
    return p;
}

/* Spoils a packet in one of the ways that networks, and liars, know. *on_wire is more than p->len where the capture
 * is to look cut. */
static void spoil(struct source *s, struct packet *p, size_t *on_wire) {
    size_t start = s->link == LINK_ETHERNET ? 12 : 0, headers = p->ip;
    if (p->proto && p->l4 > p->ip + 40) /* readers differ about broken extension headers */
        start = headers = p->l4;
    if (p->len <= start)
        return;
    switch (draw(s, 6)) {
    case 0: { /* one bit */
        size_t bit = start * 8 + draw(s, (p->len - start) * 8);
        p->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        break;
    }
    case 1: /* up to three bytes */
        for (uint64_t n = 1 + draw(s, 3); n; n--)
            p->data[start + draw(s, p->len - start)] = (uint8_t)draw(s, 256);
        break;
    case 2: /* cut by the capture */
        p->len = draw(s, p->len);
        break;
    case 3: /* cut by the sender */
        p->len = *on_wire = draw(s, p->len);
        break;
    case 4: /* one byte of the headers, with checksums that fit */
        p->data[headers + draw(s, p->len - headers)] = (uint8_t)draw(s, 256);
        if (p->l4)
            packet_fix(p);
        break;
    default: /* two words change places: the sum does not see it, unless they carry what is summed twice */
        if (p->l4 && p->end - p->l4 >= 8) {
            uint8_t *a = p->data + p->l4 + draw(s, 4) * 2, *b = p->data + p->end - 2 - (p->end - p->l4) % 2;
            uint16_t word = load_be16(a);
            store_be16(a, load_be16(b));
            store_be16(b, word);
        }
    }
}

static struct packet draw_foreign(struct source *s, size_t *on_wire) {
    struct packet p;
    uint64_t kind = draw(s, 64);
    if (kind >= 32) {
        p = draw_any(s);
    } else if (kind < 16 || (kind < 18 && s->link != LINK_ETHERNET)) {
        struct tcp_spec t = draw_tcp(s);
        p = packet_tcp(s->link, &t);
    } else if (kind < 18) {
        p = draw_arp(s);
    } else if (kind < 31) {
        p = draw_icmp(s);
    } else {
        p = draw_garbage(s);
    }
    if (!draw(s, 4))
        packet_pad(&p, draw(s, 20));
    *on_wire = p.len;
    if (draw(s, 8) < 3)
        spoil(s, &p, on_wire);
    return p;
}

static int write_file(bool probes, struct source *s, uint64_t count, FILE *f) {
    const uint32_t link = s->link == LINK_ETHERNET ? PCAP_ETHERNET : PCAP_RAW_IP;
    const uint32_t head[] = {PCAP_MAGIC, 2 | 4 << 16, 0, 0, 65535, link};
    fwrite(head, sizeof head, 1, f);
    for (uint64_t i = 0; i < count; i++) {
        size_t on_wire = 0;
        struct packet p = probes ? draw_probe(s) : draw_foreign(s, &on_wire);
        if (probes)
            on_wire = p.len;
        const uint32_t record[] = {(uint32_t)i, 0, (uint32_t)p.len, (uint32_t)on_wire};
        fwrite(record, sizeof record, 1, f);
        fwrite(p.data, 1, p.len, f);
    }
    return ferror(f) ? -1 : 0;
}

static void print_mac(const uint8_t *mac) {
    printf("\t%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void print_addr(addr_t a) {
    char text[ADDR_STRLEN];
    printf("\t%s", addr_format(a, text));
}

/* The quoted packet: of protocols without ports those bytes are something else. */
static void print_quote(const struct reply *r) {
    printf("\t%u\t%u", r->icmp_type, r->icmp_code);
    print_addr(r->quoted_source);
    print_addr(r->quoted_dest);
    printf("\t%u", r->quoted_proto);
    if (r->quoted_proto == 6)
        printf("\t%u\t%u\t%" PRIu32, r->quoted_source_port, r->quoted_dest_port, r->quoted_seq);
    else if (r->quoted_proto == 17)
        printf("\t%u\t%u", r->quoted_source_port, r->quoted_dest_port);
}

static void print_reply(enum link_type link, const struct reply *r) {
    static const char *const kinds[] = {
        [REPLY_TCP] = "tcp",         [REPLY_UDP] = "udp",     [REPLY_SCTP] = "sctp",  [REPLY_ICMP] = "answer",
        [REPLY_ICMP_ERROR] = "icmp", [REPLY_NEIGHBOUR] = "neighbour", [REPLY_ASKED] = "asked", [REPLY_OTHER] = "other"};
    printf("%s", kinds[r->kind]);
    if (link == LINK_ETHERNET) {
        print_mac(r->source_mac);
        print_mac(r->dest_mac);
    }
    print_addr(r->source);
    print_addr(r->dest);
    if (r->kind != REPLY_NEIGHBOUR && r->kind != REPLY_ASKED)
        printf("\t%u", r->ttl);
    if (r->kind == REPLY_TCP)
        printf("\t%u\t%u\t%" PRIu32 "\t%" PRIu32 "\t%u\t%u", r->source_port, r->dest_port, r->seq, r->ack,
               r->tcp_flags, r->window);
    else if (r->kind == REPLY_UDP)
        printf("\t%u\t%u", r->source_port, r->dest_port);
    else if (r->kind == REPLY_SCTP)
        printf("\t%u\t%u\t%" PRIu32 "\t%u", r->source_port, r->dest_port, r->tag, r->chunk);
    else if (r->kind == REPLY_ICMP)
        printf("\t%u\t%u\t%u", r->icmp_type, r->icmp_id, r->icmp_seq);
    else if (r->kind == REPLY_ICMP_ERROR)
        print_quote(r);
    else if (r->kind == REPLY_OTHER)
        printf("\t%u", r->proto);
    putchar('\n');
}

static int read_file(FILE *f) {
    uint32_t head[6], record[4];
    if (fread(head, sizeof head, 1, f) != 1 || head[0] != PCAP_MAGIC)
        return -1;
    enum link_type link = head[5] == PCAP_ETHERNET ? LINK_ETHERNET : LINK_IP;
    while (fread(record, sizeof record, 1, f) == 1) {
        uint8_t *frame = malloc(record[2] ? record[2] : 1); /* exact, so that a sanitizer sees any step beyond */
        if (!frame)
            return -1;
        if (record[2] > 65535 || fread(frame, 1, record[2], f) != record[2]) {
            free(frame);
            return -1;
        }
        struct reply r;
        enum ignored why = reply_parse(link, frame, record[2], record[3], 0, &r);
        if (why == IGNORED_NOT)
            print_reply(link, &r);
        else
            printf("%s\n", ignored_name(why));
        free(frame);
    }
    return ferror(f) || ferror(stdout) ? -1 : 0;
}

int main(int argc, char **argv) {
    uint64_t seed, count;
    bool read = argc == 3 && !strcmp(argv[1], "read"), probes = argc == 6 && !strcmp(argv[1], "probes");
    bool write = probes || (argc == 6 && !strcmp(argv[1], "foreign"));
    if (!read && (!write || parse_u64(argv[3], 0, UINT64_MAX, &seed) || parse_u64(argv[4], 1, 100000000, &count))) {
        fputs("usage: packets probes|foreign ethernet|ip SEED COUNT FILE, or packets read FILE\n", stderr);
        return 2;
    }
    FILE *f = fopen(argv[argc - 1], read ? "rb" : "wb");
    if (!f) {
        perror(argv[argc - 1]);
        return 1;
    }
    int failed;
    if (read) {
        failed = read_file(f);
    } else {
        struct source s = {seed, seed, 1 + count / PACKETS_PER_TUPLE, LINK_ETHERNET};
        if (!strcmp(argv[2], "ip"))
            s.link = LINK_IP;
        failed = write_file(probes, &s, count, f);
    }
    if (fclose(f) || fflush(stdout) || failed) {
        fprintf(stderr, "packets: %s could not be %s\n", argv[argc - 1], read ? "read" : "written");
        return 1;
    }
    return 0;
}
