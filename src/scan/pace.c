#include "scan/pace.h"

#define PACE_SHIFT 32

void pace_set(struct pace *p, uint64_t milli_rate) {
    p->period = milli_rate == 0 ? 0 : ((pace_time)UINT64_C(1000000000000) << PACE_SHIFT) / milli_rate;
}

void pace_init(struct pace *p, uint64_t milli_rate, uint64_t now_ns) {
    pace_set(p, milli_rate);
    p->next = (pace_time)now_ns << PACE_SHIFT;
}

unsigned pace_allow(struct pace *p, uint64_t now_ns, uint64_t cost, unsigned max) {
    if (p->period == 0)
        return max;
    pace_time now = (pace_time)now_ns << PACE_SHIFT;
    pace_time credit = (pace_time)PACE_CREDIT_NS << PACE_SHIFT;
    if (credit < p->period * cost) /* one frame that left late does not put off all that follow */
        credit = p->period * cost;
    if (now > credit && p->next < now - credit)
        p->next = now - credit;
    if (p->next > now)
        return 0;
    pace_time frames = (now - p->next) / (p->period * cost) + 1;
    return frames < max ? (unsigned)frames : max;
}

void pace_spend(struct pace *p, uint64_t units) {
    p->next += p->period * units;
}

uint64_t pace_when(const struct pace *p, uint64_t cost, unsigned n) {
    pace_time when = p->next + p->period * cost * (n > 0 ? n - 1 : 0);
    return p->period == 0 ? 0 : (uint64_t)(when >> PACE_SHIFT) + 1;
}
