/* Frames a second over a veth pair whose far end drops in XDP: the bare injection loop, which no transmitter that
 * injects can pass, beside the XDP wire's and the packet wire's send. One thread; the rounds take turns, so that what
 * else the machine does falls on all alike. In namespaces of its own; needs root. Prints a line of JSON a row.
 *
 *     bench-wire-xdp [INTERFACE SECONDS | receive | senders]
 *
 * With an interface there is only the bare loop, over that one, for so long: its other end counts. With "receive", what
 * the wires receive of a far end on another processor that injects TCP frames to our ports as fast as it can. With "senders", what one and two of
 * them transmit, each on a processor of its own, where the far end drops too. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_link.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/parse.h"
#include "wire/xdp.h"
#include "wire/xdp_hook.h"
#include "wire/xdp_transmit.h"

#define FRAME_BYTES 58u /* a SYN with one option */
#define BATCH_MAX 4096u
#define ROUND_NS (300 * NS_PER_MS)
#define REPEATS 5u
#define SENDERS_MAX 2u

/* Frames that the far end's driver took. */
struct figures {
    double fps;    /* a second of the clock */
    double cpu_ns; /* of this thread's own time a frame: what a busy machine changes least */
};

struct bench {
    struct wire_config config;
    struct wire *wire;     /* the one that is measured, or NULL */
    struct xdp_hook *hook; /* the bare loop's */
    unsigned batch;
    uint64_t round_ns;
    uint8_t bytes[BATCH_MAX][64];
    struct frame frames[BATCH_MAX];
    struct error e;
};

static int space_enter(void) {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
        return -errno;
    return system("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && ip link add n0 type veth peer name f0 &&"
                  " ip link set n0 addrgenmode none up && ip link set f0 addrgenmode none up") == 0 ? 0 : -EIO;
}

/* r0 = XDP_DROP; exit. The links live as long as this process. */
static int drop_all_at_far_end(void) {
    const struct bpf_insn drop[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = XDP_DROP},
                                    {.code = BPF_JMP | BPF_EXIT}};
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    int program = bpf_prog_load(BPF_PROG_TYPE_XDP, "drop", "Apache-2.0", drop, sizeof drop / sizeof *drop, NULL);
    int link = program < 0 ? program : bpf_link_create(program, (int)if_nametoindex("f0"), BPF_XDP, &options);
    /* Threaded NAPI, so that the far end works on another processor, as another machine would. */
    return link < 0 || system("echo 1 >/sys/class/net/f0/threaded") != 0 ? -EIO : 0;
}

static void draw(struct bench *b) {
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        memset(b->bytes[i], 0xff, sizeof b->bytes[i]);
        store_be16(b->bytes[i] + 12, ETH_P_IP);
        store_be32(b->bytes[i] + ETHERNET_HEADER_LEN, i);
        b->frames[i] = (struct frame){.data = b->bytes[i], .len = FRAME_BYTES};
    }
}

static int64_t send_by(const struct bench *b, struct wire *w) {
    int n = w->ops->send(w, b->frames, b->batch);
    if (n >= 0 && (unsigned)n < b->batch)
        w->ops->wait(w, NS_PER_MS);
    return n;
}

static int64_t send_once(struct bench *b) {
    return send_by(b, b->wire);
}

/* The batch was filled once; every run sends the same frames. */
static int64_t run_bare(struct bench *b) {
    int r = xdp_hook_run(b->hook, b->hook->batches, b->batch, 0, FRAME_BYTES);
    unsigned done = b->hook->batches->made - b->hook->batches->again_in;
    if (r >= 0 && done < b->batch) /* as the wire does: to try again at once would slow the whole machine */
        clock_sleep_until(clock_mono_ns() + XDP_REST_NS);
    return r < 0 ? r : (int64_t)done;
}

static uint64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static struct figures rate(struct bench *b, int64_t (*step)(struct bench *b)) {
    uint64_t start = clock_mono_ns(), now = start, cpu = cpu_ns(), sent = 0;
    while (now - start < b->round_ns) {
        int64_t n = step(b);
        if (n < 0) {
            fprintf(stderr, "bench-wire-xdp: %s\n", strerror((int)-n));
            exit(1);
        }
        sent += (uint64_t)n;
        now = clock_mono_ns();
    }
    return (struct figures){(double)sent * 1e9 / (double)(now - start), (double)(cpu_ns() - cpu) / (double)sent};
}

