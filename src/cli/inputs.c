#include "cli/inputs.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "probe/technique.h"

/* What the plan is made from; each holds until the plan is built. */
struct material {
    struct array targets;  /* struct target */
    struct array exclude;  /* struct target */
    struct array excluded; /* struct addr_range */
    struct array slots;    /* struct slot */
    uint32_t techniques;   /* bit 1 << enum technique_id */
    uint32_t port_techniques;
    unsigned port_protocol; /* theirs */
};

#define EXCLUDED_MAX ((size_t)TARGETS_MAX * 2) /* with those that stand for every link */
#define SLOTS_MAX ((size_t)PORT_SET_MAX * TECHNIQUE_COUNT)
#define MATERIAL_INIT ((struct material){.targets = ARRAY_INIT(struct target, TARGETS_MAX), \
                                         .exclude = ARRAY_INIT(struct target, TARGETS_MAX), \
                                         .excluded = ARRAY_INIT(struct addr_range, EXCLUDED_MAX), \
                                         .slots = ARRAY_INIT(struct slot, SLOTS_MAX)})

static void material_deinit(struct material *m) {
    array_deinit(&m->targets);
    array_deinit(&m->exclude);
    array_deinit(&m->excluded);
    array_deinit(&m->slots);
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

/* Is it on a link, without the word on which one? */
static bool lacks_zone(struct addr_range r) {
    return addr_is_link_local(r.lo) && addr_zone(r.lo) == 0 && r.lo >> 96 == r.hi >> 96;
}

/* Link-local targets want a zone: their own, or that of -e. */
static int add_zones(const struct settings *s, struct array *targets, struct error *e) {
    unsigned zone = s->interface ? if_nametoindex(s->interface) : 0;
    struct target *t = targets->items;
    char text[ADDR_STRLEN];
    for (size_t i = 0; i < targets->n; i++) {
        if (!lacks_zone(t[i].range))
            continue;
        if (zone == 0)
            return error_set(e, -EINVAL, "%s is an address of a link: expected the link's interface behind it, as in "
                             "%s%%eth0, or -e INTERFACE", addr_format(t[i].range.lo, text), text);
        t[i].range = (struct addr_range){addr_with_zone(t[i].range.lo, zone), addr_with_zone(t[i].range.hi, zone)};
    }
    return 0;
}

static int add_excluded(struct material *m, struct addr_range range, struct error *e) {
    struct addr_range *r = array_add(&m->excluded);
    if (!r)
        return no_room(e);
    *r = range;
    return 0;
}

/* An exclusion on a link that is not named holds on every one. */
static int make_excluded(struct material *m, struct error *e) {
    const struct target *t = m->exclude.items;
    struct if_nameindex *links = if_nameindex();
    int code = links ? 0 : error_set(e, -errno, "cannot list the network interfaces: %s", strerror(errno));
    for (size_t i = 0; i < m->exclude.n && code == 0; i++) {
        struct addr_range r = t[i].range;
        code = add_excluded(m, r, e);
        for (const struct if_nameindex *l = links; lacks_zone(r) && l->if_index && code == 0; l++)
            code = add_excluded(m, (struct addr_range){addr_with_zone(r.lo, l->if_index),
                                                       addr_with_zone(r.hi, l->if_index)}, e);
    }
    if (links)
        if_freenameindex(links);
    return code;
}

static bool names_any(const struct port_spec *p) {
    return port_set_count(&p->tcp) + port_set_count(&p->udp) + port_set_count(&p->sctp) + port_set_count(&p->ip) > 0;
}

/* Those that probe a protocol: bit 1 << enum technique_id. */
static uint32_t techniques_of(uint32_t mask, unsigned protocol) {
    uint32_t found = 0;
    for (unsigned id = 0; id < TECHNIQUE_COUNT; id++)
        if (mask >> id & 1 && !techniques[id].host && techniques[id].ip_proto == protocol)
            found |= UINT32_C(1) << id;
    return found;
}

/* Ports that were named by a letter must not be left aside in silence. */
static int check_letters(const struct port_spec *p, uint32_t mask, struct error *e) {
    const struct {
        bool named;
        unsigned protocol;
        const char *what, *option;
    } letters[] = {
        {p->t_named, PORTS_TCP, "TCP ports (T:)", "-sS"},
        {p->u_named, PORTS_UDP, "UDP ports (U:)", "-sU"},
        {p->s_named, PORTS_SCTP, "SCTP ports (S:)", "-sY"},
        {p->p_named, PORTS_IP, "IP protocols (P:)", "-sO"},
    };
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].named && techniques_of(mask, letters[i].protocol) == 0)
            return error_set(e, -EINVAL, "-p names %s, but no technique that probes them is asked for: expected %s",
                             letters[i].what, letters[i].option);
    return 0;
}

