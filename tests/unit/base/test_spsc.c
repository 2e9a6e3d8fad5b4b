#include "../unit.h"

#include <pthread.h>
#include <sched.h>

#include "base/spsc.h"

struct item {
    uint64_t number, check;
    uint32_t more[3]; /* an odd size */
};

static struct item make_item(uint64_t number) {
    uint32_t low = (uint32_t)number;
    return (struct item){.number = number, .check = ~number, .more = {low, low + 1, low + 2}};
}

static void check_item(const struct item *item, uint64_t number) {
    struct item wanted = make_item(number);
    assert_int_equal(item->number, wanted.number);
    assert_int_equal(item->check, wanted.check);
    assert_memory_equal(item->more, wanted.more, sizeof wanted.more);
}

static void test_fills_and_empties(void **state) {
    (void)state;
    struct spsc q = SPSC_INIT;
    assert_int_equal(spsc_init(&q, sizeof(struct item), 8), 0);
    assert_int_equal(spsc_capacity(&q), 8);
    uint64_t pushed = 0, popped = 0;
    for (int round = 0; round < 20; round++) { /* the ring's end is passed at every offset */
        struct item item = make_item(pushed), out[16];
        while (spsc_push(&q, &item))
            item = make_item(++pushed);
        assert_int_equal(spsc_count(&q), 8);
        size_t wanted = (size_t)(round % 8) + 1, n = spsc_pop(&q, out, wanted);
        assert_int_equal(n, wanted);
        for (size_t i = 0; i < n; i++)
            check_item(&out[i], popped++);
        assert_int_equal(spsc_count(&q), 8 - n);
    }
    struct item out[16];
    assert_int_equal(spsc_pop(&q, out, 16), pushed - popped);
    assert_int_equal(spsc_pop(&q, out, 16), 0);
    spsc_deinit(&q);
    spsc_deinit(&q);
}

#define ITEMS UINT64_C(300000)

static void *produce(void *queue) {
    for (uint64_t i = 0; i < ITEMS; i++) {
        struct item item = make_item(i);
        while (!spsc_push(queue, &item))
            sched_yield();
    }
    return NULL;
}

static void test_two_threads(void **state) {
    (void)state;
    struct spsc q = SPSC_INIT;
    pthread_t producer;
    assert_int_equal(spsc_init(&q, sizeof(struct item), 64), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, &q), 0);
    for (uint64_t seen = 0; seen < ITEMS;) {
        struct item items[10];
        assert_true(spsc_count(&q) <= 64);
        size_t n = spsc_pop(&q, items, 10);
        for (size_t i = 0; i < n; i++)
            check_item(&items[i], seen++);
        if (n == 0)
            sched_yield();
    }
    pthread_join(producer, NULL);
    assert_int_equal(spsc_count(&q), 0);
    spsc_deinit(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fills_and_empties), cmocka_unit_test(test_two_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
