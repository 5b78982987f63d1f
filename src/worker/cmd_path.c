/*
 * worker/cmd_path.c: where we are and what is there: CWD, CDUP, PWD, SIZE,
 * MDTM, MLST.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "proto/value.h"
#include "worker/worker.h"

struct sv
sess_cwd(const struct sess *s)
{
	return s->cwd == NULL ? SV("") : sv_of(s->cwd);
}

bool
sess_path(struct sess *s, struct sv arg, char out[PATH_MAX], struct sv *path)
{
	size_t len;

	if (!path_resolve(sess_cwd(s), arg, out, &len)) {
		reply(s, 550, "Path too long.");
		return false;
	}
	*path = (struct sv) { out, len };
	return true;
}

void
reply_storage_error(struct sess *s, enum storage_err err)
{
	reply_format(s, storage_err_code(err), "%s.", storage_err_text(err));
}

int
storage_err_code(enum storage_err err)
{
	switch (err) {
	case STORAGE_IO:
	case STORAGE_BUSY:
	case STORAGE_WRITE:
	case STORAGE_CHANGED:
		return 451;
	case STORAGE_NO_SPACE:
		return 452;
	case STORAGE_OVER_QUOTA:
	case STORAGE_TOO_LARGE:
		return 552;
	case STORAGE_EXISTS:
	case STORAGE_BAD_NAME:
		return 553;
	case STORAGE_BAD_OFFSET:
		return 554;
	case STORAGE_OK:
	case STORAGE_LATER:
	case STORAGE_NOT_FOUND:
	case STORAGE_DENIED:
	case STORAGE_NOT_DIR:
	case STORAGE_NOT_FILE:
	case STORAGE_TOO_LONG:
	case STORAGE_TOO_MANY:
	case STORAGE_NOT_EMPTY:
	case STORAGE_OTHER_DISK:
		break;
	}
	return 550;
}

static void
cwd_found(struct sess *s, struct lookup *l)
{
	char *copy;

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	if (!S_ISDIR(l->stat.mode)) {
		reply(s, 550, "Not a directory.");
		return;
	}
	copy = l->path.len == 0 ? NULL : strndup(l->path.ptr, l->path.len);
	if (copy == NULL && l->path.len > 0) {
		reply_storage_error(s, STORAGE_BUSY);
		return;
	}
	free(s->cwd);
	s->cwd = copy;
	if (l->text != NULL)
		text_message(s, l->path,
		    (struct sv) { l->text, l->text_len });
	reply(s, 250, "Directory changed.");
}

void
cmd_cwd(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, arg, room, &path))
		lookup_start(s, text_is_due(s, path) ? LOOKUP_ENTER :
		    LOOKUP_STAT, path, cwd_found);
}

void
cmd_cdup(struct sess *s, struct sv arg)
{
	(void)arg;
	cmd_cwd(s, SV(".."));
}

/* A virtual path as the client writes it: with its leading slash. */
static struct sv
with_slash(struct sv path, char out[PATH_MAX + 1])
{
	out[0] = '/';
	memcpy(out + 1, path.ptr, path.len);
	return (struct sv) { out, path.len + 1 };
}

void
cmd_pwd(struct sess *s, struct sv arg)
{
	char room[PATH_MAX + 1];

	(void)arg;
	reply_quoted(s, 257, with_slash(sess_cwd(s), room),
	    "is the current directory.");
}

static void
size_found(struct sess *s, struct lookup *l)
{
	if (l->err != STORAGE_OK)
		reply_storage_error(s, l->err);
	else if (!S_ISREG(l->stat.mode))
		reply(s, 550, "Not a plain file.");
	else
		reply_format(s, 213, "%llu", (unsigned long long)l->stat.size);
}

void
cmd_size(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	/* RFC 3659 §4: the size on the wire, which would mean to read it. */
	if (s->ascii)
		reply(s, 550, "SIZE is offered in TYPE I alone.");
	else if (!sess_path(s, arg, room, &path))
		return;
	else if (s->user != NULL && rights_have(s, ACCOUNTS_WRITE))
		lookup_write(s, (struct lookup) { .op = LOOKUP_SIZE,
			.path = path, .then = size_found,
			.sees = (s->rights & (ACCOUNTS_LIST |
			    ACCOUNTS_READ)) != 0 });
	else
		lookup_start(s, LOOKUP_STAT, path, size_found);
}

static void
mdtm_found(struct sess *s, struct lookup *l)
{
	char text[VALUE_TIME_SIZE];

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
	} else if (!S_ISREG(l->stat.mode)) {
		reply(s, 550, "Not a plain file.");
	} else {
		value_format_time(l->stat.mtime, text);
		reply(s, 213, text);
	}
}

void
cmd_mdtm(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_STAT, path, mdtm_found);
}

static void
mlst_found(struct sess *s, struct lookup *l)
{
	char perm[RIGHTS_PERM_MAX], name[PATH_MAX + 1];
	char line[PATH_MAX + 1 + LISTING_SLACK + RIGHTS_PERM_MAX];
	struct listing_entry e = { .name = with_slash(l->path, name),
		.mode = l->stat.mode, .size = l->stat.size,
		.mtime = l->stat.mtime, .dev = l->stat.dev,
		.ino = l->stat.ino };
	size_t n;

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	e.perm = rights_perm(s->rights, s->drop_box, e.mode, l->path.len == 0,
	    perm);
	n = listing_mlsd(&e, s->facts, line, sizeof(line));
	reply_begin(s, 250, "Facts:");
	reply_line(s, (struct sv) { line, n >= 2 ? n - 2 : 0 });
	reply(s, 250, "End.");
}

void
cmd_mlst(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_STAT, path, mlst_found);
}
