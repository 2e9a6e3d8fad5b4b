/* The settings of a synthetic internet as the command line of its loader and of the judge gives them: always
 * "--name value". */
#ifndef NOCTULE_LAB_SETTINGS_H
#define NOCTULE_LAB_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "truth.h"

/* All within 198.18.0.0/15 and 2001:2::/48, the prefixes for such benchmarks (RFC 2544, RFC 5180). */
#define SETTINGS_INIT                                                                                                  \
    ((struct settings){.key = 1, .net = 0xc6130000u, .hosts4 = 1u << 14, .first_port = 1, .ports = 20,                 \
                       .answers = 1u << KIND_SYN, .arp_net = 0xc6120000u, .arp_hosts = 1u << 17,                       \
                       .nd_net = {BENCHMARK_NET6, 0}, .nd_length = 48, .router = 0xc6120001u,                          \
                       .router6 = {BENCHMARK_NET6 | 0xffff, 1}, .echo_ppm = TRUTH_PPM, .stamp_ppm = TRUTH_PPM,         \
                       .burst_us = 20000, .clear_us = 180000, .copies = 2, .answer_hosts = UINT32_MAX})
#define BENCHMARK_NET6 UINT64_C(0x2001000200000000)

/* The addresses of a listed universe, host number 0 first; sorted copies for the way back. */
struct list6 {
    struct address6 *addresses;
    struct list6_entry *sorted;
    uint32_t n;
};
#define LIST6_INIT ((struct list6){.n = 0})

/* Reads a number between min and max, decimal or 0x. Returns 0, or -EINVAL. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Reads an IPv6 address. Returns 0, or -EINVAL. */
int address6_parse(const char *text, struct address6 *out);

/* Takes one option; the list is read at once. Returns 0; -ENOENT if no setting has this name; -EINVAL if its value is
 * not one; else why the list can't be read. */
int settings_option(struct settings *s, struct list6 *list, const char *name, const char *value);

/* Looks at the settings as a whole. Returns NULL, or what is wrong with them. */
const char *settings_fault(const struct settings *s);

/* The names of all settings with their values, one a line. */
const char *settings_help(void);

/* Where an address stands in the universe. */
struct place list6_place(const struct settings *s, const struct list6 *list, struct address6 address);
void list6_deinit(struct list6 *list);

#endif
