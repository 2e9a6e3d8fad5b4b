#include "cli/arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/config.h"
#include "cli/foreign.h"

#define LONG_NAME_MIN 4u
#define SHOWN_MAX 60 /* bytes of a bad word that the error line quotes */

/* One option as it stands on the command line. */
struct argument {
    const struct option *option;
    const char *spelled; /* where its name stands; "--rate=5" */
    size_t spelled_n;    /* how much of that is the name; 0 for a target */
    char dash[4];        /* "-sV" out of "-sSV": spelled differently from how it stands there; or empty */
    const char *value;
};

/* Every word is at most one argument, but for letters that are run together. */
struct words {
    int argc, at;
    char *const *argv;
    struct array arguments; /* struct argument */
    struct error *e;
};

#define ARGUMENTS_MAX (1u << 20)

static int cut(size_t n) {
    return n > SHOWN_MAX ? SHOWN_MAX : (int)n;
}

static int add(struct words *w, const struct argument *a) {
    struct argument *slot = array_add(&w->arguments);
    if (!slot)
        return error_set(w->e, -errno, "more than %u options, or out of memory for them", ARGUMENTS_MAX);
    *slot = *a;
    return 0;
}

static int unknown(const struct words *w, const char *dashes, const char *name, size_t n) {
    const char *near = NULL;
    size_t near_n = 0;
    if (option_nearest(name, n, &near, &near_n))
        return error_set(w->e, -EINVAL, "unknown option %s%.*s; did you mean --%.*s?", dashes, cut(n), name,
                         (int)near_n, near);
    return error_set(w->e, -EINVAL, "unknown option %s%.*s; --help lists the options", dashes, cut(n), name);
}

static const char *spelling(const struct argument *a, int *n) {
    *n = a->dash[0] ? (int)strlen(a->dash) : cut(a->spelled_n);
    return a->dash[0] ? a->dash : a->spelled;
}

/* A whole word that is a known option, "--rate" or "--rate=5": never meant as another option's value. */
static bool is_long_option(const char *word) {
    return strncmp(word, "--", 2) == 0 && option_by_name(word + 2, strcspn(word + 2, "="));
}

/* The other tool's word is spelled as the n bytes at word, dashes included. */
static int refuse(const struct words *w, const struct foreign *f, const char *dashes, const char *word, size_t n) {
    return error_set(w->e, -EINVAL, "%s%.*s: %s", dashes, cut(n), word, f->way);
}

/* "-n 1000", "-PS 22,80": what comes next belongs to the option, it was thought; no target looks like that. */
static int check_next(const struct words *w, const struct argument *a) {
    const char *next = w->at < w->argc ? w->argv[w->at] : NULL;
    bool ports = option_value_optional(a->option);
    int n = 0;
    if ((!a->option->clash && !ports) || !next || !*next || next[strspn(next, ports ? "0123456789,-" : "0123456789%")])
        return 0;
    const char *name = spelling(a, &n);
    if (ports)
        return error_set(w->e, -EINVAL, "%.*s: its ports stand right behind it, %.*s%s%.*s", n, name, n, name,
                         strncmp(name, "--", 2) == 0 ? "=" : "", cut(strlen(next)), next);
    error_set(w->e, -EINVAL, "%.*s: expected no value, but next comes %.*s", n, name, cut(strlen(next)), next);
    return settings_add_clash(a->option, -EINVAL, w->e);
}

/* Finds the option's value, which may be the rest of its own word, and stores both. */
static int finish(struct words *w, struct argument *a, const char *value) {
    int n = 0;
    const char *name = spelling(a, &n);
    bool optional = option_value_optional(a->option);
    a->value = value;
    if (!value && (optional || !option_takes_value(a->option))) {
        a->value = optional ? "" : a->option->kind == KIND_COUNT ? "1" : "yes";
        int code = check_next(w, a);
        return code < 0 ? code : add(w, a);
    }
    if (a->value)
        return add(w, a);
    const char *next = w->at < w->argc ? w->argv[w->at] : NULL;
    if (!next || is_long_option(next)) {
        error_set(w->e, -EINVAL, "%.*s: expected a value, %s, but %s%.*s", n, name, a->option->metavar,
                  next ? "next comes " : "nothing follows", next ? cut(strlen(next)) : 0, next ? next : "");
        return settings_add_clash(a->option, -EINVAL, w->e);
    }
    a->value = next;
    w->at++;
    return add(w, a);
}

