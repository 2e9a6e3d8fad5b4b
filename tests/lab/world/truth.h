/* What is true in the synthetic internet. The XDP program, its loader and the judge all ask here, so that an answer on
 * the wire and the verdict over a finding come from the same few lines.
 *
 * Everything that happens to an endpoint is a keyed hash of (address, protocol, port, how many probes it has had): the
 * same key gives the same world, whatever the scanner, its speed, its order and its source ports. Addresses and ports
 * are in host order throughout. */
#ifndef NOCTULE_LAB_TRUTH_H
#define NOCTULE_LAB_TRUTH_H

#include <stdbool.h>
#include <stdint.h>

#define TRUTH_FUNCTION static inline __attribute__((always_inline)) /* BPF passes no structs to functions */

#define TRUTH_PPM 1000000u /* shares are given in parts per million */

/* The largest universe of which every endpoint is counted (16 bytes each, for each kind of probe that is answered); a
 * larger one can lose no frames, because their fate hangs on that count. */
#define TRUTH_COUNTED_MAX (UINT64_C(1) << 24)

#define WORLD_ARRIVAL_NS 1000000u       /* the width of one bin of the arrival histogram */
#define WORLD_ARRIVAL_BINS (1u << 20)   /* about 17 minutes */
#define WORLD_COPIES_MAX 64u
#define WORLD_LIST_MAX (1u << 20) /* addresses in a list */
#define WORLD_HELD_MAX 256u       /* bytes of a frame that can be held up */

/* An answer on its way from the XDP program to the loader, which sends it when it is due. */
struct held {
    uint64_t due_ns; /* CLOCK_MONOTONIC */
    uint32_t length, copies;
    uint8_t frame[WORLD_HELD_MAX];
};

/* An IPv6 address as two numbers, the network's half first. */
struct address6 {
    uint64_t high, low;
};

struct settings {
    uint64_t key;
    uint32_t net, hosts4; /* the universe: this many addresses from net on (a power of two, or none) ... */
    uint32_t hosts6;      /* ... and this many of IPv6, from net6 on or, if `listed`, those of a list ... */
    uint32_t listed;
    struct address6 net6;
    uint32_t first_port, ports; /* ... with so many ports each, from the first one on (protocol numbers for -sO) */
    uint32_t answers;           /* kinds of probes that are answered: bit 1 << enum truth_kind */
    uint32_t arp_net, arp_hosts; /* addresses whose ARP requests are answered */
    struct address6 nd_net;      /* likewise for neighbour solicitations: this prefix ... */
    uint32_t nd_length;          /* ... of so many bits, 1 to 64 */
    uint32_t router; /* who reports unreachable hosts */
    struct address6 router6;
    uint32_t absent_ppm; /* addresses at which nobody is: no ARP answer, no other answer */
    uint32_t open_ppm, closed_ppm, unreachable_ppm; /* endpoints; the rest is silent */
    uint32_t echo_ppm, stamp_ppm;       /* hosts that answer echo requests, timestamp requests */
    uint32_t loss_out_ppm, loss_in_ppm; /* probes that never arrive; answers that never leave */
    uint32_t bad_hosts_ppm, bad_loss_ppm; /* hosts behind a worse path, and how much more they lose, each way */
    uint32_t burst_loss_ppm;              /* what is lost in a burst, each way; bursts come and go (truth_in_burst) ... */
    uint32_t burst_us, clear_us;          /* ... and these are the means of how long one lasts, and of the time between */
    uint32_t duplicate_ppm, copies;     /* answers sent several times, and how often */
    uint32_t delay_us, delay_spread_us; /* answers leave so late; each host is up to the spread further away */
    uint32_t late_ppm, late_us;         /* answers that are held up, and for how long beyond that */
    uint32_t police_pps, police_burst;  /* frames that the path lets through; 0 = all */
    uint32_t answer_pps, answer_burst;  /* answers that one host gives; 0 = all */
    uint32_t answer_hosts;              /* only so many hosts, the first ones, have that limit */
    uint32_t error_pps, error_burst;    /* ICMP errors that one host sends; 0 = all */
};

