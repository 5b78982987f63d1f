/*
 * index/main.c: `portcullis index`: one thread walks and writes, others read
 * the files.  An index that was made before is read along with the walk, row
 * by row, since both have the same order: an archive of any size needs no
 * memory for it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "index/main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "index/compare.h"
#include "index/output.h"
#include "index/reader.h"
#include "index/say.h"
#include "index/walk.h"

#define EXIT_FINE 0
#define EXIT_DIFFERS 1
#define EXIT_USAGE 2

#define WAIT_MS 200	/* until a signal is noticed, and progress shown */

struct run {
	struct index_options options;
	struct index_root root;
	struct index_place own;		/* of the index itself */
	struct index_walk *walk;
	struct index_queue *queue;
	struct index_output *output;	/* NULL: --check */
	struct index_reader *reader;	/* NULL: nothing to read along with */
	struct index_row row;		/* of the reader, when has_row */
	bool has_row;
	char unknown[INDEX_PATH_ROOM];	/* "": nothing below it is told */
	struct index_progress progress;
	bool differs;	/* or something could not be read */
	bool broken;	/* there is no result */
};

static _Atomic int caught;

static void
catch(int signo)
{
	caught = signo;
}

static void
catch_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	struct sigaction act = { .sa_handler = catch }, old;

	sigemptyset(&act.sa_mask);
	/* What nohup(1) has switched off stays off. */
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler != SIG_IGN)
			sigaction(signals[i], &act, NULL);
}

static bool
goes_on(const struct run *r)
{
	return !r->broken && caught == 0;
}

static void
no_memory(struct run *r)
{
	index_say("%s", strerror(ENOMEM));
	r->broken = true;
}

/* ---- what came of an item */

static void
say_failure(struct run *r, const struct index_item *item)
{
	r->differs = true;
	if (item->outcome == INDEX_FAILED)
		index_say("%s: %s", item->now.path, strerror(item->error));
	else if (item->outcome == INDEX_CHANGES)
		index_say("%s: changes while it is read", item->now.path);
	else
		index_say("%s: gone since its directory was read",
		    item->now.path);
}

static void
write_row(struct run *r, const struct index_item *item)
{
	struct index_row row = item->now;

	if (item->outcome == INDEX_GONE)
		return;
	if (item->outcome != INDEX_READ)
		row.kind = INDEX_LEFT;
	if (!index_output_row(r->output, &row))
		r->broken = true;
}

static void
print_difference(struct run *r, const struct index_item *item)
{
	char reasons[INDEX_REASONS_ROOM];
	const char *what = index_compare(item, reasons);

	if (what == NULL)
		return;
	r->differs = true;
	printf("%s\t%s%s%s\n", what, item->has_now ? item->now.path :
	    item->old.path, reasons[0] == '\0' ? "" : "\t", reasons);
}

static void
tell(struct run *r, const struct index_item *item)
{
	if (item->outcome == INDEX_STOPPED)
		return;
	if (item->outcome != INDEX_READ)
		say_failure(r, item);
	if (r->output == NULL)
		print_difference(r, item);
	else if (!r->broken)
		write_row(r, item);
	r->progress.entries++;
}

/* Tells of the oldest item, when it is done within wait_ms. */
static bool
tell_oldest(struct run *r, unsigned wait_ms)
{
	struct index_item *item = index_queue_take(r->queue, wait_ms);

	if (caught != 0)
		index_queue_stop(r->queue);
	if (item != NULL)
		tell(r, item);
	r->progress.bytes = index_queue_bytes(r->queue);
	index_progress_show(&r->progress);
	free(item);
	return item != NULL;
}

/* ---- an item's way into the queue */

static void
put(struct run *r, struct index_item *item)
{
	if (item == NULL) {
		no_memory(r);
		return;
	}
	while (index_queue_is_full(r->queue))
		tell_oldest(r, WAIT_MS);
	index_queue_put(r->queue, item);
	while (tell_oldest(r, 0))
		;
}

static void
next_row(struct run *r)
{
	enum index_read got = index_reader_next(r->reader, &r->row);

	r->has_row = got == INDEX_ROW;
	if (got == INDEX_BAD)
		r->broken = true;
}

static bool
is_below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	return n > 0 && directory[n - 1] == '/' &&
	    strncmp(path, directory, n) == 0;
}

/* What is kept out of the tree is not missing in it. */
static bool
is_excluded_row(const struct run *r)
{
	char raw[INDEX_PATH_ROOM];
	size_t n;

	return index_name_unescape(sv_of(r->row.path), raw, &n) &&
	    index_walk_excludes(&r->options, raw);
}

/* A row that has no entry. */
static void
pass_row(struct run *r)
{
	if (r->options.check != NULL && !is_excluded_row(r)) {
		if (r->row.kind == INDEX_LEFT)
			memcpy(r->unknown, r->row.path,
			    strlen(r->row.path) + 1);
		put(r, index_item_new(NULL, NULL, &r->row));
	}
	next_row(r);
}

/* Goes on in the index up to path; whether it has a row for that. */
static bool
find_row(struct run *r, const char *path)
{
	while (goes_on(r) && r->has_row && strcmp(r->row.path, path) < 0)
		pass_row(r);
	return r->has_row && strcmp(r->row.path, path) == 0;
}

