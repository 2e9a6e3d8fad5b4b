#include "scan/give_up.h"

#include <string.h>

#include "base/clock.h"

void verdict_push(struct pass *p, const struct endpoint *ep, struct verdict v) {
    const struct scan_config *c = &p->scan->config;
    if (p->kind == PASS_NEIGHBOURS || (c->show & 1u << v.state) == 0)
        return;
    struct finding f = {.addr = ep->addr, .time_ns = clock_real_ns(), .port = ep->slot.port,
                        .technique = ep->slot.technique, .state = (uint8_t)v.state, .reason = (uint8_t)v.reason,
                        .tried = -1};
    const uint8_t *mac = v.state == STATE_UP ? neighbours_find(&p->scan->neighbours, ep->addr) : NULL;
    if (mac != NULL) {
        f.flags = FINDING_HAS_MAC;
        memcpy(f.mac, mac, MAC_LEN);
    }
    report_push(c->report, 1, &f);
}

/* An endpoint that the ledger has given up: parked, or silent. */
static void give_up(struct pass *p, uint64_t position, uint64_t now_ns) {
    uint64_t index = order_at(&p->order, position);
    struct endpoint ep = plan_at(p->plan, index);
    enum lot_fate fate = LOT_FATE_SILENT;
    if (p->lot != NULL && lot_concerns(ep.slot.technique))
        fate = lot_take(p->lot, &ep, index, now_ns);
    if (fate == LOT_FATE_SILENT) {
        struct verdict v = silence_of(&ep.slot);
        count(&p->counters.silent[v.state], 1);
        verdict_push(p, &ep, v);
    } else if (fate == LOT_FATE_UNDECIDED) {
        count(&p->counters.undecided, 1);
        verdict_push(p, &ep, (struct verdict){STATE_UNKNOWN, REASON_RATE_LIMITED});
    }
}

bool give_up_early(struct pass *p, uint64_t position, unsigned tried, const struct endpoint *ep) {
    if (!lot_wants(p->lot, ep))
        return false;
    if (tried == 0)
        ledger_settle(&p->ledger, position);
    else if (!ledger_withdraw(&p->ledger, position))
        return true;
    give_up(p, position, clock_mono_ns());
    return true;
}

void give_up_chunk(struct pass *p) {
    uint64_t base, silent[CHUNK_WORDS], now = clock_mono_ns();
    unsigned n = ledger_retire(&p->ledger, now, &base, silent);
    bool listed = pass_lists_silence(p), parks = p->lot != NULL && lot_takes(p->lot);
    if (!parks && !listed && (p->techniques & (p->techniques - 1)) == 0) {
        count(&p->counters.silent[techniques[__builtin_ctz(p->techniques)].on[OUTCOME_SILENCE].state], n);
        return;
    }
    for (unsigned w = 0; w < CHUNK_WORDS; w++)
        for (; silent[w] != 0; silent[w] &= silent[w] - 1)
            give_up(p, base + w * 64 + (unsigned)__builtin_ctzll(silent[w]), now);
    atomic_store_explicit(&p->silence_listed, p->ledger.cursors[p->ledger.retries + 1].chunk, memory_order_release);
}

void give_up_parked(struct pass *p, uint64_t index, bool silent) {
    struct endpoint ep = plan_at(p->plan, index);
    struct verdict v = silent ? silence_of(&ep.slot) : (struct verdict){STATE_UNKNOWN, REASON_RATE_LIMITED};
    count(silent ? &p->counters.silent[v.state] : &p->counters.undecided, 1);
    verdict_push(p, &ep, v);
}
