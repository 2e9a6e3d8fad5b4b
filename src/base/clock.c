#include "base/clock.h"

#include <time.h>

static uint64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t); /* cannot fail for these two clocks */
    return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ns(void) {
    return now_ns(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void) {
    return now_ns(CLOCK_REALTIME);
}

int clock_zone_s(uint64_t real_ns) {
    time_t t = (time_t)(real_ns / NS_PER_SEC);
    struct tm tm;
    localtime_r(&t, &tm);
    return (int)tm.tm_gmtoff;
}

void clock_sleep_until(uint64_t t_ns) {
    struct timespec t = {.tv_sec = (time_t)(t_ns / NS_PER_SEC), .tv_nsec = (long)(t_ns % NS_PER_SEC)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
