/* The order's network in vectors, for machines that have AVX-512 (vector.h): in narrower ones it is no faster than with
 * the plain multiplication. */
#ifndef NOCTULE_PLAN_ORDER_VECTOR_H
#define NOCTULE_PLAN_ORDER_VECTOR_H

#include "plan/order.h"

#define ORDER_VECTOR_STEP 32u /* numbers that may be written at once */

/* Takes each of n numbers through the network once. There must be room for n rounded up to ORDER_VECTOR_STEP. */
void order_steps_avx512(const struct order *o, uint64_t *x, unsigned n);

#endif
