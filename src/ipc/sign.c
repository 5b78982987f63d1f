/*
 * ipc/sign.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/sign.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static bool
wait_for(int fd, short events, uint64_t until_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		uint64_t now = clock_ms();
		int n;

		if (now >= until_ms)
			return false;
		n = poll(&p, 1, (int)(until_ms - now));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

static bool
send_question(int fd, const struct sign_question *q, uint64_t until_ms)
{
	while (wait_for(fd, POLLOUT, until_ms)) {
		ssize_t n = send(fd, q, sizeof(*q),
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			return n == sizeof(*q);
		if (errno != EAGAIN && errno != EINTR)
			return false;
	}
	return false;
}

/* An answer to an earlier question, which came too late, is passed over. */
static bool
receive_answer(int fd, uint32_t number, struct sign_answer *a,
    uint64_t until_ms)
{
	while (wait_for(fd, POLLIN, until_ms)) {
		ssize_t n = recv(fd, a, sizeof(*a), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n != sizeof(*a) || a->version != SIGN_VERSION)
			return false;
		if (a->number == number)
			return true;
	}
	return false;
}

bool
sign_ask(void *channel, uint32_t key, uint32_t scheme, const uint8_t *bytes,
    size_t n, uint8_t out[SIGN_OUTPUT_MAX], size_t *out_len)
{
	struct sign_channel *c = channel;
	struct sign_question q = { .version = SIGN_VERSION, .key = key,
		.scheme = scheme, .n = (uint16_t)n, .number = ++c->number };
	uint64_t until_ms = clock_ms() + SIGN_PATIENCE_MS;
	struct sign_answer a;

	if (n > sizeof(q.bytes))
		return false;
	memcpy(q.bytes, bytes, n);
	if (!send_question(c->fd, &q, until_ms) ||
	    !receive_answer(c->fd, q.number, &a, until_ms) ||
	    a.status != SIGN_STATUS_OK || a.n == 0 || a.n > sizeof(a.bytes))
		return false;
	memcpy(out, a.bytes, a.n);
	*out_len = a.n;
	return true;
}
