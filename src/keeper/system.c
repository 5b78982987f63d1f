/*
 * keeper/system.c: what portcullis-pam is asked, and what it answers.
 *
 * It is asked about names that the account file has not, and about nobody
 * when a name of the file is refused: so a refusal has cost the same, whatever
 * the name is.  One that does not answer is no way in: BROKEN is a refusal
 * like any other, also to the penalties, or who finds out what makes a module
 * hang could go on doing it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "accounts/system.h"
#include "base/log.h"
#include "keeper/keeper.h"

/* It ends a question that takes too long; then this comes too late. */
#define PATIENCE_MS 2000

/* The end of a question: its client may be gone. */
static void
settle(struct system_slot *s, enum system_verdict verdict, unsigned rule)
{
	struct client *c = s->client;
	struct keeper *k = s->keeper;

	loop_timer_stop(&k->loop, &s->timer);
	s->busy = false;
	s->client = NULL;
	/* Who has known by the time that it took, and left, was refused. */
	if (c == NULL && verdict != SYSTEM_YES)
		penalty_add(k->penalty, &s->try, keeper_now(k));
	judge_told(k, c, verdict, rule);
}

static void
lose(struct keeper *k)
{
	if (k->system.fd < 0)
		return;
	loop_unwatch(&k->loop, &k->system);
	close(k->system.fd);
	k->system.fd = -1;
	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		if (k->slot[i].busy)
			settle(&k->slot[i], SYSTEM_BROKEN, 0);
}

static void
patience_ends(struct loop_timer *t)
{
	log_line("portcullis-pam does not answer");
	settle(LOOP_OWNER(t, struct system_slot, timer), SYSTEM_BROKEN, 0);
}

/* One that was waited for no longer is nobody's. */
static struct system_slot *
find(struct keeper *k, uint32_t seq)
{
	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		if (k->slot[i].busy && k->slot[i].seq == seq)
			return &k->slot[i];
	return NULL;
}

static bool
is_sound(const struct keeper *k, const struct system_answer *a, ssize_t len)
{
	return len == (ssize_t)sizeof(*a) && a->version == SYSTEM_VERSION &&
	    a->verdict > SYSTEM_NONE && a->verdict < SYSTEM_VERDICT_COUNT &&
	    (a->verdict != SYSTEM_YES ||
	    a->rule < k->conf.accounts_pam_rules.count);
}

static void
system_says(struct loop_watch *w, uint32_t events)
{
	struct keeper *k = LOOP_OWNER(w, struct keeper, system);
	struct system_answer a;
	struct system_slot *s;
	ssize_t len = recv(w->fd, &a, sizeof(a), MSG_DONTWAIT | MSG_TRUNC);

	(void)events;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len > 0 && !is_sound(k, &a, len))
		log_line("portcullis-pam's channel is broken");
	if (len <= 0 || !is_sound(k, &a, len))
		lose(k);
	else if ((s = find(k, a.seq)) != NULL)
		settle(s, (enum system_verdict)a.verdict, a.rule);
}

void
system_start(struct keeper *k)
{
	k->system.fd = -1;
	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		k->slot[i] = (struct system_slot) { .keeper = k,
			.timer = { .fire = patience_ends } };
}

void
system_take(struct keeper *k, int fd)
{
	lose(k);
	k->system = (struct loop_watch) { .fd = fd, .ready = system_says };
	if (!loop_watch(&k->loop, &k->system, EPOLLIN))
		log_fatal(1, "cannot watch portcullis-pam");
}

/* From where they are: another copy of a password would have to be wiped. */
static bool
put(struct keeper *k, const struct client *c, bool named, uint32_t seq)
{
	static const char none[KEEPER_PASSWORD_MAX + 1];
	const struct keeper_request *r = &c->request;
	struct system_question q = { .version = SYSTEM_VERSION, .seq = seq,
		.peer = c->peer };
	struct iovec part[] = {
		{ &q, offsetof(struct system_question, user) },
		{ (void *)(uintptr_t)(named ? r->user : none),
		    sizeof(q.user) },
		{ (void *)(uintptr_t)(named ? r->password : none),
		    sizeof(q.password) },
	};
	struct msghdr mh = { .msg_iov = part, .msg_iovlen = 3 };

	if (named) {
		q.user_len = r->user_len;
		q.password_len = r->password_len;
	}
	return k->system.fd >= 0 && sendmsg(k->system.fd, &mh,
	    MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(q);
}

bool
system_ask(struct client *c, bool named)
{
	struct keeper *k = c->keeper;
	struct system_slot *s = k->slot;

	if (k->conf.accounts_pam[0] == '\0')
		return false;
	while (s < k->slot + SYSTEM_JOBS_MAX && s->busy)
		s++;
	if (s == k->slot + SYSTEM_JOBS_MAX ||
	    !put(k, c, named, k->system_seq)) {
		log_line("portcullis-pam is not there to be asked");
		return false;
	}
	s->busy = true;
	s->client = c;
	s->try = c->try;
	s->seq = k->system_seq++;
	c->state = CLIENT_ASKING;
	loop_timer_set(&k->loop, &s->timer,
	    (uint64_t)k->conf.accounts_pam_timeout_s * 1000 + PATIENCE_MS);
	return true;
}

void
system_forget(const struct client *c)
{
	struct keeper *k = c->keeper;

	for (size_t i = 0; i < SYSTEM_JOBS_MAX; i++)
		if (k->slot[i].client == c)
			k->slot[i].client = NULL;
}

bool
system_account(const struct client *c, unsigned rule,
    struct accounts_made *out)
{
	const struct conf_rules *list = &c->keeper->conf.accounts_pam_rules;
	const struct conf_rule *r = &list->at[rule];
	struct accounts_rule words = { sv_of(r->directory), sv_of(r->rights),
		sv_of(r->options) };
	struct sv name = { c->request.user, c->request.user_len };
	char why[ACCOUNTS_WHY_MAX];

	if (accounts_make(&words, name, out, why))
		return true;
	log_line("accounts.pam_rule, number %u: %s", rule + 1, why);
	return false;
}
