/*
 * storage/posix.c: an archive in a directory tree.
 *
 * Every path is opened once, by openat2(2) beneath the root's descriptor, and
 * is a descriptor from then on: there is no name left to swap for a link.
 * Links are followed as long as they stay inside; RESOLVE_IN_ROOT was
 * rejected, since it gives an absolute link another meaning than the one
 * that its maker saw.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "storage/storage.h"

#define DENTS_BYTES 32768
#define RACES 16	/* renames that may cross one resolution */
#define SORT_BYTES (512 * 1024)

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

struct posix {
	struct storage storage;
	int root_fd;
	bool local;	/* open(2) of a name in memory does not block */
};

/* getdents64(2)'s record. */
struct dirent_record {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct storage_dir {
	struct posix *p;
	int fd;
	char *path;		/* virtual, to resolve the links in it */
	size_t path_len;
	char *sorted;		/* names read ahead, each with its NUL */
	size_t sorted_len, sorted_cap;
	uint32_t *order;	/* where they begin, in the order to serve */
	size_t names, served;
	bool ended;		/* the disk has no more */
	size_t dents_len, dents_at;
	char target[PATH_MAX];
	_Alignas(8) char dents[DENTS_BYTES];
};

const char *
storage_err_text(enum storage_err err)
{
	switch (err) {
	case STORAGE_OK:
		return "Done";
	case STORAGE_LATER:
		return "Later";
	case STORAGE_NOT_FOUND:
		return "No such file or directory";
	case STORAGE_DENIED:
		return "Permission denied";
	case STORAGE_NOT_DIR:
		return "Not a directory";
	case STORAGE_NOT_FILE:
		return "Not a plain file";
	case STORAGE_TOO_LONG:
		return "Path too long";
	case STORAGE_BUSY:
		return "Out of resources, try again later";
	case STORAGE_IO:
		return "Reading failed on the server";
	}
	return "Failed";
}

static enum storage_err
err_of(int error)
{
	switch (error) {
	case ENOENT:
	case EXDEV:	/* a link that leads outside */
	case ELOOP:
		return STORAGE_NOT_FOUND;
	case EACCES:
	case EPERM:
		return STORAGE_DENIED;
	case ENOTDIR:
		return STORAGE_NOT_DIR;
	case EISDIR:
	case ENXIO:	/* a socket, a FIFO without a writer */
	case ENODEV:
		return STORAGE_NOT_FILE;
	case ENAMETOOLONG:
		return STORAGE_TOO_LONG;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return STORAGE_BUSY;
	default:
		return STORAGE_IO;
	}
}

/* Copies a view to a C string; false when it would not fit. */
static bool
c_string(struct sv v, char out[PATH_MAX])
{
	if (v.len >= PATH_MAX)
		return false;
	memcpy(out, v.ptr, v.len);
	out[v.len] = '\0';
	return true;
}

/* Opens beneath the root; -1 with errno. */
static int
open_beneath(const struct posix *p, struct sv path, int flags,
    enum storage_when when)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	char name[PATH_MAX];
	long fd;

