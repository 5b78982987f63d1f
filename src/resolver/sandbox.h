/*
 * resolver/sandbox.h: what stands around the process that asks name servers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>

/*
 * From now on: sockets for IPv4 and IPv6 and no others; TCP to port 53
 * alone, where the kernel can tell; of files those that say how names are
 * resolved; no program, no process, no signal to another.
 * Exits where a wall that the kernel has cannot be raised; false when it has
 * no seccomp.
 */
bool sandbox_enter(void);
