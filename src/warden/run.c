/*
 * warden/run.c: start in order, watch, replace, reload, stop.
 *
 * Workers come in sets: one set for each configuration and each gate.  A
 * reload or a new gate starts a new set; the old one ends by itself when its
 * sessions have ended.  So there is one mechanism for all three.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/walls.h"
#include "warden/warden.h"

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS 5000
#define STEADY_MS 60000		/* a child that lived so long is healthy */
#define KILL_AFTER_MS 5000	/* beyond stop.timeout */

static void
stop(struct warden *w, int status)
{
	struct ipc_msg m = { .type = IPC_STOP };

	if (w->status < status)
		w->status = status;
	if (w->stopping)
		return;
	w->stopping = true;
	if (w->gate != NULL) {
		ipc_send(&w->gate->channel, &m, -1);
		(void)ipc_flush(&w->gate->channel);
	}
	for (struct child *c = w->workers; c != NULL; c = c->next) {
		ipc_send(&c->channel, &m, -1);
		(void)ipc_flush(&c->channel);
	}
	loop_timer_stop(&w->loop, &w->restart);
	loop_timer_set(&w->loop, &w->deadline,
	    (uint64_t)w->conf.stop_timeout_s * 1000 + KILL_AFTER_MS);
	if (w->gate == NULL && w->workers == NULL)
		w->loop.stop = true;
}

static void
kill_all(struct warden *w)
{
	if (w->gate != NULL)
		kill(w->gate->pid, SIGKILL);
	for (struct child *c = w->workers; c != NULL; c = c->next)
		kill(c->pid, SIGKILL);
}

static void
deadline_passed(struct loop_timer *t)
{
	kill_all(LOOP_OWNER(t, struct warden, deadline));
}

static void
child_release(struct loop_grave *g)
{
	free(LOOP_OWNER(g, struct child, grave));
}

static void
child_free(struct child *c)
{
	struct warden *w = c->warden;

	loop_unwatch(&w->loop, &c->watch);
	ipc_free(&c->channel);
	if (c->gate_end >= 0)
		close(c->gate_end);
	loop_bury(&w->loop, &c->grave, child_release);
}

/* A pair of channel ends, close-on-exec. */
static bool
channel_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0;
}

/* Forks, execs, and watches the channel; takes spec's fds back closed. */
static struct child *
child_new(struct warden *w, struct child_spec *spec, const struct conf *conf,
    void (*says)(struct loop_watch *watch, uint32_t events))
{
	struct child *c = calloc(1, sizeof(*c));
	int ends[2] = { -1, -1 };

	if (c == NULL || !channel_pair(ends))
		log_fatal(1, "cannot start a process: %s", strerror(errno));
	c->warden = w;
	c->gate_end = -1;
	spec->fd[INHERIT_CONF] = conf_to_fd(conf);
	spec->fd[INHERIT_WARDEN] = ends[1];
	spec->fd[INHERIT_EVENTS] = w->events.write_fd;
	if (spec->fd[INHERIT_CONF] < 0)
		log_fatal(1, "cannot hand on the configuration: %s",
		    strerror(errno));
	c->pid = child_start(spec);
	if (c->pid < 0)
		log_line("cannot start a process: %s", strerror(errno));
	close(ends[1]);
	close(spec->fd[INHERIT_CONF]);
	ipc_init(&c->channel, ends[0]);
	c->watch = (struct loop_watch) { .fd = ends[0], .ready = says };
	if (!loop_watch(&w->loop, &c->watch, EPOLLIN))
		log_fatal(1, "cannot watch a process: %s", strerror(errno));
	return c;
}

static uint32_t
standing_workers(const struct conf *conf)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (conf->worker_count > 0)
		return conf->worker_count;
	return processors > 0 ? (uint32_t)processors : 1;
}

static size_t
count_workers(const struct warden *w, bool only_waiting)
{
	size_t n = 0;

	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->set == w->set && (!only_waiting || !c->ready))
			n++;
	return n;
}

static void
attach(struct warden *w, struct child *c)
{
	struct ipc_msg m = { .type = IPC_ATTACH, .worker = c->number };

	if (c->gate_end < 0 || w->gate == NULL)
		return;
	ipc_send(&w->gate->channel, &m, c->gate_end);
	c->gate_end = -1;
	(void)ipc_flush(&w->gate->channel);
}

