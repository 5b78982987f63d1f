/*
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static struct loop loop;

/* What happened, in order, one letter each. */
static char trace[256];
static size_t trace_len;

static void
note(char letter)
{
	assert_true(trace_len + 1 < sizeof(trace));
	trace[trace_len++] = letter;
	trace[trace_len] = '\0';
}

static int
loop_begin(void **state)
{
	(void)state;
	trace_len = 0;
	trace[0] = '\0';
	alarm(20);
	return loop_init(&loop) ? 0 : -1;
}

static int
loop_end(void **state)
{
	(void)state;
	loop_free(&loop);
	alarm(0);
	return 0;
}

static void
run(void)
{
	loop.stop = false;
	loop_run(&loop);
}

/* ---- timers ---- */

struct alarm_clock {
	struct loop_timer timer;
	char letter;
	unsigned fired;
	uint64_t fired_ms, due_ms;
	struct alarm_clock *stops;	/* another, when this one fires */
};

static size_t clocks_left;

static void
fire(struct loop_timer *t)
{
	struct alarm_clock *c = LOOP_OWNER(t, struct alarm_clock, timer);

	c->fired++;
	c->fired_ms = loop.now_ms;
	if (c->letter != '\0')
		note(c->letter);
	if (c->stops != NULL)
		loop_timer_stop(&loop, &c->stops->timer);
	if (--clocks_left == 0)
		loop.stop = true;
}

static void
set(struct alarm_clock *c, uint64_t delay_ms)
{
	c->timer.fire = fire;
	c->due_ms = loop.now_ms + delay_ms;
	loop_timer_set(&loop, &c->timer, delay_ms);
}

static void
timers_fire_in_their_order(void **state)
{
	struct alarm_clock a = { .letter = 'a' }, b = { .letter = 'b' };
	struct alarm_clock c = { .letter = 'c' }, d = { .letter = 'd' };

	(void)state;
	set(&c, 15);
	set(&a, 1);
	set(&d, 25);
	set(&b, 8);
	clocks_left = 4;
	run();
	assert_string_equal(trace, "abcd");
	assert_int_equal(loop.heap_len, 0);
}

static void
a_timer_moves_both_ways(void **state)
{
	struct alarm_clock a = { .letter = 'a' }, b = { .letter = 'b' };
	struct alarm_clock c = { .letter = 'c' };

	(void)state;
	set(&a, 2);
	set(&b, 10);
	set(&c, 60000);
	set(&a, 20);	/* later, and it stays where it was in the heap */
	set(&c, 1);	/* earlier */
	set(&a, 30);
	set(&a, 25);	/* earlier than last time, later than at first */
	clocks_left = 3;
	run();
	assert_string_equal(trace, "cba");
	assert_true(a.fired_ms >= a.due_ms);
}

static void
a_stopped_timer_does_not_fire(void **state)
{
	struct alarm_clock a = { .letter = 'a' }, b = { .letter = 'b' };
	struct alarm_clock c = { .letter = 'c' };

	(void)state;
	set(&a, 1);
	set(&b, 1);
	set(&c, 10);
	a.stops = &b;	/* in the very turn that would have fired it */
	b.stops = &a;
	loop_timer_stop(&loop, &c.timer);
	loop_timer_stop(&loop, &c.timer); /* twice is once */
	set(&c, 5);
	clocks_left = 2;
	run();
	assert_int_equal(a.fired + b.fired, 1);
	assert_int_equal(c.fired, 1);
	assert_int_equal(loop.heap_len, 0);
}

/* None stands before one that is due earlier: else it would be late. */
static void
check_heap(void)
{
	for (size_t slot = 2; slot <= loop.heap_len; slot++)
		if (loop.heap[slot / 2 - 1]->key_ms >
		    loop.heap[slot - 1]->key_ms)
			fail_msg("slot %zu of %zu", slot, loop.heap_len);
}

