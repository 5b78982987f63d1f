/*
 * keeper/sandbox.h: the walls around the process that sees passwords.
 *
 * It is given all that it works with, so it opens no file but quotas, and what
 * it may name is beneath accounts.root, as a directory that is not read
 * (O_PATH, which Landlock does not judge).  It hands descriptors on, and
 * makes, connects and accepts no socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/*
 * The set of enum wall (ipc/walls.h) that stand; before the first thread.
 *
 * quota_fd  the directory of what accounts have, in which it makes and opens
 *           files; -1: none
 */
unsigned sandbox_enter(int quota_fd);
