/* The judge compares what a scanner found in the synthetic internet with what is true there.
 *
 *     judge [settings] [--technique NAME] [--retries N] [--endpoints endpoints.bin] FINDINGS.jsonl
 *
 * The settings are the world's. FINDINGS holds one flat JSON object a line; objects with "type" are no findings; one
 * with "revises" replaces what was said before of the same endpoint; those of another technique than NAME (syn) are
 * only counted. Prints one JSON object:
 *
 *   endpoints, open_true, closed_true   in the universe (ping: hosts; open_true are those that are up)
 *   open_reachable, closed_reachable    those whose answer to one of N+1 probes tells a scanner that they are so
 *   found, recall, closed_found         endpoints whose last record is true
 *   false          said to be open (up), but not
 *   right          endpoints of which exactly that is said what a scanner with N retries would say
 *   wrong_state    said to be anything else, but open or undecided
 *   undecided      said to be undecided: state unknown, reason rate-limited
 *   duplicate      records that repeat an endpoint without revising it
 *   revised, findings, others (findings of another technique), outside (beyond the universe), bad_lines, summaries
 *   expected_frames    probes of a scanner that stops at the answer, if only the world's loss takes frames away and
 *                      each probe is one frame
 *   frames             probes that came to the endpoints (with --endpoints; the following, too)
 *   answered, reset_twice
 *   probed_after_answer  endpoints that got more probes after the one whose answer was let through first
 *   unprobed, overprobed, underprobed   endpoints with no, more and fewer probes than expected_frames counts */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define PING_SYN_PORT 443 /* of a ping's packets, those that ask TCP ports */
#define PING_ACK_PORT 80

/* What the scanner said last of an endpoint. */
enum said {
    SAID_NOTHING,
    SAID_OPEN,
    SAID_CLOSED,
    SAID_FILTERED,
    SAID_UNFILTERED,
    SAID_OPEN_FILTERED,
    SAID_UP,
    SAID_DOWN,
    SAID_UNDECIDED,
    SAID_OTHER
};

/* What a scanner's technique sends, and what it says of each port's answer, or of silence. */
struct technique {
    const char *name, *proto;
    enum truth_kind kind;
    enum said open, closed, silence;
};

static const struct technique techniques[] = {
    {"syn", "tcp", KIND_SYN, SAID_OPEN, SAID_CLOSED, SAID_FILTERED},
    {"fin", "tcp", KIND_FIN, SAID_OPEN_FILTERED, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"null", "tcp", KIND_NULL, SAID_OPEN_FILTERED, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"xmas", "tcp", KIND_XMAS, SAID_OPEN_FILTERED, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"maimon", "tcp", KIND_MAIMON, SAID_OPEN_FILTERED, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"ack", "tcp", KIND_ACK, SAID_UNFILTERED, SAID_UNFILTERED, SAID_FILTERED},
    {"window", "tcp", KIND_ACK, SAID_OPEN, SAID_CLOSED, SAID_FILTERED},
    {"udp", "udp", KIND_UDP, SAID_OPEN, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"sctp-init", "sctp", KIND_SCTP_INIT, SAID_OPEN, SAID_CLOSED, SAID_FILTERED},
    {"sctp-cookie", "sctp", KIND_SCTP_COOKIE, SAID_OPEN_FILTERED, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"protocol", "ip", KIND_PROTOCOL, SAID_OPEN, SAID_CLOSED, SAID_OPEN_FILTERED},
    {"ping", "host", KIND_PING, SAID_UP, SAID_UP, SAID_DOWN},
};

struct judge {
    struct settings settings;
    struct list6 list;
    const struct technique *technique;
    const char *findings_path, *endpoints_path;
    uint64_t retries;
    uint8_t *said;              /* enum said an endpoint */
    struct endpoint *endpoints; /* those of the technique's kind; NULL without --endpoints */
    uint64_t findings, others, duplicate, revised, outside, bad_lines, summaries;
};

/* What a scanner that stops at the answer lives to see of one endpoint. */
struct course {
    uint32_t probes;
    bool answered;
};

struct verdict {
    uint64_t open_true, closed_true, open_reachable, closed_reachable, found, closed_found, false_open, wrong_state;
    uint64_t right, undecided;
    uint64_t expected_frames, frames, answered, reset_twice, probed_after_answer, unprobed, overprobed, underprobed;
};

static int fail(const char *what, const char *why) {
    fprintf(stderr, "judge: %s: %s\n", what, why);
    return -1;
}

