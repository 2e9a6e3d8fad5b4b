/* The connect scan over loopback, whose truth is this process's own listeners; and the walk of a dry run. */
#include "../unit.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "plan/order.h"
#include "scan/scan.h"

enum { LISTENERS = 20 };
#define TARGET addr_from_v4(0x7f000001)
#define SHOW_ALL 0xffffu

static struct {
    int fds[LISTENERS];
    uint16_t ports[LISTENERS];
} listening;

static _Atomic int stop_never, stop_soon;

static int by_number(const void *a, const void *b) {
    const uint16_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The kernel picks the ports. */
static int listen_somewhere(void **state) {
    (void)state;
    for (unsigned i = 0; i < LISTENERS; i++) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(addr_v4(TARGET))}};
        socklen_t n = sizeof a;
        int fd = listening.fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 128) < 0 ||
            getsockname(fd, (struct sockaddr *)&a, &n) < 0)
            return -1;
        listening.ports[i] = ntohs(a.sin_port);
    }
    qsort(listening.ports, LISTENERS, sizeof listening.ports[0], by_number);
    return 0;
}

static int stop_listening(void **state) {
    (void)state;
    for (unsigned i = 0; i < LISTENERS; i++)
        close(listening.fds[i]);
    return 0;
}

static struct plan *plan_of(uint16_t first, uint16_t last) {
    struct error e = ERROR_INIT;
    struct target target = {.range = {TARGET, TARGET}, .port = -1};
    size_t n = (size_t)(last - first) + 1;
    struct slot *slots = calloc(n, sizeof *slots);
    assert_non_null(slots);
    for (size_t i = 0; i < n; i++)
        slots[i] = (struct slot){.port = (uint16_t)(first + i), .technique = TECHNIQUE_CONNECT};
    struct plan_input in = {.targets = &target, .n_targets = 1, .slots = slots, .n_slots = n};
    struct plan *plan = NULL;
    assert_int_equal(plan_create(&in, &plan, &e), 0);
    free(slots);
    return plan;
}

struct run {
    struct summary sum;
    struct error error;
    int result;
    unsigned n;      /* findings */
    uint16_t *ports; /* of the findings, ascending */
};

static void read_ports(struct run *r, const char *path) {
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    r->ports = calloc(65536, sizeof *r->ports);
    assert_non_null(r->ports);
    unsigned port;
    while (fscanf(f, "127.0.0.1:%u\n", &port) == 1) {
        assert_true(r->n < 65536);
        r->ports[r->n++] = (uint16_t)port;
    }
    assert_true(feof(f));
    fclose(f);
    qsort(r->ports, r->n, sizeof *r->ports, by_number);
}

/* Calls progress() beside a scan, until it is over. */
struct watcher {
    struct connect_scan *scan;
    _Atomic int over;
    bool wrong; /* the parts did not sum up */
    struct scan_progress last;
};

static void look(struct watcher *w) {
    struct scan_progress *p = &w->last;
    connect_progress(w->scan, p);
    w->wrong |= p->planned != p->unsent + p->in_flight + p->answered + p->given_up || !p->phase;
}

static void *watch(void *arg) {
    struct watcher *w = arg;
    while (!atomic_load(&w->over)) {
        look(w);
        clock_sleep_until(clock_mono_ns() + NS_PER_MS);
    }
    return NULL;
}

static void run_watched(struct connect_scan *connect, struct scan_config *config, struct run *r) {
    pthread_t thread;
    struct watcher w = {.scan = connect};
    assert_int_equal(pthread_create(&thread, NULL, watch, &w), 0);
    r->result = connect_run(connect, config->report, &r->sum, &r->error);
    atomic_store(&w.over, 1);
    pthread_join(thread, NULL);
    look(&w);
    assert_false(w.wrong);
    assert_int_equal(w.last.unsent + w.last.in_flight + w.last.answered + w.last.given_up, r->sum.planned);
    assert_int_equal(w.last.in_flight, 0);
    assert_int_equal(w.last.found, r->sum.states[w.last.pings ? STATE_UP : STATE_OPEN]);
}