static struct wire *open_wire(struct bench *b, const struct wire_ops *ops) {
    struct wire *w;
    if (ops->open(&b->config, &w, &b->e) == 0)
        return w;
    fprintf(stderr, "bench-wire-xdp: %s\n", b->e.text);
    exit(1);
}

static struct figures measure_bare(struct bench *b) {
    if (xdp_hook_open(&b->config, &b->hook, &b->e) < 0) {
        fprintf(stderr, "bench-wire-xdp: %s\n", b->e.text);
        exit(1);
    }
    for (unsigned i = 0; i < b->batch; i++) {
        b->hook->batches->slots[i].block = i;
        b->hook->batches->slots[i].len = FRAME_BYTES;
        memcpy(b->hook->batches->blocks[i], b->bytes[i], FRAME_BYTES);
    }
    struct figures f = rate(b, run_bare);
    xdp_hook_release(b->hook);
    return f;
}

static struct figures measure(struct bench *b, const struct wire_ops *ops) {
    b->wire = open_wire(b, ops);
    struct figures f = rate(b, send_once);
    b->wire->ops->close(b->wire);
    return f;
}

/* By frames a second, slowest first. */
static int compare(const void *a, const void *b) {
    double x = ((const struct figures *)a)->fps, y = ((const struct figures *)b)->fps;
    return (x > y) - (x < y);
}

static void print(const char *what, unsigned batch, struct figures *f) {
    qsort(f, REPEATS, sizeof *f, compare);
    printf("{\"transmit\":\"%s\",\"batch\":%u,\"fps\":%.0f,\"least\":%.0f,\"most\":%.0f,\"cpu_ns\":%.0f}\n", what,
           batch, f[REPEATS / 2].fps, f[0].fps, f[REPEATS - 1].fps, f[REPEATS / 2].cpu_ns);
}

/* A thread that sends without pause. */
struct flood {
    struct bench *b;
    struct wire *wire;
    unsigned processor;
    atomic_bool stop;
    pthread_t thread;
    uint64_t sent;
};

static void pin(unsigned processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    (void)sched_setaffinity(0, sizeof one, &one); /* with one processor, both ends share it */
}

static void *flood_run(void *arg) {
    struct flood *f = arg;
    pin(f->processor);
    while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
        int64_t n = send_by(f->b, f->wire);
        if (n < 0) {
            fprintf(stderr, "bench-wire-xdp: %s\n", strerror((int)-n));
            exit(1);
        }
        f->sent += (uint64_t)n;
    }
    return NULL;
}

/* TCP to our port at our address, without a checksum, which no wire looks at. */
static void draw_replies(struct bench *b) {
    for (unsigned i = 0; i < BATCH_MAX; i++) {
        uint8_t *ip = b->bytes[i] + ETHERNET_HEADER_LEN;
        memset(b->bytes[i], 0, sizeof b->bytes[i]);
        memset(b->bytes[i], 0xff, 6);
        store_be16(b->bytes[i] + 12, ETH_P_IP);
        store_be16(ip, 0x4500);
        store_be16(ip + 2, FRAME_BYTES - ETHERNET_HEADER_LEN);
        store_be16(ip + 8, 64 << 8 | IPPROTO_TCP);
        store_be32(ip + 12, 0xc6120100 + i);
        store_be32(ip + 16, 0xc6120002);
        store_be16(ip + 20, 80);
        store_be16(ip + 22, 40000);
        b->frames[i] = (struct frame){.data = b->bytes[i], .len = FRAME_BYTES};
    }
}

/* What a receiver took in a round, and what it cost its thread. */
struct taken {
    struct figures figures;
    uint64_t frames, calls, sent, ring_dropped;
};

