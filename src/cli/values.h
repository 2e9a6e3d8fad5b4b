/* The user's text into the settings' values, by the kind of its option. */
#ifndef NOCTULE_CLI_VALUES_H
#define NOCTULE_CLI_VALUES_H

#include "cli/settings.h"

#define VALUE_WORDS_MAX (1u << 20) /* options of one run: the kernel takes fewer words on a command line */

/* Where the option's value stands in the settings; of no meaning for KIND_PRESET. */
void *value_place(struct settings *s, const struct option *o);

/* Reads text and stores it. It must stay alive as long as the settings do: words and names are kept by pointer. Negative
 * errno with a line of the form "expected ..., not "text"". */
int value_store(struct settings *s, const struct option *o, const char *text, struct error *e);

/* The line for an array that could not grow, by errno. */
int value_no_room(struct error *e);

#endif
