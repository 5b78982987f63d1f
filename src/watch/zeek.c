/*
 * watch/zeek.c: see the header.
 *
 * The form is Zeek's own for text logs: tabs between fields, "-" for unset,
 * bytes that are not printable as \xNN.  Passwords are never known here.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "watch/zeek.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UID_LETTERS 17
#define USER_MOST 64
#define ARGUMENT_MOST 256
#define WAITING_MOST 4		/* commands of one connection, unanswered */
#define CONNECTIONS_MOST 4096	/* with users and commands that are kept */

struct command {
	enum ftp_verb verb;
	int64_t asked_ns;
	size_t len;
	char argument[ARGUMENT_MOST];
};

/* What is kept of a control connection. */
struct connection {
	struct table_link link;
	uint64_t first_packet;
	size_t user_len;
	char user[USER_MOST];
	unsigned first, count;
	struct command waiting[WAITING_MOST];
};

struct zeek {
	FILE *out;
	struct table connections;
};

static const char fields[] =
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tuser\t"
	"password\tcommand\targ\tmime_type\tfile_size\treply_code\treply_msg\t"
	"data_channel.passive\tdata_channel.orig_h\tdata_channel.resp_h\t"
	"data_channel.resp_p\tfuid\n"
	"#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tstring\t"
	"string\tstring\tcount\tcount\tstring\tbool\taddr\taddr\tport\t"
	"string\n";

static bool
is_logged(enum ftp_verb verb)
{
	switch ((int)verb) {
	case V_APPE:
	case V_DELE:
	case V_RETR:
	case V_STOR:
	case V_STOU:
	case V_ACCT:
	case V_PORT:
	case V_PASV:
	case V_EPRT:
	case V_EPSV:
		return true;
	default:
		return false;
	}
}

static void
put_date(FILE *out, const char *what, int64_t ns)
{
	time_t seconds = (time_t)(ns / WATCH_S);
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d-%H-%M-%S", &tm);
	fprintf(out, "#%s\t%s\n", what, text);
}

struct zeek *
zeek_new(FILE *out)
{
	struct zeek *z = calloc(1, sizeof(*z));
	struct timespec now;

	if (z == NULL || !table_init(&z->connections,
	    sizeof(struct connection), CONNECTIONS_MOST)) {
		free(z);
		return NULL;
	}
	z->out = out;
	clock_gettime(CLOCK_REALTIME, &now);
	fputs("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n"
	    "#unset_field\t-\n#path\tftp\n", out);
	put_date(out, "open", now.tv_sec * WATCH_S);
	fputs(fields, out);
	return z;
}

bool
zeek_close(struct zeek *z, int64_t now_ns)
{
	bool good;

	put_date(z->out, "close", now_ns);
	good = !ferror(z->out);
	good = fclose(z->out) == 0 && good;
	table_free(&z->connections);
	free(z);
	return good;
}

static struct connection *
connection_of(struct zeek *z, const struct control *c)
{
	uint64_t first = c->flow->first_packet;
	struct connection *k = table_first(&z->connections, first);

	while (k != NULL && k->first_packet != first)
		k = table_next(&z->connections, k);
	if (k != NULL)
		table_touch(&z->connections, k);
	else if ((k = table_add(&z->connections, first)) != NULL)
		k->first_packet = first;
	return k;
}

static size_t
keep(char *out, size_t most, struct sv text)
{
	size_t n = text.len < most ? text.len : most;

	if (n > 0)
		memcpy(out, text.ptr, n);
	return n;
}

void
zeek_line(struct zeek *z, const struct watch *w, const struct control *c,
    enum ftp_verb verb, struct sv argument)
{
	struct connection *k;
	struct command *new;

	if ((verb != V_USER && !is_logged(verb)) ||
	    (k = connection_of(z, c)) == NULL)
		return;
	if (verb == V_USER) {
		k->user_len = keep(k->user, USER_MOST, argument);
		return;
	}
	if (k->count == WAITING_MOST) { /* the oldest is never answered */
		k->first = (k->first + 1) % WAITING_MOST;
		k->count--;
	}
	new = &k->waiting[(k->first + k->count++) % WAITING_MOST];
	new->verb = verb;
	new->asked_ns = w->now_ns;
	/* An account's name or password is nobody's business. */
	new->len = verb == V_ACCT ? keep(new->argument, ARGUMENT_MOST,
	    SV("<hidden>")) : keep(new->argument, ARGUMENT_MOST, argument);
}

