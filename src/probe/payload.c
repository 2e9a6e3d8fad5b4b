#include "probe/payload.h"

#include <string.h>

#include "base/bytes.h"
#include "base/random.h"
#include "probe/payload_table.h"

/* NULL: the table has nothing for it. */
static const struct payload_port *find(uint16_t port) {
    size_t low = 0, high = payload_ports_n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (payload_ports[middle].port < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low < payload_ports_n && payload_ports[low].port == port ? &payload_ports[low] : NULL;
}

static unsigned count(const struct payload_port *p, bool amplifiers) {
    return !p ? 0 : amplifiers ? p->all : p->plain;
}

unsigned payload_count(uint16_t port, bool amplifiers) {
    unsigned n = count(find(port), amplifiers);
    return n ? n : 1;
}

/* The keyed bytes of one payload: the words of splitmix, highest byte first, each used once. */
struct stream {
    uint64_t state, word;
    unsigned left; /* bytes of the word that are not used yet */
};

static uint8_t next_byte(struct stream *s) {
    if (!s->left) {
        s->word = random_splitmix(&s->state);
        s->left = 8;
    }
    s->left--;
    return (uint8_t)(s->word >> s->left * 8);
}

static uint8_t as_field_has_it(uint8_t kind, unsigned i, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    switch (kind) {
    case PAYLOAD_INT31:
        return i ? byte : (uint8_t)((byte & 0x3f) | 0x40);
    case PAYLOAD_HEX:
        return (uint8_t)digits[byte & 15];
    case PAYLOAD_DEC:
        return (uint8_t)('1' + (byte & 7));
    default:
        return byte;
    }
}

static void fill(const struct payload_field *f, struct stream *s, uint8_t *out) {
    for (unsigned i = 0; i < f->len; i++)
        out[f->at + i] = as_field_has_it(f->kind, i, next_byte(s));
}

size_t payload_build(uint16_t port, unsigned nth, bool amplifiers, uint64_t cookie, uint8_t out[static PAYLOAD_MAX]) {
    const struct payload_port *at = find(port);
    if (nth >= count(at, amplifiers))
        return 0;
    const struct payload *p = &payload_table[at->first + nth];
    memcpy(out, p->bytes, p->len);
    struct stream s = {.state = cookie ^ nth};
    for (unsigned i = 0; i < p->n_fields; i++)
        fill(&p->fields[i], &s, out);
    return p->len;
}

size_t payload_longest(uint16_t port, bool amplifiers) {
    const struct payload_port *at = find(port);
    size_t longest = 0;
    for (unsigned i = 0; i < count(at, amplifiers); i++)
        if (payload_table[at->first + i].len > longest)
            longest = payload_table[at->first + i].len;
    return longest;
}

bool payload_wanders(uint16_t port) {
    return port == payload_wanderer;
}

uint16_t payload_wandering_port(void) {
    return payload_wanderer;
}
