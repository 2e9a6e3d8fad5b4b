/* The little program that the build runs to write what is made from the options table: the man page, shell completion,
 * and the table itself for the tests. Not installed. */
#include <string.h>

#include "cli/help.h"

static const struct {
    const char *name;
    void (*print)(FILE *f);
} documents[] = {{"man", help_man}, {"completion", help_completion}, {"table", help_table}};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < sizeof documents / sizeof *documents; i++) {
        if (strcmp(argv[1], documents[i].name) != 0)
            continue;
        documents[i].print(stdout);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    fputs("usage: noctule-docs man|completion|table\n", stderr);
    return 2;
}
