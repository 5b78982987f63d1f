/*
 * watch/sandbox.h: the sensor reads what attackers write: it keeps nothing
 * that it does not need for that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

enum sandbox_mode {
	SANDBOX_FILES,	/* captures are still to be opened, for reading */
	SANDBOX_LIVE,	/* everything is open */
};

/*
 * Gives up root for this user (NULL: portcullis-watch, else nobody), and all
 * groups and capabilities; who is not root gives up capabilities alone.
 * False, and said on standard error, when that cannot be.
 */
bool sandbox_drop_privileges(const char *user);

/*
 * No new privileges, no dump; no socket, program or process; no file but
 * what mode allows, and none written that is not open.  A kernel without
 * Landlock is told of on standard error.  False, and said, when a wall that
 * it has cannot be raised, or when it has no seccomp.
 *
 * packet_fd  an interface's socket, opened behind all outputs; -1: none.
 *            Frames come out of it and none go in: whoever holds such a
 *            socket can send, with or without capabilities.
 */
bool sandbox_enter(enum sandbox_mode mode, int packet_fd);

/* Says what does not stand when sandbox_enter was not asked for. */
void sandbox_forgo(void);
