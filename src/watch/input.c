/*
 * watch/input.c: see input.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define GUNZIP_BUFFER 65536
#define GZIP_ONLY (16 + MAX_WBITS)	/* to inflateInit2 */

struct gunzip {
	z_stream z;
	bool in_member;		/* between its header and its checksum */
	bool at_end;
	uint8_t buffer[GUNZIP_BUFFER];
};

static void
gunzip_free(struct gunzip *g)
{
	if (g == NULL)
		return;
	inflateEnd(&g->z);
	free(g);
}

static struct gunzip *
gunzip_new(void)
{
	struct gunzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	if (inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

static ssize_t
fail(struct input *in, const char *why)
{
	in->why = why;
	errno = EIO;	/* stdio wants one; why is what is told */
	return -1;
}

/*
 * EINTR is not retried: the program has a handler without SA_RESTART because
 * it wants to stop, and a pipe may never say anything again.
 */
static ssize_t
read_raw(struct input *in, void *to, size_t room)
{
	ssize_t n = read(in->fd, to, room);

	if (n < 0)
		return fail(in, errno == EINTR ? "interrupted" :
		    strerror(errno));
	in->bytes_read += (uint64_t)n;
	return n;
}

/* Hands out what was read to tell gzip from the rest, before the rest. */
static ssize_t
read_plain(struct input *in, char *to, size_t room)
{
	size_t n = (size_t)in->magic_len - in->magic_given;

	if (n == 0)
		return read_raw(in, to, room);
	if (n > room)
		n = room;
	memcpy(to, in->magic + in->magic_given, n);
	in->magic_given = (uint8_t)(in->magic_given + n);
	return (ssize_t)n;
}

static bool
is_gzip(const uint8_t magic[2])
{
	return magic[0] == 0x1f && magic[1] == 0x8b;
}

/* More compressed bytes.  False: the end, or why is set. */
static bool
refill(struct input *in)
{
	struct gunzip *g = in->gunzip;
	ssize_t n = read_plain(in, (char *)g->buffer, sizeof(g->buffer));

	if (n <= 0) {
		g->at_end = true;
		if (n == 0 && g->in_member)
			fail(in, "its gzip is truncated");
		return false;
	}
	g->z.next_in = g->buffer;
	g->z.avail_in = (uInt)n;
	return true;
}

/*
 * A gzip file may be several, one behind the other (RFC 1952 §2.2); what
 * follows the last of them and is none (padding of a tape, say) is left out,
 * as gzip itself does it.
 */
static bool
begin_member(struct input *in)
{
	struct gunzip *g = in->gunzip;
	bool first = g->z.total_in == 0;

	if (g->z.avail_in == 0 && !refill(in))
		return false;
	if (!first && g->z.next_in[0] != 0x1f) {
		g->at_end = true;
		return false;
	}
	if (!first)
		inflateReset(&g->z);
	g->in_member = true;
	return true;
}

/* Some bytes, or 0 at the end; what came before a failure comes first. */
static ssize_t
read_gzip(struct input *in, char *to, size_t room)
{
	struct gunzip *g = in->gunzip;
	int result;

	g->z.next_out = (Bytef *)to;
	g->z.avail_out = (uInt)room;
	while (g->z.avail_out == room && !g->at_end) {
		if (!g->in_member && !begin_member(in))
			break;
		if (g->z.avail_in == 0 && !refill(in))
			break;
		result = inflate(&g->z, Z_NO_FLUSH);
		if (result == Z_STREAM_END)
			g->in_member = false;
		else if (result != Z_OK && result != Z_BUF_ERROR) {
			fail(in, "its gzip is corrupt");
			g->at_end = true;
		}
	}
	if (g->z.avail_out == room && in->why != NULL)
		return fail(in, in->why);
	return (ssize_t)(room - g->z.avail_out);
}

static ssize_t
read_magic(struct input *in)
{
	ssize_t n;

	while (in->magic_len < sizeof(in->magic)) {
		n = read_raw(in, in->magic + in->magic_len,
		    sizeof(in->magic) - in->magic_len);
		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		in->magic_len = (uint8_t)(in->magic_len + n);
	}
	if (is_gzip(in->magic) && (in->gunzip = gunzip_new()) == NULL)
		return fail(in, strerror(ENOMEM));
	return 0;
}

static ssize_t
cookie_read(void *cookie, char *to, size_t room)
{
	struct input *in = cookie;

	if (in->magic_len < sizeof(in->magic) && read_magic(in) < 0)
		return -1;
	if (in->gunzip != NULL)
		return read_gzip(in, to, room);
	return read_plain(in, to, room);
}

static int
cookie_close(void *cookie)
{
	struct input *in = cookie;

	if (in->fd > STDERR_FILENO)
		close(in->fd);
	in->fd = -1;
	gunzip_free(in->gunzip);
	in->gunzip = NULL;
	return 0;
}

FILE *
input_open(struct input *in, const char *name, size_t buffer)
{
	static const cookie_io_functions_t calls = {
		.read = cookie_read, .close = cookie_close,
	};
	FILE *file = NULL;

	*in = (struct input) { .fd = STDIN_FILENO };
	if (strcmp(name, "-") != 0 &&
	    (in->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return NULL;
	if ((in->buffer = malloc(buffer)) != NULL)
		file = fopencookie(in, "rb", calls);
	if (file == NULL) {
		cookie_close(in);
		input_release(in);
		errno = ENOMEM;
		return NULL;
	}
	setvbuf(file, in->buffer, _IOFBF, buffer);
	/* One thread reads it; libpcap asks for 16 bytes at a time. */
	__fsetlocking(file, FSETLOCKING_BYCALLER);
	return file;
}

void
input_release(struct input *in)
{
	free(in->buffer);
	in->buffer = NULL;
}
