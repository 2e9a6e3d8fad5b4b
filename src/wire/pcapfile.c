#include "wire/pcapfile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/filter.h"

struct pcapfile {
    pthread_mutex_t lock;
    pcap_t *dead; /* holds link type and precision */
    pcap_dumper_t *file;
    int failed; /* negative errno of the first write that failed; nothing is written after it */
};

static int open_file(struct pcapfile *p, const char *path, enum link_type link, struct error *e) {
    p->dead = pcap_open_dead_with_tstamp_precision(link == LINK_ETHERNET ? DLT_EN10MB : DLT_RAW, FILTER_SNAPLEN,
                                                   PCAP_TSTAMP_PRECISION_NANO);
    if (!p->dead)
        return error_set(e, -ENOMEM, "out of memory for a capture file");
    FILE *f = fopen(path, "wbe");
    if (!f)
        return error_set(e, -errno, "cannot write capture file \"%s\": %s", path, strerror(errno));
    p->file = pcap_dump_fopen(p->dead, f);
    if (!p->file) {
        int r = errno ? -errno : -EIO;
        fclose(f);
        return error_set(e, r, "cannot write capture file \"%s\": %s", path, pcap_geterr(p->dead));
    }
    return 0;
}

int pcapfile_create(const char *path, enum link_type link, struct pcapfile **out, struct error *e) {
    if (strcmp(path, "-") == 0)
        return error_set(e, -EINVAL, "a capture needs a file's name: standard output is for the findings");
    struct pcapfile *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(e, -ENOMEM, "out of memory for a capture file");
    pthread_mutex_init(&p->lock, NULL);
    int r = open_file(p, path, link, e);
    if (r < 0) {
        (void)pcapfile_close(p);
        return r;
    }
    *out = p;
    return 0;
}

/* pcap_dump() reports nothing; the stream below it does. */
static void note_failure(struct pcapfile *p, bool failed) {
    if (failed && !p->failed)
        p->failed = errno ? -errno : -EIO;
}

void pcapfile_write(struct pcapfile *p, const struct frame *frames, unsigned n) {
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < n && !p->failed; i++) {
        const struct frame *f = &frames[i];
        uint64_t ns = f->time_ns ? f->time_ns : clock_real_ns();
        struct pcap_pkthdr h = {
            .ts = {.tv_sec = (time_t)(ns / NS_PER_SEC), .tv_usec = (suseconds_t)(ns % NS_PER_SEC)},
            .caplen = f->len,
            .len = f->wire_len > f->len ? f->wire_len : f->len,
        };
        errno = 0;
        pcap_dump((unsigned char *)p->file, &h, f->data);
        note_failure(p, ferror(pcap_dump_file(p->file)) != 0);
    }
    pthread_mutex_unlock(&p->lock);
}

int pcapfile_close(struct pcapfile *p) {
    if (!p)
        return 0;
    if (p->file) {
        errno = 0;
        note_failure(p, pcap_dump_flush(p->file) < 0);
        pcap_dump_close(p->file);
    }
    if (p->dead)
        pcap_close(p->dead);
    pthread_mutex_destroy(&p->lock);
    int r = p->failed;
    free(p);
    return r;
}
