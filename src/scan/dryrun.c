/* What a scan would send, in order, without sending it. */
#include "plan/order.h"
#include "scan/scan.h"

int scan_dry_run(const struct scan_config *config,
                 int (*print)(void *ctx, uint64_t position, const struct endpoint *ep), void *ctx) {
    struct order order;
    uint64_t total = plan_size(config->plan);
    struct shard shard = shard_of(total, config->shard, config->shards);
    if (config->sample > 0 && shard.end - shard.first > config->sample)
        shard.end = shard.first + config->sample;
    order_init(&order, total, config->seed);
    for (uint64_t position = shard.first; position < shard.end; position++) {
        struct endpoint ep = plan_at(config->plan, order_at(&order, position));
        int r = print(ctx, position, &ep);
        if (r != 0)
            return r;
    }
    return 0;
}
