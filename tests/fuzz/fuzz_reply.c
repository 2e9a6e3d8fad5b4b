/* Any frame: parsed, judged, answered and described, without a byte read beyond it and without a false answer. The
 * first byte chooses the link, the frame's flags, and whether checksums are put right before, so that mutations get
 * past them; the rest is the frame. */
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "probe/checksum.h"
#include "probe/crc32c.h"
#include "probe/probe.h"
#include "probe/reply.h"

/* The corpus holds true answers to probes of this scan, which has all techniques. */
static const struct probe_config config = {
    .key = {UINT64_C(0x6b6579206f6e6520), UINT64_C(0x6b65792074776f20)},
    .first_port =
        {
            [TECHNIQUE_SYN] = 61000, [TECHNIQUE_FIN] = 61010, [TECHNIQUE_NULL] = 61020, [TECHNIQUE_XMAS] = 61030,
            [TECHNIQUE_MAIMON] = 61040, [TECHNIQUE_ACK] = 61050, [TECHNIQUE_WINDOW] = 61060, [TECHNIQUE_UDP] = 61070,
            [TECHNIQUE_SCTP_INIT] = 61080, [TECHNIQUE_SCTP_COOKIE] = 61090, [TECHNIQUE_PROTOCOL] = 61100,
            [TECHNIQUE_PING] = 61110,
        },
    .wandering_port = 61120,
    .tries = 4,
    .ttl = 64,
    .ping = {{PING_ECHO, 0}, {PING_SYN, 443}, {PING_ACK, 80}, {PING_TIMESTAMP, 0}, {PING_UDP, 40125},
             {PING_SCTP, 8443}},
    .n_ping = 6,
};

enum choice { CHOICE_IP = 1, CHOICE_UNFILLED = 2, CHOICE_VALID = 4, CHOICE_REPAIR = 8, CHOICE_CUT = 16 };

static void repair_payload(uint8_t proto, uint64_t addresses, bool v4, uint8_t *l4, size_t len) {
    size_t at = proto == 6 ? 16 : proto == 17 ? 6 : 2;
    if (proto == 132 && len >= 12) {
        crc32c_store(l4 + 8, crc32c_sctp(l4, len));
    } else if ((proto == 6 || proto == 17 || proto == (v4 ? 1 : 58)) && len >= at + 2) {
        uint64_t sum = proto == 1 ? 0 : addresses + proto + len;
        store_be16(l4 + at, 0);
        store_be16(l4 + at, checksum_finish(checksum_add(sum, l4, len)));
    }
}

/* The sums of the headers; behind IPv6's extension headers too, where they are of 8 bytes each. */
static void repair(uint8_t *ip, size_t n) {
    size_t header = n ? (size_t)(ip[0] & 15) * 4 : 0;
    if (n >= 40 && ip[0] >> 4 == 6) {
        size_t len = load_be16(ip + 4), at = 40;
        uint8_t proto = ip[6];
        if (len > n - 40)
            return;
        for (; (proto == 0 || proto == 43 || proto == 44 || proto == 60) && at + 8 <= 40 + len; at += 8)
            proto = ip[at];
        repair_payload(proto, checksum_add(0, ip + 8, 32), false, ip + at, 40 + len - at);
        return;
    }
    if (header < 20 || header > n)
        return;
    store_be16(ip + 10, 0);
    store_be16(ip + 10, checksum_finish(checksum_add(0, ip, header)));
    size_t total = load_be16(ip + 2);
    if (total >= header && total <= n)
        repair_payload(ip[9], checksum_add(0, ip + 12, 8), true, ip + header, total - header);
}

/* Whether that port is one that the try of that technique was sent from. */
static bool sent_from(const struct answer *a, uint16_t port) {
    unsigned try = (unsigned)a->tried;
    return port == probe_source_port(&config, a->endpoint.slot.technique, try) ||
           (a->endpoint.slot.technique == TECHNIQUE_UDP && port == config.wandering_port + try);
}

