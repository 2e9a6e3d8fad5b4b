#include "scan/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int neighbours_add(struct neighbours *n, addr_t a, const uint8_t mac[static MAC_LEN]) {
    struct neighbour *item = array_add(&n->list);
    if (item == NULL)
        return -ENOMEM;
    item->addr = a;
    memcpy(item->mac, mac, MAC_LEN);
    return 0;
}

static int neighbour_compare(const void *a, const void *b) {
    const struct neighbour *x = a, *y = b;
    return (x->addr > y->addr) - (x->addr < y->addr);
}

void neighbours_sort(struct neighbours *n) {
    if (n->list.n > 1)
        qsort(n->list.items, n->list.n, sizeof(struct neighbour), neighbour_compare);
}

const uint8_t *neighbours_find(const struct neighbours *n, addr_t a) {
    if (n->list.n == 0)
        return NULL;
    const struct neighbour key = {.addr = a};
    const struct neighbour *found = bsearch(&key, n->list.items, n->list.n, sizeof key, neighbour_compare);
    return found == NULL ? NULL : found->mac;
}

void neighbours_deinit(struct neighbours *n) {
    array_deinit(&n->list);
}

const struct path *path_find(const struct path_map *m, addr_t a) {
    const struct route_range *found = route_find(m->ranges, m->n_ranges, a);
    return found == NULL ? NULL : &m->paths[found->hop];
}

void path_map_deinit(struct path_map *m) {
    free(m->ranges);
    free(m->paths);
    *m = (struct path_map){.ranges = NULL};
}
