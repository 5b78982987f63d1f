/*
 * audit/ask_login.c: what the control connection gives away: passwords, names,
 * addresses; and how its lines are cut.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "audit/dial.h"

#define MADE_UP_MAX 24
#define LONG_LINE 20000
#define TELNET_PAIRS 64
#define SPLIT_MS 300		/* between a long line and its end */
#define FIRST_MS 2000		/* for its first reply, and for more */
#define NEXT_MS 700
#define REPLIES_MOST 8

/* A user that no server has. */
static void
make_up(char name[MADE_UP_MAX])
{
	snprintf(name, MADE_UP_MAX, "audit%u", ask_made_up());
}

void
ask_clear_password(struct ask *q)
{
	char name[MADE_UP_MAX];
	struct reply r;
	struct link *l;

	if (q->audit->target->tls) {
		ask_answer(q, VERDICT_safe, "there is TLS from the first "
		    "byte on");
		return;
	}
	if ((l = link_open(q, NULL)) == NULL)
		return;
	make_up(name);
	if (link_command(l, &r, "USER %s", name) == 331)
		ask_answer(q, VERDICT_vulnerable, "USER %s, without TLS: %s",
		    name, r.text);
	else if (r.code == 230)
		ask_answer(q, VERDICT_safe, "USER %s: no password is asked "
		    "for: %s", name, r.text);
	ask_answer(q, r.code == 0 ? VERDICT_inconclusive : VERDICT_safe,
	    "USER %s, without TLS: %s", name, r.text);
	link_close(l);
}

/* The reply with the name taken out, wherever it stands. */
static void
without(const char *text, const char *name, char out[REPLY_TEXT_MAX])
{
	size_t n = 0, skip = strlen(name);

	while (*text != '\0' && n < REPLY_TEXT_MAX - 1) {
		if (strncmp(text, name, skip) == 0) {
			text += skip;
			out[n++] = '*';
		} else {
			out[n++] = *text++;
		}
	}
	out[n] = '\0';
}

/* What USER is answered, on a connection of its own. */
static bool
try_user(struct ask *q, const char *name, struct reply *r)
{
	struct link *l = link_open(q, NULL);

	if (l == NULL)
		return false;
	if (link_command(l, r, "USER %s", name) == 0)
		ask_answer(q, VERDICT_inconclusive, "USER %s: %s", name,
		    r->text);
	link_close(l);
	return !q->answered;
}

/* root is on every Unix, the user who was named on this server. */
void
ask_user_enumeration(struct ask *q)
{
	const char *known = q->audit->target->user[0] != '\0' ?
	    q->audit->target->user : "root";
	char name[MADE_UP_MAX], a[REPLY_TEXT_MAX], b[REPLY_TEXT_MAX];
	struct reply first, second;

	make_up(name);
	if (!try_user(q, name, &first) || !try_user(q, known, &second))
		return;
	without(first.text, name, a);
	without(second.text, known, b);
	ask_answer(q, strcmp(a, b) != 0 ? VERDICT_vulnerable : VERDICT_safe,
	    "USER %s: %.120s; USER %s: %.120s", name, first.text, known,
	    second.text);
}

/* Four numbers with dots between that are not B's, as it was named. */
static bool
find_address(const struct audit *a, const char *text, struct addr *out)
{
	for (const char *p = text; *p != '\0'; p++) {
		size_t n = strspn(p, "0123456789.");

		if (n == 0)
			continue;
		if ((addr_parse_ip((struct sv) { p, n }, out) ||
		    addr_parse_ip((struct sv) { p, n - 1 }, out)) &&
		    !addr_same_ip(out, &a->place.other))
			return true;
		p += n - 1;
	}
	return false;
}

void
ask_address_leak(struct ask *q)
{
	char line[DIAL_LINE_MAX], ip[ADDR_TEXT_MAX];
	struct addr told;
	struct dial d;
	struct link *l = dial_begin(&d, q, &q->audit->place.other);

	if (l == NULL)
		return;
	if (dial_name(&d, l, dial_any(l, &d.at[0].at, line)))
		ask_answer(q, VERDICT_safe, "there was no refusal");
	else if (find_address(q->audit, d.named.text, &told))
		ask_answer(q, VERDICT_accepts, "the refusal tells %s: %s",
		    addr_format_ip(&told, ip), d.named.text);
	ask_answer(q, d.named.code == 0 ? VERDICT_inconclusive :
	    VERDICT_safe, "%s", d.named.text);
	dial_end(&d, l);
}

