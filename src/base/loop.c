/*
 * base/loop.c: the event loop; see the header.
 *
 * Timers stand in a binary heap.  Most are moved later and never fire (an
 * idle clock is reset by each command), so moving one later only notes the
 * new time; the heap is put right when the old time comes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define TURN_EVENTS 256

static uint64_t
clock_ms(void)
{
	struct timespec ts;

	/* BOOTTIME: no wall-clock change moves it, and it runs in a suspend. */
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool
loop_init(struct loop *l)
{
	*l = (struct loop) { .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	l->now_ms = clock_ms();
	return l->epoll_fd >= 0;
}

void
loop_free(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->heap);
	*l = (struct loop) { .epoll_fd = -1 };
}

bool
loop_watch(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) != 0)
		return false;
	w->events = events;
	return true;
}

void
loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->events == events)
		return;
	w->events = events;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, w->fd, &ev) != 0)
		log_line("epoll cannot change a descriptor err=%d", errno);
}

void
loop_unwatch(struct loop *l, struct loop_watch *w)
{
	struct epoll_event ev = { 0 };

	if (w->ready == NULL)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, &ev);
	w->ready = NULL; /* an event already fetched finds nobody */
}

void
loop_close(struct loop_watch *w)
{
	w->ready = NULL;
	close(w->fd);
	w->fd = -1;
}

static void
heap_put(struct loop *l, size_t slot, struct loop_timer *t)
{
	l->heap[slot - 1] = t;
	t->slot = slot;
}

static void
heap_up(struct loop *l, struct loop_timer *t)
{
	size_t slot = t->slot;

	while (slot > 1 && l->heap[slot / 2 - 1]->key_ms > t->key_ms) {
		heap_put(l, slot, l->heap[slot / 2 - 1]);
		slot /= 2;
	}
	heap_put(l, slot, t);
}

static void
heap_down(struct loop *l, struct loop_timer *t)
{
	size_t slot = t->slot, child;

	while ((child = slot * 2) <= l->heap_len) {
		if (child < l->heap_len &&
		    l->heap[child]->key_ms < l->heap[child - 1]->key_ms)
			child++;
		if (l->heap[child - 1]->key_ms >= t->key_ms)
			break;
		heap_put(l, slot, l->heap[child - 1]);
		slot = child;
	}
	heap_put(l, slot, t);
}

static void
heap_grow(struct loop *l)
{
	size_t cap = l->heap_cap == 0 ? 64 : l->heap_cap * 2;
	struct loop_timer **heap = realloc(l->heap, cap * sizeof(*heap));

	/* Eight bytes a session: without them there is no serving at all. */
	if (heap == NULL)
		log_fatal(1, "out of memory for timers");
	l->heap = heap;
	l->heap_cap = cap;
}

void
loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms)
{
	t->due_ms = l->now_ms + delay_ms;
	if (t->slot != 0 && t->due_ms >= t->key_ms)
		return; /* put right when its old time comes */
	t->key_ms = t->due_ms;
	if (t->slot == 0) {
		if (l->heap_len == l->heap_cap)
			heap_grow(l);
		l->heap_len++;
		heap_put(l, l->heap_len, t);
	}
	heap_up(l, t);
}

void
loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	struct loop_timer *last;
	size_t slot = t->slot;

	if (slot == 0)
		return;
	t->slot = 0;
	last = l->heap[--l->heap_len];
	if (last == t)
		return;
	heap_put(l, slot, last);
	heap_up(l, last);
	heap_down(l, last);
}

static void
fire_due(struct loop *l)
{
	struct loop_timer *t;

	while (l->heap_len > 0 && (t = l->heap[0])->key_ms <= l->now_ms) {
		if (t->due_ms > l->now_ms) {
			t->key_ms = t->due_ms;
			heap_down(l, t);
			continue;
		}
		loop_timer_stop(l, t);
		t->fire(t);
	}
}

static int
wait_ms(const struct loop *l)
{
	uint64_t wait;

	if (l->heap_len == 0)
		return -1;
	if (l->heap[0]->key_ms <= l->now_ms)
		return 0;
	wait = l->heap[0]->key_ms - l->now_ms;
	return wait > 60000 ? 60000 : (int)wait;
}

void
loop_bury(struct loop *l, struct loop_grave *g,
    void (*release)(struct loop_grave *g))
{
	g->release = release;
	g->next = l->graves;
	l->graves = g;
}

static void
release_graves(struct loop *l)
{
	struct loop_grave *g;

	while ((g = l->graves) != NULL) {
		l->graves = g->next;
		g->release(g);
	}
}

static void
turn(struct loop *l)
{
	struct epoll_event events[TURN_EVENTS];
	int n = epoll_wait(l->epoll_fd, events, TURN_EVENTS, wait_ms(l));

	l->now_ms = clock_ms();
	for (int i = 0; i < n; i++) {
		struct loop_watch *w = events[i].data.ptr;

		if (w->ready != NULL)
			w->ready(w, events[i].events);
	}
	fire_due(l);
	if (l->flush != NULL)
		l->flush(l->flush_arg);
	release_graves(l);
}

void
loop_run(struct loop *l)
{
	while (!l->stop)
		turn(l);
}
