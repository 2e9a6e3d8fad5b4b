/* The judge compares what a scanner found in the synthetic internet with what is true there.
 *
 *     judge [settings of the world] [--retries N] [--endpoints endpoints.bin] FINDINGS.jsonl
 *
 * FINDINGS holds one flat JSON object a line; objects with "type" are no findings; one with "revises" replaces what was
 * said before of the same endpoint. Prints one JSON object:
 *
 *   endpoints, open_true, closed_true   in the universe
 *   open_reachable, closed_reachable    of these, those that at least one of N+1 probes brings to answer
 *   found, recall, closed_found         endpoints whose last record is true
 *   false          said to be open, but not
 *   wrong_state    said to be anything else that a scanner with N retries would not say
 *   duplicate      records that repeat an endpoint without revising it
 *   revised, findings, outside (findings beyond the universe), bad_lines, summaries
 *   expected_frames    probes of a scanner that stops at the answer, if only the world's loss takes frames away
 *   frames             SYNs that came to the endpoints (with --endpoints; the following, too)
 *   answered, reset_twice
 *   probed_after_answer  endpoints that got more probes after the one whose answer was let through first
 *   unprobed, overprobed, underprobed   endpoints with no, more and fewer probes than expected_frames counts */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

/* What the scanner said last of an endpoint. */
enum said { SAID_NOTHING, SAID_OPEN, SAID_CLOSED, SAID_FILTERED, SAID_OTHER };

struct judge {
    struct settings settings;
    const char *findings_path, *endpoints_path;
    uint64_t retries;
    uint8_t *said;              /* enum said an endpoint */
    struct endpoint *endpoints; /* NULL without --endpoints */
    uint64_t findings, duplicate, revised, outside, bad_lines, summaries;
};

/* What a scanner that stops at the answer lives to see of one endpoint. */
struct course {
    uint32_t probes;
    bool answered;
};

struct verdict {
    uint64_t open_true, closed_true, open_reachable, closed_reachable, found, closed_found, false_open, wrong_state;
    uint64_t expected_frames, frames, answered, reset_twice, probed_after_answer, unprobed, overprobed, underprobed;
};

static int fail(const char *what, const char *why) {
    fprintf(stderr, "judge: %s: %s\n", what, why);
    return -1;
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
        int code = 0;
        if (strcmp(name, "--retries") == 0)
            code = number_parse(value, 0, 100, &judge->retries);
        else if (strcmp(name, "--endpoints") == 0)
            judge->endpoints_path = value;
        else
            code = settings_option(&judge->settings, name, value);
        if (code)
            return fail(name, code == -ENOENT ? "unknown option" : "bad value");
    }
    const char *fault = settings_fault(&judge->settings);
    if (fault)
        return fail("settings", fault);
    return judge->findings_path ? 0 : fail("usage", "judge [settings] [--retries N] [--endpoints FILE] FINDINGS");
}

static enum said said_from(const char *state) {
    if (strcmp(state, "open") == 0)
        return SAID_OPEN;
    if (strcmp(state, "closed") == 0)
        return SAID_CLOSED;
    return strcmp(state, "filtered") == 0 ? SAID_FILTERED : SAID_OTHER;
}

