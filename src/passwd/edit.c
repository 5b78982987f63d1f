/*
 * passwd/edit.c: see the header.
 *
 * The lock is on the file itself, which the one before us may have replaced
 * while we waited: then it is another file that has the name, and that one
 * is waited for.  So no second file has to lie about for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "passwd/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "passwd/options.h"

#define NEW_MODE 0640

static bool
failed(const char *path)
{
	passwd_say("%s: %s", path, strerror(errno));
	return false;
}

static void
tell(void *arg, unsigned line, const char *why)
{
	const char *path = arg;

	if (line > 0)
		passwd_say("%s:%u: %s", path, line, why);
	else
		passwd_say("%s: %s", path, why);
}

/* The mode is what is said, whatever the umask. */
static bool
make_empty(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool made;

	if (fd < 0)
		return errno == EEXIST || failed(path);
	made = fchmod(fd, NEW_MODE) == 0;
	close(fd);
	return made || failed(path);
}

/* True: the file that is open still has the name. */
static bool
is_current(const struct edit *e)
{
	struct stat now;

	return stat(e->path, &now) == 0 && now.st_dev == e->st.st_dev &&
	    now.st_ino == e->st.st_ino;
}

static bool
open_file(struct edit *e, bool to_change)
{
	do {
		e->fd = open(e->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (e->fd < 0)
			return failed(e->path);
		if ((to_change && flock(e->fd, LOCK_EX) != 0) ||
		    fstat(e->fd, &e->st) != 0) {
			failed(e->path);
			close(e->fd);
			return false;
		}
		if (!to_change || is_current(e))
			return true;
		close(e->fd);
	} while (true);
}

bool
edit_open(struct edit *e, const char *path, bool to_change, bool create)
{
	struct accounts_listener l = { tell, e->path };

	*e = (struct edit) { .fd = -1 };
	if (create && access(path, F_OK) != 0 && !make_empty(path))
		return false;
	if (realpath(path, e->path) == NULL)
		return failed(path);
	if (!open_file(e, to_change))
		return false;
	if (accounts_read(e->fd, &e->accounts, &l))
		return true;
	edit_close(e);
	return false;
}

void
edit_close(struct edit *e)
{
	accounts_free(&e->accounts);
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

/* Where the old line begins and ends, its LF included; else the end. */
static void
extent(const struct edit *e, const struct accounts_entry *old, size_t *from,
    size_t *until)
{
	const struct accounts *a = &e->accounts;
	const char *lf;

	*from = *until = a->len;
	if (old == NULL)
		return;
	*from = (size_t)(old->name.ptr - a->text);
	lf = memchr(old->name.ptr, '\n', a->len - *from);
	if (lf != NULL)
		*until = (size_t)(lf - a->text) + 1;
}

static void
put(struct sv *out, char *room, const char *bytes, size_t n)
{
	memcpy(room + out->len, bytes, n);
	out->len += n;
}

/* The new file's text; its ptr is to be freed, and NULL without memory. */
static struct sv
compose(const struct edit *e, const struct accounts_entry *old,
    const char *line)
{
	size_t len = line != NULL ? strlen(line) : 0, from, until;
	const struct accounts *a = &e->accounts;
	char *room = malloc(a->len + len + 2);
	struct sv text = { room, 0 };

	if (room == NULL)
		return text;
	extent(e, old, &from, &until);
	put(&text, room, a->text, from);
	/* Somebody's editor may have left the last line without its end. */
	if (line != NULL && from > 0 && a->text[from - 1] != '\n')
		put(&text, room, "\n", 1);
	if (line != NULL) {
		put(&text, room, line, len);
		put(&text, room, "\n", 1);
	}
	put(&text, room, a->text + until, a->len - until);
	return text;
}

static bool
write_all(int fd, struct sv text)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		text = sv_drop(text, (size_t)n);
	}
	return true;
}

static bool
sync_directory(const char *path)
{
	char directory[PATH_MAX];
	int fd;
	bool good;

	snprintf(directory, sizeof(directory), "%.*s",
	    (int)(strrchr(path, '/') - path), path);
	fd = open(directory[0] == '\0' ? "/" : directory,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = fsync(fd) == 0;
	close(fd);
	return good;
}

/* Beside it, as a rename needs it, under a name that says whose it is. */
static bool
temporary_name(const char *path, char out[PATH_MAX])
{
	const char *name = strrchr(path, '/') + 1;
	int n = snprintf(out, PATH_MAX, "%.*s.%s.XXXXXX", (int)(name - path),
	    path, name);

	return n > 0 && n < PATH_MAX;
}

static bool
replace(const struct edit *e, struct sv text)
{
	char temporary[PATH_MAX];
	int fd;

	if (!temporary_name(e->path, temporary) ||
	    (fd = mkostemp(temporary, O_CLOEXEC)) < 0)
		return failed(e->path);
	/* The owner first: a change of it takes bits of the mode away. */
	if (((e->st.st_uid != geteuid() || e->st.st_gid != getegid()) &&
	    fchown(fd, e->st.st_uid, e->st.st_gid) != 0) ||
	    fchmod(fd, e->st.st_mode & 07777) != 0 ||
	    !write_all(fd, text) || fsync(fd) != 0 ||
	    rename(temporary, e->path) != 0) {
		failed(e->path);
		unlink(temporary);
		close(fd);
		return false;
	}
	close(fd);
	return sync_directory(e->path) || failed(e->path);
}

static bool
would_be_read(const struct edit *e, struct sv text)
{
	char path[PATH_MAX];
	struct accounts_listener l = { tell, path };
	struct accounts a;
	bool good;

	snprintf(path, sizeof(path), "%s", e->path);
	good = accounts_parse(text, &a, &l);
	accounts_free(&a);
	return good;
}

static bool
change_line(struct edit *e, const struct accounts_entry *old, const char *line,
    bool keep)
{
	struct sv text = compose(e, old, line);
	bool good;

	if (text.ptr == NULL) {
		errno = ENOMEM;
		return failed(e->path);
	}
	good = would_be_read(e, text) && (!keep || replace(e, text));
	free((void *)(uintptr_t)text.ptr);
	return good;
}

bool
edit_put(struct edit *e, const struct accounts_entry *old, const char *line)
{
	return change_line(e, old, line, true);
}

bool
edit_try(struct edit *e, const struct accounts_entry *old, const char *line)
{
	return change_line(e, old, line, false);
}
