/*
 * ipc/walls.h: the walls around a worker, one list for the worker that raises
 * them, the warden that says which stand, and the tests.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

#define WALLS(X) \
/*	name          required  meaning */ \
	X(no_new_privs,   true,  "no new privileges") \
	X(not_dumpable,   true,  "not dumpable, no core") \
	X(seccomp,        true,  "system calls on an allow-list (seccomp)") \
	X(landlock_files, true,  "files of the archive alone (Landlock)") \
	X(landlock_tcp,   false, "no TCP (Landlock, from Linux 6.7)") \
	X(landlock_scope, false, "no signals outside (Landlock, from Linux 6.12)") \
	X(own_user,       false, "users of their own (started by root)") \
	X(own_root,       false, "names of the archive alone (chroot)")

enum wall {
#define X(name, required, meaning) WALL_##name,
	WALLS(X)
#undef X
	WALL_COUNT
};

/* A few words for people; a constant. */
const char *wall_meaning(enum wall wall);

/* `sandbox = require` refuses to start without it. */
bool wall_is_required(enum wall wall);
