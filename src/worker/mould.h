/*
 * worker/mould.h: a worker that is started once and forked for each session.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

/*
 * Serves the warden's orders (ipc/mould.h) at INHERIT_WARDEN until that is
 * closed, and ends the process then.  Returns in each new worker, which has
 * its own descriptors in place.  name is what ps shows of it: argv[1], changed
 * in place.
 *
 * To be called with one thread, before anything is open that must not be
 * shared, and before the walls.
 */
void mould_serve(char *name);