/* Set, moved and stopped at random, against a plain table of what is due. */
static void
many_timers_keep_their_time(void **state)
{
	enum { CLOCKS = 700, CHANGES = 20000 };
	static struct alarm_clock clocks[CLOCKS];
	static bool is_set[CLOCKS];

	(void)state;
	memset(clocks, 0, sizeof(clocks));
	memset(is_set, 0, sizeof(is_set));
	srand(959);
	for (int i = 0; i < CHANGES; i++) {
		int k = rand() % CLOCKS;

		is_set[k] = rand() % 3 != 0;
		if (is_set[k])
			set(&clocks[k], 1 + (uint64_t)rand() % 60);
		else
			loop_timer_stop(&loop, &clocks[k].timer);
		check_heap();
	}
	clocks_left = 0;
	for (int k = 0; k < CLOCKS; k++)
		clocks_left += is_set[k];
	assert_int_equal(loop.heap_len, clocks_left);
	run();
	for (int k = 0; k < CLOCKS; k++) {
		assert_int_equal(clocks[k].fired, is_set[k]);
		if (!is_set[k])
			continue;
		assert_true(clocks[k].fired_ms >= clocks[k].due_ms);
		/* Never late by more than a busy machine explains. */
		assert_true(clocks[k].fired_ms < clocks[k].due_ms + 5000);
	}
	assert_int_equal(loop.heap_len, 0);
}

/* ---- descriptors ---- */

struct end {
	struct loop_watch watch;
	int other;		/* of the pipe, to write into */
	char letter;
	uint32_t seen;
	struct end *unwatches;	/* another, when this one is ready */
};

static void
ready(struct loop_watch *w, uint32_t events)
{
	struct end *e = LOOP_OWNER(w, struct end, watch);

	e->seen = events;
	note(e->letter);
	if (e->unwatches != NULL)
		loop_unwatch(&loop, &e->unwatches->watch);
	loop.stop = true;
}

static void
end_open(struct end *e, char letter, uint32_t events)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	*e = (struct end) { .watch = { .fd = fds[0], .ready = ready },
		.other = fds[1], .letter = letter };
	assert_true(loop_watch(&loop, &e->watch, events));
}

static void
end_close(struct end *e)
{
	loop_unwatch(&loop, &e->watch);
	close(e->watch.fd);
	if (e->other >= 0)
		close(e->other);
}

static void
push(struct end *e)
{
	assert_int_equal(write(e->other, "x", 1), 1);
}

static void
what_is_ready_is_called(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, 'a', EPOLLIN);
	end_open(&b, 'b', EPOLLIN);
	push(&b);
	run();
	assert_string_equal(trace, "b");
	assert_int_equal(b.seen, EPOLLIN);
	/* Not read: it is ready still. */
	run();
	assert_string_equal(trace, "bb");
	loop_unwatch(&loop, &b.watch);
	loop_unwatch(&loop, &b.watch);
	push(&a);
	run();
	assert_string_equal(trace, "bba");
	close(a.other);
	a.other = -1;
	run();
	assert_int_equal(a.seen, EPOLLIN | EPOLLHUP);
	end_close(&a);
	end_close(&b);
}

/* Both are ready in one turn; the first to be called takes the other out. */
static void
an_unwatched_one_is_not_called_any_more(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, 'a', EPOLLIN);
	end_open(&b, 'b', EPOLLIN);
	a.unwatches = &b;
	b.unwatches = &a;
	push(&a);
	push(&b);
	run();
	assert_int_equal(strlen(trace), 1);
	end_close(&a);
	end_close(&b);
}

static void
what_is_watched_can_change(void **state)
{
	struct alarm_clock c = { .letter = 't' };
	struct end a;

	(void)state;
	end_open(&a, 'a', EPOLLIN);
	push(&a);
	loop_rewatch(&loop, &a.watch, 0);
	assert_int_equal(a.watch.events, 0);
	set(&c, 5);
	clocks_left = 1;
	run();
	loop_rewatch(&loop, &a.watch, EPOLLIN);
	run();
	assert_string_equal(trace, "ta");
	end_close(&a);
}

