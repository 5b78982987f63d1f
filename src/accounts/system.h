/*
 * accounts/system.h: accounts of the system, whose passwords PAM knows, and
 * what a rule of the configuration gives them.  Pure.
 *
 * A rule is made into a line of the account file and read like one: so there
 * is one reader of directories, rights and options, and one meaning.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "accounts/entry.h"

/* As the words of accounts.pam_rule; %u in the directory is the name. */
struct accounts_rule {
	struct sv directory, rights, options;
};

struct accounts_made {
	char line[ACCOUNTS_LINE_MAX + 1];
	struct accounts_entry entry;	/* views of the line */
};

/*
 * A name that the system is asked about: letters, digits, ".", "_", "-" and
 * "@", not beginning with "." or "-", 1 to ACCOUNTS_NAME_MAX bytes.  So it
 * is one component of a path, no option, no pattern and nobody's syntax.
 */
bool accounts_system_name_is_good(struct sv name);

/*
 * The account that a rule makes of a name, without any password.
 *
 * out  its line and entry; useless on failure
 * why  on failure, one line of what is wrong, fit to be shown
 */
MUST_USE bool accounts_make(const struct accounts_rule *r, struct sv name,
    struct accounts_made *out, char why[ACCOUNTS_WHY_MAX]);
