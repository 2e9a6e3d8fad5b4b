#include "scan/outlet.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"

#define REFUSAL_NAP_NS UINT64_C(50000) /* the kernel's queue is full: give it 50 us */
#define SENDER_BOXES 3u                /* one to be filled, and two on their way */

/* A thread that sends. Its boxes are filled and sent in turn. */
struct sender {
    struct outlet *outlet;
    struct wire *wire;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned filled, sent; /* boxes, counted on; under the lock, as is ... */
    bool over;             /* ... whether nothing more will come */
    struct box *boxes[SENDER_BOXES];
};

struct outlet {
    struct pass *pass;
    unsigned wire;
    struct box *own;   /* without threads */
    struct sender *senders;
    unsigned n, next;  /* threads; and whose turn it is */
};

static void box_send(struct outlet *o, struct wire *w, struct box *box) {
    struct scan *s = o->pass->scan;
    unsigned done = 0;
    while (done < box->n && atomic_load_explicit(s->config.stop, memory_order_relaxed) < 2) {
        int n = w->ops->send(w, box->frames + done, box->n - done);
        if (n < 0) {
            pass_fail(o->pass, n);
            break;
        }
        if (n == 0)
            clock_sleep_until(clock_mono_ns() + REFUSAL_NAP_NS);
        if (n > 0)
            scan_watch(s, s->wires[o->wire].link, true, box->frames + done, (unsigned)n);
        done += (unsigned)n;
    }
    box->n = 0;
    box->used = 0;
}

static void *sender_run(void *arg) {
    struct sender *x = arg;
    pthread_setname_np(pthread_self(), "nt-send");
    pthread_mutex_lock(&x->lock);
    for (;;) {
        while (x->sent == x->filled && !x->over)
            pthread_cond_wait(&x->moved, &x->lock);
        if (x->sent == x->filled)
            break;
        pthread_mutex_unlock(&x->lock);
        box_send(x->outlet, x->wire, x->boxes[x->sent % SENDER_BOXES]);
        pthread_mutex_lock(&x->lock);
        x->sent++;
        pthread_cond_signal(&x->moved);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static int sender_start(struct sender *x, struct outlet *o, const struct scan_sender *at) {
    pthread_attr_t attributes;
    cpu_set_t processor;
    for (unsigned i = 0; i < SENDER_BOXES; i++)
        if ((x->boxes[i] = calloc(1, sizeof *x->boxes[i])) == NULL)
            return ENOMEM;
    x->outlet = o;
    x->wire = at->wire;
    pthread_attr_init(&attributes);
    if (at->cpu >= 0) {
        CPU_ZERO(&processor);
        CPU_SET((unsigned)at->cpu, &processor);
        pthread_attr_setaffinity_np(&attributes, sizeof processor, &processor);
    }
    int error = pthread_create(&x->thread, &attributes, sender_run, x);
    pthread_attr_destroy(&attributes);
    return error;
}

static void sender_stop(struct sender *x) {
    pthread_mutex_lock(&x->lock);
    x->over = true;
    pthread_cond_signal(&x->moved);
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->thread, NULL);
}

static void sender_deinit(struct sender *x) {
    for (unsigned i = 0; i < SENDER_BOXES; i++)
        free(x->boxes[i]);
    pthread_cond_destroy(&x->moved);
    pthread_mutex_destroy(&x->lock);
}

static int senders_start(struct outlet *o, const struct scan_wire *w) {
    o->senders = calloc(w->n_transmit, sizeof *o->senders);
    if (o->senders == NULL)
        return ENOMEM;
    for (; o->n < w->n_transmit; o->n++) {
        struct sender *x = &o->senders[o->n];
        pthread_mutex_init(&x->lock, NULL);
        pthread_cond_init(&x->moved, NULL);
        int error = sender_start(x, o, &w->transmit[o->n]);
        if (error != 0) {
            sender_deinit(x);
            return error;
        }
    }
    return 0;
}

struct outlet *outlet_open(struct pass *p, unsigned wire) {
    struct outlet *o = calloc(1, sizeof *o);
    if (o == NULL)
        return NULL;
    o->pass = p;
    o->wire = wire;
    int error = 0;
    if (p->scan->config.senders > 0)
        error = senders_start(o, &p->scan->wires[wire]);
    else if ((o->own = calloc(1, sizeof *o->own)) == NULL)
        error = ENOMEM;
    if (error != 0) {
        outlet_close(o);
        errno = error;
        return NULL;
    }
    return o;
}

struct box *outlet_box(struct outlet *o) {
    if (o->own != NULL)
        return o->own;
    struct sender *x = &o->senders[o->next];
    return x->boxes[x->filled % SENDER_BOXES]; /* only this thread writes `filled` */
}

void outlet_send(struct outlet *o) {
    if (o->own != NULL) {
        box_send(o, o->pass->scan->wires[o->wire].transmit[0].wire, o->own);
        return;
    }
    struct sender *x = &o->senders[o->next];
    pthread_mutex_lock(&x->lock);
    x->filled++;
    pthread_cond_signal(&x->moved);
    pthread_mutex_unlock(&x->lock);
    o->next = (o->next + 1) % o->n;
    x = &o->senders[o->next];
    pthread_mutex_lock(&x->lock);
    while (x->filled - x->sent == SENDER_BOXES)
        pthread_cond_wait(&x->moved, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

void outlet_close(struct outlet *o) {
    if (o == NULL)
        return;
    for (unsigned i = 0; i < o->n; i++) {
        sender_stop(&o->senders[i]);
        sender_deinit(&o->senders[i]);
    }
    free(o->senders);
    free(o->own);
    free(o);
}
