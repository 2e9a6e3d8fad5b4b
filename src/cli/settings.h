/* What the user asked for: a value filled from the table's fallbacks, config files, presets and the command line, in
 * this order. */
#ifndef NOCTULE_CLI_SETTINGS_H
#define NOCTULE_CLI_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "base/error.h"
#include "cli/options.h"
#include "plan/target.h"
#include "probe/probe.h"

#define RETRIES_AUTO UINT64_MAX /* as many as the measured loss needs */
#define RATE_AUTO UINT64_MAX    /* as fast as the path carries */
#define PPB UINT64_C(1000000000)

struct shard_setting {
    uint64_t i, n; /* 1 <= i <= n */
};

struct mac_setting {
    bool given;
    uint8_t mac[6];
};

struct source_setting {
    addr_t v4, v6; /* 0 = by route */
};

struct tcp_flags_setting {
    bool given;
    uint8_t flags;
};

struct ping_setting {
    struct ping_part parts[PROBE_PARTS_MAX];
    unsigned n; /* 0: none asked for */
};

/* Targets in the order they were named; those that are host names wait for their resolution. */
struct target_words {
    struct array targets; /* struct target */
    struct array names;   /* const char *, owned by the settings */
};

/* One option as it was given: what --echo prints. */
struct given {
    const struct option *option;
    char *text;
};

struct settings {
    struct target_words targets, exclude;
    struct array input_files, exclude_files; /* const char *; "-" is stdin */
    struct port_spec ports, exclude_ports;
    uint64_t top_ports; /* 0 = not asked for */
    bool yes_to_all;
    uint64_t seed;
    struct shard_setting shard;
    uint64_t sample; /* 0 = everything */

    uint32_t techniques; /* bit 1 << enum technique_id; 0: none was asked for, which is a SYN scan, or connecting */
    bool only_v6;        /* of what a host name resolves to */
    bool alive, no_discovery;
    struct ping_setting ping;
    struct tcp_flags_setting scanflags;
    bool amplifiers;
    bool no_reset;
    uint64_t ttl;

    uint64_t wire;               /* enum scan_wire_choice */
    uint64_t senders;            /* threads that only send */
    uint64_t rate_milli_pps;     /* or RATE_AUTO, */
    uint64_t max_rate_milli_pps; /* of which this is the cap */
    uint64_t bandwidth_bps;      /* 0 = none */
    uint64_t retries;  /* or RETRIES_AUTO */
    uint64_t miss_ppb; /* share that may be missed, in parts per 10^9; 0 = by the size of the scan */
    uint64_t timeout_ns, wait_ns; /* 0 = by round-trip time */
    uint64_t host_timeout_ns;     /* 0 = for ever */
    uint64_t max_results, max_runtime_ns; /* 0 = no limit */

    const char *interface;
    struct source_setting source_ip;
    uint64_t source_port; /* 0 = chosen */
    struct mac_setting source_mac, gateway_mac;
    bool unprivileged, privileged;

    struct array outputs; /* const char * */
    bool open;
    uint16_t show; /* 0: not asked for; see settings_show() */
    bool packet_trace;
    const char *pcap;
    uint64_t verbose;
    bool quiet;

    struct array configs; /* const char * */
    bool dry_run, echo;
    const char *completion;
    bool help, version;

    struct array given; /* struct given, in the order of their coming */
};

/* Fills in the table's fallbacks. Returns 0 or -ENOMEM with a line. */
int settings_init(struct settings *s, struct error *e);
void settings_deinit(struct settings *s);

/* Reads text as the table says and stores it; text may go away afterwards. Negative errno with a line of the form
 * "expected ..., not "text""; the caller puts before it where the text came from. */
int settings_set(struct settings *s, const struct option *o, const char *text, struct error *e);

/* As if this option, which has a fallback and does not repeat, had not been given so far. */
int settings_forget(struct settings *s, const struct option *o, struct error *e);

/* Was this option (by its long name) given in a file or on the command line? */
bool settings_given(const struct settings *s, const char *name);

/* What only the whole can show: options that exclude each other, nothing to scan. -EINVAL with a line. */
int settings_check(const struct settings *s, struct error *e);

/* The first given option that a connect scan could not honour, or NULL. */
const struct option *settings_raw_option(const struct settings *s);

/* The states to show, bit 1 << enum state: those asked for, or what these techniques are asked for. */
uint16_t settings_show(const struct settings *s);

/* Are hosts to be pinged first, and only those that answer be scanned? */
bool settings_discovers(const struct settings *s);

/* Appends "(what another tool means by the option)", where there is such a meaning, to the line. Returns code. */
int settings_add_clash(const struct option *o, int code, struct error *e);

#endif
