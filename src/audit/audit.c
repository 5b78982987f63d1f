/*
 * audit/audit.c: one audit: find the server, get to know it, ask everything.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/data.h"
#include "audit/dial.h"
#include "audit/report.h"

#define ADDRESSES_TRIED 8	/* of one host: its DNS is not ours */
#define NAMES_MAX 4096		/* bytes of a listing, to find a plain file */
#define FILES_TRIED 8		/* names of it */

static void (*const ask_functions[ASK_COUNT])(struct ask *q) = {
#define X(test, id, level, title, gain) [ASK_##id] = ask_##id,
	AUDIT_QUESTIONS(X)
#undef X
};

/* ---- the first connection */

/* One address is audited; a server at another may be set up otherwise. */
static void
note_others(struct audit *a, const struct addrinfo *all)
{
	char note[ASK_EVIDENCE], text[ADDR_TEXT_MAX];
	size_t n = 0;

	for (const struct addrinfo *i = all; i != NULL; i = i->ai_next) {
		struct sockaddr_storage ss = { 0 };
		struct addr other;

		memcpy(&ss, i->ai_addr, i->ai_addrlen);
		other = addr_of_sockaddr(&ss);
		if (addr_same_ip(&other, &a->place.server) ||
		    n + 2 * ADDR_TEXT_MAX > sizeof(note))
			continue;
		n += (size_t)snprintf(note + n, sizeof(note) - n, "%s%s",
		    n == 0 ? "the host has other addresses, that were not "
		    "audited; name them, too: " : ", ",
		    addr_format_ip(&other, text));
	}
	if (n > 0)
		report_note(a, note);
}

/* Tries each address of the host in turn; -1: none, and *why says it. */
static int
reach(struct audit *a, char why[ASK_EVIDENCE])
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_family = a->options->family, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *all, *i;
	char port[8], text[ADDR_TEXT_MAX];
	int fd = -1, failed, tried = 0;

	snprintf(port, sizeof(port), "%u", (unsigned)a->target->port);
	failed = getaddrinfo(a->target->host, port, &hints, &all);
	if (failed != 0) {
		snprintf(why, ASK_EVIDENCE, "%s: %s", a->target->host,
		    failed == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(failed));
		return -1;
	}
	for (i = all; i != NULL && fd < 0; i = i->ai_next) {
		struct sockaddr_storage ss = { 0 };

		memcpy(&ss, i->ai_addr, i->ai_addrlen);
		if (i->ai_family == AF_INET6 && ((struct sockaddr_in6 *)
		    &ss)->sin6_scope_id != 0) {
			snprintf(why, ASK_EVIDENCE, "%s: an address with a "
			    "zone cannot be named to a server",
			    a->target->host);
			continue;
		}
		a->place.server = addr_of_sockaddr(&ss);
		fd = sock_connect(NULL, &a->place.server, sock_now_ms() +
		    a->options->timeout_ms);
		if (fd < 0)
			snprintf(why, ASK_EVIDENCE, "%s: %s",
			    addr_format(&a->place.server, text),
			    strerror(errno));
		if (++tried == ADDRESSES_TRIED || audit_is_late(a))
			break;
	}
	if (fd >= 0)
		note_others(a, all);
	freeaddrinfo(all);
	return fd;
}

static const char *
stand(struct audit *a, int fd)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);
	struct addr here, server = a->place.server;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return strerror(errno);
	here = addr_of_sockaddr(&ss);
	return place_find(&a->place, &here, &server, a->options->listen,
	    a->options->listens);
}

/* The connection by which A is found; NULL, and *why says it. */
static struct link *
first_link(struct ask *q, char why[ASK_EVIDENCE])
{
	struct audit *a = q->audit;
	const char *wrong;
	struct link *l;
	int fd = reach(a, why);

	if (fd < 0)
		return NULL;
	if ((wrong = stand(a, fd)) != NULL) {
		snprintf(why, ASK_EVIDENCE, "%s", wrong);
		close(fd);
		return NULL;
	}
	if ((l = link_attach(q, fd)) == NULL) {
		snprintf(why, ASK_EVIDENCE, "%s", strerror(ENOMEM));
		return NULL;
	}
	l->here = a->place.here;
	return l;
}

/* What speaks there, when it is no FTP. */
static const char *
other_protocol(const struct link *l)
{
	struct sv said = { l->buf, l->len };

	if (said.len >= 4 && memcmp(said.ptr, "SSH-", 4) == 0)
		return "it is an SSH server";
	if (said.len >= 5 && memcmp(said.ptr, "HTTP/", 5) == 0)
		return "it is an HTTP server";
	if (said.len >= 2 && said.ptr[0] >= 0x14 && said.ptr[0] <= 0x17 &&
	    said.ptr[1] == 3)
		return "it speaks TLS at once: try ftps://";
	if (said.len == 0 && !l->ask->audit->target->tls)
		return "it said nothing; it may speak TLS at once (try "
		    "ftps://), or wait for another protocol's first line";
	return "what it says is not FTP";
}

