#include "wire/xdp_hook.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/array.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "wire/iface.h"

#pragma GCC diagnostic push /* bpftool's generated code is not clean under it */
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "xdp.skel.h"
#pragma GCC diagnostic pop

#define ADDRESSES_MAX 4096u /* of this machine; replies to further ones come through the kernel */
#define CHUNK_BYTES 2048u
#define CHUNK_BYTES_LONG 4096u
#define CHUNK_HEADROOM 256u  /* XDP_PACKET_HEADROOM, before each received frame */
#define VLAN_TAG_BYTES 4u
#define RX_FRAMES_MIN 64u
#define TX_FRAMES 2048u
#define BUSY_WAIT_NS (5 * NS_PER_SEC)
#define CARRIER_WAIT_NS (10 * NS_PER_SEC) /* some cards restart when a program comes, and then negotiate their link */

static int quiet(enum libbpf_print_level level, const char *format, va_list args) {
    (void)level, (void)format, (void)args;
    return 0;
}

int xdp_hook_check(const struct xdp_driver *driver, const char *ifname, bool attached, struct error *e) {
    const char *name = *driver->name ? driver->name : "?";
    if (!driver->known)
        return 0;
    if (!(driver->features & XDP_FEATURE_BASIC) || !(driver->features & XDP_FEATURE_REDIRECT))
        return error_set(e, -EOPNOTSUPP, "interface \"%s\": its driver (%s) has no native XDP", ifname, name);
    if (driver->features & XDP_FEATURE_TRANSMIT)
        return 0;
    if (driver->is_veth)
        return error_set(e, -EOPNOTSUPP,
                         "interface \"%s\": the other end of this veth pair does not receive by NAPI, and would lose "
                         "every injected frame without a trace; switch that on there: ethtool -K OTHER gro on",
                         ifname);
    if (attached)
        return error_set(e, -EOPNOTSUPP, "interface \"%s\": its driver (%s) transmits no redirected frames", ifname,
                         name);
    return 0;
}

static int netns_cookie(uint64_t *out) {
    socklen_t size = sizeof *out;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, out, &size) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

/* The addresses in the form of the map's keys, without zones. */
static int add_addresses(const struct xdp_hook *h, const struct array *addresses) {
    const struct iface_address *a = addresses->items;
    const uint8_t yes = 1;
    for (size_t i = 0; i < addresses->n; i++) {
        uint8_t key[16];
        addr_t addr = addr_with_zone(a[i].addr, 0);
        store_be64(key, (uint64_t)(addr >> 64));
        store_be64(key + 8, (uint64_t)addr);
        int r = bpf_map__update_elem(h->bpf->maps.addresses, key, sizeof key, &yes, sizeof yes, BPF_ANY);
        if (r < 0)
            return r;
    }
    return 0;
}

