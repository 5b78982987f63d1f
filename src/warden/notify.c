/*
 * warden/notify.c: tells a socket or a program what was uploaded.
 *
 * Workers speak to nobody outside, and start nothing: they hand a notice to
 * the warden, which hands it on as a line of JSON.  One is read only when it
 * can be handed on, so what waits is in the sockets of the workers: nothing
 * here grows, a worker that floods fills its own, and uploads never wait.
 * While nobody takes them, a worker that ends leaves its socket only if there
 * is something in it, and no more than LEFT_MAX do: who can begin and end
 * sessions would else use up our descriptors.
 *
 * A notice is handed on once, or not at all: those that wait when the warden
 * is killed are gone, and one whose program fails is not tried again.  At
 * least once would want a journal on the disk, written before each 226, and
 * programs that can bear to hear of a file twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/notice.h"
#include "warden/warden.h"

#define TICK_MS 500
#define AGAIN_MS 250
#define LAST_WAIT_MS 5000	/* for who takes them, at a stop */
#define JOBS_MAX 64
#define LEFT_MAX 1024		/* sources of workers that are gone */

/* A worker's end of notices; it outlives the worker until it is read. */
struct source {
	struct source *next;		/* of all */
	struct source *next_ready;
	struct notify *notify;
	struct loop_watch watch;
	struct loop_grave grave;
};

struct job {
	pid_t pid;
	uint64_t until_ms;
};

struct notify {
	struct warden *w;
	struct source *sources;
	struct source *ready, **last;	/* they have something to read */
	uint32_t waiting;		/* so many of them */
	struct job job[JOBS_MAX];
	uint32_t jobs;
	struct loop_timer tick, again, last_wait;
	int socket_fd;			/* or -1 */
	char line[NOTICE_LINE_MAX];
	size_t len;			/* of what could not be handed on yet */
	bool failing, losing;		/* said so already */
	bool over;			/* nothing is waited for any more */
};

static void pump(struct notify *n);

bool
notify_find(const struct conf *c, struct account *out)
{
	return c->upload_notify[0] != '/' ||
	    account_find("upload.notify_user", c->upload_notify_user, out);
}

/* ---- to a program */

