/* How frames leave and arrive. A wire is bound to one interface; a handle has one user thread, and a scan opens two or
 * more (some to transmit, one to receive and to send its few resets). Hot calls take arrays. */
#ifndef NOCTULE_WIRE_WIRE_H
#define NOCTULE_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "wire/link.h"

#define WIRE_FRAME_MAX 1514u /* longest frame that is sent, in bytes */
#define WIRE_BATCH_MAX 256u  /* most frames one call sends or receives */
#define WIRE_SENDERS_MAX 16u /* handles that may transmit on one interface at once */

enum frame_flag {
    FRAME_CSUM_UNFILLED = 1 << 0, /* a local packet whose TCP/UDP checksum the kernel has not filled in yet */
    FRAME_CSUM_VALID = 1 << 1,    /* the kernel or the card has verified it */
};

struct frame {
    uint8_t *data;
    uint32_t len;      /* bytes at data */
    uint32_t wire_len; /* bytes on the wire; more than len when the capture cut it */
    uint32_t flags;    /* enum frame_flag; receive only */
    uint64_t time_ns;  /* CLOCK_REALTIME arrival; receive only */
};

/* What the kernel may hand up, of both families: ARP, ICMP, ICMPv6; TCP, UDP and SCTP to these ports; IPv6 packets with
 * extension headers (whose protocol a kernel filter cannot tell); and the protocols of -sO. Everything else never
 * reaches user space. */
struct wire_filter {
    uint16_t port_lo, port_hi;        /* our source ports, inclusive, host order */
    const struct wire_protocols *protocols; /* more IP protocols, whole (but TCP and UDP: these always by port); NULL:
                                               none */
};

/* A set of IP protocol numbers: bit p of word p / 64. */
struct wire_protocols {
    uint64_t bits[4];
};

struct wire; /* each implementation has its own, whose first member is this one */

struct wire_config {
    const char *ifname;
    int ifindex;
    bool loopback;       /* the interface is lo: send through a raw IP socket (lo drops injected frames as martians) */
    enum link_type link; /* layout of frames on this wire; LINK_IP when loopback */
    bool receive;        /* false: a handle that only sends */
    struct wire_filter filter;
    addr_t answers_for;  /* Ethernet: an IPv6 address that the caller answers for and the kernel does not know (a
                            borrowed source): what asks for it goes to a group, and must arrive. 0: none */
    size_t ring_bytes;   /* receive ring; rounded up to whole blocks */
    struct wire *receiver; /* a handle that only sends: the receive handle of the same wire and interface, opened
                              before, with which it shares what an interface has room for once. NULL: none */
    unsigned senders;    /* how many handles transmit on the interface, each in a thread of its own; WIRE_SENDERS_MAX at
                            most, the same for the receive handle and all of them. 0: one */
    unsigned sender;     /* which of them this one is, 0 .. senders - 1 */
    unsigned processor;  /* with several senders: the one that this handle's thread is bound to, and no other one's */
};

/* Counted since open. A frame that could not be sent is in send_refused, never in sent. */
struct wire_stats {
    uint64_t sent, sent_bytes, send_refused, send_calls;
    uint64_t received;             /* frames handed to the caller */
    uint64_t ring_dropped;         /* PACKET_STATISTICS tp_drops: our ring was full */
    uint64_t other_vlan;           /* passed the filter, but tagged for a VLAN, whose own interface they belong to */
    uint64_t interface_dropped;    /* rise of the interface's rx_dropped + rx_missed since open (shared with others) */
    uint64_t interface_tx_dropped; /* the same for frames that it had taken, and then dropped before the wire */
    int last_send_error;           /* positive errno of the latest refusal, or 0 */
};

struct wire_ops {
    const char *name;
    /* Opens a wire. Returns 0 and *out, or a negative errno with a line. */
    int (*open)(const struct wire_config *config, struct wire **out, struct error *e);
    /* Sends frames in order. Returns how many the kernel took, 0..n; fewer than n is back-pressure (ENOBUFS, EAGAIN):
     * the caller offers the rest again. A frame that can never be sent (EMSGSIZE, EPERM ..., or a queue that refuses
     * just this one for 50 ms on end) is counted in send_refused and skipped, and counts in the returned number.
     * Negative errno only when the wire is dead (-ENETDOWN, -ENXIO, -ENODEV), or -EXDEV when its thread is not on the
     * processor that it was to be bound to. Never blocks. */
    int (*send)(struct wire *w, const struct frame *frames, unsigned n);
    /* Hands up to max received frames to the caller; their bytes hold until the next recv. Never blocks. Returns the
     * number, or a negative errno when the wire is dead and all that it had received is returned. *drained_ns
     * (CLOCK_MONOTONIC; always written) receives a time W such that every frame that arrived before W, and was not
     * counted as dropped, has been returned by this or an earlier call: the watermark. It never falls. A frame
     * arrives when the kernel's filter has passed it. On a handle that only sends: 0 frames, W = 0. */
    int (*recv)(struct wire *w, struct frame *frames, unsigned max, uint64_t *drained_ns);
    /* Sleeps until a frame may be waiting (on a handle that only sends: until there may be room to send), a signal
     * came, or timeout_ns have passed. */
    void (*wait)(struct wire *w, uint64_t timeout_ns);
    /* Reads all counters back from the kernel: some system calls, so once or twice a second. From the handle's own
     * thread, as every call here. */
    void (*stats)(struct wire *w, struct wire_stats *out);
    void (*close)(struct wire *w); /* NULL does nothing */
};

struct wire {
    const struct wire_ops *ops;
};

extern const struct wire_ops wire_packet_ops;

#endif
