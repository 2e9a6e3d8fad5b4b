/* What the tests of this room share: a directory of their own, and files read whole. */
#ifndef NOCTULE_TESTS_UNIT_REPORT_SCRATCH_H
#define NOCTULE_TESTS_UNIT_REPORT_SCRATCH_H

#include "../unit.h"

#include "report/report.h"

/* A test's own directory, for cmocka_unit_test_setup_teardown(). */
struct scratch {
    char dir[64];
    char *path[16]; /* what scratch_path() handed out */
    unsigned n;
};
int scratch_setup(void **state);
int scratch_teardown(void **state); /* removes every path it handed out */

/* The path of a file in it; prefix goes before ("jsonl:"). The string lives as long as the test. */
const char *scratch_path(struct scratch *s, const char *prefix, const char *name);

/* The whole file with a NUL behind it, to be freed; *n (may be NULL) receives its length. */
char *read_whole(const char *path, size_t *n);
size_t count_lines(const char *text);

/* An open port's finding: 198.18.5.5:port, SYN-ACK, ttl 44. */
struct finding sample_finding(uint16_t port);

/* A report with these -o words that shows every state; it must come about. */
struct report *report_of(const char *const *words, unsigned n, unsigned queues);

#endif
