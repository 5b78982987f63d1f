/*
 * worker/cmd_xfer.c: REST, RETR, LIST, NLST, MLSD, ABOR.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "proto/glob.h"
#include "proto/value.h"
#include "worker/worker.h"

void
cmd_rest(struct sess *s, struct sv arg)
{
	uint64_t offset;

	if (value_parse_offset(arg, &offset) != FTP_OK) {
		reply(s, 501, "REST takes an offset in bytes.");
		return;
	}
	s->rest = offset;
	s->restarted = true;
	reply_format(s, 350, "Restarting at %llu.", (unsigned long long)offset);
}

/* A transfer needs an endpoint; the reply says so when there is none. */
static bool
has_endpoint(struct sess *s)
{
	char room[ENDPOINT_TEXT_MAX];

	if (s->endpoint != ENDPOINT_NONE && s->endpoint != ENDPOINT_FAILED)
		return true;
	reply(s, 425, s->endpoint == ENDPOINT_FAILED ?
	    endpoint_failed_text(s, &s->failed, room) :
	    "Use EPSV, PASV, EPRT or PORT first.");
	s->endpoint = ENDPOINT_NONE;
	s->rest = 0;
	return false;
}

static void
refuse_transfer(struct sess *s, int code, const char *text)
{
	s->rest = 0;
	endpoint_void(s);
	reply(s, code, text);
}

static void
retr_opened(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK) {
		s->rest = 0;
		endpoint_void(s);
		reply_storage_error(s, l->err);
	} else if (s->rest > l->stat.size) {
		refuse_transfer(s, 554, "Restart offset is beyond the file.");
	} else if (s->rest > 0 && s->ascii) {
		refuse_transfer(s, 554, "REST is offered in TYPE I alone.");
	} else {
		xfer_start(s, XFER_FILE, l);
	}
}

void
cmd_retr(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (has_endpoint(s) && sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_OPEN, path, retr_opened);
}

/* A listing of what is no directory: of that one entry (RFC 959). */
static void
list_single(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK) {
		endpoint_void(s);
		reply_storage_error(s, l->err);
		return;
	}
	xfer_start(s, s->verb == V_NLST ? XFER_NLST : XFER_LIST, l);
}

static enum xfer_kind
listing_kind(const struct sess *s)
{
	return s->verb == V_LIST ? XFER_LIST :
	    s->verb == V_NLST ? XFER_NLST : XFER_MLSD;
}

static void
matching_opened(struct sess *s, struct lookup *l)
{
	if (l->err == STORAGE_OK) {
		xfer_start(s, listing_kind(s), l);
		return;
	}
	free(s->pattern);
	s->pattern = NULL;
	endpoint_void(s);
	reply_storage_error(s, l->err);
}

/* "data/t2m_*.nc": those of data that fit, where no such name is there. */
static bool
list_matching(struct sess *s, struct lookup *l)
{
	struct sv last = path_last(l->path), parent = l->path;

	if (!glob_is_pattern(last))
		return false;
	parent.len -= last.len + (parent.len > last.len ? 1 : 0);
	free(s->pattern);
	if ((s->pattern = strndup(last.ptr, last.len)) == NULL)
		return false;
	lookup_start(s, LOOKUP_OPEN_DIR, parent, matching_opened);
	return true;
}

static void
list_opened(struct sess *s, struct lookup *l)
{
	enum xfer_kind kind = listing_kind(s);

	if (l->err == STORAGE_OK) {
		xfer_start(s, kind, l);
	} else if (l->err == STORAGE_NOT_FOUND && kind != XFER_MLSD &&
	    list_matching(s, l)) {
		return;
	} else if (l->err == STORAGE_NOT_DIR && kind != XFER_MLSD) {
		lookup_start(s, LOOKUP_STAT, l->path, list_single);
	} else if (l->err == STORAGE_NOT_DIR) {
		refuse_transfer(s, 501, "Not a directory.");
	} else {
		endpoint_void(s);
		reply_storage_error(s, l->err);
	}
}

static void
list(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	s->rest = 0;
	if (has_endpoint(s) && sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_OPEN_DIR, path, list_opened);
}

/* "-la pub": options of ls, which clients send to a server that runs none.
 * A name that begins with "-" is reached as "./-name". */
static struct sv
without_options(struct sv arg)
{
	while (arg.len > 0 && arg.ptr[0] == '-') {
		const char *space = memchr(arg.ptr, ' ', arg.len);

		if (space == NULL)
			return (struct sv) { arg.ptr, 0 };
		arg = sv_drop(arg, (size_t)(space - arg.ptr) + 1);
	}
	return arg;
}

void
cmd_list(struct sess *s, struct sv arg)
{
	list(s, without_options(arg));
}

void
cmd_nlst(struct sess *s, struct sv arg)
{
	list(s, without_options(arg));
}

void
cmd_mlsd(struct sess *s, struct sv arg)
{
	list(s, arg);
}

void
cmd_abor(struct sess *s, struct sv arg)
{
	(void)arg;
	if (s->xfer != NULL) {
		xfer_abort(s->xfer);
		return;
	}
	endpoint_void(s);
	s->rest = 0;
	reply(s, 226, "Nothing to abort.");
}
