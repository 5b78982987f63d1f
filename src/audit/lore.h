/*
 * audit/lore.h: which server it is, and how each line is mended on it.
 *
 * A server is recognised by what it says of itself.  What an administrator
 * can set, the greeting, is believed last; and what fits several servers is
 * given as "looks like".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "audit/questions.h"
#include "base/sv.h"

#define SERVER_KINDS(X) \
/*	kind         name */ \
	X(unknown,     "unknown") \
	X(vsftpd,      "vsftpd") \
	X(proftpd,     "ProFTPD") \
	X(pureftpd,    "Pure-FTPd") \
	X(pyftpdlib,   "pyftpdlib") \
	X(sftpgo,      "SFTPGo") \
	X(filezilla,   "FileZilla Server") \
	X(wuftpd,      "wu-ftpd") \
	X(inetutils,   "GNU inetutils ftpd") \
	X(portcullis,  "Portcullis") \
	X(microsoft,   "Microsoft IIS FTP")

enum server_kind {
#define X(kind, name) SERVER_##kind,
	SERVER_KINDS(X)
#undef X
	SERVER_COUNT
};

/* Replies, whole: codes and line ends (CRLF or LF) included.  Empty: none. */
struct server_words {
	struct sv banner;
	struct sv syst;
	struct sv feat;
	struct sv help;
	struct sv stat;
};

#define SERVER_VERSION_MAX 32

struct server_known {
	enum server_kind kind;
	bool sure;			/* it names itself */
	char version[SERVER_VERSION_MAX];	/* "3.0.3"; "" when not told */
};

/* Never fails: what fits nothing is SERVER_unknown, with sure false. */
struct server_known server_recognise(const struct server_words *said);

/* "pureftpd", for programs; "Pure-FTPd", for people. */
const char *server_kind_name(enum server_kind kind);
const char *server_name(enum server_kind kind);

/* SERVER_unknown for a name that is none. */
enum server_kind server_kind_find(const char *kind_name);

/*
 * One line: which option in which file mends this on that server; or that it
 * has none, and what can be done instead.  Never NULL.
 */
const char *lore_mend(enum server_kind kind, enum audit_question q);