static const struct technique *technique_find(const char *name) {
    for (size_t i = 0; i < sizeof(techniques) / sizeof(techniques[0]); i++) {
        if (strcmp(techniques[i].name, name) == 0)
            return &techniques[i];
    }
    return NULL;
}

static int option_take(struct judge *judge, const char *name, const char *value) {
    if (strcmp(name, "--retries") == 0)
        return number_parse(value, 0, 100, &judge->retries);
    if (strcmp(name, "--endpoints") == 0) {
        judge->endpoints_path = value;
        return 0;
    }
    if (strcmp(name, "--technique") != 0)
        return settings_option(&judge->settings, &judge->list, name, value);
    judge->technique = technique_find(value);
    return judge->technique ? 0 : -EINVAL;
}

static int options_read(struct judge *judge, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && !judge->findings_path) {
            judge->findings_path = argv[i];
            continue;
        }
        const char *name = argv[i], *value = i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return fail(name, "no value");
        int code = option_take(judge, name, value);
        if (code)
            return fail(name, code == -ENOENT ? "unknown option" : "bad value");
    }
    const char *fault = settings_fault(&judge->settings);
    if (fault)
        return fail("settings", fault);
    if (!(judge->settings.answers >> judge->technique->kind & 1))
        return fail("--technique", "its probes are not among --answers");
    if (judge->findings_path)
        return 0;
    return fail("usage", "judge [settings] [--technique NAME] [--retries N] [--endpoints FILE] FINDINGS");
}

static enum said said_from(const char *state) {
    static const struct {
        const char *state;
        enum said said;
    } words[] = {
        {"open", SAID_OPEN}, {"closed", SAID_CLOSED}, {"filtered", SAID_FILTERED}, {"unfiltered", SAID_UNFILTERED},
        {"open|filtered", SAID_OPEN_FILTERED}, {"up", SAID_UP}, {"down", SAID_DOWN},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].state, state) == 0)
            return words[i].said;
    }
    return SAID_OTHER;
}

static struct place place_find(const struct judge *judge, const char *ip) {
    struct place nowhere = {.host = PLACE_NONE};
    struct in_addr in;
    struct address6 address;
    if (inet_pton(AF_INET, ip, &in) == 1)
        return truth_place4(&judge->settings, ntohl(in.s_addr));
    return address6_parse(ip, &address) ? nowhere : list6_place(&judge->settings, &judge->list, address);
}

/* The number of a host's name and port, PLACE_NONE if it has none. Hosts themselves have the first port. */
static int endpoint_find(const struct judge *judge, json_t *record, uint64_t *index) {
    const char *ip = json_string_value(json_object_get(record, "ip"));
    json_t *port_value = json_object_get(record, "port");
    json_int_t port = json_integer_value(port_value);
    struct in6_addr in;
    bool host = judge->technique->kind == KIND_PING;
    if (!ip || (inet_pton(AF_INET, ip, &in) != 1 && inet_pton(AF_INET6, ip, &in) != 1) ||
        host == json_is_integer(port_value) || port < 0 || port > 65535)
        return -EINVAL;
    struct place place = place_find(judge, ip);
    uint32_t number = host ? judge->settings.first_port : (uint32_t)port;
    *index = place.host == PLACE_NONE || !truth_has_port(&judge->settings, number)
                 ? UINT64_MAX
                 : truth_index(&judge->settings, place.host, number);
    return 0;
}

static int finding_take(struct judge *judge, json_t *record) {
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *proto = json_string_value(json_object_get(record, "proto"));
    const char *reason = json_string_value(json_object_get(record, "reason"));
    const char *technique = json_string_value(json_object_get(record, "technique"));
    uint64_t index;
    if (technique && strcmp(technique, judge->technique->name) != 0) {
        judge->others++;
        return 0;
    }
    if (!state || !proto || strcmp(proto, judge->technique->proto) != 0 || endpoint_find(judge, record, &index))
        return -EINVAL;
    judge->findings++;
    if (index == UINT64_MAX) {
        judge->outside++;
        return 0;
    }
    bool limited = strcmp(state, "unknown") == 0 && reason && strcmp(reason, "rate-limited") == 0;
    enum said now = limited ? SAID_UNDECIDED : said_from(state);
    uint8_t *said = &judge->said[index];
    bool revises = json_object_get(record, "revises") != NULL;
    judge->revised += revises;
    judge->duplicate += *said != SAID_NOTHING && (!revises || *said == now);
    *said = (uint8_t)now;
    return 0;
}

