/*
 * worker/mould.c: see the header.
 *
 * A session with a secret has a process of its own, and most of what it costs
 * to start one is not the process: the dynamic linker, the library's tables,
 * certificates.  All of that is the same for each, and done once, here.  There
 * is nothing in it that one session may not know of another: it has read the
 * configuration and certificates, and no byte from outside.  What must not be
 * shared is made behind the fork: keys of tickets (tls_server_renew), random
 * numbers (the library sees that its process is another one), the loop.
 *
 * The price: processes that come of one mould have their code at the same
 * addresses, as those of every server that forks.
 *
 * The new process is to be the warden's child, as if the warden had started
 * it.  So it is forked twice, and the one in between ends: the warden is a
 * subreaper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "worker/mould.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/mould.h"
#include "ipc/pass.h"

struct order {
	int fd[MOULD_PLACES];	/* -1: there is none */
	uint32_t has;
};

static unsigned
count_of(uint32_t has)
{
	return (unsigned)__builtin_popcount(has);
}

/* False: the warden has closed its end. */
static bool
receive(struct order *o)
{
	struct mould_order order;
	int fd[MOULD_PLACES], flags;
	size_t came;
	unsigned next = 0;
	ssize_t n;

	do {
		came = MOULD_PLACES;
		flags = 0;
		n = pass_receive(INHERIT_WARDEN, &order, sizeof(order), fd,
		    &came, &flags);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return false;
	if (n != (ssize_t)sizeof(order) || order.version != MOULD_VERSION ||
	    order.has >= 1u << MOULD_PLACES || came != count_of(order.has))
		log_fatal(1, "malformed message from the warden");
	o->has = order.has;
	for (unsigned i = 0; i < MOULD_PLACES; i++)
		o->fd[i] = (order.has & 1u << i) != 0 ? fd[next++] : -1;
	return true;
}

static void
answer(int32_t pid)
{
	struct mould_answer a = { .version = MOULD_VERSION, .pid = pid };

	if (send(INHERIT_WARDEN, &a, sizeof(a), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(a))
		_exit(1);	/* the warden is gone */
}

static void
forget(const struct order *o)
{
	for (unsigned i = 0; i < MOULD_PLACES; i++)
		if (o->fd[i] >= 0)
			close(o->fd[i]);
}

/* Their places are taken: by /dev/null, and the mould's own channel. */
static void
put_in_place(const struct order *o)
{
	for (unsigned i = 0; i < MOULD_PLACES; i++)
		if (o->fd[i] >= 0 && dup2(o->fd[i], mould_places[i]) < 0)
			log_fatal(1, "descriptors err=%d", errno);
	forget(o);
}

/* True in the new worker. */
static bool
cast(void)
{
	pid_t between = fork(), pid;

	if (between < 0) {
		answer(-errno);
		return false;
	}
	if (between > 0) {
		while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
			;
		return false;
	}
	if ((pid = fork()) == 0)
		return true;
	answer(pid < 0 ? -errno : pid);
	_exit(0);
}

void
mould_serve(char *name)
{
	struct order o;

	while (receive(&o)) {
		if (cast()) {
			put_in_place(&o);
			memset(name, 0, strlen(name));
			memcpy(name, "solo", sizeof("solo"));
			return;
		}
		forget(&o);
	}
	_exit(0);
}