/* Scans ports first..last, or config.plan; fields of config that are 0 get ordinary values. */
static struct run scan(uint16_t first, uint16_t last, struct scan_config config, unsigned max_sockets,
                       uint64_t max_results) {
    struct run r = {.error = ERROR_INIT};
    char path[64], word[80];
    snprintf(path, sizeof path, "/tmp/noctule-connect-%d", getpid());
    snprintf(word, sizeof word, "hostport:%s", path);
    const char *outputs[] = {word};
    config.show = config.show ? config.show : 1u << STATE_OPEN;
    struct report_config report = {.outputs = outputs, .n_outputs = 1, .show = config.show, .max_results = max_results};
    struct plan *plan = config.plan ? NULL : plan_of(first, last);
    config.plan = config.plan ? config.plan : plan;
    config.seed = 7;
    config.shards = config.shards ? config.shards : 1;
    config.shard = config.shard ? config.shard : 1;
    config.stop = config.stop ? config.stop : &stop_never;
    assert_int_equal(report_create(&report, SCAN_QUEUES, &config.report, &r.error), 0);
    struct connect_scan *connect;
    r.result = connect_create(&config, max_sockets, &connect, &r.error);
    if (r.result == 0) {
        run_watched(connect, &config, &r);
        connect_free(connect);
    }
    assert_int_equal(report_finish(config.report, &r.sum, &r.error), 0);
    plan_free(plan);
    read_ports(&r, path);
    unlink(path);
    return r;
}

static void assert_exactly_the_listeners(struct run *r) {
    assert_int_equal(r->result, 0);
    assert_int_equal(r->n, LISTENERS);
    assert_memory_equal(r->ports, listening.ports, sizeof listening.ports);
    assert_int_equal(r->sum.states[STATE_OPEN], LISTENERS);
    assert_int_equal(r->sum.states[STATE_OPEN] + r->sum.states[STATE_CLOSED], r->sum.planned);
    assert_int_equal(r->sum.finals, r->sum.planned);
    assert_int_equal(r->sum.sent, r->sum.planned);
    assert_int_equal(r->sum.resets_sent, LISTENERS);
    assert_string_equal(r->sum.ended, "complete");
    free(r->ports);
}

static void exactly_the_listeners(void **state) {
    (void)state;
    struct run r = scan(1, 65535, (struct scan_config){.retries = 1}, 0, 0);
    assert_exactly_the_listeners(&r);
}

static void one_socket_at_a_time(void **state) {
    (void)state;
    struct run r = scan(1024, 65535, (struct scan_config){.retries = 1}, 1, 0);
    assert_exactly_the_listeners(&r);
}

/* Descriptors that the process has open. */
static rlim_t descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    rlim_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3; /* ".", ".." and the directory itself */
}

static struct rlimit limit_before;

static void limit_descriptors(rlim_t n) {
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit_before), 0);
    struct rlimit less = {.rlim_cur = n, .rlim_max = limit_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
}

static void few_descriptors(void **state) {
    (void)state;
    limit_descriptors(descriptors() + 6); /* the file, the report's eventfd, epoll: three are left */
    struct run r = scan(1024, 65535, (struct scan_config){.retries = 1}, 0, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit_before), 0);
    assert_exactly_the_listeners(&r);
}

/* getrlimit(2), as the program's only word on what it may have: --wrap in meson.build. */
int __real_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);
int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit);
static bool million_descriptors;

int __wrap_getrlimit(__rlimit_resource_t resource, struct rlimit *limit) {
    if (!million_descriptors || resource != RLIMIT_NOFILE)
        return __real_getrlimit(resource, limit);
    *limit = (struct rlimit){.rlim_cur = 1048576, .rlim_max = 1048576};
    return 0;
}

/* Allowed a million, it still asks for no more than it uses. */
static void a_million_descriptors(void **state) {
    (void)state;
    million_descriptors = true;
    struct run r = scan(1, 65535, (struct scan_config){.retries = 1}, 0, 0);
    million_descriptors = false;
    assert_exactly_the_listeners(&r);
}

static void *lift_limit_later(void *arg) {
    (void)arg;
    clock_sleep_until(clock_mono_ns() + 300 * NS_PER_MS);
    setrlimit(RLIMIT_NOFILE, &limit_before);
    return NULL;
}

/* Not even one: the scan waits until there is room. */
static void no_descriptor_for_a_while(void **state) {
    (void)state;
    pthread_t thread;
    limit_descriptors(descriptors() + 3);
    assert_int_equal(pthread_create(&thread, NULL, lift_limit_later, NULL), 0);
    uint64_t start = clock_mono_ns();
    struct run r = scan(1024, 65535, (struct scan_config){.retries = 1}, 0, 0);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ns() - start >= 250 * NS_PER_MS);
    assert_exactly_the_listeners(&r);
}

