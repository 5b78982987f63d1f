/*
 * accounts/file.h: the account file as a whole.
 *
 * Lines that are empty or begin with "#" are passed over.  It is taken whole
 * or not at all: with one bad line, everybody keeps what held before.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "accounts/entry.h"

#define ACCOUNTS_MAX 65536
#define ACCOUNTS_FILE_MAX (32u << 20)
#define ACCOUNTS_PROBLEMS_MAX 20 /* more are not told */

struct accounts {
	char *text;
	size_t len;
	struct accounts_entry *at;	/* in the order of their names */
	size_t count;
};

/* Hears of each problem: its line, and why; line 0 is the file as a whole. */
struct accounts_listener {
	void (*problem)(void *arg, unsigned line, const char *why);
	void *arg;
};

/*
 * Reads text, which is copied.  False, with each problem told and *out
 * empty, when there is any; also without memory.
 */
MUST_USE bool accounts_parse(struct sv text, struct accounts *out,
    const struct accounts_listener *l);

/*
 * The same of all that a descriptor gives: a regular file of at most
 * ACCOUNTS_FILE_MAX bytes, from its beginning.
 */
MUST_USE bool accounts_read(int fd, struct accounts *out,
    const struct accounts_listener *l);

/* Wipes it: hashes are nothing to leave lying about.  An empty one is fine. */
void accounts_free(struct accounts *a);

/* The account of that name, by its exact bytes; NULL. */
const struct accounts_entry *accounts_find(const struct accounts *a,
    struct sv name);

/*
 * A hash of the cost that most of its accounts have, to be worked at for
 * names that have none.  Empty where no account is open.
 */
struct sv accounts_usual_hash(const struct accounts *a);
