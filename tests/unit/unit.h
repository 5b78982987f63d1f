/*
 * tests/unit/unit.h: cmocka with the headers that it wants before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)
