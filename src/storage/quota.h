/*
 * storage/quota.h: what one account may keep, counted for all its processes.
 *
 * One small file an account, outside its root.  Room is reserved before it is
 * written to, so that no number of uploads at once goes beyond the limit; a
 * process that dies gives its reservations back, since its lock dies with it.
 * Every change is one write of one page: no kill leaves half of it.
 *
 * used      files that have a name in the account's root
 * reserved  of uploads under way.  A part of that is *kept*: it has a hidden
 *           name already, and becomes used if its process dies
 *
 * used + reserved of all processes never exceeds the limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "storage/storage.h"

#define QUOTA_NO_LIMIT UINT64_MAX
#define QUOTA_PROCESSES 120	/* of one account at once */

struct quota_amount {
	uint64_t bytes, files;
};

/*
 * Of the file open as fd, for reading and writing, which is taken over on
 * success; an empty one is made ready.  fd must come from an open(2) of its
 * own: its locks belong to that.
 *
 * boot  another number after each boot of the system, when a crash of it may
 *       have lost what was counted, and each day: then it is counted anew
 *
 * STORAGE_BUSY  QUOTA_PROCESSES have it open, or memory is short
 * STORAGE_WRITE no such file, or the disk failed
 */
MUST_USE enum storage_err quota_open(int fd, struct quota_amount limit,
    uint64_t boot, struct quota **out);

/* What it still has reserved is given back. */
void quota_close(struct quota *q);

/*
 * STORAGE_OVER_QUOTA  it would be too much, and nothing is reserved
 * STORAGE_WRITE       the file cannot be read or written
 */
MUST_USE enum storage_err quota_reserve(struct quota *q,
    struct quota_amount more, bool kept);

/* Of what this process has reserved, as kept or not. */
void quota_release(struct quota *q, struct quota_amount less, bool kept);

/* Something reserved gets a hidden name. */
MUST_USE enum storage_err quota_keep(struct quota *q, struct quota_amount what);

/* The other way: what is used becomes reserved and kept. */
MUST_USE enum storage_err quota_take_up(struct quota *q,
    struct quota_amount what);

/* An upload is done: of what was reserved for it so much is used. */
MUST_USE enum storage_err quota_settle(struct quota *q,
    struct quota_amount reserved, bool kept, struct quota_amount used);

/* A file with a name is gone. */
void quota_forget(struct quota *q, struct quota_amount gone);

/*
 * Held from looking at a name to having changed it, so that a file that two
 * remove is forgotten once; by all processes of the account.  NULL is fine.
 */
void quota_lock_names(struct quota *q);
void quota_unlock_names(struct quota *q);

/*
 * Counting anew, while others go on: what they add meanwhile is added to what
 * was found, what they remove is not taken off it.  So the sum may be too
 * large until the next time, never too small.
 *
 * found  NULL: it could not be done, and the old number stays
 *
 * STORAGE_BUSY  another process is at it
 */
MUST_USE enum storage_err quota_recount_begin(struct quota *q);
MUST_USE enum storage_err quota_recount_end(struct quota *q,
    const struct quota_amount *found);

struct quota_state {
	struct quota_amount used, reserved;
	bool is_counted;	/* false: storage_posix_survey is due */
};
MUST_USE enum storage_err quota_read(struct quota *q, struct quota_state *out);