static struct index_row
row_of(const struct index_entry *e)
{
	struct index_row row = { .kind = e->kind, .hash = "-",
		.path = e->path, .target = e->target };

	if (e->kind == INDEX_LEFT)
		return row;
	row.size = (uint64_t)e->stat.st_size;
	index_time_format(e->stat.st_mtim, row.mtime);
	return row;
}

static void
make(struct run *r, const struct index_entry *e, struct index_row *now,
    const struct index_row *old)
{
	bool read = now->kind == INDEX_FILE && !r->options.no_hash;
	struct index_item *item;

	if (old != NULL && index_knows(old, now)) {
		memcpy(now->hash, old->hash, sizeof(now->hash));
		read = false;
	}
	item = index_item_new(now, e->raw, NULL);
	if (item != NULL)
		item->must_read = read;
	put(r, item);
}

static void
check(struct run *r, const struct index_entry *e, const struct index_row *now,
    const struct index_row *old)
{
	struct index_item *item;

	if (is_below(now->path, r->unknown))
		return;
	item = index_item_new(now, e->raw, old);
	if (item != NULL)
		item->must_read = old != NULL && !r->options.no_hash &&
		    index_must_read(old, now);
	put(r, item);
}

static void
take_entry(struct run *r, const struct index_entry *e)
{
	struct index_row now = row_of(e);
	bool has_old = find_row(r, now.path);

	if (!goes_on(r))
		return;
	r->progress.path = now.path;
	if (r->options.check == NULL) {
		make(r, e, &now, has_old ? &r->row : NULL);
		return;
	}
	/* Of what both could not read, nothing below is told either. */
	if (has_old && r->row.kind == INDEX_LEFT)
		memcpy(r->unknown, r->row.path, strlen(r->row.path) + 1);
	check(r, e, &now, has_old ? &r->row : NULL);
	if (has_old)
		next_row(r);
	while (now.kind == INDEX_LEFT && goes_on(r) && r->has_row &&
	    is_below(r->row.path, now.path))
		next_row(r);
}

static void
go_through(struct run *r)
{
	struct index_entry entry;

	while (goes_on(r) && index_walk_next(r->walk, &entry))
		take_entry(r, &entry);
	/* What is left of an index, to the last row: it may be bad, too. */
	while (goes_on(r) && r->has_row)
		pass_row(r);
	if (!goes_on(r))
		index_queue_stop(r->queue);
	while (!index_queue_is_empty(r->queue))
		tell_oldest(r, WAIT_MS);
	if (index_walk_failed(r->walk))
		r->differs = true;
}

/* ---- start and end */

static bool
fail(const char *what)
{
	index_say("%s: %s", what, strerror(errno));
	return false;
}

static bool
open_root(struct run *r)
{
	const char *name = r->options.directory;
	int fd;

	r->root.one_file_system = r->options.one_file_system;
	r->root.fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->root.fd < 0)
		return fail(name);
	fd = index_open_beneath(&r->root, ".", O_PATH);
	if (fd < 0)
		return fail(errno == ENOSYS ? "openat2" : name);
	close(fd);
	return true;
}

static bool
open_reader(struct run *r)
{
	const struct index_options *o = &r->options;
	const char *name = o->check != NULL ? o->check : o->previous;

	if (name == NULL)
		return true;
	r->reader = index_reader_open(name);
	if (r->reader == NULL && errno == ENOENT && o->previous != NULL) {
		/* The first night has no night before it. */
		index_say("%s: not there yet, all files are read", name);
		return true;
	}
	if (r->reader == NULL)
		return fail(name);
	next_row(r);
	return !r->broken;
}

static bool
open_result(struct run *r)
{
	if (r->options.check == NULL) {
		r->output = index_output_open(r->options.output, &r->own);
		return r->output != NULL;
	}
	/* An index inside the tree is no news; standard input is nowhere. */
	if (strcmp(r->options.check, "-") == 0)
		return true;
	return index_place_of(r->options.check, &r->own, NULL) ||
	    fail(r->options.check);
}

static bool
prepare(struct run *r)
{
	if (!open_root(r) || !open_reader(r) || !open_result(r))
		return false;
	r->walk = index_walk_new(&r->root, &r->options, &r->own);
	if (r->walk == NULL)
		return fail("memory");
	r->queue = index_queue_new(&r->root, r->options.jobs);
	return r->queue != NULL || fail("threads");
}

/* The result, or none of it. */
static void
conclude(struct run *r)
{
	if (r->output == NULL || !goes_on(r))
		index_output_abort(r->output);
	else if (!index_output_commit(r->output))
		r->broken = true;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fail("standard output");
		r->broken = true;
	}
}

static void
release(struct run *r)
{
	index_queue_free(r->queue);
	index_walk_free(r->walk);
	index_reader_close(r->reader);
	if (r->root.fd >= 0)
		close(r->root.fd);
}

int
index_main(int argc, char **argv)
{
	static struct run run;	/* too large for a stack */
	int status;

	run = (struct run) { .root.fd = -1, .progress.path = "" };
	if (!index_options_take(&run.options, argc, argv, &status))
		return status;
	catch_signals();
	if (prepare(&run)) {
		if (!run.options.quiet)
			index_progress_begin();
		go_through(&run);
		index_progress_end();
	} else {
		run.broken = true;
	}
	conclude(&run);
	release(&run);
	if (caught != 0) {	/* who waits for us sees why we ended */
		signal(caught, SIG_DFL);
		raise(caught);
	}
	return run.broken ? EXIT_USAGE : run.differs ? EXIT_DIFFERS :
	    EXIT_FINE;
}
