/*
 * storage/posix_upload.c: a file that becomes one all at once.
 *
 * Bytes go to a file without a name (O_TMPFILE) in the directory that it will
 * be in, or, where the system cannot give it one later, under a hidden name.
 * commit syncs the file and then gives it its name: linkat(2) where there is
 * nothing, else rename(2) over what is there, which keeps its inode for all
 * who read it or have another name for it (attack D12).  A kill at any moment
 * leaves the old file or the new one, and at most a hidden one.
 *
 * A name for the nameless: linkat with AT_EMPTY_PATH, which before Linux 6.10
 * is root's alone.  The other way, by /proc/self/fd, was rejected: a
 * descriptor of /proc in a worker would be a way out of its chroot.
 *
 * Order with the quota: what is to get a name is counted before it has one,
 * and what loses its name after that.  A kill between counts too much until
 * the next survey, and never too little.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"
#include "storage/quota.h"

#define PROMOTE_BYTES (1024 * 1024) /* more than this survives a kill */
#define AHEAD_BYTES (4 * 1024 * 1024) /* reserved beyond what is needed */
#define COPY_BYTES (128 * 1024)
#define PAGE_BYTES 4096
#define HELD_BYTES (64 * 1024) /* a multiple of every file system's block */
#define NAME_RACES 16

struct storage_upload {
	const struct posix *p;
	struct posix_place at;	/* its directory, and the name it will have */
	struct storage_upload_how how;
	int fd;
	char hidden[NAME_MAX + 1]; /* the name it has, or empty */
	char part[NAME_MAX + 1];   /* the one it is kept under, or empty */
	uint64_t size;
	size_t n_held;		/* of them the last, not yet in the file */
	struct quota_amount reserved;
	bool kept;		/* so the quota was told */

	int from_fd;		/* what is copied first; -1: no more of it */
	uint64_t from_at, from_end;
	struct stat from;	/* size is 0 if nothing is appended to */
	bool appends;
	/*
	 * HELD_BYTES, at the beginning of a page as it is in the file: the
	 * kernel's copy between different places in a page takes far longer.
	 */
	char *held;
};

