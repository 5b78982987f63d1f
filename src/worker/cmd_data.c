/*
 * worker/cmd_data.c: PORT, EPRT, PASV, EPSV: where the next data connection
 * comes from.
 *
 * A data address is compared with the client's own, to decide the reply, and
 * is then forgotten but for its port: what the gate connects to is its own
 * record.  Any of these commands, well or not, leaves no earlier endpoint.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <unistd.h>

#include "conf/conf_limit.h"
#include "policy/named.h"
#include "policy/passive.h"
#include "worker/worker.h"

#define UNUSED_MOST 100	/* endpoints in a row without a transfer */

/* A name that has not been resolved yet. */
#define NO_ADDRESS "Our address is not known now; EPSV needs none."

void
endpoint_void(struct sess *s)
{
	bool at_gate = s->endpoint == ENDPOINT_PASSIVE ||
	    s->endpoint == ENDPOINT_ASKED;

	link_close_data(s, &s->data_fd, s->data_number);
	s->data_port = 0;
	s->endpoint = ENDPOINT_NONE;
	if (at_gate)
		link_void(s);
}

void
endpoint_unclaimed(struct sess *s)
{
	link_close_data(s, &s->data_fd, s->data_number);
	s->endpoint = ENDPOINT_FAILED;
	s->failed = (struct ipc_port) { .reason = IPC_TIMEOUT };
}

static void
alert(struct sess *s, enum bounce_kind kind, const struct addr *asked,
    struct sv arg)
{
	s->w->counters.refused_addresses++;
	event_alert(&s->w->events, &s->who, kind, asked, "blocked", arg);
}

/* Who asks again and again for what is refused is shown out. */
void
endpoint_count_refusal(struct sess *s)
{
	if (++s->refusals >= s->w->conf.abuse_refusals)
		sess_end(s, "Too many refused data addresses.");
}

/* Endpoints that nobody uses cost ports, or probe something. */
static bool
count_unused(struct sess *s)
{
	if (++s->unused <= UNUSED_MOST)
		return true;
	alert(s, KIND_pasv_exhaustion, &(struct addr) { 0 }, SV(""));
	sess_end(s, "Too many data addresses without a transfer.");
	return false;
}

static bool
refused_after_epsv_all(struct sess *s, const struct addr *asked, struct sv arg)
{
	if (!s->epsv_all)
		return false;
	alert(s, KIND_epsv_all, asked, arg);
	reply(s, 504, "Only EPSV is allowed after EPSV ALL.");
	endpoint_count_refusal(s);
	return true;
}

static const char *
family_number(const struct sess *s)
{
	return addr_unmap(s->who.client).family == ADDR_V4 ? "(1)" : "(2)";
}

static void
refuse_family(struct sess *s)
{
	reply_format(s, 522, "Network protocol not supported, use %s.",
	    family_number(s));
}

static struct bounce_question
question_of(const struct sess *s)
{
	return (struct bounce_question) { .peer = s->who.client,
		.local = s->who.server, .deny = s->w->conf.active_deny.at,
		.deny_count = s->w->conf.active_deny.count };
}

/* What another server may have made of it is what somebody wanted. */
static void
alert_misspelt(struct sess *s, enum ftp_verb verb, struct sv arg)
{
	struct bounce_question who = question_of(s);
	struct named m = named_judge(verb, arg, false, &who);
	enum bounce_kind kind = m.kind;

	if (!s->logged_in)
		kind = KIND_preauth;
	else if (s->epsv_all)
		kind = KIND_epsv_all;
	alert(s, kind, &m.asked, arg);
}

void
endpoint_note_hidden(struct sess *s, struct sv line)
{
	char room[LENIENT_LINE_MAX];
	enum ftp_verb verb;
	struct sv arg;

	if (!lenient_command(line, room, &verb, &arg))
		return;
	endpoint_void(s);
	alert_misspelt(s, verb, arg);
	endpoint_count_refusal(s);
}

