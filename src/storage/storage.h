/*
 * storage/storage.h: what an archive is made of, as one table of functions.
 *
 * Paths are virtual: absolute in the archive, already normalised ("pub/a",
 * no leading or trailing slash, no "." or ".."; empty is the root), at most
 * PATH_MAX - 1 bytes of any value but NUL.  Names are bytes, never decoded.
 *
 * Every call may be made with STORAGE_NOW: it then answers from memory or
 * says STORAGE_LATER, and never waits for a disk.  Without it the call may
 * block, and belongs on a disk thread (base/pool.h).  Calls are safe from
 * several threads; one open directory belongs to one thread at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/sv.h"

enum storage_err {
	STORAGE_OK,
	STORAGE_LATER,		/* only with STORAGE_NOW: ask a disk thread */
	STORAGE_NOT_FOUND,	/* also: behind a link that leads outside */
	STORAGE_DENIED,
	STORAGE_NOT_DIR,
	STORAGE_NOT_FILE,	/* a directory, device, FIFO, socket */
	STORAGE_TOO_LONG,
	STORAGE_TOO_MANY,	/* entries, to put them into an order */
	STORAGE_BUSY,		/* descriptors or memory are short now */
	STORAGE_IO,		/* the disk failed */

	/* Of the calls that write. */
	STORAGE_EXISTS,		/* and may not be replaced */
	STORAGE_BAD_NAME,	/* one that storage keeps for itself */
	STORAGE_NOT_EMPTY,
	STORAGE_OTHER_DISK,	/* renamed it cannot be, and no copy is made */
	STORAGE_BAD_OFFSET,	/* behind the end of what is there */
	STORAGE_CHANGED,	/* by somebody else meanwhile */
	STORAGE_NO_SPACE,	/* the disk, or the system's own quota */
	STORAGE_OVER_QUOTA,	/* storage/quota.h */
	STORAGE_TOO_LARGE,	/* for this file system */
	STORAGE_WRITE,		/* the disk failed; nothing is promised */
};

enum storage_order {
	STORAGE_BY_NAME,
	STORAGE_BY_TIME,	/* the latest first */
	STORAGE_BY_SIZE,	/* the largest first */
};

enum storage_when {
	STORAGE_WAIT,
	STORAGE_NOW,
};

struct storage_stat {
	mode_t mode;		/* type and permissions */
	uint64_t size;
	int64_t mtime;		/* seconds since 1970 */
	uint64_t dev, ino, links;
	int64_t ctime;		/* of the last change of any kind */
	uint32_t mtime_ns, ctime_ns; /* behind those seconds */
};

/* One entry of a directory; views live until the next call. */
struct storage_entry {
	struct sv name;
	struct storage_stat stat; /* of the link itself, if it is one */
	struct sv target;	/* of a symbolic link that stays inside */
	struct storage_stat to;	/* what that link leads to */
};

struct storage;
struct storage_dir;
struct storage_upload;
struct quota;

enum storage_upload_flag {
	STORAGE_REPLACE = 1 << 0, /* a plain file of that name */
	STORAGE_APPEND = 1 << 1,  /* to it, or to a partial upload of it */
	STORAGE_RESUME = 1 << 2,  /* at resume_at, see begin */
	STORAGE_KEEP = 1 << 3,	  /* what is not done is kept as a partial */
	STORAGE_DROP = 1 << 4,	  /* under a name that no client ever sees */
};

struct storage_upload_how {
	unsigned flags;		/* set of enum storage_upload_flag */
	mode_t mode;		/* of the file; 0666 of it counts */
	uint64_t resume_at;
	uint64_t expected;	/* bytes to come, if known; else 0 */
};

struct storage_ops {
	/* What path is; the last component's links are followed. */
	enum storage_err (*stat)(struct storage *st, struct sv path,
	    enum storage_when when, struct storage_stat *out);

	/* Opens a regular file to read; *fd is the caller's. */
	enum storage_err (*open)(struct storage *st, struct sv path,
	    enum storage_when when, int *fd, struct storage_stat *out);

	/*
	 * Reads from an open file what is in memory, and never waits for a
	 * disk.  The bytes read; -1 when less than all n would come at once.
	 * stat  what open said of it
	 */
	ssize_t (*read_now)(struct storage *st, int fd,
	    const struct storage_stat *stat, void *buf, size_t n,
	    uint64_t offset);

