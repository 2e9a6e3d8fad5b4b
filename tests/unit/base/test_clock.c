#include "../unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"

static void test_clocks_run(void **state) {
    (void)state;
    uint64_t last = clock_mono_ns();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_real_ns() > UINT64_C(1600000000) * NS_PER_SEC);
}

static void test_sleeps_until(void **state) {
    (void)state;
    uint64_t until = clock_mono_ns() + 20 * NS_PER_MS;
    clock_sleep_until(until);
    assert_true(clock_mono_ns() >= until);
    clock_sleep_until(0); /* past: a sleep here would never end */
}

static void test_the_zone_follows_the_season(void **state) {
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    assert_int_equal(clock_zone_s(UINT64_C(1767225600) * NS_PER_SEC), 3600); /* January 2026 */
    assert_int_equal(clock_zone_s(UINT64_C(1782864000) * NS_PER_SEC), 7200); /* July */
    setenv("TZ", "NST3:30", 1);
    tzset();
    assert_int_equal(clock_zone_s(UINT64_C(1767225600) * NS_PER_SEC), -12600);
}

static void ignore(int signal) {
    (void)signal;
}

struct sleeper {
    pthread_t thread;
    atomic_bool awake;
};

/* Again and again: a signal that comes before the sleep has begun ends nothing. */
static void *interrupt(void *arg) {
    struct sleeper *sleeper = arg;
    while (!atomic_load(&sleeper->awake)) {
        pthread_kill(sleeper->thread, SIGUSR1);
        clock_sleep_until(clock_mono_ns() + 2 * NS_PER_MS);
    }
    return NULL;
}

static void test_a_signal_ends_the_sleep(void **state) {
    (void)state;
    struct sigaction action = {.sa_handler = ignore};
    struct sleeper self = {.thread = pthread_self()};
    pthread_t thread;
    sigaction(SIGUSR1, &action, NULL);
    uint64_t until = clock_mono_ns() + 60 * NS_PER_SEC;
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
    clock_sleep_until(until);
    atomic_store(&self.awake, true);
    pthread_join(thread, NULL);
    assert_true(clock_mono_ns() < until);
}

static void test_random(void **state) {
    (void)state;
    uint8_t a[1000] = {0}, b[1000] = {0};
    assert_int_equal(random_bytes(a, sizeof a), 0);
    assert_int_equal(random_bytes(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(random_bytes(a, 0), 0);

    /* The first values for the seed 1234567, as the authors' Java SplittableRandom and others print them. */
    static const uint64_t reference[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821),
    };
    uint64_t seed = 1234567;
    for (size_t i = 0; i < sizeof reference / sizeof *reference; i++)
        assert_int_equal(random_splitmix(&seed), reference[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_run), cmocka_unit_test(test_sleeps_until),
        cmocka_unit_test(test_the_zone_follows_the_season),
        cmocka_unit_test(test_a_signal_ends_the_sleep), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