static bool
greet(struct link *l, struct reply *r, char why[ASK_EVIDENCE])
{
	const struct tls_client_want want = {
		.sni = l->ask->audit->target->host };

	if (l->ask->audit->target->tls && !link_handshake(l, &want)) {
		snprintf(why, ASK_EVIDENCE, "no TLS: %s",
		    l->tls_refusal.text);
		return false;
	}
	switch (link_read(l, r, link_patience(l)) / 100) {
	case 2:
		return true;
	case 0:
		snprintf(why, ASK_EVIDENCE, "no FTP greeting: %.100s; %s",
		    r->text, other_protocol(l));
		return false;
	default:
		snprintf(why, ASK_EVIDENCE, "no session: %.300s", r->text);
		return false;
	}
}

/* ---- getting to know it */

struct names {
	char *bytes;
	size_t len, max;
};

static void
keep_names(void *arg, struct sv piece)
{
	struct names *n = arg;
	size_t room = n->max - n->len;

	if (piece.len > room)
		piece.len = room;
	memcpy(n->bytes + n->len, piece.ptr, piece.len);
	n->len += piece.len;
}

/* The first name that SIZE knows is a plain file. */
static void
choose_file(struct audit *a, struct link *l, struct sv names)
{
	struct reply r;

	for (int i = 0; i < FILES_TRIED && names.len > 0; i++) {
		const char *lf = memchr(names.ptr, '\n', names.len);
		struct sv name = names;

		if (lf == NULL)
			return;
		name.len = (size_t)(lf - names.ptr);
		names = sv_drop(names, name.len + 1);
		if (name.len > 0 && name.ptr[name.len - 1] == '\r')
			name.len--;
		if (name.len == 0 || name.len >= ASK_FILE_MAX ||
		    memchr(name.ptr, '\r', name.len) != NULL)
			continue;
		if (link_command(l, &r, "SIZE %.*s", (int)name.len,
		    name.ptr) != 213)
			continue;
		memcpy(a->facts.file, name.ptr, name.len);
		a->facts.file[name.len] = '\0';
		return;
	}
}

static void
look_around(struct audit *a, struct link *l)
{
	struct names n = { .bytes = malloc(NAMES_MAX), .max = NAMES_MAX };
	const char *directory = a->options->directory;
	char command[OPTIONS_DIRECTORY_MAX + 8];
	struct reply r;

	if (n.bytes == NULL)
		return;
	snprintf(command, sizeof(command), "NLST%s%s", directory != NULL ?
	    " " : "", directory != NULL ? directory : "");
	link_command(l, &r, "TYPE I");
	if (data_fetch(l, &r, command, keep_names, &n) >= 0)
		choose_file(a, l, (struct sv) { n.bytes, n.len });
	free(n.bytes);
}

/* Who it is, by what it says of itself. */
static void
get_to_know(struct audit *a, struct link *l, const struct reply *banner)
{
	struct reply syst, feat, help, stat;
	struct server_known known;

	link_command(l, &syst, "SYST");
	link_command(l, &feat, "FEAT");
	link_command(l, &help, "HELP");
	stat = (struct reply) { 0 };
	if (l->logged_in)
		link_command(l, &stat, "STAT");
	known = server_recognise(&(struct server_words) {
		.banner = sv_of(banner->raw), .syst = sv_of(syst.raw),
		.feat = sv_of(feat.raw), .help = sv_of(help.raw),
		.stat = sv_of(stat.raw) });
	a->facts.kind = known.kind;
	report_server(a, &known, banner->text);
}

/* Some take a user within TLS alone; then every question is asked there. */
static struct link *
try_within_tls(struct audit *a, struct ask *q)
{
	struct ask second = *q;		/* the same exchange, no answer yet */
	struct link *l;

	if (!a->facts.has_tls || a->target->tls || a->stopped[0] != '\0')
		return NULL;
	a->facts.login_tls = true;
	second.answered = false;
	l = link_login(&second);
	q->commands = second.commands;
	if (l != NULL) {
		l->ask = q;
		report_note(a, "users are taken within TLS alone: every "
		    "question behind the login was asked there");
	} else
		a->facts.login_tls = false;
	return l;
}

static void
note_no_login(struct audit *a, const char *why)
{
	a->facts.no_login = true;
	snprintf(a->facts.login_reply, sizeof(a->facts.login_reply), "%s",
	    why);
	report_note(a, a->target->user[0] != '\0' ?
	    "there was no login: what can be asked only after one was not "
	    "asked; the user or the password may be wrong" :
	    "there was no login: what can be asked only after one was not "
	    "asked; name a user, as user:password@HOST");
}

