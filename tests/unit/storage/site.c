/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/site.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
site_put(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct storage *
site_again(const struct site *s, uint64_t owner, bool durable,
    struct quota *quota)
{
	int root = openat(s->base_fd, "root", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	struct storage *st = storage_posix_new(root);
	struct storage_writing how = { .owner = owner, .durable = durable,
		.quota = quota };

	assert_non_null(st);
	assert_true(storage_posix_allow_writing(st, &how));
	return st;
}

struct quota *
site_quota(const struct site *s, struct quota_amount limit, uint64_t boot)
{
	int fd = openat(s->base_fd, "quota", O_RDWR | O_CREAT | O_CLOEXEC,
	    0600);
	struct quota *q = NULL;

	assert_true(fd >= 0);
	assert_int_equal(quota_open(fd, limit, boot, &q), STORAGE_OK);
	return q;
}

void
site_limit(struct site *s, uint64_t bytes, uint64_t files)
{
	s->quota = site_quota(s, (struct quota_amount) { bytes, files }, 1);
	storage_posix_free(s->st);
	s->st = site_again(s, OWNER, false, s->quota);
}

static int
open_in(void **state, const char *tmp)
{
	struct site *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	umask(022);
	snprintf(s->base, sizeof(s->base), "%s/upload-XXXXXX", tmp);
	if (mkdtemp(s->base) == NULL)
		return -1;
	s->base_fd = open(s->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(s->base_fd, "outside", 0755);
	site_put(s->base_fd, "outside/file", "secret");
	mkdirat(s->base_fd, "root", 0755);
	mkdirat(s->base_fd, "root/in", 0755);
	s->root = openat(s->base_fd, "root", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC);
	s->st = site_again(s, OWNER, true, NULL);
	*state = s;
	return 0;
}

int
site_open(void **state)
{
	const char *tmp = getenv("TMPDIR");

	return open_in(state, tmp != NULL && strlen(tmp) < 40 ? tmp : "/tmp");
}

int
site_open_in_memory(void **state)
{
	return access("/dev/shm", W_OK | X_OK) != 0 ? site_open(state) :
	    open_in(state, "/dev/shm");
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)stat;
	(void)type;
	(void)at;
	return remove(path);
}

int
site_close(void **state)
{
	struct site *s = *state;
	int result;

	storage_posix_free(s->st);
	quota_close(s->quota);
	close(s->root);
	close(s->base_fd);
	result = nftw(s->base, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	free(s);
	return result;
}

void
site_has(const struct site *s, const char *path, const char *text)
{
	char buf[256];
	int fd = openat(s->root, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, text);
}

bool
site_exists(const struct site *s, const char *path)
{
	struct stat stat;

	return fstatat(s->root, path, &stat, AT_SYMLINK_NOFOLLOW) == 0;
}

struct stat
site_stat(const struct site *s, const char *path)
{
	struct stat stat;

	assert_int_equal(fstatat(s->root, path, &stat, AT_SYMLINK_NOFOLLOW), 0);
	return stat;
}

size_t
site_names(const struct site *s, const char *dir, const char *prefix)
{
	int fd = openat(s->root, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0 &&
		    strncmp(e->d_name, prefix, strlen(prefix)) == 0;
	closedir(d);
	return n;
}

size_t
site_listed(struct storage *st, const char *dir)
{
	struct storage_entry e;
	struct storage_dir *d;
	enum storage_err err;
	size_t n = 0;

	assert_int_equal(st->ops->open_dir(st, sv_of(dir), STORAGE_WAIT, &d),
	    STORAGE_OK);
	while ((err = st->ops->next(d, false, &e)) == STORAGE_OK)
		n++;
	assert_int_equal(err, STORAGE_NOT_FOUND);
	st->ops->close_dir(d);
	return n;
}

enum storage_err
site_begin(struct storage *st, const char *path,
    struct storage_upload_how how, const char *text,
    struct storage_upload **out)
{
	enum storage_err err;

	if (how.mode == 0)
		how.mode = 0644;
	err = st->ops->upload_begin(st, sv_of(path), &how, out);
	if (err != STORAGE_OK)
		return err;
	while ((err = st->ops->upload_copy(*out, 1)) == STORAGE_LATER)
		continue;
	if (err == STORAGE_OK)
		err = st->ops->upload_write(*out, text, strlen(text),
		    st->ops->upload_size(*out));
	if (err != STORAGE_OK)
		st->ops->upload_abort(*out, false);
	return err;
}

enum storage_err
site_store(struct storage *st, const char *path, unsigned flags,
    const char *text)
{
	struct storage_upload_how how = { .flags = flags };
	struct storage_upload *u;
	enum storage_err err = site_begin(st, path, how, text, &u);

	return err != STORAGE_OK ? err : st->ops->upload_commit(u);
}
