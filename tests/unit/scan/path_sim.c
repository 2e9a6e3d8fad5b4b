#include "path_sim.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "scan/rtt.h"

#define STEPS 65536u /* milliseconds that are remembered: more than the longest delay plus the longest timeout */
#define CHUNK 256.0  /* first tries that are reported at once, as the ledger does */
#define PARTS 3u

/* What left in one millisecond. */
struct step {
    double first, canaries, live; /* live: first tries whose target would answer */
    double answers[PATH_RTTS_MAX][PARTS], canary_answers; /* by class of hosts, and by part of the jitter */
    double queue_ms;
};

struct sim {
    const struct path_config *config;
    struct govern govern;
    struct rtt rtt;
    struct step *steps;
    float *rtts;  /* a round trip that is measured in that millisecond; 0: none */
    float *taken; /* entries that the table gave out in that millisecond */
    uint64_t random, now; /* now: ms */
    double owed;          /* packets: part of one that is still to be sent */
    double tokens, queue, entries;
    uint64_t chunk_begin, chunk_end[STEPS]; /* first step not yet reported; ends of the chunks that are not yet */
    unsigned chunk_first, chunk_n;
    double chunk_sent;
    uint64_t canary_begin;
    double until_canary;
    double pool, pool_live; /* to be probed again: all, and those that would answer */
    double first_left;
    bool burst;
    double packets, canaries_sent, ring_room;
    struct path_result result;
    double allowed; /* sum of what might have been carried */
};

static double uniform(struct sim *s) {
    return (double)(random_splitmix(&s->random) >> 11) * 0x1p-53;
}

static double binomial(struct sim *s, double n, double p) {
    double mean = n * p, count = 0;
    if (n < 1 || p <= 0)
        return 0;
    if (p >= 1)
        return n;
    if (n <= 16) {
        for (unsigned i = 0; i < (unsigned)n; i++)
            count += uniform(s) < p;
        return count;
    }
    if (mean < 12) { /* Poisson's limit, by inversion */
        double u = uniform(s), term = exp(-mean), sum = term;
        while (u > sum && count < n) {
            count++;
            term *= mean / count;
            sum += term;
        }
        return count;
    }
    double normal = sqrt(-2 * log(1 - uniform(s))) * cos(2 * 3.14159265358979 * uniform(s));
    return fmin(fmax(round(mean + normal * sqrt(mean * (1 - p))), 0), n);
}

/* A whole number of packets whose mean is x. */
static double whole(struct sim *s, double x) {
    return floor(x) + (uniform(s) < x - floor(x) ? 1 : 0);
}

static const struct path_change *path_now(const struct sim *s) {
    unsigned i = 0;
    while (i + 1 < s->config->n_changes && (double)s->now >= s->config->changes[i].until_s * 1000)
        i++;
    return &s->config->changes[i];
}

/* How many of n packets pass the limit. */
static double pass(struct sim *s, double n, double capacity) {
    const struct path_config *c = s->config;
    double passed = n;
    switch (c->limit) {
    case LIMIT_NONE:
        break;
    case LIMIT_POLICER:
        s->tokens = fmin(s->tokens + capacity / 1000, c->room);
        passed = fmin(n, floor(s->tokens));
        s->tokens -= passed;
        break;
    case LIMIT_QUEUE:
        passed = fmin(n, floor(c->room + capacity / 1000 - s->queue + 1));
        s->queue = fmax(s->queue + passed - capacity / 1000, 0);
        break;
    case LIMIT_TABLE: {
        uint64_t life = (uint64_t)(c->room / capacity * 1000);
        assert(life > 0 && life < STEPS);
        if (s->now >= life)
            s->entries -= s->taken[(s->now - life) % STEPS];
        passed = fmin(n, c->room - s->entries);
        s->entries += passed;
        s->taken[s->now % STEPS] = (float)passed;
        break;
    }
    }
    return passed;
}

static double delay_ms(const struct sim *s, const struct step *step, unsigned rtt, unsigned part) {
    const struct path_config *c = s->config;
    return c->rtt_ms[rtt] * (1 + c->jitter * part / (PARTS - 1)) + step->queue_ms;
}

