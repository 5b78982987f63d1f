/*
 * watch/zeek.c: see the header.
 *
 * The form is Zeek's own for text logs: tabs between fields, "-" for unset,
 * bytes that are not printable as \xNN.  Passwords are never known here.
 *
 * As with Zeek, a command without a reply is logged when its connection ends:
 * of a connection that is seen from one side, nothing else would be.  The
 * argument of a file's command is its URL, as far as the directory is known:
 * "/." stands for where the session began.
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
#define PATH_MOST 256		/* of a session's directory, and of a URL */
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
	struct addr end[2];
	uint64_t first_packet;
	size_t user_len;
	char user[USER_MOST];
	char directory[PATH_MOST];
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

/* What else must be known: it changes where the session is. */
static bool
is_kept(enum ftp_verb verb)
{
	return is_logged(verb) || verb == V_USER || verb == V_CWD ||
	    verb == V_CDUP;
}

static bool
has_file(enum ftp_verb verb)
{
	return verb == V_APPE || verb == V_DELE || verb == V_RETR ||
	    verb == V_STOR || verb == V_STOU;
}

/* ---- paths */

/* Above the root is the root; above where it began, nobody knows. */
static void
path_pop(char path[PATH_MOST])
{
	char *last = strrchr(path, '/');

	if (last == NULL)
		return;
	if (strcmp(path, "/.") == 0 || strcmp(last, "/..") == 0)
		strncat(path, "/..", PATH_MOST - 1 - strlen(path));
	else
		*last = '\0';
}

/* One component; what does not fit is left out, here and behind. */
static void
path_push(char path[PATH_MOST], struct sv name)
{
	size_t n = strlen(path);

	if (name.len == 0 || sv_eq(name, SV(".")))
		return;
	if (sv_eq(name, SV(".."))) {
		path_pop(path);
		return;
	}
	if (n + 1 + name.len >= PATH_MOST)
		return;
	path[n++] = '/';
	for (size_t i = 0; i < name.len; i++) /* a NUL would end it */
		path[n++] = name.ptr[i] != '\0' ? name.ptr[i] : '?';
	path[n] = '\0';
}

static void
path_resolve(char path[PATH_MOST], struct sv name)
{
	if (name.len > 0 && name.ptr[0] == '/')
		path[0] = '\0';
	while (name.len > 0) {
		size_t n = 0;

		while (n < name.len && name.ptr[n] != '/')
			n++;
		path_push(path, (struct sv) { name.ptr, n });
		name = sv_drop(name, n < name.len ? n + 1 : n);
	}
}

/* The path of a 257, which stands in double quotes. */
static void
path_told(char path[PATH_MOST], struct sv text)
{
	const char *from, *to;
	size_t left;

	if (text.len == 0 ||
	    (from = memchr(text.ptr, '"', text.len)) == NULL)
		return;
	left = text.len - (size_t)(++from - text.ptr);
	to = memchr(from, '"', left);
	if (to != NULL && to > from && *from == '/')
		path_resolve(path, (struct sv) { from, (size_t)(to - from) });
}

/* ---- lines */

/* A tab, and a text; an empty one, "-" and "(empty)" are told apart. */
static void
put_text(FILE *out, struct sv text)
{
	bool taken = sv_eq(text, SV("-")) || sv_eq(text, SV("(empty)"));

	putc('\t', out);
	if (text.len == 0)
		fputs("(empty)", out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c < ' ' || c >= 0x7f || c == '\\' || (taken && i == 0))
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
put_uid(FILE *out, const struct connection *k)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz";
	struct { struct addr end[2]; uint64_t first; } who;
	uint64_t hash[2];
	char uid[UID_LETTERS + 1];

	memset(&who, 0, sizeof(who));
	memcpy(who.end, k->end, sizeof(who.end));
	who.first = k->first_packet;
	hash[0] = table_hash(1, &who, sizeof(who));
	hash[1] = table_hash(2, &who, sizeof(who));
	for (int i = 0; i < UID_LETTERS; i++) {
		uid[i] = letters[hash[i & 1] % 62];
		hash[i & 1] /= 62;
	}
	uid[UID_LETTERS] = '\0';
	fprintf(out, "\tC%s", uid);
}

