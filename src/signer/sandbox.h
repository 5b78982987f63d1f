/*
 * signer/sandbox.h: what stands around the process that has the keys.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/*
 * From now on: the channels that it has and is given, and memory; no file is
 * opened, no socket made, no program started, no other process reached.
 * Exits where a wall that the kernel has cannot be raised.  The set of enum
 * wall (ipc/walls.h) that stand.
 */
unsigned sandbox_enter(void);