static void
attach_all(struct warden *w)
{
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->set == w->set && c->ready)
			attach(w, c);
}

/* systemd's way to be told, by hand: one datagram (sd_notify(3)). */
static void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len == 0 || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

static void
say_ready(struct warden *w)
{
	char text[CONF_LISTEN_MAX * (ADDR_TEXT_MAX + 8)], at[ADDR_TEXT_MAX];
	size_t n = 0;

	for (uint32_t i = 0; i < w->conf.listen.count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " ftp://%s/",
		    addr_format(&w->conf.listen.at[i], at));
	w->was_ready = true;
	log_line("ready:%s", text);
	notify("READY=1");
}

/* A reload is carried out when every worker of the new set is ready. */
static void
commit_reload(struct warden *w)
{
	struct ipc_msg m = { .type = IPC_RELOAD };
	int fd = conf_to_fd(&w->fresh);

	w->reloading = false;
	w->conf = w->fresh;
	if (w->gate == NULL || fd < 0)
		return;
	ipc_send(&w->gate->channel, &m, fd);
	(void)ipc_flush(&w->gate->channel);
	attach_all(w);
	log_line("reloaded");
	notify("READY=1");
}

static void
join_walls(char *text, size_t size, unsigned set, unsigned want)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < WALL_COUNT; i++)
		if ((set >> i & 1) == want && n < size)
			n += (size_t)snprintf(text + n, size - n, "%s%s",
			    n > 0 ? "; " : "", wall_meaning(i));
}

/* Says once which walls stand; false when one is missing that must not be. */
static bool
walls_suffice(struct warden *w, unsigned set)
{
	char text[512];
	bool missing = false;

	for (unsigned i = 0; i < WALL_COUNT; i++)
		missing |= wall_is_required(i) && (set >> i & 1) == 0;
	if (!w->was_ready && count_workers(w, true) == 0) {
		join_walls(text, sizeof(text), set, 1);
		log_line("walls: %s", text);
		join_walls(text, sizeof(text), set, 0);
		if (text[0] != '\0')
			log_line("walls missing here: %s", text);
	}
	if (!missing || w->conf.sandbox != SANDBOX_REQUIRE)
		return true;
	join_walls(text, sizeof(text), set, 0);
	log_line("sandbox = require, and this kernel lacks: %s", text);
	return false;
}

static void
worker_ready(struct warden *w, struct child *c, unsigned set)
{
	c->ready = true;
	if (!walls_suffice(w, set)) {
		stop(w, 2);
		return;
	}
	if (c->set != w->set)
		return;
	if (w->reloading) {
		if (count_workers(w, true) == 0)
			commit_reload(w);
		return;
	}
	attach(w, c);
	if (!w->was_ready && count_workers(w, true) == 0)
		say_ready(w);
}

static void
worker_says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);
	struct ipc_msg m[IPC_BATCH];
	size_t n;

	(void)events;
	switch (ipc_receive(&c->channel, m, &n, NULL, NULL)) {
	case IPC_GOOD:
		break;
	case IPC_AGAIN:
		return;
	case IPC_BAD:
		kill(c->pid, SIGKILL);
		loop_unwatch(&c->warden->loop, watch);
		return;
	case IPC_GONE:
	default:
		loop_unwatch(&c->warden->loop, watch);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (m[i].type == IPC_READY && !c->ready)
			worker_ready(c->warden, c, m[i].walls);
}

static void
worker_start(struct warden *w, const struct conf *conf)
{
	struct child_spec spec = { .program = "portcullis-worker",
		.account = &w->worker_account, .fds = INHERIT_GATE + 1 };
	struct child *c;
	int ends[2];

	if (!channel_pair(ends))
		log_fatal(1, "cannot start a worker: %s", strerror(errno));
	spec.fd[INHERIT_ARCHIVE] = open(conf->archive,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spec.fd[INHERIT_ARCHIVE] < 0) {
		log_line("cannot open the archive %s: %s", conf->archive,
		    strerror(errno));
		close(ends[0]);
		close(ends[1]);
		if (!w->was_ready)
			stop(w, 2);
		return;
	}
	spec.fd[INHERIT_XFERLOG] = w->xferlog.write_fd;
	spec.fd[INHERIT_GATE] = ends[0];
	c = child_new(w, &spec, conf, worker_says);
	close(ends[0]);
	close(spec.fd[INHERIT_ARCHIVE]);
	c->gate_end = ends[1];
	c->number = w->next_number++;
	c->set = w->set;
	c->next = w->workers;
	w->workers = c;
}

