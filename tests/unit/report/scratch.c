#include "scratch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int scratch_setup(void **state) {
    struct scratch *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    memcpy(s->dir, "/tmp/noctule-report-XXXXXX", sizeof "/tmp/noctule-report-XXXXXX");
    *state = s;
    return mkdtemp(s->dir) ? 0 : -1;
}

int scratch_teardown(void **state) {
    struct scratch *s = *state;
    for (unsigned i = 0; i < s->n; i++) {
        const char *colon = strchr(s->path[i], ':');
        unlink(colon ? colon + 1 : s->path[i]);
        free(s->path[i]);
    }
    int r = rmdir(s->dir);
    free(s);
    return r;
}

const char *scratch_path(struct scratch *s, const char *prefix, const char *name) {
    assert_true(s->n < 16);
    assert_true(asprintf(&s->path[s->n], "%s%s/%s", prefix, s->dir, name) > 0);
    return s->path[s->n++];
}

char *read_whole(const char *path, size_t *n) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    size_t size = (size_t)st.st_size, done = 0;
    char *text = malloc(size + 1);
    assert_non_null(text);
    while (done < size) {
        ssize_t k = read(fd, text + done, size - done);
        assert_true(k > 0);
        done += (size_t)k;
    }
    close(fd);
    text[size] = '\0';
    if (n)
        *n = size;
    return text;
}

size_t count_lines(const char *text) {
    size_t n = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

struct finding sample_finding(uint16_t port) {
    return (struct finding){
        .addr = addr_from_v4(0xc6120505),
        .time_ns = UINT64_C(1767225600000001000),
        .rtt_us = 18300,
        .port = port,
        .technique = TECHNIQUE_SYN,
        .state = STATE_OPEN,
        .reason = REASON_SYN_ACK,
        .flags = FINDING_HAS_TTL | FINDING_HAS_RTT | FINDING_HAS_TCP_FLAGS,
        .tcp_flags = 0x12,
        .ttl = 44,
    };
}

struct report *report_of(const char *const *words, unsigned n, unsigned queues) {
    struct report *r = NULL;
    struct error e = ERROR_INIT;
    struct report_config config = {.outputs = words, .n_outputs = n, .show = 0xffff};
    if (report_create(&config, queues, &r, &e) < 0)
        fail_msg("%s", e.text);
    return r;
}