static void
what_cannot_be_watched_is_refused(void **state)
{
	struct loop_watch w = { .ready = ready };
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	w.fd = fileno(f);
	assert_false(loop_watch(&loop, &w, EPOLLIN));
	assert_int_equal(errno, EPERM);
	fclose(f);
	w.fd = -1;
	assert_false(loop_watch(&loop, &w, EPOLLIN));
	assert_int_equal(errno, EBADF);
}

/* A process that holds a copy of our descriptor must not keep it alive. */
static void
a_copy_elsewhere_stays_silent(void **state)
{
	struct alarm_clock c = { .letter = 't' };
	struct end a;
	int copy;

	(void)state;
	end_open(&a, 'a', EPOLLIN);
	copy = dup(a.watch.fd);
	push(&a);
	end_close(&a);
	set(&c, 5);
	clocks_left = 1;
	run();
	assert_string_equal(trace, "t");
	close(copy);
}

static void
a_closed_one_is_silent(void **state)
{
	struct alarm_clock c = { .letter = 't' };
	struct end a;

	(void)state;
	end_open(&a, 'a', EPOLLIN);
	push(&a);
	loop_close(&a.watch);
	assert_int_equal(a.watch.fd, -1);
	close(a.other);
	set(&c, 5);
	clocks_left = 1;
	run();
	assert_string_equal(trace, "t");
}

/* ---- a turn ---- */

struct owner {
	struct loop_grave grave;
	struct end end;
};

static void
release(struct loop_grave *g)
{
	note('r');
	free(LOOP_OWNER(g, struct owner, grave));
}

static struct owner *owners[2];

/* Whoever comes first buries both; the other's event is still to come. */
static void
bury_both(struct loop_watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	note('x');
	for (size_t i = 0; i < COUNT(owners); i++) {
		end_close(&owners[i]->end);
		loop_bury(&loop, &owners[i]->grave, release);
	}
	loop.stop = true;
}

static void
flush(void *arg)
{
	assert_ptr_equal(arg, owners);
	note('f');
}

static void
the_buried_live_until_the_turn_is_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(owners); i++) {
		owners[i] = calloc(1, sizeof(*owners[i]));
		assert_non_null(owners[i]);
		end_open(&owners[i]->end, 'x', EPOLLIN);
		owners[i]->end.watch.ready = bury_both;
		push(&owners[i]->end);
	}
	loop.flush = flush;
	loop.flush_arg = owners;
	run();
	assert_string_equal(trace, "xfrr");
}

static void
each_turn_is_flushed_once_and_last(void **state)
{
	struct alarm_clock c = { .letter = 't' };
	struct end a;

	(void)state;
	loop.flush = flush;
	loop.flush_arg = owners;
	end_open(&a, 'a', EPOLLIN);
	push(&a);
	set(&c, 1);
	usleep(5000);	/* so that both are due in the first turn */
	clocks_left = 1;
	run();
	assert_string_equal(trace, "atf");
	run();
	assert_string_equal(trace, "atfaf");
	end_close(&a);
}

static void
free_may_come_twice(void **state)
{
	struct loop none = { .epoll_fd = -1 };

	(void)state;
	loop_free(&none);
	loop_free(&none);
	assert_int_equal(none.epoll_fd, -1);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, loop_begin, loop_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_their_order),
		TEST(a_timer_moves_both_ways),
		TEST(a_stopped_timer_does_not_fire),
		TEST(many_timers_keep_their_time),
		TEST(what_is_ready_is_called),
		TEST(an_unwatched_one_is_not_called_any_more),
		TEST(what_is_watched_can_change),
		TEST(what_cannot_be_watched_is_refused),
		TEST(a_copy_elsewhere_stays_silent),
		TEST(a_closed_one_is_silent),
		TEST(the_buried_live_until_the_turn_is_over),
		TEST(each_turn_is_flushed_once_and_last),
		TEST(free_may_come_twice),
	};

	return RUN(tests);
}
