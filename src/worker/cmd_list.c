/*
 * worker/cmd_list.c: LIST, NLST, MLSD: what is asked for.
 *
 * Clients speak to LIST as if it were ls, so its options are understood
 * (proto/listing.h), and wildcards in the last component.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/glob.h"
#include "worker/worker.h"

static enum xfer_kind
listing_kind(const struct sess *s)
{
	if (s->verb == V_MLSD)
		return XFER_MLSD;
	return s->verb == V_LIST || (s->listing->options & LS_LONG) != 0 ?
	    XFER_LIST : XFER_NLST;
}

static void
refuse(struct sess *s, int code, const char *text)
{
	list_free(s->listing);
	s->listing = NULL;
	endpoint_void(s);
	reply(s, code, text);
}

static void
refuse_for(struct sess *s, enum storage_err err)
{
	if (err == STORAGE_TOO_MANY) {
		refuse(s, 450, "Too many entries to sort; "
		    "leave out -t, -S and -r.");
		return;
	}
	list_free(s->listing);
	s->listing = NULL;
	endpoint_void(s);
	reply_storage_error(s, err);
}

/*
 * How the client may write dir: as from where it is, when it spoke so and dir
 * is beneath, else from the root.  Made of names that are there, and never of
 * its own text: "x/../pub" would let it choose what the data begins with.
 */
static bool
set_prefix(struct sess *s, struct sv dir)
{
	struct sv cwd = sess_cwd(s);
	struct listing *l = s->listing;
	bool beneath = !l->absolute && dir.len >= cwd.len &&
	    memcmp(dir.ptr, cwd.ptr, cwd.len) == 0 &&
	    (cwd.len == 0 || dir.len == cwd.len || dir.ptr[cwd.len] == '/');
	int n;

	if (beneath)
		dir = sv_drop(dir, cwd.len > 0 ? cwd.len + 1 : 0);
	free(l->prefix);
	n = asprintf(&l->prefix, "%s%.*s%s", beneath ? "" : "/", (int)dir.len,
	    dir.ptr, dir.len > 0 ? "/" : "");
	if (n < 0)
		l->prefix = NULL;
	return n >= 0;
}

static struct sv
parent_of(struct sv path)
{
	struct sv last = path_last(path);

	path.len -= last.len + (path.len > last.len ? 1 : 0);
	return path;
}

/* The producer has what it needs; the rest is the transfer's. */
static void
begin(struct sess *s, struct lookup *l, struct sv dir)
{
	if (set_prefix(s, dir))
		xfer_start(s, listing_kind(s), l);
	else
		refuse_for(s, STORAGE_BUSY);
}

static enum lookup_op
open_op(const struct sess *s)
{
	return (s->listing->options & LS_ORDERED) != 0 ? LOOKUP_SORT_DIR :
	    LOOKUP_OPEN_DIR;
}

static void
matching_opened(struct sess *s, struct lookup *l)
{
	if (l->err == STORAGE_OK)
		begin(s, l, l->path);
	else
		refuse_for(s, l->err);
}

/* "data/t2m_*.nc": those of data that fit, where no such name is there. */
static bool
list_matching(struct sess *s, struct lookup *l)
{
	struct sv last = path_last(l->path);

	/* A longer one (the kernel turns it down, unless it is hidden) only
	 * makes work: a class of it may be looked through for each byte. */
	if (s->verb == V_MLSD || !glob_is_pattern(last) ||
	    last.len > NAME_MAX)
		return false;
	if ((s->listing->options & LS_RECURSIVE) != 0) {
		refuse(s, 504, "With -R comes a directory, and no pattern.");
		return true;
	}
	s->listing->pattern = strndup(last.ptr, last.len);
	if (s->listing->pattern == NULL)
		return false;
	lookup_start(s, open_op(s), parent_of(l->path), matching_opened);
	return true;
}

/* The entry itself: a listing of what is no directory (RFC 959), or -d. */
static void
list_single(struct sess *s, struct lookup *l)
{
	if (l->err == STORAGE_OK)
		begin(s, l, parent_of(l->path));
	else if (l->err != STORAGE_NOT_FOUND || !list_matching(s, l))
		refuse_for(s, l->err);
}

static void
list_opened(struct sess *s, struct lookup *l)
{
	if (l->err == STORAGE_OK)
		begin(s, l, l->path);
	else if (l->err == STORAGE_NOT_FOUND && list_matching(s, l))
		return;
	else if (l->err == STORAGE_NOT_DIR && s->verb == V_MLSD)
		refuse(s, 501, "Not a directory.");
	else if (l->err == STORAGE_NOT_DIR)
		lookup_start(s, LOOKUP_STAT, l->path, list_single);
	else
		refuse_for(s, l->err);
}

static void
list(struct sess *s, struct sv arg, unsigned options)
{
	char room[PATH_MAX];
	struct sv path;

	restart_forget(s);
	if (!sess_has_endpoint(s) || !sess_path(s, arg, room, &path))
		return;
	list_free(s->listing);
	if ((s->listing = list_new(&s->w->conf, options)) == NULL) {
		refuse_for(s, STORAGE_BUSY);
		return;
	}
	s->listing->absolute = arg.len > 0 && arg.ptr[0] == '/';
	s->listing->links.follow = s->verb == V_MLSD &&
	    s->w->conf.mlsd_links == CONF_LINKS_FOLLOW;
	if ((options & LS_ITSELF) != 0)
		lookup_start(s, LOOKUP_STAT, path, list_single);
	else if ((options & LS_RECURSIVE) != 0 &&
	    s->w->conf.list_recursive == 0)
		refuse(s, 504, "-R is not offered here.");
	else
		lookup_start(s, open_op(s), path, list_opened);
}

void
cmd_list(struct sess *s, struct sv arg)
{
	unsigned options = listing_take_options(&arg);

	list(s, arg, options);
}

void
cmd_nlst(struct sess *s, struct sv arg)
{
	cmd_list(s, arg);
}

/* RFC 3659 knows no options, and a mirror wants all that may be fetched. */
void
cmd_mlsd(struct sess *s, struct sv arg)
{
	list(s, arg, LS_ALL);
}
