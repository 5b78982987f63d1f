/*
 * storage/posix_survey.c: what is in the archive, and what was left behind.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"
#include "storage/quota.h"

struct survey {
	const struct posix *p;
	int64_t before;
	struct storage_survey found;
	unsigned depth;
	enum storage_err first;	/* error, where the rest is gone through */
};

static void
count(struct survey *s, const struct stat *stat)
{
	s->found.files++;
	s->found.bytes += (uint64_t)stat->st_size;
}

/* One that somebody writes to is counted where it is reserved. */
static void
look_at_part(struct survey *s, int dir_fd, const char *name)
{
	struct stat stat;
	int fd = -1;

	if (posix_part_open(dir_fd, name, &fd, &stat) != STORAGE_OK)
		return;
	if (stat.st_mtim.tv_sec >= s->before)
		count(s, &stat);
	else if (unlinkat(dir_fd, name, 0) == 0) {
		s->found.removed++;
		quota_forget(s->p->writing.quota, (struct quota_amount) {
		    (uint64_t)stat.st_size, 1 });
	}
	close(fd);
}

static enum storage_err walk(struct survey *s, int dir_fd);

static enum storage_err
walk_below(struct survey *s, int dir_fd, const char *name, dev_t dev)
{
	enum storage_err err = STORAGE_OK;
	struct stat stat;
	int fd = posix_openat(dir_fd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ?
		    STORAGE_OK : posix_err_of(errno);
	if (fstat(fd, &stat) == 0 && stat.st_dev == dev)
		err = walk(s, fd);
	close(fd);
	return err;
}

static enum storage_err
look_at(struct survey *s, int dir_fd, const char *name, dev_t dev)
{
	struct stat stat;

	if (hidden_expires(name)) {
		look_at_part(s, dir_fd, name);
		return STORAGE_OK;
	}
	if (fstatat(dir_fd, name, &stat,
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
		return errno == ENOENT ? STORAGE_OK : posix_err_of(errno);
	if (S_ISREG(stat.st_mode))
		count(s, &stat);
	else if (S_ISDIR(stat.st_mode))
		return walk_below(s, dir_fd, name, dev);
	return STORAGE_OK;
}

/* What is not counted need not be whole: one account's mess is its own. */
static enum storage_err
go_on(struct survey *s, enum storage_err err)
{
	if (s->p->writing.quota != NULL)
		return err;
	if (s->first == STORAGE_OK)
		s->first = err;
	return STORAGE_OK;
}

static enum storage_err
walk_names(struct survey *s, DIR *dir)
{
	enum storage_err err = STORAGE_OK;
	const struct dirent *e;
	struct stat stat;

	if (fstat(dirfd(dir), &stat) != 0)
		return posix_err_of(errno);
	while (err == STORAGE_OK && (errno = 0, e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			err = go_on(s, look_at(s, dirfd(dir), e->d_name,
			    stat.st_dev));
	return err == STORAGE_OK && e == NULL && errno != 0 ? STORAGE_IO : err;
}

/* Each level has one descriptor open, and its directory's. */
static enum storage_err
walk(struct survey *s, int dir_fd)
{
	enum storage_err err;
	DIR *dir;
	int fd;

	if (s->depth == STORAGE_SURVEY_DEPTH)
		return STORAGE_TOO_MANY;
	fd = posix_openat(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return posix_err_of(errno);
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return STORAGE_BUSY;
	}
	s->depth++;
	err = walk_names(s, dir);
	s->depth--;
	closedir(dir);
	return err;
}

enum storage_err
storage_posix_survey(struct storage *st, int64_t before,
    struct storage_survey *out)
{
	const struct posix *p = (const struct posix *)st;
	struct survey s = { .p = p, .before = before };
	struct quota *q = p->writing.quota;
	struct quota_amount found;
	enum storage_err err;

	if (p->commit == NULL)
		return STORAGE_DENIED;
	if (q != NULL && (err = quota_recount_begin(q)) != STORAGE_OK)
		return err;
	err = walk(&s, p->root_fd);
	if (err == STORAGE_OK)
		err = s.first;
	found = (struct quota_amount) { s.found.bytes, s.found.files };
	if (q != NULL) {
		enum storage_err counted = quota_recount_end(q,
		    err == STORAGE_OK ? &found : NULL);

		err = err != STORAGE_OK ? err : counted;
	}
	*out = s.found;
	return err;
}
