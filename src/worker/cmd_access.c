/*
 * worker/cmd_access.c: who is there: USER, PASS, ACCT, REIN, QUIT; and the
 * table that leads from a verb to its handler.
 *
 * Where there are no accounts, who is not anonymous is refused at USER: a
 * password that is not asked for is read by nobody on the wire.  All of them
 * alike, and late (RFC 2577 §5, §6).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "worker/worker.h"

#define IDENT_MAX 128

static sess_handler *const handlers[V_COUNT] = {
#define X(VERB, handler, ...) [V_##VERB] = cmd_##handler,
	FTP_VERBS(X)
#undef X
};

void
sess_command(struct sess *s, enum ftp_verb verb, struct sv arg)
{
	handlers[verb](s, arg);
}

bool
sess_offers(const struct sess *s, enum ftp_verb verb)
{
	if (handlers[verb] == cmd_auth || handlers[verb] == cmd_pbsz ||
	    handlers[verb] == cmd_prot)
		return conf_has_tls(&s->w->conf);
	return handlers[verb] != cmd_absent && handlers[verb] != cmd_lprt &&
	    handlers[verb] != cmd_ccc &&
	    (handlers[verb] != cmd_hash || s->w->hash_desk != NULL);
}

void
cmd_absent(struct sess *s, struct sv arg)
{
	(void)arg;
	endpoint_void(s);
	reply(s, 502, "Command not implemented.");
}

bool
sess_is_anonymous(struct sv name)
{
	return sv_eq_nocase(name, SV("anonymous")) ||
	    sv_eq_nocase(name, SV("ftp"));
}

void
login_event(struct sess *s, const char *action, const char *verb, int code)
{
	struct event e;

	if (!event_wanted(&s->w->events))
		return;
	event_begin(&e, "ftp", &s->who);
	event_open(&e, "ftp");
	event_text(&e, "action", sv_of(action));
	event_text(&e, "command", sv_of(verb));
	if (s->user != NULL)
		event_text(&e, "user", sv_of(s->user));
	event_code(&e, "completion_code", code);
	event_close(&e);
	event_end(&e, &s->w->events);
}

static void
login_refused(struct sess *s)
{
	s->w->counters.login_failures++;
	if (++s->attempts >= s->w->conf.login_attempts) {
		login_event(s, "login_failed", "USER", 421);
		sess_end(s, "Too many refused logins.");
	} else {
		login_event(s, "login_failed", "USER", 530);
		sess_wait_for(s, WAIT_PENALTY);
	}
}

void
cmd_user(struct sess *s, struct sv arg)
{
	/* Its process has only what is the account's. */
	if (s->user != NULL) {
		reply(s, 530, "For another user, connect anew.");
		return;
	}
	sess_reset(s);
	if (text_refuses(s))
		return;
	if (!sess_is_anonymous(arg)) {
		if (account_may_log_in(s))
			account_named(s, arg);
		else
			login_refused(s);
		return;
	}
	if (sess_lacks_tls(s))
		return;
	s->named = true;
	reply(s, 331, "Anonymous login is for all: a mail address, please.");
}

void
cmd_pass(struct sess *s, struct sv arg)
{
	if (s->login != NULL) {
		account_judge(s, arg);
		return;
	}
	if (!s->named) {
		reply(s, 503, "USER comes first.");
		return;
	}
	if (text_refuses(s))
		return;
	if (arg.len > IDENT_MAX)
		arg.len = IDENT_MAX;
	free(s->ident);
	s->ident = strndup(arg.ptr, arg.len);
	s->logged_in = s->was_in = true;
	s->rights = ACCOUNTS_LIST | ACCOUNTS_READ;
	s->exact = false;	/* from now on all that comes is taken */
	s->named = false;
	s->w->counters.logins++;
	login_event(s, "login", "PASS", 230);
	text_welcome(s);
}

void
cmd_acct(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 202, "No account is needed.");
}

void
cmd_rein(struct sess *s, struct sv arg)
{
	(void)arg;
	if (s->tls != NULL) {	/* its name and its keys are this user's */
		reply(s, 502, "Not within TLS; connect anew.");
		return;
	}
	if (s->user != NULL) {
		sess_end(s, "For another user, connect anew.");
		return;
	}
	/* RFC 7151 §3.2.1: the next user may want another site. */
	sess_reset(s);
	sess_leave_site(s);
	reply(s, 220, "Ready for a new user.");
}

void
cmd_quit(struct sess *s, struct sv arg)
{
	(void)arg;
	text_goodbye(s);
	s->closing = true;
	sess_clock_restart(s);
}
