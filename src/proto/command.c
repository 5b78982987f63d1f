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
