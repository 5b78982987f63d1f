/*
 * warden/logpipe.c: what the children report, into files.
 *
 * Only this process waits for that disk.  Writers put whole lines of at most
 * PIPE_BUF bytes, so nothing is mixed; what they cannot put they count.  A
 * file that cannot take lines loses whole ones, never halves, and it is said
 * once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "warden/warden.h"

#define PIPE_BYTES (1 << 20)
#define PIECES 16	/* in one turn, so that a busy log is not all we do */
#define AGAIN_MS 50
#define FINISH_WAITS 20	/* a reader that sleeps has a second at the end */

static char room[65536];

/* All of it; what has gone is less when it failed. */
static size_t
write_all(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, bytes + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static uint64_t
count_lines(const char *bytes, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += bytes[i] == '\n';
	return n;
}

static void
say_state_of(struct logpipe *p, bool failing)
{
	if (failing && !p->failing)
		log_line("%s: lines are lost: %s", p->key, strerror(errno));
	if (!failing && p->failing) {
		log_line("%s: lines are written again; lost: %llu", p->key,
		    (unsigned long long)p->lost);
		p->lost = 0;
	}
	p->failing = failing;
}

/* Half a line stands at the end, unless somebody has emptied the file. */
static bool
is_torn(const struct logpipe *p)
{
	return p->torn && (p->can_block ||
	    lseek(p->file_fd, 0, SEEK_END) != 0);
}

static void
put(struct logpipe *p, const char *bytes, size_t len)
{
	size_t done;

	if (p->file_fd < 0 || len == 0)
		return;
	/* Half a line, from a failure before, ends here. */
	if (p->skip && is_torn(p) && write_all(p->file_fd, "\n", 1) == 1)
		p->torn = false;
	done = write_all(p->file_fd, bytes, len);
	if (done > 0)
		p->torn = bytes[done - 1] != '\n';
	p->skip = done < len;
	say_state_of(p, p->skip);
	p->lost += count_lines(bytes + done, len - done);
}

/* One piece; after a failure only from the next line on. */
static void
copy(struct logpipe *p, const char *bytes, size_t len)
{
	const char *from = bytes, *end = bytes + len;

	if (p->skip && p->in_line) {
		from = memchr(bytes, '\n', len);
		from = from == NULL ? end : from + 1;
		p->lost += count_lines(bytes, (size_t)(from - bytes));
	}
	p->in_line = end[-1] != '\n';
	put(p, from, (size_t)(end - from));
}

/*
 * A file takes what it is given, if slowly.  Who reads standard output or a
 * FIFO may be asleep: it gets what it has room for, since a write that waits
 * would keep SIGTERM waiting, too.
 */
static bool
may_write(const struct logpipe *p)
{
	struct pollfd out = { .fd = p->file_fd, .events = POLLOUT };

	return p->file_fd < 0 || !p->can_block || poll(&out, 1, 0) == 1;
}

/* Bytes of one piece; 0 when there is none, or nowhere to put it. */
static size_t
copy_some(struct logpipe *p)
{
	ssize_t n;

	if (!may_write(p))
		return 0;
	/* A pipe that is writable takes PIPE_BUF bytes without waiting. */
	n = read(p->watch.fd, room, p->can_block ? PIPE_BUF : sizeof(room));
	if (n <= 0)
		return 0;
	copy(p, room, (size_t)n);
	return (size_t)n;
}

static void
pipe_ready(struct loop_watch *watch, uint32_t events)
{
	struct logpipe *p = LOOP_OWNER(watch, struct logpipe, watch);

	(void)events;
	for (int i = 0; i < PIECES && copy_some(p) > 0; i++)
		;
	if (may_write(p))
		return;
	loop_rewatch(p->loop, watch, 0);
	loop_timer_set(p->loop, &p->again, AGAIN_MS);
}

static void
try_again(struct loop_timer *t)
{
	struct logpipe *p = LOOP_OWNER(t, struct logpipe, again);

	loop_rewatch(p->loop, &p->watch, EPOLLIN);
}

void
logpipe_init(struct logpipe *p, struct loop *l, const char *key)
{
	*p = (struct logpipe) { .loop = l, .key = key, .write_fd = -1,
		.file_fd = -1, .watch = { .fd = -1, .ready = pipe_ready },
		.again.fire = try_again };
}

static int
open_file(const char *path)
{
	if (strcmp(path, "-") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	/* A FIFO that nobody reads would hold us up for ever: it fails so. */
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK, 0640);
}

static bool
make_pipe(struct logpipe *p)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	/* As large as the kernel allows this user. */
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
	p->watch.fd = ends[0];
	p->write_fd = ends[1];
	return loop_watch(p->loop, &p->watch, EPOLLIN);
}

static void
take_file(struct logpipe *p, int fd)
{
	struct stat st;

	/* What was written before the file was moved away belongs there. */
	logpipe_drain(p);
	if (p->file_fd >= 0)
		close(p->file_fd);
	p->file_fd = fd;
	p->can_block = fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
	p->torn = false;
}

bool
logpipe_open(struct logpipe *p, const char *path)
{
	int fd = -1;

	if (path[0] != '\0' && (fd = open_file(path)) < 0) {
		log_line("%s: cannot open %s: %s", p->key, path,
		    strerror(errno));
		return false;
	}
	if (fd >= 0 && p->write_fd < 0 && !make_pipe(p)) {
		log_line("%s: cannot make a pipe: %s", p->key,
		    strerror(errno));
		close(fd);
		return false;
	}
	take_file(p, fd);
	return true;
}

void
logpipe_drain(struct logpipe *p)
{
	size_t left = PIPE_BYTES, n;

	if (p->watch.fd < 0)
		return;
	/* What it held when we began: a captured child may write on for ever. */
	while (left > 0 && (n = copy_some(p)) > 0)
		left -= n < left ? n : left;
}

void
logpipe_finish(struct logpipe *p)
{
	struct pollfd out = { .fd = p->file_fd, .events = POLLOUT };
	int waits = 0;

	while (waits < FINISH_WAITS) {
		logpipe_drain(p);
		if (may_write(p))
			return;
		if (poll(&out, 1, AGAIN_MS) != 1)
			waits++;
	}
}
