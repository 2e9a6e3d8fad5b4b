/* The command line. Options may stand anywhere, as --name value, --name=value, -n value, -nvalue, or as nmap's words
 * behind one dash (-sS, -iL FILE); single letters without values, and nmap's scan letters, may be run together (-vq, -sSV).
 * "--" ends the options. Everything else is a target. */
#ifndef NOCTULE_CLI_ARGUMENTS_H
#define NOCTULE_CLI_ARGUMENTS_H

#include "base/error.h"
#include "cli/settings.h"

/* Reads argv[0..argc), which are the words behind the subcommand, and the config files they name, into the settings: the
 * files first, so that the command line counts more. Where --help or --version is asked for, nothing else is read. Does
 * not call settings_check(). Negative errno with a line. */
int arguments_read(int argc, char *const *argv, struct settings *s, struct error *e);

#endif
