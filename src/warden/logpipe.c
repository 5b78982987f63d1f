/*
 * warden/logpipe.c: what the children report, into files.
 *
 * Only this process waits for that disk.  Writers put whole lines of at most
 * PIPE_BUF bytes, so nothing is mixed; what they cannot put they count.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

#define PIPE_BYTES (1 << 20)

static int
open_file(const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    0640);
	if (fd < 0)
		log_line("cannot write %s: %s", path, strerror(errno));
	return fd;
}

bool
logpipe_open(struct logpipe *p, const char *path)
{
	int ends[2];

	*p = (struct logpipe) { .write_fd = -1, .file_fd = -1 };
	p->watch.fd = -1;
	if (path[0] == '\0')
		return true;
	memcpy(p->path, path, strlen(path) + 1);
	if ((p->file_fd = open_file(path)) < 0)
		return false;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_line("cannot make a pipe: %s", strerror(errno));
		return false;
	}
	/* As large as the kernel allows this user. */
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	p->watch.fd = ends[0];
	p->write_fd = ends[1];
	return true;
}

static void
write_all(struct logpipe *p, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(p->file_fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (!p->failing)
				log_line("lines for %s are lost: %s", p->path,
				    strerror(errno));
			p->failing = true;
			return;
		}
		bytes += n;
		len -= (size_t)n;
	}
	p->failing = false;
}

/* One piece; false when there is nothing (more). */
static bool
copy_some(struct logpipe *p)
{
	static char room[65536];
	ssize_t n = read(p->watch.fd, room, sizeof(room));

	if (n <= 0)
		return false;
	write_all(p, room, (size_t)n);
	return true;
}

static void
pipe_ready(struct loop_watch *w, uint32_t events)
{
	(void)events;
	copy_some(LOOP_OWNER(w, struct logpipe, watch));
}

bool
logpipe_watch(struct logpipe *p, struct loop *l)
{
	if (p->watch.fd < 0)
		return true;
	p->watch.ready = pipe_ready;
	return loop_watch(l, &p->watch, EPOLLIN);
}

void
logpipe_reopen(struct logpipe *p)
{
	int fd;

	if (p->file_fd < 0 || (fd = open_file(p->path)) < 0)
		return; /* the old one serves on */
	while (copy_some(p))
		;
	close(p->file_fd);
	p->file_fd = fd;
}

void
logpipe_drain(struct logpipe *p)
{
	if (p->watch.fd < 0)
		return;
	while (copy_some(p))
		;
}
