/*
 * worker/account.c: logins by name, in a process that has this one session.
 *
 * A password goes to the keeper as it was read, and is forgotten here before
 * it is judged.  Back come a verdict and, with YES, what the account may and
 * its directory; from then on this process has that directory and no other.
 *
 * Who has logged in to anything, anonymously too, logs in to no account any
 * more: what he sends is read in large pieces by then, and disk threads run
 * that the new wall would not stand around.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/keeper.h"
#include "worker/hash.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

#define NOT_NOW "Logins by name are not possible now, try again later."

/* Who is to be judged by the next password. */
struct login {
	uint32_t seq;		/* of the question to the keeper */
	uint16_t len;		/* KEEPER_TOO_LONG: more than is in name */
	char name[KEEPER_USER_MAX];
};

bool
account_is_possible(const struct worker *w)
{
	return w->solo && w->conf.accounts_file[0] != '\0';
}

bool
account_may_log_in(const struct sess *s)
{
	return account_is_possible(s->w) && s->exact;
}

/* The other end judges nobody without TLS whose account wants it. */
static bool
is_under_tls(const struct sess *s)
{
	(void)s;
	return false;	/* there is none yet */
}

void
account_named(struct sess *s, struct sv name)
{
	static uint32_t seq;
	struct login *l = calloc(1, sizeof(*l));
	size_t n = name.len < KEEPER_USER_MAX ? name.len : KEEPER_USER_MAX;

	if (l == NULL) {
		sess_end(s, NOT_NOW);
		return;
	}
	l->seq = ++seq;
	l->len = name.len > n ? KEEPER_TOO_LONG : (uint16_t)n;
	memcpy(l->name, name.ptr, n);
	s->login = l;
	reply(s, 331, "Password, please.");
}

