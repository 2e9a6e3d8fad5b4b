/* Which wires an interface is said to have, and what is missing, for machines and cards of all sorts. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/wires.h"

#include <linux/capability.h>
#include <linux/if_arp.h>

#define ALL UINT64_MAX
#define WITHOUT(capability) & ~(UINT64_C(1) << (capability))

static struct wires_machine machine_with(uint64_t capabilities) {
    struct wires_machine m = {.capabilities = capabilities, .first_user_namespace = true, .version = {6, 18},
                              .btf = true, .page_bytes = 4096};
    wires_machine_judge(&m);
    return m;
}

/* A card that can everything. */
static struct wires_interface card(void) {
    return (struct wires_interface){
        .iface = {.index = 2, .name = "eth0", .arphrd = ARPHRD_ETHER, .up = true, .carrier = true, .mtu = 1500},
        .report = {.driver = "good", .queues = 4, .native = XDP_ANSWER_YES, .zerocopy = XDP_ANSWER_YES,
                   .inject = XDP_ANSWER_YES},
    };
}

static void judged(const struct wires_machine *m, struct wires_interface *i, enum xdp_answer xdp,
                   enum wires_choice choice) {
    wires_judge(m, i);
    assert_int_equal(i->packet, choice != WIRES_NONE);
    assert_int_equal(i->xdp, xdp);
    assert_int_equal(i->choice, choice);
    if (xdp != XDP_ANSWER_YES)
        assert_true(*i->no_xdp.text || *m->no_xdp.text || *m->no_packet.text); /* never without a reason */
}

static void test_a_good_card(void **state) {
    (void)state;
    struct wires_machine m = machine_with(ALL);
    struct wires_interface i = card();
    judged(&m, &i, XDP_ANSWER_YES, WIRES_XDP);
    assert_string_equal(i.no_packet.text, "");
    assert_string_equal(i.no_xdp.text, "");
    assert_string_equal(m.no_packet.text, "");
    assert_string_equal(m.no_xdp.text, "");
    i.report.zerocopy = XDP_ANSWER_NO; /* it injects */
    judged(&m, &i, XDP_ANSWER_YES, WIRES_XDP);
}

static void test_links(void **state) {
    (void)state;
    static const unsigned plain[] = {ARPHRD_LOOPBACK, ARPHRD_NONE, ARPHRD_PPP, ARPHRD_TUNNEL, ARPHRD_TUNNEL6,
                                     ARPHRD_SIT, ARPHRD_RAWIP};
    struct wires_machine m = machine_with(ALL);
    for (size_t k = 0; k < sizeof plain / sizeof *plain; k++) {
        struct wires_interface i = card();
        i.iface.arphrd = plain[k];
        judged(&m, &i, XDP_ANSWER_NO, WIRES_PACKET);
        assert_non_null(strstr(i.no_xdp.text, "Ethernet"));
    }
    struct wires_interface i = card();
    i.iface.arphrd = ARPHRD_IEEE80211_RADIOTAP;
    judged(&m, &i, XDP_ANSWER_NO, WIRES_NONE);
    assert_non_null(strstr(i.no_packet.text, "neither Ethernet nor plain IP (kind 803"));
}

static void test_switched_off(void **state) {
    (void)state;
    struct wires_machine m = machine_with(ALL);
    struct wires_interface i = card();
    i.iface.carrier = false;
    judged(&m, &i, XDP_ANSWER_YES, WIRES_NONE);
    assert_non_null(strstr(i.no_packet.text, "no carrier"));
    i.iface.up = false;
    judged(&m, &i, XDP_ANSWER_YES, WIRES_NONE);
    assert_non_null(strstr(i.no_packet.text, "ip link set eth0 up"));
}

static void test_what_the_wire_refuses(void **state) {
    (void)state;
    struct wires_machine m = machine_with(ALL);
    struct wires_interface i = card();
    error_set(&i.report.refusal, 0, "the reason");
    judged(&m, &i, XDP_ANSWER_NO, WIRES_PACKET);
    assert_string_equal(i.no_xdp.text, "the reason");
    i = card();
    i.unread = -EIO;
    judged(&m, &i, XDP_ANSWER_UNKNOWN, WIRES_XDP);
    assert_non_null(strstr(i.no_xdp.text, "cannot be asked"));
}