/* What is said of an endpoint by a packet of its own must be carried by its cookie, where the protocol has room. */
static void check_packet(const struct reply *r, const struct answer *a) {
    const struct slot *slot = &a->endpoint.slot;
    uint64_t cookie = probe_cookie(&config.key, r->dest, r->source, r->dest_port, r->source_port);
    uint32_t low = (uint32_t)cookie;
    FUZZ_CHECK(a->endpoint.addr == r->source && a->reporter == 0);
    switch (r->kind) {
    case REPLY_TCP:
        FUZZ_CHECK(sent_from(a, r->dest_port) && slot->technique != TECHNIQUE_UDP);
        if (a->verdict.state == STATE_UNKNOWN)
            FUZZ_CHECK((r->tcp_flags & 0x17) == 2);
        else if (a->verdict.state == STATE_OPEN && slot->technique == TECHNIQUE_SYN)
            FUZZ_CHECK(r->ack == low + 1);
        else
            FUZZ_CHECK(r->ack - low <= 2 || r->seq == low);
        break;
    case REPLY_UDP:
        FUZZ_CHECK(sent_from(a, r->dest_port) && (a->verdict.state == STATE_OPEN || a->verdict.state == STATE_UP));
        break;
    case REPLY_SCTP:
        FUZZ_CHECK(sent_from(a, r->dest_port) && (r->tag == low || (low == 0 && r->tag == 1)));
        break;
    case REPLY_ICMP:
        cookie = probe_cookie(&config.key, r->dest, r->source, probe_source_port(&config, slot->technique, r->icmp_seq),
                              r->proto == 58 ? 128 : r->icmp_type == 14 ? 13 : 8);
        FUZZ_CHECK(r->icmp_id == cookie >> 48 && r->icmp_seq < config.tries);
        FUZZ_CHECK(r->icmp_cookie == (r->icmp_type == 14 && r->proto == 1 ? (uint32_t)cookie | 0x80000000 : cookie));
        break;
    case REPLY_OTHER:
        FUZZ_CHECK(slot->technique == TECHNIQUE_PROTOCOL && slot->port == r->proto && a->tried == -1);
        break;
    default:
        FUZZ_CHECK(false); /* nothing else answers */
    }
}

static void check_answer(const struct reply *r, const struct answer *a) {
    const struct slot *slot = &a->endpoint.slot;
    FUZZ_CHECK(a->verdict.reason != REASON_NONE && a->verdict.reason < REASON_COUNT);
    FUZZ_CHECK(a->tried >= -1 && a->tried < config.tries);
    if (r->kind == REPLY_NEIGHBOUR) {
        FUZZ_CHECK(a->verdict.state == STATE_UP && slot->technique == TECHNIQUE_NEIGHBOUR && a->reporter == 0);
        FUZZ_CHECK(a->endpoint.addr == r->source);
        return;
    }
    FUZZ_CHECK(a->tried >= 0 || slot->technique == TECHNIQUE_PROTOCOL);
    FUZZ_CHECK((slot->technique == TECHNIQUE_PING) <= (slot->port == 0));
    if (r->kind != REPLY_ICMP_ERROR) {
        check_packet(r, a);
        return;
    }
    FUZZ_CHECK(a->endpoint.addr == r->quoted_dest && r->quoted_source == r->dest);
    FUZZ_CHECK(a->reporter == (r->source == a->endpoint.addr ? 0 : r->source));
    FUZZ_CHECK(a->reporter == 0 || a->verdict.state == STATE_FILTERED);
    if (r->quoted_proto == 6) {
        uint32_t cookie = (uint32_t)probe_cookie(&config.key, r->dest, r->quoted_dest, r->quoted_source_port,
                                                 r->quoted_dest_port);
        FUZZ_CHECK(sent_from(a, r->quoted_source_port) && r->quoted_seq == cookie);
    } else if (r->quoted_proto == 17) {
        FUZZ_CHECK(sent_from(a, r->quoted_source_port));
    }
}