void
endpoint_note_preauth(struct sess *s, enum ftp_verb verb, struct sv arg)
{
	struct bounce_question who = question_of(s);
	struct named m = { 0 };

	if (named_is_asked(verb))
		m = named_judge(verb, arg, true, &who);
	else if (verb != V_PASV && verb != V_EPSV)
		return;
	alert(s, KIND_preauth, &m.asked, arg);
	endpoint_count_refusal(s);
}

static void
refuse_malformed(struct sess *s, enum ftp_verb verb, enum ftp_err err,
    struct sv arg)
{
	alert_misspelt(s, verb, arg);
	if (err == FTP_FAMILY)
		refuse_family(s);
	else
		reply_format(s, ftp_err_reply(err), "Data address: %s.",
		    ftp_err_text(err));
	endpoint_count_refusal(s);
}

static void
judge_address(struct sess *s, const struct addr *asked, struct sv arg)
{
	struct bounce_question q = question_of(s);
	enum bounce_kind kind;

	q.asked = *asked;
	kind = bounce_judge(&q);
	if (kind == KIND_none) {
		s->endpoint = ENDPOINT_ACTIVE;
		s->data_port = asked->port;
		reply(s, 200, "Data address accepted.");
		return;
	}
	alert(s, kind, asked, arg);
	if (bounce_reply(&q, kind) == 522)
		refuse_family(s);
	else
		reply(s, 504, "Data address not allowed.");
	endpoint_count_refusal(s);
}

static void
set_address(struct sess *s, enum ftp_verb verb, enum ftp_err err,
    const struct addr *asked, struct sv arg)
{
	endpoint_void(s);
	if (refused_after_epsv_all(s, asked, arg) || !count_unused(s))
		return;
	if (err != FTP_OK)
		refuse_malformed(s, verb, err, arg);
	else
		judge_address(s, asked, arg);
}

void
cmd_port(struct sess *s, struct sv arg)
{
	struct addr asked = { 0 };

	set_address(s, V_PORT, hostport_parse(arg, &asked), &asked, arg);
}

void
cmd_eprt(struct sess *s, struct sv arg)
{
	struct addr asked = { 0 };

	set_address(s, V_EPRT, eprt_parse(arg, &asked), &asked, arg);
}

/* Not offered, and a way to ask for the same. */
void
cmd_lprt(struct sess *s, struct sv arg)
{
	struct bounce_question who = question_of(s);
	struct named m = named_judge(V_LPRT, arg, true, &who);

	endpoint_void(s);
	if (s->epsv_all)
		m.kind = KIND_epsv_all;
	reply(s, 502, "LPRT is not offered; EPRT is.");
	if (m.kind == KIND_none)
		return;
	alert(s, m.kind, &m.asked, arg);
	endpoint_count_refusal(s);
}

/* What a 227 tells this client; false when nothing is known now. */
static bool
told_address(const struct sess *s, struct addr *out)
{
	const struct conf_passive *list = &s->w->conf.passive_address;
	const struct passive_entry *e = passive_choose(list->at, list->count,
	    &s->who.client);

	if (e == NULL || e->means == PASSIVE_LOCAL)
		*out = addr_unmap(s->who.server);
	else if (e->means == PASSIVE_FIXED)
		*out = e->at;
	else
		*out = board_address(board_look(&s->w->board), e->name);
	return out->family == ADDR_V4;
}

/* The gate said which limit is reached; who it is about, we know. */
static const char *
busy_text(const struct sess *s, const struct ipc_port *why,
    char buf[ENDPOINT_TEXT_MAX])
{
	int class = conf_class_of(&s->w->conf, &s->who.client);
	const char *whose = "";
	unsigned n = why->number;

	if (why->reason == IPC_BUSY_ADDRESS)
		whose = " to your address";
	else if (why->reason == IPC_BUSY_CLASS && class >= 0)
		whose = s->w->conf.classes.at[class].name;
	snprintf(buf, ENDPOINT_TEXT_MAX, "%u transfer%s%s%s %s running, which "
	    "is the limit; try again in a few minutes.", n, n == 1 ? "" : "s",
	    why->reason == IPC_BUSY_CLASS ? " to " : "", whose,
	    n == 1 ? "is" : "are");
	return buf;
}

