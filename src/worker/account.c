/*
 * worker/account.c: logins by name, in a process that has this one session.
 *
 * A password goes to the keeper as it was read, and is forgotten here before
 * it is judged.  Back come a verdict and, with YES, what the account may and
 * its directory; from then on this process has that directory and no other.
 * Where the client has a certificate, the keeper is asked first whether that
 * is enough.
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
#include <time.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/log.h"
#include "ipc/inherit.h"
#include "ipc/keeper.h"
#include "ipc/pass.h"
#include "storage/quota.h"
#include "tls/server.h"
#include "worker/hash.h"
#include "worker/sandbox.h"
#include "worker/secure.h"
#include "worker/worker.h"

#define NOT_NOW "Logins by name are not possible now, try again later."

/* Who is to be judged by the next password. */
struct login {
	uint32_t seq;		/* of the question to the keeper */
	uint16_t len;		/* KEEPER_TOO_LONG: more than is in name */
	bool by_certificate;	/* alone: that is what is asked now */
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
	return account_is_possible(s->w) && !s->was_in;
}

bool
account_lacks_tls(const struct sess *s)
{
	const struct conf *c = &s->w->conf;

	return s->tls == NULL && c->accounts_file[0] != '\0' &&
	    c->accounts_tls == CONF_ACCOUNTS_TLS_REQUIRED;
}

static bool
has_certificate(const struct sess *s)
{
	struct tls_client_id id;

	return s->tls != NULL && secure->client(s, &id);
}

/* What the handshake has shown of the client, for the keeper. */
static void
show_client(const struct sess *s, struct keeper_request *r)
{
	struct tls_client_id id;
	size_t n;

	if (s->tls == NULL)
		return;
	r->flags |= KEEPER_UNDER_TLS;
	if (!secure->client(s, &id))
		return;
	r->flags |= KEEPER_HAS_CERTIFICATE;
	if (s->login->by_certificate)
		r->flags |= KEEPER_CERTIFICATE_ALONE;
	memcpy(r->sha256, id.sha256, sizeof(r->sha256));
	n = strlen(id.common_name);
	if (n <= sizeof(r->common_name)) {
		memcpy(r->common_name, id.common_name, n);
		r->common_name_len = (uint16_t)n;
	}
}

