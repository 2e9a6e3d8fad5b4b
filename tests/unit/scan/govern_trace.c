/* Runs the governor over the paths of docs/rate.md: `govern_trace NAME` writes "second,rate,capacity,carried" ten times
 * a second. Without a name it lists them. For scripts/plot-rate.py. */
#include <string.h>

#include "path_sim.h"

#define NO_LIMIT 1e6 /* --max-rate */

static const struct {
    const char *name;
    struct path_config path;
} cases[] = {
    {"policer", {.seconds = 60, .limit = LIMIT_POLICER, .room = 2000, .changes = {{1e9, 50000, 0}}, .share = 0.1,
                 .rtt_ms = {20}}},
    {"queue", {.seconds = 60, .limit = LIMIT_QUEUE, .room = 10000, .changes = {{1e9, 50000, 0}}, .share = 0.1,
               .rtt_ms = {40}}},
    {"loss", {.seconds = 60, .max_pps = 50000, .n_changes = 3, .share = 0.1, .rtt_ms = {100},
              .changes = {{20, NO_LIMIT, 0}, {40, NO_LIMIT, 0.3}, {1e9, NO_LIMIT, 0.1}}}},
    {"changes", {.seconds = 90, .limit = LIMIT_POLICER, .room = 2000,
                 .changes = {{30, 50000, 0}, {60, 15000, 0}, {1e9, 80000, 0}}, .n_changes = 3, .share = 0.3,
                 .rtt_ms = {30}}},
    {"sparse", {.seconds = 60, .limit = LIMIT_POLICER, .room = 2000, .changes = {{1e9, 50000, 0}}, .share = 0.0001,
                .rtt_ms = {50}, .canaries = 5}},
    {"table", {.seconds = 90, .limit = LIMIT_TABLE, .room = 20000, .changes = {{1e9, 2000, 0}}, .share = 0.1,
               .rtt_ms = {20}}},
};

int main(int argc, char **argv) {
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct path_config c = cases[i].path;
        c.seed = 2;
        c.n_changes = c.n_changes > 0 ? c.n_changes : 1;
        c.max_pps = c.max_pps > 0 ? c.max_pps : (uint64_t)NO_LIMIT;
        c.rtt_weight[0] = 1;
        if (argc < 2)
            printf("%s\n", cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0)
            return (void)path_run(&c, stdout), 0;
    }
    return argc < 2 ? 0 : 2;
}
