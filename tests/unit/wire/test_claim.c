#include "space.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/claim.h"

static int set_up(void **state) {
    (void)state;
    space_enter();
    return 0;
}

static int try_claim(unsigned n, uint16_t wanted, uint64_t seed, struct claim *out, struct error *e) {
    return claim_create(&(struct claim_wish){.n = n, .first = wanted, .seed = seed, .tcp = true}, out, e);
}

static struct claim claim(unsigned n, uint16_t wanted, uint64_t seed) {
    struct error e = ERROR_INIT;
    struct claim c;
    if (try_claim(n, wanted, seed, &c, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(c.n, n);
    return c;
}

static void refused(unsigned n, uint16_t wanted, int code, const char *line) {
    struct error e = ERROR_INIT;
    struct claim c;
    assert_int_equal(try_claim(n, wanted, 1, &c, &e), code);
    assert_string_equal(e.text, line);
    claim_deinit(&c); /* safe after a failure */
}

/* Whether anybody else could have the port: errno of bind(2), or 0. */
static int bind_error(int family, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int r = family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof v4)
                              : bind(fd, (const struct sockaddr *)&v6, sizeof v6);
    int error = r < 0 ? errno : 0;
    close(fd);
    return error;
}

static void test_ports_are_taken_and_given_back(void **state) {
    (void)state;
    struct claim c = claim(4, 0, 7);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bind_error(AF_INET, (uint16_t)(c.first + i)), EADDRINUSE);
        int v6 = bind_error(AF_INET6, (uint16_t)(c.first + i));
        assert_true(v6 == EADDRINUSE || v6 == EADDRNOTAVAIL || v6 == EAFNOSUPPORT);
    }
    uint16_t first = c.first;
    claim_deinit(&c);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(bind_error(AF_INET, (uint16_t)(first + i)), 0);
}

static void test_they_lie_outside_the_kernels_range(void **state) {
    (void)state;
    static const struct {
        const char *range;
        unsigned lo, hi;
    } cases[] = {{"32768 60999", 32768, 60999}, {"1024 65000", 1024, 65000}, {"2000 65535", 2000, 65535},
                 {"1024 65533", 1024, 65533}};
    char command[128];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(command, sizeof command, "echo %s >/proc/sys/net/ipv4/ip_local_port_range", cases[i].range);
        space_run(command);
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct claim c = claim(2, 0, seed);
            assert_true(c.first >= 1024);
            assert_true(c.first + 1u < cases[i].lo || c.first > cases[i].hi);
            claim_deinit(&c);
        }
    }
}

static void test_a_range_that_leaves_no_room(void **state) {
    (void)state;
    space_run("echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range");
    struct claim c = claim(4, 0, 3);
    assert_true(c.first >= 1024);
    claim_deinit(&c);
}

/* With room for exactly one run, whatever the seed, it is found; taken, the rest of the ports is. */
static void test_every_run_is_tried(void **state) {
    (void)state;
    space_run("echo 1028 65533 >/proc/sys/net/ipv4/ip_local_port_range"); /* free: 1024..1027, 65534, 65535 */
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct claim one = claim(1, 1027, 0), c = claim(3, 0, seed);
        struct claim pair = claim(2, 0, seed), other = claim(2, 0, seed);
        assert_int_equal(c.first, 1024);
        assert_int_equal(pair.first, 65534);
        assert_in_range(other.first, 1028, 65532);
        claim_deinit(&one);
        claim_deinit(&c);
        claim_deinit(&pair);
        claim_deinit(&other);
    }
}

static void test_what_cannot_be_had(void **state) {
    (void)state;
    struct claim c = claim(1, 5003, 0);
    refused(4, 5000, -EADDRINUSE, "TCP source port 5003 is in use by another program");
    assert_int_equal(bind_error(AF_INET, 5000), 0); /* the part of the run that was free is free again */
    claim_deinit(&c);
    refused(4, 65533, -EINVAL, "source port 65533 is too high: 4 ports in a row are needed, up to 65535");
    refused(65536, 0, -EINVAL, "65536 source ports cannot be claimed");
    refused(65000, 0, -EADDRINUSE, "no 65000 ports in a row are free for use as source ports");
    c = claim(4, 65532, 0);
    assert_int_equal(c.first, 65532);
    claim_deinit(&c);
}

static void test_few_open_files_give_a_clear_line(void **state) {
    (void)state;
    struct rlimit old, low;
    assert_return_code(getrlimit(RLIMIT_NOFILE, &old), errno);
    low = old;
    low.rlim_cur = 20;
    assert_return_code(setrlimit(RLIMIT_NOFILE, &low), errno);
    refused(30, 0, -EMFILE, "keeping the kernel silent needs 30 open files, but only 20 are allowed (ulimit -n)");
    assert_return_code(setrlimit(RLIMIT_NOFILE, &old), errno);
    struct claim c = claim(30, 0, 1);
    claim_deinit(&c);
}

