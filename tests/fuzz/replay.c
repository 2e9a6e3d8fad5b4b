/* main() for a fuzz target in the tests: runs every file of its corpus, then a number of inputs made from them by
 * mutation, always the same ones.
 *
 *   fuzz_x CORPUS MUTATIONS
 *
 * Inputs run in a child process; when one kills it, or takes a minute, the parent leaves the input as a file. */
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/random.h"
#include "fuzz.h"

#define INPUT_MAX 65536u
#define FILES_MAX 10000u
#define HANG_SECONDS 60u
#define SEED 20260101u

struct input {
    size_t n;
    uint8_t bytes[INPUT_MAX];
};

/* What parent and child share: the input under test. */
struct shared {
    uint64_t done; /* inputs that passed */
    struct input now;
};

/* --- The corpus --- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_file(const char *dir, const char *name, struct array *corpus) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    struct input **slot = f ? array_add(corpus) : NULL;
    if (!slot || !(*slot = malloc(sizeof **slot))) {
        perror(path);
        return -1;
    }
    (*slot)->n = fread((*slot)->bytes, 1, INPUT_MAX, f);
    bool bad = ferror(f) || fgetc(f) != EOF;
    fclose(f);
    if (bad)
        fprintf(stderr, "%s: cannot be read, or longer than %u bytes\n", path, INPUT_MAX);
    return bad ? -1 : 0;
}

/* Reads the files in the order of their names, so that every machine makes the same mutations. */
static int read_corpus(const char *path, struct array *corpus) {
    struct array names = ARRAY_INIT(char *, FILES_MAX);
    DIR *dir = opendir(path);
    int r = dir ? 0 : -1;
    if (!dir)
        perror(path);
    for (struct dirent *d; r == 0 && (d = readdir(dir));) {
        char **name = d->d_name[0] == '.' ? NULL : array_add(&names);
        if (d->d_name[0] != '.' && (!name || !(*name = strdup(d->d_name))))
            r = -1;
    }
    if (dir)
        closedir(dir);
    if (names.n > 0)
        qsort(names.items, names.n, sizeof(char *), compare_names);
    for (size_t i = 0; i < names.n; i++) {
        char *name = ((char **)names.items)[i];
        if (r == 0)
            r = read_file(path, name, corpus);
        free(name);
    }
    array_deinit(&names);
    if (r == 0 && corpus->n == 0) {
        fprintf(stderr, "%s: no input\n", path);
        r = -1;
    }
    return r;
}

/* --- Mutation --- */

static size_t below(uint64_t *random, size_t n) {
    return (size_t)(random_splitmix(random) % n);
}

/* Copies `length` bytes of `from` over or into `to` at `at`, as far as there is room. */
static void put(struct input *to, size_t at, const uint8_t *from, size_t length, bool insert) {
    if (length > INPUT_MAX - at)
        length = INPUT_MAX - at;
    if (insert) {
        size_t moved = to->n - at;
        if (moved > INPUT_MAX - at - length)
            moved = INPUT_MAX - at - length;
        memmove(to->bytes + at + length, to->bytes + at, moved);
        to->n = at + length + moved;
    }
    memcpy(to->bytes + at, from, length);
    if (at + length > to->n)
        to->n = at + length;
}

