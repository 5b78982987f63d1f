/*
 * worker/list.c: the lines of a listing, on a disk thread.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "proto/glob.h"
#include "worker/worker.h"

#define TURN_ENTRIES 4096	/* between two looks at the cancel flag */

static size_t
format_entry(struct xfer *x, const struct storage_entry *entry, char *out,
    size_t room)
{
	struct listing_entry e = { .name = entry->name,
		.owner = sv_of(x->w->conf.list_owner),
		.group = sv_of(x->w->conf.list_group), .target = entry->target, .mode = entry->stat.mode,
		.links = entry->stat.links, .size = entry->stat.size,
		.mtime = entry->stat.mtime, .dev = entry->stat.dev,
		.ino = entry->stat.ino };

	switch (x->kind) {
	case XFER_LIST:
		return listing_list(&e, x->now_s, out, room);
	case XFER_NLST:
		return listing_nlst(&e, out, room);
	case XFER_MLSD:
		e.perm = S_ISDIR(e.mode) ? LISTING_PERM_DIR :
		    LISTING_PERM_FILE;
		return listing_mlsd(&e, x->facts, out, room);
	case XFER_FILE:
		break;
	}
	return 0;
}

/* A name that a line cannot hold: it could not be asked for, either. */
static bool
is_unspeakable(struct sv name)
{
	return memchr(name.ptr, '\n', name.len) != NULL ||
	    memchr(name.ptr, '\r', name.len) != NULL;
}

static bool
is_wanted(const struct xfer *x, struct sv name)
{
	if (is_unspeakable(name))
		return false;
	return x->pattern == NULL || glob_match(sv_of(x->pattern), name);
}

enum xfer_step
list_fill(struct xfer *x)
{
	const struct storage_ops *ops = x->w->storage->ops;
	struct storage_entry entry;
	enum storage_err err;
	const size_t longest = NAME_MAX + PATH_MAX + LISTING_SLACK;

	for (unsigned i = 0; i < TURN_ENTRIES &&
	     x->buf_len + longest <= XFER_BUF; i++) {
		/* A pattern that nothing fits would walk on for nobody. */
		if (xfer_is_cancelled(x))
			return STEP_CANCELLED;
		if (x->alone) {
			entry = (struct storage_entry) {
				.name = path_last(x->path), .stat = x->stat };
			err = x->end ? STORAGE_NOT_FOUND : STORAGE_OK;
			x->end = true;
		} else {
			err = ops->next(x->dir, x->kind == XFER_NLST, &entry);
		}
		if (err == STORAGE_NOT_FOUND) {
			x->end = true;
			return STEP_DONE;
		}
		if (err != STORAGE_OK)
			return STEP_READ_FAILED;
		if (is_wanted(x, entry.name) &&
		    path_may_list(x->w, x->path, &entry))
			x->buf_len += format_entry(x, &entry,
			    x->buf + x->buf_len, XFER_BUF - x->buf_len);
	}
	return STEP_DONE;
}
