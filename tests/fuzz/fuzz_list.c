/* A target list: whatever the bytes, a line that names a place in the file, or targets of which a plan can be built. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "plan/plan.h"

static int resolve(void *ctx, const char *name, struct array *list, struct error *e) {
    FUZZ_CHECK(strlen(name) >= 1 && strlen(name) <= 254 && !strchr(name, ':'));
    ++*(size_t *)ctx;
    struct target *t = array_add(list);
    if (!t)
        return error_set(e, -errno, "too many");
    *t = (struct target){.range = {addr_from_v4(0x14000000), addr_from_v4(0x14000000)}, .port = -1};
    return 0;
}

/* The plan, if it is not too large, holds every target's last address. */
static void check_plan(const struct array *list) {
    static const struct slot slot = {.port = 80};
    struct plan_input in = {.targets = list->items, .n_targets = list->n, .slots = &slot, .n_slots = 1,
                            .port_techniques = 1, .keep_special = true};
    struct plan *p = NULL;
    struct error e = ERROR_INIT;
    if (list->n == 0)
        return;
    int r = plan_create(&in, &p, &e);
    FUZZ_CHECK(r == 0 || (r == -ERANGE && strstr(e.text, "2^63"))); /* IPv6 prefixes may be too wide to scan */
    if (r < 0)
        return;
    for (size_t i = 0; i < list->n; i++) {
        const struct target *t = in.targets + i;
        struct endpoint ep = {t->range.hi, {.port = t->port < 0 ? 80 : (uint16_t)t->port}};
        uint64_t index = plan_find(p, &ep);
        FUZZ_CHECK(index < plan_size(p) && plan_at(p, index).addr == ep.addr);
    }
    plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct array list = ARRAY_INIT(struct target, 2000);
    struct error e = ERROR_INIT;
    size_t names = 0;
    FILE *f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    if (!f)
        return 0;
    int r = targets_read(f, "fuzz", true, resolve, &names, &list, &e);
    fclose(f);
    if (r == 0)
        check_plan(&list);
    else
        FUZZ_CHECK((r == -EINVAL || r == -E2BIG) && strncmp(e.text, "fuzz:", 5) == 0);
    FUZZ_CHECK(names <= size);
    array_deinit(&list);
    return 0;
}
