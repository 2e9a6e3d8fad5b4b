/* noctule wires: which wires this machine's interfaces have. It looks, and changes nothing. */
#include <errno.h>
#include <net/if.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/nearest.h"
#include "cli/wires.h"

#define INTERFACES_MAX (1u << 20)

/* What the command line asks for. */
struct wires {
    bool json, help;
    struct array names;      /* const char *; empty: all */
    struct array interfaces; /* struct wires_interface */
    struct nl_sock *nl;
    struct wires_machine machine;
};

static void print_help(FILE *f) {
    fputs("noctule wires [--json] [INTERFACE...]\n"
          "Says what each network interface of this machine can do for a scan: by the packet wire, the kernel's\n"
          "packet socket, and by the xdp wire, which goes round the kernel's stack; what --wire auto would choose;\n"
          "and what is missing, with the way to get it. It sends nothing, changes nothing and needs no privilege.\n"
          "\n"
          "  --json     one JSON object a line\n"
          "  -h, --help print this\n", f);
}

static int no_memory(struct error *e) {
    return error_set(e, -ENOMEM, "out of memory for a list of interfaces");
}

static int refuse_option(const char *word, struct error *e) {
    struct nearest near = nearest_to(word, strlen(word));
    nearest_try(&near, "--json", 6);
    nearest_try(&near, "--help", 6);
    return near.found ? error_set(e, -EINVAL, "wires: unknown option %.60s; did you mean %s?", word, near.found)
                      : error_set(e, -EINVAL, "wires: unknown option %.60s; expected --json or --help", word);
}

static int read_words(struct wires *w, int argc, char *const *argv, int first, struct error *e) {
    for (int i = first; i < argc; i++) {
        const char *word = argv[i], **name;
        if (strcmp(word, "--json") == 0) {
            w->json = true;
        } else if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            w->help = true;
        } else if (word[0] == '-') {
            return refuse_option(word, e);
        } else {
            if (!(name = array_add(&w->names)))
                return no_memory(e);
            *name = word;
        }
    }
    return 0;
}

static int refuse_name(const char *word, struct error *e) {
    struct nearest near = nearest_to(word, strlen(word));
    struct if_nameindex *all = if_nameindex();
    for (const struct if_nameindex *i = all; i && i->if_index; i++)
        nearest_try(&near, i->if_name, strlen(i->if_name));
    error_set(e, -ENODEV, "wires: expected a network interface of this machine, not \"%.60s\"%s%.*s%s", word,
              near.found ? "; did you mean " : "", (int)near.found_n, near.found ? near.found : "",
              near.found ? "?" : "");
    if_freenameindex(all);
    return -ENODEV;
}

/* -ENODEV when there is no such interface (any more). */
static int look_at(struct wires *w, unsigned index, struct error *e) {
    struct wires_interface *i = array_add(&w->interfaces);
    if (!i)
        return no_memory(e);
    *i = (struct wires_interface){.unread = 0};
    int code = index ? iface_read(w->nl, (int)index, NULL, &i->iface) : -ENODEV;
    if (code == 0)
        code = i->unread = wire_xdp_probe(i->iface.name, &i->report);
    if (code == -ENODEV || *i->iface.name == '\0') {
        w->interfaces.n--;
        return code == -ENODEV ? code : error_set(e, code, "cannot read the network interfaces: %s", strerror(-code));
    }
    wires_judge(&w->machine, i);
    return 0;
}

static int look_at_named(struct wires *w, struct error *e) {
    const char *const *name = w->names.items;
    int code = 0;
    for (size_t i = 0; i < w->names.n && code == 0; i++) {
        code = look_at(w, if_nametoindex(name[i]), e);
        if (code == -ENODEV)
            refuse_name(name[i], e);
    }
    return code;
}

/* Those that can be used come first. */
static int usable_first(const void *a, const void *b) {
    const struct iface *x = &((const struct wires_interface *)a)->iface;
    const struct iface *y = &((const struct wires_interface *)b)->iface;
    int of_x = x->up + (x->up && x->carrier), of_y = y->up + (y->up && y->carrier);
    return of_x != of_y ? of_y - of_x : x->index - y->index;
}

static int look_at_all(struct wires *w, struct error *e) {
    struct if_nameindex *all = if_nameindex();
    int code = all ? 0 : error_set(e, -errno, "cannot list the network interfaces: %s", strerror(errno));
    for (const struct if_nameindex *i = all; code == 0 && i->if_index; i++) {
        code = look_at(w, i->if_index, e);
        if (code == -ENODEV) /* it has gone meanwhile */
            code = 0;
    }
    if (all)
        if_freenameindex(all);
    if (code == 0 && w->interfaces.n)
        qsort(w->interfaces.items, w->interfaces.n, sizeof(struct wires_interface), usable_first);
    return code;
}

static int look(struct wires *w, struct error *e) {
    w->nl = iface_netlink();
    if (!w->nl)
        return error_set(e, -EIO, "the kernel gives no netlink socket to read its network interfaces by");
    wires_machine_read(&w->machine);
    wires_machine_judge(&w->machine);
    int code = w->names.n ? look_at_named(w, e) : look_at_all(w, e);
    nl_socket_free(w->nl);
    return code;
}

static int look_and_print(struct wires *w, struct error *e) {
    int code = look(w, e);
    if (code == 0)
        (w->json ? wires_print_json : wires_print)(stdout, &w->machine, w->interfaces.items, w->interfaces.n);
    return code;
}

int command_wires(int argc, char *const *argv, int first) {
    struct wires w = {.names = ARRAY_INIT(const char *, INTERFACES_MAX),
                      .interfaces = ARRAY_INIT(struct wires_interface, INTERFACES_MAX)};
    struct error e = ERROR_INIT;
    int code = read_words(&w, argc, argv, first, &e);
    if (code == 0 && w.help)
        print_help(stdout);
    else if (code == 0)
        code = look_and_print(&w, &e);
    array_deinit(&w.names);
    array_deinit(&w.interfaces);
    if (code < 0) {
        fprintf(stderr, "noctule: %s\n", e.text);
        return EXIT_NOT_STARTED;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_COMPLETE : EXIT_FAILED;
}