static void
start_set(struct warden *w, const struct conf *conf)
{
	w->set++;
	for (uint32_t i = standing_workers(conf); i > 0 && !w->stopping; i--)
		worker_start(w, conf);
}

/* The gate listens; these are copies that outlive it. */
static void
take_listener(struct warden *w, int fd, uint32_t total, bool first)
{
	if (first)
		while (w->listeners > 0)
			close(w->listener[--w->listeners]);
	if (fd < 0 || w->listeners == CONF_LISTEN_MAX)
		return;
	w->listener[w->listeners++] = fd;
	if ((uint32_t)w->listeners == total && !w->gate->ready) {
		w->gate->ready = true;
		start_set(w, &w->conf);
	}
}

static void
another_worker(struct warden *w)
{
	size_t most = w->conf.sessions_max / w->conf.worker_sessions + 1 +
	    standing_workers(&w->conf);

	if (count_workers(w, false) < most && !w->reloading)
		worker_start(w, &w->conf);
}

static void
expel(struct warden *w, uint32_t number)
{
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->number == number)
			kill(c->pid, SIGKILL);
}

static void
gate_says(struct loop_watch *watch, uint32_t events)
{
	struct child *c = LOOP_OWNER(watch, struct child, watch);
	struct warden *w = c->warden;
	struct ipc_msg m[IPC_BATCH];
	int fds[IPC_BATCH];
	size_t n, nfds, next = 0;
	bool first = true;

	(void)events;
	switch (ipc_receive(&c->channel, m, &n, fds, &nfds)) {
	case IPC_GOOD:
		break;
	case IPC_AGAIN:
		return;
	case IPC_BAD:
	case IPC_GONE:
	default:
		loop_unwatch(&w->loop, watch);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (m[i].type == IPC_LISTENERS) {
			take_listener(w, next < nfds ? fds[next++] : -1,
			    m[i].port.port, first);
			first = false;
		} else if (m[i].type == IPC_NEED && !w->stopping) {
			another_worker(w);
		} else if (m[i].type == IPC_EXPEL) {
			expel(w, m[i].worker);
		}
	}
	while (next < nfds)
		close(fds[next++]);
}

static void
gate_start(struct warden *w)
{
	struct child_spec spec = { .program = "portcullis-gate",
		.account = &w->gate_account, .may_bind_low = true,
		.fds = INHERIT_END + w->listeners };

	spec.fd[INHERIT_XFERLOG] = -1;
	spec.fd[INHERIT_ARCHIVE] = -1;
	spec.fd[INHERIT_GATE] = -1;
	for (int i = 0; i < w->listeners; i++)
		spec.fd[INHERIT_END + i] = w->listener[i];
	snprintf(spec.arg, sizeof(spec.arg), "%d", w->listeners);
	w->last_start_ms = w->loop.now_ms;
	w->gate = child_new(w, &spec, &w->conf, gate_says);
}

/* What is missing is started again, but never in a tight circle. */
static void
restart_later(struct warden *w)
{
	if (w->loop.now_ms - w->last_start_ms > STEADY_MS)
		w->backoff_ms = BACKOFF_LEAST_MS;
	else if (w->backoff_ms < BACKOFF_MOST_MS)
		w->backoff_ms *= 2;
	if (w->restart.slot == 0)
		loop_timer_set(&w->loop, &w->restart, w->backoff_ms);
}

static void
restart_due(struct loop_timer *t)
{
	struct warden *w = LOOP_OWNER(t, struct warden, restart);

	if (w->gate == NULL) {
		w->wanted = 0; /* the new gate gets a new set */
		gate_start(w);
	}
	w->last_start_ms = w->loop.now_ms;
	for (; w->wanted > 0 && w->gate->ready; w->wanted--)
		worker_start(w, &w->conf);
}

