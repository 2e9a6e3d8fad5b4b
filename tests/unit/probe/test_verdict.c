/* Names, ranks, and the technique table. */
#include "cmocka_all.h"

#include <string.h>

#include "probe/reply.h"
#include "probe/technique.h"
#include "probe/verdict.h"

static void test_state_names(void **state) {
    (void)state;
    static const char *const words[] = {"unknown",    "open",          "closed",          "filtered",
                                        "unfiltered", "open|filtered", "closed|filtered", "up", "down"};
    assert_int_equal(sizeof words / sizeof *words, STATE_COUNT);
    for (unsigned s = 0; s < STATE_COUNT; s++) {
        assert_string_equal(state_name((enum state)s), words[s]);
        assert_int_equal(state_from_name(words[s]), s);
    }
    static const char *const none[] = {"", "Open", "open ", "ope", "open|", "filtered|open"};
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(state_from_name(none[i]), STATE_UNKNOWN);
}

static void test_reason_names(void **state) {
    (void)state;
    for (unsigned a = 0; a < REASON_COUNT; a++) {
        assert_non_null(reason_name((enum reason)a));
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(reason_name((enum reason)a), reason_name((enum reason)b));
    }
    assert_string_equal(reason_name(REASON_SYN_ACK), "syn-ack");
    assert_string_equal(reason_name(REASON_NO_RESPONSE), "no-response");
    assert_string_equal(reason_name(REASON_ADMIN_PROHIBITED), "admin-prohibited");
}

/* They are keys of the summary record. */
static void test_ignored_names(void **state) {
    (void)state;
    for (unsigned a = 0; a < IGNORED_COUNT; a++) {
        const char *name = ignored_name((enum ignored)a);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(name, ignored_name((enum ignored)b));
    }
    assert_string_equal(ignored_name(IGNORED_BAD_IP_CHECKSUM), "bad_ip_checksum");
}

static void test_rank(void **state) {
    (void)state;
    assert_int_equal(verdict_rank(STATE_FILTERED), 1);
    assert_int_equal(verdict_rank(STATE_CLOSED), 2);
    assert_int_equal(verdict_rank(STATE_OPEN), 3);
    assert_true(verdict_rank(STATE_UNKNOWN) < verdict_rank(STATE_FILTERED));
    assert_true(verdict_rank(STATE_OPEN_FILTERED) < verdict_rank(STATE_FILTERED));
    assert_true(verdict_rank(STATE_CLOSED_FILTERED) < verdict_rank(STATE_CLOSED));
    assert_true(verdict_rank(STATE_FILTERED) < verdict_rank(STATE_UNFILTERED));
    assert_true(verdict_rank(STATE_DOWN) < verdict_rank(STATE_UP));
}

static void test_techniques(void **state) {
    (void)state;
    const struct technique *syn = &techniques[TECHNIQUE_SYN], *arp = &techniques[TECHNIQUE_NEIGHBOUR];
    assert_string_equal(syn->option, "-sS");
    assert_string_equal(syn->name, "syn");
    assert_string_equal(syn->proto, "tcp");
    assert_int_equal(syn->tcp_flags, 2);
    assert_int_equal(syn->on[OUTCOME_SILENCE].state, STATE_FILTERED);
    assert_int_equal(syn->on[OUTCOME_SILENCE].reason, REASON_NO_RESPONSE);
    assert_null(arp->option);
    assert_int_equal(arp->ip_proto, 0);
    assert_int_equal(arp->on[OUTCOME_SILENCE].state, STATE_DOWN);
}

/* What silence means, as semantics has it; what answers mean is in test_answers.c. */
static void test_silence(void **state) {
    (void)state;
    static const char *const want[TECHNIQUE_COUNT] = {
        [TECHNIQUE_SYN] = "filtered",          [TECHNIQUE_CONNECT] = "filtered",
        [TECHNIQUE_FIN] = "open|filtered",     [TECHNIQUE_NULL] = "open|filtered",
        [TECHNIQUE_XMAS] = "open|filtered",    [TECHNIQUE_MAIMON] = "open|filtered",
        [TECHNIQUE_ACK] = "filtered",          [TECHNIQUE_WINDOW] = "filtered",
        [TECHNIQUE_UDP] = "open|filtered",     [TECHNIQUE_SCTP_INIT] = "filtered",
        [TECHNIQUE_SCTP_COOKIE] = "open|filtered", [TECHNIQUE_PROTOCOL] = "open|filtered",
        [TECHNIQUE_PING] = "down",             [TECHNIQUE_NEIGHBOUR] = "down",
    };
    for (unsigned t = 0; t < TECHNIQUE_COUNT; t++) {
        assert_string_equal(state_name(techniques[t].on[OUTCOME_SILENCE].state), want[t]);
        assert_int_equal(techniques[t].on[OUTCOME_SILENCE].reason, REASON_NO_RESPONSE);
        assert_int_equal(techniques[t].built, t != TECHNIQUE_CONNECT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_names), cmocka_unit_test(test_reason_names), cmocka_unit_test(test_ignored_names),
        cmocka_unit_test(test_rank),        cmocka_unit_test(test_techniques),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests_name("probe/verdict", tests, NULL, NULL);
}
