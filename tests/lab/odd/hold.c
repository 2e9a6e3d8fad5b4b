/* hold PID THREAD MILLISECONDS: holds one thread of a process, found by its name, for so long; the others run on.
 *
 * ptrace(2) stops exactly the thread that it seized, where SIGSTOP would stop the whole process. Prints "held" as soon
 * as the thread stands still. Exit status: 0 held and let go, 1 no such thread or no permission, 2 bad arguments. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define THREAD_NAME_MAX 16 /* TASK_COMM_LEN */
#define HOLD_MS_MAX 60000

/* A whole decimal number 1..max, or -1. */
static int number_parse(const char *text, int max) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno || end == text || *end || value < 1 || value > max ? -1 : (int)value;
}

static int thread_has_name(int pid, int tid, const char *name) {
    char path[64], line[THREAD_NAME_MAX + 2];
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", pid, tid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int same = fgets(line, sizeof line, f) && (line[strcspn(line, "\n")] = '\0', strcmp(line, name) == 0);
    fclose(f);
    return same;
}

/* The thread's id, or -1. */
static int thread_find(int pid, const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -1;
    int found = -1;
    for (struct dirent *entry; found < 0 && (entry = readdir(tasks));) {
        int tid = number_parse(entry->d_name, INT_MAX);
        if (tid > 0 && thread_has_name(pid, tid, name))
            found = tid;
    }
    closedir(tasks);
    return found;
}

/* Returns 0, or -1 with errno set. A thread that dies meanwhile is no error. */
static int thread_hold(int tid, int milliseconds) {
    int status;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 ||
        waitpid(tid, &status, __WALL) < 0)
        return -1;
    puts("held");
    fflush(stdout);
    struct timespec rest = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L};
    while (nanosleep(&rest, &rest) < 0 && errno == EINTR)
        continue;
    return ptrace(PTRACE_DETACH, tid, NULL, NULL) < 0 && errno != ESRCH ? -1 : 0;
}

int main(int argc, char **argv) {
    int pid = argc == 4 ? number_parse(argv[1], INT_MAX) : -1;
    int milliseconds = argc == 4 ? number_parse(argv[3], HOLD_MS_MAX) : -1;
    if (pid < 0 || milliseconds < 0 || strlen(argv[2]) >= THREAD_NAME_MAX) {
        fprintf(stderr, "usage: hold PID THREAD MILLISECONDS (1..%d)\n", HOLD_MS_MAX);
        return 2;
    }
    int tid = thread_find(pid, argv[2]);
    if (tid < 0 || thread_hold(tid, milliseconds) < 0) {
        fprintf(stderr, "hold: %s of %d: %s\n", argv[2], pid, tid < 0 ? "no such thread" : strerror(errno));
        return 1;
    }
    return 0;
}