static int findings_read(struct judge *judge) {
    FILE *file = fopen(judge->findings_path, "r");
    if (!file)
        return fail(judge->findings_path, strerror(errno));
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    while ((n = getline(&line, &size, file)) > 0) {
        json_t *record = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);
        if (record && json_object_get(record, "type")) {
            const char *type = json_string_value(json_object_get(record, "type"));
            judge->summaries += type && strcmp(type, "summary") == 0;
        } else if (!record || finding_take(judge, record)) {
            judge->bad_lines++;
        }
        json_decref(record);
    }
    int error = ferror(file) ? fail(judge->findings_path, "cannot read") : 0;
    free(line);
    fclose(file);
    return error;
}

static int endpoints_read(struct judge *judge) {
    if (!judge->endpoints_path)
        return 0;
    const struct settings *s = &judge->settings;
    size_t n = (size_t)truth_endpoints(s), skip = truth_tally_index(s, judge->technique->kind, 0, s->first_port);
    size_t rest = n * truth_kinds(s) - skip - n;
    FILE *file = fopen(judge->endpoints_path, "rb");
    if (!file)
        return fail(judge->endpoints_path, strerror(errno));
    judge->endpoints = calloc(n, sizeof(*judge->endpoints));
    bool whole = judge->endpoints && fseek(file, (long)(skip * sizeof(struct endpoint)), SEEK_SET) == 0 &&
                 fread(judge->endpoints, sizeof(*judge->endpoints), n, file) == n &&
                 fseek(file, (long)(rest * sizeof(struct endpoint)), SEEK_CUR) == 0;
    long end = whole ? ftell(file) : 0;
    whole = whole && fseek(file, 0, SEEK_END) == 0 && ftell(file) == end;
    fclose(file);
    return whole ? 0 : fail(judge->endpoints_path, "not the tallies of a world with these settings");
}

static struct course course_of(const struct judge *judge, struct place place, uint32_t port, enum truth_state truth) {
    const struct settings *s = &judge->settings;
    struct course course = {0};
    bool answers = truth_answer(judge->technique->kind, truth) != ANSWER_nothing;
    while (!course.answered && course.probes <= judge->retries) {
        course.probes++;
        course.answered = answers && !truth_lost_out(s, place, port, course.probes) &&
                          !truth_lost_in(s, place, port, course.probes);
    }
    return course;
}

static void tally_judge(struct verdict *verdict, uint64_t tally, const struct course *course) {
    uint32_t probes = tally_field(tally, TALLY_PROBES), first = tally_field(tally, TALLY_FIRST);
    verdict->frames += probes;
    verdict->answered += first != 0;
    verdict->probed_after_answer += first && probes > first;
    verdict->reset_twice += tally_field(tally, TALLY_RESETS) > 1;
    verdict->unprobed += probes == 0;
    verdict->overprobed += probes > course->probes;
    verdict->underprobed += probes < course->probes;
}

static enum said due_of(const struct technique *technique, enum truth_state truth, bool answered) {
    if (!answered)
        return technique->silence;
    return truth == TRUTH_OPEN ? technique->open : truth == TRUTH_CLOSED ? technique->closed : SAID_FILTERED;
}

static void said_judge(struct verdict *verdict, enum said said, enum said due) {
    verdict->right += said == due;
    verdict->undecided += said == SAID_UNDECIDED;
    verdict->wrong_state += said != SAID_NOTHING && said != SAID_OPEN && said != SAID_UNDECIDED && said != due;
}

static void endpoint_judge(const struct judge *judge, struct verdict *verdict, struct place place, uint32_t port) {
    const struct settings *s = &judge->settings;
    enum truth_state truth = truth_state(s, judge->technique->kind, place, port);
    uint64_t index = truth_index(s, place.host, port);
    struct course course = course_of(judge, place, port, truth);
    enum said said = judge->said[index];
    enum said due = due_of(judge->technique, truth, course.answered);
    said_judge(verdict, said, due);
    verdict->expected_frames += course.probes;
    verdict->open_true += truth == TRUTH_OPEN;
    verdict->closed_true += truth == TRUTH_CLOSED;
    verdict->open_reachable += due == SAID_OPEN;
    verdict->closed_reachable += due == SAID_CLOSED;
    verdict->found += truth == TRUTH_OPEN && said == SAID_OPEN;
    verdict->closed_found += truth == TRUTH_CLOSED && said == SAID_CLOSED;
    verdict->false_open += truth != TRUTH_OPEN && said == SAID_OPEN;
    if (judge->endpoints)
        tally_judge(verdict, judge->endpoints[index].tally, &course);
}

