/* The loader of the sink:
 *
 *     sink INTERFACE [EVERY MOST FILE]
 *
 * attaches it, says "ready" on stdout, and prints one line of JSON with all counters for each SIGUSR1 and at its end
 * (SIGTERM, SIGINT, or the death of its parent); all times are CLOCK_MONOTONIC. With EVERY it samples one endpoint in
 * so many, MOST frames at most, and at its end writes them to FILE, for the checker. The program hangs on a bpf_link,
 * so nothing of it outlives this process. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/parse.h"
#include "sample.h"

#pragma GCC diagnostic push /* bpftool's generated code isn't clean under it */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "sink.skel.h"
#pragma GCC diagnostic pop

#define SAMPLES_MAX (1u << 24)
#define ARGUMENTS 5 /* with those on sampling */

static int fail(const char *what, int code) {
    fprintf(stderr, "sink: %s: %s\n", what, strerror(code < 0 ? -code : code));
    return -1;
}

/* The program, loaded and with its samples' room. NULL: it said why. */
static struct sink *load(uint32_t every, uint32_t most) {
    struct sink *sink = sink__open();
    if (!sink) {
        fail("open", errno);
        return NULL;
    }
    sink->rodata->sample_every = every;
    sink->rodata->sample_max = most;
    int code = bpf_map__set_max_entries(sink->maps.samples, most ? most : 1);
    if (!code)
        code = sink__load(sink);
    if (!code)
        return sink;
    fail("load", code);
    sink__destroy(sink);
    return NULL;
}

static int attach(const struct sink *sink, const char *interface) {
    unsigned int index = if_nametoindex(interface);
    LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
    int fd = index ? bpf_link_create(bpf_program__fd(sink->progs.sink), (int)index, BPF_XDP, &opts) : -errno;
    return fd < 0 ? fail(interface, fd) : 0; /* the descriptor is the link: it stays open until the process ends */
}

/* A counter's sum over all processors. */
static uint64_t counter_read(const struct sink *sink, uint32_t which) {
    static uint64_t per_cpu[4096];
    int n = libbpf_num_possible_cpus();
    size_t size = n > 0 ? (size_t)n * sizeof(uint64_t) : 0;
    uint64_t sum = 0;
    if (size > sizeof(per_cpu) || bpf_map__lookup_elem(sink->maps.counters, &which, sizeof(which), per_cpu, size, 0))
        return 0;
    for (int i = 0; i < n; i++)
        sum += per_cpu[i];
    return sum;
}

static int report(const struct sink *sink) {
    uint64_t queues[SINK_QUEUES_MAX], frames = 0, now = clock_mono_ns();
    unsigned int n = 1;
    for (unsigned int i = 0; i < SINK_QUEUES_MAX; i++) {
        queues[i] = counter_read(sink, i);
        frames += queues[i];
        if (queues[i])
            n = i + 1;
    }
    printf("{\"now_ns\":%" PRIu64 ",\"first_ns\":%" PRIu64 ",\"frames\":%" PRIu64 ",\"arp\":%" PRIu64
           ",\"other\":%" PRIu64 ",\"sampled\":%" PRIu32 ",\"queues\":[",
           now, (uint64_t)sink->bss->first_ns, frames, counter_read(sink, SINK_ARP), counter_read(sink, SINK_OTHER),
           (uint32_t)sink->bss->taken);
    for (unsigned int i = 0; i < n; i++)
        printf("%s%" PRIu64, i ? "," : "", queues[i]);
    puts("]}");
    return fflush(stdout) ? fail("stdout", errno) : 0;
}

/* Once no frame comes any more. */
static int samples_write(const struct sink *sink, const char *path) {
    uint32_t most = sink->rodata->sample_max, n = sink->bss->taken < most ? sink->bss->taken : most;
    void *p = mmap(NULL, most * sizeof(struct sample), PROT_READ, MAP_SHARED, bpf_map__fd(sink->maps.samples), 0);
    if (p == MAP_FAILED)
        return fail("map the samples", errno);
    FILE *file = fopen(path, "wb");
    if (!file)
        return fail(path, errno);
    bool written = fwrite(p, sizeof(struct sample), n, file) == n;
    return fclose(file) == 0 && written ? 0 : fail(path, errno);
}

/* Answers SIGUSR1 until another of the signals comes. */
static int serve(const struct sink *sink, const sigset_t *signals) {
    int signal = SIGUSR1;
    puts("{\"type\":\"ready\"}");
    fflush(stdout);
    while (signal == SIGUSR1) {
        signal = sigwaitinfo(signals, NULL);
        if (report(sink) < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv) {
    uint64_t every = 0, most = 0;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);

    if ((argc != 2 && argc != ARGUMENTS) ||
        (argc == ARGUMENTS && (parse_u64(argv[2], 1, UINT32_MAX, &every) || parse_u64(argv[3], 1, SAMPLES_MAX, &most))))
        return -fail("usage: sink INTERFACE [EVERY MOST FILE]", EINVAL);
    struct sink *sink = load((uint32_t)every, (uint32_t)most);
    if (!sink)
        return EXIT_FAILURE;
    int code = attach(sink, argv[1]);
    if (code == 0)
        code = serve(sink, &signals);
    if (code == 0 && most)
        code = samples_write(sink, argv[4]);
    sink__destroy(sink);
    return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
