/*
 * conf/conf_check.c: what no key can know alone.
 *
 * These are questions about the machine and about keys together, asked once
 * before anything is started; who opens the archive for good asks again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "conf/conf_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Fewer ports than this are used up by a handful of clients. */
#define PASSIVE_PORTS_LEAST 16

static int
check_archive(const struct conf *c, const struct conf_where *w)
{
	char quoted[CONF_QUOTE_MAX];
	int fd;

	if (c->archive[0] == '\0') {
		conf_problem(w, "archive",
		    "not set; name the directory to serve");
		return 1;
	}
	fd = open(c->archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1) {
		conf_problem(w, "archive", "cannot open %s: %s",
		    conf_quote(sv_of(c->archive), quoted), strerror(errno));
		return 1;
	}
	close(fd);
	return 0;
}

static int
check_listen(const struct conf *c, const struct conf_where *w)
{
	const struct conf_listen *l = &c->listen;
	char buf[ADDR_TEXT_MAX];
	int problems = 0;

	for (uint32_t i = 0; i < l->count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (l->at[i].port == 0 ||
			    l->at[i].port != l->at[j].port ||
			    !addr_same_ip(&l->at[i], &l->at[j]))
				continue;
			conf_problem(w, "listen", "%s is given twice",
			    addr_format(&l->at[i], buf));
			problems++;
			break;
		}
	}
	return problems;
}

static int
check_passive(const struct conf *c, const struct conf_where *w)
{
	const struct conf_range *p = &c->passive_ports;
	char buf[ADDR_TEXT_MAX];
	int problems = 0;

	if (p->high - p->low + 1 < PASSIVE_PORTS_LEAST) {
		conf_problem(w, "passive.ports",
		    "%u-%u are too few; give %d ports or more", p->low,
		    p->high, PASSIVE_PORTS_LEAST);
		problems++;
	}
	for (uint32_t i = 0; i < c->listen.count; i++) {
		const struct addr *a = &c->listen.at[i];

		if (a->port < p->low || a->port > p->high)
			continue;
		conf_problem(w, "passive.ports",
		    "%u-%u holds the port of the listener %s", p->low,
		    p->high, addr_format(a, buf));
		problems++;
	}
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

/* Both files say who fetched what: they are not for the public. */
static int
check_log(const struct conf *c, const char *key, const char *path,
    const struct conf_where *w)
{
	char *root = realpath(c->archive, NULL), *place = place_of(path);
	char quoted[CONF_QUOTE_MAX];
	bool inside;

	inside = root != NULL && place != NULL && is_beneath(place, root);
	if (inside)
		conf_problem(w, key,
		    "%s is in the archive, where everyone could read it",
		    conf_quote(sv_of(path), quoted));
	free(root);
	free(place);
	return inside ? 1 : 0;
}

static int
check_logs(const struct conf *c, const struct conf_where *w)
{
	int problems = 0;

	if (c->events[0] != '\0' && strcmp(c->events, "-") != 0)
		problems += check_log(c, "events", c->events, w);
	if (strcmp(c->xferlog, "-") == 0) {
		conf_problem(w, "xferlog",
		    "\"-\" is not a file; only events go to standard output");
		problems++;
	} else if (c->xferlog[0] != '\0')
		problems += check_log(c, "xferlog", c->xferlog, w);
	return problems;
}

int
conf_check(const struct conf *c, FILE *err)
{
	struct conf_where w = { .err = err };

	return check_archive(c, &w) + check_listen(c, &w) +
	    check_passive(c, &w) + check_logs(c, &w) +
	    conf_check_limits(c, &w);
}
