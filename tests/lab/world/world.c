/* The loader of the synthetic internet: attaches it to an interface, says "ready" on stdout, and from then on prints
 * one line of JSON with all counters for each SIGUSR1 and at its end (SIGTERM, SIGINT, or the death of its parent).
 * With --dump DIR it writes endpoints.bin and arrivals.bin there each time first. The program hangs on a bpf_link, so
 * nothing of it outlives this process, whatever ends it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "holder.h"
#include "settings.h"

#pragma GCC diagnostic push /* bpftool's generated code isn't clean under it */
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "world.skel.h"
#pragma GCC diagnostic pop

#define PATH_SIZE 4096
#define HELD_BYTES (1u << 25) /* 100,000 answers between two looks at the ring */
#define EVENTS_BLOCK_BYTES (EVENTS_BLOCK * sizeof(uint32_t))
#define TURN_NS 100000        /* from one look to the next */

struct loader {
    struct settings settings;
    struct list6 list;
    const char *interface, *dump;
    struct world *world;
    struct holder *holder; /* NULL where no answer leaves late */
    struct endpoint *endpoints; /* mmap-ed maps, NULL until then */
    uint64_t *arrivals, *source_ports;
    const uint32_t *events;
    size_t n_endpoints, n_events; /* the latter: those that are in the tallies by now */
};

#define LOADER_INIT ((struct loader){.settings = SETTINGS_INIT, .list = LIST6_INIT})

static int fail(const char *what, int code) {
    fprintf(stderr, "world: %s: %s\n", what, strerror(code < 0 ? -code : code));
    return -1;
}

static int usage(const char *why, const char *what) {
    fprintf(stderr, "world: %s %s\nusage: world --interface NAME [--dump DIR] [settings]\n%s", why, what,
            settings_help());
    return -1;
}

static int options_read(struct loader *loader, int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage("no value after", argv[i]);
        if (strcmp(argv[i], "--interface") == 0) {
            loader->interface = argv[i + 1];
        } else if (strcmp(argv[i], "--dump") == 0) {
            loader->dump = argv[i + 1];
        } else {
            int code = settings_option(&loader->settings, &loader->list, argv[i], argv[i + 1]);
            if (code)
                return usage(code == -ENOENT ? "unknown option" : "bad value for", argv[i]);
        }
    }
    const char *fault = settings_fault(&loader->settings);
    if (fault)
        return usage(fault, "");
    return loader->interface ? 0 : usage("missing option", "--interface");
}

static bool delays(const struct settings *s) {
    return s->delay_us || s->delay_spread_us || (s->late_ppm && s->late_us);
}

static void *map_memory(const struct bpf_map *map, size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The maps are as large as the universe. */
static int maps_size(const struct loader *loader) {
    const struct settings *s = &loader->settings;
    const struct {
        struct bpf_map *map;
        uint32_t entries;
    } sizes[] = {
        {loader->world->maps.endpoints, (uint32_t)loader->n_endpoints},
        {loader->world->maps.events, loader->world->rodata->events_max / EVENTS_BLOCK + 1},
        {loader->world->maps.answers_of, s->answer_pps ? truth_hosts(s) : 1},
        {loader->world->maps.errors_of, s->error_pps ? truth_hosts(s) : 1},
        {loader->world->maps.listed, loader->list.n ? loader->list.n : 1},
        {loader->world->maps.copies, s->copies},
        {loader->world->maps.held, delays(s) ? HELD_BYTES : (uint32_t)getpagesize()},
    };
    int code = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && !code; i++)
        code = bpf_map__set_max_entries(sizes[i].map, sizes[i].entries);
    return code;
}

static int list_load(const struct loader *loader) {
    int code = 0;
    for (uint32_t host = 0; host < loader->list.n && !code; host++)
        code = bpf_map__update_elem(loader->world->maps.listed, &loader->list.addresses[host],
                                    sizeof(struct address6), &host, sizeof(host), BPF_NOEXIST);
    return code;
}

/* Several queues would be served at the same time by as many processors. */
static bool is_serial(const char *interface) {
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "/sys/class/net/%s/queues/rx-1", interface);
    return n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) != 0;
}

