/* Config files: lines of "key = value", where the keys are the long names of the options. '#' begins a comment at the
 * start of a line or behind a blank. A value that has blanks at its ends, '#', '"' or line ends in it stands in double
 * quotes, with \" \\ \n \r for what could not stand there otherwise. */
#ifndef NOCTULE_CLI_CONFIG_H
#define NOCTULE_CLI_CONFIG_H

#include <stdio.h>

#include "base/error.h"
#include "cli/settings.h"

#define CONFIG_LINE_MAX 65536u /* bytes */

/* Reads f to its end into the settings. Negative errno with a line that begins with name:line:column. */
int config_read(FILE *f, const char *name, struct settings *s, struct error *e);

/* Writes one line that config_read() takes for this key and value. */
void config_write(FILE *f, const char *key, const char *value);

/* Writes a config file that repeats this run, with the fallbacks as comments. Returns 0 or a negative errno. */
int config_echo(const struct settings *s, FILE *f);

#endif
