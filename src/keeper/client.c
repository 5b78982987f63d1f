/*
 * keeper/client.c: channels to workers, and what is taken from them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/pass.h"
#include "keeper/keeper.h"

#define DAY_S 86400

static void
release(struct loop_grave *g)
{
	struct client *c = LOOP_OWNER(g, struct client, grave);

	explicit_bzero(c, sizeof(*c));
	free(c);
}

void
client_end(struct client *c)
{
	struct keeper *k = c->keeper;

	if (!c->gone) {
		judge_forget(c);
		system_forget(c);
		loop_timer_stop(&k->loop, &c->timer);
		loop_unwatch(&k->loop, &c->watch);
		close(c->watch.fd);
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
		k->client_count--;
		c->gone = true;
	}
	if (c->state != CLIENT_HASHING)
		loop_bury(&k->loop, &c->grave, release);
}

/*
 * Received where it stays, so that there is one copy to be wiped.  A worker
 * that speaks while it is not its turn has been taken over.
 */
static void
client_ready(struct loop_watch *w, uint32_t events)
{
	struct client *c = LOOP_OWNER(w, struct client, watch);
	char extra;
	ssize_t len;

	(void)events;
	if (c->gone)
		return;
	if (c->state != CLIENT_IDLE) {
		len = recv(w->fd, &extra, 1, MSG_DONTWAIT);
		if (len >= 0 || errno != EAGAIN)
			client_end(c);
		return;
	}
	len = recv(w->fd, &c->request, sizeof(c->request),
	    MSG_DONTWAIT | MSG_TRUNC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len < 0 || !keeper_request_is_sound(&c->request, (size_t)len)) {
		client_end(c);
		return;
	}
	judge_begin(c);
}

static void
client_due(struct client *c)
{
	if ((c->state == CLIENT_WAITING || c->state == CLIENT_HELD) &&
	    keeper_now(c->keeper) >= c->due_ms)
		judge_due(c);
}

static void
timer_fired(struct loop_timer *t)
{
	client_due(LOOP_OWNER(t, struct client, timer));
}

void
client_check_all(struct keeper *k)
{
	for (struct client *c = k->clients, *next; c != NULL; c = next) {
		next = c->next;	/* an answer may end it */
		client_due(c);
	}
}

void
client_wait(struct client *c, enum client_state state, uint64_t due_ms)
{
	uint64_t now = keeper_now(c->keeper);

	c->state = state;
	c->due_ms = due_ms;
	loop_timer_set(&c->keeper->loop, &c->timer,
	    due_ms > now ? due_ms - now : 0);
}

void
client_add(struct keeper *k, uint32_t number, int fd)
{
	struct client *c = NULL;

	if (k->client_count < k->conf.sessions_max)
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		log_line("no room for worker=%u", number);
		close(fd);
		return;
	}
	c->keeper = k;
	c->number = number;
	c->timer.fire = timer_fired;
	c->watch = (struct loop_watch) { .fd = fd, .ready = client_ready };
	if (!loop_watch(&k->loop, &c->watch, EPOLLIN)) {
		close(fd);
		free(c);
		return;
	}
	c->next = k->clients;
	c->link = &k->clients;
	if (c->next != NULL)
		c->next->link = &c->next;
	k->clients = c;
	k->client_count++;
}

struct client *
client_find(struct keeper *k, uint32_t number)
{
	struct client *c = k->clients;

	while (c != NULL && c->number != number)
		c = c->next;
	return c;
}

static enum keeper_method
method_of(const struct accounts_entry *e)
{
	if (accounts_needs_no_password(e))
		return KEEPER_BY_CERTIFICATE;
	return e->certificates.len > 0 ? KEEPER_BY_BOTH : KEEPER_BY_PASSWORD;
}

void
client_answer(struct client *c, enum keeper_verdict verdict,
    const struct accounts_entry *account, int root_fd, int quota_fd)
{
	int fds[2] = { root_fd, quota_fd };
	struct keeper_answer a = { .version = KEEPER_VERSION,
		.verdict = (uint8_t)verdict, .seq = c->request.seq };

	if (account != NULL) {
		a.drop_box = account->drop_box;
		a.rights = account->rights;
		a.tls = account->tls;
		a.quota_bytes = account->quota_bytes;
		a.quota_files = account->quota_files;
		a.rate = account->rate;
		a.has_quota = quota_fd >= 0;
		a.method = (uint8_t)method_of(account);
		/* Counted anew, and swept, once a day as well. */
		a.boot = c->keeper->boot + (uint64_t)time(NULL) / DAY_S;
	}
	c->state = verdict == KEEPER_YES ? CLIENT_LOGGED_IN : CLIENT_IDLE;
	/* One answer to one question always has room, unless nobody reads. */
	if (!pass_send(c->watch.fd, &a, sizeof(a), fds,
	    root_fd < 0 ? 0 : quota_fd < 0 ? 1 : 2, MSG_DONTWAIT))
		client_end(c);
}
