/*
 * report/lines.c: see the header.
 *
 * zlib reads plain files as they are, so that there is one way for both.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "report/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define ZLIB_BUFFER (256u << 10)

struct report_lines {
	gzFile file;
	size_t from, to;	/* what is not yet told, of buf */
	bool ended, failed;
	bool skipping;		/* inside a line that is too long */
	char buf[2 * REPORT_LINE_MAX];
};

struct report_lines *
report_lines_open(const char *name)
{
	struct report_lines *l = calloc(1, sizeof(*l));
	int fd = -1;

	if (l == NULL)
		return NULL;
	fd = strcmp(name, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) :
	    open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		goto failed;
	errno = ENOMEM;
	if ((l->file = gzdopen(fd, "r")) == NULL)
		goto failed;
	gzbuffer(l->file, ZLIB_BUFFER);
	return l;
 failed:
	if (fd >= 0)
		close(fd);
	free(l);
	return NULL;
}

void
report_lines_free(struct report_lines *l)
{
	if (l == NULL)
		return;
	gzclose(l->file);
	free(l);
}

const char *
report_lines_error(struct report_lines *l)
{
	int code = Z_OK, error = errno;
	const char *text = gzerror(l->file, &code);

	if (code == Z_ERRNO)
		return strerror(error);
	return code == Z_BUF_ERROR ? "the compressed data is cut off" : text;
}

/* More bytes behind those that are there; false: there are no more. */
static bool
fill(struct report_lines *l)
{
	int n;

	if (l->ended)
		return false;
	if (l->from > 0) {
		memmove(l->buf, l->buf + l->from, l->to - l->from);
		l->to -= l->from;
		l->from = 0;
	}
	n = gzread(l->file, l->buf + l->to,
	    (unsigned)(sizeof(l->buf) - l->to));
	if (n > 0) {
		l->to += (size_t)n;
		return true;
	}
	/* gzread gives 0, and no error, for gzip that is cut off. */
	if (n == 0) {
		int code = Z_OK;

		gzerror(l->file, &code);
		n = code == Z_OK || code == Z_STREAM_END ? 0 : -1;
	}
	l->ended = true;
	l->failed = n < 0;
	return false;
}

static enum report_lines_result
last_line(struct report_lines *l, struct sv *out)
{
	struct sv rest = { l->buf + l->from, l->to - l->from };
	bool skipped = l->skipping;

	l->from = l->to;
	l->skipping = false;
	if (skipped)
		return REPORT_LINE_TOO_LONG;
	if (rest.len > 0) {
		*out = rest;
		return REPORT_LINE_UNFINISHED;
	}
	if (!l->failed)
		return REPORT_LINES_END;
	l->failed = false;
	return REPORT_LINES_FAILED;
}

enum report_lines_result
report_lines_next(struct report_lines *l, struct sv *out)
{
	size_t searched = 0;

	for (;;) {
		char *start = l->buf + l->from;
		size_t n = l->to - l->from;
		char *lf = memchr(start + searched, '\n', n - searched);

		if (lf != NULL) {
			bool whole = !l->skipping;

			*out = (struct sv) { start, (size_t)(lf - start) };
			l->from += out->len + 1;
			l->skipping = false;
			return whole && out->len <= REPORT_LINE_MAX ?
			    REPORT_LINE : REPORT_LINE_TOO_LONG;
		}
		searched = n;
		if (n > REPORT_LINE_MAX) {
			l->skipping = true;
			l->from = l->to;
			searched = 0;
		}
		if (!fill(l))
			return last_line(l, out);
	}
}