/* Answers to what has left in this step, of which the limit let `share` pass. */
static void answer(struct sim *s, struct step *step, double share, double loss) {
    const struct path_config *c = s->config;
    step->live = binomial(s, step->first, c->share);
    double answers = binomial(s, step->live, share * (1 - loss)), weight = 1;
    if (c->ring_pps > 0) {
        s->ring_room = fmin(s->ring_room + c->ring_pps / 1000, 64 + c->ring_pps / 1000);
        double kept = fmin(answers, floor(s->ring_room));
        s->ring_room -= kept;
        if (kept < answers)
            govern_local_loss(&s->govern, s->now * NS_PER_MS);
        answers = kept;
    }
    for (unsigned r = 0; r < PATH_RTTS_MAX; r++) {
        double of_class = weight > 0 ? binomial(s, answers, fmin(c->rtt_weight[r] / weight, 1)) : 0;
        answers -= of_class;
        weight -= c->rtt_weight[r];
        for (unsigned p = 0; p < PARTS; p++) {
            step->answers[r][p] = binomial(s, of_class, 1.0 / (PARTS - p));
            of_class -= step->answers[r][p];
            double delay = delay_ms(s, step, r, p);
            if (step->answers[r][p] > 0 && delay < STEPS / 2)
                s->rtts[(s->now + (uint64_t)delay + 1) % STEPS] = (float)delay;
        }
    }
    step->canary_answers = binomial(s, step->canaries, share * (1 - loss));
}

/* Answers of one step that have come by now. */
static double answered_by_now(const struct sim *s, uint64_t at) {
    const struct step *step = &s->steps[at % STEPS];
    double sum = 0;
    for (unsigned r = 0; r < PATH_RTTS_MAX; r++)
        for (unsigned p = 0; p < PARTS; p++)
            if ((double)at + delay_ms(s, step, r, p) <= (double)s->now)
                sum += step->answers[r][p];
    return sum;
}

/* Reports the chunks whose timeout has passed. */
static void report_chunks(struct sim *s, double timeout_ms) {
    while (s->chunk_n > 0) {
        uint64_t end = s->chunk_end[s->chunk_first % STEPS];
        double sent = 0, answered = 0, live = 0;
        if ((double)end + timeout_ms > (double)s->now)
            return;
        for (uint64_t at = s->chunk_begin; at < end; at++) {
            sent += s->steps[at % STEPS].first;
            answered += answered_by_now(s, at);
            live += s->steps[at % STEPS].live;
        }
        govern_sample(&s->govern, GOVERN_NATURAL, s->chunk_begin * NS_PER_MS, end * NS_PER_MS, (uint64_t)sent,
                      (uint64_t)answered);
        govern_confirm(&s->govern, (uint64_t)answered, 0);
        s->pool += sent - answered;
        s->pool_live += live - answered;
        s->chunk_begin = end;
        s->chunk_first++;
        s->chunk_n--;
    }
}

/* Canaries are reported by tenths of a second. */
static void report_canaries(struct sim *s, double timeout_ms) {
    double sent = 0, answered = 0, rtt = s->config->rtt_ms[0];
    if ((double)s->canary_begin + 100 + timeout_ms > (double)s->now)
        return;
    for (uint64_t at = s->canary_begin; at < s->canary_begin + 100; at++) {
        sent += s->steps[at % STEPS].canaries;
        if ((double)at + rtt + s->steps[at % STEPS].queue_ms <= (double)s->now)
            answered += s->steps[at % STEPS].canary_answers;
    }
    govern_sample(&s->govern, GOVERN_CANARY, s->canary_begin * NS_PER_MS, (s->canary_begin + 100) * NS_PER_MS,
                  (uint64_t)sent, (uint64_t)answered);
    s->canary_begin += 100;
}

/* Sends what is due in this millisecond. Returns the number of packets and *passed of them. */
static double transmit(struct sim *s, const struct path_change *path, double *passed) {
    const struct path_config *c = s->config;
    struct step *step = &s->steps[s->now % STEPS];
    memset(step, 0, sizeof(*step));
    double rate = (double)govern_milli_pps(&s->govern) / 1000;
    if (s->now > 1000 && (double)s->now < 1000 * (1 + c->stall_s))
        rate = 0;
    s->owed += (c->sender_pps > 0 ? fmin(rate, c->sender_pps) : rate) / 1000;
    double n = floor(s->owed), again = fmin(n, floor(s->pool)), room = n - again;
    s->owed -= n;
    unsigned every = govern_canary_every(&s->govern);
    s->until_canary = every > 0 ? s->until_canary - n / every : 1;
    while (room > 0 && s->until_canary <= 0) {
        step->canaries++;
        room--;
        s->until_canary++;
    }
    step->first = c->probes > 0 ? fmin(room, s->first_left) : room;
    s->first_left -= step->first;
    n = again + step->canaries + step->first;
    *passed = pass(s, n, path->capacity);
    step->queue_ms = c->limit == LIMIT_QUEUE ? s->queue / path->capacity * 1000 : 0;
    double share = n > 0 ? *passed / n : 1, loss = path->loss;
    if (c->burst_ms > 0) {
        s->burst = s->burst ? uniform(s) >= 1 / c->burst_ms : uniform(s) < 1 / c->clear_ms;
        loss = s->burst ? 1 - (1 - loss) * (1 - c->burst_loss) : loss;
    }
    answer(s, step, share, loss);
    if (again > 0) {
        double live = again * s->pool_live / s->pool, found = binomial(s, whole(s, live), share * (1 - loss));
        s->pool -= again;
        s->pool_live = s->pool > 0 ? fmax(s->pool_live - live, 0) : 0;
        govern_confirm(&s->govern, 0, (uint64_t)found);
    }
    s->canaries_sent += step->canaries;
    s->packets += n;
    s->chunk_sent += step->first;
    if (s->chunk_sent >= CHUNK) {
        s->chunk_end[(s->chunk_first + s->chunk_n++) % STEPS] = s->now + 1;
        s->chunk_sent = 0;
    }
    return n;
}