/* A word behind one dash or two that begins with a long name; false: it does not. */
static bool read_name(struct words *w, const char *word, size_t dashes, int *code) {
    const char *name = word + dashes, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    struct argument a = {.option = option_by_name(name, n), .spelled = word, .spelled_n = n + dashes};
    const struct foreign *f = a.option ? NULL : foreign_by_name(name, n);
    if (a.option)
        *code = finish(w, &a, equals ? equals + 1 : NULL);
    else if (f)
        *code = refuse(w, f, "", word, n + dashes);
    return a.option || f;
}

static int read_long(struct words *w, const char *word) {
    int code = 0;
    if (read_name(w, word, 2, &code))
        return code;
    return unknown(w, "--", word + 2, strcspn(word + 2, "="));
}

/* One letter or word behind a dash that is no option of ours. A whole word that looks like a long name was meant as
 * one: "-ratte" is not nmap's -r. */
static int read_other(const struct words *w, const char *dashes, const char *letter, size_t n, const char *whole) {
    const struct foreign *f = foreign_by_dash(letter, n);
    const char *near = NULL;
    size_t near_n = 0, whole_n = strlen(whole);
    bool long_name = letter == whole && whole_n >= LONG_NAME_MIN && option_nearest(whole, whole_n, &near, &near_n);
    return f && !long_name ? refuse(w, f, "-", letter, n) : unknown(w, dashes, whole, whole_n);
}

/* "-sSV": the letters behind the s, one technique each. */
static int read_scan_letters(struct words *w, const char *word) {
    for (const char *letter = word + 2; *letter; letter++) {
        struct argument a = {.spelled = word, .spelled_n = 3, .dash = {'-', 's', *letter}};
        char alone[2] = {*letter, '\0'};
        a.option = option_by_dash(a.dash + 1, 2);
        int code = a.option ? finish(w, &a, NULL) : read_other(w, "-s", a.dash + 1, 2, alone);
        if (code < 0)
            return code;
    }
    return 0;
}

/* "-vq", "-p80": letters until one takes a value, which is the rest or the next word. */
static int read_letters(struct words *w, const char *word) {
    for (const char *letter = word + 1; *letter; letter++) {
        struct argument a = {.spelled = word, .spelled_n = 2, .dash = {'-', *letter}};
        a.option = option_by_dash(letter, 1);
        if (!a.option)
            return read_other(w, "-", letter, 1, word + 1);
        bool rest = option_takes_value(a.option) && letter[1] != '\0';
        int code = finish(w, &a, rest ? letter + 1 : NULL);
        if (code < 0 || rest)
            return code;
    }
    return 0;
}

/* nmap's words come before letters: -oX is not -o X; then long names, as nmap and naabu take them behind one dash. */
static int read_short(struct words *w, const char *word) {
    size_t n = strcspn(word + 1, "=");
    struct argument a = {.option = n > 1 ? option_by_dash(word + 1, n) : NULL, .spelled = word, .spelled_n = n + 1};
    int code = 0;
    if (a.option)
        return finish(w, &a, word[n + 1] ? word + n + 2 : NULL);
    if (n > 1 && read_name(w, word, 1, &code))
        return code;
    a.option = option_by_start(word + 1, &n);
    a.spelled_n = n + 1;
    if (a.option)
        return finish(w, &a, word + 1 + n + (word[n + 1] == '='));
    const struct foreign *f = foreign_by_start(word + 1, &n);
    if (f)
        return refuse(w, f, "-", word + 1, n);
    return word[1] == 's' && word[2] ? read_scan_letters(w, word) : read_letters(w, word);
}

