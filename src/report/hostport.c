#include <errno.h>

#include "report/put.h"
#include "report/sink.h"

/* "198.18.5.5:22", and nothing else: for the next program of a pipe. A host without a port is its address. */
static int hostport_finding(struct sink *s, const struct finding *f) {
    char *p = writer_reserve(&s->out, PUT_ENDPOINT_MAX + 1);
    if (!p)
        return s->out.error;
    p = finding_is_host(f) ? put_addr(p, f->addr) : put_endpoint(p, f->addr, f->port);
    *p++ = '\n';
    writer_commit(&s->out, p);
    return 0;
}

const struct sink_ops sink_hostport = {
    .format = "hostport",
    .ending = ".hostport",
    .finding = hostport_finding,
};
