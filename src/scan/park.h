/* Hosts that limit their answers. A closed UDP port is told by an ICMP error, and hosts send few of those: Linux one a
 * second and address, after a burst of six (net/ipv4/icmp.c, RFC 1812 4.3.2.8). What such a host left unanswered is
 * not silence. So the silent endpoints of a host that did answer others with such errors are parked here when the ledger
 * gives them up, and asked again at the pace of the host's own answers, beside the scan, until each is decided or the
 * time that --host-timeout gives the host is over: the rest is undecided, and said to be so.
 *
 * How a host is asked: a group of g parked endpoints, and right behind it a canary, an endpoint that is known to answer.
 * If the canary's answer comes, the host had answers left when the group arrived, so whatever of the group stays silent
 * is truly silent (it is believed at the second such observation, since packets get lost as well), and the next group
 * may be twice as long. If it does not come, nothing is learned but the pace: the groups get short, and rarer until
 * answers come. For a host that limits nothing this takes a few round trips; for Linux it takes a second an endpoint,
 * which is what its limit allows.
 *
 * Two threads: the one that transmits owns everything, and the one that receives records answers. */
#ifndef NOCTULE_SCAN_PARK_H
#define NOCTULE_SCAN_PARK_H

#include "base/addr.h"
#include "plan/plan.h"

#define LOT_HOSTS_MAX 65536u  /* hosts known to answer with errors; of others nothing is held */
#define LOT_PARKED_MAX 4096u  /* of them with parked endpoints; what others leave unanswered is undecided */
#define LOT_GROUP_MAX 256u

struct lot; /* opaque */

/* May a closed endpoint of this technique be told by an ICMP error alone, so that a limit on those hides it? */
bool lot_concerns(unsigned technique);

/* A lot for the hosts of a plan, each given timeout_ns (0: for ever) from its first parked endpoint on. NULL: no memory. */
struct lot *lot_new(const struct plan *plan, uint64_t timeout_ns);
void lot_free(struct lot *l); /* NULL is fine */

/* -- receiver -- */

/* An endpoint (by its index) was answered, which was read at now_ns (monotonic); `limited` where the answer was an error of the kind that hosts limit. True:
 * it was parked, so that this is its first answer although the ledger has given it up. */
bool lot_answered(struct lot *l, addr_t host, uint64_t index, bool limited, uint64_t now_ns);

/* Waits until the transmitter has handed out what it may just be deciding about this endpoint: an answer that revises a
 * silence is told after it. Only as long as the transmitter needs for one finding. */
void lot_await(const struct lot *l, uint64_t index);

/* -- transmitter -- */

/* The ledger gives an endpoint up. */
enum lot_fate {
    LOT_FATE_SILENT,    /* nothing speaks against it */
    LOT_FATE_PARKED,
    LOT_FATE_UNDECIDED, /* it should be parked, but too many hosts are */
};
enum lot_fate lot_take(struct lot *l, addr_t host, uint64_t index, uint64_t now_ns);

/* What the lot has to do now. */
enum lot_step {
    LOT_IDLE,      /* nothing is parked */
    LOT_WAIT,      /* nothing before *wake_ns */
    LOT_PROBE,     /* index is to be probed */
    LOT_SILENT,    /* index is decided: silence */
    LOT_UNDECIDED, /* index remains without a verdict */
};
struct lot_work {
    uint64_t index;
    bool last;        /* LOT_PROBE: the group is whole: send it, then call lot_sent() */
    uint64_t wake_ns;
};
/* rto_ns: how long an answer may take. Timeouts are compared with the watermark, as the ledger's are. */
enum lot_step lot_next(struct lot *l, uint64_t now_ns, uint64_t watermark_ns, uint64_t rto_ns, struct lot_work *work);
/* The group left at now_ns. */
void lot_sent(struct lot *l, uint64_t now_ns);
/* Ends: all that is parked becomes undecided with the next lot_next() calls. */
void lot_end(struct lot *l);

/* Figures; any thread. */
uint64_t lot_parked(const struct lot *l);  /* endpoints now */
uint64_t lot_limited(const struct lot *l); /* hosts whose canaries stayed unanswered more than once or twice */

#endif
