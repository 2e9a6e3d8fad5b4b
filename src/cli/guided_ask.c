#include "cli/guided_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/parse.h"

enum { ANSWER_MAX = 256 };

/* What was read beyond a line waits here for the next question: input from a pipe comes in any pieces. */
struct input {
    char waiting[ANSWER_MAX];
    size_t n;
    struct guided_watch *watch;
};

/* Waits for more input. 0, -ENODATA at its end, or -EINTR. */
static int read_more(struct input *in) {
    for (;;) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = in->watch->signal_fd, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return -ENODATA;
        if (fds[1].revents & POLLIN) {
            guided_watch_take(in->watch);
            return -EINTR;
        }
        if (!fds[0].revents)
            continue;
        ssize_t got = read(STDIN_FILENO, in->waiting + in->n, sizeof in->waiting - in->n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return -ENODATA;
        in->n += (size_t)got;
        return 0;
    }
}

/* The next line, without its end and the blanks around it. What is longer than any answer is cut, and so is none; a last
 * line may lack its newline. */
static int read_line(struct input *in, char line[static ANSWER_MAX]) {
    char *newline;
    int code = 0;
    while (!(newline = memchr(in->waiting, '\n', in->n)) && in->n < sizeof in->waiting && (code = read_more(in)) == 0)
        ;
    if (!newline && (code == -EINTR || in->n == 0))
        return code;
    size_t n = newline ? (size_t)(newline - in->waiting) : in->n, used = newline ? n + 1 : n;
    const char *from = in->waiting;
    while (n > 0 && memchr(" \t\r", from[n - 1], 3))
        n--;
    for (; n > 0 && (*from == ' ' || *from == '\t'); n--)
        from++;
    n = n < ANSWER_MAX - 1 ? n : ANSWER_MAX - 1;
    memcpy(line, from, n);
    line[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (line[i] == '\0')
            line[i] = 1; /* no answer holds it, and the text must not end there */
    memmove(in->waiting, in->waiting + used, in->n - used);
    in->n -= used;
    return 0;
}

/* Multicast (RFC 5771, RFC 4291 2.7), the unspecified address and the limited broadcast (RFC 919). */
static bool is_one_host(addr_t a) {
    if (addr_is_v4(a))
        return addr_v4(a) >> 28 != 0xe && addr_v4(a) >> 24 != 0 && addr_v4(a) != UINT32_MAX;
    return a != 0 && a >> 120 != 0xff;
}

enum guided_text guided_read_host(const char *answer, addr_t *out) {
    addr_t a;
    int code = addr_parse(answer, strlen(answer), &a);
    if (code < 0)
        return code == -ENODEV ? TEXT_NO_SUCH_ZONE : TEXT_BAD_HOST;
    if (addr_is_link_local(a) && addr_zone(a) == 0)
        return TEXT_ZONE_MISSING;
    if (!is_one_host(a))
        return TEXT_NOT_ONE_HOST;
    *out = a;
    return TEXT_COUNT;
}

enum guided_text guided_read_port(const char *answer, uint16_t *out) {
    uint64_t port;
    if (parse_u64(answer, 1, UINT16_MAX, &port) < 0)
        return TEXT_BAD_PORT;
    *out = (uint16_t)port;
    return TEXT_COUNT;
}

/* Says what is wrong, with the answers that are meant; control bytes of theirs are shown, not sent to the terminal. */
static int complain(enum language language, enum guided_text why, const char *first, const char *second) {
    struct error shown[2] = {ERROR_INIT, ERROR_INIT};
    error_set(&shown[0], 0, "%s", first);
    error_set(&shown[1], 0, "%s", second);
    guided_say(stderr, language, why, (const char *const[]){shown[0].text, shown[1].text});
    return -EINVAL;
}

/* Asks one question. */
static int ask(enum language language, enum guided_text question, struct input *in, char line[static ANSWER_MAX]) {
    guided_say(stdout, language, question, NULL);
    int code = read_line(in, line);
    if (code < 0)
        guided_say(stderr, language, TEXT_NO_ANSWER, NULL);
    return code;
}

int guided_ask(enum language language, struct guided_watch *watch, struct guided_answers *out) {
    struct input in = {.watch = watch};
    char line[ANSWER_MAX], first[ANSWER_MAX];
    enum guided_text wrong;
    int code = ask(language, TEXT_ASK_HOST, &in, line);
    if (code < 0)
        return code;
    if ((wrong = guided_read_host(line, &out->host)) != TEXT_COUNT)
        return complain(language, wrong, line, "");
    guided_say(stdout, language, TEXT_ASK_RANGE, NULL);
    if ((code = ask(language, TEXT_ASK_BEGIN, &in, first)) < 0)
        return code;
    if ((wrong = guided_read_port(first, &out->begin)) != TEXT_COUNT)
        return complain(language, wrong, first, "");
    if ((code = ask(language, TEXT_ASK_END, &in, line)) < 0)
        return code;
    if ((wrong = guided_read_port(line, &out->end)) != TEXT_COUNT)
        return complain(language, wrong, line, "");
    if (out->begin > out->end)
        return complain(language, TEXT_BAD_RANGE, first, line);
    return 0;
}
