/* Any frame: parsed, judged, answered and described, without a byte read beyond it and without a false answer. The
 * first byte chooses the link, the frame's flags, and whether checksums are put right before, so that mutations get
 * past them; the rest is the frame. */
#include <string.h>

#include "base/bytes.h"
#include "fuzz.h"
#include "probe/checksum.h"
#include "probe/probe.h"
#include "probe/reply.h"

/* The corpus holds true answers to probes of this scan. */
static const struct probe_config config = {
    .key = {UINT64_C(0x6b6579206f6e6520), UINT64_C(0x6b65792074776f20)},
    .first_port[TECHNIQUE_SYN] = 61000,
    .tries = 4,
    .ttl = 64,
};

enum choice { CHOICE_IP = 1, CHOICE_UNFILLED = 2, CHOICE_VALID = 4, CHOICE_REPAIR = 8, CHOICE_CUT = 16 };

static void repair(uint8_t *ip, size_t n) {
    size_t header = n ? (size_t)(ip[0] & 15) * 4 : 0;
    if (header < 20 || header > n)
        return;
    store_be16(ip + 10, 0);
    store_be16(ip + 10, checksum_finish(checksum_add(0, ip, header)));
    size_t total = load_be16(ip + 2);
    if (total < header || total > n)
        return;
    uint8_t *l4 = ip + header;
    size_t len = total - header;
    if (ip[9] == 1 && len >= 4) {
        store_be16(l4 + 2, 0);
        store_be16(l4 + 2, checksum_finish(checksum_add(0, l4, len)));
    } else if (ip[9] == 6 && len >= 18) {
        uint64_t sum = checksum_pseudo_v4(load_be32(ip + 12), load_be32(ip + 16), 6, (uint16_t)len);
        store_be16(l4 + 16, 0);
        store_be16(l4 + 16, checksum_finish(checksum_add(sum, l4, len)));
    }
}

/* What is said of an endpoint must be carried by its cookie. */
static void check_answer(const struct reply *r, const struct answer *a) {
    enum state s = a->verdict.state;
    FUZZ_CHECK(a->verdict.reason != REASON_NONE && a->verdict.reason < REASON_COUNT);
    FUZZ_CHECK(a->tried >= -1 && a->tried < config.tries);
    if (r->kind == REPLY_NEIGHBOUR) {
        FUZZ_CHECK(s == STATE_UP && a->endpoint.slot.technique == TECHNIQUE_NEIGHBOUR && a->endpoint.addr == r->source);
        return;
    }
    FUZZ_CHECK(a->endpoint.slot.technique == TECHNIQUE_SYN && a->tried >= 0);
    uint16_t port = probe_source_port(&config, TECHNIQUE_SYN, (unsigned)a->tried);
    uint32_t cookie = (uint32_t)probe_cookie(&config.key, r->dest, a->endpoint.addr, port, a->endpoint.slot.port);
    if (r->kind == REPLY_ICMP_ERROR) {
        FUZZ_CHECK(s == STATE_FILTERED && r->quoted_seq == cookie);
        FUZZ_CHECK(a->reporter == (r->source == a->endpoint.addr ? 0 : r->source));
        return;
    }
    FUZZ_CHECK(r->dest_port == port && a->endpoint.addr == r->source && a->reporter == 0);
    if (s == STATE_OPEN)
        FUZZ_CHECK(r->ack == cookie + 1);
    else if (s == STATE_CLOSED)
        FUZZ_CHECK(r->ack == cookie + 1 || r->ack == cookie);
    else
        FUZZ_CHECK(s == STATE_UNKNOWN && r->tcp_flags & 2);
}

/* Whatever is sent in answer is a right packet that goes back where r came from. */
static void check_built(enum link_type link, const struct reply *r, const uint8_t *frame, size_t len) {
    struct reply back;
    FUZZ_CHECK(len <= PROBE_FRAME_MAX && (len > 0) == (r->kind == REPLY_TCP));
    if (len == 0)
        return;
    FUZZ_CHECK(reply_parse(link, frame, len, (uint32_t)len, 0, &back) == IGNORED_NOT);
    FUZZ_CHECK(back.source == r->dest && back.dest == r->source);
    FUZZ_CHECK(back.source_port == r->dest_port && back.dest_port == r->source_port);
    FUZZ_CHECK(!memcmp(back.dest_mac, r->source_mac, MAC_LEN) && !memcmp(back.source_mac, r->dest_mac, MAC_LEN));
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
        uint8_t built[PROBE_FRAME_MAX];
        check_built(link, &r, built, probe_build_reset(&config, link, &r, built));
        check_built(link, &r, built, probe_build_syn_ack(&config, link, &r, built));
        enum ignored verdict = reply_judge(&config, &r, &a);
        FUZZ_CHECK(verdict < IGNORED_OUT_OF_PLAN);
        if (verdict == IGNORED_NOT)
            check_answer(&r, &a);
    }
    check_text(link, frame, len, 2 + choice);
    free(frame);
    return 0;
}
