/*
 * storage/commit.h: many who want a directory on the disk share one fsync.
 *
 * Who comes while a directory is being synced waits for the next sync of it,
 * together with all who come meanwhile; one of them does it for all.  Nobody
 * waits for company: one alone is as fast as an fsync.  Other directories are
 * not waited for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"

struct commit;

/* NULL without memory.  None waits in it any more when it is freed. */
struct commit *commit_new(void);
void commit_free(struct commit *c);

/*
 * Returns when all that was changed in the directory before the call is on
 * the disk.  Blocks; from any thread.
 *
 * 0, or the errno of the fsync that stood for this call
 */
MUST_USE int commit_sync(struct commit *c, int dir_fd);

/* Calls of commit_sync, and how many fsyncs they took. */
struct commit_count {
	uint64_t asked, synced;
};
struct commit_count commit_counted(struct commit *c);
