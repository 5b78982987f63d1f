/*
 * audit/lore.c: which server it is.  Each sign was read off the server, or
 * off its source, at the version that the comment names.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "audit/lore.h"

static const char *const kinds[SERVER_COUNT] = {
#define X(kind, name) [SERVER_##kind] = #kind,
	SERVER_KINDS(X)
#undef X
};

static const char *const names[SERVER_COUNT] = {
#define X(kind, name) [SERVER_##kind] = name,
	SERVER_KINDS(X)
#undef X
};

enum where { IN_BANNER, IN_SYST, IN_FEAT, IN_HELP, IN_STAT };

/*
 * One sign is enough, and the first that is found decides: what is compiled
 * into the server stands before what is a setting of its administrator.
 */
struct sign {
	enum where where;
	const char *text;
	enum server_kind kind;
	bool sure;
	const char *before_version;	/* NULL: it tells none here */
};

static const struct sign signs[] = {
	/* vsftpd 3.0.3; the greeting may be ftpd_banner's, these may not */
	{ IN_STAT, "vsFTPd ", SERVER_vsftpd, true, "vsFTPd " },
	{ IN_HELP, "214 Help OK.", SERVER_vsftpd, false, NULL },
	/* Pure-FTPd 1.0.50; SPSV until 1.0.49, with ESTA and ESTP */
	{ IN_HELP, "Pure-FTPd - http", SERVER_pureftpd, true, NULL },
	{ IN_FEAT, "\n ESTP", SERVER_pureftpd, false, NULL },
	/* FileZilla Server 0.9 and 1.x */
	{ IN_SYST, "FileZilla", SERVER_filezilla, true, NULL },
	/* IIS 7 and later; its greeting's number is the service's, not IIS' */
	{ IN_STAT, "Microsoft FTP Service", SERVER_microsoft, true, NULL },
	{ IN_SYST, "Windows_NT", SERVER_microsoft, false, NULL },
	/* wu-ftpd 2.6 and its kin: HP-UX says "wuftpd-2.6.1" */
	{ IN_BANNER, "(Version wu-", SERVER_wuftpd, true, "wu-" },
	{ IN_BANNER, "Version wuftpd-", SERVER_wuftpd, true, "wuftpd-" },
	{ IN_STAT, "Version wu-", SERVER_wuftpd, true, "wu-" },
	/* inetutils 2.4; -q takes the version out of greeting and STAT */
	{ IN_BANNER, "(GNU inetutils", SERVER_inetutils, true, "inetutils " },
	{ IN_STAT, "(GNU inetutils)", SERVER_inetutils, true,
	  "(GNU inetutils) " },
	/* pyftpdlib 1.5.7 */
	{ IN_FEAT, "211 End FEAT.", SERVER_pyftpdlib, false, NULL },
	{ IN_HELP, "214 Help command successful.", SERVER_pyftpdlib, false,
	  NULL },
	/* SFTPGo; the library beneath it, ftpserverlib, says the second */
	{ IN_STAT, "SFTPGo ", SERVER_sftpgo, true, "SFTPGo " },
	{ IN_FEAT, "These are my features", SERVER_sftpgo, false, NULL },
	/*
	 * Portcullis gives no name: its HELP is its own, and is no proof.
	 * It has CSID and RANG as ProFTPD has, so it comes before.
	 */
	{ IN_HELP, "214-Commands (HELP and one of them says more):",
	  SERVER_portcullis, false, NULL },
	/* ProFTPD 1.3.8; its HELP is BSD's, as wu-ftpd's and inetutils' are */
	{ IN_FEAT, "\n CSID", SERVER_proftpd, false, NULL },
	{ IN_FEAT, "\n RANG STREAM", SERVER_proftpd, false, NULL },
	/* What anybody can write into a greeting */
	{ IN_BANNER, "vsFTPd", SERVER_vsftpd, true, "vsFTPd " },
	{ IN_BANNER, "ProFTPD", SERVER_proftpd, true, "ProFTPD " },
	{ IN_BANNER, "Pure-FTPd", SERVER_pureftpd, true, "Pure-FTPd " },
	{ IN_BANNER, "pyftpdlib", SERVER_pyftpdlib, true, "pyftpdlib " },
	{ IN_BANNER, "SFTPGo", SERVER_sftpgo, true, "SFTPGo " },
	{ IN_BANNER, "FileZilla Server", SERVER_filezilla, true,
	  "FileZilla Server " },
	{ IN_BANNER, "Microsoft FTP Service", SERVER_microsoft, true, NULL },
};

/* What comes behind the first needle; a view of no bytes when there is none. */
static struct sv
after(struct sv text, const char *needle)
{
	const char *at;

	if (text.len == 0 ||
	    (at = memmem(text.ptr, text.len, needle, strlen(needle))) == NULL)
		return (struct sv) { NULL, 0 };
	return sv_drop(text, (size_t)(at - text.ptr) + strlen(needle));
}

static bool
has(struct sv text, const char *needle)
{
	return text.len > 0 &&
	    memmem(text.ptr, text.len, needle, strlen(needle)) != NULL;
}

static struct sv
where(const struct server_words *said, enum where w)
{
	switch (w) {
	case IN_BANNER:
		return said->banner;
	case IN_SYST:
		return said->syst;
	case IN_FEAT:
		return said->feat;
	case IN_HELP:
		return said->help;
	case IN_STAT:
		return said->stat;
	}
	return (struct sv) { NULL, 0 };
}

static bool
is_of_version(char c)
{
	return sv_digit(c) || c == '.' || c == '-' || c == '_' || c == '+' ||
	    (sv_upper(c) >= 'A' && sv_upper(c) <= 'Z');
}

/* "1.3.8b": begins with a digit and holds a dot, or it is no version. */
static bool
take_version(struct sv text, char out[SERVER_VERSION_MAX])
{
	size_t n = 0;

	while (n < text.len && n < SERVER_VERSION_MAX - 1 &&
	    is_of_version(text.ptr[n]))
		n++;
	if (n == 0 || !sv_digit(text.ptr[0]) ||
	    memchr(text.ptr, '.', n) == NULL)
		return false;
	memcpy(out, text.ptr, n);
	out[n] = '\0';
	return true;
}

/* Of this kind, wherever it is told: HELP may name it, and STAT number it. */
static void
find_version(const struct server_words *said, struct server_known *known)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		const struct sign *s = &signs[i];

		if (s->kind != known->kind || s->before_version == NULL ||
		    !has(where(said, s->where), s->text))
			continue;
		if (take_version(after(where(said, s->where),
		    s->before_version), known->version))
			return;
	}
}

/* A likeness becomes a certainty when the same server also names itself. */
static bool
names_itself(const struct server_words *said, enum server_kind kind)
{
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (signs[i].kind == kind && signs[i].sure &&
		    has(where(said, signs[i].where), signs[i].text))
			return true;
	return false;
}

struct server_known
server_recognise(const struct server_words *said)
{
	struct server_known known = { .kind = SERVER_unknown };

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if (!has(where(said, signs[i].where), signs[i].text))
			continue;
		known.kind = signs[i].kind;
		known.sure = names_itself(said, known.kind);
		find_version(said, &known);
		break;
	}
	return known;
}

const char *
server_kind_name(enum server_kind kind)
{
	return kinds[kind];
}

const char *
server_name(enum server_kind kind)
{
	return names[kind];
}

enum server_kind
server_kind_find(const char *kind_name)
{
	for (size_t k = 0; k < SERVER_COUNT; k++)
		if (strcmp(kinds[k], kind_name) == 0)
			return (enum server_kind)k;
	return SERVER_unknown;
}
