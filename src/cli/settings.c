#include "cli/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/values.h"

int settings_init(struct settings *s, struct error *e) {
    *s = (struct settings){.given = ARRAY_INIT(struct given, VALUE_WORDS_MAX)};
    for (const struct option *o = options; o < options + option_count; o++) {
        if (o->kind == KIND_WORDS)
            *(struct array *)value_place(s, o) = ARRAY_INIT(const char *, VALUE_WORDS_MAX);
        if (o->kind == KIND_TARGETS)
            *(struct target_words *)value_place(s, o) = (struct target_words){
                .targets = ARRAY_INIT(struct target, TARGETS_MAX), .names = ARRAY_INIT(const char *, VALUE_WORDS_MAX)};
        int code = o->fallback ? value_store(s, o, o->fallback, e) : 0;
        if (code < 0)
            return code;
    }
    return 0;
}

void settings_deinit(struct settings *s) {
    for (const struct option *o = options; o < options + option_count; o++) {
        if (o->kind == KIND_WORDS)
            array_deinit(value_place(s, o));
        if (o->kind == KIND_TARGETS) {
            struct target_words *words = value_place(s, o);
            array_deinit(&words->targets);
            array_deinit(&words->names);
        }
    }
    struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        free(given[i].text);
    array_deinit(&s->given);
}

int settings_set(struct settings *s, const struct option *o, const char *text, struct error *e) {
    if (o->kind == KIND_PRESET) /* what it means is what was given */
        return value_store(s, o, text, e);
    char *copy = strdup(text);
    struct given *given = copy ? array_add(&s->given) : NULL;
    if (!given) {
        free(copy);
        return value_no_room(e);
    }
    *given = (struct given){.option = o, .text = copy};
    return value_store(s, o, copy, e);
}

int settings_forget(struct settings *s, const struct option *o, struct error *e) {
    struct given *given = s->given.items;
    size_t kept = 0;
    for (size_t i = 0; i < s->given.n; i++) {
        if (given[i].option == o)
            free(given[i].text);
        else
            given[kept++] = given[i];
    }
    s->given.n = kept;
    return value_store(s, o, o->fallback, e);
}

static bool given_option(const struct settings *s, const struct option *o) {
    const struct given *given = s->given.items;
    for (size_t i = 0; i < s->given.n; i++)
        if (given[i].option == o)
            return true;
    return false;
}

bool settings_given(const struct settings *s, const char *name) {
    return given_option(s, option_by_name(name, strlen(name)));
}

int settings_add_clash(const struct option *o, int code, struct error *e) {
    struct error plain = *e;
    return o->clash ? error_set(e, code, "%s (%s)", plain.text, o->clash) : code;
}
