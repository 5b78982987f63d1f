/*
 * audit/ask_tls.c: T17 and E01: the same within TLS, and TLS itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <time.h>

#include "audit/dial.h"
#include "audit/theft.h"

#define INJECTED_MS 2000	/* for the answer to an injected command */

/* A server without TLS is asked nothing of it. */
static bool
has_tls(struct ask *q)
{
	if (q->audit->facts.has_tls)
		return true;
	ask_answer(q, VERDICT_not_asked, "the server offers no TLS");
	return false;
}

/*
 * A connection on which the next byte is TLS's: after 234, or at once with
 * ftps://.  NULL: the question is answered.
 */
static struct link *
before_tls(struct ask *q)
{
	struct link *l;
	struct reply r;

	if (!has_tls(q))
		return NULL;
	l = q->audit->target->tls ? link_connect(q) : link_open(q, NULL);
	if (l == NULL || q->audit->target->tls ||
	    link_command(l, &r, "AUTH TLS") == 234)
		return l;
	ask_answer(q, VERDICT_inconclusive, "AUTH TLS: %s", r.text);
	link_close(l);
	return NULL;
}

/* A login within TLS, with PROT P.  NULL: the question is answered. */
static struct link *
login_within(struct ask *q)
{
	const struct tls_client_want want = {
		.sni = q->audit->target->host };
	struct link *l = before_tls(q);
	struct reply r;

	if (l == NULL)
		return NULL;
	if (!link_handshake(l, &want))
		ask_answer(q, VERDICT_inconclusive, "no TLS: %s",
		    l->tls_refusal.text);
	else if (q->audit->target->tls &&
	    link_read(l, &r, link_patience(l)) / 100 != 2)
		ask_answer(q, VERDICT_inconclusive, "no greeting: %s",
		    r.text);
	else if (link_user(l)) {
		link_command(l, &r, "PBSZ 0");
		l->prot_p = link_command(l, &r, "PROT P") / 100 == 2;
		if (l->prot_p)
			return l;
		ask_answer(q, VERDICT_inconclusive, "PROT P: %s", r.text);
	}
	link_close(l);
	return NULL;
}

void
ask_tls_bounce(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (!has_tls(q) || !dial_needs(q, &q->audit->place.other) ||
	    (l = login_within(q)) == NULL)
		return;
	if (dial_open(&d, q, &q->audit->place.other)) {
		dial_try(&d, l, dial_any(l, &d.at[0].at, line), "LIST");
		dial_answer(&d, q, "within TLS, a third party");
		dial_close(&d);
	}
	link_close(l);
}

void
ask_tls_theft(struct ask *q)
{
	struct theft t;
	struct link *l;

	if (!has_tls(q) || !theft_can(q) || (l = login_within(q)) == NULL)
		return;
	if (theft_try(&t, l, &q->audit->place.other, THEFT_ALONE))
		theft_answer(&t, q);
	link_close(l);
}

/*
 * First as an honest client does, with the session of the control connection;
 * then as a thief must, who has none.
 */
void
ask_tls_data_reuse(struct ask *q)
{
	struct link *l = login_within(q);
	int64_t with, without;
	struct reply r;

	if (l == NULL)
		return;
	with = data_fetch(l, &r, "NLST", NULL, NULL);
	if (with < 0 || r.code / 100 != 2)
		ask_answer(q, VERDICT_inconclusive, "no transfer with the "
		    "session resumed either: %s", r.text);
	l->no_resume = true;
	without = q->answered ? -1 : data_fetch(l, &r, "NLST", NULL, NULL);
	if (without >= 0 && r.code / 100 == 2)
		ask_answer(q, VERDICT_vulnerable, "a data connection with a "
		    "TLS session of its own was served: %s", r.text);
	ask_answer(q, VERDICT_safe, "a data connection with a TLS session of "
	    "its own was refused: %s", r.text);
	link_close(l);
}

void
ask_tls_ccc(struct ask *q)
{
	struct link *l = login_within(q);
	struct reply r;

	if (l == NULL)
		return;
	if (link_command(l, &r, "CCC") / 100 == 2)
		ask_answer(q, VERDICT_vulnerable, "CCC: %s", r.text);
	ask_answer(q, r.code == 0 ? VERDICT_inconclusive : VERDICT_safe,
	    "CCC: %s", r.text);
	l->over = true;		/* what comes next may be either */
	link_close(l);
}

/* One handshake; 1 made, 0 refused, -1 could not be asked (answered). */
static int
try_handshake(struct ask *q, const struct tls_client_want *want,
    struct tls_facts *facts, char why[TLS_ERROR_MAX])
{
	struct link *l = before_tls(q);
	int made = -1;

