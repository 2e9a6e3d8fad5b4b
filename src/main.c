/* Which subcommand; nothing else. Without one, scan is meant. */
#include <stdio.h>

#include "cli/command.h"
#include "cli/help.h"

int main(int argc, char **argv) {
    if (argc < 2) {
        help_usage(stderr);
        return EXIT_NOT_STARTED;
    }
    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_scan(argc, argv, 1);
    if (!command->run) {
        fprintf(stderr, "noctule: %s is not built yet\n", command->name);
        return EXIT_NOT_STARTED;
    }
    return command->run(argc, argv, 2);
}
