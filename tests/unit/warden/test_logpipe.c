/*
 * A log's pipe: who never stops writing into it does not keep the warden.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "warden/warden.h"

#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

/* A pipe that is full again whenever somebody looks. */
static void
start(struct logpipe *p, struct loop *l)
{
	assert_true(loop_init(l));
	logpipe_init(p, l, "events");
	p->watch.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	p->file_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(p->watch.fd >= 0 && p->file_fd >= 0);
}

static void
test_drain_ends(void **state)
{
	struct logpipe p;
	struct loop l;

	(void)state;
	alarm(60);	/* else it would be for ever */
	for (int can_block = 0; can_block <= 1; can_block++) {
		start(&p, &l);
		p.can_block = can_block != 0;
		logpipe_drain(&p);
		logpipe_finish(&p);
		close(p.watch.fd);
		close(p.file_fd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drain_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