static void mutate_once(struct input *in, const struct array *corpus, uint64_t *random) {
    static const uint8_t telling[] = {0x00, 0xff, 0x7f, 0x80, 0x01, '0', '9', ' ', '\n', '.', '-', ',', ':', '/', '*', '"'};
    const struct input *other = ((struct input *const *)corpus->items)[below(random, corpus->n)];
    size_t at = below(random, in->n + 1), rest = in->n - at;
    uint8_t byte = (uint8_t)random_splitmix(random), copy[32];
    switch (below(random, 8)) {
    case 0:
        if (rest > 0)
            in->bytes[at] ^= (uint8_t)(1u << byte % 8);
        break;
    case 1:
        put(in, at, &byte, 1, below(random, 2));
        break;
    case 2:
        put(in, at, &telling[byte % sizeof telling], 1, below(random, 2));
        break;
    case 3: /* shorter from the end */
        in->n = at;
        break;
    case 4: { /* shorter from within */
        size_t cut = rest < 8u ? rest : below(random, 8);
        memmove(in->bytes + at, in->bytes + at + cut, rest - cut);
        in->n -= cut;
        break;
    }
    case 5: /* a piece of another input */
        if (other->n > 0) {
            size_t from = below(random, other->n);
            put(in, at, other->bytes + from, below(random, other->n - from) + 1, below(random, 2));
        }
        break;
    case 6: { /* a piece of itself */
        size_t length = rest < sizeof copy ? rest : sizeof copy;
        memcpy(copy, in->bytes + at, length);
        put(in, below(random, in->n + 1), copy, length, true);
        break;
    }
    default: /* a run of one byte */
        memset(copy, byte, sizeof copy);
        put(in, at, copy, below(random, sizeof copy) + 1, below(random, 2));
        break;
    }
}

static void mutate(struct input *in, const struct array *corpus, uint64_t *random) {
    const struct input *base = ((struct input *const *)corpus->items)[below(random, corpus->n)];
    in->n = base->n;
    memcpy(in->bytes, base->bytes, base->n);
    for (size_t times = below(random, 6) + 1; times > 0; times--)
        mutate_once(in, corpus, random);
}

/* --- Running --- */

/* The target gets its own block of exactly n bytes, so that a sanitizer sees the first byte too far. */
static void run_one(struct shared *shared) {
    uint8_t *exact = malloc(shared->now.n ? shared->now.n : 1);
    if (!exact)
        abort();
    memcpy(exact, shared->now.bytes, shared->now.n);
    LLVMFuzzerTestOneInput(exact, shared->now.n);
    free(exact);
    shared->done++;
}

static void run_all(struct shared *shared, const struct array *corpus, uint64_t mutations) {
    uint64_t random = SEED;
    alarm(HANG_SECONDS);
    for (size_t i = 0; i < corpus->n; i++) {
        const struct input *in = ((struct input *const *)corpus->items)[i];
        shared->now.n = in->n;
        memcpy(shared->now.bytes, in->bytes, in->n);
        run_one(shared);
    }
    for (uint64_t i = 0; i < mutations; i++) {
        if (i % 1024 == 0)
            alarm(HANG_SECONDS);
        mutate(&shared->now, corpus, &random);
        run_one(shared);
    }
}

static void keep_input(const char *program, const struct shared *shared) {
    char path[4096];
    snprintf(path, sizeof path, "%s-crash-%" PRIu64, program, shared->done);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(shared->now.bytes, 1, shared->now.n, f) != shared->now.n)
        perror(path);
    if (f)
        fclose(f);
    fprintf(stderr, "input %" PRIu64 " fails; it is in %s\n", shared->done, path);
}

int main(int argc, char **argv) {
    struct array corpus = ARRAY_INIT(struct input *, FILES_MAX);
    uint64_t mutations = 0;
    if (argc != 3 || parse_u64(argv[2], 0, UINT64_MAX, &mutations) < 0) {
        fprintf(stderr, "usage: %s CORPUS MUTATIONS\n", argv[0]);
        return 2;
    }
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || read_corpus(argv[1], &corpus) < 0)
        return 1;
    pid_t child = fork();
    if (child == 0) {
        run_all(shared, &corpus, mutations);
        _exit(0);
    }
    int status = 0;
    bool ok = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ok)
        keep_input(argv[0], shared);
    else
        printf("%" PRIu64 " inputs, %zu of them kept ones\n", shared->done, corpus.n);
    for (size_t i = 0; i < corpus.n; i++)
        free(((struct input **)corpus.items)[i]);
    array_deinit(&corpus);
    munmap(shared, sizeof *shared);
    return ok ? 0 : 1;
}
