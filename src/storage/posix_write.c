/*
 * storage/posix_write.c: names that are made, moved and removed.
 *
 * A path is resolved once, down to the directory that its last component is
 * in; all that follows happens to a name in that open directory, which no
 * call follows if it is a link.  Whoever swaps directories for links
 * meanwhile (attack D03) changes where a *later* call goes, and never to
 * outside the root.
 *
 * A name is looked at before it is changed, to answer well and to count the
 * quota; what must not happen in between is left to calls that refuse it
 * themselves (RENAME_NOREPLACE, O_EXCL), not to what was seen.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"
#include "storage/quota.h"

enum storage_err
posix_write_err(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return STORAGE_NO_SPACE;
	case EFBIG:
		return STORAGE_TOO_LARGE;
	case EEXIST:
		return STORAGE_EXISTS;
	case ENOTEMPTY:
		return STORAGE_NOT_EMPTY;
	case EISDIR:
		return STORAGE_NOT_FILE;
	case EXDEV:
		return STORAGE_OTHER_DISK;
	case EROFS:
	case EBUSY:  /* something is mounted there */
	case EINVAL: /* a directory into itself */
	case EMLINK:
		return STORAGE_DENIED;
	default: {
		enum storage_err err = posix_err_of(error);

		return err == STORAGE_IO ? STORAGE_WRITE : err;
	}
	}
}

static enum storage_err
last_error(void)
{
	return posix_write_err(errno);
}

/* Parent and name; false: path is the root. */
static bool
split(struct sv path, struct sv *parent, struct sv *name)
{
	size_t n = path.len;

	while (n > 0 && path.ptr[n - 1] != '/')
		n--;
	*name = sv_drop(path, n);
	*parent = (struct sv) { path.ptr, n > 0 ? n - 1 : 0 };
	return name->len > 0;
}

enum storage_err
posix_place_open(const struct posix *p, struct sv path,
    struct posix_place *out)
{
	struct sv parent, name;

	if (p->commit == NULL || !split(path, &parent, &name))
		return STORAGE_DENIED;
	if (name.len > NAME_MAX)
		return STORAGE_TOO_LONG;
	if (hidden_is(name) || memchr(name.ptr, '\0', name.len) != NULL)
		return STORAGE_BAD_NAME;
	memcpy(out->name, name.ptr, name.len);
	out->name[name.len] = '\0';
	/* Not O_PATH: it is to be synced. */
	return posix_open_beneath(p, parent, O_RDONLY | O_DIRECTORY,
	    STORAGE_WAIT, &out->dir_fd);
}

enum storage_err
posix_sync_dir(const struct posix *p, int dir_fd)
{
	if (!p->writing.durable || commit_sync(p->commit, dir_fd) == 0)
		return STORAGE_OK;
	return STORAGE_WRITE;
}

