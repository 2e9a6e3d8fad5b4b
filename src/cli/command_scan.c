/* A scan from the command line to the exit status. */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "cli/arguments.h"
#include "cli/closing.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/dry_run.h"
#include "cli/help.h"
#include "cli/inputs.h"
#include "cli/watch.h"
#include "probe/technique.h"

#define BIT(technique) (UINT32_C(1) << (technique))
#define RETRIES_CONNECT 3u /* what --retries auto means to a connect scan, whose kernel re-sends by itself */
#define RATE_AUTO_MIN 1000u    /* 1/1000 pps: a lower cap is the rate, since there is nothing below to choose from */
#define SEED_BITS 53           /* a drawn seed fits the numbers of every JSON reader */
#define GROUPED_HOSTS_MAX 64u  /* "few hosts": their findings are listed by host at the end, on a terminal */

/* One run; everything in it is alive until the end. */
struct run {
    int argc;
    char *const *argv;
    struct settings settings;
    bool seed_given;
    struct console console;
    struct names names;
    struct plan *plan;
    struct scan_config config;
    struct report_config report_config;
    struct report *report;
    struct watch watch;
    struct summary sum;
    bool connects; /* by the kernel's connections, not raw packets */
    bool scanned;  /* sum is filled in */
};

static int draw_seed(struct settings *s, struct error *e) {
    uint64_t seed = 0;
    char text[24];
    int code = random_bytes(&seed, sizeof seed);
    if (code < 0)
        return error_set(e, code, "no random seed from the kernel: %s", strerror(-code));
    snprintf(text, sizeof text, "%" PRIu64, seed >> (64 - SEED_BITS));
    return settings_set(s, option_by_name("seed", 4), text, e);
}

/* What only this machine can tell of the settings. */
static int check_machine(const struct settings *s, struct error *e) {
    if (!s->interface || if_nametoindex(s->interface) > 0)
        return 0;
    error_set(e, -EINVAL, "--interface: expected a network interface of this machine, not \"%.60s\"", s->interface);
    return settings_add_clash(option_by_name("interface", 9), -EINVAL, e);
}

/* What a ping consists of where nobody said: what most hosts answer, one way or another. */
static const struct ping_part usual_ping[] = {
    {.kind = PING_ECHO}, {.kind = PING_SYN, .port = 443}, {.kind = PING_ACK, .port = 80}, {.kind = PING_TIMESTAMP},
};
static const struct ping_part connecting_ping[] = {
    {.kind = PING_SYN, .port = 80}, {.kind = PING_SYN, .port = 443},
};

static void fill_ping(struct run *r) {
    const struct ping_setting *asked = &r->settings.ping;
    const struct ping_part *parts = asked->n ? asked->parts : r->connects ? connecting_ping : usual_ping;
    unsigned n = asked->n;
    if (n == 0)
        n = r->connects ? sizeof connecting_ping / sizeof *connecting_ping : sizeof usual_ping / sizeof *usual_ping;
    memcpy(r->config.ping, parts, n * sizeof *parts);
    r->config.n_ping = n;
}

