/*
 * warden/signer.c: the process with the private keys, and what goes with it.
 *
 * A signer belongs to a configuration: a reload starts another with the keys
 * of then, and the old one goes with the last session that asks it.  So a key
 * has one number for as long as it lives, and a certificate never meets
 * another's key.  Rejected: one signer for ever, that keys come to and go
 * from, as both numbers and certificates would have to be counted.
 *
 * The warden opens key files and reads no byte of them.  It keeps what it has
 * opened, and its end of each channel: a signer that dies is started again
 * with the same, and who had asked the dead one is answered by the next.
 *
 * Whether certificates are good and keys theirs is found out before anything
 * is started or given up, by a process that can read them (a solo worker with
 * no session), while the warden waits for it: some 50 ms, or 10 s at most.  It
 * says what ends soon as well, and is asked that again each day.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/texts.h"
#include "tls/sign_key.h"
#include "warden/warden.h"

#define PATIENCE_MS 10000
#define DAY_MS UINT64_C(86400000)

struct signer {
	struct signer *next;
	struct warden *warden;
	struct account account;
	struct ipc_channel channel;
	struct loop_watch watch;
	struct loop_timer again;
	struct loop_timer daily;
	struct loop_grave grave;
	pid_t pid;		/* -1: none runs now */
	unsigned users;		/* a configuration, and solo workers */
	uint64_t pause_ms;
	bool followed;		/* by the loop */
	bool ready;
	uint32_t walls;
	uint32_t answers, faults;	/* about keys, since it started */
	int texts_fd;
	uint32_t keys;
	int key_fd[CONF_CERTS_MAX];
	char key_path[CONF_CERTS_MAX][CONF_CERT_PATH_MAX];
	bool no_key_said[CONF_CERTS_MAX];	/* it is in the certificate's */
};

/* ---- keys and texts */

