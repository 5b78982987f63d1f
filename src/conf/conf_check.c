/*
 * conf/conf_check.c: what no key can know alone.
 *
 * These are questions about the machine and about keys together, asked once
 * before anything is started; who opens the archive for good asks again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"
#include "conf/conf_limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hostname.h"

/* Fewer ports than this are used up by a handful of clients. */
#define PASSIVE_PORTS_LEAST 16

static int
check_directory(const char *key, const char *path, const struct conf_where *w)
{
	char quoted[CONF_QUOTE_MAX];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1) {
		conf_problem(w, key, "cannot open %s: %s",
		    conf_quote(sv_of(path), quoted), strerror(errno));
		return 1;
	}
	close(fd);
	return 0;
}

static int
check_archives(const struct conf *c, const struct conf_where *w)
{
	int problems = 0;

	if (c->archive[0] == '\0') {
		conf_problem(w, "archive",
		    "not set; name the directory to serve");
		problems++;
	} else {
		problems += check_directory("archive", c->archive, w);
	}
	for (uint32_t i = 0; i < c->sites.count; i++)
		problems += check_directory("site", c->sites.at[i].root, w);
	return problems;
}

/* others: listeners of another key; NULL: none. */
static int
check_listeners(const char *key, const struct conf_listen *l,
    const struct conf_listen *others, const struct conf_where *w)
{
	char buf[ADDR_TEXT_MAX];
	int problems = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct addr *a = &l->at[i];

		/* Port 0 is another one each time. */
		if (a->port == 0 || (!addr_is_in(l->at, i, a) &&
		    (others == NULL ||
		    !addr_is_in(others->at, others->count, a))))
			continue;
		conf_problem(w, key, "%s is given twice",
		    addr_format(a, buf));
		problems++;
	}
	return problems;
}

static int
check_listen(const struct conf *c, const struct conf_where *w)
{
	int problems = check_listeners("listen", &c->listen, NULL, w) +
	    check_listeners("tls.listen", &c->tls_listen, &c->listen, w);

	if (c->listen.count + c->tls_listen.count > CONF_LISTEN_MAX) {
		conf_problem(w, "tls.listen", "with listen these are more "
		    "than %d", CONF_LISTEN_MAX);
		problems++;
	}
	return problems;
}

static int
check_overlap(const char *key, const struct conf_listen *l, uint32_t low,
    uint32_t high, const struct conf_where *w)
{
	char buf[ADDR_TEXT_MAX];
	int problems = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		const struct addr *a = &l->at[i];

		if (a->port < low || a->port > high)
			continue;
		conf_problem(w, key,
		    "%u-%u holds the port of the listener %s", low, high,
		    addr_format(a, buf));
		problems++;
	}
	return problems;
}

/* Ports for passive data connections, whichever key has them. */
static int
check_ports(const struct conf *c, const char *key, uint32_t low,
    uint32_t high, const struct conf_where *w)
{
	int problems = check_overlap(key, &c->listen, low, high, w) +
	    check_overlap(key, &c->tls_listen, low, high, w);

	if (high - low + 1 < PASSIVE_PORTS_LEAST) {
		conf_problem(w, key,
		    "%u-%u are too few; give %d ports or more", low, high,
		    PASSIVE_PORTS_LEAST);
		problems++;
	}
	return problems;
}

static int
check_ports_at(const struct conf *c, uint32_t i, const struct conf_where *w)
{
	const struct conf_ports_at *l = &c->passive_ports_at;
	const struct passive_ports *p = &l->at[i];
	char buf[ADDR_TEXT_MAX];
	int problems = check_ports(c, "passive.ports_at", p->low, p->high, w);

	if (!addr_is_in(c->listen.at, c->listen.count, &p->at) &&
	    !addr_is_in(c->tls_listen.at, c->tls_listen.count, &p->at)) {
		conf_problem(w, "passive.ports_at",
		    "%s is not in listen", addr_format(&p->at, buf));
		problems++;
	}
	for (uint32_t j = 0; j < i; j++) {
		if (!addr_same(&l->at[j].at, &p->at))
			continue;
		conf_problem(w, "passive.ports_at", "%s is given twice",
		    addr_format(&p->at, buf));
		problems++;
		break;
	}
	return problems;
}