	if (!c_string(path.len == 0 ? SV(".") : path, name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* NO_XDEV: what is mounted inside may be slower than the root. */
	if (when == STORAGE_NOW)
		how.resolve |= RESOLVE_CACHED | RESOLVE_NO_XDEV;
	for (int i = 0; i < RACES; i++) {
		fd = syscall(SYS_openat2, p->root_fd, name, &how, sizeof(how));
		/* EAGAIN: a rename crossed a ".." in a link; look again. */
		if (fd >= 0 || errno != EAGAIN || when == STORAGE_NOW)
			break;
	}
	return (int)fd;
}

/* In NOW: whether a failure only says that the disk must be asked. */
static bool
is_later(enum storage_when when)
{
	return when == STORAGE_NOW &&
	    (errno == EAGAIN || errno == EXDEV || errno == EINVAL);
}

static void
stat_of(const struct stat *from, struct storage_stat *to)
{
	to->mode = from->st_mode;
	to->size = (uint64_t)from->st_size;
	to->mtime = from->st_mtime;
	to->dev = from->st_dev;
	to->ino = from->st_ino;
	to->links = from->st_nlink;
}

/* Opens and stats; on success *fd is open. */
static enum storage_err
open_and_stat(struct storage *st, struct sv path, int flags,
    enum storage_when when, int *fd, struct storage_stat *out)
{
	struct posix *p = (struct posix *)st;
	struct stat stat;
	int got;

	if (when == STORAGE_NOW && !p->local)
		return STORAGE_LATER;
	got = open_beneath(p, path, flags, when);
	if (got < 0)
		return is_later(when) ? STORAGE_LATER : err_of(errno);
	if (fstat(got, &stat) != 0) {
		enum storage_err err = err_of(errno);

		close(got);
		return err;
	}
	stat_of(&stat, out);
	*fd = got;
	return STORAGE_OK;
}

static enum storage_err
posix_stat(struct storage *st, struct sv path, enum storage_when when,
    struct storage_stat *out)
{
	int fd = -1;
	enum storage_err err = open_and_stat(st, path, O_PATH, when, &fd, out);

	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * O_NONBLOCK: a FIFO without a writer must not hang us.  A device could still
 * notice that it is opened; an archive that holds one was made by root, who
 * has other means.
 */
static enum storage_err
posix_open(struct storage *st, struct sv path, enum storage_when when, int *fd,
    struct storage_stat *out)
{
	enum storage_err err = open_and_stat(st, path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY, when, fd, out);

	if (err != STORAGE_OK || S_ISREG(out->mode))
		return err;
	close(*fd);
	*fd = -1;
	return STORAGE_NOT_FILE;
}

static enum storage_err
posix_open_dir(struct storage *st, struct sv path, enum storage_when when,
    struct storage_dir **out)
{
	struct storage_stat stat;
	struct storage_dir *d;
	int fd = -1;
	enum storage_err err = open_and_stat(st, path, O_RDONLY | O_DIRECTORY,
	    when, &fd, &stat);

	if (err != STORAGE_OK)
		return err;
	d = calloc(1, sizeof(*d));
	if (d == NULL || (d->path = malloc(path.len + 1)) == NULL) {
		free(d);
		close(fd);
		return STORAGE_BUSY;
	}
	memcpy(d->path, path.ptr, path.len);
	d->path_len = path.len;
	d->p = (struct posix *)st;
	d->fd = fd;
	*out = d;
	return STORAGE_OK;
}

static void
posix_close_dir(struct storage_dir *d)
{
	if (d == NULL)
		return;
	close(d->fd);
	free(d->path);
	free(d->sorted);
	free(d->order);
	free(d);
}

static enum storage_err
posix_stat_dir(struct storage_dir *d, struct storage_stat *out)
{
	struct stat stat;

	if (fstat(d->fd, &stat) != 0)
		return err_of(errno);
	stat_of(&stat, out);
	return STORAGE_OK;
}

/* The next name as the disk has it; NULL at the end or with *err set. */
static const char *
next_on_disk(struct storage_dir *d, enum storage_err *err)
{
	for (;;) {
		const struct dirent_record *r;

		if (d->dents_at == d->dents_len) {
			long n = d->ended ? 0 : syscall(SYS_getdents64, d->fd,
			    d->dents, sizeof(d->dents));

			if (n < 0)
				*err = err_of(errno);
			if (n <= 0) {
				d->ended = true;
				return NULL;
			}
			d->dents_len = (size_t)n;
			d->dents_at = 0;
		}
		r = (const void *)(d->dents + d->dents_at);
		d->dents_at += r->reclen;
		if (strcmp(r->name, ".") != 0 && strcmp(r->name, "..") != 0)
			return r->name;
	}
}

static int
by_name(const void *a, const void *b, void *names)
{
	const uint32_t *x = a, *y = b;

	return strcmp((const char *)names + *x, (const char *)names + *y);
}

static bool
keep_name(struct storage_dir *d, const char *name)
{
	size_t len = strlen(name) + 1;

	if (d->sorted_len + len > d->sorted_cap) {
		size_t cap = d->sorted_cap == 0 ? 4096 : d->sorted_cap * 2;
		char *grown = realloc(d->sorted, cap);

		if (grown == NULL)
			return false;
		d->sorted = grown;
		d->sorted_cap = cap;
	}
	memcpy(d->sorted + d->sorted_len, name, len);
	d->order[d->names++] = (uint32_t)d->sorted_len;
	d->sorted_len += len;
	return true;
}

/* Reads names ahead, as many as may be sorted; sorts them if that is all. */
static enum storage_err
read_ahead(struct storage_dir *d)
{
	enum storage_err err = STORAGE_OK;
	const char *name;

	if ((d->order = calloc(STORAGE_SORT_MAX, sizeof(*d->order))) == NULL)
		return STORAGE_BUSY;
	while (d->names < STORAGE_SORT_MAX &&
	    d->sorted_len < SORT_BYTES - NAME_MAX - 1) {
		if ((name = next_on_disk(d, &err)) == NULL)
			break;
		if (!keep_name(d, name))
			return STORAGE_BUSY;
	}
	if (err == STORAGE_OK && d->ended)
		qsort_r(d->order, d->names, sizeof(*d->order), by_name,
		    d->sorted);
	return err;
}

static const char *
next_name(struct storage_dir *d, enum storage_err *err)
{
	if (d->order == NULL && (*err = read_ahead(d)) != STORAGE_OK)
		return NULL;
	if (d->served < d->names)
		return d->sorted + d->order[d->served++];
	return next_on_disk(d, err);
}

/* Where a link leads, if it leads somewhere inside by a relative path. */
static bool
read_link(struct storage_dir *d, struct storage_entry *entry)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(d->fd, entry->name.ptr, d->target,
	    sizeof(d->target));
	size_t len = d->path_len;
	int fd;

	if (n <= 0 || (size_t)n == sizeof(d->target) || d->target[0] == '/' ||
	    len + 1 + entry->name.len >= sizeof(path))
		return false;
	memcpy(path, d->path, len);
	if (len > 0)
		path[len++] = '/';
	memcpy(path + len, entry->name.ptr, entry->name.len);
	fd = open_beneath(d->p, (struct sv) { path, len + entry->name.len },
	    O_PATH, STORAGE_WAIT);
	if (fd < 0)
		return false;
	close(fd);
	entry->target = (struct sv) { d->target, (size_t)n };
	return true;
}

static enum storage_err
posix_next(struct storage_dir *d, bool names_only, struct storage_entry *out)
{
	enum storage_err err = STORAGE_OK;
	const char *name;
	struct stat stat;

	while ((name = next_name(d, &err)) != NULL) {
		*out = (struct storage_entry) { .name = sv_of(name) };
		if (fstatat(d->fd, name, &stat, AT_SYMLINK_NOFOLLOW) != 0) {
			if (errno == ENOENT)
				continue; /* gone meanwhile */
			return err_of(errno);
		}
		stat_of(&stat, &out->stat);
		if (S_ISLNK(stat.st_mode) && !read_link(d, out))
			continue;
		return STORAGE_OK;
	}
	(void)names_only;
	return err == STORAGE_OK ? STORAGE_NOT_FOUND : err;
}

/* File systems whose open(2) waits for nothing that is in memory. */
static bool
is_local(int root_fd)
{
	struct statfs fs;

	if (fstatfs(root_fd, &fs) != 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* and ext2, ext3 */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case 0x2fc12fc1: /* ZFS */
	case 0xca451a4e: /* bcachefs */
		return true;
	default:
		return false;
	}
}

struct storage *
storage_posix_new(int root_fd)
{
	static const struct storage_ops ops = {
		.stat = posix_stat,
		.open = posix_open,
		.open_dir = posix_open_dir,
		.next = posix_next,
		.stat_dir = posix_stat_dir,
		.close_dir = posix_close_dir,
	};
	struct posix *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->storage.ops = &ops;
	p->root_fd = root_fd;
	p->local = is_local(root_fd);
	return &p->storage;
}
