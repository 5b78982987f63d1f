/*
 * index/beneath.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SUFFIX ".new"

int
index_open_beneath(const struct index_root *root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_NOFOLLOW | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
		    (root->one_file_system ? RESOLVE_NO_XDEV : 0),
	};

	return (int)syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
}

bool
index_place_of(const char *file, struct index_place *out, int *dir_fd)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(file, '/');
	const char *name = slash == NULL ? file : slash + 1;
	size_t n = slash == NULL ? 0 : (size_t)(slash - file) + 1;
	struct stat st;
	int fd;

	errno = ENAMETOOLONG;
	if (n >= sizeof(directory) || strlen(name) >= sizeof(out->name))
		return false;
	errno = EISDIR;
	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	memcpy(directory, n == 0 ? "." : file, n == 0 ? 1 : n);
	directory[n == 0 ? 1 : n] = '\0';
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0) {
		close(fd);
		return false;
	}
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	memcpy(out->name, name, strlen(name) + 1);
	if (dir_fd != NULL)
		*dir_fd = fd;
	else
		close(fd);
	return true;
}

bool
index_place_is(const struct index_place *p, dev_t dev, ino_t ino,
    const char *name)
{
	size_t own = strlen(p->name), n = strlen(name);

	if (own == 0 || p->dev != dev || p->ino != ino)
		return false;
	if (strcmp(p->name, name) == 0)
		return true;
	return n > own + 2 + sizeof(SUFFIX) - 1 && name[0] == '.' &&
	    memcmp(name + 1, p->name, own) == 0 && name[own + 1] == '.' &&
	    strspn(name + own + 2, "0123456789") ==
	    n - own - 2 - (sizeof(SUFFIX) - 1) &&
	    strcmp(name + n - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}
