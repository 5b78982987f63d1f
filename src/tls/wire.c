/*
 * tls/wire.c: the library's bytes on the caller's socket.
 *
 * The library's own socket BIO uses write(2), which raises SIGPIPE, and
 * blocks when the socket does; and between two calls of it nobody looks at
 * the clock.  This one does the three things by itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "tls/conn.h"

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool
is_for_later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* The first cause is kept: an alert that is sent into a cut has another. */
static void
cut(struct tls *t, int error)
{
	if (t->cut)
		return;
	t->cut = true;
	t->cut_errno = error;
}

/* What is missing of the header, or else of the body, of a record. */
static size_t
record_left(const struct tls *t)
{
	return t->header_len < sizeof(t->header) ?
	    sizeof(t->header) - t->header_len : t->body_left;
}

/* Takes n bytes, of record_left at most, into account. */
static void
record_follow(struct tls *t, const char *bytes, size_t n)
{
	if (t->header_len < sizeof(t->header)) {
		memcpy(t->header + t->header_len, bytes, n);
		t->header_len += n;
		if (t->header_len < sizeof(t->header))
			return;
		t->body_left = (size_t)t->header[3] << 8 | t->header[4];
	} else {
		t->body_left -= n;
	}
	if (t->body_left == 0)
		t->header_len = 0;
}

/* No reply begins with a byte that a record begins with (20 to 23). */
static bool
clear_follows(const struct tls *t)
{
	unsigned char byte;

	return t->header_len == 0 &&
	    recv(t->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 &&
	    (byte < SSL3_RT_CHANGE_CIPHER_SPEC ||
	    byte > SSL3_RT_APPLICATION_DATA);
}

static int
wire_read(BIO *bio, char *out, int size)
{
	struct tls *t = BIO_get_data(bio);
	size_t room;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	if (t->stopping && clear_follows(t))
		t->in_clear = true;
	if (t->in_clear || clock_ms() >= t->deadline_ms) {
		BIO_set_retry_read(bio);
		return -1;
	}

	/* Never beyond a record, however much the library asks for. */
	room = record_left(t);
	if (room > (size_t)size)
		room = (size_t)size;
	n = recv(t->fd, out, room, MSG_DONTWAIT);
	if (n > 0) {
		size_t kept = CONN_FIRST - t->first_len;

		if (kept > (size_t)n)
			kept = (size_t)n;
		memcpy(t->first + t->first_len, out, kept);
		t->first_len += kept;
		record_follow(t, out, (size_t)n);
		t->bytes_in += (uint64_t)n;
		return (int)n;
	}
	if (n < 0 && is_for_later(errno)) {
		BIO_set_retry_read(bio);
		return -1;
	}
	cut(t, n < 0 ? errno : 0);
	return n < 0 ? -1 : 0;
}

static int
wire_write(BIO *bio, const char *bytes, int size)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (size <= 0)
		return 0;
	n = send(t->fd, bytes, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n >= 0) {
		t->bytes_out += (uint64_t)n;
		return (int)n;
	}
	if (is_for_later(errno)) {
		BIO_set_retry_write(bio);
		return -1;
	}
	cut(t, errno);
	return -1;
}

static long
wire_ctrl(BIO *bio, int what, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	switch (what) {
	case BIO_CTRL_FLUSH:	/* nothing is held back */
		return 1;
	case BIO_CTRL_EOF:
		return t->cut && t->cut_errno == 0;
	default:
		return 0;
	}
}

BIO *
wire_new(struct tls *t)
{
	BIO *bio;

	/*
	 * A method for each connection, of a fixed type: a number from
	 * BIO_get_new_index would be a global, and they run out.
	 */
	t->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 0x7f, "socket");
	if (t->method == NULL ||
	    BIO_meth_set_read(t->method, wire_read) != 1 ||
	    BIO_meth_set_write(t->method, wire_write) != 1 ||
	    BIO_meth_set_ctrl(t->method, wire_ctrl) != 1 ||
	    (bio = BIO_new(t->method)) == NULL)
		return NULL;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	return bio;
}

bool
wire_wait(const struct tls *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };

	for (;;) {
		uint64_t now = clock_ms();
		uint64_t left;
		int n;

		if (now >= t->deadline_ms)
			return false;
		left = t->deadline_ms - now;
		n = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;	/* what failed, the next read tells */
	}
}
