#include "cli/nearest.h"

#define NEAR_LEN_MIN 3u  /* shorter words are near to everything */
#define NEAR_LEN_MAX 40u /* longer ones are not compared: no known word is near them */

static unsigned min_of(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Levenshtein's distance, one row of the table at a time; both words are at most NEAR_LEN_MAX long. */
static unsigned distance(const char *a, size_t a_n, const char *b, size_t b_n) {
    unsigned row[NEAR_LEN_MAX + 1];
    for (unsigned j = 0; j <= b_n; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a_n; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b_n; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = min_of(replaced, min_of(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_n];
}

struct nearest nearest_to(const char *word, size_t n) {
    bool comparable = n > 0 && n <= NEAR_LEN_MAX;
    return (struct nearest){
        .word = word,
        .n = n,
        .distance = !comparable ? 0 : n < 4 ? 2 : (unsigned)n / 2 + 1, /* as far as that, another word was meant */
    };
}

bool nearest_try(struct nearest *near, const char *candidate, size_t n) {
    if (near->distance == 0 || n < NEAR_LEN_MIN || n > NEAR_LEN_MAX)
        return false;
    unsigned d = distance(near->word, near->n, candidate, n);
    if (d >= near->distance)
        return false;
    near->distance = d;
    near->found = candidate;
    near->found_n = n;
    return true;
}
