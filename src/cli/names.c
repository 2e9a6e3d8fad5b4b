#include "cli/names.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/command.h"
#include "plan/target.h"

static int no_room(struct error *e) {
    return errno == E2BIG ? error_set(e, -E2BIG, "more than %u host names or addresses of them", NAMES_MAX)
                          : error_set(e, -ENOMEM, "out of memory for host names");
}

static int add(struct names *n, addr_t a, const char *name, struct array *targets, struct error *e) {
    struct target *t = array_add(targets);
    struct named *entry = t ? array_add(&n->entries) : NULL;
    if (!entry)
        return no_room(e);
    *t = (struct target){.range = {a, a}, .port = -1};
    *entry = (struct named){.addr = a, .name = name};
    return 0;
}

static bool has(const struct array *targets, size_t from, addr_t a) {
    const struct target *t = targets->items;
    for (size_t i = from; i < targets->n; i++)
        if (t[i].range.lo == a)
            return true;
    return false;
}

static void note_addresses(const struct names *n, const char *name, const struct array *targets, size_t from) {
    const struct target *t = targets->items;
    char list[400] = "", text[ADDR_STRLEN];
    size_t at = 0;
    for (size_t i = from; i < targets->n && at + ADDR_STRLEN + 6 < sizeof list; i++)
        at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", i > from ? ", " : "",
                               addr_format(t[i].range.lo, text));
    console_notef(n->console, "%s has %zu addresses, all of them are scanned: %s", name, targets->n - from, list);
}

/* What resolvers say of names that do not exist, and of all that may go wrong on the way to knowing. */
static int refuse(const char *name, int code, struct error *e) {
    int system = errno;
    if (command_find(name))
        return error_set(e, -EINVAL, "%s is a subcommand and comes first: noctule %s ...", name, name);
    return error_set(e, -ENOENT, "host name %s: no address found (%s)", name,
                     code == EAI_SYSTEM ? strerror(system) : gai_strerror(code));
}

/* False for what is no address of a family that is wanted. */
static bool read_address(const struct names *n, const struct addrinfo *i, addr_t *out) {
    if (i->ai_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, i->ai_addr, sizeof in);
        *out = addr_from_v4(ntohl(in.sin_addr.s_addr));
        return !n->only_v6;
    }
    if (i->ai_family != AF_INET6)
        return false;
    struct sockaddr_in6 in;
    memcpy(&in, i->ai_addr, sizeof in);
    addr_t a = (addr_t)load_be64(in.sin6_addr.s6_addr) << 64 | load_be64(in.sin6_addr.s6_addr + 8);
    *out = in.sin6_scope_id <= UINT16_MAX ? addr_with_zone(a, in.sin6_scope_id) : a;
    return true;
}

/* The name as text that lives as long as *n; NULL with errno. */
static const char *keep_text(struct names *n, const char *name) {
    char *copy = strdup(name), **text = copy ? array_add(&n->texts) : NULL;
    if (!text) {
        free(copy);
        return NULL;
    }
    return *text = copy;
}

int names_resolve(void *names, const char *name, struct array *targets, struct error *e) {
    struct names *n = names;
    struct addrinfo *list = NULL, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int code = command_find(name) ? EAI_NONAME : getaddrinfo(name, NULL, &hints, &list);
    if (code)
        return refuse(name, code, e);
    const char *text = keep_text(n, name);
    if (!text)
        code = no_room(e);
    size_t first = targets->n;
    for (const struct addrinfo *i = list; i && code == 0; i = i->ai_next) {
        addr_t a = 0;
        if (read_address(n, i, &a) && !has(targets, first, a))
            code = add(n, a, text, targets, e);
    }
    freeaddrinfo(list);
    if (code == 0 && targets->n == first)
        code = error_set(e, -ENOENT, "host name %s: it has IPv4 addresses only, and -6 asks for IPv6", name);
    if (code == 0 && targets->n - first > 1)
        note_addresses(n, name, targets, first);
    return code;
}

static int compare(const void *a, const void *b) {
    addr_t x = ((const struct named *)a)->addr, y = ((const struct named *)b)->addr;
    return (x > y) - (x < y);
}

void names_sort(struct names *n) {
    if (n->entries.n > 1)
        qsort(n->entries.items, n->entries.n, sizeof(struct named), compare);
}

const char *names_of(void *names, addr_t a) {
    const struct names *n = names;
    struct named key = {.addr = a};
    const struct named *found =
        n->entries.n ? bsearch(&key, n->entries.items, n->entries.n, sizeof key, compare) : NULL;
    return found ? found->name : NULL;
}

void names_deinit(struct names *n) {
    char **texts = n->texts.items;
    for (size_t i = 0; i < n->texts.n; i++)
        free(texts[i]);
    array_deinit(&n->texts);
    array_deinit(&n->entries);
}
