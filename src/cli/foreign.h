/* Words of other tools that noctule does not take: each is refused in one line that names our way. What means the same
 * here stands in the table of options. */
#ifndef NOCTULE_CLI_FOREIGN_H
#define NOCTULE_CLI_FOREIGN_H

#include <stddef.h>

struct foreign {
    const char *names;  /* behind two dashes or one, blank-separated, or NULL */
    const char *dashes; /* behind one dash: letters or words, blank-separated, or NULL */
    const char *way;    /* what follows "--name: " in the refusal */
};

extern const struct foreign foreign_words[];
extern const size_t foreign_count;

/* n bytes at name, without dashes. NULL = none. */
const struct foreign *foreign_by_name(const char *name, size_t n);
/* n bytes behind a single dash, matched whole. */
const struct foreign *foreign_by_dash(const char *word, size_t n);
/* "PO1,2": a word of at least two letters that the NUL-terminated word begins with, and its length in *n. */
const struct foreign *foreign_by_start(const char *word, size_t *n);

#endif
