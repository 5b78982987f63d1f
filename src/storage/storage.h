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

/* No directory of it is open any more, and no call under way. */
void storage_posix_free(struct storage *st);

/* A few words for people; a constant. */
const char *storage_err_text(enum storage_err err);
