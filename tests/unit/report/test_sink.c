#include "scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/sink.h"

static void words(void **state) {
    (void)state;
    static const struct {
        const char *word, *format, *path;
    } cases[] = {
        {"-", "text", "-"},
        {"a.txt", "text", "a.txt"},
        {"/some.where/a.jsonl", "jsonl", "/some.where/a.jsonl"},
        {"a.b.hostport", "hostport", "a.b.hostport"},
        {"jsonl:-", "jsonl", "-"},
        {"text:x", "text", "x"},
        {"txt:x.jsonl", "text", "x.jsonl"},
        {"hostport:a:b", "hostport", "a:b"},
        {"./a:b.txt", "text", "./a:b.txt"},
        {".jsonl", "jsonl", ".jsonl"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sink s;
        struct error e = ERROR_INIT;
        assert_int_equal(sink_parse(cases[i].word, &s, &e), 0);
        assert_string_equal(s.ops->format, cases[i].format);
        assert_string_equal(s.path, cases[i].path);
    }
}

static void bad_words(void **state) {
    (void)state;
    static const struct {
        const char *word;
        int code;
        const char *says;
    } cases[] = {
        {"", -EINVAL, "ending says the format"},
        {"results", -EINVAL, "jsonl (.jsonl)"},
        {"some.dir/results", -EINVAL, "known are"},
        {"a.foo", -EINVAL, "unknown format 'foo'"},
        {"a.", -EINVAL, "unknown format ''"},
        {"josnl:a.jsonl", -EINVAL, "unknown format 'josnl'"},
        {"jsonl:", -EINVAL, "file name is missing"},
        {"a.JSONL", -EINVAL, "unknown format 'JSONL'"},
        {"a.csv", -ENOSYS, "not built yet"},
        {"a.xml", -ENOSYS, "not built yet"},
        {"a.gnmap", -ENOSYS, "not built yet"},
        {"a.list", -ENOSYS, "not built yet"},
        {"a.bin", -ENOSYS, "not built yet"},
        {"a.db", -ENOSYS, "not built yet"},
        {"html:a", -ENOSYS, "not built yet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sink s;
        struct error e = ERROR_INIT;
        assert_int_equal(sink_parse(cases[i].word, &s, &e), cases[i].code);
        assert_non_null(strstr(e.text, cases[i].says));
        assert_null(strchr(e.text, '\n'));
    }
}

/* Nothing is truncated, and nothing started, when one of several outputs cannot be had. */
static void all_or_none(void **state) {
    struct scratch *dir = *state;
    const char *keep = scratch_path(dir, "", "keep.txt");
    FILE *f = fopen(keep, "w");
    assert_non_null(f);
    assert_true(fputs("what was here before\n", f) >= 0);
    assert_int_equal(fclose(f), 0);

    const char *const unreachable[] = {keep, "/nonexistent/a.jsonl"};
    const char *const twice[] = {keep, "hostport:/tmp/../tmp/", keep};
    char again[128];
    snprintf(again, sizeof again, "hostport:/tmp/../%s", keep);
    const char *const same[] = {keep, again};
    const char *const stdout_twice[] = {keep, "-", "jsonl:-"};
    const struct {
        const char *const *words;
        unsigned n;
        const char *says;
    } cases[] = {
        {unreachable, 2, "cannot write to /nonexistent/a.jsonl: No such file or directory"},
        {twice, 2, "cannot write to /tmp/../tmp/: Is a directory"},
        {same, 2, "two outputs go to the same place"},
        {stdout_twice, 3, "standard output and standard output"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct report *r = NULL;
        struct error e = ERROR_INIT;
        struct report_config config = {.outputs = cases[i].words, .n_outputs = cases[i].n, .show = 0xffff};
        assert_true(report_create(&config, 1, &r, &e) < 0);
        assert_null(r);
        assert_non_null(strstr(e.text, cases[i].says));
        char *text = read_whole(keep, NULL);
        assert_string_equal(text, "what was here before\n");
        free(text);
    }
}

static void files_exist_before_the_scan(void **state) {
    struct scratch *dir = *state;
    const char *path = scratch_path(dir, "", "a.jsonl");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("old\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    struct report *r = report_of(&path, 1, 1);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    struct error e = ERROR_INIT;
    assert_int_equal(report_finish(r, NULL, &e), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(bad_words),
        cmocka_unit_test_setup_teardown(all_or_none, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(files_exist_before_the_scan, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
