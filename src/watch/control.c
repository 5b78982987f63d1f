/*
 * watch/control.c: the commands and replies of a control connection.
 *
 * Replies come in the order of the commands: each command that will be
 * answered waits in a short queue.  What the answer changes (a login, an
 * address that is agreed to, a transfer) happens when it is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "proto/reply.h"
#include "watch/hello.h"
#include "watch/watch.h"

#define FTP_PORT 21
#define FTPS_PORT 990
#define LOCKSTEP 3	/* PORT and LIST by turns, so often: a scanner */

/* What anonymous users of known scanners call themselves. */
static const struct {
	const char *password, *label;
} scanners[] = {
	{ "-wwwuser@", "nmap -b" },
	{ "IEUser@", "nmap ftp-bounce" },
	{ "mozilla@example.com", "metasploit" },
};

struct control *
control_new(struct watch *w, struct flow *f)
{
	struct control *c = blocks_get(&w->controls);
	uint16_t port = f->end[SERVER].port;

	if (c == NULL)
		return NULL;
	*c = (struct control) { .flow = f };
	c->from_start = f->syn;
	c->logged_in = !f->syn;
	c->server_is_ftp = port == FTP_PORT || port == FTPS_PORT;
	telnet_init(&c->half[CLIENT].telnet, NULL, LINE_MOST);
	telnet_init(&c->half[SERVER].telnet, NULL, LINE_MOST);
	c->pair = peers_pair(w, &f->end[CLIENT], &f->end[SERVER], true);
	if (c->pair != NULL)
		c->pair->open++;
	else
		w->counters.not_followed++;
	c->server = peers_server(w, &f->end[SERVER]);
	if (c->server != NULL) {
		c->server->sessions++;
		c->server->last_client = f->end[CLIENT];
	} else {
		w->counters.not_followed++;
	}
	w->counters.control++;
	if (!f->syn)
		w->counters.control_midstream++;
	return c;
}

/* Counted once, also when it is clear again in between (CCC). */
void
control_encrypts(struct watch *w, struct control *c)
{
	if (!c->was_tls)
		w->counters.control_encrypted++;
	c->was_tls = true;
	records_begin(c);
}

void
control_agrees_to_tls(struct watch *w, struct control *c)
{
	control_encrypts(w, c);
	/* Lines of the hello wait for no reply. */
	if (c->talk != NULL)
		c->talk->pending_count = 0;
	talk_rest(w, c);
}

static void
tell_waiting(struct watch *w, struct control *c)
{
	const struct talk *t = c->talk;

	for (unsigned i = 0; t != NULL && i < t->pending_count; i++) {
		const struct pending *p = &t->pending[(t->pending_first + i) %
		    PENDING_MOST];
		struct finding *f = finding_get(w, p->finding, p->serial);

		if (f != NULL)
			finding_tell(w, f);
	}
}

void
control_end(struct watch *w, struct control *c)
{
	struct flow *f = c->flow;

	if (f->bytes[CLIENT] == 0 || f->bytes[SERVER] == 0)
		w->counters.control_one_sided++;
	tell_waiting(w, c);
	if (w->report.ended != NULL)
		w->report.ended(w->report.line_arg, c);
	if (c->active != NULL)
		expect_drop(w, c->active);
	if (c->stale != NULL)
		expect_drop(w, c->stale);
	if (c->passive != NULL)
		expect_drop(w, c->passive);
	if (c->pair != NULL)
		peers_release_pair(w, c->pair);
	stream_free(w, c);
	talk_end(w, c);
	blocks_put(&w->controls, c);
	f->control = NULL;
}

/* ---- what waits for its reply */

/* Its reply will not be known for its own: what is known is told now. */
static void
await_nothing(struct watch *w, struct control *c, const struct pending *p)
{
	struct finding *f = finding_get(w, p->finding, p->serial);

	if (c->pending_lost < UINT16_MAX)
		c->pending_lost++; /* and all behind it, or they would shift */
	w->counters.pending_cut++;
	if (f != NULL)
		finding_tell(w, f);
}

static void
await(struct watch *w, struct control *c, const struct pending *p)
{
	struct talk *t = NULL;

	if (c->pending_lost == 0)
		t = talk_begin(w, c);
	if (t == NULL || t->pending_count == PENDING_MOST) {
		await_nothing(w, c, p);
		return;
	}
	t->pending[(t->pending_first + t->pending_count++) % PENDING_MOST] =
	    *p;
}

