#include "cli/dry_run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "probe/technique.h"
#include "report/put.h"

#define BUFFER 65536u
#define LINE_MAX_LEN (PUT_ENDPOINT_MAX + 32u) /* protocol and technique names are short words */

struct output {
    int fd;
    size_t n;
    char buf[BUFFER];
};

static int flush(struct output *o) {
    for (size_t done = 0; done < o->n;) {
        ssize_t k = write(o->fd, o->buf + done, o->n - done);
        if (k < 0 && errno != EINTR)
            return -errno;
        done += k > 0 ? (size_t)k : 0;
    }
    o->n = 0;
    return 0;
}

static int print(void *ctx, uint64_t position, const struct endpoint *ep) {
    struct output *o = ctx;
    (void)position; /* it is the line's number */
    if (BUFFER - o->n < LINE_MAX_LEN) {
        int code = flush(o);
        if (code < 0)
            return code;
    }
    const struct technique *t = &techniques[ep->slot.technique];
    char *p = o->buf + o->n;
    p = t->host ? put_addr(p, ep->addr) : put_endpoint(p, ep->addr, ep->slot.port);
    *p++ = ' ';
    p = put_text(p, t->proto);
    *p++ = ' ';
    p = put_text(p, t->name);
    *p++ = '\n';
    o->n = (size_t)(p - o->buf);
    return 0;
}

int dry_run(const struct scan_config *config, int fd, struct error *e) {
    struct output o = {.fd = fd};
    int code = scan_dry_run(config, print, &o);
    if (code == 0)
        code = flush(&o);
    if (code < 0 && code != -EPIPE)
        error_set(e, code, "cannot write the dry run: %s", strerror(-code));
    return code;
}
