/* What the answers of hosts tell of their limits: a table of hosts that have answered, and whom of them to suspect.
 *
 * A host has two voices, since two kinds of answers are limited apart: that of techniques whose closed endpoints are
 * told by ICMP errors, and that of the others. Every host limits its errors (Linux sends one a second and address,
 * after a burst of six: net/ipv4/icmp.c; RFC 1812 4.3.2.8, RFC 4443 2.4), so the first is known to be limited from its
 * first error on. Resets are limited by some hosts only (FreeBSD's net.inet.icmp.icmplim: 200 a second), and all
 * answers by some firewalls. So the second is suspected, when it differs from the others' by more than chance does in
 * one of VOICE_ALARMS scans (the bound of Chernoff 1952, Annals of Mathematical Statistics 23, for every host and
 * stretch), in one of two ways:
 *   late: a larger share of its answers comes to a later try than the first. Loss on the path gives about the same
 *     share to all hosts; a limit adds to that of one. The share of the others is a mean over hosts in which none
 *     weighs more than VOICE_WEIGHT answers; VOICE_PRIOR answers of a path that loses VOICE_LOSS stand for the hosts
 *     that are not there. Counts fade, so that the time before the limit was met, a burst that it allows, does not hide
 *     it.
 *   faint: it answers fewer first tries than before, by both of two clocks: the first tries sent, of which each host
 *     gets a steady share in a random order, and the answers of the others, which stand still with the path. Neither
 *     would do alone: the path may be shut for a while, and the others may be further away.
 * Less than that makes it doubtful: a late answer, or faintness as chance brings it once in twenty looks.
 *
 * The receiver makes and counts; any thread may ask. Only true answers count, and they carry cookies: who cannot see
 * the probes cannot make a host suspected. */
#ifndef NOCTULE_SCAN_VOICE_H
#define NOCTULE_SCAN_VOICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "plan/plan.h"
#include "probe/verdict.h"

#define VOICE_HOSTS_MAX 65536u
#define VOICE_CANARIES 4u
#define VOICE_WEIGHT 64.0f
#define VOICE_PRIOR 32.0
#define VOICE_LOSS 0.25
#define VOICE_ALARMS 100.0

enum voice_kind { VOICE_ERRORS, VOICE_OTHERS, VOICE_KINDS };

struct parked; /* park.c */

struct voice {
    struct parked *_Atomic parked; /* the transmitter's: its endpoints that wait; or NULL */
    _Atomic uint32_t canary[VOICE_CANARIES]; /* low halves of the indexes that answered, the latest ones ... */
    _Atomic uint32_t n_canaries;   /* ... and how often that was; 0: it has never answered */
    _Atomic bool limited;          /* known, or suspected */
    _Atomic bool doubtful;
    /* the receiver's */
    bool leaves_open;  /* the canaries are open ports, for want of others: each leaves a connection half open */
    float first, later; /* answers to the first try, and to later ones, of late */
    float told;         /* what it has in the sum of weighted shares ... */
    float weight;       /* ... and of weights */
    uint32_t epoch;     /* in which they last faded */
    uint32_t before, lately;        /* answers to the first try: until the last stretch began, and since */
    uint64_t others_before;         /* the two clocks when it began: those of all others, ... */
    uint64_t asked_before;          /* ... and the first tries sent */
};

/* A table of voices. NULL: no memory. */
struct voices;
struct voices *voices_new(void);
void voices_free(struct voices *v); /* NULL is fine */

enum voice_kind voice_kind_of(unsigned technique);

/* -- receiver -- */

/* A true answer. */
struct heard {
    const struct endpoint *ep;
    uint64_t index;         /* in the plan */
    uint64_t asked;         /* first tries sent before its own: its place in the order, from where the pass began */
    struct verdict verdict;
    int tried;              /* of the ledger's first answer to it, the try that it answers; else, or not known, -1 */
    uint64_t now_ns;        /* when it was read (monotonic) */
};
void voices_heard(struct voices *v, const struct heard *heard);

/* -- any thread -- */

/* How long an answer may take: counts fade by half in eight such times. */
void voices_timeout(struct voices *v, uint64_t rto_ns);
/* The voice of a host, or NULL where it has none. */
struct voice *voices_find(const struct voices *v, addr_t host, enum voice_kind kind);
/* Voices that are known or suspected to be limited. */
unsigned voices_limited(const struct voices *v);
/* Voices of which one or the other is true: limited, or doubtful. */
unsigned voices_noted(const struct voices *v);
/* Is either voice of this host limited? */
bool voices_is_limited(const struct voices *v, addr_t host);

/* Low half of the index of an endpoint that is known to answer, another one each time where several are: so a late
 * answer is not taken for the next canary's. */
uint32_t voice_canary(const struct voice *voice, unsigned nth);
bool voice_has_canary(const struct voice *voice, uint64_t index);

#endif
