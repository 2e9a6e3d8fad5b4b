#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan/target.h"
#include "report/group.h"
#include "report/put.h"
#include "report/sink.h"
#include "report/text.h"

/* Columns are as wide as what is common, so that lines stand under each other from the first one on; a longer value
 * moves the rest of its line only. */
enum { ENDPOINT_WIDTH = 21, STATE_WIDTH_MIN = 6, SERVICE_WIDTH = 10, PROTO_WIDTH = 3 };

struct text {
    size_t state_width;
    bool terminal;       /* a progress line may stand where the next finding goes: what is longer than it is erased */
    struct group *group; /* NULL: no listing at the end */
};

size_t text_state_width(uint16_t show) {
    size_t width = STATE_WIDTH_MIN;
    for (unsigned i = 0; i < STATE_COUNT; i++) {
        size_t n = show >> i & 1 ? strlen(state_name((enum state)i)) : 0;
        width = n > width ? n : width;
    }
    return width;
}

static char *put_gap(char *p, const char *from, size_t width) {
    p = put_pad(p, from, width);
    *p++ = ' ';
    *p++ = ' ';
    return p;
}

char *text_put_verdict(char *p, const struct finding *f, size_t state_width, const char *name) {
    char *from = p;
    p = put_text(p, state_name((enum state)f->state));
    p = put_gap(p, from, state_width);
    if (!finding_is_host(f)) {
        const char *service = port_name(techniques[f->technique].ip_proto, f->port);
        from = p;
        p = put_text(p, service ? service : "-");
        p = put_gap(p, from, SERVICE_WIDTH);
    }
    p = put_text(p, reason_name((enum reason)f->reason));
    if (f->flags & FINDING_HAS_TTL) {
        p = put_text(p, " ttl ");
        p = put_u64(p, f->ttl);
    }
    if (f->reporter) {
        p = put_text(p, " from ");
        p = put_addr(p, f->reporter);
    }
    if (f->flags & FINDING_HAS_MAC) {
        p = put_text(p, " mac ");
        p = put_mac(p, f->mac);
    }
    if (name) {
        p = put_text(p, "  ");
        p = put_name(p, name);
    }
    if (f->revises != STATE_UNKNOWN) {
        p = put_text(p, "  was ");
        p = put_text(p, state_name((enum state)f->revises));
    }
    return p;
}

static int text_finding(struct sink *s, const struct finding *f) {
    struct text *t = s->state;
    char *p = writer_reserve(&s->out, TEXT_LINE_MAX);
    if (!p)
        return s->out.error;
    char *from = p;
    p = finding_is_host(f) ? put_addr(p, f->addr) : put_endpoint(p, f->addr, f->port);
    p = put_gap(p, from, ENDPOINT_WIDTH);
    from = p;
    p = put_text(p, techniques[f->technique].proto);
    p = put_gap(p, from, PROTO_WIDTH);
    p = text_put_verdict(p, f, t->state_width, sink_name_of(s, f->addr));
    if (t->terminal)
        p = put_text(p, "\x1b[K"); /* ECMA-48: to the end of the line */
    *p++ = '\n';
    writer_commit(&s->out, p);
    if (t->group)
        group_add(t->group, f);
    return 0;
}

static int text_open(struct sink *s) {
    struct text *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    s->state = t;
    t->state_width = text_state_width(s->config->show);
    t->terminal = isatty(s->out.fd);
    if (s->config->group_by_host && strcmp(s->path, "-") == 0) {
        t->group = group_new();
        if (!t->group)
            return -ENOMEM;
    }
    return 0;
}

static int text_close(struct sink *s, const struct summary *sum) {
    struct text *t = s->state;
    int r = 0;
    if (t && t->group) {
        r = sum ? group_write(t->group, s, sum) : 0;
        group_free(t->group);
    }
    free(t);
    s->state = NULL;
    return r;
}

const struct sink_ops sink_text = {
    .format = "text",
    .ending = ".txt",
    .open = text_open,
    .finding = text_finding,
    .close = text_close,
};