/* A probe as the world sees it. The names are those of noctule's techniques. */
#define TRUTH_KINDS(X)                                                                                                 \
    X(SYN, "syn") X(FIN, "fin") X(NULL, "null") X(XMAS, "xmas") X(MAIMON, "maimon")                                    \
    X(ACK, "ack") /* and the window technique, which sends the same */                                                 \
    X(UDP, "udp") X(SCTP_INIT, "sctp-init") X(SCTP_COOKIE, "sctp-cookie")                                              \
    X(PROTOCOL, "protocol") /* a packet of any protocol that the others aren't; the port is its number */              \
    X(PING, "ping")         /* ICMP echo and timestamp requests; a host's are counted with its first port */

enum truth_kind {
#define X(kind, name) KIND_##kind,
    TRUTH_KINDS(X)
#undef X
    KIND_COUNT
};

/* What an endpoint answers. */
#define TRUTH_ANSWERS(X)                                                                                               \
    X(syn_ack)                                                                                                         \
    X(rst_ack)     /* the RST of a closed port, with ACK or without */                                                 \
    X(rst_window)  /* the RST to an ACK that tells an open port by its window */                                       \
    X(unreachable) /* the router says that there is no such host */                                                    \
    X(refused)     /* the host says: port unreachable, or protocol unreachable */                                      \
    X(datagram)    X(init_ack)  X(abort)                                                                               \
    X(packet)      /* of the protocol that was asked for */                                                            \
    X(echo)        X(stamp)

enum truth_answer {
    ANSWER_nothing,
#define X(name) ANSWER_##name,
    TRUTH_ANSWERS(X)
#undef X
};

/* The counters of the XDP program, in the order in which the loader prints them. */
#define WORLD_COUNTERS(X)                                                                                              \
    X(frames)        /* everything that came in */                                                                     \
    X(arp_requests)  X(arp_answers)                                                                                    \
    X(solicitations) X(advertisements)                                                                                 \
    X(probes)        /* of kinds that are answered, with true checksums; all the following are shares of them */       \
    X(syn)                                                                                                             \
    X(layer1_bytes)  /* of all probes, with padding, frame check sequence, preamble and gap */                         \
    X(outside)       /* to no endpoint of the universe */                                                              \
    X(policed)       X(lost)      X(answer_limited)  X(error_limited)  X(answer_lost)                                  \
    TRUTH_ANSWERS(X)                                                                                                   \
    X(syn_ack_first) /* the endpoint's first */                                                                        \
    X(duplicated)    X(held)  /* answers that left later */                                                            \
    X(bad_sum)       /* the checksum of IPv4, TCP, UDP, SCTP, ICMP or ICMPv6 wrong: dropped */                         \
    X(rst_ours)      /* a RST whose sequence number is the one that our SYN-ACK acknowledged */                        \
    X(rst_kernel)    /* a RST with identification 0, as the Linux stack sends them; over IPv6 none can be told */      \
    X(rst_other)                                                                                                       \
    X(tcp_other)     X(udp_other)  X(sctp_other)  X(icmp_other)  X(ip_other)  X(ip6_other)  X(other)                   \
    X(failed)        /* answers that the kernel had no room for: none, ever */

enum world_counter {
#define X(name) WORLD_##name,
    WORLD_COUNTERS(X)
#undef X
    WORLD_COUNTERS_END
};

/* What one endpoint has seen of one kind of probe. The tally is four 16-bit fields in one word, so that an atomic add
 * serves each. */
struct endpoint {
    uint64_t tally;
    uint32_t ack; /* of the latest SYN-ACK */
    uint32_t acks; /* SYN-ACKs, if tallies are kept by events; else 0 */
};

/* The next thing that an endpoint saw: its number, and the field of its tally above that. To write this down one after
 * the other is several times faster than to go to each endpoint's memory; the loader does that afterwards. */
#define EVENT_FIELD_SHIFT 25u /* above the number: TRUTH_COUNTED_MAX is not one */
#define EVENTS_PER_ENDPOINT 8u /* that there is room for, all together: a probe each, four re-probes, answers */
#define EVENTS_MIN (1u << 22)  /* few endpoints may be asked very often */
#define EVENTS_BLOCK 1024u     /* events in one element of the map: each of these takes 8 bytes at least */