/* Forks; the child runs body and then waits to be killed. Returns its pid once body is through, and what it wrote. */
static pid_t start_child(void (*body)(int out), uint16_t *written) {
    int ends[2];
    assert_return_code(pipe(ends), errno);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        body(ends[1]);
        for (;;)
            pause();
    }
    close(ends[1]);
    ssize_t n = read(ends[0], written, sizeof *written);
    close(ends[0]);
    if (n != sizeof *written) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        fail_msg("the child process wrote nothing");
    }
    return child;
}

static void end_child(pid_t child) {
    int status;
    assert_return_code(kill(child, SIGKILL), errno);
    assert_int_equal(waitpid(child, &status, 0), child);
}

/* Claims with the seed that its parent uses too. */
static void claim_and_tell(int out) {
    struct error e;
    struct claim c;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || try_claim(8, 0, 99, &c, &e) < 0 ||
        write(out, &c.first, sizeof c.first) != sizeof c.first)
        _exit(1);
}

static void test_two_processes_and_a_kill(void **state) {
    (void)state;
    uint16_t theirs;
    pid_t child = start_child(claim_and_tell, &theirs);
    struct claim c = claim(8, 0, 99);
    bool disjoint = c.first + 8u <= theirs || theirs + 8u <= c.first;
    bool near = c.first >= theirs && c.first <= theirs + 8u; /* the same seed begins at the same place */
    int held = bind_error(AF_INET, theirs);
    claim_deinit(&c);
    end_child(child);
    assert_true(disjoint && near);
    assert_int_equal(held, EADDRINUSE);
    c = claim(8, theirs, 0); /* SIGKILL leaves nothing behind */
    claim_deinit(&c);
}

/* Makes socket(AF_INET6, ...) fail as on a machine that was booted without IPv6, then claims. */
static void claim_without_ipv6(int out) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ||
        socket(AF_INET6, SOCK_STREAM, 0) >= 0)
        _exit(1);
    claim_and_tell(out);
}

static void test_a_machine_without_ipv6(void **state) {
    (void)state;
    uint16_t theirs;
    pid_t child = start_child(claim_without_ipv6, &theirs);
    int held = bind_error(AF_INET, theirs);
    end_child(child);
    assert_int_equal(held, EADDRINUSE);
}

static void claim_low_port(int out) {
    struct error e = ERROR_INIT;
    struct claim c;
    uint16_t fine = 1;
    if (!space_drop_capability(CAP_NET_BIND_SERVICE) || try_claim(1, 80, 0, &c, &e) != -EACCES ||
        strcmp(e.text, "this user may not use TCP source port 80") != 0 || try_claim(4, 0, 0, &c, &e) != 0 ||
        write(out, &fine, sizeof fine) != sizeof fine)
        _exit(1);
}

/* What older kernels let everybody do. */
static void claim_without_admin(int out) {
    struct error e = ERROR_INIT;
    struct claim c;
    uint16_t fine = 1;
    if (!space_drop_capability(CAP_NET_ADMIN))
        _exit(1);
    int r = try_claim(1, 0, 0, &c, &e);
    if (r != 0 && (r != -EPERM || !strstr(e.text, "CAP_NET_ADMIN")))
        _exit(1);
    if (write(out, &fine, sizeof fine) != sizeof fine)
        _exit(1);
}

static void test_without_privilege(void **state) {
    (void)state;
    uint16_t fine;
    end_child(start_child(claim_low_port, &fine));
    assert_int_equal(fine, 1);
    end_child(start_child(claim_without_admin, &fine));
    assert_int_equal(fine, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ports_are_taken_and_given_back, set_up),
        cmocka_unit_test_setup(test_they_lie_outside_the_kernels_range, set_up),
        cmocka_unit_test_setup(test_a_range_that_leaves_no_room, set_up),
        cmocka_unit_test_setup(test_every_run_is_tried, set_up),
        cmocka_unit_test_setup(test_what_cannot_be_had, set_up),
        cmocka_unit_test_setup(test_few_open_files_give_a_clear_line, set_up),
        cmocka_unit_test_setup(test_two_processes_and_a_kill, set_up),
        cmocka_unit_test_setup(test_a_machine_without_ipv6, set_up),
        cmocka_unit_test_setup(test_without_privilege, set_up),
    };
    return cmocka_run_group_tests_name("wire/claim", tests, NULL, NULL);
}
