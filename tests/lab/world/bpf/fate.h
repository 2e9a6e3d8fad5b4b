/* What becomes of a probe: whether it arrives, what is answered, and whether that comes through. */
#ifndef NOCTULE_LAB_BPF_FATE_H
#define NOCTULE_LAB_BPF_FATE_H

#include "icmp.h"
#include "sctp.h"
#include "tcp.h"
#include "udp.h"

#define LAYER1_EXTRA 24u      /* frame check sequence 4, preamble 8, gap 12 */

static __always_inline void note_arrival(__u64 now, __u32 source_port, __u64 length) {
    if (!first_ns)
        __sync_val_compare_and_swap(&first_ns, 0, now);
    last_ns = now;
    __u32 bin = (__u32)((now - first_ns) / WORLD_ARRIVAL_NS);
    uint64_t *value = bpf_map_lookup_elem(&arrivals, &bin);
    if (value)
        add(value, 1);
    value = bpf_map_lookup_elem(&source_ports, &source_port);
    if (value)
        add(value, 1);
    count(WORLD_probes, 1);
    count(WORLD_layer1_bytes, (length < ETH_ZLEN ? ETH_ZLEN : length) + LAYER1_EXTRA);
}

/* Counts the probe at its endpoint. */
static __always_inline void tally_probe(struct probe *probe, enum truth_kind kind) {
    if (!counted || kind >= KIND_COUNT)
        return;
    probe->index = tables[kind] + (__u32)truth_index(known(), probe->place.host, probe->port);
    if (events_max) {
        event_note(probe->index, TALLY_PROBES);
        return;
    }
    probe->endpoint = bpf_map_lookup_elem(&endpoints, &probe->index);
    if (probe->endpoint && tally_field(probe->endpoint->tally, TALLY_PROBES) < TALLY_PROBES_MAX)
        probe->number = tally_field(add(&probe->endpoint->tally, 1ull << TALLY_PROBES), TALLY_PROBES) + 1;
}

/* The same by events. Only what RSTs are held against is entered at the endpoint itself. */
static __always_inline bool event_answer(const struct probe *probe, enum truth_answer what) {
    event_note(probe->index, TALLY_ANSWERS);
    struct endpoint *endpoint = what == ANSWER_syn_ack ? bpf_map_lookup_elem(&endpoints, &probe->index) : NULL;
    if (!endpoint)
        return true;
    endpoint->ack = probe->sequence + 1;
    return endpoint->acks++ == 0;
}

/* Enters the answer in the endpoint's tally. Returns whether it is the endpoint's first; of answers other than SYN-ACKs
 * that is not always known, and nobody asks. */
static __always_inline bool tally_answer(const struct probe *probe, enum truth_answer what) {
    if (events_max)
        return event_answer(probe, what);
    struct endpoint *endpoint = probe->endpoint;
    if (!endpoint)
        return true;
    endpoint->ack = probe->sequence + 1;
    __u64 before = add(&endpoint->tally, 1ull << TALLY_ANSWERS);
    if (tally_field(before, TALLY_ANSWERS))
        return false;
    add(&endpoint->tally, (__u64)(probe->number & 0xffff) << TALLY_FIRST);
    return true;
}

static __always_inline bool within_limit(void *buckets, __u32 which, __u64 now, __u32 pps, __u32 burst) {
    if (!pps)
        return true;
    struct bucket *bucket = bpf_map_lookup_elem(buckets, &which);
    return bucket && bucket_take(bucket, now, pps, burst);
}

/* A function of its own: the loop in it is long, and so is looked at only once when the program is loaded. */
__noinline bool in_burst(__u32 direction, __u64 now) {
    return truth_in_burst(known(), (enum truth_question)direction, now - first_ns);
}

static __always_inline bool lost_in_burst(const struct probe *probe, __u64 now, enum truth_question direction,
                                          enum truth_question fate) {
    return known()->burst_loss_ppm &&
           truth_share(truth_hash(known(), fate, probe->place.who, probe->port, probe->number)) <
               known()->burst_loss_ppm &&
           in_burst(direction, now);
}

/* Hands the answer to the loader, which sends it when it is due. */
static __always_inline int hold(struct xdp_md *ctx, __u64 due_ns, __u32 copies) {
    __u64 length = bpf_xdp_get_buff_len(ctx);
    struct held *held_up = bpf_ringbuf_reserve(&held, sizeof(*held_up), 0);
    if (!held_up)
        return drop(WORLD_failed);
    if (length < ETH_HLEN || length > sizeof(held_up->frame) ||
        bpf_xdp_load_bytes(ctx, 0, held_up->frame, (__u32)length)) {
        bpf_ringbuf_discard(held_up, BPF_RB_NO_WAKEUP);
        return drop(WORLD_failed);
    }
    held_up->due_ns = due_ns;
    held_up->length = (__u32)length;
    held_up->copies = copies;
    bpf_ringbuf_submit(held_up, BPF_RB_NO_WAKEUP);
    return drop(WORLD_held);
}