TRUTH_FUNCTION uint32_t event(uint32_t index, uint32_t field) {
    return field << EVENT_FIELD_SHIFT | index;
}

#define TALLY_PROBES 0u  /* probes on the wire, also those that are then lost */
#define TALLY_ANSWERS 16u /* answers that left, a duplicated one counted once */
#define TALLY_FIRST 32u  /* the number, from 1, of the probe that was answered first; 0 = none */
#define TALLY_RESETS 48u /* RSTs of any kind */
#define TALLY_PROBES_MAX 0xfff0u /* the field can't run over into the next one: here the count stays */

TRUTH_FUNCTION uint32_t tally_field(uint64_t tally, uint32_t field) {
    return (uint32_t)(tally >> field) & 0xffff;
}

enum truth_state { TRUTH_SILENT, TRUTH_OPEN, TRUTH_CLOSED, TRUTH_UNREACHABLE };

/* What a hash decides; each of them is independent of the others. */
enum truth_question {
    TRUTH_IS_ABSENT,
    TRUTH_IS_STATE, /* of a TCP port */
    TRUTH_IS_LOST_OUT,
    TRUTH_IS_LOST_IN,
    TRUTH_IS_DUPLICATED,
    TRUTH_IS_TTL,
    TRUTH_IS_SEQUENCE,
    TRUTH_IS_STATE_UDP,
    TRUTH_IS_STATE_SCTP,
    TRUTH_IS_STATE_PROTOCOL,
    TRUTH_IS_ECHO,
    TRUTH_IS_STAMP,
    TRUTH_IS_BAD, /* a host behind a worse path */
    TRUTH_IS_BURST_OUT, /* the state of the path at a time */
    TRUTH_IS_BURST_IN,
    TRUTH_IS_BURST_LOST_OUT,
    TRUTH_IS_BURST_LOST_IN,
    TRUTH_IS_FAR,
    TRUTH_IS_LATE,
};

/* An address of the world. */
struct place {
    uint64_t who;  /* the address itself, of IPv6 a hash of it */
    uint32_t host; /* its number in the universe, those of IPv4 first; PLACE_NONE outside of it */
};
#define PLACE_NONE UINT32_MAX

/* The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
TRUTH_FUNCTION uint64_t truth_mix(uint64_t x) {
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

TRUTH_FUNCTION uint64_t truth_hash(const struct settings *s, enum truth_question what, uint64_t who, uint32_t port,
                                   uint32_t probe) {
    uint64_t subject = (who << 32 | who >> 32) ^ ((uint64_t)(port & 0xffff) << 16 | (probe & 0xffff));
    return truth_mix(truth_mix(subject ^ s->key) + ((uint64_t)what + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* The hash as a number below one million. */
TRUTH_FUNCTION uint32_t truth_share(uint64_t hash) {
    return (uint32_t)((hash >> 32) * TRUTH_PPM >> 32);
}

TRUTH_FUNCTION uint32_t truth_hosts(const struct settings *s) {
    return s->hosts4 + s->hosts6;
}

/* Kinds of probes that are answered, and so counted. */
TRUTH_FUNCTION uint32_t truth_kinds(const struct settings *s) {
    uint32_t n = 0;
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++)
        n += s->answers >> kind & 1;
    return n;
}

TRUTH_FUNCTION uint64_t truth_endpoints(const struct settings *s) {
    return (uint64_t)truth_hosts(s) * s->ports;
}

TRUTH_FUNCTION bool truth_counted(const struct settings *s) {
    return truth_endpoints(s) * truth_kinds(s) <= TRUTH_COUNTED_MAX;
}

/* Whether what becomes of a probe hangs on how many the endpoint has had. */
TRUTH_FUNCTION bool truth_numbered(const struct settings *s) {
    return s->loss_out_ppm || s->loss_in_ppm || (s->bad_hosts_ppm && s->bad_loss_ppm) || s->burst_loss_ppm ||
           s->duplicate_ppm || s->late_ppm;
}

