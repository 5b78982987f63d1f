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

#include "worker/box.h"
#include "worker/checksum.h"

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

/* As long as an upload is under way, it is the file to its owner. */
static enum storage_err
find_size(struct lookup *l, struct storage *st)
{
	enum storage_err err = st->ops->partial_size(st, l->path,
	    &l->stat.size);

	l->stat.mode = S_IFREG;
	if (err == STORAGE_OK || !l->sees)
		return err;
	return st->ops->stat(st, l->path, STORAGE_WAIT, &l->stat);
}

static void
begin_upload(struct lookup *l, struct storage *st)
{
	l->err = box_admit(l->w, st, l->how.expected);
	if (l->err == STORAGE_OK)
		checksum_find(l);
	if (l->err == STORAGE_OK && checksum_refused(l) == NULL)
		l->err = st->ops->upload_begin(st,
		    l->to.len > 0 ? l->to : l->path, &l->how, &l->upload);
}

static void
write_call(struct lookup *l, struct storage *st)
{
	const struct storage_ops *ops = st->ops;

	switch ((int)l->op) {
	case LOOKUP_SIZE:
		l->err = find_size(l, st);
		return;
	case LOOKUP_STORE:
		begin_upload(l, st);
		return;
	case LOOKUP_REMOVE:
		l->err = ops->remove(st, l->path);
		return;
	case LOOKUP_MAKE_DIR:
		l->err = ops->make_dir(st, l->path, 0755);
		return;
	case LOOKUP_REMOVE_DIR:
		l->err = ops->remove_dir(st, l->path);
		return;
	case LOOKUP_RENAME:
		l->err = ops->rename(st, l->path, l->to, l->how.flags);
		return;
	case LOOKUP_SET_MTIME:
		l->err = ops->set_mtime(st, l->path, l->mtime);
		return;
	default:
		l->err = ops->chmod(st, l->path, l->mode);
		return;
	}
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
	case LOOKUP_SIZE:
	case LOOKUP_STORE:
	case LOOKUP_REMOVE:
	case LOOKUP_MAKE_DIR:
	case LOOKUP_REMOVE_DIR:
	case LOOKUP_RENAME:
	case LOOKUP_SET_MTIME:
	case LOOKUP_CHMOD:
		l->err = STORAGE_LATER;
		if (when == STORAGE_WAIT)
			write_call(l, st);
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
	if (l->upload != NULL)
		lookup_end_upload(l->w, l->upload, false);
	free(l->text);
	free(l);
}

/* The same call on a disk thread, with copies of the paths. */
static void
lookup_later(struct sess *s, const struct lookup *first)
{
	struct lookup *l = malloc(sizeof(*l) + first->path.len +
	    first->to.len);

	if (l == NULL) {
		struct lookup failed = *first;

		failed.err = STORAGE_BUSY;
		failed.then(s, &failed);
		return;
	}
	*l = *first;
	memcpy(l + 1, first->path.ptr, first->path.len);
	l->path.ptr = (const char *)(l + 1);
	if (first->to.len > 0)
		memcpy((char *)(l + 1) + first->path.len, first->to.ptr,
		    first->to.len);
	l->to.ptr = (const char *)(l + 1) + first->path.len;
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
	l.err = box_judge(s, op, path);
	if (path_is_hidden(&s->w->conf, path))
		l.err = STORAGE_NOT_FOUND;
	else if (l.err == STORAGE_OK)
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
lookup_write(struct sess *s, struct lookup l)
{
	l.w = s->w;
	l.s = s;
	l.fd = -1;
	if (l.storage == NULL)
		l.storage = s->storage;
	if (!path_is_hidden(&s->w->conf, l.path) &&
	    !path_is_hidden(&s->w->conf, l.to)) {
		lookup_later(s, &l);
		return;
	}
	/* It is not there; and a name that would be made cannot be. */
	l.err = l.op == LOOKUP_STORE || l.op == LOOKUP_MAKE_DIR ||
	    l.op == LOOKUP_RENAME ? STORAGE_BAD_NAME : STORAGE_NOT_FOUND;
	l.then(s, &l);
}

struct ending {
	struct pool_job job;
	struct worker *w;
	const struct storage_ops *ops;
	struct storage_upload *upload;
	bool keep;
};

static void
ending_work(struct pool_job *job)
{
	struct ending *e = LOOP_OWNER(job, struct ending, job);

	e->ops->upload_abort(e->upload, e->keep);
}

static void
ending_done(struct pool_job *job)
{
	struct ending *e = LOOP_OWNER(job, struct ending, job);

	e->w->xfers--;
	worker_exit_if_empty(e->w);
	free(e);
}

void
lookup_end_upload(struct worker *w, struct storage_upload *u, bool keep)
{
	struct ending *e = malloc(sizeof(*e));

	if (e == NULL) {
		w->storage->ops->upload_abort(u, keep);
		return;
	}
	*e = (struct ending) { .job.work = ending_work,
		.job.done = ending_done, .w = w, .ops = w->storage->ops,
		.upload = u, .keep = keep };
	w->xfers++;
	pool_submit(w->pool, &e->job);
}

void
lookup_abandon(struct lookup *l)
{
	l->s = NULL;
}
