/* Any IP packet, as --explain shows it: no byte is read beyond it, each line is led by the indent and is text, and the
 * ends that it names are those that the packet holds. */
#include <string.h>

#include "cli/guided_packet.h"
#include "fuzz.h"

static void check_text(const char *text, size_t n) {
    FUZZ_CHECK(n > 0 && text[n - 1] == '\n');
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        FUZZ_CHECK(strncmp(line, "> ", 2) == 0);
    for (const char *c = text; *c; c++)
        FUZZ_CHECK((*c >= ' ' && *c != 0x7f) || *c == '\n' || (unsigned char)*c >= 0x80);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);
        FUZZ_CHECK(f);
        packet_print(f, (enum language)i, "> ", data, size);
        FUZZ_CHECK(fclose(f) == 0 && strlen(text) == n);
        check_text(text, n);
        free(text);
    }
    struct packet_ends ends;
    if (packet_ends(data, size, &ends)) {
        FUZZ_CHECK(ends.proto == 6 || ends.proto == 17);
        FUZZ_CHECK(size >= 24);
        FUZZ_CHECK(!ends.tcp_flags || (ends.proto == 6 && !ends.quoted));
    }
    return 0;
}
