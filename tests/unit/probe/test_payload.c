/* The payload table: what the file's lines became, and what is keyed in it. */
#include "cmocka_all.h"

#include <ctype.h>
#include <string.h>

#include "base/bytes.h"
#include "probe/payload.h"
#include "probe/payload_table.h"

static size_t build(uint16_t port, unsigned nth, uint64_t cookie, uint8_t *out) {
    memset(out, 0xaa, PAYLOAD_MAX);
    return payload_build(port, nth, true, cookie, out);
}

static bool in_table(uint16_t port) {
    for (size_t i = 0; i < payload_ports_n; i++)
        if (payload_ports[i].port == port)
            return true;
    return false;
}

static void test_every_port_has_some(void **state) {
    (void)state;
    uint8_t out[PAYLOAD_MAX];
    unsigned others = 0;
    for (unsigned port = 0; port <= UINT16_MAX; port++) {
        unsigned plain = payload_count((uint16_t)port, false), all = payload_count((uint16_t)port, true);
        assert_in_range(plain, 1, PAYLOADS_PER_PORT_MAX);
        assert_in_range(all, plain, PAYLOADS_PER_PORT_MAX);
        if (in_table((uint16_t)port))
            continue;
        others++;
        assert_int_equal(all, 1);
        assert_int_equal(build((uint16_t)port, 0, 1, out), 0);
        assert_int_equal(payload_longest((uint16_t)port, true), 0);
    }
    assert_int_equal(others + payload_ports_n, UINT16_MAX + 1);
}

static void test_table_is_sorted_and_whole(void **state) {
    (void)state;
    uint16_t first = 0;
    for (size_t i = 0; i < payload_ports_n; i++) {
        const struct payload_port *p = &payload_ports[i];
        assert_true(!i || payload_ports[i - 1].port < p->port);
        assert_int_equal(p->first, first);
        assert_in_range(p->all, 1, PAYLOADS_PER_PORT_MAX);
        assert_in_range(p->plain, 0, p->all);
        first = (uint16_t)(first + p->all);
    }
    assert_true(first >= 40);
}

static void test_longest(void **state) {
    (void)state;
    uint8_t out[PAYLOAD_MAX];
    for (size_t i = 0; i < payload_ports_n; i++) {
        uint16_t port = payload_ports[i].port;
        for (int amplifiers = 0; amplifiers < 2; amplifiers++) {
            size_t longest = 0;
            for (unsigned nth = 0; nth < payload_count(port, amplifiers); nth++) {
                size_t n = payload_build(port, nth, amplifiers, 1, out);
                longest = n > longest ? n : longest;
            }
            assert_int_equal(payload_longest(port, amplifiers), longest);
        }
    }
    assert_int_equal(payload_longest(443, false), 1200); /* QUIC's smallest first datagram, RFC 9000 14.1 */
}

static bool field_is(const struct payload_field *f, const uint8_t *bytes) {
    const uint8_t *p = bytes + f->at;
    for (unsigned i = 0; i < f->len; i++)
        if ((f->kind == PAYLOAD_HEX && (!isxdigit(p[i]) || isupper(p[i]))) ||
            (f->kind == PAYLOAD_DEC && (p[i] < '1' || p[i] > '8')))
            return false;
    return f->kind != PAYLOAD_INT31 || (f->len == 4 && load_be32(p) >> 30 == 1);
}

/* Outside its keyed fields a payload is its template, whatever the cookie; inside it is of the field's kind. */
static void test_only_fields_are_keyed(void **state) {
    (void)state;
    uint8_t out[PAYLOAD_MAX];
    for (size_t i = 0; i < payload_ports_n; i++)
        for (unsigned nth = 0; nth < payload_ports[i].all; nth++)
            for (uint64_t cookie = 0; cookie < 200; cookie++) {
                const struct payload *p = &payload_table[payload_ports[i].first + nth];
                size_t n = build(payload_ports[i].port, nth, cookie, out);
                assert_int_equal(n, p->len);
                for (unsigned f = 0; f < p->n_fields; f++) {
                    assert_true(p->fields[f].at + p->fields[f].len <= n);
                    assert_true(field_is(&p->fields[f], out));
                    memset(out + p->fields[f].at, 0, p->fields[f].len);
                }
                assert_memory_equal(out, p->bytes, n);
                if (n < PAYLOAD_MAX)
                    assert_int_equal(out[n], 0xaa);
            }
}