static bool
open_key(struct signer *s, const struct conf_cert *c)
{
	const char *path = c->key[0] != '\0' ? c->key : c->chain;

	memcpy(s->key_path[s->keys], path, strlen(path) + 1);
	s->no_key_said[s->keys] = c->key[0] == '\0';
	s->key_fd[s->keys] = open(path,
	    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (s->key_fd[s->keys] >= 0) {
		s->keys++;
		return true;
	}
	log_line("tls.certificate: cannot open %s: %s", path,
	    strerror(errno));
	return false;
}

static bool
open_files(struct signer *s, const struct conf *c)
{
	const char *which;

	s->texts_fd = texts_make(c, time(NULL), &which);
	if (s->texts_fd < 0) {
		log_line("tls.certificate: cannot read %s: %s",
		    which == NULL ? "the files" : which, strerror(errno));
		return false;
	}
	for (uint32_t i = 0; i < c->tls_certificate.count; i++)
		if (!open_key(s, &c->tls_certificate.at[i]))
			return false;
	return true;
}

static void
give_keys(struct signer *s)
{
	for (uint32_t i = 0; i < s->keys; i++) {
		struct ipc_msg m = { .type = IPC_KEY, .slot = 1,
			.key = { .number = i } };

		ipc_send(&s->channel, &m,
		    fcntl(s->key_fd[i], F_DUPFD_CLOEXEC, 0));
	}
}

static void
say_fault(const struct signer *s, const struct ipc_key *k)
{
	char line[16] = "";

	if (k->line > 0)
		snprintf(line, sizeof(line), ":%u", k->line);
	log_line("tls.certificate: %s%s %s%s", s->key_path[k->number], line,
	    sign_key_fault_text((enum sign_key_fault)k->fault),
	    s->no_key_said[k->number] ?
	    "; the key is looked for there, since no key=FILE is given" : "");
}

static void
take(struct signer *s, const struct ipc_msg *m)
{
	if (m->type == IPC_READY) {
		s->ready = true;
		s->walls = m->walls;
		s->pause_ms = 0;
	} else if (m->type == IPC_KEY && m->key.number < s->keys &&
	    m->key.fault < SIGN_KEY_FAULT_COUNT) {
		s->answers++;
		if (m->key.fault == SIGN_KEY_OK)
			return;
		s->faults++;
		say_fault(s, &m->key);
	}
}

/* False when it is gone, or talks nonsense. */
static bool
listen_to(struct signer *s)
{
	struct ipc_msg m[IPC_BATCH];
	enum ipc_status status;
	size_t n;

	while ((status = ipc_receive(&s->channel, m, &n, NULL, NULL)) ==
	    IPC_GOOD)
		for (size_t i = 0; i < n; i++)
			take(s, &m[i]);
	if (status == IPC_BAD)
		kill(s->pid, SIGKILL);
	return status == IPC_AGAIN;
}

static void
signer_says(struct loop_watch *watch, uint32_t events)
{
	struct signer *s = LOOP_OWNER(watch, struct signer, watch);

	if ((events & ~(uint32_t)EPOLLOUT) != 0 && !listen_to(s))
		loop_unwatch(&s->warden->loop, watch);
}

/* ---- its process */

static bool
start(struct signer *s)
{
	struct child_spec spec = { .program = "portcullis-signer",
		.account = &s->account, .fds = INHERIT_WARDEN + 1 };
	int ends[2];

	s->ready = false;
	s->answers = s->faults = 0;
	if (!run_channel_pair(ends)) {
		log_line("cannot start the signer: %s", strerror(errno));
		return false;
	}
	spec.fd[INHERIT_CONF] = -1;
	spec.fd[INHERIT_WARDEN] = ends[1];
	s->pid = child_start(&spec);
	close(ends[1]);
	if (s->pid < 0) {
		log_line("cannot start the signer: %s", strerror(errno));
		close(ends[0]);
		return false;
	}
	ipc_init(&s->channel, ends[0]);
	give_keys(s);
	return true;
}

static void
follow(struct signer *s)
{
	s->watch = (struct loop_watch) { .fd = s->channel.fd,
		.ready = signer_says };
	if (!loop_watch(&s->warden->loop, &s->watch, EPOLLIN))
		log_fatal(1, "cannot watch the signer: %s", strerror(errno));
	s->followed = true;
}

static void start_later(struct signer *s);

/* Who has a channel to the dead one keeps it. */
static void
start_again(struct loop_timer *t)
{
	struct signer *s = LOOP_OWNER(t, struct signer, again);

	if (!start(s)) {
		start_later(s);
		return;
	}
	follow(s);
	for (struct child *c = s->warden->workers; c != NULL; c = c->next)
		if (c->signer == s)
			signer_attach(s, c->signs);
}

static void
start_later(struct signer *s)
{
	s->again.fire = start_again;
	loop_timer_set(&s->warden->loop, &s->again,
	    run_next_pause(&s->pause_ms));
}

static void
forget_process(struct signer *s)
{
	if (s->pid < 0)
		return;
	if (s->followed)
		loop_unwatch(&s->warden->loop, &s->watch);
	ipc_free(&s->channel);
	s->pid = -1;
	s->followed = false;
}

bool
signer_ended(struct warden *w, pid_t pid, int status)
{
	for (struct signer *s = w->signers; s != NULL; s = s->next) {
		if (s->pid != pid)
			continue;
		say_how_it_ended("signer", pid, status);
		forget_process(s);
		if (!w->stopping)
			start_later(s);
		return true;
	}
	return false;
}

void
signers_flush(struct warden *w)
{
	for (struct signer *s = w->signers; s != NULL; s = s->next)
		if (s->followed && s->watch.ready != NULL)
			loop_rewatch(&w->loop, &s->watch,
			    ipc_flush(&s->channel) == IPC_AGAIN ?
			    EPOLLIN | EPOLLOUT : EPOLLIN);
}

void
signer_attach(struct signer *s, int end)
{
	struct ipc_msg m = { .type = IPC_SIGNS, .slot = 1 };

	if (s->pid >= 0)
		ipc_send(&s->channel, &m, fcntl(end, F_DUPFD_CLOEXEC, 0));
}

/* ---- is all of it good? */

/* Waits until it has said something; false: it did not, or is gone. */
static bool
hear(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static bool
keys_are_good(struct signer *s, const struct conf *c)
{
	bool here = ipc_flush(&s->channel) == IPC_GOOD;

	while (here && (!s->ready || s->answers < s->keys))
		here = hear(s->channel.fd) && listen_to(s);
	if (!here) {
		log_line("the signer did not start");
		return false;
	}
	return s->faults == 0 && say_if_walls_lack(c, s->walls);
}

/* Its status tells; a word of its own, that it has come to an end. */
static bool
checker_is_content(pid_t pid, int fd)
{
	int status = 0;

	if (!hear(fd))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 2)
		say_how_it_ended("check of tls.certificate", pid, status);
	return false;
}

/* word: "check", or "warn", which asks for no signature. */
static bool
texts_are_good(struct signer *s, const struct conf *c,
    const struct account *worker, const char *word)
{
	struct child_spec spec = { .program = "portcullis-solo",
		.account = worker, .fds = INHERIT_SIGNER + 1 };
	int ends[2] = { -1, -1 }, mine = -1, theirs = -1;
	bool good = false;
	pid_t pid = -1;

	snprintf(spec.arg, sizeof(spec.arg), "%s", word);
	for (int i = INHERIT_CONF; i < spec.fds; i++)
		spec.fd[i] = -1;
	if (!run_channel_pair(ends) || !signer_channel(s, &mine, &theirs) ||
	    ipc_flush(&s->channel) != IPC_GOOD)
		goto done;
	spec.fd[INHERIT_CONF] = conf_to_fd(c);
	spec.fd[INHERIT_WARDEN] = ends[1];
	spec.fd[INHERIT_TEXTS] = s->texts_fd;
	spec.fd[INHERIT_SIGNER] = theirs;
	if (spec.fd[INHERIT_CONF] >= 0)
		pid = child_start(&spec);
	close(ends[1]);
	ends[1] = -1;
	good = pid >= 0 && checker_is_content(pid, ends[0]);
 done:
	if (pid < 0)
		log_line("cannot check tls.certificate: %s", strerror(errno));
	for (size_t i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	if (mine >= 0)
		close(mine);
	if (theirs >= 0)
		close(theirs);
	if (spec.fd[INHERIT_CONF] >= 0)
		close(spec.fd[INHERIT_CONF]);
	return good;
}

/* What the configuration of now has: an old one's is nobody's any more. */
static void
warn_again(struct loop_timer *t)
{
	struct signer *s = LOOP_OWNER(t, struct signer, daily);
	struct warden *w = s->warden;

	if (s != w->signer || w->stopping)
		return;
	(void)texts_are_good(s, &w->conf, &w->worker_account, "warn");
	loop_timer_set(&w->loop, t, DAY_MS);
}

static void
run(struct signer *s)
{
	follow(s);
	s->daily.fire = warn_again;
	loop_timer_set(&s->warden->loop, &s->daily, DAY_MS);
}

bool
signer_open(struct warden *w, const struct conf *c,
    const struct account *worker, bool runs, struct signer **out)
{
	struct signer *s;

	*out = NULL;
	if (!conf_has_tls(c))
		return true;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		log_line("no memory for a signer");
		return false;
	}
	s->warden = w;
	s->pid = -1;
	s->texts_fd = -1;
	s->users = 1;
	s->next = w->signers;
	w->signers = s;
	if (account_find("signer.user", c->signer_user, &s->account) &&
	    open_files(s, c) && start(s) && keys_are_good(s, c) &&
	    texts_are_good(s, c, worker, "check")) {
		if (runs)
			run(s);
		*out = s;
		return true;
	}
	signer_drop(s);
	return false;
}

static void
signer_release(struct loop_grave *g)
{
	free(LOOP_OWNER(g, struct signer, grave));
}

/* It ends when it sees that its channel has. */
void
signer_drop(struct signer *s)
{
	struct warden *w;
	struct signer **link;
	bool followed;

	if (s == NULL || --s->users > 0)
		return;
	w = s->warden;
	followed = s->followed || s->again.slot != 0;
	if (s->daily.slot != 0)
		loop_timer_stop(&w->loop, &s->daily);
	if (s->again.slot != 0)
		loop_timer_stop(&w->loop, &s->again);
	forget_process(s);
	for (link = &w->signers; *link != s; link = &(*link)->next)
		;
	*link = s->next;
	if (s->texts_fd >= 0)
		close(s->texts_fd);
	for (uint32_t i = 0; i < s->keys; i++)
		close(s->key_fd[i]);
	if (followed)
		loop_bury(&w->loop, &s->grave, signer_release);
	else
		free(s);
}

struct signer *
signer_hold(struct signer *s)
{
	if (s != NULL)
		s->users++;
	return s;
}

int
signer_texts(const struct signer *s)
{
	return s->texts_fd;
}

bool
signer_channel(struct signer *s, int *mine, int *theirs)
{
	int ends[2];

	if (!run_channel_pair(ends))
		return false;
	*mine = ends[0];
	*theirs = ends[1];
	signer_attach(s, *mine);
	return true;
}
