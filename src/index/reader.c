/*
 * index/reader.c: see the header.
 *
 * Rows that are out of order are refused and not sorted: two indexes, or an
 * index and a tree, are compared like two sorted lists, in no memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "index/say.h"

struct index_reader {
	gzFile file;
	const char *name;
	uint64_t line_number;
	char line[INDEX_LINE_ROOM];
	char last[INDEX_PATH_ROOM];	/* the path before this one */
};

struct index_reader *
index_reader_open(const char *file)
{
	struct index_reader *r = NULL;
	int fd, error;

	fd = strcmp(file, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) :
	    open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return NULL;
	errno = ENOMEM;
	r = calloc(1, sizeof(*r));
	if (r == NULL || (r->file = gzdopen(fd, "rb")) == NULL) {
		error = errno;
		close(fd);
		free(r);
		errno = error;
		return NULL;
	}
	r->name = strcmp(file, "-") == 0 ? "standard input" : file;
	return r;
}

void
index_reader_close(struct index_reader *r)
{
	if (r == NULL)
		return;
	gzclose_r(r->file);
	free(r);
}

static enum index_read
bad(const struct index_reader *r, const char *why)
{
	index_say("%s:%llu: %s", r->name, (unsigned long long)r->line_number,
	    why);
	return INDEX_BAD;
}

/* What is wrong with the file itself; NULL: nothing. */
static const char *
damage(struct index_reader *r)
{
	int error, system = errno;

	gzerror(r->file, &error);
	if (error == Z_ERRNO)
		return strerror(system);
	if (error == Z_BUF_ERROR)
		return "the compressed file ends too early";
	if (error != Z_OK && error != Z_STREAM_END)
		return "the compressed file is damaged";
	return NULL;
}

/* No line came. */
static enum index_read
ended(struct index_reader *r)
{
	const char *wrong = damage(r);

	if (wrong == NULL && r->line_number == 1)
		wrong = "no index: the file is empty";
	return wrong != NULL ? bad(r, wrong) : INDEX_END;
}

/* Reads a line, without its LF. */
static enum index_read
read_line(struct index_reader *r)
{
	const char *wrong;
	size_t n;

	r->line_number++;
	if (gzgets(r->file, r->line, sizeof(r->line)) == NULL)
		return ended(r);
	n = strlen(r->line);
	if (n > 0 && r->line[n - 1] == '\n') {
		r->line[n - 1] = '\0';
		return INDEX_ROW;
	}
	if (n == sizeof(r->line) - 1)
		return bad(r, "the line is too long");
	wrong = damage(r);
	return bad(r, wrong != NULL ? wrong :
	    "the line is cut, or has a NUL byte");
}

enum index_read
index_reader_next(struct index_reader *r, struct index_row *out)
{
	enum index_read got;
	const char *wrong;

	do {
		if ((got = read_line(r)) != INDEX_ROW)
			return got;
		if (r->line_number == 1 && strcmp(r->line, INDEX_HEADER) != 0)
			return bad(r, "no index: the first line is not \""
			    INDEX_HEADER "\"");
	} while (r->line[0] == '#');

	if ((wrong = index_row_parse(r->line, out)) != NULL)
		return bad(r, wrong);
	if (strcmp(r->last, out->path) >= 0)
		return bad(r, "the path is not behind the one before it");
	memcpy(r->last, out->path, strlen(out->path) + 1);
	return INDEX_ROW;
}