	/* Opens a directory; *out is closed with close_dir. */
	enum storage_err (*open_dir)(struct storage *st, struct sv path,
	    enum storage_when when, struct storage_dir **out);

	/*
	 * The next entry but "." and "..": STORAGE_OK, or STORAGE_NOT_FOUND
	 * at the end; anything else means the listing cannot be complete.
	 * Never called with STORAGE_NOW.  An entry that disappears meanwhile
	 * is left out.  A symbolic link that is absolute, or leads outside,
	 * or dangles, is left out: nobody could fetch it.
	 * Directories of up to STORAGE_SORT_MAX entries (and 512 KiB of
	 * names) come sorted by name (bytes); larger ones in the order of the
	 * disk, since no memory grows with a directory.
	 * names_only  entry->stat need not be filled in (NLST)
	 */
	enum storage_err (*next)(struct storage_dir *d, bool names_only,
	    struct storage_entry *out);

	/*
	 * Puts what `next` will give into an order; on a directory that was
	 * just opened, and never on the loop.  All entries are looked at.
	 *
	 * STORAGE_TOO_MANY  more than `next` would sort: a part of them would
	 *                   be wrong.  The directory can only be closed
	 */
	enum storage_err (*sort)(struct storage_dir *d,
	    enum storage_order order, bool reversed);

	/*
	 * Opens a directory beneath an open one, and follows no link on the
	 * way.  May block.  top may be closed before *out.
	 */
	enum storage_err (*open_dir_in)(struct storage_dir *top,
	    struct sv path, struct storage_dir **out);

	/* What the open directory itself is. */
	enum storage_err (*stat_dir)(struct storage_dir *d,
	    struct storage_stat *out);

	void (*close_dir)(struct storage_dir *d);

	/*
	 * What follows writes, may block, and is STORAGE_DENIED until
	 * storage_posix_allow_writing.  The last component is never followed
	 * if it is a link.  A change that was answered with STORAGE_OK is on
	 * the disk, if writing is durable.
	 *
	 * An upload: begin, copy until it says STORAGE_OK, write, and commit
	 * or abort, either of which ends it.  One thread at a time.
	 *
	 * What is written goes to a file of its own that nobody sees, also
	 * when it replaces or goes on with one that is there: whoever reads
	 * that, or has another name for it, keeps what he has.
	 *
	 * STORAGE_RESUME goes on with the owner's partial upload of that name
	 * or, where there is none, with the file; what is behind resume_at is
	 * forgotten.  STORAGE_APPEND does so at its end, or begins anew.
	 * Else a partial upload is forgotten when this one is kept or done.
	 *
	 * STORAGE_EXISTS      the name is there, without STORAGE_REPLACE
	 * STORAGE_NOT_FILE    it is no plain file
	 * STORAGE_NOT_FOUND   its directory is not there, or nothing to resume
	 * STORAGE_BAD_OFFSET  there are fewer bytes than resume_at
	 * STORAGE_BUSY        also: its partial upload is being written to
	 * STORAGE_NO_SPACE, STORAGE_OVER_QUOTA: also for what is expected
	 */
	enum storage_err (*upload_begin)(struct storage *st, struct sv path,
	    const struct storage_upload_how *how, struct storage_upload **out);

	/*
	 * Copies what is there already, about `most` bytes a call.
	 * STORAGE_LATER: there is more.
	 */
	enum storage_err (*upload_copy)(struct storage_upload *u,
	    uint64_t most);

	/* Bytes that it has: where the next ones go. */
	uint64_t (*upload_size)(const struct storage_upload *u);

	/*
	 * All n bytes, or an error.  STORAGE_BAD_OFFSET: it would leave a gap.
	 * The last ones may wait in memory: the disk's failure is told by a
	 * later call, or by commit.
	 */
	enum storage_err (*upload_write)(struct storage_upload *u,
	    const void *buf, size_t n, uint64_t offset);

	/* In its directory, when it is done; valid until then. */
	const char *(*upload_name)(const struct storage_upload *u);

	/*
	 * To be read, so that it can be judged before it is seen; borrowed.
	 * -1: the disk failed.
	 */
	int (*upload_fd)(struct storage_upload *u);