	if (l == NULL)
		return -1;
	if (link_handshake(l, want)) {
		tls_facts(l->tls, q->audit->target->host, time(NULL),
		    facts);
		made = 1;
	} else if (l->tls_refusal.why == TLS_WHY_LOCAL) {
		ask_answer(q, VERDICT_inconclusive, "%s",
		    l->tls_refusal.text);
	} else {
		snprintf(why, TLS_ERROR_MAX, "%s", l->tls_refusal.text);
		made = 0;
	}
	l->over = true;
	link_close(l);
	return made;
}

void
ask_tls_versions(struct ask *q)
{
	static const enum tls_version old[] = { TLS_1_0, TLS_1_1 };
	struct tls_client_want want = { .sni = q->audit->target->host };
	char why[TLS_ERROR_MAX] = "";
	struct tls_facts facts;
	int made = 0;

	for (int i = 0; i < 2 && made == 0; i++) {
		want.min_version = want.max_version = old[i];
		made = try_handshake(q, &want, &facts, why);
		if (made > 0)
			ask_answer(q, VERDICT_vulnerable, "%s is spoken",
			    tls_version_name(old[i]));
	}
	want.min_version = want.max_version = TLS_ANY;
	if (made == 0 && (made = try_handshake(q, &want, &facts, why)) > 0)
		ask_answer(q, VERDICT_safe, "TLS 1.0 and 1.1 are refused; %s "
		    "is spoken, %s%s%s", tls_version_name(facts.version),
		    facts.cipher, facts.expired ? "; the certificate has "
		    "expired" : "", facts.host_matches ? "" :
		    "; the certificate is not of this host's name");
	if (made == 0)
		ask_answer(q, VERDICT_inconclusive, "no handshake at all: %s",
		    why);
}

void
ask_tls_alpn(struct ask *q)
{
	const struct tls_client_want want = { .alpn = "http/1.1",
		.sni = q->audit->target->host };
	char why[TLS_ERROR_MAX] = "";
	struct tls_facts facts;
	int made = try_handshake(q, &want, &facts, why);

	if (made > 0)
		ask_answer(q, VERDICT_vulnerable, "a client that asks for "
		    "http/1.1 is taken%s%s", facts.alpn[0] != '\0' ?
		    ", as " : "", facts.alpn);
	else if (made == 0)
		ask_answer(q, VERDICT_safe, "a client that asks for http/1.1 "
		    "is refused: %s", why);
}

void
ask_tls_sni(struct ask *q)
{
	const struct tls_client_want want = {
		.sni = "portcullis-audit.invalid" };
	char why[TLS_ERROR_MAX] = "";
	struct tls_facts facts;
	int made = try_handshake(q, &want, &facts, why);

	if (made > 0)
		ask_answer(q, VERDICT_accepts, "a client that asks for "
		    "another host is taken");
	else if (made == 0)
		ask_answer(q, VERDICT_safe, "a client that asks for another "
		    "host is refused: %s", why);
}

/*
 * SYST in the same segment as AUTH: who runs it within TLS lets anybody on
 * the way put commands into another's session (CVE-2011-1575).
 */
void
ask_starttls_injection(struct ask *q)
{
	const struct tls_client_want want = {
		.sni = q->audit->target->host };
	struct reply r = { 0 };
	struct link *l;

	if (!has_tls(q))
		return;
	if (q->audit->target->tls) {
		ask_answer(q, VERDICT_not_asked, "there is TLS from the first "
		    "byte on");
		return;
	}
	if ((l = link_open(q, NULL)) == NULL)
		return;
	if (!link_send(l, SV("AUTH TLS\r\nSYST\r\n")))
		ask_answer(q, VERDICT_inconclusive, "it could not be sent");
	else if (link_read(l, &r, link_patience(l)) != 234)
		ask_answer(q, r.code == 0 && l->told_421 ?
		    VERDICT_inconclusive : VERDICT_safe, "AUTH and SYST at "
		    "once: %s", r.text);
	else if (link_has_news(l) && l->len > 0)
		ask_answer(q, VERDICT_safe, "AUTH and SYST at once: SYST is "
		    "answered before TLS, in the clear");
	else if (!link_handshake(l, &want))
		ask_answer(q, VERDICT_safe, "AUTH and SYST at once: no TLS "
		    "then: %s", l->tls_refusal.text);
	else if (link_read(l, &r, INJECTED_MS) != 0)
		ask_answer(q, VERDICT_vulnerable, "SYST, sent in the clear, "
		    "was answered within TLS: %s", r.text);
	ask_answer(q, VERDICT_safe, "AUTH and SYST at once: SYST was "
	    "forgotten");
	l->over = true;
	link_close(l);
}
