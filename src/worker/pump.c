/*
 * worker/pump.c: the bytes of a transfer, on a disk thread.
 *
 * A thread moves what the socket takes.  When it takes no more, the thread
 * sleeps in the kernel for a moment (the gate set SO_SNDTIMEO), as a process
 * of its own would: that is what makes the servers with one process a session
 * fast.  A client that takes nothing for so long gives its thread back.
 *
 * One that takes a little each time would keep it for the whole file.  So no
 * more than half of the threads sleep for clients, and none goes on with a
 * transfer for longer than a turn while a job waits for a thread.
 *
 * Nothing here touches a session: what it left off is in x->step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/secure.h"

#define TURN_BYTES (4u << 20)	/* between two looks at the cancel flag */
/*
 * Within TLS: one record.  Of several in a call Linux 6.1 keeps all but the
 * last from leaving; when they fill the socket it waits for room, for ever.
 */
#define KERNEL_TURN_BYTES 16384
#define AT_ONCE_MAX 65536	/* a file sent without a thread */

static void
count_sent(struct xfer *x, size_t n)
{
	atomic_fetch_add_explicit(&x->sent, n, memory_order_relaxed);
}

/*
 * Before each send: when threads are scarce, none sleeps for this client any
 * more.  It must not wait for a send that fails: one that takes a few bytes
 * in each 100 ms never makes one fail.
 */
