#include "cli/inputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "probe/technique.h"

/* What the plan is made from; each holds until the plan is built. */
struct material {
    struct array targets; /* struct target */
    struct array exclude; /* struct target */
    struct addr_range *excluded;
    struct slot *slots;
    size_t n_slots;
};

#define MATERIAL_INIT ((struct material){.targets = ARRAY_INIT(struct target, TARGETS_MAX), \
                                         .exclude = ARRAY_INIT(struct target, TARGETS_MAX)})

static void material_deinit(struct material *m) {
    array_deinit(&m->targets);
    array_deinit(&m->exclude);
    free(m->excluded);
    free(m->slots);
}

static int no_room(struct error *e) {
    return errno == E2BIG ? error_set(e, -E2BIG, "more than %u target ranges", TARGETS_MAX)
                          : error_set(e, -ENOMEM, "out of memory for the targets");
}

/* "host.example:80": the name, with its port cut off and given to its addresses. */
static int resolve(const char *word, struct names *names, struct array *list, struct error *e) {
    size_t n = strcspn(word, ":"), first = list->n;
    uint64_t port = 0;
    if (word[n] && parse_u64(word + n + 1, 1, 65535, &port) < 0)
        return error_set(e, -EINVAL, "%s: expected a port from 1 to 65535 behind the colon", word);
    char *name = strndup(word, n);
    if (!name)
        return error_set(e, -ENOMEM, "out of memory for host names");
    int code = names_resolve(names, name, list, e);
    free(name);
    struct target *t = list->items;
    for (size_t i = first; code == 0 && port && i < list->n; i++)
        t[i].port = (int32_t)port;
    return code;
}

/* Targets of the command line and of config files: those that are numbers first, then the names. */
static int add_words(const struct target_words *words, struct names *names, struct array *list, struct error *e) {
    const struct target *given = words->targets.items;
    for (size_t i = 0; i < words->targets.n; i++) {
        struct target *t = array_add(list);
        if (!t)
            return no_room(e);
        *t = given[i];
    }
    const char *const *name = words->names.items;
    int code = 0;
    for (size_t i = 0; i < words->names.n && code == 0; i++)
        code = resolve(name[i], names, list, e);
    return code;
}

static int add_files(const struct array *paths, const char *option, bool allow_port, struct names *names,
                     struct array *list, struct error *e) {
    const char *const *path = paths->items;
    int code = 0;
    for (size_t i = 0; i < paths->n && code == 0; i++) {
        bool is_stdin = strcmp(path[i], "-") == 0;
        FILE *f = is_stdin ? stdin : fopen(path[i], "re");
        if (!f)
            return error_set(e, -errno, "%s: %s: %s", option, path[i], strerror(errno));
        code = targets_read(f, is_stdin ? "stdin" : path[i], allow_port, names_resolve, names, list, e);
        if (!is_stdin)
            fclose(f);
    }
    return code;
}

static int make_excluded(struct material *m, struct error *e) {
    const struct target *t = m->exclude.items;
    m->excluded = calloc(m->exclude.n + 1, sizeof *m->excluded);
    if (!m->excluded)
        return error_set(e, -ENOMEM, "out of memory for the exclusions");
    for (size_t i = 0; i < m->exclude.n; i++)
        m->excluded[i] = t[i].range;
    return 0;
}

/* A slot for each port that was asked for, or for the most common ones. */
static int make_slots(const struct settings *s, struct material *m, struct error *e) {
    struct port_set ports = s->ports.tcp;
    unsigned top = (unsigned)s->top_ports;
    if (top == 0 && port_set_count(&ports) == 0)
        top = PORTS_DEFAULT_COUNT;
    int code = top ? ports_top(top, &ports, e) : 0;
    if (code < 0)
        return code;
    m->slots = calloc(PORT_SET_MAX, sizeof *m->slots);
    if (!m->slots)
        return error_set(e, -ENOMEM, "out of memory for the ports");
    for (unsigned p = 0; p < PORT_SET_MAX; p++)
        if (port_set_has(&ports, p))
            m->slots[m->n_slots++] = (struct slot){.port = (uint16_t)p, .technique = TECHNIQUE_SYN};
    return 0;
}

static int gather(const struct settings *s, struct names *names, struct material *m, struct error *e) {
    /* Exclusions first: a bad one stops everything, before the first name is asked for. */
    int code = add_files(&s->exclude_files, "--exclude-file", false, names, &m->exclude, e);
    if (code == 0)
        code = add_words(&s->exclude, names, &m->exclude, e);
    if (code == 0)
        code = add_words(&s->targets, names, &m->targets, e);
    if (code == 0)
        code = add_files(&s->input_files, "--input-file", true, names, &m->targets, e);
    if (code == 0 && m->targets.n == 0)
        code = error_set(e, -EINVAL, "no target: the list is empty");
    if (code == 0)
        code = make_excluded(m, e);
    return code < 0 ? code : make_slots(s, m, e);
}

int inputs_plan(const struct settings *s, struct names *names, struct plan **out, struct error *e) {
    struct material m = MATERIAL_INIT;
    int code = gather(s, names, &m, e);
    if (code == 0) {
        struct plan_input in = {
            .targets = m.targets.items,
            .n_targets = m.targets.n,
            .slots = m.slots,
            .n_slots = m.n_slots,
            .port_techniques = 1u << TECHNIQUE_SYN,
            .exclude = m.excluded,
            .n_exclude = m.exclude.n,
            .exclude_ports = &s->exclude_ports.tcp,
        };
        code = plan_create(&in, out, e);
    }
    material_deinit(&m);
    names_sort(names);
    return code;
}

int inputs_check_size(const struct settings *s, const struct plan *p, struct error *e) {
    addr_t n = plan_addresses(p);
    if (n <= INPUTS_UNCONFIRMED_MAX || s->exclude_files.n > 0 || s->yes_to_all)
        return 0;
    return error_set(e, -EINVAL, "%" PRIu64 " addresses are more than 2^24: expected --exclude-file FILE with those that "
                     "must not be scanned, or --yes-to-all-of-it", (uint64_t)n);
}