/* Whether a host answers any packet of a ping, if nothing is lost. */
static bool is_up(const struct settings *s, struct place place, bool v4) {
    if (truth_echoes(s, place) || (v4 && truth_stamps(s, place)))
        return true;
    enum truth_state syn = truth_state(s, KIND_SYN, place, PING_SYN_PORT);
    enum truth_state ack = truth_state(s, KIND_ACK, place, PING_ACK_PORT);
    bool asks_syn = s->answers >> KIND_SYN & 1 && truth_has_port(s, PING_SYN_PORT);
    bool asks_ack = s->answers >> KIND_ACK & 1 && truth_has_port(s, PING_ACK_PORT);
    return (asks_syn && (syn == TRUTH_OPEN || syn == TRUTH_CLOSED)) ||
           (asks_ack && (ack == TRUTH_OPEN || ack == TRUTH_CLOSED));
}

static void host_judge(const struct judge *judge, struct verdict *verdict, struct place place) {
    const struct settings *s = &judge->settings;
    enum said said = judge->said[truth_index(s, place.host, s->first_port)];
    bool up = is_up(s, place, place.host < s->hosts4);
    said_judge(verdict, said, up ? SAID_UP : SAID_DOWN);
    verdict->open_true += up;
    verdict->open_reachable += up;
    verdict->found += up && said == SAID_UP;
    verdict->false_open += !up && said == SAID_UP;
}

static struct place place_at(const struct judge *judge, uint32_t host) {
    const struct settings *s = &judge->settings;
    if (host < s->hosts4)
        return truth_place4(s, s->net + host);
    uint32_t n = host - s->hosts4;
    struct address6 address = {s->net6.high, s->net6.low + n};
    struct address6 chosen = judge->list.n ? judge->list.addresses[n] : address;
    struct place place = truth_place6(s, chosen.high, chosen.low);
    place.host = host;
    return place;
}

static void universe_judge(const struct judge *judge, struct verdict *verdict) {
    const struct settings *s = &judge->settings;
    for (uint32_t host = 0; host < truth_hosts(s); host++) {
        struct place place = place_at(judge, host);
        if (judge->technique->kind == KIND_PING)
            host_judge(judge, verdict, place);
        for (uint32_t i = 0; i < s->ports && judge->technique->kind != KIND_PING; i++)
            endpoint_judge(judge, verdict, place, s->first_port + i);
    }
}

static void verdict_print(const struct judge *judge, const struct verdict *v) {
#define FIELD(name, value) printf(",\"" name "\":%" PRIu64, (value))
    const struct settings *s = &judge->settings;
    printf("{\"endpoints\":%" PRIu64, judge->technique->kind == KIND_PING ? truth_hosts(s) : truth_endpoints(s));
    FIELD("open_true", v->open_true);
    FIELD("closed_true", v->closed_true);
    FIELD("open_reachable", v->open_reachable);
    FIELD("closed_reachable", v->closed_reachable);
    FIELD("found", v->found);
    printf(",\"recall\":%.9f", v->open_true ? (double)v->found / (double)v->open_true : 1.0);
    FIELD("closed_found", v->closed_found);
    FIELD("false", v->false_open);
    FIELD("right", v->right);
    FIELD("wrong_state", v->wrong_state);
    FIELD("undecided", v->undecided);
    FIELD("duplicate", judge->duplicate);
    FIELD("revised", judge->revised);
    FIELD("findings", judge->findings);
    FIELD("others", judge->others);
    FIELD("outside", judge->outside);
    FIELD("bad_lines", judge->bad_lines);
    FIELD("summaries", judge->summaries);
    FIELD("expected_frames", v->expected_frames);
    if (judge->endpoints) {
        FIELD("frames", v->frames);
        FIELD("answered", v->answered);
        FIELD("reset_twice", v->reset_twice);
        FIELD("probed_after_answer", v->probed_after_answer);
        FIELD("unprobed", v->unprobed);
        FIELD("overprobed", v->overprobed);
        FIELD("underprobed", v->underprobed);
    }
#undef FIELD
    printf("}\n");
}

int main(int argc, char **argv) {
    struct judge judge = {.settings = SETTINGS_INIT, .list = LIST6_INIT, .technique = technique_find("syn")};
    struct verdict verdict = {0};
    int code = options_read(&judge, argc, argv);
    if (code == 0) {
        judge.said = calloc((size_t)truth_endpoints(&judge.settings), 1);
        code = judge.said ? 0 : fail("memory", strerror(errno));
    }
    if (code == 0)
        code = endpoints_read(&judge);
    if (code == 0)
        code = findings_read(&judge);
    if (code == 0) {
        universe_judge(&judge, &verdict);
        verdict_print(&judge, &verdict);
    }
    free(judge.said);
    free(judge.endpoints);
    list6_deinit(&judge.list);
    return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