/* The command that this reply belongs to; AWAIT_OTHER when none waits. */
static struct pending
answered(struct control *c)
{
	struct pending p = { .await = AWAIT_OTHER, .verb = V_UNKNOWN };
	struct talk *t = c->talk;

	if (t == NULL || t->pending_count == 0) {
		if (c->pending_lost > 0)
			c->pending_lost--;
		return p;
	}
	p = t->pending[t->pending_first];
	t->pending_first = (uint8_t)((t->pending_first + 1) % PENDING_MOST);
	t->pending_count--;
	return p;
}

struct pending *
control_latest(const struct control *c)
{
	struct talk *t = c->talk;

	return t == NULL || t->pending_count == 0 ? NULL :
	    &t->pending[(t->pending_first + t->pending_count - 1u) %
	    PENDING_MOST];
}

static struct pending *
front(const struct control *c)
{
	struct talk *t = c->talk;

	return t == NULL || t->pending_count == 0 ? NULL :
	    &t->pending[t->pending_first];
}

/* ---- commands */

static void
cross_protocol(struct watch *w, struct control *c, const char *detail,
    bool medium, struct sv line)
{
	struct finding *f = finding_of(w, KIND_cross_protocol,
	    &c->flow->end[CLIENT], &c->flow->end[SERVER],
	    &(struct addr) { 0 });

	if (f == NULL)
		return;
	f->detail = detail;
	if (medium)
		finding_cap(f, LEVEL_MEDIUM);
	finding_quote(f, line);
	finding_tell(w, f);
}

/* A mail server greets as an FTP server does; its client does not go on so. */
static bool
is_mail(struct sv line)
{
	struct sv word = { line.ptr, line.len < 4 ? line.len : 4 };

	return sv_eq_nocase(word, SV("EHLO")) ||
	    sv_eq_nocase(word, SV("HELO")) || sv_eq_nocase(word, SV("LHLO"));
}

/* False: this connection is nothing for us. */
static bool
first_line(struct watch *w, struct control *c, struct sv line)
{
	if (c->client_spoke)
		return true;
	c->client_spoke = true;
	if (is_mail(line) && !c->server_is_ftp) {
		w->counters.control_not_ftp++;
		c->flow->kind = FLOW_OTHER;
		return false;
	}
	if (command_is_foreign(line) && c->server_is_ftp && !c->tls_offered)
		cross_protocol(w, c, "the first line is another protocol's",
		    false, line);
	return true;
}

static void
label_by_password(struct control *c, struct sv password)
{
	for (size_t i = 0; i < sizeof(scanners) / sizeof(scanners[0]); i++)
		if (sv_eq(password, sv_of(scanners[i].password)))
			c->label = scanners[i].label;
}

static uint64_t
name_hash(const struct watch *w, const struct control *c, struct sv name)
{
	uint64_t server = watch_hash_ip(w, &c->flow->end[SERVER]);

	return table_hash(server, name.ptr, name.len);
}

static bool
is_transfer(enum ftp_verb verb)
{
	return verb == V_RETR || verb == V_LIST || verb == V_NLST ||
	    verb == V_MLSD || verb == V_STOR || verb == V_APPE ||
	    verb == V_STOU;
}

static void
transfer(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, struct pending *p)
{
	bool stores = verb == V_STOR || verb == V_APPE;

	p->await = stores ? AWAIT_STORE : AWAIT_TRANSFER;
	if (stores || verb == V_RETR)
		p->name = name_hash(w, c, arg);
	if (verb == V_LIST && !c->typed && c->named_last &&
	    ++c->lockstep >= LOCKSTEP && c->label == NULL)
		c->label = "nmap -b";
	address_transfer(w, c, verb, p);
	if (verb != V_RETR && !stores)
		c->rest = 0;
}

/* PASV, EPSV and their kin: forbidden before login and after EPSV ALL. */
static void
passive(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, struct pending *p)
{
	enum bounce_kind kind = KIND_none;
	enum epsv_wish wish = EPSV_ANY;
	struct finding *f;

	p->await = AWAIT_PASSIVE;
	if (verb == V_EPSV && epsv_parse(arg, &wish) == FTP_OK &&
	    wish == EPSV_ALL) {
		c->epsv_all = true;
		p->await = AWAIT_OTHER;
		return;
	}
	address_void(w, c);
	if (!c->logged_in)
		kind = KIND_preauth;
	else if (c->epsv_all && verb != V_EPSV)
		kind = KIND_epsv_all;
	else if (verb == V_CPSV || verb == V_SPSV)
		kind = KIND_fxp;
	if (kind == KIND_none)
		return;
	f = finding_attempt(w, c, kind, &(struct addr) { 0 },
	    sv_of(ftp_commands[verb].name));
	if (f == NULL)
		return;
	p->finding = f->link.self;
	p->serial = f->serial;
}

