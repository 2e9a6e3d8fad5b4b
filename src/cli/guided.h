/* `noctule guided`, and the same under the program's other name, `Scanner`: for someone who learns how scanning works.
 * It asks for one host and its ports, and says what it finds in whole sentences. */
#ifndef NOCTULE_CLI_GUIDED_H
#define NOCTULE_CLI_GUIDED_H

/* argv[first..argc) are its options. Returns the exit status. */
int command_guided(int argc, char *const *argv, int first);

#endif