static void test_what_shows_only_when_tried(void **state) {
    (void)state;
    struct wires_machine m = machine_with(ALL);
    struct wires_interface i = card();
    i.report.native = i.report.zerocopy = i.report.inject = XDP_ANSWER_UNKNOWN;
    judged(&m, &i, XDP_ANSWER_UNKNOWN, WIRES_XDP);
    assert_non_null(strstr(i.no_xdp.text, "Linux 6.3"));
    i = card();
    i.report.zerocopy = XDP_ANSWER_NO;
    i.report.inject = XDP_ANSWER_UNKNOWN;
    judged(&m, &i, XDP_ANSWER_UNKNOWN, WIRES_XDP);
    assert_non_null(strstr(i.no_xdp.text, "injected"));
    i = card();
    i.iface.mtu = 3506;
    judged(&m, &i, XDP_ANSWER_YES, WIRES_XDP);
    i.iface.mtu = 3507;
    judged(&m, &i, XDP_ANSWER_UNKNOWN, WIRES_XDP);
    assert_non_null(strstr(i.no_xdp.text, "MTU of 3507"));
    m.page_bytes = 65536;
    judged(&m, &i, XDP_ANSWER_YES, WIRES_XDP);
}

static void test_privileges(void **state) {
    (void)state;
    static const struct {
        uint64_t capabilities;
        enum wires_choice choice;
        const char *says;
    } cases[] = {
        {ALL WITHOUT(CAP_SYS_ADMIN), WIRES_XDP, NULL},
        {ALL WITHOUT(CAP_BPF) WITHOUT(CAP_PERFMON), WIRES_XDP, NULL}, /* CAP_SYS_ADMIN stands for both */
        {ALL WITHOUT(CAP_SYS_ADMIN) WITHOUT(CAP_BPF), WIRES_PACKET, "no xdp without CAP_BPF,"},
        {ALL WITHOUT(CAP_SYS_ADMIN) WITHOUT(CAP_PERFMON), WIRES_PACKET, "no xdp without CAP_PERFMON,"},
        {UINT64_C(1) << CAP_NET_RAW | UINT64_C(1) << CAP_NET_ADMIN, WIRES_PACKET, "CAP_BPF and CAP_PERFMON"},
        {ALL WITHOUT(CAP_NET_RAW), WIRES_NONE, "neither wire without CAP_NET_RAW,"},
        {ALL WITHOUT(CAP_NET_ADMIN), WIRES_NONE, "neither wire without CAP_NET_ADMIN,"},
        {0, WIRES_NONE, "CAP_NET_RAW and CAP_NET_ADMIN"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct wires_machine m = machine_with(cases[k].capabilities);
        struct wires_interface i = card();
        judged(&m, &i, cases[k].says ? XDP_ANSWER_NO : XDP_ANSWER_YES, cases[k].choice);
        const char *text = cases[k].choice == WIRES_NONE ? m.no_packet.text : m.no_xdp.text;
        if (cases[k].says) {
            assert_non_null(strstr(text, cases[k].says));
            assert_non_null(strstr(text, "setcap"));
        } else {
            assert_string_equal(text, "");
        }
    }
}

static void test_kernels(void **state) {
    (void)state;
    static const struct {
        unsigned version[2];
        bool btf, first;
        const char *says; /* NULL: it can */
    } cases[] = {
        {{5, 18}, true, true, NULL},          {{6, 0}, true, true, NULL},      {{7, 1}, true, true, NULL},
        {{5, 17}, true, true, "wants 5.18"},  {{4, 19}, true, true, "4.19"},   {{0, 0}, true, true, "wants 5.18"},
        {{6, 1}, false, true, "DEBUG_INFO_BTF"}, {{6, 1}, true, false, "user namespace"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct wires_machine m = {.capabilities = ALL, .first_user_namespace = cases[k].first, .btf = cases[k].btf,
                                  .version = {cases[k].version[0], cases[k].version[1]}, .page_bytes = 4096};
        struct wires_interface i = card();
        wires_machine_judge(&m);
        judged(&m, &i, cases[k].says ? XDP_ANSWER_NO : XDP_ANSWER_YES, cases[k].says ? WIRES_PACKET : WIRES_XDP);
        if (cases[k].says)
            assert_non_null(strstr(m.no_xdp.text, cases[k].says));
    }
}

/* What one of the two documents says of one interface. */
static char *text_of(void (*print)(FILE *, const struct wires_machine *, const struct wires_interface *, size_t),
                     const struct wires_machine *m, struct wires_interface *i) {
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    wires_judge(m, i);
    print(f, m, i, 1);
    fclose(f);
    assert_non_null(text);
    return text;
}

static void says(const struct wires_machine *m, struct wires_interface i, const char *row, const char *json) {
    char *table = text_of(wires_print, m, &i), *object = text_of(wires_print_json, m, &i);
    assert_string_equal(object, json);
    char *line = strchr(table, '\n') + 1; /* behind the heads */
    size_t n = strcspn(line, "\n");
    assert_int_equal(n, strlen(row));
    assert_memory_equal(line, row, n);
    free(table);
    free(object);
}

static void test_table_and_json(void **state) {
    (void)state;
    struct wires_machine m = machine_with(ALL);
    struct wires_interface i = card();
    says(&m, i, "eth0       up     Ethernet  good    4       1500  yes     yes         zero-copy     -            "
         "xdp above 300k",
         "{\"interface\":\"eth0\",\"up\":true,\"carrier\":true,\"link\":\"Ethernet\",\"mtu\":1500,\"driver\":\"good\","
         "\"queues\":4,\"native_xdp\":true,\"transmit\":\"zero-copy\",\"program\":null,\"packet\":true,\"xdp\":true,"
         "\"auto\":\"xdp\",\"auto_above\":300000,\"missing\":[]}\n");
    i.report.zerocopy = XDP_ANSWER_NO;
    i.report.other_program = 77;
    error_set(&i.report.refusal, 0, "\"busy\"");
    says(&m, i, "eth0       up     Ethernet  good    4       1500  yes     yes         injection     77           "
         "packet",
         "{\"interface\":\"eth0\",\"up\":true,\"carrier\":true,\"link\":\"Ethernet\",\"mtu\":1500,\"driver\":\"good\","
         "\"queues\":4,\"native_xdp\":true,\"transmit\":\"injection\",\"program\":77,\"packet\":true,\"xdp\":false,"
         "\"auto\":\"packet\",\"missing\":[\"\\\"busy\\\"\"]}\n");
    i = card();
    i.unread = -EIO;
    i.iface.arphrd = 803;
    memcpy(i.iface.name, "e\x1b\n0", 5);
    says(&m, i, "e\\u001b\\u000a0  up     kind 803  ?       ?       1500  no      ?           ?             ?        "
         "    -",
         "{\"interface\":\"e\\u001b\\u000a0\",\"up\":true,\"carrier\":true,\"link\":null,\"mtu\":1500,\"driver\":null,"
         "\"queues\":null,\"native_xdp\":null,\"transmit\":null,\"program\":null,\"packet\":false,\"xdp\":false,"
         "\"auto\":null,\"missing\":[\"interface \\\"e\\\\x1b\\\\x0a0\\\" is neither Ethernet nor plain IP (kind 803 of "
         "if_arp.h)\",\"interface \\\"e\\\\x1b\\\\x0a0\\\": xdp wants Ethernet, and this is something else\"]}\n");
}

/* The machine's own reasons come once, however many interfaces there are. */
static void test_reasons_of_the_machine(void **state) {
    (void)state;
    struct wires_machine m = machine_with(0);
    struct wires_interface list[3];
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    assert_non_null(f);
    for (size_t k = 0; k < 3; k++) {
        list[k] = card();
        wires_judge(&m, &list[k]);
    }
    wires_print(f, &m, list, 3);
    fclose(f);
    const char *first = strstr(text, "neither wire");
    assert_non_null(first);
    assert_null(strstr(first + 1, "neither wire"));
    assert_null(strstr(text, "no xdp without")); /* the same line says how to get those, too */
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_card),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_what_the_wire_refuses),
        cmocka_unit_test(test_what_shows_only_when_tried),
        cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_kernels),
        cmocka_unit_test(test_table_and_json),
        cmocka_unit_test(test_reasons_of_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