static struct taken take(struct bench *b, struct wire *near, struct flood *flood) {
    struct frame got[WIRE_BATCH_MAX];
    struct taken t = {.frames = 0};
    struct wire_stats before, after;
    uint64_t drained, sum = 0, start = clock_mono_ns(), cpu = cpu_ns(), sent = flood->sent;
    near->ops->stats(near, &before);
    while (clock_mono_ns() - start < b->round_ns) {
        int n = near->ops->recv(near, got, WIRE_BATCH_MAX, &drained);
        for (int i = 0; i < n; i++)
            sum += load_be32(got[i].data + ETHERNET_HEADER_LEN + 12);
        t.frames += n > 0 ? (uint64_t)n : 0;
        t.calls++;
        if (n <= 0)
            near->ops->wait(near, NS_PER_MS);
    }
    t.figures.fps = (double)t.frames * 1e9 / (double)(clock_mono_ns() - start);
    t.figures.cpu_ns = t.frames ? (double)(cpu_ns() - cpu) / (double)t.frames : 0;
    t.sent = flood->sent - sent;
    near->ops->stats(near, &after);
    t.ring_dropped = after.ring_dropped - before.ring_dropped;
    return sum ? t : (struct taken){.frames = 0};
}

static int compare_taken(const void *a, const void *b) {
    return compare(&((const struct taken *)a)->figures, &((const struct taken *)b)->figures);
}

static void measure_receiver(struct bench *b, const struct wire_ops *ops) {
    struct taken t[REPEATS];
    struct wire_config c = {.ifname = "n0", .ifindex = (int)if_nametoindex("n0"), .ring_bytes = 64 << 20,
                            .receive = true, .filter = {.port_lo = 40000, .port_hi = 40003}};
    b->config = c;
    struct wire *near = open_wire(b, ops);
    b->config = (struct wire_config){.ifname = "f0", .ifindex = (int)if_nametoindex("f0"), .ring_bytes = 1 << 20};
    b->wire = open_wire(b, &wire_xdp_ops);
    struct flood flood = {.b = b, .wire = b->wire, .processor = 1};
    pthread_create(&flood.thread, NULL, flood_run, &flood);
    pin(0);
    for (unsigned k = 0; k < REPEATS; k++)
        t[k] = take(b, near, &flood);
    atomic_store(&flood.stop, true);
    pthread_join(flood.thread, NULL);
    near->ops->close(near);
    b->wire->ops->close(b->wire);
    qsort(t, REPEATS, sizeof *t, compare_taken);
    const struct taken *m = &t[REPEATS / 2];
    printf("{\"receive\":\"%s\",\"fps\":%.0f,\"least\":%.0f,\"most\":%.0f,\"cpu_ns\":%.0f,\"a_call\":%.1f,"
           "\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"ring_dropped\":%" PRIu64 "}\n",
           ops->name, m->figures.fps, t[0].figures.fps, t[REPEATS - 1].figures.fps, m->figures.cpu_ns,
           (double)m->frames / (double)m->calls, m->sent, m->frames, m->ring_dropped);
    fflush(stdout);
}

static int run_receive(struct bench *b) {
    if (space_enter() < 0 || system("PATH=$PATH:/usr/sbin:/sbin; ip addr add 198.18.0.2/24 dev n0 &&"
                                    " ethtool -K n0 gro on && ethtool -K f0 gro on") != 0) {
        fputs("bench-wire-xdp: cannot make its network\n", stderr);
        return 1;
    }
    draw_replies(b);
    b->batch = 1024;
    measure_receiver(b, &wire_xdp_ops);
    measure_receiver(b, &wire_packet_ops);
    return 0;
}

/* Frames a second of n senders together. */
static double measure_senders(struct bench *b, unsigned n) {
    struct flood floods[SENDERS_MAX];
    double sent = 0;
    b->config = (struct wire_config){.ifname = "n0", .ifindex = (int)if_nametoindex("n0"), .ring_bytes = 1 << 20,
                                     .receive = true, .senders = n};
    struct wire *receiver = open_wire(b, &wire_xdp_ops);
    b->config.receive = false;
    b->config.receiver = receiver;
    for (unsigned i = 0; i < n; i++) {
        b->config.sender = b->config.processor = i;
        floods[i] = (struct flood){.b = b, .wire = open_wire(b, &wire_xdp_ops), .processor = i};
    }
    uint64_t start = clock_mono_ns();
    for (unsigned i = 0; i < n; i++)
        pthread_create(&floods[i].thread, NULL, flood_run, &floods[i]);
    clock_sleep_until(start + b->round_ns);
    for (unsigned i = 0; i < n; i++)
        atomic_store(&floods[i].stop, true);
    for (unsigned i = 0; i < n; i++) {
        pthread_join(floods[i].thread, NULL);
        sent += (double)floods[i].sent;
    }
    double fps = sent * 1e9 / (double)(clock_mono_ns() - start);
    for (unsigned i = 0; i < n; i++)
        wire_xdp_ops.close(floods[i].wire);
    wire_xdp_ops.close(receiver);
    return fps;
}

