/*
 * The board: what is read is one whole writing of it, however fast it is
 * written; and nobody but its maker can write it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/board.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

struct fixture {
	struct board *board;
	int fd;
	struct board_view view;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_true(board_new(&f->board, &f->fd));
	assert_true(board_view_init(&f->view, f->fd));
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	munmap(f->board, sizeof(*f->board));
	munmap((void *)(uintptr_t)f->view.board, sizeof(*f->board));
	close(f->fd);
	free(f);
	return 0;
}

/* Every byte of it is n's: a mixture of two would show. */
static struct board_content
content_of(unsigned n)
{
	struct board_content c;

	memset(&c, (int)(n % 256), sizeof(c));
	return c;
}

static bool
is_whole(const struct board_content *c)
{
	struct board_content same = content_of(*(const unsigned char *)c);

	return memcmp(c, &same, sizeof(same)) == 0;
}

static void
a_new_board_is_empty(void **state)
{
	struct fixture *f = *state;
	const struct board_content *c = board_look(&f->view);

	assert_int_equal(c->downtime, BOARD_UP);
	assert_int_equal(c->text_len, 0);
	assert_int_equal(c->passive[0].at.family, ADDR_NONE);
	assert_true(is_whole(c));
}

static void
an_address_is_found_by_its_name(void **state)
{
	struct fixture *f = *state;
	struct board_content c = { .passive = { [3] = {
	    .name = board_name("ftp.example.org"),
	    .at = { .ip = { 203, 0, 113, 5 }, .family = ADDR_V4 } } } };
	struct addr at;

	board_write(f->board, &c);
	at = board_address(board_look(&f->view), "ftp.example.org");
	assert_memory_equal(&at, &c.passive[3].at, sizeof(at));
	at = board_address(board_look(&f->view), "ftp.example.com");
	assert_int_equal(at.family, ADDR_NONE);
	at = board_address(board_look(&f->view), "");
	assert_int_equal(at.family, ADDR_NONE);
}

static void
what_is_written_is_seen(void **state)
{
	struct fixture *f = *state;

	for (unsigned n = 1; n < 600; n++) {
		struct board_content c = content_of(n);

		board_write(f->board, &c);
		assert_memory_equal(board_look(&f->view), &c, sizeof(c));
		assert_memory_equal(board_look(&f->view), &c, sizeof(c));
	}
}

/* A writer that stops in the middle, for ever: what was whole stays. */
static void
a_torn_writing_is_not_seen(void **state)
{
	struct fixture *f = *state;
	struct board_content c = content_of(7);

	board_write(f->board, &c);
	board_look(&f->view);
	f->board->sequence++;
	f->board->word[3] = 0;
	assert_memory_equal(board_look(&f->view), &c, sizeof(c));
	f->board->word[3] = UINT64_C(0x0707070707070707);
	f->board->sequence++;
	assert_memory_equal(board_look(&f->view), &c, sizeof(c));
}

struct race {
	struct fixture *f;
	atomic_bool over;
	unsigned looks, changes, torn;
};

static void *
look_all_the_time(void *arg)
{
	struct race *r = arg;
	uint32_t last = 0;

	while (!atomic_load(&r->over)) {
		const struct board_content *c = board_look(&r->f->view);

		r->looks++;
		r->torn += !is_whole(c);
		r->changes += r->f->view.sequence != last;
		last = r->f->view.sequence;
	}
	return NULL;
}

static void
a_reader_beside_the_writer_sees_no_mixture(void **state)
{
	struct race r = { .f = *state };
	pthread_t reader;
	unsigned n = 0;

	assert_int_equal(pthread_create(&reader, NULL, look_all_the_time, &r),
	    0);
	/* Pauses, so that the reader has its turn on one processor, too. */
	for (; n < 100000; n++) {
		struct board_content c = content_of(n);

		board_write(r.f->board, &c);
		if (n % 16 == 0)
			sched_yield();
	}
	atomic_store(&r.over, true);
	pthread_join(reader, NULL);
	assert_int_equal(r.torn, 0);
	assert_true(r.looks > 0);
	assert_int_equal(*(const unsigned char *)board_look(&r.f->view),
	    (n - 1) % 256);
}

static void
nobody_else_can_write_it(void **state)
{
	struct fixture *f = *state;
	size_t size = sizeof(struct board);

	assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    f->fd, 0), MAP_FAILED);
	assert_int_equal(mprotect((void *)(uintptr_t)f->view.board, size,
	    PROT_READ | PROT_WRITE), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(pwrite(f->fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(f->fd, 0), -1);
	assert_int_equal(ftruncate(f->fd, 1 << 20), -1);
	assert_int_equal(fcntl(f->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void
another_file_is_no_board(void **state)
{
	struct board_view v;
	int ends[2], fd;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_false(board_view_init(&v, ends[0]));
	close(ends[0]);
	close(ends[1]);
	assert_false(board_view_init(&v, -1));
	fd = memfd_create("other", 0);
	assert_int_equal(ftruncate(fd, sizeof(struct board)), 0);
	assert_false(board_view_init(&v, fd));
	assert_int_equal(errno, EINVAL);
	close(fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_new_board_is_empty),
		TEST(an_address_is_found_by_its_name),
		TEST(what_is_written_is_seen),
		TEST(a_torn_writing_is_not_seen),
		TEST(a_reader_beside_the_writer_sees_no_mixture),
		TEST(nobody_else_can_write_it),
		cmocka_unit_test(another_file_is_no_board),
	};

	return RUN(tests);
}
