/*
 * worker/cmd_stat.c: STAT: of the session, of a file, and of a directory that
 * is short enough to be told over the control connection.
 *
 * A longer one is refused and never cut: who takes a part for the whole
 * deletes the rest.  Reading it may wait for a disk, so that is done on a
 * thread, into a buffer whose bound is that of all unsent replies.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "worker/worker.h"

#define BRIEF_ENTRIES 256
/* The other half may hold replies that are not sent yet (control.c). */
#define BRIEF_BYTES (REPLY_MAX / 2 - 512)

static void
stat_session(struct sess *s)
{
	char line[160];
	int n;

	reply_begin(s, 211, "Status:");
	if (!s->logged_in)
		reply_line(s, SV("Not logged in."));
	else
		reply_line(s, rights_write(s) ? SV("Logged in.") :
		    SV("Logged in, read-only."));
	n = snprintf(line, sizeof(line),
	    "Type %s, structure file, mode stream.",
	    s->ascii ? "ASCII" : "image");
	reply_line(s, (struct sv) { line, (size_t)n });
	if (s->xfer != NULL) {
		n = snprintf(line, sizeof(line),
		    "A transfer runs: %llu bytes so far.",
		    (unsigned long long)atomic_load(&s->xfer->sent));
		reply_line(s, (struct sv) { line, (size_t)n });
	}
	if (s->wait == WAIT_HASH)
		reply_line(s, SV("A digest is computed."));
	reply(s, 211, "End.");
}

/* What a line takes as a reply: a blank before it, and each 255 twice. */
static size_t
wire_length(struct sv line)
{
	size_t n = line.len + 1;

	for (size_t i = 0; i < line.len; i++)
		n += (unsigned char)line.ptr[i] == 0xff;
	return n;
}

/* Appends an entry's line; false when there is no room left. */
static bool
brief_add(struct lookup *l, const struct storage_entry *entry, int64_t now_s,
    size_t *wire)
{
	char line[NAME_MAX + PATH_MAX + LISTING_SLACK];
	struct listing_entry e = list_entry(&l->w->conf, entry);
	size_t n = listing_list(&e, now_s, line, sizeof(line));

	*wire += wire_length((struct sv) { line, n });
	if (*wire > BRIEF_BYTES)
		return false;
	memcpy(l->text + l->text_len, line, n);
	l->text_len += n;
	return true;
}

/* The next entry that is shown; STORAGE_NOT_FOUND at the end. */
static enum storage_err
brief_next(struct lookup *l, struct storage_dir *dir, struct path_links *links,
    struct storage_entry *entry)
{
	enum storage_err err;

	for (;;) {
		err = l->storage->ops->next(dir, false, entry);
		if (err != STORAGE_OK)
			return err;
		if (entry->name.ptr[0] == '.' ||
		    list_is_unspeakable(entry->name))
			continue;
		err = path_may_list(&l->w->conf, l->storage, l->path, links,
		    entry);
		if (err != STORAGE_NOT_FOUND)
			return err;
	}
}

static enum storage_err
brief_read(struct lookup *l, struct storage_dir *dir)
{
	struct path_links links = { .follow = false };
	struct storage_entry entry;
	int64_t now_s = time(NULL);
	unsigned shown = 0;
	size_t wire = 0;
	enum storage_err err;

	while ((err = brief_next(l, dir, &links, &entry)) == STORAGE_OK &&
	    !l->is_long)
		l->is_long = ++shown > BRIEF_ENTRIES ||
		    !brief_add(l, &entry, now_s, &wire);
	path_links_forget(&links);
	return err == STORAGE_NOT_FOUND ? STORAGE_OK : err;
}

void
brief_work(struct lookup *l)
{
	const struct storage_ops *ops = l->storage->ops;
	struct storage_dir *dir;

	if ((l->text = malloc(BRIEF_BYTES)) == NULL) {
		l->err = STORAGE_BUSY;
		return;
	}
	l->err = ops->open_dir(l->storage, l->path, STORAGE_WAIT, &dir);
	if (l->err != STORAGE_OK)
		return;
	l->err = brief_read(l, dir);
	ops->close_dir(dir);
}

static void
stat_brief(struct sess *s, struct lookup *l)
{
	struct sv rest = { l->text, l->text_len };

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	if (l->is_long) {
		reply(s, 450, "Too long for STAT; use LIST or MLSD.");
		return;
	}
	reply_begin(s, 212, "Status:");
	while (rest.len > 0) {
		reply_line(s, sv_take_field(&rest, '\r'));
		rest = sv_drop(rest, 1);
	}
	reply(s, 212, "End.");
}

static void
stat_found(struct sess *s, struct lookup *l)
{
	char line[PATH_MAX + LISTING_SLACK];
	struct storage_entry entry = { .name = path_last(l->path),
		.target = SV(""), .stat = l->stat };
	struct listing_entry e = list_entry(&l->w->conf, &entry);
	size_t n;

	if (l->err != STORAGE_OK) {
		reply_storage_error(s, l->err);
		return;
	}
	if (S_ISDIR(l->stat.mode)) {
		lookup_start(s, LOOKUP_BRIEF, l->path, stat_brief);
		return;
	}
	n = listing_list(&e, (int64_t)l->stat.mtime, line, sizeof(line));
	reply_begin(s, 213, "Status:");
	reply_line(s, (struct sv) { line, n >= 2 ? n - 2 : 0 });
	reply(s, 213, "End.");
}

void
cmd_stat(struct sess *s, struct sv arg)
{
	char room[PATH_MAX];
	struct sv path;

	if (arg.len == 0 || s->wait == WAIT_TRANSFER ||
	    s->wait == WAIT_HASH) {
		stat_session(s);
		return;
	}
	if (!s->logged_in) {
		reply(s, 530, "Log in first.");
		return;
	}
	/* Who knows STAT for a listing writes it as LIST: "-l pub". */
	(void)listing_take_options(&arg);
	if (sess_path(s, arg, room, &path))
		lookup_start(s, LOOKUP_STAT, path, stat_found);
}