static int finding_take(struct judge *judge, json_t *record) {
    struct in_addr in;
    const char *ip = json_string_value(json_object_get(record, "ip"));
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *proto = json_string_value(json_object_get(record, "proto"));
    json_t *port_value = json_object_get(record, "port");
    json_int_t port = json_integer_value(port_value);
    if (!ip || !state || !proto || strcmp(proto, "tcp") != 0 || inet_pton(AF_INET, ip, &in) != 1 ||
        !json_is_integer(port_value) || port < 0 || port > 65535)
        return -EINVAL;
    judge->findings++;
    uint32_t address = ntohl(in.s_addr);
    if (!truth_has(&judge->settings, address, (uint32_t)port)) {
        judge->outside++;
        return 0;
    }
    uint8_t *said = &judge->said[truth_index(&judge->settings, address, (uint32_t)port)];
    bool revises = json_object_get(record, "revises") != NULL;
    judge->revised += revises;
    judge->duplicate += *said != SAID_NOTHING && (!revises || *said == said_from(state));
    *said = (uint8_t)said_from(state);
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
    size_t n = (size_t)truth_endpoints(&judge->settings);
    FILE *file = fopen(judge->endpoints_path, "rb");
    if (!file)
        return fail(judge->endpoints_path, strerror(errno));
    judge->endpoints = calloc(n, sizeof(*judge->endpoints));
    bool whole = judge->endpoints && fread(judge->endpoints, sizeof(*judge->endpoints), n, file) == n &&
                 fgetc(file) == EOF;
    fclose(file);
    return whole ? 0 : fail(judge->endpoints_path, "not the tallies of a world with these settings");
}

static struct course course_of(const struct judge *judge, uint32_t address, uint32_t port, enum truth_state truth) {
    const struct settings *s = &judge->settings;
    struct course course = {0};
    while (!course.answered && course.probes <= judge->retries) {
        course.probes++;
        course.answered = truth != TRUTH_SILENT && !truth_lost_out(s, address, port, course.probes) &&
                          !truth_lost_in(s, address, port, course.probes);
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

static void endpoint_judge(const struct judge *judge, struct verdict *verdict, uint32_t address, uint32_t port) {
    enum truth_state truth = truth_state(&judge->settings, address, port);
    uint64_t index = truth_index(&judge->settings, address, port);
    struct course course = course_of(judge, address, port, truth);
    enum said said = judge->said[index];
    enum said due = !course.answered            ? SAID_FILTERED
                    : truth == TRUTH_OPEN       ? SAID_OPEN
                    : truth == TRUTH_CLOSED     ? SAID_CLOSED
                                                : SAID_FILTERED;
    verdict->expected_frames += course.probes;
    verdict->open_true += truth == TRUTH_OPEN;
    verdict->closed_true += truth == TRUTH_CLOSED;
    verdict->open_reachable += due == SAID_OPEN;
    verdict->closed_reachable += due == SAID_CLOSED;
    verdict->found += truth == TRUTH_OPEN && said == SAID_OPEN;
    verdict->closed_found += truth == TRUTH_CLOSED && said == SAID_CLOSED;
    verdict->false_open += truth != TRUTH_OPEN && said == SAID_OPEN;
    verdict->wrong_state += said != SAID_NOTHING && said != SAID_OPEN && said != due;
    if (judge->endpoints)
        tally_judge(verdict, judge->endpoints[index].tally, &course);
}

static void verdict_print(const struct judge *judge, const struct verdict *v) {
#define FIELD(name, value) printf(",\"" name "\":%" PRIu64, (value))
    printf("{\"endpoints\":%" PRIu64, truth_endpoints(&judge->settings));
    FIELD("open_true", v->open_true);
    FIELD("closed_true", v->closed_true);
    FIELD("open_reachable", v->open_reachable);
    FIELD("closed_reachable", v->closed_reachable);
    FIELD("found", v->found);
    printf(",\"recall\":%.9f", v->open_true ? (double)v->found / (double)v->open_true : 1.0);
    FIELD("closed_found", v->closed_found);
    FIELD("false", v->false_open);
    FIELD("wrong_state", v->wrong_state);
    FIELD("duplicate", judge->duplicate);
    FIELD("revised", judge->revised);
    FIELD("findings", judge->findings);
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
    struct judge judge = {.settings = SETTINGS_INIT};
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
        const struct settings *s = &judge.settings;
        for (uint32_t host = 0; host < s->hosts; host++) {
            for (uint32_t port = 1; port <= s->ports; port++)
                endpoint_judge(&judge, &verdict, s->net + host, port);
        }
        verdict_print(&judge, &verdict);
    }
    free(judge.said);
    free(judge.endpoints);
    return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
