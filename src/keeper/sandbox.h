/*
 * keeper/sandbox.h: the walls around the process that sees passwords.
 *
 * It is given all that it works with, so it opens no file at all, and what
 * it may name is beneath accounts.root, as a directory that is not read
 * (O_PATH, which Landlock does not judge).  It hands descriptors on, and
 * makes, connects and accepts no socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/* The set of enum wall (ipc/walls.h) that stand; before the first thread. */
unsigned sandbox_enter(void);
