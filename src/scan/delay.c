#include "scan/delay.h"

#include <math.h>

#define GAIN (1.0 / 16)
#define GAIN_USUAL (1.0 / 256)
#define GROWN 1.3      /* so many times the usual, ... */
#define GROWN_NS 10e6  /* ... and so much more ... */
#define GROWN_WAVERS 4 /* ... and so many times what it wavers */

bool delay_has_grown(const struct delay *d) {
    return d->now > GROWN * d->usual + GROWN_NS && d->now - d->usual > GROWN_WAVERS * d->wavers;
}

void delay_follow(struct delay *d, uint64_t rtt_ns) {
    double rtt = (double)rtt_ns;
    if (rtt <= 0)
        return;
    if (d->now <= 0) {
        *d = (struct delay){.now = rtt, .usual = rtt, .wavers = rtt / 4};
        return;
    }
    d->now += (rtt - d->now) * GAIN;
    if (delay_has_grown(d))
        return;
    d->wavers += (fabs(d->now - d->usual) - d->wavers) * GAIN_USUAL;
    d->usual += (d->now - d->usual) * GAIN_USUAL;
}