	/*
	 * STORAGE_OK: whole, under its name, and on the disk.  STORAGE_WRITE:
	 * the old file, or none, or the whole new one.  Else nothing changed.
	 *
	 * STORAGE_CHANGED  what was appended to is another file by now
	 */
	enum storage_err (*upload_commit)(struct storage_upload *u);

	/*
	 * keep: as a partial upload, if it was begun with STORAGE_KEEP.  Not
	 * for bytes that may be forged or cut (TLS that ended badly).
	 */
	void (*upload_abort)(struct storage_upload *u, bool keep);

	/* How many bytes this owner's partial upload of that name has. */
	enum storage_err (*partial_size)(struct storage *st, struct sv path,
	    uint64_t *out);

	/* A plain file, a link itself, or else the owner's partial upload. */
	enum storage_err (*remove)(struct storage *st, struct sv path);

	/* 0777 of mode counts, less the umask. */
	enum storage_err (*make_dir)(struct storage *st, struct sv path,
	    mode_t mode);

	/* An empty one; partial uploads that nobody writes to go with it. */
	enum storage_err (*remove_dir)(struct storage *st, struct sv path);

	/* flags: STORAGE_REPLACE or 0.  A directory never replaces anything. */
	enum storage_err (*rename)(struct storage *st, struct sv from,
	    struct sv to, unsigned flags);

	/*
	 * Of a plain file without another hard link, or a directory.
	 * STORAGE_DENIED also: it has one, whose owner did not ask for this.
	 */
	enum storage_err (*set_mtime)(struct storage *st, struct sv path,
	    int64_t seconds);

	/* 0666 of mode counts for files, 0777 for directories. */
	enum storage_err (*chmod)(struct storage *st, struct sv path,
	    mode_t mode);
};

struct storage {
	const struct storage_ops *ops;
};

#define STORAGE_SORT_MAX 4096

/*
 * The embedded default: a directory tree beneath root_fd (taken over on
 * success), on a local disk or any mounted file system.
 *
 * Everything is opened by openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
 * relative to root_fd, and what is said of a path, or sent, comes from the
 * descriptor that was opened; no path is resolved twice.
 * Where open(2) can block on what is in memory (network file systems) or the
 * kernel cannot tell (before Linux 5.12), STORAGE_NOW is always
 * STORAGE_LATER.  NULL with errno set: ENOSYS is a kernel without openat2.
 */
struct storage *storage_posix_new(int root_fd);

/* What the writing calls may do, and for whom. */
struct storage_writing {
	uint64_t owner;		/* whose partial uploads are met again */
	struct quota *quota;	/* borrowed until it is freed; or NULL */
	bool durable;		/* fsync before saying that it is done */
	bool named;		/* uploads have a name at once, though hidden */
};

/* Before other threads use it.  False without memory. */
MUST_USE bool storage_posix_allow_writing(struct storage *st,
    const struct storage_writing *how);

/* What is there; uploads under way, and what was removed, not counted. */
struct storage_survey {
	uint64_t files, bytes;
	uint64_t removed;	/* partial uploads that had their time */
};

/*
 * Walks the whole archive: removes what was left behind by uploads that
 * nobody went on with since `before` (seconds since 1970), and counts the
 * quota anew.  Follows no link, leaves no file system.  May take very long.
 *
 * STORAGE_TOO_MANY  deeper than STORAGE_SURVEY_DEPTH: the quota is as it was
 *
 * Without a quota it goes on behind any error, and says the first.
 */
#define STORAGE_SURVEY_DEPTH 256
MUST_USE enum storage_err storage_posix_survey(struct storage *st,
    int64_t before, struct storage_survey *out);

/* What was changed before (seconds since 1970), and nobody holds, goes. */
struct storage_box_ages {
	int64_t parts;		/* left behind by uploads that never ended */
	int64_t drops;		/* nobody has moved it */
};

/*
 * What lies in the root itself, and not beneath: of a drop box.  Uploads
 * under way are counted if they are `named`.  It stops at more than `most`
 * files.
 */
MUST_USE enum storage_err storage_posix_box(struct storage *st,
    const struct storage_box_ages *ages, uint64_t most,
    struct storage_survey *out);

/* No directory or upload of it is open any more, and no call under way. */
void storage_posix_free(struct storage *st);

/* A few words for people; a constant. */
const char *storage_err_text(enum storage_err err);