static void
sleep_only_if_many(struct xfer *x)
{
	if (!x->by_kernel && !x->slow && pool_is_crowded(x->w->pool))
		x->slow = fcntl(x->data_fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0;
}

/* The socket is full, or worse; only the client's own close is his will. */
static enum xfer_step
send_failed(void)
{
	if (errno == EINTR)
		return STEP_DONE; /* stands for "try again" */
	if (errno == EAGAIN)
		return STEP_BLOCKED;
	return errno == EPIPE || errno == ECONNRESET ? STEP_PEER_GONE :
	    STEP_CANCELLED;
}

/* Closed both ways, or reset: nothing that is sent arrives any more. */
static bool
client_is_gone(const struct xfer *x)
{
	struct pollfd p = { .fd = x->data_fd };

	return poll(&p, 1, 0) == 1;
}

static enum xfer_step
sendfile_failed(struct xfer *x)
{
	/*
	 * sendfile does not say which side failed, and a file system may say
	 * anything (ENODATA, ENOTCONN; FUSE passes EPIPE and ECONNRESET on
	 * when its own server is lost).  That must not become a 226, so the
	 * socket is asked.
	 */
	if (errno == EINTR || errno == EAGAIN)
		return send_failed();
	if ((errno == EPIPE || errno == ECONNRESET) && client_is_gone(x))
		return STEP_PEER_GONE;
	return STEP_READ_FAILED;
}

/* TYPE I: from the page cache to the socket, by way of kTLS or not. */
static enum xfer_step
push_image(struct xfer *x)
{
	uint64_t most = x->by_kernel ? KERNEL_TURN_BYTES : TURN_BYTES;

	while (x->at < x->size) {
		uint64_t left = x->size - x->at;
		off_t at = (off_t)x->at;
		ssize_t n;

		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		sleep_only_if_many(x);
		n = sendfile(x->data_fd, x->fd, &at,
		    (size_t)(left < most ? left : most));
		if (n == 0)
			return STEP_SHORT;
		if (n < 0) {
			enum xfer_step step = sendfile_failed(x);

			if (step != STEP_DONE)
				return step;
			continue;
		}
		x->at += (uint64_t)n;
		count_sent(x, (size_t)n);
		if (x->at < x->size && pool_is_short(x->w->pool))
			return STEP_BLOCKED; /* its next turn comes */
	}
	return STEP_DONE;
}

static ssize_t
send_some(struct xfer *x, const char *bytes, size_t n)
{
	return x->tls != NULL ? secure->data_write(x, bytes, n) :
	    send(x->data_fd, bytes, n, MSG_NOSIGNAL);
}

/* Sends what stands in the buffer; STEP_DONE when it is empty. */
static enum xfer_step
push_buffer(struct xfer *x)
{
	while (x->buf_off < x->buf_len) {
		ssize_t n;

		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		sleep_only_if_many(x);
		n = send_some(x, x->buf + x->buf_off,
		    x->buf_len - x->buf_off);
		if (n < 0) {
			enum xfer_step step = send_failed();

			if (step != STEP_DONE)
				return step;
			continue;
		}
		x->buf_off += (size_t)n;
		count_sent(x, (size_t)n);
	}
	x->buf_off = x->buf_len = 0;
	return STEP_DONE;
}

/*
 * Each LF that no CR precedes becomes CRLF (RFC 959 §3.1.1.1).  At most half
 * the buffer is read, so that all of it may be LFs.
 */
static enum xfer_step
fill_ascii(struct xfer *x)
{
	char raw[XFER_BUF / 2 < 32768 ? XFER_BUF / 2 : 32768];
	uint64_t left = x->size - x->at;
	size_t want = left < sizeof(raw) ? (size_t)left : sizeof(raw);
	ssize_t n = pread(x->fd, raw, want, (off_t)x->at);

	if (n < 0)
		return STEP_READ_FAILED;
	if (n == 0)
		return STEP_SHORT;
	for (ssize_t i = 0; i < n; i++) {
		if (raw[i] == '\n' && !x->last_cr)
			x->buf[x->buf_len++] = '\r';
		x->buf[x->buf_len++] = raw[i];
		x->last_cr = raw[i] == '\r';
	}
	x->at += (uint64_t)n;
	x->end = x->at == x->size;
	return STEP_DONE;
}

/* TYPE I within TLS: what is encrypted has to be read. */
static enum xfer_step
fill_image(struct xfer *x)
{
	uint64_t left = x->size - x->at;
	size_t want = left < XFER_BUF ? (size_t)left : XFER_BUF;
	ssize_t n = pread(x->fd, x->buf, want, (off_t)x->at);

	if (n < 0)
		return STEP_READ_FAILED;
	if (n == 0)
		return STEP_SHORT;
	x->buf_len = (size_t)n;
	x->at += (uint64_t)n;
	x->end = x->at == x->size;
	return STEP_DONE;
}

static enum xfer_step
push_filled(struct xfer *x, enum xfer_step (*fill)(struct xfer *x))
{
	enum xfer_step step;

	if (x->buf == NULL && (x->buf = malloc(XFER_BUF)) == NULL)
		return STEP_READ_FAILED;
	for (;;) {
		if ((step = push_buffer(x)) != STEP_DONE || x->end)
			return step;
		if ((step = fill(x)) != STEP_DONE)
			return step;
		if (pool_is_short(x->w->pool))
			return STEP_BLOCKED; /* its next turn comes */
	}
}

/* On this thread, since it may wait for a disk as reading may. */
static void
close_source(struct xfer *x)
{
	if (x->fd >= 0)
		close(x->fd);
	list_close(x);
	if (x->dir != NULL)
		x->storage->ops->close_dir(x->dir);
	x->fd = -1;
	x->dir = NULL;
}

/*
 * Written to while it was sent: what arrived may be of two versions.  A file
 * that has grown is whole as it was when it was opened, most likely; and
 * nothing is said of the status (ctime), which a rename over it changes.
 */
static bool
was_rewritten(const struct xfer *x)
{
	struct stat now;

	return fstat(x->fd, &now) == 0 &&
	    (now.st_mtim.tv_sec != x->stat.mtime ||
	    (uint32_t)now.st_mtim.tv_nsec != x->stat.mtime_ns) &&
	    (uint64_t)now.st_size <= x->stat.size;
}

static enum xfer_step
push_file(struct xfer *x)
{
	if (x->by_kernel) {
		enum xfer_step step = secure->data_enter_kernel(x);

		return step == STEP_DONE ? push_image(x) : step;
	}
	if (!x->ascii && x->tls == NULL)
		return push_image(x);
	/* Read to its end is not sent: the buffer may hold the rest. */
	x->end = x->at >= x->size;
	return x->end && x->buf_len == 0 ? STEP_DONE :
	    push_filled(x, x->ascii ? fill_ascii : fill_image);
}

static enum xfer_step
push_listing(struct xfer *x)
{
	enum xfer_step step = push_filled(x, list_fill);

	return step == STEP_DONE && x->listing->limit != LIST_WHOLE ?
	    STEP_LIMIT : step;
}

void
pump_work(struct pool_job *job)
{
	struct xfer *x = LOOP_OWNER(job, struct xfer, job);

	if (x->kind == XFER_STORE) {
		receive_work(x);
		return;
	}
	x->step = x->tls == NULL ? STEP_DONE : secure->data_greet(x);
	if (x->step == STEP_DONE)
		x->step = x->kind == XFER_FILE ? push_file(x) :
		    push_listing(x);
	if (x->step == STEP_DONE && x->kind == XFER_FILE && was_rewritten(x))
		x->step = STEP_SHORT;
	/* close_notify says that it is whole: before the 226, and only then. */
	if (x->step == STEP_DONE && x->tls != NULL)
		x->step = secure->data_finish(x);
	/*
	 * Only the loop may close the socket, but the client shall see the
	 * end of a whole transfer now, not a thread's way later.
	 */
	if (x->step == STEP_DONE)
		shutdown(x->data_fd, SHUT_WR);
	if (x->step != STEP_BLOCKED)
		close_source(x);
}

bool
pump_at_once(struct xfer *x)
{
	static char room[AT_ONCE_MAX];
	struct storage *st = x->storage;
	uint64_t left = x->size - x->at;
	ssize_t n = 0;

	if (x->kind != XFER_FILE || x->ascii || x->tls != NULL ||
	    left > sizeof(room))
		return false;
	if (left > 0 && st->ops->read_now(st, x->fd, &x->stat, room,
	    (size_t)left, x->at) != (ssize_t)left)
		return false;
	/* MSG_MORE: the end comes at once, and shares the last segment. */
	if (left > 0)
		n = send(x->data_fd, room, (size_t)left,
		    MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
	if (n > 0) {
		x->at += (uint64_t)n;
		count_sent(x, (size_t)n);
	}
	if (n != (ssize_t)left)
		return false;
	/* Nor does closing wait where reading could say so. */
	if (left > 0)
		close_source(x);
	return true;
}
