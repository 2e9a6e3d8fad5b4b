#include "../unit.h"

#include <errno.h>
#include <string.h>

#include "plan/target.h"

/* The set as text: "1-5,9". */
static const char *set_text(const struct port_set *s, char *out, size_t size) {
    size_t at = 0;
    out[0] = '\0';
    for (unsigned p = 0; p < PORT_SET_MAX && at < size; p++) {
        if (!port_set_has(s, p))
            continue;
        unsigned lo = p;
        while (p + 1 < PORT_SET_MAX && port_set_has(s, p + 1))
            p++;
        at += (size_t)snprintf(out + at, size - at, lo == p ? "%s%u" : "%s%u-%u", at ? "," : "", lo, p);
    }
    return out;
}

static void test_sets(void **state) {
    (void)state;
    struct port_set a = {{0}}, b = {{0}};
    char text[200];
    port_set_add(&a, 0, 0);
    port_set_add(&a, 60, 70);
    port_set_add(&a, 65, 130);
    port_set_add(&a, 65535, 65535);
    assert_string_equal(set_text(&a, text, sizeof text), "0,60-130,65535");
    assert_int_equal(port_set_count(&a), 73);
    port_set_add(&b, 64, 127);
    port_set_add(&b, 200, 300);
    port_set_remove(&a, &b);
    assert_string_equal(set_text(&a, text, sizeof text), "0,60-63,128-130,65535");
    port_set_add(&a, 0, 65535);
    assert_int_equal(port_set_count(&a), 65536);
}

static void test_good(void **state) {
    (void)state;
    static const struct {
        const char *text, *tcp, *udp, *sctp, *ip;
    } good[] = {
        {"80", "80", "80", "80", "80"},
        {"22,80-90,443,85-95", "22,80-95,443", "22,80-95,443", "22,80-95,443", "22,80-95"},
        {"-100", "1-100", "1-100", "1-100", "0-100"},
        {"60000-", "60000-65535", "60000-65535", "60000-65535", ""},
        {"-", "1-65535", "1-65535", "1-65535", "0-255"},
        {"250-300", "250-300", "250-300", "250-300", "250-255"},
        {"0", "0", "0", "0", "0"},
        {"0-3", "0-3", "0-3", "0-3", "0-3"},
        {"T:65535", "65535", "", "", ""},
        {"T:00080", "80", "", "", ""},
        {"T:5-5", "5", "", "", ""},
        {"T:1-5,7,U:53,161,S:36412,T:443", "1-5,7,443", "53,161", "36412", ""},
        {"80,u:53,t:81", "80-81", "53,80", "80", "80"},
        {"U:-", "", "1-65535", "", ""},
        {"P:-", "", "", "", "0-255"},
        {"P:-3,47,250-", "", "", "", "0-3,47,250-255"},
        {"p:gre,icmp,ESP,T:1", "1", "", "", "1,47,50"},
        {"T:ssh,https,HTTP", "22,80,443", "", "", ""},
        {"U:domain,T:ssh", "22", "53", "", ""},
        {"S:m3ua,diameter", "", "", "2905,3868", ""},
        {"m3ua", "", "", "2905", ""}, /* a name is for whatever protocol knows it */
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        static struct port_spec empty;
        struct port_spec spec = empty;
        struct error e = ERROR_INIT;
        char text[200];
        if (ports_parse(good[i].text, &spec, &e) != 0)
            fail_msg("%s", e.text);
        assert_string_equal(set_text(port_spec_of(&spec, PORTS_TCP), text, sizeof text), good[i].tcp);
        assert_string_equal(set_text(port_spec_of(&spec, PORTS_UDP), text, sizeof text), good[i].udp);
        assert_string_equal(set_text(port_spec_of(&spec, PORTS_SCTP), text, sizeof text), good[i].sctp);
        assert_string_equal(set_text(port_spec_of(&spec, PORTS_IP), text, sizeof text), good[i].ip);
        assert_int_equal(spec.t_named, strstr(good[i].text, "T:") || strstr(good[i].text, "t:"));
        assert_int_equal(spec.u_named, strstr(good[i].text, "U:") || strstr(good[i].text, "u:"));
        assert_int_equal(spec.s_named, strstr(good[i].text, "S:") != NULL);
        assert_int_equal(spec.p_named, strstr(good[i].text, "P:") || strstr(good[i].text, "p:"));
    }
}

