#include "scan/canary.h"

#define SILENT_MAX 6u /* times in a row: with a tenth of all others lost, one in a million */

static struct canary *place_of(struct canaries *c, uint64_t index) {
    return &c->at[(index * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - CANARIES_BITS)]; /* Fibonacci hashing */
}

void canaries_offer(struct canaries *c, uint64_t index) {
    struct canary *place = place_of(c, index);
    if (atomic_load_explicit(&place->stage, memory_order_acquire) != CANARY_FREE)
        return;
    atomic_store_explicit(&place->index, index, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->known, 1, memory_order_relaxed);
    atomic_store_explicit(&place->stage, CANARY_KNOWN, memory_order_release);
}

bool canaries_answered(struct canaries *c, uint64_t index) {
    struct canary *place = place_of(c, index);
    int asked = CANARY_ASKED;
    return atomic_load_explicit(&place->index, memory_order_relaxed) == index &&
           atomic_compare_exchange_strong(&place->stage, &asked, CANARY_ANSWERED);
}

bool canaries_ask(struct canaries *c, uint64_t now_ns, uint64_t *index) {
    for (unsigned looked = 0; looked < CANARIES_MAX; looked++) {
        struct canary *place = &c->at[c->next++ % CANARIES_MAX];
        if (atomic_load_explicit(&place->stage, memory_order_acquire) != CANARY_KNOWN)
            continue;
        *index = atomic_load_explicit(&place->index, memory_order_relaxed);
        place->asked_ns = now_ns;
        c->asked++;
        atomic_store_explicit(&place->stage, CANARY_ASKED, memory_order_release);
        return true;
    }
    return false;
}

/* This one's question is over. */
static void settle(struct canaries *c, struct canary *place, bool answered, struct govern *g) {
    govern_sample(g, GOVERN_CANARY, place->asked_ns, place->asked_ns, 1, answered);
    c->asked--;
    c->heard += answered;
    if (answered || place->silent == 0)
        place->heard = c->heard;
    place->silent = answered ? 0 : place->silent + 1;
    bool gone = place->silent >= SILENT_MAX && c->heard - place->heard >= SILENT_MAX;
    if (gone) {
        place->silent = 0;
        atomic_fetch_sub_explicit(&c->known, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&place->stage, gone ? CANARY_FREE : CANARY_KNOWN, memory_order_release);
}

void canaries_settle(struct canaries *c, uint64_t watermark_ns, uint64_t timeout_ns, struct govern *g) {
    for (unsigned i = 0; i < CANARIES_MAX && c->asked > 0; i++) {
        struct canary *place = &c->at[i];
        int stage = atomic_load_explicit(&place->stage, memory_order_acquire);
        if (stage == CANARY_ANSWERED)
            settle(c, place, true, g);
        else if (stage == CANARY_ASKED && watermark_ns >= place->asked_ns + timeout_ns &&
                 atomic_compare_exchange_strong(&place->stage, &stage, CANARY_ANSWERED)) /* the receiver lets go of it */
            settle(c, place, false, g);
    }
}
