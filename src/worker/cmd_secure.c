/*
 * worker/cmd_secure.c: AUTH, PBSZ, PROT, CCC (RFC 2228, RFC 4217), and what
 * the site wants of anonymous users.
 *
 * No session is carried over from clear text to TLS but what a worker knew of
 * it before: bytes that came behind AUTH are somebody's who sits between
 * (attack E01), and end it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <sys/socket.h>

#include "worker/secure.h"

/* A named user may want it where an anonymous one may not. */
bool
sess_may_have_tls(const struct sess *s)
{
	const struct conf *c = &s->w->conf;

	return c->tls_certificate.count > 0 &&
	    (c->accounts_file[0] != '\0' || s->tls_control != CONF_TLS_OFF);
}

/* What a session has without TLS, and why. */
static void
reply_without(struct sess *s)
{
	if (sess_may_have_tls(s))
		reply(s, 503, "AUTH TLS comes first.");
	else
		reply(s, 502, "Command not implemented.");
}

static bool
is_tls(struct sv name)
{
	return sv_eq_nocase(name, SV("TLS")) ||
	    sv_eq_nocase(name, SV("TLS-C")) || sv_eq_nocase(name, SV("SSL"));
}

static bool
bytes_are_behind(const struct sess *s)
{
	char byte;

	return recv(s->watch.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
secure_say_failed(struct worker *w, const struct event_session *who,
    const char *on, const char *side, const char *reason)
{
	struct event e;

	if (!event_wanted(&w->events))
		return;
	event_begin(&e, "ftp", who);
	event_open(&e, "ftp");
	event_text(&e, "action", SV("tls_failed"));
	event_open(&e, "tls");
	event_text(&e, "on", sv_of(on));
	event_text(&e, "side", sv_of(side));
	event_text(&e, "reason", sv_of(reason));
	event_close(&e);
	event_close(&e);
	event_end(&e, &w->events);
}

static void
refuse_injection(struct sess *s)
{
	secure_say_failed(s->w, &s->who, "control", "server",
	    "bytes came behind AUTH, in clear");
	sess_end(s, "Bytes came behind AUTH, in clear.");
}

void
cmd_auth(struct sess *s, struct sv arg)
{
	const struct conf *c = &s->w->conf;

	endpoint_void(s);
	if (c->tls_certificate.count == 0) {
		reply(s, 502, "Command not implemented.");
	} else if (!sess_may_have_tls(s)) {
		reply(s, 534, "TLS is not offered here.");
	} else if (s->tls != NULL) {
		reply(s, 503, "This session has TLS.");
	} else if (s->logged_in || secure == NULL) {
		reply(s, 503, "AUTH comes before the login; connect anew.");
	} else if (!is_tls(arg)) {
		reply(s, 504, "AUTH TLS is offered, and no other.");
	} else if (bytes_are_behind(s)) {
		refuse_injection(s);
	} else {
		reply(s, 234, "TLS, please.");
		s->tls_next = true;
	}
}

void
sess_begin_tls(struct sess *s)
{
	s->tls_next = false;
	if (!secure->begin(s)) {
		sess_close(s);
		return;
	}
	/* RFC 2228 §4: who was named in clear may be somebody else's word. */
	sess_reset(s);
	s->exact = false;	/* its secrets are not in the clear any more */
	s->shaking = true;
	telnet_init(&s->telnet, NULL, LINE_MAX_BYTES);
}

void
sess_shake(struct sess *s)
{
	switch (secure->step(s)) {
	case SECURE_AGAIN:
		return;
	case SECURE_FAILED:
		sess_close(s);
		return;
	case SECURE_DONE:
		break;
	}
	s->shaking = false;
	if (s->implicit)
		reply(s, 220, s->banner);
}

/* TLS has no blocks of its own to be sized: RFC 4217 §8 wants 0. */
void
cmd_pbsz(struct sess *s, struct sv arg)
{
	uint64_t size;

	if (s->tls == NULL) {
		reply_without(s);
	} else if (!sv_number(arg, UINT32_MAX, &size)) {
		reply(s, 501, "PBSZ takes a number.");
	} else {
		s->has_pbsz = true;
		reply(s, 200, "PBSZ=0");
	}
}

/* Before the login, where there are accounts, it is not known whose it is. */
static bool
is_undecided(const struct sess *s)
{
	return !s->logged_in && s->w->conf.accounts_file[0] != '\0';
}

static void
set_protection(struct sess *s, bool private)
{
	if (private && s->tls_data == CONF_TLS_OFF && !is_undecided(s)) {
		reply(s, 534, "Data is not encrypted here.");
	} else if (!private && s->tls_data == CONF_TLS_REQUIRED &&
	    !is_undecided(s)) {
		reply(s, 534, "Data is encrypted here: PROT P.");
	} else {
		s->private = private;
		reply(s, 200, private ? "Data connections have TLS." :
		    "Data connections are in clear.");
	}
}

void
cmd_prot(struct sess *s, struct sv arg)
{
	if (s->tls == NULL)
		reply_without(s);
	else if (!s->has_pbsz)
		reply(s, 503, "PBSZ comes first.");
	else if (sv_eq_nocase(arg, SV("P")) || sv_eq_nocase(arg, SV("C")))
		set_protection(s, sv_eq_nocase(arg, SV("P")));
	else if (sv_eq_nocase(arg, SV("S")) || sv_eq_nocase(arg, SV("E")))
		reply(s, 536, "TLS has PROT C and PROT P alone.");
	else
		reply(s, 504, "PROT takes C or P.");
}

/* RFC 4217 §12.3: who could end it could speak for the client. */
void
cmd_ccc(struct sess *s, struct sv arg)
{
	(void)arg;
	if (s->tls == NULL && !sess_may_have_tls(s))
		reply(s, 502, "Command not implemented.");
	else if (s->tls == NULL)
		reply(s, 533, "There is no TLS to be left.");
	else
		reply(s, 534, "TLS stays till the end.");
}

bool
sess_lacks_tls(struct sess *s)
{
	uint32_t policy = s->tls_control;

	if (s->tls == NULL && policy == CONF_TLS_REQUIRED) {
		reply(s, 530, "TLS is required: AUTH TLS comes first.");
		return true;
	}
	if (s->tls != NULL && policy == CONF_TLS_OFF) {
		reply(s, 530, "Anonymous users have no TLS here.");
		return true;
	}
	return false;
}

bool
sess_has_wrong_protection(struct sess *s)
{
	uint32_t wrong = s->private ? CONF_TLS_OFF : CONF_TLS_REQUIRED;

	if (s->tls_data != wrong)
		return false;
	restart_forget(s);
	endpoint_void(s);
	reply(s, 521, s->private ? "Data is not encrypted here: PROT C." :
	    "Data connections need TLS here: PROT P.");
	return true;
}

void
secure_feat_auth(struct sess *s)
{
	if (sess_may_have_tls(s))
		reply_line(s, SV("AUTH TLS"));
}

void
secure_feat_data(struct sess *s)
{
	if (!sess_may_have_tls(s))
		return;
	reply_line(s, SV("PBSZ"));
	reply_line(s, SV("PROT"));
}
