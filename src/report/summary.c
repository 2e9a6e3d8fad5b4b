#include "report/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/put.h"
#include "report/writer.h"

/* A key and its value at a time, so that no record is too long for the buffer: argv may be as long as it likes. */
enum { PIECE_MAX = 256 };

static void write_text(struct writer *w, const char *s) {
    char *p = writer_reserve(w, PIECE_MAX);
    if (p)
        writer_commit(w, put_text(p, s));
}

static void write_u64(struct writer *w, const char *key, uint64_t v) {
    char *p = writer_reserve(w, PIECE_MAX);
    if (p)
        writer_commit(w, put_u64(put_text(p, key), v));
}

static void write_milli(struct writer *w, const char *key, uint64_t v) {
    char *p = writer_reserve(w, PIECE_MAX);
    if (p)
        writer_commit(w, put_milli(put_text(p, key), v));
}

/* Any text of the user's, whole. */
static void write_string(struct writer *w, const char *key, const char *s) {
    write_text(w, key);
    write_text(w, "\"");
    for (char *p; *s && (p = writer_reserve(w, PUT_CHAR_MAX));)
        writer_commit(w, put_char(p, &s));
    write_text(w, "\"");
}

static void write_time(struct writer *w, const char *key, uint64_t ns) {
    struct put_time_cache cache = {.n = 0};
    char *p = writer_reserve(w, PIECE_MAX);
    if (!p)
        return;
    p = put_text(p, key);
    *p++ = '"';
    p = put_time(p, &cache, ns);
    *p++ = '"';
    writer_commit(w, p);
}

/* Local time less UTC as RFC 3339 has it: "+05:30". */
static void write_zone(struct writer *w, int offset_s) {
    unsigned minutes = (unsigned)abs(offset_s) / 60;
    char *p = writer_reserve(w, PIECE_MAX);
    if (p)
        writer_commit(w, p + snprintf(p, PIECE_MAX, ",\"time_zone\":\"%c%02u:%02u\"", offset_s < 0 ? '-' : '+',
                                      minutes / 60 % 100, minutes % 60));
}

static void write_argv(struct writer *w, const struct summary *sum) {
    write_text(w, ",\"argv\":[");
    for (int i = 0; i < sum->argc; i++)
        write_string(w, i ? "," : "", sum->argv[i]);
    write_text(w, "]");
}

static void write_array(struct writer *w, const char *key, const uint64_t *v, unsigned n) {
    write_text(w, key);
    for (unsigned i = 0; i < n; i++)
        write_u64(w, i ? "," : "[", v[i]);
    write_text(w, "]");
}

/* One member of an object of counters. */
static void write_member(struct writer *w, bool first, const char *name, uint64_t v) {
    write_text(w, first ? "{\"" : ",\"");
    write_text(w, name);
    write_u64(w, "\":", v);
}

/* The tries there were. */
static unsigned summary_tries(const struct summary *sum) {
    unsigned tries = SUMMARY_TRIES_MAX;
    if (!sum->retries_auto)
        return sum->retries + 1 < tries ? sum->retries + 1 : tries;
    while (tries > 1 && sum->sent_at_try[tries - 1] == 0)
        tries--;
    return tries;
}

static void write_counts(struct writer *w, const struct summary *sum) {
    unsigned tries = summary_tries(sum);
    write_u64(w, ",\"planned\":", sum->planned);
    write_u64(w, ",\"finals\":", sum->finals);
    write_u64(w, ",\"addresses\":", sum->addresses);
    write_u64(w, ",\"hosts_down\":", sum->hosts_down);
    write_u64(w, ",\"hosts_up\":", sum->hosts_up);
    write_u64(w, ",\"hosts_limited\":", sum->hosts_limited);
    write_u64(w, ",\"undecided\":", sum->undecided);
    write_u64(w, ",\"ping_sent\":", sum->ping_sent);
    write_text(w, ",\"states\":");
    for (unsigned i = 0; i < STATE_COUNT; i++)
        write_member(w, i == 0, state_name((enum state)i), sum->states[i]);
    write_u64(w, "},\"sent\":", sum->sent);
    write_array(w, ",\"sent_at_try\":", sum->sent_at_try, tries);
    write_array(w, ",\"answered_at_try\":", sum->answered_at_try, tries);
    write_u64(w, ",\"answered_unknown_try\":", sum->answered_unknown_try);
    write_u64(w, ",\"resets_sent\":", sum->resets_sent);
    write_u64(w, ",\"arp_sent\":", sum->arp_sent);
    write_u64(w, ",\"received\":", sum->received);
    write_u64(w, ",\"duplicates\":", sum->duplicates);
    write_u64(w, ",\"late\":", sum->late);
    write_u64(w, ",\"late_open\":", sum->late_open);
    write_u64(w, ",\"revised\":", sum->revised);
    write_u64(w, ",\"own_ports\":", sum->own_ports);
    write_u64(w, ",\"unreachable\":", sum->unreachable);
}

