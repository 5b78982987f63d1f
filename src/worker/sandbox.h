/*
 * worker/sandbox.h: the walls around the process that reads what comes from
 * outside.  Entered before the first such byte and before the first thread;
 * there is no way back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/sv.h"
#include "ipc/inherit.h"
#include "ipc/walls.h"

/*
 * Raises every wall that this kernel has and returns the set of those that
 * stand (1 << enum wall).  Files can afterwards be opened beneath the n
 * archives only, and only to read; where own_root stands, top_fd is "/".  That
 * is the archive itself, or, of several, a directory that holds them all;
 * where that is "/" already, own_root does not stand.  Capabilities are
 * given up, whichever walls stand.  What fails for another reason than that
 * the kernel lacks it (or, own_root, that the system does not permit it) is
 * fatal: exits with status 1 and a line.
 *
 * ktls         the kernel may be given keys of connections, and be sent what
 *              is not data for it (an alert); those whose descriptors are
 *              SANDBOX_KTLS_LEAST to SANDBOX_KTLS_MOST alone
 * accounts_fd  accounts.root, where a session may log in to an account, else
 *              -1: what is beneath it can be written to as well, by whoever
 *              has a descriptor there.  None is left, and no name leads there
 * box_fd       the drop box, or -1: plain files can be stored beneath it
 */
unsigned sandbox_enter(int top_fd, const int *archives, size_t n,
    int accounts_fd, int box_fd, bool ktls);

/* No channel is there or above (ipc/inherit.h). */
#define SANDBOX_KTLS_LEAST INHERIT_ACCOUNTS_TOP
#define SANDBOX_KTLS_MOST 255

/*
 * The session has logged in: from now on, for this thread and those that it
 * starts, there is this directory alone, with these rights (a set of enum
 * landlock_right).  False with errno set when the kernel has Landlock and yet
 * refused.
 */
MUST_USE bool sandbox_narrow(int root_fd, unsigned rights);
