/* Prints the payloads of UDP ports, for tests that have no scanner: payloads COOKIE PORT...
 * One JSON object a line: {"port": P, "amplifiers": true or false, "nth": N, "hex": "..."}, first those that are sent
 * without amplifiers, then those that are sent with them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/parse.h"
#include "probe/payload.h"

static void print_port(uint16_t port, bool amplifiers, uint64_t cookie) {
    for (unsigned nth = 0; nth < payload_count(port, amplifiers); nth++) {
        uint8_t bytes[PAYLOAD_MAX];
        size_t n = payload_build(port, nth, amplifiers, cookie, bytes);
        printf("{\"port\": %u, \"amplifiers\": %s, \"nth\": %u, \"hex\": \"", port, amplifiers ? "true" : "false", nth);
        for (size_t i = 0; i < n; i++)
            printf("%02x", bytes[i]);
        printf("\"}\n");
    }
}

int main(int argc, char **argv) {
    uint64_t cookie;
    if (argc < 3 || parse_u64(argv[1], 0, UINT64_MAX, &cookie)) {
        fprintf(stderr, "usage: payloads COOKIE PORT...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        uint64_t port;
        if (parse_u64(argv[i], 0, UINT16_MAX, &port)) {
            fprintf(stderr, "payloads: no port: %s\n", argv[i]);
            return 2;
        }
        print_port((uint16_t)port, false, cookie);
        print_port((uint16_t)port, true, cookie);
    }
    return 0;
}
