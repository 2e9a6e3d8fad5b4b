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
    char left[SPAN_MAX], rate[GROUPED_MAX], answers[GROUPED_MAX], open[GROUPED_MAX], drops[GROUPED_MAX],
        unsent[GROUPED_MAX], in_flight[GROUPED_MAX], given_up[GROUPED_MAX];
    update_rate(p, past);
    snprintf(buf, n, "%s %u%%, %s%s, %s open, %s/s, %s drops | %s unsent, %s in flight, %s answered, %s given up",
             p->phase, progress_percent(p), p->eta_ns ? progress_span(p->eta_ns, left) : "no end in sight yet",
             p->eta_ns ? " left" : "", progress_grouped(p->open, open), progress_grouped(past->pps, rate),
             progress_grouped(p->drops, drops), progress_grouped(p->unsent, unsent),
             progress_grouped(p->in_flight, in_flight), progress_grouped(p->answered, answers),
             progress_grouped(p->given_up, given_up));
}
