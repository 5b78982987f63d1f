/*
 * audit/ask_bounce.c: T1 to T5: does it connect to a third party?
 *
 * All of them name B, an address of the auditor's own, each in another way;
 * then LIST (of payload: a file), and a look at who was connected to.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "audit/dial.h"
#include "proto/hostport.h"

static struct sv
spell_any(const struct addr *a, char *buf)
{
	return a->family == ADDR_V4 ? dial_port(a, buf) : dial_eprt(a, buf);
}

void
ask_bounce(struct ask *q)
{
	const struct place *p = &q->audit->place;

	dial_once(q, &p->other, spell_any, p->other.family == ADDR_V6 ?
	    "EPRT of a third party" : "PORT of a third party", "LIST");
}

void
ask_bounce_private(struct ask *q)
{
	const struct place *p = &q->audit->place;

	if (p->private4.family == ADDR_NONE) {
		ask_answer(q, VERDICT_not_asked, "this host has no private "
		    "address beside a public one");
		return;
	}
	dial_once(q, &p->private4, dial_port, "PORT of a private address",
	    "LIST");
}

void
ask_payload(struct ask *q)
{
	const char *file = q->audit->facts.file;
	char transfer[DIAL_LINE_MAX];

	if (file[0] != '\0')
		snprintf(transfer, sizeof(transfer), "RETR %.200s", file);
	else
		snprintf(transfer, sizeof(transfer), "NLST");
	dial_once(q, &q->audit->place.other, spell_any,
	    file[0] != '\0' ? "PORT of a third party, then RETR" :
	    "PORT of a third party, then NLST", transfer);
}

/* ---- T3 */

void
ask_low_port_other(struct ask *q)
{
	struct addr named = q->audit->place.other;
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (!dial_needs(q, &named) || (l = link_login(q)) == NULL)
		return;
	if (dial_open_low(&d, &named)) {
		dial_try(&d, l, dial_any(l, &d.at[0].at, line), "LIST");
		dial_answer(&d, q, "a third party's port below 1024");
		dial_close(&d);
	} else {
		named.port = 25;
		dial_reply_only(&d, q, l, dial_any(l, &named, line),
		    "a third party's port 25");
	}
	link_close(l);
}

/* Names one low port of A; true when that was agreed to. */
static bool
name_low(struct ask *q, struct link *l, uint16_t port, struct dial *d)
{
	struct addr named = q->audit->place.here;
	char line[DIAL_LINE_MAX];

	named.port = port;
	return dial_name(d, l, dial_any(l, &named, line));
}

/* Is the address dialled, too?  For that a port of ours must be had. */
static void
confirm_low(struct ask *q, struct link *l, uint16_t port)
{
	struct dial d = { .at = { { .fd = -1 }, { .fd = -1 } } };

	if (!listener_open(&d.at[0], &q->audit->place.here, port)) {
		ask_answer(q, VERDICT_accepts, "own address, port %u: agreed "
		    "to; no transfer was asked for, as that port could not "
		    "be had", (unsigned)port);
		return;
	}
	if (name_low(q, l, port, &d))
		dial_transfer(&d, l, "LIST");
	if (d.end == DIAL_MADE)
		ask_answer(q, VERDICT_vulnerable, "own address, port %u: a "
		    "connection came", (unsigned)port);
	else
		ask_answer(q, VERDICT_accepts, "own address, port %u: agreed "
		    "to, and no connection came", (unsigned)port);
	dial_close(&d);
}

void
ask_low_port_own(struct ask *q)
{
	static const uint16_t ports[] = { 1, 19, 20, 21, 25, 1023 };
	struct link *l = link_login(q);
	struct dial d;

	if (l == NULL)
		return;
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		if (name_low(q, l, ports[i], &d)) {
			confirm_low(q, l, ports[i]);
			break;
		}
		if (d.end == DIAL_UNSENT)
			break;
	}
	if (d.end == DIAL_REFUSED)
		ask_answer(q, VERDICT_safe, "ports 1, 19, 20, 21, 25 and "
		    "1023: %s", d.named.text);
	ask_answer(q, VERDICT_inconclusive, "%s", d.named.text);
	link_close(l);
}

/* ---- T4, T5 */

void
ask_eprt_v4(struct ask *q)
{
	dial_once(q, &q->audit->place.other4, dial_eprt,
	    "EPRT |1| of a third party", "LIST");
}

void
ask_eprt_v6(struct ask *q)
{
	if (q->audit->place.other6.family == ADDR_NONE) {
		ask_answer(q, q->audit->place.here.family == ADDR_V6 ?
		    VERDICT_inconclusive : VERDICT_not_asked,
		    "this host has no other IPv6 address");
		return;
	}
	dial_once(q, &q->audit->place.other6, dial_eprt,
	    "EPRT |2| of a third party", "LIST");
}

static struct sv
spell_mapped(const struct addr *a, char *buf)
{
	char ip[ADDR_TEXT_MAX];

	return dial_line(buf, "EPRT |2|::ffff:%s|%u|\r\n",
	    addr_format_ip(a, ip), (unsigned)a->port);
}

void
ask_eprt_mapped(struct ask *q)
{
	dial_once(q, &q->audit->place.other4, spell_mapped,
	    "EPRT |2|::ffff: of a third party", "LIST");
}

void
ask_eprt_mapped_own(struct ask *q)
{
	const struct addr *here = &q->audit->place.here;
	char line[DIAL_LINE_MAX];
	struct link *l;
	struct dial d;

	if (here->family != ADDR_V4) {
		ask_answer(q, VERDICT_not_asked, "only over IPv4");
		return;
	}
	if ((l = link_login(q)) == NULL)
		return;
	if (dial_open(&d, q, here)) {
		dial_try(&d, l, spell_mapped(&d.at[0].at, line), "LIST");
		if (d.end == DIAL_MADE)
			ask_answer(q, VERDICT_safe, "own address as ::ffff: "
			    "over IPv4: %d, and it is the client's all the "
			    "same", d.named.code);
		dial_answer(&d, q, "own address as ::ffff: over IPv4");
		dial_close(&d);
	}
	link_close(l);
}

static struct sv
spell_delimiter(const struct addr *a, char *buf)
{
	char ip[ADDR_TEXT_MAX];

	return dial_line(buf, "EPRT !%d!%s!%u!\r\n",
	    a->family == ADDR_V6 ? 2 : 1, addr_format_ip(a, ip),
	    (unsigned)a->port);
}

void
ask_eprt_delimiter(struct ask *q)
{
	dial_once(q, &q->audit->place.other, spell_delimiter,
	    "EPRT with ! of a third party", "LIST");
}

void
ask_epsv_protocol(struct ask *q)
{
	struct link *l = link_login(q);
	struct reply r;

	if (l == NULL)
		return;
	if (link_command(l, &r, "EPSV 3") == 0)
		ask_answer(q, VERDICT_inconclusive, "EPSV 3: %s", r.text);
	else
		ask_answer(q, r.code == 229 ? VERDICT_vulnerable :
		    VERDICT_safe, "EPSV 3: %s", r.text);
	link_close(l);
}

static struct sv
spell_lprt(const struct addr *a, char *buf)
{
	char text[HOSTPORT_TEXT_MAX];

	lprt_format(a, text);
	return dial_line(buf, "LPRT %s\r\n", text);
}

void
ask_lprt(struct ask *q)
{
	dial_once(q, &q->audit->place.other, spell_lprt,
	    "LPRT of a third party", "LIST");
}
