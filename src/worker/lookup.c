/*
 * worker/lookup.c: storage calls that never hold up the loop.
 *
 * What is in memory is answered at once (most of it, on a busy archive); the
 * rest goes to a disk thread, and only this session waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <unistd.h>

#include "worker/worker.h"

/*
 * What an open message file holds; false: not all of it is in memory.  Where
 * it cannot be read there is none: it was never asked for.
 */
static bool
read_message(struct lookup *l, enum storage_when when, int fd,
    const struct storage_stat *stat)
{
	struct storage *st = l->storage;
	size_t n = stat->size > TEXT_MAX ? TEXT_MAX + 1 : (size_t)stat->size;
	char *text;
	ssize_t got;

	if (n == 0 || (text = malloc(n)) == NULL)
		return true;
	if (when == STORAGE_NOW)
		got = st->ops->read_now(st, fd, stat, text, n, 0);
	else
		got = pread(fd, text, n, 0);
	if (got <= 0) {
		free(text);
		return when != STORAGE_NOW;
	}
	l->text = text;
	l->text_len = (size_t)got;
	return true;
}

/* A directory's message, beneath the root as all else; never an error. */
static bool
find_message(struct lookup *l, enum storage_when when)
{
	struct storage *st = l->storage;
	struct storage_stat stat;
	char path[PATH_MAX];
	size_t len;
	int fd = -1;
	bool done;

	if (!path_resolve(l->path, sv_of(l->w->conf.message), path, &len))
		return true;
	switch ((int)st->ops->open(st, (struct sv) { path, len }, when, &fd,
	    &stat)) {
	case STORAGE_OK:
		break;
	case STORAGE_LATER:
		return false;
	default:
		return true;
	}
	done = read_message(l, when, fd, &stat);
	close(fd);
	return done;
}

static void
enter(struct lookup *l, enum storage_when when)
{
	struct storage *st = l->storage;

	l->err = st->ops->stat(st, l->path, when, &l->stat);
	if (l->err == STORAGE_OK && S_ISDIR(l->stat.mode) &&
	    !find_message(l, when))
		l->err = STORAGE_LATER;
}

static void
call(struct lookup *l, enum storage_when when)
{
	struct storage *st = l->storage;

	switch (l->op) {
	case LOOKUP_STAT:
		l->err = st->ops->stat(st, l->path, when, &l->stat);
		return;
	case LOOKUP_ENTER:
		enter(l, when);
		return;
	case LOOKUP_OPEN:
		l->err = st->ops->open(st, l->path, when, &l->fd, &l->stat);
		return;
	case LOOKUP_OPEN_DIR:
		l->err = st->ops->open_dir(st, l->path, when, &l->dir);
		return;
	case LOOKUP_BRIEF:
		l->err = STORAGE_LATER;
		if (when == STORAGE_WAIT)
			brief_work(l);
		return;
	case LOOKUP_SORT_DIR:
		l->err = STORAGE_LATER;
		if (when == STORAGE_NOW)
			return;
		l->err = st->ops->open_dir(st, l->path, when, &l->dir);
		if (l->err == STORAGE_OK)
			l->err = list_sort(st->ops, l->dir, l->options);
		return;
	}
}

/* A file that is closed on a disk thread. */
struct closing {
	struct pool_job job;
	const struct storage_ops *ops;
	int fd;
	struct storage_dir *dir;
};

static void
close_now(const struct storage_ops *ops, int fd, struct storage_dir *dir)
{
	if (fd >= 0)
		close(fd);
	if (dir != NULL)
		ops->close_dir(dir);
}

static void
closing_work(struct pool_job *job)
{
	struct closing *c = LOOP_OWNER(job, struct closing, job);

	close_now(c->ops, c->fd, c->dir);
}

static void
closing_done(struct pool_job *job)
{
	free(LOOP_OWNER(job, struct closing, job));
}

void
lookup_close(struct worker *w, bool at_once, int *fd,
    struct storage_dir **dir)
{
	const struct storage_ops *ops = w->storage->ops;
	struct closing *c;

	if (*fd < 0 && *dir == NULL)
		return;
	if (at_once || (c = malloc(sizeof(*c))) == NULL) {
		close_now(ops, *fd, *dir);
	} else {
		*c = (struct closing) { .job.work = closing_work,
			.job.done = closing_done, .ops = ops, .fd = *fd,
			.dir = *dir };
		pool_submit(w->pool, &c->job);
	}
	*fd = -1;
	*dir = NULL;
}

static void
lookup_work(struct pool_job *job)
{
	call(LOOP_OWNER(job, struct lookup, job), STORAGE_WAIT);
}

static void
lookup_done(struct pool_job *job)
{
	struct lookup *l = LOOP_OWNER(job, struct lookup, job);
	struct sess *s = l->s;

	if (s != NULL) {
		s->lookup = NULL;
		sess_wait_for(s, WAIT_NOTHING);
		l->then(s, l);
		control_continue(s);
	}
	lookup_close(l->w, false, &l->fd, &l->dir); /* not taken */
	free(l->text);
	free(l);
}

/* The same call on a disk thread, with a copy of the path. */
static void
lookup_later(struct sess *s, const struct lookup *first)
{
	struct lookup *l = malloc(sizeof(*l) + first->path.len);

	if (l == NULL) {
		struct lookup failed = *first;

		failed.err = STORAGE_BUSY;
		failed.then(s, &failed);
		return;
	}
	*l = *first;
	memcpy(l + 1, first->path.ptr, first->path.len);
	l->path.ptr = (const char *)(l + 1);
	l->job.work = lookup_work;
	l->job.done = lookup_done;
	s->lookup = l;
	sess_wait_for(s, WAIT_LOOKUP);
	pool_submit(s->w->pool, &l->job);
}

void
lookup_start(struct sess *s, enum lookup_op op, struct sv path,
    void (*then)(struct sess *s, struct lookup *l))
{
	struct lookup l = { .w = s->w, .s = s, .op = op, .fd = -1,
		.storage = s->storage, .path = path, .then = then };

	if (op == LOOKUP_SORT_DIR)
		l.options = s->listing->options;
	if (path_is_hidden(&s->w->conf, path))
		l.err = STORAGE_NOT_FOUND;
	else
		call(&l, STORAGE_NOW);
	if (l.err == STORAGE_LATER) {
		lookup_later(s, &l);
		return;
	}
	l.at_once = true;
	then(s, &l);
	lookup_close(l.w, true, &l.fd, &l.dir); /* not taken */
	free(l.text);
}

void
lookup_abandon(struct lookup *l)
{
	l->s = NULL;
}