static enum storage_err
last_error(void)
{
	return posix_write_err(errno);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
upload_free(struct storage_upload *u)
{
	close_fd(&u->fd);
	close_fd(&u->from_fd);
	close_fd(&u->at.dir_fd);
	free(u->held);
	free(u);
}

/* ---- Room. */

static enum storage_err
reserve(struct storage_upload *u, uint64_t bytes, uint64_t files)
{
	struct quota_amount more = { bytes, files };
	enum storage_err err;

	if (u->p->writing.quota == NULL)
		return STORAGE_OK;
	err = quota_reserve(u->p->writing.quota, more, u->kept);
	if (err == STORAGE_OK) {
		u->reserved.bytes += bytes;
		u->reserved.files += files;
	}
	return err;
}

/*
 * Room for so many bytes in all.  More is taken the longer the file is, so
 * that a large one asks seldom and many small ones block nobody.
 */
static enum storage_err
reserve_until(struct storage_upload *u, uint64_t size)
{
	uint64_t need, ahead = size < AHEAD_BYTES ? size : AHEAD_BYTES;
	enum storage_err err;

	if (u->p->writing.quota == NULL || size <= u->reserved.bytes)
		return STORAGE_OK;
	need = size - u->reserved.bytes;
	err = reserve(u, need + ahead, 0);
	return err == STORAGE_OVER_QUOTA ? reserve(u, need, 0) : err;
}

static void
release_all(struct storage_upload *u)
{
	if (u->p->writing.quota != NULL)
		quota_release(u->p->writing.quota, u->reserved, u->kept);
	u->reserved = (struct quota_amount) { 0, 0 };
}

/* Before it has a name. */
static enum storage_err
tell_kept(struct storage_upload *u)
{
	enum storage_err err = STORAGE_OK;

	if (u->p->writing.quota != NULL && !u->kept)
		err = quota_keep(u->p->writing.quota, u->reserved);
	if (err == STORAGE_OK)
		u->kept = true;
	return err;
}

/* What is reserved becomes what the file has; called again, nothing. */
static enum storage_err
settle(struct storage_upload *u)
{
	struct quota_amount used = { u->size, 1 };
	enum storage_err err = STORAGE_OK;

	if (u->p->writing.quota != NULL)
		err = quota_settle(u->p->writing.quota, u->reserved,
		    u->kept, used);
	if (err == STORAGE_OK)
		u->reserved = (struct quota_amount) { 0, 0 };
	return err;
}

/* A disk without room is met before the client has sent it all. */
static enum storage_err
check_space(const struct storage_upload *u)
{
	struct statvfs fs;

	if (u->how.expected == 0 || fstatvfs(u->at.dir_fd, &fs) != 0 ||
	    fs.f_frsize == 0)
		return STORAGE_OK;
	return u->how.expected / fs.f_frsize > fs.f_bavail ? STORAGE_NO_SPACE :
	    STORAGE_OK;
}

/* ---- Names. */

/*
 * Whether a file without a name can get one.  It is asked with a directory,
 * which never can: who may do it at all is told so by another error.
 */
static bool
links_unnamed(const struct posix *p)
{
	/* The cast is for the table of functions, which knows no const. */
	atomic_int *known = &((struct posix *)(uintptr_t)p)->links_unnamed;
	int fd;

	if (atomic_load(known) == 0) {
		fd = posix_openat(p->root_fd, ".", O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return false;
		atomic_store(known, linkat(fd, "", p->root_fd,
		    HIDDEN_PREFIX "try", AT_EMPTY_PATH) != 0 &&
		    errno == ENOENT ? -1 : 1);
		close(fd);
	}
	return atomic_load(known) > 0;
}

/* Gives it the name, where nothing has it yet, in place of the one it has. */
static enum storage_err
take_name(struct storage_upload *u, const char *name)
{
	if (u->hidden[0] != '\0')
		return posix_move_new(u->at.dir_fd, u->hidden, name);
	return linkat(u->fd, "", u->at.dir_fd, name, AT_EMPTY_PATH) == 0 ?
	    STORAGE_OK : last_error();
}

static enum storage_err
take_hidden_name(struct storage_upload *u, const char *name)
{
	enum storage_err err = tell_kept(u);

	if (err == STORAGE_OK)
		err = take_name(u, name);
	if (err == STORAGE_OK)
		memcpy(u->hidden, name, strlen(name) + 1);
	return err;
}

static enum storage_err
take_new_name(struct storage_upload *u)
{
	char name[NAME_MAX + 1];

	return hidden_new(name) ? take_hidden_name(u, name) : STORAGE_BUSY;
}

/* From now on it outlives its process; if not, it is still an upload. */
static void
promote(struct storage_upload *u)
{
	if (u->part[0] == '\0' || strcmp(u->part, u->hidden) == 0)
		return;
	if (take_hidden_name(u, u->part) == STORAGE_OK)
		return;
	if (posix_part_remove(u->p, u->at.dir_fd, u->part) != STORAGE_OK ||
	    take_hidden_name(u, u->part) != STORAGE_OK)
		u->part[0] = '\0';	/* another session writes to that */
}

/* ---- Blocks. */

static enum storage_err
write_all(int fd, const char *buf, size_t n, uint64_t offset)
{
	while (n > 0) {
		ssize_t put = pwrite(fd, buf, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put == 0 ? STORAGE_WRITE : last_error();
		buf += put;
		n -= (size_t)put;
		offset += (uint64_t)put;
	}
	return STORAGE_OK;
}

static enum storage_err
write_held(struct storage_upload *u)
{
	enum storage_err err = write_all(u->fd, u->held, u->n_held,
	    u->size - u->n_held);

	if (err == STORAGE_OK)
		u->n_held = 0;
	return err;
}

/*
 * A block is written once, and whole.  Written in two pieces it may be on a
 * disk whose power goes off with the first one alone, in a file that is said
 * to have both: no hole tells of the zeros then (seen on ext4), and whoever
 * goes on with that part would keep them.
 */
static enum storage_err
append(struct storage_upload *u, const char *buf, size_t n)
{
	enum storage_err err = STORAGE_OK;

	while (err == STORAGE_OK && n > 0) {
		size_t room = HELD_BYTES - (size_t)(u->size % HELD_BYTES);
		size_t took = n < room ? n : room;

		if (u->n_held == 0 && n >= room) {
			took = n - (n - room) % HELD_BYTES;
			err = write_all(u->fd, buf, took, u->size);
		} else {
			memcpy(u->held + u->n_held, buf, took);
			if (took == room)
				err = write_all(u->fd, u->held, u->n_held +
				    took, u->size - u->n_held);
			if (err == STORAGE_OK)
				u->n_held = took == room ? 0 :
				    u->n_held + took;
		}
		if (err != STORAGE_OK)
			return err;
		u->size += took;
		buf += took;
		n -= took;
	}
	return err;
}

/* The block that the file ends in is held again. */
static enum storage_err
hold_end(struct storage_upload *u)
{
	size_t n = (size_t)(u->size % HELD_BYTES), got = 0;

	while (got < n) {
		ssize_t more = pread(u->fd, u->held + got, n - got,
		    (off_t)(u->size - n + got));

		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			return STORAGE_IO;
		got += (size_t)more;
	}
	if (ftruncate(u->fd, (off_t)(u->size - n)) != 0)
		return last_error();
	u->n_held = n;
	return STORAGE_OK;
}

/* ---- Beginning. */

static enum storage_err
open_named(struct storage_upload *u)
{
	enum storage_err err = tell_kept(u);
	mode_t mode = 0600;

	if (err != STORAGE_OK)
		return err;
	if (!hidden_new(u->hidden))
		return STORAGE_BUSY;
	/* What others of us must not open at last they must not before. */
	if ((u->how.flags & STORAGE_DROP) != 0)
		mode &= u->how.mode;
	u->fd = posix_openat(u->at.dir_fd, u->hidden, O_RDWR | O_CREAT |
	    O_EXCL | O_NOFOLLOW, mode);
	if (u->fd >= 0)
		return STORAGE_OK;
	u->hidden[0] = '\0';
	return last_error();
}

static enum storage_err
open_unnamed(struct storage_upload *u)
{
	u->fd = posix_openat(u->at.dir_fd, ".", O_RDWR | O_TMPFILE, 0600);
	if (u->fd >= 0)
		return STORAGE_OK;
	switch (errno) {
	case EOPNOTSUPP:
	case EISDIR:	/* how file systems that know of none say so */
	case EINVAL:
	case ENOENT:
		return open_named(u);
	default:
		return last_error();
	}
}

/* An empty file, with room for what is expected. */
static enum storage_err
open_new(struct storage_upload *u)
{
	bool unnamed = !u->p->writing.named && links_unnamed(u->p);
	enum storage_err err = reserve(u, u->how.expected, 1);

	if (err != STORAGE_OK)
		return err;
	err = unnamed ? open_unnamed(u) : open_named(u);
	if (err == STORAGE_OK)
		(void)posix_part_lock(u->fd);
	return err;
}

/* *fd is the partial upload, which becomes this one's file. */
static enum storage_err
go_on_with(struct storage_upload *u, int *fd, const struct stat *stat)
{
	uint64_t size = posix_part_sound_size(*fd, stat);
	struct quota_amount has = { (uint64_t)stat->st_size, 1 };
	enum storage_err err = STORAGE_OK;

	if ((u->how.flags & STORAGE_RESUME) != 0) {
		if (u->how.resume_at > size)
			return STORAGE_BAD_OFFSET;
		size = u->how.resume_at;
	}
	if (u->p->writing.quota != NULL &&
	    (err = quota_take_up(u->p->writing.quota, has)) != STORAGE_OK)
		return err;
	u->reserved = has;
	u->kept = true;
	u->fd = *fd;
	*fd = -1;
	memcpy(u->hidden, u->part, sizeof(u->hidden));
	u->size = size;
	err = hold_end(u);
	if (err != STORAGE_OK)
		u->size = has.bytes;
	return err;
}

/* Its beginning is that of the file that is there. */
static enum storage_err
copy_from(struct storage_upload *u)
{
	bool appends = (u->how.flags & STORAGE_RESUME) == 0;
	int fd = posix_openat(u->at.dir_fd, u->at.name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return errno == ENOENT && appends ? STORAGE_OK : last_error();
	u->from_fd = fd;
	if (fstat(fd, &u->from) != 0)
		return last_error();
	if (!S_ISREG(u->from.st_mode))
		return STORAGE_NOT_FILE;
	u->from_end = appends ? (uint64_t)u->from.st_size : u->how.resume_at;
	u->appends = true;
	if (u->from_end > (uint64_t)u->from.st_size)
		return STORAGE_BAD_OFFSET;
	return STORAGE_OK;
}

static enum storage_err
open_to_go_on(struct storage_upload *u)
{
	char part[NAME_MAX + 1];
	enum storage_err err;
	struct stat stat;
	int fd = -1;

	hidden_part(u->p->writing.owner, u->at.name, part);
	err = posix_part_open(u->at.dir_fd, part, &fd, &stat);
	if (err == STORAGE_OK) {
		memcpy(u->part, part, sizeof(part));
		err = go_on_with(u, &fd, &stat);
		close_fd(&fd);
		return err;
	}
	if (err != STORAGE_NOT_FOUND)
		return err;
	err = copy_from(u);
	return err == STORAGE_OK ? open_new(u) : err;
}

/* Early, before the client sends it all; commit looks again. */
static enum storage_err
check_target(const struct storage_upload *u)
{
	struct stat stat;

	if (fstatat(u->at.dir_fd, u->at.name, &stat,
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
		return errno == ENOENT ? STORAGE_OK : last_error();
	if (!S_ISREG(stat.st_mode))
		return STORAGE_NOT_FILE;
	return (u->how.flags & STORAGE_REPLACE) != 0 ? STORAGE_OK :
	    STORAGE_EXISTS;
}

/* The name that it drops under is the only one it ever has. */
static enum storage_err
choose_names(struct storage_upload *u)
{
	char name[NAME_MAX + 1];

	if ((u->how.flags & STORAGE_DROP) != 0) {
		if (!hidden_drop(u->at.name, name))
			return STORAGE_TOO_LONG;
		memcpy(u->at.name, name, sizeof(name));
		u->how.flags = STORAGE_DROP;
	} else if ((u->how.flags & STORAGE_KEEP) != 0) {
		hidden_part(u->p->writing.owner, u->at.name, u->part);
	}
	return STORAGE_OK;
}

static void
discard(struct storage_upload *u)
{
	if (u->hidden[0] != '\0')
		unlinkat(u->at.dir_fd, u->hidden, 0);
	release_all(u);
	upload_free(u);
}

static enum storage_err
begin(struct storage_upload *u)
{
	enum storage_err err = choose_names(u);

	if (err == STORAGE_OK)
		err = check_target(u);
	if (err == STORAGE_OK)
		err = check_space(u);
	if (err != STORAGE_OK)
		return err;
	if ((u->how.flags & (STORAGE_RESUME | STORAGE_APPEND)) != 0)
		return open_to_go_on(u);
	return open_new(u);
}

enum storage_err
posix_upload_begin(struct storage *st, struct sv path,
    const struct storage_upload_how *how, struct storage_upload **out)
{
	struct storage_upload *u = calloc(1, sizeof(*u));
	enum storage_err err;

	if (u == NULL)
		return STORAGE_BUSY;
	u->p = (const struct posix *)st;
	u->how = *how;
	u->fd = u->from_fd = u->at.dir_fd = -1;
	u->held = aligned_alloc(PAGE_BYTES, HELD_BYTES);
	err = u->held == NULL ? STORAGE_BUSY : STORAGE_OK;
	if (err == STORAGE_OK)
		err = posix_place_open(u->p, path, &u->at);
	if (err == STORAGE_OK)
		err = begin(u);
	if (err != STORAGE_OK) {
		/* A partial upload that could not be gone on with stays. */
		posix_upload_abort(u, true);
		return err;
	}
	*out = u;
	return STORAGE_OK;
}

/* ---- Bytes. */

uint64_t
posix_upload_size(const struct storage_upload *u)
{
	return u->size;
}

const char *
posix_upload_name(const struct storage_upload *u)
{
	return u->at.name;
}

int
posix_upload_fd(struct storage_upload *u)
{
	return write_held(u) == STORAGE_OK ? u->fd : -1;
}

/* No session does. */
static enum storage_err
write_again(struct storage_upload *u, const void *buf, size_t n,
    uint64_t offset)
{
	enum storage_err err = write_held(u);

	if (err == STORAGE_OK)
		err = write_all(u->fd, buf, n, offset);
	if (err == STORAGE_OK && offset + n > u->size)
		u->size = offset + n;
	return err;
}

enum storage_err
posix_upload_write(struct storage_upload *u, const void *buf, size_t n,
    uint64_t offset)
{
	enum storage_err err;

	if (offset > u->size)
		return STORAGE_BAD_OFFSET;
	if (n > INT64_MAX || offset > INT64_MAX - (uint64_t)n)
		return STORAGE_TOO_LARGE;
	err = reserve_until(u, offset + n);
	if (err == STORAGE_OK && offset == u->size)
		err = append(u, buf, n);
	else if (err == STORAGE_OK)
		err = write_again(u, buf, n, offset);
	if (err != STORAGE_OK)
		return err;
	if (u->size >= PROMOTE_BYTES)
		promote(u);
	return STORAGE_OK;
}

/* One piece, of a size that a thread's stack need not hold. */
static enum storage_err
copy_piece(struct storage_upload *u, char *buf)
{
	uint64_t left = u->from_end - u->from_at;
	size_t want = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
	ssize_t n = pread(u->from_fd, buf, want, (off_t)u->from_at);
	enum storage_err err;

	if (n < 0)
		return errno == EINTR ? STORAGE_OK : STORAGE_IO;
	if (n == 0)
		return STORAGE_CHANGED;
	err = posix_upload_write(u, buf, (size_t)n, u->from_at);
	if (err == STORAGE_OK)
		u->from_at += (uint64_t)n;
	return err;
}

enum storage_err
posix_upload_copy(struct storage_upload *u, uint64_t most)
{
	enum storage_err err = STORAGE_OK;
	uint64_t end = most < UINT64_MAX - u->from_at ? u->from_at + most :
	    UINT64_MAX;
	char *buf;

	if (u->from_fd < 0)
		return STORAGE_OK;
	if ((buf = malloc(COPY_BYTES)) == NULL)
		return STORAGE_BUSY;
	while (err == STORAGE_OK && u->from_at < u->from_end &&
	    u->from_at < end)
		err = copy_piece(u, buf);
	free(buf);
	if (err != STORAGE_OK)
		return err;
	if (u->from_at < u->from_end)
		return STORAGE_LATER;
	close_fd(&u->from_fd);
	return STORAGE_OK;
}

/* ---- The end. */

/* The permissions before the name: nobody sees it with others. */
static enum storage_err
finish_file(struct storage_upload *u)
{
	enum storage_err err;

	if (u->from_fd >= 0)
		return STORAGE_BUSY;	/* not all was copied */
	err = write_held(u);
	if (err != STORAGE_OK)
		return err;
	if (fchmod(u->fd, u->how.mode & 0666) != 0)
		return last_error();
	/*
	 * After a failed one the kernel may take the lost bytes for written:
	 * a second one would not be an answer, nor would the file be whole.
	 */
	return !u->p->writing.durable || fsync(u->fd) == 0 ? STORAGE_OK :
	    errno == ENOSPC || errno == EDQUOT ? STORAGE_NO_SPACE :
	    STORAGE_WRITE;
}

static bool
is_as_it_was(const struct storage_upload *u, const struct stat *now)
{
	return now->st_ino == u->from.st_ino && now->st_dev == u->from.st_dev &&
	    now->st_size == u->from.st_size &&
	    now->st_mtim.tv_sec == u->from.st_mtim.tv_sec &&
	    now->st_mtim.tv_nsec == u->from.st_mtim.tv_nsec;
}

/* In place of what is there. */
static enum storage_err
replace(struct storage_upload *u, const struct stat *old)
{
	enum storage_err err = STORAGE_OK;

	if (!S_ISREG(old->st_mode))
		return STORAGE_NOT_FILE;
	if ((u->how.flags & STORAGE_REPLACE) == 0)
		return STORAGE_EXISTS;
	if (u->appends && !is_as_it_was(u, old))
		return STORAGE_CHANGED;
	if (u->hidden[0] == '\0')
		err = take_new_name(u);
	if (err != STORAGE_OK)
		return err;
	if (renameat(u->at.dir_fd, u->hidden, u->at.dir_fd, u->at.name) != 0)
		return last_error();
	quota_forget(u->p->writing.quota, (struct quota_amount) {
	    (uint64_t)old->st_size, 1 });
	return STORAGE_OK;
}

static enum storage_err
give_name(struct storage_upload *u)
{
	enum storage_err err = STORAGE_EXISTS;
	struct stat old;

	for (int i = 0; i < NAME_RACES && err == STORAGE_EXISTS; i++) {
		if (fstatat(u->at.dir_fd, u->at.name, &old,
		    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0)
			return replace(u, &old);
		if (errno != ENOENT)
			return last_error();
		if (u->appends)
			return STORAGE_CHANGED;
		err = take_name(u, u->at.name);
	}
	return err;
}

/*
 * Nothing else of the account changes names between counting and naming.
 * A name taken for the moment is not kept: it is used by now.
 */
static enum storage_err
publish(struct storage_upload *u)
{
	struct quota *q = u->p->writing.quota;
	enum storage_err err;

	quota_lock_names(q);
	err = settle(u);
	if (err == STORAGE_OK) {
		err = give_name(u);
		if (err != STORAGE_OK)
			quota_forget(q, (struct quota_amount) { u->size, 1 });
	}
	quota_unlock_names(q);
	return err;
}

/* This is the newer: who asks for that upload's size should not meet it. */
static void
forget_part(const struct storage_upload *u)
{
	if (u->part[0] != '\0' && strcmp(u->part, u->hidden) != 0)
		(void)posix_part_remove(u->p, u->at.dir_fd, u->part);
}

enum storage_err
posix_upload_commit(struct storage_upload *u)
{
	enum storage_err err = finish_file(u);

	if (err == STORAGE_OK)
		err = publish(u);
	if (err != STORAGE_OK) {
		discard(u);
		return err;
	}
	forget_part(u);
	err = posix_sync_dir(u->p, u->at.dir_fd);
	upload_free(u);
	return err;
}

void
posix_upload_abort(struct storage_upload *u, bool keep)
{
	if (keep && u->fd >= 0 && u->size > 0) {
		if (write_held(u) != STORAGE_OK)
			u->size -= u->n_held;
		promote(u);
	}
	if (!keep || u->part[0] == '\0' || strcmp(u->part, u->hidden) != 0 ||
	    (u->p->writing.durable && fsync(u->fd) != 0) ||
	    settle(u) != STORAGE_OK) {
		discard(u);
		return;
	}
	(void)posix_sync_dir(u->p, u->at.dir_fd);
	upload_free(u);
}
