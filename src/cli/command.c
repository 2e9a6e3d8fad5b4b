#include "cli/command.h"

#include <stddef.h>
#include <string.h>

#include "cli/guided.h"

const struct command commands[] = {
    {"scan", command_scan},   {"ping", command_ping}, {"guided", command_guided},
    {"wires", command_wires}, {"report", NULL},       {"diff", NULL},             {"show", NULL},
};
const unsigned command_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *word) {
    for (unsigned i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, word) == 0)
            return &commands[i];
    return NULL;
}
