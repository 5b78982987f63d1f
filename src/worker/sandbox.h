/*
 * worker/sandbox.h: the walls around the process that reads what comes from
 * outside.  Entered before the first such byte and before the first thread;
 * there is no way back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

/* The walls, one list for what is checked, said and tested. */
#define SANDBOX_WALLS(X) \
/*	name             required  meaning */ \
	X(no_new_privs,    1, "no new privileges") \
	X(not_dumpable,    1, "not dumpable, no core") \
	X(seccomp,         1, "system calls on an allow-list (seccomp)") \
	X(landlock_files,  1, "files beneath the archive only (Landlock)") \
	X(landlock_tcp,    0, "no TCP (Landlock, from Linux 6.7)") \
	X(landlock_scope,  0, "no signals or abstract sockets outside (Landlock, from Linux 6.12)") \
	X(own_user,        0, "a user of its own")

enum sandbox_wall {
#define X(name, required, meaning) WALL_##name,
	SANDBOX_WALLS(X)
#undef X
	WALL_COUNT
};

const char *sandbox_wall_meaning(enum sandbox_wall wall);
bool sandbox_wall_is_required(enum sandbox_wall wall);

/*
 * Raises every wall that this kernel has and returns the set of those that
 * stand (1 << enum sandbox_wall).  Files can afterwards be opened beneath
 * root_fd only, and only to read.  What fails for another reason than that
 * the kernel lacks it is fatal: exits with status 1 and a line.
 */
unsigned sandbox_enter(int root_fd);
