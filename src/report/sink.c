#include "report/sink.h"

#include <errno.h>
#include <string.h>

static const struct sink_ops *const formats[] = {&sink_text, &sink_jsonl, &sink_hostport};
#define N_FORMATS (sizeof formats / sizeof formats[0])
#define FORMATS_TEXT "text (.txt), jsonl (.jsonl), hostport (.hostport)"

/* Formats that noctule will write, so that a user is not told that they do not exist. */
static const char *const planned[] = {"csv", "xml", "gnmap", "list", "bin", "db", "html"};
#define N_PLANNED (sizeof planned / sizeof planned[0])

static bool is_equal(const char *name, const char *word, size_t n) {
    return strlen(name) == n && memcmp(name, word, n) == 0;
}

/* The format that the n bytes at word name, either as "jsonl" or by the ending "jsonl" stands for. */
static const struct sink_ops *find_format(const char *word, size_t n) {
    for (size_t i = 0; i < N_FORMATS; i++) {
        if (is_equal(formats[i]->format, word, n) || is_equal(formats[i]->ending + 1, word, n))
            return formats[i];
    }
    return NULL;
}

static bool is_planned(const char *word, size_t n) {
    for (size_t i = 0; i < N_PLANNED; i++) {
        if (is_equal(planned[i], word, n))
            return true;
    }
    return false;
}

/* Could the n bytes be meant as a format? Then a mistyped one is not taken for a part of the file's name. */
static bool is_word(const char *s, size_t n) {
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") >= n;
}

int sink_parse(const char *word, struct sink *s, struct error *e) {
    *s = SINK_INIT;
    s->path = word;
    if (strcmp(word, "-") == 0) {
        s->ops = &sink_text;
        return 0;
    }
    const char *colon = strchr(word, ':');
    size_t n = colon ? (size_t)(colon - word) : 0;
    const char *name = word;
    if (n && is_word(word, n)) {
        s->path = colon + 1;
    } else {
        const char *slash = strrchr(word, '/'), *dot = strrchr(slash ? slash : word, '.');
        if (!dot)
            return error_set(e, -EINVAL, "-o %s: the file's ending says the format; known are " FORMATS_TEXT
                             "; or name it, as in -o jsonl:FILE", word);
        name = dot + 1;
        n = strlen(name);
    }
    s->ops = find_format(name, n);
    if (s->ops && *s->path)
        return 0;
    if (s->ops)
        return error_set(e, -EINVAL, "-o %s: a file name is missing behind the colon ('-' is standard output)", word);
    if (is_planned(name, n))
        return error_set(e, -ENOSYS, "-o %s: the format %.*s is not built yet; there are " FORMATS_TEXT, word, (int)n,
                         name);
    return error_set(e, -EINVAL, "-o %s: unknown format '%.*s'; known are " FORMATS_TEXT, word, (int)n, name);
}

const char *sink_label(const struct sink *s) {
    return strcmp(s->path, "-") == 0 ? "standard output" : s->path;
}

static int open_files(struct sink *sinks, unsigned n, const _Atomic bool *aborted, struct error *e) {
    for (unsigned i = 0; i < n; i++) {
        int r = writer_open(&sinks[i].out, sinks[i].path, aborted);
        if (r < 0)
            return error_set(e, r, "cannot write to %s: %s", sink_label(&sinks[i]), strerror(-r));
        for (unsigned j = 0; j < i; j++) {
            if (writer_same(&sinks[i].out, &sinks[j].out))
                return error_set(e, -EINVAL, "two outputs go to the same place: %s and %s", sink_label(&sinks[j]),
                                 sink_label(&sinks[i]));
        }
    }
    return 0;
}

int sinks_open(struct sink *sinks, unsigned n, const struct report_config *config, const _Atomic bool *aborted,
               struct error *e) {
    int r = open_files(sinks, n, aborted, e);
    for (unsigned i = 0; i < n && r == 0; i++) {
        r = writer_truncate(&sinks[i].out);
        if (r == 0) {
            sinks[i].config = config;
            sinks[i].opened = true;
            r = sinks[i].ops->open ? sinks[i].ops->open(&sinks[i]) : 0;
        }
        if (r < 0)
            error_set(e, r, "cannot write to %s: %s", sink_label(&sinks[i]), strerror(-r));
    }
    for (unsigned i = 0; i < n && r < 0; i++)
        sink_close(&sinks[i], NULL);
    return r;
}

int sink_close(struct sink *s, const struct summary *sum) {
    int ended = s->opened && s->ops->close ? s->ops->close(s, sum) : 0;
    int closed = writer_close(&s->out);
    s->opened = false;
    return ended < 0 ? ended : closed;
}