/* What is asked of who is logged in, on the first session that is. */
static void
introduce(struct audit *a, struct link *l, const struct reply *banner)
{
	struct reply r;

	if (l->logged_in)
		link_command(l, &r, "CLNT portcullis-audit %s %s",
		    PORTCULLIS_VERSION, a->options->contact != NULL ?
		    a->options->contact : "");
	get_to_know(a, l, banner);
	if (l->logged_in && !l->over)
		look_around(a, l);
}

/* Before login: many refuse it after. */
static void
look_for_tls(struct audit *a, struct ask *q)
{
	struct reply r;
	struct link *l;

	a->facts.has_tls = a->target->tls;
	if (a->target->tls || (l = link_open(q, NULL)) == NULL)
		return;
	a->facts.has_tls = link_command(l, &r, "AUTH TLS") == 234;
	if (a->facts.has_tls)
		l->over = true;	/* what comes next is no command */
	link_close(l);
}

/* Logs in, one way or the other; returns the session, to be closed. */
static struct link *
meet(struct audit *a, struct ask *q, struct link *l,
    const struct reply *banner)
{
	struct link *within;

	bool clear = a->target->user[0] != '\0' && l->tls == NULL;

	if (clear)
		report_note(a, "the password was sent in the clear, as the "
		    "target is ftp:// and not ftps://");
	if (link_user(l)) {
		introduce(a, l, banner);
		look_for_tls(a, q);
		return l;
	}
	look_for_tls(a, q);
	if ((within = try_within_tls(a, q)) != NULL) {
		link_close(l);
		l = within;
	} else
		note_no_login(a, q->evidence);
	introduce(a, l, banner);
	return l;
}

/* The whole first session; false: there is no FTP server to be asked. */
static bool
survey(struct audit *a)
{
	struct ask q = { .audit = a, .exchange = json_array(),
		.asked = json_array() };
	char why[ASK_EVIDENCE] = "";
	struct reply banner;
	struct link *l = first_link(&q, why);
	bool met = l != NULL && greet(l, &banner, why);

	if (met) {
		report_place(a);
		l = meet(a, &q, l, &banner);
	} else {
		report_error(a, why);
	}
	link_close(l);
	json_object_set_new(a->report, "introduction", q.exchange);
	json_decref(q.asked);
	return met;
}

/* ---- the questions */

static void
show_progress(const struct audit *a, int at)
{
	if (!a->options->progress || a->options->jobs > 1)
		return;
	if (at == ASK_COUNT)
		fputs("\r\033[K", stderr);
	else
		fprintf(stderr, "\r\033[K%s: %d/%d %s %s", a->target->host,
		    at + 1, ASK_COUNT, audit_questions[at].test,
		    audit_questions[at].id);
}

static void
ask_one(struct audit *a, enum audit_question which)
{
	struct ask q = { .audit = a, .question = which,
		.exchange = json_array(), .asked = json_array() };
	uint64_t begun = sock_now_ms();

	if (audit_is_late(a) || a->stopped[0] != '\0')
		ask_answer(&q, VERDICT_inconclusive, "%s", a->stopped);
	else
		ask_functions[which](&q);
	/* What did not come by then might have come. */
	if (audit_is_late(a)) {
		q.answered = false;
		ask_answer(&q, VERDICT_inconclusive, "%s", a->stopped);
	}
	ask_answer(&q, VERDICT_inconclusive, "it came to no end");
	report_line(a, &q, (unsigned)(sock_now_ms() - begun));
}

static void
ask_all(struct audit *a)
{
	for (int i = 0; i < ASK_COUNT; i++) {
		if (!a->options->asked[i])
			continue;
		show_progress(a, i);
		ask_one(a, (enum audit_question)i);
	}
	show_progress(a, ASK_COUNT);
}

json_t *
audit_run(const struct options *o, const struct target *t)
{
	struct audit a = { .options = o, .target = t,
		.started_ms = sock_now_ms(), .report = report_new(t, o) };

	a.deadline_ms = a.started_ms + 1000ull * o->max_time_s +
	    1000ull * o->patience_s;
	if (survey(&a)) {
		ask_all(&a);
		dial_look_back(&a);
		report_finish(&a);
	}
	json_object_set_new(a.report, "duration_ms", json_integer(
	    (json_int_t)(sock_now_ms() - a.started_ms)));
	report_redact(a.report, t);
	return a.report;
}

json_t *
audit_failed(const struct target *t, const char *why)
{
	struct audit a = { .target = t, .report = report_new(t, NULL) };

	report_error(&a, why);
	return a.report;
}
