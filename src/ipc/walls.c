/*
 * ipc/walls.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/walls.h"

static const struct {
	bool required;
	const char *meaning;
} walls[WALL_COUNT] = {
#define X(name, required, meaning) [WALL_##name] = { required, meaning },
	WALLS(X)
#undef X
};

const char *
wall_meaning(enum wall wall)
{
	return walls[wall].meaning;
}

bool
wall_is_required(enum wall wall)
{
	return walls[wall].required;
}
