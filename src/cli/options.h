/* The one table of options. Parsing, --help, the man page, config files, --echo and shell completion all read it, so an
 * option is added in one place. */
#ifndef NOCTULE_CLI_OPTIONS_H
#define NOCTULE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands behind an option, and thus the type of its place in struct settings. */
enum option_kind {
    KIND_FLAG,      /* bool; "yes", "no", "true", "false" where a value is written */
    KIND_COUNT,     /* uint64_t, raised each time the option stands there */
    KIND_NUMBER,    /* uint64_t, lo..hi */
    KIND_RATE,      /* uint64_t in thousandths, lo..hi; "0.1", "10k"; or RATE_AUTO */
    KIND_RATE_CAP,  /* the same, but a number */
    KIND_BITS,      /* uint64_t, lo..hi; "10M" */
    KIND_RETRIES,   /* uint64_t, lo..hi, or RETRIES_AUTO */
    KIND_SHARE,     /* uint64_t, parts per thousand million; "0.1%", "0.001" */
    KIND_DURATION,  /* uint64_t in ns, lo..hi */
    KIND_SHARD,     /* struct shard_setting, "I/N" */
    KIND_TEXT,      /* const char * */
    KIND_WORDS,     /* struct array of const char *, one more each time */
    KIND_TARGETS,   /* struct target_words, one more each time */
    KIND_PORTS,     /* struct port_spec, adding up */
    KIND_SOURCE,    /* struct source_setting, one address of each family */
    KIND_MAC,       /* struct mac_setting */
    KIND_CHOICE,    /* uint64_t, the number of the word among `choices` */
    KIND_STATES,    /* uint16_t, bit 1 << enum state */
    KIND_TECHNIQUE, /* uint32_t, bit 1 << lo, lo being an enum technique_id; a flag otherwise */
    KIND_TCP_FLAGS, /* struct tcp_flags_setting; "SYNFIN", "0x12" */
    KIND_PING,      /* struct ping_setting, one more part of kind lo; a flag otherwise */
    KIND_PING_PORTS, /* the same with ports, which stand right behind the word or the '=', or are the port hi */
    KIND_PRESET,    /* no place: the word given stands for values of other options */
    KIND_COUNT_OF_KINDS,
};

enum option_group {
    GROUP_TARGETS, GROUP_TECHNIQUES, GROUP_PROBES, GROUP_PACE, GROUP_ROUTE, GROUP_OUTPUT, GROUP_RUN, GROUP_WORDS,
    GROUP_COUNT
};

enum option_flag {
    OPTION_COMMAND_LINE = 1 << 0, /* no config key */
    OPTION_RAW = 1 << 1,          /* shapes or shows raw packets: of no use to a connect scan */
    OPTION_PORTS_OK = 1 << 2,     /* KIND_TARGETS: "ip:port" may stand there */
    OPTION_UNIT = 1 << 3,         /* KIND_DURATION: only with its unit, since other tools mean another one */
};

/* A word that a KIND_PRESET option takes, and what it stands for: "name=value" of other options, with blanks between.
 * Ends with a word of NULL. One without a metavar has the one word "yes". */
struct preset {
    const char *word, *means;
};

struct option {
    const char *name;     /* "exclude-file": behind two dashes or one, and the config key */
    const char *aliases;  /* other names, blank-separated, or NULL; letters and words for one dash among them */
    const char *dash;     /* behind one dash: a letter, or a word as nmap has them ("sS", "iL"); NULL = none */
    enum option_kind kind;
    enum option_group group;
    const char *metavar;  /* "FILE"; NULL for flags; "[PORTS]" where the value may be left out */
    const char *fallback; /* the value where none is given, read like the user's; NULL = zero */
    uint64_t lo, hi;      /* of the stored number */
    const struct preset *presets;
    const char *choices;  /* KIND_CHOICE: blank-separated */
    size_t at;            /* offset in struct settings */
    unsigned flags;       /* enum option_flag */
    const char *help;     /* one line */
    const char *more;     /* what the man page adds, or NULL */
    const char *clash;    /* "ZMap's -n N is --sample N": what another tool means by the same word; or NULL */
};

extern const struct option options[];
extern const size_t option_count;

const char *option_group_title(enum option_group g);

/* May it stand more than once, each time adding? Of others the last one counts. */
bool option_repeats(const struct option *o);
bool option_takes_value(const struct option *o);
/* ... which may be left out? */
bool option_value_optional(const struct option *o);

/* n bytes at name: a long name or alias, without dashes. NULL = none. */
const struct option *option_by_name(const char *name, size_t n);
/* n bytes behind a single dash, matched whole: "p", "sS", an alias. */
const struct option *option_by_dash(const char *word, size_t n);
/* "PS22,80": the option whose ports stand right behind its word, and in *n how long that word is. NULL = none. */
const struct option *option_by_start(const char *word, size_t *n);
/* The option whose long name or alias is nearest by edit distance, and that name in *name; NULL when all are too
 * far to be meant. */
const struct option *option_nearest(const char *word, size_t n, const char **name, size_t *name_n);

/* Steps through blank-separated words: *at is the rest; returns the next word and its length in *n, or NULL. */
const char *option_next_word(const char **at, size_t *n);
/* Are the n bytes at s one of the blank-separated words? NULL are none. */
bool option_among(const char *words, const char *s, size_t n);

#endif
