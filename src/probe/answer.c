/* The two segments that answer an answer. */
#include "probe/build.h"
#include "probe/reply.h"

/* The cookie of the probe that r answers. Only probes that begin a connection are answered so: those of a SYN scan
 * and of pings. */
static uint64_t cookie_answered(const struct probe_config *c, const struct reply *r) {
    struct siphash_key key = technique_key(c, c->first_port[TECHNIQUE_SYN] ? TECHNIQUE_SYN : TECHNIQUE_PING);
    return probe_cookie(&key, r->dest, r->source, r->dest_port, r->source_port);
}

/* Writes a segment that answers r: addresses and ports turned round, identification as our probe had it. */
static size_t build_answer(const struct probe_config *c, enum link_type link, const struct reply *r, struct segment s,
                           uint64_t cookie, uint8_t *frame) {
    struct draft d = {.link = link,
                      .source_mac = r->dest_mac,
                      .dest_mac = r->source_mac,
                      .source = addr_on_wire(r->dest),
                      .dest = addr_on_wire(r->source),
                      .cookie = cookie,
                      .ttl = c->ttl};
    s.source_port = r->dest_port;
    s.dest_port = r->source_port;
    return build_segment(&d, &s, frame);
}

static bool is_answerable(const struct reply *r) {
    return r->kind == REPLY_TCP && addr_is_v4(r->source) == addr_is_v4(r->dest);
}

size_t probe_build_reset(const struct probe_config *c, enum link_type link, const struct reply *r,
                         uint8_t frame[static PROBE_ANSWER_MAX]) {
    if (!is_answerable(r))
        return 0;
    struct segment s = {.seq = r->ack, .flags = TCP_RST};
    return build_answer(c, link, r, s, cookie_answered(c, r), frame);
}

size_t probe_build_syn_ack(const struct probe_config *c, enum link_type link, const struct reply *r,
                           uint8_t frame[static PROBE_ANSWER_MAX]) {
    if (!is_answerable(r))
        return 0;
    uint64_t cookie = cookie_answered(c, r);
    struct segment s = {.seq = (uint32_t)cookie, .ack = r->seq + 1, .window = PROBE_WINDOW, .flags = TCP_SYN | TCP_ACK};
    return build_answer(c, link, r, s, cookie, frame);
}