const char *
endpoint_failed_text(const struct sess *s, const struct ipc_port *why,
    char buf[ENDPOINT_TEXT_MAX])
{
	switch ((enum ipc_reason)why->reason) {
	case IPC_OK:
		break;
	case IPC_FULL:
		return "No data connection: no port is free.";
	case IPC_REFUSED:
		return "No data connection: your host refused it.";
	case IPC_TIMEOUT:
		return "No data connection: nobody used it in time.";
	case IPC_UNREACHABLE:
		return "No data connection: host unreachable.";
	case IPC_FORBIDDEN:
		return "No data connection: not allowed.";
	case IPC_RATE:
		return "No data connection: too many failed; wait.";
	case IPC_BROKEN:
		return "No data connection: out of resources.";
	case IPC_BUSY:
	case IPC_BUSY_CLASS:
	case IPC_BUSY_ADDRESS:
		return busy_text(s, why, buf);
	}
	return "No data connection.";
}

static void
tell_port(struct sess *s, uint16_t port)
{
	char text[HOSTPORT_TEXT_MAX];
	struct addr at;

	s->endpoint = ENDPOINT_PASSIVE;
	s->data_port = port;
	if (s->epsv) {
		reply_format(s, 229, "Entering Extended Passive Mode (|||%u|)",
		    port);
		return;
	}
	if (!told_address(s, &at)) {
		endpoint_void(s);
		reply(s, 425, NO_ADDRESS);
		return;
	}
	at.port = port;
	hostport_format(&at, text);
	reply_format(s, 227, "Entering Passive Mode (%s)", text);
}

static void
ask_for_port(struct sess *s, bool epsv)
{
	uint16_t port;

	s->epsv = epsv;
	if (!count_unused(s))
		return;
	if (s->w->gate.fd < 0 || link_is_crowded(s->w)) {
		reply(s, 425, "No passive port now, try again later.");
		return;
	}
	if ((port = link_next_port(s)) != 0) {
		tell_port(s, port);
		return;
	}
	s->endpoint = ENDPOINT_ASKED;
	link_listen(s);
	sess_wait_for(s, WAIT_PORT);
}

void
endpoint_listening(struct sess *s, uint16_t port)
{
	if (s->endpoint != ENDPOINT_ASKED)
		return;
	sess_wait_for(s, WAIT_NOTHING);
	tell_port(s, port);
	control_continue(s);
}

void
endpoint_listen_failed(struct sess *s, enum ipc_reason reason)
{
	if (s->endpoint != ENDPOINT_ASKED)
		return;
	s->endpoint = ENDPOINT_NONE;
	sess_wait_for(s, WAIT_NOTHING);
	reply(s, 425, reason == IPC_FULL ?
	    "All passive ports are in use, try again later." :
	    "No passive port now, try again later.");
	control_continue(s);
}

void
cmd_pasv(struct sess *s, struct sv arg)
{
	struct addr at;

	endpoint_void(s);
	if (refused_after_epsv_all(s, &(struct addr) { 0 }, arg))
		return;
	if (addr_unmap(s->who.server).family != ADDR_V4) {
		reply(s, 425, "PASV has no room for IPv6, use EPSV.");
		return;
	}
	if (!told_address(s, &at)) {
		reply(s, 425, NO_ADDRESS);
		return;
	}
	ask_for_port(s, false);
}

void
cmd_epsv(struct sess *s, struct sv arg)
{
	bool is_v4 = addr_unmap(s->who.server).family == ADDR_V4;
	enum epsv_wish wish;
	enum ftp_err err = epsv_parse(arg, &wish);

	endpoint_void(s);
	if (err == FTP_FAMILY || (err == FTP_OK &&
	    ((wish == EPSV_V4 && !is_v4) || (wish == EPSV_V6 && is_v4)))) {
		refuse_family(s);
	} else if (err != FTP_OK) {
		reply(s, ftp_err_reply(err),
		    "EPSV takes 1, 2, ALL or nothing.");
	} else if (wish == EPSV_ALL) {
		s->epsv_all = true;
		reply(s, 200, "EPSV ALL: other commands are refused now.");
	} else {
		ask_for_port(s, true);
	}
}
