/* What every unit test includes: cmocka wants these headers before its own. */
#ifndef NOCTULE_TESTS_UNIT_H
#define NOCTULE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
