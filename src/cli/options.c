#include "cli/options.h"

#include <string.h>

#include "cli/nearest.h"

const char *option_group_title(enum option_group g) {
    static const char *const titles[GROUP_COUNT] = {
        [GROUP_TARGETS] = "What is scanned",
        [GROUP_TECHNIQUES] = "Which probes (several may be given, in one word as well: -sSU)",
        [GROUP_PROBES] = "How it is probed",
        [GROUP_PACE] = "How fast, how often, how long",
        [GROUP_ROUTE] = "Which way out (all of it is found out where nothing is said)",
        [GROUP_OUTPUT] = "What comes out",
        [GROUP_RUN] = "The run itself",
        [GROUP_WORDS] = "Words of other tools",
    };
    return titles[g];
}

bool option_repeats(const struct option *o) {
    static const bool repeats[KIND_COUNT_OF_KINDS] = {
        [KIND_COUNT] = true, [KIND_WORDS] = true, [KIND_TARGETS] = true,    [KIND_PORTS] = true,
        [KIND_SOURCE] = true, [KIND_PING] = true, [KIND_PING_PORTS] = true,
    };
    return repeats[o->kind];
}

bool option_takes_value(const struct option *o) {
    return o->metavar;
}

bool option_value_optional(const struct option *o) {
    return o->kind == KIND_PING_PORTS;
}

const char *option_next_word(const char **at, size_t *n) {
    if (!*at)
        return NULL;
    const char *word = *at + strspn(*at, " ");
    *n = strcspn(word, " ");
    *at = word + *n;
    return *n ? word : NULL;
}

bool option_among(const char *words, const char *s, size_t n) {
    size_t word_n = 0;
    const char *word;
    while ((word = option_next_word(&words, &word_n)))
        if (word_n == n && memcmp(word, s, n) == 0)
            return true;
    return false;
}

const struct option *option_by_name(const char *name, size_t n) {
    for (const struct option *o = options; o < options + option_count; o++)
        if (option_among(o->name, name, n) || option_among(o->aliases, name, n))
            return o;
    return NULL;
}

const struct option *option_by_dash(const char *word, size_t n) {
    for (const struct option *o = options; n > 0 && o < options + option_count; o++)
        if ((o->dash && strlen(o->dash) == n && memcmp(o->dash, word, n) == 0) || option_among(o->aliases, word, n))
            return o;
    return NULL;
}

const struct option *option_by_start(const char *word, size_t *n) {
    for (const struct option *o = options; o < options + option_count; o++) {
        *n = option_value_optional(o) ? strlen(o->dash) : 0;
        if (*n > 0 && strncmp(word, o->dash, *n) == 0)
            return o;
    }
    return NULL;
}

const struct option *option_nearest(const char *word, size_t n, const char **name, size_t *name_n) {
    struct nearest near = nearest_to(word, n);
    const struct option *best = NULL;
    for (const struct option *o = options; o < options + option_count; o++) {
        const char *at = o->aliases, *candidate = o->name;
        for (size_t len = strlen(candidate); candidate; candidate = option_next_word(&at, &len))
            if (nearest_try(&near, candidate, len))
                best = o;
    }
    *name = near.found;
    *name_n = near.found_n;
    return best;
}
