#include "report/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "report/put.h"
#include "report/text.h"

struct group {
    struct array findings;
    bool too_many;
};

struct group *group_new(void) {
    struct group *g = calloc(1, sizeof *g);
    if (g)
        g->findings = ARRAY_INIT(struct finding, GROUP_MAX);
    return g;
}

void group_free(struct group *g) {
    if (g)
        array_deinit(&g->findings);
    free(g);
}

void group_add(struct group *g, const struct finding *f) {
    struct finding *copy = g->too_many ? NULL : array_add(&g->findings);
    if (copy)
        *copy = *f;
    else
        g->too_many = true;
}

/* By address, protocol and port; of several records for one endpoint, the strongest first. */
static int compare(const void *a, const void *b) {
    const struct finding *x = a, *y = b;
    if (x->addr != y->addr)
        return x->addr < y->addr ? -1 : 1;
    if (x->technique != y->technique)
        return x->technique < y->technique ? -1 : 1;
    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    unsigned rx = verdict_rank((enum state)x->state), ry = verdict_rank((enum state)y->state);
    return rx == ry ? 0 : rx > ry ? -1 : 1;
}

static bool same_endpoint(const struct finding *a, const struct finding *b) {
    return a->addr == b->addr && a->technique == b->technique && a->port == b->port;
}

static int write_host(struct sink *s, addr_t a) {
    const char *name = sink_name_of(s, a);
    char *p = writer_reserve(&s->out, TEXT_LINE_MAX);
    if (!p)
        return s->out.error;
    *p++ = '\n';
    p = put_addr(p, a);
    if (name) {
        p = put_text(p, "  ");
        p = put_name(p, name);
    }
    *p++ = '\n';
    writer_commit(&s->out, p);
    return 0;
}

static int write_line(struct sink *s, const struct finding *f, size_t state_width) {
    enum { PORT_WIDTH = 11 };
    char *p = writer_reserve(&s->out, TEXT_LINE_MAX);
    if (!p)
        return s->out.error;
    char *from = p;
    p = put_text(p, "  ");
    if (!finding_is_host(f)) {
        p = put_u64(p, f->port);
        *p++ = '/';
    }
    p = put_text(p, techniques[f->technique].proto);
    p = put_pad(p, from, PORT_WIDTH);
    p = put_text(p, "  ");
    p = text_put_verdict(p, f, state_width, NULL);
    *p++ = '\n';
    writer_commit(&s->out, p);
    return 0;
}

/* Endpoints of each state that stand in no line above. */
static int write_not_shown(struct sink *s, const struct summary *sum, const uint64_t listed[static STATE_COUNT]) {
    char *p = writer_reserve(&s->out, TEXT_LINE_MAX);
    if (!p)
        return s->out.error;
    const char *lead = "\nnot shown: ";
    for (unsigned i = STATE_OPEN; i < STATE_COUNT; i++) {
        if (sum->states[i] <= listed[i])
            continue;
        p = put_text(p, lead);
        p = put_u64(p, sum->states[i] - listed[i]);
        *p++ = ' ';
        p = put_text(p, state_name((enum state)i));
        lead = ", ";
    }
    if (lead[0] == ',') {
        *p++ = '\n';
        writer_commit(&s->out, p);
    }
    return 0;
}

int group_write(struct group *g, struct sink *s, const struct summary *sum) {
    uint64_t listed[STATE_COUNT] = {0};
    const struct finding *f = g->findings.items;
    size_t n = g->findings.n, width = text_state_width(s->config->show);
    if (g->too_many)
        return 0;
    if (n)
        qsort(g->findings.items, n, sizeof *f, compare);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++) {
        if (i && same_endpoint(&f[i], &f[i - 1]))
            continue;
        if (i == 0 || f[i].addr != f[i - 1].addr)
            r = write_host(s, f[i].addr);
        if (r == 0)
            r = write_line(s, &f[i], width);
        listed[f[i].state]++;
    }
    return r ? r : write_not_shown(s, sum, listed);
}
