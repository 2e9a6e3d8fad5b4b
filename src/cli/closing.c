#include "cli/closing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/progress.h"

#define LONG_NS (10 * NS_PER_SEC) /* a scan that somebody has waited for */

/* One line that grows. */
struct line {
    char text[480];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->n, sizeof l->text - l->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        l->n = l->n + (size_t)n < sizeof l->text ? l->n + (size_t)n : sizeof l->text - 1;
}

/* "12 closed", with a comma before all but the first. */
static void put_count(struct line *l, const char *before, uint64_t n, const char *what) {
    char text[GROUPED_MAX];
    put(l, "%s%s %s", before, progress_grouped(n, text), what);
}

static void say_found(struct console *c, const struct summary *sum, bool ports) {
    struct line l = {.n = 0};
    char text[GROUPED_MAX];
    if (ports)
        put(&l, "%s endpoint%s on ", progress_grouped(sum->planned, text), sum->planned == 1 ? "" : "s");
    put(&l, "%s address%s in ", progress_grouped(sum->addresses, text), sum->addresses == 1 ? "" : "es");
    uint64_t ms = sum->duration_ns / NS_PER_MS;
    put(&l, "%" PRIu64 ".%02u s", ms / 1000, (unsigned)(ms % 1000 / 10));
    enum state wanted = ports ? STATE_OPEN : STATE_UP; /* what is asked for is named even where there is none */
    const char *before = ": ";
    for (enum state i = STATE_OPEN; i < STATE_COUNT; i++) {
        if (sum->states[i] == 0 && i != wanted)
            continue;
        put_count(&l, before, sum->states[i], ports && i == STATE_DOWN ? "of hosts that are down" : state_name(i));
        before = ", ";
    }
    if (sum->unreachable)
        put_count(&l, ", ", sum->unreachable, "without a way there");
    if (sum->undecided)
        put_count(&l, ", ", sum->undecided, "undecided");
    console_note(c, l.text);
}

/* What discovery, or ARP on the own link, found before any port was probed. */
static void say_hosts(struct console *c, const struct summary *sum) {
    struct line l = {.n = 0};
    const char *before = "hosts: ";
    if (sum->hosts_up) {
        put_count(&l, before, sum->hosts_up, "up");
        before = ", ";
    }
    if (sum->hosts_down)
        put_count(&l, before, sum->hosts_down, "down, whose ports were not probed");
    if (l.n)
        console_note(c, l.text);
}

static void say_undecided(struct console *c, const struct summary *sum) {
    char text[GROUPED_MAX], hosts[GROUPED_MAX];
    if (sum->undecided == 0)
        return;
    console_notef(c, "%s undecided: %s host%s the answers a second; --host-timeout TIME gives them longer, 0 as long "
                  "as it takes", progress_grouped(sum->undecided, text), progress_grouped(sum->hosts_limited, hosts),
                  sum->hosts_limited == 1 ? " limits" : "s limit");
}

/* What the tries themselves say of what they did not reach. */
static void say_missed(struct console *c, const struct summary *sum, bool verbose) {
    char missed[GROUPED_MAX], low[GROUPED_MAX], high[GROUPED_MAX];
    uint64_t found = sum->states[STATE_OPEN] + sum->states[STATE_UP];
    if (!sum->missed_known || found + sum->missed == 0 || (sum->missed_high == 0 && !verbose))
        return; /* of nothing found, nothing can be said */
    double percent = found + sum->missed > 0 ? 100.0 * (double)sum->missed / (double)(found + sum->missed) : 0;
    console_notef(c, "estimated missed: %s (%.2f %%), 95 %% interval %s..%s%s", progress_grouped(sum->missed, missed),
                  percent, progress_grouped(sum->missed_low, low), progress_grouped(sum->missed_high, high),
                  verbose ? "; of hosts that any try can reach, not of those that were off or shun this source" : "");
    if (sum->answers_fell)
        console_note(c, "answers fell off while the scan went on, as where a firewall's table of connections is full, or "
                        "somebody blocks the scan: scan again, with a lower --max-rate");
    if (verbose)
        console_notef(c, "%.2f %% of the probes to what answers went unanswered; silence was probed again %u time%s",
                      100 * sum->loss, sum->retries, sum->retries == 1 ? "" : "s");
}

/* What was not shown, but may well be open. */
static void say_hidden(struct console *c, const struct summary *sum, uint16_t show) {
    char text[GROUPED_MAX];
    uint64_t n = sum->states[STATE_OPEN_FILTERED];
    if (n > 0 && !(show & 1u << STATE_OPEN_FILTERED))
        console_notef(c, "%s did not answer, as open ports may do and filtered ones: --show open,open-filtered lists "
                      "them", progress_grouped(n, text));
}

static void say_early_end(struct console *c, const struct summary *sum) {
    if (strcmp(sum->ended, "complete") == 0)
        return;
    char text[GROUPED_MAX];
    __extension__ unsigned __int128 permille = (unsigned __int128)sum->finals * 1000;
    unsigned done = sum->planned ? (unsigned)(permille / sum->planned) : 0;
    console_notef(c, "ended early (%s) at %u.%u %%: %s endpoints are not decided", sum->ended, done / 10, done % 10,
                  progress_grouped(sum->planned > sum->finals ? sum->planned - sum->finals : 0, text));
}