static int
check_passive(const struct conf *c, const struct conf_where *w)
{
	const struct conf_range *p = &c->passive_ports;
	int problems = check_ports(c, "passive.ports", p->low, p->high, w);

	for (uint32_t i = 0; i < c->passive_ports_at.count; i++)
		problems += check_ports_at(c, i, w);
	return problems;
}

/*
 * Where a file is or would be made, without links: the file when it exists,
 * its directory when it does not.
 */
static char *
place_of(const char *path)
{
	char parent[PATH_MAX];
	char *place = realpath(path, NULL), *slash;

	if (place != NULL || strlen(path) >= sizeof(parent))
		return place;
	memcpy(parent, path, strlen(path) + 1);
	slash = strrchr(parent, '/');
	if (slash == NULL)
		return realpath(".", NULL);
	slash[slash == parent ? 1 : 0] = '\0';
	return realpath(parent, NULL);
}

static bool
is_beneath(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (strcmp(root, "/") == 0)
		return true;
	return strncmp(path, root, n) == 0 &&
	    (path[n] == '\0' || path[n] == '/');
}

static bool
is_in(const char *place, const char *archive)
{
	char *root = realpath(archive, NULL);
	bool inside = root != NULL && is_beneath(place, root);

	free(root);
	return inside;
}

/*
 * The logs say who fetched what, the store what a file once was: none of
 * them is for the public.  Nor shall it be able to make the file that closes
 * the server.
 */
static int
check_outside(const struct conf *c, const char *key, const char *path,
    const struct conf_where *w)
{
	char *place = place_of(path), quoted[CONF_QUOTE_MAX];
	bool inside = place != NULL && is_in(place, c->archive);

	for (uint32_t i = 0; i < c->sites.count && place != NULL; i++)
		inside = inside || is_in(place, c->sites.at[i].root);
	if (inside)
		conf_problem(w, key,
		    "%s is in the archive, which is for everyone",
		    conf_quote(sv_of(path), quoted));
	free(place);
	return inside ? 1 : 0;
}

static int
check_logs(const struct conf *c, const struct conf_where *w)
{
	int problems = 0;

	if (c->events[0] != '\0' && strcmp(c->events, "-") != 0)
		problems += check_outside(c, "events", c->events, w);
	if (strcmp(c->xferlog, "-") == 0) {
		conf_problem(w, "xferlog",
		    "\"-\" is not a file; only events go to standard output");
		problems++;
	} else if (c->xferlog[0] != '\0')
		problems += check_outside(c, "xferlog", c->xferlog, w);
	if (c->hash_store[0] != '\0')
		problems += check_outside(c, "hash.store", c->hash_store, w);
	return problems;
}

/* A file that is read before the first session, and is not for everyone. */
static int
check_file(const struct conf *c, const char *key, const char *path,
    const struct conf_where *w)
{
	char quoted[CONF_QUOTE_MAX];
	int fd;

	if (path[0] == '\0')
		return 0;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1) {
		conf_problem(w, key, "cannot open %s: %s",
		    conf_quote(sv_of(path), quoted), strerror(errno));
		return 1;
	}
	close(fd);
	return check_outside(c, key, path, w);
}

static int
check_not_written(const struct conf *c, const char *key, const char *path,
    const struct conf_where *w)
{
	char *place = c->accounts_root[0] == '\0' ? NULL : place_of(path);
	bool inside = place != NULL && is_in(place, c->accounts_root);

	if (inside)
		conf_problem(w, key,
		    "it is in accounts.root, beneath which accounts write");
	free(place);
	return inside ? 1 : 0;
}

