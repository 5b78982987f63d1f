/*
 * storage/posix_box.c: what is in a drop box, now.
 *
 * It is counted anew each time, and not kept by the processes that write:
 * people of the archive move files out of it from the shell, and no process
 * could lie to the others about it.  Uploads under way have a name there from
 * their beginning (storage_writing.named), so that they are counted as well.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "storage/hidden.h"
#include "storage/posix.h"

/* Nobody came for it in time; true: it is gone. */
static bool
has_gone(int dir_fd, const char *name, const struct stat *stat,
    const struct storage_box_ages *ages)
{
	enum storage_err err;
	struct stat locked;
	bool gone = false;
	int fd = -1;

	if (hidden_is_drop(name))
		return stat->st_mtim.tv_sec < ages->drops &&
		    unlinkat(dir_fd, name, 0) == 0;
	if (!hidden_expires(name) || stat->st_mtim.tv_sec >= ages->parts)
		return false;
	/*
	 * One that somebody writes to stays, as far as we may look: drops are
	 * closed to us from their beginning.  Who is late loses his upload,
	 * and is told so.
	 */
	err = posix_part_open(dir_fd, name, &fd, &locked);
	if (err == STORAGE_OK || err == STORAGE_DENIED)
		gone = unlinkat(dir_fd, name, 0) == 0;
	if (err == STORAGE_OK)
		close(fd);
	return gone;
}

static void
look_at(int dir_fd, const char *name, const struct storage_box_ages *ages,
    struct storage_survey *out)
{
	struct stat stat;

	if (fstatat(dir_fd, name, &stat,
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 ||
	    !S_ISREG(stat.st_mode))
		return;
	if (has_gone(dir_fd, name, &stat, ages)) {
		out->removed++;
		return;
	}
	out->files++;
	out->bytes += (uint64_t)stat.st_size;
}

enum storage_err
storage_posix_box(struct storage *st, const struct storage_box_ages *ages,
    uint64_t most, struct storage_survey *out)
{
	const struct posix *p = (const struct posix *)st;
	int fd = posix_openat(p->root_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	const struct dirent *e;
	DIR *dir;

	*out = (struct storage_survey) { 0 };
	if (fd < 0)
		return posix_err_of(errno);
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return STORAGE_BUSY;
	}
	while (out->files <= most && (errno = 0, e = readdir(dir)) != NULL)
		look_at(dirfd(dir), e->d_name, ages, out);
	closedir(dir);
	return STORAGE_OK;
}
