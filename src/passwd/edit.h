/*
 * passwd/edit.h: changes one line of the account file, in one step: whoever
 * reads it sees the old file or the new one, also after a power cut.  All
 * other lines, comments among them, stay as they are, byte for byte.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <limits.h>
#include <sys/stat.h>

#include "accounts/file.h"

struct edit {
	char path[PATH_MAX];	/* the file itself, behind any links */
	int fd;			/* locked, if it was opened to be changed */
	struct stat st;
	struct accounts accounts;
};

/*
 * Opens and reads it; to change it, waits for whoever is changing it.
 *
 * create  make an empty one, of mode 0640, where there is none
 *
 * False: it said why, and nothing is open.
 */
bool edit_open(struct edit *e, const char *path, bool to_change, bool create);
void edit_close(struct edit *e);

/*
 * Puts line (NULL: nothing) where `old` is, or at the end where old is NULL;
 * owner and mode stay.  A file that would not be read is not made.
 * False: it said why, and the file is as it was.
 */
bool edit_put(struct edit *e, const struct accounts_entry *old,
    const char *line);

/* Whether it would be read so; nothing is written.  False: it said why not. */
bool edit_try(struct edit *e, const struct accounts_entry *old,
    const char *line);
