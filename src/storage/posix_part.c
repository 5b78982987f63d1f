/*
 * storage/posix_part.c: hidden files of uploads that are not done.
 *
 * Who writes to one holds a lock on it (flock(2)), which ends with his
 * process, however that ends.  So one that nobody holds is left behind: it
 * can be gone on with, or removed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"
#include "storage/quota.h"

bool
posix_part_lock(int fd)
{
	/* Where there are no locks, nobody is kept out by them. */
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

/* Before it was locked it may have been removed, or become a file. */
static enum storage_err
check_locked(int dir_fd, const char *name, int fd, struct stat *stat)
{
	struct stat named;

	if (fstat(fd, stat) != 0)
		return posix_write_err(errno);
	if (!S_ISREG(stat->st_mode))
		return STORAGE_NOT_FOUND;
	if (!posix_part_lock(fd))
		return STORAGE_BUSY;
	if (fstat(fd, stat) != 0 || fstatat(dir_fd, name, &named,
	    AT_SYMLINK_NOFOLLOW) != 0)
		return posix_write_err(errno);
	return named.st_ino == stat->st_ino && named.st_dev == stat->st_dev ?
	    STORAGE_OK : STORAGE_BUSY;
}

enum storage_err
posix_part_open(int dir_fd, const char *name, int *fd, struct stat *stat)
{
	enum storage_err err;
	int got = posix_openat(dir_fd, name,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);

	if (got < 0)
		return posix_write_err(errno);
	err = check_locked(dir_fd, name, got, stat);
	if (err != STORAGE_OK) {
		close(got);
		return err;
	}
	*fd = got;
	return STORAGE_OK;
}

enum storage_err
posix_part_remove(const struct posix *p, int dir_fd, const char *name)
{
	struct stat stat;
	int fd = -1;
	enum storage_err err = posix_part_open(dir_fd, name, &fd, &stat);

	if (err != STORAGE_OK)
		return err;
	if (unlinkat(dir_fd, name, 0) == 0)
		quota_forget(p->writing.quota, (struct quota_amount) {
		    (uint64_t)stat.st_size, 1 });
	else
		err = posix_write_err(errno);
	close(fd);
	return err;
}

/* The names in it are all of that kind; nothing is removed before. */
static enum storage_err
has_none_else(DIR *dir)
{
	const struct dirent *e;

	errno = 0;
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 && !hidden_expires(e->d_name))
			return STORAGE_NOT_EMPTY;
	return errno == 0 ? STORAGE_OK : STORAGE_IO;
}

enum storage_err
posix_part_remove_all(const struct posix *p, int dir_fd)
{
	int again = posix_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *e;
	enum storage_err err;

	if (dir == NULL) {
		if (again >= 0)
			close(again);
		return STORAGE_BUSY;
	}
	err = has_none_else(dir);
	rewinddir(dir);
	while (err == STORAGE_OK && (e = readdir(dir)) != NULL)
		if (hidden_expires(e->d_name))
			err = posix_part_remove(p, dir_fd, e->d_name);
	closedir(dir);
	return err == STORAGE_BUSY ? STORAGE_NOT_EMPTY : err;
}

uint64_t
posix_part_sound_size(int fd, const struct stat *stat)
{
	off_t hole = lseek(fd, 0, SEEK_HOLE);

	return hole >= 0 && hole < stat->st_size ? (uint64_t)hole :
	    (uint64_t)stat->st_size;
}

static enum storage_err
size_of(int fd, uint64_t *out)
{
	struct stat stat;

	if (fstat(fd, &stat) != 0)
		return posix_write_err(errno);
	if (!S_ISREG(stat.st_mode))
		return STORAGE_NOT_FOUND;
	*out = posix_part_sound_size(fd, &stat);
	return STORAGE_OK;
}

enum storage_err
posix_partial_size(struct storage *st, struct sv path, uint64_t *out)
{
	const struct posix *p = (const struct posix *)st;
	char part[NAME_MAX + 1];
	struct posix_place at;
	enum storage_err err = posix_place_open(p, path, &at);
	int fd;

	if (err != STORAGE_OK)
		return err;
	hidden_part(p->writing.owner, at.name, part);
	fd = posix_openat(at.dir_fd, part,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	err = fd < 0 ? posix_write_err(errno) : size_of(fd, out);
	if (fd >= 0)
		close(fd);
	close(at.dir_fd);
	return err;
}