static void shards_are_exact_and_disjoint(void **state) {
    (void)state;
    enum { SHARDS = 7, FIRST = 1000, LAST = 2999 };
    uint8_t seen[LAST + 1] = {0};
    uint64_t planned = 0;
    for (uint64_t i = 1; i <= SHARDS; i++) {
        struct run r = scan(FIRST, LAST, (struct scan_config){.shard = i, .shards = SHARDS, .show = SHOW_ALL}, 0, 0);
        assert_int_equal(r.n, r.sum.planned);
        planned += r.sum.planned;
        for (unsigned k = 0; k < r.n; k++)
            assert_int_equal(seen[r.ports[k]]++, 0);
        free(r.ports);
    }
    assert_int_equal(planned, LAST - FIRST + 1);
}

static void a_sample_is_so_many(void **state) {
    (void)state;
    struct run r = scan(1, 65535, (struct scan_config){.sample = 123, .show = SHOW_ALL}, 0, 0);
    assert_int_equal(r.n, 123);
    assert_int_equal(r.sum.planned, 123);
    assert_string_equal(r.sum.ended, "complete");
    free(r.ports);
}

static void exactly_so_many_results(void **state) {
    (void)state;
    struct run r = scan(1, 65535, (struct scan_config){.rate_milli_pps = 20000000}, 0, 5);
    assert_int_equal(r.n, 5);
    for (unsigned i = 0; i < r.n; i++)
        assert_non_null(bsearch(&r.ports[i], listening.ports, LISTENERS, sizeof listening.ports[0], by_number));
    free(r.ports);
}

static void the_rate_is_kept(void **state) {
    (void)state;
    /* 600 at 1,000 a second: the last leaves after 599 ms, less 5 ms of credit. */
    struct run r = scan(1, 600, (struct scan_config){.rate_milli_pps = 1000000}, 0, 0);
    assert_true(r.sum.duration_ns >= 590 * NS_PER_MS);
    free(r.ports);
    /* 300 at 784,000 bits a second, a SYN being 784 bits on the wire. */
    r = scan(1, 300, (struct scan_config){.bandwidth_bps = 784000}, 0, 0);
    assert_true(r.sum.duration_ns >= 290 * NS_PER_MS);
    free(r.ports);
}

static void the_runtime_is_bounded(void **state) {
    (void)state;
    struct run r = scan(1, 65535, (struct scan_config){.rate_milli_pps = 1000000, .max_runtime_ns = 200 * NS_PER_MS,
                                                       .show = SHOW_ALL}, 0, 0);
    assert_string_equal(r.sum.ended, "max-runtime");
    assert_in_range(r.sum.finals, 1, 65534);
    assert_int_equal(r.n, r.sum.finals);
    free(r.ports);
}

static void *stop_later(void *arg) {
    (void)arg;
    clock_sleep_until(clock_mono_ns() + 200 * NS_PER_MS);
    atomic_store(&stop_soon, 1);
    return NULL;
}

static void a_stop_is_heard(void **state) {
    (void)state;
    pthread_t thread;
    for (int signals = 2; signals > 0; signals--) {
        atomic_store(&stop_soon, signals == 2 ? 2 : 0); /* two at once, then one amid the scan */
        assert_int_equal(pthread_create(&thread, NULL, stop_later, NULL), 0);
        struct run r = scan(1, 65535, (struct scan_config){.rate_milli_pps = 1000000, .stop = &stop_soon,
                                                           .show = SHOW_ALL}, 0, 0);
        pthread_join(thread, NULL);
        assert_int_equal(r.result, 0);
        assert_string_equal(r.sum.ended, "interrupted");
        assert_true(r.sum.finals < 65535);
        assert_int_equal(r.n, r.sum.finals);
        free(r.ports);
    }
}

static void wishes_that_cannot_be_had(void **state) {
    (void)state;
    struct run r = scan(1, 10, (struct scan_config){.ifname = "nothere0"}, 0, 0);
    assert_int_equal(r.result, -ENODEV);
    assert_string_not_equal(r.error.text, "");
    assert_int_equal(r.sum.sent, 0);
    free(r.ports);
    r = scan(1, 10, (struct scan_config){.source_v4 = addr_from_v4(0xcb007107)}, 0, 0); /* 203.0.113.7 */
    assert_int_equal(r.result, -EADDRNOTAVAIL);
    assert_int_equal(r.sum.sent, 0);
    free(r.ports);
}

/* ---- both families, hosts ---- */

#define LOOPBACK_V6 ((addr_t)1)
#define OWN addr_from_v4(0xc0000209)     /* 192.0.2.9: an address of this namespace's lo */
#define NOWHERE addr_from_v4(0xc6120001) /* 198.18.0.1: this namespace has no route there */

