/* A plan told address by address, for windows of a few hundred addresses: what the real one must agree with. */
#ifndef NOCTULE_TESTS_NAIVE_H
#define NOCTULE_TESTS_NAIVE_H

#include "plan/plan.h"

#define NAIVE_WINDOW 320u
#define NAIVE_PORTS 12u       /* ports 1..12 */
#define NAIVE_SLOTS (NAIVE_PORTS * 2) /* x two techniques */

/* A random input over base .. base + width - 1, with the arrays it points to. */
struct naive_input {
    addr_t base;
    unsigned width;
    struct target targets[24];
    struct slot slots[16];
    struct addr_range exclude[12];
    struct port_set exclude_ports;
    struct plan_input in;
};

struct naive {
    bool has[NAIVE_WINDOW][NAIVE_SLOTS];
    uint64_t size, addresses, special_removed;
};

struct slot naive_slot(unsigned i); /* slot i of NAIVE_SLOTS, ascending */

/* Random targets, slots and exclusions over the window; `random` is the SplitMix64 state. */
void naive_random(struct naive_input *n, addr_t base, unsigned width, uint64_t *random);

void naive_plan(const struct naive_input *n, struct naive *out);

#endif