/* A tab, and a text; an empty one and "-" itself are told apart. */
static void
put_text(FILE *out, struct sv text)
{
	putc('\t', out);
	if (text.len == 0) {
		fputs("(empty)", out);
		return;
	}
	if (text.len == 1 && text.ptr[0] == '-') {
		fputs("\\x2d", out);
		return;
	}
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c >= 0x7f || c == '\\')
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
}

static void
put_ip(FILE *out, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "\t%s", addr_format_ip(a, text));
}

/* "C" and 17 letters, the same for every command of a connection. */
static void
put_uid(FILE *out, const struct flow *f)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz";
	struct { struct addr end[2]; uint64_t first; } who;
	uint64_t hash[2];
	char uid[UID_LETTERS + 1];

	memset(&who, 0, sizeof(who));
	memcpy(who.end, f->end, sizeof(who.end));
	who.first = f->first_packet;
	hash[0] = table_hash(1, &who, sizeof(who));
	hash[1] = table_hash(2, &who, sizeof(who));
	for (int i = 0; i < UID_LETTERS; i++) {
		uid[i] = letters[hash[i & 1] % 62];
		hash[i & 1] /= 62;
	}
	uid[UID_LETTERS] = '\0';
	fprintf(out, "\tC%s", uid);
}

/* A command, and the last line of what was said to it. */
struct answered {
	const struct flow *flow;
	enum ftp_verb verb;
	struct sv argument;
	int code;
	struct sv text;
};

/* Where the data connection is to go, and from whom. */
static bool
data_channel(const struct answered *a, struct addr *to, bool *passive)
{
	const struct addr *server = &a->flow->end[SERVER];
	enum ftp_err err = FTP_SYNTAX;

	*passive = a->verb == V_PASV || a->verb == V_EPSV;
	if (a->verb == V_PORT)
		err = hostport_parse(a->argument, to);
	else if (a->verb == V_EPRT)
		err = eprt_parse(a->argument, to);
	else if (a->code == 227)
		err = pasv_reply_parse(a->text, to);
	else if (a->code == 229)
		err = epsv_reply_parse(a->text, to);
	if (err == FTP_OK && to->family == ADDR_NONE) {
		uint16_t port = to->port;

		*to = *server;
		to->port = port;
	}
	return err == FTP_OK;
}

static void
put_channel(FILE *out, const struct answered *a)
{
	struct addr to = { 0 };
	bool passive;

	if (!data_channel(a, &to, &passive)) {
		fputs("\t-\t-\t-\t-", out);
		return;
	}
	fprintf(out, "\t%c", passive ? 'T' : 'F');
	put_ip(out, &a->flow->end[passive ? CLIENT : SERVER]);
	put_ip(out, &to);
	fprintf(out, "\t%u", (unsigned)to.port);
}

static void
put_ends(FILE *out, const struct addr end[2])
{
	put_ip(out, &end[CLIENT]);
	fprintf(out, "\t%u", (unsigned)end[CLIENT].port);
	put_ip(out, &end[SERVER]);
	fprintf(out, "\t%u", (unsigned)end[SERVER].port);
}

static void
put_command(FILE *out, const struct connection *k, const struct command *of,
    const struct answered *a)
{
	fprintf(out, "%" PRId64 ".%06" PRId64, of->asked_ns / WATCH_S,
	    of->asked_ns % WATCH_S / 1000);
	put_uid(out, a->flow);
	put_ends(out, a->flow->end);
	put_text(out, k->user_len > 0 ? (struct sv) { k->user, k->user_len } :
	    SV("<unknown>"));
	fprintf(out, "\t<hidden>\t%s", ftp_commands[a->verb].name);
	if (a->argument.len > 0)
		put_text(out, a->argument);
	else
		fputs("\t-", out);
	fprintf(out, "\t-\t-\t%d", a->code);
	put_text(out, a->text);
	put_channel(out, a);
	fputs("\t-\n", out);
}

void
zeek_answered(struct zeek *z, const struct watch *w, const struct control *c,
    enum ftp_verb verb, int code, struct sv text)
{
	struct connection *k;

	(void)w;
	if (!is_logged(verb) || (k = connection_of(z, c)) == NULL)
		return;
	while (k->count > 0) {
		struct command *of = &k->waiting[k->first];
		struct answered a = { c->flow, verb,
			{ of->argument, of->len }, code, text };

		k->first = (k->first + 1) % WAITING_MOST;
		k->count--;
		if (of->verb != verb)
			continue; /* one that was not answered */
		put_command(z->out, k, of, &a);
		return;
	}
}