static void fill_config(struct run *r) {
    const struct settings *s = &r->settings;
    bool bandwidth = s->bandwidth_bps > 0, automatic = s->rate_milli_pps == RATE_AUTO && !bandwidth;
    r->config = (struct scan_config){
        .plan = r->plan,
        .seed = s->seed,
        .seed_given = r->seed_given,
        .shard = s->shard.i,
        .shards = s->shard.n,
        .sample = s->sample,
        .rate_milli_pps = bandwidth ? 0 : automatic ? s->max_rate_milli_pps : s->rate_milli_pps,
        .rate_auto = automatic && s->max_rate_milli_pps >= RATE_AUTO_MIN,
        .bandwidth_bps = s->bandwidth_bps,
        .rate_default = automatic && !settings_given(s, "max-rate"),
        .retries = s->retries == RETRIES_AUTO ? RETRIES_CONNECT : (unsigned)s->retries,
        .retries_auto = s->retries == RETRIES_AUTO,
        .miss = (double)s->miss_ppb / (double)PPB,
        .wire = (enum scan_wire_choice)s->wire,
        .senders = (unsigned)s->senders,
        .timeout_ns = s->timeout_ns,
        .wait_ns = s->wait_ns,
        .ifname = s->interface,
        .source_v4 = s->source_ip.v4,
        .source_v6 = s->source_ip.v6,
        .source_port = (uint16_t)s->source_port,
        .gateway_mac_given = s->gateway_mac.given,
        .source_mac_given = s->source_mac.given,
        .ttl = (uint8_t)s->ttl,
        .flags_given = s->scanflags.given,
        .flags = s->scanflags.flags,
        .amplifiers = s->amplifiers,
        .discover = settings_discovers(s),
        .host_timeout_ns = s->host_timeout_ns,
        .no_reset = s->no_reset,
        .max_runtime_ns = s->max_runtime_ns,
        .show = settings_show(s),
        .pcap_path = s->pcap,
        .frames = s->packet_trace ? console_trace : NULL,
        .note = console_note,
        .details = s->verbose > 0,
        .ctx = &r->console,
        .stop = &r->watch.stop,
    };
    memcpy(r->config.gateway_mac, s->gateway_mac.mac, sizeof r->config.gateway_mac);
    memcpy(r->config.source_mac, s->source_mac.mac, sizeof r->config.source_mac);
    fill_ping(r);
}

static int open_report(struct run *r, struct error *e) {
    const struct settings *s = &r->settings;
    r->report_config = (struct report_config){
        .outputs = s->outputs.items,
        .n_outputs = (unsigned)s->outputs.n,
        .show = settings_show(s),
        .group_by_host = isatty(STDOUT_FILENO) && plan_addresses(r->plan) <= GROUPED_HOSTS_MAX,
        .max_results = s->max_results,
        .name_of = names_of,
        .name_ctx = &r->names,
    };
    int code = report_create(&r->report_config, SCAN_QUEUES, &r->report, e);
    if (code == 0)
        watch_report(&r->watch, r->report);
    r->config.report = r->report;
    return code;
}

/* The first of those that were asked for; there is one. */
static const struct technique *technique_asked(const struct settings *s) {
    unsigned id = 0;
    while (!(s->techniques >> id & 1))
        id++;
    return &techniques[id];
}

/* -EACCES may also be about the capture file, or a source port below 1024: then the line says so. */
static bool lacks_privilege(const struct settings *s, int code) {
    return code == -EPERM || (code == -EACCES && !s->pcap && !s->source_port);
}

/* From here on the kernel connects: the plan's slots and the pings follow. */
static void connect_instead(struct run *r) {
    if (!(r->settings.techniques & (BIT(TECHNIQUE_CONNECT) | BIT(TECHNIQUE_PING))))
        plan_retell(r->plan, TECHNIQUE_SYN, TECHNIQUE_CONNECT);
    r->connects = true;
    fill_ping(r);
}

/* Without the privilege for raw packets: 0 when the user named nothing that only raw packets can do, so that connecting
 * is a way out; else an error. */
static int may_connect(struct run *r, int code, struct error *e) {
    const struct settings *s = &r->settings;
    const struct option *raw = settings_raw_option(s);
    uint32_t only_raw = s->techniques & ~BIT(TECHNIQUE_PING);
    if (s->wire == SCAN_WIRE_XDP)
        return error_set(e, code, "--wire xdp needs the capabilities CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF and "
                         "CAP_PERFMON: use sudo, or once \"setcap cap_net_raw,cap_net_admin,cap_bpf,cap_perfmon+ep\" on "
                         "this program");
    if (only_raw || raw || s->privileged) {
        const char *what = only_raw ? technique_asked(s)->option : raw ? raw->name : "privileged";
        return error_set(e, code, "%s%s needs the capabilities CAP_NET_RAW and CAP_NET_ADMIN: use sudo, or once "
                         "\"setcap cap_net_raw,cap_net_admin+ep\" on this program%s", only_raw ? "" : "--", what,
                         raw || s->privileged ? "" : ", or scan with -sT");
    }
    console_note(&r->console, "no privilege for raw packets (CAP_NET_RAW, CAP_NET_ADMIN): "
                              "connecting instead, which is slower (-sT)");
    connect_instead(r);
    return 0;
}

