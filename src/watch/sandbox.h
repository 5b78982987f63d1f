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
 * what mode allows, and none written that is not open.  What the kernel does
 * not have is said on standard error, once.  False, and said, when a wall
 * that it has cannot be raised.
 */
bool sandbox_enter(enum sandbox_mode mode);
