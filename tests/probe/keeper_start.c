/*
 * tests/probe/keeper_start.c: starts a keeper as the warden does, with the
 * descriptors that a test has made, so that the test can be its warden.
 *
 * usage: keeper_start PROGRAM WARDEN-FD ACCOUNTS-FD ROOT-FD [KEY=VALUE...]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/conf.h"
#include "ipc/inherit.h"

/* Above every number that is aimed at. */
#define SAFE 512

static int
number(const char *text)
{
	uint64_t n;

	if (!sv_number(sv_of(text), SAFE - 1, &n))
		exit(99);
	return fcntl((int)n, F_DUPFD_CLOEXEC, SAFE);
}

static int
configure(int argc, char **argv)
{
	static struct conf c;

	conf_init(&c);
	for (int i = 6; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL)
			exit(99);
		*value = '\0';
		if (conf_set(&c, argv[i], value + 1, argv[i], false,
		    stderr) != 0)
			exit(99);
	}
	return fcntl(conf_to_fd(&c), F_DUPFD_CLOEXEC, SAFE);
}

static void
put(int fd, int at)
{
	if (dup2(fd, at) < 0)
		exit(99);
}

int
main(int argc, char **argv)
{
	int warden, accounts, root, quota, conf;

	if (argc < 6)
		return 99;
	warden = number(argv[2]);
	accounts = number(argv[3]);
	root = number(argv[4]);
	quota = number(argv[5]);
	conf = configure(argc, argv);
	put(conf, INHERIT_CONF);
	put(warden, INHERIT_WARDEN);
	put(accounts, INHERIT_ACCOUNTS);
	put(root, INHERIT_ACCOUNTS_ROOT);
	put(quota, INHERIT_ACCOUNTS_QUOTA);
	close_range(INHERIT_KEEPER_END, ~0U, CLOSE_RANGE_CLOEXEC);
	execl(argv[1], "portcullis-keeper", "skip", (char *)NULL);
	perror(argv[1]);
	return 99;
}