static int map_batches(struct xdp_hook *h) {
    int fd = bpf_map__fd(h->bpf->maps.batches);
    void *batches = mmap(NULL, h->n_senders * sizeof *h->batches, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (batches == MAP_FAILED)
        return -errno;
    h->batches = batches;
    if (h->n_senders > 1)
        memset(h->bpf->bss->senders, XDP_NO_SENDER, sizeof h->bpf->bss->senders);
    return 0;
}

static int load(struct xdp_hook *h, const struct wire_config *config, uint32_t frame_room, size_t n_addresses) {
    uint64_t cookie;
    int r = netns_cookie(&cookie);
    if (r < 0)
        return r;
    h->bpf = xdp_bpf__open();
    if (!h->bpf)
        return -errno;
    h->bpf->rodata->our_ifindex = (uint32_t)h->ifindex;
    h->bpf->rodata->our_netns = cookie;
    h->bpf->rodata->frame_room = frame_room;
    h->bpf->rodata->port_lo = config->filter.port_lo;
    h->bpf->rodata->port_hi = config->filter.port_hi;
    r = bpf_map__set_max_entries(h->bpf->maps.addresses, n_addresses ? (uint32_t)n_addresses : 1);
    if (r == 0)
        r = bpf_map__set_max_entries(h->bpf->maps.batches, h->n_senders);
    if (r == 0)
        r = xdp_bpf__load(h->bpf);
    if (r < 0)
        return r;
    h->program = bpf_program__fd(h->bpf->progs.wire);
    return map_batches(h);
}

/* The counting programs' links end with the skeleton. */
static int attach_counters(struct xdp_bpf *bpf) {
    bpf->links.transmitted = bpf_program__attach(bpf->progs.transmitted);
    if (!bpf->links.transmitted)
        return -errno;
    bpf->links.not_redirected = bpf_program__attach(bpf->progs.not_redirected);
    return bpf->links.not_redirected ? 0 : -errno;
}

static int refuse_unread(const char *ifname, int r, struct error *e) {
    return error_set(e, r, "cannot read the state of interface \"%s\": %s", ifname, strerror(-r));
}

static int refuse_load(const char *ifname, int r, struct error *e) {
    if (r == -EPERM || r == -EACCES)
        return error_set(e, r, "XDP needs the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
    if (r == -ESRCH || r == -ENOENT || r == -EINVAL)
        return error_set(e, -EOPNOTSUPP, "XDP on \"%s\": this kernel does not take the programs (%s); they want "
                         "Linux 5.18 with BTF", ifname, strerror(-r));
    return error_set(e, r, "XDP on \"%s\": cannot load the programs: %s", ifname, strerror(-r));
}

int xdp_hook_refuse_busy(const char *ifname, uint32_t program, struct error *e) {
    return error_set(e, -EBUSY, "interface \"%s\" has room for one XDP program, and runs another XDP program (bpftool "
                     "prog show id %u)", ifname, program);
}

static int attach(struct xdp_hook *h, const struct wire_config *config, struct error *e) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    uint32_t other = 0;
    if (bpf_xdp_query_id(h->ifindex, 0, &other) == 0 && other)
        return xdp_hook_refuse_busy(config->ifname, other, e);
    int r = bpf_link_create(h->program, h->ifindex, BPF_XDP, &options);
    if (r == -EOPNOTSUPP)
        return error_set(e, r, "interface \"%s\": its driver (%s) has no native XDP", config->ifname, h->driver.name);
    if (r < 0)
        return error_set(e, r, "interface \"%s\": its driver (%s) takes no XDP program as it is set up now (%s); "
                         "mostly its MTU is too large for that, or it has too few queues", config->ifname,
                         h->driver.name, strerror(-r));
    h->link = r;
    return 0;
}

static void close_sockets(struct xdp_hook *h) {
    for (; h->n_queues; h->n_queues--)
        xdp_socket_close(&h->queues[h->n_queues - 1].socket);
}

/* The kernel frees a queue of its earlier socket on a work queue of its own, some time after that was closed. */
static int open_when_free(struct xdp_socket *s, const struct xdp_socket_config *c) {
    uint64_t now, end = clock_mono_ns() + BUSY_WAIT_NS;
    int r;
    while ((r = xdp_socket_open(s, c)) == -EBUSY && (now = clock_mono_ns()) < end)
        clock_sleep_until(now + NS_PER_MS);
    return r;
}

static int open_sockets(struct xdp_hook *h, struct xdp_socket_config c) {
    unsigned n = h->driver.queues < XDP_QUEUES_MAX ? h->driver.queues : XDP_QUEUES_MAX;
    for (c.queue = 0; c.queue < n; c.queue++) {
        struct xdp_queue *q = &h->queues[c.queue];
        *q = (struct xdp_queue){.passage = &h->bpf->bss->passages[c.queue], .is_virtual = h->driver.is_virtual};
        int r = open_when_free(&q->socket, &c);
        if (r < 0) {
            close_sockets(h);
            return r;
        }
        h->n_queues++;
    }
    return 0;
}

static uint32_t power_of_two_within(size_t n) {
    uint32_t power = RX_FRAMES_MIN;
    while (power <= n / 2 && power < UINT32_MAX / 2)
        power *= 2;
    return power;
}

/* Every queue without a copy, or none. */
static int open_best_sockets(struct xdp_hook *h, const struct wire_config *config, uint32_t chunk, struct error *e) {
    struct xdp_socket_config c = {
        .ifname = config->ifname,
        .chunk = chunk,
        .rx_frames = power_of_two_within(config->ring_bytes / h->driver.queues / chunk),
        .tx_frames = TX_FRAMES,
        .bind_flags = XDP_ZEROCOPY,
    };
    int r = -EOPNOTSUPP;
    if (!h->driver.known || h->driver.features & XDP_FEATURE_ZEROCOPY)
        r = open_sockets(h, c);
    h->zerocopy = r == 0;
    if (r < 0) {
        c.tx_frames = 0;
        c.bind_flags = XDP_COPY;
        r = open_sockets(h, c);
    }
    if (r == -ENOBUFS)
        return error_set(e, r, "XDP on \"%s\": its receive rings need locked memory (ulimit -l), or CAP_IPC_LOCK",
                         config->ifname);
    if (r < 0)
        return error_set(e, r, "XDP on \"%s\": cannot open its sockets: %s", config->ifname, strerror(-r));
    return 0;
}

/* A run over no frames shows whether the kernel injects at all. */
static int try_to_inject(struct xdp_hook *h, const char *ifname, struct error *e) {
    int r = xdp_hook_run(h, &h->batches[0], 0, 0, XDP_BLOCK_BYTES);
    if (r < 0)
        return error_set(e, -EOPNOTSUPP, "XDP on \"%s\": this kernel injects no frames (Linux 5.18 is needed): %s",
                         ifname, strerror(-r));
    return 0;
}

static void await_carrier(struct nl_sock *nl, int ifindex) {
    uint64_t now, end = clock_mono_ns() + CARRIER_WAIT_NS;
    struct iface at;
    while (iface_read(nl, ifindex, NULL, &at) == 0 && !at.carrier && (now = clock_mono_ns()) < end)
        clock_sleep_until(now + 10 * NS_PER_MS);
}

static int load_all(struct xdp_hook *h, const struct wire_config *config, uint32_t frame_room,
                    const struct array *addresses, struct error *e) {
    int r = load(h, config, frame_room, addresses->n);
    if (r == 0)
        r = attach_counters(h->bpf);
    if (r == 0)
        r = add_addresses(h, addresses);
    return r < 0 ? refuse_load(config->ifname, r, e) : 0;
}

/* What can be known only with the program in place. */
static int check_injection(struct xdp_hook *h, const char *ifname, struct error *e) {
    int r = xdp_driver_read(h->ifindex, ifname, &h->driver);
    if (r < 0)
        return refuse_unread(ifname, r, e);
    r = xdp_hook_check(&h->driver, ifname, true, e);
    return r < 0 ? r : try_to_inject(h, ifname, e);
}

/* The steps of opening, with what is known of the interface beforehand. */
static int open_on(struct xdp_hook *h, const struct wire_config *config, struct nl_sock *nl, const struct iface *at,
                   const struct array *addresses, struct error *e) {
    uint32_t longest = at->mtu + ETHERNET_HEADER_LEN;
    uint32_t chunk = longest + VLAN_TAG_BYTES <= CHUNK_BYTES - CHUNK_HEADROOM ? CHUNK_BYTES : CHUNK_BYTES_LONG;
    h->ifindex = at->index;
    h->frame_max = longest < WIRE_FRAME_MAX ? longest : WIRE_FRAME_MAX;
    int r = xdp_driver_read(h->ifindex, config->ifname, &h->driver);
    if (r < 0)
        return refuse_unread(config->ifname, r, e);
    if ((r = xdp_hook_check(&h->driver, config->ifname, false, e)) < 0 ||
        (r = load_all(h, config, chunk - CHUNK_HEADROOM, addresses, e)) < 0 || (r = attach(h, config, e)) < 0 ||
        (r = open_best_sockets(h, config, chunk, e)) < 0)
        return r;
    if (!h->zerocopy && (r = check_injection(h, config->ifname, e)) < 0)
        return r;
    if (at->carrier)
        await_carrier(nl, h->ifindex);
    return 0;
}

static int gather_and_open(struct xdp_hook *h, const struct wire_config *config, struct nl_sock *nl, struct error *e) {
    struct array addresses = ARRAY_INIT(struct iface_address, ADDRESSES_MAX);
    struct iface at;
    int r = iface_read(nl, config->ifindex, config->ifname, &at);
    if (r == 0)
        r = iface_addresses(nl, &addresses);
    if (r < 0 && r != -E2BIG)
        refuse_unread(config->ifname, r, e);
    else
        r = open_on(h, config, nl, &at, &addresses, e);
    array_deinit(&addresses);
    return r;
}

int xdp_hook_open(const struct wire_config *config, struct xdp_hook **out, struct error *e) {
    if (config->loopback || config->link != LINK_ETHERNET)
        return error_set(e, -EOPNOTSUPP, "interface \"%s\": XDP wants an Ethernet interface", config->ifname);
    if (config->senders > WIRE_SENDERS_MAX)
        return error_set(e, -EINVAL, "XDP has room for %u senders, not %u", WIRE_SENDERS_MAX, config->senders);
    struct nl_sock *nl = iface_netlink();
    struct xdp_hook *h = calloc(1, sizeof *h);
    if (!nl || !h) {
        nl_socket_free(nl);
        free(h);
        return error_set(e, -ENOMEM, "out of memory for a wire");
    }
    libbpf_set_print(quiet); /* what fails is said in one line of ours */
    h->users = 1;
    h->link = -1;
    h->n_senders = config->senders ? config->senders : 1;
    int r = gather_and_open(h, config, nl, e);
    nl_socket_free(nl);
    if (r < 0) {
        xdp_hook_release(h);
        return r;
    }
    *out = h;
    return 0;
}

int xdp_hook_receive(struct xdp_hook *h, struct error *e) {
    for (uint32_t i = 0; i < h->n_queues; i++) {
        int r = xsk_socket__update_xskmap(h->queues[i].socket.xsk, bpf_map__fd(h->bpf->maps.sockets));
        if (r < 0)
            return error_set(e, r, "XDP: cannot receive from queue %u: %s", i, strerror(-r));
    }
    return 0;
}

void xdp_hook_release(struct xdp_hook *h) {
    if (!h || --h->users)
        return;
    if (h->link >= 0)
        close(h->link); /* first: then nothing more is redirected to the sockets */
    close_sockets(h);
    if (h->batches)
        munmap(h->batches, h->n_senders * sizeof *h->batches);
    xdp_bpf__destroy(h->bpf);
    free(h);
}

int xdp_hook_take(struct xdp_hook *h, const struct wire_config *config, struct error *e) {
    uint8_t *senders = h->bpf->bss->senders;
    unsigned n = config->senders ? config->senders : 1, processor = config->processor;
    if (n != h->n_senders || config->sender >= n || (n > 1 && processor >= XDP_PROCESSORS_MAX) ||
        (h->zerocopy && config->sender >= h->n_queues))
        return error_set(e, -EINVAL, "XDP on \"%s\": no sender %u of %u on processor %u (%u queues)", config->ifname,
                         config->sender, n, processor, h->n_queues);
    if (h->is_taken[config->sender] || (n > 1 && senders[processor] != XDP_NO_SENDER))
        return error_set(e, -EBUSY, "XDP on \"%s\": another handle is sender %u, or sends on processor %u",
                         config->ifname, config->sender, processor);
    if (n > 1)
        senders[processor] = (uint8_t)config->sender;
    h->is_taken[config->sender] = true;
    return 0;
}

void xdp_hook_give(struct xdp_hook *h, unsigned sender) {
    uint8_t *senders = h->bpf->bss->senders;
    h->is_taken[sender] = false;
    for (unsigned i = 0; h->n_senders > 1 && i < XDP_PROCESSORS_MAX; i++)
        if (senders[i] == sender)
            senders[i] = XDP_NO_SENDER;
}

int xdp_hook_run(const struct xdp_hook *h, struct xdp_batch *batch, unsigned n, unsigned spare, unsigned bytes) {
    static const uint8_t blank[XDP_FRAME_BLOCKS * XDP_BLOCK_BYTES]; /* what a frame holds before the program fills it */
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = blank, .data_size_in = bytes,
                .repeat = n + spare ? (int)(n + spare) : 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .batch_size = XDP_FLUSH);
    batch->n = n;
    batch->next = batch->made = batch->offered = batch->again_in = batch->again_out = batch->pause = batch->spent = 0;
    return bpf_prog_test_run_opts(h->program, &options);
}
