/* A config file: whatever the bytes, a line that names a place in the file, or settings whose echo is read back to the
 * same echo. */
#include <errno.h>
#include <string.h>

#include "cli/config.h"
#include "fuzz.h"

#define ECHO_SIZE_MAX 16384u /* escapes may double a value, and a line of a config file has its limit */

static int read_bytes(const void *p, size_t n, struct settings *s) {
    struct error e = ERROR_INIT;
    FUZZ_CHECK(settings_init(s, &e) == 0);
    FILE *f = fmemopen((void *)(uintptr_t)p, n, "r");
    if (!f)
        return -ENOMEM;
    int r = config_read(f, "fuzz", s, &e);
    fclose(f);
    FUZZ_CHECK(r == 0 || (r < 0 && strncmp(e.text, "fuzz:", 5) == 0 && !strchr(e.text, '\n')));
    return r;
}

static char *echo_of(const struct settings *s, size_t *n) {
    char *text = NULL;
    FILE *f = open_memstream(&text, n);
    FUZZ_CHECK(f && config_echo(s, f) == 0);
    fclose(f);
    return text;
}

static void check_echo(const struct settings *s) {
    struct settings again;
    size_t n = 0, n_again = 0;
    char *text = echo_of(s, &n);
    FUZZ_CHECK(read_bytes(text, n, &again) == 0);
    char *text_again = echo_of(&again, &n_again);
    FUZZ_CHECK(n == n_again && memcmp(text, text_again, n) == 0);
    settings_deinit(&again);
    free(text);
    free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct settings s;
    if (size == 0)
        return 0;
    if (read_bytes(data, size, &s) == 0 && size <= ECHO_SIZE_MAX)
        check_echo(&s);
    settings_deinit(&s);
    return 0;
}
