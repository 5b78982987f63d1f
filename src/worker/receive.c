/*
 * worker/receive.c: the bytes of an upload, on a disk thread.
 *
 * A thread waits for its client for a moment, as one that sends does, and
 * then gives itself back.  What ends the bytes is the loop's to judge: a
 * client that has closed its control connection as well is told nothing, so
 * nothing of his is put in place (a process that is killed closes both, and
 * half a file would else replace a whole one).  Within TLS only close_notify
 * is an end (attack E03): whoever sits between can close both connections.
 * The commit is a job of its own behind that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "worker/box.h"
#include "worker/checksum.h"
#include "worker/secure.h"

#define PATIENCE_MS 100
#define PAGE_BYTES 4096
#define COPY_BYTES (4u << 20)	/* between two looks at the cancel flag */

/* What is there of the file already, where this is to go behind it. */
static enum xfer_step
copy_old(struct xfer *x)
{
	const struct storage_ops *ops = x->storage->ops;

	do {
		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		x->err = ops->upload_copy(x->upload, COPY_BYTES);
	} while (x->err == STORAGE_LATER);
	x->offset = x->at = ops->upload_size(x->upload);
	return x->err == STORAGE_OK ? STEP_DONE : STEP_NOT_STORED;
}

/*
 * TYPE A: CRLF is LF here (RFC 959 §3.1.1.1); a CR that no LF follows is
 * nobody's line end, and stays.  One that ends a piece waits for the next.
 * In place: what comes out is not longer, but for that one byte.
 */
static size_t
from_ascii(struct xfer *x, char *buf, size_t n)
{
	size_t out = 0;
	char *in = buf + 1;	/* behind a CR that waited */

	for (size_t i = 0; i < n; i++) {
		if (x->has_cr && in[i] != '\n')
			buf[out++] = '\r';
		x->has_cr = in[i] == '\r';
		if (!x->has_cr)
			buf[out++] = in[i];
	}
	return out;
}

static enum xfer_step
put(struct xfer *x, const char *bytes, size_t n)
{
	x->err = box_grow(x, n);
	if (x->err == STORAGE_OK)
		x->err = x->storage->ops->upload_write(x->upload, bytes, n,
		    x->at);
	if (x->err != STORAGE_OK)
		return STEP_NOT_STORED;
	x->at += n;
	checksum_add(x, bytes, n);
	return STEP_DONE;
}

/* STEP_DONE: there is something to receive, or it is over. */
static enum xfer_step
wait_for_bytes(struct xfer *x)
{
	struct pollfd p = { .fd = x->data_fd, .events = POLLIN };
	bool gives_way = pool_is_crowded(x->w->pool) ||
	    pool_is_short(x->w->pool);

	return poll(&p, 1, gives_way ? 0 : PATIENCE_MS) > 0 ? STEP_DONE :
	    STEP_STARVED;
}

/* A record of TLS has 16 KiB at most: as many as there are, for one write. */
static ssize_t
receive_records(struct xfer *x, char *bytes, size_t n)
{
	size_t got = 0;

	do {
		ssize_t more = secure->data_read(x, bytes + got, n - got);

		if (more <= 0)	/* it will be told again */
			return got > 0 ? (ssize_t)got : more;
		got += (size_t)more;
	} while (got < n && !xfer_is_cancelled(x));
	return (ssize_t)got;
}

static ssize_t
receive_some(struct xfer *x, char *bytes, size_t n)
{
	return x->tls != NULL ? receive_records(x, bytes, n) :
	    recv(x->data_fd, bytes, n, MSG_DONTWAIT);
}

static enum xfer_step
ended(struct xfer *x)
{
	/* Many clients wait for ours before they read the reply. */
	if (x->tls != NULL)
		(void)secure->data_finish(x);
	return STEP_ENDED;
}

/*
 * Where the next bytes go: as far into a page as they will be in the file.
 * Where the two differ, the kernel's copy takes ten times as long (AMD: "rep
 * movsb").  In TYPE A behind a CR that waited, as it may come out first.
 */
static size_t
place_of_bytes(const struct xfer *x)
{
	return x->ascii ? 1 : (size_t)(x->at % PAGE_BYTES);
}

/* One piece; STEP_DONE: there may be more. */
static enum xfer_step
receive_piece(struct xfer *x)
{
	size_t at = place_of_bytes(x);
	char *in = x->buf + at;
	size_t most = box_take(x, XFER_BUF - at, &x->pause_ms);
	ssize_t n;

	if (most == 0)
		return xfer_is_cancelled(x) ? STEP_CANCELLED : STEP_STARVED;
	n = receive_some(x, in, most);
	/* An abort shuts the connection down: that is no end of a file. */
	if (xfer_is_cancelled(x))
		return STEP_CANCELLED;
	if (n == 0)
		return ended(x);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return wait_for_bytes(x);
	if (n < 0)
		return x->tls != NULL ? STEP_TLS_CUT : STEP_PEER_GONE;
	atomic_fetch_add_explicit(&x->sent, (size_t)n, memory_order_relaxed);
	if (x->ascii)
		return put(x, x->buf, from_ascii(x, x->buf, (size_t)n));
	return put(x, in, (size_t)n);
}

static enum xfer_step
receive(struct xfer *x)
{
	enum xfer_step step = x->tls == NULL ? STEP_DONE :
	    secure->data_greet(x);

	x->pause_ms = 0;
	if (step == STEP_DONE && x->buf == NULL) {
		if ((x->buf = aligned_alloc(PAGE_BYTES, XFER_BUF)) == NULL) {
			x->err = STORAGE_BUSY;
			return STEP_NOT_STORED;
		}
		step = copy_old(x);
		if (step == STEP_DONE)
			step = checksum_begin(x);
	}
	while (step == STEP_DONE)
		step = receive_piece(x);
	return step;
}

static enum xfer_step
commit(struct xfer *x)
{
	enum xfer_step step;

	if (x->has_cr && put(x, "\r", 1) != STEP_DONE)
		return STEP_NOT_STORED;
	if ((step = checksum_judge(x)) != STEP_DONE)
		return step;
	x->err = box_close(x);
	if (x->err != STORAGE_OK)
		return STEP_NOT_STORED;
	x->err = x->storage->ops->upload_commit(x->upload);
	x->upload = NULL;
	return x->err == STORAGE_OK ? STEP_DONE : STEP_NOT_STORED;
}

/*
 * Of a file without room nothing is kept: it would hold the room that others
 * wait for, under a name that its owner does not see.
 */
static bool
may_go_on(const struct xfer *x)
{
	return x->step != STEP_MISMATCH && x->err != STORAGE_NO_SPACE &&
	    x->err != STORAGE_OVER_QUOTA;
}

void
receive_work(struct xfer *x)
{
	x->step = x->committing ? commit(x) : receive(x);
	if (x->step == STEP_BLOCKED || x->step == STEP_STARVED ||
	    x->step == STEP_ENDED || x->upload == NULL)
		return;
	/* Here, so that who is told of it can go on with it at once. */
	x->storage->ops->upload_abort(x->upload, may_go_on(x));
	x->upload = NULL;
}
