/*
 * worker/list.c: the lines of a listing, on a disk thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/glob.h"
#include "worker/descent.h"
#include "worker/worker.h"

#define TURN_ENTRIES 4096	/* between two looks at who else waits */

struct listing *
list_new(const struct conf *c, unsigned options)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->options = options;
	if ((options & LS_RECURSIVE) != 0 &&
	    (l->descent = descent_new(c->list_depth)) == NULL) {
		list_free(l);
		return NULL;
	}
	return l;
}

void
list_free(struct listing *l)
{
	if (l == NULL)
		return;
	descent_free(l->descent);
	path_links_forget(&l->links);
	free(l->pattern);
	free(l->prefix);
	free(l);
}

static bool
has(const struct xfer *x, unsigned options)
{
	return (x->listing->options & options) != 0;
}

/*
 * In NLST, what stands before a name that is not in the directory asked for:
 * each line is a path that the client may fetch (RFC 1123 §4.1.2.7).
 */
static struct sv
prefix_of(const struct xfer *x, char room[2 * PATH_MAX])
{
	const struct listing *l = x->listing;
	struct sv beneath;
	int n;

	if (x->alone ? x->path.len == 0 :
	    l->pattern == NULL && l->descent == NULL)
		return SV("");
	if (l->descent == NULL ||
	    (beneath = descent_path(l->descent)).len == 0)
		return sv_of(l->prefix);
	n = snprintf(room, 2 * PATH_MAX, "%s%s/", l->prefix, beneath.ptr);
	return (struct sv) { room, (size_t)n };
}

struct listing_entry
list_entry(const struct conf *c, const struct storage_entry *entry)
{
	return (struct listing_entry) { .name = entry->name,
		.target = entry->target, .owner = sv_of(c->list_owner),
		.group = sv_of(c->list_group), .mode = entry->stat.mode,
		.links = entry->stat.links, .size = entry->stat.size,
		.mtime = entry->stat.mtime, .dev = entry->stat.dev,
		.ino = entry->stat.ino };
}

static size_t
format_entry(struct xfer *x, const struct storage_entry *entry, char *out,
    size_t room)
{
	char prefix[2 * PATH_MAX], perm[RIGHTS_PERM_MAX];
	struct listing_entry e = list_entry(&x->w->conf, entry);

	if (has(x, LS_MARKED))
		e.mark = listing_mark(e.mode);
	switch (x->kind) {
	case XFER_LIST:
		return listing_list(&e, x->now_s, out, room);
	case XFER_NLST:
		e.prefix = prefix_of(x, prefix);
		return listing_nlst(&e, out, room);
	case XFER_MLSD:
		e.perm = rights_perm(x->rights, x->drop_box, e.mode, false,
		    perm);
		return listing_mlsd(&e, x->facts, out, room);
	case XFER_FILE:
	case XFER_STORE:
		break;
	}
	return 0;
}

bool
list_is_unspeakable(struct sv name)
{
	return memchr(name.ptr, '\n', name.len) != NULL ||
	    memchr(name.ptr, '\r', name.len) != NULL;
}

/* The directory that is listed now, seen from the archive's root. */
static struct sv
place_of(const struct xfer *x, char room[PATH_MAX])
{
	const struct listing *l = x->listing;
	size_t len;

	if (l->descent == NULL ||
	    !path_resolve(x->path, descent_path(l->descent), room, &len))
		return x->path;
	return (struct sv) { room, len };
}

/*
 * The one place where an entry of a directory is left out: then it is
 * STORAGE_NOT_FOUND.
 */
static enum storage_err
look_at(const struct xfer *x, struct storage_entry *e)
{
	char room[PATH_MAX];

	if (list_is_unspeakable(e->name))
		return STORAGE_NOT_FOUND;
	if (x->listing->pattern != NULL ?
	    !glob_match(sv_of(x->listing->pattern), e->name) :
	    e->name.ptr[0] == '.' && !has(x, LS_ALL | LS_ALMOST_ALL))
		return STORAGE_NOT_FOUND;
	return path_may_list(&x->w->conf, x->storage, place_of(x, room),
	    &x->listing->links, e);
}

/* What stands in the buffer is sent; then the transfer ends with 451. */
static enum xfer_step
stop(struct xfer *x, enum list_limit limit)
{
	x->listing->limit = limit;
	x->end = true;
	return STEP_DONE;
}

/* Writes the entry's line, if any; for -R, keeps a directory's name. */
static enum xfer_step
put_entry(struct xfer *x, struct storage_entry *entry)
{
	struct descent *d = x->listing->descent;
	enum storage_err err = x->alone ? STORAGE_OK : look_at(x, entry);

	if (err != STORAGE_OK)
		return err == STORAGE_NOT_FOUND ? STEP_DONE : STEP_READ_FAILED;
	x->buf_len += format_entry(x, entry, x->buf + x->buf_len,
	    XFER_BUF - x->buf_len);
	if (d == NULL || !S_ISDIR(entry->stat.mode))
		return STEP_DONE;
	switch (descent_add(d, entry->name)) {
	case DESCENT_OK:
		return STEP_DONE;
	case DESCENT_TOO_DEEP:
		return stop(x, LIST_TOO_DEEP);
	case DESCENT_TOO_MANY:
		return stop(x, LIST_TOO_MANY);
	case DESCENT_NO_MEMORY:
		break;
	}
	return STEP_READ_FAILED;
}

