/* One target: whatever the bytes, a clear line or ranges that hold what they promise. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "plan/target.h"

static void check_line(const struct error *e) {
    FUZZ_CHECK(e->text[0] != '\0');
    for (const char *c = e->text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_list(const struct array *list, bool allow_port) {
    FUZZ_CHECK(list->n > 0);
    for (size_t i = 0; i < list->n; i++) {
        const struct target *t = (const struct target *)list->items + i;
        FUZZ_CHECK(t->range.lo <= t->range.hi && addr_is_v4(t->range.lo) == addr_is_v4(t->range.hi));
        FUZZ_CHECK(addr_zone(t->range.lo) == addr_zone(t->range.hi) || t->range.hi - t->range.lo >= (addr_t)1 << 96);
        FUZZ_CHECK(t->port == -1 || (allow_port && t->port >= 1 && t->port <= 65535));
        FUZZ_CHECK(i == 0 || t[-1].range.hi < t->range.lo);
    }
}

/* A range as text reads back as the same range; but what is wider than a link's addresses has no text there. */
static void check_text(const struct target *t) {
    if (addr_zone(t->range.lo) != addr_zone(t->range.hi))
        return;
    char text[2 * ADDR_STRLEN], hi[ADDR_STRLEN];
    struct array again = ARRAY_INIT(struct target, 2);
    struct error e = ERROR_INIT;
    addr_format(t->range.lo, text);
    size_t n = strlen(text);
    snprintf(text + n, sizeof text - n, "-%s", addr_format(t->range.hi, hi));
    FUZZ_CHECK(target_parse(text, strlen(text), false, &again, NULL, &e) == 0 && again.n == 1);
    const struct target *back = again.items;
    FUZZ_CHECK(back->range.lo == t->range.lo && back->range.hi == t->range.hi);
    array_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int allow_port = 0; allow_port < 2; allow_port++) {
        struct array list = ARRAY_INIT(struct target, 70000);
        struct error e = ERROR_INIT;
        unsigned column = 0;
        int r = target_parse((const char *)data, size, allow_port, &list, &column, &e);
        if (r == 0) {
            check_list(&list, allow_port);
            check_text(list.items);
        } else if (r == TARGET_NAME) {
            FUZZ_CHECK(list.n == 0 && size <= 254 + 6 && !memchr(data, '\0', size));
        } else {
            FUZZ_CHECK(r == -EINVAL || r == -E2BIG);
            FUZZ_CHECK(r == -E2BIG || (list.n == 0 && column >= 1 && column <= size + 1));
            check_line(&e);
        }
        array_deinit(&list);
    }
    return 0;
}
