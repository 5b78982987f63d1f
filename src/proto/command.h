/*
 * proto/command.h: FTP's commands, one list with many uses, and how a line
 * from the control connection is taken apart.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/sv.h"
#include "proto/err.h"

/* When a command is legal; a command out of its time is answered 503 or 530. */
enum ftp_at {
	AT_GREETED = 1 << 0,	/* before login */
	AT_LOGGED_IN = 1 << 1,
	AT_TRANSFER = 1 << 2,	/* answered while a transfer runs */
	AT_ALWAYS = AT_GREETED | AT_LOGGED_IN | AT_TRANSFER,
};

/* What follows the verb. */
enum ftp_arg {
	ARG_NONE,	/* nothing; text is refused with 501 */
	ARG_IGNORED,	/* anything, and it does not matter */
	ARG_TEXT,	/* required */
	ARG_MAYBE,	/* text or nothing */
	ARG_HOSTPORT,	/* required, read by proto/hostport.h */
};

#define FTP_VERBS(X) \
/*	verb  handler  argument      legal at                     source */ \
	X(ABOR, abor, ARG_IGNORED,  AT_LOGGED_IN | AT_TRANSFER, "RFC 959 4.1.3") \
	X(ACCT, acct, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.1") \
	X(ALLO, allo, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(APPE, stor, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(AUTH, auth, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 2228 3") \
	X(CCC,  ccc,  ARG_IGNORED,  AT_GREETED | AT_LOGGED_IN,  "RFC 2228 3") \
	X(CDUP, cdup, ARG_NONE,     AT_LOGGED_IN,               "RFC 959 4.1.1") \
	X(CLNT, clnt, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "draft-rosenau-ftp-single-port") \
	X(CPSV, absent, ARG_IGNORED, AT_LOGGED_IN,              "no RFC; FXP over TLS") \
	X(CSID, csid, ARG_MAYBE,    AT_GREETED | AT_LOGGED_IN,  "draft-peterson-streamlined-ftp-command-extensions") \
	X(CWD,  cwd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.1") \
	X(DELE, dele, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(EPRT, eprt, ARG_HOSTPORT, AT_LOGGED_IN,               "RFC 2428 2") \
	X(EPSV, epsv, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 2428 3") \
	X(FEAT, feat, ARG_NONE,     AT_GREETED | AT_LOGGED_IN,  "RFC 2389 3") \
	X(HASH, hash, ARG_TEXT,     AT_LOGGED_IN,               "draft-ietf-ftpext2-hash-03 3") \
	X(HELP, help, ARG_MAYBE,    AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.3") \
	X(HOST, host, ARG_TEXT,     AT_GREETED,                 "RFC 7151 3") \
	X(LANG, lang, ARG_MAYBE,    AT_GREETED | AT_LOGGED_IN,  "RFC 2640 4") \
	X(LIST, list, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(LPRT, lprt, ARG_TEXT,     AT_LOGGED_IN,               "RFC 1639 2") \
	X(LPSV, absent, ARG_MAYBE,  AT_LOGGED_IN,               "RFC 1639 3") \
	X(MDTM, mdtm, ARG_TEXT,     AT_LOGGED_IN,               "RFC 3659 3") \
	X(MFMT, mfmt, ARG_TEXT,     AT_LOGGED_IN,               "draft-somers-ftp-mfxx-04 3") \
	X(MKD,  mkd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(MLSD, mlsd, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 3659 7") \
	X(MLST, mlst, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 3659 7") \
	X(MODE, mode, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.2") \
	X(NLST, nlst, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(NOOP, noop, ARG_IGNORED,  AT_ALWAYS,                  "RFC 959 4.1.3") \
	X(OPTS, opts, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 2389 4") \
	X(PASS, pass, ARG_MAYBE,    AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.1") \
	X(PASV, pasv, ARG_NONE,     AT_LOGGED_IN,               "RFC 959 4.1.2") \
	X(PBSZ, pbsz, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 2228 3") \
	X(PORT, port, ARG_HOSTPORT, AT_LOGGED_IN,               "RFC 959 4.1.2") \
	X(PROT, prot, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 2228 3") \
	X(PWD,  pwd,  ARG_NONE,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(QUIT, quit, ARG_IGNORED,  AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.1") \
	X(RANG, rang, ARG_TEXT,     AT_LOGGED_IN,               "draft-bryan-ftp-range") \
	X(REIN, rein, ARG_NONE,     AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.1") \
	X(REST, rest, ARG_TEXT,     AT_LOGGED_IN,               "RFC 3659 5") \
	X(RETR, retr, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(RMD,  rmd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(RNFR, rnfr, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(RNTO, rnto, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(SITE, site, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(SIZE, size, ARG_TEXT,     AT_LOGGED_IN,               "RFC 3659 4") \
	X(SMNT, absent, ARG_IGNORED, AT_LOGGED_IN,              "RFC 959 4.1.1") \
	X(SPSV, absent, ARG_IGNORED, AT_LOGGED_IN,              "draft-rosenau-ftp-single-port") \
	X(SSCN, absent, ARG_IGNORED, AT_LOGGED_IN,              "no RFC; FXP over TLS") \
	X(STAT, stat, ARG_MAYBE,    AT_ALWAYS,                  "RFC 959 4.1.3") \
	X(STOR, stor, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(STOU, stor, ARG_MAYBE,    AT_LOGGED_IN,               "RFC 959 4.1.3") \
	X(STRU, stru, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.2") \
	X(SYST, syst, ARG_NONE,     AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.3") \
	X(TYPE, type, ARG_TEXT,     AT_LOGGED_IN,               "RFC 959 4.1.2") \
	X(USER, user, ARG_TEXT,     AT_GREETED | AT_LOGGED_IN,  "RFC 959 4.1.1") \
	X(XCRC, hash, ARG_TEXT,     AT_LOGGED_IN,               "no RFC; as ProFTPD has it") \
	X(XCUP, cdup, ARG_NONE,     AT_LOGGED_IN,               "RFC 775") \
	X(XCWD, cwd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 775") \
	X(XMD5, hash, ARG_TEXT,     AT_LOGGED_IN,               "no RFC; as ProFTPD has it") \
	X(XMKD, mkd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 775") \
	X(XPWD, pwd,  ARG_NONE,     AT_LOGGED_IN,               "RFC 775") \
	X(XRMD, rmd,  ARG_TEXT,     AT_LOGGED_IN,               "RFC 775") \
	X(XSHA1, hash, ARG_TEXT,    AT_LOGGED_IN,               "no RFC; as ProFTPD has it") \
	X(XSHA256, hash, ARG_TEXT,  AT_LOGGED_IN,               "no RFC; as ProFTPD has it") \
	X(XSHA512, hash, ARG_TEXT,  AT_LOGGED_IN,               "no RFC; as ProFTPD has it")

enum ftp_verb {
#define X(VERB, ...) V_##VERB,
	FTP_VERBS(X)
#undef X
	V_COUNT,
	V_UNKNOWN = V_COUNT,
};

/* The longest verb (XSHA256) and its NUL; shorter ones are filled with NULs. */
#define FTP_VERB_BYTES 8

struct ftp_command {
	char name[FTP_VERB_BYTES];
	const char *source;
	enum ftp_arg arg;
	unsigned at;	/* set of enum ftp_at */
};

extern const struct ftp_command ftp_commands[V_COUNT];

/*
 * Takes one line apart into verb and argument (RFC 959 §5.3).
 *
 * line  without its CRLF, telnet already removed; borrowed, as is *arg
 * arg   what follows the first SP, byte for byte: a name may begin or end
 *       with blanks.  Empty when there is no SP
 *
 * *verb and *arg are always written; *verb is V_UNKNOWN for no such verb.
 *
 * FTP_UNKNOWN  no such verb; so is a line that begins with a blank, and one
 *              with another separator than SP
 * FTP_SYNTAX   an argument is missing or superfluous, or there is a NUL, CR
 *              or LF anywhere in the line, whatever its verb
 */
MUST_USE enum ftp_err command_parse(struct sv line, enum ftp_verb *verb,
    struct sv *arg);

/* What may follow the verb, as people write it: "<path>"; empty: nothing. */
const char *command_syntax(enum ftp_verb verb);

/* The verb of that name in any case of letters, or V_UNKNOWN. */
enum ftp_verb command_find(struct sv name);

/*
 * A first line that belongs to another protocol: an HTTP request, a mail
 * greeting, a SIP request, a TLS or SSH handshake.  A browser can be made to
 * send such lines; an FTP client never does (cross-protocol attacks).
 *
 * line  may be the beginning of a line: a TLS handshake need not hold an LF
 */
bool command_is_foreign(struct sv line);
