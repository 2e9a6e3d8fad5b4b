#include "cli/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/foreign.h"

struct config_reader {
    const char *name;
    struct settings *s;
    struct error *e;
    unsigned long line;
    char *text; /* the line, without its end */
};

__attribute__((format(printf, 4, 5))) static int bad(struct config_reader *r, const char *at, int code,
                                                     const char *fmt, ...) {
    char why[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return error_set(r->e, code, "%s:%lu:%zu: %s", r->name, r->line, (size_t)(at - r->text) + 1, why);
}

static char *skip_blanks(char *p) {
    return p + strspn(p, " \t");
}

/* Cuts a value that is not quoted where its comment or its trailing blanks begin. */
static void cut_plain(char *value) {
    char *end = value;
    for (char *p = value; *p && !(*p == '#' && (p == value || p[-1] == ' ' || p[-1] == '\t')); p++)
        if (*p != ' ' && *p != '\t')
            end = p + 1;
    *end = '\0';
}

/* What a letter behind a backslash stands for, or NUL. */
static char unescape(char c) {
    switch (c) {
    case '"':
    case '\\':
        return c;
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return '\0';
    }
}

/* Rewrites a quoted value, whose opening quote stands at value, without quotes and escapes. */
static int unquote(struct config_reader *r, char *value) {
    char *out = value, *p = value + 1;
    for (; *p != '"'; p++) {
        if (*p == '\0')
            return bad(r, value, -EINVAL, "the quoted value has no closing '\"'");
        if (*p != '\\') {
            *out++ = *p;
            continue;
        }
        char c = unescape(*++p);
        if (!c)
            return bad(r, p - 1, -EINVAL, "expected \\\", \\\\, \\n or \\r in a quoted value");
        *out++ = c;
    }
    p = skip_blanks(p + 1);
    if (*p && *p != '#')
        return bad(r, p, -EINVAL, "expected the end of the line behind the quoted value");
    *out = '\0';
    return 0;
}

static int unknown_key(struct config_reader *r, const char *key, size_t n) {
    const char *name = NULL;
    size_t name_n = 0;
    int shown = n > 60 ? 60 : (int)n;
    if (option_nearest(key, n, &name, &name_n))
        return bad(r, key, -EINVAL, "unknown key \"%.*s\"; did you mean %.*s?", shown, key, (int)name_n, name);
    return bad(r, key, -EINVAL, "unknown key \"%.*s\"; the keys are the long options of --help", shown, key);
}

static int read_line(struct config_reader *r) {
    char *key = skip_blanks(r->text);
    if (*key == '\0' || *key == '#')
        return 0;
    size_t n = strcspn(key, " \t=#\"");
    const struct option *o = option_by_name(key, n);
    const struct foreign *f = o ? NULL : foreign_by_name(key, n);
    if (n == 0)
        return bad(r, key, -EINVAL, "expected key = value");
    if (!o)
        return f ? bad(r, key, -EINVAL, "%.*s: %s", (int)n, key, f->way) : unknown_key(r, key, n);
    if (o->flags & OPTION_COMMAND_LINE)
        return bad(r, key, -EINVAL, "%.*s belongs on the command line, not in a file", (int)n, key);
    char *value = skip_blanks(key + n);
    if (*value != '=')
        return bad(r, value, -EINVAL, "expected '=' and a value behind the key %.*s", (int)n, key);
    value = skip_blanks(value + 1);
    char *start = value;
    int code = 0;
    if (*value == '"')
        code = unquote(r, value);
    else
        cut_plain(value);
    if (code < 0)
        return code;
    struct error why = ERROR_INIT;
    code = settings_set(r->s, o, value, &why);
    return code < 0 ? bad(r, start, code, "%s: %s", o->name, why.text) : 0;
}

/* Takes off what ends the line, and the byte order mark before the first. */
static int trim_line(struct config_reader *r, char *line, size_t n) {
    r->text = line;
    if (memchr(line, '\0', n))
        return bad(r, line + strlen(line), -EINVAL, "a NUL byte: this is not a text file");
    if (n > CONFIG_LINE_MAX)
        return bad(r, line + CONFIG_LINE_MAX, -EINVAL, "the line is longer than %u bytes", CONFIG_LINE_MAX);
    line[strcspn(line, "\n")] = '\0';
    n = strlen(line);
    if (n > 0 && line[n - 1] == '\r')
        line[n - 1] = '\0';
    if (r->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        r->text += 3;
    return 0;
}

int config_read(FILE *f, const char *name, struct settings *s, struct error *e) {
    struct config_reader r = {.name = name, .s = s, .e = e};
    char *line = malloc(CONFIG_LINE_MAX + 2);
    int code = line ? 0 : error_set(e, -ENOMEM, "out of memory for %s", name);
    while (code == 0) {
        size_t n = 0;
        int c = EOF;
        while (n < CONFIG_LINE_MAX + 1 && (c = getc_unlocked(f)) != EOF) {
            line[n++] = (char)c;
            if (c == '\n')
                break;
        }
        if (c == EOF && ferror(f))
            code = error_set(e, errno ? -errno : -EIO, "%s: cannot be read: %s", name, strerror(errno ? errno : EIO));
        if (code < 0 || n == 0)
            break;
        line[n] = '\0';
        r.line++;
        code = trim_line(&r, line, n);
        if (code == 0)
            code = read_line(&r);
    }
    free(line);
    return code;
}

static bool is_plain(const char *value) {
    size_t n = strlen(value);
    return n > 0 && !strpbrk(value, "#\"\\\n\r") && !strchr(" \t", value[0]) && !strchr(" \t", value[n - 1]);
}

void config_write(FILE *f, const char *key, const char *value) {
    if (is_plain(value)) {
        fprintf(f, "%s = %s\n", key, value);
        return;
    }
    fprintf(f, "%s = \"", key);
    for (; *value; value++) {
        if (strchr("\"\\\n\r", *value))
            fputc('\\', f);
        fputc(*value == '\n' ? 'n' : *value == '\r' ? 'r' : *value, f);
    }
    fputs("\"\n", f);
}

int config_echo(const struct settings *s, FILE *f) {
    fprintf(f, "# noctule %s; repeat with: noctule -c FILE\n", NOCTULE_VERSION);
    const struct given *given = s->given.items;
    for (const struct option *o = options; o < options + option_count; o++) {
        if (o->flags & OPTION_COMMAND_LINE)
            continue;
        const char *last = NULL; /* of what does not repeat, the last one counts */
        for (size_t i = 0; i < s->given.n; i++) {
            if (given[i].option != o)
                continue;
            if (option_repeats(o))
                config_write(f, o->name, given[i].text);
            last = given[i].text;
        }
        if (last && !option_repeats(o))
            config_write(f, o->name, last);
        if (!last && o->fallback)
            fprintf(f, "# %s = %s\n", o->name, o->fallback);
    }
    return fflush(f) == EOF || ferror(f) ? -errno : 0;
}