static bool two_bytes_are_keyed(const struct payload *p) {
    unsigned bytes = 0;
    for (unsigned f = 0; f < p->n_fields; f++)
        bytes += p->fields[f].len;
    return bytes >= 2;
}

static void test_keyed_by_cookie(void **state) {
    (void)state;
    uint8_t a[PAYLOAD_MAX], b[PAYLOAD_MAX];
    unsigned keyed = 0;
    for (size_t i = 0; i < payload_ports_n; i++)
        for (unsigned nth = 0; nth < payload_ports[i].all; nth++) {
            uint16_t port = payload_ports[i].port;
            size_t n = build(port, nth, 7, a);
            assert_int_equal(build(port, nth, 7, b), n);
            assert_memory_equal(a, b, n);
            if (!two_bytes_are_keyed(&payload_table[payload_ports[i].first + nth]))
                continue;
            keyed++;
            unsigned same = 0; /* two bytes may come out the same for one other cookie, not for many */
            for (uint64_t cookie = 8; cookie < 18; cookie++) {
                assert_int_equal(build(port, nth, cookie, b), n);
                same += !memcmp(a, b, n);
            }
            assert_in_range(same, 0, 2);
        }
    assert_true(keyed >= 40);
}

static void test_payloads_of_a_port_differ(void **state) {
    (void)state;
    uint8_t a[PAYLOAD_MAX], b[PAYLOAD_MAX];
    assert_true(payload_count(53, false) >= 2);
    build(53, 0, 7, a);
    build(53, 1, 7, b);
    assert_true(load_be16(a) != load_be16(b)); /* the ids */
}

static void test_amplifiers_come_last_and_only_on_demand(void **state) {
    (void)state;
    uint8_t a[PAYLOAD_MAX], b[PAYLOAD_MAX];
    unsigned amplifiers = 0;
    for (size_t i = 0; i < payload_ports_n; i++) {
        uint16_t port = payload_ports[i].port;
        unsigned plain = payload_ports[i].plain;
        amplifiers += payload_ports[i].all - plain;
        assert_int_equal(payload_count(port, false), plain ? plain : 1);
        assert_int_equal(payload_count(port, true), payload_ports[i].all);
        for (unsigned nth = 0; nth < plain; nth++) {
            size_t n = payload_build(port, nth, false, 3, a);
            assert_int_equal(payload_build(port, nth, true, 3, b), n);
            assert_memory_equal(a, b, n);
        }
        if (!plain)
            assert_int_equal(payload_build(port, 0, false, 3, a), 0);
    }
    assert_true(amplifiers >= 5);
    assert_int_equal(payload_count(123, false), 1); /* NTP: the plain request alone */
    assert_int_equal(payload_count(11211, true), 2);
    assert_int_equal(payload_count(10001, false), 1); /* only an amplifier: the empty one stands in */
}

/* One payload in full: RFC 1035 4.1, against bytes written by hand. */
static void test_dns(void **state) {
    (void)state;
    static const uint8_t after_id[] = "\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3";
    uint8_t out[PAYLOAD_MAX];
    assert_int_equal(build(53, 0, 5, out), 2 + sizeof after_id - 1);
    assert_memory_equal(out + 2, after_id, sizeof after_id - 1);
}

/* Lengths that the generator worked out: BER's, and one of the whole datagram less the marker before it. */
static void test_lengths(void **state) {
    (void)state;
    uint8_t out[PAYLOAD_MAX];
    size_t n = build(161, 0, 5, out);
    assert_int_equal(out[0], 0x30);
    assert_int_equal(out[1], n - 2);
    n = build(4500, 0, 5, out);
    assert_int_equal(load_be32(out), 0);
    assert_int_equal(load_be32(out + 4 + 24), n - 4);
}

static void test_wanderer(void **state) {
    (void)state;
    assert_int_equal(payload_wandering_port(), 69);
    unsigned wanderers = 0;
    for (unsigned port = 0; port <= UINT16_MAX; port++)
        wanderers += payload_wanders((uint16_t)port);
    assert_int_equal(wanderers, 1);
    assert_true(payload_wanders(69));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_port_has_some),
        cmocka_unit_test(test_table_is_sorted_and_whole),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_only_fields_are_keyed),
        cmocka_unit_test(test_keyed_by_cookie),
        cmocka_unit_test(test_payloads_of_a_port_differ),
        cmocka_unit_test(test_amplifiers_come_last_and_only_on_demand),
        cmocka_unit_test(test_dns),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_wanderer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
