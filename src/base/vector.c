#include "base/vector.h"

/* Asked at run time, and not by the loader (ifunc), whose resolvers run before sanitizers are ready. */
bool vector_has(enum vector_way way) {
#ifdef __x86_64__
    if (way == VECTOR_AVX512)
        return __builtin_cpu_supports("avx512f");
    if (way == VECTOR_AVX2)
        return __builtin_cpu_supports("avx2");
#endif
    return way == VECTOR_NONE;
}

enum vector_way vector_best(void) {
    enum vector_way way = VECTOR_WAYS - 1;
    while (!vector_has(way))
        way--;
    return way;
}

const char *vector_name(enum vector_way way) {
    static const char *const names[VECTOR_WAYS] = {"portable", "avx2", "avx512"};
    return names[way];
}