/* One of the two: routes, ports and sockets of a raw scan; or a scan by connections. */
struct prepared {
    struct scan *raw;
    struct connect_scan *connect;
};

static int prepare_scan(struct run *r, struct prepared *p, struct error *e) {
    if (!r->connects) {
        int code = scan_create(&r->config, &p->raw, e);
        code = lacks_privilege(&r->settings, code) ? may_connect(r, code, e) : code;
        if (code < 0 || !r->connects)
            return code;
    }
    return connect_create(&r->config, 0, &p->connect, e);
}

static void progress_of_scan(void *scan, struct scan_progress *out) {
    scan_progress(scan, out);
}

static void progress_of_connect(void *connect, struct scan_progress *out) {
    connect_progress(connect, out);
}

static int run_scan(struct run *r, const struct prepared *p, struct error *e) {
    int code;
    r->scanned = true;
    if (p->connect) {
        watch_progress(&r->watch, progress_of_connect, p->connect);
        code = connect_run(p->connect, r->report, &r->sum, e);
    } else {
        watch_progress(&r->watch, progress_of_scan, p->raw);
        code = scan_run(p->raw, r->report, &r->sum, e);
        r->scanned = code != -ENOTUNIQ; /* -S belongs to somebody: found out before the first probe */
    }
    watch_progress(&r->watch, NULL, NULL);
    return code;
}

/* Do the findings go to stdout? Then a reader that has gone is nothing to complain about. */
static bool writes_stdout(const struct settings *s) {
    const char *const *word = s->outputs.items;
    for (size_t i = 0; i < s->outputs.n; i++) {
        size_t n = strlen(word[i]);
        if (strcmp(word[i], "-") == 0 || (n > 2 && strcmp(word[i] + n - 2, ":-") == 0))
            return true;
    }
    return s->outputs.n == 0;
}

static void fill_summary(struct run *r) {
    r->sum.version = NOCTULE_VERSION;
    r->sum.argc = r->argc;
    r->sum.argv = (const char *const *)r->argv;
}

/* Closes the outputs; of two errors the scan's own is the one that is told. */
static int close_report(struct run *r, int code, struct error *e) {
    struct error late = ERROR_INIT;
    console_clear(&r->console);
    int closed = report_close(r->report, r->scanned ? &r->sum : NULL, &late);
    watch_report(&r->watch, NULL);
    report_free(r->report);
    if (closed < 0 && code == 0)
        *e = late;
    return code < 0 ? code : closed;
}

static void say_closing(struct run *r) {
    struct closing how = {
        .ports = r->settings.techniques != BIT(TECHNIQUE_PING),
        .show = r->config.show,
        .verbose = r->settings.verbose > 0,
    };
    closing_words(&r->console, &r->sum, &how);
}

static int scan_and_report(struct run *r) {
    struct error e = ERROR_INIT;
    struct prepared p = {.raw = NULL};
    int code = watch_start(&r->watch, &r->console, &e);
    /* Outputs are opened last: a scan that cannot start leaves the results of an earlier one alone. */
    if (code == 0 && (code = prepare_scan(r, &p, &e)) == 0 && (code = open_report(r, &e)) == 0) {
        code = run_scan(r, &p, &e);
        fill_summary(r);
        code = close_report(r, code, &e);
    }
    scan_free(p.raw);
    connect_free(p.connect);
    watch_stop(&r->watch);
    if (r->scanned)
        say_closing(r);
    if (code < 0 && !(code == -EPIPE && writes_stdout(&r->settings)))
        console_error(&r->console, e.text);
    if (code < 0)
        return r->scanned ? EXIT_FAILED : EXIT_NOT_STARTED;
    int signal = atomic_load(&r->watch.signal);
    return signal ? EXIT_SIGNALLED + signal : EXIT_COMPLETE;
}

