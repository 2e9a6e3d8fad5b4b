/* Everything about the options that is there to be read, made from the one table. */
#ifndef NOCTULE_CLI_HELP_H
#define NOCTULE_CLI_HELP_H

#include <stdio.h>

void help_usage(FILE *f);      /* a few lines, for those who gave no arguments */
void help_print(FILE *f);      /* --help */
void help_man(FILE *f);        /* noctule.1, in man(7) */
void help_completion(FILE *f); /* for bash */

/* The table for the tests: kind, name, aliases, dash, metavar, "command-line" where no file may hold it; tabs between, a
 * line each. Then the words of other tools that are refused: "refused", aliases and dash. */
void help_table(FILE *f);

#endif