static bool
ask(const struct sess *s, struct sv password)
{
	const struct login *l = s->login;
	size_t n = password.len < KEEPER_PASSWORD_MAX ? password.len :
	    KEEPER_PASSWORD_MAX;
	struct keeper_request r = { .version = KEEPER_VERSION,
		.user_len = l->len, .seq = l->seq };
	ssize_t sent;

	r.password_len = password.len > n ? KEEPER_TOO_LONG : (uint16_t)n;
	memcpy(r.user, l->name, sizeof(r.user));
	memcpy(r.password, password.ptr, n);
	show_client(s, &r);
	sent = send(s->w->keeper_watch.fd, &r, sizeof(r),
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	explicit_bzero(&r, sizeof(r));
	return sent == (ssize_t)sizeof(r);
}

static void
await(struct sess *s, struct sv password)
{
	if (s->w->keeper_watch.fd < 0 || !ask(s, password))
		sess_end(s, NOT_NOW);
	else
		sess_wait_for(s, WAIT_KEEPER);
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
	l->by_certificate = has_certificate(s);
	if (l->by_certificate)
		await(s, SV(""));
	else
		reply(s, 331, "Password, please.");
}

void
account_judge(struct sess *s, struct sv password)
{
	if (text_refuses(s))
		return;
	await(s, password);
}

/* ---- the answer */

static const char *
command_of(const struct login *l)
{
	return l->by_certificate ? "USER" : "PASS";
}

static void
refused(struct sess *s, int code, const char *text)
{
	const char *command = command_of(s->login);

	free(s->login);
	s->login = NULL;
	s->w->counters.login_failures++;
	if (++s->attempts >= s->w->conf.login_attempts)
		code = 421;
	login_event(s, "login_failed", command, code);
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

/* False: it said why.  fd is taken over; -1: there is no quota. */
static bool
count_with(int fd, const struct keeper_answer *a, struct quota **out)
{
	struct quota_amount most = {
		a->quota_bytes > 0 ? a->quota_bytes : QUOTA_NO_LIMIT,
		a->quota_files > 0 ? a->quota_files : QUOTA_NO_LIMIT };
	enum storage_err err;

	*out = NULL;
	if (fd < 0)
		return a->has_quota == 0;
	err = quota_open(fd, most, a->boot, out);
	if (err == STORAGE_OK)
		return true;
	log_line("account: its quota: %s", storage_err_text(err));
	close(fd);
	return false;
}

/* Takes root_fd over; NULL: it said why. */
static struct storage *
settle_in(struct worker *w, int root_fd, uint32_t rights,
    const struct storage_writing *how)
{
	struct storage *st = storage_posix_new(root_fd);

	if (st == NULL) {
		log_line("account: storage err=%d", errno);
		close(root_fd);
		return NULL;
	}
	if (!storage_posix_allow_writing(st, how)) {
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

/* ---- what it has, where that is not known, or not any more */

struct count {
	struct pool_job job;
	struct worker *w;
	struct storage *storage;
	int64_t before;
};

static void
survey_work(struct pool_job *job)
{
	struct count *c = LOOP_OWNER(job, struct count, job);
	struct storage_survey found;
	enum storage_err err;

	err = storage_posix_survey(c->storage, c->before, &found);
	/* Busy: another session of the account is at it. */
	if (err != STORAGE_OK && err != STORAGE_BUSY)
		log_line("account: cannot count what it has: %s",
		    storage_err_text(err));
}

static void
survey_done(struct pool_job *job)
{
	struct count *c = LOOP_OWNER(job, struct count, job);

	c->w->xfers--;
	worker_exit_if_empty(c->w);
	free(c);
}

/* The session goes on meanwhile; the process ends when it is counted. */
static void
survey(struct worker *w, struct storage *st)
{
	struct count *c = malloc(sizeof(*c));

	if (c == NULL)
		return;	/* the next session does it */
	*c = (struct count) { .job.work = survey_work,
		.job.done = survey_done, .w = w, .storage = st,
		.before = time(NULL) - (int64_t)w->conf.upload_keep_s };
	w->xfers++;
	pool_submit(w->pool, &c->job);
}

static bool
is_counted(struct quota *q)
{
	struct quota_state state;

	return quota_read(q, &state) == STORAGE_OK && state.is_counted;
}

static bool
becomes(struct sess *s, const struct keeper_answer *a, const int fds[2])
{
	struct sv name = { s->login->name, s->login->len };
	struct storage_writing how = { .owner = sv_hash(name),
		.durable = s->w->conf.upload_durable == 0 };
	struct storage *st;

	/* What is open when it fails ends with the session, and process. */
	if (!count_with(fds[1], a, &how.quota) ||
	    (s->user = strndup(name.ptr, name.len)) == NULL ||
	    (st = settle_in(s->w, fds[0], a->rights, &how)) == NULL)
		return false;
	sess_leave_site(s);
	s->storage = st;	/* as long as the process */
	s->rights = a->rights;
	s->drop_box = a->drop_box == 1;
	s->tls_data = a->tls == ACCOUNTS_TLS_REQUIRED ? CONF_TLS_REQUIRED :
	    CONF_TLS_ALLOWED;
	link_slower(s, a->rate);
	hash_forget_store(s->w);
	if (how.quota != NULL && !is_counted(how.quota))
		survey(s->w, st);
	return true;
}

static const char *
method_text(unsigned method)
{
	if (method == KEEPER_BY_CERTIFICATE)
		return "certificate";
	return method == KEEPER_BY_BOTH ? "both" : "password";
}

static void
admitted(struct sess *s, const struct keeper_answer *a, const int fds[2])
{
	const char *command = command_of(s->login);
	int code = 230;

	if (fds[0] < 0 || !becomes(s, a, fds)) {
		sess_end(s, NOT_NOW);
		return;
	}
	s->certified = s->login->by_certificate;
	if (s->certified)	/* RFC 2228 §4: no PASS is wanted */
		code = 232;
	s->method = method_text(a->method);
	free(s->login);
	s->login = NULL;
	s->logged_in = s->was_in = true;
	s->exact = false;
	s->w->counters.logins++;
	login_event(s, "login", command, code);
	text_welcome(s, code);
}

static void
close_both(const int fds[2])
{
	for (size_t i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
want_password(struct sess *s)
{
	s->login->by_certificate = false;
	reply(s, 331, "Password, please.");
}

/* The directory's and the quota's descriptors are taken over. */
static void
judged(struct sess *s, const struct keeper_answer *a, const int fds[2])
{
	sess_wait_for(s, WAIT_NOTHING);
	if (a->verdict == KEEPER_YES) {
		admitted(s, a, fds);
		return;
	}
	close_both(fds);
	if (a->verdict == KEEPER_PASSWORD)
		want_password(s);
	else if (a->verdict == KEEPER_LAST || a->verdict == KEEPER_SHUT)
		refused(s, 421, "Too many refused logins, try again later.");
	else if (a->verdict == KEEPER_BUSY)
		refused(s, 421, "This account has all the sessions that it "
		    "may have.");
	else if (a->verdict == KEEPER_BROKEN)
		refused(s, 530, "This account is not set up on the server: "
		    "ask who runs it.");
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
receive(int fd, struct keeper_answer *a, int fds[2])
{
	size_t came = 2;
	int flags = MSG_DONTWAIT;
	ssize_t n;

	fds[0] = fds[1] = -1;
	n = pass_receive(fd, a, sizeof(*a), fds, &came, &flags);
	return n;
}

static void
keeper_ready(struct loop_watch *watch, uint32_t events)
{
	struct worker *w = LOOP_OWNER(watch, struct worker, keeper_watch);
	struct keeper_answer a;
	struct sess *s;
	int fds[2];
	ssize_t n = receive(watch->fd, &a, fds);

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
		close_both(fds);	/* it waits no more */
		return;
	}
	judged(s, &a, fds);
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
