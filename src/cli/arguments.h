/* The command line. Options may stand anywhere, as --name value, --name=value, -n value, -nvalue, or as words behind
 * one dash: nmap's (-sS, -iL FILE, -PS22,80) and long names (-rate 5). Single letters without values, and nmap's scan
 * letters, may be run together (-vq, -sSU). "--" ends the options. Everything else is a target. */
#ifndef NOCTULE_CLI_ARGUMENTS_H
#define NOCTULE_CLI_ARGUMENTS_H

#include "base/error.h"
#include "cli/settings.h"

/* Reads argv[0..argc), which are the words behind the subcommand, and the config files they name, into the settings: the
 * files first, so that the command line counts more. Where --help or --version is asked for, nothing else is read. Does
 * not call settings_check(). Negative errno with a line. */
int arguments_read(int argc, char *const *argv, struct settings *s, struct error *e);

#endif