static bool caused_by(const struct summary *sum, const char *cause) {
    return strcmp(sum->rate_cause, cause) == 0;
}

/* What the rate was at the end, and why no higher. */
static void put_rate(struct line *l, const struct summary *sum) {
    char path[GROUPED_MAX];
    uint64_t pps = sum->rate_end_milli_pps / 1000;
    put_count(l, "", pps, pps == 1 ? "packet a second" : "packets a second");
    if (caused_by(sum, "path"))
        put(l, "; the path carries %s", progress_grouped(sum->path_pps, path));
    else if (caused_by(sum, "shut"))
        put(l, " at the end, slowed because answers stopped");
    else if (caused_by(sum, "local"))
        put(l, " at the end, slowed because this machine lost packets");
    else if (caused_by(sum, "cap") || pps == sum->rate_milli_pps / 1000)
        put(l, ", its cap%s", sum->rate_blind ? "" : "; --max-rate PPS allows more");
    else
        put(l, " at the end, and still rising");
}

/* Said where something slowed the scan, or where it took long. Without a cap, and with nothing in the way, only this
 * machine is left to be the limit. */
static void say_rate(struct console *c, const struct summary *sum, bool verbose) {
    struct line l = {.n = 0};
    if (!sum->rate_auto)
        return;
    bool slowed = caused_by(sum, "path") || caused_by(sum, "shut") || caused_by(sum, "local");
    if (!slowed && !verbose && sum->duration_ns < LONG_NS)
        return;
    if (caused_by(sum, "sender") || (sum->rate_milli_pps == 0 && !slowed))
        put(&l, "as fast as this machine sends");
    else
        put_rate(&l, sum);
    console_notef(c, "rate auto: %s%s", l.text,
                  sum->rate_blind ? "; blind: too few answers to tell what the path carries" : "");
}

static void say_losses(struct console *c, const struct summary *sum) {
    struct line l = {.n = 0};
    if (sum->ring_dropped)
        put_count(&l, "", sum->ring_dropped, "replies by the full receive ring");
    if (sum->interface_dropped)
        put_count(&l, l.n ? ", " : "", sum->interface_dropped, "received frames by the interface (of all programs)");
    if (sum->interface_tx_dropped)
        put_count(&l, l.n ? ", " : "", sum->interface_tx_dropped, "frames to send by the interface (of all programs)");
    if (sum->send_refused) {
        put_count(&l, l.n ? ", " : "", sum->send_refused, "probes refused by the kernel");
        if (sum->last_send_error)
            put(&l, " (%s)", strerror(sum->last_send_error));
    }
    if (l.n)
        console_notef(c, "lost on this machine: %s", l.text);
}

static void say_traffic(struct console *c, const struct summary *sum) {
    char sent[GROUPED_MAX], rate[GROUPED_MAX], received[GROUPED_MAX];
    __extension__ unsigned __int128 per_second = (unsigned __int128)sum->sent * NS_PER_SEC;
    uint64_t pps = sum->duration_ns ? (uint64_t)(per_second / sum->duration_ns) : 0;
    console_notef(c, "%s probes sent (%s a second) on %s, %s frames received", progress_grouped(sum->sent, sent),
                  progress_grouped(pps, rate), sum->interface[0] ? sum->interface : "sockets",
                  progress_grouped(sum->received, received));
}

static void say_ignored(struct console *c, const struct summary *sum) {
    struct line l = {.n = 0};
    if (sum->duplicates)
        put_count(&l, "", sum->duplicates, "repeated");
    if (sum->late)
        put_count(&l, l.n ? ", " : "", sum->late, "too late");
    for (enum ignored i = IGNORED_NOT + 1; i < IGNORED_COUNT; i++)
        if (sum->ignored[i])
            put_count(&l, l.n ? ", " : "", sum->ignored[i], ignored_name(i));
    if (l.n)
        console_notef(c, "replies that did not count: %s", l.text);
}

static void say_pings(struct console *c, const struct summary *sum) {
    struct line l = {.n = 0};
    if (sum->ping_sent)
        put_count(&l, "", sum->ping_sent, "packets to find hosts");
    if (sum->hosts_limited)
        put_count(&l, l.n ? ", " : "", sum->hosts_limited, "hosts that limit their answers");
    if (sum->own_ports)
        put_count(&l, l.n ? ", " : "", sum->own_ports, "ports of noctule itself, which are closed");
    if (l.n)
        console_note(c, l.text);
}

void closing_words(struct console *c, const struct summary *sum, const struct closing *how) {
    say_found(c, sum, how->ports);
    if (how->ports)
        say_hosts(c, sum);
    say_missed(c, sum, how->verbose);
    say_undecided(c, sum);
    say_hidden(c, sum, how->show);
    say_early_end(c, sum);
    say_rate(c, sum, how->verbose);
    say_losses(c, sum);
    if (!how->verbose)
        return;
    say_traffic(c, sum);
    say_pings(c, sum);
    say_ignored(c, sum);
}