/* What the program takes for constants. */
static void settings_write(struct loader *loader) {
    const struct settings *s = &loader->settings;
    struct world__rodata *constants = loader->world->rodata;
    constants->given = *s;
    constants->counted = truth_counted(s);
    constants->serial = is_serial(loader->interface);
    uint64_t events = truth_endpoints(s) * truth_kinds(s) * EVENTS_PER_ENDPOINT;
    if (constants->counted && constants->serial && !truth_numbered(s))
        constants->events_max = events > EVENTS_MIN ? (uint32_t)events : EVENTS_MIN;
    for (uint32_t kind = 0; kind < KIND_COUNT; kind++)
        constants->tables[kind] = (uint32_t)truth_tally_index(s, (enum truth_kind)kind, 0, s->first_port);
}

static int world_load(struct loader *loader) {
    const struct settings *s = &loader->settings;
    struct world *world = loader->world = world__open();
    if (!world)
        return fail("open", errno);
    loader->n_endpoints = truth_counted(s) ? (size_t)truth_endpoints(s) * truth_kinds(s) : 1;
    settings_write(loader);
    int code = maps_size(loader);
    if (!code)
        code = world__load(world);
    if (!code)
        code = list_load(loader);
    if (code)
        return fail("load", code);
    loader->endpoints = map_memory(world->maps.endpoints, loader->n_endpoints * sizeof(struct endpoint));
    loader->arrivals = map_memory(world->maps.arrivals, WORLD_ARRIVAL_BINS * sizeof(uint64_t));
    loader->source_ports = map_memory(world->maps.source_ports, 65536 * sizeof(uint64_t));
    loader->events = map_memory(world->maps.events, bpf_map__max_entries(world->maps.events) * EVENTS_BLOCK_BYTES);
    if (!loader->events || !loader->endpoints || !loader->arrivals || !loader->source_ports)
        return fail("map the counters", errno);
    return 0;
}

static int world_attach(struct loader *loader) {
    struct world *world = loader->world;
    unsigned int index = if_nametoindex(loader->interface);
    if (!index)
        return fail(loader->interface, errno);
    for (uint32_t slot = 0; slot < loader->settings.copies; slot++) {
        uint32_t target = index;
        int code = bpf_map__update_elem(world->maps.copies, &slot, sizeof(slot), &target, sizeof(target), BPF_ANY);
        if (code)
            return fail("map of copies", code);
    }
    if (delays(&loader->settings)) {
        const struct sched_param first = {.sched_priority = 1}; /* a busy scanner must not make answers late */
        loader->holder = holder_new(bpf_map__fd(world->maps.held), (int)index);
        if (!loader->holder || sched_setscheduler(0, SCHED_FIFO, &first))
            return fail("hold answers", errno);
    }
    LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
    int fd = bpf_link_create(bpf_program__fd(world->progs.world), (int)index, BPF_XDP, &opts);
    return fd < 0 ? fail("attach", fd) : 0; /* the descriptor is the link: it stays open until the process ends */
}

static int dump_file(const char *dir, const char *name, const void *data, size_t size) {
    char path[PATH_SIZE];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return fail(dir, ENAMETOOLONG);
    FILE *file = fopen(path, "wb");
    if (!file)
        return fail(path, errno);
    bool written = fwrite(data, 1, size, file) == size;
    return fclose(file) == 0 && written ? 0 : fail(path, errno);
}

static void event_replay(struct endpoint *endpoint, uint32_t field) {
    uint32_t probes = tally_field(endpoint->tally, TALLY_PROBES);
    if (field == TALLY_PROBES && probes == TALLY_PROBES_MAX)
        return;
    if (field == TALLY_ANSWERS && !tally_field(endpoint->tally, TALLY_ANSWERS))
        endpoint->tally += (uint64_t)probes << TALLY_FIRST;
    endpoint->tally += UINT64_C(1) << field;
}

/* Brings the tallies up to date. */
static void events_replay(struct loader *loader) {
    const size_t ahead = 16; /* endpoints whose memory is on its way */
    const uint32_t number = (UINT32_C(1) << EVENT_FIELD_SHIFT) - 1;
    size_t n = __atomic_load_n(&loader->world->bss->n_events, __ATOMIC_ACQUIRE);
    for (size_t i = loader->n_events; i < n; i++) {
        if (i + ahead < n)
            __builtin_prefetch(&loader->endpoints[loader->events[i + ahead] & number], 1);
        event_replay(&loader->endpoints[loader->events[i] & number], loader->events[i] >> EVENT_FIELD_SHIFT);
    }
    loader->n_events = n;
}

