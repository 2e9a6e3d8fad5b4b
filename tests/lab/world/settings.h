/* The settings of a synthetic internet as the command line of its loader and of the judge gives them: always
 * "--name value". */
#ifndef NOCTULE_LAB_SETTINGS_H
#define NOCTULE_LAB_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "truth.h"

#define SETTINGS_INIT                                                                                                  \
    ((struct settings){.key = 1, .net = 0xc6130000u, .hosts = 1u << 14, .ports = 20, .arp_net = 0xc6120000u,           \
                       .arp_hosts = 1u << 17, .router = 0xc6120001u, .copies = 2}) /* all within 198.18.0.0/15 */

/* Reads a number between min and max, decimal or 0x. Returns 0, or -EINVAL. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/* Takes one option. Returns 0; -ENOENT if no setting has this name; -EINVAL if its value is not one. */
int settings_option(struct settings *s, const char *name, const char *value);

/* Looks at the settings as a whole. Returns NULL, or what is wrong with them. */
const char *settings_fault(const struct settings *s);

/* The names of all settings with their values, one a line. */
const char *settings_help(void);

#endif
