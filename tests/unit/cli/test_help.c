/* Help, man page and completion name every option. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/foreign.h"
#include "cli/help.h"
#include "cli/options.h"

#define HELP_COLUMNS 120

static char *text_of(void (*print)(FILE *f)) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    print(f);
    fclose(f);
    assert_non_null(text);
    return text;
}

/* Does "--name" stand there as a whole word? */
static bool names(const char *text, const char *dashes, const char *name) {
    char word[80];
    int n = snprintf(word, sizeof word, "%s%s", dashes, name);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz-\\", at[n]) && (at == text || !strchr("-", at[-1])))
            return true;
    return false;
}

static void test_help_names_every_option(void **state) {
    (void)state;
    char *help = text_of(help_print), *completion = text_of(help_completion);
    for (const struct option *o = options; o < options + option_count; o++) {
        assert_true(names(help, "--", o->name));
        assert_true(names(completion, "--", o->name));
        assert_non_null(strstr(help, o->help));
        if (o->clash)
            assert_non_null(strstr(help, o->clash));
    }
    for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= HELP_COLUMNS);
    free(help);
    free(completion);
}

static void test_man_page(void **state) {
    (void)state;
    char *man = text_of(help_man);
    assert_int_equal(strncmp(man, ".TH NOCTULE 1 ", 14), 0);
    size_t options_shown = 0;
    for (const char *at = man; (at = strstr(at, "\n.TP\n\\fB\\-")); at++)
        options_shown++;
    assert_int_equal(options_shown, option_count);
    free(man);
}

static void test_table(void **state) {
    (void)state;
    char *table = text_of(help_table);
    size_t lines = 0;
    for (const char *at = table; *at; at += strcspn(at, "\n") + 1, lines++) {
        size_t tabs = 0;
        for (const char *c = at; *c != '\n'; c++)
            tabs += *c == '\t';
        assert_int_equal(tabs, 5);
    }
    assert_int_equal(lines, option_count + foreign_count);
    free(table);
}

static void test_usage_is_short(void **state) {
    (void)state;
    char *usage = text_of(help_usage);
    size_t lines = 0;
    for (const char *at = usage; *at; at++)
        lines += *at == '\n';
    assert_in_range(lines, 2, 6);
    free(usage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_names_every_option),
        cmocka_unit_test(test_man_page),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_usage_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