static void
secure_fxp(struct watch *w, struct control *c, struct pending *p)
{
	struct finding *f = finding_attempt(w, c, KIND_fxp,
	    &(struct addr) { 0 }, SV("SSCN"));

	if (f == NULL)
		return;
	p->await = AWAIT_ADDRESS;
	p->finding = f->link.self;
	p->serial = f->serial;
}

/* What a command that is no data address and no transfer does. */
static void
other_command(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, struct pending *p)
{
	uint64_t offset = 0;

	switch ((int)verb) {
	case V_USER:
		p->await = AWAIT_LOGIN;
		address_void(w, c);
		break;
	case V_PASS:
		p->await = AWAIT_LOGIN;
		c->password_sent = true;
		label_by_password(c, arg);
		if (!c->flow->syn_ack) /* replies are not seen */
			c->logged_in = true;
		break;
	case V_ACCT:
		p->await = AWAIT_LOGIN;
		break;
	case V_REIN:
		p->await = AWAIT_REIN;
		address_void(w, c);
		break;
	case V_AUTH:
		p->await = AWAIT_AUTH;
		break;
	case V_REST:
		if (value_parse_offset(arg, &offset) == FTP_OK)
			c->rest = offset;
		break;
	case V_TYPE:
	case V_SYST:
		c->typed = true;
		break;
	case V_SSCN:
		secure_fxp(w, c, p);
		break;
	default:
		break;
	}
}

static bool
asks_for_port(enum ftp_verb verb)
{
	return verb == V_PASV || verb == V_EPSV || verb == V_LPSV ||
	    verb == V_CPSV || verb == V_SPSV;
}

/* A path or name before it in the same packet: a URL that was decoded. */
static void
note_joined(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg)
{
	uint64_t packet = w->segment != NULL ? w->segment->number : 0;

	c->joined = packet == c->last_packet && packet != 0 &&
	    c->last_takes_text;
	c->last_packet = packet;
	c->last_takes_text = arg.len > 0 && verb != V_UNKNOWN &&
	    (ftp_commands[verb].arg == ARG_TEXT ||
	    ftp_commands[verb].arg == ARG_MAYBE) && verb != V_PASS;
}

static void
carry_out(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg, bool strict)
{
	struct pending p = { .verb = (uint8_t)verb, .asked_ns = w->now_ns };

	if (named_is_asked(verb)) {
		p.await = AWAIT_ADDRESS;
		address_named(w, c, verb, arg, strict, &p);
	} else if (asks_for_port(verb)) {
		passive(w, c, verb, arg, &p);
	} else if (is_transfer(verb)) {
		transfer(w, c, verb, arg, &p);
	} else {
		other_command(w, c, verb, arg, &p);
	}
	c->named_last = named_is_asked(verb);
	address_doubted(w, c, &p);
	await(w, c, &p);
}

/* Only a second reading that names an address says anything. */
static void
second_command(struct watch *w, struct control *c, struct sv line)
{
	char room[LENIENT_LINE_MAX];
	enum ftp_verb verb;
	struct sv arg;
	bool strict = command_parse(line, &verb, &arg) == FTP_OK &&
	    named_is_asked(verb);

	if (strict || lenient_command(line, room, &verb, &arg))
		address_second(w, c, verb, arg, strict);
}

/* A piece of a TLS hello, unless the server says that it reads text. */
static bool
is_maybe_hello(const struct control *c, enum ftp_verb verb)
{
	return c->tls_offered && !c->greeted && verb == V_UNKNOWN;
}

static void
count_command(struct watch *w, struct control *c, enum ftp_verb verb,
    struct sv arg)
{
	w->counters.commands++;
	if (w->report.line != NULL)
		w->report.line(w->report.line_arg, w, c, verb, arg);
	if (c->server != NULL)
		c->server->commands++;
}

void
control_command(struct watch *w, struct control *c, struct sv line,
    bool ambiguous)
{
	char room[LENIENT_LINE_MAX];
	enum ftp_verb verb;
	struct sv arg;
	enum ftp_err err;
	bool strict = true;

	if (ambiguous) {
		second_command(w, c, line);
		return;
	}
	if (!first_line(w, c, line))
		return;
	err = command_parse(line, &verb, &arg);
	if ((verb == V_UNKNOWN || err != FTP_OK) &&
	    lenient_command(line, room, &verb, &arg))
		strict = false;
	note_joined(w, c, verb, arg);
	if (!is_maybe_hello(c, verb))
		count_command(w, c, verb, arg);
	carry_out(w, c, verb, arg, strict);
}

