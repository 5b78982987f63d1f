/*
 * keeper/doubt.c: accounts that nobody could log in to, said before he tries.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/inherit.h"
#include "keeper/keeper.h"

#define SAID_MOST 8	/* lines; the others are counted */

/* NULL: none. */
static const char *
doubt(const struct conf *c, const struct accounts_entry *e)
{
	bool by_certificate = accounts_needs_no_password(e);

	if (!accounts_is_open(e) && !by_certificate)
		return NULL;	/* on purpose */
	if (c->accounts_quota[0] == '\0' &&
	    (e->quota_bytes > 0 || e->quota_files > 0))
		return "it has a quota, and accounts.quota is not set";
	if (c->tls_certificate.count == 0 && e->tls != ACCOUNTS_TLS_OPTIONAL)
		return "it needs TLS, and there is no tls.certificate";
	if (c->tls_client_ca[0] == '\0' && e->certificates.len > 0)
		return "it needs a certificate, and tls.client_ca is not set";
	if (by_certificate &&
	    c->accounts_certificate_only == CONF_CERTIFICATE_NEVER)
		return "it has no password, and accounts.certificate_only is "
		    "no";
	return NULL;
}

void
doubt_accounts(const struct keeper *k)
{
	const char *file = k->conf.accounts_file, *why;
	size_t n = 0;

	for (size_t i = 0; i < k->accounts.count; i++) {
		why = doubt(&k->conf, &k->accounts.at[i]);
		if (why != NULL && n++ < SAID_MOST)
			log_line("%s:%u: this account cannot log in: %s",
			    file, k->accounts.at[i].line, why);
	}
	if (n > SAID_MOST)
		log_line("%s: %zu more accounts cannot log in", file,
		    n - SAID_MOST);
}

bool
doubt_quota(const struct keeper *k)
{
	const char *path = k->conf.accounts_quota;

	if (path[0] == '\0' || faccessat(INHERIT_ACCOUNTS_QUOTA, ".",
	    R_OK | W_OK | X_OK, AT_EACCESS) == 0)
		return true;
	log_line("accounts.quota: cannot write to %s as user %u: %s; it has "
	    "to belong to keeper.user", path, (unsigned)geteuid(),
	    strerror(errno));
	return false;
}
