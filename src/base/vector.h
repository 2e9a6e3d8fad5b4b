/* Which vector instructions a loop over many lanes may use. Every way computes the same; only its time differs. */
#ifndef NOCTULE_BASE_VECTOR_H
#define NOCTULE_BASE_VECTOR_H

#include <stdbool.h>

enum vector_way {
    VECTOR_NONE, /* portable C, on every machine */
    VECTOR_AVX2,
    VECTOR_AVX512, /* AVX-512F */
    VECTOR_WAYS
};

bool vector_has(enum vector_way way); /* both this build and the CPU it runs on have it */
enum vector_way vector_best(void);
const char *vector_name(enum vector_way way); /* "portable", "avx2", "avx512" */

#endif
