/*
 * keeper/judge.c: what becomes of a request.
 *
 * The same is done for a name that there is and for one that there is not:
 * the same waits, a hash of the same cost, an answer in the same slot.  Only
 * when the password was right does it matter what else the account's line
 * says; a login from the wrong network, at the wrong hour or without TLS is
 * then refused like any other, so that nobody learns elsewhere that he has
 * guessed it.  The operator is told, by the line's number.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "keeper/keeper.h"

static struct sv
name_of(const struct client *c)
{
	size_t len = c->request.user_len;

	/* One that is too long is nobody's, but it is always the same. */
	return (struct sv) { c->request.user,
		len <= KEEPER_USER_MAX ? len : KEEPER_USER_MAX };
}

static const struct accounts_entry *
account_of(const struct client *c)
{
	if (c->request.user_len == KEEPER_TOO_LONG)
		return NULL;
	return accounts_find(&c->keeper->accounts, name_of(c));
}

static void
wipe(struct client *c)
{
	explicit_bzero(c->request.password, sizeof(c->request.password));
}

/* Not looked at, so there is nothing that its time could tell. */
static void
turn_away(struct client *c)
{
	wipe(c);
	client_answer(c, KEEPER_SHUT, NULL, -1, -1);
}

/* A second after its wait, or after as many as it has taken. */
static void
refuse(struct client *c)
{
	uint64_t now = keeper_now(c->keeper), slots;

	penalty_add(c->keeper->penalty, &c->try, now);
	c->verdict = ++c->tries < KEEPER_TRIES ? KEEPER_NO : KEEPER_LAST;
	slots = 1 + (now - c->begun_ms) / KEEPER_SLOT_MS;
	client_wait(c, CLIENT_HELD, c->begun_ms + slots * KEEPER_SLOT_MS);
}

/* ---- a right password */

/*
 * O_PATH: nothing of it can be read with it, here or there, but by who has
 * the right to do so himself.  A link out of accounts.root leads nowhere.
 */
static int
open_root(const struct accounts_entry *e)
{
	char path[ACCOUNTS_ROOT_MAX + 1];
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	snprintf(path, sizeof(path), "%.*s", (int)e->root.len, e->root.ptr);
	return (int)syscall(SYS_openat2, INHERIT_ACCOUNTS_ROOT, path, &how,
	    sizeof(how));
}

/* The name as that of a file: what a file's name should not have, as %XX. */
static void
quota_name(struct sv name, char out[3 * ACCOUNTS_NAME_MAX + 1])
{
	static const char hex[] = "0123456789ABCDEF";
	size_t n = 0;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (sv_letter(c) || sv_digit(c) || c == '-' || c == '_') {
			out[n++] = c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex[(unsigned char)c >> 4];
		out[n++] = hex[(unsigned char)c & 15];
	}
	out[n] = '\0';
}

/* Opened for this session alone: its locks belong to that. */
static int
open_quota(const struct client *c, const struct accounts_entry *e)
{
	char name[3 * ACCOUNTS_NAME_MAX + 1];
	struct open_how how = { .flags = O_RDWR | O_CREAT | O_NOFOLLOW |
		    O_NONBLOCK | O_NOCTTY | O_CLOEXEC, .mode = 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	errno = 0;
	if (c->keeper->conf.accounts_quota[0] == '\0')
		return -1;
	quota_name(e->name, name);
	return (int)syscall(SYS_openat2, INHERIT_ACCOUNTS_QUOTA, name, &how,
	    sizeof(how));
}

static uint32_t
sessions_of(const struct keeper *k, struct sv name)
{
	uint32_t n = 0;

	for (const struct client *c = k->clients; c != NULL; c = c->next)
		if (c->state == CLIENT_LOGGED_IN && sv_eq(name_of(c), name))
			n++;
	return n;
}

static bool
is_now_allowed(const struct accounts_entry *e)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) != NULL &&
	    accounts_hours_allow(e, (unsigned)tm.tm_wday,
	    (unsigned)(tm.tm_hour * 60 + tm.tm_min));
}

static enum accounts_match
match_of(const struct client *c, const struct accounts_entry *e)
{
	const struct keeper_request *r = &c->request;
	struct accounts_certificate its = {
		.common_name = { r->common_name, r->common_name_len } };

	if ((r->flags & KEEPER_HAS_CERTIFICATE) == 0)
		return ACCOUNTS_MATCH_NONE;
	memcpy(its.sha256, r->sha256, sizeof(its.sha256));
	return accounts_match_certificate(e, &its);
}

/*
 * A worker that was taken over says what it likes about certificates.  For an
 * account with a password that is one factor less; for one without it is all,
 * so there the operator has to have said so, and how much has to be known.
 */