/* ---- lines */

struct replies {
	unsigned n;
	unsigned systs;		/* 215: SYST was run */
	struct reply last;
};

/* What is replied until the server is silent for a while. */
static void
take_replies(struct link *l, struct replies *all)
{
	while (all->n < REPLIES_MOST && !l->over) {
		unsigned ms = all->n == 0 ? FIRST_MS : NEXT_MS;

		if (!link_has_news(l) &&
		    !sock_readable(l->fd, sock_now_ms() + ms))
			return;
		if (link_read(l, &all->last, link_patience(l)) == 0)
			return;
		all->n++;
		all->systs += all->last.code == 215;
	}
}

/*
 * One line is one command, however long, and however it comes (B02): its end
 * comes a moment later, as a command would, and is none.
 */
void
ask_long_line(struct ask *q)
{
	static char line[LONG_LINE];
	struct link *l = link_login(q);
	struct replies all = { 0 };

	if (l == NULL)
		return;
	memcpy(line, "NOOP ", 5);
	for (size_t i = 5; i < sizeof(line); i++)
		line[i] = "SYST "[i % 5];
	if (link_send(l, (struct sv) { line, sizeof(line) })) {
		sock_sleep_until(sock_now_ms() + SPLIT_MS);
		if (link_send(l, SV("SYST\r\n")))
			take_replies(l, &all);
	}
	if (all.systs > 0)
		ask_answer(q, VERDICT_vulnerable, "the last 4 bytes of a "
		    "line of %d were run as SYST: %s", LONG_LINE + 4,
		    all.last.text);
	else if (all.n > 2 && !l->over)
		ask_answer(q, VERDICT_vulnerable, "one line of %d bytes had "
		    "%u replies or more, the last: %.60s", LONG_LINE + 4, all.n,
		    all.last.text);
	else if (l->over)
		ask_answer(q, VERDICT_safe, "a line of %d bytes ends the "
		    "session", LONG_LINE + 4);
	ask_answer(q, VERDICT_safe, "one line of %d bytes: %s",
	    LONG_LINE + 4, all.n > 0 ? all.last.text : "no reply");
	link_close(l);
}

/* Telnet bytes within a line are taken out, and change nothing (B04). */
void
ask_iac_memory(struct ask *q)
{
	char line[3 * TELNET_PAIRS + 16] = "NO";
	struct link *l = link_login(q);
	struct reply first = { 0 }, second = { 0 };
	size_t n = 2;

	if (l == NULL)
		return;
	for (int i = 0; i < TELNET_PAIRS; i++) {
		memcpy(line + n, "\xff\xf1", 2);	/* IAC NOP */
		n += 2;
	}
	memcpy(line + n, "OP\r\n", 4);
	if (!link_send(l, (struct sv) { line, n + 4 }))
		ask_answer(q, VERDICT_inconclusive, "it could not be sent");
	else if (link_read_odd(l, &first) == 0 && first.ignored)
		ask_answer(q, VERDICT_safe, "%d times IAC NOP in a line: %s",
		    TELNET_PAIRS, first.text);
	else if (first.code == 0 || link_command(l, &second, "SYST") == 0)
		ask_answer(q, l->told_421 ? VERDICT_safe : VERDICT_vulnerable,
		    "after %d times IAC NOP in a line, SYST: %s",
		    TELNET_PAIRS, first.code == 0 ? first.text :
		    second.text);
	else if (link_has_news(l))
		ask_answer(q, VERDICT_vulnerable, "after %d times IAC NOP in "
		    "a line, there is a reply too many", TELNET_PAIRS);
	ask_answer(q, VERDICT_safe, "%d times IAC NOP in a line: %s; then "
	    "SYST: %s", TELNET_PAIRS, first.text, second.text);
	link_close(l);
}