static __always_inline bool write_answer(struct xdp_md *ctx, const struct probe *probe, enum truth_kind kind,
                                         enum truth_answer what, const bool v6) {
    switch (what) {
    case ANSWER_syn_ack:
        return write_syn_ack(ctx, probe, v6);
    case ANSWER_rst_ack:
    case ANSWER_rst_window:
        return write_reset(ctx, probe, what == ANSWER_rst_window, v6);
    case ANSWER_unreachable:
    case ANSWER_refused:
        return write_error(ctx, probe, what == ANSWER_unreachable, kind == KIND_PROTOCOL, v6);
    case ANSWER_datagram:
        return write_datagram(ctx, probe, v6);
    case ANSWER_init_ack:
        return write_init_ack(ctx, probe, v6);
    case ANSWER_abort:
        return write_abort(ctx, probe, kind == KIND_SCTP_COOKIE, v6);
    case ANSWER_packet:
        return write_packet(ctx, probe, v6);
    case ANSWER_echo:
    case ANSWER_stamp:
        return write_pong(ctx, probe, v6);
    case ANSWER_nothing:
        break;
    }
    return false;
}

static __always_inline int answer(struct xdp_md *ctx, const struct probe *probe, enum truth_kind kind,
                                  enum truth_answer what, __u64 now, const bool v6) {
    if (probe->place.host < known()->answer_hosts &&
        !within_limit(&answers_of, probe->place.host, now, known()->answer_pps, known()->answer_burst))
        return drop(WORLD_answer_limited);
    if (what == ANSWER_refused &&
        !within_limit(&errors_of, probe->place.host, now, known()->error_pps, known()->error_burst))
        return drop(WORLD_error_limited);
    if (truth_lost_in(known(), probe->place, probe->port, probe->number) ||
        lost_in_burst(probe, now, TRUTH_IS_BURST_IN, TRUTH_IS_BURST_LOST_IN))
        return drop(WORLD_answer_lost);
    if (!write_answer(ctx, probe, kind, what, v6))
        return drop(WORLD_failed);
    bool first = tally_answer(probe, what);
    count(WORLD_syn_ack + (what - ANSWER_syn_ack), 1); /* the counters stand in the order of the answers */
    if (what == ANSWER_syn_ack && first)
        count(WORLD_syn_ack_first, 1);
    bool duplicated = known()->duplicate_ppm &&
                      truth_share(truth_hash(known(), TRUTH_IS_DUPLICATED, probe->place.who, probe->port,
                                             probe->number)) < known()->duplicate_ppm;
    if (duplicated)
        count(WORLD_duplicated, 1);
    __u64 delay_us = truth_delay_us(known(), probe->place, probe->port, probe->number);
    if (delay_us)
        return hold(ctx, now + delay_us * 1000, duplicated ? known()->copies : 1);
    return duplicated ? (int)bpf_redirect_map(&copies, 0, BPF_F_BROADCAST) : (int)bpf_redirect(ctx->ingress_ifindex, 0);
}

static __always_inline enum truth_answer answer_due(const struct probe *probe, enum truth_kind kind) {
    if (kind != KIND_PING)
        return truth_answer(kind, truth_state(known(), kind, probe->place, probe->port));
    bool does = probe->pong == ANSWER_echo ? truth_echoes(known(), probe->place)
                                           : truth_stamps(known(), probe->place);
    return does ? probe->pong : ANSWER_nothing;
}

/* A true probe of a kind that is answered. */
static __always_inline int probed(struct xdp_md *ctx, struct probe *probe, enum truth_kind kind, const bool v6) {
    __u64 now = bpf_ktime_get_ns();
    note_arrival(now, bpf_ntohs(probe->source_port), bpf_xdp_get_buff_len(ctx));
    if (kind == KIND_SYN)
        count(WORLD_syn, 1);
    if (probe->place.host == PLACE_NONE || !truth_has_port(known(), probe->port))
        return drop(WORLD_outside);
    tally_probe(probe, kind);
    if (!within_limit(&path, 0, now, known()->police_pps, known()->police_burst))
        return drop(WORLD_policed);
    if (truth_lost_out(known(), probe->place, probe->port, probe->number) ||
        lost_in_burst(probe, now, TRUTH_IS_BURST_OUT, TRUTH_IS_BURST_LOST_OUT))
        return drop(WORLD_lost);
    enum truth_answer what = answer_due(probe, kind);
    return what == ANSWER_nothing ? XDP_DROP : answer(ctx, probe, kind, what, now, v6);
}

#endif
