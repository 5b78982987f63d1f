/*
 * worker/cmd_change.c: what changes names and what is said of files: DELE,
 * MKD, RMD, RNFR, RNTO, MFMT, SITE CHMOD, SITE UTIME.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "proto/value.h"
#include "worker/worker.h"

/* Storage does it; `then` answers. */
static void
change(struct sess *s, enum lookup_op op, struct sv arg,
    void (*then)(struct sess *s, struct lookup *l))
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, arg, room, &path))
		lookup_write(s, (struct lookup) { .op = op, .path = path,
			.then = then });
}

static void
changed(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK)
		reply_storage_error(s, l->err);
	else
		reply(s, 250, "Done.");
}

void
cmd_dele(struct sess *s, struct sv arg)
{
	change(s, LOOKUP_REMOVE, arg, changed);
}

void
cmd_rmd(struct sess *s, struct sv arg)
{
	change(s, LOOKUP_REMOVE_DIR, arg, changed);
}

static void
made(struct sess *s, struct lookup *l)
{
	char path[PATH_MAX + 1];

	if (l->err == STORAGE_EXISTS) {
		reply(s, 550, "It exists already.");
	} else if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
	} else {
		path[0] = '/';
		memcpy(path + 1, l->path.ptr, l->path.len);
		reply_quoted(s, 257, (struct sv) { path, l->path.len + 1 },
		    "is made.");
	}
}

void
cmd_mkd(struct sess *s, struct sv arg)
{
	change(s, LOOKUP_MAKE_DIR, arg, made);
}

/* ---- RNFR and RNTO */

void
rename_forget(struct sess *s)
{
	free(s->from);
	s->from = NULL;
}

static void
from_found(struct sess *s, struct lookup *l)
{
	if (l->err == STORAGE_OK && l->path.len == 0)
		l->err = STORAGE_DENIED;	/* the root */
	if (l->err == STORAGE_OK &&
	    (s->from = strndup(l->path.ptr, l->path.len)) == NULL)
		l->err = STORAGE_BUSY;
	if (l->err != STORAGE_OK)
		reply_storage_error(s, l->err);
	else
		reply(s, 350, "And its new name, by RNTO.");
}

void
cmd_rnfr(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_STAT, path, from_found);
}

void
cmd_rnto(struct sess *s, struct sv arg)
{
	struct lookup l = { .op = LOOKUP_RENAME, .then = changed };
	char room[PATH_MAX];

	if (s->from == NULL) {
		reply(s, 503, "RNFR comes first.");
		return;
	}
	l.path = sv_of(s->from);
	if (rights_have(s, ACCOUNTS_OVERWRITE))
		l.how.flags = STORAGE_REPLACE;
	if (sess_path(s, arg, room, &l.to))
		lookup_write(s, l);
	rename_forget(s);	/* lookup_write has made a copy */
}

/* ---- times and permissions */

static void
mtime_set(struct sess *s, struct lookup *l)
{
	char text[VALUE_TIME_SIZE];

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	value_format_time(l->mtime, text);
	if (s->verb == V_MFMT)
		reply_named(s, 213, l->path, "Modify=%s; /", text);
	else
		reply(s, 200, "Done.");
}

static void
set_mtime(struct sess *s, struct sv name, int64_t mtime)
{
	struct lookup l = { .op = LOOKUP_SET_MTIME, .then = mtime_set,
		.mtime = mtime };
	char room[PATH_MAX];

	if (sess_path(s, name, room, &l.path))
		lookup_write(s, l);
}

void
cmd_mfmt(struct sess *s, struct sv arg)
{
	int64_t mtime;
	struct sv name;

	if (value_parse_time_path(arg, &mtime, &name) != FTP_OK)
		reply(s, 501, "Syntax: MFMT YYYYMMDDhhmmss <path>");
	else
		set_mtime(s, name, mtime);
}

void
site_utime(struct sess *s, struct sv arg)
{
	int64_t mtime;
	struct sv name;

	if (!rights_have(s, ACCOUNTS_OVERWRITE))
		rights_refuse(s);
	else if (value_parse_utime(arg, &mtime, &name) != FTP_OK)
		reply(s, 501, "Syntax: SITE UTIME YYYYMMDDhhmmss <path>");
	else
		set_mtime(s, name, mtime);
}

static void
mode_set(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK)
		reply_storage_error(s, l->err);
	else
		reply(s, 200, "Done.");
}

void
site_chmod(struct sess *s, struct sv arg)
{
	struct lookup l = { .op = LOOKUP_CHMOD, .then = mode_set };
	char room[PATH_MAX];
	struct sv name;
	unsigned mode;

	if (!rights_have(s, ACCOUNTS_OVERWRITE)) {
		rights_refuse(s);
	} else if (value_parse_chmod(arg, &mode, &name) != FTP_OK) {
		reply(s, 501, "Syntax: SITE CHMOD <mode> <path>");
	} else if (sess_path(s, name, room, &l.path)) {
		l.mode = mode & 0777;
		lookup_write(s, l);
	}
}