static bool
may_do_without_password(const struct client *c, enum accounts_match match)
{
	uint32_t how = c->keeper->conf.accounts_certificate_only;

	return how == CONF_CERTIFICATE_ANY ||
	    (how == CONF_CERTIFICATE_FINGERPRINT &&
	    match == ACCOUNTS_MATCH_FINGERPRINT);
}

/* Why it may not log in here and now; NULL: it may. */
static const char *
objection(const struct client *c, const struct accounts_entry *e)
{
	enum accounts_match match = match_of(c, e);

	if (e->certificates.len > 0 && match == ACCOUNTS_MATCH_NONE)
		return "it is without its certificate";
	if (accounts_needs_no_password(e) && !may_do_without_password(c, match))
		return "accounts.certificate_only does not allow it";
	if (e->tls != ACCOUNTS_TLS_OPTIONAL &&
	    (c->request.flags & KEEPER_UNDER_TLS) == 0)
		return "it is without TLS";
	if (!accounts_network_allows(e, &c->peer))
		return "its network is not among networks";
	if (!is_now_allowed(e))
		return "it is outside of hours";
	return NULL;
}

static void
say(const struct client *c, const struct accounts_entry *e, const char *why,
    int error)
{
	bool by_rule = c->rule > 0;
	bool alone = (c->request.flags & KEEPER_CERTIFICATE_ALONE) != 0;

	log_line("%s%s%u: a login with the right %s is refused: %s%s%s",
	    by_rule ? "accounts.pam_rule" : c->keeper->conf.accounts_file,
	    by_rule ? ", number " : ":", by_rule ? c->rule : e->line,
	    alone ? "certificate" : "password", why,
	    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
}

static void
admit(struct client *c, const struct accounts_entry *e)
{
	bool has_quota = e->quota_bytes > 0 || e->quota_files > 0;
	int root, quota = -1;

	if (e->sessions > 0 &&
	    sessions_of(c->keeper, e->name) >= e->sessions) {
		client_answer(c, KEEPER_BUSY, NULL, -1, -1);
		return;
	}
	if ((root = open_root(e)) < 0)
		say(c, e, "its directory", errno);
	else if (has_quota && (quota = open_quota(c, e)) < 0)
		say(c, e, c->keeper->conf.accounts_quota[0] != '\0' ?
		    "its page in accounts.quota" :
		    "it has a quota, and accounts.quota is not set", errno);
	if (root < 0 || (has_quota && quota < 0))
		client_answer(c, KEEPER_BROKEN, NULL, -1, -1);
	else
		client_answer(c, KEEPER_YES, e, root, quota);
	if (root >= 0)
		close(root);
	if (quota >= 0)
		close(quota);
}

/* ---- from the thread and to it */

static void
work(struct pool_job *job)
{
	struct client *c = LOOP_OWNER(job, struct client, job);

	c->matches = secret_matches(c->request.password, c->hash);
}

/* ---- the queue: of many tries at once, the first ones may spoil it */

static void judge(struct client *c);

void
judge_start(struct keeper *k)
{
	k->queue_end = &k->queue;
}

static void
enqueue(struct client *c)
{
	struct keeper *k = c->keeper;

	c->state = CLIENT_QUEUED;
	c->next_queued = NULL;
	*k->queue_end = c;
	k->queue_end = &c->next_queued;
}

void
judge_forget(struct client *c)
{
	struct keeper *k = c->keeper;
	struct client **at = &k->queue;

	if (c->state != CLIENT_QUEUED)
		return;
	while (*at != c)
		at = &(*at)->next_queued;
	*at = c->next_queued;
	if (k->queue_end == &c->next_queued)
		k->queue_end = at;
	c->state = CLIENT_IDLE;
}

/*
 * The pool would queue them as well, but ask nothing again: whoever tried a
 * thousand at once had all of them judged before the first was refused.
 */
static void
go_on(struct keeper *k)
{
	while (k->queue != NULL && k->hashing < k->conf.keeper_jobs) {
		struct client *c = k->queue;

		judge_forget(c);
		if (penalty_is_shut(k->penalty, &c->try, keeper_now(k)))
			turn_away(c);
		else
			judge(c);
	}
}

/* A password that no account can have is worked at like any other. */
static bool
is_possible(const struct keeper_request *r)
{
	return r->password_len != KEEPER_TOO_LONG && r->password_len > 0 &&
	    memchr(r->password, '\0', r->password_len) == NULL;
}

/* PAM is asked about it, and not about nobody. */
static bool
is_for_system(const struct client *c)
{
	return c->request.user_len != KEEPER_TOO_LONG &&
	    account_of(c) == NULL && is_possible(&c->request) &&
	    accounts_system_name_is_good(name_of(c));
}

/* The password was right; false: it does not matter. */
static bool
may_enter(const struct client *c, const struct accounts_entry *e)
{
	const char *why = objection(c, e);

	if (why != NULL)
		say(c, e, why, 0);
	return why == NULL;
}

/*
 * A reload may have come in between: what holds is what holds now.  What the
 * file does not admit PAM has to be asked about, or about nobody.
 */
static void
conclude(struct client *c)
{
	const struct accounts_entry *e = account_of(c);
	bool right, asked;

	right = c->matches && c->is_real && e != NULL &&
	    sv_eq(e->hash, sv_of(c->hash)) && may_enter(c, e);
	explicit_bzero(c->hash, sizeof(c->hash));
	asked = !right && system_ask(c, is_for_system(c));
	wipe(c);
	if (asked)
		return;
	c->keeper->hashing--;
	if (right)
		admit(c, e);
	else
		refuse(c);
}

/* The file may have got that name meanwhile; then it is the file's. */
static void
conclude_told(struct client *c, enum system_verdict verdict, unsigned rule)
{
	struct accounts_made made;

	c->state = CLIENT_IDLE;
	c->rule = rule + 1;
	if (verdict == SYSTEM_YES && account_of(c) == NULL &&
	    system_account(c, rule, &made) && may_enter(c, &made.entry))
		admit(c, &made.entry);
	else
		refuse(c);
	c->rule = 0;
}

void
judge_told(struct keeper *k, struct client *c, enum system_verdict verdict,
    unsigned rule)
{
	k->hashing--;
	if (c != NULL)
		conclude_told(c, verdict, rule);
	go_on(k);
}

static void
done(struct pool_job *job)
{
	struct client *c = LOOP_OWNER(job, struct client, job);
	struct keeper *k = c->keeper;

	c->state = CLIENT_IDLE;
	if (c->gone) {
		wipe(c);
		/* It cost a hash, and may have been told by its time. */
		if (!c->matches || !c->is_real)
			penalty_add(k->penalty, &c->try, keeper_now(k));
		k->hashing--;
		client_end(c);
	} else {
		conclude(c);
	}
	go_on(k);
}

static void
judge(struct client *c)
{
	const struct accounts_entry *e = account_of(c);
	struct keeper_request *r = &c->request;

	c->is_real = e != NULL && accounts_is_open(e) && is_possible(r);
	if (c->is_real)
		snprintf(c->hash, sizeof(c->hash), "%.*s", (int)e->hash.len,
		    e->hash.ptr);
	else
		memcpy(c->hash, c->keeper->usual, sizeof(c->hash));
	r->password[r->password_len <= KEEPER_PASSWORD_MAX ?
	    r->password_len : KEEPER_PASSWORD_MAX] = '\0';
	c->state = CLIENT_HASHING;
	c->keeper->hashing++;
	c->job.work = work;
	c->job.done = done;
	pool_submit(c->keeper->pool, &c->job);
}

void
judge_due(struct client *c)
{
	if (c->state == CLIENT_HELD) {
		client_answer(c, c->verdict, NULL, -1, -1);
		return;
	}
	enqueue(c);
	go_on(c->keeper);
}

/*
 * There is nothing to be guessed at, so nobody waits and nothing is counted
 * but how often it was asked.  Whatever is not right, a password is asked for
 * next, as of anybody.
 */
static void
judge_certificate(struct client *c)
{
	struct keeper *k = c->keeper;
	const struct accounts_entry *e = account_of(c);
	const char *why;

	c->try = penalty_key(k->penalty, &c->peer, name_of(c));
	if (++c->shown > KEEPER_TRIES ||
	    penalty_is_shut(k->penalty, &c->try, keeper_now(k))) {
		turn_away(c);
		return;
	}
	if (e == NULL || !accounts_needs_no_password(e) ||
	    match_of(c, e) == ACCOUNTS_MATCH_NONE) {
		client_answer(c, KEEPER_PASSWORD, NULL, -1, -1);
		return;
	}
	if ((why = objection(c, e)) == NULL) {
		admit(c, e);
		return;
	}
	say(c, e, why, 0);
	client_answer(c, KEEPER_PASSWORD, NULL, -1, -1);
}

void
judge_begin(struct client *c)
{
	struct keeper *k = c->keeper;
	uint64_t now = keeper_now(k);

	if (!c->has_peer)
		orders_hear_gate(k);
	if (!c->has_peer || c->tries >= KEEPER_TRIES) {
		turn_away(c);
		return;
	}
	if ((c->request.flags & KEEPER_CERTIFICATE_ALONE) != 0) {
		judge_certificate(c);
		return;
	}
	c->try = penalty_key(k->penalty, &c->peer, name_of(c));
	c->begun_ms = now;
	client_wait(c, CLIENT_WAITING,
	    now + penalty_wait(k->penalty, &c->try, now));
	if (c->due_ms <= now)
		judge_due(c);
}
