/*
 * storage/commit.c: see the header.
 *
 * A place stands for one directory as long as somebody is in it; a batch is
 * those who share one fsync.  The fsync that stands for a call begins after
 * it: one that runs already may have passed by what the caller changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct batch {
	size_t members;
	bool done;
	int error;
};

struct place {
	struct place *next;
	dev_t dev;
	ino_t ino;
	size_t members;
	bool syncing;
	struct batch *gathers;	/* who will share the next fsync */
};

struct commit {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct place *places;
	struct commit_count count;
};

struct commit *
commit_new(void)
{
	struct commit *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	return c;
}

void
commit_free(struct commit *c)
{
	if (c == NULL)
		return;
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static struct place *
enter_place(struct commit *c, const struct stat *dir)
{
	struct place *p = c->places;

	while (p != NULL && (p->dev != dir->st_dev || p->ino != dir->st_ino))
		p = p->next;
	if (p == NULL && (p = calloc(1, sizeof(*p))) != NULL) {
		p->dev = dir->st_dev;
		p->ino = dir->st_ino;
		p->next = c->places;
		c->places = p;
	}
	if (p != NULL)
		p->members++;
	return p;
}

static void
leave_place(struct commit *c, struct place *p)
{
	struct place **at = &c->places;

	if (p == NULL || --p->members > 0)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	free(p);
}

static struct batch *
enter_batch(struct place *p)
{
	if (p->gathers == NULL)
		p->gathers = calloc(1, sizeof(*p->gathers));
	if (p->gathers != NULL)
		p->gathers->members++;
	return p->gathers;
}

static int
sync_now(int fd)
{
	return fsync(fd) == 0 ? 0 : errno;
}

/* With the lock held, which is let go meanwhile. */
static void
sync_batch(struct commit *c, struct place *p, struct batch *b, int dir_fd)
{
	int error;

	p->syncing = true;
	p->gathers = NULL;
	c->count.synced++;
	pthread_mutex_unlock(&c->lock);
	error = sync_now(dir_fd);
	pthread_mutex_lock(&c->lock);
	b->error = error;
	b->done = true;
	p->syncing = false;
	pthread_cond_broadcast(&c->changed);
}

int
commit_sync(struct commit *c, int dir_fd)
{
	struct batch *b = NULL;
	struct place *p;
	struct stat dir;
	int error;

	if (fstat(dir_fd, &dir) != 0)
		return errno;
	pthread_mutex_lock(&c->lock);
	c->count.asked++;
	if ((p = enter_place(c, &dir)) != NULL)
		b = enter_batch(p);
	if (b == NULL) {
		leave_place(c, p);
		c->count.synced++;
		pthread_mutex_unlock(&c->lock);
		return sync_now(dir_fd);
	}
	while (!b->done && p->syncing)
		pthread_cond_wait(&c->changed, &c->lock);
	if (!b->done)
		sync_batch(c, p, b, dir_fd);
	error = b->error;
	if (--b->members == 0)
		free(b);
	leave_place(c, p);
	pthread_mutex_unlock(&c->lock);
	return error;
}

struct commit_count
commit_counted(struct commit *c)
{
	struct commit_count count;

	pthread_mutex_lock(&c->lock);
	count = c->count;
	pthread_mutex_unlock(&c->lock);
	return count;
}
