/*
 * audit/ask_dial.c: T14 to T16, and a balancer: how it dials, and addresses
 * that are not the auditor's own.
 *
 * Those (the loopback, the server's own, a balancer's) are named for the reply
 * alone, never with a transfer; and not at all to a server that was seen to
 * connect at PORT.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/dial.h"

#define EARLY_MS 700		/* in which a server connects at PORT */
#define UNOWNED_PORT 50123
#define SLOWER_MS 500		/* by so much, times differ */

/* ---- T15 */

/*
 * Names A, asks for no transfer, and notes in the facts whether a connection
 * comes.  NULL: the question is answered, and nothing was learned.
 */
static struct link *
look_early(struct dial *d, struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct link *l = dial_begin(d, q, &q->audit->place.here);
	int fd;

	if (l == NULL)
		return NULL;
	dial_name(d, l, dial_any(l, &d->at[0].at, line));
	sock_readable(d->at[0].fd, sock_now_ms() + EARLY_MS);
	fd = listener_accept(&d->at[0], &d->from);
	d->early = fd >= 0;
	sock_close(&fd);
	q->audit->facts.early_known = true;
	if (d->early)
		q->audit->facts.dials_early = true;
	return l;
}

void
ask_dial_early(struct ask *q)
{
	struct dial d;
	struct link *l = look_early(&d, q);

	if (l == NULL)
		return;
	if (d.early)
		ask_answer(q, VERDICT_vulnerable, "PORT, own address: a "
		    "connection came before any transfer was asked for (%s)",
		    d.named.text);
	if (d.end == DIAL_REFUSED)
		ask_answer(q, VERDICT_safe, "PORT, own address, is refused: "
		    "%s", d.named.text);
	ask_answer(q, d.named.code == 0 || q->audit->place.behind_nat ?
	    VERDICT_inconclusive : VERDICT_safe, "PORT, own address: %s; no "
	    "connection within %d ms", d.named.text, EARLY_MS);
	dial_end(&d, l);
}

static void
answer_source(struct ask *q, const struct dial *d)
{
	char from[ADDR_TEXT_MAX];
	const struct place *p = &q->audit->place;

	addr_format(&d->from, from);
	if (!addr_same_ip(&d->from, &p->server))
		ask_answer(q, VERDICT_vulnerable, "the data connection came "
		    "from %s, and not from the audited address", from);
	else
		ask_answer(q, VERDICT_safe, "the data connection came from "
		    "%s%s", from, d->from.port == 20 ? ": port 20, for which "
		    "a process must keep a privilege" : "");
}

void
ask_dial_source(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.here);

	if (l == NULL)
		return;
	dial_try(&d, l, dial_any(l, &d.at[0].at, line), "LIST");
	if (d.end == DIAL_MADE)
		answer_source(q, &d);
	else if (d.end == DIAL_REFUSED)
		ask_answer(q, VERDICT_safe, "active mode is refused: %s",
		    d.named.text);
	else
		ask_answer(q, q->audit->place.behind_nat ?
		    VERDICT_inconclusive : VERDICT_safe, "own address: %d, "
		    "and no connection came: a NAT or filter may stand "
		    "between (%s)", d.named.code, d.done.text);
	dial_end(&d, l);
}

/* ---- T16 */

/*
 * May an address be named that is not ours?  Not to a server that would
 * connect to it at once; and where --only left dial_early out, that is found
 * out first.  False: the question is answered.
 */
static bool
may_name_others(struct ask *q)
{
	const struct facts *facts = &q->audit->facts;
	struct link *l;
	struct dial d;

	if (!facts->early_known && !facts->dials_early) {
		if ((l = look_early(&d, q)) == NULL)
			return false;
		dial_end(&d, l);
	}
	if (facts->dials_early)
		ask_answer(q, VERDICT_not_asked, "this server connects at "
		    "PORT: an address that is not ours is not named to it");
	return !q->answered;
}

/*
 * Names an address that is not ours, and asks for no transfer.
 *
 * agreed  the verdict when the server agrees to it
 */
static void
reply_to(struct ask *q, const struct addr *named, enum verdict agreed,
    const char *sent)
{
	char line[DIAL_LINE_MAX];
	struct dial d = DIAL_NONE;
	struct addr at = *named;
	struct link *l;

	if (!may_name_others(q) || (l = link_login(q)) == NULL)
		return;
	at.port = UNOWNED_PORT;
	l->reply_only = *named;
	if (dial_name(&d, l, dial_any(l, &at, line)))
		ask_answer(q, agreed, "%s: %s (no transfer was asked for)",
		    sent, d.named.text);
	dial_answer(&d, q, sent);
	link_close(l);
}

