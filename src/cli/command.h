/* The subcommands. Each is a function of the words behind it, and returns the exit status. */
#ifndef NOCTULE_CLI_COMMAND_H
#define NOCTULE_CLI_COMMAND_H

#include <stdbool.h>

enum exit_status {
    EXIT_COMPLETE = 0,
    EXIT_FAILED = 1,      /* on the way */
    EXIT_NOT_STARTED = 2, /* bad usage or input, a missing privilege: nothing was sent */
    EXIT_SIGNALLED = 128, /* plus the number of the signal that ended it, as shells have it: 130 for Ctrl-C */
};

/* argv[first..argc) are the words behind the subcommand; all of argv is what the records say about the run. */
struct command {
    const char *name;
    int (*run)(int argc, char *const *argv, int first); /* NULL: not built yet */
};

extern const struct command commands[];
extern const unsigned command_count;

const struct command *command_find(const char *word); /* or NULL */

int command_scan(int argc, char *const *argv, int first);
int command_ping(int argc, char *const *argv, int first); /* scan -sn */
int command_wires(int argc, char *const *argv, int first);

#endif