static void
say_how_it_ended(const char *what, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_line("%s pid=%d was ended by signal %d (%s)%s", what,
		    (int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS ?
		    ": it tried what its sandbox forbids" : "");
	else if (WEXITSTATUS(status) != 0)
		log_line("%s pid=%d ended with status %d", what, (int)pid,
		    WEXITSTATUS(status));
}

/* Status 2 is the child's word that the configuration cannot work. */
static int
start_status(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? 2 : 1;
}

static void
gate_ended(struct warden *w, struct child *c, int status)
{
	bool was_ready = c->ready;

	say_how_it_ended("gate", c->pid, status);
	w->gate = NULL;
	child_free(c);
	if (w->stopping)
		return;
	if (!w->was_ready && !was_ready) {
		stop(w, start_status(status));
		return;
	}
	/* Its workers see the channel close, and end when they can. */
	w->set++;
	w->reloading = false;
	restart_later(w);
}

static void
give_up_reload(struct warden *w)
{
	log_line("reload failed; the old configuration stays in force");
	w->reloading = false;
	for (struct child *c = w->workers; c != NULL; c = c->next)
		if (c->set == w->set)
			kill(c->pid, SIGKILL);
	w->set--;
}

static void
worker_ended(struct warden *w, struct child *c, int status)
{
	struct child **link = &w->workers;
	bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool current = c->set == w->set, was_ready = c->ready;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	say_how_it_ended("worker", c->pid, status);
	child_free(c);
	if (w->stopping || !current || (finished && was_ready))
		return;
	if (w->reloading) {
		give_up_reload(w);
	} else if (!w->was_ready) {
		stop(w, start_status(status));
	} else {
		w->wanted++;
		restart_later(w);
	}
}

static void
reap(struct warden *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = w->workers;

		while (c != NULL && c->pid != pid)
			c = c->next;
		if (w->gate != NULL && w->gate->pid == pid)
			gate_ended(w, w->gate, status);
		else if (c != NULL)
			worker_ended(w, c, status);
	}
	if (w->stopping && w->gate == NULL && w->workers == NULL)
		w->loop.stop = true;
}

static void
reload(struct warden *w)
{
	logpipe_reopen(&w->events);
	logpipe_reopen(&w->xferlog);
	if (w->reloading || w->gate == NULL || !w->was_ready) {
		log_line("reload: not now, a start is under way");
		return;
	}
	if (!w->read_conf(w, &w->fresh) ||
	    !account_find("worker.user", w->fresh.worker_user,
	    &w->worker_account)) {
		log_line("reload failed; the old configuration stays in "
		    "force");
		return;
	}
	notify("RELOADING=1");
	w->reloading = true;
	start_set(w, &w->fresh);
}

static void
signal_came(struct loop_watch *watch, uint32_t events)
{
	struct warden *w = LOOP_OWNER(watch, struct warden, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(w);
			break;
		case SIGHUP:
			if (!w->stopping)
				reload(w);
			break;
		case SIGTERM:
		case SIGINT:
			if (w->stopping)
				kill_all(w);
			notify("STOPPING=1");
			stop(w, 0);
			break;
		default:
			break;
		}
	}
}

static void
watch_signals(struct warden *w)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	w->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->signals.ready = signal_came;
	if (w->signals.fd < 0 || !loop_watch(&w->loop, &w->signals, EPOLLIN))
		log_fatal(1, "cannot watch signals: %s", strerror(errno));
}

int
warden_run(struct warden *w)
{
	if (!account_find("gate.user", w->conf.gate_user, &w->gate_account) ||
	    !account_find("worker.user", w->conf.worker_user,
	    &w->worker_account) ||
	    !logpipe_open(&w->events, w->conf.events) ||
	    !logpipe_open(&w->xferlog, w->conf.xferlog))
		return 2;
	if (!loop_init(&w->loop))
		log_fatal(1, "no event loop: %s", strerror(errno));
	w->restart.fire = restart_due;
	w->deadline.fire = deadline_passed;
	w->backoff_ms = BACKOFF_LEAST_MS;
	watch_signals(w);
	if (!logpipe_watch(&w->events, &w->loop) ||
	    !logpipe_watch(&w->xferlog, &w->loop))
		log_fatal(1, "cannot watch a pipe: %s", strerror(errno));
	gate_start(w);
	loop_run(&w->loop);
	logpipe_drain(&w->events);
	logpipe_drain(&w->xferlog);
	return w->status;
}
