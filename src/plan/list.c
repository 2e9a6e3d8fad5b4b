/* targets_read(): lists of targets, as people keep them in files. */
#include <errno.h>
#include <string.h>

#include "plan/target.h"

#define WORD_MAX 1024u /* no target is as long: the longest host name has 253 bytes */

struct list_reader {
    FILE *f;
    const char *name;
    unsigned long line;
    unsigned long column; /* of the byte read last, from 1 */
    bool allow_port;
    target_resolve_fn *resolve;
    void *ctx;
    struct array *list;
    struct error *e;
    char word[WORD_MAX + 1];
    size_t n;
};

static int next_byte(struct list_reader *r) {
    int c = getc_unlocked(r->f);
    r->column++;
    return c;
}

/* Puts file:line:column before what *why says. */
static int bad_word(struct list_reader *r, int code, unsigned long column, const struct error *why) {
    return error_set(r->e, code, "%s:%lu:%lu: %s", r->name, r->line, column, why->text);
}

/* A host name, perhaps with :port, which then goes to every address that the name has. */
static int resolve_word(struct list_reader *r, struct error *why) {
    size_t first = r->list->n;
    int32_t port = -1;
    char *colon = strchr(r->word, ':');
    if (!r->resolve)
        return error_set(why, -EINVAL, "bad target \"%.60s\": a host name cannot stand here, only addresses", r->word);
    if (colon) {
        *colon = '\0';
        port = 0;
        for (const char *digit = colon + 1; *digit; digit++) /* target_parse() has checked it */
            port = port * 10 + (*digit - '0');
    }
    int code = r->resolve(r->ctx, r->word, r->list, why);
    struct target *targets = r->list->items;
    for (size_t i = first; code >= 0 && i < r->list->n && colon; i++)
        targets[i].port = port;
    return code;
}

static int end_word(struct list_reader *r) {
    struct error why = ERROR_INIT;
    unsigned column = 1;
    unsigned long start = r->column - r->n; /* the byte read last stands behind the word */
    if (r->n == 0)
        return 0;
    r->word[r->n] = '\0';
    int code = target_parse(r->word, r->n, r->allow_port, r->list, &column, &why);
    if (code == TARGET_NAME)
        code = resolve_word(r, &why);
    r->n = 0;
    return code < 0 ? bad_word(r, code, start + column - 1, &why) : 0;
}

static int add_byte(struct list_reader *r, int c) {
    if (r->n == WORD_MAX) {
        struct error why = ERROR_INIT;
        error_set(&why, -EINVAL, "bad target \"%.60s...\": it is longer than any target", r->word);
        return bad_word(r, -EINVAL, r->column - r->n, &why);
    }
    r->word[r->n++] = (char)c;
    r->word[r->n] = '\0';
    return 0;
}

static bool is_blank(int c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Skips a UTF-8 byte order mark. */
static void skip_mark(struct list_reader *r) {
    static const int mark[] = {0xef, 0xbb, 0xbf};
    int c = next_byte(r);
    for (size_t i = 0; i < sizeof mark / sizeof *mark; i++, c = next_byte(r)) {
        if (c != mark[i]) {
            /* Part of a mark is no target: its bytes go to the parser, which refuses them. */
            for (size_t j = 0; j < i; j++)
                r->word[r->n++] = (char)mark[j];
            break;
        }
    }
    if (c != EOF)
        ungetc(c, r->f);
    r->column = r->n;
}

int targets_read(FILE *f, const char *name, bool allow_port, target_resolve_fn *resolve, void *ctx, struct array *list,
                 struct error *e) {
    struct list_reader r = {.f = f, .name = name, .line = 1, .allow_port = allow_port, .resolve = resolve, .ctx = ctx,
                            .list = list, .e = e};
    int code = 0;
    bool comment = false;
    skip_mark(&r);
    while (code == 0) {
        errno = 0;
        int c = next_byte(&r);
        if (c == EOF && ferror(f))
            return error_set(e, errno ? -errno : -EIO, "%s: cannot be read: %s", name, strerror(errno ? errno : EIO));
        if (c == EOF)
            return end_word(&r);
        if (!comment && !is_blank(c) && c != '#' && c != ';') {
            code = add_byte(&r, c);
            continue;
        }
        code = end_word(&r);
        comment = comment || c == '#' || c == ';';
        if (c == '\n') {
            comment = false;
            r.line++;
            r.column = 0;
        }
    }
    return code;
}
