#include <inttypes.h>
#include <string.h>

#include "cli/wires.h"
#include "report/put.h"
#include "scan/scan.h"

#define CELL_MAX (64u * PUT_CHAR_MAX) /* a name of any bytes, escaped */
#define K(pps) ((pps) / 1000u)

enum transmission { BY_ZEROCOPY, BY_INJECTION, BY_NOTHING, BY_UNKNOWN };

/* How frames would leave by xdp, if all else were there. */
static enum transmission transmission_of(const struct wires_interface *i) {
    const struct wire_xdp_report *r = &i->report;
    if (i->unread || r->native == XDP_ANSWER_UNKNOWN)
        return BY_UNKNOWN;
    if (r->native == XDP_ANSWER_NO)
        return BY_NOTHING;
    if (r->zerocopy == XDP_ANSWER_YES)
        return BY_ZEROCOPY;
    return r->inject == XDP_ANSWER_YES ? BY_INJECTION : r->inject == XDP_ANSWER_NO ? BY_NOTHING : BY_UNKNOWN;
}

/* Text of other people's making, as it may stand in JSON and on a terminal. */
static const char *safe(const char *s, char cell[static CELL_MAX]) {
    char *p = cell;
    while (*s && (size_t)(p - cell) < CELL_MAX - PUT_CHAR_MAX)
        p = put_char(p, &s);
    *p = '\0';
    return cell;
}

/* ---- the table ---- */

static const char *cell_state(const struct wires_interface *i, char cell[static CELL_MAX]) {
    (void)cell;
    return !i->iface.up ? "down" : i->iface.carrier ? "up" : "no carrier";
}

static const char *cell_name(const struct wires_interface *i, char cell[static CELL_MAX]) {
    return safe(i->iface.name, cell);
}

static const char *cell_link(const struct wires_interface *i, char cell[static CELL_MAX]) {
    const char *name = wires_link_name(i->iface.arphrd);
    if (!name)
        snprintf(cell, CELL_MAX, "kind %u", i->iface.arphrd);
    return name ? name : cell;
}

static const char *cell_driver(const struct wires_interface *i, char cell[static CELL_MAX]) {
    return i->unread ? "?" : *i->report.driver ? safe(i->report.driver, cell) : "-";
}

static const char *cell_queues(const struct wires_interface *i, char cell[static CELL_MAX]) {
    snprintf(cell, CELL_MAX, "%u", i->report.queues);
    return i->unread ? "?" : cell;
}

static const char *cell_mtu(const struct wires_interface *i, char cell[static CELL_MAX]) {
    snprintf(cell, CELL_MAX, "%u", i->iface.mtu);
    return cell;
}

static const char *cell_packet(const struct wires_interface *i, char cell[static CELL_MAX]) {
    (void)cell;
    return i->packet ? "yes" : "no";
}

static const char *cell_native(const struct wires_interface *i, char cell[static CELL_MAX]) {
    static const char *const words[] = {
        [XDP_ANSWER_NO] = "no", [XDP_ANSWER_YES] = "yes", [XDP_ANSWER_UNKNOWN] = "?",
    };
    (void)cell;
    return i->unread ? "?" : words[i->report.native];
}

static const char *cell_transmission(const struct wires_interface *i, char cell[static CELL_MAX]) {
    static const char *const words[] = {
        [BY_ZEROCOPY] = "zero-copy", [BY_INJECTION] = "injection", [BY_NOTHING] = "no", [BY_UNKNOWN] = "?",
    };
    (void)cell;
    return words[transmission_of(i)];
}

static const char *cell_program(const struct wires_interface *i, char cell[static CELL_MAX]) {
    if (i->unread || !i->report.other_program)
        return i->unread ? "?" : "-";
    snprintf(cell, CELL_MAX, "%" PRIu32, i->report.other_program);
    return cell;
}

static const char *cell_choice(const struct wires_interface *i, char cell[static CELL_MAX]) {
    if (i->choice == WIRES_XDP)
        snprintf(cell, CELL_MAX, "xdp above %uk%s", K(SCAN_XDP_PPS), i->xdp == XDP_ANSWER_UNKNOWN ? ", if it can" : "");
    return i->choice == WIRES_XDP ? cell : i->choice == WIRES_PACKET ? "packet" : "-";
}

static const struct column {
    const char *head;
    const char *(*cell)(const struct wires_interface *i, char cell[static CELL_MAX]);
} columns[] = {
    {"interface", cell_name},    {"state", cell_state},        {"link", cell_link},
    {"driver", cell_driver},     {"queues", cell_queues},      {"MTU", cell_mtu},
    {"packet", cell_packet},     {"native XDP", cell_native},  {"XDP sends by", cell_transmission},
    {"XDP program", cell_program}, {"--wire auto", cell_choice},
};
#define COLUMNS (sizeof columns / sizeof *columns)

static void print_row(FILE *f, const struct wires_interface *i, const size_t width[static COLUMNS]) {
    char cell[CELL_MAX];
    for (size_t c = 0; c < COLUMNS; c++) {
        const char *text = i ? columns[c].cell(i, cell) : columns[c].head;
        int last = c == COLUMNS - 1;
        fprintf(f, "%-*s%s", last ? 0 : (int)width[c], text, last ? "\n" : "  ");
    }
}

