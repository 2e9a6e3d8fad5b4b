#include "cli/guided.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "cli/command.h"
#include "cli/guided_explain.h"
#include "cli/guided_run.h"

/* What the command line asks for, before anything is looked at. */
struct wishes {
    bool help, more; /* -h; --help, which tells of every option */
    bool any;        /* a scan was named */
    const char *language, *host_timeout;
};

static struct guided_kind const *kind_of(char letter) {
    for (size_t i = 0; i < guided_kind_count; i++)
        if (guided_kinds[i].letter == letter)
            return &guided_kinds[i];
    return NULL;
}

/* "-cs": each letter is one option. False where one is none. */
static bool read_letters(const char *letters, struct guided *g, struct wishes *w) {
    for (; *letters; letters++) {
        const struct guided_kind *kind = kind_of(*letters);
        if (!kind && *letters != 'h')
            return false;
        if (kind)
            g->chosen[kind - guided_kinds] = w->any = true;
        else
            w->help = true;
    }
    return true;
}

/* The value of an option that takes one, "--lang zh" or "--lang=zh"; NULL where the word is not that option. */
static const char *value_of(const char *name, int argc, char *const *argv, int *i) {
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != '=' && argv[*i][n] != '\0'))
        return NULL;
    if (argv[*i][n] == '=')
        return argv[*i] + n + 1;
    return *i + 1 < argc ? argv[++*i] : "";
}

/* Returns the word that is no option, or NULL. */
static const char *read_options(int argc, char *const *argv, int first, struct guided *g, struct wishes *w) {
    for (int i = first; i < argc; i++) {
        const char *word = argv[i], *value;
        if (strcmp(word, "--help") == 0)
            w->help = w->more = true;
        else if (strcmp(word, "--explain") == 0)
            g->explain = true;
        else if (strcmp(word, "--no-ping") == 0)
            g->ping = false;
        else if ((value = value_of("--lang", argc, argv, &i)))
            w->language = value;
        else if ((value = value_of("--host-timeout", argc, argv, &i)))
            w->host_timeout = value;
        else if (word[0] != '-' || word[1] == '-' || word[1] == '\0' || !read_letters(word + 1, g, w))
            return word;
    }
    return NULL;
}

/* Says what is wrong with a word of the command line. */
static int refuse(const struct guided *g, enum guided_text why, const char *word) {
    struct error shown = ERROR_INIT;
    error_set(&shown, 0, "%.200s", word);
    guided_say(stderr, g->language, why, (const char *const[]){shown.text});
    return EXIT_NOT_STARTED;
}

/* "-s -f" of what was chosen; with only_raw without -c, which needs no privilege. */
static const char *options_chosen(const struct guided *g, bool only_raw, char text[static 16]) {
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < guided_kind_count; i++)
        if (g->chosen[i] && !(only_raw && guided_kinds[i].technique == TECHNIQUE_CONNECT))
            at += (size_t)snprintf(text + at, 16 - at, "%s-%c", at ? " " : "", guided_kinds[i].letter);
    return text;
}

/* Returns EXIT_COMPLETE when the host may be scanned. */
static int ping(struct guided *g) {
    char host[ADDR_STRLEN], chosen[16];
    bool answered = false;
    int code = guided_ping(g, &answered);
    if (code < 0)
        return code == -EINTR ? EXIT_SIGNALLED + atomic_load(&g->watch.signal) : EXIT_NOT_STARTED;
    const char *const args[] = {addr_format(g->answers.host, host), options_chosen(g, false, chosen)};
    guided_say(stdout, g->language, answered ? TEXT_PING_ANSWERED : TEXT_PING_SILENT, args);
    return answered ? EXIT_COMPLETE : EXIT_FAILED;
}

static int scan_all(struct guided *g) {
    uint32_t techniques_run = 0;
    for (size_t i = 0; i < guided_kind_count; i++) {
        int code = g->chosen[i] ? guided_scan(g, &guided_kinds[i]) : 0;
        if (code == -EINTR)
            return EXIT_SIGNALLED + atomic_load(&g->watch.signal);
        if (code < 0)
            return EXIT_FAILED;
        if (g->chosen[i])
            techniques_run |= UINT32_C(1) << guided_kinds[i].technique;
    }
    if (g->explain)
        explain_end(stdout, g->language, techniques_run);
    return EXIT_COMPLETE;
}

static int ask_and_scan(struct guided *g) {
    char host[ADDR_STRLEN], begin[8], end[8];
    int code = guided_ask(g->language, &g->watch, &g->answers);
    if (code < 0)
        return code == -EINTR ? EXIT_SIGNALLED + atomic_load(&g->watch.signal) : EXIT_NOT_STARTED;
    snprintf(begin, sizeof begin, "%u", g->answers.begin);
    snprintf(end, sizeof end, "%u", g->answers.end);
    guided_say(stdout, g->language, TEXT_SCAN_HOST,
               (const char *const[]){addr_format(g->answers.host, host), begin, end});
    int status = g->ping ? ping(g) : EXIT_COMPLETE;
    return status == EXIT_COMPLETE ? scan_all(g) : status;
}

int command_guided(int argc, char *const *argv, int first) {
    struct guided g = {.language = LANGUAGE_EN, .ping = true, .host_timeout_ns = GUIDED_HOST_TIMEOUT_NS,
                       .watch = GUIDED_WATCH_INIT};
    struct wishes w = {.language = NULL};
    struct error e = ERROR_INIT;
    char chosen[16];
    const char *stray = read_options(argc, argv, first, &g, &w);
    if (w.language && !guided_language(w.language, &g.language))
        return refuse(&g, TEXT_BAD_LANGUAGE, w.language);
    if (stray)
        return refuse(&g, TEXT_BAD_OPTION, stray);
    if (w.host_timeout && parse_duration(w.host_timeout, &g.host_timeout_ns) < 0)
        return refuse(&g, TEXT_BAD_TIME, w.host_timeout);
    if (w.help || !w.any) {
        guided_say(stdout, g.language, TEXT_USAGE, NULL);
        if (w.more)
            guided_say(stdout, g.language, TEXT_USAGE_MORE, NULL);
        return ferror(stdout) ? EXIT_FAILED : w.help ? EXIT_COMPLETE : EXIT_NOT_STARTED;
    }
    g.privileged = guided_may_send();
    if (!g.privileged && options_chosen(&g, true, chosen)[0])
        return refuse(&g, TEXT_NO_PRIVILEGE, chosen);
    signal(SIGPIPE, SIG_IGN); /* a write says EPIPE */
    int status = EXIT_FAILED;
    if (guided_watch_open(&g.watch, &e) < 0)
        guided_say(stderr, g.language, TEXT_FAILED, (const char *const[]){e.text});
    else
        status = ask_and_scan(&g);
    guided_watch_close(&g.watch);
    return status;
}
