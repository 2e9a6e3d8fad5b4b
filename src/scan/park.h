/* Hosts that limit their answers. What such a host left unanswered is not silence. Its silent endpoints are parked here
 * and asked again at the pace of the host's own answers, beside the scan, until each is decided or the time that
 * --host-timeout gives the host is over: the rest is undecided, and said to be so. scan/voice.h tells which hosts.
 *
 * A host that has sent ICMP errors is known to limit them, and parked with the first endpoint that the ledger gives up.
 * One that is suspected to limit other answers is left to the lot with all its endpoints, at once: nobody else then
 * spends the answers that they wait for. Where something speaks for a limit, but not enough yet, silence is kept for a
 * while, without a packet, until it is known whether to believe it.
 *
 * How a host is asked: a group of g parked endpoints, and right behind it a canary, an endpoint that is known to
 * answer. If the canary's answer comes, the host had answers left when the group arrived, so whatever of the group
 * stays silent is truly silent (it is believed at the second such observation or, where the path is seen to lose more,
 * at a later one), and the next group may be twice as long. If it does not come, nothing is learned but the pace: the
 * groups get short, and rarer until answers come. For a host that limits nothing this takes a few round trips; for
 * Linux, which sends one error a second, it takes a second an endpoint, which is what its limit allows.
 *
 * Two threads: the one that transmits owns everything, and the one that receives records answers. */
#ifndef NOCTULE_SCAN_PARK_H
#define NOCTULE_SCAN_PARK_H

#include "base/addr.h"
#include "plan/plan.h"
#include "scan/voice.h"

#define LOT_PARKED_MAX 4096u  /* voices with parked endpoints; what others leave unanswered is undecided */
#define LOT_GROUP_MAX 256u

struct lot; /* opaque */

/* May a limit on answers hide endpoints of this technique? */
bool lot_concerns(unsigned technique);

/* A lot for the hosts of a plan. Each host that keeps canaries waiting is given timeout_ns (0: for ever) from the time
 * on at which it is first asked. NULL: no memory. */
struct lot *lot_new(const struct plan *plan, uint64_t timeout_ns);
void lot_free(struct lot *l); /* NULL is fine */

/* -- receiver -- */

/* An endpoint was answered. True: it was parked, so this is its first answer although the ledger has given it up. */
bool lot_answered(struct lot *l, const struct heard *heard);

/* Is it one of those that its parked host is asked as canaries? Then a SYN-ACK of it is answered as a first one is,
 * for each is of a connection of its own. */
bool lot_is_canary(const struct lot *l, const struct endpoint *ep, uint64_t index);

/* Waits until the transmitter has handed out what it may just be deciding about this endpoint: an answer that revises a
 * silence is told after it. Only as long as the transmitter needs for one finding. */
void lot_await(const struct lot *l, uint64_t index);

/* -- transmitter -- */

/* The ledger gives an endpoint up. */
enum lot_fate {
    LOT_FATE_SILENT,    /* nothing speaks against it */
    LOT_FATE_PARKED,    /* or kept until it is known whether its host is to be suspected */
    LOT_FATE_UNDECIDED, /* it should be parked, but too many hosts are */
};
enum lot_fate lot_take(struct lot *l, const struct endpoint *ep, uint64_t index, uint64_t now_ns);

/* Is a probe of the order's own to this endpoint in vain, for its host is suspected and has a pace of its own? Then the
 * ledger gives it up at once, to lot_take(): so nobody spends the answers that the parked endpoints wait for, and the
 * host's silence does not count as the path's loss. */
bool lot_wants(const struct lot *l, const struct endpoint *ep);

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
struct lot_now {
    uint64_t now_ns;
    uint64_t watermark_ns; /* timeouts are compared with it, as the ledger's are */
    uint64_t rto_ns;       /* how long an answer may take */
    bool order_done;       /* the ledger has nothing left, so no doubt will be resolved any more */
    unsigned packets_max;  /* that the pace lets leave at once, canaries included; 0: none; one means one endpoint */
};
enum lot_step lot_next(struct lot *l, const struct lot_now *now, struct lot_work *work);
/* The group left at now_ns. */
void lot_sent(struct lot *l, uint64_t now_ns);
/* Ends: all that is parked becomes undecided with the next lot_next() calls. */
void lot_end(struct lot *l);

/* -- any thread -- */

/* Would lot_take() say anything but silent? */
bool lot_takes(const struct lot *l);
/* Hosts known or suspected to limit their answers. */
unsigned lot_suspects(const struct lot *l);
/* Is it one of them? Then its answers say nothing of the path. */
bool lot_is_limited(const struct lot *l, addr_t host);

uint64_t lot_parked(const struct lot *l);  /* endpoints now */
uint64_t lot_limited(const struct lot *l); /* hosts whose canaries stayed unanswered more often than loss explains */

#endif
