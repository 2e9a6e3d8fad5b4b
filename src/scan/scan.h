/* A scan's life: routes, wires, claimed ports, the passes (ARP, then ports), their threads, and the end. A scan is a
 * value: several may run in one process. */
#ifndef NOCTULE_SCAN_SCAN_H
#define NOCTULE_SCAN_SCAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"
#include "probe/probe.h"
#include "report/report.h"
#include "report/summary.h"
#include "wire/wire.h"

/* How frames leave and arrive. AUTO: XDP where the rate may be above SCAN_XDP_PPS and the interface can, else packet. */
enum scan_wire_choice { SCAN_WIRE_AUTO, SCAN_WIRE_PACKET, SCAN_WIRE_XDP };
#define SCAN_XDP_PPS 300000u

struct scan_config {
    const struct plan *plan;
    uint64_t seed;                /* order, ports and keys-for-dry-run come from it */
    bool seed_given;              /* --seed: the cookie key stays random all the same */
    uint64_t shard, shards;       /* I of N, 1-based; 1/1 = all */
    uint64_t sample;              /* only the first so many positions of the shard (a random sample); 0 = all */
    uint64_t rate_milli_pps;      /* 1/1000 pps: the rate, or with rate_auto its cap; 0 = no cap */
    bool rate_auto;               /* as fast as the path carries, up to the cap; connect scans keep the cap */
    uint64_t bandwidth_bps;       /* 0 = none; a fixed rate */
    bool rate_default;            /* the user named no rate and no cap: there is none where every target is on loopback */
    unsigned retries;             /* re-probes of silence, 0..10; ignored with retries_auto */
    bool retries_auto;            /* as many as the measured loss needs for `miss`: 1..10 */
    double miss;                  /* share of live endpoints that may stay unseen; 0: 0.1 %, above 2^24 endpoints 1 % */
    uint64_t timeout_ns;          /* --timeout: fixed first timeout instead of RFC 6298; 0 = adapt */
    uint64_t wait_ns;             /* --wait: at least so long listened after the last probe; 0 = by RTT */
    const char *ifname;           /* -e or NULL */
    addr_t source_v4, source_v6;  /* -S, one a family, or 0 */
    uint16_t source_port;         /* -g or 0 */
    bool gateway_mac_given, source_mac_given;
    uint8_t gateway_mac[6], source_mac[6];
    uint8_t ttl;                  /* 64 unless --ttl */
    bool flags_given;             /* --scanflags */
    uint8_t flags;
    bool amplifiers;              /* --allow-amplifiers */
    bool discover;                /* --alive: probe only hosts that answer a ping first */
    struct ping_part ping[PROBE_PARTS_MAX]; /* what a ping consists of: for `discover`, and for slots TECHNIQUE_PING */
    unsigned n_ping;
    uint64_t host_timeout_ns;     /* a host that limits its answers is paced down for so long; 0 = for ever */
    bool no_reset;                /* --no-reset */
    uint64_t max_runtime_ns;      /* 0 = none */
    uint16_t show;                /* bit 1 << enum state: silence is listed only where asked */
    struct report *report;        /* findings go here: queue 0 from the receive thread, 1 from the transmit thread;
                                   * scan_create() needs none yet, scan_run() is given its own */
    enum scan_wire_choice wire;
    unsigned senders;             /* threads that only send, beside the one that generates the probes; 0: that one sends
                                   * itself; at most SCAN_SENDERS_MAX, each with a processor of its own */
    const struct wire_ops *wire_ops; /* another implementation, whatever `wire` says; or NULL */
    const char *pcap_path;        /* or NULL */
    /* Every packet that left or was read (--packet-trace, --explain); called from two threads; or NULL */
    void (*frames)(void *ctx, bool sent, enum link_type link, const struct frame *frames, unsigned n);
    void (*note)(void *ctx, const char *line);             /* one line for the user */
    bool details;                 /* -v: notes on how things are done, too */
    void *ctx;
    const _Atomic int *stop;      /* 0 run, 1 stop sending and listen one timeout, 2 end at once */
};

#define SCAN_SENDERS_MAX 16u
#define SCAN_QUEUES 2u /* report queues a scan produces into */

/* What a progress line needs; any thread may ask while the scan runs. */
struct scan_progress {
    const char *phase;     /* "arp", "scan", "listening" */
    uint64_t planned, unsent, in_flight, answered, given_up; /* endpoints; they sum to planned */
    uint64_t sent, received, found, drops;
    bool pings;                  /* `found` are hosts that are up; else open ports */
    uint64_t elapsed_ns, eta_ns; /* eta 0 = not known yet */
    bool rate_auto;              /* then: */
    uint64_t rate_pps;           /* the rate that is kept at present */
    bool rate_blind;             /* nothing answers, so nothing says whether the path carries it */
};

struct scan; /* opaque */

/* Finds routes, opens wires, claims ports. Nothing is sent yet. -EPERM/-EACCES when the privilege is missing. */
int scan_create(const struct scan_config *config, struct scan **out, struct error *e);
/* Runs to the end (blocking). Returns 0, or a negative errno with a line; *sum is filled in either case. */
int scan_run(struct scan *s, struct report *report, struct summary *sum, struct error *e);
void scan_progress(struct scan *s, struct scan_progress *out);
void scan_free(struct scan *s);

/* The same contract without privilege: connect(2) with at most `max_sockets` (0: what RLIMIT_NOFILE allows, at most
 * 512) at a time, in the order's order, at the same pace. Slots are TECHNIQUE_CONNECT; a slot TECHNIQUE_PING connects
 * to the TCP ports of config->ping in turn, and any answer says that the host is up. `discover` runs such a pass first. */
struct connect_scan; /* opaque */
int connect_create(const struct scan_config *config, unsigned max_sockets, struct connect_scan **out, struct error *e);
int connect_run(struct connect_scan *c, struct report *report, struct summary *sum, struct error *e);
void connect_progress(struct connect_scan *c, struct scan_progress *out); /* any thread, while it runs */
void connect_free(struct connect_scan *c);

/* --dry-run: calls print for each probe of the shard in order (try 0 only), with the frame as it would be sent from
 * source_hint; stops when print returns non-zero and returns that. No privilege, no route, nothing sent. */
int scan_dry_run(const struct scan_config *config, int (*print)(void *ctx, uint64_t position, const struct endpoint *ep),
                 void *ctx);

#endif
