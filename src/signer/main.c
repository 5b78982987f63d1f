/*
 * signer/main.c: portcullis-signer, which has the private keys and does
 * nothing but sign with them what TLS servers sign.
 *
 * It opens nothing: keys come as descriptors from the warden, so it needs no
 * right to any file and never runs as root.  Nor does it know anybody outside:
 * who asks are our own processes, each over a channel of its own, of which
 * any may have been taken over.  Such a one gets signatures for handshakes
 * while it lives, at a pace, and nothing that lasts longer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "ipc/channel.h"
#include "ipc/inherit.h"
#include "ipc/sign.h"
#include "signer/sandbox.h"
#include "tls/sign_key.h"

#define KEYS_MAX 256
#define KEY_FILE_MAX 65536	/* bytes */
#define CHANNELS_MAX 4096

/*
 * Signatures of one channel: so many at once, and one more each so many ms.
 * A session makes one for its control connection, and one for each data
 * connection that does not resume.
 */
#define BURST 100
#define PACE_MS 20

struct client {
	struct loop_watch watch;
	struct loop_grave grave;
	struct client *next;	/* of those that wait for their turn */
	uint64_t credit_ms;	/* PACE_MS a signature, up to BURST of them */
	uint64_t counted_ms;	/* until when credit_ms is right */
	bool waiting;
};

struct signer {
	struct loop loop;
	struct loop_watch watch;	/* the warden's channel */
	struct loop_timer turn;
	struct ipc_channel warden;
	struct client *waiting;
	size_t clients;
	struct sign_key *keys[KEYS_MAX];
};

/* One, as a process has one loop; what it calls gets no other argument. */
static struct signer signer;

/* ---- keys */

static enum sign_key_fault
look_at(int fd, const struct stat *st)
{
	if (fd < 0 || !S_ISREG(st->st_mode))
		return SIGN_KEY_NOT_FILE;
	if ((st->st_mode & (S_IRWXO | S_IWGRP)) != 0)
		return SIGN_KEY_MODE;
	return st->st_size > 0 && st->st_size <= KEY_FILE_MAX ?
	    SIGN_KEY_OK : SIGN_KEY_SIZE;
}

static enum sign_key_fault
read_text(int fd, char *text, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, text + at, size - at, (off_t)at);

		if (n <= 0)
			return SIGN_KEY_FILE;
		at += (size_t)n;
	}
	return SIGN_KEY_OK;
}

/* *key is written with SIGN_KEY_OK only. */
static enum sign_key_fault
load_key(int fd, struct sign_key **key, unsigned *line)
{
	static char text[KEY_FILE_MAX];
	enum sign_key_fault fault;
	struct stat st;

	*line = 0;
	if (fstat(fd, &st) != 0)
		return SIGN_KEY_FILE;
	if ((fault = look_at(fd, &st)) != SIGN_KEY_OK)
		return fault;
	fault = read_text(fd, text, (size_t)st.st_size);
	if (fault == SIGN_KEY_OK)
		fault = sign_key_read((struct sv) { text,
		    (size_t)st.st_size }, key, line);
	explicit_bzero(text, sizeof(text));
	return fault;
}

/* A key that cannot be read leaves the one that is there. */
static void
take_key(struct ipc_msg m, int fd)
{
	enum sign_key_fault fault = SIGN_KEY_OK;
	struct sign_key *key = NULL;

	if (m.key.number >= KEYS_MAX)
		fault = SIGN_KEY_NUMBER;
	else if (fd >= 0)
		fault = load_key(fd, &key, &m.key.line);
	if (fault == SIGN_KEY_OK) {
		sign_key_free(signer.keys[m.key.number]);
		signer.keys[m.key.number] = key;
	}
	m.key.fault = fault;
	ipc_send(&signer.warden, &m, -1);
	if (fd >= 0)
		close(fd);
}

/* ---- who asks */

static void
client_free(struct loop_grave *g)
{
	free(LOOP_OWNER(g, struct client, grave));
}

static void
client_end(struct client *c)
{
	for (struct client **at = &signer.waiting; *at != NULL;
	     at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			break;
		}
	}
	loop_unwatch(&signer.loop, &c->watch);
	/* The warden has a copy, for the next signer: closing says nothing. */
	shutdown(c->watch.fd, SHUT_RDWR);
	close(c->watch.fd);
	signer.clients--;
	loop_bury(&signer.loop, &c->grave, client_free);
}

static void
answer(const struct sign_question *q, struct sign_answer *a)
{
	const struct sign_key *key =
	    q->key < KEYS_MAX ? signer.keys[q->key] : NULL;
	size_t n = 0;

	*a = (struct sign_answer) { .version = SIGN_VERSION,
		.status = SIGN_STATUS_REFUSED, .number = q->number };
	if (key == NULL ||
	    !sign_key_sign(key, q->scheme, q->bytes, q->n, a->bytes, &n))
		return;
	a->status = SIGN_STATUS_OK;
	a->n = (uint16_t)n;
}

