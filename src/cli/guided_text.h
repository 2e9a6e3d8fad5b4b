/* Every word that the guided mode says, in both languages. A text holds {0}, {1} ... where values go; lines end with
 * their newline, questions without. */
#ifndef NOCTULE_CLI_GUIDED_TEXT_H
#define NOCTULE_CLI_GUIDED_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "probe/technique.h"

enum language { LANGUAGE_EN, LANGUAGE_ZH, LANGUAGE_COUNT };

enum guided_text {
    TEXT_USAGE,
    TEXT_USAGE_MORE,
    TEXT_BAD_OPTION,    /* the word */
    TEXT_BAD_LANGUAGE,  /* the word */
    TEXT_BAD_TIME,      /* the word */
    TEXT_NO_PRIVILEGE,  /* "-s -f" */
    TEXT_ASK_HOST,
    TEXT_ASK_RANGE,
    TEXT_ASK_BEGIN,
    TEXT_ASK_END,
    TEXT_BAD_HOST,      /* the answer */
    TEXT_NO_SUCH_ZONE,  /* the answer */
    TEXT_ZONE_MISSING,  /* the answer */
    TEXT_NOT_ONE_HOST,  /* the answer */
    TEXT_BAD_PORT,      /* the answer */
    TEXT_BAD_RANGE,     /* begin, end */
    TEXT_NO_ANSWER,
    TEXT_SCAN_HOST,     /* host, begin, end */
    TEXT_PING_ANSWERED, /* host */
    TEXT_PING_SILENT,   /* host, options of this run */
    TEXT_BEGIN_CONNECT, /* for each scan: begin, exit, finished, in this order */
    TEXT_EXIT_CONNECT,
    TEXT_FINISHED_CONNECT,
    TEXT_BEGIN_SYN,
    TEXT_EXIT_SYN,
    TEXT_FINISHED_SYN,
    TEXT_BEGIN_FIN,
    TEXT_EXIT_FIN,
    TEXT_FINISHED_FIN,
    TEXT_BEGIN_UDP,
    TEXT_EXIT_UDP,
    TEXT_FINISHED_UDP,
    TEXT_PORT,          /* host, port, state */
    TEXT_PORT_LIMITED,  /* host, port: the host limits its answers, and the time for it was over */
    TEXT_PORT_UNDECIDED,/* host, port, reason */
    TEXT_PORT_REVISED,  /* host, port, state now, state before */
    TEXT_FIN_HINT,
    TEXT_LIMITED_HINT,  /* how many ports are undecided for it */
    TEXT_LEFT_SECONDS,  /* seconds */
    TEXT_LEFT_MINUTES,  /* minutes, seconds */
    TEXT_HOST_DOWN,     /* reasons of a port that is undecided */
    TEXT_NO_WAY,
    TEXT_NOT_REACHED,
    TEXT_STOPPED,       /* ports that were not decided */
    TEXT_NO_ROUTE,      /* host */
    TEXT_FAILED,        /* the engine's line */
    TEXT_STATE,         /* + enum state: its name */

    /* --explain */
    TEXT_PORT_TITLE = TEXT_STATE + STATE_COUNT, /* port, state */
    TEXT_SENT,
    TEXT_SENT_LATER,    /* milliseconds after the first one */
    TEXT_RECEIVED,
    TEXT_UNSEEN_PRIVILEGE,
    TEXT_UNSEEN,
    TEXT_TOO_MANY,
    TEXT_WHY,           /* what came of the probe, the option, state */
    TEXT_WHY_ICMP,      /* the same, the error's reason, who sent it */
    TEXT_THE_HOST,      /* for who sent it */
    TEXT_OWN_PORT,
    TEXT_LIMITED,
    TEXT_OUTCOME,       /* + enum outcome: what came of a probe */
    TEXT_SILENCE_TCP = TEXT_OUTCOME + OUTCOME_COUNT,
    TEXT_SILENCE_FIN,
    TEXT_SILENCE_UDP,
    TEXT_RESET_FIN,
    TEXT_STATES_TITLE,
    TEXT_MEANS_OPEN,    /* the six states, in the order of enum state */
    TEXT_MEANS_CLOSED,
    TEXT_MEANS_FILTERED,
    TEXT_MEANS_UNFILTERED,
    TEXT_MEANS_OPEN_FILTERED,
    TEXT_MEANS_CLOSED_FILTERED,
    TEXT_LOGS_TITLE,
    TEXT_LOGS_CONNECT,
    TEXT_LOGS_SYN,
    TEXT_LOGS_FIN,
    TEXT_LOGS_UDP,
    TEXT_LOGS_ALL,
    TEXT_COUNT
};

/* The text as it stands in the table. */
const char *guided_text(enum language language, enum guided_text text);

/* Writes it, whole and at once, with its values: args[0] for {0} and so on, at most TEXT_ARGS_MAX; NULL where there are none. */
#define TEXT_ARGS_MAX 5u
void guided_say(FILE *f, enum language language, enum guided_text text, const char *const *args);

const char *guided_state(enum language language, enum state state);

/* "en", "zh". False where text is none of them. */
bool guided_language(const char *text, enum language *out);

#endif
