#include "scan/drift.h"

#include <math.h>

#define SIGMAS_FOUND 6.0 /* a fall is one at so many; stretches overlap and the best of all is taken, so not at 2 */
#define SIGMAS_RANGE 2.0
#define FELL 0.9         /* a stretch has fallen if it has less than this part of the best one's answers */

void drift_add(struct drift *d, uint64_t probed, uint64_t answered) {
    if (d->chunks >> d->shift == DRIFT_BLOCKS) {
        for (unsigned i = 0; i < DRIFT_BLOCKS / 2; i++) {
            d->probed[i] = d->probed[2 * i] + d->probed[2 * i + 1];
            d->answered[i] = d->answered[2 * i] + d->answered[2 * i + 1];
        }
        for (unsigned i = DRIFT_BLOCKS / 2; i < DRIFT_BLOCKS; i++)
            d->probed[i] = d->answered[i] = 0;
        d->shift++;
    }
    unsigned block = (unsigned)(d->chunks++ >> d->shift);
    d->probed[block] += probed;
    d->answered[block] += answered;
}

/* The share that a count of answers speaks for, so many standard deviations off (Wilson 1927, for small shares). */
static double share(double answered, double probed, double sigmas) {
    double half = sigmas * sigmas / 2;
    return (answered + half + copysign(sqrt(2 * half * answered + half * half), sigmas)) / probed;
}

struct stretch {
    double probed, answered;
};

/* The stretch of neighbouring blocks that most surely has the highest share. */
static struct stretch best_stretch(const struct drift *d) {
    struct stretch best = {1, 0};
    for (unsigned first = 0; first < DRIFT_BLOCKS; first++) {
        struct stretch s = {0, 0};
        for (unsigned i = first; i < DRIFT_BLOCKS; i++) {
            s.probed += (double)d->probed[i];
            s.answered += (double)d->answered[i];
            if (s.probed > 0 && share(s.answered, s.probed, -SIGMAS_FOUND) > share(best.answered, best.probed, -SIGMAS_FOUND))
                best = s;
        }
    }
    return best;
}

struct drift_missing drift_missing(const struct drift *d) {
    struct stretch best = best_stretch(d);
    struct drift_missing m = {0, 0, 0};
    double sure = share(best.answered, best.probed, -SIGMAS_FOUND), likely = best.answered / best.probed;
    double probed = 0, answered = 0;
    for (unsigned i = 0; i < DRIFT_BLOCKS; i++) {
        if ((double)d->answered[i] >= FELL * likely * (double)d->probed[i])
            continue;
        probed += (double)d->probed[i];
        answered += (double)d->answered[i];
    }
    if (probed <= 0 || share(answered, probed, SIGMAS_FOUND) >= FELL * sure)
        return m;
    double noise = SIGMAS_RANGE * sqrt(answered);
    m.likely = (uint64_t)(likely * probed - answered);
    m.low = (uint64_t)fmax(share(best.answered, best.probed, -SIGMAS_RANGE) * probed - answered - noise, 0);
    m.high = (uint64_t)(share(best.answered, best.probed, SIGMAS_RANGE) * probed - answered + noise);
    return m;
}
