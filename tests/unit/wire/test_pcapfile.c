#include "../unit.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/pcapfile.h"

static char path[] = "/tmp/noctule-pcap-XXXXXX";

static int make_file(void **state) {
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state) {
    (void)state;
    return unlink(path);
}

static struct pcapfile *create(enum link_type link) {
    struct error e = ERROR_INIT;
    struct pcapfile *p = NULL;
    if (pcapfile_create(path, link, &p, &e) < 0)
        fail_msg("%s", e.text);
    return p;
}

static pcap_t *reopen(int link) {
    char why[PCAP_ERRBUF_SIZE];
    pcap_t *in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!in)
        fail_msg("%s", why);
    assert_int_equal(pcap_datalink(in), link);
    return in;
}

static uint64_t time_of(const struct pcap_pkthdr *h) {
    return (uint64_t)h->ts.tv_sec * NS_PER_SEC + (uint64_t)h->ts.tv_usec;
}

static void test_frames_can_be_read_back(void **state) {
    (void)state;
    uint8_t bytes[300];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    uint64_t before = clock_real_ns();
    struct frame frames[] = {
        {.data = bytes, .len = 60, .wire_len = 60, .time_ns = UINT64_C(1700000000123456789)},
        {.data = bytes + 1, .len = 200, .wire_len = 9000, .time_ns = UINT64_C(1700000001000000001)}, /* was cut */
        {.data = bytes + 2, .len = 54}, /* is about to be sent: no time, no length on the wire */
    };
    struct pcapfile *p = create(LINK_ETHERNET);
    pcapfile_write(p, frames, 2);
    pcapfile_write(p, frames + 2, 1);
    assert_int_equal(pcapfile_close(p), 0);

    pcap_t *in = reopen(DLT_EN10MB);
    struct pcap_pkthdr *h;
    const unsigned char *data;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pcap_next_ex(in, &h, &data), 1);
        assert_int_equal(h->caplen, frames[i].len);
        assert_int_equal(h->len, i == 1 ? 9000 : frames[i].len);
        assert_memory_equal(data, frames[i].data, h->caplen);
        if (i < 2)
            assert_int_equal(time_of(h), frames[i].time_ns);
        else
            assert_true(time_of(h) >= before && time_of(h) <= clock_real_ns());
    }
    assert_int_equal(pcap_next_ex(in, &h, &data), PCAP_ERROR_BREAK);
    pcap_close(in);
}

static void test_an_empty_capture_is_valid(void **state) {
    (void)state;
    assert_int_equal(pcapfile_close(create(LINK_IP)), 0);
    pcap_t *in = reopen(DLT_RAW);
    struct pcap_pkthdr *h;
    const unsigned char *data;
    assert_int_equal(pcap_next_ex(in, &h, &data), PCAP_ERROR_BREAK);
    pcap_close(in);
}

#define WRITES 2000u

static void *write_many(void *arg) {
    struct pcapfile *p = arg;
    uint8_t bytes[100] = {0x45};
    struct frame f = {.data = bytes, .len = sizeof bytes, .time_ns = 1};
    for (unsigned i = 0; i < WRITES; i++)
        pcapfile_write(p, &f, 1);
    return NULL;
}

static void test_two_threads_may_write(void **state) {
    (void)state;
    struct pcapfile *p = create(LINK_IP);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, p), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pcapfile_close(p), 0);
    pcap_t *in = reopen(DLT_RAW);
    struct pcap_pkthdr *h;
    const unsigned char *data;
    unsigned n = 0;
    while (pcap_next_ex(in, &h, &data) == 1 && h->caplen == 100 && data[0] == 0x45)
        n++;
    assert_int_equal(n, 2 * WRITES);
    pcap_close(in);
}

static void refused(const char *where, int code, const char *line) {
    struct error e = ERROR_INIT;
    struct pcapfile *p = NULL;
    assert_int_equal(pcapfile_create(where, LINK_ETHERNET, &p, &e), code);
    assert_string_equal(e.text, line);
    assert_null(p);
}

static void test_files_that_cannot_be(void **state) {
    (void)state;
    refused("-", -EINVAL, "a capture needs a file's name: standard output is for the findings");
    refused("/proc/nowhere/x.pcap", -ENOENT,
            "cannot write capture file \"/proc/nowhere/x.pcap\": No such file or directory");
    refused("/", -EISDIR, "cannot write capture file \"/\": Is a directory");
}

/* /dev/full fails every write that reaches it, as a full disk does. */
static void test_a_full_disk_is_told_at_the_end(void **state) {
    (void)state;
    uint8_t bytes[1000] = {0};
    struct frame f = {.data = bytes, .len = sizeof bytes};
    for (int writes = 0; writes <= 100; writes += 100) { /* fails in the last flush, or on the way */
        struct error e = ERROR_INIT;
        struct pcapfile *p = NULL;
        assert_int_equal(pcapfile_create("/dev/full", LINK_IP, &p, &e), 0);
        for (int i = 0; i < writes; i++)
            pcapfile_write(p, &f, 1);
        assert_int_equal(pcapfile_close(p), -ENOSPC);
    }
    assert_int_equal(pcapfile_close(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_can_be_read_back, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_an_empty_capture_is_valid, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_two_threads_may_write, make_file, remove_file),
        cmocka_unit_test(test_files_that_cannot_be),
        cmocka_unit_test(test_a_full_disk_is_told_at_the_end),
    };
    return cmocka_run_group_tests_name("wire/pcapfile", tests, NULL, NULL);
}