TRUTH_FUNCTION struct place truth_place4(const struct settings *s, uint32_t address) {
    struct place place = {.who = address, .host = address - s->net < s->hosts4 ? address - s->net : PLACE_NONE};
    return place;
}

/* If the universe is a list, the host's number has to be looked up there. */
TRUTH_FUNCTION struct place truth_place6(const struct settings *s, uint64_t high, uint64_t low) {
    struct place place = {.who = truth_mix(high ^ truth_mix(low)), .host = PLACE_NONE};
    if (!s->listed && high == s->net6.high && low - s->net6.low < s->hosts6)
        place.host = s->hosts4 + (uint32_t)(low - s->net6.low);
    return place;
}

TRUTH_FUNCTION bool truth_has_port(const struct settings *s, uint32_t port) {
    return port - s->first_port < s->ports;
}

/* The number of an endpoint of the universe, from 0. */
TRUTH_FUNCTION uint64_t truth_index(const struct settings *s, uint32_t host, uint32_t port) {
    return (uint64_t)host * s->ports + (port - s->first_port);
}

/* Where its probes of a kind are counted, if such are answered: the kinds' tables follow each other. */
TRUTH_FUNCTION uint64_t truth_tally_index(const struct settings *s, enum truth_kind kind, uint32_t host,
                                          uint32_t port) {
    uint64_t tables = 0;
    for (uint32_t before = 0; before < KIND_COUNT; before++)
        tables += before < (uint32_t)kind && (s->answers >> before & 1);
    return tables * truth_endpoints(s) + truth_index(s, host, port);
}

TRUTH_FUNCTION bool truth_absent(const struct settings *s, struct place place) {
    return s->absent_ppm && place.host != PLACE_NONE &&
           truth_share(truth_hash(s, TRUTH_IS_ABSENT, place.who, 0, 0)) < s->absent_ppm;
}

/* The state of a port of the protocol that a kind of probe asks for; PING has none. */
TRUTH_FUNCTION enum truth_state truth_state(const struct settings *s, enum truth_kind kind, struct place place,
                                            uint32_t port) {
    if (truth_absent(s, place))
        return TRUTH_SILENT;
    enum truth_question which = kind == KIND_UDP                                   ? TRUTH_IS_STATE_UDP
                                : kind == KIND_SCTP_INIT || kind == KIND_SCTP_COOKIE ? TRUTH_IS_STATE_SCTP
                                : kind == KIND_PROTOCOL                            ? TRUTH_IS_STATE_PROTOCOL
                                                                                   : TRUTH_IS_STATE;
    uint32_t share = truth_share(truth_hash(s, which, place.who, port, 0));
    if (share < s->open_ppm)
        return TRUTH_OPEN;
    if (share < s->open_ppm + s->closed_ppm)
        return TRUTH_CLOSED;
    if (share < s->open_ppm + s->closed_ppm + s->unreachable_ppm)
        return TRUTH_UNREACHABLE;
    return TRUTH_SILENT;
}

/* What a port in that state answers. TCP: RFC 9293 3.10.7.1 (closed) and 3.10.7.2 (listening: what is neither SYN nor
 * ACK is ignored; an ACK is reset). UDP: RFC 1122 4.1.3.1. SCTP: RFC 9260 8.4. Protocols: RFC 1122 3.2.2.1. */
TRUTH_FUNCTION enum truth_answer truth_answer(enum truth_kind kind, enum truth_state state) {
    if (state == TRUTH_SILENT)
        return ANSWER_nothing;
    if (state == TRUTH_UNREACHABLE)
        return ANSWER_unreachable;
    bool open = state == TRUTH_OPEN;
    if (kind == KIND_SYN)
        return open ? ANSWER_syn_ack : ANSWER_rst_ack;
    if (kind == KIND_ACK)
        return open ? ANSWER_rst_window : ANSWER_rst_ack;
    if (kind == KIND_UDP)
        return open ? ANSWER_datagram : ANSWER_refused;
    if (kind == KIND_SCTP_INIT)
        return open ? ANSWER_init_ack : ANSWER_abort;
    if (kind == KIND_SCTP_COOKIE)
        return open ? ANSWER_nothing : ANSWER_abort;
    if (kind == KIND_PROTOCOL)
        return open ? ANSWER_packet : ANSWER_refused;
    return open ? ANSWER_nothing : ANSWER_rst_ack;
}

