/*
 * keeper/orders.c: what the warden wants, and what the gate knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "keeper/keeper.h"

static void
problem(void *arg, unsigned line, const char *why)
{
	const struct keeper *k = arg;

	if (line > 0)
		log_line("%s:%u: %s", k->conf.accounts_file, line, why);
	else
		log_line("%s: %s", k->conf.accounts_file, why);
}

/* What is worked at where there is no account; false without memory. */
static bool
choose_usual(struct keeper *k, const struct accounts *a)
{
	char made[SECRET_HASH_MAX];
	struct sv hash = accounts_usual_hash(a);

	if (hash.len == 0) {
		if (!secret_hash("-", SECRET_COST_USUAL, made))
			return false;
		hash = sv_of(made);
	}
	snprintf(k->usual, sizeof(k->usual), "%.*s", (int)hash.len, hash.ptr);
	return true;
}

bool
orders_load(struct keeper *k, int fd)
{
	struct accounts_listener l = { problem, k };
	struct accounts a;

	if (!accounts_read(fd, &a, &l))
		return false;
	if (!choose_usual(k, &a)) {
		problem(k, 0, "out of memory");
		accounts_free(&a);
		return false;
	}
	accounts_free(&k->accounts);
	k->accounts = a;
	doubt_accounts(k);
	return true;
}

static void
reload(struct keeper *k, int fd)
{
	struct ipc_msg m = { .type = IPC_RELOAD };

	m.worker = fd >= 0 && orders_load(k, fd) ? 1 : 0;
	if (fd >= 0)
		close(fd);
	ipc_send(&k->warden, &m, -1);
}

static void gate_ready(struct loop_watch *w, uint32_t events);

static void
take_gate(struct keeper *k, int fd)
{
	if (k->gate.fd >= 0)
		loop_unwatch(&k->loop, &k->gate_watch);
	ipc_free(&k->gate);
	ipc_init(&k->gate, fd);
	k->gate_watch = (struct loop_watch) { .fd = fd,
		.ready = gate_ready };
	if (!loop_watch(&k->loop, &k->gate_watch, EPOLLIN))
		log_fatal(1, "cannot watch the gate");
}

/* True: the message's descriptor, if it has one, is taken. */
static bool
obey(struct keeper *k, const struct ipc_msg *m, int fd)
{
	if (m->type == IPC_ATTACH && fd >= 0) {
		if (m->worker == KEEPER_GATE)
			take_gate(k, fd);
		else if (m->worker == KEEPER_SYSTEM)
			system_take(k, fd);
		else
			client_add(k, m->worker, fd);
		return true;
	}
	if (m->type == IPC_RELOAD) {
		reload(k, fd);
		return true;
	}
	if (m->type == IPC_STOP)
		k->loop.stop = true;
	else if (m->type == IPC_SKIP && k->may_skip)
		k->skipped_ms += m->skip_ms;
	else
		log_fatal(1, "the warden said %s",
		    ipc_type_name((enum ipc_type)m->type));
	return false;
}

static bool
carries_fd(const struct ipc_msg *m)
{
	return m->type == IPC_ATTACH || m->type == IPC_RELOAD;
}

/* False when there is no more. */
static bool
hear_warden(struct keeper *k)
{
	struct ipc_msg m[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, used = 0;
	enum ipc_status status = ipc_receive(&k->warden, m, &n, fds, &nfds);

	if (status == IPC_AGAIN)
		return false;
	if (status == IPC_GONE) {
		k->loop.stop = true;
		return false;
	}
	if (status == IPC_BAD)
		log_fatal(1, "the warden's channel is broken");
	for (size_t i = 0; i < n; i++) {
		int fd = carries_fd(&m[i]) && used < nfds ? fds[used++] : -1;

		(void)obey(k, &m[i], fd);
	}
	while (used < nfds)
		close(fds[used++]);
	client_check_all(k);
	return true;
}

static void
warden_ready(struct loop_watch *w, uint32_t events)
{
	struct keeper *k = LOOP_OWNER(w, struct keeper, warden_watch);

	(void)events;
	while (hear_warden(k))
		;
}

/* A worker that the warden has told us of, perhaps only just now. */
static struct client *
find_client(struct keeper *k, uint32_t number)
{
	struct client *c = client_find(k, number);

	while (c == NULL && hear_warden(k))
		c = client_find(k, number);
	return c;
}

/* A worker has one session in its life, so who is there never changes. */
static void
take_peer(struct keeper *k, const struct ipc_peer *peer)
{
	struct client *c = find_client(k, peer->worker);

	if (c == NULL || c->has_peer)
		return;
	c->peer = peer->at;
	c->has_peer = true;
}

/* A gate that ends is replaced; the warden gives us the new one's channel. */
static void
lose_gate(struct keeper *k)
{
	loop_unwatch(&k->loop, &k->gate_watch);
	ipc_free(&k->gate);
}

void
orders_hear_gate(struct keeper *k)
{
	struct ipc_msg m[IPC_BATCH];
	enum ipc_status status = IPC_GOOD;
	size_t n;

	while (k->gate.fd >= 0) {
		status = ipc_receive(&k->gate, m, &n, NULL, NULL);
		if (status != IPC_GOOD)
			break;
		for (size_t i = 0; i < n; i++)
			if (m[i].type == IPC_PEER)
				take_peer(k, &m[i].peer);
	}
	if (k->gate.fd >= 0 && status != IPC_AGAIN)
		lose_gate(k);
}

static void
gate_ready(struct loop_watch *w, uint32_t events)
{
	(void)events;
	orders_hear_gate(LOOP_OWNER(w, struct keeper, gate_watch));
}

static void
flush(void *arg)
{
	struct keeper *k = arg;

	if (ipc_flush(&k->warden) == IPC_GONE)
		k->loop.stop = true;
}

void
orders_start(struct keeper *k)
{
	ipc_init(&k->warden, INHERIT_WARDEN);
	ipc_init(&k->gate, -1);
	k->warden_watch = (struct loop_watch) { .fd = INHERIT_WARDEN,
		.ready = warden_ready };
	if (!loop_watch(&k->loop, &k->warden_watch, EPOLLIN))
		log_fatal(1, "cannot watch the warden");
	k->loop.flush = flush;
	k->loop.flush_arg = k;
}
