#include "cli/guided_explain.h"

/* What an ICMP error's own reason says of the outcome. */
static enum outcome outcome_of_error(enum reason reason, bool reported) {
    if (reported)
        return OUTCOME_ICMP_ERROR;
    return reason == REASON_PORT_UNREACH    ? OUTCOME_PORT_UNREACH
           : reason == REASON_PROTO_UNREACH ? OUTCOME_PROTO_UNREACH
                                            : OUTCOME_TARGET_ERROR;
}

enum outcome explain_outcome(enum technique_id technique, struct verdict v, bool reported) {
    const struct verdict *on = techniques[technique].on;
    for (unsigned i = 0; i < OUTCOME_COUNT; i++)
        if (on[i].state == v.state && on[i].reason == v.reason)
            return (enum outcome)i;
    return outcome_of_error(v.reason, reported);
}

static bool is_error(enum outcome o) {
    return o == OUTCOME_PORT_UNREACH || o == OUTCOME_PROTO_UNREACH || o == OUTCOME_TARGET_ERROR ||
           o == OUTCOME_ICMP_ERROR;
}

/* What came of the probe, in the words that fit the technique. */
static enum guided_text words_for(enum technique_id technique, enum outcome o) {
    static const struct {
        enum technique_id technique;
        enum outcome outcome;
        enum guided_text text;
    } special[] = {
        {TECHNIQUE_CONNECT, OUTCOME_SILENCE, TEXT_SILENCE_TCP}, {TECHNIQUE_SYN, OUTCOME_SILENCE, TEXT_SILENCE_TCP},
        {TECHNIQUE_FIN, OUTCOME_SILENCE, TEXT_SILENCE_FIN},     {TECHNIQUE_UDP, OUTCOME_SILENCE, TEXT_SILENCE_UDP},
        {TECHNIQUE_FIN, OUTCOME_RESET, TEXT_RESET_FIN},         {TECHNIQUE_FIN, OUTCOME_RESET_WINDOW, TEXT_RESET_FIN},
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (special[i].technique == technique && special[i].outcome == o)
            return special[i].text;
    return TEXT_OUTCOME + o;
}

/* The letter under which the guided mode has the technique. */
static const char *option_of(enum technique_id technique) {
    switch (technique) {
    case TECHNIQUE_CONNECT: return "-c";
    case TECHNIQUE_SYN: return "-s";
    case TECHNIQUE_FIN: return "-f";
    default: return "-u";
    }
}

static void explain_why(FILE *f, enum language language, const struct explanation *of) {
    if (of->verdict.reason == REASON_OWN_PORT || of->verdict.reason == REASON_RATE_LIMITED) {
        guided_say(f, language, of->verdict.reason == REASON_OWN_PORT ? TEXT_OWN_PORT : TEXT_LIMITED, NULL);
        return;
    }
    if (of->verdict.state == STATE_UNKNOWN)
        return;
    enum outcome o = explain_outcome(of->technique, of->verdict, of->reporter != 0);
    char sender[ADDR_STRLEN];
    const char *const args[TEXT_ARGS_MAX] = {
        guided_text(language, words_for(of->technique, o)), option_of(of->technique),
        guided_state(language, of->verdict.state), reason_name(of->verdict.reason),
        of->reporter ? addr_format(of->reporter, sender) : guided_text(language, TEXT_THE_HOST),
    };
    guided_say(f, language, is_error(o) ? TEXT_WHY_ICMP : TEXT_WHY, args);
}

void explain_port(FILE *f, enum language language, const struct record *record, const struct explanation *of) {
    char port[8];
    snprintf(port, sizeof port, "%u", of->port);
    guided_say(f, language, TEXT_PORT_TITLE, (const char *const[]){port, guided_state(language, of->verdict.state)});
    if (of->unseen)
        guided_say(f, language, TEXT_UNSEEN_PRIVILEGE, NULL);
    else if (record_print(record, f, language, of->port) == 0 && of->verdict.reason != REASON_OWN_PORT)
        guided_say(f, language, record->lost ? TEXT_TOO_MANY : TEXT_UNSEEN, NULL);
    explain_why(f, language, of);
}

void explain_end(FILE *f, enum language language, uint32_t techniques_run) {
    static const struct {
        enum technique_id technique;
        enum guided_text text;
    } logs[] = {{TECHNIQUE_CONNECT, TEXT_LOGS_CONNECT},
                {TECHNIQUE_SYN, TEXT_LOGS_SYN},
                {TECHNIQUE_FIN, TEXT_LOGS_FIN},
                {TECHNIQUE_UDP, TEXT_LOGS_UDP}};
    guided_say(f, language, TEXT_STATES_TITLE, NULL);
    for (enum guided_text t = TEXT_MEANS_OPEN; t <= TEXT_MEANS_CLOSED_FILTERED; t++)
        guided_say(f, language, t, NULL);
    guided_say(f, language, TEXT_LOGS_TITLE, NULL);
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++)
        if (techniques_run & UINT32_C(1) << logs[i].technique)
            guided_say(f, language, logs[i].text, NULL);
    guided_say(f, language, TEXT_LOGS_ALL, NULL);
}
