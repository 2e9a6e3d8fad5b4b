/* cmocka wants these before its own header. */
#ifndef TESTS_PROBE_CMOCKA_ALL_H
#define TESTS_PROBE_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
