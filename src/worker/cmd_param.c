/*
 * worker/cmd_param.c: parameters and information: TYPE, STRU, MODE, OPTS,
 * FEAT, HELP, SYST, STAT, NOOP and what needs no more than a word.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "proto/value.h"
#include "worker/worker.h"

void
cmd_type(struct sess *s, struct sv arg)
{
	/* RFC 959 §3.1.1; L 8 is what an image is on a machine of bytes. */
	if (sv_eq_nocase(arg, SV("I")) || sv_eq_nocase(arg, SV("L 8"))) {
		s->ascii = false;
		reply(s, 200, "Type is image.");
	} else if (sv_eq_nocase(arg, SV("A")) ||
	    sv_eq_nocase(arg, SV("A N"))) {
		s->ascii = true;
		reply(s, 200, "Type is ASCII.");
	} else {
		reply(s, 504, "Only types A, A N, I and L 8 are offered.");
	}
}

void
cmd_stru(struct sess *s, struct sv arg)
{
	if (sv_eq_nocase(arg, SV("F")))
		reply(s, 200, "Structure is file.");
	else
		reply(s, 504, "Only structure F is offered.");
}

void
cmd_mode(struct sess *s, struct sv arg)
{
	if (sv_eq_nocase(arg, SV("S")))
		reply(s, 200, "Mode is stream.");
	else
		reply(s, 504, "Only mode S is offered.");
}

static void
opts_mlst(struct sess *s, struct sv facts)
{
	char text[LISTING_FACTS_TEXT_MAX];

	s->facts = listing_facts_parse(facts);
	listing_facts_opts(s->facts, text);
	reply_format(s, 200, "MLST OPTS %s", text);
}

void
cmd_opts(struct sess *s, struct sv arg)
{
	struct sv name = arg, rest = { arg.ptr, 0 };
	const char *space = memchr(arg.ptr, ' ', arg.len);

	if (space != NULL) {
		name.len = (size_t)(space - arg.ptr);
		rest = sv_drop(arg, name.len + 1);
	}
	if (sv_eq_nocase(name, SV("UTF8")) || sv_eq_nocase(name, SV("UTF-8")))
		reply(s, 200, "Names are bytes; UTF-8 passes unchanged.");
	else if (sv_eq_nocase(name, SV("MLST")))
		opts_mlst(s, rest);
	else
		reply(s, 501, "No such option.");
}

void
cmd_feat(struct sess *s, struct sv arg)
{
	char text[LISTING_FACTS_TEXT_MAX], mlst[LISTING_FACTS_TEXT_MAX + 8];
	int n;

	(void)arg;
	listing_facts_feat(s->facts, text);
	n = snprintf(mlst, sizeof(mlst), "MLST %s", text);
	reply_begin(s, 211, "Features:");
	reply_line(s, SV("EPRT"));
	reply_line(s, SV("EPSV"));
	reply_line(s, SV("MDTM"));
	reply_line(s, (struct sv) { mlst, (size_t)n });
	reply_line(s, SV("PASV"));
	reply_line(s, SV("REST STREAM"));
	reply_line(s, SV("SIZE"));
	reply_line(s, SV("TVFS"));
	reply_line(s, SV("UTF8"));
	reply(s, 211, "End.");
}

void
cmd_help(struct sess *s, struct sv arg)
{
	char line[80];
	size_t n = 0;

	(void)arg;
	reply_begin(s, 214, "Commands:");
	for (size_t i = 0; i < V_COUNT; i++) {
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%-5s",
		    ftp_commands[i].name);
		if (n >= 70 || i + 1 == V_COUNT) {
			reply_line(s, (struct sv) { line, n });
			n = 0;
		}
	}
	text_end(s, 214, "End.");
}

void
cmd_site(struct sess *s, struct sv arg)
{
	if (sv_eq_nocase(arg, SV("HELP")))
		text_end(s, 214, "SITE has HELP alone.");
	else
		reply(s, 504, "SITE has HELP alone.");
}

void
cmd_syst(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 215, "UNIX Type: L8");
}

void
cmd_noop(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 200, "Here.");
}

void
cmd_clnt(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 200, "Noted.");
}

void
cmd_allo(struct sess *s, struct sv arg)
{
	uint64_t size;

	if (value_parse_offset((struct sv) { arg.ptr, sv_digits(arg) },
	    &size) != FTP_OK)
		reply(s, 501, "ALLO takes a number.");
	else
		reply(s, 202, "No room need be set aside.");
}

/* The archive is read-only: RFC 959 has 550 for "action not taken". */
void
cmd_write(struct sess *s, struct sv arg)
{
	(void)arg;
	endpoint_void(s);
	reply(s, 550, "This archive is read-only.");
}

void
cmd_rnto(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 503, "RNFR comes first.");
}

static void
stat_session(struct sess *s)
{
	char line[160];
	int n;

	reply_begin(s, 211, "Status:");
	reply_line(s, s->logged_in ? SV("Logged in, read-only.") :
	    SV("Not logged in."));
	n = snprintf(line, sizeof(line), "Type %s, structure file, mode stream.",
	    s->ascii ? "ASCII" : "image");
	reply_line(s, (struct sv) { line, (size_t)n });
	if (s->xfer != NULL) {
		n = snprintf(line, sizeof(line),
		    "A transfer runs: %llu bytes so far.",
		    (unsigned long long)atomic_load(&s->xfer->sent));
		reply_line(s, (struct sv) { line, (size_t)n });
	}
	reply(s, 211, "End.");
}

static void
stat_file(struct sess *s, struct lookup *l)
{
	char line[PATH_MAX + LISTING_SLACK];
	struct listing_entry e = { .name = path_last(l->path),
		.owner = sv_of(s->w->conf.list_owner),
		.group = sv_of(s->w->conf.list_group),
		.mode = l->stat.mode, .links = l->stat.links,
		.size = l->stat.size, .mtime = l->stat.mtime };
	size_t n;

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	if (S_ISDIR(l->stat.mode)) {
		reply(s, 504, "STAT shows files alone; use LIST or MLSD.");
		return;
	}
	n = listing_list(&e, (int64_t)l->stat.mtime, line, sizeof(line));
	reply_begin(s, 213, "Status:");
	reply_line(s, (struct sv) { line, n >= 2 ? n - 2 : 0 });
	reply(s, 213, "End.");
}

void
cmd_stat(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (arg.len == 0 || s->wait == WAIT_TRANSFER)
		stat_session(s);
	else if (!s->logged_in)
		reply(s, 530, "Log in first.");
	else if (sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_STAT, path, stat_file);
}