static int
file_of(const char *line, size_t len)
{
	int fd = memfd_create("portcullis.notice", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (write(fd, line, len) == (ssize_t)len &&
	    lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
run_program(struct notify *n)
{
	struct warden *w = n->w;
	int fd = file_of(n->line, n->len);
	pid_t pid = fd < 0 ? -1 : child_start_other(w->conf.upload_notify,
	    &w->notify_account, fd);

	if (fd >= 0)
		close(fd);
	n->len = 0;
	if (pid < 0) {
		log_line("upload.notify: cannot start %s: %s",
		    w->conf.upload_notify, strerror(errno));
		return;
	}
	n->job[n->jobs++] = (struct job) { pid, w->loop.now_ms +
	    (uint64_t)w->conf.upload_notify_timeout_s * 1000 };
	if (n->tick.slot == 0)
		loop_timer_set(&w->loop, &n->tick, TICK_MS);
}

static void
tick(struct loop_timer *t)
{
	struct notify *n = LOOP_OWNER(t, struct notify, tick);

	for (uint32_t i = 0; i < n->jobs; i++) {
		if (n->job[i].until_ms > n->w->loop.now_ms)
			continue;
		log_line("upload.notify: %s takes too long and is ended",
		    n->w->conf.upload_notify);
		kill(-n->job[i].pid, SIGKILL);	/* it has its own session */
		n->job[i].until_ms = UINT64_MAX;
	}
	if (n->jobs > 0)
		loop_timer_set(&n->w->loop, t, TICK_MS);
}

bool
notify_ended(struct warden *w, pid_t pid, int status)
{
	struct notify *n = w->notify;
	uint32_t i = 0;

	while (n != NULL && i < n->jobs && n->job[i].pid != pid)
		i++;
	if (n == NULL || i == n->jobs)
		return false;
	n->job[i] = n->job[--n->jobs];
	say_how_it_ended("upload.notify", pid, status);
	pump(n);
	return true;
}

/* ---- to a socket */

static bool
send_line(struct notify *n)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = n->w->conf.upload_notify + strlen(CONF_NOTIFY_UNIX);

	if (n->socket_fd < 0)
		n->socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK |
		    SOCK_CLOEXEC, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	return sendto(n->socket_fd, n->line, n->len, MSG_NOSIGNAL,
	    (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n->len;
}

/* Who is not there yet, or is busy, gets it later; no other is read. */
static void
try_socket(struct notify *n)
{
	if (send_line(n)) {
		n->len = 0;
		if (n->failing)
			log_line("upload.notify: notices are taken again");
		n->failing = false;
		return;
	}
	if (!n->failing && errno != EAGAIN) {
		log_line("upload.notify: %s: %s", n->w->conf.upload_notify,
		    strerror(errno));
		n->failing = true;
	}
	loop_timer_set(&n->w->loop, &n->again, AGAIN_MS);
}

static void
again(struct loop_timer *t)
{
	pump(LOOP_OWNER(t, struct notify, again));
}

/* ---- from the workers */

static void
release(struct loop_grave *g)
{
	free(LOOP_OWNER(g, struct source, grave));
}

/* It is watched no more, and ready no more. */
static void
drop(struct source *s)
{
	struct source **link = &s->notify->sources;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	close(s->watch.fd);
	loop_bury(&s->notify->w->loop, &s->grave, release);
}

static struct source *
unlink_ready(struct notify *n, struct source **at)
{
	struct source *s = *at;

	*at = s->next_ready;
	if (s->next_ready == NULL)
		n->last = at;
	n->waiting--;
	return s;
}

static bool
has_gone(const struct source *s)
{
	struct pollfd p = { .fd = s->watch.fd };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP) != 0;
}

/* Its worker has ended, and there is nothing of it to be told. */
static bool
is_over(const struct source *s)
{
	char byte;

	return recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Those of longest ago are lost; one whose worker lives is not. */
static void
lose_if_many(struct notify *n)
{
	struct source **at = &n->ready;

	if (n->waiting <= LEFT_MAX)
		return;
	while (*at != NULL && !has_gone(*at))
		at = &(*at)->next_ready;
	if (*at == NULL)
		return;
	drop(unlink_ready(n, at));
	if (!n->losing)
		log_line("upload.notify: notices of workers that have ended "
		    "are lost: too many wait");
	n->losing = true;
}

static void
source_ready(struct loop_watch *watch, uint32_t events)
{
	struct source *s = LOOP_OWNER(watch, struct source, watch);
	struct notify *n = s->notify;

	(void)events;
	/* Not watched for nothing: an end that has come is told for ever. */
	loop_unwatch(&n->w->loop, watch);
	if (is_over(s)) {
		drop(s);
	} else {
		s->next_ready = NULL;
		*n->last = s;
		n->last = &s->next_ready;
		n->waiting++;
		lose_if_many(n);
	}
	pump(n);
}

/* One notice, and the source's turn is over. */
static void
read_one(struct notify *n)
{
	struct source *s = unlink_ready(n, &n->ready);
	char packet[NOTICE_MAX + 1];
	ssize_t got = recv(s->watch.fd, packet, sizeof(packet), MSG_DONTWAIT);

	if (got > 0)
		n->len = notice_line(packet, (size_t)got, n->line);
	if (got > 0 && n->len == 0)
		log_line("upload.notify: malformed notice from a worker, "
		    "which is not heard any more");
	if (n->len == 0 && (got >= 0 || (errno != EAGAIN && errno != EINTR))) {
		drop(s);
		return;
	}
	s->watch.ready = source_ready;
	if (!loop_watch(&n->w->loop, &s->watch, EPOLLIN))
		drop(s);
}

/* Something can be handed on now. */
static bool
can_go_on(const struct notify *n)
{
	const struct conf *c = &n->w->conf;

	return c->upload_notify[0] != '/' || n->jobs < c->upload_notify_jobs;
}

static void
hand_on(struct notify *n)
{
	const char *to = n->w->conf.upload_notify;

	if (to[0] == '/')
		run_program(n);
	else if (to[0] != '\0')
		try_socket(n);
	else
		n->len = 0;	/* a reload has taken it away */
}

static void
pump(struct notify *n)
{
	if (n->len > 0 && can_go_on(n))
		hand_on(n);
	while (n->len == 0 && n->ready != NULL && can_go_on(n)) {
		read_one(n);
		if (n->len > 0)
			hand_on(n);
	}
	if (n->ready == NULL)
		n->losing = false;
	if (n->w->stopping)
		run_end_if_alone(n->w);
}

static void
give_up(struct loop_timer *t)
{
	struct notify *n = LOOP_OWNER(t, struct notify, last_wait);

	log_line("upload.notify: what waits is not told any more");
	for (uint32_t i = 0; i < n->jobs; i++)
		kill(-n->job[i].pid, SIGKILL);
	n->over = true;
	run_end_if_alone(n->w);
}

static struct notify *
notify_new(struct warden *w)
{
	struct notify *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->w = w;
	n->last = &n->ready;
	n->socket_fd = -1;
	n->tick.fire = tick;
	n->again.fire = again;
	n->last_wait.fire = give_up;
	return n;
}

bool
notify_open(struct warden *w, const struct conf *c, int *theirs)
{
	struct source *s;
	int ends[2];

	*theirs = -1;
	if (c->upload_notify[0] == '\0')
		return true;
	if (w->notify == NULL && (w->notify = notify_new(w)) == NULL)
		return false;
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return false;
	if (!run_channel_pair(ends)) {
		free(s);
		return false;
	}
	*s = (struct source) { .next = w->notify->sources,
		.notify = w->notify,
		.watch = { .fd = ends[0], .ready = source_ready } };
	w->notify->sources = s;
	*theirs = ends[1];
	if (loop_watch(&w->loop, &s->watch, EPOLLIN))
		return true;
	drop(s);
	close(ends[1]);
	*theirs = -1;
	return false;
}

/* All that is left is read when no worker is there: each has its end. */
bool
notify_is_done(struct warden *w)
{
	struct notify *n = w->notify;

	if (n == NULL || n->over || (n->sources == NULL && n->len == 0 &&
	    n->jobs == 0))
		return true;
	if (n->last_wait.slot == 0)
		loop_timer_set(&w->loop, &n->last_wait, LAST_WAIT_MS);
	return false;
}