static int split(struct words *w) {
    bool options_over = false;
    while (w->at < w->argc) {
        const char *word = w->argv[w->at++];
        int code = 0;
        if (options_over && word[0] == '-') {
            code = error_set(w->e, -EINVAL, "%.*s: behind -- stand targets only; to use nmap on what is found, "
                             "write -o hostport:FILE and hand that to it", cut(strlen(word)), word);
        } else if (options_over || word[0] != '-' || word[1] == '\0') {
            struct argument target = {.option = option_by_name("target", 6), .spelled = word, .value = word};
            code = add(w, &target);
        } else if (strcmp(word, "--") == 0) {
            options_over = true;
        } else {
            code = word[1] == '-' ? read_long(w, word) : read_short(w, word);
        }
        if (code < 0)
            return code;
    }
    return 0;
}

static int read_config(const struct words *w, const char *path, struct settings *s) {
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "re");
    if (!f) {
        int code = error_set(w->e, -errno, "--config: %s: %s", path, strerror(errno));
        return settings_add_clash(option_by_name("config", 6), code, w->e);
    }
    int code = config_read(f, is_stdin ? "stdin" : path, s, w->e);
    if (!is_stdin)
        fclose(f);
    return code;
}

static int store(const struct words *w, const struct argument *a, struct settings *s) {
    struct error why = ERROR_INIT;
    int code = settings_set(s, a->option, a->value, &why), n = 0;
    if (code == 0)
        return 0;
    if (!a->spelled_n)
        return error_set(w->e, code, "%s", why.text);
    const char *name = spelling(a, &n);
    error_set(w->e, code, "%.*s: %s", n, name, why.text);
    return settings_add_clash(a->option, code, w->e);
}

/* Stores the arguments of the option of that name. */
static int store_of(const struct words *w, struct settings *s, const char *name) {
    const struct argument *a = w->arguments.items;
    int code = 0;
    for (size_t i = 0; i < w->arguments.n && code == 0; i++)
        if (strcmp(a[i].option->name, name) == 0)
            code = store(w, &a[i], s);
    return code;
}

/* What must be known before the rest is looked at. */
static const char *const firsts[] = {"help", "version", "config"};
#define FIRSTS (sizeof firsts / sizeof *firsts)

static int store_firsts(const struct words *w, struct settings *s) {
    int code = 0;
    for (size_t i = 0; i < FIRSTS && code == 0; i++)
        code = store_of(w, s, firsts[i]);
    return code;
}

/* Presets, or all others but the firsts: what is given beside a preset counts more, wherever it stands. */
static int store_others(const struct words *w, struct settings *s, bool presets) {
    const struct argument *a = w->arguments.items;
    int code = 0;
    for (size_t i = 0; i < w->arguments.n && code == 0; i++) {
        bool first = false;
        for (size_t k = 0; k < FIRSTS; k++)
            first = first || strcmp(a[i].option->name, firsts[k]) == 0;
        if (!first && (a[i].option->kind == KIND_PRESET) == presets)
            code = store(w, &a[i], s);
    }
    return code;
}

/* A rate and a cap answer the same question: of the one, what files and presets say counts less than what the command
 * line says of the other. */
static int forget_rates(const struct words *w, struct settings *s) {
    const struct option *rate = option_by_name("rate", 4), *cap = option_by_name("max-rate", 8);
    const struct argument *a = w->arguments.items;
    int code = 0;
    for (size_t i = 0; i < w->arguments.n && code == 0; i++) {
        if (a[i].option == cap)
            code = settings_forget(s, rate, w->e);
        else if (a[i].option == rate && strcmp(a[i].value, "auto") != 0)
            code = settings_forget(s, cap, w->e);
    }
    return code;
}

static int apply(const struct words *w, struct settings *s) {
    int code = store_firsts(w, s);
    if (code < 0 || s->help || s->version)
        return code;
    const char *const *paths = s->configs.items;
    for (size_t i = 0; i < s->configs.n && code == 0; i++)
        code = read_config(w, paths[i], s);
    if (code == 0)
        code = store_others(w, s, true);
    if (code == 0)
        code = forget_rates(w, s);
    return code < 0 ? code : store_others(w, s, false);
}

int arguments_read(int argc, char *const *argv, struct settings *s, struct error *e) {
    struct words w = {.argc = argc, .argv = argv, .arguments = ARRAY_INIT(struct argument, ARGUMENTS_MAX), .e = e};
    int code = split(&w);
    if (code == 0)
        code = apply(&w, s);
    array_deinit(&w.arguments);
    return code;
}