static void note_special(struct run *r) {
    char text[GROUPED_MAX];
    uint64_t n = (uint64_t)plan_special_removed(r->plan);
    if (n > 0)
        console_notef(&r->console, "%s addresses of special-use ranges are left out", progress_grouped(n, text));
}

/* The plan stands: prints it, or scans it. Returns an exit status, or a negative errno with a line. */
static int carry_out(struct run *r, struct error *e) {
    const struct settings *s = &r->settings;
    fill_config(r);
    if (s->unprivileged || s->techniques & BIT(TECHNIQUE_CONNECT))
        connect_instead(r);
    if (s->dry_run) {
        int code = dry_run(&r->config, STDOUT_FILENO, e);
        if (code == -EPIPE)
            return EXIT_FAILED;
        return code < 0 ? code : EXIT_COMPLETE;
    }
    int code = inputs_check_size(s, r->plan, e);
    if (code == 0)
        code = check_machine(s, e);
    if (code < 0)
        return code;
    note_special(r);
    return scan_and_report(r);
}

/* Documents on stdout. */
static int print(void (*document)(FILE *f)) {
    document(stdout);
    return fflush(stdout) == 0 ? EXIT_COMPLETE : EXIT_FAILED;
}

static void print_version(FILE *f) {
    fprintf(f, "noctule %s\n", NOCTULE_VERSION);
}

static int complete(const char *shell, struct error *e) {
    if (strcmp(shell, "bash") != 0)
        return error_set(e, -EINVAL, "--completion: expected bash, not \"%.60s\"", shell);
    return print(help_completion);
}

static int echo(struct settings *s) {
    return config_echo(s, stdout) < 0 ? EXIT_FAILED : EXIT_COMPLETE;
}

/* Returns an exit status, or a negative errno with a line: nothing was sent then. */
static int run(struct run *r, int first, bool ping, struct error *e) {
    struct settings *s = &r->settings;
    int code = settings_init(s, e);
    if (code == 0 && ping)
        code = settings_set(s, option_by_name("ping", 4), "yes", e);
    if (code == 0)
        code = arguments_read(r->argc - first, r->argv + first, s, e);
    if (code < 0)
        return code;
    if (s->help)
        return print(help_print);
    if (s->version)
        return print(print_version);
    if (s->completion)
        return complete(s->completion, e);
    r->console.quiet = s->quiet;
    r->console.terminal = !s->quiet && isatty(STDERR_FILENO);
    r->seed_given = settings_given(s, "seed");
    code = settings_check(s, e);
    if (code == 0 && !r->seed_given)
        code = draw_seed(s, e);
    if (code < 0)
        return code;
    if (s->echo)
        return echo(s);
    code = inputs_plan(s, &r->names, &r->plan, e);
    return code < 0 ? code : carry_out(r, e);
}

static int run_to_status(int argc, char *const *argv, int first, bool ping) {
    struct error e = ERROR_INIT;
    struct run r = {.argc = argc, .argv = argv, .console = CONSOLE_INIT, .watch = WATCH_INIT};
    r.names = NAMES_INIT(&r.console);
    signal(SIGPIPE, SIG_IGN); /* write(2) says EPIPE */
    int status = run(&r, first, ping, &e);
    if (status < 0) {
        console_error(&r.console, e.text);
        status = EXIT_NOT_STARTED;
    }
    plan_free(r.plan);
    names_deinit(&r.names);
    settings_deinit(&r.settings);
    return status;
}

int command_scan(int argc, char *const *argv, int first) {
    return run_to_status(argc, argv, first, false);
}

int command_ping(int argc, char *const *argv, int first) {
    return run_to_status(argc, argv, first, true);
}