static int run_senders(struct bench *b) {
    struct figures f[SENDERS_MAX][REPEATS];
    if (space_enter() < 0 ||
        system("PATH=$PATH:/usr/sbin:/sbin; ip link del n0 && ip link add n0 numrxqueues 2 numtxqueues 2 type veth peer"
               " name f0 numrxqueues 2 numtxqueues 2 && ip link set n0 up && ip link set f0 up") != 0 ||
        drop_all_at_far_end() < 0 || system("echo 0 >/sys/class/net/f0/threaded") != 0) {
        fputs("bench-wire-xdp: cannot make its network\n", stderr);
        return 1;
    }
    b->batch = BATCH_MAX;
    for (unsigned k = 0; k < REPEATS; k++)
        for (unsigned n = 1; n <= SENDERS_MAX; n++)
            f[n - 1][k] = (struct figures){.fps = measure_senders(b, n)};
    for (unsigned n = 1; n <= SENDERS_MAX; n++) {
        qsort(f[n - 1], REPEATS, sizeof f[n - 1][0], compare);
        printf("{\"senders\":%u,\"batch\":%u,\"fps\":%.0f,\"least\":%.0f,\"most\":%.0f}\n", n, b->batch,
               f[n - 1][REPEATS / 2].fps, f[n - 1][0].fps, f[n - 1][REPEATS - 1].fps);
    }
    return 0;
}

static int run_on(struct bench *b, const char *ifname, const char *seconds) {
    if (parse_duration(seconds, &b->round_ns) < 0 || if_nametoindex(ifname) == 0) {
        fputs("usage: bench-wire-xdp [INTERFACE SECONDS | receive | senders]\n", stderr);
        return 2;
    }
    b->config = (struct wire_config){.ifname = ifname, .ifindex = (int)if_nametoindex(ifname), .ring_bytes = 1 << 20};
    b->batch = BATCH_MAX;
    struct figures f = measure_bare(b);
    printf("{\"transmit\":\"bare injection\",\"batch\":%u,\"fps\":%.0f,\"cpu_ns\":%.0f}\n", b->batch, f.fps, f.cpu_ns);
    return 0;
}

int main(int argc, char **argv) {
    static const unsigned batches[] = {64, 256, 1024, 4096};
    static struct bench b = {.round_ns = ROUND_NS};
    draw(&b);
    if (argc == 3)
        return run_on(&b, argv[1], argv[2]);
    if (argc == 2 && strcmp(argv[1], "receive") == 0)
        return run_receive(&b);
    if (argc == 2 && strcmp(argv[1], "senders") == 0)
        return run_senders(&b);
    if (space_enter() < 0 || drop_all_at_far_end() < 0) {
        fputs("bench-wire-xdp: cannot make its network\n", stderr);
        return 1;
    }
    b.config = (struct wire_config){.ifname = "n0", .ifindex = (int)if_nametoindex("n0"), .ring_bytes = 1 << 20};
    for (unsigned i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct figures bare[REPEATS], xdp[REPEATS], packet[REPEATS];
        b.batch = batches[i];
        for (unsigned k = 0; k < REPEATS; k++) {
            bare[k] = measure_bare(&b);
            xdp[k] = measure(&b, &wire_xdp_ops);
            packet[k] = measure(&b, &wire_packet_ops);
        }
        print("bare injection", b.batch, bare);
        print("xdp", b.batch, xdp);
        print("packet", b.batch, packet);
        fflush(stdout);
    }
    return 0;
}
