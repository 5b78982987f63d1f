/*
 * ipc/channel.c: messages over a SOCK_SEQPACKET pair; see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/pass.h"

_Static_assert(IPC_BATCH <= PASS_MAX, "one for each message");

const char *
ipc_type_name(enum ipc_type type)
{
	static const char *const names[IPC_TYPE_COUNT] = {
#define X(NAME, meaning) [IPC_##NAME] = #NAME,
		IPC_TO_GATE(X) IPC_TO_WORKER(X) IPC_WARDEN(X)
#undef X
	};

	return type > IPC_NONE && type < IPC_TYPE_COUNT ? names[type] : "?";
}

void
ipc_init(struct ipc_channel *c, int fd)
{
	*c = (struct ipc_channel) { .fd = fd };
}

static struct ipc_queued *
queue_at(struct ipc_channel *c, size_t i)
{
	return &c->queue[(c->head + i) % c->cap];
}

void
ipc_free(struct ipc_channel *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (queue_at(c, i)->fd >= 0)
			close(queue_at(c, i)->fd);
	free(c->queue);
	if (c->fd >= 0)
		close(c->fd);
	ipc_init(c, -1);
}

size_t
ipc_room(const struct ipc_channel *c)
{
	return IPC_QUEUE - c->count;
}

/* Doubles the queue, up to IPC_QUEUE; false when that is reached. */
static bool
queue_grow(struct ipc_channel *c)
{
	size_t cap = c->cap == 0 ? IPC_BATCH : c->cap * 2;
	struct ipc_queued *queue;

	if (c->count >= IPC_QUEUE ||
	    (queue = calloc(cap, sizeof(*queue))) == NULL)
		return false;
	for (size_t i = 0; i < c->count; i++)
		queue[i] = *queue_at(c, i);
	free(c->queue);
	c->queue = queue;
	c->cap = cap;
	c->head = 0;
	return true;
}

bool
ipc_send(struct ipc_channel *c, const struct ipc_msg *m, int fd)
{
	struct ipc_queued *q;

	if (c->fd < 0 || (c->count == c->cap && !queue_grow(c))) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	q = queue_at(c, c->count++);
	q->msg = *m;
	q->msg.version = IPC_VERSION;
	q->msg.seq = c->seq_out++;
	q->fd = fd;
	return true;
}

/* Copies the next packet's messages out; returns how many. */
static size_t
batch_fill(struct ipc_channel *c, struct ipc_msg *out)
{
	size_t n = c->count < IPC_BATCH ? c->count : IPC_BATCH;

	for (size_t i = 0; i < n; i++)
		out[i] = queue_at(c, i)->msg;
	return n;
}

static void
batch_drop(struct ipc_channel *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (queue_at(c, i)->fd >= 0)
			close(queue_at(c, i)->fd);
	c->head = (c->head + n) % c->cap;
	c->count -= n;
}

static enum ipc_status
send_failed(void)
{
	/*
	 * ETOOMANYREFS: too many descriptors of this user are under way
	 * (unix(7)); the receiver takes them out in its own time.
	 */
	if (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS ||
	    errno == EINTR)
		return IPC_AGAIN;
	return IPC_GONE;
}

/* The descriptors of the next n messages; how many there are. */
static size_t
batch_fds(struct ipc_channel *c, size_t n, int fds[IPC_BATCH])
{
	size_t nfds = 0;

	for (size_t i = 0; i < n; i++)
		if (queue_at(c, i)->fd >= 0)
			fds[nfds++] = queue_at(c, i)->fd;
	return nfds;
}

enum ipc_status
ipc_flush(struct ipc_channel *c)
{
	struct ipc_msg batch[IPC_BATCH];
	int fds[IPC_BATCH];

	while (c->count > 0) {
		size_t n = batch_fill(c, batch);
		size_t nfds = batch_fds(c, n, fds);

		if (!pass_send(c->fd, batch, n * sizeof(batch[0]), fds, nfds,
		    MSG_DONTWAIT))
			return send_failed();
		batch_drop(c, n);
	}
	return IPC_GOOD;
}

enum ipc_status
ipc_flush_plain(struct ipc_channel *c)
{
	struct ipc_msg batch[IPC_BATCH];

	while (c->count > 0) {
		size_t n = batch_fill(c, batch);

		if (send(c->fd, batch, n * sizeof(batch[0]),
		    MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			return send_failed();
		batch_drop(c, n);
	}
	return IPC_GOOD;
}

/* Size, version, sequence and type of everything in a packet. */
static bool
packet_is_sound(struct ipc_channel *c, const struct ipc_msg *m, size_t len)
{
	if (len == 0 || len % sizeof(*m) != 0 || len > IPC_BATCH * sizeof(*m))
		return false;
	for (size_t i = 0; i < len / sizeof(*m); i++)
		if (m[i].version != IPC_VERSION || m[i].seq != c->seq_in++ ||
		    m[i].type == IPC_NONE || m[i].type >= IPC_TYPE_COUNT)
			return false;
	return true;
}

enum ipc_status
ipc_receive(struct ipc_channel *c, struct ipc_msg out[IPC_BATCH], size_t *n,
    int fds[IPC_BATCH], size_t *nfds)
{
	size_t taken = fds != NULL ? IPC_BATCH : 0;
	int flags = MSG_DONTWAIT;
	ssize_t len;

	*n = 0;
	len = pass_receive(c->fd, out, IPC_BATCH * sizeof(*out), fds, &taken,
	    &flags);
	if (fds != NULL)
		*nfds = taken;
	if (len < 0)
		return errno == EAGAIN || errno == EINTR ? IPC_AGAIN : IPC_GONE;
	if (len == 0)
		return IPC_GONE;
	if ((flags & MSG_TRUNC) != 0 ||
	    (fds == NULL && (flags & MSG_CTRUNC) != 0) ||
	    !packet_is_sound(c, out, (size_t)len))
		return IPC_BAD;
	*n = (size_t)len / sizeof(*out);
	return IPC_GOOD;
}
