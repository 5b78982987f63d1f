/*
 * base/landlock.h: the kernel's Landlock, by its raw system calls (no library
 * for them is packaged).  Covers the calling thread and those it starts, and
 * neither what is already open nor stat, readlink and O_PATH: outside, names
 * and sizes can still be asked for, and no byte read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel's Landlock version; 0 when it has none or has it switched off. */
int landlock_abi(void);

/* What landlock_confine could raise. */
enum landlock_wall {
	LANDLOCK_FILES = 1 << 0,
	LANDLOCK_TCP = 1 << 1,		/* version 4 */
	LANDLOCK_SCOPE = 1 << 2,	/* version 6 */
};

/* What can be done beneath a root. */
enum landlock_right {
	LANDLOCK_READ = 1 << 0,		/* files and directories */
	LANDLOCK_LOOK = 1 << 1,		/* directories alone */
	LANDLOCK_STORE = 1 << 2,	/* plain files: make, write, replace */
	LANDLOCK_REMOVE = 1 << 3,	/* files and directories */
	LANDLOCK_MAKE_DIR = 1 << 4,
	LANDLOCK_RENAME = 1 << 5,	/* all that there is, to anywhere */
};

struct landlock_root {
	int fd;
	unsigned rights;	/* set of enum landlock_right */
};

/*
 * From now on what is beneath the n roots can be reached as they say, and no
 * other file; no TCP socket can be bound or connected; no process outside
 * signalled.  PR_SET_NO_NEW_PRIVS must be set.  Called again it takes away
 * more, and gives nothing back.
 * Returns the set of enum landlock_wall that stand; -1 with errno set when
 * the kernel has Landlock and yet refused.
 */
int landlock_confine(const struct landlock_root *roots, size_t n);

/*
 * From now on these files and directories (descriptors; a negative one is
 * passed over) can be read and no others, no TCP socket be bound, and none
 * connected but to this port; the rest as landlock_forbid_files.
 */
bool landlock_read_these(const int *fds, size_t n, uint16_t tcp_port);

/*
 * No file at all, no process outside signalled, no abstract socket outside
 * connected; TCP left alone.  PR_SET_NO_NEW_PRIVS must be set.
 * False when there is no Landlock, or with errno set when it refused.
 */
bool landlock_forbid_files(void);

/* The same, and no TCP socket bound or connected where version 4 is had. */
bool landlock_forbid_all(void);
