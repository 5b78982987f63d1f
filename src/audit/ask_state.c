/*
 * audit/ask_state.c: T7 and T8: what is left of an address that was named,
 * and before login.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/data.h"
#include "audit/dial.h"
#include "audit/note.h"

/*
 * A session with A's own address named and agreed to, and a listener there.
 * NULL: the question is answered.
 */
static struct link *
named_own(struct ask *q, struct dial *d)
{
	char line[DIAL_LINE_MAX];
	struct link *l = dial_begin(d, q, &q->audit->place.here);

	if (l == NULL || dial_name(d, l, dial_any(l, &d->at[0].at, line)))
		return l;
	ask_answer(q, VERDICT_inconclusive, "the client's own address is "
	    "refused: %s", d->named.text);
	dial_end(d, l);
	return NULL;
}

static void
answer_stale(struct ask *q, const struct link *l, const struct dial *d,
    const char *after)
{
	/* One that was made at PORT proves nothing until it is used. */
	if (d->end == DIAL_MADE && (!d->early || d->bytes > 0)) {
		if (!d->early)
			note_kind(l, KIND_stale_address, SV("LIST"),
			    &d->at[0].at, d->at[0].at.port);
		ask_answer(q, VERDICT_vulnerable, "after %s, LIST connected "
		    "to the address that was named before", after);
	} else if (d->end == DIAL_UNSENT)
		ask_answer(q, VERDICT_inconclusive, "after %s: no reply to "
		    "LIST", after);
	else
		ask_answer(q, q->audit->place.behind_nat ?
		    VERDICT_inconclusive : VERDICT_safe, "LIST connected to "
		    "nobody after %s%s%s", after, d->done.code != 0 ? ": " : "",
		    d->done.text);
}

void
ask_stale_refused(struct ask *q)
{
	struct addr other = q->audit->place.other;
	char line[DIAL_LINE_MAX];
	struct reply second = { 0 };
	struct link *l;
	struct dial d;

	if (!dial_needs(q, &other) || (l = named_own(q, &d)) == NULL)
		return;
	other.port = d.at[0].at.port;
	/* Refused, and yet kept: then B is connected to. */
	if (!listener_open(&d.at[1], &other, other.port))
		ask_event(q, "no listener at the third party's address");
	if (!link_send(l, dial_any(l, &other, line)) ||
	    link_read(l, &second, link_patience(l)) == 0)
		ask_answer(q, VERDICT_inconclusive, "no reply to the second "
		    "PORT");
	else if (!reply_refuses(&second))
		ask_answer(q, VERDICT_inconclusive, "a third party's address "
		    "is not refused: see bounce");
	else
		dial_transfer(&d, l, "LIST");
	if (d.end == DIAL_MADE && d.ignored)
		ask_answer(q, VERDICT_vulnerable, "a third party was refused "
		    "(%s), and LIST connected to it all the same",
		    second.text);
	answer_stale(q, l, &d, "a refused PORT");
	dial_end(&d, l);
}

void
ask_stale_rein(struct ask *q)
{
	struct reply r, second;
	struct dial d;
	struct link *l = named_own(q, &d);
	const char *after = "REIN and a new login";

	if (l == NULL)
		return;
	if (link_command(l, &r, "REIN") / 100 != 2) {
		/* Some end the session: that forgets it, too. */
		if (l->over)
			ask_answer(q, VERDICT_safe, "REIN: %s", r.text);
		after = "a new login";
	}
	/* No second login: then nobody else has the address. */
	if (!l->over && !link_say_user(l, &second))
		ask_answer(q, VERDICT_safe, "no new login in the same "
		    "session: %s", r.text);
	if (!q->answered)
		dial_transfer(&d, l, "LIST");
	answer_stale(q, l, &d, after);
	dial_end(&d, l);
}

