/*
 * index/output.c: see the header.
 *
 * Several runs for one file do not meet: each has a name of its own beside
 * it, and the last to end wins.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "index/say.h"

#define NAMES_TRIED 1000
#define GZ_BUFFER (128u << 10)

struct index_output {
	const char *file;	/* NULL: standard output */
	struct index_place place;
	char beside[NAME_MAX + 1];	/* "" when there is nothing there */
	int dir_fd, fd;
	gzFile out;
	char line[INDEX_LINE_ROOM];
};

static const char *
output_name(const struct index_output *o)
{
	return o->file == NULL ? "standard output" : o->file;
}

static void
output_free(struct index_output *o)
{
	if (o->out != NULL)
		gzclose(o->out);
	if (o->beside[0] != '\0')
		unlinkat(o->dir_fd, o->beside, 0);
	if (o->fd >= 0)
		close(o->fd);
	if (o->dir_fd >= 0)
		close(o->dir_fd);
	free(o);
}

/* What could not be replaced at the end is refused at the beginning. */
static bool
can_replace(const struct index_output *o)
{
	struct stat st;

	if (fstatat(o->dir_fd, o->place.name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return S_ISREG(st.st_mode);
}

static bool
open_beside(struct index_output *o)
{
	for (int i = 0; i < NAMES_TRIED; i++) {
		int n = snprintf(o->beside, sizeof(o->beside), ".%s.%ld.new",
		    o->place.name, (long)getpid() + i);

		if (n < 0 || (size_t)n >= sizeof(o->beside)) {
			errno = ENAMETOOLONG;
			break;
		}
		o->fd = openat(o->dir_fd, o->beside,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0666);
		if (o->fd >= 0)
			return true;
		if (errno != EEXIST)
			break;
	}
	o->beside[0] = '\0';	/* it is not ours to remove */
	return false;
}

static bool
open_file(struct index_output *o)
{
	if (o->file == NULL) {
		o->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
		return o->fd >= 0;
	}
	return index_place_of(o->file, &o->place, &o->dir_fd) &&
	    can_replace(o) && open_beside(o);
}

/* zlib writes what is not compressed, too ("T"), through the same calls. */
static bool
open_stream(struct index_output *o)
{
	size_t n = o->file == NULL ? 0 : strlen(o->file);
	bool packed = n > 3 && strcmp(o->file + n - 3, ".gz") == 0;
	int fd = fcntl(o->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return false;
	errno = ENOMEM;
	o->out = gzdopen(fd, packed ? "wb" : "wbT");
	if (o->out == NULL) {
		close(fd);
		return false;
	}
	gzbuffer(o->out, GZ_BUFFER);
	return gzputs(o->out, INDEX_HEADER "\n") > 0;
}

struct index_output *
index_output_open(const char *file, struct index_place *place)
{
	struct index_output *o = calloc(1, sizeof(*o));

	if (o == NULL) {
		index_say("%s", strerror(ENOMEM));
		return NULL;
	}
	o->file = file;
	o->fd = o->dir_fd = -1;
	if (!open_file(o) || !open_stream(o)) {
		index_say("%s: %s", output_name(o),
		    errno == EINVAL ? "no plain file" : strerror(errno));
		output_free(o);
		return NULL;
	}
	*place = o->place;
	return o;
}

bool
index_output_row(struct index_output *o, const struct index_row *row)
{
	size_t n = index_row_format(row, o->line);

	errno = EIO;
	if (gzwrite(o->out, o->line, (unsigned)n) == (int)n)
		return true;
	index_say("%s: %s", output_name(o), strerror(errno));
	return false;
}

/* Flushed, on the disk, and under its name; false with errno set. */
static bool
finish(struct index_output *o)
{
	gzFile out = o->out;

	o->out = NULL;
	errno = EIO;
	if (gzclose(out) != Z_OK)
		return false;
	if (o->file == NULL)
		return true;
	if (fsync(o->fd) != 0 || renameat(o->dir_fd, o->beside, o->dir_fd,
	    o->place.name) != 0)
		return false;
	o->beside[0] = '\0';
	return true;
}

bool
index_output_commit(struct index_output *o)
{
	bool fine = finish(o);

	if (!fine)
		index_say("%s: %s", output_name(o), strerror(errno));
	output_free(o);
	return fine;
}

void
index_output_abort(struct index_output *o)
{
	if (o != NULL)
		output_free(o);
}