static void test_bad(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "bad port \"\" in \"\": a port is missing"},
        {"80,", "a port is missing"},
        {",80", "a port is missing"},
        {"80,,90", "a port is missing"},
        {"T:", "a port is missing"},
        {"U:,53", "a port is missing"},
        {"65536", "bad port \"65536\" in \"65536\": a port is at most 65535"},
        {"80,99999999999999999999", "a port is at most 65535"},
        {"1-65536", "a port is at most 65535"},
        {"90-80", "bad port \"90-80\" in \"90-80\": the range runs backwards"},
        {"-0", "runs backwards"},
        {"1-2-3", "expected a port, a range or a service name"},
        {"80x", "expected a port, a range or a service name"},
        {"0x50", "expected a port, a range or a service name"},
        {"80 ", "expected a port, a range or a service name"},
        {" 80", "no service"},
        {"80;90", "expected a port"},
        {"--5", "expected a port"},
        {"htpp", "bad port \"htpp\" in \"htpp\": no service of that name"},
        {"ssh-", "no service"},
        {"http*", "no service"},
        {"*", "no service"},
        {"+80", "no service"},
        {"U:m3ua", "no UDP service"},
        {"S:ssh-", "no SCTP service"},
        {"P:ssh", "no IP protocol"},
        {"P:256", "an IP protocol is at most 255"},
        {"P:1-256", "an IP protocol is at most 255"},
        {"P:9-8", "runs backwards"},
        {"P:9x", "expected a protocol number"},
        {"X:80", "the protocols are T:"},
        {"T:U:53", "no TCP service"},
        {"22\n", "bad port \"22\\x0a\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        static struct port_spec spec;
        struct error e = ERROR_INIT;
        int r = ports_parse(bad[i].text, &spec, &e);
        if (r != -EINVAL || !strstr(e.text, bad[i].says))
            fail_msg("\"%s\": %d, %s", bad[i].text, r, e.text);
    }
}

/* The lists of a protocol: each rank adds exactly one port, which has a name, until the list is at its end. */
static void check_ranking(unsigned protocol, unsigned most) {
    struct error e = ERROR_INIT;
    struct port_set last = {{0}};
    for (unsigned n = 1; n <= ports_ranked_count(); n++) {
        struct port_set now = {{0}}, gone = last;
        assert_int_equal(ports_top(protocol, n, &now, &e), 0);
        assert_int_equal(port_set_count(&now), n < most ? n : most);
        port_set_remove(&gone, &now);
        assert_int_equal(port_set_count(&gone), 0);
        last = now;
    }
    for (unsigned p = 0; p < PORT_SET_MAX; p++)
        assert_int_equal(port_name(protocol, p) != NULL, port_set_has(&last, p));
}

static unsigned length_of(unsigned protocol) {
    struct error e = ERROR_INIT;
    struct port_set all = {{0}};
    assert_int_equal(ports_top(protocol, ports_ranked_count(), &all, &e), 0);
    return port_set_count(&all);
}

static void test_ranking(void **state) {
    (void)state;
    struct error e = ERROR_INIT;
    struct port_set set = {{0}};
    unsigned all = ports_ranked_count(), udp = length_of(PORTS_UDP), sctp = length_of(PORTS_SCTP);
    assert_true(all >= 1100 && all >= PORTS_DEFAULT_COUNT);
    assert_true(udp >= 40 && sctp >= 40);
    check_ranking(PORTS_TCP, all);
    check_ranking(PORTS_UDP, udp);
    check_ranking(PORTS_SCTP, sctp);
    assert_int_equal(length_of(PORTS_IP), 256);
    assert_int_equal(ports_top(PORTS_TCP, 0, &set, &e), -ERANGE);
    assert_int_equal(ports_top(PORTS_UDP, all + 1, &set, &e), -ERANGE);
    assert_non_null(strstr(e.text, "1 to "));
}

static void test_well_known(void **state) {
    (void)state;
    struct port_set top = {{0}};
    struct error e = ERROR_INIT;
    assert_int_equal(ports_top(PORTS_TCP, 20, &top, &e), 0);
    static const unsigned first[] = {80, 443, 22, 21, 25, 23, 53, 445, 3389};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        assert_true(port_set_has(&top, first[i]));
    assert_int_equal(ports_top(PORTS_TCP, PORTS_DEFAULT_COUNT, &top, &e), 0);
    static const unsigned common[] = {
        110, 143, 993, 995, 1433, 1521, 1883, 2049, 2181, 2375, 3000, 3306, 5000, 5060, 5432, 5672, 5900, 6379, 6443,
        8000, 8080, 8081, 8099, 8443, 8888, 9000, 9090, 9092, 9200, 10250, 11211, 15672, 25565, 27017, 32400, 47808,
        50000, 61616,
    };
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        if (!port_set_has(&top, common[i]))
            fail_msg("%u", common[i]);
    assert_string_equal(port_name(PORTS_TCP, 22), "ssh");
    assert_string_equal(port_name(PORTS_TCP, 443), "https");
    assert_null(port_name(PORTS_TCP, 65535));
    assert_string_equal(port_name(PORTS_SCTP, 36412), "s1-control");
    assert_string_equal(port_name(PORTS_IP, 1), "icmp");
    assert_string_equal(port_name(PORTS_IP, 132), "sctp");
    assert_null(port_name(PORTS_IP, 255));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets), cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
        cmocka_unit_test(test_ranking), cmocka_unit_test(test_well_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
