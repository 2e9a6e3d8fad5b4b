/* What only the settings as a whole can show. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/settings.h"
#include "probe/technique.h"

#define BIT(technique) (UINT32_C(1) << (technique))
/* Whose open ports say nothing, so that silence is the most that can be found. */
#define SILENT_WHEN_OPEN (BIT(TECHNIQUE_FIN) | BIT(TECHNIQUE_NULL) | BIT(TECHNIQUE_XMAS) | BIT(TECHNIQUE_MAIMON) | \
                          BIT(TECHNIQUE_SCTP_COOKIE))

const struct option *settings_raw_option(const struct settings *s) {
    const struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        if (given[i].option->flags & OPTION_RAW)
            return given[i].option;
    return NULL;
}

uint16_t settings_show(const struct settings *s) {
    if (s->open)
        return 1u << STATE_OPEN;
    if (s->show)
        return s->show;
    unsigned show = 1u << STATE_OPEN;
    if (s->techniques & BIT(TECHNIQUE_PING))
        show |= 1u << STATE_UP;
    if (s->techniques & SILENT_WHEN_OPEN)
        show |= 1u << STATE_OPEN_FILTERED;
    if (s->techniques & BIT(TECHNIQUE_ACK))
        show |= 1u << STATE_UNFILTERED;
    return (uint16_t)show;
}

bool settings_discovers(const struct settings *s) {
    return s->alive || (s->ping.n > 0 && !(s->techniques & BIT(TECHNIQUE_PING)));
}

/* How often "-" stands in a list of files. */
static size_t count_stdin(const struct array *words) {
    size_t n = 0;
    const char *const *word = words->items;
    for (size_t i = 0; i < words->n; i++)
        n += strcmp(word[i], "-") == 0;
    return n;
}

/* The first of these techniques, as its option is written. */
static const char *option_of(uint32_t mask) {
    for (unsigned i = 0; i < TECHNIQUE_COUNT; i++)
        if (mask & BIT(i))
            return techniques[i].option;
    return "";
}

static bool several(uint32_t mask) {
    return mask & (mask - 1);
}

/* Those of the IP protocol. */
static uint32_t of_protocol(uint32_t mask, unsigned ip_proto) {
    uint32_t of = 0;
    for (unsigned i = 0; i < TECHNIQUE_COUNT; i++)
        if (mask & BIT(i) && techniques[i].ip_proto == ip_proto)
            of |= BIT(i);
    return of;
}

/* Techniques, and what goes with some of them only. */
static int check_techniques(const struct settings *s, struct error *e) {
    uint32_t asked = s->techniques, connect = BIT(TECHNIQUE_CONNECT), ping = BIT(TECHNIQUE_PING);
    const struct option *raw = settings_raw_option(s);
    if (asked & connect && several(asked))
        return error_set(e, -EINVAL, "-sT goes alone, since the kernel sends its probes: %s wants a scan of its own",
                         option_of(asked & ~connect));
    if (asked & ping && several(asked))
        return error_set(e, -EINVAL, "-sn probes no port: expected --alive beside %s, or -sn alone",
                         option_of(asked & ~ping));
    if (asked & connect && raw)
        return error_set(e, -EINVAL, "--%s goes with raw packets, but -sT has the kernel send its own", raw->name);
    if (s->unprivileged && (asked & ~(connect | ping) || raw))
        return error_set(e, -EINVAL, "%s%s goes with raw packets, but --unprivileged does without",
                         raw ? "--" : "", raw ? raw->name : option_of(asked & ~(connect | ping)));
    uint32_t tcp = of_protocol(asked, PORTS_TCP);
    if (s->scanflags.given && asked && (!tcp || several(tcp)))
        return error_set(e, -EINVAL, "--scanflags wants one technique of TCP that says what the answers mean: expected "
                         "one of -sS -sF -sN -sX -sM -sA -sW");
    for (unsigned i = 0; s->source_port && i < TECHNIQUE_COUNT; i++) {
        uint32_t same = asked & BIT(i) && techniques[i].ip_proto ? of_protocol(asked, techniques[i].ip_proto) : 0;
        if (several(same))
            return error_set(e, -EINVAL, "--source-port: with one port, answers to %s and %s look alike: expected one "
                             "of them, or no fixed port", option_of(same), option_of(same & (same - 1)));
    }
    return 0;
}

static int check_discovery(const struct settings *s, struct error *e) {
    bool ping = s->techniques & BIT(TECHNIQUE_PING);
    if (s->no_discovery && (ping || settings_discovers(s)))
        return error_set(e, -EINVAL, "-Pn and %s exclude each other: expected one of them",
                         ping ? "-sn" : s->alive ? "--alive" : "the options of a ping (-PE, -PS ...)");
    if (!ping)
        return 0;
    if (s->alive)
        return error_set(e, -EINVAL, "--alive finds hosts before their ports, -sn does without ports: expected one of "
                         "them");
    if (s->top_ports || settings_given(s, "ports"))
        return error_set(e, -EINVAL, "-sn probes no port: expected --alive instead, or no --%s",
                         s->top_ports ? "top-ports" : "ports");
    if (s->open)
        return error_set(e, -EINVAL, "-sn probes no port, so --open shows nothing");
    return 0;
}

static int check_rate(const struct settings *s, struct error *e) {
    bool capped = settings_given(s, "max-rate"), fixed = s->rate_milli_pps != RATE_AUTO;
    if (settings_given(s, "bandwidth") && (capped || settings_given(s, "rate")))
        return error_set(e, -EINVAL, "--%s (or -T) and --bandwidth exclude each other: expected one of them",
                         capped ? "max-rate" : "rate");
    if (capped && fixed && s->rate_milli_pps > s->max_rate_milli_pps)
        return error_set(e, -EINVAL, "--rate is more than --max-rate: expected no more, or --rate auto");
    return 0;
}

static int check_limits(const struct settings *s, struct error *e) {
    if (s->open && settings_given(s, "show") && s->show != 1u << STATE_OPEN)
        return error_set(e, -EINVAL, "--open and --show exclude each other: expected one of them");
    if (s->privileged && s->unprivileged)
        return error_set(e, -EINVAL, "--privileged and --unprivileged exclude each other: expected one of them");
    if (count_stdin(&s->input_files) + count_stdin(&s->exclude_files) + count_stdin(&s->configs) > 1)
        return error_set(e, -EINVAL, "stdin can be read once only, but \"-\" is given as an input file more than once");
    if (s->top_ports > ports_ranked_count())
        return error_set(e, -EINVAL, "--top-ports: expected a whole number from 1 to %u, not %" PRIu64,
                         ports_ranked_count(), s->top_ports);
    return 0;
}

int settings_check(const struct settings *s, struct error *e) {
    int code = check_techniques(s, e);
    if (code == 0)
        code = check_discovery(s, e);
    if (code == 0)
        code = check_rate(s, e);
    if (code == 0)
        code = check_limits(s, e);
    if (code == 0 && s->targets.targets.n + s->targets.names.n + s->input_files.n == 0)
        code = error_set(e, -EINVAL,
                         "no target: expected an address, a range or a host name, or a list with -iL FILE");
    return code;
}
