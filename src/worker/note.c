/*
 * worker/note.c: commands as events, where events.commands wants them.
 *
 * A command is noted when it is run and told when its last reply is given, so
 * that an event has both.  While a transfer runs, a session carries out a
 * second one beside it (ABOR, STAT, NOOP): hence two notes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "worker/worker.h"

/* One byte more than an event shows, so that it marks what is cut. */
#define DATA_MAX (EVENT_TEXT_MAX + 1)

struct note {
	enum ftp_verb verb;
	size_t len;
	char data[];
};

static unsigned
class_of(enum ftp_verb verb)
{
	switch ((int)verb) {
	case V_USER:
	case V_PASS:
	case V_ACCT:
	case V_REIN:
	case V_QUIT:
	case V_AUTH:
	case V_HOST:
	case V_PBSZ:
	case V_PROT:
		return COMMANDS_LOGIN;
	case V_RETR:
	case V_REST:
	case V_RANG:
	case V_ABOR:
		return COMMANDS_TRANSFER;
	case V_LIST:
	case V_NLST:
	case V_MLSD:
		return COMMANDS_LIST;
	case V_ALLO:
	case V_APPE:
	case V_DELE:
	case V_MFMT:
	case V_MKD:
	case V_RMD:
	case V_RNFR:
	case V_RNTO:
	case V_STOR:
	case V_STOU:
	case V_XMKD:
	case V_XRMD:
		return COMMANDS_CHANGE;
	case V_PORT:
	case V_EPRT:
	case V_LPRT:
	case V_PASV:
	case V_EPSV:
	case V_LPSV:
	case V_CPSV:
	case V_SPSV:
		return COMMANDS_DATA;
	default:
		return COMMANDS_INFO;
	}
}

/*
 * What nobody is to read in a log.  A line that is no command may be a
 * password in the wrong place.
 */
static bool
is_secret(enum ftp_verb verb)
{
	return verb == V_PASS || verb == V_ACCT || verb == V_UNKNOWN;
}

void
note_asked(struct sess *s, enum ftp_verb verb, struct sv arg)
{
	struct note **place = s->wait == WAIT_NOTHING ? &s->noted :
	    &s->noted_aside;
	struct note *n;

	if ((s->w->conf.events_commands & class_of(verb)) == 0 ||
	    !event_wanted(&s->w->events))
		return;
	if (is_secret(verb))
		arg.len = 0;
	if (arg.len > DATA_MAX)
		arg.len = DATA_MAX;
	free(*place);
	*place = n = malloc(sizeof(*n) + arg.len);
	if (n == NULL)
		return;
	n->verb = verb;
	n->len = arg.len;
	if (arg.len > 0)
		memcpy(n->data, arg.ptr, arg.len);
}

/* EVE's fields for an endpoint: which port, and who connects. */
static void
put_endpoint(struct event *e, const struct sess *s, int code)
{
	if (s->endpoint == ENDPOINT_PASSIVE && (code == 227 || code == 229)) {
		event_number(e, "dynamic_port", s->data_port);
		event_text(e, "mode", SV("passive"));
	} else if (s->endpoint == ENDPOINT_ACTIVE && code == 200) {
		event_number(e, "dynamic_port", s->data_port);
		event_text(e, "mode", SV("active"));
	}
}

static void
tell(struct sess *s, struct note *n, int code, struct sv text)
{
	struct event e;

	event_begin(&e, "ftp", &s->who);
	event_open(&e, "ftp");
	event_text(&e, "action", SV("command"));
	event_text(&e, "command", n->verb == V_UNKNOWN ? SV("unknown") :
	    sv_of(ftp_commands[n->verb].name));
	if (n->len > 0)
		event_text(&e, "command_data",
		    (struct sv) { n->data, n->len });
	if (class_of(n->verb) == COMMANDS_DATA)
		put_endpoint(&e, s, code);
	if (code > 0) {
		event_code(&e, "completion_code", code);
		event_list(&e, "reply");
		event_item(&e, text);
		event_list_end(&e);
	}
	event_text(&e, "reply_received", code > 0 ? SV("yes") : SV("no"));
	event_close(&e);
	event_end(&e, &s->w->events);
	free(n);
}

void
note_answered(struct sess *s, int code, struct sv text)
{
	/* 426 is the transfer's, whoever has brought it about. */
	struct note **place = s->noted_aside != NULL && code != 426 ?
	    &s->noted_aside : &s->noted;
	struct note *n = *place;

	if (n == NULL || code < 200)
		return;
	*place = NULL;
	tell(s, n, code, text);
}

void
note_unanswered(struct sess *s)
{
	struct note *aside = s->noted_aside, *n = s->noted;

	s->noted = s->noted_aside = NULL;
	if (n != NULL)
		tell(s, n, 0, SV(""));
	if (aside != NULL)
		tell(s, aside, 0, SV(""));
}
