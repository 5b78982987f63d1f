/*
 * proto/command.c: a line of the control connection, taken apart.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/command.h"

const struct ftp_command ftp_commands[V_COUNT] = {
#define X(VERB, handler, arg, at, source) \
	[V_##VERB] = { #VERB, source, arg, at },
	FTP_VERBS(X)
#undef X
};

/* Only what says more than the kind of the argument does. */
static const char *const syntaxes[V_COUNT] = {
	[V_ACCT] = "<account>",
	[V_ALLO] = "<bytes> [R <bytes>]",
	[V_AUTH] = "TLS",
	[V_CLNT] = "<client's name>",
	[V_EPRT] = "|<1 or 2>|<your address>|<port>|",
	[V_EPSV] = "[1 | 2 | ALL]",
	[V_HASH] = "<path>",
	[V_HELP] = "[<verb>]",
	[V_HOST] = "<name> | <IPv4 address> | [<IPv6 address>]",
	[V_LANG] = "[en]",
	[V_LIST] = "[-<options>] [<path>]",
	[V_MDTM] = "<path>",
	[V_APPE] = "<path>",
	[V_DELE] = "<path>",
	[V_MFMT] = "YYYYMMDDhhmmss <path>",
	[V_MKD] = "<path>",
	[V_RMD] = "<path>",
	[V_RNFR] = "<path>",
	[V_RNTO] = "<path>",
	[V_STOR] = "<path>",
	[V_STOU] = "[<path>]",
	[V_XMKD] = "<path>",
	[V_XRMD] = "<path>",
	[V_MLSD] = "[<path>]",
	[V_MLST] = "[<path>]",
	[V_MODE] = "S",
	[V_NLST] = "[-<options>] [<path>]",
	[V_OPTS] = "UTF8 ON | MLST [<fact>;...] | HASH [<algorithm>]",
	[V_PASS] = "[<mail address> | <password>]",
	[V_PBSZ] = "0",
	[V_PORT] = "<h1>,<h2>,<h3>,<h4>,<p1>,<p2>",
	[V_PROT] = "C | P",
	[V_RANG] = "<first byte> <last byte> | 1 0",
	[V_REST] = "<offset>",
	[V_RETR] = "<path>",
	[V_SITE] = "HELP | CHMOD <mode> <path> | UTIME <time> <path>",
	[V_SIZE] = "<path>",
	[V_STAT] = "[<path>]",
	[V_STRU] = "F",
	[V_TYPE] = "A [N] | I | L 8",
	[V_USER] = "anonymous | ftp | <account>",
	[V_XCRC] = "<path> [<first byte> [<end>]]",
	[V_XMD5] = "<path> [<first byte> [<end>]]",
	[V_XSHA1] = "<path> [<first byte> [<end>]]",
	[V_XSHA256] = "<path> [<first byte> [<end>]]",
	[V_XSHA512] = "<path> [<first byte> [<end>]]",
};

const char *
command_syntax(enum ftp_verb verb)
{
	if (syntaxes[verb] != NULL)
		return syntaxes[verb];
	switch (ftp_commands[verb].arg) {
	case ARG_NONE:
	case ARG_IGNORED:
		return "";
	case ARG_MAYBE:
		return "[<text>]";
	case ARG_TEXT:
	case ARG_HOSTPORT:
		break;
	}
	return verb == V_CWD || verb == V_XCWD ? "<path>" : "<text>";
}

enum ftp_verb
command_find(struct sv name)
{
	char verb[FTP_VERB_BYTES] = { '\0' };

	if (name.len < 3 || name.len >= FTP_VERB_BYTES)
		return V_UNKNOWN;
	for (size_t i = 0; i < name.len; i++)
		if ((verb[i] = sv_upper(name.ptr[i])) == '\0')
			return V_UNKNOWN;
	for (unsigned v = 0; v < V_COUNT; v++)
		if (memcmp(verb, ftp_commands[v].name, FTP_VERB_BYTES) == 0)
			return (enum ftp_verb)v;
	return V_UNKNOWN;
}

/*
 * NUL, CR and LF end a line for some other reader of the same bytes: a log, a
 * firewall, a C string (CVE-2025-47812 logged in with what stood before a NUL).
 */
static bool
ends_early(struct sv line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] == '\0' || line.ptr[i] == '\r' ||
		    line.ptr[i] == '\n')
			return true;
	return false;
}

enum ftp_err
command_parse(struct sv line, enum ftp_verb *verb, struct sv *arg)
{
	struct sv name = { line.ptr, 0 };

	while (name.len < line.len && line.ptr[name.len] != ' ')
		name.len++;
	*arg = sv_drop(line, name.len + 1);
	*verb = command_find(name);

	if (ends_early(line))
		return FTP_SYNTAX;
	if (*verb == V_UNKNOWN)
		return FTP_UNKNOWN;

	switch (ftp_commands[*verb].arg) {
	case ARG_NONE:
		return arg->len == 0 ? FTP_OK : FTP_SYNTAX;
	case ARG_TEXT:
	case ARG_HOSTPORT:
		return arg->len > 0 ? FTP_OK : FTP_SYNTAX;
	case ARG_IGNORED:
	case ARG_MAYBE:
		break;
	}
	return FTP_OK;
}

/* First words of HTTP, SIP, RTSP and SMTP; none of them is an FTP verb. */
static const char *const foreign_words[] = {
	"CONNECT", "DELETE", "DESCRIBE", "EHLO", "GET", "HEAD", "HELO",
	"INVITE", "LHLO", "OPTIONS", "PATCH", "POST", "PRI", "PROPFIND", "PUT",
	"REGISTER", "SUBSCRIBE", "TRACE",
};

/* "GET / HTTP/1.1", "INVITE sip:a@b SIP/2.0": the version ends the line. */
static const char *const foreign_versions[] = {
	" HTTP/", " SIP/", " RTSP/",
};

static bool
contains(struct sv text, struct sv part)
{
	for (; text.len >= part.len; text = sv_drop(text, 1))
		if (memcmp(text.ptr, part.ptr, part.len) == 0)
			return true;
	return false;
}

bool
command_is_foreign(struct sv line)
{
	struct sv word = { line.ptr, 0 };

	/* A TLS record: handshake, major version 3 (RFC 8446 §5.1). */
	if (line.len >= 2 && line.ptr[0] == 0x16 && line.ptr[1] == 0x03)
		return true;
	if (line.len >= 4 && memcmp(line.ptr, "SSH-", 4) == 0)
		return true;

	while (word.len < line.len && line.ptr[word.len] != ' ')
		word.len++;
	for (size_t i = 0; i < sizeof(foreign_words) / sizeof(char *); i++)
		if (sv_eq_nocase(word, sv_of(foreign_words[i])))
			return true;
	if (command_find(word) != V_UNKNOWN)
		return false;
	for (size_t i = 0; i < sizeof(foreign_versions) / sizeof(char *); i++)
		if (contains(line, sv_of(foreign_versions[i])))
			return true;
	return false;
}