/* False: not now; it is asked again when its turn has come. */
static bool
may_ask(struct client *c)
{
	uint64_t now = signer.loop.now_ms;

	c->credit_ms += now - c->counted_ms;
	c->counted_ms = now;
	if (c->credit_ms > (uint64_t)BURST * PACE_MS)
		c->credit_ms = (uint64_t)BURST * PACE_MS;
	if (c->credit_ms >= PACE_MS) {
		c->credit_ms -= PACE_MS;
		return true;
	}
	c->waiting = true;
	c->next = signer.waiting;
	signer.waiting = c;
	loop_rewatch(&signer.loop, &c->watch, 0);
	if (signer.turn.slot == 0)
		loop_timer_set(&signer.loop, &signer.turn, PACE_MS);
	return false;
}

static void
next_turn(struct loop_timer *t)
{
	struct client *list = signer.waiting;

	(void)t;
	signer.waiting = NULL;
	for (struct client *next; list != NULL; list = next) {
		next = list->next;
		list->waiting = false;
		loop_rewatch(&signer.loop, &list->watch, EPOLLIN);
	}
}

/*
 * One question each time, so that all who ask have their turn.  Who does not
 * read its answer has no use for it; who asks wrongly is not one of ours.
 */
static void
client_ready(struct loop_watch *w, uint32_t events)
{
	struct client *c = LOOP_OWNER(w, struct client, watch);
	struct sign_question q;
	struct sign_answer a;
	ssize_t n;

	if (c->waiting || (events & EPOLLIN) == 0) {
		if ((events & (EPOLLHUP | EPOLLERR)) != 0)
			client_end(c);
		return;
	}
	if (!may_ask(c))
		return;
	n = recv(w->fd, &q, sizeof(q), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || !sign_question_is_sound(&q, (size_t)n)) {
		if (n > 0)
			log_line("a malformed question; its channel is "
			    "closed");
		client_end(c);
		return;
	}
	answer(&q, &a);
	if (send(w->fd, &a, sizeof(a), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    sizeof(a))
		client_end(c);
}

static void
take_client(int fd)
{
	struct client *c = NULL;

	if (fd < 0)
		return;
	if (signer.clients < CHANNELS_MAX)
		c = calloc(1, sizeof(*c));
	if (c == NULL) {
		log_line("no room for another channel");
		close(fd);
		return;
	}
	c->watch = (struct loop_watch) { .fd = fd, .ready = client_ready };
	c->credit_ms = (uint64_t)BURST * PACE_MS;
	c->counted_ms = signer.loop.now_ms;
	if (!loop_watch(&signer.loop, &c->watch, EPOLLIN)) {
		log_line("cannot watch a channel err=%d", errno);
		close(fd);
		free(c);
		return;
	}
	signer.clients++;
}

/* ---- the warden */

static void
take_message(const struct ipc_msg *m, int fd)
{
	switch ((int)m->type) {
	case IPC_KEY:
		take_key(*m, fd);
		return;
	case IPC_SIGNS:
		take_client(fd);
		return;
	case IPC_STOP:
		_exit(0);
	default:
		log_fatal(1, "the warden says %s",
		    ipc_type_name((enum ipc_type)m->type));
	}
}

static void
warden_ready(struct loop_watch *w, uint32_t events)
{
	struct ipc_msg messages[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, used = 0;

	(void)w;
	(void)events;
	switch (ipc_receive(&signer.warden, messages, &n, fds, &nfds)) {
	case IPC_AGAIN:
		return;
	case IPC_GONE:
		_exit(0);	/* whom it served goes with it */
	case IPC_BAD:
		log_fatal(1, "a malformed message of the warden's");
	case IPC_GOOD:
		break;
	}
	for (size_t i = 0; i < n; i++) {
		bool has_fd = messages[i].slot != 0 && used < nfds;

		take_message(&messages[i], has_fd ? fds[used++] : -1);
	}
	if (ipc_flush_plain(&signer.warden) == IPC_GONE)
		_exit(0);
}

static void
say_ready(unsigned walls)
{
	struct ipc_msg m = { .type = IPC_READY, .walls = walls };

	ipc_send(&signer.warden, &m, -1);
	if (ipc_flush_plain(&signer.warden) != IPC_GOOD)
		log_fatal(1, "the warden is gone");
}

int
main(void)
{
	struct stat st;

	log_open("signer");
	signal(SIGPIPE, SIG_IGN);
	if (fstat(INHERIT_WARDEN, &st) != 0 || !S_ISSOCK(st.st_mode))
		log_fatal(2, "is started by portcullisd alone");
	if (!sign_key_prepare() || !loop_init(&signer.loop))
		log_fatal(1, "cannot start err=%d", errno);
	ipc_init(&signer.warden, INHERIT_WARDEN);
	signer.turn.fire = next_turn;
	signer.watch = (struct loop_watch) { .fd = INHERIT_WARDEN,
		.ready = warden_ready };
	if (!loop_watch(&signer.loop, &signer.watch, EPOLLIN))
		log_fatal(1, "cannot watch the warden err=%d", errno);
	say_ready(sandbox_enter());
	loop_run(&signer.loop);
	return 0;
}