static struct plan *plan_to(const addr_t *addresses, size_t n, const struct slot *slots, size_t n_slots) {
    struct error e = ERROR_INIT;
    struct target targets[8];
    struct plan *plan = NULL;
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++)
        targets[i] = (struct target){.range = {addresses[i], addresses[i]}, .port = -1};
    struct plan_input in = {.targets = targets, .n_targets = n, .slots = slots, .n_slots = n_slots};
    assert_int_equal(plan_create(&in, &plan, &e), 0);
    return plan;
}

/* The listeners' ports on the named addresses. */
static struct run scan_listeners(const addr_t *addresses, size_t n, struct scan_config config) {
    struct slot slots[LISTENERS];
    for (size_t i = 0; i < LISTENERS; i++)
        slots[i] = (struct slot){.port = listening.ports[i], .technique = TECHNIQUE_CONNECT};
    struct plan *plan = plan_to(addresses, n, slots, LISTENERS);
    config.plan = plan;
    struct run r = scan(0, 0, config, 0, 0);
    free(r.ports);
    plan_free(plan);
    return r;
}

static void both_families_in_one_scan(void **state) {
    (void)state;
    struct run r = scan_listeners((addr_t[]){TARGET, LOOPBACK_V6}, 2, (struct scan_config){.retries = 1});
    assert_int_equal(r.result, 0);
    assert_int_equal(r.sum.states[STATE_OPEN], LISTENERS);
    assert_int_equal(r.sum.states[STATE_CLOSED], LISTENERS);
    assert_string_equal(r.sum.ended, "complete");
}

static void a_source_for_each_family(void **state) {
    (void)state;
    struct scan_config config = {.source_v4 = addr_from_v4(0x7f000009), .source_v6 = LOOPBACK_V6};
    struct run r = scan_listeners((addr_t[]){TARGET, LOOPBACK_V6}, 2, config);
    assert_int_equal(r.sum.states[STATE_OPEN], LISTENERS);
    assert_int_equal(r.sum.states[STATE_CLOSED], LISTENERS);
    config.source_v6 = (addr_t)UINT64_C(0x20010db800000000) << 64;
    r = scan_listeners((addr_t[]){TARGET}, 1, config); /* which no target needs */
    assert_int_equal(r.result, 0);
    r = scan_listeners((addr_t[]){TARGET, LOOPBACK_V6}, 2, config);
    assert_int_equal(r.result, -EADDRNOTAVAIL);
    assert_non_null(strstr(r.error.text, "2001:db8::"));
}

/* Any answer says that a host is up: here all of them are refusals. Without a route it is down. */
static void a_ping_by_connecting(void **state) {
    (void)state;
    static const struct slot ping = {.technique = TECHNIQUE_PING};
    struct plan *plan = plan_to((addr_t[]){TARGET, LOOPBACK_V6, NOWHERE}, 3, &ping, 1);
    struct scan_config config = {.plan = plan, .retries = 1};
    struct run r = scan(0, 0, config, 0, 0);
    free(r.ports);
    assert_int_equal(r.result, 0);
    assert_int_equal(r.sum.states[STATE_UP], 2);
    assert_int_equal(r.sum.states[STATE_DOWN], 1);
    assert_int_equal(r.sum.hosts_up, 2);
    assert_int_equal(r.sum.hosts_down, 1);
    assert_int_equal(r.sum.sent, 2); /* port 80 has answered: 443 is not asked */
    config.ping[0] = (struct ping_part){PING_ECHO, 0}; /* which connect(2) cannot send */
    config.ping[1] = (struct ping_part){PING_ACK, listening.ports[0]};
    config.n_ping = 2;
    r = scan(0, 0, config, 0, 0);
    free(r.ports);
    assert_int_equal(r.sum.states[STATE_UP], 2);
    assert_int_equal(r.sum.resets_sent, 1); /* 127.0.0.1 accepts there */
    plan_free(plan);
}

static void ports_of_live_hosts_only(void **state) {
    (void)state;
    struct scan_config config = {.discover = true};
    struct run r = scan_listeners((addr_t[]){TARGET, LOOPBACK_V6, NOWHERE, NOWHERE + 1}, 4, config);
    assert_int_equal(r.result, 0);
    assert_int_equal(r.sum.hosts_up, 2);
    assert_int_equal(r.sum.hosts_down, 2);
    assert_int_equal(r.sum.ping_sent, 2);
    assert_int_equal(r.sum.planned, 2 * LISTENERS);
    assert_int_equal(r.sum.states[STATE_OPEN], LISTENERS);
    assert_int_equal(r.sum.states[STATE_DOWN], 0); /* states are of ports */
    assert_string_equal(r.sum.ended, "complete");
    r = scan_listeners((addr_t[]){NOWHERE}, 1, config);
    assert_int_equal(r.result, 0);
    assert_int_equal(r.sum.planned, 0);
    assert_int_equal(r.sum.hosts_down, 1);
    assert_string_equal(r.sum.ended, "complete");
}