/* Whatever is sent in answer is a right packet that goes back where r came from. */
static void check_built(enum link_type link, const struct reply *r, const uint8_t *frame, size_t len) {
    struct reply back;
    FUZZ_CHECK(len <= PROBE_ANSWER_MAX && (len > 0) == (r->kind == REPLY_TCP));
    if (len == 0)
        return;
    FUZZ_CHECK(reply_parse(link, frame, len, (uint32_t)len, 0, &back) == IGNORED_NOT);
    FUZZ_CHECK(back.source == r->dest && back.dest == r->source);
    FUZZ_CHECK(back.source_port == r->dest_port && back.dest_port == r->source_port);
    FUZZ_CHECK(!memcmp(back.dest_mac, r->source_mac, MAC_LEN) && !memcmp(back.source_mac, r->dest_mac, MAC_LEN));
}

/* Who asks for an address is told one. */
static void check_neighbour_answer(enum link_type link, const struct reply *r) {
    static const uint8_t mac[MAC_LEN] = {2, 0, 0, 0, 0, 1};
    uint8_t frame[PROBE_ANSWER_MAX];
    size_t len = probe_build_neighbour_answer(link, r, mac, frame);
    struct reply back;
    FUZZ_CHECK(len <= PROBE_ANSWER_MAX && (len > 0) == (r->kind == REPLY_ASKED));
    if (len == 0)
        return;
    FUZZ_CHECK(reply_parse(link, frame, len, (uint32_t)len, 0, &back) == IGNORED_NOT);
    FUZZ_CHECK(back.kind == REPLY_NEIGHBOUR && back.source == r->dest && !memcmp(back.source_mac, mac, MAC_LEN));
}

static void check_text(enum link_type link, const uint8_t *frame, size_t len, size_t room) {
    char *text = malloc(room);
    FUZZ_CHECK(text);
    probe_describe(link, frame, len, text, room);
    FUZZ_CHECK(memchr(text, '\0', room) && text[0] != '\0');
    for (const char *c = text; *c; c++)
        FUZZ_CHECK(*c >= ' ' && *c <= '~');
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    unsigned choice = data[0];
    size_t len = size - 1;
    enum link_type link = choice & CHOICE_IP ? LINK_IP : LINK_ETHERNET;
    uint32_t flags = choice & CHOICE_UNFILLED ? FRAME_CSUM_UNFILLED : 0u;
    if (choice & CHOICE_VALID)
        flags |= FRAME_CSUM_VALID;
    uint8_t *frame = malloc(len ? len : 1); /* exact, so that a sanitizer sees any step beyond */
    FUZZ_CHECK(frame);
    memcpy(frame, data + 1, len);
    size_t at = link == LINK_IP ? 0 : ETHERNET_HEADER_LEN;
    if (choice & CHOICE_REPAIR && len > at)
        repair(frame + at, len - at);

    struct reply r;
    struct answer a;
    enum ignored why = reply_parse(link, frame, len, (uint32_t)(choice & CHOICE_CUT ? len + 1000 : len), flags, &r);
    FUZZ_CHECK(why < IGNORED_OUT_OF_PLAN);
    if (why == IGNORED_NOT) {
        uint8_t built[PROBE_ANSWER_MAX];
        check_built(link, &r, built, probe_build_reset(&config, link, &r, built));
        check_built(link, &r, built, probe_build_syn_ack(&config, link, &r, built));
        check_neighbour_answer(link, &r);
        enum ignored verdict = reply_judge(&config, &r, &a);
        FUZZ_CHECK(verdict < IGNORED_OUT_OF_PLAN);
        if (verdict == IGNORED_NOT)
            check_answer(&r, &a);
    }
    check_text(link, frame, len, 2 + choice);
    free(frame);
    return 0;
}