static int dump(struct loader *loader) {
    const struct world__bss *bss = loader->world->bss;
    events_replay(loader);
    if (!loader->dump)
        return 0;
    uint64_t bins = bss->first_ns ? (bss->last_ns - bss->first_ns) / WORLD_ARRIVAL_NS + 1 : 0;
    if (bins > WORLD_ARRIVAL_BINS)
        bins = WORLD_ARRIVAL_BINS;
    int code = dump_file(loader->dump, "arrivals.bin", loader->arrivals, (size_t)bins * sizeof(uint64_t));
    if (!code && truth_counted(&loader->settings))
        code = dump_file(loader->dump, "endpoints.bin", loader->endpoints,
                         loader->n_endpoints * sizeof(struct endpoint));
    return code;
}

static uint64_t counter_read(const struct loader *loader, uint32_t which, uint64_t *per_cpu, size_t size) {
    uint64_t sum = 0;
    if (bpf_map__lookup_elem(loader->world->maps.counters, &which, sizeof(which), per_cpu, size, 0))
        return 0;
    for (size_t i = 0; i < size / sizeof(*per_cpu); i++)
        sum += per_cpu[i];
    return sum;
}

static int report(struct loader *loader) {
    static const char *const names[] = {
#define X(name) #name,
        WORLD_COUNTERS(X)
#undef X
    };
    int n_cpus = libbpf_num_possible_cpus();
    size_t size = n_cpus > 0 ? (size_t)n_cpus * sizeof(uint64_t) : 0;
    uint64_t *per_cpu = calloc(1, size + 1);
    if (!per_cpu || !size || dump(loader)) {
        free(per_cpu);
        return -1;
    }
    printf("{\"type\":\"world\"");
    for (uint32_t i = 0; i < WORLD_COUNTERS_END; i++)
        printf(",\"%s\":%" PRIu64, names[i], counter_read(loader, i, per_cpu, size));
    free(per_cpu);
    printf(",\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64 ",\"source_ports\":{",
           (uint64_t)loader->world->bss->first_ns, (uint64_t)loader->world->bss->last_ns);
    const char *comma = "";
    for (unsigned int port = 0; port < 65536; port++) {
        if (!loader->source_ports[port])
            continue;
        printf("%s\"%u\":%" PRIu64, comma, port, loader->source_ports[port]);
        comma = ",";
    }
    printf("}}\n");
    return fflush(stdout) ? fail("stdout", errno) : 0;
}

/* The next signal. Until it comes, answers leave as they are due. Returns < 0 if they can't be held. */
static int signal_wait(const struct loader *loader, const sigset_t *signals) {
    const struct timespec turn = {.tv_nsec = TURN_NS};
    for (;;) {
        int code = loader->holder ? holder_turn(loader->holder) : 0;
        if (code)
            return fail("hold answers", code);
        int signal = loader->holder ? sigtimedwait(signals, NULL, &turn) : sigwaitinfo(signals, NULL);
        if (signal > 0)
            return signal;
    }
}

/* Answers SIGUSR1 until another of the signals comes. */
static int serve(struct loader *loader, const sigset_t *signals) {
    puts("{\"type\":\"ready\"}");
    fflush(stdout);
    for (;;) {
        int signal = signal_wait(loader, signals);
        if (signal < 0)
            return -1;
        if (report(loader))
            return -1;
        if (signal != SIGUSR1)
            return 0;
    }
}

int main(int argc, char **argv) {
    struct loader loader = LOADER_INIT;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1); /* nanosecond */

    int code = options_read(&loader, argc, argv);
    if (code == 0)
        code = world_load(&loader);
    if (code == 0)
        code = world_attach(&loader);
    if (code == 0)
        code = serve(&loader, &signals);
    holder_free(loader.holder);
    world__destroy(loader.world);
    list6_deinit(&loader.list);
    return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