static void print_table(FILE *f, const struct wires_interface *list, size_t n) {
    size_t width[COLUMNS];
    char cell[CELL_MAX];
    for (size_t c = 0; c < COLUMNS; c++) {
        width[c] = strlen(columns[c].head);
        for (size_t k = 0; k < n; k++) {
            size_t len = strlen(columns[c].cell(&list[k], cell));
            width[c] = len > width[c] ? len : width[c];
        }
    }
    print_row(f, NULL, width);
    for (size_t k = 0; k < n; k++)
        print_row(f, &list[k], width);
}

/* Of an interface without any wire, what xdp lacks beside it is not worth a line. */
static void print_missing(FILE *f, const struct wires_machine *m, const struct wires_interface *list, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const struct error *why = *list[k].no_packet.text ? &list[k].no_packet : &list[k].no_xdp;
        if (*why->text)
            fprintf(f, "%s\n", why->text);
    }
    if (*m->no_packet.text)
        fprintf(f, "%s\n", m->no_packet.text);
    else if (*m->no_xdp.text)
        fprintf(f, "%s\n", m->no_xdp.text);
}

void wires_print(FILE *f, const struct wires_machine *m, const struct wires_interface *list, size_t n) {
    print_table(f, list, n);
    fputc('\n', f);
    print_missing(f, m, list, n);
    fprintf(f, "--wire auto, the default, takes xdp where a scan may send more than %u,000 packets a second and the "
            "interface can, else packet.\n", K(SCAN_XDP_PPS));
}

/* ---- JSON ---- */

static void json_text(FILE *f, const char *s) {
    fputc('"', f);
    while (*s) {
        char part[PUT_CHAR_MAX];
        fwrite(part, 1, (size_t)(put_char(part, &s) - part), f);
    }
    fputc('"', f);
}

static void json_key_text(FILE *f, const char *key, const char *s) {
    fprintf(f, ",\"%s\":", key);
    if (s)
        json_text(f, s);
    else
        fputs("null", f);
}

static void json_key_bool(FILE *f, const char *key, bool v) {
    fprintf(f, ",\"%s\":%s", key, v ? "true" : "false");
}

static void json_key_answer(FILE *f, const char *key, enum xdp_answer v) {
    fprintf(f, ",\"%s\":%s", key, v == XDP_ANSWER_UNKNOWN ? "null" : v == XDP_ANSWER_YES ? "true" : "false");
}

/* What the driver told; all of it null where it could not be asked. */
static void json_driver(FILE *f, const struct wires_interface *i) {
    static const char *const by[] = {
        [BY_ZEROCOPY] = "zero-copy", [BY_INJECTION] = "injection", [BY_NOTHING] = "no", [BY_UNKNOWN] = NULL,
    };
    const struct wire_xdp_report *r = &i->report;
    json_key_text(f, "driver", i->unread || !*r->driver ? NULL : r->driver);
    if (i->unread)
        fputs(",\"queues\":null", f);
    else
        fprintf(f, ",\"queues\":%u", r->queues);
    json_key_answer(f, "native_xdp", i->unread ? XDP_ANSWER_UNKNOWN : r->native);
    json_key_text(f, "transmit", by[transmission_of(i)]);
    if (i->unread || !r->other_program)
        fputs(",\"program\":null", f);
    else
        fprintf(f, ",\"program\":%" PRIu32, r->other_program);
}

static void json_missing(FILE *f, const struct wires_machine *m, const struct wires_interface *i) {
    const char *const lines[] = {i->no_packet.text, i->no_xdp.text, m->no_packet.text, m->no_xdp.text};
    const char *between = "";
    fputs(",\"missing\":[", f);
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        if (!*lines[k])
            continue;
        fputs(between, f);
        json_text(f, lines[k]);
        between = ",";
    }
    fputc(']', f);
}

static void json_object(FILE *f, const struct wires_machine *m, const struct wires_interface *i) {
    const struct iface *at = &i->iface;
    fputs("{\"interface\":", f);
    json_text(f, at->name);
    json_key_bool(f, "up", at->up);
    json_key_bool(f, "carrier", at->carrier);
    json_key_text(f, "link", wires_link_name(at->arphrd));
    fprintf(f, ",\"mtu\":%u", at->mtu);
    json_driver(f, i);
    json_key_bool(f, "packet", i->packet);
    json_key_answer(f, "xdp", i->xdp);
    json_key_text(f, "auto", i->choice == WIRES_XDP ? "xdp" : i->choice == WIRES_PACKET ? "packet" : NULL);
    if (i->choice == WIRES_XDP)
        fprintf(f, ",\"auto_above\":%u", SCAN_XDP_PPS);
    json_missing(f, m, i);
    fputs("}\n", f);
}

void wires_print_json(FILE *f, const struct wires_machine *m, const struct wires_interface *list, size_t n) {
    for (size_t k = 0; k < n; k++)
        json_object(f, m, &list[k]);
}
