#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "plan/target.h"

static int read_text(const char *text, size_t n, bool allow_port, target_resolve_fn *resolve, void *ctx,
                     struct array *list, struct error *e) {
    FILE *f = n ? fmemopen((void *)(uintptr_t)text, n, "r") : fopen("/dev/null", "r");
    assert_non_null(f);
    int r = targets_read(f, "list.txt", allow_port, resolve, ctx, list, e);
    fclose(f);
    return r;
}

static const struct target *item(const struct array *list, size_t i) {
    return (const struct target *)list->items + i;
}

static void test_a_list_as_people_keep_them(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbf# office\r\n10.0.0.1 10.0.0.2\t10.0.0.3\r\n\r\n  10.0.1.0/24 ; the lab\n"
                               "10.0.2.1-10.0.2.9#old\n;10.9.9.9\n\v\f 10.0.3.1:8080\n10.0.4.1\n"
                               "2001:db8::/32 # six\n[2001:db8::1]:443 ::ffff:10.0.5.1";
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    if (read_text(text, sizeof text - 1, true, NULL, NULL, &list, &e) != 0)
        fail_msg("%s", e.text);
    static const struct {
        const char *lo, *hi;
        int32_t port;
    } want[] = {
        {"10.0.0.1", "10.0.0.1", -1}, {"10.0.0.2", "10.0.0.2", -1}, {"10.0.0.3", "10.0.0.3", -1},
        {"10.0.1.0", "10.0.1.255", -1}, {"10.0.2.1", "10.0.2.9", -1}, {"10.0.3.1", "10.0.3.1", 8080},
        {"10.0.4.1", "10.0.4.1", -1}, {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", -1},
        {"2001:db8::1", "2001:db8::1", 443}, {"10.0.5.1", "10.0.5.1", -1},
    };
    assert_int_equal(list.n, sizeof want / sizeof *want);
    for (size_t i = 0; i < list.n; i++) {
        char at[ADDR_STRLEN];
        assert_string_equal(addr_format(item(&list, i)->range.lo, at), want[i].lo);
        assert_string_equal(addr_format(item(&list, i)->range.hi, at), want[i].hi);
        assert_int_equal(item(&list, i)->port, want[i].port);
    }
    array_deinit(&list);
}

static void test_nothing_to_read(void **state) {
    (void)state;
    static const char *const empty[] = {"", "\n", "# only this", "\xef\xbb\xbf", "\xef\xbb\xbf\n", " ; x\n\n", "\r\n\t"};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        struct array list = ARRAY_INIT(struct target, 100);
        struct error e = ERROR_INIT;
        assert_int_equal(read_text(empty[i], strlen(empty[i]), true, NULL, NULL, &list, &e), 0);
        assert_int_equal(list.n, 0);
    }
}

static void test_bad_places(void **state) {
    (void)state;
    static const struct {
        const char *text, *starts; /* of the line */
    } bad[] = {
        {"10.0.0.256", "list.txt:1:8: bad target \"10.0.0.256\""},
        {"10.0.0.1\n10.0.0.2 10.0.0.3/33\n", "list.txt:2:19: bad target \"10.0.0.3/33\""},
        {"# x\r\n\r\n\t10.0.0.0-9-\r\n", "list.txt:3:12: "},
        {"10.0.0.1\n10.0.0.9#comment\n\n10.0.0.", "list.txt:4:8: "},
        {"10.0.0.1:99999", "list.txt:1:10: "},
        {"\xef\xbb\xbf" "10.0.0.x/8", "list.txt:1:8: "},
        {"\xef\xbb" "10.0.0.1", "list.txt:1:1: "},
        {"\xff\xfe" "1\0", "list.txt:1:1: "},
        {"example.com", "list.txt:1:1: bad target \"example.com\": a host name cannot stand here"},
        {"10.0.0.1,10.0.0.2", "list.txt:1:12: "},
        {"::1\n\n2001:db8::/129", "list.txt:3:12: bad target \"2001:db8::/129\": an IPv6 prefix length is at most 128"},
        {" fe80::1%nope0", "list.txt:1:10: bad target \"fe80::1%nope0\": this machine has no interface \"nope0\""},
        {"[::1]:80 [::2]:x", "list.txt:1:16: "},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct array list = ARRAY_INIT(struct target, 100);
        struct error e = ERROR_INIT;
        int r = read_text(bad[i].text, strlen(bad[i].text), true, NULL, NULL, &list, &e);
        if (r != -EINVAL || strncmp(e.text, bad[i].starts, strlen(bad[i].starts)) != 0)
            fail_msg("%d, %s; expected %s", r, e.text, bad[i].starts);
        array_deinit(&list);
    }
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    assert_int_equal(read_text("10.0.0.1\0 10.0.0.2", 18, false, NULL, NULL, &list, &e), -EINVAL);
    assert_int_equal(read_text("\n 10.0.0.1:80", 13, false, NULL, NULL, &list, &e), -EINVAL);
    assert_int_equal(strncmp(e.text, "list.txt:2:10: ", 15), 0);
}

static void test_endless_word(void **state) {
    (void)state;
    char text[5000];
    memset(text, '1', sizeof text);
    memcpy(text, "1.2.3.4\n  ", 10);
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    assert_int_equal(read_text(text, sizeof text, true, NULL, NULL, &list, &e), -EINVAL);
    assert_int_equal(strncmp(e.text, "list.txt:2:3: ", 14), 0);
    array_deinit(&list);
}

static void test_unreadable(void **state) {
    (void)state;
    FILE *f = fopen("/", "r");
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    assert_non_null(f);
    assert_int_equal(targets_read(f, "dir", true, NULL, NULL, &list, &e), -EISDIR);
    assert_string_equal(e.text, "dir: cannot be read: Is a directory");
    fclose(f);
}

static void test_too_many(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, 2);
    struct error e = ERROR_INIT;
    assert_int_equal(read_text("1.1.1.1\n1.1.1.2\n1.1.1.3\n", 24, true, NULL, NULL, &list, &e), -E2BIG);
    assert_int_equal(strncmp(e.text, "list.txt:3:1: ", 14), 0);
    array_deinit(&list);
}

/* Resolves "two" to two addresses; nothing else is known. */
static int resolve(void *ctx, const char *name, struct array *list, struct error *e) {
    ++*(int *)ctx;
    if (strcmp(name, "two") != 0)
        return error_set(e, -ENOENT, "\"%s\" is not known", name);
    for (uint32_t i = 1; i <= 2; i++) {
        struct target *t = array_add(list);
        *t = (struct target){.range = {addr_from_v4(i), addr_from_v4(i)}, .port = -1};
    }
    return 0;
}

static void test_names_are_resolved(void **state) {
    (void)state;
    struct array list = ARRAY_INIT(struct target, 100);
    struct error e = ERROR_INIT;
    int calls = 0;
    assert_int_equal(read_text("two 1.1.1.1\ntwo:8443", 20, true, resolve, &calls, &list, &e), 0);
    assert_int_equal(calls, 2);
    static const int32_t ports[] = {-1, -1, -1, 8443, 8443};
    assert_int_equal(list.n, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(item(&list, i)->port, ports[i]);
    assert_int_equal(read_text("two\n three:1 two", 16, true, resolve, &calls, &list, &e), -ENOENT);
    assert_string_equal(e.text, "list.txt:2:2: \"three\" is not known");
    assert_int_equal(calls, 4);
    array_deinit(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_as_people_keep_them), cmocka_unit_test(test_nothing_to_read),
        cmocka_unit_test(test_bad_places), cmocka_unit_test(test_endless_word), cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_too_many), cmocka_unit_test(test_names_are_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
