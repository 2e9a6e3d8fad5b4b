#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/put.h"
#include "report/sink.h"

/* Written by hand because it is measured: a finding is a flat object of numbers, addresses and fixed words, and costs
 * 0.15 us so; building a tree with libjansson and dumping it, 2.8 us. Only names and argv need escaping: put_char(). */

enum { FINDING_MAX = 2560 }; /* bytes: the name's 255 escaped bytes, and less than 800 for all the rest */

static char *put_key_text(char *p, const char *key, const char *value) {
    p = put_text(p, key);
    *p++ = '"';
    p = put_text(p, value);
    *p++ = '"';
    return p;
}

static char *put_key_u64(char *p, const char *key, uint64_t v) {
    return put_u64(put_text(p, key), v);
}

static char *put_optional(char *p, const struct finding *f, const char *name) {
    if (name) {
        p = put_text(p, ",\"name\":\"");
        p = put_name(p, name);
        *p++ = '"';
    }
    if (f->flags & FINDING_HAS_MAC) {
        p = put_text(p, ",\"mac\":\"");
        p = put_mac(p, f->mac);
        *p++ = '"';
    }
    if (f->reporter) {
        p = put_text(p, ",\"reporter\":\"");
        p = put_addr(p, f->reporter);
        *p++ = '"';
    }
    if (f->revises != STATE_UNKNOWN)
        p = put_key_text(p, ",\"revises\":", state_name((enum state)f->revises));
    return p;
}

static int jsonl_finding(struct sink *s, const struct finding *f) {
    char *p = writer_reserve(&s->out, FINDING_MAX);
    if (!p)
        return s->out.error;
    p = put_text(p, "{\"ip\":\"");
    p = put_addr(p, f->addr);
    *p++ = '"';
    if (!finding_is_host(f))
        p = put_key_u64(p, ",\"port\":", f->port);
    p = put_key_text(p, ",\"proto\":", techniques[f->technique].proto);
    p = put_key_text(p, ",\"technique\":", techniques[f->technique].name);
    p = put_key_text(p, ",\"state\":", state_name((enum state)f->state));
    p = put_key_text(p, ",\"reason\":", reason_name((enum reason)f->reason));
    if (f->flags & FINDING_HAS_TCP_FLAGS) {
        p = put_text(p, ",\"flags\":\"");
        p = put_tcp_flags(p, f->tcp_flags);
        *p++ = '"';
    }
    if (f->flags & FINDING_HAS_TTL)
        p = put_key_u64(p, ",\"ttl\":", f->ttl);
    if (f->tried >= 0)
        p = put_key_u64(p, ",\"try\":", (uint64_t)f->tried);
    if (f->flags & FINDING_HAS_RTT)
        p = put_key_u64(p, ",\"rtt_us\":", f->rtt_us);
    p = put_text(p, ",\"timestamp\":\"");
    p = put_time(p, s->state, f->time_ns);
    *p++ = '"';
    p = put_optional(p, f, sink_name_of(s, f->addr));
    p = put_text(p, "}\n");
    writer_commit(&s->out, p);
    return 0;
}

static int jsonl_open(struct sink *s) {
    s->state = calloc(1, sizeof(struct put_time_cache));
    return s->state ? 0 : -ENOMEM;
}

static int jsonl_close(struct sink *s, const struct summary *sum) {
    free(s->state);
    s->state = NULL;
    return sum ? summary_write_json(sum, &s->out) : 0;
}

const struct sink_ops sink_jsonl = {
    .format = "jsonl",
    .ending = ".jsonl",
    .open = jsonl_open,
    .finding = jsonl_finding,
    .close = jsonl_close,
};
