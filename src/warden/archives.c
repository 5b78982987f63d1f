/*
 * warden/archives.c: the directories that a worker gets.
 *
 * With one archive that becomes the worker's root directory.  With several
 * it is the lowest directory that holds them all: what lies outside that has
 * no name in the worker, and a ".." that leads out of one of them ends there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Goes up by one; false at the root, or where that cannot be done. */
static bool
go_up(int *fd)
{
	struct stat here, above;
	int parent = openat(*fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool moved;

	if (parent < 0)
		return false;
	moved = fstat(*fd, &here) == 0 && fstat(parent, &above) == 0 &&
	    !same(&here, &above);
	close(*fd);
	*fd = parent;
	return moved;
}

static bool
is_beneath(int dir, int top)
{
	int fd = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat here, wanted;
	bool found = false;

	if (fd < 0 || fstat(top, &wanted) != 0)
		found = false;
	else
		do {
			found = fstat(fd, &here) == 0 && same(&here, &wanted);
		} while (!found && go_up(&fd));
	if (fd >= 0)
		close(fd);
	return found;
}

static bool
holds_all(int top, const struct child_spec *spec)
{
	for (int i = INHERIT_SITES; i < spec->fds; i++)
		if (!is_beneath(spec->fd[i], top))
			return false;
	return true;
}

/* At worst "/": then there is no wall, and the worker says so. */
static int
common_top(const struct child_spec *spec)
{
	int top = openat(spec->fd[INHERIT_ARCHIVE], ".",
	    O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (top >= 0 && !holds_all(top, spec))
		if (!go_up(&top))
			break;
	return top;
}

static bool
open_at(struct child_spec *spec, int number, const char *path)
{
	spec->fd[number] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spec->fd[number] >= 0)
		return true;
	log_line("cannot open the archive %s: %s", path, strerror(errno));
	return false;
}

bool
archives_open(const struct conf *c, struct child_spec *spec)
{
	bool good;

	spec->fds = INHERIT_SITES + (int)c->sites.count;
	spec->fd[INHERIT_ARCHIVE] = -1;
	for (int i = INHERIT_TOP; i < spec->fds; i++)
		spec->fd[i] = -1;
	good = open_at(spec, INHERIT_ARCHIVE, c->archive);
	for (uint32_t i = 0; i < c->sites.count && good; i++)
		good = open_at(spec, INHERIT_SITES + (int)i,
		    c->sites.at[i].root);
	if (good && (spec->fd[INHERIT_TOP] = common_top(spec)) < 0) {
		log_line("cannot open what holds the archives: %s",
		    strerror(errno));
		good = false;
	}
	if (!good)
		archives_close(spec);
	return good;
}

void
archives_close(struct child_spec *spec)
{
	if (spec->fd[INHERIT_ARCHIVE] >= 0)
		close(spec->fd[INHERIT_ARCHIVE]);
	for (int i = INHERIT_TOP; i < spec->fds; i++)
		if (spec->fd[i] >= 0)
			close(spec->fd[i]);
}

/* Before a login, that it has no name there is all that stands between. */
void
archives_say_reach(const struct conf *c)
{
	struct child_spec spec;
	int accounts;

	if (c->accounts_file[0] == '\0' || !archives_open(c, &spec))
		return;
	accounts = open(c->accounts_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (accounts >= 0 && is_beneath(accounts, spec.fd[INHERIT_TOP]))
		log_line("accounts.root: it is in the root directory of "
		    "workers, which holds the archives: one that is taken "
		    "over reaches it without a login");
	if (accounts >= 0)
		close(accounts);
	archives_close(&spec);
}