void
ask_loopback(struct ask *q)
{
	const struct addr *here = &q->audit->place.here;
	struct addr loopback;

	if (!addr_parse_ip(here->family == ADDR_V6 ? SV("::1") :
	    SV("127.0.0.1"), &loopback))
		return;
	if (addr_same_ip(&loopback, here) ||
	    addr_same_ip(&loopback, &q->audit->place.server))
		ask_answer(q, VERDICT_not_asked, "the loopback is where this "
		    "audit comes from");
	else
		reply_to(q, &loopback, VERDICT_accepts,
		    "PORT of the loopback");
}

void
ask_self(struct ask *q)
{
	const struct place *p = &q->audit->place;

	if (addr_same_ip(&p->server, &p->here))
		ask_answer(q, VERDICT_not_asked, "the server's address is the "
		    "one that this audit comes from");
	else
		reply_to(q, &p->server, VERDICT_accepts,
		    "PORT of the server's own address");
}

/* What a client of this server may be expected to name; else answered. */
static bool
is_own_refused(struct ask *q)
{
	char line[DIAL_LINE_MAX];
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.here);

	if (l == NULL)
		return false;
	if (dial_name(&d, l, dial_any(l, &d.at[0].at, line)))
		ask_answer(q, VERDICT_safe, "the client's own address is "
		    "taken: the server sees who connects");
	else if (d.end != DIAL_REFUSED)
		ask_answer(q, VERDICT_inconclusive, "%s", d.named.text);
	dial_end(&d, l);
	return !q->answered;
}

/*
 * Behind a balancer that tells nobody's address (no PROXY protocol), every
 * client seems to be the balancer: its address passes, and one's own does
 * not.
 */
void
ask_balancer(struct ask *q)
{
	const struct audit *a = q->audit;
	struct addr named = a->options->balancer;

	if (named.family == ADDR_NONE)
		named = a->place.server;
	if (!is_own_refused(q))
		return;
	if (addr_same_ip(&named, &a->place.here)) {
		ask_answer(q, VERDICT_not_asked, "the server's address is the "
		    "one that this audit comes from");
		return;
	}
	reply_to(q, &named, VERDICT_vulnerable, "the client's own address "
	    "is refused; that of the balancer, or server");
}

/* ---- T14 */

struct probe {
	bool agreed;
	int code;		/* of the transfer's last reply */
	unsigned took_ms;
};

/* NLST to a port of B that is there, that is closed, or that is silent. */
static struct probe
probe_port(struct ask *q, struct link *l, bool open, bool silent)
{
	char line[DIAL_LINE_MAX];
	struct probe p = { false };
	struct silence hush;
	struct addr at;
	struct dial d;

	if (!dial_open(&d, q, &q->audit->place.other))
		return p;
	at = d.at[0].at;
	if (!open && !silent)
		listener_close(&d.at[0]);
	if (silent && !silence_open(&hush, &d.at[0]))
		ask_event(q, "no silent port could be made");
	p.agreed = dial_name(&d, l, dial_any(l, &at, line));
	if (p.agreed)
		dial_transfer(&d, l, "NLST");
	p.code = d.done.code != 0 ? d.done.code : d.begun.code;
	p.took_ms = d.took_ms;
	if (silent)
		silence_close(&hush);
	dial_close(&d);
	return p;
}

static bool
differ(const struct probe *a, const struct probe *b)
{
	unsigned slower = a->took_ms > b->took_ms ? a->took_ms - b->took_ms :
	    b->took_ms - a->took_ms;

	return a->code != b->code || slower > SLOWER_MS;
}

static void
say_probe(const struct probe *p, char *out, size_t size)
{
	if (p->code == 0)
		snprintf(out, size, "no reply within %u ms", p->took_ms);
	else
		snprintf(out, size, "%d after %u ms", p->code, p->took_ms);
}

void
ask_oracle(struct ask *q)
{
	static const char *const what[] = { "open", "closed", "silent" };
	struct probe p[3];
	char said[3][40];

	if (!dial_needs(q, &q->audit->place.other))
		return;
	for (int i = 0; i < 3; i++) {
		struct link *l = link_login(q);

		if (l == NULL)
			return;
		p[i] = probe_port(q, l, i == 0, i == 2);
		link_close(l);
		if (!p[i].agreed) {
			ask_answer(q, VERDICT_safe, "a third party's address "
			    "is refused, whatever its port");
			return;
		}
		ask_event(q, "%s port: %d after %u ms", what[i], p[i].code,
		    p[i].took_ms);
	}
	for (int i = 0; i < 3; i++)
		say_probe(&p[i], said[i], sizeof(said[i]));
	ask_answer(q, differ(&p[0], &p[1]) || differ(&p[1], &p[2]) ?
	    VERDICT_vulnerable : q->audit->place.behind_nat ?
	    VERDICT_inconclusive : VERDICT_safe, "ports of a third party: "
	    "open: %s; closed: %s; silent: %s", said[0], said[1], said[2]);
}