static bool
ask(const struct sess *s, struct sv password)
{
	const struct login *l = s->login;
	size_t n = password.len < KEEPER_PASSWORD_MAX ? password.len :
	    KEEPER_PASSWORD_MAX;
	struct keeper_request r = { .version = KEEPER_VERSION,
		.flags = is_under_tls(s) ? KEEPER_UNDER_TLS : 0,
		.user_len = l->len, .seq = l->seq };
	ssize_t sent;

	r.password_len = password.len > n ? KEEPER_TOO_LONG : (uint16_t)n;
	memcpy(r.user, l->name, sizeof(r.user));
	memcpy(r.password, password.ptr, n);
	sent = send(s->w->keeper_watch.fd, &r, sizeof(r),
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	explicit_bzero(&r, sizeof(r));
	return sent == (ssize_t)sizeof(r);
}

void
account_judge(struct sess *s, struct sv password)
{
	if (text_refuses(s))
		return;
	if (s->w->keeper_watch.fd < 0 || !ask(s, password))
		sess_end(s, NOT_NOW);
	else
		sess_wait_for(s, WAIT_KEEPER);
}

/* ---- the answer */

static void
refused(struct sess *s, int code, const char *text)
{
	free(s->login);
	s->login = NULL;
	s->w->counters.login_failures++;
	if (++s->attempts >= s->w->conf.login_attempts)
		code = 421;
	login_event(s, "login_failed", "PASS", code);
	if (code == 421)
		sess_end(s, text);
	else
		reply(s, code, text);
}

/* What the process may still do, as the account's rights are. */
static unsigned
walls_of(uint32_t rights)
{
	unsigned walls = LANDLOCK_LOOK;

	if ((rights & (ACCOUNTS_READ | ACCOUNTS_OVERWRITE)) != 0)
		walls |= LANDLOCK_READ;
	if ((rights & (ACCOUNTS_WRITE | ACCOUNTS_OVERWRITE)) != 0)
		walls |= LANDLOCK_STORE;
	if ((rights & ACCOUNTS_DELETE) != 0)
		walls |= LANDLOCK_REMOVE;
	if ((rights & ACCOUNTS_MAKE) != 0)
		walls |= LANDLOCK_MAKE_DIR;
	if ((rights & ACCOUNTS_RENAME) != 0)
		walls |= LANDLOCK_RENAME;
	return walls;
}

/* Takes root_fd over; NULL: it said why. */
static struct storage *
settle_in(struct worker *w, int root_fd, uint32_t rights, uint64_t owner)
{
	struct storage_writing how = { .owner = owner, .durable = true };
	struct storage *st = storage_posix_new(root_fd);

	if (st == NULL) {
		log_line("account: storage err=%d", errno);
		close(root_fd);
		return NULL;
	}
	if (!storage_posix_allow_writing(st, &how)) {
		storage_posix_free(st);
		return NULL;
	}
	/* A thread that runs already would go on as before. */
	if (!pool_has_no_thread(w->pool) ||
	    !sandbox_narrow(root_fd, walls_of(rights))) {
		log_line("account: walls err=%d", errno);
		storage_posix_free(st);
		return NULL;
	}
	return st;
}

static bool
becomes(struct sess *s, const struct keeper_answer *a, int root_fd)
{
	struct sv name = { s->login->name, s->login->len };
	struct storage *st;

	s->user = strndup(name.ptr, name.len);
	if (s->user == NULL) {
		close(root_fd);
		return false;
	}
	st = settle_in(s->w, root_fd, a->rights, sv_hash(name));
	if (st == NULL)
		return false;
	sess_leave_site(s);
	s->storage = st;	/* as long as the process */
	s->rights = a->rights;
	s->drop_box = a->drop_box == 1;
	hash_forget_store(s->w);
	return true;
}

static void
admitted(struct sess *s, const struct keeper_answer *a, int root_fd)
{
	if (root_fd < 0 || !becomes(s, a, root_fd)) {
		sess_end(s, NOT_NOW);
		return;
	}
	free(s->login);
	s->login = NULL;
	s->logged_in = true;
	s->exact = false;
	s->w->counters.logins++;
	login_event(s, "login", "PASS", 230);
	text_welcome(s);
}

/* root_fd is taken over. */
static void
judged(struct sess *s, const struct keeper_answer *a, int root_fd)
{
	sess_wait_for(s, WAIT_NOTHING);
	if (a->verdict == KEEPER_YES) {
		admitted(s, a, root_fd);
		return;
	}
	if (root_fd >= 0)
		close(root_fd);
	if (a->verdict == KEEPER_LAST || a->verdict == KEEPER_SHUT)
		refused(s, 421, "Too many refused logins, try again later.");
	else if (a->verdict == KEEPER_BUSY)
		refused(s, 421, "This account has all the sessions that it "
		    "may have.");
	else if (a->verdict == KEEPER_BROKEN)
		refused(s, 530, "The directory of this account is not there.");
	else
		refused(s, 530, "Login incorrect.");
}

/* Nobody who waits could be told more than that. */
static void
keeper_gone(struct worker *w)
{
	struct sess *s = w->slot[0];

	loop_unwatch(&w->loop, &w->keeper_watch);
	close(w->keeper_watch.fd);
	w->keeper_watch.fd = -1;
	if (s == NULL) {
		w->loop.stop = true;	/* another one knows the next keeper */
	} else if (s->wait == WAIT_KEEPER) {
		sess_wait_for(s, WAIT_NOTHING);
		sess_end(s, NOT_NOW);
	}
}

static ssize_t
receive(int fd, struct keeper_answer *a, int *root_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { a, sizeof(*a) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cm = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL;

	*root_fd = -1;
	if (cm != NULL && cm->cmsg_type == SCM_RIGHTS)
		memcpy(root_fd, CMSG_DATA(cm), sizeof(*root_fd));
	return n;
}

static void
keeper_ready(struct loop_watch *watch, uint32_t events)
{
	struct worker *w = LOOP_OWNER(watch, struct worker, keeper_watch);
	struct keeper_answer a;
	struct sess *s;
	int root_fd;
	ssize_t n = receive(watch->fd, &a, &root_fd);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		keeper_gone(w);
		return;
	}
	if (n != (ssize_t)sizeof(a) || a.version != KEEPER_VERSION)
		log_fatal(1, "malformed message from the keeper");
	s = w->slot[0];
	if (s == NULL || s->wait != WAIT_KEEPER || s->closing ||
	    s->login == NULL || a.seq != s->login->seq) {
		if (root_fd >= 0)
			close(root_fd);	/* it waits no more */
		return;
	}
	judged(s, &a, root_fd);
	control_continue(s);
}

bool
account_start(struct worker *w)
{
	w->keeper_watch = (struct loop_watch) { .fd = -1 };
	if (!account_is_possible(w))
		return true;
	w->keeper_watch = (struct loop_watch) { .fd = INHERIT_KEEPER,
		.ready = keeper_ready };
	return loop_watch(&w->loop, &w->keeper_watch, EPOLLIN);
}
