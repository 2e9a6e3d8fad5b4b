/* One place results go to: a format (const table of callbacks) and a writer. Only the report thread calls a sink once
 * it is open. */
#ifndef NOCTULE_REPORT_SINK_H
#define NOCTULE_REPORT_SINK_H

#include "report/report.h"
#include "report/writer.h"

struct sink;

/* Every callback returns 0 or a negative errno. */
struct sink_ops {
    const char *format;  /* "jsonl": what stands before the colon of -o FORMAT:FILE */
    const char *ending;  /* ".jsonl" */
    int (*open)(struct sink *s);                              /* NULL: nothing to do */
    int (*finding)(struct sink *s, const struct finding *f);
    int (*close)(struct sink *s, const struct summary *sum);  /* writes the end, frees state; sum is NULL where no scan
                                                                 came about. NULL: nothing to do */
};

extern const struct sink_ops sink_text, sink_jsonl, sink_hostport;

struct sink {
    const struct sink_ops *ops;
    const struct report_config *config;
    const char *path; /* points into the user's word; "-" is stdout */
    struct writer out;
    bool opened;      /* ops->open was called */
    void *state;      /* the format's own */
};

#define SINK_INIT ((struct sink){.out = WRITER_INIT})

/* Reads one -o word: "FILE", whose ending says the format, or "FORMAT:FILE". -EINVAL or -ENOSYS (a format that is not
 * built yet) with a line. */
int sink_parse(const char *word, struct sink *s, struct error *e);

/* Opens all n sinks, or none: nothing is truncated before each could be opened and no two are the same file. */
int sinks_open(struct sink *sinks, unsigned n, const struct report_config *config, const _Atomic bool *aborted,
               struct error *e);

/* Ends one sink: the format's end, flush, close. Returns the first error of its life. */
int sink_close(struct sink *s, const struct summary *sum);

/* "scan.jsonl", "standard output": for messages. */
const char *sink_label(const struct sink *s);

/* The name the user gave for an address, or NULL. */
static inline const char *sink_name_of(const struct sink *s, addr_t a) {
    return s->config->name_of ? s->config->name_of(s->config->name_ctx, a) : NULL;
}

#endif