/* The last line of what was said to a command; code 0: nothing was. */
struct answer {
	int code;
	struct sv text;
};

/* Where the data connection is to go, and from whom. */
static bool
data_channel(const struct connection *k, const struct command *of,
    const struct answer *a, struct addr *to, bool *passive)
{
	struct sv argument = { of->argument, of->len };
	enum ftp_err err = FTP_SYNTAX;

	*passive = of->verb == V_PASV || of->verb == V_EPSV;
	if (of->verb == V_PORT)
		err = hostport_parse(argument, to);
	else if (of->verb == V_EPRT)
		err = eprt_parse(argument, to);
	else if (*passive && a->code == 227)
		err = pasv_reply_parse(a->text, to);
	else if (*passive && a->code == 229)
		err = epsv_reply_parse(a->text, to);
	if (err == FTP_OK && to->family == ADDR_NONE) {
		uint16_t port = to->port;

		*to = k->end[SERVER];
		to->port = port;
	}
	return err == FTP_OK;
}

static void
put_channel(FILE *out, const struct connection *k, const struct command *of,
    const struct answer *a)
{
	struct addr to = { 0 };
	bool passive;

	if (!data_channel(k, of, a, &to, &passive)) {
		fputs("\t-\t-\t-\t-", out);
		return;
	}
	fprintf(out, "\t%c", passive ? 'T' : 'F');
	put_ip(out, &k->end[passive ? CLIENT : SERVER]);
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
put_argument(FILE *out, const struct connection *k, const struct command *of)
{
	const struct addr *server = &k->end[SERVER];
	struct sv argument = { of->argument, of->len };
	char ip[ADDR_TEXT_MAX], path[PATH_MOST];
	char url[sizeof("ftp://[]/") + ADDR_TEXT_MAX + PATH_MOST];

	if (argument.len == 0) {
		fputs("\t-", out);
		return;
	}
	if (!has_file(of->verb)) {
		put_text(out, argument);
		return;
	}
	addr_format_ip(server, ip);
	memcpy(path, k->directory, sizeof(path));
	path_resolve(path, argument);
	snprintf(url, sizeof(url), strchr(ip, ':') != NULL ?
	    "ftp://[%s]%s" : "ftp://%s%s", ip, path[0] != '\0' ? path : "/");
	put_text(out, sv_of(url));
}

static void
put_command(FILE *out, const struct connection *k, const struct command *of,
    const struct answer *a)
{
	if (!is_logged(of->verb))
		return;
	fprintf(out, "%" PRId64 ".%06" PRId64, of->asked_ns / WATCH_S,
	    of->asked_ns % WATCH_S / 1000);
	put_uid(out, k);
	put_ends(out, k->end);
	put_text(out, k->user_len > 0 ? (struct sv) { k->user, k->user_len } :
	    SV("<unknown>"));
	fprintf(out, "\t<hidden>\t%s", ftp_commands[of->verb].name);
	put_argument(out, k, of);
	fputs("\t-\t-", out);
	if (a->code != 0) {
		fprintf(out, "\t%d", a->code);
		put_text(out, a->text);
	} else {
		fputs("\t-\t-", out);
	}
	put_channel(out, k, of, a);
	fputs("\t-\n", out);
}

/* The oldest that waits; the caller uses it before any other comes. */
static struct command *
take_waiting(struct connection *k)
{
	struct command *of = &k->waiting[k->first];

	k->first = (k->first + 1) % WAITING_MOST;
	k->count--;
	return of;
}

/* What waits will not be answered any more. */
static void
put_unanswered(FILE *out, struct connection *k)
{
	static const struct answer none = { 0, { NULL, 0 } };

	while (k->count > 0)
		put_command(out, k, take_waiting(k), &none);
}

/* ---- connections */

static void
connection_shed(void *arg, struct table_link *item)
{
	put_unanswered(((struct zeek *)arg)->out,
	    (struct connection *)(void *)item);
}

/* Of the writing, as with Zeek, and not of the packets. */
static void
put_date(FILE *out, const char *what)
{
	struct timespec now;
	char text[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d-%H-%M-%S", &tm);
	fprintf(out, "#%s\t%s\n", what, text);
}

struct zeek *
zeek_new(FILE *out)
{
	struct zeek *z = calloc(1, sizeof(*z));

	if (z == NULL || !table_init(&z->connections,
	    sizeof(struct connection), CONNECTIONS_MOST)) {
		free(z);
		return NULL;
	}
	z->connections.shed = connection_shed;
	z->connections.arg = z;
	z->out = out;
	fputs("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n"
	    "#unset_field\t-\n#path\tftp\n", out);
	put_date(out, "open");
	fputs(fields, out);
	return z;
}

bool
zeek_flush(struct zeek *z)
{
	return fflush(z->out) == 0;
}

bool
zeek_close(struct zeek *z)
{
	bool good;

	put_date(z->out, "close");
	good = !ferror(z->out);
	good = fclose(z->out) == 0 && good;
	table_free(&z->connections);
	free(z);
	return good;
}

static struct connection *
find(const struct zeek *z, const struct control *c)
{
	uint64_t first = c->flow->first_packet;
	struct connection *k = table_first(&z->connections, first);

	while (k != NULL && k->first_packet != first)
		k = table_next(&z->connections, k);
	return k;
}

static struct connection *
connection_of(struct zeek *z, const struct control *c)
{
	struct connection *k = find(z, c);

	if (k != NULL) {
		table_touch(&z->connections, k);
		return k;
	}
	k = table_add(&z->connections, c->flow->first_packet);
	if (k == NULL)
		return NULL;
	k->first_packet = c->flow->first_packet;
	memcpy(k->end, c->flow->end, sizeof(k->end));
	memcpy(k->directory, "/.", sizeof("/."));
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
	static const struct answer none = { 0, { NULL, 0 } };
	struct connection *k;
	struct command *new;

	if (!is_kept(verb) || (k = connection_of(z, c)) == NULL)
		return;
	if (verb == V_USER) {
		k->user_len = keep(k->user, USER_MOST, argument);
		return;
	}
	if (k->count == WAITING_MOST)
		put_command(z->out, k, take_waiting(k), &none);
	new = &k->waiting[(k->first + k->count++) % WAITING_MOST];
	new->verb = verb;
	new->asked_ns = w->now_ns;
	/* An account's name or password is nobody's business. */
	new->len = keep(new->argument, ARGUMENT_MOST,
	    verb == V_ACCT ? SV("<hidden>") : argument);
}

static void
change_directory(struct connection *k, const struct command *of, int code)
{
	if (code / 100 != 2)
		return;
	if (of->verb == V_CWD)
		path_resolve(k->directory,
		    (struct sv) { of->argument, of->len });
	else if (of->verb == V_CDUP)
		path_resolve(k->directory, SV(".."));
}

static bool
is_waiting(const struct connection *k, enum ftp_verb verb)
{
	for (unsigned i = 0; i < k->count; i++)
		if (k->waiting[(k->first + i) % WAITING_MOST].verb == verb)
			return true;
	return false;
}

void
zeek_answered(struct zeek *z, const struct watch *w, const struct control *c,
    enum ftp_verb verb, int code, struct sv text)
{
	static const struct answer none = { 0, { NULL, 0 } };
	struct answer answer = { code, text };
	struct connection *k = find(z, c);
	struct command *of;

	(void)w;
	if (k == NULL)
		return;
	if (code == 257 && (verb == V_PWD || verb == V_XPWD))
		path_told(k->directory, text);
	if (!is_waiting(k, verb))
		return;
	while ((of = take_waiting(k))->verb != verb) /* passed over */
		put_command(z->out, k, of, &none);
	put_command(z->out, k, of, &answer);
	change_directory(k, of, code);
}

void
zeek_ended(struct zeek *z, const struct control *c)
{
	struct connection *k = find(z, c);

	if (k == NULL)
		return;
	put_unanswered(z->out, k);
	table_drop(&z->connections, k);
}
