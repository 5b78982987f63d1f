/*
 * passwd/options.h: what is to be done with which account.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

enum passwd_verb {
	PASSWD_ADD, PASSWD_CHANGE, PASSWD_DELETE, PASSWD_LOCK, PASSWD_UNLOCK,
	PASSWD_LIST, PASSWD_CHECK,
};

/* Whence the password comes. */
enum passwd_source {
	PASSWD_UNSAID,		/* the terminal, where one is wanted at all */
	PASSWD_STDIN,
	PASSWD_GENERATE,
	PASSWD_HASHED,		/* standard input, and it is a hash already */
	PASSWD_NONE,		/* an account that nobody can use yet */
};

struct passwd_options {
	enum passwd_verb verb;
	const char *name;	/* NULL for list, and for check of the file */
	const char *file;
	const char *root, *rights, *options;	/* NULL: not given */
	enum passwd_source source;
	unsigned cost;
};

/* False: that was all, and *status is the program's. */
bool passwd_options_take(struct passwd_options *o, int argc, char **argv,
    int *status);

__attribute__((format(printf, 1, 2))) void passwd_say(const char *format, ...);