/* Who could write there would have as much as he likes. */
static int
check_quota(const struct conf *c, const struct conf_where *w)
{
	const char *key = "accounts.quota", *path = c->accounts_quota;

	return path[0] == '\0' ? 0 : check_directory(key, path, w) +
	    check_outside(c, key, path, w) +
	    check_not_written(c, key, path, w);
}

/* Who may fetch or replace the account file is everybody who is in it. */
static int
check_accounts(const struct conf *c, const struct conf_where *w)
{
	const char *key = "accounts.file", *path = c->accounts_file;
	int problems = 0;

	if (path[0] == '\0')
		return 0;
	if (c->accounts_root[0] == '\0') {
		conf_problem(w, "accounts.root",
		    "not set; name the directory that holds those of "
		    "accounts.file");
		return 1;
	}
	if (c->accounts_tls == CONF_ACCOUNTS_TLS_REQUIRED &&
	    c->tls_certificate.count == 0) {
		conf_problem(w, "accounts.tls", "required, and there is no "
		    "tls.certificate: nobody could log in");
		problems++;
	}
	return problems +
	    check_directory("accounts.root", c->accounts_root, w) +
	    check_file(c, key, path, w) + check_not_written(c, key, path, w) +
	    check_quota(c, w);
}

static bool
is_a_site(const struct conf *c, struct sv name)
{
	for (uint32_t i = 0; i < c->sites.count; i++)
		if (hostname_is_in(sv_of(c->sites.at[i].names), name))
			return true;
	return false;
}

static int
check_certificate(const struct conf *c, const struct conf_cert *cert,
    const struct conf_where *w)
{
	const char *key = "tls.certificate";
	int problems = check_file(c, key, cert->chain, w) +
	    check_file(c, key, cert->key, w) +
	    check_file(c, key, cert->ocsp, w);

	if (cert->site[0] != '\0' && !is_a_site(c, sv_of(cert->site))) {
		conf_problem(w, key, "there is no site %s", cert->site);
		problems++;
	}
	return problems;
}

/* What asks for something that another key would have to give. */
static int
check_needs(const char *key, bool is_set, bool has, const char *what,
    const struct conf_where *w)
{
	if (!is_set || has)
		return 0;
	conf_problem(w, key, "there is no %s", what);
	return 1;
}

static int
check_client_certificates(const struct conf *c, const struct conf_where *w)
{
	bool has_ca = c->tls_client_ca[0] != '\0';

	return check_file(c, "tls.client_ca", c->tls_client_ca, w) +
	    check_file(c, "tls.client_crl", c->tls_client_crl, w) +
	    check_needs("tls.client_ca", has_ca, conf_has_tls(c),
	    "TLS (tls.certificate, tls.control)", w) +
	    check_needs("tls.client_crl", c->tls_client_crl[0] != '\0', has_ca,
	    "tls.client_ca", w) +
	    check_needs("accounts.certificate_only",
	    c->accounts_certificate_only != CONF_CERTIFICATE_NEVER, has_ca,
	    "tls.client_ca", w);
}

/* Of a class, or of everyone; false: it said what does not fit. */
static bool
policy_fits(const struct conf *c, int class, unsigned minute,
    const struct conf_where *w)
{
	struct conf_limits l = conf_limits(c, class, minute);
	bool none = c->tls_certificate.count == 0;
	bool data = l.of[LIMIT_tls_data] == CONF_TLS_REQUIRED;
	const char *key = "tls.data", *why = NULL;

	if (data && l.of[LIMIT_tls_control] == CONF_TLS_OFF)
		why = "tls.control is off";
	else if (none && (data ||
	    l.of[LIMIT_tls_control] == CONF_TLS_REQUIRED))
		why = "there is no tls.certificate";
	if (why == NULL)
		return true;
	if (!data)
		key = "tls.control";
	conf_problem(w, key, "%s%srequired, and %s",
	    class < 0 ? "" : c->classes.at[class].name,
	    class < 0 ? "" : ": ", why);
	return false;
}

