#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

char *progress_grouped(uint64_t v, char buf[static GROUPED_MAX]) {
    char digits[24];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, v), at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = '\0';
    return buf;
}

char *progress_short(uint64_t v, char buf[static SHORT_MAX]) {
    static const char units[] = " kMGTPE";
    unsigned unit = 0;
    uint64_t scale = 1;
    if (v >= 10000)
        while (v / scale >= 1000 && units[unit + 1]) {
            scale *= 1000;
            unit++;
        }
    if (unit == 0 || v / scale >= 100)
        snprintf(buf, SHORT_MAX, "%" PRIu64 "%.*s", v / scale, unit > 0, units + unit);
    else
        snprintf(buf, SHORT_MAX, "%" PRIu64 ".%" PRIu64 "%c", v / scale, v % scale / (scale / 10), units[unit]);
    return buf;
}

char *progress_span(uint64_t ns, char buf[static SPAN_MAX]) {
    uint64_t s = ns / NS_PER_SEC + (ns % NS_PER_SEC >= NS_PER_SEC / 2);
    if (s < 60)
        snprintf(buf, SPAN_MAX, "%" PRIu64 " s", s);
    else if (s < 3600)
        snprintf(buf, SPAN_MAX, "%" PRIu64 " m %02" PRIu64 " s", s / 60, s % 60);
    else
        snprintf(buf, SPAN_MAX, "%" PRIu64 " h %02" PRIu64 " m", s / 3600, s / 60 % 60);
    return buf;
}

unsigned progress_percent(const struct scan_progress *p) {
    __extension__ typedef unsigned __int128 wide;
    if (p->eta_ns > 0)
        return (unsigned)((wide)p->elapsed_ns * 100 / ((wide)p->elapsed_ns + p->eta_ns));
    return p->planned ? (unsigned)((wide)(p->answered + p->given_up) * 100 / p->planned) : 0;
}

/* Smoothed over a few lines, so that it can be read. */
static void update_rate(const struct scan_progress *p, struct progress_past *past) {
    if (p->elapsed_ns <= past->elapsed_ns || p->sent < past->sent) {
        past->pps = 0; /* another pass has begun to count */
    } else {
        __extension__ unsigned __int128 sent = p->sent - past->sent;
        uint64_t now = (uint64_t)(sent * NS_PER_SEC / (p->elapsed_ns - past->elapsed_ns));
        past->pps = past->pps ? (past->pps * 3 + now) / 4 : now;
    }
    past->sent = p->sent;
    past->elapsed_ns = p->elapsed_ns;
}

void progress_format(const struct scan_progress *p, struct progress_past *past, char *buf, size_t n) {
    char left[SPAN_MAX], rate[SHORT_MAX], found[SHORT_MAX], drops[SHORT_MAX], unsent[SHORT_MAX], in_flight[SHORT_MAX],
        answered[SHORT_MAX], given_up[SHORT_MAX];
    update_rate(p, past);
    snprintf(buf, n, "%s %u%%, %s left, %s/s%s, %s %s, %s drops; %s unsent, %s in flight, %s answered, %s given up",
             p->phase, progress_percent(p), p->eta_ns ? progress_span(p->eta_ns, left) : "?",
             progress_short(past->pps, rate), p->rate_blind ? " (blind)" : "", progress_short(p->found, found),
             p->pings ? "up" : "open", progress_short(p->drops, drops), progress_short(p->unsent, unsent),
             progress_short(p->in_flight, in_flight), progress_short(p->answered, answered),
             progress_short(p->given_up, given_up));
}