/* What a name is; errno is set if it is nothing. */
static bool
look(int dir_fd, const char *name, struct stat *stat)
{
	return fstatat(dir_fd, name, stat,
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

/*
 * A file system that cannot refuse to replace can link, which does: then the
 * file has both names for a moment, and after a crash.  Of directories there
 * is no such way.
 */
static int
move_by_link(int from_fd, const char *from, int to_fd, const char *to)
{
	if (linkat(from_fd, from, to_fd, to, 0) != 0)
		return -1;
	return unlinkat(from_fd, from, 0);
}

static int
move_refusing(int from_fd, const char *from, int to_fd, const char *to)
{
	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (move_by_link(from_fd, from, to_fd, to) == 0)
		return 0;
	if (errno == EPERM) /* a directory, or EINVAL was the answer */
		errno = EINVAL;
	return -1;
}

enum storage_err
posix_move_new(int dir_fd, const char *from, const char *to)
{
	return move_refusing(dir_fd, from, dir_fd, to) == 0 ? STORAGE_OK :
	    last_error();
}

static void
forget(const struct posix *p, const struct stat *gone)
{
	if (S_ISREG(gone->st_mode))
		quota_forget(p->writing.quota, (struct quota_amount) {
		    (uint64_t)gone->st_size, 1 });
}

static enum storage_err
remove_name(const struct posix *p, const struct posix_place *at)
{
	struct stat stat;

	if (!look(at->dir_fd, at->name, &stat))
		return last_error();
	if (!S_ISREG(stat.st_mode) && !S_ISLNK(stat.st_mode))
		return STORAGE_NOT_FILE;
	if (unlinkat(at->dir_fd, at->name, 0) != 0)
		return last_error();
	forget(p, &stat);
	return STORAGE_OK;
}

enum storage_err
posix_remove(struct storage *st, struct sv path)
{
	const struct posix *p = (const struct posix *)st;
	struct posix_place at;
	char part[NAME_MAX + 1];
	enum storage_err err = posix_place_open(p, path, &at);

	if (err != STORAGE_OK)
		return err;
	quota_lock_names(p->writing.quota);
	err = remove_name(p, &at);
	quota_unlock_names(p->writing.quota);
	if (err == STORAGE_NOT_FOUND) {
		hidden_part(p->writing.owner, at.name, part);
		err = posix_part_remove(p, at.dir_fd, part);
	}
	if (err == STORAGE_OK)
		err = posix_sync_dir(p, at.dir_fd);
	close(at.dir_fd);
	return err;
}

/*
 * Permissions are said with the name, and not set behind it: the name may
 * mean another directory by then (CVE-2012-6095).
 */
enum storage_err
posix_make_dir(struct storage *st, struct sv path, mode_t mode)
{
	const struct posix *p = (const struct posix *)st;
	struct posix_place at;
	enum storage_err err = posix_place_open(p, path, &at);

	if (err != STORAGE_OK)
		return err;
	err = mkdirat(at.dir_fd, at.name, mode & 0777) == 0 ?
	    posix_sync_dir(p, at.dir_fd) : last_error();
	close(at.dir_fd);
	return err;
}

/* To a client a directory is empty that has partial uploads alone. */
static enum storage_err
remove_leftovers(const struct posix *p, const struct posix_place *at)
{
	enum storage_err err;
	int fd = posix_openat(at->dir_fd, at->name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return last_error();
	err = posix_part_remove_all(p, fd);
	close(fd);
	return err;
}

enum storage_err
posix_remove_dir(struct storage *st, struct sv path)
{
	const struct posix *p = (const struct posix *)st;
	struct posix_place at;
	enum storage_err err = posix_place_open(p, path, &at);

	if (err != STORAGE_OK)
		return err;
	if (unlinkat(at.dir_fd, at.name, AT_REMOVEDIR) != 0) {
		err = errno == EEXIST ? STORAGE_NOT_EMPTY : last_error();
		if (err == STORAGE_NOT_EMPTY)
			err = remove_leftovers(p, &at);
		if (err == STORAGE_OK &&
		    unlinkat(at.dir_fd, at.name, AT_REMOVEDIR) != 0)
			err = last_error();
	}
	if (err == STORAGE_OK)
		err = posix_sync_dir(p, at.dir_fd);
	close(at.dir_fd);
	return err;
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Both names are one file: rename(2) would say yes and leave both. */
static enum storage_err
merge_names(const struct posix *p, const struct posix_place *from,
    const struct posix_place *to, const struct stat *file)
{
	struct stat a, b;

	if (fstat(from->dir_fd, &a) != 0 || fstat(to->dir_fd, &b) != 0)
		return last_error();
	if (is_same(&a, &b) && strcmp(from->name, to->name) == 0)
		return STORAGE_OK;
	if (unlinkat(from->dir_fd, from->name, 0) != 0)
		return last_error();
	forget(p, file);
	return STORAGE_OK;
}

static enum storage_err
move_replacing(const struct posix *p, const struct posix_place *from,
    const struct posix_place *to, const struct stat *moved)
{
	struct stat old;

	if (!look(to->dir_fd, to->name, &old))
		return errno != ENOENT ? last_error() :
		    move_refusing(from->dir_fd, from->name, to->dir_fd,
		    to->name) == 0 ? STORAGE_OK : last_error();
	if (is_same(moved, &old))
		return S_ISDIR(old.st_mode) ? STORAGE_EXISTS :
		    merge_names(p, from, to, &old);
	if (!S_ISREG(old.st_mode) && !S_ISLNK(old.st_mode))
		return STORAGE_EXISTS;
	if (renameat(from->dir_fd, from->name, to->dir_fd, to->name) != 0)
		return last_error();
	forget(p, &old);
	return STORAGE_OK;
}

static enum storage_err
move(const struct posix *p, const struct posix_place *from,
    const struct posix_place *to, unsigned flags)
{
	struct stat moved;

	if (!look(from->dir_fd, from->name, &moved))
		return last_error();
	if (!S_ISREG(moved.st_mode) && !S_ISLNK(moved.st_mode) &&
	    !S_ISDIR(moved.st_mode))
		return STORAGE_NOT_FILE;
	if ((flags & STORAGE_REPLACE) != 0 && !S_ISDIR(moved.st_mode))
		return move_replacing(p, from, to, &moved);
	if (move_refusing(from->dir_fd, from->name, to->dir_fd, to->name) != 0)
		return last_error();
	return STORAGE_OK;
}

/* The new name first: a crash between leaves two names, never none. */
static enum storage_err
sync_both(const struct posix *p, const struct posix_place *from,
    const struct posix_place *to)
{
	enum storage_err err = posix_sync_dir(p, to->dir_fd);

	return err != STORAGE_OK ? err : posix_sync_dir(p, from->dir_fd);
}

enum storage_err
posix_rename(struct storage *st, struct sv from, struct sv to, unsigned flags)
{
	const struct posix *p = (const struct posix *)st;
	struct posix_place a, b;
	enum storage_err err = posix_place_open(p, from, &a);

	if (err != STORAGE_OK)
		return err;
	err = posix_place_open(p, to, &b);
	if (err != STORAGE_OK) {
		close(a.dir_fd);
		return err;
	}
	quota_lock_names(p->writing.quota);
	err = move(p, &a, &b, flags);
	quota_unlock_names(p->writing.quota);
	if (err == STORAGE_OK)
		err = sync_both(p, &a, &b);
	close(a.dir_fd);
	close(b.dir_fd);
	return err;
}

/*
 * Opens what may be changed itself.  A file that has
 * other names is left alone: a snapshot made of hard links has them (D12).
 */
static enum storage_err
open_to_change(const struct posix *p, struct sv path, int *fd,
    struct stat *stat)
{
	/* fchmod(2) and fsync(2) take no O_PATH; some files no reader. */
	static const int ways[] = { O_RDONLY, O_WRONLY };
	struct posix_place at;
	enum storage_err err = posix_place_open(p, path, &at);
	int got = -1;

	if (err != STORAGE_OK)
		return err;
	for (size_t i = 0; i < 2 && got < 0; i++)
		got = posix_openat(at.dir_fd, at.name,
		    ways[i] | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	err = got < 0 ? last_error() : STORAGE_OK;
	close(at.dir_fd);
	if (err != STORAGE_OK)
		return err;
	if (fstat(got, stat) != 0)
		err = last_error();
	else if (!S_ISREG(stat->st_mode) && !S_ISDIR(stat->st_mode))
		err = STORAGE_NOT_FILE;
	else if (S_ISREG(stat->st_mode) && stat->st_nlink > 1)
		err = STORAGE_DENIED;
	if (err != STORAGE_OK) {
		close(got);
		return err;
	}
	*fd = got;
	return STORAGE_OK;
}

/* Where writing is durable. */
static enum storage_err
sync_file(const struct posix *p, int fd)
{
	return !p->writing.durable || fsync(fd) == 0 ? STORAGE_OK :
	    STORAGE_WRITE;
}

enum storage_err
posix_set_mtime(struct storage *st, struct sv path, int64_t seconds)
{
	const struct posix *p = (const struct posix *)st;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = seconds } };
	enum storage_err err;
	struct stat stat;
	int fd = -1;

	err = open_to_change(p, path, &fd, &stat);
	if (err != STORAGE_OK)
		return err;
	err = futimens(fd, times) == 0 ? sync_file(p, fd) : last_error();
	close(fd);
	return err;
}

enum storage_err
posix_chmod(struct storage *st, struct sv path, mode_t mode)
{
	const struct posix *p = (const struct posix *)st;
	enum storage_err err;
	struct stat stat;
	int fd = -1;

	err = open_to_change(p, path, &fd, &stat);
	if (err != STORAGE_OK)
		return err;
	err = fchmod(fd, mode & (S_ISDIR(stat.st_mode) ? 0777 : 0666)) == 0 ?
	    sync_file(p, fd) : last_error();
	close(fd);
	return err;
}