static void measure(struct sim *s, double n, double passed, double capacity) {
    const struct path_config *c = s->config;
    struct path_result *r = &s->result;
    double most = c->limit == LIMIT_NONE ? INFINITY : capacity, rate = (double)govern_milli_pps(&s->govern) / 1000;
    most = c->max_pps > 0 ? fmin(most, (double)c->max_pps) : most;
    r->sent_all += n;
    r->lost_all += n - passed;
    r->rate_max = fmax(r->rate_max, rate);
    if (r->first_s < 0 && rate >= 0.9 * most)
        r->first_s = (double)s->now / 1000;
    if ((double)s->now < c->settle_s * 1000)
        return;
    r->sent += n;
    r->carried += passed;
    s->allowed += most / 1000;
}

static bool is_done(const struct sim *s) {
    const struct path_config *c = s->config;
    return (double)s->now >= c->seconds * 1000 ||
           (c->probes > 0 && s->first_left < 1 && s->pool < 1 && s->chunk_n == 0);
}

struct path_result path_run(const struct path_config *c, FILE *trace) {
    struct sim *s = calloc(1, sizeof(*s));
    s->steps = calloc(STEPS, sizeof(*s->steps));
    s->rtts = calloc(STEPS, sizeof(*s->rtts));
    s->taken = calloc(STEPS, sizeof(*s->taken));
    s->config = c;
    s->random = c->seed;
    s->tokens = c->room;
    s->first_left = (double)c->probes;
    s->result.first_s = -1;
    s->now = s->chunk_begin = s->canary_begin = 1; /* a monotonic clock is never 0 */
    govern_init(&s->govern, c->max_pps, GOVERN_START_PPS, s->now * NS_PER_MS);
    govern_canaries(&s->govern, c->canaries);
    rtt_init(&s->rtt, RTT_TIMEOUT_FIRST_NS, false);
    double carried = 0;
    for (; !is_done(s); s->now++) {
        const struct path_change *path = path_now(s);
        float *rtt = &s->rtts[s->now % STEPS];
        uint64_t timeout = atomic_load(&s->rtt.timeout_ns);
        if (*rtt > 0 && *rtt < 2e-6 * (double)timeout)
            rtt_sample(&s->rtt, (uint64_t)((double)*rtt * 1e6));
        *rtt = 0;
        double passed, n = transmit(s, path, &passed);
        if (c->probes > 0 && s->first_left < 1 && s->chunk_sent > 0) {
            s->chunk_end[(s->chunk_first + s->chunk_n++) % STEPS] = s->now + 1;
            s->chunk_sent = 0;
        }
        measure(s, n, passed, path->capacity);
        carried += passed;
        report_chunks(s, (double)timeout * 1e-6);
        report_canaries(s, (double)timeout * 1e-6);
        govern_times(&s->govern, s->rtt.srtt_ns, timeout);
        govern_step(&s->govern, s->now * NS_PER_MS, (uint64_t)s->packets);
        if (trace != NULL && s->now % 100 == 0) {
            fprintf(trace, "%.1f,%.0f,%.0f,%.0f\n", (double)s->now / 1000, (double)govern_milli_pps(&s->govern) / 1000,
                    c->limit == LIMIT_NONE ? (double)c->max_pps : path->capacity, carried * 10);
            carried = 0;
        }
    }
    struct path_result r = s->result;
    r.seconds = (double)s->now / 1000;
    r.lost_by_rate = r.sent > 0 ? 1 - r.carried / r.sent : 0;
    r.mean_pps = r.seconds > c->settle_s ? r.carried / (r.seconds - c->settle_s) : 0;
    r.of_capacity = s->allowed > 0 ? r.carried / s->allowed : 0;
    r.canary_share = s->packets > 0 ? s->canaries_sent / s->packets : 0;
    govern_look(&s->govern, &r.view);
    free(s->steps);
    free(s->rtts);
    free(s->taken);
    free(s);
    return r;
}
