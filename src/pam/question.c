/*
 * pam/question.c: see the header.
 *
 * Who is not to be let in whatever his password is (no such user, root, no
 * rule) is not asked about; PAM is asked about somebody who does not exist
 * instead, so that it has its work all the same, and nobody's password can
 * be tried out here whom this server is not for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <grp.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accounts/system.h"
#include "pam/question.h"

#define GROUPS_MAX 4096		/* of one user; others do not count */

/* Whom PAM is asked about in place of others, and what it is told. */
static const char nobody[] = "portcullis-no-such-user";
static const char no_password[] = "-";

/* ---- who he is, and which rule is his */

static bool
is_member(gid_t gid, const gid_t *groups, int n)
{
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static bool
rule_fits(const struct conf_rule *r, const gid_t *groups, int n)
{
	const struct group *g;

	if (strcmp(r->group, "*") == 0)
		return true;
	g = getgrnam(r->group);
	return g != NULL && is_member(g->gr_gid, groups, n);
}

/* The first that fits; -1: none. */
static int
find_rule(const struct conf *c, const char *user, gid_t gid)
{
	static gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;

	if (getgrouplist(user, gid, groups, &n) < 0)
		n = GROUPS_MAX;
	for (uint32_t i = 0; i < c->accounts_pam_rules.count; i++)
		if (rule_fits(&c->accounts_pam_rules.at[i], groups, n))
			return (int)i;
	return -1;
}

/*
 * -1: he is not one to be let in.  Some name services know ALICE as alice:
 * she would have as many directories and quotas as spellings.
 */
static int
rule_of(const struct conf *c, const char *user)
{
	const struct passwd *pw;

	if (!accounts_system_name_is_good(sv_of(user)))
		return -1;
	pw = getpwnam(user);
	if (pw == NULL || strcmp(pw->pw_name, user) != 0 || pw->pw_uid == 0 ||
	    pw->pw_uid < c->accounts_pam_least_uid)
		return -1;
	return find_rule(c, user, pw->pw_gid);
}

/* ---- PAM */

struct prompt {
	const char *password;
	bool given;
};

/* The one hidden prompt is the password's; another would be for a code. */
static bool
reply_to(const struct pam_message *m, struct pam_response *r,
    struct prompt *p)
{
	if (m->msg_style == PAM_TEXT_INFO || m->msg_style == PAM_ERROR_MSG)
		return true;
	if (m->msg_style != PAM_PROMPT_ECHO_OFF || p->given)
		return false;
	p->given = true;
	r->resp = strdup(p->password);
	return r->resp != NULL;
}

static void
forget(struct pam_response *r, int n)
{
	for (int i = 0; i < n; i++) {
		if (r[i].resp != NULL)
			explicit_bzero(r[i].resp, strlen(r[i].resp));
		free(r[i].resp);
	}
	free(r);
}

static int
converse(int n, const struct pam_message **m, struct pam_response **out,
    void *arg)
{
	struct pam_response *r;

	if (n <= 0 || n > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	if ((r = calloc((size_t)n, sizeof(*r))) == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < n; i++) {
		if (reply_to(m[i], &r[i], arg))
			continue;
		forget(r, n);
		return PAM_CONV_ERR;
	}
	*out = r;
	return PAM_SUCCESS;
}

/* The keeper waits, and better: for right and wrong ones alike. */
static void
no_delay(int status, unsigned us, void *arg)
{
	(void)status;
	(void)us;
	(void)arg;
}

/* What modules like to know; PAM_SUCCESS or why not. */
static int
tell(pam_handle_t *h, const struct addr *peer)
{
	char text[ADDR_TEXT_MAX];
	struct addr at = addr_unmap(*peer);
	int error = pam_set_item(h, PAM_RHOST, addr_format_ip(&at, text));

	if (error == PAM_SUCCESS)
		error = pam_set_item(h, PAM_TTY, "ftp");
	if (error == PAM_SUCCESS)
		error = pam_set_item(h, PAM_FAIL_DELAY,
		    (const void *)no_delay);
	return error;
}

/* A module may have found that he is somebody else: not here. */
static int
is_still(pam_handle_t *h, const char *user)
{
	const void *now = NULL;
	int error = pam_get_item(h, PAM_USER, &now);

	if (error == PAM_SUCCESS &&
	    (now == NULL || strcmp(now, user) != 0))
		error = PAM_USER_UNKNOWN;
	return error;
}

/* PAM's own number. */
static int
ask(const struct conf *c, const char *user, const char *password,
    const struct addr *peer)
{
	struct prompt prompt = { .password = password };
	struct pam_conv conv = { converse, &prompt };
	pam_handle_t *h = NULL;
	int error = pam_start(c->accounts_pam, user, &conv, &h);

	if (error != PAM_SUCCESS)
		return error;
	error = tell(h, peer);
	if (error == PAM_SUCCESS)
		error = pam_authenticate(h,
		    PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (error == PAM_SUCCESS)
		error = pam_acct_mgmt(h,
		    PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (error == PAM_SUCCESS)
		error = is_still(h, user);
	(void)pam_end(h, error);
	return error;
}

/* Not his fault, so that the operator should hear of it. */
static bool
is_trouble(int error)
{
	switch (error) {
	case PAM_SUCCESS:
	case PAM_AUTH_ERR:
	case PAM_CRED_INSUFFICIENT:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_ACCT_EXPIRED:
	case PAM_CRED_EXPIRED:
	case PAM_AUTHTOK_EXPIRED:
	case PAM_PERM_DENIED:
	case PAM_IGNORE:
		return false;
	default:
		return true;
	}
}

void
question_answer(const struct conf *c, struct system_question *q)
{
	char user[KEEPER_USER_MAX + 1] = "";
	int rule, error;

	memcpy(user, q->user, q->user_len);
	q->password[q->password_len] = '\0';
	rule = rule_of(c, user);
	error = ask(c, rule >= 0 ? user : nobody,
	    rule >= 0 ? q->password : no_password, &q->peer);
	explicit_bzero(q->password, sizeof(q->password));
	if (is_trouble(error))
		_exit(QUESTION_BROKEN | (error & 31));
	_exit(rule >= 0 && error == PAM_SUCCESS ? QUESTION_YES | rule :
	    QUESTION_NO);
}
