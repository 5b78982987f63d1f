/*
 * worker/rights.c: who may do what: one function, asked once for each command
 * before it is carried out, so that no two verbs differ in what they allow
 * (attack C10).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>

#include "worker/worker.h"

#define WRITING (ACCOUNTS_WRITE | ACCOUNTS_OVERWRITE | ACCOUNTS_DELETE | \
    ACCOUNTS_RENAME | ACCOUNTS_MAKE)
/* Who may fetch a file may know how long it is; who lists, sees it. */
#define SEEING (ACCOUNTS_LIST | ACCOUNTS_READ)

/*
 * Any of these will do; 0: nothing is needed.  There is no default, so that a
 * new verb has to be thought of here.
 */
static unsigned
needed(enum ftp_verb verb, struct sv arg)
{
	switch (verb) {
	case V_RETR:
	case V_HASH:
	case V_XCRC:
	case V_XMD5:
	case V_XSHA1:
	case V_XSHA256:
	case V_XSHA512:
		return ACCOUNTS_READ;
	case V_LIST:
	case V_MLSD:
	case V_NLST:
		return ACCOUNTS_LIST;
	case V_STAT:
		return arg.len > 0 ? ACCOUNTS_LIST : 0;
	case V_MDTM:
	case V_MLST:
		return SEEING;
	case V_SIZE:	/* also of what is being stored */
		return SEEING | ACCOUNTS_WRITE;
	case V_APPE:
	case V_STOR:
	case V_STOU:
		return ACCOUNTS_WRITE;
	case V_DELE:
	case V_RMD:
	case V_XRMD:
		return ACCOUNTS_DELETE;
	case V_MKD:
	case V_XMKD:
		return ACCOUNTS_MAKE;
	case V_MFMT:
		return ACCOUNTS_OVERWRITE;
	case V_RNFR:
		return ACCOUNTS_RENAME;
	case V_RNTO:	/* without RNFR it is 503 */
	case V_SITE:	/* each of its verbs asks rights_have */
	case V_ABOR:
	case V_ACCT:
	case V_ALLO:
	case V_AUTH:
	case V_CCC:
	case V_CDUP:
	case V_CLNT:
	case V_CPSV:
	case V_CSID:
	case V_CWD:
	case V_EPRT:
	case V_EPSV:
	case V_FEAT:
	case V_HELP:
	case V_HOST:
	case V_LANG:
	case V_LPRT:
	case V_LPSV:
	case V_MODE:
	case V_NOOP:
	case V_OPTS:
	case V_PASS:
	case V_PASV:
	case V_PBSZ:
	case V_PORT:
	case V_PROT:
	case V_PWD:
	case V_QUIT:
	case V_RANG:
	case V_REIN:
	case V_REST:
	case V_SMNT:
	case V_SPSV:
	case V_SSCN:
	case V_STRU:
	case V_SYST:
	case V_TYPE:
	case V_USER:
	case V_XCUP:
	case V_XCWD:
	case V_XPWD:
	case V_COUNT:
		break;
	}
	return 0;
}

bool
rights_allow(const struct sess *s, enum ftp_verb verb, struct sv arg)
{
	unsigned any = needed(verb, arg);

	/* Before login the commands that need a right are refused as such. */
	return any == 0 || !s->logged_in || (s->rights & any) != 0;
}

bool
rights_have(const struct sess *s, unsigned rights)
{
	return (s->rights & rights) == rights;
}

/* In the order of the alphabet; what no command would do is not promised. */
struct sv
rights_perm(unsigned rights, bool drop_box, mode_t mode, bool is_root,
    char room[RIGHTS_PERM_MAX])
{
	bool is_dir = S_ISDIR(mode);
	bool replaces = !drop_box && (rights & ACCOUNTS_WRITE) != 0 &&
	    (rights & ACCOUNTS_OVERWRITE) != 0;
	const struct {
		char letter;
		bool of_dir, holds;
	} all[] = {
		{ 'a', false, replaces },
		{ 'c', true, (rights & ACCOUNTS_WRITE) != 0 },
		{ 'd', is_dir, !is_root && (rights & ACCOUNTS_DELETE) != 0 },
		{ 'e', true, true },
		{ 'f', is_dir, !is_root && (rights & ACCOUNTS_RENAME) != 0 },
		{ 'l', true, (rights & ACCOUNTS_LIST) != 0 },
		{ 'm', true, (rights & ACCOUNTS_MAKE) != 0 },
		{ 'p', true, (rights & ACCOUNTS_DELETE) != 0 },
		{ 'r', false, (rights & ACCOUNTS_READ) != 0 },
		{ 'w', false, replaces },
	};
	size_t n = 0;

	static_assert(sizeof(all) / sizeof(all[0]) == RIGHTS_PERM_MAX,
	    "room for all");
	for (size_t i = 0; i < RIGHTS_PERM_MAX; i++)
		if (all[i].holds && all[i].of_dir == is_dir)
			room[n++] = all[i].letter;
	return (struct sv) { room, n };
}

bool
rights_write(const struct sess *s)
{
	return (s->rights & WRITING) != 0;
}

void
rights_refuse(struct sess *s)
{
	endpoint_void(s);
	restart_forget(s);
	if (s->user == NULL)
		reply(s, 550, "This archive is read-only.");
	else
		reply(s, 550, "This account may not do that.");
}