TRUTH_FUNCTION bool truth_echoes(const struct settings *s, struct place place) {
    return !truth_absent(s, place) && truth_share(truth_hash(s, TRUTH_IS_ECHO, place.who, 0, 0)) < s->echo_ppm;
}

TRUTH_FUNCTION bool truth_stamps(const struct settings *s, struct place place) {
    return !truth_absent(s, place) && truth_share(truth_hash(s, TRUTH_IS_STAMP, place.who, 0, 0)) < s->stamp_ppm;
}

/* What a host's path loses each way beyond the loss of all. */
TRUTH_FUNCTION uint32_t truth_bad_loss(const struct settings *s, struct place place) {
    bool bad = s->bad_hosts_ppm && truth_share(truth_hash(s, TRUTH_IS_BAD, place.who, 0, 0)) < s->bad_hosts_ppm;
    return bad ? s->bad_loss_ppm : 0;
}

/* Whether the endpoint's probe-th probe of a kind (from 1) is lost on its way there. */
TRUTH_FUNCTION bool truth_lost_out(const struct settings *s, struct place place, uint32_t port, uint32_t probe) {
    uint32_t loss = s->loss_out_ppm + truth_bad_loss(s, place);
    return loss && truth_share(truth_hash(s, TRUTH_IS_LOST_OUT, place.who, port, probe)) < loss;
}

/* Whether the answer to the endpoint's probe-th probe is lost on its way back. */
TRUTH_FUNCTION bool truth_lost_in(const struct settings *s, struct place place, uint32_t port, uint32_t probe) {
    uint32_t loss = s->loss_in_ppm + truth_bad_loss(s, place);
    return loss && truth_share(truth_hash(s, TRUTH_IS_LOST_IN, place.who, port, probe)) < loss;
}

/* Bursts are the two-state chain of Gilbert (1960) and Elliott (1963) over slots of time. Such a chain is the same as
 * one that in each slot draws its state anew with a fixed chance, and else keeps it; so its state in a slot is what the
 * latest such draw gave, and hangs on nothing but the key and the slot's number. One slot in 16 draws. */
#define BURST_SLOTS 16u
#define BURST_SLOTS_MAX 512u /* looked back at: further back lies the latest draw of one slot in 10^14 */

TRUTH_FUNCTION uint64_t truth_slot_ns(const struct settings *s) {
    uint64_t ns = (uint64_t)s->burst_us * s->clear_us * 1000 / ((uint64_t)s->burst_us + s->clear_us) / BURST_SLOTS;
    return ns ? ns : 1;
}

/* Whether one direction (TRUTH_IS_BURST_OUT or _IN) is in a burst so long after the first probe. Only where burst_us
 * and clear_us are not 0. */
TRUTH_FUNCTION bool truth_in_burst(const struct settings *s, enum truth_question direction, uint64_t since_ns) {
    uint64_t slot = since_ns / truth_slot_ns(s), hash = 0;
    uint64_t share = (uint64_t)s->burst_us * TRUTH_PPM / ((uint64_t)s->burst_us + s->clear_us);
    for (uint32_t back = 0; back < BURST_SLOTS_MAX && back <= slot; back++) {
        hash = truth_hash(s, direction, slot - back, 0, 0);
        if (hash % BURST_SLOTS == 0)
            break;
    }
    return truth_share(hash) < share;
}

/* By how much the answer to the endpoint's probe-th probe leaves later than at once, in microseconds. */
TRUTH_FUNCTION uint64_t truth_delay_us(const struct settings *s, struct place place, uint32_t port, uint32_t probe) {
    uint64_t spread = s->delay_spread_us;
    uint64_t far = spread ? (truth_hash(s, TRUTH_IS_FAR, place.who, 0, 0) >> 32) * spread >> 32 : 0;
    bool late = s->late_ppm && truth_share(truth_hash(s, TRUTH_IS_LATE, place.who, port, probe)) < s->late_ppm;
    return s->delay_us + far + (late ? s->late_us : 0);
}

#endif
