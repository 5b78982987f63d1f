/*
 * worker/cmd_param.c: parameters and information: TYPE, STRU, MODE, OPTS,
 * FEAT, HELP, SITE, SYST, NOOP and what needs no more than a word.
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
	else if (sv_eq_nocase(name, SV("HASH")))
		hash_opts(s, rest);
	else
		reply(s, 501, "No such option.");
}

static void
feat_mlst(struct sess *s)
{
	char text[LISTING_FACTS_TEXT_MAX], line[LISTING_FACTS_TEXT_MAX + 8];
	int n;

	listing_facts_feat(s->facts, text);
	n = snprintf(line, sizeof(line), "MLST %s", text);
	reply_line(s, (struct sv) { line, (size_t)n });
}

/* rclone sets times where it is offered; refused, its upload has failed. */
static void
feat_mfmt(struct sess *s)
{
	if (s->w->conf.accounts_file[0] != '\0' &&
	    rights_allow(s, V_MFMT, SV("")))
		reply_line(s, SV("MFMT"));
}

/*
 * What there is beyond RFC 959, by name (RFC 2389 §3.2).  MLST stands for
 * MLSD, too; OPTS and FEAT are not listed, as that RFC wants it.
 */
static const struct {
	const char *line;
	void (*say)(struct sess *s); /* instead of the line */
} features[] = {
	{ NULL, secure_feat_auth },
	{ "CLNT", NULL },
	{ "CSID", NULL },
	{ "EPRT", NULL },
	{ "EPSV", NULL },
	{ NULL, hash_feat_line },
	{ "HOST", NULL },
	{ "LANG EN*", NULL },
	{ "MDTM", NULL },
	{ NULL, feat_mfmt },
	{ "MLST", feat_mlst },
	{ "PASV", NULL },
	{ NULL, secure_feat_data },
	{ "RANG STREAM", NULL },
	{ "REST STREAM", NULL },
	{ "SIZE", NULL },
	{ "TVFS", NULL },
	{ "UTF8", NULL },
	{ NULL, hash_feat_others },
};

void
cmd_feat(struct sess *s, struct sv arg)
{
	(void)arg;
	reply_begin(s, 211, "Features:");
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (features[i].say != NULL)
			features[i].say(s);
		else
			reply_line(s, sv_of(features[i].line));
	}
	reply(s, 211, "End.");
}

static void
help_all(struct sess *s)
{
	char line[80];
	size_t n = 0;

	reply_begin(s, 214, "Commands (HELP and one of them says more):");
	for (size_t i = 0; i < V_COUNT; i++) {
		const char *name = ftp_commands[i].name;
		bool offered = sess_offers(s, (enum ftp_verb)i);

		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%-*s",
		    name, 9 - (int)strlen(name), offered ? " " : "* ");
		if (n >= 70 || i + 1 == V_COUNT) {
			while (line[n - 1] == ' ')
				n--;
			reply_line(s, (struct sv) { line, n });
			n = 0;
		}
	}
	text_end(s, 214, "End; * is not offered.");
}

void
cmd_help(struct sess *s, struct sv arg)
{
	enum ftp_verb verb = command_find(arg);
	const char *syntax;

	if (arg.len == 0) {
		help_all(s);
		return;
	}
	if (verb == V_UNKNOWN) {
		reply(s, 501, "There is no such command; HELP lists them.");
		return;
	}
	syntax = command_syntax(verb);
	reply_format(s, 214, "%s: %s%s%s (%s)",
	    sess_offers(s, verb) ? "Syntax" : "Not offered",
	    ftp_commands[verb].name, *syntax != '\0' ? " " : "", syntax,
	    ftp_commands[verb].source);
}

static void site_help(struct sess *s, struct sv arg);

/* Verbs of SITE: a new one is a row. */
static const struct {
	const char *name;
	sess_handler *run;	/* with what follows the name */
	bool is_of_accounts;	/* and not there where there are none */
} site_verbs[] = {
	{ "HELP", site_help, false },
	{ "CHMOD", site_chmod, true },
	{ "UTIME", site_utime, true },
};

#define SITE_VERBS (sizeof(site_verbs) / sizeof(site_verbs[0]))

static bool
site_offers(const struct sess *s, size_t i)
{
	return !site_verbs[i].is_of_accounts ||
	    s->w->conf.accounts_file[0] != '\0';
}

static void
site_help(struct sess *s, struct sv arg)
{
	(void)arg;
	reply_begin(s, 214, "SITE has:");
	for (size_t i = 0; i < SITE_VERBS; i++)
		if (site_offers(s, i))
			reply_line(s, sv_of(site_verbs[i].name));
	text_end(s, 214, "End.");
}

void
cmd_site(struct sess *s, struct sv arg)
{
	const char *space = memchr(arg.ptr, ' ', arg.len);
	struct sv name = arg;

	if (space != NULL)
		name.len = (size_t)(space - arg.ptr);
	for (size_t i = 0; i < SITE_VERBS; i++) {
		if (sv_eq_nocase(name, sv_of(site_verbs[i].name)) &&
		    site_offers(s, i)) {
			site_verbs[i].run(s, sv_drop(arg, name.len + 1));
			return;
		}
	}
	reply(s, 504, "SITE has no such command; SITE HELP lists them.");
}

/* RFC 2640 §4: the language of our texts. */
void
cmd_lang(struct sess *s, struct sv arg)
{
	if (arg.len == 0 || sv_eq_nocase(arg, SV("en")))
		reply(s, 200, "Replies are in English.");
	else
		reply(s, 504, "Replies are in English alone: LANG EN.");
}

/* What a client may want to know of us; a version helps attackers more. */
void
cmd_csid(struct sess *s, struct sv arg)
{
	(void)arg;
	reply(s, 200, "Name=FTP; CaseSensitive=1; DirSep=/;");
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

/* Takes a number of bytes off the front. */
static bool
take_size(struct sv *text, uint64_t *size)
{
	struct sv digits = { text->ptr, sv_digits(*text) };

	*text = sv_drop(*text, digits.len);
	return value_parse_offset(digits, size) == FTP_OK;
}

/* "10" or "10 R 5" (RFC 959 §5.3.1). */
void
cmd_allo(struct sess *s, struct sv arg)
{
	uint64_t size = 0, record;
	bool good = take_size(&arg, &size);

	if (good && arg.len > 0) {
		good = arg.len > 3 && sv_eq_nocase((struct sv) { arg.ptr, 3 },
		    SV(" R "));
		arg = sv_drop(arg, 3);
		good = good && take_size(&arg, &record) && arg.len == 0;
	}
	s->room = good && rights_have(s, ACCOUNTS_WRITE) ? size : 0;
	if (s->room > 0)
		reply(s, 200, "The next upload looks for so much room.");
	else if (good)
		reply(s, 202, "No room need be set aside.");
	else
		reply(s, 501, "ALLO takes a number of bytes.");
}
