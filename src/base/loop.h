/*
 * base/loop.h: one thread's event loop: descriptors, timers, and work to do
 * once before the loop sleeps.
 *
 * A turn is: wait; call what is ready; fire what is due; call the flush hook.
 * Everything that is sent in answer to a turn is gathered during it and goes
 * out in the flush, so that many messages share a system call, and so that
 * an order between two receivers can be kept (see ipc/channel.h).
 *
 * Watches and timers are part of their owner's struct.  An owner that dies
 * during a turn may still have an event waiting in it: it gives itself to
 * loop_bury, which frees it after the turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop_watch {
	int fd;
	uint32_t events;	/* what epoll was last told */
	void (*ready)(struct loop_watch *w, uint32_t events);
};

struct loop_timer {
	uint64_t due_ms;	/* when it shall fire */
	uint64_t key_ms;	/* where it stands in the heap: never later */
	size_t slot;		/* 1-based place in the heap; 0: not set */
	void (*fire)(struct loop_timer *t);
};

struct loop_grave {
	struct loop_grave *next;
	void (*release)(struct loop_grave *g);
};

struct loop {
	int epoll_fd;
	bool stop;
	uint64_t now_ms;	/* CLOCK_BOOTTIME at the start of the turn */
	struct loop_timer **heap;
	size_t heap_len, heap_cap;
	struct loop_grave *graves;
	void (*flush)(void *arg);
	void *flush_arg;
};

/* False with errno set when the kernel gives no epoll descriptor. */
bool loop_init(struct loop *l);
void loop_free(struct loop *l);

/* Runs turns until l->stop is set. */
void loop_run(struct loop *l);

/* Starts watching w->fd.  False with errno set; w is then not watched. */
bool loop_watch(struct loop *l, struct loop_watch *w, uint32_t events);

/* Changes what is watched; costs nothing when it is the same. */
void loop_rewatch(struct loop *l, struct loop_watch *w, uint32_t events);

/*
 * Stops watching; must come before close(2), because another process may
 * hold the same open file description and keep it in our epoll set.
 */
void loop_unwatch(struct loop *l, struct loop_watch *w);

/*
 * Closes a descriptor that no other process holds: the kernel then takes it
 * out of the epoll set by itself.
 */
void loop_close(struct loop_watch *w);

/* (Re)sets a timer to fire once, delay_ms from the start of this turn. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms);
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/* Frees g's owner after the present turn. */
void loop_bury(struct loop *l, struct loop_grave *g,
    void (*release)(struct loop_grave *g));

/* The owner of an embedded member. */
#define LOOP_OWNER(member_ptr, type, member) \
	((type *)(void *)((char *)(member_ptr)-offsetof(type, member)))
