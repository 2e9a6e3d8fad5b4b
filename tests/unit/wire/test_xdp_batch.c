/* Which frames of an injected run have left, held against a driver that the test invents: whatever it refuses, each frame
 * leaves exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "wire/xdp_transmit.h"

#define FRAMES 3000u
#define BULK 16u /* the kernel's DEV_MAP_BULK_SIZE */

static struct xdp_batch batch;
static uint32_t numbers[FRAMES];
static struct frame frames[FRAMES];
static uint8_t left[FRAMES];

/* A bulk is offered, of which the driver takes the first few: what the program at the tracepoint writes down. */
static void offer(unsigned count, unsigned taken) {
    for (unsigned i = 0; i < count; i++) {
        uint32_t laid = batch.numbers[batch.offered++ % XDP_PENDING_MAX], number;
        memcpy(&number, batch.blocks[batch.slots[laid].block], sizeof number);
        if (i < taken)
            left[number]++;
        else
            batch.again[batch.again_in++ % XDP_PENDING_MAX] = laid;
    }
    assert_in_range(batch.again_in - batch.again_out, 0, XDP_PENDING_MAX);
    if (taken < count)
        batch.pause = XDP_PAUSE;
}

/* One turn of the program: the number of the frame that is made, or XDP_BATCH_MAX. */
static uint32_t turn(void) {
    if (batch.pause > 0) {
        batch.pause--;
        return XDP_BATCH_MAX;
    }
    if (batch.again_out != batch.again_in)
        return batch.again[batch.again_out++ % XDP_PENDING_MAX];
    return batch.next < batch.n ? batch.next++ : XDP_BATCH_MAX;
}

/* A driver that takes all of a bulk, some, or none. */
static unsigned room(uint64_t *seed, unsigned count) {
    uint64_t luck = random_splitmix(seed) % 10;
    return luck < 6 ? count : luck < 7 ? 0 : (unsigned)(random_splitmix(seed) % (count + 1));
}

/* As the kernel runs the program, with so many turns to spare: a bulk goes when the next frame wants in, and after every
 * XDP_FLUSH turns. */
static void run(unsigned n, unsigned spare, uint64_t *seed) {
    unsigned waiting = 0;
    batch.n = n;
    batch.next = batch.made = batch.offered = batch.again_in = batch.again_out = batch.pause = 0;
    for (unsigned i = 0; i < n + spare; i++) {
        uint32_t number = turn();
        if (number < XDP_BATCH_MAX) {
            if (waiting == BULK) {
                offer(waiting, room(seed, waiting));
                waiting = 0;
            }
            batch.numbers[batch.made++ % XDP_PENDING_MAX] = number;
            waiting++;
        }
        if ((i + 1) % XDP_FLUSH == 0 || i + 1 == n + spare) {
            if (waiting > 0)
                offer(waiting, room(seed, waiting));
            waiting = 0;
        }
    }
}

static void each_frame_leaves_once(void **state) {
    (void)state;
    unsigned holes = 0;
    for (uint64_t seed = 1; seed < 300; seed++) {
        uint64_t luck = seed, ahead = 0;
        unsigned done = 0, bytes, runs = 0;
        memset(left, 0, sizeof left);
        for (uint32_t i = 0; i < FRAMES; i++) {
            numbers[i] = i;
            frames[i] = (struct frame){.data = (uint8_t *)&numbers[i], .len = sizeof numbers[i]};
        }
        while (done < FRAMES) {
            unsigned n = 1 + (unsigned)(random_splitmix(&luck) % 400);
            unsigned laid = xdp_batch_fill(&batch, frames + done, n < FRAMES - done ? n : FRAMES - done, ahead, &bytes);
            run(laid, (unsigned)(random_splitmix(&luck) % 300), &luck);
            done += xdp_batch_account(&batch, &ahead);
            holes += ahead != 0;
            for (uint32_t i = 0; i < FRAMES; i++)
                assert_int_equal(left[i], i < done || (i - done < 64 && ahead >> (i - done) & 1));
            assert_true(runs++ < 100000);
        }
        assert_int_equal(ahead, 0);
    }
    assert_in_range(holes, 1000, UINT32_MAX); /* the case that this is about */
}

/* The bytes that a run asks for are those of its longest frame. */
static void the_longest_frame_counts(void **state) {
    (void)state;
    static uint8_t long_one[XDP_FRAME_BLOCKS * XDP_BLOCK_BYTES];
    struct frame some[3] = {{.data = long_one, .len = 60}, {.data = long_one, .len = 700}, {.data = long_one, .len = 64}};
    unsigned bytes;
    assert_int_equal(xdp_batch_fill(&batch, some, 3, 0, &bytes), 3);
    assert_int_equal(bytes, 700);
    assert_int_equal(xdp_batch_fill(&batch, some, 3, 2, &bytes), 2);
    assert_int_equal(bytes, 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_leaves_once),
        cmocka_unit_test(the_longest_frame_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