/* At each time of the day at which something changes. */
static int
check_policy(const struct conf *c, int class, const struct conf_where *w)
{
	if (!policy_fits(c, class, 0, w))
		return 1;
	for (uint32_t i = 0; i < c->steps.count; i++)
		if (!policy_fits(c, class, c->steps.at[i].minute, w))
			return 1;
	return 0;
}

static int
check_tls(const struct conf *c, const struct conf_where *w)
{
	bool none = c->tls_certificate.count == 0;
	int problems = 0;

	for (uint32_t i = 0; i < c->tls_certificate.count; i++)
		problems += check_certificate(c, &c->tls_certificate.at[i], w);
	for (int i = CONF_NO_CLASS; i < (int)c->classes.count; i++)
		problems += check_policy(c, i, w);
	if (c->tls_listen.count > 0 && !conf_has_tls(c)) {
		conf_problem(w, "tls.listen", none ?
		    "there is no tls.certificate" : "tls.control is off");
		problems++;
	}
	return problems + check_client_certificates(c, w);
}

/* Uploaders shall not be able to put another in its place. */
static int
check_notify(const struct conf *c, const struct conf_where *w)
{
	const char *key = "upload.notify", *path = c->upload_notify;
	struct sockaddr_un un;
	bool is_socket = strncmp(path, CONF_NOTIFY_UNIX,
	    strlen(CONF_NOTIFY_UNIX)) == 0;
	char quoted[CONF_QUOTE_MAX];

	if (path[0] == '\0')
		return 0;
	if (is_socket)
		path += strlen(CONF_NOTIFY_UNIX);
	if (path[0] != '/' || (is_socket &&
	    strlen(path) >= sizeof(un.sun_path))) {
		conf_problem(w, key, "%s is neither the absolute path of a "
		    "program nor of a socket, behind \"unix:\", of at most "
		    "%zu bytes", conf_quote(sv_of(path), quoted),
		    sizeof(un.sun_path) - 1);
		return 1;
	}
	if (!is_socket && access(path, X_OK) != 0) {
		conf_problem(w, key, "cannot run %s: %s",
		    conf_quote(sv_of(path), quoted), strerror(errno));
		return 1;
	}
	return check_outside(c, key, path, w) +
	    check_not_written(c, key, path, w);
}

/* "/a/b", and nothing that path resolution would have to think about. */
static bool
is_plain_path(struct sv path)
{
	if (!sv_take(&path, '/'))
		return false;
	do {
		struct sv name = sv_take_field(&path, '/');

		if (name.len == 0 || sv_eq(name, SV(".")) ||
		    sv_eq(name, SV("..")))
			return false;
	} while (path.len > 0);
	return true;
}

/* The archive itself is none: it would hide all that there is. */
static int
check_box(const struct conf *c, const struct conf_where *w)
{
	const char *key = "anonymous.upload", *box = c->anonymous_upload;
	char path[2 * PATH_MAX], quoted[CONF_QUOTE_MAX];

	if (box[0] == '\0' || c->archive[0] == '\0')
		return 0;
	if (!is_plain_path(sv_of(box)) || box[strlen(box) - 1] == '/') {
		conf_problem(w, key, "%s is no path as clients see it, such "
		    "as /incoming", conf_quote(sv_of(box), quoted));
		return 1;
	}
	snprintf(path, sizeof(path), "%s%s", c->archive, box);
	return check_directory(key, path, w);
}

int
conf_check(const struct conf *c, FILE *err)
{
	struct conf_where w = { .err = err };

	return check_archives(c, &w) + check_listen(c, &w) +
	    check_passive(c, &w) + check_logs(c, &w) +
	    conf_check_limits(c, &w) + check_accounts(c, &w) +
	    check_tls(c, &w) + check_box(c, &w) + check_notify(c, &w) +
	    (c->downtime[0] == '\0' ? 0 :
	    check_outside(c, "downtime", c->downtime, &w));
}