enum storage_err
list_sort(const struct storage_ops *ops, struct storage_dir *dir,
    unsigned options)
{
	enum storage_order order = (options & LS_BY_TIME) != 0 ?
	    STORAGE_BY_TIME : (options & LS_BY_SIZE) != 0 ?
	    STORAGE_BY_SIZE : STORAGE_BY_NAME;

	if ((options & LS_ORDERED) == 0)
		return STORAGE_OK;
	return ops->sort(dir, order, (options & LS_REVERSED) != 0);
}

static void
close_inner(struct xfer *x)
{
	if (x->listing->inner != NULL)
		x->storage->ops->close_dir(x->listing->inner);
	x->listing->inner = NULL;
	path_links_forget(&x->listing->links);
}

/*
 * A directory is done: -R goes to the next one.  One that has disappeared
 * meanwhile, or is a link now, or may not be read, is passed over: its line
 * was sent, and asking for it by name would give no more.
 */
static enum xfer_step
next_directory(struct xfer *x)
{
	const struct storage_ops *ops = x->storage->ops;
	struct listing *l = x->listing;
	enum storage_err err;
	struct sv path;

	close_inner(x);
	if (l->descent == NULL || !descent_next(l->descent)) {
		x->end = true;
		return STEP_DONE;
	}
	path = descent_path(l->descent);
	err = ops->open_dir_in(x->dir, path, &l->inner);
	if (err == STORAGE_NOT_FOUND || err == STORAGE_NOT_DIR ||
	    err == STORAGE_DENIED)
		return STEP_DONE;
	if (err == STORAGE_OK)
		err = list_sort(ops, l->inner, l->options);
	if (err == STORAGE_TOO_MANY)
		return stop(x, LIST_UNSORTED);
	if (err != STORAGE_OK)
		return STEP_READ_FAILED;
	if (x->kind == XFER_LIST)
		x->buf_len += listing_head(sv_of(l->prefix), path,
		    x->buf + x->buf_len, XFER_BUF - x->buf_len);
	return STEP_DONE;
}

static enum storage_err
next_entry(struct xfer *x, struct storage_entry *out)
{
	const struct storage_ops *ops = x->storage->ops;
	struct storage_dir *inner = x->listing->inner;
	bool names_only = x->kind == XFER_NLST &&
	    !has(x, LS_MARKED | LS_RECURSIVE);

	if (!x->alone)
		return ops->next(inner != NULL ? inner : x->dir, names_only,
		    out);
	if (x->end)
		return STORAGE_NOT_FOUND;
	*out = (struct storage_entry) { .stat = x->stat,
		.name = x->path.len > 0 ? path_last(x->path) : SV("/") };
	x->end = true;
	return STORAGE_OK;
}

static bool
is_over_budget(struct xfer *x)
{
	return x->listing->descent != NULL &&
	    ++x->listing->entries > x->w->conf.list_recursive;
}

enum xfer_step
list_fill(struct xfer *x)
{
	const size_t longest = 3 * PATH_MAX + NAME_MAX + LISTING_SLACK +
	    RIGHTS_PERM_MAX;
	enum xfer_step step = STEP_DONE;
	struct storage_entry entry;

	for (unsigned i = 0; i < TURN_ENTRIES && step == STEP_DONE && !x->end &&
	     x->buf_len + longest <= XFER_BUF; i++) {
		enum storage_err err;

		/* A pattern that nothing fits would walk on for nobody. */
		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		err = next_entry(x, &entry);
		if (err == STORAGE_NOT_FOUND)
			step = next_directory(x);
		else if (err != STORAGE_OK)
			step = STEP_READ_FAILED;
		else if (is_over_budget(x))
			step = stop(x, LIST_TOO_LONG);
		else
			step = put_entry(x, &entry);
	}
	return step;
}

void
list_close(struct xfer *x)
{
	if (x->listing != NULL)
		close_inner(x);
}

const char *
list_limit_text(const struct xfer *x, char room[LIST_TEXT_MAX])
{
	const struct conf *c = &x->w->conf;

	switch (x->listing->limit) {
	case LIST_TOO_LONG:
		snprintf(room, LIST_TEXT_MAX, "-R ends after %u entries here; "
		    "use MLSD, or the archive's index.", c->list_recursive);
		return room;
	case LIST_TOO_DEEP:
		snprintf(room, LIST_TEXT_MAX, "-R goes %u directories deep "
		    "here; use MLSD, or the archive's index.", c->list_depth);
		return room;
	case LIST_TOO_MANY:
		return "Too many directories for -R; "
		    "use MLSD, or the archive's index.";
	case LIST_UNSORTED:
		return "A directory has too many entries to sort; "
		    "leave out -t, -S and -r.";
	case LIST_WHOLE:
		break;
	}
	return "Listed.";
}
