/*
 * audit/note.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/note.h"

#include "audit/lines.h"

#define SENT_SHOWN 512		/* bytes of a command */
#define SHOWN_MAX 4096		/* of a text, printable, NUL included */
#define NOTES_MAX 256		/* of one question: 64 commands need no more */

static void
note(const struct link *l, const char *way, struct sv text)
{
	char safe[SHOWN_MAX];
	struct ask *q = l->ask;

	if (json_array_size(q->exchange) > NOTES_MAX)
		return;
	if (json_array_size(q->exchange) == NOTES_MAX) {
		ask_event(q, "what was said after this is not written down");
		return;
	}
	ask_printable(text, safe, sizeof(safe));
	json_array_append_new(q->exchange, json_pack("{s:i, s:I, s:s}",
	    "connection", (int)l->number, "at_ms",
	    (json_int_t)(sock_now_ms() - q->audit->started_ms), way, safe));
}

void
note_received(const struct link *l, struct sv text)
{
	note(l, "receive", text);
}

/* Passwords are nobody's business, their length included. */
static void
note_line(const struct link *l, struct sv raw)
{
	struct sv verb = raw;

	verb.len = raw.len < 5 ? raw.len : 5;
	if (l->ask->audit->target->user[0] != '\0' &&
	    sv_eq_nocase(verb, SV("PASS "))) {
		note(l, "send", SV("PASS ****"));
		return;
	}
	while (raw.len > 0 && (raw.ptr[raw.len - 1] == '\n' ||
	    raw.ptr[raw.len - 1] == '\r'))
		raw.len--;
	if (raw.len > SENT_SHOWN)
		raw.len = SENT_SHOWN;
	note(l, "send", raw);
}

void
note_kind(const struct link *l, enum bounce_kind kind, struct sv line,
    const struct addr *asked, uint16_t port)
{
	char ip[ADDR_TEXT_MAX] = "", text[SENT_SHOWN];
	const struct addr plain = addr_unmap(*asked);

	ask_printable(line, text, sizeof(text));
	if (plain.family != ADDR_NONE)
		addr_format_ip(&plain, ip);
	json_array_append_new(l->ask->asked, json_pack(
	    "{s:s, s:s, s:s, s:i, s:b}", "kind", bounce_kind_name(kind),
	    "command", text, "ip", ip, "port", (int)port, "tls",
	    l->tls != NULL));
}

/* Of one command one kind is told, as the sensor does. */
static void
note_named(void *arg, struct sv line, const struct named *named)
{
	const struct link *l = arg;
	enum bounce_kind kind = named->kind;

	if (!l->logged_in)
		kind = KIND_preauth;
	else if (l->epsv_all)
		kind = KIND_epsv_all;
	if (kind != KIND_none)
		note_kind(l, kind, line, &named->asked, named->asked.port);
}

void
note_sent(struct link *l, struct sv raw)
{
	note_line(l, raw);
	lines_named(l, raw, note_named, l);
}