static void write_losses(struct writer *w, const struct summary *sum) {
    const char *error = sum->last_send_error ? strerrorname_np(abs(sum->last_send_error)) : NULL;
    write_text(w, ",\"ignored\":");
    for (unsigned i = IGNORED_NOT + 1; i < IGNORED_COUNT; i++)
        write_member(w, i == IGNORED_NOT + 1, ignored_name((enum ignored)i), sum->ignored[i]);
    write_u64(w, "},\"drops\":{\"send_refused\":", sum->send_refused);
    write_u64(w, ",\"ring_dropped\":", sum->ring_dropped);
    write_u64(w, ",\"interface_dropped\":", sum->interface_dropped);
    write_u64(w, ",\"interface_tx_dropped\":", sum->interface_tx_dropped);
    write_text(w, "}");
    if (error)
        write_string(w, ",\"last_send_error\":", error);
    write_u64(w, ",\"sink_waits_ns\":", sum->sink_waits_ns);
    write_u64(w, ",\"window_waits_ns\":", sum->window_waits_ns);
}

static void write_missed(struct writer *w, const struct summary *sum) {
    if (!sum->missed_known)
        return;
    write_u64(w, ",\"missed\":{\"estimate\":", sum->missed);
    write_u64(w, ",\"low\":", sum->missed_low);
    write_u64(w, ",\"high\":", sum->missed_high);
    write_u64(w, ",\"loss_ppm\":", (uint64_t)(sum->loss * 1e6 + 0.5));
    write_text(w, sum->answers_fell ? ",\"answers_fell\":true" : ",\"answers_fell\":false");
    write_text(w, "}");
}

static void write_rate_auto(struct writer *w, const struct summary *sum) {
    if (!sum->rate_auto)
        return;
    write_milli(w, ",\"rate_auto\":{\"end\":", sum->rate_end_milli_pps);
    if (sum->path_pps)
        write_u64(w, ",\"path\":", sum->path_pps);
    else
        write_text(w, ",\"path\":null");
    write_string(w, ",\"cause\":", sum->rate_cause);
    write_text(w, sum->rate_blind ? ",\"blind\":true" : ",\"blind\":false");
    write_u64(w, ",\"canaries\":", sum->canaries_sent);
    write_text(w, "}");
}

int summary_write_json(const struct summary *sum, struct writer *w) {
    write_string(w, "{\"type\":\"summary\",\"version\":", sum->version ? sum->version : "");
    write_argv(w, sum);
    write_u64(w, ",\"seed\":", sum->seed);
    write_time(w, ",\"start\":", sum->start_ns);
    write_time(w, ",\"end\":", sum->end_ns);
    write_zone(w, sum->utc_offset_s);
    write_u64(w, ",\"duration_ns\":", sum->duration_ns);
    write_string(w, ",\"ended\":", sum->ended ? sum->ended : "");
    write_counts(w, sum);
    write_losses(w, sum);
    write_u64(w, ",\"rto_ns\":", sum->rto_ns);
    write_u64(w, ",\"srtt_ns\":", sum->srtt_ns);
    write_milli(w, ",\"rate\":", sum->rate_milli_pps);
    write_rate_auto(w, sum);
    write_u64(w, ",\"bandwidth_bps\":", sum->bandwidth_bps);
    write_u64(w, ",\"batch\":", sum->batch);
    write_u64(w, ",\"retries\":", sum->retries);
    write_text(w, sum->retries_auto ? ",\"retries_auto\":true" : ",\"retries_auto\":false");
    write_missed(w, sum);
    write_string(w, ",\"wire\":", sum->wire);
    write_string(w, ",\"interface\":", sum->interface);
    write_text(w, "}\n");
    return w->error;
}