/* ---- replies */

static void
tls_begins(struct watch *w, struct control *c)
{
	control_encrypts(w, c);
	if (c->server != NULL)
		c->server->tls_ns = w->now_ns;
}

static void
login_answered(struct watch *w, struct control *c, int code)
{
	c->password_sent = false;
	if (code != 230 && code != 232 && code != 202)
		return;
	if (!c->logged_in) {
		w->counters.logins++;
		if (c->server != NULL)
			c->server->logins++;
	}
	c->logged_in = true;
}

static void
passive_answered(struct watch *w, struct control *c,
    const struct pending *p, int code, struct sv text)
{
	struct finding *f = finding_get(w, p->finding, p->serial);

	if (f != NULL)
		finding_answered(w, f, code);
	if (code == 227 || code == 228 || code == 229)
		address_told(w, c, code, text);
}

static void
final_reply(struct watch *w, struct control *c, int code, struct sv text)
{
	struct pending p = answered(c);

	if (w->report.answered != NULL && p.verb != V_UNKNOWN)
		w->report.answered(w->report.line_arg, w, c, (enum ftp_verb)p.verb,
		    code, text);
	switch ((enum await)p.await) {
	case AWAIT_LOGIN:
		login_answered(w, c, code);
		break;
	case AWAIT_REIN:
		if (code / 100 == 2)
			c->logged_in = false;
		break;
	case AWAIT_AUTH:
		if (code == 234 || code == 334)
			tls_begins(w, c);
		break;
	case AWAIT_ADDRESS:
		address_answered(w, c, &p, code);
		break;
	case AWAIT_PASSIVE:
		passive_answered(w, c, &p, code, text);
		break;
	case AWAIT_STORE:
		if (code / 100 == 2)
			peers_note_upload(w, p.name);
		address_transfer_answered(w, c, &p, code);
		break;
	case AWAIT_TRANSFER:
		address_transfer_answered(w, c, &p, code);
		break;
	case AWAIT_GREETING:
	case AWAIT_OTHER:
		if (p.verb == V_EPSV && code / 100 != 2)
			c->epsv_all = false;
		/* Midstream, the command may not have been seen. */
		if (p.verb == V_UNKNOWN && (code == 227 || code == 229) &&
		    !c->from_start)
			address_told(w, c, code, text);
		break;
	}
}

static bool
contains_ftp(struct sv text)
{
	for (; text.len >= 3; text = sv_drop(text, 1))
		if (sv_eq_nocase((struct sv) { text.ptr, 3 }, SV("FTP")))
			return true;
	return false;
}

static bool
is_last_line(struct control *c, struct sv line, struct reply_line *reply)
{
	if (c->reply_code != 0) {
		if (!reply_ends(line, c->reply_code))
			return false;
		c->reply_code = 0;
	}
	if (reply_parse(line, reply) != FTP_OK)
		return false;
	if (reply->continues)
		c->reply_code = (int16_t)reply->code;
	return !reply->continues;
}

void
control_reply(struct watch *w, struct control *c, struct sv line)
{
	struct pending *p = front(c);
	struct reply_line reply = { 0 };
	bool first = !c->greeted;

	c->greeted = true;
	if (first && contains_ftp(line))
		c->server_is_ftp = true;
	if (!is_last_line(c, line, &reply))
		return;
	w->counters.replies++;
	if (reply.code / 100 == 1 && reply.code != 120) {
		if (p != NULL && (p->await == AWAIT_TRANSFER ||
		    p->await == AWAIT_STORE))
			address_transfer_answered(w, c, p, reply.code);
		return;
	}
	/* The greeting answers nobody. */
	if (c->from_start && !c->greeting_done) {
		c->greeting_done = true;
		return;
	}
	final_reply(w, c, reply.code, reply.text);
	talk_rest(w, c);
}

void
control_tls(struct watch *w, struct control *c, struct sv record)
{
	if (c->hello_seen)
		return;
	c->hello_seen = true;
	if (hello_alpn(record) == HELLO_ALPN_OTHER)
		cross_protocol(w, c, "a TLS hello that asks for another "
		    "protocol (ALPN)", true, SV(""));
}
