/* The table keeps its own promises, and is found in by every spelling. */
#include "unit.h"

#include <string.h>

#include "cli/foreign.h"
#include "cli/options.h"
#include "cli/settings.h"

/* Rows that share a place: each raises a bit, or adds a part. */
static bool shares(const struct option *o) {
    return o->kind == KIND_TECHNIQUE || o->kind == KIND_PING || o->kind == KIND_PING_PORTS || o->kind == KIND_PRESET;
}

static void test_rows_are_whole(void **state) {
    (void)state;
    for (const struct option *o = options; o < options + option_count; o++) {
        assert_non_null(o->name);
        assert_non_null(o->help);
        assert_true(o->at < sizeof(struct settings));
        assert_int_equal(option_takes_value(o), o->metavar != NULL);
        assert_true(o->help[strlen(o->help) - 1] != '.');
        assert_true(strlen(o->help) <= 93); /* behind 27 columns */
        if (!shares(o))
            assert_true(o->lo <= o->hi);
        if (o->more)
            assert_int_equal(o->more[strlen(o->more) - 1], '.');
    }
}

static void test_spellings_are_unique_and_found(void **state) {
    (void)state;
    for (const struct option *o = options; o < options + option_count; o++) {
        size_t n = 0;
        const char *at = o->aliases, *alias;
        assert_ptr_equal(option_by_name(o->name, strlen(o->name)), o);
        while ((alias = option_next_word(&at, &n)))
            assert_true(option_by_name(alias, n) == o && option_by_dash(alias, n) == o);
        if (o->dash)
            assert_ptr_equal(option_by_dash(o->dash, strlen(o->dash)), o);
    }
}

static void test_places_do_not_overlap(void **state) {
    (void)state;
    for (const struct option *a = options; a < options + option_count; a++)
        for (const struct option *b = a + 1; b < options + option_count; b++)
            assert_true(shares(a) || shares(b) || a->at != b->at);
}

/* A word of another tool is either taken or refused, and one row says how. */
static void test_foreign_words_are_nobody_elses(void **state) {
    (void)state;
    for (const struct foreign *f = foreign_words; f < foreign_words + foreign_count; f++) {
        size_t n = 0;
        const char *at = f->names, *word;
        assert_true(f->names || f->dashes);
        assert_true(f->way[strlen(f->way) - 1] != '.');
        assert_true(strlen(f->way) <= 160);
        for (; (word = option_next_word(&at, &n));) {
            assert_ptr_equal(foreign_by_name(word, n), f);
            assert_null(option_by_name(word, n));
            assert_null(option_by_dash(word, n));
        }
        for (at = f->dashes; (word = option_next_word(&at, &n));) {
            assert_ptr_equal(foreign_by_dash(word, n), f);
            assert_null(option_by_dash(word, n));
            assert_null(option_by_name(word, n));
        }
    }
}

/* What a preset stands for is options that take those values; it does not stand for another preset. */
static void test_presets_mean_options(void **state) {
    (void)state;
    for (const struct option *o = options; o < options + option_count; o++) {
        assert_int_equal(o->kind == KIND_PRESET, o->presets != NULL);
        for (const struct preset *p = o->presets; p && p->word; p++) {
            const char *at = p->means, *pair;
            size_t n = 0;
            while ((pair = option_next_word(&at, &n))) {
                const struct option *meant = option_by_name(pair, strcspn(pair, "="));
                assert_non_null(meant);
                assert_int_not_equal(meant->kind, KIND_PRESET);
                assert_true(n < 64);
            }
        }
    }
}

static void test_not_found(void **state) {
    (void)state;
    assert_null(option_by_name("", 0));
    assert_null(option_by_name("rat", 3));
    assert_null(option_by_name("rates", 5));
    assert_null(option_by_dash("", 0));
    assert_null(option_by_dash("s", 1));
    assert_null(option_by_dash("sSS", 3));
    assert_ptr_equal(option_by_name("rate=5", 4), option_by_name("rate", 4));
}

static void assert_nearest(const char *word, const char *want) {
    const char *name = NULL;
    size_t n = 0;
    const struct option *o = option_nearest(word, strlen(word), &name, &n);
    if (!want) {
        assert_null(o);
        return;
    }
    assert_non_null(o);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(name, want, n);
    assert_ptr_equal(o, option_by_name(want, n));
}

static void test_nearest(void **state) {
    (void)state;
    assert_nearest("rat", "rate");
    assert_nearest("ratte", "rate");
    assert_nearest("maxrate", "max-rate");
    assert_nearest("exclude_file", "exclude-file");
    assert_nearest("excludfile", "excludefile");
    assert_nearest("retires", "retries");
    assert_nearest("verbsoe", "verbose");
    assert_nearest("heartbleeds", NULL); /* what is refused is not proposed */
    assert_nearest("zzzzzzzz", NULL);
    assert_nearest("", NULL);
    char longest[400];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_nearest(longest, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_whole),        cmocka_unit_test(test_spellings_are_unique_and_found),
        cmocka_unit_test(test_places_do_not_overlap), cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_foreign_words_are_nobody_elses), cmocka_unit_test(test_presets_mean_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