/* The default rate is for the network: at 10 a second this would take an hour and more. */
static void no_default_rate_to_ourselves(void **state) {
    (void)state;
    struct scan_config config = {.rate_default = true, .rate_milli_pps = 10000, .max_runtime_ns = 100 * NS_PER_SEC};
    struct run r = scan(1, 65535, config, 0, 0);
    assert_exactly_the_listeners(&r);
    config.rate_milli_pps = 1000; /* for 20 ports */
    config.max_runtime_ns = 15 * NS_PER_SEC;
    r = scan_listeners((addr_t[]){OWN}, 1, config);
    assert_string_equal(r.sum.ended, "complete");
    config.max_runtime_ns = NS_PER_SEC;
    r = scan_listeners((addr_t[]){OWN, NOWHERE}, 2, config); /* not all of them are ours: the rate holds */
    assert_string_equal(r.sum.ended, "max-runtime");
}

/* ---- the dry run ---- */

struct walk {
    const struct plan *plan;
    struct order order;
    uint64_t first, n, stop_at;
    bool wrong;
};

static int walk_one(void *ctx, uint64_t position, const struct endpoint *ep) {
    struct walk *w = ctx;
    uint64_t index = plan_find(w->plan, ep);
    w->wrong |= position != w->first + w->n || index == PLAN_NONE || order_find(&w->order, index) != position;
    return ++w->n == w->stop_at ? 42 : 0;
}

static void a_dry_run_walks_the_shard_in_order(void **state) {
    (void)state;
    struct plan *plan = plan_of(1, 65535);
    struct scan_config config = {.plan = plan, .seed = 3, .shard = 2, .shards = 3};
    struct shard shard = shard_of(plan_size(plan), 2, 3);
    struct walk w = {.plan = plan, .first = shard.first};
    order_init(&w.order, plan_size(plan), config.seed);
    assert_int_equal(scan_dry_run(&config, walk_one, &w), 0);
    assert_int_equal(w.n, shard.end - shard.first);
    assert_false(w.wrong);

    w.n = 0, w.stop_at = 10;
    assert_int_equal(scan_dry_run(&config, walk_one, &w), 42);
    assert_int_equal(w.n, 10);

    w.n = w.stop_at = 0, config.sample = 1000;
    assert_int_equal(scan_dry_run(&config, walk_one, &w), 0);
    assert_int_equal(w.n, 1000);
    assert_false(w.wrong);
    plan_free(plan);
}

/* A network namespace of the test's own, for this machine's other listeners are no part of the truth. */
static bool enter_space(void) {
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(addr_v4(OWN))}};
    struct ifreq alias = {.ifr_name = "lo:1"};
    memcpy(&alias.ifr_addr, &own, sizeof own);
    up = up && ioctl(fd, SIOCSIFADDR, &alias) == 0;
    if (fd >= 0)
        close(fd);
    return up;
}

int main(void) {
    enum { SKIPPED = 77 }; /* meson's word for it */
    if (!enter_space()) {
        print_message("no network namespace may be made here: %s\n", strerror(errno));
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_listeners),
        cmocka_unit_test(one_socket_at_a_time),
        cmocka_unit_test(few_descriptors),
        cmocka_unit_test(a_million_descriptors),
        cmocka_unit_test(no_descriptor_for_a_while),
        cmocka_unit_test(shards_are_exact_and_disjoint),
        cmocka_unit_test(a_sample_is_so_many),
        cmocka_unit_test(exactly_so_many_results),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(the_runtime_is_bounded),
        cmocka_unit_test(a_stop_is_heard),
        cmocka_unit_test(wishes_that_cannot_be_had),
        cmocka_unit_test(both_families_in_one_scan),
        cmocka_unit_test(a_source_for_each_family),
        cmocka_unit_test(a_ping_by_connecting),
        cmocka_unit_test(ports_of_live_hosts_only),
        cmocka_unit_test(no_default_rate_to_ourselves),
        cmocka_unit_test(a_dry_run_walks_the_shard_in_order),
    };
    return cmocka_run_group_tests(tests, listen_somewhere, stop_listening);
}