/* The ports of a technique: those that were asked for, or the most common ones. */
static int ports_for(const struct settings *s, unsigned protocol, struct port_set *out, struct error *e) {
    unsigned top = (unsigned)s->top_ports;
    *out = *port_spec_of(&s->ports, protocol);
    if (top == 0 && !names_any(&s->ports))
        top = PORTS_DEFAULT_COUNT;
    int code = top ? ports_top(protocol, top, out, e) : 0;
    port_set_remove(out, port_spec_of(&s->exclude_ports, protocol));
    return code;
}

static int add_slot(struct material *m, unsigned technique, unsigned port, struct error *e) {
    struct slot *slot = array_add(&m->slots);
    if (!slot)
        return error_set(e, -errno, "out of memory for the ports");
    *slot = (struct slot){.port = (uint16_t)port, .technique = (uint8_t)technique};
    return 0;
}

static int add_slots(const struct settings *s, struct material *m, unsigned technique, struct names *names,
                     struct error *e) {
    struct port_set ports;
    size_t before = m->slots.n;
    if (techniques[technique].host)
        return add_slot(m, technique, 0, e);
    int code = ports_for(s, techniques[technique].ip_proto, &ports, e);
    for (unsigned p = 0; p < PORT_SET_MAX && code == 0; p++)
        if (port_set_has(&ports, p))
            code = add_slot(m, technique, p, e);
    bool others = m->techniques & (m->techniques - 1);
    if (code == 0 && m->slots.n == before && others)
        console_notef(names->console, "%s has nothing to do: none of the ports that are asked for is for it",
                      techniques[technique].option);
    return code;
}

static int make_slots(const struct settings *s, struct material *m, struct names *names, struct error *e) {
    m->techniques = s->techniques ? s->techniques : UINT32_C(1) << TECHNIQUE_SYN;
    int code = check_letters(&s->ports, m->techniques, e);
    for (unsigned id = 0; id < TECHNIQUE_COUNT && code == 0; id++)
        if (m->techniques >> id & 1)
            code = add_slots(s, m, id, names, e);
    return code;
}

/* An "ip:port" target is for the TCP techniques; where there is none, for UDP, then SCTP. Where only hosts are looked
 * for, its port does not matter. */
static void place_ports(struct material *m) {
    static const unsigned protocols[] = {PORTS_TCP, PORTS_UDP, PORTS_SCTP, PORTS_IP};
    struct target *t = m->targets.items;
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols && m->port_techniques == 0; i++) {
        m->port_protocol = protocols[i];
        m->port_techniques = protocols[i] == PORTS_IP ? 0 : techniques_of(m->techniques, protocols[i]);
    }
    for (size_t i = 0; i < m->targets.n && m->port_techniques == 0; i++)
        t[i].port = -1;
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
        code = add_zones(s, &m->targets, e);
    if (code == 0)
        code = make_excluded(m, e);
    if (code == 0)
        code = make_slots(s, m, names, e);
    if (code == 0)
        place_ports(m);
    return code;
}

int inputs_plan(const struct settings *s, struct names *names, struct plan **out, struct error *e) {
    struct material m = MATERIAL_INIT;
    names->only_v6 = s->only_v6;
    int code = gather(s, names, &m, e);
    if (code == 0) {
        struct plan_input in = {
            .targets = m.targets.items,
            .n_targets = m.targets.n,
            .slots = m.slots.items,
            .n_slots = m.slots.n,
            .port_techniques = m.port_techniques,
            .exclude = m.excluded.items,
            .n_exclude = m.excluded.n,
            .exclude_ports = port_spec_of(&s->exclude_ports, m.port_protocol),
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
