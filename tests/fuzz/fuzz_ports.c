/* A -p text: whatever the bytes, a clear line or at least one port. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "plan/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct port_spec *spec = calloc(1, sizeof *spec);
    struct error e = ERROR_INIT;
    char *text = malloc(size + 1);
    FUZZ_CHECK(spec && text);
    memcpy(text, data, size);
    text[size] = '\0';
    int r = ports_parse(text, spec, &e);
    unsigned n = port_set_count(&spec->tcp) + port_set_count(&spec->udp) + port_set_count(&spec->sctp) +
                 port_set_count(&spec->ip);
    FUZZ_CHECK(r == 0 || r == -EINVAL);
    FUZZ_CHECK(r == 0 ? n > 0 && e.text[0] == '\0' : e.text[0] != '\0');
    for (size_t i = 256 / 64; i < PORT_SET_MAX / 64; i++)
        FUZZ_CHECK(spec->ip.bits[i] == 0); /* protocols are at most 255 */
    for (const char *c = e.text; *c; c++)
        FUZZ_CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
    free(text);
    free(spec);
    return 0;
}
