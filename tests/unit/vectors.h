/*
 * tests/unit/vectors.h: the rows of tests/vectors, one after the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/addr.h"
#include "base/sv.h"

#define VECTOR_COLUMNS_MAX 8

struct vector {
	const char *file;
	unsigned line;
	struct sv column[VECTOR_COLUMNS_MAX]; /* escapes undone; each has a
						 NUL behind it */
};

/*
 * Calls check for each row of the file.  A row with another number of columns
 * fails, and so does a file without rows.
 */
void vectors_each(const char *file, size_t columns,
    void (*check)(const struct vector *v));

/* Fails with the row's place when the two differ. */
void vector_same(const struct vector *v, const char *what, struct sv got,
    struct sv wanted);

/* The notation of tests/vectors/README.md. */
#define VECTOR_ADDR_MAX 80
struct sv vector_addr(const struct addr *a, char buf[VECTOR_ADDR_MAX]);
