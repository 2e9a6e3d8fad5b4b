/* Time in nanoseconds. Timeouts and pacing use the monotonic clock; findings and round-trip times use the real-time
 * clock, because that is the one the kernel stamps frames with. */
#ifndef NOCTULE_BASE_CLOCK_H
#define NOCTULE_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

/* Seconds by which local time, as this machine's zone has it, is ahead of UTC at that real time. */
int clock_zone_s(uint64_t real_ns);

/* Sleeps until the monotonic clock reads t_ns; returns at once if it already does, and early on a signal. */
void clock_sleep_until(uint64_t t_ns);

#endif
