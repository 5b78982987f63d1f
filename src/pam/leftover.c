/*
 * pam/leftover.c: see the header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pam/leftover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sv.h"

void
leftover_collect(void)
{
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static bool
is_question(pid_t pid, const pid_t *questions, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (questions[i] == pid)
			return true;
	return false;
}

/* Those that do not fit have their turn when these have ended. */
static struct sv
read_children(char *buf, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children",
	    (int)getpid());
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		n = read(fd, buf, size);
		close(fd);
	}
	return (struct sv) { buf, n > 0 ? (size_t)n : 0 };
}

void
leftover_end(const pid_t *questions, size_t n)
{
	char buf[4096];
	struct sv rest = read_children(buf, sizeof(buf));
	uint64_t pid;

	/* Each number has a blank behind it; a half one at the end has none. */
	while (rest.len > 0 && memchr(rest.ptr, ' ', rest.len) != NULL) {
		struct sv word = sv_take_field(&rest, ' ');

		if (!sv_number(word, INT32_MAX, &pid) || pid == 0 ||
		    is_question((pid_t)pid, questions, n))
			continue;
		kill((pid_t)pid, SIGKILL);
		(void)waitpid((pid_t)pid, NULL, WNOHANG);
	}
}