void
ask_stale_passive(struct ask *q)
{
	struct reply r;
	struct dial d;
	struct addr at;
	struct link *l = named_own(q, &d);

	if (l == NULL)
		return;
	d.brief = true;		/* a careful server waits for us */
	if (data_ask_passive(l, &r, NULL, &at))
		dial_transfer(&d, l, "LIST");
	else
		ask_answer(q, VERDICT_inconclusive, "no passive port: %s",
		    r.text);
	answer_stale(q, l, &d, "PASV");
	dial_end(&d, l);
}

/* A session that has promised EPSV; NULL: the question is answered. */
static struct link *
promised(struct ask *q)
{
	struct link *l = link_login(q);
	struct reply r;

	if (l == NULL)
		return NULL;
	if (link_command(l, &r, "EPSV ALL") / 100 == 2) {
		l->epsv_all = true;
		return l;
	}
	if (r.code == 0)
		ask_answer(q, VERDICT_inconclusive, "EPSV ALL: %s", r.text);
	ask_answer(q, VERDICT_safe, "EPSV ALL is not known, and promises "
	    "nothing: %s", r.text);
	link_close(l);
	return NULL;
}

void
ask_epsv_all_active(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l = promised(q);
	struct dial d;

	if (l == NULL)
		return;
	if (dial_open(&d, q, &q->audit->place.here)) {
		if (dial_name(&d, l, dial_eprt(&d.at[0].at, line)))
			ask_answer(q, VERDICT_vulnerable, "EPSV ALL, then "
			    "EPRT: %s", d.named.text);
		else if (d.end == DIAL_REFUSED &&
		    d.at[0].at.family == ADDR_V4 &&
		    dial_name(&d, l, dial_port(&d.at[0].at, line)))
			ask_answer(q, VERDICT_vulnerable, "EPSV ALL, then "
			    "PORT: %s", d.named.text);
		dial_answer(&d, q, "EPSV ALL, then EPRT and PORT");
		dial_close(&d);
	}
	link_close(l);
}

void
ask_epsv_all_pasv(struct ask *q)
{
	struct link *l = promised(q);
	struct reply r;

	if (l == NULL)
		return;
	note_kind(l, KIND_epsv_all, SV("PASV"), &(struct addr) { 0 },
	    0);
	if (link_command(l, &r, "PASV") == 0)
		ask_answer(q, VERDICT_inconclusive, "EPSV ALL, then PASV: %s",
		    r.text);
	ask_answer(q, r.code == 227 ? VERDICT_vulnerable : VERDICT_safe,
	    "EPSV ALL, then PASV: %s", r.text);
	link_close(l);
}

void
ask_no_endpoint(struct ask *q)
{
	const char *file = q->audit->facts.file;
	struct link *l = link_login(q);
	const char *sent = file[0] != '\0' ? "RETR" : "NLST";
	struct reply r;

	if (l == NULL)
		return;
	if (file[0] != '\0')
		link_command(l, &r, "RETR %s", file);
	else
		link_command(l, &r, "NLST");
	if (r.code == 0 && !l->told_421)
		ask_answer(q, VERDICT_vulnerable, "%s without a data "
		    "address: %s", sent, r.text);
	ask_answer(q, reply_begins(&r) ? VERDICT_vulnerable : VERDICT_safe,
	    "%s without a data address: %s", sent, r.text);
	link_close(l);
}

void
ask_before_login(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (!dial_needs(q, &q->audit->place.other) ||
	    (l = link_open(q, NULL)) == NULL)
		return;
	if (dial_open(&d, q, &q->audit->place.other)) {
		if (dial_name(&d, l, dial_any(l, &d.at[0].at, line))) {
			dial_transfer(&d, l, "LIST");
			if (d.end != DIAL_MADE)
				ask_answer(q, VERDICT_accepts, "PORT of a "
				    "third party before USER: %s",
				    d.named.text);
		}
		dial_answer(&d, q, "PORT of a third party before USER");
		dial_close(&d);
	}
	link_close(l);
}
