/* Which subcommand; nothing else. Without one, scan is meant; under the name Scanner, guided. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/guided.h"
#include "cli/help.h"

static bool is_scanner(const char *path) {
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "Scanner") == 0;
}

int main(int argc, char **argv) {
    if (argc > 0 && is_scanner(argv[0]))
        return command_guided(argc, argv, 1);
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
